//! Gateways: each byte counts once, at the host that sent or got it.

use super::laws::{ALL, derived, tables};
use super::record::{Record, V5, some};
use super::rows::{Row, rows};
use crate::{PairHours, Vantage};
use proptest::prelude::*;

const HOST: &str = "10.0.1.5";
const NAT: &str = "10.0.0.220";
const REMOTE: &str = "203.0.113.5";

/// What the workload's own ENI logs of one exchange.
fn own(second: i64) -> Vec<Record> {
    vec![
        Record::new("eni-host", (HOST, 40_000), (REMOTE, 443), second).flags(2),
        Record::new("eni-host", (REMOTE, 443), (HOST, 40_000), second).flags(18).ingress(),
    ]
}

/// The four records that a NAT gateway's ENI logs of the same exchange.
fn nat(second: i64) -> Vec<Record> {
    [
        Record::new("eni-nat", (HOST, 40_000), (NAT, 443), second).flags(2).ingress().packet(HOST, REMOTE),
        Record::new("eni-nat", (NAT, 1_055), (REMOTE, 443), second).flags(2),
        Record::new("eni-nat", (REMOTE, 443), (NAT, 1_055), second).flags(18).ingress(),
        Record::new("eni-nat", (NAT, 443), (HOST, 40_000), second).flags(18).packet(REMOTE, HOST),
    ]
    .map(Record::managed)
    .to_vec()
}

fn told(tables: &[PairHours]) -> Vec<Row> {
    tables.iter().flat_map(rows).collect()
}

fn pairs(tables: &[PairHours]) -> Vec<(String, String, u16, u64, u64, u64)> {
    use arrow::array::AsArray;
    use arrow::datatypes::{UInt16Type, UInt64Type};
    let pairs = derived(tables, &ALL).pairs;
    let number = |name: &str, row| pairs[name].as_primitive::<UInt64Type>().value(row);
    let address = |name: &str, row| {
        let bytes: [u8; 16] = pairs[name].as_fixed_size_binary().value(row).try_into().unwrap();
        flow::Address::from_bytes(bytes).to_string()
    };
    (0..pairs.num_rows())
        .map(|row| {
            let port = pairs["port"].as_primitive::<UInt16Type>().value(row);
            let (out, back) = (number("bytes_out", row), number("bytes_in", row));
            (address("host", row), address("remote", row), port, out, back, number("connections", row))
        })
        .collect()
}

fn expected() -> Vec<(String, String, u16, u64, u64, u64)> {
    vec![(HOST.to_owned(), REMOTE.to_owned(), 443, 1_000, 1_000, 1)]
}

#[test]
fn the_own_eni_wins_over_the_nat_gateway() {
    let both: Vec<Record> = own(0).into_iter().chain(nat(0)).collect();
    let one_unit = tables(&[both], V5);
    assert_eq!(told(&one_unit).len(), 2, "both vantages stand in pair_hours");
    assert_eq!(pairs(&one_unit), expected());
    assert_eq!(pairs(&tables(&[nat(0), own(0)], V5)), expected());
}

#[test]
fn a_nat_gateway_alone_tells_the_workload() {
    let alone = tables(&[nat(0)], V5);
    assert!(told(&alone).iter().all(|row| row.vantage == Vantage::Transit));
    assert_eq!(pairs(&alone), expected());
}

#[test]
fn a_nat_gateway_of_another_account_repeats_nothing() {
    let theirs: Vec<Record> = nat(0).into_iter().map(|r| Record { account: some("999999999999"), ..r }).collect();
    assert_eq!(pairs(&tables(std::slice::from_ref(&theirs), V5)), expected());
    assert_eq!(pairs(&tables(&[theirs, own(0)], V5)), expected());
}

#[test]
fn a_nat_gateway_is_known_by_its_interface_type() {
    let named = |kind: &str, records: Vec<Record>| -> Vec<Record> {
        records.into_iter().map(|r| Record { kind: some(kind), ..r }).collect()
    };
    for kind in ["nat_gateway", "regional_nat_gateway"] {
        assert_eq!(pairs(&tables(&[named(kind, nat(0))], V5)), expected());
    }
    // An endpoint's ENI that speaks for itself is nobody's gateway, whoever manages it.
    let own: Vec<Record> = own(0).into_iter().map(Record::managed).collect();
    let endpoint = named("vpc_endpoint", own);
    assert!(told(&tables(&[endpoint], V5)).iter().all(|row| row.vantage == Vantage::Own));
}

