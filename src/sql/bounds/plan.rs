//! Bounds in plans: functions that the engine adds by itself, constants, and operators that repeat rows.

use super::budget::ResultBudget;
use super::concatenation::concatenation;
use super::expansion::{Expansion, SlicedRows};
use super::function::{bounded, with_bounded_calls};
use super::growth::{Growth, scalar_bytes};
use super::pattern::bounded_match;
use datafusion::common::ScalarValue;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{self, Expr, LogicalPlan, Operator};
use datafusion::optimizer::AnalyzerRule;
use datafusion::physical_expr::expressions::{BinaryExpr, InListExpr, LikeExpr, Literal};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::placeholder_row::PlaceholderRowExec;
use datafusion::physical_plan::unnest::UnnestExec;
use std::sync::Arc;

/// Bounds the functions that the planner names by itself, such as those of `[a, b]`, and `||`.
#[derive(Debug)]
pub(super) struct BoundedCalls(Arc<ResultBudget>);

impl BoundedCalls {
    pub(super) fn new(budget: &Arc<ResultBudget>) -> Self {
        Self(budget.clone())
    }
}

impl BoundedCalls {
    /// Replaces operators that make or compile texts.
    fn bounded_operator(&self, expression: Expr) -> Transformed<Expr> {
        match expression {
            Expr::BinaryExpr(logical_expr::BinaryExpr { left, op: Operator::StringConcat, right }) => {
                let func = bounded(&concatenation(), &self.0);
                Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args: vec![*left, *right] }))
            }
            other => bounded_match(other),
        }
    }
}

impl AnalyzerRule for BoundedCalls {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let changed = plan.transform_up_with_subqueries(|plan| {
            let names = NamePreserver::new(&plan);
            plan.map_expressions(|expression| {
                let name = names.save(&expression);
                let changed = expression.transform_up(|expression| Ok(self.bounded_operator(expression)))?;
                let changed = changed.transform_data(|expression| with_bounded_calls(expression, &self.0))?;
                Ok(changed.update_data(|expression| name.restore(expression)))
            })
        })?;
        Ok(changed.data)
    }

    fn name(&self) -> &str {
        "bounded_calls"
    }
}

/// Refuses constants that would be copied to too many rows, and slices the input of operators that repeat rows.
#[derive(Debug)]
pub(super) struct BoundedRows(Arc<ResultBudget>);

impl BoundedRows {
    pub(super) fn new(budget: &Arc<ResultBudget>) -> Self {
        Self(budget.clone())
    }
}

impl PhysicalOptimizerRule for BoundedRows {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let batch_rows = config.execution.batch_size.get();
        plan.apply(|node| {
            self.check_constants(node, batch_rows)?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        let changed = plan.transform_up(|node| {
            if let Some(unnest) = node.downcast_ref::<UnnestExec>() {
                let lists = unnest.list_column_indices().iter();
                let lists = lists.map(|list| (list.index_in_input_schema, list.depth > 1)).collect();
                return self.slice_inputs(node, Expansion::Unnest(lists)).map(Transformed::yes);
            }
            let joins = node.downcast_ref::<CrossJoinExec>().is_some()
                || node.downcast_ref::<NestedLoopJoinExec>().is_some()
                || node.downcast_ref::<HashJoinExec>().is_some()
                || node.downcast_ref::<SortMergeJoinExec>().is_some();
            if !joins || !grows(&node)? {
                return Ok(Transformed::no(node));
            }
            let join = self.slice_inputs(node, Expansion::Join)?;
            Ok(Transformed::yes(Arc::new(SlicedRows::new(join, Expansion::SmallBatches, &self.0)) as _))
        })?;
        Ok(changed.data)
    }

    fn name(&self) -> &str {
        "BoundedRows"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

impl BoundedRows {
    fn slice_inputs(&self, node: Arc<dyn ExecutionPlan>, expansion: Expansion) -> Result<Arc<dyn ExecutionPlan>> {
        let inputs = node.children().into_iter().map(|input| {
            Arc::new(SlicedRows::new(input.clone(), expansion.clone(), &self.0)) as Arc<dyn ExecutionPlan>
        });
        let inputs = inputs.collect();
        node.replace_children(inputs, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    /// Refuses constants that would take too much in each row of a batch. Functions take theirs in slices.
    fn check_constants(&self, node: &Arc<dyn ExecutionPlan>, batch_rows: usize) -> Result<()> {
        let mut constants = 0u64;
        node.apply_expressions(&mut |expression: &Arc<dyn PhysicalExpr>| {
            constants = constants.saturating_add(copied_bytes(expression));
            Ok(TreeNodeRecursion::Continue)
        })?;
        if constants.saturating_mul(batch_rows as u64) <= self.0.most_bytes() as u64 {
            return Ok(());
        }
        let one = |input: &Arc<dyn ExecutionPlan>| input.downcast_ref::<PlaceholderRowExec>().is_some();
        let rows = if node.children().into_iter().all(one) { 1 } else { batch_rows };
        let bytes = constants.saturating_mul(rows as u64);
        if bytes > self.0.most_bytes() as u64 {
            return Err(self.0.too_large("constants", rows, bytes));
        }
        Ok(())
    }
}

/// Returns the bytes of an expression's constants that are copied to each row. Functions take theirs in slices,
/// and comparisons take them as they are.
fn copied_bytes(expression: &Arc<dyn PhysicalExpr>) -> u64 {
    if let Some(constant) = expression.downcast_ref::<Literal>() {
        return constant_bytes(constant.value());
    }
    let keeps = expression.downcast_ref::<ScalarFunctionExpr>().is_some()
        || expression.downcast_ref::<BinaryExpr>().is_some()
        || expression.downcast_ref::<LikeExpr>().is_some()
        || expression.downcast_ref::<InListExpr>().is_some();
    let parts = expression.children().into_iter();
    let parts = parts.filter(|part| !keeps || part.downcast_ref::<Literal>().is_none());
    parts.map(copied_bytes).fold(0, u64::saturating_add)
}

fn constant_bytes(value: &ScalarValue) -> u64 {
    scalar_bytes(value).unwrap_or_else(|| value.size() as u64)
}

/// Returns whether a plan makes values of any size: by a function, a constant or an aggregate that gathers.
fn grows(plan: &Arc<dyn ExecutionPlan>) -> Result<bool> {
    let mut found = false;
    plan.apply(|node| {
        node.apply_expressions(&mut |expression: &Arc<dyn PhysicalExpr>| {
            expression.apply(|part| {
                found |= part
                    .downcast_ref::<ScalarFunctionExpr>()
                    .is_some_and(|call| !matches!(Growth::of(call.name(), call.return_type()), Growth::Times(_)));
                let constant = part.downcast_ref::<Literal>();
                found |= constant.is_some_and(|constant| constant_bytes(constant.value()) > LARGE_CONSTANT_BYTES);
                Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })
        })?;
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

/// A constant beyond this size makes the rows that a join repeats large.
const LARGE_CONSTANT_BYTES: u64 = 4 << 10;
