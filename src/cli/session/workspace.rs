//! The options that open a session over a source, and the session itself.

use crate::cli::exit::{Exit, Failure};
use crate::cli::options::input::{Input, InputArgs, OpenedSource};
use crate::cli::options::{Global, RunMemory};
use crate::cli::progress::Bar;
use crate::cli::stderr::tell;
use crate::hours::Progress;
use crate::incident::tables::incident_tables;
use crate::report::{read_incidents, read_jsonl, read_parquet, write_parquet};
use crate::source::SourceOptions;
use crate::sql::{PlanThreads, SkipKind, Skipped, Workspace, WorkspaceOptions};
use ::memory::Memory;
use arrow::array::RecordBatch;
use bytes::Bytes;
use clap::Args;
use flow::printable;
use flow::units::{count_text, counted};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use scan::guarded;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::Handle;

/// The options of a session besides its sources.
#[derive(Debug, Args)]
pub(in crate::cli) struct WorkspaceArgs {
    #[command(flatten)]
    input: InputArgs,
    /// findings.jsonl or findings.parquet of a run, for the table findings
    #[arg(long, value_name = "FILE")]
    findings: Option<PathBuf>,
    /// incidents.jsonl of a run, for the tables incidents, incident_timeline, incident_nodes and incident_edges [default:
    /// the one beside --findings, if there is one]
    #[arg(long, value_name = "FILE")]
    incidents: Option<PathBuf>,
}

/// A session, and the threads that it runs on.
pub(in crate::cli) struct Opened {
    pub(in crate::cli) workspace: Workspace,
    /// Why no hours are kept although `--state` asks for it.
    kept_unusable: Option<String>,
    /// Fetches objects and handles timeouts; plans run on threads of their own.
    pub(in crate::cli) io: Handle,
    /// Threads of a plan.
    pub(in crate::cli) threads: usize,
    /// Dropped with the session.
    _io: PlanThreads,
    /// Dropped last, after everything that may spill.
    _spilled: Spilled,
}

impl Opened {
    /// Prints the objects that could not be read, and returns how the command ends.
    pub(in crate::cli) fn report_skipped(&self, global: &Global) -> Exit {
        let (skipped, other): (Vec<_>, Vec<_>) =
            self.workspace.skipped().into_iter().partition(|one| one.kind == SkipKind::Unreadable);
        let named = |one: &Skipped| (printable(&one.object), printable(&one.reason));
        for (kind, one, several) in [
            (SkipKind::OtherLog, "object holds another log", "objects hold other logs"),
            (SkipKind::Copy, "object repeats another and counts once", "objects repeat others and count once"),
        ] {
            let count = other.iter().filter(|one| one.kind == kind).count();
            let first = other.iter().find(|one| one.kind == kind).filter(|_| !global.is_quiet());
            if let Some((object, reason)) = first.map(named) {
                tell(format_args!("note: {}: {object} ({reason})", counted(count as u64, one, several)));
            }
        }
        let kept = other.iter().filter(|one| one.kind == SkipKind::Kept);
        let trouble = kept.map(|one| format!("{}: {}", one.object, one.reason)).chain(self.kept_unusable.clone());
        let trouble: Vec<String> = trouble.collect();
        let any_trouble = !trouble.is_empty();
        for text in trouble {
            tell(format_args!("warning: kept hours: {}", printable(&text)));
        }
        if skipped.is_empty() {
            return if any_trouble { Exit::Partial } else { Exit::Done };
        }
        if !global.is_quiet() {
            let count = counted(skipped.len() as u64, "object", "objects");
            let whose = if skipped.len() == 1 { "its" } else { "their" };
            let rows = rows_text(skipped.iter().map(|one| one.rows), whose);
            tell(format_args!("warning: {count} could not be read; none of {whose} rows counts{rows}"));
            for (object, reason) in skipped.iter().take(NAMED).map(named) {
                tell(format_args!("  {object}: {reason}"));
            }
            if skipped.len() > NAMED {
                tell(format_args!("  and {} more", skipped.len() - NAMED));
            }
        }
        Exit::Partial
    }
}

/// Skipped objects named at the end.
const NAMED: usize = 10;

/// Returns how many rows objects have by their footers, as far as is known.
fn rows_text(rows: impl Iterator<Item = Option<u64>> + Clone, whose: &str) -> String {
    let footers = if whose == "its" { "footer" } else { "footers" };
    let known: u64 = rows.clone().flatten().sum();
    let unknown = rows.clone().filter(Option::is_none).count();
    match (unknown, known) {
        (_, 0) => String::new(),
        (0, known) => format!(" ({} by {whose} {footers})", count_text(known)),
        (unknown, known) => format!(" ({} by {whose} {footers}, and those of {unknown} unknown)", count_text(known)),
    }
}

