//! A table with part of its rows on disk, as the engine reads it.

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use rollup::derive::{Stored, StoredTable};
use std::sync::Arc;

/// A [`StoredTable`] cut into partitions; each reads its shards in order, a few thousand rows at a time.
#[derive(Debug)]
pub(in crate::sql) struct SpilledTable {
    schema: SchemaRef,
    partitions: Vec<Vec<Stored>>,
}

impl SpilledTable {
    /// Cuts a table into at most `count` consecutive partitions of about equal length.
    pub(in crate::sql) fn new(table: &StoredTable, count: usize) -> Self {
        let most = table.rows().div_ceil(count.max(1)).max(1);
        let mut partitions: Vec<Vec<Stored>> = Vec::new();
        let mut before = 0;
        for shard in table.shards() {
            let at = (before / most).min(count.max(1) - 1);
            if partitions.len() <= at {
                partitions.push(Vec::new());
            }
            if let Some(partition) = partitions.last_mut() {
                partition.push(shard.clone());
            }
            before += shard.rows();
        }
        Self { schema: table.schema().clone(), partitions }
    }
}

#[async_trait]
impl TableProvider for SpilledTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = match projection {
            Some(columns) => Arc::new(self.schema.project(columns)?),
            None => self.schema.clone(),
        };
        let partition = |shards: &Vec<Stored>| -> Arc<dyn PartitionStream> {
            Arc::new(ShardPartition { schema: schema.clone(), shards: shards.clone(), projection: projection.cloned() })
        };
        let partitions = self.partitions.iter().map(partition).collect();
        Ok(Arc::new(StreamingTableExec::try_new(schema.clone(), partitions, None, [], false, limit)?))
    }
}

/// Some shards and the columns wanted from them.
#[derive(Debug)]
struct ShardPartition {
    schema: SchemaRef,
    shards: Vec<Stored>,
    projection: Option<Vec<usize>>,
}

impl PartitionStream for ShardPartition {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let projection = self.projection.clone();
        let batches = self.shards.clone().into_iter().flat_map(move |shard| {
            shard.read(projection.as_deref()).unwrap_or_else(|error| Box::new(std::iter::once(Err(error))))
        });
        let batches = batches.map(|batch| batch.map_err(|error| DataFusionError::External(Box::new(error))));
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), futures::stream::iter(batches)))
    }
}
