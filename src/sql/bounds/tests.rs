//! Every function of a session is given its worst.

use super::budget::ResultBudget;
use super::function::bounded;
use super::growth::{Call, Growth};
use super::row_bytes::total_bytes;
use crate::sql::functions::Lists;
use crate::sql::open_session_within;
use crate::sql::{SharedMemory, open_session};
use arrow::array::{ArrayRef, Int64Array, ListArray, StringArray, TimestampSecondArray};
use arrow::compute::cast;
use arrow::datatypes::{Field, FieldRef, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryPool};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::type_coercion::functions::fields_with_udf;
use datafusion::logical_expr::{ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF};
use datafusion::prelude::{SessionContext, lit};
use std::sync::Arc;

const ROWS: usize = 20;

/// Returns a text, a number, a list of numbers, a list of texts and a time for each row.
fn columns(text: &str, number: i64) -> Vec<ArrayRef> {
    let numbers = [Some((0..20).map(Some).collect::<Vec<_>>())];
    let lists = ListArray::from_iter_primitive::<Int64Type, _, _>(numbers.into_iter().cycle().take(ROWS));
    let words = cast(&lists, &arrow::datatypes::DataType::new_list(arrow::datatypes::DataType::Utf8, true)).unwrap();
    vec![
        Arc::new(StringArray::from(vec![text; ROWS])),
        Arc::new(Int64Array::from(vec![number; ROWS])),
        Arc::new(lists),
        words,
        Arc::new(TimestampSecondArray::from(vec![1_700_000_000; ROWS])),
    ]
}

/// Calls a function; `None` where it does not take these arguments.
fn call(function: &Arc<ScalarUDF>, arrays: &[ArrayRef]) -> Option<(ScalarFunctionArgs, Result<ColumnarValue>)> {
    let given: Vec<FieldRef> =
        arrays.iter().map(|array| Arc::new(Field::new("a", array.data_type().clone(), true))).collect();
    let fields = fields_with_udf(&given, function.as_ref()).ok()?;
    let args =
        arrays.iter().zip(&fields).map(|(array, field)| cast(array, field.data_type()).map(ColumnarValue::Array));
    let args = args.collect::<Result<Vec<_>, _>>().ok()?;
    let constants = vec![None; args.len()];
    let returns = ReturnFieldArgs { arg_fields: &fields, scalar_arguments: &constants };
    let return_field = function.return_field_from_args(returns).ok()?;
    let config_options = Arc::new(ConfigOptions::default());
    let args = ScalarFunctionArgs { args, arg_fields: fields, number_rows: ROWS, return_field, config_options };
    let made = function.invoke_with_args(args.clone());
    Some((args, made))
}

/// Returns all lists of one to three arguments, and a few of four.
fn argument_lists(columns: &[ArrayRef]) -> Vec<Vec<ArrayRef>> {
    let mut lists: Vec<Vec<ArrayRef>> = columns.iter().map(|column| vec![column.clone()]).collect();
    let mut last = lists.clone();
    for _ in 0..2 {
        let longer = last
            .iter()
            .flat_map(|list| columns.iter().map(|column| [list.as_slice(), std::slice::from_ref(column)].concat()));
        last = longer.collect();
        lists.extend(last.clone());
    }
    let [text, number, list, ..] = columns else { return lists };
    lists.push(vec![text.clone(); 4]);
    lists.push(vec![text.clone(), text.clone(), number.clone(), number.clone()]);
    lists.push(vec![list.clone(), number.clone(), number.clone(), number.clone()]);
    lists
}

fn functions() -> Vec<Arc<ScalarUDF>> {
    let session = open_session(Vec::new(), &Lists::default(), 1).unwrap();
    let state = session.state();
    let mut all: Vec<Arc<ScalarUDF>> = state.scalar_functions().values().cloned().collect();
    all.push(super::concatenation::concatenation());
    all.sort_by(|one, other| one.name().cmp(other.name()));
    all.dedup_by(|one, other| one.name() == other.name());
    all
}

/// No function makes more than is said of it, so that what a batch takes is known before it is made.
#[test]
fn every_function_makes_at_most_what_is_said() {
    let lists = argument_lists(&columns("10.0.1.%Y9.a", 37));
    let (mut called, mut unknown, mut grown) = (0, Vec::new(), Vec::new());
    for function in functions() {
        for list in &lists {
            let Some((args, made)) = call(&function, list) else { continue };
            let Ok(made) = made.and_then(|made| made.into_array(ROWS)) else { continue };
            called += 1;
            let growth = Growth::of(function.name(), made.data_type());
            let said = Call::new(growth, &args.args).unwrap();
            let said: u64 = (0..ROWS).map(|row| said.bytes(Some(row))).sum();
            if growth == Growth::Unknown {
                unknown.push(function.name().to_owned());
            } else if total_bytes(&made) > said {
                grown.push(format!("{}: {} > {said} for {:?}", function.name(), total_bytes(&made), args.arg_fields));
            }
        }
    }
    unknown.dedup();
    assert!(called > 500, "{called}");
    assert!(grown.is_empty(), "{grown:#?}");
    assert!(unknown.is_empty(), "add them to those that grow or to those that do not: {unknown:?}");
}

