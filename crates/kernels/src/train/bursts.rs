//! The scale of bursts: which connections belong to one check-in (part of D0)?
//!
//! Where a tenth of the distances or more lie below a wide step, the step is the scale. Fewer short distances may be
//! chance, so there two models compete for them: one gamma law for all distances, and a mixture of a mode of short ones and
//! a gamma law for the others. The mixture must gain what its parameters cost (Schwarz 1978) and odds of ten thousand to
//! one: a few doubled check-ins make a regular train look random, and no benign train looks regular without a few of its
//! shortest distances by that much.
//!
//! ```
//! use flowsift_kernels::train::bursts::doubles_scale;
//!
//! // One check-in of 25 makes a second connection after two seconds.
//! let period = |n: i64| if n % 25 == 0 { vec![2, 298 + n % 7] } else { vec![300 + n % 7] };
//! let distances: Vec<i64> = (0..100).flat_map(period).collect();
//! assert_eq!(doubles_scale(&distances, 1), Some(298));
//! ```

use super::intervals::{CAP_MEDIANS, ascending};
use crate::special::{HALF_LN_TAU, stirling_remainder};
use std::ops::Range;

/// A step between neighbouring order statistics at least this large separates two modes.
const MODE_RATIO: f64 = 3.0;

/// Share of intervals inside bursts from which a step alone decides; fewer may be chance.
const MIN_BURST_SHARE: f64 = 0.1;

/// Starts of one check-in are at most this many seconds apart.
const BURST_CAP_S: i64 = 60;

/// Gain in nats that a mixture needs beyond what its parameters cost: odds of ten thousand to one.
const MIXTURE_PRICE: f64 = 9.2;

/// Parameters of the mixture beyond those of one law: share and width of the short mode, and where it ends.
const MIXTURE_PARAMETERS: f64 = 3.0;

/// Returns the coalescing scale in seconds when the distances show a burst mode, else `None`.
///
/// With distances ascending, the scale is the upper edge of the widest step (by ratio, at least 3, and more than
/// `unit_s`) below which lie at least 10 % of the distances and all are at most 60 s (or one unit). Failing such a
/// step, it is 5 % of the 90 % quantile if at least 10 % of the distances are below that. At least five distances must
/// remain above. Fewer short distances are left to [`doubles_scale`].
pub fn burst_scale(distances_s: &[i64], unit_s: i64) -> Option<i64> {
    burst_scale_of(&ascending(distances_s), unit_s)
}

/// Does the same as [`burst_scale`] for distances in ascending order.
pub(crate) fn burst_scale_of(sorted: &[i64], unit_s: i64) -> Option<i64> {
    let count = sorted.len();
    if count < 6 {
        return None;
    }
    let least = min_burst(count);
    let cap = BURST_CAP_S.max(unit_s);
    if let Some(index) = widest_step(sorted, least..count - 4, cap, unit_s) {
        return Some(sorted[index]);
    }
    let scale = (sorted[(count - 1) * 9 / 10] as f64 * 0.05) as i64;
    let inside = sorted.partition_point(|&distance| distance < scale);
    (scale > unit_s && inside >= least && count - inside >= 5).then_some(scale)
}

/// Returns the coalescing scale in seconds when a few distances, less than a tenth, are a mode of short ones; else `None`.
///
/// The scale is the upper edge of the widest step as in [`burst_scale`], if the mixture explains the distances far better
/// than one law. At least five distances must remain above.
pub fn doubles_scale(distances_s: &[i64], unit_s: i64) -> Option<i64> {
    doubles_scale_of(&ascending(distances_s), unit_s)
}

/// Does the same as [`doubles_scale`] for distances in ascending order.
pub(crate) fn doubles_scale_of(sorted: &[i64], unit_s: i64) -> Option<i64> {
    let count = sorted.len();
    if count < 6 {
        return None;
    }
    let index = widest_step(sorted, 1..min_burst(count).min(count - 4), BURST_CAP_S.max(unit_s), unit_s)?;
    (mixture_gain(sorted, index, unit_s) >= MIXTURE_PRICE).then(|| sorted[index])
}

/// Returns the fewest of `count` distances whose step alone decides.
fn min_burst(count: usize) -> usize {
    ((MIN_BURST_SHARE * count as f64).ceil() as usize).max(1)
}

