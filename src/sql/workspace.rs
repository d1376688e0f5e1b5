//! A session over a source: all tables that a query can name, each computed only when one reads it.

use super::SqlError;
use super::bounds::with_bounds;
use super::dialect::{adapt, summarized};
use super::engine::with_grouping;
use super::functions::Lists;
use super::memory::SharedMemory;
use super::session::{open_session_within, set_habits};
use super::tables::accesses::{AccessTable, AccessTables, AccessesExec, FOLDED, FoldedAccesses, FoldedTable, TABLES};
use super::tables::derived::{DerivedTable, DerivedTables, StartProgress, TableName};
use super::tables::files::with_files;
use super::tables::flows::{FlowsExec, FlowsTable};
use super::tables::{SkippedObjects, lists};
use crate::accesses::KeptAccesses;
use crate::hours::fetch::FetchOptions;
use crate::hours::{KeptHours, Pipeline};
pub use crate::hours::{SkipKind, Skipped};
use crate::intel::{Indicators, InternalNetworks, Networks};
use crate::source::{Source, TimeRange};
use access::Tz;
use arrow::array::RecordBatch;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::source_as_provider;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{DataFrame, SessionContext};
use rollup::window::WindowOptions;
use std::sync::Arc;
use tokio::runtime::Handle;

/// Options of a workspace besides its source.
pub struct WorkspaceOptions {
    /// The window of `pairs`, `hosts` and `destinations`, and the history before it. `flows` has the window's records.
    pub window: WindowOptions,
    /// The zone of logs of accesses that write local time; without it they are taken as UTC.
    pub zone: Option<Tz>,
    /// Feeds.
    pub indicators: Arc<Indicators>,
    /// Owners of networks.
    pub networks: Arc<Networks>,
    /// Which addresses are the user's own.
    pub internal: Arc<InternalNetworks>,
    /// Hours kept between runs.
    pub kept: Option<KeptHours>,
    /// Folds and ledgers of logs of accesses kept between runs.
    pub kept_accesses: Option<KeptAccesses>,
    /// The table `findings`; at least one batch, for the columns.
    pub findings: Vec<RecordBatch>,
    /// Tables of a run's incidents by name; each has a batch for its columns.
    pub incidents: Vec<(&'static str, RecordBatch)>,
    /// Partitions of plans and threads of the rollup, at least 1.
    pub threads: usize,
    /// How objects are fetched for the rollup.
    pub fetch: FetchOptions,
    /// The memory that plans and the rollup may use.
    pub memory: SharedMemory,
    /// Called when the rollup begins.
    pub progress: Arc<StartProgress>,
    /// The runtime that fetches objects for the rollup.
    pub runtime: Handle,
    /// Whether a query may read a local file that it names (`FROM 'assets.csv'`).
    pub files: bool,
}

/// A session with the tables `flows`, `accesses` and those of each log of accesses, `pair_hours`, `hosts`, `host_hours`, `destinations`, `pairs`, `coverage`,
/// `indicators`, `networks` and `findings`, those of incidents, all functions, and files as tables (`FROM 'assets.csv'`).
pub struct Workspace {
    context: SessionContext,
    skipped: SkippedObjects,
    files: bool,
}

impl std::fmt::Debug for Workspace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workspace").field("skipped", &self.skipped).finish_non_exhaustive()
    }
}

impl Workspace {
    /// Opens a session over a source; nothing is listed or read yet.
    ///
    /// # Errors
    /// [`SqlError`] when a table cannot be registered.
    pub fn open(source: &Source, options: WorkspaceOptions) -> Result<Self, SqlError> {
        let failed = |error: DataFusionError| SqlError::query("session", error);
        let skipped = SkippedObjects::default();
        let range = TimeRange { from_s: options.window.from_s, to_s: options.window.latest_s() };
        let known = Lists {
            indicators: options.indicators.clone(),
            networks: options.networks.clone(),
            internal: options.internal.clone(),
            // Lost objects are known only once the logs have been read, which a query may never do.
            lost: Arc::default(),
        };
        let made = |table: Result<RecordBatch, arrow::error::ArrowError>| {
            table.map(|table| vec![table]).map_err(|error| failed(error.into()))
        };
        let mut tables = vec![
            ("indicators", made(lists::indicators(&options.indicators))?),
            ("networks", made(lists::networks(&options.networks))?),
            ("findings", options.findings),
        ];
        tables.extend(options.incidents.into_iter().map(|(name, rows)| (name, vec![rows])));
        let context = open_session_within(tables, &known, options.threads, &options.memory.for_large_sorts())?;
        {
            let state = context.state_ref();
            let mut state = state.write();
            let settings = state.config_mut().options_mut();
            // Messages about wrong SQL name the position.
            settings.sql_parser.collect_spans = true;
        }
        set_habits(&context).map_err(failed)?;
        let flows = FlowsTable::new(source.clone(), range, options.internal.clone());
        context.register_table("flows", Arc::new(flows)).map_err(failed)?;
        let accesses = Arc::new(AccessTables::new(source.clone(), range, options.zone));
        for kind in TABLES {
            context.register_table(kind.name, Arc::new(AccessTable::new(&accesses, kind))).map_err(failed)?;
        }
        let pipeline = Pipeline {
            source: source.clone(),
            kept: options.kept,
            kept_accesses: options.kept_accesses,
            window: options.window,
            zone: options.zone,
            threads: options.threads,
            fetch: options.fetch,
            memory: options.memory.memory().clone(),
            runtime: options.runtime,
        };
        let folded = Arc::new(FoldedAccesses::new(pipeline.clone(), options.progress.clone()));
        for (name, fold) in FOLDED {
            let table = FoldedTable::new(&folded, fold).map_err(|error| failed(error.into()))?;
            context.register_table(name, Arc::new(table)).map_err(failed)?;
        }
        let derived = DerivedTables::new(pipeline, options.internal, options.progress, folded)
            .map_err(|error| failed(DataFusionError::External(Box::new(error))))?;
        let derived = Arc::new(derived);
        for (name, which) in TableName::ALL {
            context.register_table(name, Arc::new(DerivedTable::new(&derived, which))).map_err(failed)?;
        }
        let context = with_bounds(context).and_then(with_grouping).map_err(failed)?;
        let context = if options.files { with_files(context) } else { context };
        Ok(Self { context, skipped, files: options.files })
    }

