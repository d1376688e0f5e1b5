//! The table `flows`: flow records straight from the logs, completed from their objects' names.
//!
//! A scan lists objects, drops those that their names rule out, reads footers, drops row groups by their statistics,
//! and reads only the columns that the query names. Filters are evaluated here, before rows leave the scan.

mod columns;
mod filter;
mod held;
mod partition;
mod plan;
mod prune;
mod read;
mod rows;
mod sides;
mod table;
mod time_range;

pub use plan::FlowsExec;
pub(in crate::sql::tables) use plan::stretches;
pub use table::FlowsTable;
pub(in crate::sql::tables) use time_range::{both, range_of};
