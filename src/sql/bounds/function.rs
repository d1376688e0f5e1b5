//! A function whose results are bounded.

use super::budget::{ResultBudget, counted};
use super::growth::{Call, Growth, is_fixed, scalar_bytes};
use super::pattern::{Pattern, check_pattern, is_too_long, with_bounded_patterns};
use super::row_bytes::total_bytes;
use arrow::array::{Array, ArrayRef};
use arrow::compute::concat;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{ExprSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ExpressionPlacement, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, StructFieldMapping, Volatility,
};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Constants up to this size may be copied to every row of a batch.
const SMALL_CONSTANT_BYTES: u64 = 1 << 10;
/// Rows that a function of unknown growth is first tried on.
const TRIED_ROWS: usize = 64;

/// A function, and what it may make.
#[derive(Debug)]
pub(super) struct BoundedFunction {
    inner: Arc<ScalarUDF>,
    budget: Arc<ResultBudget>,
}

/// Returns the function with bounded results; one that has them is returned unchanged.
pub(super) fn bounded(function: &Arc<ScalarUDF>, budget: &Arc<ResultBudget>) -> Arc<ScalarUDF> {
    // An asynchronous function is told by its type. There is none yet.
    let inner = function.inner();
    if inner.is::<BoundedFunction>() || inner.is::<Pattern>() || function.as_async().is_some() {
        return function.clone();
    }
    Arc::new(ScalarUDF::new_from_impl(BoundedFunction { inner: function.clone(), budget: budget.clone() }))
}

/// Returns the expression with bounded functions only.
///
/// # Errors
/// When the expression cannot be walked.
pub(super) fn with_bounded_calls(expression: Expr, budget: &Arc<ResultBudget>) -> Result<Transformed<Expr>> {
    expression.transform_up(|expression| match expression {
        Expr::ScalarFunction(call) if !call.func.inner().is::<BoundedFunction>() => {
            let func = bounded(&call.func, budget);
            Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args: call.args })))
        }
        other => Ok(Transformed::no(other)),
    })
}

impl PartialEq for BoundedFunction {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }
}

impl Eq for BoundedFunction {}

impl Hash for BoundedFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

/// Results of some rows, with their memory.
struct Slice {
    made: ArrayRef,
    taken: MemoryReservation,
}

impl BoundedFunction {
    /// Returns whether the second argument is a regular expression.
    fn reads_patterns(&self) -> bool {
        self.inner.name().starts_with("regexp_")
    }

    /// Evaluates rows `from` to `to` alone.
    fn slice(&self, args: &ScalarFunctionArgs, from: usize, to: usize, bytes: u64) -> Result<Slice> {
        let taken = self.budget.take(self.inner.name(), to - from, bytes)?;
        let values = args.args.iter().map(|value| match value {
            ColumnarValue::Array(array) => ColumnarValue::Array(array.slice(from, to - from)),
            ColumnarValue::Scalar(scalar) => ColumnarValue::Scalar(scalar.clone()),
        });
        let part = ScalarFunctionArgs {
            args: values.collect(),
            arg_fields: args.arg_fields.clone(),
            number_rows: to - from,
            return_field: args.return_field.clone(),
            config_options: args.config_options.clone(),
        };
        let made = self.inner.invoke_with_args(part)?.into_array(to - from)?;
        // What is held beyond the estimate is there already; it counts at least.
        taken.resize(usize::try_from(total_bytes(&made)).unwrap_or(usize::MAX));
        Ok(Slice { made, taken })
    }

    /// Evaluates all rows, as many at a time as may be made at a time.
    fn in_slices(&self, args: &ScalarFunctionArgs, call: &Call, growth: Growth) -> Result<ColumnarValue> {
        let (name, rows, slice_bytes) = (self.inner.name(), args.number_rows, self.budget.slice_bytes() as u64);
        let mut slices: Vec<Slice> = Vec::new();
        let (mut from, mut made) = (0, 0u64);
        while from < rows {
            let tried = if growth == Growth::Unknown { TRIED_ROWS.max(from * 8) } else { rows };
            let seen = if growth == Growth::Unknown { made / from.max(1) as u64 } else { 0 };
            let (mut to, mut bytes) = (from, 0u64);
            while to < rows && to - from < tried {
                let row = call.bytes(Some(to)).saturating_add(seen);
                if to > from && bytes.saturating_add(row) > slice_bytes {
                    break;
                }
                (to, bytes) = (to + 1, bytes.saturating_add(row));
            }
            let slice = self.slice(args, from, to, bytes)?;
            made += slice.taken.size() as u64;
            if made > self.budget.most_bytes() as u64 {
                return Err(self.budget.too_large(name, rows, made / to as u64 * rows as u64));
            }
            slices.push(slice);
            from = to;
        }
        let (array, taken) = match slices.len() {
            1 => match slices.pop() {
                Some(Slice { made, taken }) => (made, taken),
                None => return Ok(ColumnarValue::Scalar(ScalarValue::try_from(args.return_field.data_type())?)),
            },
            _ => {
                let taken = self.budget.take(name, rows, made)?;
                let arrays: Vec<&dyn Array> = slices.iter().map(|slice| slice.made.as_ref()).collect();
                (concat(&arrays)?, taken)
            }
        };
        let counts = taken.size() > self.budget.free_bytes();
        Ok(ColumnarValue::Array(if counts { counted(array, taken)? } else { array }))
    }

