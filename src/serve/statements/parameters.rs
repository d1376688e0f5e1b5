//! The parameters of a prepared query, and their types.

use crate::serve::encode::{array_of, item_of, type_of};
use crate::sql::TIME_ZONE;
use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{
    self, ArrayElemTypeDef, Expr, LimitClause, Value, Visit, Visitor, visit_expressions_mut,
};
use datafusion::sql::sqlparser::dialect::{GenericDialect, PostgreSqlDialect};
use datafusion::sql::sqlparser::parser::Parser;
use pgwire::api::Type;
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

/// A parameter of a query.
#[derive(Clone, Debug)]
pub(in crate::serve) struct Parameter {
    /// The type that the plan gives it.
    pub(in crate::serve) kind: DataType,
    /// The type reported to a client that declared none.
    pub(in crate::serve) wire: Type,
}

/// Returns the parameters of a plan in their order; `None` when one has no type.
pub(in crate::serve) fn parameters(
    plan: &LogicalPlan,
    declared: &HashMap<usize, DataType>,
) -> Result<Option<Vec<Parameter>>> {
    let found = plan.get_parameter_types()?;
    let mut kinds: HashMap<usize, DataType> = declared.clone();
    for (name, kind) in found {
        let Some(number) = number_of(&name) else {
            return Err(DataFusionError::Plan(format!("parameters are $1, $2 and so on, not {name}")));
        };
        match kind {
            Some(kind) if kind != DataType::Null => drop(kinds.insert(number, kind)),
            _ if kinds.contains_key(&number) => {}
            _ => return Ok(None),
        }
    }
    let count = kinds.keys().copied().max().unwrap_or(0);
    let all = (1..=count).map(|number| {
        let kind = kinds.get(&number).cloned().unwrap_or(DataType::Utf8);
        let wire = type_of(&kind).unwrap_or(Type::TEXT);
        Parameter { kind, wire }
    });
    Ok(Some(all.collect()))
}

/// Maximum number of parameters of a statement, as in Postgres.
const MAX_PARAMETERS: usize = 65_535;

/// Returns the number in `$3`.
fn number_of(name: &str) -> Option<usize> {
    name.strip_prefix('$')?.parse().ok().filter(|number| (1..=MAX_PARAMETERS).contains(number))
}

/// Finds the parameters that limit the number of rows.
#[derive(Default)]
struct RowLimits(HashSet<usize>);

impl Visitor for RowLimits {
    type Break = ();

    fn pre_visit_query(&mut self, query: &ast::Query) -> ControlFlow<()> {
        let (limit, offset) = match &query.limit_clause {
            Some(LimitClause::LimitOffset { limit, offset, .. }) => (limit.as_ref(), offset.as_ref().map(|o| &o.value)),
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => (Some(limit), Some(offset)),
            None => (None, None),
        };
        for counted in limit.into_iter().chain(offset) {
            if let Expr::Value(value) = counted
                && let Value::Placeholder(name) = &value.value
            {
                self.0.extend(number_of(name));
            }
        }
        ControlFlow::Continue(())
    }
}

/// What a statement itself says about the types of its parameters.
#[derive(Default)]
pub(in crate::serve) struct Context {
    /// The types that parameters are cast to.
    casts: HashMap<usize, Type>,
    /// The parameters that are the array of `= ANY($1)` or `<> ALL($1)`.
    pub(in crate::serve) arrays: HashSet<usize>,
}

impl Context {
    /// Reads a statement.
    pub(in crate::serve) fn of(statement: &ast::Statement) -> Self {
        let mut found = Self::default();
        let _ = statement.visit(&mut found);
        found
    }
}

/// Returns the parameters that a statement casts to OIDs. They are reported as such: asyncpg knows `oid[]` without asking
/// for it, and asks for the types it does not know with a parameter of this type.
pub(in crate::serve) fn oid_parameters(sql: &str) -> HashMap<usize, Type> {
    let statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap_or_default();
    let casts = statements.iter().flat_map(|statement| Context::of(statement).casts);
    casts.filter(|(_, kind)| matches!(*kind, Type::OID | Type::OID_ARRAY)).collect()
}

fn parameter_of(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Placeholder(name) => number_of(name),
            _ => None,
        },
        Expr::Nested(inner) => parameter_of(inner),
        _ => None,
    }
}

