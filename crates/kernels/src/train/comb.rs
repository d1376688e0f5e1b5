//! Beats with losses: distances as sums of one, two, three … sleeps, fitted by maximum likelihood.
//!
//! A beacon with period T and sleep deviation σ that loses each beat with probability m shows distances d of k beats with
//! probability (1 − m)·m^(k−1), normal about k·T with variance k·σ². A share ε belongs to no beat (late connections,
//! starts of something else) and is even over the range. The four numbers are fitted by expectation and maximisation
//! (Dempster, Laird & Rubin 1977). Rounding to whole units adds its own variance u²/6, which σ does not contain.
//!
//! Losses make single beats the most common and every further multiple rarer. A period that is too short folds the
//! distances just as well, but onto third or fifth multiples, which this law penalises.
//!
//! ```
//! use flowsift_kernels::train::comb::comb;
//!
//! let distances = [100.0, 101.0, 99.0, 200.0, 100.0, 98.0, 102.0, 301.0, 100.0, 99.0, 199.0, 100.0];
//! let found = comb(&distances, 1.0, 90.0).unwrap();
//! assert!((found.period_s - 100.0).abs() < 1.0);
//! assert!((found.missed_ratio - 0.25).abs() < 0.05);
//! ```

/// Most rounds of expectation and maximisation.
const ROUNDS: usize = 25;

/// A round that moves the period and its deviation by less than this share of the period is the last.
const SETTLED: f64 = 1e-3;

/// First guess of the deviation, as a share of the period.
const FIRST_DEVIATION: f64 = 0.15;

/// Largest share of distances that belong to no beat.
const MAX_STRAY_RATIO: f64 = 0.35;

/// Multiples beyond this count as strays.
const MAX_BEATS: f64 = 64.0;

/// Neighbouring multiples that are considered on either side of the nearest.
const REACH: usize = 2;

/// Exponent beyond which a normal density is taken as 0.
const FAR: f64 = 25.0;

/// A train of beats with losses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comb {
    /// Mean sleep in seconds.
    pub period_s: f64,
    /// Standard deviation of one sleep in seconds, rounding taken out.
    pub deviation_s: f64,
    /// Share of beats that did not arrive, 0 to 1.
    pub missed_ratio: f64,
    /// Share of distances that belong to no beat, 0 to 0.35.
    pub stray_ratio: f64,
    /// Logarithm of the likelihood of the distances, in nats.
    pub ln_likelihood: f64,
    range_s: f64,
    rounding: f64,
}

/// Fits a comb to positive distances known to `unit_s` seconds, climbing from a period of `from_s` seconds.
///
/// `None` without distances or when `from_s` is not positive. The climb ends at the nearest local maximum: callers try
/// several periods and compare the likelihoods.
pub fn comb(distances_s: &[f64], unit_s: f64, from_s: f64) -> Option<Comb> {
    let range_s = distances_s.iter().copied().fold(0.0, f64::max);
    if range_s <= 0.0 || !from_s.is_finite() || from_s <= 0.0 {
        return None;
    }
    let mut comb = Comb {
        period_s: from_s,
        deviation_s: FIRST_DEVIATION * from_s,
        missed_ratio: 0.3,
        stray_ratio: 0.05,
        ln_likelihood: f64::NEG_INFINITY,
        range_s,
        rounding: unit_s * unit_s / 6.0,
    };
    for _ in 0..ROUNDS {
        let before = comb;
        comb.climb(distances_s);
        let moved = (comb.period_s - before.period_s).abs() + (comb.deviation_s - before.deviation_s).abs();
        if moved <= SETTLED * comb.period_s {
            break;
        }
    }
    let teeth = comb.teeth();
    comb.ln_likelihood = distances_s.iter().map(|&distance| comb.beats(&teeth, distance).1.ln()).sum();
    Some(comb)
}

