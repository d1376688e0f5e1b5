//! Order statistics that a few outliers cannot move.
//!
//! Quantiles select in place (the slice is reordered, never copied) in O(n).
//!
//! ```
//! use flowsift_kernels::robust::{mad, median, robust_z};
//!
//! let mut days = [10.0, 11.0, 9.0, 10.5, 9.5, 500.0];
//! let centre = median(&mut days).unwrap();
//! let spread = mad(&days, centre).unwrap();
//! assert_eq!(centre, 10.25);
//! assert!(robust_z(500.0, centre, spread, 0.1) > 100.0);
//! ```

use std::cmp::Ordering;

/// Scale from the median absolute deviation to the standard deviation of a normal distribution.
pub const MAD_TO_SIGMA: f64 = 1.4826;

/// A number with a total order, as these selections need it.
pub trait Ordered: Copy {
    /// Compares two values; NaN sorts last.
    fn order(&self, other: &Self) -> Ordering;
    /// Returns the value as a float; whole numbers beyond 2^53 are rounded.
    fn as_float(self) -> f64;
}

impl Ordered for f64 {
    fn order(&self, other: &Self) -> Ordering {
        self.total_cmp(other)
    }
    fn as_float(self) -> f64 {
        self
    }
}

impl Ordered for i64 {
    fn order(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
    fn as_float(self) -> f64 {
        self as f64
    }
}

impl Ordered for u64 {
    fn order(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
    fn as_float(self) -> f64 {
        self as f64
    }
}

/// Returns the quantile of type 7 (Hyndman & Fan 1996: linear between order statistics, as R and NumPy by default).
///
/// `at` is clamped to [0, 1]; an empty slice returns `None`. Reorders `values`.
pub fn quantile<T: Ordered>(values: &mut [T], at: f64) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let position = at.clamp(0.0, 1.0) * (values.len() - 1) as f64;
    let below = position as usize;
    let share = position - below as f64;
    let (_, low, rest) = values.select_nth_unstable_by(below, T::order);
    let low = low.as_float();
    if share == 0.0 {
        return Some(low);
    }
    let high = rest.iter().copied().min_by(T::order).map_or(low, T::as_float);
    Some(low + share * (high - low))
}

/// Returns the quantile of type 7 of a slice that is already sorted ascending; 0 for an empty slice.
pub fn sorted_quantile(sorted: &[f64], at: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let position = at.clamp(0.0, 1.0) * last as f64;
    let below = position as usize;
    let low = sorted[below];
    let high = sorted[(below + 1).min(last)];
    low + (position - below as f64) * (high - low)
}

/// Returns the median; of an even count the mean of the two middle values. Reorders `values`.
pub fn median<T: Ordered>(values: &mut [T]) -> Option<f64> {
    quantile(values, 0.5)
}

/// Returns the median absolute deviation from `centre`, unscaled. Reorders nothing.
pub fn mad<T: Ordered>(values: &[T], centre: f64) -> Option<f64> {
    let mut deviations: Vec<f64> = values.iter().map(|value| (value.as_float() - centre).abs()).collect();
    median(&mut deviations)
}

/// Returns `(x − median) / (1.4826·mad + floor)`.
///
/// `floor` is in the unit of `x` and keeps a constant history from making every change infinite; 0.1 suits logarithms
/// of bytes. A zero denominator returns 0 for `x = median` and an infinity of the right sign otherwise.
pub fn robust_z(x: f64, median: f64, mad: f64, floor: f64) -> f64 {
    let (distance, scale) = (x - median, MAD_TO_SIGMA * mad + floor);
    if distance == 0.0 { 0.0 } else { distance / scale }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_values() {
        assert_eq!(median(&mut [3i64, 1, 2]), Some(2.0));
        assert_eq!(median(&mut [4u64, 1, 2, 3]), Some(2.5));
        assert_eq!(median::<f64>(&mut []), None);
        assert_eq!(quantile(&mut [1.0, 2.0, 3.0, 4.0], 0.25), Some(1.75));
        assert_eq!(mad(&[1i64, 1, 2, 2, 4, 6, 9], 2.0), Some(1.0));
        assert_eq!(robust_z(5.0, 5.0, 0.0, 0.0), 0.0);
        assert_eq!(robust_z(6.0, 5.0, 0.0, 0.0), f64::INFINITY);
        assert!((robust_z(7.0, 5.0, 1.0, 0.1) - 2.0 / 1.5826).abs() < 1e-12);
    }

    #[test]
    fn nan_sorts_last_and_does_not_stop_anything() {
        assert_eq!(quantile(&mut [f64::NAN, 1.0, 2.0], 0.5), Some(2.0));
    }

    proptest! {
        #[test]
        fn selection_equals_sorting(mut values in prop::collection::vec(-1_000_000i64..1_000_000, 1..60), at in 0.0..=1.0f64) {
            let mut sorted: Vec<f64> = values.iter().map(|&v| v as f64).collect();
            sorted.sort_by(f64::total_cmp);
            prop_assert_eq!(quantile(&mut values, at), Some(sorted_quantile(&sorted, at)));
        }
    }
}
