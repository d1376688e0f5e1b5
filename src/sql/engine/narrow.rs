//! Filters that copy only the columns they read.
//!
//! Where the first part of an AND leaves few rows, the engine copies these rows with all their columns before it
//! evaluates the rest of the condition. For `pairs` that copies every list of starts to compare two numbers. Here each
//! part of a condition receives only the columns it names.
//!
//! Written against DataFusion 55.2; `a_filter_keeps_the_rows_that_its_condition_says` fails when its plans no longer
//! have filters that this rule can replace.

use arrow::array::{Array, BooleanArray, BooleanBufferBuilder, RecordBatch, RecordBatchOptions};
use arrow::buffer::BooleanBuffer;
use arrow::compute::FilterBuilder;
use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use datafusion::common::cast::as_boolean_array;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::split_conjunction;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};
use datafusion::prelude::SessionContext;
use std::fmt::{Display, Formatter};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Changes the filters of a session's plans to copy only the columns they read.
pub(in crate::sql) fn with_narrow_filters(context: SessionContext) -> SessionContext {
    let mut rules = context.state().physical_optimizers().to_vec();
    // The last rule: the engine's own rules cannot inspect the conditions of the new filter.
    rules.push(Arc::new(NarrowFilters));
    context.into_state_builder().with_physical_optimizer_rules(rules).build().into()
}

#[derive(Debug)]
struct NarrowFilters;

impl PhysicalOptimizerRule for NarrowFilters {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let changed = plan.transform_up(|node| {
            let new = node.downcast_ref::<FilterExec>().map(narrowed).transpose()?.flatten();
            Ok(new.map_or_else(|| Transformed::no(node), Transformed::yes))
        });
        Ok(changed?.data)
    }

    fn name(&self) -> &str {
        "NarrowFilters"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Returns the filter with a condition that is evaluated part by part; `None` when it has a single part that reads
/// every column.
fn narrowed(filter: &FilterExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let (condition, schema) = (filter.predicate(), filter.input().schema());
    let parts = split_conjunction(condition).into_iter().map(|part| ConditionPart::of(part, &schema));
    let parts = parts.collect::<Result<Vec<ConditionPart>>>()?;
    if parts.iter().all(|part| part.columns.len() == schema.fields().len()) {
        return Ok(None);
    }
    let narrow = NarrowCondition { condition: condition.clone(), parts };
    let filter = FilterExecBuilder::from(filter).with_predicate(Arc::new(narrow)).build()?;
    Ok(Some(Arc::new(filter)))
}

/// Returns the indices of the columns that some expressions read, ascending, each once.
pub(super) fn columns_of<'a>(expressions: impl IntoIterator<Item = &'a Arc<dyn PhysicalExpr>>) -> Vec<usize> {
    let mut columns: Vec<usize> =
        expressions.into_iter().flat_map(collect_columns).map(|column| column.index()).collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

/// Rewrites an expression over all columns as one over these columns alone, in their order.
pub(super) fn over(columns: &[usize], expression: &Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
    let moved = expression.clone().transform(|node| {
        let place = node.downcast_ref::<Column>().and_then(|column| {
            let place = columns.binary_search(&column.index()).ok()?;
            Some(Arc::new(Column::new(column.name(), place)) as Arc<dyn PhysicalExpr>)
        });
        Ok(place.map_or_else(|| Transformed::no(node), Transformed::yes))
    })?;
    Ok(moved.data)
}

/// One part of a condition; a row must meet all of them.
#[derive(Debug)]
struct ConditionPart {
    /// Indices of the columns that it reads, ascending.
    columns: Vec<usize>,
    schema: SchemaRef,
    /// The part over these columns.
    expression: Arc<dyn PhysicalExpr>,
}

impl ConditionPart {
    fn of(part: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Result<Self> {
        let columns = columns_of([part]);
        let expression = over(&columns, part)?;
        Ok(Self { schema: Arc::new(schema.project(&columns)?), columns, expression })
    }

    /// Returns which rows of a batch meet the part, counting NULL as no; with `of`, only those rows are evaluated.
    fn met(&self, batch: &RecordBatch, of: Option<&BooleanArray>) -> Result<BooleanBuffer> {
        let columns = self.columns.iter().map(|column| batch.column(*column));
        let (columns, count) = match of {
            None => (columns.cloned().collect(), batch.num_rows()),
            Some(of) => {
                let chosen = FilterBuilder::new(of).optimize().build();
                (columns.map(|column| chosen.filter(column)).collect::<Result<_, _>>()?, chosen.count())
            }
        };
        let rows = RecordBatchOptions::new().with_row_count(Some(count));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &rows)?;
        let met = self.expression.evaluate(&batch)?.into_array(count)?;
        let met = as_boolean_array(&met)?;
        Ok(match met.nulls() {
            None => met.values().clone(),
            Some(nulls) => met.values() & nulls.inner(),
        })
    }
}

/// Parts of a condition must leave at most one row in so many before the next part evaluates only these: copying rows
/// costs more than evaluating as many.
const FEW: usize = 5;

/// A condition whose parts are each evaluated on the columns they read.
#[derive(Debug)]
struct NarrowCondition {
    /// Over all columns, as the plan shows it.
    condition: Arc<dyn PhysicalExpr>,
    parts: Vec<ConditionPart>,
}

// The condition alone identifies it; the derives cannot compare behind `dyn`.
impl PartialEq for NarrowCondition {
    fn eq(&self, other: &Self) -> bool {
        self.condition.eq(&other.condition)
    }
}

impl Eq for NarrowCondition {}

impl Hash for NarrowCondition {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.condition.hash(state);
    }
}

