//! SQL over the tables of a run: the session, and the functions that detections and people use.

pub mod candidates;
mod function;
pub mod functions;
pub mod literal;
pub mod session;

pub use candidates::run_candidates;
pub use literal::{Literal, bind};
pub use session::{SqlError, open_session, run};
