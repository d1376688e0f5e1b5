//! The optimizer rule that replaces DataFusion's two aggregation steps by [`GroupsExec`].

use super::exec::GroupsExec;
use super::shape::Shape;
use crate::sql::engine::narrow::{columns_of, over};
use crate::sql::tables::flows::FlowsExec;
use datafusion::catalog::memory::{DataSourceExec, MemorySourceConfig};
use datafusion::common::config::ConfigOptions;
use datafusion::common::internal_datafusion_err;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::prelude::SessionContext;
use std::sync::Arc;

/// DataFusion's rule that repartitions rows as an aggregate requires; ours must come before it.
const REQUIREMENTS_RULE: &str = "EnsureRequirements";

/// Returns the session with [`PackedGrouping`] among its rules.
///
/// # Errors
/// An internal error when the engine no longer has a rule of that name: ours would run after it, find no aggregate to
/// replace, and every GROUP BY would silently become slower.
pub(in crate::sql) fn with_grouping(context: SessionContext) -> Result<SessionContext> {
    let mut rules = context.state().physical_optimizers().to_vec();
    let index = rules.iter().position(|rule| rule.name() == REQUIREMENTS_RULE);
    let index = index.ok_or_else(|| internal_datafusion_err!("the engine has no rule {REQUIREMENTS_RULE}"))?;
    rules.insert(index, Arc::new(PackedGrouping));
    Ok(context.into_state_builder().with_physical_optimizer_rules(rules).build().into())
}

/// Replaces the aggregates that [`GroupsExec`] supports.
#[derive(Debug)]
struct PackedGrouping;

impl PhysicalOptimizerRule for PackedGrouping {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let partitions = config.execution.target_partitions;
        let changed = plan.transform_up(|node| {
            let new = match node.downcast_ref::<ProjectionExec>() {
                Some(projection) => narrowed(projection)?,
                None => grouped(&node, partitions),
            };
            Ok(new.map_or_else(|| Transformed::no(node), Transformed::yes))
        });
        Ok(changed?.data)
    }

    fn name(&self) -> &str {
        "PackedGrouping"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Returns the node that replaces an aggregate in two steps.
fn grouped(node: &Arc<dyn ExecutionPlan>, partitions: usize) -> Option<Arc<dyn ExecutionPlan>> {
    let last = node.downcast_ref::<AggregateExec>()?;
    let is_last = matches!(last.mode(), AggregateMode::Final | AggregateMode::FinalPartitioned);
    if !is_last || last.limit_options().is_some() {
        return None;
    }
    let first = last.input().downcast_ref::<AggregateExec>().filter(|first| *first.mode() == AggregateMode::Partial)?;
    if !is_repeatable(first.input()) {
        return None;
    }
    let shape = Shape::of(first)?;
    let first = first.with_new_limit_options(None);
    Some(Arc::new(GroupsExec::new(Arc::new(first), shape, last.schema(), partitions)))
}

/// Returns whether a plan produces the same rows each time it is executed: when memory runs out, it is executed again.
fn is_repeatable(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let source = plan.downcast_ref::<DataSourceExec>();
    let in_memory = source.is_some_and(|source| source.data_source().downcast_ref::<MemorySourceConfig>().is_some());
    let passes = plan.downcast_ref::<ProjectionExec>().is_some() || plan.downcast_ref::<FilterExec>().is_some();
    let known = in_memory
        || passes
        || plan.downcast_ref::<FlowsExec>().is_some()
        || plan.downcast_ref::<GroupsExec>().is_some();
    known && plan.children().into_iter().all(is_repeatable)
}

/// Moves a projection into the groups below it, so that only the columns it reads are written.
fn narrowed(projection: &ProjectionExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(groups) = projection.input().downcast_ref::<GroupsExec>() else { return Ok(None) };
    let read = columns_of(projection.expr().iter().map(|one| &one.expr));
    if read.len() == groups.columns().len() {
        return Ok(None);
    }
    let exprs = projection
        .expr()
        .iter()
        .map(|one| Ok(ProjectionExpr { expr: over(&read, &one.expr)?, alias: one.alias.clone() }))
        .collect::<Result<Vec<_>>>()?;
    let groups = Arc::new(groups.with_columns(&read));
    Ok(Some(Arc::new(ProjectionExec::try_new(exprs, groups)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_comes_before_the_one_that_deals_rows_out() {
        let context = with_grouping(SessionContext::new()).unwrap();
        let state = context.state();
        let names: Vec<&str> = state.physical_optimizers().iter().map(|rule| rule.name()).collect();
        let index = names.iter().position(|name| *name == "PackedGrouping").unwrap();
        assert_eq!(names[index + 1], REQUIREMENTS_RULE);
    }

    #[test]
    fn an_engine_without_that_rule_is_an_error() {
        let state = SessionContext::new().into_state_builder().with_physical_optimizer_rules(Vec::new()).build();
        let error = with_grouping(state.into()).map(drop).unwrap_err().to_string();
        assert!(error.contains("the engine has no rule EnsureRequirements"), "{error}");
    }
}
