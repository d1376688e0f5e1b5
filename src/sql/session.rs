//! A DataFusion session with flowsift's tables and functions.

use arrow::array::RecordBatch;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::{SessionConfig, SessionContext};
use std::sync::Arc;

/// Says why SQL did not run.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// The SQL itself, or its data.
    #[error("{name}: {error}")]
    Query {
        /// What was run, such as the name of a detection.
        name: String,
        /// What the engine said.
        error: Box<DataFusionError>,
    },
    /// A parameter is named in the SQL but has no value.
    #[error("{name}: no value for the parameter `${parameter}`; known are: {known}")]
    Parameter {
        /// What was run.
        name: String,
        /// The parameter.
        parameter: String,
        /// The names that have values.
        known: String,
    },
}

/// Opens a session on `threads` partitions with the given tables and functions.
///
/// # Errors
/// [`SqlError::Query`] when a table cannot be registered.
pub fn open_session(
    tables: Vec<(&str, Vec<RecordBatch>)>,
    functions: Vec<ScalarUDF>,
    threads: usize,
) -> Result<SessionContext, SqlError> {
    let config = SessionConfig::new()
        .with_target_partitions(threads.max(1))
        .with_information_schema(true)
        .with_collect_statistics(false);
    let context = SessionContext::new_with_config(config);
    for function in functions {
        context.register_udf(function);
    }
    for (name, batches) in tables {
        let Some(first) = batches.first() else { continue };
        let failed = |error: DataFusionError| SqlError::Query { name: name.to_owned(), error: Box::new(error) };
        let table = MemTable::try_new(first.schema(), vec![batches]).map_err(failed)?;
        context.register_table(name, Arc::new(table)).map_err(failed)?;
    }
    Ok(context)
}

/// Runs one query and collects its rows; `name` is for messages.
///
/// # Errors
/// [`SqlError::Query`] when the SQL is wrong or fails.
pub async fn run(context: &SessionContext, name: &str, sql: &str) -> Result<Vec<RecordBatch>, SqlError> {
    let failed = |error: DataFusionError| SqlError::Query { name: name.to_owned(), error: Box::new(error) };
    context.sql(sql).await.map_err(failed)?.collect().await.map_err(failed)
}
