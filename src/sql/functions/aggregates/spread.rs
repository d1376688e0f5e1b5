//! `mad(x)` and `max_robust_z(x)`: spread, and the largest outlier.

use super::statistic::{Statistic, wrong_count};
use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::error::Result;
use kernels::robust::{mad, median, robust_z};
use std::sync::Arc;

/// Lower bound of the deviation, as for `robust_z` of a row.
const FLOOR: f64 = 0.1;

/// The aggregate `mad`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Mad;

/// The aggregate `max_robust_z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct MaxRobustZ;

/// Both aggregates gather numbers and reduce them to one.
trait NumberStatistic: Copy {
    fn of(values: &mut [f64]) -> Option<f64>;
}

impl NumberStatistic for Mad {
    fn of(values: &mut [f64]) -> Option<f64> {
        let centre = median(values)?;
        mad(values, centre)
    }
}

impl NumberStatistic for MaxRobustZ {
    fn of(values: &mut [f64]) -> Option<f64> {
        let centre = median(values)?;
        let largest = values.iter().copied().max_by(f64::total_cmp)?;
        Some(robust_z(largest, centre, mad(values, centre)?, FLOOR))
    }
}

macro_rules! statistic_of_numbers {
    ($kind:ident, $name:literal) => {
        impl Statistic for $kind {
            const NAME: &'static str = $name;
            type Group = Vec<f64>;
            type Row = f64;

            fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
                if types.len() == 1 {
                    Ok(vec![DataType::Float64])
                } else {
                    Err(wrong_count(concat!($name, "(x)"), types.len()))
                }
            }

            fn returns(&self) -> DataType {
                DataType::Float64
            }

            /// NaN and infinite numbers are ignored.
            fn rows(&self, arguments: &[ArrayRef]) -> Result<Vec<Option<f64>>> {
                let numbers = arguments[0].as_primitive::<Float64Type>();
                Ok(numbers.iter().map(|number| number.filter(|number| !number.is_nan())).collect())
            }

            fn add(&self, group: &mut Vec<f64>, row: f64) {
                group.push(row);
            }

            fn held(&self, group: &Vec<f64>) -> usize {
                group.capacity() * size_of::<f64>()
            }

            fn write(&self, group: &Vec<f64>, words: &mut Vec<u64>) {
                words.extend(group.iter().map(|number| number.to_bits()));
            }

            fn merge(&self, group: &mut Vec<f64>, words: &[u64]) {
                group.extend(words.iter().map(|bits| f64::from_bits(*bits)));
            }

            fn judge(&self, groups: &[Vec<f64>]) -> Result<ArrayRef> {
                let judged = groups.iter().map(|group| <$kind as NumberStatistic>::of(&mut group.clone()));
                Ok(Arc::new(judged.collect::<Float64Array>()))
            }
        }
    };
}

statistic_of_numbers!(Mad, "mad");
statistic_of_numbers!(MaxRobustZ, "max_robust_z");
