//! A forwarder's own traffic stays its own when hosts behind it talk to the same remote.

use super::forwarders::{
    Ends, NO_INSTANCE, Pair, V4, change, expected, inner, outer, own, pairs, translating_appliance,
};
use super::laws::{ALL, derived_with};
use super::record::{EPOCH, Record, Shape, V5, parquet, some, unit, unit_within};
use crate::coverage::forwarders;
use memory::Memory;
use proptest::prelude::*;

/// What a forwarder sends for itself.
fn of_itself(eni: &str, address: &'static str, remote: (&'static str, i64), port: i64, second: i64) -> Vec<Record> {
    let at = Ends { host: (address, port), remote, ..V4 };
    change(own(at, second), |record| Record { interface: some(eni), ..record })
}

fn nat(at: Ends, second: i64) -> Vec<Record> {
    [inner("eni-nat", at, second), outer("eni-nat", at, second)].concat()
}

fn of_nat(port: i64, connections: u64, bytes: (u64, u64)) -> Pair {
    (V4.inner.to_owned(), V4.remote.0.to_owned(), port as u16, "client".to_owned(), true, bytes.0, bytes.1, connections)
}

#[test]
fn another_remote_is_the_forwarders_own() {
    let update = Ends { host: (V4.inner, 33_000), remote: ("203.0.113.80", 443), ..V4 };
    let records = [nat(V4, 0), of_itself("eni-nat", V4.inner, update.remote, 33_000, 0)].concat();
    assert_eq!(pairs(&[records], V5), [expected(update, 1), expected(V4, 1)].concat());
}

#[test]
fn a_remote_that_clients_meet_too_keeps_the_forwarders_own() {
    let beats = |at: i64| of_itself("eni-nat", V4.inner, V4.remote, 50_000 + at, 7 + at * 300);
    let own: Vec<Record> = (0..24).flat_map(beats).collect();
    let mut both = vec![of_nat(443, 24, (24 * 800, 24 * 3_000))];
    both.extend(expected(V4, 1));
    for second in [100, 5_000, 100_000] {
        assert_eq!(pairs(&[[nat(V4, second), own.clone()].concat()], V5), both, "a client at {second}");
    }
    // Behind one of the beats, to the second and the byte.
    assert_eq!(pairs(&[[nat(V4, 307), own.clone()].concat()], V5), both);
    let ssh = of_itself("eni-nat", V4.inner, (V4.remote.0, 22), 50_100, 0);
    let mut other_port = vec![of_nat(22, 1, (800, 3_000))];
    other_port.extend(expected(V4, 1));
    assert_eq!(pairs(&[[nat(V4, 0), ssh].concat()], V5), other_port);
}

#[test]
fn the_starts_of_an_implant_on_a_forwarder_stay_as_they_are() {
    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;
    let mut records: Vec<Record> =
        (0..40).flat_map(|at| of_itself("eni-nat", V4.inner, V4.remote, 50_000 + at, at * 71)).collect();
    // A client that is busier, with other sizes.
    for at in 0..300 {
        let at_once = nat(Ends { host: (V4.host.0, 41_000 + at), ..V4 }, at * 11);
        records.extend(change(at_once, |record| Record { bytes: record.bytes + 700 + at, ..record }));
    }
    let tables = unit(&[parquet(&records, V5)]);
    let known = forwarders(std::slice::from_ref(&tables.coverage));
    let derived = derived_with(&[tables.pair_hours], &known, &ALL, &Memory::default()).pairs;
    assert_eq!(derived.num_rows(), 2);
    let lists = derived["starts"].as_list::<i32>();
    let starts = |row: usize| lists.value(row).as_primitive::<Int64Type>().values().to_vec();
    let beats = |count: i64, apart_s: i64| (0..count).map(|at| EPOCH + at * apart_s).collect::<Vec<i64>>();
    let mut both = [starts(0), starts(1)];
    both.sort_by_key(Vec::len);
    assert_eq!(both, [beats(40, 71), beats(300, 11)]);
}

#[test]
fn an_appliance_of_two_enis_keeps_its_own() {
    let own: Vec<Record> =
        (0..5).flat_map(|at| of_itself("eni-out", V4.inner, V4.remote, 50_000 + at, 900 + at * 600)).collect();
    let mut both = vec![of_nat(443, 5, (4_000, 15_000))];
    both.extend(expected(V4, 1));
    assert_eq!(pairs(&[[translating_appliance(V4, 0), own].concat()], V5), both);
}

