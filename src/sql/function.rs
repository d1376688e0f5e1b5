//! The one shape of all scalar functions: arrays in, an array out.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Body of a function: gets all arguments as arrays of equal length.
pub(super) type Body = Arc<dyn Fn(&[ArrayRef]) -> Result<ArrayRef> + Send + Sync>;

/// A scalar function of fixed argument count.
#[derive(Clone)]
pub(super) struct Function {
    name: &'static str,
    signature: Signature,
    returns: DataType,
    body: Body,
}

impl Function {
    /// Makes a function that coerces its arguments to `arguments`.
    pub(super) fn exact(name: &'static str, arguments: Vec<DataType>, returns: DataType, body: Body) -> ScalarUDF {
        let signature = Signature::exact(arguments, Volatility::Immutable);
        ScalarUDF::new_from_impl(Self { name, signature, returns, body })
    }

    /// Makes a function that takes its arguments as they come.
    pub(super) fn any(name: &'static str, arguments: usize, returns: DataType, body: Body) -> ScalarUDF {
        let signature = Signature::new(TypeSignature::Any(arguments), Volatility::Immutable);
        ScalarUDF::new_from_impl(Self { name, signature, returns, body })
    }

    /// Makes a function of one of several argument counts that is too dear to be run twice for a row.
    ///
    /// The planner copies an immutable function wherever its result is named, also below the filters above it; it
    /// leaves a volatile one where it stands.
    pub(super) fn once(name: &'static str, arguments: &[usize], returns: DataType, body: Body) -> ScalarUDF {
        let counts = arguments.iter().map(|&count| TypeSignature::Any(count)).collect();
        let signature = Signature::one_of(counts, Volatility::Volatile);
        ScalarUDF::new_from_impl(Self { name, signature, returns, body })
    }
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

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = args.args.iter().map(|arg| arg.to_array(args.number_rows)).collect::<Result<Vec<ArrayRef>>>()?;
        (self.body)(&arrays).map(ColumnarValue::Array)
    }
}
