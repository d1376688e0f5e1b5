//! Functions that judge one row: the timing of a pair, or the deviation from a habit.

use super::FunctionDoc;
use super::function::{Function, on_arrays, wrong_type};
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, StringArray, StructArray, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields, Float64Type, Int64Type, UInt16Type, UInt32Type};
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;
use kernels::beacon::{BeaconStatistics, Judgement, ObservedWindow, judge_with_lost_time};
use kernels::lost::Lost;
use kernels::robust::robust_z;
use kernels::sizes::SizeCount;
use kernels::train::daily::DailyHours;
use rayon::prelude::*;
use rollup::coverage::LostTimes;
use std::sync::Arc;

const GROUP: &str = "judgements of a row";

/// Documentation for `--functions` and the reference.
pub(super) const DOCS: &[FunctionDoc] = &[
    FunctionDoc {
        name: "beacon_statistics",
        group: GROUP,
        call: "beacon_statistics(starts, sizes, from_s, to_s, window_s[, most_p[, interface_id]])",
        returns: "The judgement of the connection starts of one row of `pairs` as a struct: `period_s`, \
                `jitter_ratio`, `missed_ratio`, `sleep_low_s` and `sleep_high_s` (q05 and q95 of the sleeps), \
                `other_period_s` (a second train under the same starts), `check_ins`, `connections_per_check_in`, \
                `shape`, `p_value`, `score`, `method`, `clock_period_s` (the wall clock that it keeps), `possible_clock_s` (one that it \
                may keep, where a schedule and a sleeper cannot be distinguished), `resolution_s` (the log's window where all \
                starts lie on its windows, else 1), `active_from_h` and `active_to_h` (hours of \
                the day, UTC, where there is a night), `same_size_ratio`, `span_s`, `span_ratio`, `rita_score`; NULL \
                for fewer than six starts. `from_s` and `to_s` bound the window, in Unix seconds. A train with a \
                p-value above `most_p` only gets the p-value 1. Within `detect`, lost records of `interface_id` \
                count neither as silence nor as missed beats. The formulas are in `kernels::beacon`.",
        example: "beacon_statistics([0, 600, 1200, 1800, 2400, 3000], [named_struct('bucket', arrow_cast(9, 'UInt16'), \
                  'count', arrow_cast(6, 'UInt32'))], 0, 3600, 60)['period_s']",
        result: "600.0",
    },
    FunctionDoc {
        name: "robust_z",
        group: GROUP,
        call: "robust_z(x, median, mad)",
        returns: "`(x − median) / (1.4826·mad + 0.1)`: the distance of `x` from a habit, in deviations that a few \
                outliers cannot move. Made for logarithms of bytes, which the 0.1 suits. With the aggregates \
                `median` and `mad` it works in any GROUP BY and over any window; `max_robust_z` does it for the \
                largest.",
        example: "round(robust_z(ln(1e9), ln(1e6), 0.5), 2)",
        result: "8.21",
    },
];

/// Creates the functions that judge a row.
pub(super) fn functions(lost: &Arc<LostTimes>) -> Vec<ScalarUDF> {
    let lost = lost.clone();
    let beacon = on_arrays(move |args| beacon_body(args, &lost));
    let float = || DataType::Float64;
    vec![
        Function::exact("robust_z", vec![float(), float(), float()], float(), on_arrays(robust_z_body)),
        Function::once("beacon_statistics", &[5, 6, 7], DataType::Struct(beacon_fields()), beacon),
    ]
}

fn robust_z_body(args: &[ArrayRef]) -> Result<ArrayRef> {
    let [x, median, mad] = [0, 1, 2].map(|at| args[at].as_primitive::<Float64Type>());
    let z = |((x, median), mad): ((Option<f64>, Option<f64>), Option<f64>)| Some(robust_z(x?, median?, mad?, 0.1));
    Ok(Arc::new(x.iter().zip(median.iter()).zip(mad.iter()).map(z).collect::<Float64Array>()))
}

fn beacon_fields() -> Fields {
    let float = |name: &str| Field::new(name, DataType::Float64, true);
    vec![
        float("period_s"),
        float("jitter_ratio"),
        float("missed_ratio"),
        float("sleep_low_s"),
        float("sleep_high_s"),
        float("other_period_s"),
        Field::new("check_ins", DataType::UInt32, true),
        float("connections_per_check_in"),
        float("shape"),
        float("p_value"),
        float("score"),
        Field::new("method", DataType::Utf8, true),
        Field::new("clock_period_s", DataType::UInt32, true),
        Field::new("possible_clock_s", DataType::UInt32, true),
        Field::new("resolution_s", DataType::UInt32, true),
        Field::new("active_from_h", DataType::UInt32, true),
        Field::new("active_to_h", DataType::UInt32, true),
        float("same_size_ratio"),
        float("span_s"),
        float("span_ratio"),
        float("rita_score"),
    ]
    .into()
}

/// Returns an argument as integers.
pub(super) fn whole_numbers(function: &str, args: &[ArrayRef], at: usize, name: &str) -> Result<Int64Array> {
    let cast = cast(&args[at], &DataType::Int64)?;
    cast.as_primitive_opt::<Int64Type>().cloned().ok_or_else(|| wrong_type(function, name, "a number"))
}