/// Returns the number of distances below the widest step of the ascending distances, of the numbers in question.
fn widest_step(sorted: &[i64], numbers: Range<usize>, cap: i64, unit_s: i64) -> Option<usize> {
    let mut best: Option<(f64, usize)> = None;
    for index in numbers {
        let (low, high) = (sorted[index - 1], sorted[index]);
        if low > cap {
            break;
        }
        let ratio = high as f64 / low.max(unit_s) as f64;
        if ratio >= MODE_RATIO && high - low > unit_s && best.is_none_or(|(other, _)| ratio > other) {
            best = Some((ratio, index));
        }
    }
    best.map(|(_, index)| index)
}

/// Returns how much better, in nats, the first `short` distances as a mode of their own explain the ascending distances
/// than one gamma law does, after paying for the parameters.
///
/// The short mode is uniform up to its longest distance. Gaps count as six medians, as elsewhere.
fn mixture_gain(sorted: &[i64], short: usize, unit_s: i64) -> f64 {
    let (below, above) = sorted.split_at(short);
    let (count, unit) = (sorted.len() as f64, unit_s as f64);
    let gap_s = CAP_MEDIANS * above[above.len() / 2] as f64;
    let capped = |distance: &i64| (*distance as f64).clamp(0.5 * unit, gap_s.max(unit));
    let share = short as f64 / count;
    let width = below.last().map_or(unit, |&last| last as f64 + unit);
    let mode = short as f64 * (share.ln() - width.ln()) + (count - short as f64) * (1.0 - share).ln();
    let others = LogMean::of(above.iter().map(capped));
    let all = others.with(below.iter().map(capped));
    mode + others.gamma_ln_likelihood(unit) - all.gamma_ln_likelihood(unit) - 0.5 * MIXTURE_PARAMETERS * count.ln()
}

/// Sums from which a gamma law is fitted.
#[derive(Debug, Default, Clone, Copy)]
struct LogMean {
    count: f64,
    sum: f64,
    sum_ln: f64,
}

impl LogMean {
    fn of(distances_s: impl Iterator<Item = f64>) -> Self {
        Self::default().with(distances_s)
    }

    fn with(self, distances_s: impl Iterator<Item = f64>) -> Self {
        let (mut found, mut product, mut factors) = (self, 1.0, 0);
        for distance in distances_s {
            found.count += 1.0;
            found.sum += distance;
            product *= distance;
            factors += 1;
            // The logarithm of a product of sixteen costs a sixteenth.
            if factors == 16 {
                found.sum_ln += f64::ln(product);
                (product, factors) = (1.0, 0);
            }
        }
        found.sum_ln += product.ln();
        found
    }