impl Comb {
    /// Returns the probability that a distance is a single beat, 0 to 1.
    pub fn single(&self, distance_s: f64) -> f64 {
        let (near, density) = self.beats(&self.teeth(), distance_s);
        near.iter().filter(|(beats, _)| *beats == 1).map(|(_, weight)| weight / density).sum()
    }

    /// Returns height and half the inverse variance of the normal of every number of beats, one beat first.
    fn teeth(&self) -> Vec<(f64, f64)> {
        let most = (self.range_s / self.period_s).min(MAX_BEATS).round() as usize + REACH;
        let mut arrives = (1.0 - self.stray_ratio) * (1.0 - self.missed_ratio);
        let tooth = |beats: usize| {
            let variance = beats as f64 * self.deviation_s * self.deviation_s + self.rounding;
            let height = arrives / (std::f64::consts::TAU * variance).sqrt();
            arrives *= self.missed_ratio;
            (height, 0.5 / variance)
        };
        (1..=most).map(tooth).collect()
    }

    /// Returns the numbers of beats near a distance with their densities there, and the density of all, strays included.
    fn beats(&self, teeth: &[(f64, f64)], distance_s: f64) -> ([(usize, f64); 2 * REACH + 1], f64) {
        let mut near = [(1, 0.0); 2 * REACH + 1];
        let mut density = self.stray_ratio / self.range_s;
        let first = ((distance_s / self.period_s).round().min(MAX_BEATS) as usize).saturating_sub(REACH).max(1);
        for (near, beats) in near.iter_mut().zip(first..=teeth.len()) {
            let (height, sharpness) = teeth[beats - 1];
            let exponent = (distance_s - beats as f64 * self.period_s).powi(2) * sharpness;
            if exponent < FAR {
                *near = (beats, height * (-exponent).exp());
                density += near.1;
            }
        }
        (near, density.max(f64::MIN_POSITIVE))
    }

