//! What clients ask before their users do: the tables of `pg_catalog` and `information_schema`, and the functions that
//! describe the server and the session.
//!
//! The tables are computed from the session's tables when a statement first reads one; until then they cost nothing.
//! `columns.txt` lists the columns of the tables, and [`relations`] has their rows. [`rewrite`] turns SQL that only
//! Postgres understands into the engine's.

mod composites;
mod functions;
mod identifiers;
mod information;
mod keywords;
mod lookup_functions;
mod pg_type;
mod query_shape;
mod relations;
pub(super) mod rewrite;
mod setting_functions;
mod sizes;
mod table;

use super::error::ServeError;
use super::settings::Settings;
use crate::sql::{CATALOG, Workspace, function_names};
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use information::Information;
use keywords::Keywords;
use relations::PgCatalog;
use std::sync::Arc;

/// Opens a session over the workspace's tables, with the catalogue that clients ask for.
///
/// # Errors
/// [`ServeError::Catalogue`] when the schemas cannot be registered.
pub(super) fn with_catalogue(workspace: &Workspace) -> Result<SessionContext, ServeError> {
    let failed = |error: DataFusionError| ServeError::Catalogue(Box::new(error));
    let context = SessionContext::new_with_state(workspace.context().state());
    // Ours has Postgres's type names, which clients use to tell times from numbers.
    context.state_ref().write().config_mut().options_mut().catalog.information_schema = false;
    let catalogs = context.state().catalog_list().clone();
    let catalog =
        context.catalog(CATALOG).ok_or_else(|| failed(DataFusionError::Internal(format!("no catalog {CATALOG}"))))?;
    let information = Information::new(catalogs).map_err(failed)?;
    catalog.register_schema("information_schema", Arc::new(information)).map_err(failed)?;
    let tables = PgCatalog::new(catalog.clone(), function_names(&context));
    functions::register(&context, tables.names());
    catalog.register_schema("pg_catalog", Arc::new(tables)).map_err(failed)?;
    context.register_udtf("pg_get_keywords", Arc::new(Keywords));
    Ok(context)
}

/// Registers the functions that depend on the connection.
pub(super) fn register_functions_of(context: &SessionContext, settings: &Arc<Settings>, pid: i32, user: &str) {
    functions::register_of(context, settings, pid, user);
}
