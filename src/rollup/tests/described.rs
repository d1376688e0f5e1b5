//! ENIs that one object describes for its unit.

use super::record::{Record, V2, V5, parquet, records, some, unit, unit_described_by_first};
use super::rows::rows;
use arrow::array::AsArray;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn flow(interface: &str, instance: &str, second: i64) -> Record {
    let record = Record::new(interface, ("10.0.1.5", 40_000), ("203.0.113.5", 443), second).flags(2);
    Record { instance: some(instance), ..record }
}

/// The instance of each ENI, by the unit's coverage.
fn instances(objects: &[Vec<u8>]) -> BTreeMap<String, Option<String>> {
    let coverage = unit_described_by_first(objects).coverage;
    let (names, instances) = (coverage["interface_id"].as_string::<i32>(), coverage["instance_id"].as_string::<i32>());
    let owned = |text: Option<&str>| text.map(str::to_owned);
    names.iter().map(|name| name.unwrap().to_owned()).zip(instances.iter().map(owned)).collect()
}

fn told<const N: usize>(pairs: [(&str, Option<&str>); N]) -> BTreeMap<String, Option<String>> {
    pairs.into_iter().map(|(name, instance)| (name.to_owned(), instance.map(str::to_owned))).collect()
}

#[test]
fn the_first_object_describes_and_others_what_it_lacks() {
    let first = parquet(&[flow("eni-1", "i-1", 0)], V5);
    let second = parquet(&[flow("eni-1", "i-9", 60), flow("eni-2", "i-2", 60)], V5);
    assert_eq!(
        instances(&[first.clone(), second.clone()]),
        told([("eni-1", Some("i-1")), ("eni-2", Some("i-2"))]),
        "the second object was asked for what the first had told"
    );
    assert_eq!(instances(&[second, first]), told([("eni-1", Some("i-9")), ("eni-2", Some("i-2"))]));
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

proptest! {
    /// Where every object says the same of an ENI, it makes no difference which of them says it.
    #[test]
    fn one_description_is_as_good_as_many(objects in prop::collection::vec(records(12), 1..4)) {
        let objects: Vec<Vec<u8>> = objects
            .into_iter()
            .map(|mut records| {
                for record in &mut records {
                    record.instance = record.interface.as_ref().filter(|name| *name != "eni-3").map(|name| format!("i-{name}"));
                }
                parquet(&records, V5)
            })
            .collect();
        let (one, many) = (unit_described_by_first(&objects), unit(&objects));
        prop_assert_eq!(rows(&one.pair_hours), rows(&many.pair_hours));
        prop_assert_eq!(&one.coverage, &many.coverage);
        prop_assert_eq!(&one.counts, &many.counts);
    }
}
