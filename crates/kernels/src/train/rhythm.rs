//! Period, jitter and loss of a train of check-ins.
//!
//! ```
//! use flowsift_kernels::train::rhythm::rhythm;
//!
//! let distances = [60.0, 61.0, 59.0, 60.0, 121.0, 60.0, 58.0, 60.0, 62.0, 119.0, 60.0, 60.0];
//! let found = rhythm(&distances, 1.0, None, None);
//! assert!((found.period_s - 60.0).abs() < 1.0);
//! assert!(found.missed_ratio > 0.1 && found.missed_ratio < 0.2);
//! ```

use super::comb::{Comb, comb};
use super::phase::Phase;
use super::regularity::{Regularity, regularity};
use crate::robust::sorted_quantile;
use crate::special::{HALF_LN_TAU, stirling_remainder};

/// Most distances used; more are thinned evenly in order of length.
const MAX_DISTANCES: usize = 128;

/// Missed ratio above which more beats are missed than seen.
const MOSTLY_MISSED: f64 = 0.5;

/// Gain in nats that pays for the further parameter of a train with losses (Akaike 1974); strays do not count as one.
const LOSS_PRICE: f64 = 1.0;

/// Further gain in nats required when most beats of a period are missed: odds of a thousand to one.
const MISSED_PRICE: f64 = 6.9;

/// Gamma shape above which the plain reading is taken without a test: it leaves no room for one double distance in 400.
const CLOCKWORK: f64 = 400.0;

/// Periods within this ratio of one tried before climb to the same maximum.
const SAME_HILL: f64 = 1.05;

/// The description of a train.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rhythm {
    /// Typical distance of successive beats in seconds, missed beats accounted for.
    pub period_s: f64,
    /// `(q95 − q05) / (2·period)` of the single-beat distances.
    pub jitter_ratio: f64,
    /// Estimated share of beats that did not arrive, 0 to 1.
    pub missed_ratio: f64,
    /// `(q80 − q20) / (2·q50)` of all distances.
    pub dispersion: f64,
    /// q05 of the single-beat distances in seconds; 0 where beats are too fast for the resolution.
    pub sleep_low_s: f64,
    /// q95 of the single-beat distances in seconds; 0 where beats are too fast for the resolution.
    pub sleep_high_s: f64,
}

/// Reads every distance as one beat: a renewal process with the mean as its period and nothing missed.
///
/// This is all that can be said about a train that may as well be random. Beats faster than the resolution only have a
/// mean, `mean_s`, which is then the period. The distances are in any order and without gaps.
pub fn plain(distances_s: &[f64], mean_s: Option<f64>) -> Rhythm {
    plain_of(&sorted(distances_s), mean_s)
}

/// Estimates period, jitter and loss of a regular train from distances without gaps, known to `unit_s` seconds.
///
/// The [`plain`] reading, taken as a gamma law, competes with trains with losses ([`super::comb`]) fitted from the median,
/// the lower third, the tightest third, and the folding period with its multiples. The likelihoods decide. Losses must pay
/// for their parameter (Akaike 1974) and, when more beats would be missed than seen, overcome odds of a thousand to one;
/// of equals the longer period wins.
pub fn rhythm(distances_s: &[f64], unit_s: f64, phase: Option<&Phase>, mean_s: Option<f64>) -> Rhythm {
    let sorted = sorted(distances_s);
    let plain = plain_of(&sorted, mean_s);
    let regularity = if mean_s.is_none() { regularity(&sorted, unit_s) } else { None };
    let Some(law) = regularity.filter(|law| law.shape < CLOCKWORK) else { return plain };
    let thinned = thinned(&sorted);
    let Some(comb) = best_comb(&thinned, sorted.len() as f64, unit_s, phase, &law) else { return plain };
    let (sleep_low_s, sleep_high_s) = single_sleep_s(&comb, &thinned);
    Rhythm {
        period_s: comb.period_s,
        jitter_ratio: (sleep_high_s - sleep_low_s) / (2.0 * comb.period_s),
        missed_ratio: missed_ratio(&comb, &law),
        dispersion: plain.dispersion,
        sleep_low_s,
        sleep_high_s,
    }
}

