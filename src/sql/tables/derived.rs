//! The tables derived from all the logs, computed when a query first reads one of them.

use super::accesses::FoldedAccesses;
use super::display_schema::{present, presented};
use super::skipped_objects::SkippedObjects;
use crate::accesses::{coverage, coverage_schema};
use crate::hours::{ListedUnits, Pipeline, Progress, Skipped, SourceHours};
use crate::intel::InternalNetworks;
use crate::source::WantedLogs;
use ::memory::Memory;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::stream::{StreamExt, TryStreamExt};
use rollup::coverage::Forwarders;
use rollup::derive::{Derived, Known, Wanted, derive};
use rollup::habits::Habits;
use rollup::window::{WindowOptions, choose_window};
use rollup::{PairHours, RollupError, pair_hours_schema};
use std::sync::Arc;
use tokio::sync::OnceCell;

/// Creates the progress display of a rollup that begins; receives the number of objects and their bytes.
pub type StartProgress = dyn Fn(u64, u64) -> Box<dyn Progress + Send> + Send + Sync;

/// The derived tables of a source, computed once.
pub(in crate::sql) struct DerivedTables {
    pipeline: Pipeline,
    internal: Arc<InternalNetworks>,
    skipped: SkippedObjects,
    progress: Arc<StartProgress>,
    /// The logs beside flow logs, of which `coverage` has rows.
    accesses: Arc<FoldedAccesses>,
    hours: OnceCell<Arc<SourceHours>>,
    derived: OnceCell<Arc<Derived>>,
    /// Empty tables, for their schemas.
    empty: Derived,
}

impl std::fmt::Debug for DerivedTables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DerivedTables").finish_non_exhaustive()
    }
}

/// One of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sql) enum TableName {
    PairHours,
    Coverage,
    Hosts,
    HostHours,
    Destinations,
    Pairs,
    Services,
    HostDays,
}

impl TableName {
    /// All tables and their names in SQL.
    pub(in crate::sql) const ALL: [(&str, TableName); 8] = [
        ("pair_hours", TableName::PairHours),
        ("coverage", TableName::Coverage),
        ("hosts", TableName::Hosts),
        ("host_hours", TableName::HostHours),
        ("destinations", TableName::Destinations),
        ("pairs", TableName::Pairs),
        ("services", TableName::Services),
        ("host_days", TableName::HostDays),
    ];
}

/// Rows of `pair_hours` that are turned into columns at a time.
const BATCH_ROWS: usize = 8_192;

