//! Runs statements: plans them, enforces their limits, shows their progress, and passes on their rows.

use super::workspace::Opened;
use crate::cli::exit::Failure;
use crate::cli::stderr::tell;
use crate::sql::{AccessesExec, FlowsExec, Mistake, PlanRows, PlanThreads, Statement, cautions, explain};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::DataFusionError;
use datafusion::physical_plan::ExecutionPlan;
use flow::units::{bytes_text, duration_text};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Limits of each statement.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::cli) struct StatementLimits {
    /// Longest time, from its start to its last row.
    pub(in crate::cli) timeout: Option<Duration>,
    /// Most bytes of objects that it may read.
    pub(in crate::cli) max_bytes: Option<u64>,
}

/// Why a statement ended early.
pub(in crate::cli) enum Ended {
    /// The statement is wrong, or its data.
    Mistake(Box<Mistake>),
    /// It would read this many bytes, more than it may.
    TooMuch(u64),
    /// It took too long.
    TimedOut(Duration),
    /// The user pressed Ctrl-C.
    Cancelled,
    /// Its rows could not be written.
    Output(Failure),
}

impl Ended {
    /// Returns the failure of a script that ends with it.
    pub(in crate::cli) fn into_failure(self, limits: &StatementLimits) -> Failure {
        match self {
            Ended::Mistake(mistake) => Failure::failed(mistake.to_string()),
            Ended::TooMuch(bytes) => Failure::failed(too_much(bytes, limits)),
            Ended::TimedOut(limit) => {
                let limit = duration_text(limit.as_secs_f64());
                Failure::failed(format!("the statement took longer than {limit}; --timeout allows more"))
            }
            Ended::Cancelled => Failure::failed("cancelled"),
            Ended::Output(failure) => failure,
        }
    }
}

/// Returns the message for a statement that would read too much.
pub(in crate::cli) fn too_much(bytes: u64, limits: &StatementLimits) -> String {
    let (bytes, limit) = (bytes_text(bytes), bytes_text(limits.max_bytes.unwrap_or(0)));
    format!(
        "the statement would read objects of {bytes}, --max-bytes allows {limit}: narrow it by start, date, hour, \
         account or region, or allow more"
    )
}

/// Runs statements in one session.
pub(in crate::cli) struct Runner<'a> {
    pub(in crate::cli) opened: &'a Opened,
    pub(in crate::cli) limits: StatementLimits,
    /// Show progress on stderr.
    pub(in crate::cli) progress: bool,
    /// Say nothing but errors.
    pub(in crate::cli) quiet: bool,
    /// Whether Ctrl-C cancels the statement; otherwise it is handled elsewhere.
    pub(in crate::cli) cancellable: bool,
}

/// Statements that take less time show no progress.
const PROGRESS_AFTER: Duration = Duration::from_secs(1);
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// Receives the schema of the rows, then each batch; returns whether it wants more.
pub(in crate::cli) trait Sink {
    fn begin(&mut self, schema: SchemaRef) -> Result<(), Failure>;
    fn rows(&mut self, batch: &RecordBatch) -> Result<bool, Failure>;
}

impl Runner<'_> {
    /// Runs a statement to its end, or until `sink` has enough.
    pub(in crate::cli) fn run(&self, statement: &Statement, sink: &mut (dyn Sink + Send)) -> Result<(), Ended> {
        // The statement's own threads: a join that never yields keeps them busy even after it was cancelled.
        let threads = PlanThreads::start(self.opened.threads).map_err(|error| Ended::Output(Failure::failed(error)))?;
        self.opened.io.block_on(async {
            let started = Instant::now();
            let work = self.work(statement, started, sink, &threads);
            let timed = async {
                match self.limits.timeout {
                    None => work.await,
                    Some(limit) => match tokio::time::timeout(limit, work).await {
                        Ok(done) => done,
                        Err(_) => Err(Ended::TimedOut(limit)),
                    },
                }
            };
            if !self.cancellable {
                return timed.await;
            }
            tokio::select! {
                done = timed => done,
                _ = tokio::signal::ctrl_c() => Err(Ended::Cancelled),
            }
        })
    }

    async fn work(
        &self,
        statement: &Statement,
        started: Instant,
        sink: &mut (dyn Sink + Send),
        threads: &PlanThreads,
    ) -> Result<(), Ended> {
        let workspace = &self.opened.workspace;
        let wrong = |error: DataFusionError| {
            Ended::Mistake(Box::new(explain(workspace.context(), &statement.sql, &error).in_script(statement.line)))
        };
        let frame = workspace.plan(&statement.sql).await.map_err(wrong)?;
        let query = frame.logical_plan().clone();
        let plan = frame.create_physical_plan().await.map_err(wrong)?;
        if let Some(most) = self.limits.max_bytes {
            let bytes = workspace.bytes_to_read(&query, &plan).await.map_err(wrong)?;
            if bytes > most {
                return Err(Ended::TooMuch(bytes));
            }
        }
        if !self.quiet {
            cautions(&statement.sql).iter().for_each(|caution| tell(format_args!("note: {caution}")));
        }
        sink.begin(plan.schema()).map_err(Ended::Output)?;
        let mut rows = PlanRows::start(plan.clone(), workspace.context().task_ctx(), threads).map_err(wrong)?;
        let mut watch = Watch { shown: self.progress, started, plan: plan.clone(), bar: None };
        loop {
            let batch = tokio::select! {
                batch = rows.next() => batch,
                () = tokio::time::sleep(PROGRESS_EVERY) => {
                    watch.show();
                    continue;
                }
            };
            if !matches!(batch, Some(Ok(_))) {
                workspace.note_skipped(&query, &plan).map_err(wrong)?;
            }
            let Some(batch) = batch else { return Ok(()) };
            watch.clear();
            if !sink.rows(&batch.map_err(wrong)?).map_err(Ended::Output)? {
                workspace.note_skipped(&query, &plan).map_err(wrong)?;
                return Ok(());
            }
        }
    }
}

/// Shows the progress of a statement.
struct Watch {
    shown: bool,
    started: Instant,
    plan: Arc<dyn ExecutionPlan>,
    bar: Option<ProgressBar>,
}

impl Watch {
    fn show(&mut self) {
        if !self.shown || self.started.elapsed() < PROGRESS_AFTER {
            return;
        }
        let (mut read, mut records, mut most) = (0, 0, 0);
        let walked = self.plan.apply(|node| {
            if let Some(flows) = node.downcast_ref::<FlowsExec>() {
                let (bytes, rows) = flows.progress();
                (read, records, most) = (read + bytes, records + rows, most + flows.bytes());
            } else if let Some(accesses) = node.downcast_ref::<AccessesExec>() {
                let (bytes, rows) = accesses.progress();
                (read, records, most) = (read + bytes, records + rows, most + accesses.bytes());
            }
            Ok(TreeNodeRecursion::Continue)
        });
        // A table that is being derived has a bar of its own.
        if walked.is_err() || most == 0 {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::new(most);
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
            if let Ok(style) = ProgressStyle::with_template("{elapsed}  {msg}") {
                bar.set_style(style);
            }
            bar
        });
        let (read, most) = (bytes_text(read), bytes_text(most));
        bar.set_message(format!("{:.1} M records, {read} of at most {most}", records as f64 / 1e6));
        bar.tick();
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.clear();
    }
}
