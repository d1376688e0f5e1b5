//! Reads the logs beside flow logs: who did what, with which credential, from where.
//!
//! [`gather()`] reads the objects that a listing found ([`AccessObject`]) on all threads, and folds their acts to
//! [`AccessLogs`]: hours, and ledgers of credentials and principals.
//!
//! **Cost.** Nothing without such objects. One object is inflated at a time on each thread. The hours hold about 50 bytes
//! for each act with an id, so that what two trails tell counts once, and 500 for each row.
//!
//! **Where to begin.** [`gather()`]; [`AccessLogs`] is what it makes.
//!
//! [`AccessObject`]: crate::source::AccessObject

mod arrivals;
mod gather;
mod lists;
mod logs;
mod worker;

pub use gather::{GatherAccesses, WorkerLost, gather};
pub use logs::{AccessLogs, BadPlace, LogRead, Reading, SkippedAccesses};

#[cfg(test)]
mod tests;