fn external(error: impl std::error::Error + Send + Sync + 'static) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

impl DerivedTables {
    /// Describes the tables that `pipeline` makes, without computing any yet.
    ///
    /// # Errors
    /// [`RollupError`] when not even empty tables can be made.
    pub(in crate::sql) fn new(
        pipeline: Pipeline,
        internal: Arc<InternalNetworks>,
        progress: Arc<StartProgress>,
        accesses: Arc<FoldedAccesses>,
    ) -> Result<Self, RollupError> {
        let skipped = SkippedObjects::default();
        let nothing = PairHours::from_batch(&RecordBatch::new_empty(pair_hours_schema()))?;
        let (window, _) = choose_window(&WindowOptions::default(), None);
        let empty = derive(
            vec![nothing],
            &window,
            Wanted::ALL,
            &|_| false,
            Known { forwarders: &Forwarders::default(), host_facts: &|_| None, habits: &Habits::default() },
            &Memory::default(),
        )?;
        let (hours, derived) = (OnceCell::new(), OnceCell::new());
        Ok(Self { pipeline, internal, skipped, progress, accesses, hours, derived, empty })
    }

    /// Returns the schema of a table as stored.
    fn schema(&self, name: TableName) -> SchemaRef {
        match name {
            TableName::PairHours => pair_hours_schema(),
            TableName::Coverage => coverage_schema(),
            TableName::Hosts => self.empty.hosts.schema(),
            TableName::HostHours => self.empty.host_hours.schema(),
            TableName::Destinations => self.empty.destinations.schema(),
            TableName::Pairs => self.empty.pairs.schema().clone(),
            TableName::Services => self.empty.services.schema(),
            TableName::HostDays => self.empty.host_days.schema(),
        }
    }

    /// Returns the objects that could not be read for the tables.
    pub(in crate::sql) fn skipped(&self) -> &SkippedObjects {
        &self.skipped
    }

    /// Returns whether the logs have already been read for the tables.
    pub(in crate::sql) fn is_made(&self) -> bool {
        self.hours.initialized()
    }

    /// Returns the bytes of the objects that the tables will be computed from, without kept hours.
    pub(in crate::sql) async fn bytes(&self) -> Result<u64> {
        Ok(self.pipeline.list(WantedLogs::Flows).await.map_err(external)?.bytes())
    }

    async fn hours(self: &Arc<Self>) -> Result<Arc<SourceHours>> {
        let gathering = || async {
            let listed = self.pipeline.list(WantedLogs::Flows).await.map_err(external)?;
            let this = self.clone();
            let hours = tokio::task::spawn_blocking(move || this.gather(&listed)).await.map_err(external)??;
            Ok(Arc::new(hours))
        };
        self.hours.get_or_try_init(gathering).await.cloned()
    }

    fn gather(&self, listed: &ListedUnits) -> Result<SourceHours> {
        let is_internal = |address| self.internal.contains(address);
        let progress = (self.progress)(listed.objects, listed.bytes());
        let hours = self.pipeline.gather(listed, &is_internal, &*progress).map_err(external)?;
        for skipped in hours.gathered.skipped.iter().chain(&hours.gathered.other_logs) {
            self.skipped.add_skipped(skipped.clone());
        }
        if let Some((kept, trouble)) = self.pipeline.kept.as_ref().zip(hours.gathered.kept_trouble.as_ref()) {
            self.skipped.add_skipped(Skipped::kept(kept.place(), trouble));
        }
        for copy in &listed.copies {
            self.skipped.add_skipped(Skipped::copy(copy));
        }
        Ok(hours)
    }

    async fn derived(self: &Arc<Self>) -> Result<Arc<Derived>> {
        let deriving = || async {
            let (this, hours) = (self.clone(), self.hours().await?);
            let derived = tokio::task::spawn_blocking(move || {
                let is_internal = |address| this.internal.contains(address);
                let pair_hours = hours.gathered.pair_hours.clone();
                hours.derive(pair_hours, Wanted::ALL, &is_internal, &this.pipeline.memory)
            });
            Ok(Arc::new(derived.await.map_err(external)?.map_err(external)?))
        };
        self.derived.get_or_try_init(deriving).await.cloned()
    }

    /// Computes the tables that a table needs. A query cancelled meanwhile does not waste the work: the next one finds
    /// it.
    async fn make(self: &Arc<Self>, name: TableName) -> Result<()> {
        let this = self.clone();
        let making = self.pipeline.runtime.spawn(async move {
            match name {
                TableName::PairHours => this.hours().await.map(drop),
                TableName::Coverage => {
                    this.hours().await?;
                    this.accesses.logs().await.map(drop)
                }
                _ => this.derived().await.map(drop),
            }
        });
        making.await.map_err(external)?
    }

    /// Reads partition number `part` of `count` of a table, as stored.
    async fn read(self: &Arc<Self>, name: TableName, part: usize, count: usize, columns: &[usize]) -> Result<Batches> {
        let of_part = move |place: usize, all: usize| place * count / all.max(1) == part;
        let columns = columns.to_vec();
        self.make(name).await?;
        if name == TableName::PairHours {
            let hours = self.hours().await?;
            let all = hours.gathered.pair_hours.len();
            let batches = (0..all).filter(move |unit| of_part(*unit, all)).flat_map(move |unit| {
                // The batches of a unit borrow it, so they are made before it is returned.
                let batches: Vec<_> = hours.gathered.pair_hours[unit].to_batches(BATCH_ROWS).collect();
                let columns = columns.clone();
                batches.into_iter().map(move |batch| Ok(batch.map_err(external)?.project(&columns)?))
            });
            return Ok(Box::new(batches));
        }
        if name == TableName::Pairs {
            let pairs = self.derived().await?.pairs.clone();
            let all = pairs.shards().len();
            let shards: Vec<_> = (0..all).filter(|shard| of_part(*shard, all)).collect();
            let batches = shards.into_iter().flat_map(move |shard| -> Batches {
                match pairs.shards()[shard].read(Some(&columns)) {
                    Ok(batches) => Box::new(batches.map(|batch| batch.map_err(external))),
                    Err(error) => Box::new(std::iter::once(Err(external(error)))),
                }
            });
            return Ok(Box::new(batches));
        }
        let tables = match name {
            TableName::Coverage => {
                let (flows, others) = (self.hours().await?, self.accesses.logs().await?);
                coverage(&flows.gathered.coverage, &others.told)?
            }
            TableName::Hosts => vec![self.derived().await?.hosts.clone()],
            TableName::HostHours => vec![self.derived().await?.host_hours.clone()],
            TableName::Services => vec![self.derived().await?.services.clone()],
            TableName::HostDays => vec![self.derived().await?.host_days.clone()],
            _ => vec![self.derived().await?.destinations.clone()],
        };
        let slices: Vec<RecordBatch> = tables
            .iter()
            .flat_map(|table| (0..table.num_rows()).step_by(BATCH_ROWS).map(move |from| (table, from)))
            .map(|(table, from)| table.slice(from, BATCH_ROWS.min(table.num_rows() - from)))
            .collect();
        let all = slices.len();
        let chosen = slices.into_iter().enumerate().filter(move |(place, _)| of_part(*place, all));
        Ok(Box::new(chosen.map(move |(_, batch)| Ok(batch.project(&columns)?))))
    }
}

/// One of the tables as the engine sees it: addresses and strings as text.
#[derive(Debug)]
pub(in crate::sql) struct DerivedTable {
    tables: Arc<DerivedTables>,
    name: TableName,
    schema: SchemaRef,
}

impl DerivedTable {
    pub(in crate::sql) fn new(tables: &Arc<DerivedTables>, name: TableName) -> Self {
        Self { tables: tables.clone(), name, schema: presented(&tables.schema(name)) }
    }

    /// Returns the group of tables that this one belongs to.
    pub(in crate::sql) fn tables(&self) -> &Arc<DerivedTables> {
        &self.tables
    }
}

#[async_trait]
impl TableProvider for DerivedTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let columns = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let schema = Arc::new(self.schema.project(&columns)?);
        let count = state.config().target_partitions().max(1);
        let partition = |part| -> Arc<dyn PartitionStream> {
            let (tables, name) = (self.tables.clone(), self.name);
            Arc::new(TablePartition { tables, name, part, count, columns: columns.clone(), schema: schema.clone() })
        };
        let partitions = (0..count).map(partition).collect();
        Ok(Arc::new(StreamingTableExec::try_new(schema.clone(), partitions, None, [], false, limit)?))
    }
}

/// A partition of a table.
#[derive(Debug)]
struct TablePartition {
    tables: Arc<DerivedTables>,
    name: TableName,
    part: usize,
    count: usize,
    columns: Vec<usize>,
    schema: SchemaRef,
}

impl PartitionStream for TablePartition {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let TablePartition { tables, name, part, count, columns, schema } = self;
        let (tables, columns, shown) = (tables.clone(), columns.clone(), schema.clone());
        let (name, part, count) = (*name, *part, *count);
        let read = async move { tables.read(name, part, count, &columns).await };
        let batches = futures::stream::once(read)
            .map_ok(move |batches| {
                let shown = shown.clone();
                futures::stream::iter(batches.map(move |batch| present(&batch?, &shown)))
            })
            .try_flatten();
        Box::pin(RecordBatchStreamAdapter::new(schema.clone(), batches.boxed()))
    }
}
