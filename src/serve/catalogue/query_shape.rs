//! What a query reads and how many rows it can have, for the rules of the rewriter.

use super::table::Definitions;
use datafusion::sql::sqlparser::ast::{
    self, Expr, ObjectName, Query, SelectItem, SetExpr, TableFactor, Visit, Visitor, visit_expressions,
};
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::LazyLock;

/// The names of the catalogue's tables.
pub(super) static TABLES: LazyLock<HashSet<String>> =
    LazyLock::new(|| Definitions::new().names().into_iter().collect());

/// Aggregates: functions that make one row from many.
const AGGREGATES: &[&str] = &["array_agg", "avg", "bool_and", "bool_or", "count", "max", "min", "string_agg", "sum"];

/// Returns the last part of a name, in lower case.
pub(super) fn last_of(name: &ObjectName) -> String {
    let last = name.0.last().and_then(|part| part.as_ident());
    last.map_or_else(String::new, |ident| ident.value.to_ascii_lowercase())
}

/// The tables of a query, and their aliases.
#[derive(Default)]
struct Tables {
    names: HashSet<String>,
    /// Whether all are tables of the catalogue.
    others: bool,
    /// The qualifiers of column names.
    owners: HashSet<String>,
    /// Whether the arguments of a function in FROM name columns.
    calls_for_each_row: bool,
}

impl Visitor for Tables {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, args, alias, .. } = factor {
            let last = last_of(name);
            self.others |= args.is_none() && !TABLES.contains(&last);
            self.calls_for_each_row |= args.as_ref().is_some_and(|args| {
                let named = visit_expressions(&args.args, |part| match part {
                    Expr::Identifier(_) | Expr::CompoundIdentifier(_) => ControlFlow::Break(()),
                    _ => ControlFlow::Continue(()),
                });
                named.is_break()
            });
            self.names.insert(last);
            self.names.extend(alias.iter().map(|alias| alias.name.value.to_ascii_lowercase()));
        }
        if let TableFactor::Derived { alias: Some(alias), .. } = factor {
            self.names.insert(alias.name.value.to_ascii_lowercase());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(parts) = expr
            && let [.., owner, _] = parts.as_slice()
        {
            self.owners.insert(owner.value.to_ascii_lowercase());
        }
        ControlFlow::Continue(())
    }
}

fn tables_of(query: &Query) -> Tables {
    let mut tables = Tables::default();
    let _ = Visit::visit(query, &mut tables);
    tables
}

/// Returns whether a query reads only the catalogue.
pub(super) fn of_catalogue(query: &Query) -> bool {
    let tables = tables_of(query);
    !tables.names.is_empty() && !tables.others
}

/// Returns whether FROM has a function whose arguments name columns, such as `generate_series(1, t.n)`.
pub(super) fn calls_for_each_row(query: &Query) -> bool {
    tables_of(query).calls_for_each_row
}

/// Returns whether a query names columns of the query around it.
pub(super) fn is_correlated(query: &Query) -> bool {
    let tables = tables_of(query);
    tables.owners.iter().any(|owner| !tables.names.contains(owner))
}

/// Returns whether a query always has exactly one row; of subqueries that depend on a row, the engine accepts only
/// these.
pub(super) fn is_aggregate(query: &Query) -> bool {
    let SetExpr::Select(select) = query.body.as_ref() else { return false };
    let expr = match select.projection.as_slice() {
        [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] => expr,
        _ => return false,
    };
    matches!(expr, Expr::Function(function) if AGGREGATES.contains(&last_of(&function.name).as_str()))
        && matches!(&select.group_by, ast::GroupByExpr::Expressions(by, _) if by.is_empty())
}
