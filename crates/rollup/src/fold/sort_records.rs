//! Sorts the records of one pair. Their keys of 16 bytes are sorted; then each record is copied to its place, once.
//! Only records with equal keys are compared themselves.

use super::group::IndexedRecords;
use crate::unit::packed::PackedFlow;

/// Sorts records, pair after pair, into a buffer that is reused.
#[derive(Debug, Default)]
pub(crate) struct RecordSorter {
    sorted: Vec<PackedFlow>,
}

impl RecordSorter {
    /// Returns the records of one pair, sorted by [`PackedFlow::order`]: ports, start, and so on. Records that are
    /// equal in it are sorted by all other fields, so that the result does not depend on the order of arrival.
    ///
    /// Each of `keys` has a record's [`PackedFlow::order`] in the upper 96 bits and its index in `indexed` in the lower
    /// 32. `name_rank` returns the rank of the name of a record's ENI.
    pub(crate) fn sorted(
        &mut self,
        keys: &mut [u128],
        indexed: &IndexedRecords<'_>,
        name_rank: impl Fn(&PackedFlow) -> u32,
    ) -> &[PackedFlow] {
        if !keys.is_sorted() {
            keys.sort_unstable();
        }
        self.sorted.clear();
        self.sorted.extend(keys.iter().map(|key| *indexed.get(*key as u32)));
        // The keys are still in the caches; few pairs have equal ones.
        if keys.windows(2).any(|two| two[0] >> u32::BITS == two[1] >> u32::BITS) {
            for equals in self.sorted.chunk_by_mut(|a, b| a.order() == b.order()).filter(|equals| equals.len() > 1) {
                equals.sort_unstable_by_key(|flow| {
                    (flow.bytes, flow.packets, flow.flags_in, name_rank(flow), flow.service)
                });
            }
        }
        &self.sorted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Everything = ((u16, u16, u32), (u8, u8, u16), (u64, u32, u8, u32, u16));

    fn everything(flow: &PackedFlow) -> Everything {
        let (rank, service) = (flow.interface, flow.service);
        (
            (flow.host_port, flow.remote_port, flow.start_s),
            (flow.bits, flow.tcp_flags, flow.duration_s),
            (flow.bytes, flow.packets, flow.flags_in, rank, service),
        )
    }

    proptest! {
        #[test]
        fn equals_one_sort_by_everything(records in prop::collection::vec((0u16..3, 0u16..3, 0u32..4, 0u64..3, 0u8..3, 0u32..3), 0..60)) {
            let mut records: Vec<PackedFlow> = records
                .into_iter()
                .map(|(host_port, remote_port, start_s, bytes, few, interface)| PackedFlow {
                    host_port, remote_port, start_s, bytes, interface, bits: few % 2, tcp_flags: few / 2 * 255,
                    duration_s: u16::from(few) * 9_999 % 10_007, ..PackedFlow::default()
                })
                .collect();
            let indexed = [records.clone()];
            let mut keys: Vec<u128> = records.iter().zip(0u128..).map(|(flow, at)| flow.order() << 32 | at).collect();
            let mut sorter = RecordSorter::default();
            let sorted = sorter.sorted(&mut keys, &IndexedRecords::new(&indexed), |flow| flow.interface);
            records.sort_by_key(everything);
            prop_assert_eq!(sorted, records);
        }
    }
}
