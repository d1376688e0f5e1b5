//! Folds flow records into `pair_hours`, the narrow waist: all that is ever needed of one hour of raw logs.
//!
//! A unit's records are packed ([`mod@unit`]), seen from the right host, oriented to client and server, joined to
//! connections ([`segment`]) and folded by hour ([`UnitRollup::finish`]). Units are merged by key ([`merge`]) in any order.
//! All of it stays within a limit of [`memory`]; what does not fit is spilled part by part, with the same result.

pub mod coverage;
pub mod derive;
mod flow_file;
mod fold;
mod group;
mod interface;
pub mod lost_times;
pub mod merge;
mod order;
mod pack;
mod packed;
pub mod pair_hours;
mod peers;
mod pieces;
pub mod segment;
mod settle;
mod sighted;
#[cfg(test)]
mod tests;
mod turn;
pub mod unit;

pub use coverage::coverage_schema;
pub use fold::{IsInternal, UnitTables};
use memory::SpillError;
pub use pair_hours::{Hour, PairHours, pair_hours_schema};
pub use segment::{Connection, Opening, Segment};
pub use unit::{ObjectRollup, UnitRollup};

/// Which records a unit keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RollupOptions {
    /// First second that counts, by the record's `start`; `None` for no bound.
    pub from_s: Option<i64>,
    /// First second that no longer counts; `None` for no bound.
    pub to_s: Option<i64>,
}

impl RollupOptions {
    /// Tells whether a record that starts at `start_s` counts.
    pub fn holds(&self, start_s: i64) -> bool {
        self.from_s.is_none_or(|from| start_s >= from) && self.to_s.is_none_or(|to| start_s < to)
    }
}

/// What a unit's records were, in numbers of records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitCounts {
    /// Records read, of any kind.
    pub rows: u64,
    /// Windows without traffic.
    pub nodata: u64,
    /// Windows that AWS lost records of.
    pub skipdata: u64,
    /// Records rejected by a security group or network ACL.
    pub rejected: u64,
    /// Records without an address, a protocol, bytes or a time that make sense.
    pub unusable: u64,
    /// Records outside the time range.
    pub outside: u64,
    /// Records of gateways and load balancers that only show traffic a second time.
    pub transit: u64,
    /// Rejected records of remotes that did no more than knock, summed up by host and hour.
    pub knocks: u64,
    /// ENIs, each hour by itself, that several flow logs wrote at once: their traffic counts several times.
    pub doubled: u64,
}

impl UnitCounts {
    /// Adds the counts of another unit.
    pub fn add(&mut self, other: &UnitCounts) {
        self.rows += other.rows;
        self.nodata += other.nodata;
        self.skipdata += other.skipdata;
        self.rejected += other.rejected;
        self.unusable += other.unusable;
        self.outside += other.outside;
        self.transit += other.transit;
        self.knocks += other.knocks;
        self.doubled += other.doubled;
    }
}

/// Says that a table does not have the published schema.
#[derive(Debug, thiserror::Error)]
pub enum RollupError {
    /// A column is missing or has another type.
    #[error("{table}: column `{column}` is {got}, expected {expected}: the table was written by another version")]
    Schema {
        /// The table's name.
        table: &'static str,
        /// The column's name.
        column: String,
        /// What is there.
        got: String,
        /// What was expected.
        expected: String,
    },
    /// What does not fit into memory could not be spilled.
    #[error(transparent)]
    Spill(#[from] SpillError),
    /// Arrow could not build a table.
    #[error("building {table}: {error}")]
    Arrow {
        /// The table's name.
        table: &'static str,
        /// What Arrow said.
        error: arrow::error::ArrowError,
    },
}

/// The window that is judged and the baseline before it.
pub mod window {
    pub use crate::derive::{BaselineKind, Window, WindowOptions, choose_window};
}
