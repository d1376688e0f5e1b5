//! Gathers the `pair_hours` of a source, and keeps them between runs.
//!
//! The unit of work is one source partition. The name of a kept unit holds the fingerprint of its objects: the same
//! objects give the same file, so runs may be repeated, and late objects cost only their own unit. A kept file carries a
//! checksum of itself, too: a unit that storage has damaged is computed anew. Beside them, `flags` keeps what was flagged
//! in each window.
//!
//! **Cost.** Objects are fetched ahead of the threads that decode them, within a budget of bytes ([`fetch`]). The tables of
//! a unit stay in memory until the tables of the window are derived, as far as they fit.
//!
//! **Where to begin.** [`Pipeline`] is the whole path from a source to the derived tables; [`gather()`] is its second step,
//! and `unit_job` the work on one unit.

mod error;
pub mod fetch;
#[cfg(test)]
mod fetch_tests;
mod flags;
mod gathered;
mod seal;
mod span;
mod trouble;

mod kept;
mod unit_job;

mod gather;
mod pipeline;

pub use error::HoursError;
pub use gather::{Progress, gather};
pub use gathered::{Gathered, SkipKind, Skipped};
pub use kept::{KeptHours, settings_hash};
pub use pipeline::{ListedUnits, Pipeline, SourceHours};
pub use trouble::KeptTrouble;
pub use unit_job::{GatherContext, GatherOptions};
