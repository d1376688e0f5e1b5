//! The heads of columns: what a person wrote, not the engine's inner names.
//!
//! A call is headed by its function, as in Postgres (`count`, `sum`); any other expression, and each of several calls of
//! one function, by its text as written (`a || NULL`, `sum(bytes)`). The heads are names: `ORDER BY count` sorts by the
//! column, and a query around this one can use them.
//!
//! The engine refuses a name that comes twice in a list. The later column then has a mark and its place behind its name;
//! [`head`] takes them off where rows are shown.

use super::list_texts::ListTexts;
use datafusion::sql::parser::{CopyToSource, Statement};
use datafusion::sql::sqlparser::ast::{
    Distinct, Expr, Ident, ObjectName, OrderBy, OrderByExpr, OrderByKind, OrderByOptions, Query, Select, SelectFlavor,
    SelectItem, SetExpr, Value, VisitMut, VisitorMut, WildcardAdditionalOptions,
};
use std::collections::HashSet;
use std::ops::ControlFlow;

/// Stands between a name and the place of its column.
const MARK: char = '\u{1}';

/// Returns the head of a column of this name.
pub fn head(name: &str) -> &str {
    match name.rsplit_once(MARK) {
        Some((head, place)) if !place.is_empty() && place.bytes().all(|byte| byte.is_ascii_digit()) => head,
        _ => name,
    }
}

/// Returns a text in which names of columns may stand, such as a plan, without their marks.
pub fn without_marks(text: &str) -> String {
    let mut parts = text.split(MARK);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.trim_start_matches(|letter: char| letter.is_ascii_digit()))
}

/// Names the columns of a statement and of the queries in it; `sql` is its text.
pub(super) fn name_columns(statement: &mut Statement, sql: &str) {
    match statement {
        Statement::Statement(statement) => drop(statement.visit(&mut Namer::of(sql, MARK))),
        Statement::Explain(explain) => name_columns(&mut explain.statement, sql),
        Statement::CopyTo(copy) => {
            if let CopyToSource::Query(query) = &mut copy.source {
                // A file shows names as they are.
                let _ = query.visit(&mut Namer::of(sql, '_'));
            }
        }
        Statement::CreateExternalTable(_) | Statement::Reset(_) => {}
    }
}

struct Namer<'a> {
    texts: ListTexts<'a>,
    mark: char,
}

impl VisitorMut for Namer<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let distinct = distinct_list(&query.body);
        let marked = self.name_lists(&mut query.body);
        let Some(OrderBy { kind, .. }) = &mut query.order_by else { return ControlFlow::Continue(()) };
        if let (OrderByKind::Expressions(by), SetExpr::Select(select)) = (&mut *kind, query.body.as_ref())
            && let [OrderByExpr { expr: Expr::Identifier(name), options, .. }] = by.as_slice()
            && name.quote_style.is_none()
            && name.value.eq_ignore_ascii_case("all")
        {
            *kind = order_by_all(select, *options);
        }
        if let OrderByKind::Expressions(by) = kind {
            for expr in by.iter_mut().map(|by| &mut by.expr) {
                // After DISTINCT, the engine takes only names.
                if let Some(place) = distinct.iter().position(|item| item == expr)
                    && let Some(name) = alias_at(&query.body, place)
                {
                    *expr = Expr::Identifier(name);
                    continue;
                }
                let Expr::Identifier(name) = expr else { continue };
                let wanted = folded(name);
                let mut fitting = marked.iter().filter(|marked| head(marked) == wanted);
                if let (Some(only), None) = (fitting.next(), fitting.next()) {
                    *expr = Expr::Identifier(quoted(only));
                }
            }
        }
        ControlFlow::Continue(())
    }
}

impl<'a> Namer<'a> {
    fn of(sql: &'a str, mark: char) -> Self {
        Self { texts: ListTexts::of(sql), mark }
    }

    /// Names the columns of all SELECTs of a query; returns the marked names of calls beside a `*`.
    fn name_lists(&self, body: &mut SetExpr) -> Vec<String> {
        match body {
            SetExpr::Select(select) => self.name_list(select),
            SetExpr::SetOperation { left, right, .. } => {
                self.name_lists(right);
                self.name_lists(left)
            }
            // A query in parentheses is visited by itself.
            _ => Vec::new(),
        }
    }

