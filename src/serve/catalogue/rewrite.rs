//! Rewrites statements about the catalogue so that the engine can plan them.
//!
//! Clients write SQL that only Postgres understands: names that resolve to OIDs, operators and functions qualified by
//! their schema, arrays as text. Each rule below expresses one of these in the engine's SQL; anything that no rule
//! covers stays as it is.

use super::composites::without_absent_types;
use super::query_shape::{TABLES, calls_for_each_row, is_aggregate, is_correlated, last_of, of_catalogue};
use crate::sql::call;
use datafusion::sql::sqlparser::ast::{
    Array, ArrayElemTypeDef, BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, Ident, ObjectNamePart, Query, Select, SelectItem, SetExpr, Statement, TableFactor, Value,
    VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use std::ops::ControlFlow;

/// Parses statements as Postgres does, and rewrites them for the engine.
///
/// # Errors
/// When they cannot be parsed.
pub(in crate::serve) fn parsed(sql: &str) -> Result<Vec<Statement>, ParserError> {
    let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql)?;
    for statement in &mut statements {
        let _ = statement.visit(&mut Rewriter);
    }
    Ok(statements)
}

/// Types whose values are OIDs; the engine stores them as integers.
const OID_TYPES: &[&str] = &[
    "oid",
    "regclass",
    "regcollation",
    "regconfig",
    "regdictionary",
    "regnamespace",
    "regoper",
    "regoperator",
    "regproc",
    "regprocedure",
    "regrole",
    "regtype",
];

struct Rewriter;

impl VisitorMut for Rewriter {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let SetExpr::Select(select) = query.body.as_mut() {
            projection(select);
        }
        if let SetExpr::SetOperation { left, right, .. } = query.body.as_mut() {
            operands(left);
            operands(right);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, args, .. } = factor {
            match args {
                // The engine knows functions by their last name.
                Some(args) => {
                    name.0 = name.0.split_off(name.0.len().saturating_sub(1));
                    if last_of(name) == "generate_series" {
                        args.args.iter_mut().for_each(as_bigint);
                    }
                }
                // `pg_catalog` is on every search path.
                None if name.0.len() == 1 && TABLES.contains(&last_of(name)) => {
                    name.0.insert(0, ObjectNamePart::Identifier(Ident::new("pg_catalog")));
                }
                None => {}
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Some(other) = rewritten(expr) {
            *expr = other;
        }
        ControlFlow::Continue(())
    }
}

/// Returns the replacement of an expression, before its parts are visited; `None` to keep it.
fn rewritten(expr: &mut Expr) -> Option<Expr> {
    match expr {
        Expr::Identifier(name) if name.quote_style.is_none() && name.value.eq_ignore_ascii_case("current_schema") => {
            Some(call("current_schema", Vec::new()))
        }
        // There is only one collation.
        Expr::Collate { expr, .. } => {
            let mut inner = std::mem::replace(expr.as_mut(), null());
            Some(rewritten(&mut inner).unwrap_or(inner))
        }
        Expr::Function(function) => function_call(function),
        Expr::BinaryOp { left, op, right } => {
            operator(op);
            namespace_name(left, op, right);
            namespace_name(right, op, left);
            None
        }
        Expr::AnyOp { right, .. } | Expr::AllOp { right, .. } => {
            array_literal(right, true);
            None
        }
        Expr::Cast { expr: operand, data_type, kind, .. } => cast(operand, data_type, kind),
        Expr::Case { conditions, .. } => {
            conditions.iter_mut().for_each(without_absent_types);
            None
        }
        Expr::Subquery(query) if of_catalogue(query) && !can_be_planned(query) => Some(null()),
        _ => None,
    }
}

/// Returns whether the engine can plan a subquery: one that names columns of the query around it must have exactly one
/// row, and none may generate a series per row.
fn can_be_planned(query: &Query) -> bool {
    !is_correlated(query) || (is_aggregate(query) && !calls_for_each_row(query))
}

fn null() -> Expr {
    Expr::Value(Value::Null.with_empty_span())
}

fn text(value: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(value.to_owned()).with_empty_span())
}

fn text_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

fn is_parameter(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(value) if matches!(value.value, Value::Placeholder(_)))
}

