//! SQL as people and clients of Postgres write it, in the form that the engine plans.
//!
//! Each rule below works on the parsed statement: what it does not cover stays as it is, with its position for messages.
//! A rule exists where the engine refuses a common form, or means something else by it.

mod heads;
mod list_texts;
mod summarize;

use super::array_text::array_elements;
use datafusion::sql::parser::{CopyToSource, Statement};
use datafusion::sql::sqlparser::ast::{
    AccessExpr, Array, ArrayElemTypeDef, BinaryOperator, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, ObjectName, Value, ValueWithSpan, VisitMut, VisitorMut,
};
use std::ops::ControlFlow;

/// Rewrites a statement in place, and names its columns; `sql` is the text that it was read from.
pub fn adapt(statement: &mut Statement, sql: &str) {
    heads::name_columns(statement, sql);
    rewrite(statement);
}

fn rewrite(statement: &mut Statement) {
    match statement {
        Statement::Statement(statement) => drop(statement.visit(&mut Adapter)),
        Statement::Explain(explain) => rewrite(&mut explain.statement),
        Statement::CopyTo(copy) => {
            if let CopyToSource::Query(query) = &mut copy.source {
                let _ = query.visit(&mut Adapter);
            }
        }
        Statement::CreateExternalTable(_) | Statement::Reset(_) => {}
    }
}

pub use heads::{head, without_marks};
pub use summarize::summarized;

struct Adapter;

impl VisitorMut for Adapter {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::CompoundFieldAccess { root, access_chain } => field_names(root, access_chain),
            Expr::AtTimeZone { timestamp, time_zone } => {
                let (time, zone) = (take(timestamp), take(time_zone));
                *expr = call("timezone", vec![zone, time]);
            }
            Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } => {
                escape_by_backslash(pattern, escape_char);
            }
            Expr::Cast { expr: operand, data_type: DataType::Array(item), .. } => {
                if let Some(elements) = text_of(operand).and_then(array_elements) {
                    **operand = array(elements, item);
                }
            }
            Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => {
                if let Some(other) = in_list(left, right, false) {
                    *expr = other;
                }
            }
            Expr::AllOp { left, compare_op: BinaryOperator::NotEq, right } => {
                if let Some(other) = in_list(left, right, true) {
                    *expr = other;
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn take(expr: &mut Expr) -> Expr {
    std::mem::replace(expr, Expr::Value(Value::Null.with_empty_span()))
}

fn text(value: String) -> Expr {
    Expr::Value(Value::SingleQuotedString(value).with_empty_span())
}

fn text_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => Some(text),
        Expr::Nested(inner) => text_of(inner),
        _ => None,
    }
}

/// Returns a call of a function with arguments in their order.
pub(crate) fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let args = arguments.into_iter().map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))).collect();
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// `beacon(start).period_s` and `(beacon(start)).period_s`: the engine knows `['period_s']`.
fn field_names(root: &Expr, chain: &mut [AccessExpr]) {
    // After a name, dots may still separate the parts of a column's name.
    if matches!(root, Expr::Identifier(_)) {
        return;
    }
    for access in chain {
        if let AccessExpr::Dot(name @ Expr::Identifier(_)) = access
            && let Expr::Identifier(ident) = take(name)
        {
            let value = if ident.quote_style.is_none() { ident.value.to_lowercase() } else { ident.value };
            *name = text(value);
        }
    }
}

/// `LIKE 'a/_%' ESCAPE '/'`: the engine escapes by a backslash only.
fn escape_by_backslash(pattern: &mut Expr, escape: &mut Option<ValueWithSpan>) {
    if let Some(ValueWithSpan { value: Value::SingleQuotedString(by), .. }) = escape.as_ref()
        && by != "\\"
    {
        let by = text(by.clone());
        *pattern = call("like_pattern", vec![take(pattern), by]);
        *escape = None;
    }
}