    fn name_list(&self, select: &mut Select) -> Vec<String> {
        if select.flavor == SelectFlavor::FromFirstNoSelect {
            // `FROM flows LIMIT 1`
            select.projection = vec![SelectItem::Wildcard(WildcardAdditionalOptions::default())];
        }
        select.flavor = SelectFlavor::Standard;
        let is_wild = |item: &SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
        let beside_all = select.projection.iter().any(is_wild);
        let texts = self.texts.items(select);
        let functions: Vec<Option<String>> = select
            .projection
            .iter()
            .map(|item| match item {
                SelectItem::UnnamedExpr(expr) => function_of(expr),
                _ => None,
            })
            .collect();
        let is_called_once = |name: &String| functions.iter().flatten().filter(|other| *other == name).count() == 1;
        let mut taken: HashSet<String> = HashSet::new();
        // Names of columns that stand behind the name of their table.
        let mut of_tables: HashSet<String> = HashSet::new();
        let mut marked = Vec::new();
        for (place, item) in select.projection.iter_mut().enumerate() {
            let mark = |name: &str| format!("{name}{}{}", self.mark, place + 1);
            match item {
                SelectItem::ExprWithAlias { alias, .. } => {
                    let name = folded(alias);
                    if !beside_all && taken.contains(&name) {
                        *alias = quoted(&mark(&name));
                    }
                    taken.insert(name);
                }
                SelectItem::UnnamedExpr(Expr::Identifier(name)) => {
                    let name = folded(name);
                    if beside_all || taken.contains(&name) || of_tables.contains(&name) {
                        give_name(item, &mark(&name));
                    }
                    taken.insert(name);
                }
                SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => {
                    // Columns of two tables may share a name, one column may not come twice.
                    let whole = parts.iter().map(folded).collect::<Vec<_>>().join(".");
                    let name = parts.last().map(folded).unwrap_or_default();
                    if beside_all || taken.contains(&name) || !taken.insert(whole) {
                        give_name(item, &mark(&name));
                    }
                    of_tables.insert(name);
                }
                SelectItem::UnnamedExpr(expr) => {
                    let function = functions[place].clone();
                    let is_call = function.is_some();
                    let text = || texts.as_ref().map_or_else(|| expr.to_string(), |texts| texts[place].clone());
                    let name = function.filter(is_called_once).unwrap_or_else(text);
                    // A table may well have a column `count`, but none that is called `bytes * 8`.
                    let beside = beside_all && is_call;
                    if beside || taken.contains(&name) {
                        let name = mark(&name);
                        give_name(item, &name);
                        marked.extend(beside.then_some(name));
                    } else {
                        give_name(item, &name);
                    }
                    taken.insert(name);
                }
                _ => {}
            }
        }
        marked
    }
}

/// Returns the expressions of a SELECT DISTINCT that have no name yet, each at its place; nothing for other queries.
fn distinct_list(body: &SetExpr) -> Vec<Expr> {
    let SetExpr::Select(select) = body else { return Vec::new() };
    if !matches!(select.distinct, Some(Distinct::Distinct)) {
        return Vec::new();
    }
    let null = || Expr::Value(Value::Null.with_empty_span());
    let expr_of = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(expr) => expr.clone(),
        _ => null(),
    };
    select.projection.iter().map(expr_of).collect()
}

/// Returns the alias of an item of a SELECT list.
fn alias_at(body: &SetExpr, place: usize) -> Option<Ident> {
    let SetExpr::Select(select) = body else { return None };
    match select.projection.get(place)? {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.clone()),
        _ => None,
    }
}

/// Returns the order by all columns of a list, in their order.
fn order_by_all(select: &Select, options: OrderByOptions) -> OrderByKind {
    let is_wild = |item: &SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
    if select.projection.iter().any(is_wild) {
        return OrderByKind::All(options);
    }
    let place = |place: usize| Expr::Value(Value::Number(place.to_string(), false).with_empty_span());
    let by = (1..=select.projection.len()).map(|at| OrderByExpr { expr: place(at), options, with_fill: None });
    OrderByKind::Expressions(by.collect())
}

/// Returns the function that an expression calls, in lower case; `None` when it is more than a call.
fn function_of(expr: &Expr) -> Option<String> {
    let last_of = |name: &ObjectName| name.0.last().and_then(|part| part.as_ident()).map(folded);
    let name = match expr {
        Expr::Function(function) => return last_of(&function.name),
        Expr::Extract { .. } => "extract",
        Expr::Ceil { .. } => "ceil",
        Expr::Floor { .. } => "floor",
        Expr::Position { .. } => "position",
        Expr::Substring { .. } => "substring",
        Expr::Trim { .. } => "trim",
        Expr::Overlay { .. } => "overlay",
        _ => return None,
    };
    Some(name.to_owned())
}

