//! `hdr_quantile(x, q)`: quantiles by HdrHistogram.

use super::super::function::wrong_value;
use super::statistic::{Statistic, wrong_count};
use arrow::array::{ArrayRef, AsArray, UInt64Array};
use arrow::datatypes::{DataType, Float64Type, Schema};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;
use datafusion::logical_expr::function::AccumulatorArgs;
use hdrhistogram::Histogram;
use std::sync::Arc;

/// Significant digits of the histograms.
const DIGITS: u8 = 3;

/// Up to this many values a group keeps them unchanged: a histogram would take more memory.
const MAX_PLAIN_VALUES: usize = 4_096;

/// The largest value; larger ones count as this one.
const MAX_VALUE: u64 = 1 << 60;

/// The aggregate; `q` is the quantile's bits, once the call is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct HdrQuantile {
    q: u64,
}

/// Values of one group.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    plain: Vec<u64>,
    histogram: Option<Box<Histogram<u64>>>,
}

fn new_histogram() -> Option<Histogram<u64>> {
    let mut histogram = Histogram::new_with_bounds(1, 2, DIGITS).ok()?;
    histogram.auto(true);
    Some(histogram)
}

impl Values {
    fn add(&mut self, value: u64, count: u64) {
        if let Some(histogram) = &mut self.histogram {
            let _ = histogram.record_n(value, count);
            return;
        }
        if count == 1 && self.plain.len() < MAX_PLAIN_VALUES {
            self.plain.push(value);
            return;
        }
        if let Some(mut histogram) = new_histogram() {
            for plain in self.plain.drain(..) {
                let _ = histogram.record(plain);
            }
            let _ = histogram.record_n(value, count);
            self.plain = Vec::new();
            self.histogram = Some(Box::new(histogram));
        }
    }

    /// Returns the quantile as a histogram would return it; `scale` is any histogram with the same number of digits.
    ///
    /// A histogram for each of many small groups would cost more than everything else, so values that are still kept
    /// unchanged are ranked directly and rounded as a histogram rounds.
    fn quantile(&self, q: f64, scale: &Histogram<u64>) -> Option<u64> {
        if let Some(histogram) = &self.histogram {
            return Some(histogram.value_at_quantile(q));
        }
        let mut values = self.plain.clone();
        let rank = ((q * values.len() as f64).ceil() as usize).clamp(1, values.len().max(1)) - 1;
        if rank >= values.len() {
            return None;
        }
        let (_, value, _) = values.select_nth_unstable(rank);
        Some(if q == 0.0 { scale.lowest_equivalent(*value) } else { scale.highest_equivalent(*value) })
    }
}

impl Statistic for HdrQuantile {
    const NAME: &'static str = "hdr_quantile";
    type Group = Values;
    type Row = u64;

    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        if types.len() == 2 {
            Ok(vec![DataType::Float64, DataType::Float64])
        } else {
            Err(wrong_count("hdr_quantile(x, q)", types.len()))
        }
    }

    fn returns(&self) -> DataType {
        DataType::UInt64
    }

    fn with_call(&self, call: &AccumulatorArgs<'_>) -> Result<Self> {
        let problem = || wrong_value(Self::NAME, "`q` must be a constant from 0 to 1, such as 0.99");
        let constant = call.exprs.get(1).ok_or_else(problem)?;
        let empty = arrow::array::RecordBatch::new_empty(Arc::new(Schema::empty()));
        let value = match constant.evaluate(&empty).map_err(|_| problem())? {
            ColumnarValue::Scalar(value) => value,
            ColumnarValue::Array(_) => return Err(problem()),
        };
        match value.cast_to(&DataType::Float64)? {
            ScalarValue::Float64(Some(q)) if (0.0..=1.0).contains(&q) => Ok(Self { q: q.to_bits() }),
            _ => Err(problem()),
        }
    }

    fn rows(&self, arguments: &[ArrayRef]) -> Result<Vec<Option<u64>>> {
        let numbers = arguments[0].as_primitive::<Float64Type>();
        let value = |number: f64| (!number.is_nan()).then_some((number.max(0.0).round() as u64).min(MAX_VALUE));
        Ok(numbers.iter().map(|number| number.and_then(value)).collect())
    }

    fn add(&self, group: &mut Values, row: u64) {
        group.add(row, 1);
    }

    fn held(&self, group: &Values) -> usize {
        let counts = group
            .histogram
            .as_ref()
            .map_or(0, |histogram| size_of::<Histogram<u64>>() + histogram.distinct_values() * size_of::<u64>());
        counts + group.plain.capacity() * size_of::<u64>()
    }

    fn write(&self, group: &Values, words: &mut Vec<u64>) {
        words.extend(group.plain.iter().flat_map(|value| [*value, 1]));
        if let Some(histogram) = &group.histogram {
            words.extend(histogram.iter_recorded().flat_map(|at| [at.value_iterated_to(), at.count_at_value()]));
        }
    }

    fn merge(&self, group: &mut Values, words: &[u64]) {
        words.chunks_exact(2).for_each(|entry| group.add(entry[0], entry[1]));
    }

    fn judge(&self, groups: &[Values]) -> Result<ArrayRef> {
        let q = f64::from_bits(self.q);
        let scale = new_histogram();
        let quantile = |group: &Values| group.quantile(q, scale.as_ref()?);
        Ok(Arc::new(groups.iter().map(quantile).collect::<UInt64Array>()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn few_values_are_ranked_as_a_histogram_ranks_them(
            values in prop::collection::vec(prop_oneof![0u64..3_000, 0..MAX_VALUE], 1..60),
            q in prop_oneof![Just(0.0), Just(1.0), 0.0..=1.0f64],
        ) {
            let mut histogram = new_histogram().unwrap();
            values.iter().for_each(|value| histogram.record(*value).unwrap());
            let scale = new_histogram().unwrap();
            let few = Values { plain: values.clone(), histogram: None };
            prop_assert_eq!(few.quantile(q, &scale), Some(histogram.value_at_quantile(q)));
            let many = Values { plain: Vec::new(), histogram: Some(Box::new(histogram)) };
            prop_assert_eq!(many.quantile(q, &scale), few.quantile(q, &scale));
            // A group can merge the state of any other, whichever of the two forms each has.
            for group in [&few, &many] {
                let (mut words, mut merged) = (Vec::new(), Values::default());
                HdrQuantile::default().write(group, &mut words);
                HdrQuantile::default().merge(&mut merged, &words);
                prop_assert_eq!(merged.quantile(q, &scale), few.quantile(q, &scale));
            }
        }
    }

    #[test]
    fn no_values_have_no_quantile() {
        assert_eq!(Values::default().quantile(0.5, &new_histogram().unwrap()), None);
    }
}
