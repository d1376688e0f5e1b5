//! The plan node that reads `flows`.

use super::read::{BYTES_READ, RECORDS_READ, Reading, ScanMetrics};
use crate::source::Object;
use crate::sql::tables::SkippedObjects;
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
use scan::TextNumbers;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// What was skipped before any byte was read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pruned {
    /// Objects that their names rule out.
    pub(super) objects: u64,
    /// Folders that were not listed.
    pub(super) folders: u64,
}

/// Reads the records of some objects: each partition reads a stretch of them, in order.
#[derive(Debug, Clone)]
pub struct FlowsExec {
    reading: Arc<Reading>,
    pruned: Pruned,
    partitions: Vec<Range<usize>>,
    /// Maximum number of rows per partition.
    limit: Option<usize>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl FlowsExec {
    pub(super) fn new(reading: Reading, pruned: Pruned, threads: usize, limit: Option<usize>) -> Self {
        // One partition then always returns the same first rows, and no other reads in vain.
        let threads = if limit.is_some() && reading.rows.filter().is_none() { 1 } else { threads };
        let partitions = stretches(reading.objects.iter().map(|object| object.size), threads);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(reading.rows.output().clone()),
            Partitioning::UnknownPartitioning(partitions.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let (reading, properties) = (Arc::new(reading), Arc::new(properties));
        Self { reading, pruned, partitions, limit, properties, metrics: ExecutionPlanMetricsSet::new() }
    }

    /// Returns the same scan with codes of `UInt32` in place of the texts of some columns, numbered by `dictionary`;
    /// `None` when it needs their texts. It shares this scan's counters.
    pub fn coded(&self, places: &[usize], dictionary: Arc<dyn TextNumbers>) -> Option<Self> {
        if places.is_empty() {
            return None;
        }
        let reading = Reading { rows: self.reading.rows.with_codes(places, dictionary)?, ..(*self.reading).clone() };
        let properties = PlanProperties::new(
            EquivalenceProperties::new(reading.rows.output().clone()),
            self.properties.partitioning.clone(),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Some(Self { reading: Arc::new(reading), properties: Arc::new(properties), ..self.clone() })
    }

    /// Returns the objects that this scan could not read so far.
    pub(in crate::sql) fn skipped(&self) -> &SkippedObjects {
        &self.reading.skipped
    }

    /// Objects to be read, or at least their footers.
    pub fn objects(&self) -> &[Object] {
        &self.reading.objects
    }

    /// Returns the bytes of these objects: the most that the scan can read.
    pub fn bytes(&self) -> u64 {
        self.objects().iter().map(|object| object.size).sum()
    }

    /// Returns the bytes and records read so far.
    pub fn progress(&self) -> (u64, u64) {
        let metrics = self.metrics.clone_inner();
        let sum = |name: &str| metrics.sum_by_name(name).map_or(0, |value| value.as_usize() as u64);
        (sum(BYTES_READ), sum(RECORDS_READ))
    }
}

/// Cuts objects of these sizes into at most `count` stretches of about equal bytes; at least one, which may be empty.
pub(in crate::sql::tables) fn stretches(
    sizes: impl ExactSizeIterator<Item = u64> + Clone,
    count: usize,
) -> Vec<Range<usize>> {
    let (length, total) = (sizes.len(), sizes.clone().map(|size| size.max(1)).sum::<u64>());
    let share = total.div_ceil(count.max(1) as u64).max(1);
    let (mut stretches, mut from, mut before) = (Vec::new(), 0, 0u64);
    for (at, size) in sizes.enumerate() {
        before += size.max(1);
        // A stretch ends at the object boundary nearest to its share of all bytes.
        if before >= share * (stretches.len() as u64 + 1) && at + 1 < length && stretches.len() + 1 < count {
            stretches.push(from..at + 1);
            from = at + 1;
        }
    }
    stretches.push(from..length);
    stretches
}

impl DisplayAs for FlowsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let objects = self.objects().len();
        write!(f, "FlowsExec: objects={objects}, bytes<={}", bytes_text(self.bytes()))?;
        write!(f, ", pruned_objects={}, pruned_folders={}", self.pruned.objects, self.pruned.folders)?;
        let schema = self.reading.rows.output();
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        write!(f, ", columns=[{}]", names.join(", "))?;
        if let Some(filter) = self.reading.rows.filter() {
            write!(f, ", filter={}, asked_of_dictionaries={}", filter.whole().0, filter.tests().len())?;
        }
        match self.limit {
            Some(limit) => write!(f, ", limit={limit}"),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for FlowsExec {
    fn name(&self) -> &str {
        "FlowsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.reading.rows.filter().map_or(Ok(TreeNodeRecursion::Continue), |filter| f(filter.whole().0))
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match children.is_empty() {
            true => Ok(self),
            false => Err(DataFusionError::Internal("FlowsExec reads objects and no other plan".to_owned())),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        use datafusion::physical_plan::execution_plan::ChildrenPropertiesMode;
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let objects = self.partitions.get(partition).cloned().unwrap_or(0..0);
        let baseline = BaselineMetrics::new(&self.metrics, partition);
        let counts = ScanMetrics::new(&self.metrics, partition);
        let rows = self.reading.clone().read(objects, self.limit, counts, context.memory_pool());
        let schema = self.reading.rows.output().clone();
        let stream: SendableRecordBatchStream = Box::pin(RecordBatchStreamAdapter::new(schema, rows));
        // It ends with the batch that reaches the limit, not with the next one, and counts rows.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_hold_every_object_once_and_about_as_much_each() {
        for (sizes, count, expected) in [
            (vec![10; 8], 2, vec![(0, 4), (4, 8)]),
            (vec![10; 3], 8, vec![(0, 1), (1, 2), (2, 3)]),
            (vec![90, 10, 10], 2, vec![(0, 1), (1, 3)]),
            (vec![0; 4], 2, vec![(0, 2), (2, 4)]),
            (vec![], 3, vec![(0, 0)]),
            (vec![5], 0, vec![(0, 1)]),
        ] {
            let found: Vec<_> =
                stretches(sizes.iter().copied(), count).iter().map(|range| (range.start, range.end)).collect();
            assert_eq!(found, expected, "{sizes:?} {count}");
        }
    }
}
