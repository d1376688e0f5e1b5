//! The common form of all scalar functions: arguments in, an array out.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Body of a function: receives its arguments, with constants still as constants, and the number of rows.
type Body = Arc<dyn Fn(&[ColumnarValue], usize) -> Result<ArrayRef> + Send + Sync>;

/// Checks the argument types when a query is planned, and returns the result type.
pub(super) type Typing = fn(&[DataType]) -> Result<DataType>;

/// A scalar function.
#[derive(Clone)]
pub(super) struct Function {
    name: &'static str,
    signature: Signature,
    returns: Returns,
    body: Body,
}

#[derive(Clone)]
enum Returns {
    One(DataType),
    By(Typing),
}

/// Returns a body that receives all arguments as arrays of equal length.
pub(super) fn on_arrays(body: impl Fn(&[ArrayRef]) -> Result<ArrayRef> + Send + Sync + 'static) -> Body {
    Arc::new(move |values, rows| {
        let arrays = values.iter().map(|value| value.to_array(rows)).collect::<Result<Vec<ArrayRef>>>()?;
        body(&arrays)
    })
}

fn counted(counts: &[usize], volatility: Volatility) -> Signature {
    Signature::one_of(counts.iter().map(|&count| TypeSignature::Any(count)).collect(), volatility)
}

impl Function {
    /// Creates a function that coerces its arguments to `arguments`.
    pub(super) fn exact(name: &'static str, arguments: Vec<DataType>, returns: DataType, body: Body) -> ScalarUDF {
        let signature = Signature::exact(arguments, Volatility::Immutable);
        ScalarUDF::new_from_impl(Self { name, signature, returns: Returns::One(returns), body })
    }

    /// Creates a function with several possible argument counts that takes its arguments uncoerced, once `typing` has
    /// checked their types.
    pub(super) fn typed(name: &'static str, counts: &[usize], typing: Typing, body: Body) -> ScalarUDF {
        let signature = counted(counts, Volatility::Immutable);
        ScalarUDF::new_from_impl(Self { name, signature, returns: Returns::By(typing), body })
    }

    /// Creates a function with several possible argument counts that is too expensive to run twice for a row.
    ///
    /// The planner copies an immutable function to every place that names its result, even below the filters above it;
    /// a volatile one stays where it is.
    pub(super) fn once(name: &'static str, counts: &[usize], returns: DataType, body: Body) -> ScalarUDF {
        let signature = counted(counts, Volatility::Volatile);
        ScalarUDF::new_from_impl(Self { name, signature, returns: Returns::One(returns), body })
    }
}

/// Returns the error for an argument of a type that the function cannot use.
pub(super) fn wrong_type(function: &str, argument: &str, expected: &str) -> DataFusionError {
    DataFusionError::Plan(format!("{function}: `{argument}` must be {expected}"))
}

/// Returns the same, naming the argument.
pub(super) fn wrong_type_got(function: &str, argument: &str, expected: &str, got: &DataType) -> DataFusionError {
    DataFusionError::Plan(format!("{function}: `{argument}` must be {expected}, got {got}"))
}

/// Returns the error for an argument value that the function cannot use.
pub(super) fn wrong_value(function: &str, problem: impl std::fmt::Display) -> DataFusionError {
    DataFusionError::Execution(format!("{function}: {problem}"))
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Function").field("name", &self.name).finish_non_exhaustive()
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && Arc::ptr_eq(&self.body, &other.body)
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match &self.returns {
            Returns::One(returns) => Ok(returns.clone()),
            Returns::By(typing) => typing(arguments),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        (self.body)(&args.args, args.number_rows).map(ColumnarValue::Array)
    }
}
