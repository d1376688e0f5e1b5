//! `flowsift detect`: from flow logs to findings.

mod options;
mod show;
mod stages;
mod summary;

use super::exit::{Exit, Failure};
use super::options::input::{OpenedSource, warn};
use super::options::{Global, RunMemory};
use super::progress::Bar;
use super::stderr;
use crate::detect::{self, Finding, Severity};
use crate::hours::Pipeline;
use crate::report::Summary;
use crate::source::{PutMode, Store};
use bytes::Bytes;
pub(super) use options::DetectArgs;
use show::{FindingsFile, OUT_FILES, SUMMARY_FILE, findings_files};
use stages::{Stage, StageClock};
use std::mem::ManuallyDrop;
use std::sync::Arc;
use tokio::runtime::Runtime;

pub(super) fn run(global: &Global, args: &DetectArgs) -> Result<Exit, Failure> {
    let plan = args.read()?;
    let RunMemory { shared: memory, fetch } = global.memory()?;
    let runtime = global.start_threads(Some(memory.memory()))?;

    let mut clock = StageClock::start(Stage::List);
    let options = global.source_options();
    let out = match &args.out {
        Some(url) => {
            let store = runtime.block_on(Store::open(url, &options)).map_err(Failure::failed)?;
            Some(Output { store, runtime: &runtime })
        }
        None => None,
    };
    let OpenedSource { mut source, kept } = runtime.block_on(args.input.open(&args.sources, &plan.input, &options))?;
    if let Some(out) = &out {
        source.leave_out(&out.store, &OUT_FILES);
    }
    let pipeline = Pipeline {
        source,
        kept,
        window: plan.input.window,
        threads: global.threads(),
        fetch,
        memory: memory.memory().clone(),
        runtime: runtime.handle().clone(),
    };
    let listed = runtime.block_on(pipeline.list()).map_err(Failure::failed)?;

    clock.enter(Stage::ScanAndRollup);
    let bar = Bar::new(global, listed.objects, listed.bytes());
    let is_internal = |address| plan.input.internal.contains(address);
    let gathered = pipeline.gather(&listed.units, &is_internal, &bar);
    bar.clear();
    let mut hours = gathered.map_err(Failure::failed)?;

    clock.enter(Stage::Baselines);
    warn(&plan.allow.expired(hours.window.to_s - 1));
    let pair_hours = std::mem::take(&mut hours.gathered.pair_hours);
    let hour_rows = pair_hours.iter().map(|table| table.len() as u64).sum();
    let wanted = detect::wanted(&plan.detections);
    let derived = hours.derive(pair_hours, wanted, &is_internal, memory.memory()).map_err(Failure::failed)?;

    clock.enter(Stage::Detections);
    let context = detect::Context {
        window: hours.window,
        fdr: args.fdr,
        indicators: Arc::new(plan.input.indicators),
        networks: Arc::new(plan.input.networks),
        internal: Arc::new(plan.input.internal.clone()),
        allow: &plan.allow,
        coverage: &hours.gathered.coverage,
        host_facts: &hours.host_facts,
        threads: global.threads(),
        memory: memory.clone(),
    };
    let found = runtime.block_on(detect::detect(&plan.detections, &derived, &context)).map_err(Failure::failed)?;
    // Never dropped: the process is about to end, and the system takes back millions of small pieces at once.
    let outcome = ManuallyDrop::new(found);

    clock.enter(Stage::Report);
    let shown = outcome.at_least(args.min_severity);
    let files = match &out {
        Some(out) => out.put_findings(shown)?,
        None => Vec::new(),
    };
    // A reader that closes stdout early misses the rest of it, but neither the summary nor the exit code.
    plan.show.findings(shown, &files).or_else(Failure::unless_unread)?;
    let times = clock.end();

    let keeps_hours = pipeline.kept.is_some();
    let (hours, derived, outcome) = (&hours, &derived, &*outcome);
    let memory = memory.memory();
    let run = summary::FinishedRun {
        args,
        global,
        listed: &listed,
        hours,
        hour_rows,
        keeps_hours,
        derived,
        outcome,
        times: &times,
        memory,
    };
    let summary = run.summary();
    if let Some(out) = &out {
        out.put_summary(&summary)?;
    }
    tell(global, &summary)?;
    Ok(exit(outcome, args.fail_on, !hours.gathered.skipped.is_empty()))
}

/// The store that `--out` names.
struct Output<'a> {
    store: Store,
    runtime: &'a Runtime,
}

impl Output<'_> {
    fn put(&self, name: &str, bytes: Bytes) -> Result<(), Failure> {
        self.runtime.block_on(self.store.put(name, bytes, PutMode::Overwrite)).map_err(Failure::failed)
    }

    /// Writes the files of findings, and returns them.
    fn put_findings(&self, findings: &[Finding]) -> Result<Vec<FindingsFile>, Failure> {
        let files = findings_files(findings)?;
        files.iter().try_for_each(|file| self.put(file.name, file.bytes.clone()))?;
        Ok(files.to_vec())
    }

    fn put_summary(&self, summary: &Summary) -> Result<(), Failure> {
        let mut json = Vec::new();
        summary.write_json(&mut json)?;
        self.put(SUMMARY_FILE, json.into())
    }
}

/// Writes the summary and its warning to stderr.
fn tell(global: &Global, summary: &Summary) -> Result<(), Failure> {
    if !global.is_quiet() {
        summary.write_text(std::io::stderr().lock()).map_err(Failure::from).or_else(Failure::unless_unread)?;
    }
    if let Some(warning) = summary.warning() {
        stderr::tell(format_args!("warning: {warning}"));
    }
    Ok(())
}

fn exit(outcome: &detect::Outcome, fail_on: Option<Severity>, any_skipped: bool) -> Exit {
    if fail_on.is_some_and(|least| !outcome.at_least(least).is_empty()) {
        Exit::Findings
    } else if any_skipped {
        Exit::Partial
    } else {
        Exit::Done
    }
}
