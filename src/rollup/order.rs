//! Sorts the records of one pair: by keys of 16 bytes first, since a record is moved once that way and compared never.

use super::packed::PackedFlow;

/// Buffers that serve pair after pair.
#[derive(Debug, Default)]
pub(super) struct Sorter {
    /// [`PackedFlow::order`], then the place of the record.
    keys: Vec<u128>,
    sorted: Vec<PackedFlow>,
}

impl Sorter {
    /// Sorts the records of one pair by ports and start; of equals, by everything else. `name_rank` tells the place of
    /// a record's ENI among the names.
    pub(super) fn sort(&mut self, records: &mut [PackedFlow], name_rank: impl Fn(&PackedFlow) -> u32) {
        if !records.is_sorted_by_key(PackedFlow::order) {
            self.keys.clear();
            self.keys
                .extend(records.iter().zip(0u32..).map(|(flow, at)| u128::from(flow.order()) << 32 | u128::from(at)));
            self.keys.sort_unstable();
            self.sorted.clear();
            self.sorted.extend(self.keys.iter().map(|key| records[*key as u32 as usize]));
            records.copy_from_slice(&self.sorted);
        }
        for equals in records.chunk_by_mut(|a, b| a.order() == b.order()) {
            if equals.len() > 1 {
                equals.sort_unstable_by_key(|flow| {
                    let (rank, service) = (name_rank(flow), flow.service);
                    (flow.bits, flow.tcp_flags, flow.duration_s, flow.bytes, flow.packets, rank, service)
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn everything(flow: &PackedFlow) -> (u64, u8, u8, u16, u64, u32, u32, u16) {
        let (rank, service) = (flow.interface, flow.service);
        (flow.order(), flow.bits, flow.tcp_flags, flow.duration_s, flow.bytes, flow.packets, rank, service)
    }

    proptest! {
        #[test]
        fn equals_one_sort_by_everything(records in prop::collection::vec((0u16..3, 0u16..3, 0u32..4, 0u64..3, 0u8..2, 0u32..3), 0..60)) {
            let mut records: Vec<PackedFlow> = records
                .into_iter()
                .map(|(host_port, remote_port, start_s, bytes, bits, interface)| PackedFlow {
                    host_port, remote_port, start_s, bytes, bits, interface, ..PackedFlow::default()
                })
                .collect();
            let mut slow = records.clone();
            slow.sort_by_key(everything);
            Sorter::default().sort(&mut records, |flow| flow.interface);
            prop_assert_eq!(records, slow);
        }
    }
}
