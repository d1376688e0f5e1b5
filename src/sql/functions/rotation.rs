//! `rotating_statistics` and `typical_size`: a host's remotes judged together.

use super::Described;
use super::function::{Function, on_arrays, wrong_type};
use super::judgement::whole_numbers;
use crate::flow::Address;
use crate::kernels::beacon::ObservedWindow;
use crate::kernels::rotation::{Member, Rotation, RotationJudgement, rotation};
use crate::kernels::sizes;
use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, ListBuilder, StringArray, StringBuilder, StructArray,
    UInt32Array,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Fields, Float64Type, Int64Type, UInt16Type, UInt32Type};
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;
use rayon::prelude::*;
use std::sync::Arc;

/// Remotes that are listed.
const LISTED: usize = 8;

const GROUP: &str = "judgements of a row";

/// What `--functions` and the reference say of them.
pub(super) const DESCRIBED: &[Described] = &[
    Described {
        name: "typical_size",
        group: GROUP,
        call: "typical_size(sizes)",
        gives: "The median bytes out of a connection, of `sizes` of one row of `pairs`.",
        example: "typical_size([named_struct('bucket', arrow_cast(9, 'UInt16'), 'count', arrow_cast(6, 'UInt32'))])",
        result: "9.0",
    },
    Described {
        name: "rotating_statistics",
        group: GROUP,
        call: "rotating_statistics(members, from_s, to_s, window_s, most_p)",
        gives: "The judgement of remotes of one host taken together, as a struct: an implant may rotate over them. \
                `members` is a list of structs of `remote` (16 bytes), `starts` and `size`. What has a p-value above \
                `most_p` gets that alone, as 1; NULL when no group of remotes was found. Formulas stand in \
                `kernels::rotation`.",
        example: "rotating_statistics([named_struct('remote', address('192.0.2.1'), 'starts', [0, 600], 'size', 9.0)], \
                  0, 3600, 60, 1.0) IS NULL",
        result: "true",
    },
];

/// Makes the functions that judge remotes together.
pub(super) fn functions() -> Vec<ScalarUDF> {
    let rotation = DataType::Struct(rotation_fields());
    vec![
        Function::typed("typical_size", &[1], |_| Ok(DataType::Float64), on_arrays(typical_size_body)),
        Function::once("rotating_statistics", &[5], rotation, on_arrays(rotation_body)),
    ]
}

/// The median size of a pair's connections in bytes.
fn typical_size_body(args: &[ArrayRef]) -> Result<ArrayRef> {
    let wrong = || wrong_type("typical_size", "sizes", "a list of buckets");
    let lists = args[0].as_list_opt::<i32>().ok_or_else(wrong)?;
    let values = lists.values().as_struct_opt().ok_or_else(wrong)?;
    let buckets = values.column(0).as_primitive_opt::<UInt16Type>().ok_or_else(wrong)?;
    let counts = values.column(1).as_primitive_opt::<UInt32Type>().ok_or_else(wrong)?;
    let typical = (0..lists.len()).map(|row| {
        let (from, to) = (lists.value_offsets()[row] as usize, lists.value_offsets()[row + 1] as usize);
        let histogram: Vec<(u16, u32)> = (from..to).map(|at| (buckets.value(at), counts.value(at))).collect();
        sizes::quantile(&histogram, 0.5)
    });
    Ok(Arc::new(typical.collect::<Float64Array>()))
}

/// What `rotating_statistics` gives.
fn rotation_fields() -> Fields {
    let float = |name: &str| Field::new(name, DataType::Float64, true);
    vec![
        float("period_s"),
        float("jitter_ratio"),
        float("missed_ratio"),
        float("p_value"),
        float("member_p_value"),
        float("score"),
        Field::new("method", DataType::Utf8, true),
        Field::new("clock_period_s", DataType::UInt32, true),
        Field::new("connections", DataType::UInt32, true),
        Field::new("destinations", DataType::UInt32, true),
        Field::new("remotes", DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))), true),
        Field::new("first_s", DataType::Int64, true),
        Field::new("last_s", DataType::Int64, true),
        float("span_ratio"),
        float("rita_score"),
    ]
    .into()
}

/// One row's remotes, in the order of their addresses, so that the order in which they were gathered does not matter.
struct Remotes<'a> {
    addresses: Vec<Address>,
    members: Vec<Member<'a>>,
}

