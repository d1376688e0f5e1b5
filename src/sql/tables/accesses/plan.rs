//! The plan node that reads a table of acts.

use super::read::{BYTES_READ, Counts, RECORDS_READ, Reading};
use crate::sql::tables::SkippedObjects;
use crate::sql::tables::flows::stretches;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::limit::LimitStream;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use flow::units::bytes_text;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Reads the acts of some objects: each partition reads a stretch of them, in order.
#[derive(Debug, Clone)]
pub struct AccessesExec {
    reading: Arc<Reading>,
    partitions: Vec<Range<usize>>,
    /// Maximum number of rows per partition.
    limit: Option<usize>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl AccessesExec {
    pub(super) fn new(reading: Reading, threads: usize, limit: Option<usize>) -> Self {
        // One partition then always returns the same first rows.
        let threads = if limit.is_some() { 1 } else { threads };
        let partitions = stretches(reading.objects.iter().map(|one| one.object.size), threads);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(reading.schema.clone()),
            Partitioning::UnknownPartitioning(partitions.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let metrics = ExecutionPlanMetricsSet::new();
        Self { reading: Arc::new(reading), partitions, limit, properties: Arc::new(properties), metrics }
    }

    /// Returns the objects that this scan could not read so far.
    pub(in crate::sql) fn skipped(&self) -> &SkippedObjects {
        &self.reading.skipped
    }

    /// Returns the bytes of the objects to be read.
    pub fn bytes(&self) -> u64 {
        self.reading.objects.iter().map(|one| one.object.size).sum()
    }

    /// Returns the bytes and acts read so far.
    pub fn progress(&self) -> (u64, u64) {
        let metrics = self.metrics.clone_inner();
        let sum = |name: &str| metrics.sum_by_name(name).map_or(0, |value| value.as_usize() as u64);
        (sum(BYTES_READ), sum(RECORDS_READ))
    }
}

impl DisplayAs for AccessesExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.reading.columns.iter().map(|column| column.name).collect();
        let objects = self.reading.objects.len();
        write!(f, "AccessesExec: objects={objects}, bytes<={}", bytes_text(self.bytes()))?;
        write!(f, ", columns=[{}]", names.join(", "))?;
        match self.limit {
            Some(limit) => write!(f, ", limit={limit}"),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for AccessesExec {
    fn name(&self) -> &str {
        "AccessesExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match children.is_empty() {
            true => Ok(self),
            false => Err(DataFusionError::Internal("AccessesExec reads objects and no other plan".to_owned())),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        use datafusion::physical_plan::execution_plan::ChildrenPropertiesMode;
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let stretch = self.partitions.get(partition).cloned().unwrap_or(0..0);
        let baseline = BaselineMetrics::new(&self.metrics, partition);
        let counts = Counts::new(&self.metrics, partition);
        let rows = self.reading.clone().read(stretch, counts, context.memory_pool());
        let stream: SendableRecordBatchStream =
            Box::pin(RecordBatchStreamAdapter::new(self.reading.schema.clone(), rows));
        // It ends with the batch that reaches the limit, and counts rows.
        Ok(Box::pin(LimitStream::new(stream, 0, Some(self.limit.unwrap_or(usize::MAX)), baseline)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn supports_limit_pushdown(&self) -> bool {
        false
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        Some(Arc::new(Self { limit, ..self.clone() }))
    }

    fn fetch(&self) -> Option<usize> {
        self.limit
    }
}
