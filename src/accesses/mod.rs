//! Reads the logs beside flow logs: who did what, with which credential, from where.
//!
//! [`gather()`] reads the objects that a listing found ([`AccessObject`]) on all threads, and folds their acts to
//! [`AccessLogs`]: hours, and ledgers of credentials and principals. [`access_tables`] judges who did what by what they
//! did before, day by day, and makes the tables that detections read.
//!
//! **Cost.** Nothing without such objects. One object is inflated at a time on each thread. The hours hold about 250
//! bytes for each row, and 64 for each act with an id of the last days, so that what two trails tell counts once.
//!
//! **Where to begin.** [`gather()`]; [`AccessLogs`] is what it makes.
//!
//! [`AccessObject`]: crate::source::AccessObject

mod arrivals;
pub mod batches;
mod clients;
mod columns;
mod coverage;
mod days;
mod fold;
mod gather;
mod kept;
mod lists;
mod logs;
mod names;
mod places;
mod plan;
mod program;
mod tables;
mod two_places;
mod uses;
mod worker;

pub use coverage::{coverage, coverage_schema};
pub use fold::{LogHour, LogHours, LogPlace};
pub use gather::{GatherAccesses, WorkerLost, gather};
pub use kept::KeptAccesses;
pub use logs::{AccessLogs, BadPlace, KeptUse, LogRead, Reading, SkippedAccesses};
pub use places::Surroundings;
pub use tables::{AccessTables, AccessWindow, access_tables};

#[cfg(test)]
mod tests;
