//! What can go wrong when records are folded or tables are derived.

use memory::SpillError;

/// Why a table could not be built or read.
#[derive(Debug, thiserror::Error)]
pub enum RollupError {
    /// A column is missing or has another type.
    #[error("{table}: column `{column}` is {got}, expected {expected}: the table was written by another version")]
    Schema {
        /// The table's name.
        table: &'static str,
        /// The column's name.
        column: String,
        /// The type that the column has, or `missing`.
        got: String,
        /// The expected type.
        expected: String,
    },
    /// Data that does not fit into memory could not be spilled or read back.
    #[error(transparent)]
    Spill(#[from] SpillError),
    /// Arrow could not build a table.
    #[error("cannot build {table}")]
    Arrow {
        /// The table's name.
        table: &'static str,
        /// Arrow's error.
        source: arrow::error::ArrowError,
    },
}
