//! Patterns of LIKE and of regular expressions: compiling one takes a few hundred times its length.

use super::growth::scalar_bytes;
use super::row_bytes::row_bytes;
use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{ScalarValue, exec_datafusion_err, plan_err, utils::take_function_args};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use flow::units::bytes_text;
use std::sync::{Arc, LazyLock};

/// Longest pattern.
const MAX_BYTES: u64 = 64 << 10;

/// Checks the length of patterns.
///
/// # Errors
/// When one is too long.
pub(super) fn check_pattern(value: &ColumnarValue) -> Result<()> {
    let bytes = match value {
        ColumnarValue::Array(array) => row_bytes(array.as_ref()).largest(),
        ColumnarValue::Scalar(scalar) => scalar_bytes(scalar).unwrap_or(0),
    };
    if bytes <= MAX_BYTES { Ok(()) } else { Err(too_long(bytes)) }
}

/// Returns whether an expression is a constant that is too long for a pattern.
pub(super) fn is_too_long(pattern: &Expr) -> bool {
    matches!(pattern, Expr::Literal(value, _) if length(value) > MAX_BYTES)
}

fn length(value: &ScalarValue) -> u64 {
    scalar_bytes(value).unwrap_or(0)
}

fn too_long(bytes: u64) -> DataFusionError {
    let (bytes, most) = (bytes_text(bytes), bytes_text(MAX_BYTES));
    exec_datafusion_err!("a pattern of {bytes} is too long: at most {most}; put many texts into IN (…) or a table")
}

/// Returns the pattern unless it is too long, which is found out when the statement runs; a short constant is returned as
/// it is.
fn bounded_pattern(pattern: Expr) -> Expr {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        let signature = Signature::any(1, Volatility::Immutable);
        Arc::new(ScalarUDF::new_from_impl(Pattern { signature }))
    });
    match &pattern {
        Expr::Literal(..) if !is_too_long(&pattern) => pattern,
        Expr::ScalarFunction(call) if call.func.inner().is::<Pattern>() => pattern,
        _ => FUNCTION.call(vec![pattern]),
    }
}

/// Returns the expression with bounded patterns in all its operators.
///
/// # Errors
/// When the expression cannot be walked.
pub(super) fn with_bounded_patterns(expression: Expr) -> Result<Transformed<Expr>> {
    expression.transform_up(|expression| Ok(bounded_match(expression)))
}

/// Returns a match with its pattern bounded, and any other expression as it is.
pub(super) fn bounded_match(expression: Expr) -> Transformed<Expr> {
    match expression {
        Expr::BinaryExpr(mut both) if is_match(&both) => {
            both.right = Box::new(bounded_pattern(*both.right));
            Transformed::yes(Expr::BinaryExpr(both))
        }
        Expr::Like(mut like) => {
            like.pattern = Box::new(bounded_pattern(*like.pattern));
            Transformed::yes(Expr::Like(like))
        }
        Expr::SimilarTo(mut like) => {
            like.pattern = Box::new(bounded_pattern(*like.pattern));
            Transformed::yes(Expr::SimilarTo(like))
        }
        other => Transformed::no(other),
    }
}

/// Returns whether the right side of an operator is a pattern.
fn is_match(both: &BinaryExpr) -> bool {
    use Operator::*;
    matches!(
        both.op,
        RegexMatch
            | RegexIMatch
            | RegexNotMatch
            | RegexNotIMatch
            | LikeMatch
            | ILikeMatch
            | NotLikeMatch
            | NotILikeMatch
    )
}

/// Returns its argument, which is a pattern of bounded length.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Pattern {
    signature: Signature,
}

impl ScalarUDFImpl for Pattern {
    fn name(&self) -> &str {
        "pattern"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        match arg_types {
            [kind] => Ok(kind.clone()),
            _ => plan_err!("one pattern, got {arg_types:?}"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [pattern] = take_function_args(self.name(), args.args)?;
        check_pattern(&pattern)?;
        Ok(pattern)
    }
}