fn sorted(distances_s: &[f64]) -> Vec<f64> {
    let mut sorted = distances_s.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

fn plain_of(sorted: &[f64], mean_s: Option<f64>) -> Rhythm {
    let quantile = |at: f64| sorted_quantile(sorted, at);
    let over = |length: f64, period_s: f64| if period_s > 0.0 { length / (2.0 * period_s) } else { 0.0 };
    let dispersion = over(quantile(0.8) - quantile(0.2), quantile(0.5));
    if let Some(period_s) = mean_s {
        let (sleep_low_s, sleep_high_s) = (0.0, 0.0);
        return Rhythm { period_s, jitter_ratio: 0.0, missed_ratio: 0.0, dispersion, sleep_low_s, sleep_high_s };
    }
    let period_s = sorted.iter().sum::<f64>() / sorted.len().max(1) as f64;
    let (sleep_low_s, sleep_high_s) = (quantile(0.05), quantile(0.95));
    let jitter_ratio = over(sleep_high_s - sleep_low_s, period_s);
    Rhythm { period_s, jitter_ratio, missed_ratio: 0.0, dispersion, sleep_low_s, sleep_high_s }
}

/// Returns at most 128 of the sorted distances, each the middle of an equal share.
fn thinned(sorted: &[f64]) -> Vec<f64> {
    let kept = sorted.len().min(MAX_DISTANCES);
    (0..kept).map(|index| sorted[(2 * index + 1) * sorted.len() / (2 * kept)]).collect()
}

/// Returns the share of missed beats: the mean distance is the period over the share that arrives, whatever the jitter.
fn missed_ratio(comb: &Comb, law: &Regularity) -> f64 {
    (1.0 - comb.period_s / law.mean_s).clamp(0.0, 1.0)
}

/// Returns the train with losses that explains `count` distances better than the gamma law; `sorted` is a sample of them.
fn best_comb(sorted: &[f64], count: f64, unit_s: f64, phase: Option<&Phase>, law: &Regularity) -> Option<Comb> {
    let folding = |times: f64| phase.map_or(0.0, |phase| times * phase.period_s);
    let middle = sorted_quantile(sorted, 0.5);
    let mut tries =
        [middle, tightest_third(sorted), sorted_quantile(sorted, 0.3), folding(1.0), folding(2.0), folding(3.0)];
    tries.sort_unstable_by(|a, b| b.total_cmp(a));
    let mut best = None;
    let mut least = count * gamma_ln_density(law);
    let mut tried_s = f64::INFINITY;
    for from_s in tries {
        if tried_s <= SAME_HILL * from_s {
            continue;
        }
        tried_s = from_s;
        let Some(found) = comb(sorted, unit_s, from_s) else { continue };
        let missed = if missed_ratio(&found, law) > MOSTLY_MISSED { MISSED_PRICE } else { 0.0 };
        let worth = found.ln_likelihood * count / sorted.len() as f64 - LOSS_PRICE - missed;
        if worth > least + 1e-6 {
            (best, least) = (Some(found), worth);
        }
    }
    best
}

/// Returns the mean logarithm of the density of the distances under the gamma law that fits them, with the leading terms of
/// lnΓ cancelled.
fn gamma_ln_density(plain: &Regularity) -> f64 {
    let shape = plain.shape;
    0.5 * shape.ln() - HALF_LN_TAU - stirling_remainder(shape) - plain.mean_s.ln() - (shape - 1.0) * plain.moran
}

/// Returns the middle of the narrowest stretch, by ratio, that holds a third of the sorted distances.
fn tightest_third(sorted: &[f64]) -> f64 {
    let third = sorted.len() / 3;
    let ratio = |from: usize| sorted[from + third] / sorted[from].max(f64::MIN_POSITIVE);
    let tightest = (0..sorted.len() - third).min_by(|&a, &b| ratio(a).total_cmp(&ratio(b)));
    tightest.map_or(0.0, |from| sorted[from + third / 2])
}

/// Returns q05 and q95 of the sorted distances, each weighted by its probability of being a single beat.
fn single_sleep_s(comb: &Comb, sorted: &[f64]) -> (f64, f64) {
    let weights: Vec<f64> = sorted.iter().map(|&distance| comb.single(distance)).collect();
    let all: f64 = weights.iter().sum();
    let quantile = |at: f64| {
        let mut passed = 0.0;
        let reached = weights.iter().position(|weight| {
            passed += weight;
            passed >= at * all
        });
        reached.map_or(0.0, |index| sorted[index])
    };
    (quantile(0.05), quantile(0.95))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::{Draws, Implant};
    use crate::train::intervals::{self, coalesce, trim_gaps};
    use crate::train::phase::phase;

    /// Distances of beats of 100 s ± `jitter`, a share `lost` of them missing.
    fn distances(jitter: f64, lost: f64) -> Vec<f64> {
        let mut draws = Draws::seeded(12);
        let (mut distances, mut distance) = (Vec::new(), 0.0);
        while distances.len() < 2000 {
            distance += 100.0 * draws.between(1.0 - jitter, 1.0 + jitter);
            if draws.uniform() >= lost {
                distances.push(distance);
                distance = 0.0;
            }
        }
        distances
    }

    #[test]
    fn period_and_loss_are_estimated() {
        for (jitter, lost) in [(0.0, 0.0), (0.05, 0.2), (0.2, 0.2), (0.3, 0.0), (0.02, 0.5), (0.05, 0.75)] {
            let distances = distances(jitter, lost);
            let found = rhythm(&distances, 1.0, phase(&distances, 1.0).as_ref(), None);
            assert!((found.period_s - 100.0).abs() < 4.0, "{jitter} {lost} {found:?}");
            assert!((found.missed_ratio - lost).abs() < 0.05, "{jitter} {lost} {found:?}");
            assert!((found.jitter_ratio - 0.9 * jitter).abs() < 0.06, "{jitter} {lost} {found:?}");
        }
    }

    #[test]
    fn a_short_period_that_folds_as_well_is_refused() {
        // Beats of 16 s of which one in eight is ten seconds late: 16, 26 and 6 s are third, fifth and first multiples
        // of 5.2 s.
        let mut draws = Draws::seeded(13);
        let starts: Vec<f64> = (0..800)
            .map(|beat| {
                let late = if draws.uniform() < 0.125 { 10.0 } else { 0.0 };
                (16.0 * f64::from(beat) + late + draws.between(0.0, 0.8)).floor()
            })
            .collect();
        let distances: Vec<f64> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let alias = Phase { count: 512, period_s: 5.25, concentration: 0.9, evidence: 100.0 };
        for phase in [None, phase(&distances, 1.0), Some(alias)] {
            let found = rhythm(&distances, 1.0, phase.as_ref(), None);
            assert!((found.period_s - 16.0).abs() < 0.3, "{phase:?} {found:?}");
            assert!(found.missed_ratio < 0.05 && found.jitter_ratio < 0.1, "{phase:?} {found:?}");
        }
    }

    #[test]
    fn periods_are_right_with_losses() {
        // Largest error of the period over twenty trains of 150 beats, as a share: one in a hundred where the sleep is
        // fixed, one in ten where it is not.
        for (low, high, unit_s, most) in [
            (1.7, 2.3, 1, 0.1),
            (10.05, 10.3, 1, 0.01),
            (60.0, 60.2, 1, 0.01),
            (60.0, 90.0, 1, 0.06),
            (300.0, 450.0, 60, 0.06),
            (200.0, 350.0, 1, 0.08),
        ] {
            for dropped in [0.0, 0.2, 0.4] {
                let implant = Implant { dropped, ..Implant::sleeping(low, high) };
                let truth = 0.5 * (low + high);
                for seed in 0..20 {
                    let starts = implant.train(&mut Draws::seeded(seed), 150.0 * truth, unit_s);
                    let starts = coalesce(&starts, unit_s);
                    let distances = trim_gaps(&intervals::distances(&starts)).unwrap().distances_s;
                    let unit = unit_s as f64;
                    let found = rhythm(&distances, unit, phase(&distances, unit).as_ref(), None);
                    assert!((found.period_s / truth - 1.0).abs() < most, "{low} {high} {dropped} {seed} {found:?}");
                    assert!((found.missed_ratio - dropped).abs() < 0.15, "{low} {high} {dropped} {seed} {found:?}");
                }
            }
        }
    }

    #[test]
    fn random_traffic_is_not_mostly_missed() {
        let mut draws = Draws::seeded(14);
        let mut without_loss = 0;
        for _ in 0..40 {
            let distances: Vec<f64> = (0..100).map(|_| 1.0 + (300.0 * draws.gamma(2.0)).floor()).collect();
            let found = rhythm(&distances, 1.0, phase(&distances, 1.0).as_ref(), None);
            assert!(found.missed_ratio < MOSTLY_MISSED, "{found:?}");
            without_loss += usize::from(found.missed_ratio == 0.0);
            let plain = plain(&distances, None);
            assert!(plain.missed_ratio == 0.0 && plain.jitter_ratio > 0.5, "{plain:?}");
        }
        assert!(without_loss >= 30, "{without_loss} of 40");
    }

    #[test]
    fn too_fast_beats_have_a_mean_only() {
        assert_eq!(rhythm(&[60.0; 9], 60.0, None, Some(7.5)).period_s, 7.5);
        assert_eq!(rhythm(&[], 1.0, None, None).period_s, 0.0);
    }
}
