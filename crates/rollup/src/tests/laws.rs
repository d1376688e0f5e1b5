//! Laws: the order of reading, the split into units and the number of threads change nothing.

use super::record::{EPOCH, Record, Shape, V5, is_internal, parquet, records, shapes, unit, unit_read};
use super::twin::objects;
use crate::PairHours;
use crate::coverage::Forwarders;
use crate::derive::{Derived, Known, Wanted, derive};
use crate::habits::Habits;
use crate::window::Window;
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, UInt64Type};
use memory::Memory;
use proptest::prelude::*;

pub const ALL: Window = Window { from_s: EPOCH, to_s: EPOCH + 48 * 3_600, baseline_from_s: EPOCH };

pub fn tables(units: &[Vec<Record>], shape: Shape) -> Vec<PairHours> {
    units.iter().map(|records| unit(&[parquet(records, shape)]).pair_hours).collect()
}

/// The derived tables, each in one batch.
pub struct Whole {
    pub pairs: RecordBatch,
    pub hosts: RecordBatch,
    pub host_hours: RecordBatch,
    pub destinations: RecordBatch,
    pub services: RecordBatch,
    pub host_days: RecordBatch,
}

pub fn derived(tables: &[PairHours], window: &Window) -> Whole {
    derived_within(tables, window, &Memory::default())
}

pub fn derived_within(tables: &[PairHours], window: &Window, memory: &Memory) -> Whole {
    derived_with(tables, &Forwarders::default(), window, memory)
}

pub fn derived_with(tables: &[PairHours], forwarders: &Forwarders, window: &Window, memory: &Memory) -> Whole {
    let known = Known { forwarders, host_facts: &|_| None, habits: &Habits::default() };
    let Derived { pairs, hosts, host_hours, destinations, services, host_days, .. } =
        derive(tables.to_vec(), window, Wanted::ALL, &is_internal, known, memory).unwrap();
    let read = pairs.shards().iter().flat_map(|shard| shard.read(None).unwrap()).map(Result::unwrap);
    let pairs = arrow::compute::concat_batches(pairs.schema(), &read.collect::<Vec<_>>()).unwrap();
    Whole { pairs, hosts, host_hours, destinations, services, host_days }
}

fn with_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

fn without(batch: &RecordBatch, columns: &[&str]) -> RecordBatch {
    let keep = |at: &usize| !columns.contains(&batch.schema().field(*at).name().as_str());
    batch.project(&(0..batch.num_columns()).filter(keep).collect::<Vec<_>>()).unwrap()
}

