//! The parameters of a prepared query, and their types.

use crate::serve::encode::type_of;
use arrow::datatypes::{DataType, TimeUnit};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{self, Expr, LimitClause, Value, Visit, Visitor, visit_expressions_mut};
use datafusion::sql::sqlparser::dialect::GenericDialect;
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

/// Casts every parameter to its type, and returns these types.
pub(in crate::serve) fn declare(
    statement: &mut ast::Statement,
    types: &[Option<Type>],
) -> Result<HashMap<usize, DataType>> {
    let mut declared = HashMap::new();
    let mut counts = RowLimits::default();
    let _ = statement.visit(&mut counts);
    let walked = visit_expressions_mut(statement, |expression: &mut Expr| {
        let Expr::Value(value) = &*expression else { return ControlFlow::Continue(()) };
        let Value::Placeholder(name) = &value.value else { return ControlFlow::Continue(()) };
        let Some(number) = number_of(name) else { return ControlFlow::Continue(()) };
        let counts = counts.0.contains(&number).then_some(&Type::INT8);
        let (sql, kind) = declared_type(types.get(number - 1).and_then(Option::as_ref).or(counts));
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
fn declared_type(declared: Option<&Type>) -> (&'static str, DataType) {
    match declared {
        Some(&Type::BOOL) => ("BOOLEAN", DataType::Boolean),
        Some(&Type::INT2 | &Type::INT4 | &Type::INT8 | &Type::OID) => ("BIGINT", DataType::Int64),
        Some(&Type::FLOAT4 | &Type::FLOAT8 | &Type::NUMERIC) => ("DOUBLE", DataType::Float64),
        Some(&Type::TIMESTAMP | &Type::TIMESTAMPTZ) => ("TIMESTAMP", DataType::Timestamp(TimeUnit::Nanosecond, None)),
        Some(&Type::DATE) => ("DATE", DataType::Date32),
        _ => ("VARCHAR", DataType::Utf8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_without_a_type_get_one() {
        let sql = "SELECT $1, upper($2) FROM t WHERE a > $3 LIMIT $4";
        let mut statements = Parser::parse_sql(&GenericDialect {}, sql).unwrap();
        let declared = declare(&mut statements[0], &[Some(Type::INT2), None, Some(Type::BOOL)]).unwrap();
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
}
