//! Missed beats (D2): are the distances whole multiples of one period?
//!
//! A beacon that loses check-ins, or that rotates over several destinations, shows distances T, 2T, 3T … . For a trial
//! period T the statistic is `C = mean cos(2πd/T)`; it is 1 for exact multiples. T runs over [0.8·q10, 1.25·q60] on a
//! grid even in 1/T, as fine as a quarter turn over the longest distance. Uniform phases give a large deviation with
//! the rate function of the von Mises family, `J(C) = κC − ln I₀(κ)` where `I₁(κ)/I₀(κ) = C` (Mardia & Jupp 2000,
//! §3.5.4), hence the evidence `n·J(C)/ln 10 − log10(grid)`; simulation does the rest.
//!
//! ```
//! use flowsift_kernels::train::phase::phase;
//!
//! let distances = [300.0, 602.0, 299.0, 901.0, 300.0, 598.0, 301.0, 300.0, 600.0, 299.0];
//! let found = phase(&distances, 1.0).unwrap();
//! assert!((found.period_s - 300.0).abs() < 5.0);
//! assert!(found.concentration > 0.95);
//! ```

use super::counted_evidence::CountedEvidence;
use crate::robust::sorted_quantile;

/// Most distances used; more are thinned evenly, which keeps multiples multiples.
const MAX_DISTANCES: usize = 512;

/// Most trial periods.
const MAX_TRIALS: usize = 256;

/// Shortest trial period in units of the starts' resolution; below it whole numbers alone make phases agree.
const SHORTEST_UNITS: f64 = 4.0;

/// The period that folds the distances best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Phase {
    /// Number of distances used.
    pub count: usize,
    /// Best trial period in seconds.
    pub period_s: f64,
    /// Mean cosine at that period, −1 to 1.
    pub concentration: f64,
    /// −log10 of its probability under uniform phases, trials paid for; at least 0.
    pub evidence: f64,
}

/// Finds the period of which positive distances, known to `unit_s` seconds, are multiples.
///
/// `None` for fewer than eight distances, or when the range of periods is below four units.
pub fn phase(distances_s: &[f64], unit_s: f64) -> Option<Phase> {
    if distances_s.len() < 8 {
        return None;
    }
    let stride = distances_s.len().div_ceil(MAX_DISTANCES);
    let used: Vec<f64> = distances_s.iter().copied().step_by(stride).collect();
    let mut sorted = used.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let shortest = (0.8 * sorted_quantile(&sorted, 0.1)).max(SHORTEST_UNITS * unit_s);
    let longest = 1.25 * sorted_quantile(&sorted, 0.6);
    if longest < shortest {
        return None;
    }
    let Trials { low, step, grid } = Trials::between(shortest, longest, sorted.last().copied().unwrap_or(0.0));
    let sums = cosine_sums(&used, low, step, grid);
    let mut best = 0;
    for (index, &sum) in sums.iter().enumerate() {
        if sum > sums[best] {
            best = index;
        }
    }
    let frequency = refine(&sums, best, low, step);
    let blur = (-std::f64::consts::PI.powi(2) / 3.0 * (unit_s * frequency).powi(2)).exp();
    let concentration = sums[best] / used.len() as f64;
    let ln_p = -(used.len() as f64) * rate(concentration * blur.min(0.9999)) + (grid as f64).ln();
    let evidence = (-ln_p / std::f64::consts::LN_10).max(0.0);
    Some(Phase { count: used.len(), period_s: 1.0 / frequency, concentration, evidence })
}

/// Returns the number of distances that [`phase`] would use and an upper bound of its evidence; `None` when it would
/// return none.
///
/// `sorted_s` are the distances in ascending order. More than 512 are not bounded (infinite evidence). It costs a quarter
/// of [`phase`]: the sums are computed in single precision, their error is added, and `J(C) ≤ −ln(1 − C²)`, since
/// `I₁(κ)/I₀(κ) ≥ κ/(1 + √(1 + κ²))` (Amos 1974).
pub fn evidence_bound(sorted_s: &[f64], unit_s: f64) -> Option<CountedEvidence> {
    let count = sorted_s.len();
    if count < 8 {
        return None;
    }
    if count > MAX_DISTANCES {
        let used = count.div_ceil(count.div_ceil(MAX_DISTANCES));
        return Some(CountedEvidence { count: used, evidence: f64::INFINITY });
    }
    let shortest = (0.8 * sorted_quantile(sorted_s, 0.1)).max(SHORTEST_UNITS * unit_s);
    let longest = 1.25 * sorted_quantile(sorted_s, 0.6);
    if longest < shortest {
        return None;
    }
    let trials = Trials::between(shortest, longest, sorted_s[count - 1]);
    let concentration = (largest_sum(sorted_s, &trials) / count as f64 + ROUGHNESS).clamp(0.0, 0.9999);
    let ln_p = count as f64 * (-concentration * concentration).ln_1p() + (trials.grid as f64).ln();
    Some(CountedEvidence { count, evidence: (-ln_p / std::f64::consts::LN_10).max(0.0) })
}

