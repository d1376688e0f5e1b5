//! Tells sinks what a run changed.

use super::summary::FinishedRun;
use crate::cli::exit::Failure;
use crate::cli::notify::sink_summary;
use crate::cli::options::notify::NotifyArgs;
use crate::cli::stderr;
use crate::incident::Incident;
use crate::notify::{Sinks, incident_view};
use crate::report::SinkSummary;
use crate::source::{SourceOptions, Store};
use sink::{RunView, Sink};
use tokio::runtime::Runtime;

/// The sinks of a run.
pub(super) struct Teller<'a> {
    runtime: &'a Runtime,
    sinks: Sinks,
    dry_run: bool,
}

impl<'a> Teller<'a> {
    pub(super) fn new(
        runtime: &'a Runtime,
        args: &NotifyArgs,
        sinks: Vec<Sink>,
        state: Option<Store>,
        options: SourceOptions,
    ) -> Self {
        Self { runtime, sinks: args.sinks(sinks, state, options), dry_run: args.dry_run }
    }

    /// Notes new sinks before the run keeps its incidents; with `--dry-run`, too: the run keeps them all the same.
    pub(super) fn begin(&self, known: &[Incident]) {
        if !self.sinks.sinks.is_empty() {
            let known: Vec<_> = known.iter().map(incident_view).collect();
            self.runtime.block_on(self.sinks.begin(&known));
        }
    }

    /// Tells sinks what the run changed, or shows it with `--dry-run`. Returns what arrived and what waits.
    pub(super) fn tell(&self, run: &FinishedRun<'_>) -> Result<Vec<SinkSummary>, Failure> {
        if self.sinks.sinks.is_empty() {
            return Ok(Vec::new());
        }
        let summary = run.summary();
        let view = RunView {
            sources: summary.sources.clone(),
            window_from_s: summary.window_start_s,
            window_to_s: summary.window_end_s,
            findings: run.outcome.at_least(run.args.min_severity).len() as u64,
            unread_objects: summary.objects.skipped,
            silent_logs: summary.log_gaps.len() as u64,
            held_back: summary.held_back.by_allow_lists + summary.held_back.by_verdicts,
            incidents: run.incidents.iter().map(incident_view).collect(),
        };
        if self.dry_run {
            let shown = self.runtime.block_on(self.sinks.preview(Some(&view))).map_err(Failure::failed)?;
            shown.iter().for_each(stderr::tell);
            return Ok(Vec::new());
        }
        let told = self.runtime.block_on(self.sinks.tell(&view));
        Ok(told.into_iter().map(sink_summary).collect())
    }
}
