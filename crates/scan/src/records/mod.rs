//! Flow records as Arrow columns under AWS's names and types, the shape that SQL reads.
//!
//! Begin with [`RecordFile`]: it chooses between the native path (`cursors`) and the Arrow path for each row group.
//! `schema` has the columns' types.

mod schema;

mod cursors;

mod file;

pub use cursors::RecordCursors;
pub use file::{OpenRowGroup, RecordFile, Records, Selection};
pub use schema::{schema_of, type_of};
