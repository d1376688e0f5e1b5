//! Turns Parquet objects into typed flow records.
//!
//! The scan works in the dictionary's domain: each address is parsed once per dictionary and rows carry small numbers.
//! One row group is decoded at a time, in batches of 8,192 rows, and only the columns that were asked for.
//!
//! There are two ways from pages to batches. The direct one has a cursor for each column, which inflates page by page
//! into buffers that are kept, and decodes in one step from bits to codes; columns that only describe an interface
//! stay compressed until a row of them is asked for. The way through Arrow reads every layout that the parquet crate
//! reads; row groups with anything unusual, or with damage, take it, and both tell the same.

mod asked;
pub mod batch;
pub mod binding;
pub mod books;
pub mod chunks;
mod coded;
pub mod columns;
mod cursor;
mod describing;
mod dictionaries;
mod direct;
#[cfg(not(fuzzing))]
pub mod fetch;
#[cfg(fuzzing)]
pub mod fuzzing;
mod inflate;
mod numbers;
pub mod object;
mod page_header;
mod page_stream;
mod pages;
mod record_cursors;
pub mod records;
mod row_groups;
mod runs;
mod seen;
#[cfg(test)]
mod tests;
mod texts;
mod thrift;
mod unpack;
mod views;

pub use batch::{DESCRIBING_FIELDS, Decision, FlowBatch, MISSING_BYTES, MISSING_PROTOCOL, MISSING_S, Present};
pub use binding::{Binding, ROLLUP_FIELDS};
pub use books::{Books, FIRST_BOOKED, NONE, address_of, own_code};
pub use chunks::ObjectBytes;
pub use coded::{TextNumbers, own_text_code};
pub use columns::MISSING;
pub use dictionaries::{asked_of_dictionary, whole_dictionary};
pub use inflate::Inflater;
pub use object::{guarded, quiet_panics};
pub use record_cursors::RecordCursors;
pub use texts::Meaning;
pub use views::{MOST_TESTS, TextTest};

/// Says why an object could not be scanned; every variant concerns that one object only.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The object is Parquet but holds no flow records.
    #[error("{object}: no VPC flow records: no column for {missing}")]
    NotFlowLogs {
        /// Where the object is.
        object: String,
        /// Names of the fields that no column stands for.
        missing: String,
    },
    /// The object is damaged, or is not Parquet.
    #[error("{object}: {place}: {error}")]
    Parquet {
        /// Where the object is.
        object: String,
        /// Where in the object: footer, schema or row group.
        place: String,
        /// What the decoder said.
        error: parquet::errors::ParquetError,
    },
    /// The batches of an object could not be decoded.
    #[error("{object}: {place}: {error}")]
    Decode {
        /// Where the object is.
        object: String,
        /// Where in the object.
        place: String,
        /// What the decoder said.
        error: arrow::error::ArrowError,
    },
    /// A column has a type that cannot stand for its field.
    #[error("{object}: column `{field}` is {got}, expected {expected}")]
    Column {
        /// Where the object is.
        object: String,
        /// The field that the column stands for.
        field: &'static str,
        /// The column's type.
        got: String,
        /// What was expected.
        expected: &'static str,
    },
    /// The decoder met damage that it does not guard against.
    #[error("{object}: the decoder gave up on damaged data: {reason}")]
    Damaged {
        /// Where the object is.
        object: String,
        /// The decoder's last words.
        reason: String,
    },
    /// The object's bytes could not be fetched.
    #[error("{0}")]
    Fetch(String),
}

impl ScanError {
    /// What a footer says of its object cannot be.
    pub(crate) fn in_footer(object: &str, error: parquet::errors::ParquetError) -> Self {
        ScanError::Parquet { object: object.to_owned(), place: "footer".to_owned(), error }
    }
}
