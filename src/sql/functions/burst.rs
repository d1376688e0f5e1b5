//! The function that measures bursts of equal requests.

use super::FunctionDoc;
use super::function::{Function, on_arrays, wrong_type};
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, StructArray, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Fields, Int64Type, UInt16Type, UInt32Type};
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;
use kernels::sameness::{Sameness, sameness};
use kernels::sizes::SizeCount;
use rayon::prelude::*;
use std::sync::Arc;

const NAME: &str = "burst_statistics";

/// Documentation for `--functions` and the reference.
pub(super) const DOCS: &[FunctionDoc] = &[FunctionDoc {
    name: NAME,
    group: "judgements of a row",
    call: "burst_statistics(starts, sizes)",
    returns: "Rate and sameness of the connections of one row of `pairs` as a struct: `connections` in the fullest ten \
            minutes, `from_s` (the first of them, Unix seconds), `same_size_ratio` (share of all connections whose bytes \
            out are within a bucket of the commonest), `size_bytes` (that size), `p_value` (that a client of four kinds \
            of requests has so many of one); NULL without starts or sizes. The formulas are in `kernels::sameness`.",
    example: "burst_statistics([0, 5, 9, 700], [named_struct('bucket', arrow_cast(9, 'UInt16'), 'count', \
            arrow_cast(4, 'UInt32'))])['connections']",
    result: "3",
}];

/// Creates the function.
pub(super) fn functions() -> Vec<ScalarUDF> {
    vec![Function::once(NAME, &[2], DataType::Struct(fields()), on_arrays(body))]
}

fn fields() -> Fields {
    let float = |name: &str| Field::new(name, DataType::Float64, true);
    vec![
        Field::new("connections", DataType::UInt32, true),
        Field::new("from_s", DataType::Int64, true),
        float("same_size_ratio"),
        float("size_bytes"),
        float("p_value"),
    ]
    .into()
}

/// Measures the rows of one batch, on all threads.
fn body(args: &[ArrayRef]) -> Result<ArrayRef> {
    let starts = args[0].as_list_opt::<i32>().ok_or_else(|| wrong_type(NAME, "starts", "a list of seconds"))?;
    let sizes = args[1].as_list_opt::<i32>().ok_or_else(|| wrong_type(NAME, "sizes", "a list of buckets"))?;
    let seconds = starts.values().as_primitive_opt::<Int64Type>();
    let seconds = seconds.ok_or_else(|| wrong_type(NAME, "starts", "a list of BIGINT"))?.values();
    let values = sizes.values().as_struct_opt().filter(|values| values.num_columns() == 2);
    let buckets = values.and_then(|values| values.column(0).as_primitive_opt::<UInt16Type>());
    let counts = values.and_then(|values| values.column(1).as_primitive_opt::<UInt32Type>());
    let (Some(buckets), Some(counts)) = (buckets, counts) else {
        return Err(wrong_type(NAME, "sizes", "a list of structs of bucket and count"));
    };
    let measured: Vec<Option<Sameness>> = (0..starts.len())
        .into_par_iter()
        .with_min_len(64)
        .map(|row| {
            if starts.is_null(row) || sizes.is_null(row) {
                return None;
            }
            let (begin, end) = (starts.value_offsets()[row] as usize, starts.value_offsets()[row + 1] as usize);
            let (from, to) = (sizes.value_offsets()[row] as usize, sizes.value_offsets()[row + 1] as usize);
            let histogram: Vec<SizeCount> =
                (from..to).map(|at| SizeCount::new(buckets.value(at), counts.value(at))).collect();
            sameness(&seconds[begin..end], &histogram)
        })
        .collect();
    let rows = || measured.iter().map(Option::as_ref);
    let float = |pick: &dyn Fn(&Sameness) -> f64| -> ArrayRef {
        Arc::new(rows().map(|row| row.map(pick)).collect::<Float64Array>())
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows().map(|row| row.map(|row| row.burst)).collect::<UInt32Array>()),
        Arc::new(rows().map(|row| row.map(|row| row.burst_from_s)).collect::<Int64Array>()),
        float(&|row| row.same_size_ratio),
        float(&|row| row.size_bytes),
        float(&|row| row.p_value),
    ];
    let nulls = NullBuffer::from_iter(measured.iter().map(Option::is_some));
    Ok(Arc::new(StructArray::try_new(fields(), columns, Some(nulls))?))
}
