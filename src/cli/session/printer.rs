//! Writes the rows of a script to stdout or to one file, statement after statement.

use super::output::{Look, RowFormat, RowWriter};
use super::runner::Sink;
use super::table::Place;
use crate::cli::exit::Failure;
use crate::source::{WholeFile, sweep};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// The file that `-o` names.
enum OutputFile {
    /// A regular file, which gets its name when all results are written.
    Whole(WholeFile),
    /// A pipe or a device, which is written as it is.
    InPlace(File),
}

impl OutputFile {
    fn open(path: &Path) -> io::Result<Self> {
        let there = std::fs::metadata(path).ok();
        if there.as_ref().is_some_and(|there| !there.is_file()) {
            return Ok(Self::InPlace(File::create(path)?));
        }
        // A link to a file stays a link.
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        sweep(path.parent().unwrap_or(Path::new(".")));
        let whole = WholeFile::create(&path)?;
        if let Some(there) = there {
            if there.permissions().readonly() {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            whole.file().set_permissions(there.permissions())?;
        }
        Ok(Self::Whole(whole))
    }

    fn file(&self) -> &File {
        match self {
            Self::Whole(whole) => whole.file(),
            Self::InPlace(file) => file,
        }
    }
}

/// Writes rows as they come; a file of `-o` is there whole or not at all.
pub(in crate::cli) struct Printer {
    format: RowFormat,
    csv_safe: bool,
    output: Option<PathBuf>,
    /// The file of the results, once it is open.
    file: Option<OutputFile>,
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
        self.writer.take().map_or(Ok(()), RowWriter::finish).map_err(|failure| self.unwritten(failure))
    }

    /// Ends the output after the last statement: only now does a file of `-o` get its name.
    pub(in crate::cli) fn finish(mut self) -> Result<(), Failure> {
        match self.file.take() {
            Some(OutputFile::Whole(whole)) => whole.place().map_err(|error| self.unwritten(error.into())),
            _ => Ok(()),
        }
    }

    fn open(&mut self) -> Result<Box<dyn Write + Send>, Failure> {
        let Some(path) = &self.output else { return Ok(Box::new(BufWriter::new(io::stdout()))) };
        let failed = |error: io::Error| Failure::failed_at(path.display(), error);
        let file = match self.file.take() {
            Some(file) => file,
            None => OutputFile::open(path).map_err(failed)?,
        };
        let out = BufWriter::new(file.file().try_clone().map_err(failed)?);
        self.file = Some(file);
        Ok(Box::new(out))
    }

    /// Returns a failure that says that there is no file, or that the one before is still there.
    fn unwritten(&self, failure: Failure) -> Failure {
        match (failure, &self.output) {
            (Failure::Failed(message), Some(path)) => {
                Failure::Failed(format!("{}: not written: {message}", path.display()))
            }
            (failure, _) => failure,
        }
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
        let begun = RowWriter::begin(self.format, look, schema, out);
        self.writer = Some(begun.map_err(|failure| self.unwritten(failure))?);
        Ok(())
    }

    fn rows(&mut self, batch: &RecordBatch) -> Result<bool, Failure> {
        let written = self.writer.as_mut().map_or(Ok(()), |writer| writer.write(batch));
        written.map(|()| true).map_err(|failure| self.unwritten(failure))
    }
}
