//! The plan node that groups.

use super::emit::Emitter;
use super::pack::GroupingError;
use super::run::{Folder, PARTS, Run};
use super::shape::{AggregateInput, Key, KeyKind, Shape};
use crate::sql::tables::flows::FlowsExec;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet, Time};
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties,
};
use futures::future::{BoxFuture, FutureExt, Shared};
use futures::stream::{StreamExt, TryStreamExt};
use memory::lock;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, Weak};

/// Groups the rows of all partitions of its input at once; each partition of its output has some of the groups.
#[derive(Debug)]
pub struct GroupsExec {
    /// The first step of the aggregation that this node replaces; keys and aggregates are read from it.
    partial: Arc<AggregateExec>,
    input: Arc<dyn ExecutionPlan>,
    shape: Arc<Shape>,
    /// Columns of the output: keys, then aggregates.
    columns: Vec<usize>,
    /// The schema with all columns.
    whole: SchemaRef,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
    /// State that the partitions share, while some of them are still to be executed.
    started: Mutex<Option<Started>>,
}

/// A grouping that has begun.
#[derive(Debug)]
struct Started {
    /// The run's context: parts of two runs must not be mixed, since their texts are numbered differently.
    context: Weak<TaskContext>,
    grouped: Grouped,
    /// Partitions not executed yet.
    left: Vec<usize>,
}

/// The result of grouping.
#[derive(Clone, Debug)]
enum Outcome {
    /// The groups.
    Groups(Arc<Run>),
    /// Memory ran out: the plan that spills.
    Spilling(Arc<dyn ExecutionPlan>),
}

type Grouped = Shared<BoxFuture<'static, Result<Outcome, Arc<DataFusionError>>>>;

/// The metrics.
#[derive(Clone)]
struct GroupingMetrics {
    groups: Count,
    spilled: Count,
    grouping: Time,
    writing: Time,
}

impl GroupsExec {
    /// Replaces `partial` and the final step behind it, whose schema is `whole`, with `partitions` of output.
    pub(super) fn new(partial: Arc<AggregateExec>, shape: Shape, whole: SchemaRef, partitions: usize) -> Self {
        let input = partial.input().clone();
        let columns = (0..whole.fields().len()).collect();
        Self::with(partial, input, Arc::new(shape), columns, whole, partitions)
    }

