//! Slow drift of a daily level: small steps that add up, although none makes a remarkable day.
//!
//! CUSUM of Page (1954), one-sided, on robustly standardised values; without the reset at zero it is the test of Hinkley
//! (1971). With `z_i = (x_i − median) / (1.4826·MAD + floor)` over reference days, clamped to ±[`MAX_Z`] so that no
//! single day raises the alarm,
//!
//! `S_i = max(0, S_{i−1} + z_i − k)`, `k` = [`ALLOWANCE`].
//!
//! `S` reaches [`ALARM`] by chance once in about 19,000 days of independent normal values (Siegmund 1985: the run length
//! is `(e^{2kb} − 2kb − 1) / 2k²` with `b` the threshold + 1.166). Median and MAD hold as long as fewer than half of the
//! reference days are part of the drift.
//!
//! ```
//! use flowsift_kernels::drift::{ALARM, drift};
//!
//! let mut days = vec![0.0; 14];
//! days[10..].fill(3.0);
//! let found = drift(&days, 13, 0.3).unwrap();
//! assert!(found.statistic >= ALARM);
//! assert_eq!((found.from, found.to), (10, 13));
//! ```

use super::robust::{mad, median, robust_z};

/// Deviation of a day, in robust standard deviations, that does not yet count.
pub const ALLOWANCE: f64 = 0.5;

/// Maximum number of robust standard deviations that one day counts.
pub const MAX_Z: f64 = 3.0;

/// Statistic from which a rise counts as a drift: at least four days of the strongest kind.
pub const ALARM: f64 = 8.0;

/// Minimum number of reference days for which median and MAD are meaningful.
pub const MIN_REFERENCE_DAYS: usize = 5;

/// A rise of the level of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drift {
    /// Largest `S` among the days judged, in robust standard deviations, 0 or more; [`ALARM`] and above is a drift.
    pub statistic: f64,
    /// Index of the first day of that rise.
    pub from: usize,
    /// Index of the day on which it was largest; the first of several.
    pub to: usize,
    /// Median of the reference days, in the unit of the values.
    pub usual: f64,
}

/// Finds a rise in `values`, one per day in order of time.
///
/// The first half of the days, at least [`MIN_REFERENCE_DAYS`], is the reference. Days from index `judged_from` on are
/// judged; a rise may begin before, but not within the reference. `floor` is in the unit of the values and keeps a
/// constant history from making every change infinite. `None` when no day is left to be judged. O(n).
pub fn drift(values: &[f64], judged_from: usize, floor: f64) -> Option<Drift> {
    let reference = (values.len() / 2).max(MIN_REFERENCE_DAYS);
    let judged_from = judged_from.max(reference);
    if judged_from >= values.len() {
        return None;
    }
    let mut usual_days = values[..reference].to_vec();
    let usual = median(&mut usual_days)?;
    let spread = mad(&usual_days, usual)?;
    let mut sum = 0.0;
    let mut begin = reference;
    let mut best = Drift { statistic: 0.0, from: judged_from, to: judged_from, usual };
    for (day, value) in values.iter().enumerate().skip(reference) {
        if sum == 0.0 {
            begin = day;
        }
        sum = (sum + step(*value, usual, spread, floor)).max(0.0);
        if day >= judged_from && sum > best.statistic {
            best = Drift { statistic: sum, from: begin, to: day, usual };
        }
    }
    Some(best)
}

fn step(value: f64, usual: f64, spread: f64, floor: f64) -> f64 {
    robust_z(value, usual, spread, floor).clamp(-MAX_Z, MAX_Z) - ALLOWANCE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::robust::sorted_quantile;
    use proptest::prelude::*;

    /// The definition without recursion: the largest sum of steps that end on a judged day. O(n²).
    fn slow(values: &[f64], judged_from: usize, floor: f64) -> Option<f64> {
        let reference = 5.max(values.len() / 2);
        let sorted = |mut values: Vec<f64>| {
            values.sort_by(f64::total_cmp);
            sorted_quantile(&values, 0.5)
        };
        let judged = judged_from.max(reference)..values.len();
        if judged.is_empty() {
            return None;
        }
        let usual = sorted(values[..reference].to_vec());
        let spread = sorted(values[..reference].iter().map(|value| (value - usual).abs()).collect());
        let z = |value: f64| ((value - usual) / (1.4826 * spread + floor)).clamp(-3.0, 3.0) - 0.5;
        let sum = |from: usize, to: usize| values[from..=to].iter().map(|value| z(*value)).sum::<f64>();
        let ends = judged.flat_map(|to| (reference..=to).map(move |from| (from, to)));
        Some(ends.map(|(from, to)| sum(from, to)).fold(0.0, f64::max))
    }

    #[test]
    fn a_drip_of_four_days_is_a_drift_and_one_large_day_is_not() {
        let mut days = vec![0.0; 14];
        days[13] = 9.0;
        assert_eq!(drift(&days, 13, 0.3).unwrap().statistic, 2.5);
        for day in &mut days[10..] {
            *day = 3.0;
        }
        let found = drift(&days, 13, 0.3).unwrap();
        assert_eq!((found.statistic, found.from, found.to, found.usual), (10.0, 10, 13, 0.0));
        assert!(found.statistic >= ALARM);
    }

    #[test]
    fn a_past_burst_in_the_reference_changes_nothing() {
        let quiet: Vec<f64> = (0..20).map(|day| if day >= 15 { 4.0 } else { 1.0 + 0.1 * f64::from(day % 3) }).collect();
        let mut poisoned = quiet.clone();
        poisoned[3] = 12.0;
        poisoned[4] = 12.0;
        assert_eq!(drift(&quiet, 19, 0.3).unwrap().statistic, drift(&poisoned, 19, 0.3).unwrap().statistic);
    }

    #[test]
    fn too_few_days_are_not_judged() {
        assert_eq!(drift(&[1.0; 5], 0, 0.1), None);
        assert_eq!(drift(&[], 0, 0.1), None);
        assert!(drift(&[1.0; 6], 0, 0.1).is_some());
        assert_eq!(drift(&[1.0; 20], 20, 0.1), None);
    }

    proptest! {
        #[test]
        fn equals_the_largest_sum_of_steps(
            values in prop::collection::vec(0.0..8.0f64, 0..40),
            judged_from in 0usize..40,
        ) {
            let (fast, slow) = (drift(&values, judged_from, 0.3), slow(&values, judged_from, 0.3));
            prop_assert_eq!(fast.is_some(), slow.is_some());
            if let (Some(fast), Some(slow)) = (fast, slow) {
                prop_assert!((fast.statistic - slow).abs() < 1e-9, "{:?} {}", fast, slow);
                prop_assert!(fast.from <= fast.to && fast.to < values.len());
            }
        }

        #[test]
        fn more_on_a_judged_day_never_lowers_it(
            values in prop::collection::vec(0.0..8.0f64, 10..40), day in any::<prop::sample::Index>(), more in 0.0..9.0f64,
        ) {
            let before = drift(&values, 0, 0.3).unwrap().statistic;
            let mut raised = values.clone();
            let reference = values.len() / 2;
            raised[reference + day.index(values.len() - reference)] += more;
            prop_assert!(drift(&raised, 0, 0.3).unwrap().statistic >= before - 1e-12);
        }
    }
}
