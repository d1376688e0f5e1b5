//! Record batches, column by column.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, FixedSizeBinaryBuilder, Float64Array, Int64Array, ListBuilder, RecordBatch,
    StringArray, StringBuilder, TimestampSecondArray,
};
use arrow::error::ArrowError;
use flow::Address;

/// The columns of a table in their order, all with one value for each row.
#[derive(Debug)]
pub struct Columns<'r, R> {
    rows: &'r [R],
    columns: Vec<(&'static str, ArrayRef)>,
}

impl<'r, R> Columns<'r, R> {
    /// Returns a table of rows without columns yet.
    pub const fn of(rows: &'r [R]) -> Self {
        Self { rows, columns: Vec::new() }
    }

    fn push(mut self, name: &'static str, column: ArrayRef) -> Self {
        self.columns.push((name, column));
        self
    }

    /// Adds a column of texts; an empty text is NULL.
    pub fn text<'t>(self, name: &'static str, value: impl Fn(&'r R) -> &'t str) -> Self {
        let texts: StringArray = self.rows.iter().map(|row| Some(value(row)).filter(|text| !text.is_empty())).collect();
        self.push(name, Arc::new(texts))
    }

    /// Adds a column of texts that are made for it; `None` is NULL.
    pub fn made_text(self, name: &'static str, value: impl Fn(&'r R) -> Option<String>) -> Self {
        let texts: StringArray = self.rows.iter().map(value).collect();
        self.push(name, Arc::new(texts))
    }

    /// Adds a column of lists of texts.
    pub fn texts<S: AsRef<str>>(self, name: &'static str, value: impl Fn(&'r R) -> Vec<S>) -> Self {
        let mut lists = ListBuilder::new(StringBuilder::new());
        for row in self.rows {
            value(row).iter().for_each(|text| lists.values().append_value(text));
            lists.append(true);
        }
        self.push(name, Arc::new(lists.finish()))
    }

    /// Adds a column of whole numbers; `None` is NULL.
    pub fn whole(self, name: &'static str, value: impl Fn(&'r R) -> Option<i64>) -> Self {
        let numbers: Int64Array = self.rows.iter().map(value).collect();
        self.push(name, Arc::new(numbers))
    }

    /// Adds a column of counts.
    pub fn count(self, name: &'static str, value: impl Fn(&'r R) -> u64) -> Self {
        self.whole(name, |row| Some(i64::try_from(value(row)).unwrap_or(i64::MAX)))
    }

    /// Adds a column of numbers; `None` is NULL.
    pub fn float(self, name: &'static str, value: impl Fn(&'r R) -> Option<f64>) -> Self {
        let numbers: Float64Array = self.rows.iter().map(value).collect();
        self.push(name, Arc::new(numbers))
    }

    /// Adds a column that is true or false; `None` is NULL.
    pub fn flag(self, name: &'static str, value: impl Fn(&'r R) -> Option<bool>) -> Self {
        let flags: BooleanArray = self.rows.iter().map(value).collect();
        self.push(name, Arc::new(flags))
    }

    /// Adds a column of times, from seconds since 1970-01-01 UTC; `None` is NULL.
    pub fn time(self, name: &'static str, value: impl Fn(&'r R) -> Option<i64>) -> Self {
        let times: TimestampSecondArray = self.rows.iter().map(value).collect();
        self.push(name, Arc::new(times.with_timezone("UTC")))
    }

    /// Adds a column of bytes.
    pub fn bytes<'t>(self, name: &'static str, value: impl Fn(&'r R) -> &'t [u8]) -> Self
    where
        R: 't,
    {
        let bytes = BinaryArray::from_iter_values(self.rows.iter().map(value));
        self.push(name, Arc::new(bytes))
    }

    /// Adds a column of addresses of 16 bytes; `None` is NULL.
    ///
    /// # Errors
    /// Never in practice: all addresses are of one size.
    pub fn address(self, name: &'static str, value: impl Fn(&'r R) -> Option<Address>) -> Result<Self, ArrowError> {
        let mut addresses = FixedSizeBinaryBuilder::with_capacity(self.rows.len(), 16);
        for row in self.rows {
            match value(row) {
                Some(address) => addresses.append_value(address.to_bytes())?,
                None => addresses.append_null(),
            }
        }
        Ok(self.push(name, Arc::new(addresses.finish())))
    }

    /// Returns the table.
    ///
    /// # Errors
    /// [`ArrowError`] if two columns have one name or differ in length.
    pub fn finish(self) -> Result<RecordBatch, ArrowError> {
        RecordBatch::try_from_iter_with_nullable(self.columns.into_iter().map(|(name, column)| (name, column, true)))
    }
}