impl Display for NarrowCondition {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        self.condition.fmt(f)
    }
}

impl PhysicalExpr for NarrowCondition {
    fn data_type(&self, input_schema: &Schema) -> Result<DataType> {
        self.condition.data_type(input_schema)
    }

    fn nullable(&self, input_schema: &Schema) -> Result<bool> {
        self.condition.nullable(input_schema)
    }

    fn return_field(&self, input_schema: &Schema) -> Result<FieldRef> {
        self.condition.return_field(input_schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let mut met = BooleanBuffer::new_set(batch.num_rows());
        for part in &self.parts {
            let left = met.count_set_bits();
            if left == 0 {
                break;
            }
            met = if left * FEW > met.len() {
                &met & &part.met(batch, None)?
            } else {
                let among = part.met(batch, Some(&BooleanArray::new(met.clone(), None)))?;
                let mut both = BooleanBufferBuilder::new(met.len());
                both.append_n(met.len(), false);
                met.set_indices()
                    .zip(among.iter())
                    .filter(|(_, met)| *met)
                    .for_each(|(row, _)| both.set_bit(row, true));
                both.finish()
            };
        }
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::new(met, None))))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        Vec::new()
    }

    fn with_new_children(self: Arc<Self>, _children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        Ok(self)
    }

    fn fmt_sql(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        self.condition.fmt_sql(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::functions::Lists;
    use crate::sql::{open_session, run};
    use arrow::array::{ArrayRef, AsArray, Int64Array, StringArray};
    use arrow::datatypes::Int64Type;
    use datafusion::physical_plan::displayable;

    fn table() -> RecordBatch {
        let numbers: Vec<i64> = (0..20_000).collect();
        let column = |make: &dyn Fn(i64) -> Option<i64>| -> ArrayRef {
            Arc::new(numbers.iter().map(|n| make(*n)).collect::<Int64Array>())
        };
        let text: ArrayRef = Arc::new(StringArray::from_iter_values(numbers.iter().map(|n| format!("text {n}"))));
        RecordBatch::try_from_iter_with_nullable([
            ("wide", text, false),
            ("n", column(&|n| Some(n)), false),
            ("unread", column(&|n| (n % 3 > 0).then_some(n)), true),
            ("few", column(&|n| Some(n % 100)), false),
            ("gaps", column(&|n| (n % 7 > 0).then_some(n % 5)), true),
        ])
        .unwrap()
    }

    #[tokio::test]
    async fn a_filter_keeps_the_rows_that_its_condition_says() {
        let session = open_session(vec![("t", vec![table()])], &Lists::default(), 2).unwrap();
        let slow = |keep: &dyn Fn(i64, Option<i64>) -> bool| -> Vec<i64> {
            (0..20_000).filter(|n| keep(*n, (n % 7 > 0).then_some(n % 5))).collect()
        };
        let cases: [(&str, Vec<i64>); 7] = [
            ("few = 3 AND n > 50 AND gaps < 4", slow(&|n, gaps| n % 100 == 3 && n > 50 && gaps.is_some_and(|g| g < 4))),
            ("few <> 3 OR gaps = 1", slow(&|n, gaps| n % 100 != 3 || gaps == Some(1))),
            (
                "few = 3 AND (gaps IS NULL OR n % 2 = 0)",
                slow(&|n, gaps| n % 100 == 3 && (gaps.is_none() || n % 2 == 0)),
            ),
            ("few = 3 AND gaps > 2 AND n % 3 = 1", slow(&|n, gaps| n % 100 == 3 && gaps > Some(2) && n % 3 == 1)),
            // A part is not evaluated on rows that earlier parts have dropped.
            ("few = 0 AND n > 0 AND 100 / n < 1", slow(&|n, _| n % 100 == 0 && n > 100)),
            ("few > 90 AND few < 20 AND n = 1 / (few - few)", Vec::new()),
            ("gaps IS NULL AND n BETWEEN 10 AND 900", slow(&|n, gaps| gaps.is_none() && (10..=900).contains(&n))),
        ];
        for (condition, wanted) in cases {
            let sql = format!("SELECT n, wide, unread FROM t WHERE {condition} ORDER BY n");
            let found = run(&session, "q", &sql).await.unwrap();
            let numbers: Vec<i64> =
                found.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec()).collect();
            assert_eq!(numbers, wanted, "{condition}");
            let plan = session.sql(&sql).await.unwrap().create_physical_plan().await.unwrap();
            let mut narrow = 0;
            plan.apply(|node| {
                let filter = node.downcast_ref::<FilterExec>();
                narrow += usize::from(
                    filter.is_some_and(|filter| filter.predicate().downcast_ref::<NarrowCondition>().is_some()),
                );
                Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
            })
            .unwrap();
            let shown = displayable(plan.as_ref()).indent(false).to_string();
            assert_eq!(narrow, 1, "{shown}");
            // EXPLAIN shows the condition over the filter's own columns.
            assert!(shown.contains("FilterExec: ") && shown.contains('@'), "{shown}");
        }
        // A condition that reads no column, and one that reads all.
        let none = run(&session, "q", "SELECT n FROM t WHERE random() > 2").await.unwrap();
        assert_eq!(none.iter().map(RecordBatch::num_rows).sum::<usize>(), 0);
        let all = run(&session, "q", "SELECT n FROM t WHERE n = 4").await.unwrap();
        assert_eq!(all.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);
    }
}
