//! Why a corpus could not be made, or findings could not be judged.

use std::path::{Path, PathBuf};

/// Why a corpus could not be made, or findings could not be judged.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// An option has a value that no corpus can be made with.
    #[error("option `{option}` is {got}; expected {expected}")]
    InvalidOption {
        /// Name of the option.
        option: &'static str,
        /// The value as given.
        got: String,
        /// What is legal, and what to do.
        expected: String,
    },
    /// An attacks file is not valid TOML of the expected form.
    #[error("{path}: {message}; expected [[attack]] tables with `kind` = {kinds}")]
    InvalidAttacks {
        /// The file, or `attacks` when the text came from elsewhere.
        path: String,
        /// Position and reason.
        message: String,
        /// The kinds that exist.
        kinds: String,
    },
    /// A campaigns file is not valid TOML of the expected form, or its campaigns do not fit into the corpus.
    #[error("{path}: {message}")]
    InvalidCampaigns {
        /// The file, or `campaigns` when they came from elsewhere.
        path: String,
        /// Position, key and reason.
        message: String,
    },
    /// A file of labels or findings has a line that cannot be read.
    #[error("{path}, {place}: {message}")]
    InvalidInput {
        /// The file.
        path: PathBuf,
        /// Line, row or column.
        place: String,
        /// What was found, and what was expected.
        message: String,
    },
    /// A file could not be read, created or written.
    #[error("{path}: cannot {action}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried: `read`, `create`, `write`.
        action: &'static str,
        /// The reason given by the system.
        source: std::io::Error,
    },
    /// A Parquet file could not be read or written.
    #[error("{path}: cannot {action} as Parquet")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What was tried: `read`, `write`.
        action: &'static str,
        /// The reason.
        source: parquet::errors::ParquetError,
    },
    /// Columns could not be assembled or read.
    #[error("{path}: cannot {action} columns")]
    Columns {
        /// The file.
        path: PathBuf,
        /// What was tried: `read`, `build`.
        action: &'static str,
        /// The reason.
        source: arrow::error::ArrowError,
    },
}

impl CorpusError {
    pub(super) fn option(option: &'static str, got: impl ToString, expected: impl Into<String>) -> Self {
        Self::InvalidOption { option, got: got.to_string(), expected: expected.into() }
    }

    pub(super) fn io(path: &Path, action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, action, source }
    }

    pub(super) fn input(path: &Path, place: impl ToString, message: impl Into<String>) -> Self {
        Self::InvalidInput { path: path.to_owned(), place: place.to_string(), message: message.into() }
    }
}
