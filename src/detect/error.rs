//! Why detections could not be run.

use crate::sql::SqlError;
use rollup::RollupError;
use std::path::PathBuf;

/// Why detections could not be run.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// A detection's file has a wrong header, or none.
    #[error("detection {name}, line {line}: {problem}")]
    Header {
        /// Name of the detection.
        name: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong and what was expected.
        problem: String,
    },
    /// The folder of own detections, or a file in it, cannot be read.
    #[error("detections: cannot read {}", path.display())]
    Read {
        /// The folder or file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The folder of own detections holds none.
    #[error("detections in {}: no .sql files there", folder.display())]
    Empty {
        /// The folder.
        folder: PathBuf,
    },
    /// A detection's SQL failed.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// The table of pairs cannot be read back from disk.
    #[error("pairs cannot be read")]
    Pairs(#[source] RollupError),
    /// The tables of the logs beside flow logs cannot be made.
    #[error("tables of the access logs cannot be made")]
    Accesses(#[from] arrow::error::ArrowError),
    /// A detection's result lacks a column or has it in another type.
    #[error("detection {name}: column `{column}` of the result is {got}, expected {expected}")]
    Result {
        /// Name of the detection.
        name: String,
        /// The column.
        column: String,
        /// What is there.
        got: String,
        /// What was expected.
        expected: &'static str,
    },
}