/// Returns the ENI named in a text column, if any.
pub(super) fn interface_at(interfaces: Option<&ArrayRef>, row: usize) -> Option<&str> {
    let names = interfaces?.as_string_opt::<i32>()?;
    (!names.is_null(row)).then(|| names.value(row))
}

/// Returns the judgements of one batch, on all threads: they are the expensive part of a run.
fn beacon_body(args: &[ArrayRef], lost: &LostTimes) -> Result<ArrayRef> {
    const NAME: &str = "beacon_statistics";
    let starts = args[0].as_list_opt::<i32>().ok_or_else(|| wrong_type(NAME, "starts", "a list of seconds"))?;
    let sizes = args[1].as_list_opt::<i32>().ok_or_else(|| wrong_type(NAME, "sizes", "a list of buckets"))?;
    let seconds = starts.values().as_primitive_opt::<Int64Type>();
    let seconds = seconds.ok_or_else(|| wrong_type(NAME, "starts", "a list of BIGINT"))?;
    let size_values = sizes.values().as_struct_opt().ok_or_else(|| wrong_type(NAME, "sizes", "a list of structs"))?;
    let buckets = size_values.column(0).as_primitive::<UInt16Type>();
    let counts = size_values.column(1).as_primitive::<UInt32Type>();
    let number = |at: usize, name: &str| whole_numbers(NAME, args, at, name);
    let (from_s, to_s, window_s) = (number(2, "from_s")?, number(3, "to_s")?, number(4, "window_s")?);
    let most_p_value = match args.get(5) {
        Some(bound) => {
            let bound = cast(bound, &DataType::Float64)?;
            let bound = bound.as_primitive_opt::<Float64Type>();
            let bound = bound.ok_or_else(|| wrong_type(NAME, "most_p", "a number"))?;
            bound.iter().map(|bound| bound.unwrap_or(1.0)).collect::<Vec<f64>>()
        }
        None => vec![1.0; starts.len()],
    };
    let interfaces = args.get(6).map(|array| cast(array, &DataType::Utf8)).transpose()?;
    let judged: Vec<Option<Judgement>> = (0..starts.len())
        .into_par_iter()
        .with_min_len(16)
        .map(|row| {
            if starts.is_null(row) {
                return None;
            }
            let (begin, end) = (starts.value_offsets()[row] as usize, starts.value_offsets()[row + 1] as usize);
            let (from, to) = (sizes.value_offsets()[row] as usize, sizes.value_offsets()[row + 1] as usize);
            let histogram = || -> Vec<SizeCount> {
                (from..to).map(|at| SizeCount::new(buckets.value(at), counts.value(at))).collect()
            };
            let observed = ObservedWindow {
                from_s: from_s.value(row),
                to_s: to_s.value(row),
                window_s: u32::try_from(window_s.value(row)).unwrap_or(60).max(1),
            };
            let lost = interface_at(interfaces.as_ref(), row).map_or(Lost::NONE, |interface| lost.of(interface));
            judge_with_lost_time(&seconds.values()[begin..end], histogram, &observed, lost, most_p_value[row])
        })
        .collect();
    let described: Vec<Option<&BeaconStatistics>> =
        judged.iter().map(|judgement| judgement.as_ref().and_then(Judgement::described)).collect();
    let float = |pick: &dyn Fn(&BeaconStatistics) -> f64| -> ArrayRef {
        Arc::new(described.iter().map(|j| j.map(pick)).collect::<Float64Array>())
    };
    let hour = |pick: &dyn Fn(&DailyHours) -> u8| -> ArrayRef {
        let of = |j: &BeaconStatistics| j.daily_hours.as_ref().map(|hours| u32::from(pick(hours)));
        Arc::new(described.iter().map(|j| j.and_then(of)).collect::<UInt32Array>())
    };
    let columns: Vec<ArrayRef> = vec![
        float(&|j| j.period_s),
        float(&|j| j.jitter_ratio),
        float(&|j| j.missed_ratio),
        float(&|j| j.sleep_low_s),
        float(&|j| j.sleep_high_s),
        Arc::new(described.iter().map(|j| j.and_then(|j| j.other_period_s)).collect::<Float64Array>()),
        Arc::new(described.iter().map(|j| j.map(|j| j.check_ins)).collect::<UInt32Array>()),
        float(&|j| j.connections_per_check_in),
        float(&|j| j.shape),
        Arc::new(judged.iter().map(|j| j.as_ref().map(Judgement::p_value)).collect::<Float64Array>()),
        float(&|j| j.score),
        Arc::new(described.iter().map(|j| j.map(|j| j.method.name())).collect::<StringArray>()),
        Arc::new(described.iter().map(|j| j.and_then(|j| j.clock_period_s)).collect::<UInt32Array>()),
        Arc::new(described.iter().map(|j| j.and_then(|j| j.possible_clock_s)).collect::<UInt32Array>()),
        Arc::new(described.iter().map(|j| j.map(|j| j.resolution_s)).collect::<UInt32Array>()),
        hour(&|hours| hours.from_h),
        hour(&|hours| hours.to_h),
        float(&|j| j.features.same_size),
        float(&|j| j.span_s as f64),
        float(&|j| j.span_ratio),
        float(&|j| j.rita_score),
    ];
    let nulls = NullBuffer::from_iter(judged.iter().map(Option::is_some));
    Ok(Arc::new(StructArray::try_new(beacon_fields(), columns, Some(nulls))?))
}
