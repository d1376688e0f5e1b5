//! Why hours could not be gathered or kept.

use crate::source::SourceError;
use memory::SpillError;
use parquet::errors::ParquetError;
use rollup::RollupError;

/// Why hours could not be gathered or kept.
#[derive(Debug, thiserror::Error)]
pub enum HoursError {
    /// The store of kept hours failed.
    #[error("kept hours cannot be used")]
    Store(#[from] SourceError),
    /// A unit could not be folded.
    #[error(transparent)]
    Rollup(#[from] RollupError),
    /// Kept hours do not fit into memory and could not be spilled.
    #[error(transparent)]
    Spill(#[from] SpillError),
    /// A kept file could not be encoded.
    #[error("cannot write kept hours {name}")]
    Write {
        /// Name of the file.
        name: String,
        /// The Parquet writer's error.
        source: ParquetError,
    },
    /// A thread of the run ended early.
    #[error("a worker thread ended early; this is a bug of flowsift")]
    Worker,
}
