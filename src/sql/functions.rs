//! The functions of flowsift's SQL: thin wrappers of kernels and lists.
//!
//! | function | gives |
//! | --- | --- |
//! | `ip(address)` | an address column as text |
//! | `human_bytes(bytes)` | `1.5 GB` |
//! | `human_duration(seconds)` | `1 h 15 m` |
//! | `protocol_name(number)` | `tcp` |
//! | `robust_z(x, median, mad)` | `(x − median) / (1.4826·mad + 0.1)` |
//! | `beacon_statistics(starts, sizes, from_s, to_s, window_s)` | the judgement of [`crate::kernels::beacon`] as a struct |
//! | `beacon_statistics(…, most_p)` | the same where the p-value is at most `most_p`; else `p_value` alone, as 1 |
//! | `seasonal_habit(hours, values, at)` | what is usual at an hour, by [`crate::kernels::season`], as a struct |
//! | `daily_drift(values, judged_from, floor)` | the rise of a daily level, by [`crate::kernels::drift`], as a struct |
//! | `indicator(remote, port, protocol, first_seen, last_seen)` | the best hit of the feeds as a struct, or NULL |
//! | `network_owner(address)`, `network_service(address)` | from the networks files, or NULL |

use super::function::{Body, Function};
use super::history;
use crate::flow::Address;
use crate::flow::codes::protocol_name;
use crate::flow::units::{bytes_text, duration_text};
use crate::intel::{Indicators, Networks};
use crate::kernels::beacon::{BeaconStatistics, Judgement, ObservedWindow, judge};
use crate::kernels::robust::robust_z;
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, FixedSizeBinaryArray, Float64Array, StringArray, StructArray, UInt8Array,
    UInt32Array,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Fields, Float64Type, Int64Type, UInt16Type, UInt32Type};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::ScalarUDF;
use rayon::prelude::*;
use std::sync::Arc;

/// Makes all functions; the lists are looked up by `indicator`, `network_owner` and `network_service`.
pub fn all(indicators: Arc<Indicators>, networks: Arc<Networks>) -> Vec<ScalarUDF> {
    let text = || DataType::Utf8;
    let float = || DataType::Float64;
    let address = || DataType::FixedSizeBinary(16);
    let owners = networks.clone();
    vec![
        Function::exact("ip", vec![address()], text(), Arc::new(|args| texts(args, |at| Some(at.to_string())))),
        Function::exact(
            "human_bytes",
            vec![float()],
            text(),
            Arc::new(|args| number_texts(args, |bytes| bytes_text(bytes.max(0.0) as u64))),
        ),
        Function::exact("human_duration", vec![float()], text(), Arc::new(|args| number_texts(args, duration_text))),
        Function::exact("protocol_name", vec![float()], text(), Arc::new(|args| number_texts(args, protocol_text))),
        Function::exact("robust_z", vec![float(), float(), float()], float(), Arc::new(robust_z_body)),
        Function::once("beacon_statistics", &[5, 6], DataType::Struct(beacon_fields()), Arc::new(beacon_body)),
        history::seasonal_habit(),
        history::daily_drift(),
        Function::any("indicator", 5, DataType::Struct(indicator_fields()), indicator_body(indicators)),
        Function::exact(
            "network_owner",
            vec![address()],
            text(),
            Arc::new(move |args| texts(args, |at| owners.lookup(at).map(|owner| owner.owner.to_owned()))),
        ),
        Function::exact(
            "network_service",
            vec![address()],
            text(),
            Arc::new(move |args| {
                texts(args, |at| networks.lookup(at).and_then(|owner| owner.service.map(str::to_owned)))
            }),
        ),
    ]
}

fn protocol_text(number: f64) -> String {
    protocol_name(number as u8).into_owned()
}

fn address_at(array: &FixedSizeBinaryArray, row: usize) -> Option<Address> {
    if array.is_null(row) { None } else { array.value(row).try_into().ok().map(Address::from_bytes) }
}

