//! Queries that drop most of their rows: the last columns are computed only for the rows that stay.
//!
//! A statistical detection judges tens of thousands of candidates and reports a few hundred, but its SELECT writes a
//! severity, a sentence and thirty columns for every one. Which rows stay depends on the p-values of all candidates, so
//! no WHERE can express it. The plan is therefore cut where the p-value is known: the part below runs for all rows, and
//! the projections above it only for the rows that stay.
//!
//! Written against DataFusion 55.2; `sentences_are_left_for_those_that_stay` fails when its plans no longer end in the
//! projections that are cut off here.

use super::staged_query::{StagedQuery, collect};
use crate::sql::SqlError;
use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Float64Type, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::DataFusionError;
use datafusion::physical_expr::expressions::{CastExpr, Column, Literal};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::prelude::SessionContext;
use rayon::prelude::*;
use std::sync::Arc;

/// Runs a query whose column `judged` holds numbers, and completes the rows that `keep` chooses by them.
///
/// `keep` is given the number of every row, NaN for NULL, and returns whether to keep each. For a result without that
/// column, all are NaN. The rows kept are the same, in the same order, as if the whole query had run first; if none is
/// kept, the result is one batch without rows.
///
/// # Errors
/// [`SqlError::Query`] when the query fails, or the column holds no numbers.
pub async fn run_candidates(
    context: &SessionContext,
    query: StagedQuery,
    judged: &str,
    keep: impl FnOnce(&[f64]) -> Vec<bool>,
) -> Result<Vec<RecordBatch>, SqlError> {
    let query = query.last_stage(context).await?;
    candidates(context, query.plan, judged, keep).await.map_err(|error| SqlError::query(&query.name, error))
}

async fn candidates(
    context: &SessionContext,
    plan: Arc<dyn ExecutionPlan>,
    judged: &str,
    keep: impl FnOnce(&[f64]) -> Vec<bool>,
) -> Result<Vec<RecordBatch>, DataFusionError> {
    let schema = plan.schema();
    let cut = SplitPlan::of(plan, judged);
    let batches = collect(context, cut.below.clone()).await?;
    let mut numbers: Vec<f64> = Vec::new();
    for batch in &batches {
        match &cut.judged {
            Some(judged) => {
                let column = cast(&judged.evaluate(batch)?.into_array(batch.num_rows())?, &DataType::Float64)?;
                numbers.extend(column.as_primitive::<Float64Type>().iter().map(|number| number.unwrap_or(f64::NAN)));
            }
            None => numbers.resize(numbers.len() + batch.num_rows(), f64::NAN),
        }
    }
    let kept = BooleanArray::from(keep(&numbers));
    let begins = batches.iter().scan(0, |next, batch| Some(std::mem::replace(next, *next + batch.num_rows())));
    let parts: Vec<(&RecordBatch, usize)> = batches.iter().zip(begins).collect();
    // Batch by batch: rows carry the starts of their trains, and are too large to be concatenated first.
    let complete = |(batch, begin): (&RecordBatch, usize)| -> Result<RecordBatch, DataFusionError> {
        let mut rows = filter_record_batch(batch, &kept.slice(begin, batch.num_rows()))?;
        for (expressions, schema) in cut.above.iter().rev() {
            let columns = expressions.iter().map(|column| column.expr.evaluate(&rows)?.into_array(rows.num_rows()));
            rows = RecordBatch::try_new(schema.clone(), columns.collect::<Result<Vec<_>, _>>()?)?;
        }
        Ok(rows)
    };
    let rest: Vec<RecordBatch> = parts
        .into_par_iter()
        .filter(|(batch, begin)| kept.slice(*begin, batch.num_rows()).true_count() > 0)
        .map(complete)
        .collect::<Result<_, _>>()?;
    Ok(if rest.is_empty() { vec![RecordBatch::new_empty(schema)] } else { rest })
}

/// A plan cut below its last projections.
struct SplitPlan {
    /// The part that runs for all rows.
    below: Arc<dyn ExecutionPlan>,
    /// The number that rows are judged by, over the rows of `below`; `None` when the query has no such column.
    judged: Option<Arc<dyn PhysicalExpr>>,
    /// The projections that follow, last one first, with their output schemas.
    above: Vec<(Vec<ProjectionExpr>, SchemaRef)>,
}

