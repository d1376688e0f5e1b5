//! The tables that are made of the logs as a whole, made when a query first reads one of them and not before.

use super::SkippedObjects;
use super::memory::SharedMemory;
use super::presented::{present, presented};
use crate::intel::InternalNetworks;
use crate::rollup::coverage::{coverage_schema, host_facts};
use crate::rollup::derive::{Derived, Wanted, WindowOptions, choose_window, derive};
use crate::rollup::{Memory, PairHours, RollupError, RollupOptions, pair_hours_schema};
use crate::scan::fetch::FetchOptions;
use crate::source::{Grain, Source, TimeRange, Unit, units};
use crate::state::{GatherOptions, KeptHours, Progress, gather};
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
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::OnceCell;

/// Makes the progress of a rollup that begins: it gets the number of objects and their bytes.
pub type StartProgress = dyn Fn(u64, u64) -> Box<dyn Progress + Send> + Send + Sync;

/// How the tables are made.
pub(super) struct Making {
    pub(super) source: Source,
    pub(super) kept: Option<KeptHours>,
    pub(super) window: WindowOptions,
    pub(super) internal: Arc<InternalNetworks>,
    pub(super) threads: usize,
    pub(super) fetch: FetchOptions,
    pub(super) memory: SharedMemory,
    pub(super) skipped: SkippedObjects,
    pub(super) progress: Arc<StartProgress>,
    /// The runtime that fetches objects.
    pub(super) runtime: Handle,
}

/// The tables of a source, made once.
pub(super) struct DerivedTables {
    making: Making,
    gathered: OnceCell<Arc<Gathered>>,
    derived: OnceCell<Arc<Derived>>,
    /// Empty tables, for their columns.
    empty: Derived,
}

/// What [`gather`] brought.
struct Gathered {
    pair_hours: Vec<PairHours>,
    coverage: Vec<RecordBatch>,
    hours_s: Option<(i64, i64)>,
}

impl std::fmt::Debug for DerivedTables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DerivedTables").finish_non_exhaustive()
    }
}

/// One of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    PairHours,
    Coverage,
    Hosts,
    HostHours,
    Destinations,
    Pairs,
    Services,
    HostDays,
}

impl Name {
    /// All tables and their names in SQL.
    pub(super) const ALL: [(&str, Name); 8] = [
        ("pair_hours", Name::PairHours),
        ("coverage", Name::Coverage),
        ("hosts", Name::Hosts),
        ("host_hours", Name::HostHours),
        ("destinations", Name::Destinations),
        ("pairs", Name::Pairs),
        ("services", Name::Services),
        ("host_days", Name::HostDays),
    ];
}

/// Rows of `pair_hours` that are turned into columns at a time.
const BATCH_ROWS: usize = 8_192;