/// Removes spilled data at the end of a command. A slow thread could keep it alive, and the process may end before.
struct Spilled(Memory);

impl Drop for Spilled {
    fn drop(&mut self) {
        self.0.folder().remove();
    }
}

impl WorkspaceArgs {
    /// Returns `from` and `to` as they were given.
    pub(in crate::cli) fn bounds(&self) -> impl Iterator<Item = (String, String)> {
        self.input.bounds()
    }

    /// Opens a session; Ctrl-C ends the process unless `interactive`.
    pub(in crate::cli) fn open(
        &self,
        global: &Global,
        sources: &[String],
        interactive: bool,
    ) -> Result<Opened, Failure> {
        self.open_with(global, sources, interactive, true)
    }

    /// Opens a session as [`WorkspaceArgs::open`] does; `files` decides whether queries may read files that they name.
    pub(in crate::cli) fn open_with(
        &self,
        global: &Global,
        sources: &[String],
        interactive: bool,
        files: bool,
    ) -> Result<Opened, Failure> {
        let input = self.input.read()?;
        let findings = findings_table(self.findings.as_deref())?;
        let incidents = incidents_file(self.incidents.as_deref(), self.findings.as_deref());
        let incidents = incidents_tables(incidents.as_deref())?;

        let RunMemory { shared: memory, fetch } = global.memory()?;
        let io = if interactive {
            global.start_threads_without_signals()?
        } else {
            global.start_threads(Some(memory.memory()))?
        };
        let source_options = SourceOptions { io_runtime: Some(io.handle().clone()), ..global.source_options() };
        let OpenedSource { source, kept, kept_accesses, kept_unusable, .. } =
            io.block_on(self.input.open(sources, &input, &source_options))?;
        let shown = global.shows_progress_now();
        let progress =
            move |objects, bytes| -> Box<dyn Progress + Send> { Box::new(Bar::shown(shown, objects, bytes)) };
        let Input { window, zone, indicators, networks, internal, .. } = input;
        let options = WorkspaceOptions {
            window,
            zone,
            indicators: Arc::new(indicators),
            networks: Arc::new(networks),
            internal: Arc::new(internal),
            kept,
            kept_accesses,
            findings,
            incidents,
            threads: global.threads(),
            fetch,
            memory,
            progress: Arc::new(progress),
            runtime: io.handle().clone(),
            files,
        };
        let spilled = Spilled(options.memory.memory().clone());
        let workspace = Workspace::open(&source, options).map_err(Failure::failed)?;
        let handle = io.handle().clone();
        let threads = global.threads();
        Ok(Opened { workspace, kept_unusable, io: handle, threads, _io: PlanThreads::of(io), _spilled: spilled })
    }
}

/// Returns the file of incidents: the one given, else `incidents.jsonl` of the run that wrote the findings, if it is there.
fn incidents_file(incidents: Option<&Path>, findings: Option<&Path>) -> Option<PathBuf> {
    let beside = || findings.map(|findings| findings.with_file_name("incidents.jsonl")).filter(|path| path.is_file());
    incidents.map(Path::to_path_buf).or_else(beside)
}

/// Reads incidents as tables; without a file they have no rows.
fn incidents_tables(path: Option<&Path>) -> Result<Vec<(&'static str, RecordBatch)>, Failure> {
    let incidents = match path {
        None => Vec::new(),
        Some(path) => {
            let name = path.display().to_string();
            let file = std::fs::File::open(path).map_err(|error| Failure::usage_at(&name, error))?;
            read_incidents(std::io::BufReader::new(file), &name)?
        }
    };
    incident_tables(&incidents).map_err(Failure::failed)
}

/// Reads findings as the columns of `findings.parquet`; without a file there are none.
fn findings_table(path: Option<&Path>) -> Result<Vec<RecordBatch>, Failure> {
    let findings = match path {
        None => Vec::new(),
        Some(path) => {
            let name = path.display().to_string();
            let file = std::fs::File::open(path).map_err(|error| Failure::usage_at(&name, error))?;
            let is_parquet = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet"));
            if is_parquet {
                guarded(&name, || Ok(read_parquet(file, &name))).map_err(Failure::failed)??
            } else {
                read_jsonl(std::io::BufReader::new(file), &name)?
            }
        }
    };
    let mut parquet = Vec::new();
    write_parquet(&mut parquet, &findings, None)?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(parquet)).map_err(Failure::failed)?;
    let schema = reader.schema().clone();
    let mut batches =
        reader.build().map_err(Failure::failed)?.collect::<Result<Vec<_>, _>>().map_err(Failure::failed)?;
    if batches.is_empty() {
        batches.push(RecordBatch::new_empty(schema));
    }
    Ok(batches)
}