/// Sessions on client ports of their own: each 60 seconds a record of 59, both ways.
fn sessions() -> impl Strategy<Value = Vec<Record>> {
    let session = (0usize..3, 0usize..4, any::<bool>(), 0i64..5 * 3_600, 1i64..15, 1i64..5_000);
    prop::collection::vec(session, 1..25).prop_map(|sessions| {
        let mut records = Vec::new();
        for (at, (host_at, remote_at, udp, begin, length, bytes)) in sessions.into_iter().enumerate() {
            let host = ["10.0.0.1", "10.0.0.2", "10.0.0.3"][host_at];
            let remote = ["1.1.1.1", "8.8.8.8", "9.9.9.9", "10.0.0.9"][remote_at];
            let (client, service) = ((host, 40_000 + at as i64), (remote, if udp { 53 } else { 443 }));
            for minute in 0..length {
                let out = Record::new(&format!("eni-{host_at}"), client, service, begin + minute * 60);
                let back = Record::new(&format!("eni-{host_at}"), service, client, begin + minute * 60).ingress();
                for (mut record, syn) in [(out, 2), (back, 18)] {
                    record.end = record.start + 59;
                    record.bytes = bytes + minute;
                    record.protocol = Some(if udp { 17 } else { 6 });
                    record.flags = (!udp).then_some(if minute == 0 { syn } else { 0 });
                    records.push(record);
                }
            }
        }
        records
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn the_order_of_reading_and_the_threads_change_nothing(
        records in records(120),
        shape in shapes(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
        turn in 0usize..4,
    ) {
        let objects = objects(&records, shape, &cuts);
        let one = with_threads(1, || unit(&objects));
        let mut order: Vec<usize> = (0..objects.len()).collect();
        order.rotate_left(turn % objects.len());
        let other = with_threads(4, || unit_read(&objects, &order, 2, Memory::default()));
        prop_assert_eq!(&one.pair_hours, &other.pair_hours);
        prop_assert_eq!(&one.coverage, &other.coverage);
        prop_assert_eq!(one.counts, other.counts);
    }

    #[test]
    fn units_by_hour_change_nothing(records in sessions(), with_flags in any::<bool>(), turn in 0usize..6) {
        let shape = Shape { flags: with_flags, ..V5 };
        let mut units: Vec<Vec<Record>> = vec![Vec::new(); 6];
        for record in &records {
            units[((record.start - EPOCH) / 3_600) as usize].push(record.clone());
        }
        units.rotate_left(turn);
        let whole = derived(&tables(&[records], shape), &ALL);
        let split = derived(&tables(&units, shape), &ALL);
        prop_assert_eq!(&whole.pairs, &split.pairs);
        prop_assert_eq!(&whole.hosts, &split.hosts);
        prop_assert_eq!(&whole.host_hours, &split.host_hours);
        prop_assert_eq!(&whole.destinations, &split.destinations);
        prop_assert_eq!(&whole.services, &split.services);
    }

    #[test]
    fn any_split_into_units_gives_the_same_connections(
        records in sessions(),
        with_flags in any::<bool>(),
        places in prop::collection::vec(0usize..4, 700),
        turn in 0usize..4,
    ) {
        let shape = Shape { flags: with_flags, ..V5 };
        let mut units: Vec<Vec<Record>> = vec![Vec::new(); 4];
        for (record, place) in records.iter().zip(places.iter().cycle()) {
            units[*place].push(record.clone());
        }
        let whole = derived(&tables(&[records], shape), &ALL);
        let split = tables(&units, shape);
        let mut turned = split.clone();
        turned.rotate_left(turn);
        let (split, turned) = (with_threads(1, || derived(&split, &ALL)), with_threads(4, || derived(&turned, &ALL)));
        // A connection cut within an hour has smaller pieces; all else is the same.
        let pieces = ["sizes"];
        prop_assert_eq!(without(&whole.pairs, &pieces), without(&split.pairs, &pieces));
        prop_assert_eq!(&whole.hosts, &split.hosts);
        let pieces = ["connections"];
        prop_assert_eq!(without(&whole.host_hours, &pieces), without(&split.host_hours, &pieces));
        prop_assert_eq!(&whole.destinations, &split.destinations);
        prop_assert_eq!(&split.pairs, &turned.pairs);
        prop_assert_eq!(&split.hosts, &turned.hosts);
        prop_assert_eq!(&split.host_hours, &turned.host_hours);
        prop_assert_eq!(&split.destinations, &turned.destinations);
    }

    #[test]
    fn wild_units_in_any_order_derive_the_same(
        units in prop::collection::vec(records(60), 1..5),
        shape in shapes(),
        turn in 0usize..4,
        history in 0i64..3,
    ) {
        // Long enough for the table of days.
        let window = Window { from_s: EPOCH + history * 3_600, to_s: EPOCH + 240 * 3_600, ..ALL };
        let mut tables = tables(&units, shape);
        let one = with_threads(1, || derived(&tables, &window));
        let turn = turn % tables.len();
        tables.rotate_left(turn);
        let other = with_threads(4, || derived(&tables, &window));
        prop_assert_eq!(&one.pairs, &other.pairs);
        prop_assert_eq!(&one.hosts, &other.hosts);
        prop_assert_eq!(&one.host_hours, &other.host_hours);
        prop_assert_eq!(&one.destinations, &other.destinations);
        prop_assert_eq!(&one.services, &other.services);
        prop_assert_eq!(&one.host_days, &other.host_days);
    }
}

fn keep_alive(protocol: i64, flags: Option<i64>) -> Vec<Vec<Record>> {
    let mut units: Vec<Vec<Record>> = vec![Vec::new(); 10];
    for minute in 0..600i64 {
        let mut record = Record::new("eni-1", ("10.0.0.1", 50_000), ("1.1.1.1", 443), minute * 60);
        record.protocol = Some(protocol);
        record.end = record.start + 59;
        record.flags = flags.map(|flags| if minute == 0 { flags } else { 0 });
        units[(minute / 60) as usize].push(record);
    }
    units
}

#[test]
fn ten_hours_of_keep_alive_are_one_connection() {
    for (protocol, flags) in [(6, Some(2)), (6, None), (17, None)] {
        let shape = Shape { flags: flags.is_some(), ..V5 };
        let pairs = derived(&tables(&keep_alive(protocol, flags), shape), &ALL).pairs;
        assert_eq!(pairs.num_rows(), 1);
        assert_eq!(pairs["connections"].as_primitive::<UInt64Type>().value(0), 1, "{protocol} {flags:?}");
        assert_eq!(pairs["longest_s"].as_primitive::<UInt64Type>().value(0), 35_999);
        assert_eq!(pairs["records"].as_primitive::<UInt64Type>().value(0), 600);
        assert!(pairs["starts"].as_list::<i32>().value(0).as_primitive::<Int64Type>().values().is_empty());
    }
}

#[test]
fn a_connection_older_than_the_window_is_no_start() {
    let window = Window { from_s: EPOCH + 5 * 3_600, ..ALL };
    let pairs = derived(&tables(&keep_alive(6, Some(2)), V5), &window).pairs;
    assert_eq!(pairs["connections"].as_primitive::<UInt64Type>().value(0), 0);
    assert_eq!(pairs["baseline_connections"].as_primitive::<UInt64Type>().value(0), 1);
    assert!(pairs["longest_s"].as_primitive::<UInt64Type>().value(0) >= 5 * 3_600);
}

#[test]
fn beats_on_new_ports_are_all_starts() {
    let records: Vec<Record> = (0..400i64)
        .map(|beat| Record::new("eni-1", ("10.0.0.1", 40_000 + beat), ("1.1.1.1", 443), beat * 75).flags(3))
        .collect();
    let pairs = derived(&tables(&[records], V5), &ALL).pairs;
    let starts = pairs["starts"].as_list::<i32>().value(0);
    let expected: Vec<i64> = (0..400).map(|beat| EPOCH + beat * 75).collect();
    assert_eq!(starts.as_primitive::<Int64Type>().values(), &expected[..]);
}

#[test]
fn a_slow_pair_keeps_the_starts_of_its_history() {
    let beat = 43_000;
    let records: Vec<Record> = (0..8i64)
        .map(|at| Record::new("eni-1", ("10.0.0.1", 40_000 + at), ("1.1.1.1", 443), at * beat).flags(3))
        .collect();
    let to_s = EPOCH + 96 * 3_600;
    let window = Window { from_s: EPOCH + 72 * 3_600, to_s, baseline_from_s: EPOCH };
    let all = tables(&[records], V5);
    let slow = |window: &Window| -> Vec<i64> {
        let pairs = derived(&all, window).pairs;
        pairs["slow_starts"].as_list::<i32>().value(0).as_primitive::<Int64Type>().values().to_vec()
    };
    assert_eq!(slow(&window), (0..8).map(|at| EPOCH + at * beat).collect::<Vec<i64>>());
    let short = Window { baseline_from_s: EPOCH + 48 * 3_600, ..window };
    assert!(slow(&short).is_empty(), "four beats in history and window are too few");
    let without = Window { from_s: EPOCH, baseline_from_s: EPOCH, ..window };
    assert!(slow(&without).is_empty(), "no history: the window has them all");
}
