//! Missed beats (D2): are the distances whole multiples of one period?
//!
//! A beacon that loses check-ins, or that rotates over several destinations, shows distances T, 2T, 3T … . For a trial
//! period T the statistic is `C = mean cos(2πd/T)`; it is 1 for exact multiples. T runs over [0.8·q10, 1.25·q60] on a
//! grid even in 1/T, as fine as a quarter turn over the longest distance. Uniform phases give a large deviation with
//! the rate function of the von Mises family, `J(C) = κC − ln I₀(κ)` where `I₁(κ)/I₀(κ) = C` (Mardia & Jupp 2000,
//! §3.5.4), hence the evidence `n·J(C)/ln 10 − log10(grid)`; simulation does the rest.

use super::robust::sorted_quantile;

/// Most distances looked at; more are thinned evenly, which keeps multiples multiples.
const MOST: usize = 512;

/// Most trial periods.
const GRID: usize = 256;

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

/// Searches the period of which positive distances known to `unit_s` seconds are multiples; `None` for fewer than eight
/// or when the range of periods is below four units.
pub fn phase(distances_s: &[f64], unit_s: f64) -> Option<Phase> {
    if distances_s.len() < 8 {
        return None;
    }
    let stride = distances_s.len().div_ceil(MOST);
    let used: Vec<f64> = distances_s.iter().copied().step_by(stride).collect();
    let mut sorted = used.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let shortest = (0.8 * sorted_quantile(&sorted, 0.1)).max(SHORTEST_UNITS * unit_s);
    let longest = 1.25 * sorted_quantile(&sorted, 0.6);
    if longest < shortest {
        return None;
    }
    let (low, high) = (1.0 / longest, 1.0 / shortest);
    let turns = (high - low) * sorted.last().copied().unwrap_or(0.0);
    let grid = ((turns * 4.0).ceil() as usize + 1).clamp(2, GRID);
    let step = (high - low) / (grid - 1) as f64;
    let sums = cosine_sums(&used, low, step, grid);
    let mut best = 0;
    for (at, &sum) in sums.iter().enumerate() {
        if sum > sums[best] {
            best = at;
        }
    }
    let frequency = refine(&sums, best, low, step);
    let blur = (-std::f64::consts::PI.powi(2) / 3.0 * (unit_s * frequency).powi(2)).exp();
    let concentration = sums[best] / used.len() as f64;
    let ln_p = -(used.len() as f64) * rate(concentration * blur.min(0.9999)) + (grid as f64).ln();
    let evidence = (-ln_p / std::f64::consts::LN_10).max(0.0);
    Some(Phase { count: used.len(), period_s: 1.0 / frequency, concentration, evidence })
}

/// Σ cos(2πfd) for every frequency of the grid, by rotating one phasor per distance.
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

/// The top of the parabola through the best grid point and its neighbours.
fn refine(sums: &[f64], best: usize, low: f64, step: f64) -> f64 {
    let at = low + step * best as f64;
    if best == 0 || best + 1 == sums.len() {
        return at;
    }
    let (left, middle, right) = (sums[best - 1], sums[best], sums[best + 1]);
    let bend = left - 2.0 * middle + right;
    if bend >= 0.0 { at } else { at + step * (0.5 * (left - right) / bend).clamp(-0.5, 0.5) }
}

/// The von Mises rate function J(C) for a mean cosine C; 0 for C ≤ 0.
fn rate(concentration: f64) -> f64 {
    let c = concentration.min(0.9999);
    if c <= 0.0 {
        return 0.0;
    }
    // Start of Best & Fisher (1981), then Newton on A(κ) = I₁/I₀ with A' = 1 − A² − A/κ.
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

/// ln I₀(κ) and I₁(κ)/I₀(κ): power series below 15, asymptotic above.
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
    use crate::kernels::simulation::Draws;

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
