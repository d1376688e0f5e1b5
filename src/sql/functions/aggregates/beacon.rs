//! `beacon(start[, bytes])`: is this train of connection starts a beacon?

use super::intervals::{seconds_of, time_type};
use super::statistic::{Statistic, wrong_count};
use arrow::array::{ArrayRef, AsArray, Float64Array, StructArray, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Fields, Float64Type};
use datafusion::error::Result;
use kernels::beacon::{BeaconStatistics, ObservedWindow, beacon};
use kernels::sizes::{SizeCount, bucket_of};
use rayon::prelude::*;
use std::sync::Arc;

/// Assumed aggregation interval of the starts, in seconds: Nitro instances always have this one.
const WINDOW_S: u32 = 60;

/// Marks a start without bytes.
const NO_BUCKET: u16 = u16::MAX;

/// The aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Beacon;

fn fields() -> Fields {
    let float = |name: &str| Field::new(name, DataType::Float64, true);
    vec![
        float("period_s"),
        float("jitter_ratio"),
        float("missed_ratio"),
        Field::new("connections", DataType::UInt32, true),
        float("p_value"),
        float("score"),
    ]
    .into()
}

/// Sorts the gathered starts and judges them with [`beacon`].
fn judge(group: &[(i64, u16)]) -> Option<BeaconStatistics> {
    let mut starts_s: Vec<i64> = group.iter().map(|(start, _)| *start).collect();
    starts_s.sort_unstable();
    let mut buckets: Vec<u16> = group.iter().map(|(_, bucket)| *bucket).filter(|bucket| *bucket != NO_BUCKET).collect();
    buckets.sort_unstable();
    let sizes = buckets.chunk_by(|a, b| a == b).map(|same| SizeCount::new(same[0], same.len() as u32));
    let sizes: Vec<SizeCount> = sizes.collect();
    let (from_s, to_s) = (*starts_s.first()?, starts_s.last()?.saturating_add(1));
    beacon(&starts_s, &sizes, &ObservedWindow { from_s, to_s, window_s: WINDOW_S })
}

impl Statistic for Beacon {
    const NAME: &'static str = "beacon";
    type Group = Vec<(i64, u16)>;
    type Row = (i64, u16);

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [start] => Ok(vec![time_type(Self::NAME, start)?]),
            [start, _] => Ok(vec![time_type(Self::NAME, start)?, DataType::Float64]),
            _ => Err(wrong_count("beacon(start[, bytes])", types.len())),
        }
    }

    fn returns(&self) -> DataType {
        DataType::Struct(fields())
    }

    fn rows(&self, arguments: &[ArrayRef]) -> Result<Vec<Option<Self::Row>>> {
        let starts = seconds_of(&arguments[0])?;
        let Some(bytes) = arguments.get(1) else {
            return Ok(starts.iter().map(|start| start.map(|start| (start, NO_BUCKET))).collect());
        };
        let bytes = bytes.as_primitive::<Float64Type>();
        let bucket = |bytes: Option<f64>| bytes.map_or(NO_BUCKET, |bytes| bucket_of(bytes.max(0.0) as u64));
        Ok(starts.iter().zip(bytes).map(|(start, bytes)| start.map(|start| (start, bucket(bytes)))).collect())
    }

    fn add(&self, group: &mut Self::Group, row: Self::Row) {
        group.push(row);
    }

    fn held(&self, group: &Self::Group) -> usize {
        group.capacity() * size_of::<Self::Row>()
    }

    fn write(&self, group: &Self::Group, words: &mut Vec<u64>) {
        words.extend(group.iter().flat_map(|(start, bucket)| [start.cast_unsigned(), u64::from(*bucket)]));
    }

    fn merge(&self, group: &mut Self::Group, words: &[u64]) {
        let rows = words.chunks_exact(2);
        group.extend(rows.map(|row| (row[0].cast_signed(), u16::try_from(row[1]).unwrap_or(NO_BUCKET))));
    }

    /// Judges on all threads: this is the expensive part.
    fn judge(&self, groups: &[Self::Group]) -> Result<ArrayRef> {
        let judged: Vec<Option<BeaconStatistics>> =
            groups.par_iter().with_min_len(16).map(|group| judge(group)).collect();
        let float = |pick: fn(&BeaconStatistics) -> f64| -> ArrayRef {
            Arc::new(judged.iter().map(|found| found.as_ref().map(pick)).collect::<Float64Array>())
        };
        let columns: Vec<ArrayRef> = vec![
            float(|found| found.period_s),
            float(|found| found.jitter_ratio),
            float(|found| found.missed_ratio),
            Arc::new(judged.iter().map(|found| found.as_ref().map(|found| found.connections)).collect::<UInt32Array>()),
            float(|found| found.p_value),
            float(|found| found.score),
        ];
        let nulls = NullBuffer::from_iter(judged.iter().map(Option::is_some));
        Ok(Arc::new(StructArray::try_new(fields(), columns, Some(nulls))?))
    }
}