impl SplitPlan {
    /// Cuts as deep as the number can still be read from a column.
    fn of(plan: Arc<dyn ExecutionPlan>, judged: &str) -> Self {
        let schema = plan.schema();
        let Ok(index) = schema.index_of(judged) else { return Self { below: plan, judged: None, above: Vec::new() } };
        let mut number: Arc<dyn PhysicalExpr> = Arc::new(Column::new(judged, index));
        let mut below = plan;
        let mut above = Vec::new();
        while let Some(projection) = below.downcast_ref::<ProjectionExec>() {
            let Some(deeper) = through(&number, projection.expr()) else { break };
            above.push((projection.expr().to_vec(), projection.schema()));
            number = deeper;
            below = projection.input().clone();
        }
        Self { below, judged: Some(number), above }
    }
}

/// Rewrites an expression over a projection's columns as one over its input; `None` when that would have to compute
/// something.
fn through(number: &Arc<dyn PhysicalExpr>, projection: &[ProjectionExpr]) -> Option<Arc<dyn PhysicalExpr>> {
    let rewritten = number.clone().transform(|node| {
        let made_of = node.downcast_ref::<Column>().and_then(|column| projection.get(column.index()));
        // The new expression is over other columns and must not be rewritten itself.
        Ok(made_of.map_or_else(
            || Transformed::no(node.clone()),
            |made_of| {
                Transformed::new(made_of.expr.clone(), true, datafusion::common::tree_node::TreeNodeRecursion::Jump)
            },
        ))
    });
    let rewritten = rewritten.ok()?.data;
    reads_only(&rewritten).then_some(rewritten)
}

fn reads_only(expression: &Arc<dyn PhysicalExpr>) -> bool {
    let reads = expression.is::<Column>()
        || expression.is::<Literal>()
        || expression.is::<CastExpr>()
        || expression.downcast_ref::<ScalarFunctionExpr>().is_some_and(|call| call.name() == "get_field");
    reads && expression.children().into_iter().all(reads_only)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{functions, open_session, run};
    use arrow::array::{ArrayRef, Int64Array};
    use arrow::util::pretty::pretty_format_batches;

    fn session(threads: usize) -> SessionContext {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..30_000));
        let table = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
        open_session(vec![("t", vec![table])], &functions::Lists::default(), threads).unwrap()
    }

    const QUERIES: [&str; 6] = [
        "WITH s AS (SELECT n, named_struct('p', n / 30000.0, 'q', n * 2) AS b FROM t WHERE n % 7 > 0)
            SELECT concat('row ', CAST(n AS VARCHAR)) AS text, b['p'] AS p_value, b['q'] AS q FROM s WHERE b IS NOT NULL",
        "SELECT n, n / 30000.0 AS p_value FROM t ORDER BY n DESC LIMIT 500",
        "SELECT n % 10 AS n, min(n / 30000.0) AS p_value FROM t GROUP BY n % 10 ORDER BY n",
        "SELECT n, CASE WHEN n % 2 = 0 THEN n / 30000.0 END AS p_value, human_bytes(n) AS size FROM t",
        "SELECT n, n AS p_value FROM t WHERE n < 0",
        "SELECT n FROM t",
    ];

    #[tokio::test]
    async fn what_is_kept_is_what_the_whole_query_gives() {
        for threads in [1, 3] {
            for sql in QUERIES {
                let session = session(threads);
                let whole = run(&session, "q", sql).await.unwrap();
                let mut expected = Vec::new();
                for batch in &whole {
                    let keeps: BooleanArray = match batch.column_by_name("p_value") {
                        Some(column) => {
                            let numbers = cast(column, &DataType::Float64).unwrap();
                            let numbers = numbers.as_primitive::<Float64Type>();
                            numbers.iter().map(|p| Some(p.is_some_and(|p| p < 0.1))).collect()
                        }
                        None => vec![false; batch.num_rows()].into(),
                    };
                    expected.push(filter_record_batch(batch, &keeps).unwrap());
                }
                let keep = |numbers: &[f64]| numbers.iter().map(|p| *p < 0.1).collect();
                let query = StagedQuery::new(&session, "q", sql).await.unwrap();
                let got = run_candidates(&session, query, "p_value", keep).await.unwrap();
                let rows: usize = expected.iter().map(RecordBatch::num_rows).sum();
                assert_eq!(got.iter().map(RecordBatch::num_rows).sum::<usize>(), rows, "{sql}");
                if rows > 0 {
                    let text = |batches: &[RecordBatch]| pretty_format_batches(batches).unwrap().to_string();
                    assert_eq!(text(&got), text(&expected), "{sql}");
                }
            }
        }
    }

    #[tokio::test]
    async fn sentences_are_left_for_those_that_stay() {
        let session = session(2);
        let cut = SplitPlan::of(StagedQuery::new(&session, "q", QUERIES[0]).await.unwrap().plan, "p_value");
        assert!(!cut.above.is_empty() && cut.judged.is_some());
        let columns = cut.below.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
        assert!(!columns.contains(&"text".to_owned()), "{columns:?}");
    }
}
