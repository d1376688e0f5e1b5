//! What several logs wrote of the same packets counts once, and what each wrote of its own counts.

use super::record::{EPOCH, Record, V5, parquet, record, some, unit, unit_of_logs};
use super::rows::{Row, rows};
use super::twin::{objects, slow_of_logs};
use crate::UnitTables;
use memory::Memory;
use proptest::prelude::*;

const FLOATING: &str = "10.0.1.77";
const REMOTE: &str = "198.51.100.77";

/// A minute of 10,000 bytes of a secondary address, in the log of one of the ENIs that have it.
fn minute(eni: &str, outbound: bool, minute: i64) -> Record {
    let (own, remote) = ((if eni == "eni-a" { "10.0.1.5" } else { "10.0.1.6" }, 40_000), (REMOTE, 443));
    let record = if outbound {
        Record::new(eni, own, remote, minute * 60).packet(FLOATING, REMOTE)
    } else {
        Record::new(eni, remote, own, minute * 60).ingress().packet(REMOTE, FLOATING)
    };
    Record { bytes: 10_000, end: record.start + 59, ..record.flags(if minute == 0 { 2 } else { 0 }) }
}

fn sums(tables: &UnitTables) -> (u64, u64, u64) {
    let rows: Vec<Row> = rows(&tables.pair_hours);
    assert!(rows.iter().all(|row| row.host == FLOATING && row.remote == REMOTE), "{rows:?}");
    let sum = |side: usize| rows.iter().map(|row| row.bytes[side]).sum();
    (sum(0), sum(1), rows.iter().map(|row| row.counts[1]).sum())
}

#[test]
fn each_direction_counts_at_the_eni_that_logs_it() {
    let (out, back) = ((0..30).map(|at| minute("eni-a", true, at)), (0..30).map(|at| minute("eni-b", false, at)));
    let apart: Vec<Record> = out.clone().chain(back).collect();
    assert_eq!(sums(&unit(&[parquet(&apart, V5)])), (300_000, 300_000, 60));
    // The first ENI sees a little of the way back.
    let both: Vec<Record> =
        apart.into_iter().chain([Record { bytes: 60, packets: 1, ..minute("eni-a", false, 3) }]).collect();
    let tables = unit(&[parquet(&both, V5)]);
    assert_eq!((sums(&tables), tables.counts.transit), ((300_000, 300_000, 60), 1));
}

#[test]
fn an_address_that_moves_to_another_eni_keeps_all_its_bytes() {
    for moved in [1, 15, 30, 59] {
        let before = (0..moved).flat_map(|at| [minute("eni-b", true, at), minute("eni-b", false, at)]);
        let after = (moved..60).flat_map(|at| [minute("eni-a", true, at), minute("eni-a", false, at)]);
        let tables = unit(&[parquet(&before.chain(after).collect::<Vec<_>>(), V5)]);
        assert_eq!((sums(&tables), tables.counts.transit), ((600_000, 600_000, 120), 0), "{moved}");
    }
}

#[test]
fn packets_that_two_enis_see_count_once_though_windows_differ() {
    for late in [0, 1, 29, 59] {
        let later = |record: Record| Record { start: record.start + late, end: record.end + late, ..record };
        let seen = (0..60).map(|at| minute("eni-a", true, at));
        let again = (0..60).map(|at| later(minute("eni-b", true, at)));
        let (out, _, _) = sums(&unit(&[parquet(&seen.chain(again).collect::<Vec<_>>(), V5)]));
        // The last window of the later ENI may begin in an hour of its own.
        assert_eq!(out, 600_000, "{late}");
    }
    // One packet, as late as AWS allows.
    let query = |eni: &str, second: i64| {
        let record = minute(eni, true, 0);
        Record { bytes: 60, packets: 1, start: EPOCH + second, end: EPOCH + second, protocol: Some(17), ..record }
    };
    assert_eq!(sums(&unit(&[parquet(&[query("eni-a", 10), query("eni-b", 65)], V5)])), (60, 0, 1));
}