    /// Returns the largest logarithm of the likelihood of a gamma law, its shape by Thom's (1958) approximation, with the
    /// variance of rounding to `unit_s` as the least.
    fn gamma_ln_likelihood(&self, unit_s: f64) -> f64 {
        let (mean, mean_ln) = (self.sum / self.count, self.sum_ln / self.count);
        let moran = (mean.ln() - mean_ln).max(0.0) + (unit_s / mean).powi(2) / 12.0;
        let shape = (3.0 - moran + ((moran - 3.0).powi(2) + 24.0 * moran).sqrt()) / (12.0 * moran);
        // κ ln κ − κ − lnΓ(κ), with the leading terms of Stirling's series cancelled.
        let level = 0.5 * shape.ln() - HALF_LN_TAU - stirling_remainder(shape);
        self.count * (level - shape * moran - mean_ln)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::{Benign, Draws, Implant};
    use crate::special::ln_gamma;
    use crate::train::intervals::{coalesce, distances};
    use proptest::prelude::*;

    #[test]
    fn three_connections_a_check_in_become_one() {
        let starts: Vec<i64> = (0..20).flat_map(|beat| [0, 1, 3].map(|offset| beat * 300 + offset)).collect();
        let scale = burst_scale(&distances(&starts), 1).unwrap();
        let merged = coalesce(&starts, scale);
        assert_eq!(merged, (0..20).map(|beat| beat * 300).collect::<Vec<_>>());
    }

    #[test]
    fn fast_implants_are_left_alone() {
        let two: Vec<i64> = (0..200).map(|beat| beat * 2 + (beat % 3) / 2).collect();
        assert_eq!(burst_scale(&distances(&two), 1), None);
        let five: Vec<i64> = (0..200).map(|beat| beat * 5).collect();
        assert_eq!(burst_scale(&distances(&five), 1), None);
    }

    #[test]
    fn missed_beats_are_no_burst() {
        let starts: Vec<i64> = (0..100).filter(|beat| beat % 5 != 0).map(|beat| beat * 60).collect();
        assert_eq!(burst_scale(&distances(&starts), 1), None);
    }

    #[test]
    fn a_few_doubles_are_dropped_from_every_regular_train() {
        let implants = [(300.0, 330.0), (300.0, 450.0), (120.0, 300.0), (60.0, 90.0), (1800.0, 2160.0)];
        for (low_s, high_s) in implants {
            for doubled in [0.02, 0.05, 0.09] {
                let implant = Implant { doubled, ..Implant::sleeping(low_s, high_s) };
                for seed in 0..20 {
                    let starts = implant.train(&mut Draws::seeded(seed), 150.0 * high_s, 1);
                    let found = distances(&coalesce(&starts, 1));
                    let shortest = found.iter().min().copied().unwrap_or(0);
                    // A share of a tenth or more has a scale by itself.
                    let scale = burst_scale(&found, 1).or_else(|| doubles_scale(&found, 1));
                    let apart = shortest <= 4;
                    assert_eq!(scale.is_some(), apart, "{low_s} {high_s} {doubled} {seed}");
                    let merged = distances(&coalesce(&starts, scale.unwrap_or(1)));
                    assert!(merged.iter().all(|&distance| distance as f64 > 0.9 * low_s), "{low_s} {doubled} {seed}");
                }
            }
        }
    }

    #[test]
    fn benign_trains_have_no_doubles() {
        for (family, kind) in Benign::ALL.into_iter().enumerate() {
            for seed in 0..600 {
                let mut draws = Draws::seeded(3_000_000 * (family as u64 + 1) + seed);
                let count = draws.between(6f64.ln(), 600f64.ln()).exp() as usize;
                let mean_s = draws.between(5f64.ln(), 3000f64.ln()).exp();
                let found = distances(&coalesce(&kind.train(&mut draws, count, mean_s, 1), 1));
                if burst_scale(&found, 1).is_none() {
                    assert_eq!(doubles_scale(&found, 1), None, "{kind:?} {seed}");
                }
            }
        }
    }

    /// The gain as it reads, one density a distance.
    fn slow_gain(sorted: &[i64], short: usize, unit: f64) -> f64 {
        let gap_s = 6.0 * sorted[short..][(sorted.len() - short) / 2] as f64;
        let capped: Vec<f64> = sorted.iter().map(|&d| (d as f64).clamp(0.5 * unit, gap_s.max(unit))).collect();
        let law = |distances: &[f64]| {
            let count = distances.len() as f64;
            let mean = distances.iter().sum::<f64>() / count;
            let ln_mean = distances.iter().map(|d| d.ln()).sum::<f64>() / count;
            let s = (mean.ln() - ln_mean).max(0.0) + (unit / mean).powi(2) / 12.0;
            let shape = (3.0 - s + ((s - 3.0).powi(2) + 24.0 * s).sqrt()) / (12.0 * s);
            let scale = mean / shape;
            let density = |d: &f64| (shape - 1.0) * d.ln() - d / scale - shape * scale.ln() - ln_gamma(shape);
            // The floor of rounding takes part in the likelihood.
            distances.iter().map(density).sum::<f64>() - count * shape * (unit / mean).powi(2) / 12.0
        };
        let (count, share) = (sorted.len() as f64, short as f64 / sorted.len() as f64);
        let mode = short as f64 * (share / (sorted[short - 1] as f64 + unit)).ln();
        mode + (count - short as f64) * (1.0 - share).ln() + law(&capped[short..]) - law(&capped) - 1.5 * count.ln()
    }

    proptest! {
        #[test]
        fn the_gain_equals_its_slow_twin(
            mut distances in prop::collection::vec(prop_oneof![1i64..9, 200i64..400, 1i64..90_000], 12..120), short in 1usize..6,
        ) {
            distances.sort_unstable();
            let (fast, slow) = (mixture_gain(&distances, short, 1), slow_gain(&distances, short, 1.0));
            prop_assert!((fast - slow).abs() < 1e-6 * (1.0 + slow.abs()), "{} {}", fast, slow);
        }
    }
}
