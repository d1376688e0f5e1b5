//! The tables of logs of accesses: acts straight from the objects, and all of them together as `accesses`.
//!
//! A scan lists objects, drops those that folders, accounts and regions rule out, reads them whole, and makes a row of an
//! act only if its time and its texts pass. An object counts whole or not at all. `folded` has the tables that are made of
//! all acts at once.

mod column;
mod columns;
mod folded;
mod plan;
mod read;
mod row;
mod table;
mod wanted;

pub(in crate::sql) use columns::TABLES;
pub(in crate::sql) use folded::{FOLDED, FoldedAccesses, FoldedTable};
pub use plan::AccessesExec;
pub(in crate::sql) use table::{AccessTable, AccessTables};