/// Calls functions by their last name; arrays of subqueries that the engine cannot plan become NULL.
fn function_call(function: &mut Function) -> Option<Expr> {
    function.name.0 = function.name.0.split_off(function.name.0.len().saturating_sub(1));
    match (last_of(&function.name).as_str(), &function.args) {
        ("current_catalog", FunctionArguments::None) => Some(call("current_database", Vec::new())),
        ("array", FunctionArguments::Subquery(query)) if of_catalogue(query) => {
            // With the type of an array, which a bare NULL does not have.
            Some(call("string_to_array", vec![null(), text(",")]))
        }
        // One row per element, beside the `unnest` of the same array.
        ("generate_subscripts", FunctionArguments::List(list)) => match list.args.as_slice() {
            [
                FunctionArg::Unnamed(FunctionArgExpr::Expr(array)),
                FunctionArg::Unnamed(FunctionArgExpr::Expr(dimension)),
            ] => {
                let one = Expr::Value(Value::Number("1".to_owned(), false).with_empty_span());
                let length = call("array_length", vec![array.clone(), dimension.clone()]);
                Some(call("unnest", vec![call("generate_series", vec![one, bigint(length)])]))
            }
            _ => None,
        },
        ("unnest", FunctionArguments::List(list)) => match list.args.as_slice() {
            [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Subquery(query)))] if of_catalogue(query) => Some(null()),
            _ => None,
        },
        _ => None,
    }
}

/// Removes the schema from an operator: `OPERATOR(pg_catalog.~)`.
fn operator(op: &mut BinaryOperator) {
    let BinaryOperator::PGCustomBinaryOperator(parts) = op else { return };
    let Some(name) = parts.last() else { return };
    *op = match name.as_str() {
        "=" => BinaryOperator::Eq,
        "<>" => BinaryOperator::NotEq,
        "~" => BinaryOperator::PGRegexMatch,
        "~*" => BinaryOperator::PGRegexIMatch,
        "!~" => BinaryOperator::PGRegexNotMatch,
        "!~*" => BinaryOperator::PGRegexNotIMatch,
        "~~" => BinaryOperator::PGLikeMatch,
        "!~~" => BinaryOperator::PGNotLikeMatch,
        _ => return,
    };
}

/// Replaces the name of a schema by its OID where it is compared with one: `c.relnamespace = 'public'`.
fn namespace_name(column: &Expr, op: &BinaryOperator, name: &mut Expr) {
    let column = match column {
        Expr::Identifier(name) => name,
        Expr::CompoundIdentifier(parts) => match parts.last() {
            Some(name) => name,
            None => return,
        },
        _ => return,
    };
    let is_name = text_of(name).is_some_and(|text| text.parse::<i64>().is_err());
    if is_name && column.value.ends_with("namespace") && matches!(op, BinaryOperator::Eq | BinaryOperator::NotEq) {
        let operand = std::mem::replace(name, null());
        *name = call("to_regnamespace", vec![operand]);
    }
}

/// Turns a text that is an array literal into an array: `'{r,p}'`.
fn array_literal(expr: &mut Expr, is_text: bool) {
    let Some(inner) = text_of(expr).and_then(|text| text.trim().strip_prefix('{')?.strip_suffix('}')) else { return };
    let items = inner.split(',').map(str::trim).filter(|item| !item.is_empty());
    let elem = items.map(|item| match is_text {
        true => text(item.trim_matches('"')),
        false => Expr::Value(Value::Number(item.to_owned(), false).with_empty_span()),
    });
    *expr = Expr::Array(Array { elem: elem.collect(), named: true });
}

