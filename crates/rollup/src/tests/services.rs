//! What hosts serve against a slow twin, and the days of uploads to rare remotes.

use super::derived::{corrected, plain};
use super::laws::{derived, tables};
use super::record::{EPOCH, Record, V5, is_internal, records, shapes, some};
use super::rows::{Row, rows};
use crate::Vantage;
use crate::segment::{Segment, stitch};
use crate::window::Window;
use flow::Address;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const DAY_S: i64 = 86_400;

/// Services that answered in the window: host, protocol, port, remotes, bytes out, remotes before.
fn slow(all: &[Row], window: &Window) -> Vec<Vec<String>> {
    let key = |row: &Row| (row.host.clone(), row.remote.clone(), row.protocol, row.port, row.role, row.owner.clone());
    let twin = |row: &Row| (row.host.clone(), row.remote.clone(), row.protocol, row.port, row.role);
    let best = |row: &Row| all.iter().filter(|other| twin(other) == twin(row)).map(|other| other.vantage).min();
    let monitored: BTreeSet<&String> =
        all.iter().filter(|row| row.vantage != Vantage::Transit).map(|row| &row.host).collect();
    let mut pairs: BTreeMap<_, Vec<&Row>> = BTreeMap::new();
    for row in all {
        let address: Address = row.remote.parse().unwrap();
        let external = !is_internal(address) && !monitored.contains(&row.remote) && !address.is_local_scope();
        let kept = Some(row.vantage) == best(row);
        if external && kept && row.role == "server" && (window.baseline_from_s..window.to_s).contains(&row.hour_s) {
            pairs.entry(key(row)).or_default().push(row);
        }
    }
    let mut services: BTreeMap<_, [u64; 3]> = BTreeMap::new();
    for ((host, _, protocol, port, _, owner), rows) in &pairs {
        let sum = |now: bool, pick: &dyn Fn(&Row) -> u64| -> u64 {
            rows.iter().filter(|row| (row.hour_s >= window.from_s) == now).map(|row| pick(row)).sum()
        };
        let recent = rows.iter().filter(|row| row.hour_s + 4 * 3_600 >= window.from_s);
        let segments: Vec<Segment> = recent.flat_map(|row| row.segments.clone()).collect();
        let joined = stitch(&segments, *protocol, rows.iter().map(|row| row.window_s).max().unwrap());
        let started = joined.iter().filter(|c| c.started && c.start_s >= window.from_s).count() as u64;
        let spoke = |bytes: u64, connections: u64| match protocol {
            6 => bytes >= 200 * connections.max(1),
            _ => bytes > 0,
        };
        let (out, back) = (sum(true, &|row| row.bytes[0]), sum(true, &|row| row.bytes[1]));
        let before = sum(false, &|row| row.counts[1]) > 0
            && spoke(sum(false, &|row| row.bytes[0]), sum(false, &|row| row.counts[0]));
        let service = services.entry((host.clone(), *protocol, *port, owner.clone())).or_default();
        if back > 0 && spoke(out, started) {
            service[0] += 1;
            service[1] += out;
        }
        service[2] += u64::from(before);
    }
    let alive = services.into_iter().filter(|(_, service)| service[0] > 0);
    let line = |((host, protocol, port, _), service): ((String, u8, u16, _), [u64; 3])| {
        let mut line = vec![host, protocol.to_string(), port.to_string()];
        line.extend(service.iter().map(u64::to_string));
        line
    };
    let mut lines: Vec<Vec<String>> = alive.map(line).collect();
    lines.sort();
    lines
}

const SERVICES: &[&str] = &["host", "protocol", "port", "remotes", "bytes_out", "baseline_remotes"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn services_equal_the_slow_twin(
        units in prop::collection::vec(records(60), 1..3),
        shape in shapes(),
        from in 0i64..3,
    ) {
        let from_s = EPOCH + from * 3_600;
        let window = Window { from_s, to_s: from_s + 4 * 3_600, baseline_from_s: EPOCH };
        let tables = tables(&units, shape);
        let all: Vec<Row> = tables.iter().flat_map(rows).collect();
        prop_assert_eq!(plain(&derived(&tables, &window).services, SERVICES), slow(&corrected(&all, &window), &window));
    }
}

