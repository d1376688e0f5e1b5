//! The derived tables against a slow twin over plain rows.

use super::laws::{ALL, derived, tables};
use super::record::{EPOCH, Record, V2, V5, is_internal, records, shapes};
use super::rows::{Row, rows};
use crate::Vantage;
use crate::segment::{Opening, Segment, stitch};
use crate::window::Window;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, UInt64Type};
use flow::Address;
use proptest::prelude::*;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// A table's rows as name and text, addresses made readable and everything sorted.
pub fn plain(batch: &RecordBatch, names: &[&str]) -> Vec<Vec<String>> {
    let cell = |name: &str, row: usize| {
        let array = &batch[name];
        if array.is_null(row) {
            return "null".to_owned();
        }
        match array.data_type() {
            DataType::FixedSizeBinary(_) => {
                Address::from_bytes(array.as_fixed_size_binary().value(row).try_into().unwrap()).to_string()
            }
            DataType::Timestamp(..) => {
                array.as_primitive::<arrow::datatypes::TimestampSecondType>().value(row).to_string()
            }
            DataType::Float64 => format!("{:.9}", array.as_primitive::<Float64Type>().value(row)),
            _ => arrow::util::display::array_value_to_string(array, row).unwrap(),
        }
    };
    let mut out: Vec<Vec<String>> =
        (0..batch.num_rows()).map(|row| names.iter().map(|name| cell(name, row)).collect()).collect();
    out.sort();
    out
}

