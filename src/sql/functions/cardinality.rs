//! `cardinality` of a list from its offsets: the engine's own builds an array of every row's entries to count them.

use arrow::array::{Array, ArrayRef, AsArray, UInt64Array};
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::functions_nested::cardinality::cardinality_udf;
use datafusion::logical_expr::{ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature};
use std::sync::Arc;

/// The engine's function, with a fast path for lists of plain values.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Cardinality {
    engine: Arc<ScalarUDF>,
}

/// Creates the function that replaces the engine's.
pub(super) fn function() -> ScalarUDF {
    ScalarUDF::new_from_impl(Cardinality { engine: cardinality_udf() })
}

/// Returns the lengths of the lists of a column; `None` when they are not lists of plain values.
fn lengths(lists: &ArrayRef) -> Option<UInt64Array> {
    let DataType::List(item) = lists.data_type() else { return None };
    if item.data_type().is_nested() && !matches!(item.data_type(), DataType::Struct(_)) {
        return None;
    }
    let lists = lists.as_list_opt::<i32>()?;
    let lengths = lists.value_offsets().windows(2).map(|ends| (ends[1] - ends[0]) as u64);
    Some(UInt64Array::new(lengths.collect(), lists.nulls().cloned()))
}

impl ScalarUDFImpl for Cardinality {
    fn name(&self) -> &str {
        self.engine.name()
    }

    fn signature(&self) -> &Signature {
        self.engine.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.engine.return_type(arguments)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.engine.documentation()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let [ColumnarValue::Array(lists)] = args.args.as_slice()
            && let Some(lengths) = lengths(lists)
        {
            return Ok(ColumnarValue::Array(Arc::new(lengths)));
        }
        self.engine.invoke_with_args(args)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::functions::Lists;
    use crate::sql::{open_session, run};
    use arrow::array::{Int64Array, ListArray, RecordBatch};
    use arrow::datatypes::Int64Type;

    #[tokio::test]
    async fn lists_are_counted_as_the_engine_counts_them() {
        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>([
            Some(vec![Some(1), None]),
            None,
            Some(vec![]),
            Some(vec![Some(7)]),
        ]);
        let row: ArrayRef = Arc::new(Int64Array::from_iter_values(0..4));
        let table = RecordBatch::try_from_iter([("n", row), ("l", Arc::new(lists) as ArrayRef)]).unwrap();
        let session = open_session(vec![("t", vec![table])], &Lists::default(), 1).unwrap();
        let engine = cardinality_udf();
        session.register_udf(ScalarUDF::clone(&engine).with_aliases(["engines"]));
        let other = run(&session, "q", "SELECT engines(l), engines([l, l]), engines([1, 2, 3]) FROM t").await.unwrap();
        session.register_udf(function());
        let own = run(&session, "q", "SELECT cardinality(l), cardinality([l, l]), cardinality([1, 2, 3]) FROM t");
        let own = own.await.unwrap();
        assert_eq!(own[0].columns(), other[0].columns());
        assert_eq!(
            own[0].column(0).as_primitive::<arrow::datatypes::UInt64Type>().iter().collect::<Vec<_>>(),
            [Some(2), None, Some(0), Some(1)]
        );
        let sliced = run(&session, "q", "SELECT cardinality(l) FROM (SELECT * FROM t OFFSET 2)").await.unwrap();
        assert_eq!(sliced[0].column(0).as_primitive::<arrow::datatypes::UInt64Type>().values(), &[0, 1]);
    }
}