/// The trial frequencies, evenly spaced.
struct Trials {
    /// The first, per second.
    low: f64,
    /// Between neighbours.
    step: f64,
    /// How many.
    grid: usize,
}

impl Trials {
    fn between(shortest_s: f64, longest_s: f64, longest_distance_s: f64) -> Self {
        let (low, high) = (1.0 / longest_s, 1.0 / shortest_s);
        let turns = (high - low) * longest_distance_s;
        let grid = ((turns * 4.0).ceil() as usize + 1).clamp(2, MAX_TRIALS);
        Self { low, step: (high - low) / (grid - 1) as f64, grid }
    }
}

/// Distances that [`largest_sum`] handles at a time.
const LANES: usize = 16;

/// A bound of the mean error of [`largest_sum`]: 256 turns of 1e-7 each, and 1e-6 of the phasors.
const ROUGHNESS: f64 = 1e-3;

/// Returns the largest Σ cos(2πfd) of all trial frequencies, in single precision.
fn largest_sum(distances_s: &[f64], trials: &Trials) -> f64 {
    let mut sums = [[0.0f32; 4]; MAX_TRIALS];
    let sums = &mut sums[..trials.grid];
    for block in distances_s.chunks(LANES) {
        let (mut real, mut imaginary) = ([0.0f32; LANES], [0.0f32; LANES]);
        let (mut turn_real, mut turn_imaginary) = ([0.0f32; LANES], [0.0f32; LANES]);
        // An incomplete block is filled with turns that add nothing to the sums.
        let (mut first, mut turn) = ([0.0f32; LANES], [0.0f32; LANES]);
        for (lane, &distance) in block.iter().enumerate() {
            first[lane] = around(trials.low * distance);
            turn[lane] = around(trials.step * distance);
        }
        for lane in 0..LANES {
            (imaginary[lane], real[lane]) = sin_cos_turn(first[lane]);
            (turn_imaginary[lane], turn_real[lane]) = sin_cos_turn(turn[lane]);
        }
        real[block.len()..].fill(0.0);
        imaginary[block.len()..].fill(0.0);
        for sum in sums.iter_mut() {
            for four in 0..4 {
                sum[four] += (real[four] + real[four + 4]) + (real[four + 8] + real[four + 12]);
            }
            for lane in 0..LANES {
                let turned = real[lane] * turn_real[lane] - imaginary[lane] * turn_imaginary[lane];
                imaginary[lane] = real[lane] * turn_imaginary[lane] + imaginary[lane] * turn_real[lane];
                real[lane] = turned;
            }
        }
    }
    let largest = sums.iter().map(|sum| (sum[0] + sum[1]) + (sum[2] + sum[3])).fold(f32::NEG_INFINITY, f32::max);
    f64::from(largest)
}

/// Returns the fraction of a number of turns, −½ to ½.
fn around(turns: f64) -> f32 {
    // Adding and taking away 1.5·2^52 rounds to the nearest whole number; distances are far below that many turns.
    const WHOLE: f64 = 6_755_399_441_055_744.0;
    (turns - ((turns + WHOLE) - WHOLE)) as f32
}

/// Returns sine and cosine of −½ to ½ turns to about 1e-6, by a Taylor series on the turns folded to −¼ to ¼.
fn sin_cos_turn(turn: f32) -> (f32, f32) {
    // sin(2πt) is odd about 0 and even about ¼, so t is folded onto −¼..¼; cos(2πt) = sin(2π(¼ − |t|)).
    let folded = if turn.abs() > 0.25 { turn.signum() * 0.5 - turn } else { turn };
    (sine(folded), sine(0.25 - turn.abs()))
}

/// Returns the sine of −¼ to ¼ turns by its Taylor polynomial of degree 11.
fn sine(turn: f32) -> f32 {
    let x = turn * std::f32::consts::TAU;
    let square = x * x;
    let series = 1.0 / 120.0 - square * (1.0 / 5_040.0 - square * (1.0 / 362_880.0 - square * (1.0 / 39_916_800.0)));
    x - x * square * (1.0 / 6.0 - square * series)
}

