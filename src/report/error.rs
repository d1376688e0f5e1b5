//! Why findings or incidents could not be written or read.

/// Why findings or incidents could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Writing or reading failed.
    #[error("could not {action} {what}")]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// What was being read or written.
        what: String,
        /// The system's error; a broken pipe is the reader's choice and no failure.
        source: std::io::Error,
    },
    /// A line of JSON Lines is not what it should be: the file is damaged, or is something else.
    #[error("{name}:{line}: not {what}; expected a JSON object with the fields of schema version {version}")]
    Line {
        /// The file's name.
        name: String,
        /// The line, counted from 1.
        line: u64,
        /// `a finding` or `an incident`.
        what: &'static str,
        /// The schema version expected.
        version: u32,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A finding or incident cannot be written as JSON.
    #[error("could not write {what} `{id}` as JSON")]
    Json {
        /// `finding` or `incident`.
        what: &'static str,
        /// Its id.
        id: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The findings or incidents have a schema version that this code does not know; use a newer flowsift.
    #[error("{name}: {what} {row} has schema version {got}, expected {expected}; use the flowsift that wrote it")]
    SchemaVersion {
        /// The file's name.
        name: String,
        /// `finding` or `incident`.
        what: &'static str,
        /// The finding or incident, counted from 1.
        row: u64,
        /// The version found.
        got: u32,
        /// The version known.
        expected: u32,
    },
    /// A value of a Parquet file does not fit its column: the file is damaged, or is something else.
    #[error("{name}: finding {row}, column `{column}`: got `{got}`, expected {expected}")]
    Value {
        /// The file's name.
        name: String,
        /// The finding, counted from 1.
        row: u64,
        /// The column.
        column: &'static str,
        /// The text found.
        got: String,
        /// What would have been right.
        expected: &'static str,
    },
    /// A Parquet file lacks a column or has it in another type: it does not hold findings.
    #[error("{name}: no column `{column}` of type {expected}; expected the columns of findings, schema version 2")]
    Column {
        /// The file's name.
        name: String,
        /// The column.
        column: &'static str,
        /// The type expected.
        expected: &'static str,
    },
    /// Parquet cannot be written or read.
    #[error("could not {action} {name} as Parquet")]
    Parquet {
        /// `read` or `write`.
        action: &'static str,
        /// The file's name, or what was being written.
        name: String,
        /// The Parquet library's error.
        source: parquet::errors::ParquetError,
    },
    /// Columns cannot be built or read.
    #[error("could not {action} {name} as columns")]
    Arrow {
        /// `read` or `write`.
        action: &'static str,
        /// The file's name, or what was being written.
        name: String,
        /// The Arrow library's error.
        source: arrow::error::ArrowError,
    },
}

impl ReportError {
    /// Returns whether the reader of a pipe has gone, which ends the writing but is no failure.
    pub fn is_broken_pipe(&self) -> bool {
        match self {
            ReportError::Io { source, .. } => source.kind() == std::io::ErrorKind::BrokenPipe,
            ReportError::Json { source, .. } => source.io_error_kind() == Some(std::io::ErrorKind::BrokenPipe),
            ReportError::Parquet { source: parquet::errors::ParquetError::External(source), .. } => source
                .downcast_ref::<std::io::Error>()
                .is_some_and(|source| source.kind() == std::io::ErrorKind::BrokenPipe),
            _ => false,
        }
    }
}
