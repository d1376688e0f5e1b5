//! Which object describes an ENI, and which need not.

use super::record::{Record, V2, V5, is_internal, parquet, records, some, unit, unit_read};
use super::rows::rows;
use crate::{RollupOptions, UnitRollup};
use arrow::array::AsArray;
use memory::Memory;
use proptest::prelude::*;
use scan::ObjectBytes;
use scan::ROLLUP_FIELDS;
use scan::object::{footer, scan};
use std::collections::BTreeMap;
use std::sync::Arc;

fn flow(interface: &str, instance: &str, second: i64) -> Record {
    let record = Record::new(interface, ("10.0.1.5", 40_000), ("203.0.113.5", 443), second).flags(2);
    Record { instance: some(instance), ..record }
}

/// The instance of each ENI, by the unit's coverage, however the objects are read.
fn instances(objects: &[Vec<u8>]) -> BTreeMap<String, Option<String>> {
    let orders: [Vec<usize>; 2] = [(0..objects.len()).collect(), (0..objects.len()).rev().collect()];
    let read = |order: &Vec<usize>, together| instances_of(objects, order, together);
    let first = read(&orders[0], 1);
    for together in 1..=objects.len() {
        assert!(orders.iter().all(|order| read(order, together) == first), "{together} together");
    }
    first
}

fn instances_of(objects: &[Vec<u8>], order: &[usize], together: usize) -> BTreeMap<String, Option<String>> {
    let coverage = unit_read(objects, order, together, Memory::default()).coverage;
    let (names, instances) = (coverage["interface_id"].as_string::<i32>(), coverage["instance_id"].as_string::<i32>());
    let owned = |text: Option<&str>| text.map(str::to_owned);
    names.iter().map(|name| name.unwrap().to_owned()).zip(instances.iter().map(owned)).collect()
}

fn told<const N: usize>(pairs: [(&str, Option<&str>); N]) -> BTreeMap<String, Option<String>> {
    pairs.into_iter().map(|(name, instance)| (name.to_owned(), instance.map(str::to_owned))).collect()
}

#[test]
fn the_first_object_counts_and_others_tell_what_it_lacks() {
    let first = parquet(&[flow("eni-1", "i-1", 0)], V5);
    let second = parquet(&[flow("eni-1", "i-9", 60), flow("eni-2", "i-2", 60)], V5);
    assert_eq!(instances(&[first.clone(), second.clone()]), told([("eni-1", Some("i-1")), ("eni-2", Some("i-2"))]));
    assert_eq!(instances(&[second, first]), told([("eni-1", Some("i-9")), ("eni-2", Some("i-2"))]));
}

#[test]
fn an_instance_that_the_first_object_does_not_name_is_none() {
    let first = parquet(&[flow("eni-1", "-", 0)], V5);
    let second = parquet(&[flow("eni-1", "i-1", 60)], V5);
    assert_eq!(instances(&[first, second]), told([("eni-1", None)]));
}

#[test]
fn an_object_with_more_columns_describes_all_the_same() {
    let bare = parquet(&[flow("eni-1", "i-1", 0)], V2);
    let full = parquet(&[flow("eni-1", "i-1", 60)], V5);
    assert_eq!(instances(&[bare, full]), told([("eni-1", Some("i-1"))]));
}

#[test]
fn windows_without_traffic_describe_nothing() {
    let empty = parquet(&[flow("eni-1", "i-1", 0).empty("NODATA")], V5);
    let full = parquet(&[flow("eni-1", "i-1", 60)], V5);
    assert_eq!(instances(&[empty, full]), told([("eni-1", Some("i-1"))]));
}

/// What is described already is not read again: its pages may as well be damaged.
#[test]
fn what_an_object_before_tells_is_not_read() {
    let records: Vec<Record> = (0..50).map(|second| flow("eni-1", "i-12345678901234567", second)).collect();
    let whole = parquet(&records, V5);
    let mut damaged = whole.clone();
    let name = b"i-12345678901234567";
    let at = damaged.windows(name.len()).position(|bytes| bytes == name).expect("pages are not compressed");
    damaged[at..at + name.len()].fill(0xff);
    let scanned = |rollup: &UnitRollup, place, object: &Vec<u8>| {
        let bytes = Arc::new(ObjectBytes::Whole(object.clone().into()));
        let metadata = footer("object", &bytes).unwrap();
        let mut records = rollup.object(place);
        let read = scan("object", &bytes, &metadata, ROLLUP_FIELDS, rollup.interners(), |batch| records.add(batch));
        read.map(|_| records.commit().unwrap())
    };
    for (place, fits) in [(0, false), (2, true)] {
        let rollup = UnitRollup::new(RollupOptions::default());
        scanned(&rollup, 1, &whole).unwrap();
        assert_eq!(scanned(&rollup, place, &damaged).is_ok(), fits, "place {place}");
        let tables = rollup.finish(None, None, &is_internal).unwrap();
        assert_eq!(tables.counts.rows, if fits { 100 } else { 50 });
    }
}

proptest! {
    /// Objects contradict each other here, and have different fields.
    #[test]
    fn the_order_of_reading_makes_no_difference(
        objects in prop::collection::vec((records(12), any::<bool>()), 1..5),
        order in Just((0..5).collect::<Vec<usize>>()).prop_shuffle(),
        together in 1usize..4,
    ) {
        let objects: Vec<Vec<u8>> =
            objects.iter().map(|(records, full)| parquet(records, if *full { V5 } else { V2 })).collect();
        let order: Vec<usize> = order.into_iter().filter(|place| *place < objects.len()).collect();
        let (other, plain) = (unit_read(&objects, &order, together, Memory::default()), unit(&objects));
        prop_assert_eq!(rows(&other.pair_hours), rows(&plain.pair_hours));
        prop_assert_eq!(&other.coverage, &plain.coverage);
        prop_assert_eq!(&other.counts, &plain.counts);
    }
}
