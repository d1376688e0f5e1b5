//! Gathers the `pair_hours` of a source, and keeps them between runs.
//!
//! The unit of work is one source partition. A kept unit carries the fingerprint of its objects in its name: the same
//! objects give the same file, so runs may be repeated, and late objects cost only their own unit. It carries a checksum of
//! itself, too: what storage has changed is computed anew.

pub mod fetch;
#[cfg(test)]
mod fetch_tests;
mod gather;
mod kept;
mod pipeline;
mod seal;
mod span;

pub use gather::{GatherOptions, Gathered, Progress, Skipped, gather};
pub use kept::{KeptHours, settings_hash};
pub use pipeline::{ListedUnits, Pipeline, SourceHours};

/// Says why hours could not be gathered or kept.
#[derive(Debug, thiserror::Error)]
pub enum HoursError {
    /// The place that keeps the hours failed.
    #[error("kept hours: {0}")]
    Store(#[from] crate::source::SourceError),
    /// A unit could not be folded.
    #[error(transparent)]
    Rollup(#[from] rollup::RollupError),
    /// Kept hours do not fit into memory and could not be spilled.
    #[error(transparent)]
    Spill(#[from] ::memory::SpillError),
    /// A kept file could not be written.
    #[error("writing kept hours {name}: {error}")]
    Write {
        /// Name of the file.
        name: String,
        /// What the writer said.
        error: parquet::errors::ParquetError,
    },
    /// A thread of the run ended early.
    #[error("a worker thread ended early; this is a bug of flowsift")]
    Worker,
}
