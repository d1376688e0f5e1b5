//! Gathers the `pair_hours` of a source, and keeps them between runs.
//!
//! The unit of work is one source partition. The name of a kept unit holds the fingerprint of its objects: the same
//! objects give the same file, so runs may be repeated, and late objects cost only their own unit. Every byte of a kept
//! file stands under a checksum: a unit that storage has damaged is computed anew. Beside them, `flags` keeps what was
//! flagged in each window.
//!
//! **Cost.** Objects are fetched ahead of the threads that decode them, within a budget of bytes ([`fetch`]). The tables of
//! a unit stay in memory until the tables of the window are derived, as far as they fit. To keep a unit costs a tenth of
//! its scan, and is written meanwhile; to load it costs about as much. What is kept is listed by days, not asked for unit
//! by unit.
//!
//! **Where to begin.** [`Pipeline`] is the whole path from a source to the derived tables; [`gather()`] is its second step,
//! and `unit_job` the work on one unit. `roll` does without tables.

mod error;
pub mod fetch;
#[cfg(test)]
mod fetch_tests;
mod flags;
mod gathered;
mod note;
mod share;
mod span;
mod trouble;
mod unit_files;

mod kept;

mod keeping;

mod unit_job;

mod load;

mod gather;

mod publish;

mod roll;

mod pipeline;

pub use error::HoursError;
pub use gather::{Progress, gather};
pub use gathered::{Gathered, SkipKind, Skipped};
pub use kept::{KeptHours, settings_hash};
pub use pipeline::{ListedUnits, Pipeline, SourceHours};
pub use publish::PublishedHours;
pub use roll::Rolled;
pub use share::Share;
pub use trouble::KeptTrouble;
pub use unit_job::{GatherContext, GatherOptions};
