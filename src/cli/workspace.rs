//! The options by which commands open a session over a source, and the session itself.

use super::exit::Failure;
use super::global::Global;
use super::progress::Bar;
use crate::flow::Network;
use crate::flow::time::{parse_duration_s, parse_time};
use crate::intel::{Indicators, Networks};
use crate::report::{read_jsonl, read_parquet, write_parquet};
use crate::rollup::Memory;
use crate::rollup::derive::WindowOptions;
use crate::scan::fetch::FetchOptions;
use crate::scan::guarded;
use crate::source::{Source, SourceOptions, Store};
use crate::sql::{PlanThreads, Workspace, WorkspaceOptions};
use crate::state::{KeptHours, Progress, settings_hash};
use arrow::array::RecordBatch;
use bytes::Bytes;
use clap::Args;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::Handle;

/// What a session knows besides its sources.
#[derive(Debug, Args)]
pub(super) struct WorkspaceArgs {
    /// First time of interest: RFC 3339, a date, or relative such as 24h [default: all there is]
    #[arg(long, value_name = "T")]
    from: Option<String>,
    /// End of the time of interest [default: the end of the logs]
    #[arg(long, value_name = "T")]
    to: Option<String>,
    /// History before --from that pairs, hosts and destinations are compared with
    #[arg(long, value_name = "D", default_value = "14d")]
    baseline: String,
    /// Folder or s3:// URL that keeps hours between runs: unchanged partitions are not read again
    #[arg(long, value_name = "URL")]
    state: Option<String>,
    /// Feed of bad addresses, for the table indicators; may be given several times
    #[arg(long, value_name = "FILE")]
    indicators: Vec<PathBuf>,
    /// Owners of networks, for the table networks; may be given several times
    #[arg(long, value_name = "FILE")]
    networks: Vec<PathBuf>,
    /// Monitored network; may be given several times [default: RFC 1918, 100.64.0.0/10, fc00::/7]
    #[arg(long, value_name = "CIDR")]
    internal: Vec<Network>,
    /// findings.jsonl or findings.parquet of a run, for the table findings
    #[arg(long, value_name = "FILE")]
    findings: Option<PathBuf>,
}

/// A session and the threads that it runs on.
pub(super) struct Opened {
    pub(super) workspace: Workspace,
    /// Fetches objects, waits and watches the clock; plans run on threads of their own.
    pub(super) io: Handle,
    /// Threads of a plan.
    pub(super) threads: usize,
    /// Ends with the session.
    _io: PlanThreads,
    /// Last, behind what may spill.
    _spilled: Spilled,
}

/// Removes what was spilled at the end of a command: a thread that is slow to let go would keep it, and the process may
/// end before.
struct Spilled(Memory);

impl Drop for Spilled {
    fn drop(&mut self) {
        self.0.folder().remove();
    }
}

impl WorkspaceArgs {
    /// `from` and `to` as they were given.
    pub(super) fn bounds(&self) -> impl Iterator<Item = (String, String)> {
        let given = [("from", &self.from), ("to", &self.to)].into_iter();
        given.filter_map(|(name, time)| Some((name.to_owned(), time.clone()?)))
    }

    /// Opens a session; Ctrl-C ends the process unless `interactive`.
    pub(super) fn open(&self, global: &Global, sources: &[String], interactive: bool) -> Result<Opened, Failure> {
        self.open_with(global, sources, interactive, true)
    }

    /// As [`WorkspaceArgs::open`]; `files` tells whether queries may read files that they name.
    pub(super) fn open_with(
        &self,
        global: &Global,
        sources: &[String],
        interactive: bool,
        files: bool,
    ) -> Result<Opened, Failure> {
        let now_s = chrono::Utc::now().timestamp();
        let time = |name: &str, text: &Option<String>| -> Result<Option<i64>, Failure> {
            let parsed = text.as_deref().map(|text| parse_time(text, now_s)).transpose();
            parsed.map_err(|error| Failure::usage(format!("--{name}: {error}")))
        };
        let (from_s, to_s) = (time("from", &self.from)?, time("to", &self.to)?);
        if let (Some(from_s), Some(to_s)) = (from_s, to_s)
            && from_s >= to_s
        {
            return Err(Failure::usage("--from must be before --to"));
        }
        let baseline_s =
            parse_duration_s(&self.baseline).map_err(|error| Failure::usage(format!("--baseline: {error}")))?;
        let indicators = Indicators::load(&self.indicators).map_err(Failure::usage)?;
        let networks = Networks::load(&self.networks).map_err(Failure::usage)?;
        super::detect::warn(indicators.warnings())?;
        super::detect::warn(networks.warnings())?;
        let (internal, internal_text) = super::detect::internal(&self.internal);
        let findings = findings_table(self.findings.as_deref())?;

        let (memory, fetch_bytes) = global.memory()?;
        let io = match interactive {
            true => global.start_quiet_threads()?,
            false => global.start_threads_with(Some(memory.memory().clone()))?,
        };
        let source_options = SourceOptions { io_runtime: Some(io.handle().clone()), ..global.source_options() };
        let kept = match &self.state {
            Some(url) => {
                let store = io.block_on(Store::open(url, &source_options)).map_err(Failure::failed)?;
                let settings = settings_hash(internal_text.iter().map(String::as_str));
                Some((store.clone(), KeptHours::new(store, settings)))
            }
            None => None,
        };
        let mut source = io.block_on(Source::open(sources, &source_options)).map_err(Failure::failed)?;
        if let Some((store, _)) = &kept {
            source.leave_out(store, KeptHours::FOLDERS);
        }
        let shown = global.shows_progress_now();
        let progress =
            move |objects, bytes| -> Box<dyn Progress + Send> { Box::new(Bar::shown(shown, objects, bytes)) };
        let options = WorkspaceOptions {
            window: WindowOptions { from_s, to_s, baseline_s },
            indicators: Arc::new(indicators),
            networks: Arc::new(networks),
            internal: Arc::new(internal),
            kept: kept.map(|(_, kept)| kept),
            findings,
            threads: global.threads(),
            fetch: FetchOptions { budget_bytes: fetch_bytes, ..FetchOptions::default() },
            memory,
            progress: Arc::new(progress),
            runtime: io.handle().clone(),
            files,
        };
        let spilled = Spilled(options.memory.memory().clone());
        let workspace = Workspace::open(&source, options).map_err(Failure::failed)?;
        let handle = io.handle().clone();
        let threads = global.threads();
        Ok(Opened { workspace, io: handle, threads, _io: PlanThreads::of(io), _spilled: spilled })
    }
}

/// Reads findings into the columns of `findings.parquet`; without a file there are none.
fn findings_table(path: Option<&Path>) -> Result<Vec<RecordBatch>, Failure> {
    let findings = match path {
        None => Vec::new(),
        Some(path) => {
            let name = path.display().to_string();
            let file = std::fs::File::open(path).map_err(|error| Failure::usage(format!("{name}: {error}")))?;
            let is_parquet = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet"));
            match is_parquet {
                true => guarded(&name, || Ok(read_parquet(file, &name))).map_err(Failure::failed)??,
                false => read_jsonl(std::io::BufReader::new(file), &name)?,
            }
        }
    };
    let mut parquet = Vec::new();
    write_parquet(&mut parquet, &findings)?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(parquet)).map_err(Failure::failed)?;
    let schema = reader.schema().clone();
    let mut batches =
        reader.build().map_err(Failure::failed)?.collect::<Result<Vec<_>, _>>().map_err(Failure::failed)?;
    if batches.is_empty() {
        batches.push(RecordBatch::new_empty(schema));
    }
    Ok(batches)
}
