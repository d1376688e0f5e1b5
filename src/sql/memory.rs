//! One budget for the plans of the engine and for what the rollup holds.

use crate::rollup::{Budget, Memory};
use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use std::path::PathBuf;
use std::sync::Arc;

/// Memory of a run, which the engine's plans and the rollup take from one pool; clones share it.
#[derive(Clone, Debug, Default)]
pub struct SharedMemory {
    memory: Memory,
    pool: Option<Arc<dyn MemoryPool>>,
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
        Self { memory: Memory::limited(bytes, Box::new(part), spill_dir), pool: Some(pool) }
    }

    /// What the rollup takes from.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Where plans run: within the pool, spilling sorts and aggregates to the same folder.
    pub(super) fn runtime(&self) -> Result<Arc<RuntimeEnv>, DataFusionError> {
        let builder = RuntimeEnvBuilder::new();
        let Some(pool) = &self.pool else { return builder.build_arc() };
        // Most runs spill nothing, and those need no folder.
        let mode = match self.memory.folder().path() {
            Ok(folder) => DiskManagerMode::Directories(vec![folder]),
            Err(_) => DiskManagerMode::Disabled,
        };
        let disk = DiskManagerBuilder::default().with_mode(mode).with_max_temp_directory_size(u64::MAX);
        builder.with_memory_pool(pool.clone()).with_disk_manager_builder(disk).build_arc()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_and_the_rollup_share_one_pool() {
        let parent = std::env::temp_dir().join(format!("flowsift-pool-{}", std::process::id()));
        let shared = SharedMemory::limited(1_000, parent.clone());
        let mut held = shared.memory().reserve(crate::rollup::memory::Purpose::Hours);
        assert!(held.try_grow(250));
        let runtime = shared.runtime().unwrap();
        let plan = MemoryConsumer::new("plan").register(&runtime.memory_pool);
        assert!(plan.try_grow(751).is_err() && plan.try_grow(750).is_ok());
        held.shrink_to(0);
        assert!(!held.try_grow(251) && held.try_grow(250), "what the pool has left");
        let folder = shared.memory().folder().path().unwrap();
        drop((plan, runtime, held, shared));
        assert!(!folder.exists());
        std::fs::remove_dir(parent).unwrap();
    }
}
