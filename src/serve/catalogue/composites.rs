//! Questions about types that there are none of: asyncpg asks for the parts of composite types and the bases of domains,
//! by subqueries that the engine does not plan.

use super::query_shape::last_of;
use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, BinaryOperator, CaseWhen, CastKind, DataType, Expr, FunctionArg, FunctionArgExpr,
    FunctionArguments, Query, SelectItem, SetExpr, Value,
};

/// `WHEN t.typtype = 'c' THEN (SELECT …)`: the result becomes NULL of the subquery's type.
pub(super) fn without_absent_types(when: &mut CaseWhen) {
    if is_absent(&when.condition)
        && let Expr::Subquery(query) = &when.result
    {
        let (kind, expr) = (CastKind::Cast, Box::new(Expr::Value(Value::Null.with_empty_span())));
        when.result = Expr::Cast { kind, expr, data_type: type_of(query), array: false, format: None };
    }
}

/// Returns whether a condition holds for composite types or domains only.
fn is_absent(condition: &Expr) -> bool {
    let Expr::BinaryOp { left, op: BinaryOperator::Eq, right } = condition else { return false };
    let column = match left.as_ref() {
        Expr::CompoundIdentifier(parts) => parts.last(),
        Expr::Identifier(name) => Some(name),
        _ => None,
    };
    let kind = match right.as_ref() {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(kind) => Some(kind.as_str()),
            _ => None,
        },
        _ => None,
    };
    column.is_some_and(|column| column.value == "typtype") && matches!(kind, Some("c" | "d"))
}

/// Returns the type of a subquery: OIDs, or a list of OIDs or texts.
fn type_of(query: &Query) -> DataType {
    let list = |item| DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(item), None));
    let SetExpr::Select(select) = query.body.as_ref() else { return DataType::Int(None) };
    let [SelectItem::UnnamedExpr(Expr::Function(function))] = select.projection.as_slice() else {
        return DataType::Int(None);
    };
    match &function.args {
        FunctionArguments::List(arguments) if last_of(&function.name) == "array_agg" => match arguments.args.first() {
            Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Cast { .. }))) => list(DataType::Text),
            _ => list(DataType::Int(None)),
        },
        _ => DataType::Int(None),
    }
}