    fn with(
        partial: Arc<AggregateExec>,
        input: Arc<dyn ExecutionPlan>,
        shape: Arc<Shape>,
        columns: Vec<usize>,
        whole: SchemaRef,
        partitions: usize,
    ) -> Self {
        let fields: Vec<_> = columns.iter().map(|column| whole.fields()[*column].clone()).collect();
        let schema = Arc::new(Schema::new_with_metadata(fields, whole.metadata().clone()));
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions.clamp(1, PARTS)),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        let (properties, metrics) = (Arc::new(properties), ExecutionPlanMetricsSet::new());
        Self { partial, input, shape, columns, whole, properties, metrics, started: Mutex::default() }
    }

    /// Returns the output columns.
    pub(super) fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// Returns the same node with only some of its output columns, given by their present indices.
    pub(super) fn with_columns(&self, places: &[usize]) -> Self {
        let columns = places.iter().map(|place| self.columns[*place]).collect();
        let (partial, input, shape) = (self.partial.clone(), self.input.clone(), self.shape.clone());
        Self::with(partial, input, shape, columns, self.whole.clone(), self.partitions())
    }

    fn partitions(&self) -> usize {
        self.properties.partitioning.partition_count()
    }

    /// Returns the parts of the groups that belong to an output partition.
    fn parts(&self, partition: usize) -> Range<usize> {
        let partitions = self.partitions();
        PARTS * partition / partitions..PARTS * (partition + 1) / partitions
    }

    /// DataFusion's plan for the same rows.
    fn spilling(&self) -> Result<Arc<dyn ExecutionPlan>> {
        let partial = &self.partial;
        let (aggregates, filters) = (partial.aggr_expr().to_vec(), partial.filter_expr().to_vec());
        let schema = partial.input_schema();
        let groups = partial.group_expr();
        let step = |mode, groups, input| {
            AggregateExec::try_new(mode, groups, aggregates.clone(), filters.clone(), input, schema.clone())
        };
        let first = Arc::new(step(AggregateMode::Partial, groups.clone(), self.input.clone())?);
        let keys = groups.as_final().input_exprs();
        let dealt = RepartitionExec::try_new(first, Partitioning::Hash(keys, self.partitions()))?;
        let last = Arc::new(step(AggregateMode::FinalPartitioned, groups.as_final(), Arc::new(dealt))?);
        let leaving = |column: &usize| {
            let name = self.whole.field(*column).name();
            ProjectionExpr { expr: Arc::new(Column::new(name, *column)), alias: name.clone() }
        };
        Ok(Arc::new(ProjectionExec::try_new(self.columns.iter().map(leaving).collect::<Vec<_>>(), last)?))
    }

    /// Returns the input with codes in place of texts that are only keys, if it supports that.
    fn coded(&self, run: &Run) -> Option<Arc<dyn ExecutionPlan>> {
        let input = match self.input.downcast_ref::<CooperativeExec>() {
            Some(cooperative) => cooperative.input(),
            None => &self.input,
        };
        let flows = input.downcast_ref::<FlowsExec>()?;
        let shape = &self.shape;
        let is_text = |key: &&Key| key.kind == KeyKind::Text;
        let mut places: Vec<usize> = Vec::new();
        for key in shape.keys.iter().filter(is_text) {
            places.extend(key.expr.downcast_ref::<Column>().map(Column::index));
        }
        let others = shape.keys.iter().filter(|key| key.expr.downcast_ref::<Column>().is_none()).map(|key| &key.expr);
        let taken = shape.aggregates.iter().filter_map(|aggregate| match &aggregate.taken {
            AggregateInput::Rows => None,
            AggregateInput::Present(expr) | AggregateInput::Values(expr) => Some(expr),
        });
        for expr in others.chain(taken) {
            let read = collect_columns(expr);
            places.retain(|place| !read.iter().any(|column| column.index() == *place));
        }
        Some(Arc::new(flows.coded(&places, run.texts.clone())?))
    }

    /// Starts to group, on tasks that begin when the first partition asks for its rows.
    fn group(&self, context: &Arc<TaskContext>, counts: &GroupingMetrics) -> Result<Grouped> {
        let reserved = MemoryConsumer::new("groups").register(context.memory_pool());
        let run = Arc::new(Run::new(self.shape.clone(), reserved));
        let coded = self.coded(&run);
        let input = coded.as_ref().unwrap_or(&self.input);
        let inputs = 0..input.output_partitioning().partition_count();
        let streams = inputs.map(|partition| input.execute(partition, context.clone())).collect::<Result<Vec<_>>>()?;
        let (spilling, counts) = (self.spilling()?, counts.clone());
        let grouped = async move {
            let tasks: Vec<_> = streams
                .into_iter()
                .map(|stream| SpawnedTask::spawn(fold(run.clone(), stream, counts.grouping.clone())))
                .collect();
            for task in tasks {
                task.join().await.map_err(|error| DataFusionError::External(Box::new(error)))??;
            }
            if run.is_full() {
                tracing::debug!("too little memory for groups in one piece");
                counts.spilled.add(1);
                return Ok(Outcome::Spilling(spilling));
            }
            Ok(Outcome::Groups(run))
        };
        Ok(grouped.map(|outcome: Result<_>| outcome.map_err(Arc::new)).boxed().shared())
    }
}

