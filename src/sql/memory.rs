//! One budget for the plans of the engine and for what the rollup holds.
//!
//! What the rollup must hold may grow with the logs until little is left, and a plan that gets nothing fails. A session
//! therefore gets what is left when it opens, and a third of the whole or `MIN_PLAN_BYTES` in any case.

use super::engine::PlanPool;
use ::memory::{Budget, Memory};
use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes below which plans over millions of pairs fail, however much they spill: better a little above the limit.
const MIN_PLAN_BYTES: usize = 48 << 20;

/// What plans with large sorts leave to those that cannot spill, in percent. A merge of rows that are all key takes half
/// of what its sort has reserved for them (a sort reserves twice what it holds), so this is more than half of the rest.
const KEPT_FREE_FOR_MERGES: usize = 40;

/// Memory of a run, which the engine's plans and the rollup take from one pool; clones share it.
#[derive(Clone, Debug, Default)]
pub struct SharedMemory {
    memory: Memory,
    pool: Option<Arc<dyn MemoryPool>>,
    large_sorts: bool,
}

/// Where a session's plans run.
pub(super) struct PlanMemory {
    pub(super) runtime: Arc<RuntimeEnv>,
    /// Bytes that all threads of one sort set aside for the merge of what they spill; `None` for what the engine does.
    pub(super) set_aside: Option<usize>,
    /// They may be more than the engine sets aside.
    pub(super) large_sorts: bool,
}

/// The rollup's part of the pool.
#[derive(Debug)]
struct Part(MemoryReservation);

impl Budget for Part {
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
    /// At most `bytes`; what does not fit goes to a private folder below `spill_dir`. The default has no limit.
    pub fn limited(bytes: usize, spill_dir: PathBuf) -> Self {
        let pool: Arc<dyn MemoryPool> = Arc::new(FairSpillPool::new(bytes));
        let part = Part(MemoryConsumer::new("rollup").register(&pool));
        Self { memory: Memory::limited(bytes, Box::new(part), spill_dir), pool: Some(pool), large_sorts: false }
    }

    /// The same memory for sessions in which a person may sort anything. A sort that spills first merges what it holds,
    /// and what that needs grows with what it holds; a person's query has a sort or two, not a detection's many.
    pub(super) fn for_large_sorts(&self) -> Self {
        Self { large_sorts: true, ..self.clone() }
    }

    /// What the rollup takes from.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Bytes that a session opened now may take for its plans; `None` for no limit.
    pub(super) fn plan_bytes(&self) -> Option<usize> {
        let (pool, limit) = (self.pool.as_ref()?, self.memory.limit()?);
        Some(limit.saturating_sub(pool.reserved()).max(limit / 3).max(MIN_PLAN_BYTES))
    }

    /// How many plans may run side by side, at most `most` and at least one: they share what a session may take, and
    /// each of them needs some that cannot be spilled.
    pub fn plans_together(&self, most: usize) -> usize {
        self.plan_bytes().map_or(most, |bytes| most.min(bytes / MIN_PLAN_BYTES)).max(1)
    }

    /// Where plans run: in what the rollup leaves, spilling sorts and aggregates to the same folder.
    pub(super) fn for_plans(&self) -> Result<PlanMemory, DataFusionError> {
        let builder = RuntimeEnvBuilder::new();
        let Some(bytes) = self.plan_bytes() else {
            return Ok(PlanMemory { runtime: builder.build_arc()?, set_aside: None, large_sorts: false });
        };
        // Most plans spill nothing, so a folder that cannot be made is no reason to fail before one is needed.
        let mode = match self.memory.folder().path() {
            Ok(folder) => DiskManagerMode::Directories(vec![folder]),
            Err(error) => {
                tracing::warn!("plans cannot spill: {error}");
                DiskManagerMode::Disabled
            }
        };
        let disk = DiskManagerBuilder::default().with_mode(mode).with_max_temp_directory_size(u64::MAX);
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