/// `'{443,80}'::int[]`, as an array whose elements are cast one by one.
fn array(elements: Vec<Option<String>>, item: &ArrayElemTypeDef) -> Expr {
    let kind = match item {
        ArrayElemTypeDef::AngleBracket(kind)
        | ArrayElemTypeDef::SquareBracket(kind, _)
        | ArrayElemTypeDef::Parenthesis(kind) => Some(kind.as_ref()),
        ArrayElemTypeDef::None => None,
    };
    let elem = elements.into_iter().map(|element| {
        let value = element.map_or_else(|| Expr::Value(Value::Null.with_empty_span()), text);
        match kind {
            Some(kind) => cast(value, kind.clone()),
            None => value,
        }
    });
    Expr::Array(Array { elem: elem.collect(), named: true })
}

fn cast(expr: Expr, data_type: DataType) -> Expr {
    let kind = datafusion::sql::sqlparser::ast::CastKind::Cast;
    Expr::Cast { kind, expr: Box::new(expr), data_type, array: false, format: None }
}

/// `x = ANY('{a,b}')` and `x = ANY(ARRAY[a, b])` as `x IN (a, b)`, which rules out objects; `<> ALL` as NOT IN.
fn in_list(left: &mut Expr, right: &mut Expr, negated: bool) -> Option<Expr> {
    let list = match &mut *right {
        Expr::Array(Array { elem, .. }) if elem.iter().all(|part| !matches!(part, Expr::Array(_))) => {
            std::mem::take(elem)
        }
        other => {
            let null = || Expr::Value(Value::Null.with_empty_span());
            array_elements(text_of(other)?)?.into_iter().map(|element| element.map_or_else(null, text)).collect()
        }
    };
    if list.is_empty() {
        // Nothing equals any of no elements, and everything differs from all of them.
        return Some(Expr::Value(Value::Boolean(negated).with_empty_span()));
    }
    Some(Expr::InList { expr: Box::new(take(left)), list, negated })
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::sql::parser::DFParser;

    fn adapted(sql: &str) -> String {
        let mut statement = DFParser::parse_sql(sql).unwrap().pop_front().unwrap();
        rewrite(&mut statement);
        statement.to_string()
    }

    #[test]
    fn common_forms_become_the_engines() {
        for (sql, expected) in [
            ("SELECT beacon(start).period_s FROM t", "SELECT beacon(start).'period_s' FROM t"),
            ("SELECT (beacon(start)).Period_S FROM t", "SELECT (beacon(start)).'period_s' FROM t"),
            ("SELECT t.start, s.a.b FROM t", "SELECT t.start, s.a.b FROM t"),
            ("SELECT a AT TIME ZONE 'Asia/Tokyo'", "SELECT timezone('Asia/Tokyo', a)"),
            ("SELECT a LIKE 'pg/_' || '%' ESCAPE '/'", "SELECT a LIKE like_pattern('pg/_' || '%', '/')"),
            ("SELECT a LIKE 'a_' ESCAPE '\\'", "SELECT a LIKE 'a_' ESCAPE '\\'"),
            (
                "SELECT '{443, \"80\",NULL}'::int[]",
                "SELECT ARRAY[CAST('443' AS INT), CAST('80' AS INT), CAST(NULL AS INT)]::INT[]",
            ),
            ("SELECT a = ANY('{b,c}')", "SELECT a IN ('b', 'c')"),
            ("SELECT a = ANY(ARRAY[1, 2])", "SELECT a IN (1, 2)"),
            ("SELECT a <> ALL('{b}')", "SELECT a NOT IN ('b')"),
            ("SELECT a = ANY('{}'), a <> ALL('{}')", "SELECT false, true"),
            ("SELECT a = ANY(b), a < ANY(ARRAY[1])", "SELECT a = ANY(b), a < ANY(ARRAY[1])"),
            ("EXPLAIN SELECT a = ANY(ARRAY[1])", "EXPLAIN SELECT a IN (1)"),
        ] {
            assert_eq!(adapted(sql), expected, "{sql}");
        }
    }
}
