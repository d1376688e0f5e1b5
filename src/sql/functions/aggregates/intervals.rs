//! `interval_stats(time)`: the intervals between successive times.

use super::super::function::wrong_type_got;
use super::statistic::{Statistic, wrong_count};
use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array, StructArray, UInt64Array};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields, Int64Type, TimeUnit};
use datafusion::error::Result;
use kernels::robust::{mad, quantile};
use kernels::train::intervals::distances;
use std::sync::Arc;

/// The aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct IntervalStats;

/// Returns the type that times are cast to: whole seconds, as a timestamp or as a number.
pub(super) fn time_type(function: &str, kind: &DataType) -> Result<DataType> {
    match kind {
        DataType::Timestamp(_, zone) => Ok(DataType::Timestamp(TimeUnit::Second, zone.clone())),
        kind if kind.is_integer() || kind.is_null() => Ok(DataType::Int64),
        kind => Err(wrong_type_got(function, "time", "a timestamp or Unix seconds", kind)),
    }
}

/// Reads times of the type that [`time_type`] returned.
pub(super) fn seconds_of(array: &ArrayRef) -> Result<Int64Array> {
    Ok(cast(array, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
}

fn fields() -> Fields {
    let float = |name: &str| Field::new(name, DataType::Float64, true);
    vec![
        Field::new("intervals", DataType::UInt64, true),
        float("mean_s"),
        float("median_s"),
        float("mad_s"),
        float("shortest_s"),
        float("longest_s"),
        float("dispersion"),
    ]
    .into()
}

/// Returns the statistics of the intervals, in the order of the fields after the count.
fn describe(times_s: &[i64]) -> Option<(u64, [f64; 6])> {
    let mut sorted = times_s.to_vec();
    sorted.sort_unstable();
    let (first, last) = (*sorted.first()?, *sorted.last()?);
    let mut distances_s = distances(&sorted);
    let count = distances_s.len();
    let mut at = |share: f64| quantile(&mut distances_s, share);
    let (shortest, low, middle, high, longest) = (at(0.0)?, at(0.2)?, at(0.5)?, at(0.8)?, at(1.0)?);
    let spread = mad(&distances_s, middle)?;
    let dispersion = if high == low { 0.0 } else { (high - low) / (2.0 * middle) };
    let mean = (last as f64 - first as f64) / count as f64;
    Some((count as u64, [mean, middle, spread, shortest, longest, dispersion]))
}

impl Statistic for IntervalStats {
    const NAME: &'static str = "interval_stats";
    type Group = Vec<i64>;
    type Row = i64;

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [time] => Ok(vec![time_type(Self::NAME, time)?]),
            _ => Err(wrong_count("interval_stats(time)", types.len())),
        }
    }

    fn returns(&self) -> DataType {
        DataType::Struct(fields())
    }

    fn rows(&self, arguments: &[ArrayRef]) -> Result<Vec<Option<i64>>> {
        Ok(seconds_of(&arguments[0])?.iter().collect())
    }

    fn add(&self, group: &mut Vec<i64>, row: i64) {
        group.push(row);
    }

    fn held(&self, group: &Vec<i64>) -> usize {
        group.capacity() * size_of::<i64>()
    }

    fn write(&self, group: &Vec<i64>, words: &mut Vec<u64>) {
        words.extend(group.iter().map(|time| time.cast_unsigned()));
    }

    fn merge(&self, group: &mut Vec<i64>, words: &[u64]) {
        group.extend(words.iter().map(|time| time.cast_signed()));
    }

    fn judge(&self, groups: &[Vec<i64>]) -> Result<ArrayRef> {
        let judged: Vec<Option<(u64, [f64; 6])>> = groups.iter().map(|group| describe(group)).collect();
        let mut columns: Vec<ArrayRef> =
            vec![Arc::new(judged.iter().map(|found| found.map(|(count, _)| count)).collect::<UInt64Array>())];
        for at in 0..6 {
            let column = judged.iter().map(|found| found.map(|(_, numbers)| numbers[at]));
            columns.push(Arc::new(column.collect::<Float64Array>()));
        }
        let nulls = NullBuffer::from_iter(judged.iter().map(Option::is_some));
        Ok(Arc::new(StructArray::try_new(fields(), columns, Some(nulls))?))
    }
}
