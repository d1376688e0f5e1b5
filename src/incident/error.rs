//! Why incidents could not be made.

use rollup::RollupError;

/// Why incidents could not be made.
#[derive(Debug, thiserror::Error)]
pub enum IncidentError {
    /// The table of pairs cannot be read back from disk.
    #[error("incidents: pairs cannot be read")]
    Pairs(#[source] RollupError),
}