fn texts(args: &[ArrayRef], write: impl Fn(Address) -> Option<String>) -> Result<ArrayRef> {
    let addresses = args[0].as_fixed_size_binary();
    let written = (0..addresses.len()).map(|row| address_at(addresses, row).and_then(&write));
    Ok(Arc::new(written.collect::<StringArray>()))
}

fn number_texts(args: &[ArrayRef], write: fn(f64) -> String) -> Result<ArrayRef> {
    let numbers = args[0].as_primitive::<Float64Type>();
    Ok(Arc::new(numbers.iter().map(|number| number.map(write)).collect::<StringArray>()))
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
        Field::new("check_ins", DataType::UInt32, true),
        float("connections_per_check_in"),
        float("shape"),
        float("p_value"),
        float("score"),
        Field::new("method", DataType::Utf8, true),
        Field::new("clock_period_s", DataType::UInt32, true),
        float("span_s"),
        float("span_ratio"),
        float("rita_score"),
    ]
    .into()
}

pub(super) fn wrong_type(function: &str, argument: &str, expected: &str) -> DataFusionError {
    DataFusionError::Plan(format!("{function}: `{argument}` must be {expected}"))
}

/// The judgements of one batch, on all threads: they are the dear part of a run.
fn beacon_body(args: &[ArrayRef]) -> Result<ArrayRef> {
    const NAME: &str = "beacon_statistics";
    let starts = args[0].as_list_opt::<i32>().ok_or_else(|| wrong_type(NAME, "starts", "a list of seconds"))?;
    let sizes = args[1].as_list_opt::<i32>().ok_or_else(|| wrong_type(NAME, "sizes", "a list of buckets"))?;
    let seconds = starts.values().as_primitive_opt::<Int64Type>();
    let seconds = seconds.ok_or_else(|| wrong_type(NAME, "starts", "a list of BIGINT"))?;
    let size_values = sizes.values().as_struct_opt().ok_or_else(|| wrong_type(NAME, "sizes", "a list of structs"))?;
    let buckets = size_values.column(0).as_primitive::<UInt16Type>();
    let counts = size_values.column(1).as_primitive::<UInt32Type>();
    let number = |at: usize, name: &str| -> Result<arrow::array::Int64Array> {
        let cast = arrow::compute::cast(&args[at], &DataType::Int64)?;
        cast.as_primitive_opt::<Int64Type>().cloned().ok_or_else(|| wrong_type(NAME, name, "a number"))
    };
    let (from_s, to_s, window_s) = (number(2, "from_s")?, number(3, "to_s")?, number(4, "window_s")?);
    let most_p_value = match args.get(5) {
        Some(bound) => {
            let bound = arrow::compute::cast(bound, &DataType::Float64)?;
            let bound = bound.as_primitive_opt::<Float64Type>();
            let bound = bound.ok_or_else(|| wrong_type(NAME, "most_p", "a number"))?;
            bound.iter().map(|bound| bound.unwrap_or(1.0)).collect::<Vec<f64>>()
        }
        None => vec![1.0; starts.len()],
    };
    let judged: Vec<Option<Judgement>> = (0..starts.len())
        .into_par_iter()
        .with_min_len(16)
        .map(|row| {
            if starts.is_null(row) {
                return None;
            }
            let (begin, end) = (starts.value_offsets()[row] as usize, starts.value_offsets()[row + 1] as usize);
            let (from, to) = (sizes.value_offsets()[row] as usize, sizes.value_offsets()[row + 1] as usize);
            let histogram =
                || -> Vec<(u16, u32)> { (from..to).map(|at| (buckets.value(at), counts.value(at))).collect() };
            let observed = ObservedWindow {
                from_s: from_s.value(row),
                to_s: to_s.value(row),
                window_s: u32::try_from(window_s.value(row)).unwrap_or(60).max(1),
            };
            judge(&seconds.values()[begin..end], histogram, &observed, most_p_value[row])
        })
        .collect();
    let described: Vec<Option<&BeaconStatistics>> =
        judged.iter().map(|judgement| judgement.as_ref().and_then(Judgement::described)).collect();
    let float = |pick: &dyn Fn(&BeaconStatistics) -> f64| -> ArrayRef {
        Arc::new(described.iter().map(|j| j.map(pick)).collect::<Float64Array>())
    };
    let columns: Vec<ArrayRef> = vec![
        float(&|j| j.period_s),
        float(&|j| j.jitter_ratio),
        float(&|j| j.missed_ratio),
        Arc::new(described.iter().map(|j| j.map(|j| j.check_ins)).collect::<UInt32Array>()),
        float(&|j| j.connections_per_check_in),
        float(&|j| j.shape),
        Arc::new(judged.iter().map(|j| j.as_ref().map(Judgement::p_value)).collect::<Float64Array>()),
        float(&|j| j.score),
        Arc::new(described.iter().map(|j| j.map(|j| j.method.name())).collect::<StringArray>()),
        Arc::new(described.iter().map(|j| j.and_then(|j| j.clock_period_s)).collect::<UInt32Array>()),
        float(&|j| j.span_s as f64),
        float(&|j| j.span_ratio),
        float(&|j| j.rita_score),
    ];
    let nulls = NullBuffer::from_iter(judged.iter().map(Option::is_some));
    Ok(Arc::new(StructArray::try_new(beacon_fields(), columns, Some(nulls))?))
}

