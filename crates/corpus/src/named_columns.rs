//! Rows of a CSV file whose columns are found by name.

use std::path::Path;

use crate::error::CorpusError;
use flow::Address;
use flow::error_text;

/// A row, with its cells in the order of the header that was asked for.
pub(crate) struct NamedRow<'a, const N: usize> {
    path: &'a Path,
    header: &'a [&'static str; N],
    indices: [usize; N],
    record: &'a csv::StringRecord,
}

impl<const N: usize> NamedRow<'_, N> {
    /// Returns a cell without space around it; empty where the row ends before.
    pub(crate) fn cell(&self, column: usize) -> &str {
        self.record.get(self.indices[column]).unwrap_or("").trim()
    }

    /// Returns a cell, or `None` where it is empty or `-`.
    pub(crate) fn given(&self, column: usize) -> Option<&str> {
        Some(self.cell(column)).filter(|text| !matches!(*text, "" | "-"))
    }

    /// Returns the error for a cell that is not what was expected.
    pub(crate) fn wrong(&self, column: usize, expected: &str) -> CorpusError {
        let line = self.record.position().map_or(0, csv::Position::line);
        let message = format!("`{}` is `{}`; expected {expected}", self.header[column], self.cell(column));
        CorpusError::input(self.path, format_args!("line {line}"), message)
    }

    /// Returns the address of a cell.
    pub(crate) fn address(&self, column: usize) -> Result<Address, CorpusError> {
        self.cell(column).parse().map_err(|_| self.wrong(column, "an address"))
    }

    /// Returns the number of a cell, at most `high`; `None` where it is empty or `-`.
    pub(crate) fn number<T: TryFrom<u32>>(&self, column: usize, high: u32) -> Result<Option<T>, CorpusError> {
        let number = |text: &str| text.parse::<u32>().ok().filter(|number| *number <= high)?.try_into().ok();
        let wrong = || self.wrong(column, &format!("a number up to {high}, or nothing"));
        self.given(column).map(|text| number(text).ok_or_else(wrong)).transpose()
    }
}

/// Returns whether a file has all columns of a header.
///
/// # Errors
/// [`CorpusError::Io`] when the file cannot be read, [`CorpusError::InvalidInput`] when it is no CSV.
pub(crate) fn has_columns(path: &Path, header: &[&str]) -> Result<bool, CorpusError> {
    let file = std::fs::File::open(path).map_err(CorpusError::io(path, "read"))?;
    let mut reader = csv::Reader::from_reader(file);
    let names = reader.headers().map_err(|error| CorpusError::input(path, "line 1", error_text(&error)))?;
    Ok(header.iter().all(|name| names.iter().any(|column| column.trim() == *name)))
}

/// Reads a file, row by row. Further columns are ignored.
///
/// # Errors
/// [`CorpusError::Io`] when the file cannot be read, [`CorpusError::InvalidInput`] when it is no CSV or lacks a column, and
/// what `read` returns.
pub(crate) fn read_rows<T, const N: usize>(
    path: &Path,
    header: &[&'static str; N],
    read: impl Fn(&NamedRow<'_, N>) -> Result<T, CorpusError>,
) -> Result<Vec<T>, CorpusError> {
    let file = std::fs::File::open(path).map_err(CorpusError::io(path, "read"))?;
    let mut reader = csv::Reader::from_reader(file);
    let broken = |error: csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        CorpusError::input(path, format_args!("line {line}"), error_text(&error))
    };
    let names = reader.headers().map_err(broken)?.clone();
    let mut indices = [0; N];
    for (index, name) in indices.iter_mut().zip(header) {
        *index = names.iter().position(|column| column.trim() == *name).ok_or_else(|| {
            CorpusError::input(path, "line 1", format!("no column `{name}`; expected {}", header.join(",")))
        })?;
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(broken)?;
        rows.push(read(&NamedRow { path, header, indices, record: &record })?);
    }
    Ok(rows)
}