/// Whatever a function is asked for, it makes no more than its share of the memory.
#[test]
fn every_function_is_bounded() {
    let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(2 << 20));
    let budget = Arc::new(ResultBudget::of(&pool));
    let most = budget.most_bytes() as u64;
    let lists = argument_lists(&columns(&"10.0.1.%Y".repeat(30), 40_000_000));
    let mut refused = std::collections::BTreeSet::new();
    for function in functions() {
        // It compares each letter with each other.
        if function.name() == "levenshtein" {
            continue;
        }
        let limited = bounded(&function, &budget);
        for list in &lists {
            match call(&limited, list) {
                Some((_, Ok(ColumnarValue::Array(array)))) => {
                    assert!(total_bytes(&array) <= most, "{}: {}", function.name(), total_bytes(&array));
                }
                Some((_, Err(error))) if error.to_string().contains("may be made at a time") => {
                    refused.insert(function.name().to_owned());
                }
                _ => {}
            }
            assert_eq!(pool.reserved(), 0, "{}: memory is still counted", function.name());
        }
    }
    for name in ["repeat", "lpad", "rpad", "range", "generate_series", "array_repeat", "array_resize"] {
        assert!(refused.contains(name), "{name} is not among {refused:?}");
    }
}

/// A function that nobody has heard of is found out when it has made a little.
#[test]
fn unknown_functions_are_tried_on_a_few_rows() {
    use datafusion::logical_expr::{Volatility, create_udf};
    let rows = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let seen = rows.clone();
    let body = move |values: &[ColumnarValue]| {
        let ColumnarValue::Array(array) = &values[0] else { panic!("a constant") };
        seen.fetch_add(array.len(), std::sync::atomic::Ordering::Relaxed);
        let long = "x".repeat(10_000);
        Ok(ColumnarValue::Array(Arc::new(StringArray::from(vec![long.as_str(); array.len()])) as ArrayRef))
    };
    let number = arrow::datatypes::DataType::Int64;
    let returns = arrow::datatypes::DataType::Utf8;
    let plugin = create_udf("plugin", vec![number], returns, Volatility::Immutable, Arc::new(body));
    let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(40 << 20));
    let function = bounded(&Arc::new(plugin), &Arc::new(ResultBudget::of(&pool)));
    let args = |count: usize| ScalarFunctionArgs {
        args: vec![ColumnarValue::Array(Arc::new(Int64Array::from(vec![1; count])))],
        arg_fields: vec![Arc::new(Field::new("a", arrow::datatypes::DataType::Int64, true))],
        number_rows: count,
        return_field: Arc::new(Field::new("r", arrow::datatypes::DataType::Utf8, true)),
        config_options: Arc::default(),
    };
    let made = function.invoke_with_args(args(300)).unwrap().into_array(300).unwrap();
    assert_eq!((made.len(), rows.swap(0, std::sync::atomic::Ordering::Relaxed)), (300, 300));
    let refused = function.invoke_with_args(args(8_192)).unwrap_err().to_string();
    assert!(refused.contains("plugin would make 8"), "{refused}");
    assert!(rows.load(std::sync::atomic::Ordering::Relaxed) < 1_200, "it was called for {rows:?} rows");
}

async fn limited() -> (SessionContext, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let memory = SharedMemory::limited(64 << 20, folder.path().to_owned());
    let words: ArrayRef = Arc::new(StringArray::from_iter_values((0..20_000).map(|n| format!("10.0.{n}"))));
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..20_000));
    let table = arrow::array::RecordBatch::try_from_iter([("a", words), ("n", numbers)]).unwrap();
    let session = open_session_within(vec![("t", vec![table])], &Lists::default(), 2, &memory).unwrap();
    (super::with_bounds(session).unwrap(), folder)
}

