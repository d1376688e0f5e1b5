//! Why a kept file cannot be used.

use memory::SpillError;

/// Why a kept file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The file is of another version, or none of flowsift's.
    #[error("not kept hours of this version")]
    Version,
    /// Bytes were changed, lost or added since the file was written.
    #[error("damaged {what}")]
    Damaged {
        /// The part of the file that is not as it was written.
        what: &'static str,
    },
    /// Rows do not fit into memory and could not be spilled.
    #[error(transparent)]
    Spill(#[from] SpillError),
}

/// Returns the error of a damaged part of a file.
pub(super) const fn damaged(what: &'static str) -> KeptError {
    KeptError::Damaged { what }
}
