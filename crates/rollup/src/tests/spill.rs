//! What is spilled comes back: with any memory, the tables are the same.

use super::laws::{ALL, derived, derived_within, tables};
use super::record::{EPOCH, Record, V5, exchanges, parquet, records, shapes, unit, unit_within};
use super::rows::rows as rows_of;
use super::twin::objects;
use crate::PairHours;
use crate::window::Window;
use memory::{Budget, Memory};
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};

/// Counts what is held, and never refuses.
#[derive(Clone, Debug, Default)]
pub struct Counter(pub Arc<AtomicIsize>);

impl Budget for Counter {
    fn try_take(&self, bytes: usize) -> bool {
        self.take(bytes);
        true
    }

    fn take(&self, bytes: usize) {
        self.0.fetch_add(bytes as isize, Ordering::Relaxed);
    }

    fn give_back(&self, bytes: usize) {
        self.0.fetch_sub(bytes as isize, Ordering::Relaxed);
    }
}

pub fn memory(bytes: usize) -> (Memory, Counter) {
    let counter = Counter::default();
    (Memory::limited(bytes, Box::new(counter.clone()), std::env::temp_dir()), counter)
}

/// Memory from none at all to enough for everything.
fn sizes() -> impl Strategy<Value = usize> {
    prop_oneof![2 => Just(0usize), 3 => 0usize..60_000, 1 => 0usize..2_000_000]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_unit_in_little_memory_gives_the_same_tables(
        records in prop_oneof![records(150), exchanges(80)],
        shape in shapes(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        bytes in sizes(),
    ) {
        let objects = objects(&records, shape, &cuts);
        let (memory, counter) = memory(bytes);
        let whole = unit(&objects);
        let spilled = unit_within(&objects, memory.clone());
        prop_assert_eq!(&spilled.pair_hours.loaded().unwrap(), &whole.pair_hours.loaded().unwrap());
        prop_assert_eq!(spilled.pair_hours.len(), whole.pair_hours.len());
        prop_assert_eq!(spilled.pair_hours.hour_range(), whole.pair_hours.hour_range());
        prop_assert_eq!(spilled.pair_hours.to_batch().unwrap(), whole.pair_hours.to_batch().unwrap());
        prop_assert_eq!(&spilled.coverage, &whole.coverage);
        prop_assert_eq!(&spilled.counts, &whole.counts);
        prop_assert!(bytes > 0 || memory.spilled_bytes() > 0 || spilled.pair_hours.is_empty());
        drop(spilled);
        prop_assert_eq!(counter.0.load(Ordering::Relaxed), 0, "all memory was given back");
    }

    #[test]
    fn tables_in_little_memory_derive_the_same(
        units in prop::collection::vec(records(60), 1..5),
        shape in shapes(),
        history in 0i64..3,
        bytes in sizes(),
    ) {
        let window = Window { from_s: EPOCH + history * 3_600, ..ALL };
        let tables = tables(&units, shape);
        let whole = derived(&tables, &window);
        let (memory, counter) = memory(bytes);
        let spilled: Vec<PairHours> = tables.into_iter().map(|table| table.within(&memory).unwrap()).collect();
        let again = derived_within(&spilled, &window, &memory);
        prop_assert_eq!(&whole.pairs, &again.pairs);
        prop_assert_eq!(&whole.hosts, &again.hosts);
        prop_assert_eq!(&whole.host_hours, &again.host_hours);
        prop_assert_eq!(&whole.destinations, &again.destinations);
        drop(spilled);
        prop_assert_eq!(counter.0.load(Ordering::Relaxed), 0, "all memory was given back");
    }

    #[test]
    fn batches_of_parts_are_the_table(records in records(150), shape in shapes(), rows in 1usize..40) {
        let table = unit(&[parquet(&records, shape)]).pair_hours;
        let batches: Vec<_> = table.to_batches(rows).map(Result::unwrap).collect();
        let whole = table.to_batch().unwrap();
        let together = arrow::compute::concat_batches(whole.schema_ref(), &batches).unwrap();
        // Texts that no row refers to may be lost on the way.
        prop_assert_eq!(rows_of(&PairHours::from_batch(&together).unwrap()), rows_of(&table));
        prop_assert!(batches.iter().rev().skip(1).all(|batch| batch.num_rows() >= rows));
    }
}

#[test]
fn traffic_of_gateways_is_settled_on_disk_as_in_memory() {
    let mut seen = Vec::new();
    for at in 0..300i64 {
        let client = format!("10.0.{}.{}", at % 7, at % 31 + 1);
        let mut inner = Record::new("eni-nat", (&client, 40_000 + at), ("1.1.1.1", 443), at * 11).managed();
        inner = inner.packet(&client, "1.1.1.1");
        inner.dst = Some("10.0.9.9".to_owned());
        let outer = Record::new("eni-nat", ("10.0.9.9", 50_000 + at), ("1.1.1.1", 443), at * 11).managed();
        let own = Record::new(&format!("eni-{}", at % 7), (&client, 40_000 + at), ("1.1.1.1", 443), at * 11);
        seen.extend([inner, outer, own]);
    }
    let objects: Vec<Vec<u8>> = seen.chunks(100).map(|records| parquet(records, V5)).collect();
    let whole = unit(&objects);
    assert!(whole.counts.transit > 0, "{:?}", whole.counts);
    for bytes in [0, 5_000, 50_000] {
        let (memory, _) = memory(bytes);
        let spilled = unit_within(&objects, memory.clone());
        assert_eq!(spilled.pair_hours.loaded().unwrap(), whole.pair_hours.loaded().unwrap());
        assert_eq!(spilled.counts, whole.counts);
        assert!(memory.spilled_bytes() > 40 * 900, "{}", memory.spilled_bytes());
    }
}
