//! Rows of one object that wait until the whole object is decoded: a damaged object counts with none of its rows.

use crate::sql::waiting_rows::waiting_rows;
use arrow::array::{Array, RecordBatch};
use arrow::buffer::Buffer;
use datafusion::execution::memory_pool::{MemoryPool, MemoryReservation};
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

/// Bytes that the waiting rows of a partition may take, as far as the pool has them; an object with more is decoded twice.
const MAX_BYTES: usize = 32 << 20;

/// The rows of the object that is being decoded, as far as they fit.
pub(super) struct HeldRows {
    batches: VecDeque<RecordBatch>,
    rows: usize,
    /// Buffers counted so far, by their address: batches share those of texts.
    buffers: HashSet<usize>,
    reservation: MemoryReservation,
    /// Whether a batch did not fit; all later ones are left out as well.
    full: bool,
}

impl HeldRows {
    /// Takes the memory of rows from `pool`.
    pub(super) fn new(pool: &Arc<dyn MemoryPool>) -> Self {
        let (batches, buffers, reservation) = (VecDeque::new(), HashSet::new(), waiting_rows(pool));
        Self { batches, rows: 0, buffers, reservation, full: false }
    }

    /// Holds a batch if it fits and all before it did.
    pub(super) fn add(&mut self, batch: RecordBatch) {
        if self.full {
            return;
        }
        let bytes = self.new_bytes(&batch);
        self.full = self.reservation.size() + bytes > MAX_BYTES || self.reservation.try_grow(bytes).is_err();
        if !self.full {
            self.rows += batch.num_rows();
            self.batches.push_back(batch);
        }
    }

    /// Returns whether a batch was left out since the last [`HeldRows::clear`].
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    /// Returns the number of batches.
    pub(super) fn batches(&self) -> usize {
        self.batches.len()
    }

    /// Returns the number of rows.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Returns and forgets the first batch; the memory of all is given back with the last.
    pub(super) fn take_first(&mut self) -> Option<RecordBatch> {
        let first = self.batches.pop_front();
        if self.batches.is_empty() {
            self.clear();
        }
        first
    }

    /// Forgets all rows.
    pub(super) fn clear(&mut self) {
        self.batches.clear();
        self.buffers.clear();
        self.reservation.free();
        (self.rows, self.full) = (0, false);
    }

    fn new_bytes(&mut self, batch: &RecordBatch) -> usize {
        let mut bytes = 0;
        let mut count = |buffer: &Buffer| {
            if self.buffers.insert(buffer.data_ptr().as_ptr() as usize) {
                bytes += buffer.capacity();
            }
        };
        for column in batch.columns() {
            let data = column.to_data();
            data.buffers().iter().for_each(&mut count);
            data.nulls().into_iter().for_each(|nulls| count(nulls.buffer()));
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array};
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    fn batch(rows: i64) -> RecordBatch {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
        RecordBatch::try_from_iter([("n", numbers)]).unwrap()
    }

    #[test]
    fn rows_wait_within_the_pool_and_shared_buffers_count_once() {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(1_000_000));
        let mut held = HeldRows::new(&pool);
        let first = batch(50_000);
        held.add(first.clone());
        held.add(first.slice(0, 10));
        assert_eq!((held.batches(), held.rows(), held.is_full()), (2, 50_010, false));
        held.add(batch(100_000));
        held.add(batch(1));
        assert_eq!((held.batches(), held.is_full()), (2, true));
        assert!(pool.reserved() >= 400_000);
        assert_eq!(held.take_first().unwrap().num_rows(), 50_000);
        assert_eq!(held.take_first().unwrap().num_rows(), 10);
        assert!(held.take_first().is_none() && !held.is_full());
        assert_eq!(pool.reserved(), 0);
    }
}
