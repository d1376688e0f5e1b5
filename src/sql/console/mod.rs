//! Help for people who write SQL: splitting scripts into statements, explaining mistakes, suggesting names, and the
//! catalogue of ready-made queries.

pub mod catalogue;
mod cautions;
mod hints;
mod mistake;
mod statement;
mod suggest;
mod vocabulary;

pub use cautions::cautions;
pub use mistake::{Mistake, MistakeKind, explain};
pub use statement::{Statement, is_complete, statements};
pub use vocabulary::{KEYWORDS, function_names, table_names};