impl Visitor for Context {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Cast { expr, data_type, .. } => {
                if let (Some(number), Some(kind)) = (parameter_of(expr), wire_of(data_type)) {
                    self.casts.insert(number, kind);
                }
            }
            Expr::AnyOp { right, .. } | Expr::AllOp { right, .. } => self.arrays.extend(parameter_of(right)),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Writes `x = ANY($1)` as `x = $1`, so that planning it shows the type of an element.
pub(in crate::serve) fn with_elements(statement: &ast::Statement) -> ast::Statement {
    let mut elements = statement.clone();
    let _ = visit_expressions_mut(&mut elements, |expression: &mut Expr| {
        if let Expr::AnyOp { left, compare_op, right, .. } | Expr::AllOp { left, compare_op, right } = &*expression
            && parameter_of(right).is_some()
        {
            let (left, op, right) = (left.clone(), compare_op.clone(), right.clone());
            *expression = Expr::BinaryOp { left, op, right };
        }
        ControlFlow::<()>::Continue(())
    });
    elements
}

/// Returns the types that a plan of [`with_elements`] shows: for `= ANY($1)`, the array of the type of an element.
pub(in crate::serve) fn shown_types(
    elements: HashMap<String, Option<DataType>>,
    context: &Context,
) -> HashMap<usize, Type> {
    let shown = elements.into_iter().filter_map(|(name, kind)| {
        let (number, kind) = (number_of(&name)?, kind.filter(|kind| *kind != DataType::Null)?);
        let wire = type_of(&kind)?;
        Some((number, if context.arrays.contains(&number) { array_of(&wire)? } else { wire }))
    });
    shown.collect()
}

/// Casts every parameter to its type, and returns these types: what the client declared, else what the statement says,
/// else text.
pub(in crate::serve) fn declare(
    statement: &mut ast::Statement,
    types: &[Option<Type>],
    shown: &HashMap<usize, Type>,
) -> Result<HashMap<usize, DataType>> {
    let mut declared = HashMap::new();
    let mut counts = RowLimits::default();
    let _ = statement.visit(&mut counts);
    let context = Context::of(statement);
    let walked = visit_expressions_mut(statement, |expression: &mut Expr| {
        let Expr::Value(value) = &*expression else { return ControlFlow::Continue(()) };
        let Value::Placeholder(name) = &value.value else { return ControlFlow::Continue(()) };
        let Some(number) = number_of(name) else { return ControlFlow::Continue(()) };
        let counts = counts.0.contains(&number).then_some(&Type::INT8);
        let client = types.get(number - 1).and_then(Option::as_ref);
        let said = context.casts.get(&number).or_else(|| shown.get(&number));
        let (sql, kind) = match (client.filter(|kind| **kind != Type::UNKNOWN).or(counts), said) {
            (Some(kind), _) | (None, Some(kind)) => declared_type(kind),
            (None, None) if context.arrays.contains(&number) => declared_type(&Type::TEXT_ARRAY),
            (None, None) => declared_type(&Type::TEXT),
        };
        let cast = format!("CAST({name} AS {sql})");
        match Parser::new(&GenericDialect {}).try_with_sql(&cast).and_then(|mut parser| parser.parse_expr()) {
            Ok(cast) => {
                declared.insert(number, kind);
                *expression = cast;
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(error),
        }
    });
    match walked {
        ControlFlow::Continue(()) => Ok(declared),
        ControlFlow::Break(error) => Err(DataFusionError::SQL(Box::new(error), None)),
    }
}

/// Returns how a type that a client declared is written in SQL, and the engine's type for it.
fn declared_type(declared: &Type) -> (String, DataType) {
    if let Some(item) = item_of(declared) {
        let (sql, kind) = declared_type(&item);
        return (format!("{sql}[]"), DataType::new_list(kind, true));
    }
    let (sql, kind) = match *declared {
        Type::BOOL => ("BOOLEAN", DataType::Boolean),
        Type::INT2 | Type::INT4 | Type::INT8 | Type::OID => ("BIGINT", DataType::Int64),
        Type::FLOAT4 | Type::FLOAT8 | Type::NUMERIC => ("DOUBLE", DataType::Float64),
        Type::TIMESTAMP => ("TIMESTAMP", DataType::Timestamp(TimeUnit::Nanosecond, None)),
        Type::TIMESTAMPTZ => {
            ("TIMESTAMP WITH TIME ZONE", DataType::Timestamp(TimeUnit::Nanosecond, Some(TIME_ZONE.into())))
        }
        Type::DATE => ("DATE", DataType::Date32),
        Type::INTERVAL => ("INTERVAL", DataType::Interval(IntervalUnit::MonthDayNano)),
        _ => ("VARCHAR", DataType::Utf8),
    };
    (sql.to_owned(), kind)
}

/// Returns the Postgres type of a type written in SQL; `None` where it is another one.
fn wire_of(kind: &ast::DataType) -> Option<Type> {
    if let ast::DataType::Array(
        ArrayElemTypeDef::SquareBracket(item, _)
        | ArrayElemTypeDef::AngleBracket(item)
        | ArrayElemTypeDef::Parenthesis(item),
    ) = kind
    {
        return array_of(&wire_of(item)?);
    }
    let name = kind.to_string().to_ascii_lowercase();
    let name = name.split('(').next().unwrap_or_default().trim();
    Some(match name.rsplit('.').next().unwrap_or(name) {
        "bool" | "boolean" => Type::BOOL,
        "smallint" | "int2" => Type::INT2,
        "int" | "integer" | "int4" => Type::INT4,
        "bigint" | "int8" => Type::INT8,
        "real" | "float4" => Type::FLOAT4,
        "double precision" | "double" | "float" | "float8" => Type::FLOAT8,
        "numeric" | "decimal" | "dec" => Type::NUMERIC,
        "text" | "varchar" | "character varying" | "char" | "character" | "bpchar" | "name" => Type::TEXT,
        "timestamp" | "timestamp without time zone" => Type::TIMESTAMP,
        "timestamptz" | "timestamp with time zone" => Type::TIMESTAMPTZ,
        "date" => Type::DATE,
        "interval" => Type::INTERVAL,
        "oid" => Type::OID,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_without_a_type_get_one() {
        let sql = "SELECT $1, upper($2) FROM t WHERE a > $3 LIMIT $4";
        let mut statements = Parser::parse_sql(&GenericDialect {}, sql).unwrap();
        let declared = declare(&mut statements[0], &[Some(Type::INT2), None, Some(Type::BOOL)], &HashMap::new());
        let declared = declared.unwrap();
        let expected = [(1, DataType::Int64), (2, DataType::Utf8), (3, DataType::Boolean), (4, DataType::Int64)];
        assert_eq!(declared, HashMap::from(expected));
        assert_eq!(
            statements[0].to_string(),
            "SELECT CAST($1 AS BIGINT), upper(CAST($2 AS VARCHAR)) FROM t WHERE a > CAST($3 AS BOOLEAN) LIMIT CAST($4 AS BIGINT)"
        );
        assert_eq!(
            [number_of("$7"), number_of("$x"), number_of("$0"), number_of("$99999")],
            [Some(7), None, None, None]
        );
    }

    #[test]
    fn arrays_get_the_type_that_the_statement_says() {
        let sql = "SELECT 1 FROM t WHERE a = ANY($1) AND b <> ALL($2) AND c = ANY($3::int[]) AND d > $4::timestamptz";
        let mut statements = Parser::parse_sql(&GenericDialect {}, sql).unwrap();
        let context = Context::of(&statements[0]);
        assert_eq!(context.arrays, HashSet::from([1, 2]));
        assert_eq!(
            with_elements(&statements[0]).to_string(),
            "SELECT 1 FROM t WHERE a = $1 AND b <> $2 AND c = ANY($3::INT[]) AND d > $4::TIMESTAMPTZ"
        );
        let elements = [("$1", Some(DataType::Int32)), ("$2", Some(DataType::Utf8View)), ("$3", None)];
        let shown = shown_types(elements.map(|(name, kind)| (name.to_owned(), kind)).into(), &context);
        assert_eq!(shown, HashMap::from([(1, Type::INT4_ARRAY), (2, Type::TEXT_ARRAY)]));
        let declared = declare(&mut statements[0], &[], &shown).unwrap();
        let list = |kind| DataType::new_list(kind, true);
        let utc = DataType::Timestamp(TimeUnit::Nanosecond, Some(TIME_ZONE.into()));
        let expected = [(1, list(DataType::Int64)), (2, list(DataType::Utf8)), (3, list(DataType::Int64)), (4, utc)];
        assert_eq!(declared, HashMap::from(expected));
    }
}
