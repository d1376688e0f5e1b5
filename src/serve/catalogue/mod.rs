//! What clients ask before their users do: the tables of `pg_catalog` and `information_schema`, and the functions by which
//! they find out whom they talk to.
//!
//! The tables are made from those of the session when a statement first reads one; until then they cost nothing. Columns of
//! the tables are listed in `columns.txt`, their rows are in [`relations`]; [`rewrite`] makes the engine's SQL of what only
//! Postgres knows.

mod functions;
mod identifiers;
mod information;
mod keywords;
mod pg_type;
mod query_shape;
mod relations;
pub(super) mod rewrite;
mod setting_functions;
mod table;

use super::error::ServeError;
use super::settings::Settings;
use crate::sql::{CATALOG, Workspace, function_names};
use datafusion::prelude::SessionContext;
use information::Information;
use keywords::Keywords;
use relations::PgCatalog;
use std::sync::Arc;

/// Opens a session over the workspace's tables that also has what clients ask about.
///
/// # Errors
/// [`ServeError::Catalogue`] when the schemas cannot be registered.
pub(super) fn with_catalogue(workspace: &Workspace) -> Result<SessionContext, ServeError> {
    let failed = |error: datafusion::error::DataFusionError| ServeError::Catalogue(error.to_string());
    let context = SessionContext::new_with_state(workspace.context().state());
    // Ours has Postgres's names of types, by which clients tell times from numbers.
    context.state_ref().write().config_mut().options_mut().catalog.information_schema = false;
    let catalogs = context.state().catalog_list().clone();
    let catalog = context.catalog(CATALOG).ok_or_else(|| ServeError::Catalogue(format!("no catalog {CATALOG}")))?;
    let information = Information::new(catalogs).map_err(failed)?;
    catalog.register_schema("information_schema", Arc::new(information)).map_err(failed)?;
    let tables = PgCatalog::new(catalog.clone(), function_names(&context));
    functions::register(&context, tables.names());
    catalog.register_schema("pg_catalog", Arc::new(tables)).map_err(failed)?;
    context.register_udtf("pg_get_keywords", Arc::new(Keywords));
    Ok(context)
}

/// Registers the functions that know the connection.
pub(super) fn register_functions_of(context: &SessionContext, settings: &Arc<Settings>, pid: i32, user: &str) {
    functions::register_of(context, settings, pid, user);
}
