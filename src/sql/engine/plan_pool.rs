//! The memory pool for plans with large sorts.
//!
//! The engine's own `FairSpillPool` lets plans that can spill use all of it. A sort then holds its whole share when it
//! finds that it must spill. It first merges what it holds, and the merge, which cannot spill, gets nothing: whether a
//! statement ran was a race between its threads. Here the consumers that can spill leave a part of the pool to those
//! that cannot. Rows that wait get a part of it.
//!
//! Written against DataFusion 55.2; `what_can_spill_leaves_room_for_what_cannot` fails when reservations are counted
//! otherwise.

use crate::sql::waiting_rows::{is_waiting_rows, most_bytes};
use datafusion::common::resources_datafusion_err;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use flow::units::bytes_text;
use memory::lock;
use std::fmt;
use std::sync::{Mutex, MutexGuard};

/// A pool of a fixed number of bytes. Consumers that can spill get equal shares, and never all of it.
#[derive(Debug)]
pub(in crate::sql) struct PlanPool {
    bytes: usize,
    /// Bytes that consumers that can spill always leave free.
    kept_free: usize,
    held: Mutex<PoolUsage>,
}

#[derive(Debug, Default)]
struct PoolUsage {
    /// How many consumers can spill.
    spillers: usize,
    /// Bytes held by those.
    can_spill: usize,
    /// Bytes held by rows that wait.
    waiting: usize,
    /// Bytes held by all others.
    cannot_spill: usize,
}

impl PoolUsage {
    fn of(&mut self, reservation: &MemoryReservation) -> &mut usize {
        match reservation.consumer() {
            consumer if consumer.can_spill() => &mut self.can_spill,
            consumer if is_waiting_rows(consumer) => &mut self.waiting,
            _ => &mut self.cannot_spill,
        }
    }

    fn all(&self) -> usize {
        self.can_spill + self.waiting + self.cannot_spill
    }
}

impl PlanPool {
    /// Returns a pool of `bytes`. Consumers that can spill leave `kept_free_percent` (0 to 100) of it to those that
    /// cannot.
    pub(in crate::sql) fn new(bytes: usize, kept_free_percent: usize) -> Self {
        Self { bytes, kept_free: bytes / 100 * kept_free_percent, held: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, PoolUsage> {
        // The numbers are consistent between any two statements below, so a panic elsewhere leaves nothing half done.
        lock(&self.held)
    }
}

impl MemoryPool for PlanPool {
    fn name(&self) -> &'static str {
        "plans"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.held().spillers += usize::from(consumer.can_spill());
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.held().spillers -= usize::from(consumer.can_spill());
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        *self.held().of(reservation) += additional;
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        *self.held().of(reservation) -= shrink;
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<(), DataFusionError> {
        let mut held = self.held();
        let left = if reservation.consumer().can_spill() {
            let for_all = self.bytes.saturating_sub((held.cannot_spill + held.waiting).max(self.kept_free));
            (for_all / held.spillers.max(1)).saturating_sub(reservation.size())
        } else {
            self.bytes.saturating_sub(held.all())
        };
        let left = match is_waiting_rows(reservation.consumer()) {
            true => left.min(most_bytes(self.bytes).saturating_sub(held.waiting)),
            false => left,
        };
        if additional <= left {
            *held.of(reservation) += additional;
            return Ok(());
        }
        let name = reservation.consumer().name();
        let [more, has, all, left] =
            [additional, reservation.size(), self.bytes, left].map(|bytes| bytes_text(bytes as u64));
        Err(resources_datafusion_err!(
            "{name} needs {more} more than the {has} it has, but only {left} of {all} are left"
        ))
    }

    fn reserved(&self) -> usize {
        self.held().all()
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.bytes)
    }
}

impl fmt::Display for PlanPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({} bytes)", self.name(), self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::waiting_rows::waiting_rows;
    use std::sync::Arc;

    #[test]
    fn what_can_spill_leaves_room_for_what_cannot() {
        let pool: Arc<dyn MemoryPool> = Arc::new(PlanPool::new(1_000, 40));
        let sort = |name| MemoryConsumer::new(name).with_can_spill(true).register(&pool);
        let (one, two, merge) = (sort("one"), sort("two"), MemoryConsumer::new("merge").register(&pool));
        assert!(one.try_grow(301).is_err() && one.try_grow(300).is_ok());
        assert!(one.try_grow(1).is_err() && two.try_grow(300).is_ok() && two.try_grow(1).is_err());
        assert!(merge.try_grow(401).is_err() && merge.try_grow(400).is_ok());
        assert_eq!(pool.reserved(), 1_000);
        let refused = merge.try_grow(7).unwrap_err();
        assert!(matches!(refused.find_root(), DataFusionError::ResourcesExhausted(_)));
        let text = refused.to_string();
        assert!(text.contains("merge needs 7 B more than the 400 B it has, but only 0 B of 1.0 KB are left"), "{text}");
        drop(one);
        assert_eq!(pool.reserved(), 700);
        assert!(two.try_grow(300).is_ok(), "it is alone");
        drop(two);
        assert!(merge.try_grow(600).is_ok(), "what cannot spill may take all");
        drop(merge);
        assert_eq!(pool.reserved(), 0);
    }

    #[test]
    fn rows_that_wait_leave_most_of_the_pool() {
        let pool: Arc<dyn MemoryPool> = Arc::new(PlanPool::new(1_000, 40));
        let (one, two) = (waiting_rows(&pool), waiting_rows(&pool));
        assert!(one.try_grow(200).is_ok() && two.try_grow(51).is_err() && two.try_grow(50).is_ok());
        let build = MemoryConsumer::new("build").register(&pool);
        assert!(build.try_grow(751).is_err() && build.try_grow(750).is_ok());
        drop(one);
        assert_eq!(pool.reserved(), 800);
        assert!(two.try_grow(200).is_ok() && two.try_grow(1).is_err());
        drop((two, build));
        assert_eq!(pool.reserved(), 0);
    }

    #[test]
    fn more_than_what_is_kept_free_makes_shares_smaller() {
        let pool: Arc<dyn MemoryPool> = Arc::new(PlanPool::new(1_000, 40));
        let build = MemoryConsumer::new("build").register(&pool);
        build.grow(800);
        let sort = MemoryConsumer::new("sort").with_can_spill(true).register(&pool);
        assert!(sort.try_grow(201).is_err() && sort.try_grow(200).is_ok());
        sort.grow(50);
        assert_eq!(pool.reserved(), 1_050, "what is taken without asking counts");
        sort.shrink(250);
        assert_eq!(pool.reserved(), 800);
    }
}
