//! Whose record it is and who opened the connection, where the log does not say.

use super::laws::tables;
use super::record::{Record, Shape, V2, V3, V5};
use super::rows::{Row, rows};

fn told(records: Vec<Record>, shape: Shape) -> Vec<Row> {
    rows(&tables(&[records], shape)[0])
}

fn seen(rows: &[Row]) -> Vec<(&str, &str, u16, &str, [u64; 2])> {
    rows.iter().map(|r| (r.host.as_str(), r.remote.as_str(), r.port, r.role, r.bytes)).collect()
}

/// One exchange of `eni`'s host with a remote, both directions.
fn exchange(eni: &str, host: (&str, i64), remote: (&str, i64), second: i64) -> Vec<Record> {
    let mut back = Record::new(eni, remote, host, second).ingress();
    back.bytes = 70;
    vec![Record::new(eni, host, remote, second), back]
}

#[test]
fn an_eni_with_a_single_external_remote_is_the_internal_end() {
    // Both addresses are named equally often, and the remote's is the lower one.
    let rows_of = |shape| told(exchange("eni-1", ("10.0.0.5", 40_000), ("1.1.1.1", 443), 0), shape);
    for shape in [V2, V3, V5, Shape { interface: false, ..V2 }] {
        assert_eq!(seen(&rows_of(shape)), [("10.0.0.5", "1.1.1.1", 443, "client", [1_000, 70])], "{shape:?}");
    }
}

#[test]
fn the_address_named_by_most_records_is_the_enis_own() {
    // All internal, and IPv6 where nothing is: only the votes decide.
    for hosts in [["10.0.0.5", "10.0.0.1", "10.0.0.9"], ["2001:db8::5", "2001:db8::1", "2001:db8::9"]] {
        let mut records = exchange("eni-1", (hosts[0], 40_000), (hosts[1], 443), 0);
        records.extend(exchange("eni-1", (hosts[0], 40_001), (hosts[2], 5_432), 0));
        let rows = told(records, V2);
        let mut expected =
            [(hosts[0], hosts[1], 443, "client", [1_000, 70]), (hosts[0], hosts[2], 5_432, "client", [1_000, 70])];
        expected.sort();
        assert_eq!(seen(&rows), expected);
    }
}

#[test]
fn an_eni_has_an_address_of_each_family() {
    let (v4, v6) = ("10.0.0.5", "2600:1f18::5");
    let mut records = Vec::new();
    for n in 0..9 {
        records.extend(exchange("eni-1", (v4, 40_000 + n), ("10.0.0.9", 443), 0));
    }
    for remote in ["2001:db8::1", "2001:db8::9"] {
        records.extend(exchange("eni-1", (v6, 40_000), (remote, 443), 0));
    }
    // Its neighbour has talked to nobody else, so only its network shows which of the two is ours.
    records.extend(exchange("eni-2", ("2600:1f18::77", 40_000), ("2001:db8::2", 443), 0));
    let rows = told(records, V2);
    let mut hosts: Vec<&str> = rows.iter().map(|row| row.host.as_str()).collect();
    hosts.sort_unstable();
    assert_eq!(hosts, [v4, v6, v6, "2600:1f18::77"]);
    assert!(rows.iter().all(|row| row.role == "client"), "{:?}", seen(&rows));
}

#[test]
fn a_database_that_all_pods_of_a_node_use_is_not_the_node() {
    let pods = ["10.0.1.71", "10.0.1.72", "10.0.1.73"];
    let records: Vec<Record> = pods
        .iter()
        .map(|pod| Record::new("eni-node", ("10.0.1.5", 40_000), ("10.0.0.2", 5_432), 0).packet(pod, "10.0.0.2"))
        .collect();
    let rows = told(records, V3);
    assert_eq!(rows.iter().map(|r| r.host.as_str()).collect::<Vec<_>>(), pods);
    assert!(rows.iter().all(|r| r.role == "client" && r.remote == "10.0.0.2"));
}

#[test]
fn both_enis_of_an_exchange_tell_their_own_side() {
    let mut records = exchange("eni-a", ("10.0.0.5", 40_000), ("10.0.0.9", 443), 0);
    records.extend(exchange("eni-b", ("10.0.0.9", 443), ("10.0.0.5", 40_000), 0));
    let rows = told(records, V5);
    assert_eq!(
        seen(&rows),
        [("10.0.0.5", "10.0.0.9", 443, "client", [1_000, 70]), ("10.0.0.9", "10.0.0.5", 443, "server", [1_000, 70])]
    );
}