/// Judges the remotes of each row, on all threads.
///
/// Arguments: a list of structs of remote, starts and typical size; then window, aggregation interval and the largest
/// p-value that is described.
fn rotation_body(args: &[ArrayRef]) -> Result<ArrayRef> {
    const NAME: &str = "rotating_statistics";
    let wrong = || wrong_type(NAME, "remotes", "a list of structs of remote, starts and size");
    let lists = args[0].as_list_opt::<i32>().ok_or_else(wrong)?;
    let values = lists.values().as_struct_opt().filter(|values| values.num_columns() == 3).ok_or_else(wrong)?;
    let remotes = values.column(0).as_fixed_size_binary_opt().ok_or_else(wrong)?;
    let starts = values.column(1).as_list_opt::<i32>().ok_or_else(wrong)?;
    let seconds = starts.values().as_primitive_opt::<Int64Type>().ok_or_else(wrong)?;
    let sizes = values.column(2).as_primitive_opt::<Float64Type>().ok_or_else(wrong)?;
    let number = |at: usize, name: &str| whole_numbers(NAME, args, at, name);
    let (from_s, to_s, window_s) = (number(1, "from_s")?, number(2, "to_s")?, number(3, "window_s")?);
    let most_p = arrow::compute::cast(&args[4], &DataType::Float64)?;
    let most_p = most_p.as_primitive_opt::<Float64Type>().ok_or_else(|| wrong_type(NAME, "most_p", "a number"))?;
    let of_row = |row: usize| -> Remotes<'_> {
        let (from, to) = (lists.value_offsets()[row] as usize, lists.value_offsets()[row + 1] as usize);
        let mut places: Vec<(Address, usize)> = (from..to)
            .filter_map(|at| remotes.value(at).try_into().ok().map(|bytes| (Address::from_bytes(bytes), at)))
            .collect();
        places.sort_unstable();
        let members = places.iter().map(|&(_, at)| {
            let (begin, end) = (starts.value_offsets()[at] as usize, starts.value_offsets()[at + 1] as usize);
            let size_bytes = if sizes.is_null(at) { 0.0 } else { sizes.value(at) };
            Member { starts_s: &seconds.values()[begin..end], size_bytes }
        });
        Remotes { members: members.collect(), addresses: places.iter().map(|&(address, _)| address).collect() }
    };
    let judged: Vec<Option<(RotationJudgement, Vec<String>)>> = (0..lists.len())
        .into_par_iter()
        .map(|row| {
            let Remotes { addresses, members } = of_row(row);
            let observed = ObservedWindow {
                from_s: from_s.value(row),
                to_s: to_s.value(row),
                window_s: u32::try_from(window_s.value(row)).unwrap_or(60).max(1),
            };
            let found = rotation(&members, &observed, most_p.value(row))?;
            let names = match &found {
                RotationJudgement::Described(found) => {
                    found.members.iter().take(LISTED).map(|&at| addresses[at].to_string()).collect()
                }
                RotationJudgement::Random => Vec::new(),
            };
            Some((found, names))
        })
        .collect();
    let described: Vec<Option<(&Rotation, &[String])>> = judged
        .iter()
        .map(|row| match row {
            Some((RotationJudgement::Described(found), names)) => Some((found, names.as_slice())),
            _ => None,
        })
        .collect();
    let float = |pick: &dyn Fn(&Rotation) -> f64| -> ArrayRef {
        Arc::new(described.iter().map(|row| row.map(|(found, _)| pick(found))).collect::<Float64Array>())
    };
    let whole = |pick: &dyn Fn(&Rotation) -> Option<u32>| -> ArrayRef {
        Arc::new(described.iter().map(|row| row.and_then(|(found, _)| pick(found))).collect::<UInt32Array>())
    };
    let second = |pick: &dyn Fn(&Rotation) -> i64| -> ArrayRef {
        Arc::new(described.iter().map(|row| row.map(|(found, _)| pick(found))).collect::<Int64Array>())
    };
    let mut listed = ListBuilder::new(StringBuilder::new());
    for row in &described {
        row.iter().flat_map(|(_, names)| *names).for_each(|name| listed.values().append_value(name));
        listed.append(row.is_some());
    }
    let p_values = judged.iter().map(|row| {
        row.as_ref().map(|(found, _)| match found {
            RotationJudgement::Described(found) => found.union.p_value,
            RotationJudgement::Random => 1.0,
        })
    });
    let methods = described.iter().map(|row| row.map(|(found, _)| found.union.method.name()));
    let columns: Vec<ArrayRef> = vec![
        float(&|found| found.union.period_s),
        float(&|found| found.union.jitter_ratio),
        float(&|found| found.union.missed_ratio),
        Arc::new(p_values.collect::<Float64Array>()),
        float(&|found| found.member_p_value),
        float(&|found| found.union.score),
        Arc::new(methods.collect::<StringArray>()),
        whole(&|found| found.union.clock_period_s),
        whole(&|found| Some(found.union.connections)),
        whole(&|found| Some(found.members.len() as u32)),
        Arc::new(listed.finish()),
        second(&|found| found.seen_s.0),
        second(&|found| found.seen_s.1),
        float(&|found| found.union.span_ratio),
        float(&|found| found.union.rita_score),
    ];
    let nulls = NullBuffer::from_iter(judged.iter().map(Option::is_some));
    Ok(Arc::new(StructArray::try_new(rotation_fields(), columns, Some(nulls))?))
}
