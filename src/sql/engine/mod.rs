//! Where DataFusion is changed or helped: filters that read few columns, a GROUP BY on packed rows, queries in stages, the
//! pool of memory for plans, and threads that run them.
//!
//! Each file says which version of DataFusion it was written against, and which test fails when DataFusion changes. Begin
//! reading at `narrow`, the smallest; `grouping` is the largest.

mod candidates;
pub(super) mod grouping;
mod narrow;
mod plan_pool;
mod plan_runner;
mod staged_query;

pub use candidates::run_candidates;
pub use grouping::GroupsExec;
pub(super) use grouping::with_grouping;
pub(super) use narrow::with_narrow_filters;
pub(super) use plan_pool::PlanPool;
pub use plan_runner::{PlanRows, PlanThreads};
pub use staged_query::{StagedQuery, run};