/// Rewrites a cast to a type that the engine has; names cast to OIDs are looked up.
fn cast(operand: &mut Box<Expr>, data_type: &mut DataType, kind: &CastKind) -> Option<Expr> {
    let name = type_name(data_type);
    let lookup = match name.as_deref() {
        Some("regclass") => Some("to_regclass"),
        Some("regnamespace") => Some("to_regnamespace"),
        Some("regtype") => Some("to_regtype"),
        _ => None,
    };
    if let Some(lookup) = lookup
        && (text_of(operand).is_some() || is_parameter(operand))
    {
        let operand = std::mem::replace(operand.as_mut(), null());
        let number = text_of(&operand).filter(|text| text.parse::<i32>().is_ok());
        return Some(match number {
            Some(number) => Expr::Value(Value::Number(number.to_owned(), false).with_empty_span()),
            None => call(lookup, vec![operand]),
        });
    }
    if name.as_deref() == Some("regproc")
        && let Some(function) = text_of(operand)
    {
        // The catalogue lists the functions of types by name.
        return Some(text(function.rsplit('.').next().unwrap_or(function)));
    }
    if let (Some("oid"), Expr::Cast { data_type: inner, .. }) = (name.as_deref(), operand.as_ref())
        && type_name(inner).is_some_and(|inner| OID_TYPES.contains(&inner.as_str()))
    {
        let mut inner = std::mem::replace(operand.as_mut(), null());
        return Some(rewritten(&mut inner).unwrap_or(inner));
    }
    replace_type(data_type);
    if let (DataType::Array(item), CastKind::DoubleColon) = (&*data_type, kind) {
        let item = match item {
            ArrayElemTypeDef::AngleBracket(item)
            | ArrayElemTypeDef::SquareBracket(item, _)
            | ArrayElemTypeDef::Parenthesis(item) => Some(item.as_ref()),
            ArrayElemTypeDef::None => None,
        };
        let is_text =
            matches!(item, Some(DataType::Text | DataType::Varchar(_) | DataType::Char(_) | DataType::String(_)));
        array_literal(operand, is_text);
    }
    None
}

/// Returns the name of a type that is not part of SQL, without its schema.
fn type_name(data_type: &DataType) -> Option<String> {
    match data_type {
        DataType::Regclass => Some("regclass".to_owned()),
        DataType::Custom(name, modifiers) if modifiers.is_empty() => Some(last_of(name)),
        _ => None,
    }
}

fn replace_type(data_type: &mut DataType) {
    if let DataType::Array(
        ArrayElemTypeDef::AngleBracket(item)
        | ArrayElemTypeDef::SquareBracket(item, _)
        | ArrayElemTypeDef::Parenthesis(item),
    ) = data_type
    {
        return replace_type(item);
    }
    let Some(name) = type_name(data_type) else { return };
    *data_type = match name.as_str() {
        "text" | "varchar" | "bpchar" | "char" | "name" => DataType::Text,
        "bool" => DataType::Boolean,
        "int2" => DataType::SmallInt(None),
        "int4" => DataType::Int(None),
        "int8" => DataType::BigInt(None),
        "float4" => DataType::Real,
        "float8" => DataType::DoublePrecision,
        "bytea" => DataType::Bytea,
        name if OID_TYPES.contains(&name) => DataType::Int(None),
        _ => return,
    };
}

/// Casts the array bounds to the type that `generate_series` takes.
fn as_bigint(argument: &mut FunctionArg) {
    if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = argument
        && let Expr::Function(function) = &*expr
        && matches!(last_of(&function.name).as_str(), "array_upper" | "array_lower" | "array_length")
    {
        let inner = std::mem::replace(expr, null());
        *expr = bigint(inner);
    }
}

fn bigint(expr: Expr) -> Expr {
    let (kind, expr) = (CastKind::Cast, Box::new(expr));
    Expr::Cast { kind, expr, data_type: DataType::BigInt(None), array: false, format: None }
}

fn operands(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => projection(select),
        SetExpr::SetOperation { left, right, .. } => {
            operands(left);
            operands(right);
        }
        _ => {}
    }
}

/// Makes the output columns of a query acceptable to the engine: no subquery that depends on the row; and names them as
/// Postgres does where the engine's habit is another.
fn projection(select: &mut Select) {
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item
            && let Expr::Subquery(query) = expr
            && of_catalogue(query)
            && is_correlated(query)
        {
            *expr = null();
        }
        let SelectItem::UnnamedExpr(expr) = item else { continue };
        if let Some(alias) = alias_of(expr) {
            let expr = std::mem::replace(expr, null());
            *item = SelectItem::ExprWithAlias { expr, alias: Ident::new(alias) };
        }
    }
}

/// Returns Postgres's name for a constant that is cast to an OID.
fn alias_of(expr: &Expr) -> Option<String> {
    let Expr::Cast { expr, data_type, .. } = expr else { return None };
    let name = type_name(data_type).filter(|name| OID_TYPES.contains(&name.as_str()))?;
    let is_constant = match expr.as_ref() {
        Expr::Cast { expr, .. } => text_of(expr).is_some(),
        other => text_of(other).is_some(),
    };
    is_constant.then_some(name)
}

#[cfg(test)]
mod tests;