fn external(error: impl std::error::Error + Send + Sync + 'static) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

impl DerivedTables {
    /// Makes no table yet.
    ///
    /// # Errors
    /// [`RollupError`] when not even empty tables can be made.
    pub(super) fn new(making: Making) -> Result<Self, RollupError> {
        let nothing = PairHours::from_batch(&RecordBatch::new_empty(pair_hours_schema()))?;
        let (window, _) = choose_window(&WindowOptions::default(), None);
        let empty = derive(vec![nothing], &window, Wanted::ALL, &|_| false, &|_| None, &Memory::default())?;
        Ok(Self { making, gathered: OnceCell::new(), derived: OnceCell::new(), empty })
    }

    /// The columns of a table as they are stored.
    fn schema(&self, name: Name) -> SchemaRef {
        match name {
            Name::PairHours => pair_hours_schema(),
            Name::Coverage => coverage_schema(),
            Name::Hosts => self.empty.hosts.schema(),
            Name::HostHours => self.empty.host_hours.schema(),
            Name::Destinations => self.empty.destinations.schema(),
            Name::Pairs => self.empty.pairs.schema().clone(),
            Name::Services => self.empty.services.schema(),
            Name::HostDays => self.empty.host_days.schema(),
        }
    }

    /// Tells whether the logs were read for the tables already.
    pub(super) fn is_made(&self) -> bool {
        self.gathered.initialized()
    }

    /// Bytes of the objects that the tables will be made of, kept hours not counted in.
    pub(super) async fn bytes(&self) -> Result<u64> {
        Ok(self.units().await?.iter().map(Unit::bytes).sum())
    }

    async fn units(&self) -> Result<Vec<Unit>> {
        let Making { source, kept, window, .. } = &self.making;
        let range = TimeRange { from_s: window.earliest_s(), to_s: window.latest_s() };
        let grain = if kept.is_some() { Grain::Unit } else { Grain::Object };
        let listing = source.list_by(&range, grain).await.map_err(external)?;
        Ok(units(listing.objects))
    }

    async fn gathered(self: &Arc<Self>) -> Result<Arc<Gathered>> {
        let gathering = || async {
            let units = self.units().await?;
            let this = self.clone();
            let gathered = tokio::task::spawn_blocking(move || this.gather(&units)).await.map_err(external)??;
            Ok(Arc::new(gathered))
        };
        self.gathered.get_or_try_init(gathering).await.cloned()
    }

    fn gather(&self, units: &[Unit]) -> Result<Gathered> {
        let making = &self.making;
        let bounded = RollupOptions { from_s: making.window.earliest_s(), to_s: making.window.latest_s() };
        let options = GatherOptions {
            threads: making.threads,
            rollup: if making.kept.is_some() { RollupOptions::default() } else { bounded },
            fetch: making.fetch,
            memory: making.memory.memory().clone(),
        };
        let is_internal = |address| making.internal.contains(address);
        let objects = units.iter().map(|unit| unit.objects.len() as u64).sum();
        let progress = (making.progress)(objects, units.iter().map(Unit::bytes).sum());
        let reader = making.source.reader();
        let kept = making.kept.as_ref();
        let gathered = gather(&making.runtime, &reader, units, kept, &options, &is_internal, &*progress);
        let mut gathered = gathered.map_err(external)?;
        for skipped in &gathered.skipped {
            making.skipped.add(&skipped.object, &skipped.reason);
        }
        let hours_s = gathered.hours(&making.window);
        let (pair_hours, coverage) = (std::mem::take(&mut gathered.pair_hours), gathered.coverage);
        Ok(Gathered { pair_hours, coverage, hours_s })
    }

    async fn derived(self: &Arc<Self>) -> Result<Arc<Derived>> {
        let deriving = || async {
            let (this, gathered) = (self.clone(), self.gathered().await?);
            let derived = tokio::task::spawn_blocking(move || {
                let (window, _) = choose_window(&this.making.window, gathered.hours_s);
                let is_internal = |address| this.making.internal.contains(address);
                let facts = host_facts(&gathered.coverage);
                let facts_of = |name: &str| facts.get(name).cloned();
                let tables = gathered.pair_hours.clone();
                derive(tables, &window, Wanted::ALL, &is_internal, &facts_of, this.making.memory.memory())
            });
            Ok(Arc::new(derived.await.map_err(external)?.map_err(external)?))
        };
        self.derived.get_or_try_init(deriving).await.cloned()
    }

    /// Makes what a table needs. A query that is cancelled meanwhile does not waste the work: the next one finds it.
    async fn make(self: &Arc<Self>, name: Name) -> Result<()> {
        let this = self.clone();
        let making = self.making.runtime.spawn(async move {
            match name {
                Name::PairHours | Name::Coverage => this.gathered().await.map(drop),
                _ => this.derived().await.map(drop),
            }
        });
        making.await.map_err(external)?
    }

    /// Reads one of `count` parts of a table, as it is stored.
    async fn read(self: &Arc<Self>, name: Name, part: usize, count: usize, columns: &[usize]) -> Result<Batches> {
        let of_part = move |place: usize, all: usize| place * count / all.max(1) == part;
        let columns = columns.to_vec();
        self.make(name).await?;
        if name == Name::PairHours {
            let gathered = self.gathered().await?;
            let all = gathered.pair_hours.len();
            let batches = (0..all).filter(move |unit| of_part(*unit, all)).flat_map(move |unit| {
                // The batches of a unit borrow it, so they are made before they leave.
                let batches: Vec<_> = gathered.pair_hours[unit].to_batches(BATCH_ROWS).collect();
                let columns = columns.clone();
                batches.into_iter().map(move |batch| Ok(batch.map_err(external)?.project(&columns)?))
            });
            return Ok(Box::new(batches));
        }
        if name == Name::Pairs {
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
            Name::Coverage => self.gathered().await?.coverage.clone(),
            Name::Hosts => vec![self.derived().await?.hosts.clone()],
            Name::HostHours => vec![self.derived().await?.host_hours.clone()],
            Name::Services => vec![self.derived().await?.services.clone()],
            Name::HostDays => vec![self.derived().await?.host_days.clone()],
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

/// One of the tables as the engine sees it: addresses and words as text.
#[derive(Debug)]
pub(super) struct DerivedTable {
    tables: Arc<DerivedTables>,
    name: Name,
    schema: SchemaRef,
}

impl DerivedTable {
    pub(super) fn new(tables: &Arc<DerivedTables>, name: Name) -> Self {
        Self { tables: tables.clone(), name, schema: presented(&tables.schema(name)) }
    }

    /// The tables that this is one of.
    pub(super) fn tables(&self) -> &Arc<DerivedTables> {
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
            Arc::new(Part { tables, name, part, count, columns: columns.clone(), schema: schema.clone() })
        };
        let partitions = (0..count).map(partition).collect();
        Ok(Arc::new(StreamingTableExec::try_new(schema.clone(), partitions, None, [], false, limit)?))
    }
}

/// A part of a table.
#[derive(Debug)]
struct Part {
    tables: Arc<DerivedTables>,
    name: Name,
    part: usize,
    count: usize,
    columns: Vec<usize>,
    schema: SchemaRef,
}

impl PartitionStream for Part {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let Part { tables, name, part, count, columns, schema } = self;
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
