//! One memory budget for the engine's plans and for the rollup.
//!
//! The rollup may have to hold more and more as the logs grow, until little is left, and a plan that gets no memory
//! fails. A session therefore gets what is left when it opens, but always at least a third of the whole or
//! `MIN_PLAN_BYTES`.

use super::engine::{PlanPool, PlanSpill};
use ::memory::{Budget, Memory};
use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::DiskManagerBuilder;
use datafusion::execution::memory_pool::{FairSpillPool, MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use std::path::PathBuf;
use std::sync::Arc;

/// With fewer bytes, plans over millions of pairs fail however much they spill: better to exceed the limit slightly.
const MIN_PLAN_BYTES: usize = 48 << 20;

/// The share that plans with large sorts leave to consumers that cannot spill, in percent. Merging rows that consist
/// only of keys takes half of what the sort has reserved for them (a sort reserves twice what it holds), so this is
/// more than half of the rest.
const KEPT_FREE_FOR_MERGES: usize = 40;

/// The memory of a run: the engine's plans and the rollup share one pool. Clones share it too.
#[derive(Clone, Debug, Default)]
pub struct SharedMemory {
    memory: Memory,
    pool: Option<Arc<dyn MemoryPool>>,
    large_sorts: bool,
}

/// The pool for a session's plans.
pub(super) struct PlanMemory {
    pub(super) runtime: Arc<RuntimeEnv>,
    /// Bytes that all threads of one sort together set aside for merging what they spill; `None` for the engine's
    /// default.
    pub(super) set_aside: Option<usize>,
    /// They may be more than the engine sets aside.
    pub(super) large_sorts: bool,
}

/// The rollup's part of the pool.
#[derive(Debug)]
struct PoolBudget(MemoryReservation);

impl Budget for PoolBudget {
    fn try_take(&self, bytes: usize) -> bool {
        self.0.try_grow(bytes).is_ok()
    }

    fn take(&self, bytes: usize) {
        self.0.grow(bytes);
    }

    fn give_back(&self, bytes: usize) {
        self.0.shrink(bytes);
    }
}

impl SharedMemory {
    /// At most `bytes`; anything beyond goes to a private folder below `spill_dir`. The default has no limit.
    pub fn limited(bytes: usize, spill_dir: PathBuf) -> Self {
        let pool: Arc<dyn MemoryPool> = Arc::new(FairSpillPool::new(bytes));
        let part = PoolBudget(MemoryConsumer::new("rollup").register(&pool));
        Self { memory: Memory::limited(bytes, Box::new(part), spill_dir), pool: Some(pool), large_sorts: false }
    }

    /// Returns the same memory, of which at most `bytes` may be spilled; the default has no limit.
    #[must_use]
    pub fn with_spill_limit(self, bytes: u64) -> Self {
        self.memory.folder().set_limit(bytes);
        self
    }

    /// Returns the same memory for sessions where a person may sort anything. A sort that spills first merges what it
    /// holds, and the memory for that grows with what it holds; a person's query has one or two sorts, not a
    /// detection's many.
    pub(super) fn for_large_sorts(&self) -> Self {
        Self { large_sorts: true, ..self.clone() }
    }

    /// Returns the rollup's memory.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Returns the bytes that a session opened now may use for its plans; `None` for no limit.
    pub(super) fn plan_bytes(&self) -> Option<usize> {
        let (pool, limit) = (self.pool.as_ref()?, self.memory.limit()?);
        Some(limit.saturating_sub(pool.reserved()).max(limit / 3).max(MIN_PLAN_BYTES))
    }

    /// Returns how many plans may run at the same time, at most `most` and at least one: they share the session's
    /// memory, and each needs some that cannot be spilled.
    pub fn plans_together(&self, most: usize) -> usize {
        self.plan_bytes().map_or(most, |bytes| most.min(bytes / MIN_PLAN_BYTES)).max(1)
    }

    /// Returns the environment of plans: they use the memory that the rollup leaves, and sorts and aggregates spill to
    /// the same folder.
    pub(super) fn for_plans(&self) -> Result<PlanMemory, DataFusionError> {
        let builder = RuntimeEnvBuilder::new();
        let Some(bytes) = self.plan_bytes() else {
            return Ok(PlanMemory { runtime: builder.build_arc()?, set_aside: None, large_sorts: false });
        };
        // The files count against the limit of the rollup's folder, which is created with the first of them.
        let files = Arc::new(PlanSpill(self.memory.clone()));
        let disk = DiskManagerBuilder::default().with_temp_file_factory(files);
        let (plans, set_aside): (Arc<dyn MemoryPool>, usize) = if self.large_sorts {
            (Arc::new(PlanPool::new(bytes, KEPT_FREE_FOR_MERGES)), bytes / 5)
        } else {
            (Arc::new(FairSpillPool::new(bytes)), bytes / 32)
        };
        let runtime = builder.with_memory_pool(plans).with_disk_manager_builder(disk).build_arc()?;
        Ok(PlanMemory { runtime, set_aside: Some(set_aside), large_sorts: self.large_sorts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::execution::memory_pool::MemoryLimit;

    #[test]
    fn plans_get_what_the_rollup_leaves_and_a_third_at_least() {
        let parent = std::env::temp_dir().join(format!("flowsift-pool-{}", std::process::id()));
        let mebi = |count: usize| count << 20;
        let bytes = |memory: &SharedMemory| match memory.for_plans().unwrap().runtime.memory_pool.memory_limit() {
            MemoryLimit::Finite(bytes) => Some(bytes),
            _ => None,
        };
        let shared = SharedMemory::limited(mebi(1_200), parent.clone());
        let mut held = shared.memory().reserve(::memory::Purpose::Hours);
        assert!(held.try_grow(mebi(300)) && !held.try_grow(1), "a quarter");
        let plans = shared.for_plans().unwrap();
        assert_eq!(bytes(&shared), Some(mebi(900)));
        assert_eq!(
            [plans.set_aside, shared.for_large_sorts().for_plans().unwrap().set_aside],
            [Some(mebi(900) / 32), Some(mebi(180))]
        );
        assert_eq!([5, 40].map(|most| shared.plans_together(most)), [5, 18]);
        let plan = MemoryConsumer::new("plan").register(&plans.runtime.memory_pool);
        assert!(plan.try_grow(mebi(901)).is_err() && plan.try_grow(mebi(900)).is_ok());
        held.grow(mebi(1_500));
        assert_eq!(bytes(&shared), Some(mebi(400)));
        held.shrink_to(0);
        assert!(held.try_grow(mebi(300)), "all came back");
        let small = SharedMemory::limited(mebi(1), parent.clone());
        assert_eq!(bytes(&small), Some(MIN_PLAN_BYTES));
        assert_eq!(small.plans_together(5), 1);
        drop(small);
        let folder = shared.memory().folder().path().unwrap();
        drop((plan, plans, held, shared));
        assert!(!folder.exists());
        std::fs::remove_dir(parent).unwrap();
        assert_eq!(bytes(&SharedMemory::default()), None);
    }
}