#[test]
fn a_nat_gateway_is_known_though_its_first_windows_were_empty() {
    let idle = nat(0)[0].clone().empty("NODATA");
    let records: Vec<Record> = std::iter::once(idle).chain(nat(60)).collect();
    assert_eq!(pairs(&tables(&[records], V5)), expected());
}

#[test]
fn a_node_whose_first_windows_were_empty_is_no_gateway() {
    // AWS writes `-` for the instance of a window without records.
    let pod = Record::new("eni-node", (HOST, 40_000), (REMOTE, 443), 60).flags(2).packet("10.0.1.77", REMOTE);
    for status in ["NODATA", "SKIPDATA"] {
        let records = vec![pod.clone().empty(status), pod.clone()];
        let rows = told(&tables(&[records], V5));
        assert!(rows.iter().all(|row| row.vantage != Vantage::Transit && row.host == "10.0.1.77"), "{rows:?}");
    }
}

#[test]
fn pods_stay_hosts_of_their_own() {
    let out = Record::new("eni-node", (HOST, 40_000), (REMOTE, 443), 0).flags(2).packet("10.0.1.77", REMOTE);
    let back =
        Record::new("eni-node", (REMOTE, 443), (HOST, 40_000), 0).flags(18).ingress().packet(REMOTE, "10.0.1.77");
    let plain = own(0);
    for shape in [V5, super::record::V3] {
        let mut records = vec![out.clone(), back.clone()];
        records.extend(plain.iter().cloned().map(|r| Record { interface: some("eni-node"), ..r }));
        let rows = told(&tables(&[records], shape));
        let hosts: Vec<(&str, u64, u64)> = rows.iter().map(|r| (r.host.as_str(), r.bytes[0], r.bytes[1])).collect();
        assert_eq!(hosts, [(HOST, 1_000, 1_000), ("10.0.1.77", 1_000, 1_000)]);
    }
}

#[test]
fn a_transit_gateway_tells_client_and_server() {
    let (client, server, tgw) = ("10.20.33.164", "10.40.2.236", "10.40.1.175");
    let request = Record::new("eni-tgw", (tgw, 39_812), (server, 80), 0).flags(3).packet(client, server);
    let response = Record::new("eni-tgw", (server, 80), (tgw, 39_812), 0).flags(19).ingress().packet(server, client);
    let gateway = vec![request.managed(), response.managed()];
    // Alone, each end is known once: both ends are internal, so the sender of the request stands as host.
    let told_pairs = pairs(&tables(std::slice::from_ref(&gateway), V5));
    let total: u64 = told_pairs.iter().map(|pair| pair.3 + pair.4).sum();
    assert_eq!(total, 2_000, "{told_pairs:?}");
    // With the server's own ENI its two records win for the server.
    let own = vec![
        Record::new("eni-server", (client, 39_812), (server, 80), 0).flags(3).ingress(),
        Record::new("eni-server", (server, 80), (client, 39_812), 0).flags(19),
    ];
    let both = pairs(&tables(&[gateway, own], V5));
    let server_row = both.iter().find(|pair| pair.0 == server).unwrap();
    assert_eq!((server_row.3, server_row.4), (1_000, 1_000));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn however_units_are_cut_the_own_vantage_wins(
        seconds in prop::collection::vec(0i64..7_200, 1..30),
        places in prop::collection::vec(0usize..4, 30),
    ) {
        // The NAT gateway's hours come in units of their own account; the workload's in any.
        let mut units: Vec<Vec<Record>> = vec![Vec::new(); 4];
        for (port, (second, place)) in (40_001..).zip(seconds.iter().zip(&places)) {
            let ports = |mut r: Record| {
                r.ports = (if r.ports.0 == 40_000 { port } else { r.ports.0 }, if r.ports.1 == 40_000 { port } else { r.ports.1 });
                r
            };
            units[*place].extend(own(*second).into_iter().map(ports));
            units[3 - *place].extend(nat(*second).into_iter().map(ports));
        }
        let pairs = pairs(&tables(&units, V5));
        let count = seconds.len() as u64;
        prop_assert_eq!(pairs, vec![(HOST.to_owned(), REMOTE.to_owned(), 443, 1_000 * count, 1_000 * count, count)]);
    }
}
