//! SQL over the tables of a run: its tables, its functions, and the execution of plans.
//!
//! Lower layers come first: `tables` and `engine`, then `functions`, the session and the workspace, and finally the
//! help for people at a console. Begin reading at [`Workspace`]. Opening one costs nothing; the first query of a
//! derived table reads the logs.

mod array_text;
mod dialect;
mod error;
mod tokens;
mod type_name;

mod literal;
mod tables;

mod bounds;
mod engine;
mod memory;
mod waiting_rows;

pub mod functions;
mod session;
mod workspace;

mod console;

pub use array_text::array_elements;
pub use console::catalogue;
pub use console::{
    KEYWORDS, Mistake, MistakeKind, Statement, cautions, explain, function_names, is_complete, statements, table_names,
};
#[cfg(feature = "postgres")]
pub(crate) use dialect::call;
pub use dialect::{adapt, head, summarized, without_marks};
pub use engine::{GroupsExec, PlanRows, PlanThreads, StagedQuery, run, run_candidates};
pub use error::SqlError;
pub use literal::{Literal, bind};
pub use memory::SharedMemory;
pub use session::{CATALOG, TIME_ZONE, add_table, furnish, open_empty_session, open_session, open_session_within};
pub use tables::SkippedObjects;
pub use tables::accesses::AccessesExec;
pub use tables::derived::StartProgress;
pub use tables::flows::{FlowsExec, FlowsTable};
pub use tokens::first_word;
pub use type_name::type_name;
pub use workspace::{SkipKind, Skipped, Workspace, WorkspaceOptions};
