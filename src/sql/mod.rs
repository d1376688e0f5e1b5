//! SQL over the tables of a run: the session, and the functions that detections and people use.

pub mod candidates;
mod function;
pub mod functions;
mod history;
pub mod literal;
pub mod memory;
pub mod session;
mod spilled;

pub use candidates::run_candidates;
pub use literal::{Literal, bind};
pub use memory::SharedMemory;
pub use session::{SqlError, add_table, open_session, open_session_within, run};
