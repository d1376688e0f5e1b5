//! The tables folded from acts, `access_hours`, `credentials` and `principals`: made when a query first names one.

use crate::accesses::{AccessLogs, batches};
use crate::hours::{Pipeline, SkipKind, Skipped};
use crate::source::WantedLogs;
use crate::sql::tables::SkippedObjects;
use crate::sql::tables::derived::StartProgress;
use crate::sql::tables::display_schema::{present, presented};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
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
use tokio::sync::OnceCell;

/// Rows of a batch.
const BATCH_ROWS: usize = 8_192;

type Fold = fn(&AccessLogs) -> std::result::Result<RecordBatch, ArrowError>;

/// The names of the tables, and what makes them.
pub(in crate::sql) const FOLDED: [(&str, Fold); 3] = [
    ("access_hours", batches::plain_access_hours),
    ("credentials", batches::credentials),
    ("principals", batches::principals),
];

/// The logs of accesses of a source, gathered once.
pub(in crate::sql) struct FoldedAccesses {
    pipeline: Pipeline,
    progress: Arc<StartProgress>,
    logs: OnceCell<Arc<AccessLogs>>,
    skipped: SkippedObjects,
}

impl std::fmt::Debug for FoldedAccesses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FoldedAccesses").finish_non_exhaustive()
    }
}

fn external(error: impl std::error::Error + Send + Sync + 'static) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

impl FoldedAccesses {
    pub(in crate::sql) fn new(pipeline: Pipeline, progress: Arc<StartProgress>) -> Self {
        Self { pipeline, progress, logs: OnceCell::new(), skipped: SkippedObjects::default() }
    }

    /// Returns the objects that could not be read for the tables.
    pub(in crate::sql) fn skipped(&self) -> &SkippedObjects {
        &self.skipped
    }

    /// Returns whether the logs have already been read for the tables.
    pub(in crate::sql) fn is_made(&self) -> bool {
        self.logs.initialized()
    }

    /// Returns the bytes of the objects that the tables will be made from.
    pub(in crate::sql) async fn bytes(&self) -> Result<u64> {
        Ok(self.pipeline.list(WantedLogs::Accesses).await.map_err(external)?.bytes())
    }

    /// Returns the logs, which are read when this is first asked for.
    pub(in crate::sql) async fn logs(self: &Arc<Self>) -> Result<Arc<AccessLogs>> {
        let gathering = || async {
            let listed = self.pipeline.list(WantedLogs::Accesses).await.map_err(external)?;
            let this = self.clone();
            let gathered = tokio::task::spawn_blocking(move || {
                let progress = (this.progress)(listed.accesses.len() as u64, listed.bytes());
                this.pipeline.gather_accesses(&listed.accesses, &*progress)
            });
            let mut logs = gathered.await.map_err(external)?.map_err(external)?;
            logs.remember(self.pipeline.window.latest_s());
            if let Some(reason) = logs.kept.as_ref().and_then(|kept| kept.trouble.clone()) {
                let object = "logs of accesses".to_owned();
                self.skipped.add_skipped(Skipped { object, reason, kind: SkipKind::Kept, rows: None });
            }
            for one in &logs.read.skipped {
                let (object, reason) = (one.object.clone(), one.reason.clone());
                self.skipped.add_skipped(Skipped { object, reason, kind: SkipKind::Unreadable, rows: None });
            }
            Ok(Arc::new(logs))
        };
        self.logs.get_or_try_init(gathering).await.cloned()
    }
}

/// One of the tables.
#[derive(Debug)]
pub(in crate::sql) struct FoldedTable {
    accesses: Arc<FoldedAccesses>,
    fold: Fold,
    schema: SchemaRef,
}

impl FoldedTable {
    /// # Errors
    /// [`ArrowError`] when not even an empty table can be made.
    pub(in crate::sql) fn new(accesses: &Arc<FoldedAccesses>, fold: Fold) -> std::result::Result<Self, ArrowError> {
        let schema = presented(&fold(&AccessLogs::default())?.schema());
        Ok(Self { accesses: accesses.clone(), fold, schema })
    }

    /// Returns the logs that the table is made from.
    pub(in crate::sql) fn accesses(&self) -> &Arc<FoldedAccesses> {
        &self.accesses
    }
}

#[async_trait]
impl TableProvider for FoldedTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let columns = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let schema = Arc::new(self.schema.project(&columns)?);
        let partition = Whole { accesses: self.accesses.clone(), fold: self.fold, columns, schema: schema.clone() };
        Ok(Arc::new(StreamingTableExec::try_new(schema, vec![Arc::new(partition)], None, [], false, limit)?))
    }
}

/// A whole table.
#[derive(Debug)]
struct Whole {
    accesses: Arc<FoldedAccesses>,
    fold: Fold,
    columns: Vec<usize>,
    schema: SchemaRef,
}

impl PartitionStream for Whole {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (accesses, fold, columns, schema) =
            (self.accesses.clone(), self.fold, self.columns.clone(), self.schema.clone());
        let runtime = accesses.pipeline.runtime.clone();
        let read = async move {
            // A query cancelled meanwhile does not waste the work: the next one finds it.
            let logs = runtime.spawn(async move { accesses.logs().await }).await.map_err(external)??;
            let table = present(&fold(&logs)?.project(&columns)?, &schema)?;
            let cut = (0..table.num_rows()).step_by(BATCH_ROWS);
            let slices = cut.map(|from| table.slice(from, BATCH_ROWS.min(table.num_rows() - from)));
            Ok::<_, DataFusionError>(futures::stream::iter(slices.map(Ok).collect::<Vec<Result<RecordBatch>>>()))
        };
        let batches = futures::stream::once(read).try_flatten();
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), batches.boxed()))
    }
}