#[test]
fn ports_decide_where_flags_do_not() {
    let role = |host_port: i64, remote_port: i64, shape: Shape| {
        let records = exchange("eni-1", ("10.0.0.5", host_port), ("1.1.1.1", remote_port), 0);
        let rows = told(records, shape);
        assert_eq!(rows.len(), 1);
        (rows[0].port, rows[0].role)
    };
    let no_flags = Shape { flags: false, ..V5 };
    assert_eq!(role(40_000, 443, no_flags), (443, "client"));
    assert_eq!(role(443, 40_000, no_flags), (443, "server"));
    assert_eq!(role(40_000, 8_080, no_flags), (8_080, "client"));
    assert_eq!(role(22, 1_022, no_flags), (22, "server"));
    // NTP and IKE use one port on both sides.
    assert_eq!(role(123, 123, no_flags), (123, "client"));
}

#[test]
fn a_syn_beats_the_ports_of_old_clients() {
    let mut records = exchange("eni-1", ("10.0.0.5", 1_050), ("1.1.1.1", 13_606), 0);
    records[0].flags = Some(2);
    records[1].flags = Some(18);
    let rows = told(records.clone(), V5);
    assert_eq!((rows[0].port, rows[0].role), (13_606, "client"));
    // Without flags, several client ports against one service show the same.
    let many: Vec<Record> =
        (0..5).flat_map(|n| exchange("eni-1", ("10.0.0.5", 1_050 + n), ("1.1.1.1", 13_606), n * 70)).collect();
    let rows = told(many, Shape { flags: false, ..V5 });
    assert_eq!((rows.len(), rows[0].port, rows[0].role), (1, 13_606, "client"));
    // And so does the side that sends first.
    let mut first = exchange("eni-1", ("10.0.0.5", 1_050), ("1.1.1.1", 13_606), 0);
    first[1].start += 1;
    let rows = told(first, Shape { flags: false, ..V5 });
    assert_eq!((rows[0].port, rows[0].role), (13_606, "client"));
}

#[test]
fn icmp_has_no_ports_and_the_host_is_the_client() {
    let mut records = exchange("eni-1", ("10.0.0.5", 0), ("1.1.1.1", 0), 0);
    records.iter_mut().for_each(|r| r.protocol = Some(1));
    let rows = told(records, V5);
    assert_eq!((rows[0].port, rows[0].role, rows[0].protocol), (0, "client", 1));
}

#[test]
fn rejected_records_are_tries_and_no_volume() {
    let mut records = exchange("eni-1", ("10.0.0.5", 40_000), ("1.1.1.1", 443), 0);
    records[0].action = Some("REJECT".to_owned());
    records[0].flags = Some(2);
    let rows = told(records, V5);
    assert_eq!((rows[0].counts, rows[0].bytes), ([1, 2, 1], [0, 70]));
}

#[test]
fn the_service_of_a_pair_does_not_depend_on_the_order_of_records() {
    let of = |services: [&str; 2]| {
        let records = services.map(|service| {
            let record = Record::new("eni-1", ("10.0.0.5", 40_000), ("1.1.1.1", 443), 0);
            Record { dst_service: Some(service.to_owned()), ..record }
        });
        told(records.to_vec(), V5)[0].service.clone()
    };
    assert_eq!(of(["S3", "AMAZON"]), of(["AMAZON", "S3"]));
    assert_eq!(of(["S3", "AMAZON"]).as_deref(), Some("AMAZON"));
}

#[test]
fn more_services_than_a_byte_holds_keep_their_names() {
    let records: Vec<Record> = (0..600)
        .map(|n| {
            let record = Record::new("eni-1", ("10.0.0.5", 40_000), (&format!("1.1.{}.{}", n / 250, n % 250), 443), 0);
            Record { dst_service: Some(format!("SERVICE-{n}")), ..record }
        })
        .collect();
    let rows = told(records, V5);
    assert!(rows.iter().all(|row| {
        let octets: Vec<u32> = row.remote.split('.').map(|octet| octet.parse().unwrap()).collect();
        row.service == Some(format!("SERVICE-{}", octets[2] * 250 + octets[3]))
    }));
}
