//! Help for people who write SQL: scripts cut into statements, mistakes explained, names suggested, and the catalogue of
//! ready queries.

pub mod catalogue;
mod mistake;
mod statement;
mod suggest;
mod vocabulary;

pub use mistake::{Mistake, MistakeKind, explain};
pub use statement::{Statement, is_complete, statements};
pub use vocabulary::{KEYWORDS, function_names, table_names};