    /// Returns the engine's session.
    pub fn context(&self) -> &SessionContext {
        &self.context
    }

    /// Plans a statement, in the forms that people write ([`adapt`]).
    ///
    /// # Errors
    /// [`DataFusionError`] for a mistake in the statement.
    pub async fn plan(&self, sql: &str) -> Result<DataFrame, DataFusionError> {
        let state = self.context.state();
        let summarized = summarized(&state, sql).await?;
        let sql = summarized.as_deref().unwrap_or(sql);
        let mut statement = state.sql_to_statement(sql, &state.config().options().sql_parser.dialect)?;
        adapt(&mut statement, sql);
        self.context.execute_logical_plan(state.statement_to_plan(statement).await?).await
    }

    /// Returns whether a query may read a local file that it names.
    pub fn reads_files(&self) -> bool {
        self.files
    }

    /// Objects that the statements told of by [`Workspace::note_skipped`] skipped, by URL: those that could not be read,
    /// those of other logs, and copies.
    pub fn skipped(&self) -> Vec<Skipped> {
        self.skipped.list()
    }

    /// Notes the objects that a statement could not read, and returns them by URL: those of its own scans, and those of
    /// the derived tables it reads. To be called when it has ended; a cancelled statement has nothing to tell.
    ///
    /// # Errors
    /// [`DataFusionError`] when the query cannot be walked.
    pub fn note_skipped(
        &self,
        query: &LogicalPlan,
        plan: &Arc<dyn ExecutionPlan>,
    ) -> Result<Vec<Skipped>, DataFusionError> {
        let own = SkippedObjects::default();
        plan.apply(|node| {
            if let Some(flows) = node.downcast_ref::<FlowsExec>() {
                own.extend(&flows.skipped().list());
            } else if let Some(accesses) = node.downcast_ref::<AccessesExec>() {
                own.extend(&accesses.skipped().list());
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        query.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node
                && let Ok(provider) = source_as_provider(&scan.source)
            {
                if let Some(table) = provider.downcast_ref::<DerivedTable>() {
                    own.extend(&table.tables().skipped().list());
                } else if let Some(table) = provider.downcast_ref::<FoldedTable>() {
                    own.extend(&table.accesses().skipped().list());
                }
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        let own = own.list();
        self.skipped.extend(&own);
        Ok(own)
    }

    /// Returns the most bytes that a query can read: its objects, and all the logs where a derived table is yet to be
    /// computed.
    ///
    /// # Errors
    /// [`DataFusionError`] when the source cannot be listed.
    pub async fn bytes_to_read(
        &self,
        query: &LogicalPlan,
        plan: &Arc<dyn ExecutionPlan>,
    ) -> Result<u64, DataFusionError> {
        let mut bytes = 0;
        plan.apply(|node| {
            if let Some(flows) = node.downcast_ref::<FlowsExec>() {
                bytes += flows.bytes();
            } else if let Some(accesses) = node.downcast_ref::<AccessesExec>() {
                bytes += accesses.bytes();
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        let (mut unmade, mut unfolded) = (None, None);
        query.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node
                && let Ok(provider) = source_as_provider(&scan.source)
            {
                if let Some(table) = provider.downcast_ref::<DerivedTable>().filter(|table| !table.tables().is_made()) {
                    unmade = Some(table.tables().clone());
                }
                if let Some(table) = provider.downcast_ref::<FoldedTable>().filter(|table| !table.accesses().is_made())
                {
                    unfolded = Some(table.accesses().clone());
                }
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        if let Some(tables) = unmade {
            bytes += tables.bytes().await?;
        }
        if let Some(accesses) = unfolded {
            bytes += accesses.bytes().await?;
        }
        Ok(bytes)
    }
}