#[test]
fn an_outside_eni_is_known_by_what_it_logs_where_no_instance_is() {
    // Two inside hosts, a host that calls the same remote directly, and a few calls of the appliance itself.
    let outside = |at: Ends| Ends { outer: "10.0.2.221", ..at };
    let mut records: Vec<Record> = Vec::new();
    for at in 0..40 {
        let first = outside(Ends { host: (V4.host.0, 40_000 + at), ..V4 });
        let second = outside(Ends { host: ("10.0.1.8", 42_000 + at), ..V4 });
        records.extend(translating_appliance(first, at * 83));
        records.extend(translating_appliance(second, at * 97 + 31));
        records.extend(of_itself("eni-direct", "10.0.3.9", V4.remote, 44_000 + at, at * 83));
    }
    for at in 0..3 {
        records.extend(of_itself("eni-out", "10.0.2.221", V4.remote, 50_000 + at, 40 + at * 900));
    }
    let told = pairs(&[records], NO_INSTANCE);
    let sums: Vec<(&str, u64)> = told.iter().map(|pair| (pair.0.as_str(), pair.7)).collect();
    assert_eq!(sums, [("10.0.1.7", 40), ("10.0.1.8", 40), ("10.0.2.221", 3), ("10.0.3.9", 40)]);
}

#[test]
fn legs_that_are_cut_at_the_hour_are_no_traffic_of_the_forwarder() {
    // Two hours of one connection. The windows of the legs differ, so their hours do not add up alike.
    for (length, late) in [(60, 1), (60, 41), (600, 300), (600, 599)] {
        let mut records: Vec<Record> = Vec::new();
        for at in 0..7_200 / length {
            let window = |record: Record| Record { end: record.start + length - 1, ..record };
            let flags = |record: Record| if at == 0 { record } else { record.flags(0) };
            let begin = if at == 0 { 0 } else { late };
            records.extend(change(inner("eni-nat", V4, at * length), window).into_iter().map(flags));
            records.extend(change(outer("eni-nat", V4, at * length + begin), window).into_iter().map(flags));
        }
        let told = pairs(&[records], V5);
        assert_eq!((told.len(), told[0].0.as_str()), (1, V4.host.0), "{length} {late}: {told:?}");
    }
}

#[test]
fn one_port_that_a_forwarder_spreads_over_many_is_no_traffic_of_its_own() {
    // Without flags, a client that keeps its port is one segment within, and one for each query without.
    let shape = Shape { flags: false, ..V5 };
    let mut records: Vec<Record> = Vec::new();
    for at in 0..50 {
        let udp = |record: Record| Record { protocol: Some(17), ..record };
        records.extend(change(inner("eni-nat", V4, at * 40), udp));
        let moved = Ends { host: (V4.host.0, 40_001 + at), ..V4 };
        records.extend(change(outer("eni-nat", moved, at * 40), udp));
    }
    let told = pairs(&[records], shape);
    assert_eq!((told.len(), told[0].0.as_str()), (1, V4.host.0), "{told:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn however_units_are_cut_and_ordered_own_and_forwarded_count_once(
        places in prop::collection::vec((0i64..7_200, 0usize..3, 0usize..3, any::<bool>()), 1..30),
        turn in 0usize..3,
        memory in prop_oneof![Just(usize::MAX), 0usize..60_000],
    ) {
        let mut units: Vec<Vec<Record>> = vec![Vec::new(); 3];
        let mut own = 0;
        for (at, (second, first, last, is_own)) in (0i64..).zip(&places) {
            if *is_own {
                own += 1;
                units[*first].extend(of_itself("eni-nat", V4.inner, V4.remote, 50_001 + at, *second));
            } else {
                let ends = Ends { host: (V4.host.0, 40_001 + at), ..V4 };
                units[*first].extend(inner("eni-nat", ends, *second));
                units[*last].extend(outer("eni-nat", ends, *second));
            }
        }
        units.retain(|unit| !unit.is_empty());
        let count = units.len();
        units.rotate_left(turn % count);
        let memory = match memory {
            usize::MAX => Memory::default(),
            bytes => super::spill::memory(bytes).0,
        };
        let tables: Vec<_> = units.iter().map(|records| unit_within(&[parquet(records, V5)], memory.clone())).collect();
        let coverage: Vec<_> = tables.iter().map(|tables| tables.coverage.clone()).collect();
        let hours: Vec<_> = tables.into_iter().map(|tables| tables.pair_hours).collect();
        let forwarded = places.len() as u64 - own;
        let mut wanted = Vec::new();
        if own > 0 {
            wanted.push(of_nat(443, own, (own * 800, own * 3_000)));
        }
        if forwarded > 0 {
            wanted.extend(expected(V4, forwarded));
        }
        let known = forwarders(&coverage);
        prop_assert_eq!(super::forwarders::rows_of(&derived_with(&hours, &known, &ALL, &memory).pairs), wanted);
    }
}