    /// Runs one round: shares every distance among the numbers of beats, then computes the four numbers in closed form.
    fn climb(&mut self, distances_s: &[f64]) {
        let (mut all, mut beats_sum, mut length, mut squares) = (0.0, 0.0, 0.0, 0.0);
        let teeth = self.teeth();
        for &distance in distances_s {
            let (near, density) = self.beats(&teeth, distance);
            for (beats, weight) in near {
                let (beats, share) = (beats as f64, weight / density);
                all += share;
                beats_sum += share * beats;
                length += share * distance;
                squares += share * ((distance - beats * self.period_s).powi(2) - self.rounding) / beats;
            }
        }
        if all <= 0.5 {
            return;
        }
        self.period_s = length / beats_sum;
        self.deviation_s = (squares / all).max(0.0).sqrt();
        self.missed_ratio = (1.0 - all / beats_sum).clamp(1e-3, 0.999);
        // Half a stray is always granted, so that no single distance can rule a period out.
        let count = distances_s.len() as f64;
        self.stray_ratio = ((count - all + 0.5) / (count + 1.0)).clamp(0.0, MAX_STRAY_RATIO);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::{Draws, Implant};
    use proptest::prelude::*;

    /// Whole-second distances of a beat of 100 s with normal sleeps, some lost, and one in `stray_every` of no beat.
    fn distances(seed: u64, deviation_s: f64, lost: f64, stray_every: usize) -> Vec<f64> {
        let mut draws = Draws::seeded(seed);
        let (mut at, mut last, mut distances) = (0.0, 0.0, Vec::new());
        while distances.len() < 1500 {
            at += 100.0 + deviation_s * draws.normal();
            if draws.uniform() < lost {
                continue;
            }
            let stray = distances.len() % stray_every == stray_every - 1;
            distances.push(if stray { draws.between(1.0, 600.0).round() } else { f64::round(at) - f64::round(last) });
            last = at;
        }
        distances
    }

    /// The density as defined: every number of beats, no shortcuts.
    fn slow_density(comb: &Comb, distance: f64) -> f64 {
        let beat = |k: i32| {
            let variance = f64::from(k) * comb.deviation_s.powi(2) + comb.rounding;
            let away = distance - f64::from(k) * comb.period_s;
            (1.0 - comb.missed_ratio) * comb.missed_ratio.powi(k - 1) * (-away * away / (2.0 * variance)).exp()
                / (std::f64::consts::TAU * variance).sqrt()
        };
        comb.stray_ratio / comb.range_s + (1.0 - comb.stray_ratio) * (1..200).map(beat).sum::<f64>()
    }

    #[test]
    fn what_was_put_in_is_found() {
        // Rare far multiples look like strays, hence the wider last bound under heavy loss.
        for (deviation_s, lost, stray_every, most) in
            [(0.0, 0.0, 10_000, 0.002), (5.0, 0.2, 20, 0.03), (15.0, 0.4, 10_000, 0.03), (5.0, 0.75, 10_000, 0.06)]
        {
            let distances = distances(9, deviation_s, lost, stray_every);
            for from_s in [80.0, 100.0, 120.0] {
                let found = comb(&distances, 1.0, from_s).unwrap();
                assert!((found.period_s - 100.0).abs() < 1.0, "{found:?}");
                assert!((found.deviation_s - deviation_s).abs() < 1.5, "{found:?}");
                assert!((found.missed_ratio - lost).abs() < 0.04, "{found:?}");
                assert!((found.stray_ratio - 1.0 / stray_every as f64).abs() < most, "{found:?}");
            }
        }
    }

    #[test]
    fn rounding_is_no_deviation() {
        let starts = Implant::sleeping(10.05, 10.3).train(&mut Draws::seeded(12), 20_000.0, 1);
        let distances: Vec<f64> = starts.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
        let found = comb(&distances, 1.0, 10.0).unwrap();
        assert!(found.deviation_s < 0.15 && (found.period_s - 10.175).abs() < 0.01, "{found:?}");
    }

    #[test]
    fn the_density_equals_its_slow_twin() {
        let distances = distances(10, 12.0, 0.4, 15);
        let found = comb(&distances, 1.0, 100.0).unwrap();
        let slow: f64 = distances.iter().map(|&distance| slow_density(&found, distance).ln()).sum();
        assert!((found.ln_likelihood - slow).abs() < 1e-3 * slow.abs(), "{found:?} {slow}");
        assert!(found.single(100.0) > 0.99 && found.single(200.0) < 0.01);
    }

    #[test]
    fn a_fraction_of_the_period_is_less_likely_than_the_period() {
        let distances = distances(11, 2.0, 0.1, 20);
        let likelihood = |from_s: f64| comb(&distances, 1.0, from_s).unwrap().ln_likelihood;
        for part in [2.0, 3.0, 5.0] {
            assert!(likelihood(100.0) > likelihood(100.0 / part) + 100.0, "{part}");
        }
    }

    #[test]
    fn nothing_fits_nothing() {
        assert_eq!(comb(&[], 1.0, 60.0), None);
        assert_eq!(comb(&[60.0], 1.0, 0.0), None);
        assert_eq!(comb(&[60.0], 1.0, f64::NAN), None);
    }

    proptest! {
        #[test]
        fn any_fit_stays_in_bounds(
            distances in prop::collection::vec(prop_oneof![1.0..50.0f64, 1.0..1e6f64, 1.0..1e12f64], 1..40), unit_s in 1.0..600.0f64, from_s in 0.1..1e9f64,
        ) {
            let found = comb(&distances, unit_s, from_s).unwrap();
            prop_assert!(found.period_s > 0.0 && found.period_s.is_finite(), "{:?}", found);
            prop_assert!(found.deviation_s >= 0.0 && found.ln_likelihood.is_finite(), "{:?}", found);
            prop_assert!((0.0..=1.0).contains(&found.missed_ratio) && (0.0..=MAX_STRAY_RATIO).contains(&found.stray_ratio));
            prop_assert!((0.0..=1.0).contains(&found.single(distances[0])));
        }
    }
}
