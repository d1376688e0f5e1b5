//! The functions of flowsift's SQL: thin wrappers around kernels and lists.
//!
//! Each is documented next to its code, with an example that a test runs. [`function_docs`] lists them all;
//! `docs/functions.md` and `flowsift sql --functions` are generated from it.

mod addresses;
mod aggregates;
mod burst;
mod cardinality;
mod comparison;
mod formatting;
mod function;
mod function_doc;
mod history;
mod indicators;
mod judgement;
mod known_services;
mod like_pattern;
mod reference;
#[cfg(test)]
mod tests;
mod time;
mod train_functions;
mod zones;

use crate::intel::{Indicators, InternalNetworks, Networks};
use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::prelude::SessionContext;
pub use function_doc::FunctionDoc;
pub use reference::{function_docs, markdown, table};
use rollup::coverage::LostTimes;
use std::sync::Arc;

/// The data that functions look things up in.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    /// For `indicator`.
    pub indicators: Arc<Indicators>,
    /// For `network_owner` and `network_service`.
    pub networks: Arc<Networks>,
    /// For `is_internal`.
    pub internal: Arc<InternalNetworks>,
    /// For the judgements of trains.
    pub lost: Arc<LostTimes>,
}

/// Creates all scalar functions.
pub fn scalars(lists: &Lists) -> Vec<ScalarUDF> {
    let Lists { indicators, networks, internal, lost } = lists.clone();
    let mut all = addresses::functions(networks, internal);
    all.push(indicators::function(indicators));
    all.push(known_services::function());
    all.extend(formatting::functions());
    all.extend(time::functions());
    all.extend(zones::functions());
    all.extend(judgement::functions(&lost));
    all.extend(burst::functions());
    all.extend(train_functions::functions(&lost));
    all.extend(history::functions());
    all
}

/// Creates all aggregates.
pub fn aggregates() -> Vec<AggregateUDF> {
    aggregates::functions()
}

/// Registers all functions with a session, and the rule for comparing addresses.
///
/// # Errors
/// When the engine refuses the rule for comparing addresses.
pub fn register(context: &SessionContext, lists: &Lists) -> Result<()> {
    scalars(lists).into_iter().for_each(|function| context.register_udf(function));
    context.register_udf(cardinality::function());
    context.register_udf(like_pattern::function());
    aggregates().into_iter().for_each(|function| context.register_udaf(function));
    let comparison = Arc::new(comparison::AddressComparison::new());
    let state = context.state_ref();
    let mut state = state.write();
    state.register_expr_planner(comparison.clone())?;
    state.register_function_rewrite(comparison)
}