type Pair = (String, String, u8, u16, &'static str);

fn pair_of(row: &Row) -> Pair {
    (row.host.clone(), row.remote.clone(), row.protocol, row.port, row.role)
}

/// Rows by pair, in the window and its history. Of several vantages, the best counts.
fn by_pair(all: &[Row], window: &Window) -> BTreeMap<Pair, Vec<Row>> {
    let best = |pair: &Pair| all.iter().filter(|row| pair_of(row) == *pair).map(|row| row.vantage).min();
    let mut pairs: BTreeMap<Pair, Vec<Row>> = BTreeMap::new();
    for row in all {
        let kept = Some(row.vantage) == best(&pair_of(row));
        if kept && (window.baseline_from_s..window.to_s).contains(&row.hour_s) {
            pairs.entry(pair_of(row)).or_default().push(row.clone());
        }
    }
    pairs
}

/// The 5-tuple of a segment, host's port first.
fn tuple_of(row: &Row, segment: &Segment) -> (String, String, u8, (String, String), u16, u16) {
    let (host_port, remote_port) =
        if row.role == "client" { (segment.client_port, row.port) } else { (row.port, segment.client_port) };
    (row.host.clone(), row.remote.clone(), row.protocol, row.owner.clone(), host_port, remote_port)
}

/// Corrects rows of one connection without its SYN where other rows of the connection have better evidence.
pub fn corrected(all: &[Row], window: &Window) -> Vec<Row> {
    let known = |row: &&Row| (window.baseline_from_s..window.to_s).contains(&row.hour_s);
    let is_wrong = |row: &Row| {
        let doubtful = (row.counts[0] == 0 || row.port >= 32_768)
            && row.segments.iter().all(|s| s.opening != Opening::Opened)
            && row.segments.windows(2).all(|pair| pair[0].client_port == pair[1].client_port);
        let Some(first) = row.segments.first().filter(|_| doubtful) else { return false };
        let of = |own: bool, opened: bool| {
            let same = all.iter().filter(known).filter(|other| (other.role == row.role) == own);
            let segments = same.flat_map(|other| other.segments.iter().map(move |s| (tuple_of(other, s), s)));
            let of_tuple = segments.filter(|(tuple, _)| *tuple == tuple_of(row, first)).map(|(_, s)| s);
            of_tuple.filter(|s| !opened || s.opening == Opening::Opened).map(|s| s.start_s).min()
        };
        let opened = |own| of(own, true).is_some_and(|start_s| start_s <= first.start_s);
        match (opened(true), opened(false)) {
            (true, _) => false,
            (false, true) => true,
            _ => of(false, false)
                .is_some_and(|start_s| (start_s, first.client_port) < (of(true, false).unwrap(), row.port)),
        }
    };
    let turn = |row: &Row| {
        let mut row = row.clone();
        let port = std::mem::replace(&mut row.port, row.segments[0].client_port);
        row.role = if row.role == "client" { "server" } else { "client" };
        row.segments.iter_mut().for_each(|s| s.client_port = port);
        row
    };
    all.iter().map(|row| if known(&row) && is_wrong(row) { turn(row) } else { row.clone() }).collect()
}

struct Slow {
    pairs: Vec<Vec<String>>,
    hosts: Vec<Vec<String>>,
    host_hours: Vec<Vec<String>>,
    destinations: Vec<Vec<String>>,
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}

fn slow(all: &[Row], window: &Window) -> Slow {
    let monitored: BTreeSet<&String> =
        all.iter().filter(|row| row.vantage != Vantage::Transit).map(|row| &row.host).collect();
    let external = |remote: &String| {
        let address: Address = remote.parse().unwrap();
        !is_internal(address) && !monitored.contains(remote) && !address.is_local_scope()
    };
    let pairs = by_pair(all, window);
    let in_window = |row: &&Row| row.hour_s >= window.from_s;
    let history = window.from_s > window.baseline_from_s;
    let sum = |rows: &[&Row], pick: &dyn Fn(&Row) -> u64| rows.iter().map(|row| pick(row)).sum::<u64>();
    let hours = |rows: &[&Row]| rows.iter().map(|row| row.hour_s).collect::<BTreeSet<i64>>();
    let most = |rows: &[&Row]| {
        let hour = |h: &i64| rows.iter().filter(|r| r.hour_s == *h).map(|r| r.bytes[0]).sum::<u64>();
        hours(rows).iter().map(hour).max().unwrap_or(0)
    };
    let meets = |remote: &String, role: &str| {
        pairs.keys().filter(|p| p.1 == *remote && p.4 == role).map(|p| &p.0).collect::<BTreeSet<_>>().len()
    };
    let hosts_all: BTreeSet<&String> = pairs.keys().map(|p| &p.0).collect();
    let hosts_egress: BTreeSet<&String> =
        pairs.keys().filter(|p| p.4 == "client" && external(&p.1)).map(|p| &p.0).collect();
    let share = |remote: &String, role: &str| {
        let whole = if role == "client" && external(remote) { hosts_egress.len() } else { hosts_all.len() };
        format!("{:.9}", meets(remote, role) as f64 / whole as f64)
    };
    let maybe = |value: u64| if history { value.to_string() } else { "null".to_owned() };
    let mut out = Slow { pairs: vec![], hosts: vec![], host_hours: vec![], destinations: vec![] };
    let mut connections_of: BTreeMap<&Pair, u64> = BTreeMap::new();
    for (pair, rows) in &pairs {
        let now: Vec<&Row> = rows.iter().filter(in_window).collect();
        let before: Vec<&Row> = rows.iter().filter(|row| !in_window(row)).collect();
        if now.is_empty() {
            continue;
        }
        let recent = rows.iter().filter(|row| row.hour_s + 4 * 3_600 >= window.from_s);
        let segments: Vec<Segment> = recent.flat_map(|row| row.segments.clone()).collect();
        let window_s = rows.iter().map(|row| row.window_s).max().unwrap();
        let joined = stitch(&segments, pair.2, window_s);
        let probes = now.iter().filter(|row| row.segments.is_empty()).map(|row| row.counts[0]).sum::<u64>();
        let starts = joined.iter().filter(|c| c.started && c.start_s >= window.from_s).count() as u64 + probes;
        connections_of.insert(pair, starts);
        let longest =
            joined.iter().filter(|c| c.end_s >= window.from_s).map(|c| c.end_s - c.start_s).max().unwrap_or(0);
        let first = |rows: &[&Row]| rows.iter().map(|row| row.seen_s.0).min();
        out.pairs.push(vec![
            pair.0.clone(),
            pair.1.clone(),
            pair.2.to_string(),
            pair.3.to_string(),
            pair.4.to_owned(),
            external(&pair.1).to_string(),
            starts.to_string(),
            sum(&now, &|r| r.counts[1]).to_string(),
            sum(&now, &|r| r.counts[2]).to_string(),
            sum(&now, &|r| r.bytes[0]).to_string(),
            sum(&now, &|r| r.bytes[1]).to_string(),
            sum(&now, &|r| r.packets[0]).to_string(),
            most(&now).to_string(),
            first(&now).unwrap().to_string(),
            now.iter().map(|row| row.seen_s.1).max().unwrap().to_string(),
            longest.to_string(),
            hours(&now).len().to_string(),
            maybe(hours(&before).len() as u64),
            maybe(sum(&before, &|r| r.counts[0])),
            maybe(sum(&before, &|r| r.bytes[0])),
            maybe(most(&before)),
            first(&before).map_or("null".to_owned(), |first| first.to_string()),
            // These histories are hours long: too short to tell what is new and what is a habit.
            "null".to_owned(),
            meets(&pair.1, pair.4).to_string(),
            share(&pair.1, pair.4),
        ]);
    }
    for host in hosts_all.iter().copied() {
        let of_host: Vec<(&Pair, &Vec<Row>)> = pairs.iter().filter(|(pair, _)| pair.0 == *host).collect();
        let egress = || of_host.iter().filter(|(pair, _)| pair.4 == "client" && external(&pair.1));
        let live = |rows: &Vec<Row>| rows.iter().any(|row| row.hour_s >= window.from_s);
        let known = |rows: &Vec<Row>| rows.iter().any(|row| row.hour_s < window.from_s);
        let remotes = |keep: &dyn Fn(&Vec<Row>) -> bool| {
            egress().filter(|(_, rows)| keep(rows)).map(|(pair, _)| &pair.1).collect::<BTreeSet<_>>()
        };
        let (now, before) = (remotes(&live), remotes(&known));
        if of_host.iter().any(|(_, rows)| live(rows)) {
            out.hosts.push(vec![
                host.clone(),
                now.len().to_string(),
                now.difference(&before).count().to_string(),
                of_host.iter().filter(|(_, rows)| live(rows)).count().to_string(),
                egress().filter_map(|(pair, _)| connections_of.get(pair)).sum::<u64>().to_string(),
                egress()
                    .flat_map(|(_, rows)| rows.iter().filter(in_window))
                    .map(|r| r.bytes[0])
                    .sum::<u64>()
                    .to_string(),
            ]);
        }
        let mut hourly: BTreeMap<i64, (u64, BTreeMap<&String, [u64; 2]>)> = BTreeMap::new();
        for row in egress().flat_map(|(_, rows)| rows.iter()) {
            let hour = hourly.entry(row.hour_s).or_default();
            hour.0 += row.bytes[0];
            let of_remote = hour.1.entry(&row.remote).or_default();
            *of_remote = [of_remote[0] + row.bytes[0], of_remote[1] + row.bytes[1]];
        }
        let base = |hour: &&i64| !history || **hour < window.from_s;
        let logs: Vec<f64> = hourly.iter().filter(|(h, _)| base(h)).map(|(_, h)| (h.0 as f64).ln_1p()).collect();
        let middle = median(logs.clone());
        let mad = median(logs.iter().map(|log| (log - middle).abs()).collect());
        for (hour_s, (bytes, remotes)) in &hourly {
            let address = |remote: &str| remote.parse::<Address>().unwrap();
            let top = remotes.iter().max_by_key(|(remote, of)| (of[0], Reverse(address(remote)))).unwrap();
            out.host_hours.push(vec![
                host.clone(),
                hour_s.to_string(),
                (*hour_s >= window.from_s).to_string(),
                bytes.to_string(),
                remotes.len().to_string(),
                logs.len().to_string(),
                format!("{middle:.9}"),
                format!("{mad:.9}"),
                (*top.0).clone(),
                top.1[0].to_string(),
                top.1[1].to_string(),
            ]);
        }
    }
    let remotes: BTreeSet<(&String, &str)> = pairs.keys().map(|pair| (&pair.1, pair.4)).collect();
    for (remote, role) in remotes {
        let of: Vec<&Row> = pairs.iter().filter(|(p, _)| p.1 == *remote && p.4 == role).flat_map(|(_, r)| r).collect();
        let ports: BTreeSet<u16> = of.iter().map(|row| row.port).collect();
        out.destinations.push(vec![
            remote.clone(),
            role.to_owned(),
            external(remote).to_string(),
            meets(remote, role).to_string(),
            share(remote, role),
            of.iter().map(|r| r.bytes[0]).sum::<u64>().to_string(),
            ports.len().to_string(),
            of.iter().map(|r| r.seen_s.0).min().unwrap().to_string(),
            of.iter().map(|r| r.seen_s.1).max().unwrap().to_string(),
        ]);
    }
    for table in [&mut out.pairs, &mut out.hosts, &mut out.host_hours, &mut out.destinations] {
        table.sort();
    }
    out
}

const PAIRS: &[&str] = &[
    "host",
    "remote",
    "protocol",
    "port",
    "role",
    "external",
    "connections",
    "records",
    "rejected",
    "bytes_out",
    "bytes_in",
    "packets_out",
    "max_hour_bytes_out",
    "first_seen",
    "last_seen",
    "longest_s",
    "active_hours",
    "baseline_hours",
    "baseline_connections",
    "baseline_bytes_out",
    "baseline_max_hour_bytes_out",
    "baseline_first_seen",
    "first_contact",
    "prevalence_hosts",
    "prevalence_share",
];
const HOSTS: &[&str] = &["host", "destinations", "new_destinations", "pairs", "connections", "bytes_out"];
const HOST_HOURS: &[&str] = &[
    "host",
    "hour",
    "in_window",
    "bytes_out",
    "remotes",
    "baseline_hours",
    "baseline_median_ln",
    "baseline_mad_ln",
    "top_remote",
    "top_remote_bytes_out",
    "top_remote_bytes_in",
];
const DESTINATIONS: &[&str] = &[
    "remote",
    "role",
    "external",
    "prevalence_hosts",
    "prevalence_share",
    "bytes_out",
    "ports",
    "first_seen",
    "last_seen",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_derived_tables_equal_the_slow_twin(
        units in prop::collection::vec(records(50), 1..4),
        shape in shapes(),
        from in 0i64..3,
        base in 0i64..3,
        length in 1i64..4,
    ) {
        // The window begins in the middle of the data, and may leave rows out at both ends.
        let from_s = EPOCH + from * 3_600;
        let window = Window { from_s, to_s: from_s + length * 3_600, baseline_from_s: EPOCH + base.min(from) * 3_600 };
        let tables = tables(&units, shape);
        let all: Vec<Row> = tables.iter().flat_map(rows).collect();
        let (fast, slow) = (derived(&tables, &window), slow(&corrected(&all, &window), &window));
        prop_assert_eq!(plain(&fast.pairs, PAIRS), slow.pairs);
        prop_assert_eq!(plain(&fast.hosts, HOSTS), slow.hosts);
        prop_assert_eq!(plain(&fast.host_hours, HOST_HOURS), slow.host_hours);
        prop_assert_eq!(plain(&fast.destinations, DESTINATIONS), slow.destinations);
    }
}

#[test]
fn a_connection_keeps_its_direction_into_the_next_hour() {
    // Two ephemeral ports; after the hour of the SYN the remote's packets come first.
    let hour = |hour: i64, flags: [i64; 2], first: i64| {
        let at = 3_600 * hour + 10;
        let (host, remote) = (("10.0.0.5", 45_000), ("1.1.1.1", 50_050));
        vec![
            Record::new("eni-1", host, remote, at + first).flags(flags[0]),
            Record::new("eni-1", remote, host, at + 1 - first).ingress().flags(flags[1]),
        ]
    };
    let plainly = |hours: &[Vec<Record>], shape| {
        let pairs = derived(&tables(hours, shape), &ALL).pairs;
        plain(&pairs, &["port", "role", "records", "longest_s"])
    };
    let opened = [hour(0, [2, 18], 0), hour(1, [16, 16], 1), hour(2, [16, 16], 0), hour(3, [16, 16], 1)];
    let one = plainly(&opened, V5);
    assert_eq!(one.len(), 1, "{one:?}");
    assert_eq!(one[0][..3], ["50050", "client", "8"].map(str::to_owned));
    // A connection from before the data goes by its first hour.
    assert_eq!(plainly(&opened[1..], V5)[0][..3], ["45000", "server", "6"].map(str::to_owned));
    // So does one of a log without flags.
    assert_eq!(plainly(&opened, V2)[0][..3], ["50050", "client", "8"].map(str::to_owned));
}

#[test]
fn an_address_in_two_accounts_is_two_hosts() {
    let of = |account: &str, port| {
        let record = Record::new(account, ("10.0.0.5", 40_000), ("1.1.1.1", port), 0).flags(2);
        Record { account: Some(account.to_owned()), ..record }
    };
    let all_of = |account: &str| vec![of(account, 80), of(account, 443)];
    let idle = vec![Record {
        account: Some("333333333333".to_owned()),
        ..Record::new("eni-3", ("10.0.0.6", 1), ("2.2.2.2", 1), 0)
    }];
    let accounts = tables(&[all_of("111111111111"), all_of("222222222222"), idle], V5);
    let destinations = derived(&accounts, &ALL).destinations;
    assert_eq!(destinations["prevalence_hosts"].as_primitive::<UInt64Type>().values(), &[2, 1]);
    let shares = destinations["prevalence_share"].as_primitive::<Float64Type>();
    assert!((shares.value(0) - 2.0 / 3.0).abs() < 1e-12, "{shares:?}");
}

#[test]
fn a_busy_internal_server_has_a_share_of_at_most_one() {
    let mut records: Vec<Record> = (1..30)
        .map(|n| Record::new(&format!("eni-{n}"), (&format!("10.0.0.{n}"), 40_000), ("10.0.9.9", 53), 0))
        .collect();
    records.push(Record::new("eni-1", ("10.0.0.1", 40_000), ("1.1.1.1", 443), 0).flags(2));
    let pairs = derived(&tables(&[records], V5), &ALL).pairs;
    let shares = pairs["prevalence_share"].as_primitive::<Float64Type>();
    assert!(shares.values().iter().all(|share| (0.0..=1.0).contains(share)), "{shares:?}");
}
