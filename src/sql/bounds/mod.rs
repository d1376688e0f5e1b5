//! Bounds on what functions make.
//!
//! Most functions return about as much as they receive. Some return as much as a number asks for: `repeat`, `lpad`,
//! `range`, `array_repeat`. The engine counts what operators hold, not what functions make, so one call could take all
//! memory, and a process that asks the system in vain ends. Here every function of a session is wrapped: what it will
//! make is estimated from its arguments, taken from the session's memory before it is made, and counted until it is
//! dropped. Batches whose estimate is large are evaluated in slices.
//!
//! Costs one pass over the lengths of a function's arguments; nothing where it returns numbers.

mod budget;
mod concatenation;
mod expansion;
mod function;
mod growth;
mod pattern;
mod plan;
mod row_bytes;
#[cfg(test)]
mod tests;

use budget::ResultBudget;
use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::prelude::SessionContext;
use function::bounded;
use plan::{BoundedCalls, BoundedRows};
pub(in crate::sql) use row_bytes::batch_bytes;
use std::sync::Arc;

/// Bounds the functions of a session by its memory, those of later plans included. Call it when all functions are
/// registered.
///
/// # Errors
/// When the engine refuses a function of the same name.
pub(super) fn with_bounds(context: SessionContext) -> Result<SessionContext> {
    let budget = Arc::new(ResultBudget::of(&context.runtime_env().memory_pool));
    {
        let state = context.state_ref();
        let mut state = state.write();
        let all: Vec<_> = state.scalar_functions().values().map(|function| bounded(function, &budget)).collect();
        all.into_iter().try_for_each(|function| state.register_udf(function).map(drop))?;
        state.add_analyzer_rule(Arc::new(BoundedCalls::new(&budget)));
    }
    let mut rules = context.state().physical_optimizers().to_vec();
    rules.push(Arc::new(BoundedRows::new(&budget)));
    Ok(context.into_state_builder().with_physical_optimizer_rules(rules).build().into())
}