/// Returns Σ cos(2πfd) for every frequency of the grid, by rotating one phasor per distance.
fn cosine_sums(distances_s: &[f64], low: f64, step: f64, grid: usize) -> Vec<f64> {
    let mut sums = vec![0.0; grid];
    for four in distances_s.chunks(4) {
        let mut phasors = [[0.0f64; 4]; 4];
        for (lane, &distance) in four.iter().enumerate() {
            let (sin, cos) = (std::f64::consts::TAU * (low * distance).fract()).sin_cos();
            let (step_sin, step_cos) = (std::f64::consts::TAU * (step * distance).fract()).sin_cos();
            (phasors[0][lane], phasors[1][lane], phasors[2][lane], phasors[3][lane]) = (cos, sin, step_cos, step_sin);
        }
        let [mut real, mut imaginary, turn_real, turn_imaginary] = phasors;
        for sum in &mut sums {
            *sum += (real[0] + real[1]) + (real[2] + real[3]);
            for lane in 0..4 {
                let turned = real[lane] * turn_real[lane] - imaginary[lane] * turn_imaginary[lane];
                imaginary[lane] = real[lane] * turn_imaginary[lane] + imaginary[lane] * turn_real[lane];
                real[lane] = turned;
            }
        }
    }
    sums
}

/// Returns the top of the parabola through the best grid point and its neighbours.
fn refine(sums: &[f64], best: usize, low: f64, step: f64) -> f64 {
    let at = low + step * best as f64;
    if best == 0 || best + 1 == sums.len() {
        return at;
    }
    let (left, middle, right) = (sums[best - 1], sums[best], sums[best + 1]);
    let bend = left - 2.0 * middle + right;
    if bend >= 0.0 { at } else { at + step * (0.5 * (left - right) / bend).clamp(-0.5, 0.5) }
}

/// Returns the von Mises rate function J(C) of a mean cosine C; 0 for C ≤ 0.
fn rate(concentration: f64) -> f64 {
    let c = concentration.min(0.9999);
    if c <= 0.0 {
        return 0.0;
    }
    // The approximation of Best & Fisher (1981), then Newton on A(κ) = I₁/I₀ with A' = 1 − A² − A/κ.
    let mut kappa = if c < 0.53 {
        2.0 * c + c.powi(3) + 5.0 * c.powi(5) / 6.0
    } else if c < 0.85 {
        -0.4 + 1.39 * c + 0.43 / (1.0 - c)
    } else {
        1.0 / (c.powi(3) - 4.0 * c.powi(2) + 3.0 * c)
    };
    for _ in 0..6 {
        let (_, ratio) = ln_bessel(kappa);
        kappa -= (ratio - c) / (1.0 - ratio * ratio - ratio / kappa).max(1e-12);
        kappa = kappa.max(1e-9);
    }
    (kappa * c - ln_bessel(kappa).0).max(0.0)
}