#[test]
fn a_service_counts_what_a_later_unit_took_for_another_port() {
    // In the first unit the host's port has two remote ports, so it is the service. The second unit has one record of
    // the same connection and, by its ports alone, would take the remote's port for the service.
    let (host, remote) = (("10.0.0.9", 50_000), ("2001:db8::2", 13_606));
    let mut answer = Record::new("eni-1", host, remote, 0);
    let mut request = Record::new("eni-1", remote, host, 1).ingress();
    (answer.bytes, request.bytes) = (200, 1);
    let mut refused = Record::new("eni-1", ("2001:db8::2", 443), host, 0).ingress();
    refused.action = some("REJECT");
    let tables = tables(&[vec![refused, answer], vec![request]], V5);
    let all: Vec<Row> = tables.iter().flat_map(rows).collect();
    assert_eq!((all[0].role, all[0].port, all[0].bytes), ("server", 50_000, [200, 0]));
    assert_eq!((all[1].role, all[1].port, all[1].bytes), ("client", 13_606, [0, 1]));
    let window = Window { from_s: EPOCH, to_s: EPOCH + 3_600, baseline_from_s: EPOCH };
    let expected = [["10.0.0.9", "6", "50000", "1", "200", "0"].map(str::to_owned)];
    assert_eq!(plain(&derived(&tables, &window).services, SERVICES), expected);
    assert_eq!(slow(&corrected(&all, &window), &window), expected);
}

/// An upload of a host, with what comes back.
fn upload(host: u32, remote: &str, day: i64, bytes: [i64; 2]) -> [Record; 2] {
    let (interface, address) = (format!("eni-{host}"), format!("10.0.0.{host}"));
    let (client, service) = ((address.as_str(), 40_000), (remote, 443));
    let second = day * DAY_S + 60 * i64::from(host);
    let mut out = Record::new(&interface, client, service, second).flags(3);
    let mut back = Record::new(&interface, service, client, second).ingress().flags(19);
    (out.bytes, back.bytes) = (bytes[0], bytes[1]);
    [out, back]
}

#[test]
fn days_sum_uploads_to_rare_remotes_only() {
    let window = Window { from_s: EPOCH + 9 * DAY_S, to_s: EPOCH + 10 * DAY_S, baseline_from_s: EPOCH };
    let mut records = Vec::new();
    // Three hosts share a remote, so it is not rare; two share another.
    for host in 1..=3 {
        records.extend(upload(host, "1.1.1.1", 1, [1_000_000, 10]));
    }
    for host in 1..=2 {
        records.extend(upload(host, "2.2.2.2", 2, [200_000 + i64::from(host), 10]));
    }
    records.extend(upload(1, "3.3.3.3", 2, [300_000, 100_000]));
    // A download, a trifle, and the last day.
    records.extend(upload(1, "4.4.4.4", 3, [300_000, 200_000]));
    records.extend(upload(1, "5.5.5.5", 3, [60_000, 0]));
    records.extend(upload(1, "5.5.5.5", 9, [70_000, 0]));
    let columns = &["host", "day", "in_window", "rare_bytes_out", "rare_remotes", "top_remote", "top_bytes_out"];
    let day = |n: i64| (EPOCH + n * DAY_S).to_string();
    let line = |host: &str, n: i64, rest: &str| -> Vec<String> {
        let rest = format!("{host} {} {rest}", day(n));
        rest.split(' ').map(str::to_owned).collect()
    };
    let expected = [
        line("10.0.0.1", 1, "false 0 0 10.0.0.1 0"),
        line("10.0.0.1", 2, "false 500001 2 3.3.3.3 300000"),
        line("10.0.0.1", 3, "false 0 0 10.0.0.1 0"),
        line("10.0.0.1", 9, "true 70000 1 5.5.5.5 70000"),
        line("10.0.0.2", 1, "false 0 0 10.0.0.2 0"),
        line("10.0.0.2", 2, "false 200002 1 2.2.2.2 200002"),
        line("10.0.0.3", 1, "false 0 0 10.0.0.3 0"),
    ];
    let tables = tables(&[records], V5);
    assert_eq!(plain(&derived(&tables, &window).host_days, columns), expected);
    let short = Window { baseline_from_s: EPOCH + 3 * DAY_S, ..window };
    assert_eq!(derived(&tables, &short).host_days.num_rows(), 0, "seven days show no drift");
}
