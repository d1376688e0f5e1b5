//! Operators that repeat rows, `unnest` and joins, get as few rows at a time as their results allow.

use super::budget::ResultBudget;
use super::row_bytes::{PerRow, row_bytes, row_items};
use arrow::array::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt, stream};
use std::fmt;
use std::sync::Arc;

/// Rows of a batch of a join over rows that functions made large.
pub(super) const JOINED_ROWS: usize = 64;

/// What the operator above does with a row.
#[derive(Clone, Debug)]
pub(super) enum Expansion {
    /// It repeats it for each item of these lists; `true` where a list holds lists that are taken apart, too.
    Unnest(Vec<(usize, bool)>),
    /// It repeats it for rows of another input.
    Join,
    /// Nothing: it is the operator itself that runs in small batches.
    SmallBatches,
}

/// Passes rows on, in slices that the operator above can take.
#[derive(Debug)]
pub(super) struct SlicedRows {
    input: Arc<dyn ExecutionPlan>,
    expansion: Expansion,
    budget: Arc<ResultBudget>,
}

impl SlicedRows {
    pub(super) fn new(input: Arc<dyn ExecutionPlan>, expansion: Expansion, budget: &Arc<ResultBudget>) -> Self {
        Self { input, expansion, budget: budget.clone() }
    }
}

/// Returns the slices of a batch.
fn sliced(batch: &RecordBatch, expansion: &Expansion, budget: &ResultBudget) -> Result<Vec<RecordBatch>> {
    let (rows, most) = (batch.num_rows(), budget.most_bytes() as u64);
    let (lists, most_rows) = match expansion {
        Expansion::Unnest(lists) => (lists.as_slice(), rows),
        Expansion::Join => (&[] as &[_], JOINED_ROWS),
        Expansion::SmallBatches => return Ok(vec![batch.clone()]),
    };
    let bytes: Vec<PerRow<u64>> = batch.columns().iter().map(|column| row_bytes(column.as_ref())).collect();
    let items: Vec<PerRow<u64>> = lists
        .iter()
        .map(|(place, nested)| match nested {
            // An item of an inner list takes a byte at least.
            true => bytes[*place].clone(),
            false => row_items(batch.column(*place).as_ref()),
        })
        .collect();
    let made = |row: usize| -> u64 {
        let all: u64 = bytes.iter().map(|column| column.at(row)).fold(0, u64::saturating_add);
        match expansion {
            Expansion::Unnest(lists) => {
                let own: u64 = lists.iter().map(|(place, _)| bytes[*place].at(row)).sum();
                let times = items.iter().map(|items| items.at(row)).max().unwrap_or(1).max(1);
                times.saturating_mul(all.saturating_sub(own) + 16).saturating_add(own)
            }
            _ => all.saturating_mul(JOINED_ROWS as u64),
        }
    };
    let (mut slices, mut from) = (Vec::new(), 0);
    while from < rows {
        let (mut to, mut sum) = (from, 0u64);
        while to < rows && to - from < most_rows {
            let row = made(to);
            if row > most {
                let name = if lists.is_empty() { "a join" } else { "unnest" };
                return Err(budget.too_large(name, 1, row));
            }
            if to > from && !lists.is_empty() && sum + row > budget.slice_bytes() as u64 {
                break;
            }
            (to, sum) = (to + 1, sum + row);
        }
        slices.push(batch.slice(from, to - from));
        from = to;
    }
    Ok(slices)
}

impl DisplayAs for SlicedRows {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SlicedRows")
    }
}

impl ExecutionPlan for SlicedRows {
    fn name(&self) -> &str {
        "SlicedRows"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self::new(input, self.expansion.clone(), &self.budget))),
            _ => Err(DataFusionError::Internal("SlicedRows has one input".to_owned())),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if matches!(self.expansion, Expansion::SmallBatches) {
            let config = context.session_config().clone().with_batch_size(JOINED_ROWS);
            let small = TaskContext::new(
                context.task_id(),
                context.session_id(),
                config,
                context.scalar_functions().clone(),
                context.higher_order_functions().clone(),
                context.aggregate_functions().clone(),
                context.window_functions().clone(),
                context.runtime_env(),
            );
            return self.input.execute(partition, Arc::new(small));
        }
        let (expansion, budget) = (self.expansion.clone(), self.budget.clone());
        let rows = self.input.execute(partition, context)?.flat_map(move |batch| {
            let slices = batch.and_then(|batch| sliced(&batch, &expansion, &budget));
            stream::iter(match slices {
                Ok(slices) => slices.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            })
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}
