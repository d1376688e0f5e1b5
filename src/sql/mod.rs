//! SQL over the tables of a run: the session, and the functions that detections and people use.

pub mod candidates;
pub mod catalogue;
mod derived;
mod files;
pub mod flows;
pub mod functions;
mod grouping;
mod lists;
pub mod literal;
pub mod memory;
pub mod mistake;
mod narrow;
mod near;
mod plan_pool;
mod prepared;
mod presented;
pub mod running;
pub mod session;
mod spilled;
pub mod statement;
mod vocabulary;
pub mod workspace;

pub use candidates::run_candidates;
pub use derived::StartProgress;
pub use flows::SkippedObjects;
pub use grouping::GroupsExec;
pub use literal::{Literal, bind};
pub use memory::SharedMemory;
pub use mistake::{Mistake, MistakeKind, explain};
pub use prepared::{Prepared, run};
pub use running::{PlanThreads, Rows};
pub use session::{CATALOG, SqlError, add_table, furnish, open_empty_session, open_session, open_session_within};
pub use vocabulary::{KEYWORDS, function_names, table_names};
pub use workspace::{Workspace, WorkspaceOptions};
