//! Findings on stdout, and as the files of `--out`.

use crate::cli::exit::Failure;
use crate::detect::Finding;
use crate::incident::Incident;
use crate::report::{Page, ReportError, TableOptions, write_html, write_jsonl, write_parquet, write_table};
use bytes::Bytes;
use clap::ValueEnum;
use std::io::Write;

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(in crate::cli) enum FindingsFormat {
    /// For people
    Table,
    /// One JSON object per line
    Jsonl,
    /// One Parquet file
    Parquet,
    /// A page with incidents, figures and all findings, in one file
    Html,
    /// OCSF 1.8: a Detection Finding for each incident and finding, one JSON object per line
    Ocsf,
    /// STIX 2.1: a bundle of the outside addresses of incidents
    Stix,
    /// Lines for Timesketch: what happened in incidents, in the order of time
    Timesketch,
}

/// How findings are shown on stdout.
#[derive(Clone, Copy, Debug)]
pub(super) struct Show {
    pub(super) format: FindingsFormat,
    /// Rows of the table, 0 for all.
    pub(super) rows: usize,
    /// Stdout is a terminal.
    pub(super) terminal: bool,
    /// The table tells what happened in each incident.
    pub(super) timeline: bool,
}

/// A file of findings.
#[derive(Clone, Debug)]
pub(super) struct FindingsFile {
    format: FindingsFormat,
    pub(super) name: &'static str,
    pub(super) bytes: Bytes,
}

/// The name of the findings as JSON Lines.
pub(super) const JSONL_FILE: &str = "findings.jsonl";
/// The name of the page.
pub(super) const PAGE_FILE: &str = "report.html";
/// The name of the findings as Parquet.
pub(super) const PARQUET_FILE: &str = "findings.parquet";

/// The name of the incidents as JSON Lines.
pub(super) const INCIDENTS_FILE: &str = "incidents.jsonl";

/// Returns the files of findings for `--out`, and the id of the run, which `run_id` makes from the JSON Lines.
pub(super) fn findings_files(
    findings: &[Finding],
    run_id: impl Fn(&[u8]) -> String,
) -> Result<([FindingsFile; 2], String), Failure> {
    let (mut jsonl, mut parquet) = (Vec::new(), Vec::new());
    write_jsonl(&mut jsonl, findings)?;
    let run_id = run_id(&jsonl);
    write_parquet(&mut parquet, findings, Some(&run_id))?;
    let files = [
        FindingsFile { format: FindingsFormat::Jsonl, name: JSONL_FILE, bytes: jsonl.into() },
        FindingsFile { format: FindingsFormat::Parquet, name: PARQUET_FILE, bytes: parquet.into() },
    ];
    Ok((files, run_id))
}

impl FindingsFile {
    /// Writes the file to stdout.
    fn show(&self) -> Result<(), ReportError> {
        write_stdout(&self.bytes)
    }
}

pub(super) fn write_stdout(bytes: &[u8]) -> Result<(), ReportError> {
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
    written.map_err(|source| ReportError::Io { action: "write", what: "findings".to_owned(), source })
}

impl Show {
    /// Writes findings to stdout: one of the files, if it has the format. The table begins with incidents.
    ///
    /// # Errors
    /// When stdout cannot be written: [`Failure::BrokenPipe`] when its reader has gone.
    pub(super) fn findings(
        &self,
        findings: &[Finding],
        incidents: &[Incident],
        files: &[FindingsFile],
    ) -> Result<(), Failure> {
        if let Some(file) = files.iter().find(|file| file.format == self.format) {
            return Ok(file.show()?);
        }
        let stdout = std::io::stdout();
        match self.format {
            // Written by [`Show::page`], once the run is summed up; a terminal gets a table.
            FindingsFormat::Html if !self.terminal => {}
            // Written as files were, once they are made.
            FindingsFormat::Ocsf | FindingsFormat::Stix | FindingsFormat::Timesketch => {}
            FindingsFormat::Jsonl => write_jsonl(std::io::BufWriter::new(stdout.lock()), findings)?,
            FindingsFormat::Parquet => write_parquet(stdout, findings, None)?,
            FindingsFormat::Table | FindingsFormat::Html => {
                let width = if self.terminal { terminal_width() } else { TableOptions::default().width };
                let color = self.terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
                let limit = (self.rows > 0).then_some(self.rows);
                let options = TableOptions { width, color, limit, explained: 5 };
                write_table(stdout.lock(), incidents, findings, &options, self.timeline)?;
            }
        }
        Ok(())
    }
}

/// The page of a run.
pub(super) struct PageFile {
    bytes: Bytes,
}

impl PageFile {
    pub(super) fn new(page: &Page<'_>) -> Result<Self, Failure> {
        let mut bytes = Vec::new();
        write_html(&mut bytes, page)?;
        Ok(Self { bytes: bytes.into() })
    }

    pub(super) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Writes the page to stdout, unless that is a terminal.
    pub(super) fn show(&self, show: &Show) -> Result<(), Failure> {
        if show.terminal {
            return Ok(());
        }
        Ok(write_stdout(&self.bytes)?)
    }
}

/// Returns the columns of the terminal on stdout.
fn terminal_width() -> usize {
    match console::Term::stdout().size_checked() {
        Some((_, columns)) if columns >= 40 => usize::from(columns),
        _ => TableOptions::default().width,
    }
}
