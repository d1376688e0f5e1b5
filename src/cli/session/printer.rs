//! Writes the rows of a script to stdout or to one file, statement after statement.

use super::output::{Look, RowFormat, RowWriter};
use super::runner::Sink;
use super::table::Place;
use crate::cli::exit::Failure;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Writes rows as they come.
pub(in crate::cli) struct Printer {
    format: RowFormat,
    csv_safe: bool,
    output: Option<PathBuf>,
    /// The file of the results, once it is open.
    file: Option<File>,
    writer: Option<RowWriter<Box<dyn Write + Send>>>,
    results: usize,
}

impl Printer {
    /// Writes to `output`, or to stdout; with `csv_safe`, cells of CSV that a spreadsheet would compute are quoted.
    pub(in crate::cli) fn new(format: RowFormat, csv_safe: bool, output: Option<&Path>) -> Self {
        Self { format, csv_safe, output: output.map(Path::to_owned), file: None, writer: None, results: 0 }
    }

    /// Ends the rows of a statement.
    pub(in crate::cli) fn end(&mut self) -> Result<(), Failure> {
        self.writer.take().map_or(Ok(()), RowWriter::finish)
    }

    fn open(&mut self) -> Result<Box<dyn Write + Send>, Failure> {
        let Some(path) = &self.output else { return Ok(Box::new(BufWriter::new(std::io::stdout()))) };
        let failed = |error: std::io::Error| Failure::failed_at(path.display(), error);
        let file = match self.file.take() {
            Some(file) => file,
            None => File::create(path).map_err(failed)?,
        };
        self.file = Some(file.try_clone().map_err(failed)?);
        Ok(Box::new(BufWriter::new(file)))
    }
}

impl Sink for Printer {
    fn begin(&mut self, schema: SchemaRef) -> Result<(), Failure> {
        // Statements such as SET and CREATE VIEW return no rows.
        if schema.fields().is_empty() {
            return Ok(());
        }
        self.results += 1;
        let alone = match self.format {
            RowFormat::Parquet => Some("parquet"),
            RowFormat::Json => Some("json"),
            _ => None,
        };
        if let Some(format) = alone.filter(|_| self.results > 1) {
            let problem = format!("--format {format} holds one result: the script has a second one");
            return Err(Failure::usage(problem));
        }
        let out = self.open()?;
        let place = if self.output.is_none() { Place::of_stdout() } else { Place::File };
        let look = Look { place, csv_safe: self.csv_safe };
        self.writer = Some(RowWriter::begin(self.format, look, schema, out)?);
        Ok(())
    }

    fn rows(&mut self, batch: &RecordBatch) -> Result<bool, Failure> {
        if let Some(writer) = &mut self.writer {
            writer.write(batch)?;
        }
        Ok(true)
    }
}