/// Returns ln I₀(κ) and I₁(κ)/I₀(κ): power series below 15, asymptotic above.
fn ln_bessel(kappa: f64) -> (f64, f64) {
    if kappa < 15.0 {
        let quarter = kappa * kappa / 4.0;
        let (mut term, mut zero, mut one) = (1.0, 1.0, 1.0);
        for k in 1..60 {
            let k = f64::from(k);
            term *= quarter / (k * k);
            zero += term;
            one += term / (k + 1.0);
            if term < zero * 1e-17 {
                break;
            }
        }
        return (zero.ln(), kappa / 2.0 * one / zero);
    }
    let e = 1.0 / (8.0 * kappa);
    let zero = 1.0 + e * (1.0 + e * (4.5 + e * (37.5 + e * 459.375)));
    let one = 1.0 - e * (3.0 + e * (7.5 + e * (52.5 + e * 590.625)));
    (kappa - 0.5 * (std::f64::consts::TAU * kappa).ln() + zero.ln(), one / zero)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::Draws;

    #[test]
    fn phasors_equal_plain_cosines() {
        let mut draws = Draws::seeded(4);
        let distances: Vec<f64> = (0..37).map(|_| 1000.0 * draws.exponential()).collect();
        let sums = cosine_sums(&distances, 0.001, 0.0001, 200);
        for (at, sum) in sums.iter().enumerate() {
            let frequency = 0.001 + 0.0001 * at as f64;
            let slow: f64 = distances.iter().map(|d| (std::f64::consts::TAU * frequency * d).cos()).sum();
            // An incomplete last block of four adds phasors of length zero.
            assert!((sum - slow).abs() < 1e-8, "{at}: {sum} {slow}");
        }
    }

    #[test]
    fn the_rough_sums_are_near_the_exact_ones() {
        let mut draws = Draws::seeded(6);
        for (count, length_s) in [(1, 1e9), (8, 3.0), (16, 1e5), (17, 50.0), (512, 1e3)] {
            let distances: Vec<f64> = (0..count).map(|_| 1.0 + length_s * draws.exponential()).collect();
            let longest = distances.iter().copied().fold(0.0, f64::max);
            let trials = Trials::between(0.2 * length_s, length_s, longest);
            let sums = cosine_sums(&distances, trials.low, trials.step, trials.grid);
            let exact = sums.into_iter().fold(f64::MIN, f64::max);
            let rough = largest_sum(&distances, &trials);
            assert!((exact - rough).abs() < 0.2 * ROUGHNESS * count as f64, "{count}: {exact} {rough}");
        }
        for at in 0..=1000 {
            let turn = at as f32 / 1000.0 - 0.5;
            let (sin, cos) = sin_cos_turn(turn);
            let (exact_sin, exact_cos) = (std::f64::consts::TAU * f64::from(turn)).sin_cos();
            assert!((f64::from(sin) - exact_sin).abs() < 2e-6 && (f64::from(cos) - exact_cos).abs() < 2e-6, "{turn}");
        }
    }

    #[test]
    fn the_bound_holds_and_is_near() {
        let mut draws = Draws::seeded(7);
        let mut excess = 0.0;
        for train in 0..2000 {
            let count = 6 + train % 90;
            let distances: Vec<f64> = (0..count)
                .map(|_| match train % 3 {
                    0 => (1.0 + 300.0 * draws.exponential()).floor(),
                    1 => (100.0 * (1.0 + 0.2 * draws.uniform()) * (1.0 + (2.0 * draws.uniform()).floor())).floor(),
                    _ => 60.0 * (1.0 + (9.0 * draws.uniform()).floor()),
                })
                .collect();
            let unit_s = if train % 3 == 2 { 60.0 } else { 1.0 };
            let mut sorted = distances.clone();
            sorted.sort_unstable_by(f64::total_cmp);
            let (exact, bound) = (phase(&distances, unit_s), evidence_bound(&sorted, unit_s));
            assert_eq!(exact.map(|found| found.count), bound.map(|bound| bound.count));
            if let (Some(exact), Some(bound)) = (exact, bound) {
                assert!(exact.evidence <= bound.evidence, "{exact:?} {bound:?}");
                if train % 3 == 0 {
                    excess += (bound.evidence - exact.evidence) / 667.0;
                }
            }
        }
        assert!(excess < 0.4, "random traffic is bounded closely: {excess}");
    }

    #[test]
    fn multiples_are_found_under_heavy_loss() {
        let mut draws = Draws::seeded(5);
        let mut at = 0.0;
        let mut last = 0.0;
        let mut distances = Vec::new();
        while distances.len() < 60 {
            at += 300.0 * (1.0 + 0.1 * draws.uniform());
            if draws.uniform() < 0.4 {
                distances.push(at - last);
                last = at;
            }
        }
        let found = phase(&distances, 1.0).unwrap();
        assert!((found.period_s / 315.0 - 1.0).abs() < 0.03, "{found:?}");
        assert!(found.concentration > 0.7 && found.evidence > 8.0, "{found:?}");
    }

    #[test]
    fn rate_function_meets_its_limits() {
        assert_eq!(rate(-0.2), 0.0);
        assert!((rate(0.1) / 0.01 - 1.0).abs() < 0.01, "C² for small C");
        assert!(rate(0.99) > rate(0.9) && rate(0.9) > rate(0.5));
        for kappa in [14.999, 15.001] {
            assert!((ln_bessel(kappa).1 - 0.966_06).abs() < 1e-3);
        }
        assert!((ln_bessel(14.999_999).0 - ln_bessel(15.000_001).0).abs() < 1e-4);
    }

    #[test]
    fn whole_seconds_alone_are_no_phase() {
        let distances: Vec<f64> = (0..100).map(|at| f64::from(1 + at % 3)).collect();
        assert_eq!(phase(&distances, 1.0), None);
        assert_eq!(phase(&[300.0; 7], 1.0), None);
    }
}
