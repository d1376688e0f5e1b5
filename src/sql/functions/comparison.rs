//! Comparisons of an address as text with one as 16 bytes: both are compared as text.
//!
//! Tables hold addresses as text in `sql` and as 16 bytes in detections, and the engine cannot compare the two. The
//! bytes are converted to text and not the other way round: `host = address('10.0.0.1')` then becomes `host =
//! '10.0.0.1'`, which can still prune files and row groups.

use super::addresses;
use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, ScalarUDF};
use datafusion::sql::sqlparser::ast::BinaryOperator;
use std::sync::Arc;

/// Compares addresses of both types.
#[derive(Debug)]
pub(super) struct AddressComparison {
    ip: Arc<ScalarUDF>,
}

impl AddressComparison {
    pub(super) fn new() -> Self {
        Self { ip: Arc::new(addresses::ip()) }
    }

    fn as_text(&self, expr: Expr, schema: &DFSchema) -> Expr {
        if is_bytes(&expr, schema) { self.ip.call(vec![expr]) } else { expr }
    }
}

fn is_bytes(expr: &Expr, schema: &DFSchema) -> bool {
    expr.get_type(schema).is_ok_and(|kind| kind == DataType::FixedSizeBinary(16))
}

fn is_text(expr: &Expr, schema: &DFSchema) -> bool {
    expr.get_type(schema).is_ok_and(|kind| kind.is_string())
}

impl ExprPlanner for AddressComparison {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let RawBinaryExpr { op, left, right } = expr;
        let compares = matches!(
            op,
            BinaryOperator::Eq
                | BinaryOperator::NotEq
                | BinaryOperator::Lt
                | BinaryOperator::LtEq
                | BinaryOperator::Gt
                | BinaryOperator::GtEq
        );
        let mixed = |a: &Expr, b: &Expr| is_bytes(a, schema) && is_text(b, schema);
        let (left, right) = if compares && (mixed(&left, &right) || mixed(&right, &left)) {
            (self.as_text(left, schema), self.as_text(right, schema))
        } else {
            (left, right)
        };
        Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }))
    }
}

impl FunctionRewrite for AddressComparison {
    fn name(&self) -> &str {
        "address_comparison"
    }

    fn rewrite(&self, expr: Expr, schema: &DFSchema, _config: &ConfigOptions) -> Result<Transformed<Expr>> {
        let Expr::InList(InList { expr, list, negated }) = expr else { return Ok(Transformed::no(expr)) };
        let all = || list.iter().chain(std::iter::once(&*expr));
        if !all().any(|part| is_bytes(part, schema)) || !all().any(|part| is_text(part, schema)) {
            return Ok(Transformed::no(Expr::InList(InList { expr, list, negated })));
        }
        let list = list.into_iter().map(|part| self.as_text(part, schema)).collect();
        let expr = Box::new(self.as_text(*expr, schema));
        Ok(Transformed::yes(Expr::InList(InList { expr, list, negated })))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Lists;
    use crate::sql::{open_session, run};
    use arrow::array::{ArrayRef, AsArray, FixedSizeBinaryArray, RecordBatch, StringViewArray};
    use arrow::datatypes::Int64Type;
    use std::sync::Arc;

    #[tokio::test]
    async fn an_address_is_compared_as_text_and_as_bytes() {
        let hosts = ["10.0.0.1", "2001:db8::1", "10.0.0.9"];
        let bytes = hosts.map(|host| host.parse::<flow::Address>().unwrap().to_bytes());
        let bytes = FixedSizeBinaryArray::try_from_iter(bytes.into_iter()).unwrap();
        let columns: [(&str, ArrayRef); 2] =
            [("shown", Arc::new(StringViewArray::from(hosts.to_vec()))), ("stored", Arc::new(bytes))];
        let rows = RecordBatch::try_from_iter(columns).unwrap();
        let session = open_session(vec![("t", vec![rows])], &Lists::default(), 1).unwrap();
        for host in ["shown", "stored"] {
            for (condition, count) in [
                (format!("{host} = address('10.0.0.1')"), 1),
                (format!("address('2001:0db8::1') = {host}"), 1),
                (format!("{host} <> address('10.0.0.1')"), 2),
                (format!("{host} = '10.0.0.1'"), 1),
                (format!("{host} IN (address('10.0.0.1'), address('10.0.0.9'))"), 2),
                (format!("{host} NOT IN ('10.0.0.1')"), 2),
                ("shown = stored".to_owned(), 3),
            ] {
                let sql = format!("SELECT count(*) FROM t WHERE {condition}");
                let found = run(&session, "test", &sql).await.unwrap();
                assert_eq!(found[0].column(0).as_primitive::<Int64Type>().value(0), count, "{condition}");
            }
        }
        let sql = "SELECT count(*) FROM t a JOIN t b ON a.shown = b.stored AND (a.stored = address('10.0.0.1'))";
        let found = run(&session, "test", sql).await.unwrap();
        assert_eq!(found[0].column(0).as_primitive::<Int64Type>().value(0), 1);
    }
}
