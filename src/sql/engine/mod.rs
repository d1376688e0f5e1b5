//! Where DataFusion is changed or extended: filters that read few columns, a GROUP BY on packed rows, queries in
//! stages, the memory pool and the spill files of plans, and the threads that run them.
//!
//! Each file names the version of DataFusion it was written against, and the test that fails when DataFusion changes.
//! Begin reading at `narrow`, the smallest; `grouping` is the largest.

mod candidates;
pub(super) mod grouping;
mod narrow;
mod plan_pool;
mod plan_runner;
mod plan_spill;
mod staged_query;

pub use candidates::run_candidates;
pub use grouping::GroupsExec;
pub(super) use grouping::with_grouping;
pub(super) use narrow::with_narrow_filters;
pub(super) use plan_pool::PlanPool;
pub use plan_runner::{PlanRows, PlanThreads};
pub(super) use plan_spill::{PlanSpill, spill_error};
pub use staged_query::{StagedQuery, run};