/// Statements get the same answer as before, or are refused with a message that says why.
#[tokio::test]
async fn statements_are_answered_or_refused() {
    let (session, _folder) = limited().await;
    let mut wrong = Vec::new();
    for (sql, expected) in [
        ("SELECT max(length(a || ':' || a)) FROM t", "21"),
        ("SELECT max(length(repeat(a, 40))) FROM t", "400"),
        ("SELECT sum(length(concat(a, repeat('x', 100000)))) FROM t WHERE n < 50", "5000340"),
        ("SELECT count(*) FROM t WHERE regexp_like(a, repeat('9|', 5000) || '8$')", "8336"),
        ("SELECT sum(cardinality(range(n, n + 30))) FROM t", "600000"),
        ("SELECT count(u) FROM (SELECT a, unnest(range(0, 50)) AS u FROM t)", "1000000"),
        ("SELECT count(*) FROM (SELECT unnest(range(0, 300000)))", "300000"),
        ("SELECT count(*) FROM (SELECT repeat('x', 20000) AS v) AS one CROSS JOIN t WHERE length(v || a) > 3", "20000"),
        ("SELECT a || NULL FROM t LIMIT 1", "NULL"),
        ("SELECT cardinality(generate_series(TIMESTAMP '2024-01-01', TIMESTAMP '2024-01-31', INTERVAL '1' DAY))", "31"),
        ("SELECT length(lpad('x', 1500000000, 'y'))", "lpad would make 6.0 GB for one row"),
        ("SELECT max(length(repeat(a, 20000))) FROM t", "repeat would make"),
        ("SELECT max(length(replace(repeat(a, 9), '0', repeat('x', 100000)))) FROM t", "replace would make"),
        ("SELECT max(length(repeat(a, 200) || repeat(a, 900))) FROM t", "would make"),
        ("SELECT cardinality(range(0, 1000000000))", "range would make 8.0 GB"),
        ("SELECT max(cardinality(range(0, n % 2 + 100000))) FROM t", "range would make"),
        ("SELECT count(*) FROM (SELECT repeat(a, 90), unnest(range(0, 200000)) FROM t)", "would make"),
        ("SELECT repeat('x', 100000), a FROM t", "constants would make"),
        (
            "SELECT count(*) FROM (SELECT repeat('x', 900000) AS v) AS one CROSS JOIN t WHERE length(v || a) > 3",
            "a join",
        ),
        ("SELECT count(*) FROM range(0, length(lpad('x', 1500000000, 'y')))", "must be an INTEGER"),
        ("SELECT count(*) FROM range(0, length(lpad('x', 15, 'y')))", "must be an INTEGER"),
        ("SELECT count(*) FROM t WHERE a LIKE '10.0.1_' OR a ~ '^10.0.7$' OR a LIKE left(a, 5) || '3'", "12"),
        ("SELECT count(*) FROM t WHERE a LIKE repeat('%a', 100000)", "a pattern of 200 KB is too long"),
        ("SELECT count(*) FROM t WHERE a NOT LIKE a || repeat('%a', 100000)", "|| would make"),
        ("SELECT count(*) FROM t WHERE a ~ repeat('a*', 100000)", "a pattern of 200 KB is too long"),
        ("SELECT count(*) FROM t WHERE regexp_like(a, repeat('a*', 100000))", "a pattern of 200 KB is too long"),
        ("SELECT count(regexp_replace(a, repeat('a*', 100000), '')) FROM t", "a pattern of 200 KB is too long"),
        ("SELECT [lpad('x', 1500000000, 'y')]", "lpad would make"),
    ] {
        let asked = async { session.sql(sql).await?.collect().await };
        let found = match asked.await {
            Ok(batches) => {
                let value = batches.iter().find(|batch| batch.num_rows() > 0);
                let value = value.map(|batch| ScalarValue::try_from_array(batch.column(0), 0).unwrap().to_string());
                value.unwrap_or_default()
            }
            Err(error) => error.strip_backtrace(),
        };
        if found != expected && !(expected.contains(' ') && found.contains(expected)) {
            wrong.push(format!("{sql}: {found}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(session.runtime_env().memory_pool.reserved(), 0);
}

/// The engine turns `regexp_like` into an operator and makes its pattern later, when memory allows: nothing may be
/// compiled unseen then.
#[test]
fn a_pattern_that_is_made_later_is_bounded() {
    let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(64 << 20));
    let budget = Arc::new(ResultBudget::of(&pool));
    let function = functions().into_iter().find(|function| function.name() == "regexp_like").unwrap();
    let function = bounded(&function, &budget);
    let repeat = functions().into_iter().find(|function| function.name() == "repeat").unwrap();
    let pattern = repeat.call(vec![lit("a*"), lit(10_000_000)]);
    let info = SimplifyContext::default();
    let simplified = function.simplify(vec![lit("text"), pattern], &info).unwrap();
    let ExprSimplifyResult::Simplified(Expr::BinaryExpr(found)) = simplified else { panic!("{simplified:?}") };
    let Expr::ScalarFunction(right) = *found.right else { panic!("{}", found.right) };
    assert_eq!(right.name(), "pattern");
}
