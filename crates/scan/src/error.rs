//! Why an object could not be scanned.
//!
//! A message does not repeat its cause: print it by [`flow::error_text()`].

use pages::guard::catch;

/// Why an object could not be scanned; every variant concerns that one object only.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The object is Parquet but holds no flow records.
    #[error("{object}: no VPC flow records: no column for {missing}")]
    NotFlowLogs {
        /// Where the object is.
        object: String,
        /// Names of the fields that no column holds.
        missing: String,
    },
    /// The object is a log, but not one of VPC flows.
    #[error("{object}: {log}, no VPC flow records")]
    OtherLog {
        /// Where the object is.
        object: String,
        /// What it holds, such as `Transit Gateway flow logs`.
        log: &'static str,
    },
    /// The object is damaged, or is not Parquet.
    #[error("{object}: {part} cannot be decoded")]
    Parquet {
        /// Where the object is.
        object: String,
        /// The part of the object: footer, schema or row group.
        part: String,
        /// The decoder's error.
        source: parquet::errors::ParquetError,
    },
    /// The batches of an object could not be decoded.
    #[error("{object}: {part} cannot be decoded")]
    Decode {
        /// Where the object is.
        object: String,
        /// The part of the object: row group or columns.
        part: String,
        /// The decoder's error.
        source: arrow::error::ArrowError,
    },
    /// A column has a type that cannot hold its field.
    #[error("{object}: column `{field}` is {got}, expected {expected}")]
    Column {
        /// Where the object is.
        object: String,
        /// The field that the column holds.
        field: &'static str,
        /// The column's type.
        got: String,
        /// What was expected.
        expected: &'static str,
    },
    /// The decoder panicked on damaged data.
    #[error("{object}: the decoder gave up on damaged data: {reason}")]
    Damaged {
        /// Where the object is.
        object: String,
        /// The panic's message.
        reason: String,
    },
    /// The object has no bytes.
    #[error("{object}: empty (0 bytes), so its writer did not finish it")]
    Empty {
        /// Where the object is.
        object: String,
    },
    /// The object's bytes could not be fetched.
    #[error(transparent)]
    Fetch(Box<dyn std::error::Error + Send + Sync>),
}

impl ScanError {
    /// Returns the error for a footer whose claims about its object are impossible.
    pub fn in_footer(object: &str, source: parquet::errors::ParquetError) -> Self {
        ScanError::Parquet { object: object.to_owned(), part: "footer".to_owned(), source }
    }
}

/// Runs `work`, and turns a panic of the decoder on damaged data into an error about this object.
///
/// # Errors
/// What `work` fails with, and [`ScanError::Damaged`] where it panics.
pub fn guarded<T>(object: &str, work: impl FnOnce() -> Result<T, ScanError>) -> Result<T, ScanError> {
    catch(work).unwrap_or_else(|reason| Err(ScanError::Damaged { object: object.to_owned(), reason }))
}
