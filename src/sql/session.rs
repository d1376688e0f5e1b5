//! A DataFusion session with flowsift's tables and functions.

use super::SqlError;
use super::engine::with_narrow_filters;
use super::functions::{self, Lists};
use super::memory::SharedMemory;
use super::tables::in_memory::{BATCH_ROWS, memory_table};
use super::tables::spilled::SpilledTable;
use arrow::array::RecordBatch;
use datafusion::execution::FunctionRegistry;
use datafusion::prelude::{SessionConfig, SessionContext};
use rollup::derive::StoredTable;
use std::sync::Arc;

/// The catalog of every session, whose schema `public` holds the tables.
pub const CATALOG: &str = "flowsift";

/// The time zone of queries: that of the tables' times.
pub const TIME_ZONE: &str = "UTC";

/// Sets how people's queries are read, other than detections.
///
/// `now()`, `to_timestamp` and `::timestamptz` return times of UTC, as the tables' times are: without a zone, clients
/// read them as local. NULL sorts last in both directions: the first rows of `ORDER BY sum(bytes_out) DESC` are the
/// largest sums, not those of nothing.
///
/// # Errors
/// When the engine refuses a function of the same name.
pub(super) fn set_habits(context: &SessionContext) -> datafusion::error::Result<()> {
    let state = context.state_ref();
    let mut state = state.write();
    let options = state.config_mut().options_mut();
    options.execution.time_zone = Some(TIME_ZONE.to_owned());
    options.sql_parser.default_null_ordering = "nulls_last".to_owned();
    let options = state.config().options().clone();
    let functions = state.scalar_functions().values();
    let changed: Vec<_> = functions.filter_map(|function| function.inner().with_updated_config(&options)).collect();
    changed.into_iter().try_for_each(|function| state.register_udf(Arc::new(function)).map(drop))
}

/// Opens a session on `threads` partitions with the given tables and all functions, which look things up in `lists`,
/// without a memory limit.
///
/// # Errors
/// [`SqlError::Query`] when a table cannot be registered.
pub fn open_session(
    tables: Vec<(&str, Vec<RecordBatch>)>,
    lists: &Lists,
    threads: usize,
) -> Result<SessionContext, SqlError> {
    open_session_within(tables, lists, threads, &SharedMemory::default())
}

/// Opens a session like [`open_session`] whose plans stay within `memory`.
///
/// # Errors
/// [`SqlError::Query`] when a table cannot be registered.
pub fn open_session_within(
    tables: Vec<(&str, Vec<RecordBatch>)>,
    lists: &Lists,
    threads: usize,
    memory: &SharedMemory,
) -> Result<SessionContext, SqlError> {
    let context = open_empty_session(threads, memory)?;
    furnish(&context, tables, lists, threads)?;
    Ok(context)
}

/// Opens a session on `threads` partitions whose plans stay within `memory`; [`furnish`] fills it.
///
/// # Errors
/// [`SqlError::Query`] when the memory pool cannot be set up.
pub fn open_empty_session(threads: usize, memory: &SharedMemory) -> Result<SessionContext, SqlError> {
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema(CATALOG, "public")
        .with_target_partitions(threads.max(1))
        .with_batch_size(BATCH_ROWS)
        // The tables have as many partitions as there are threads; repartitioning would only lose their order.
        .with_round_robin_repartition(false)
        .with_information_schema(true)
        .with_collect_statistics(false);
    // Made for files. On tables in memory it moves `b['x']` below the filters, and with it the statistic that computes
    // `b`.
    config.options_mut().optimizer.enable_leaf_expression_pushdown = false;
    let plans = memory.for_plans().map_err(|error| SqlError::query("session", error))?;
    if let Some(bytes) = plans.set_aside {
        let aside = &mut config.options_mut().execution.sort_spill_reservation_bytes;
        let each = bytes / threads.max(1);
        // The engine's 10 MB per thread exceed a small limit; this is enough for the sorts of detections.
        *aside = if plans.large_sorts { each } else { each.min(*aside) };
    }
    Ok(with_narrow_filters(SessionContext::new_with_config_rt(config, plans.runtime)))
}

/// Adds tables of `threads` partitions and all functions, which look things up in `lists`, to an empty session.
///
/// # Errors
/// [`SqlError::Query`] when a table cannot be registered.
pub fn furnish(
    context: &SessionContext,
    tables: Vec<(&str, Vec<RecordBatch>)>,
    lists: &Lists,
    threads: usize,
) -> Result<(), SqlError> {
    functions::register(context, lists).map_err(|error| SqlError::query("functions", error))?;
    tables.into_iter().try_for_each(|(name, batches)| add_batches(context, name, &batches, threads))
}

fn add_batches(context: &SessionContext, name: &str, batches: &[RecordBatch], threads: usize) -> Result<(), SqlError> {
    let Some(first) = batches.first() else { return Ok(()) };
    let failed = |error| SqlError::query(name, error);
    let table = memory_table(first.schema(), batches, threads).map_err(failed)?;
    context.register_table(name, Arc::new(table)).map_err(failed)?;
    Ok(())
}

/// Adds a table whose rows may be on disk.
///
/// # Errors
/// [`SqlError::Query`] when it cannot be registered.
pub fn add_table(context: &SessionContext, name: &str, table: &StoredTable, threads: usize) -> Result<(), SqlError> {
    if let Some(batches) = table.in_memory() {
        return add_batches(context, name, &batches, threads);
    }
    let spilled = SpilledTable::new(table, threads.max(1));
    context.register_table(name, Arc::new(spilled)).map_err(|error| SqlError::query(name, error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::run;
    use super::*;
    use arrow::array::{ArrayRef, AsArray, Int64Array};
    use arrow::datatypes::Int64Type;

    fn table(values: std::ops::Range<i64>) -> RecordBatch {
        let values: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
        RecordBatch::try_from_iter([("n", values)]).unwrap()
    }

    #[tokio::test]
    async fn rows_come_in_order_on_any_number_of_threads() {
        for threads in [1, 2, 5] {
            let session = open_session(vec![("t", vec![table(0..40_000)])], &Lists::default(), threads).unwrap();
            let found = run(&session, "q", "SELECT n FROM t WHERE n % 3 = 0").await.unwrap();
            let found: Vec<i64> =
                found.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec()).collect();
            assert_eq!(found, (0..40_000).step_by(3).collect::<Vec<i64>>(), "{threads}");
        }
    }
}