    /// Evaluates a call whose arguments are the same for all rows.
    fn once(&self, args: ScalarFunctionArgs, call: &Call) -> Result<ColumnarValue> {
        let taken = self.budget.take_constant(self.inner.name(), call.bytes(Some(0)))?;
        let made = self.inner.invoke_with_args(ScalarFunctionArgs { number_rows: 1, ..args })?;
        drop(taken);
        Ok(match made {
            ColumnarValue::Array(array) if array.len() == 1 => {
                ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?)
            }
            made => made,
        })
    }
}

#[warn(clippy::missing_trait_methods)] // Whatever is not passed on is lost.
impl ScalarUDFImpl for BoundedFunction {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn display_name(&self, args: &[Expr]) -> Result<String> {
        #[expect(deprecated)]
        self.inner.inner().display_name(args)
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        self.inner.schema_name(args)
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arg_types)
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        let inner = Arc::new(self.inner.inner().with_updated_config(config)?);
        Some(ScalarUDF::new_from_impl(Self { inner, budget: self.budget.clone() }))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn is_nullable(&self, args: &[Expr], schema: &dyn ExprSchema) -> bool {
        #[expect(deprecated)]
        self.inner.inner().is_nullable(args, schema)
    }

    fn is_strict(&self) -> bool {
        self.inner.is_strict()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let returns = args.return_field.data_type();
        let growth = Growth::of(self.inner.name(), returns);
        let constant = |value: &ColumnarValue| match value {
            ColumnarValue::Scalar(scalar) => Some(scalar_bytes(scalar).unwrap_or(0)),
            ColumnarValue::Array(_) => None,
        };
        let constants: Vec<u64> = args.args.iter().filter_map(constant).collect();
        let copied = constants.iter().copied().max().unwrap_or(0) > SMALL_CONSTANT_BYTES;
        if args.number_rows == 0 || args.args.is_empty() || (is_fixed(returns) && !copied && !self.reads_patterns()) {
            return self.inner.invoke_with_args(args);
        }
        if let Some(pattern) = args.args.get(1).filter(|_| self.reads_patterns()) {
            check_pattern(pattern)?;
        }
        let call = Call::new(growth, &args.args)?;
        let repeatable = self.inner.signature().volatility != Volatility::Volatile;
        if constants.len() == args.args.len() && repeatable {
            return self.once(args, &call);
        }
        let bytes = call.bytes(None).saturating_mul(args.number_rows as u64);
        if bytes <= self.budget.free_bytes() as u64 && growth != Growth::Unknown {
            return self.inner.invoke_with_args(args);
        }
        self.in_slices(&args, &call, growth)
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        if self.reads_patterns() && args.get(1).is_some_and(is_too_long) {
            return Ok(ExprSimplifyResult::Original(args));
        }
        Ok(match self.inner.simplify(args, info)? {
            ExprSimplifyResult::Simplified(simple) => {
                // `regexp_like` becomes an operator before its pattern is known, when there was no memory to make it.
                let simple = with_bounded_patterns(simple)?.data;
                ExprSimplifyResult::Simplified(with_bounded_calls(simple, &self.budget)?.data)
            }
            original => original,
        })
    }

    fn preimage(&self, args: &[Expr], lit_expr: &Expr, info: &SimplifyContext) -> Result<PreimageResult> {
        self.inner.preimage(args, lit_expr, info)
    }

    fn short_circuits(&self) -> bool {
        self.inner.short_circuits()
    }

    fn conditional_arguments<'a>(&self, args: &'a [Expr]) -> Option<(Vec<&'a Expr>, Vec<&'a Expr>)> {
        self.inner.conditional_arguments(args)
    }

    fn evaluate_bounds(&self, input: &[&Interval]) -> Result<Interval> {
        self.inner.evaluate_bounds(input)
    }

    fn propagate_constraints(&self, interval: &Interval, inputs: &[&Interval]) -> Result<Option<Vec<Interval>>> {
        self.inner.propagate_constraints(interval, inputs)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(inputs)
    }

    fn preserves_lex_ordering(&self, inputs: &[ExprProperties]) -> Result<bool> {
        self.inner.preserves_lex_ordering(inputs)
    }

    fn strictly_order_preserving(&self, inputs: &[ExprProperties]) -> Result<bool> {
        self.inner.strictly_order_preserving(inputs)
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(arg_types)
    }

    fn struct_field_mapping(&self, literal_args: &[Option<ScalarValue>]) -> Option<StructFieldMapping> {
        self.inner.struct_field_mapping(literal_args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn placement(&self, args: &[ExpressionPlacement]) -> ExpressionPlacement {
        self.inner.placement(args)
    }
}