fn indicator_fields() -> Fields {
    vec![
        Field::new("source", DataType::Utf8, true),
        Field::new("indicator", DataType::Utf8, true),
        Field::new("port_matched", DataType::Boolean, true),
        Field::new("confidence", DataType::UInt8, true),
        Field::new("malware", DataType::Utf8, true),
        Field::new("listing", DataType::Utf8, true),
    ]
    .into()
}

fn indicator_body(indicators: Arc<Indicators>) -> Body {
    Arc::new(move |args: &[ArrayRef]| {
        const NAME: &str = "indicator";
        let remotes = args[0].as_fixed_size_binary_opt().ok_or_else(|| wrong_type(NAME, "remote", "an address"))?;
        let number = |at: usize| -> Result<arrow::array::Int64Array> {
            let cast = arrow::compute::cast(&args[at], &DataType::Int64)?;
            cast.as_primitive_opt::<Int64Type>().cloned().ok_or_else(|| wrong_type(NAME, "argument", "a number"))
        };
        let [ports, protocols, firsts, lasts] = [number(1)?, number(2)?, number(3)?, number(4)?];
        if indicators.is_empty() {
            return Ok(arrow::array::new_null_array(&DataType::Struct(indicator_fields()), remotes.len()));
        }
        let hits: Vec<_> = (0..remotes.len())
            .map(|row| {
                let port = u16::try_from(ports.value(row)).ok();
                let protocol = u8::try_from(protocols.value(row)).ok();
                let remote = address_at(remotes, row)?;
                indicators.lookup(remote, port, protocol, firsts.value(row), lasts.value(row))
            })
            .collect();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(hits.iter().map(|hit| hit.as_ref().map(|hit| hit.source)).collect::<StringArray>()),
            Arc::new(hits.iter().map(|hit| hit.as_ref().map(|hit| hit.indicator.as_str())).collect::<StringArray>()),
            Arc::new(hits.iter().map(|hit| hit.as_ref().map(|hit| hit.port_matched)).collect::<BooleanArray>()),
            Arc::new(hits.iter().map(|hit| hit.as_ref().map(|hit| hit.confidence)).collect::<UInt8Array>()),
            Arc::new(hits.iter().map(|hit| hit.as_ref().and_then(|hit| hit.malware)).collect::<StringArray>()),
            Arc::new(hits.iter().map(|hit| hit.as_ref().map(|hit| hit.listing.as_str())).collect::<StringArray>()),
        ];
        let nulls = NullBuffer::from_iter(hits.iter().map(Option::is_some));
        Ok(Arc::new(StructArray::try_new(indicator_fields(), columns, Some(nulls))?))
    })
}