/// Folds the rows of one input partition.
async fn fold(run: Arc<Run>, mut rows: SendableRecordBatchStream, time: Time) -> Result<()> {
    let Ok(mut folder) = Folder::new(&run) else { return Ok(()) };
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        let _timer = time.timer();
        if run.is_full() {
            return Ok(());
        }
        match folder.fold(&batch) {
            Ok(()) => {}
            Err(GroupingError::OutOfMemory) => return Ok(()),
            Err(GroupingError::Engine(error)) => return Err(error),
        }
    }
    let _timer = time.timer();
    // A run that is out of memory has recorded it.
    let _ = folder.end();
    Ok(())
}

impl DisplayAs for GroupsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<String> = self.shape.keys.iter().map(|key| key.expr.to_string()).collect();
        let aggregates: Vec<&str> = self.partial.aggr_expr().iter().map(|aggregate| aggregate.name()).collect();
        write!(f, "GroupsExec: gby=[{}], aggr=[{}]", keys.join(", "), aggregates.join(", "))?;
        if self.columns.len() < self.whole.fields().len() {
            let names: Vec<&str> =
                self.columns.iter().map(|column| self.whole.field(*column).name().as_str()).collect();
            write!(f, ", columns=[{}]", names.join(", "))?;
        }
        Ok(())
    }
}

impl ExecutionPlan for GroupsExec {
    fn name(&self) -> &str {
        "GroupsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let mut next = TreeNodeRecursion::Continue;
        for key in &self.shape.keys {
            next = f(&key.expr)?;
            if next == TreeNodeRecursion::Stop {
                return Ok(next);
            }
        }
        Ok(next)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (Some(input), true) = (children.pop(), children.is_empty()) else {
            return Err(DataFusionError::Internal("GroupsExec has one input".to_owned()));
        };
        let (partial, shape, columns) = (self.partial.clone(), self.shape.clone(), self.columns.clone());
        Ok(Arc::new(Self::with(partial, input, shape, columns, self.whole.clone(), self.partitions())))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        use datafusion::physical_plan::execution_plan::ChildrenPropertiesMode;
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let count = |name| MetricBuilder::new(&self.metrics).counter(name, partition);
        let time = |name| MetricBuilder::new(&self.metrics).subset_time(name, partition);
        let counts = GroupingMetrics {
            groups: count("groups"),
            spilled: count("spilled"),
            grouping: time("grouping_time"),
            writing: time("writing_time"),
        };
        let grouped = {
            let mut started = lock(&self.started);
            // A plan may be executed again, with all partitions anew and in another context.
            let same = Arc::downgrade(&context);
            let mut begun = match started.take() {
                Some(begun) if begun.left.contains(&partition) && begun.context.ptr_eq(&same) => begun,
                _ => {
                    let (grouped, left) = (self.group(&context, &counts)?, (0..self.partitions()).collect());
                    Started { context: same, grouped, left }
                }
            };
            begun.left.retain(|left| *left != partition);
            let grouped = begun.grouped.clone();
            if !begun.left.is_empty() {
                *started = Some(begun);
            }
            grouped
        };
        let (parts, columns, schema) = (self.parts(partition), self.columns.clone(), self.schema());
        let batch_rows = context.session_config().batch_size();
        let written = schema.clone();
        let rows = async move {
            let rows = match grouped.await.map_err(DataFusionError::Shared)? {
                Outcome::Spilling(plan) => plan.execute(partition, context)?.boxed(),
                Outcome::Groups(run) => {
                    let mut batches = Emitter::new(run, parts, columns, written, batch_rows);
                    let next = move || {
                        let _timer = counts.writing.timer();
                        let batch = batches.next()?;
                        if let Ok(batch) = &batch {
                            counts.groups.add(batch.num_rows());
                        }
                        Some(batch)
                    };
                    futures::stream::iter(std::iter::from_fn(next)).boxed()
                }
            };
            Ok::<_, DataFusionError>(rows)
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::once(rows).try_flatten())))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}