/// Returns a name as the engine reads it.
fn folded(name: &Ident) -> String {
    if name.quote_style.is_none() { name.value.to_lowercase() } else { name.value.clone() }
}

fn quoted(name: &str) -> Ident {
    Ident::with_quote('"', name)
}

fn give_name(item: &mut SelectItem, name: &str) {
    if let SelectItem::UnnamedExpr(expr) = item {
        *item = SelectItem::ExprWithAlias { expr: super::take(expr), alias: quoted(name) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::sql::parser::DFParser;

    /// The statement with its names; a mark shows as `!`.
    fn named(sql: &str) -> String {
        let mut statement = DFParser::parse_sql(sql).unwrap().pop_front().unwrap();
        name_columns(&mut statement, sql);
        statement.to_string().replace(MARK, "!")
    }

    #[test]
    fn columns_are_called_what_a_person_wrote() {
        for (sql, expected) in [
            ("SELECT COUNT( * ), a FROM t", r#"SELECT COUNT(*) AS "count", a FROM t"#),
            ("SELECT a||NULL /* b */ , 1", r#"SELECT a || NULL AS "a||NULL", 1 AS "1""#),
            (
                "SELECT sum(a), sum( b ), max(c) FROM t",
                r#"SELECT sum(a) AS "sum(a)", sum(b) AS "sum( b )", max(c) AS "max" FROM t"#,
            ),
            ("SELECT DISTINCT a\n  + 1 FROM t", r#"SELECT DISTINCT a + 1 AS "a + 1" FROM t"#),
            (
                "SELECT a IS DISTINCT FROM b, extract(hour FROM c) FROM t",
                r#"SELECT a IS DISTINCT FROM b AS "a IS DISTINCT FROM b", EXTRACT(HOUR FROM c) AS "extract" FROM t"#,
            ),
            (
                "SELECT window(c, '5 minutes'), [1, 2], (SELECT max(a) FROM t)",
                r#"SELECT window(c, '5 minutes') AS "window", [1, 2] AS "[1, 2]", (SELECT max(a) AS "max" FROM t) AS "(SELECT max(a) FROM t)""#,
            ),
            (
                "WITH x AS (SELECT count(*) FROM t) SELECT count FROM x UNION SELECT 'é', ORDER BY count",
                r#"WITH x AS (SELECT count(*) AS "count" FROM t) SELECT count FROM x UNION SELECT 'é' AS "'é'" ORDER BY count"#,
            ),
            (
                "SELECT DISTINCT upper(a) FROM t ORDER BY upper(a) DESC",
                r#"SELECT DISTINCT upper(a) AS "upper" FROM t ORDER BY "upper" DESC"#,
            ),
            ("SELECT a, b FROM t ORDER BY ALL DESC", "SELECT a, b FROM t ORDER BY 1 DESC, 2 DESC"),
            ("SELECT * FROM t ORDER BY ALL", "SELECT * FROM t ORDER BY ALL"),
            ("FROM t LIMIT 1", "SELECT * FROM t LIMIT 1"),
            ("FROM t SELECT a || b", r#"SELECT a || b AS "a || b" FROM t"#),
        ] {
            assert_eq!(named(sql), expected, "{sql}");
        }
    }

    #[test]
    fn no_name_comes_twice() {
        for (sql, expected) in [
            ("SELECT a, A, a + 1 AS a", r#"SELECT a, A AS "a!2", a + 1 AS "a!3""#),
            ("SELECT t.a, a FROM t", r#"SELECT t.a, a AS "a!2" FROM t"#),
            ("SELECT t.a, u.a, t.a FROM t, u", r#"SELECT t.a, u.a, t.a AS "a!3" FROM t, u"#),
            ("SELECT sum(a), sum(a) FROM t", r#"SELECT sum(a) AS "sum(a)", sum(a) AS "sum(a)!2" FROM t"#),
            (
                "SELECT *, count(*) OVER (), a * 8, a FROM t ORDER BY count",
                r#"SELECT *, count(*) OVER () AS "count!2", a * 8 AS "a * 8", a AS "a!4" FROM t ORDER BY "count!2""#,
            ),
            ("SELECT *, a AS b FROM t ORDER BY b", "SELECT *, a AS b FROM t ORDER BY b"),
        ] {
            assert_eq!(named(sql), expected, "{sql}");
        }
        assert_eq!(without_marks("count\u{1}12, a"), "count, a");
        assert_eq!(["sum\u{1}2", "sum", "\u{1}", "a\u{1}b"].map(head), ["sum", "sum", "\u{1}", "a\u{1}b"]);
    }
}
