//! The words that a statement can use: keywords, tables and functions.

use datafusion::prelude::SessionContext;
use std::collections::BTreeSet;

/// Words that begin or join statements, for completion and for suggestions.
pub const KEYWORDS: &[&str] = &[
    "ALL",
    "ANALYZE",
    "AND",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "COPY",
    "CREATE",
    "CROSS",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "DROP",
    "ELSE",
    "END",
    "EXCEPT",
    "EXISTS",
    "EXPLAIN",
    "EXTRACT",
    "FALSE",
    "FILTER",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "IN",
    "INNER",
    "INTERSECT",
    "INTERVAL",
    "IS",
    "JOIN",
    "LEFT",
    "LIKE",
    "LIMIT",
    "NOT",
    "NULL",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "PARTITION",
    "RIGHT",
    "SELECT",
    "SET",
    "SHOW",
    "TABLE",
    "THEN",
    "TRUE",
    "UNION",
    "USING",
    "VALUES",
    "VIEW",
    "WHEN",
    "WHERE",
    "WITH",
];

/// Returns the tables that a statement can name, sorted.
pub fn table_names(context: &SessionContext) -> Vec<String> {
    let catalogs = context.catalog_names().into_iter().filter_map(|name| context.catalog(&name));
    let schemas = catalogs.flat_map(|catalog| {
        let names =
            catalog.schema_names().into_iter().filter(|name| !name.ends_with("_schema") && name != "pg_catalog");
        names.filter_map(|name| catalog.schema(&name)).collect::<Vec<_>>()
    });
    let names: BTreeSet<String> = schemas.flat_map(|schema| schema.table_names()).collect();
    names.into_iter().collect()
}

/// Returns the functions that a statement can call, sorted.
pub fn function_names(context: &SessionContext) -> Vec<String> {
    let state = context.state();
    let scalar = state.scalar_functions().keys();
    let all = scalar.chain(state.aggregate_functions().keys()).chain(state.window_functions().keys());
    all.cloned().collect::<BTreeSet<_>>().into_iter().collect()
}