/// A connection of one hour in windows of `window_s`, 100 bytes a second.
fn logged(window_s: i64, action: &str) -> Vec<Record> {
    let record = |at: i64| {
        let record = Record::new("eni-1", (FLOATING, 40_000), (REMOTE, 443), at * window_s);
        let (bytes, packets) = (100 * window_s, window_s);
        Record { bytes, packets, end: record.start + window_s - 1, action: some(action), ..record }
    };
    (0..3_600 / window_s).map(|at| record(at).flags(if at == 0 { 2 } else { 0 })).collect()
}

fn of_logs(logs: &[Vec<Record>]) -> UnitTables {
    let objects: Vec<Vec<u8>> = logs.iter().map(|records| parquet(records, V5)).collect();
    let numbers: Vec<u32> = (0..logs.len() as u32).collect();
    let straight: Vec<usize> = (0..logs.len()).collect();
    let one = unit_of_logs(&objects, &numbers, &straight, 1, Memory::default());
    let back: Vec<usize> = straight.iter().rev().copied().collect();
    let other = unit_of_logs(&objects, &numbers, &back, 2, Memory::default());
    assert_eq!((&one.pair_hours, &one.coverage, &one.counts), (&other.pair_hours, &other.coverage, &other.counts));
    one
}

#[test]
fn several_flow_logs_over_one_eni_count_once_and_are_told() {
    let (fine, coarse) = (logged(60, "ACCEPT"), logged(600, "ACCEPT"));
    for (logs, doubled, records) in [
        (vec![fine.clone(), fine.clone()], 60, 60),
        (vec![fine.clone(), coarse.clone()], 6, 60),
        (vec![coarse.clone(), fine.clone()], 6, 60),
        (vec![coarse.clone(), coarse.clone(), fine.clone()], 12, 60),
    ] {
        let tables = of_logs(&logs);
        assert_eq!((sums(&tables), tables.counts.doubled), ((360_000, 0, records), doubled));
        assert_eq!(tables.counts.transit, 0);
    }
}

#[test]
fn flow_logs_that_share_no_record_all_count() {
    let fine = logged(60, "ACCEPT");
    // One log replaces another; one has what is rejected, one the rest.
    let (first, last) = (fine[..23].to_vec(), fine[23..].to_vec());
    let tables = of_logs(&[first, last]);
    assert_eq!((sums(&tables), tables.counts.doubled), ((360_000, 0, 60), 0));
    let tables = of_logs(&[fine.clone(), logged(60, "REJECT")]);
    assert_eq!((sums(&tables), tables.counts.doubled), ((360_000, 0, 120), 0));
    // A log with gaps beside a coarse one.
    let gaps: Vec<Record> =
        fine.iter().enumerate().filter(|(at, _)| !(20..30).contains(at)).map(|(_, r)| r.clone()).collect();
    let tables = of_logs(&[gaps, logged(600, "ACCEPT")]);
    assert_eq!(sums(&tables).0, 360_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn units_of_several_flow_logs_equal_the_slow_twin(
        records in prop::collection::vec((record(), any::<bool>()), 1..60),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        logs in prop::collection::vec(0u32..3, 6),
        turn in 0usize..6,
    ) {
        // Many records come twice.
        let records: Vec<Record> =
            records.into_iter().flat_map(|(record, twice)| std::iter::repeat_n(record, 1 + usize::from(twice))).collect();
        let objects = objects(&records, V5, &cuts);
        let mut order: Vec<usize> = (0..objects.len()).collect();
        order.rotate_left(turn % objects.len());
        let tables = unit_of_logs(&objects, &logs, &order, 2, Memory::default());
        prop_assert_eq!(rows(&tables.pair_hours), slow_of_logs(&objects, &logs));
    }
}
