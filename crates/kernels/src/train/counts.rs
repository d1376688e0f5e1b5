//! Under-dispersion of counts (D3): does every stretch of time hold the same number of starts?
//!
//! Random traffic makes counts whose variance is at least about half their mean (a gamma renewal process of shape 2 has
//! a Fano factor of ½ in long windows, Poisson 1, bursts more); a beacon makes nearly equal counts. This works where
//! intervals cannot be seen: several starts per aggregation window. The statistic is the classical index of dispersion
//! `(k−1)·F / F₀` against χ² with k−1 degrees of freedom (Fisher 1950), F₀ = ½, lower tail, best of two scales.
//!
//! ```
//! use flowsift_kernels::lost::Lost;
//! use flowsift_kernels::train::counts::counts;
//!
//! // Ten starts in every window of ten minutes, known to the window only.
//! let starts: Vec<i64> = (0..1_000).map(|beat| beat * 60 / 600 * 600).collect();
//! let found = counts(&starts, 600, 6_000.0, Lost::NONE).unwrap();
//! assert!(found.fano < 0.1 && found.evidence > 10.0);
//! ```

use crate::lost::Lost;
use crate::special::ln_gamma_lower;

/// Fano factor of the reference null.
const NULL_FANO: f64 = 0.5;

/// Variance always granted to a count: that of a uniform start within the first beat.
const MIN_VARIANCE: f64 = 1.0 / 12.0;

/// The dispersion of counts of starts in equal windows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CountDispersion {
    /// Windows counted.
    pub windows: usize,
    /// Length of a window in seconds.
    pub window_s: f64,
    /// Variance over mean of the counts.
    pub fano: f64,
    /// −log10 of the lower-tail probability under the reference null, scales paid for; at least 0.
    pub evidence: f64,
}

/// Measures the dispersion of counts of sorted starts, known to `unit_s` seconds, over stretches without lost time and
/// without a distance longer than `gap_s`.
///
/// Windows are 8 and 24 mean distances (at least one unit, and whole units), laid end to end inside each stretch.
/// `None` when neither scale has eight windows.
pub fn counts(starts_s: &[i64], unit_s: i64, gap_s: f64, lost: Lost<'_>) -> Option<CountDispersion> {
    let stretches = stretches(starts_s, gap_s, lost);
    let mut active_s = 0i64;
    let mut beats = 0usize;
    for stretch in &stretches {
        active_s += stretch[stretch.len() - 1] - stretch[0];
        beats += stretch.len() - 1;
    }
    if beats < 8 || active_s <= 0 {
        return None;
    }
    let mean_s = active_s as f64 / beats as f64;
    let mut best: Option<CountDispersion> = None;
    let mut previous = 0;
    for beats_per_window in [8.0, 24.0] {
        let window = ((mean_s * beats_per_window / unit_s as f64).round() as i64).max(1) * unit_s;
        if window == previous {
            continue;
        }
        previous = window;
        if let Some(found) = at_scale(&stretches, window, unit_s)
            && best.is_none_or(|best| found.evidence > best.evidence)
        {
            best = Some(found);
        }
    }
    best
}

/// Cuts the train at every distance longer than `gap_s` and where time was lost.
fn stretches<'a>(starts_s: &'a [i64], gap_s: f64, lost: Lost<'_>) -> Vec<&'a [i64]> {
    starts_s.chunk_by(|a, b| (b - a) as f64 <= gap_s && !lost.cuts(*a, *b)).collect()
}

fn at_scale(stretches: &[&[i64]], window: i64, unit_s: i64) -> Option<CountDispersion> {
    let (mut windows, mut sum, mut squares) = (0usize, 0.0, 0.0);
    for stretch in stretches {
        let first = stretch[0];
        // The first start opens the stretch by definition, so windows begin right after it and none is favoured. On
        // quantised starts that is the next unit: an implant that begins to work within one fills only part of it.
        let from = first + unit_s;
        let rest = &stretch[stretch.partition_point(|&start| start < from)..];
        let whole = ((stretch[stretch.len() - 1] - from + 1) / window).max(0);
        let mut next = 0;
        for index in 0..whole {
            let end = from + (index + 1) * window;
            let before = next;
            while next < rest.len() && rest[next] < end {
                next += 1;
            }
            let count = (next - before) as f64;
            windows += 1;
            sum += count;
            squares += count * count;
        }
    }
    if windows < 8 || sum <= 0.0 {
        return None;
    }
    let k = windows as f64;
    let mean = sum / k;
    let variance = ((squares - sum * mean) / (k - 1.0)).max(0.0) + MIN_VARIANCE;
    let fano = variance / mean;
    let half = 0.5 * (k - 1.0);
    let ln_p = ln_gamma_lower(half, half * fano / NULL_FANO) + std::f64::consts::LN_2;
    let evidence = (-ln_p / std::f64::consts::LN_10).max(0.0);
    Some(CountDispersion { windows, window_s: window as f64, fano, evidence })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::Draws;

    #[test]
    fn windows_equal_a_slow_count() {
        let mut draws = Draws::seeded(6);
        let mut starts: Vec<i64> = (0..400).map(|_| (100_000.0 * draws.uniform()) as i64).collect();
        starts.sort_unstable();
        let found = at_scale(&[&starts], 2000, 1).unwrap();
        let from = starts[0] + 1;
        let whole = (starts[399] - from + 1) / 2000;
        let slow: Vec<f64> = (0..whole)
            .map(|w| starts[1..].iter().filter(|&&s| (s - from).div_euclid(2000) == w).count() as f64)
            .collect();
        let mean = slow.iter().sum::<f64>() / slow.len() as f64;
        let variance = slow.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / (slow.len() - 1) as f64;
        assert_eq!(found.windows, slow.len());
        assert!((found.fano - (variance + MIN_VARIANCE) / mean).abs() < 1e-9);
    }

    #[test]
    fn fast_beats_in_long_windows_are_seen() {
        let mut draws = Draws::seeded(7);
        let (mut at, mut beats, mut random) = (0.0, Vec::new(), Vec::new());
        while beats.len() < 1000 {
            at += 60.0 + 30.0 * draws.uniform();
            beats.push(at as i64 / 600 * 600);
            random.push((draws.uniform() * 75_000.0) as i64 / 600 * 600);
        }
        random.sort_unstable();
        assert!(counts(&beats, 600, 6000.0, Lost::NONE).unwrap().evidence > 10.0);
        assert!(counts(&random, 600, 6000.0, Lost::NONE).unwrap().evidence < 1.0);
    }

    #[test]
    fn too_few_starts_are_not_measured() {
        assert_eq!(counts(&[0, 10, 20, 30, 40, 50], 1, 100.0, Lost::NONE), None);
        assert_eq!(counts(&[5; 50], 1, 100.0, Lost::NONE), None);
    }
}
