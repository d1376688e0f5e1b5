//! The options for the output of queries, and for their limits.

use super::output::RowFormat;
use super::printer::Printer;
use super::runner::StatementLimits;
use crate::cli::exit::Failure;
use crate::cli::options::memory::parse_size;
use crate::cli::options::time::parse_timeout;
use clap::Args;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

/// The options.
#[derive(Debug, Args)]
pub(in crate::cli) struct ResultArgs {
    /// Format of results [default: by the name of -o, else table]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<RowFormat>,
    /// Quote cells of CSV that a spreadsheet would compute: those that begin with = + - @, a tab or a line end
    #[arg(long)]
    csv_safe: bool,
    /// File for results [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// End a statement that takes longer, such as 30s or 5m
    #[arg(long, value_name = "D", value_parser = parse_timeout)]
    timeout: Option<Duration>,
    /// Refuse a statement that would read objects of more bytes, such as 10GB; a prompt asks instead
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    max_bytes: Option<usize>,
}

impl ResultArgs {
    /// Returns whether results have a file or a format, which a prompt cannot have.
    pub(in crate::cli) fn is_for_a_script(&self) -> bool {
        self.output.is_some() || self.format.is_some() || self.csv_safe
    }

    /// Returns what writes the rows; Parquet is not written to a terminal.
    pub(in crate::cli) fn printer(&self) -> Result<Printer, Failure> {
        let of_name = self.output.as_deref().and_then(RowFormat::of_file);
        let format = self.format.or(of_name).unwrap_or(RowFormat::Table);
        if format == RowFormat::Parquet && self.output.is_none() && std::io::stdout().is_terminal() {
            return Err(Failure::usage("--format parquet writes binary data: redirect stdout to a file, or use -o"));
        }
        Ok(Printer::new(format, self.csv_safe, self.output.as_deref()))
    }

    /// Returns the limits of each statement.
    pub(in crate::cli) fn limits(&self) -> StatementLimits {
        StatementLimits { timeout: self.timeout, max_bytes: self.max_bytes.map(|bytes| bytes as u64) }
    }
}
