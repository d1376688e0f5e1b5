//! The beacon score of RITA v5, for comparison with ours.
//!
//! Four sub-scores of equal weight (`analysis/beacons.go` of activecm/rita): regularity of the intervals, regularity of
//! the sizes, a 24-bin histogram of the last 24 hours, and how long the contact lasts. The number is not calibrated:
//! Poisson traffic of 300 connections a day scores about 0.8.
//!
//! ```
//! use flowsift_kernels::beacon::rita::rita_score;
//! use flowsift_kernels::sizes::SizeCount;
//!
//! let clock: Vec<i64> = (0..288).map(|beat| beat * 300).collect();
//! let score = rita_score(&clock, &[SizeCount::new(200, 288)], 0, 86_400).unwrap();
//! assert_eq!(score.score, 1.0);
//! ```

use crate::robust::median;
use crate::sizes::{self, SizeCount};

/// RITA uses the last day only.
const HORIZON_S: i64 = 86_400;

/// Bars of the histogram.
const BARS: usize = 24;

/// The score and its four parts, each 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RitaScore {
    /// Mean of the four parts, rounded to three digits.
    pub score: f64,
    /// Regularity of the intervals.
    pub timestamps: f64,
    /// Regularity of the bytes per connection.
    pub sizes: f64,
    /// Evenness of the hourly histogram.
    pub histogram: f64,
    /// Share of the day in contact.
    pub duration: f64,
}

/// Scores sorted connection starts and the histogram of their bytes in the window `from_s..to_s`.
///
/// Only starts of the last 24 hours before `to_s` count; `sizes` is taken as it is. `None` for fewer than four starts
/// or fewer than three distances above zero, where RITA does not score either.
pub fn rita_score(starts_s: &[i64], sizes: &[SizeCount], from_s: i64, to_s: i64) -> Option<RitaScore> {
    let from_s = from_s.max(to_s - HORIZON_S);
    // RITA takes rows from the start of the hour in which the day begins.
    let taken = &starts_s[starts_s.partition_point(|&start| start < from_s - from_s.rem_euclid(3600))..];
    let mut distances: Vec<i64> = taken.windows(2).map(|pair| pair[1] - pair[0]).filter(|&d| d > 0).collect();
    if taken.len() < 4 || distances.len() < 3 {
        return None;
    }
    let timestamps = timestamp_score(&mut distances);
    let sizes = size_score(sizes);
    let (histogram, duration) = histogram_and_duration(taken, from_s, to_s);
    let score = round3(0.25 * (timestamps + sizes + histogram + duration));
    Some(RitaScore { score, timestamps, sizes, histogram, duration })
}

fn round3(x: f64) -> f64 {
    (x * 1000.0).round() / 1000.0
}

/// Returns the quartiles as medians of the halves, the middle element in neither.
fn quartiles(sorted: &[f64]) -> (f64, f64, f64) {
    let half = sorted.len() / 2;
    let middle = |part: &[f64]| {
        if part.is_empty() { 0.0 } else { (part[(part.len() - 1) / 2] + part[part.len() / 2]) / 2.0 }
    };
    (middle(&sorted[..half]), middle(sorted), middle(&sorted[sorted.len() - half..]))
}

/// Returns the mean of symmetry (1 − |Bowley skewness|) and tightness ((median − MAD) / median).
fn spread_score(sorted: &[f64], tight_when_tiny: f64) -> f64 {
    let (low, middle, high) = quartiles(sorted);
    let skew = if high - low < 10.0 || middle == low || middle == high {
        0.0
    } else {
        (low + high - 2.0 * middle) / (high - low)
    };
    let mut deviations: Vec<f64> = sorted.iter().map(|value| (value - middle).abs()).collect();
    let mad = median(&mut deviations).unwrap_or(0.0);
    let tight = if middle < 1.0 { tight_when_tiny } else { ((middle - mad) / middle).max(0.0) };
    round3((1.0 - skew.abs() + tight) / 2.0)
}

/// Scores distances in seconds, all above zero. Sorts them.
pub fn timestamp_score(distances_s: &mut [i64]) -> f64 {
    distances_s.sort_unstable();
    let sorted: Vec<f64> = distances_s.iter().map(|&distance| distance as f64).collect();
    spread_score(&sorted, 1.0)
}

/// Scores a histogram of bytes; 0 for fewer than three values.
pub fn size_score(histogram: &[SizeCount]) -> f64 {
    let total = sizes::total(histogram);
    if total < 3 {
        return 0.0;
    }
    // RITA caps its arrays at 86,400; so does this, by thinning evenly.
    let kept = total.min(HORIZON_S as u64);
    let mut sorted = Vec::with_capacity(kept as usize);
    let mut seen = 0u64;
    for &SizeCount { bucket, count } in histogram {
        let after = seen + u64::from(count);
        let middle = sizes::bucket_mid(bucket);
        let copies = after * kept / total - seen * kept / total;
        sorted.extend(std::iter::repeat_n(middle, copies as usize));
        seen = after;
    }
    spread_score(&sorted, 0.0)
}

fn histogram_and_duration(starts_s: &[i64], from_s: i64, to_s: i64) -> (f64, f64) {
    let mut bars = [0u64; BARS];
    let span = (to_s - from_s).max(1);
    for &start in starts_s {
        // The product of any present-day time fits into 64 bits; dividing 128 bits takes ten times as long.
        let bar = match (start - from_s).checked_mul(BARS as i64) {
            Some(passed) => passed.div_euclid(span).clamp(0, BARS as i64 - 1) as usize,
            None => {
                let bar = (i128::from(start - from_s) * BARS as i128).div_euclid(i128::from(span));
                bar.clamp(0, BARS as i128 - 1) as usize
            }
        };
        bars[bar] += 1;
    }
    let filled = bars.iter().filter(|&&bar| bar > 0).count();
    let histogram = evenness(&bars).max(if filled >= 11 { two_heights(&bars) } else { 0.0 });
    if filled < 6 {
        return (round3(histogram), 0.0);
    }
    let contact = starts_s[starts_s.len() - 1] - starts_s[0];
    let coverage = ((contact as f64 / span as f64 * 1000.0).ceil() / 1000.0).min(1.0);
    let consistency = (longest_run(&bars) as f64 / 12.0).min(1.0);
    (round3(histogram), round3(coverage.max(consistency)))
}

/// Returns one minus the coefficient of variation of the bars, at least 0.
fn evenness(bars: &[u64; BARS]) -> f64 {
    let mean = bars.iter().sum::<u64>() as f64 / BARS as f64;
    let variance = bars.iter().map(|&bar| (bar as f64 - mean).powi(2)).sum::<f64>() / BARS as f64;
    if mean > 0.0 { (1.0 - variance.sqrt() / mean).max(0.0) } else { 0.0 }
}

/// Returns the share of bars that lie in the two commonest height classes, each 5 % of the highest bar wide.
fn two_heights(bars: &[u64; BARS]) -> f64 {
    let highest = bars.iter().copied().max().unwrap_or(0);
    let class = (highest as f64 * 0.05).ceil().max(1.0);
    let mut classes: Vec<u64> = bars.iter().filter(|&&bar| bar > 0).map(|&bar| (bar as f64 / class) as u64).collect();
    classes.sort_unstable();
    let mut sizes: Vec<usize> = classes.chunk_by(|a, b| a == b).map(<[u64]>::len).collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    let top: usize = sizes.iter().take(2).sum();
    (top as f64 / classes.len().saturating_sub(1).max(1) as f64).min(1.0)
}

/// Returns the longest run of filled bars, wrapping around midnight.
fn longest_run(bars: &[u64; BARS]) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for bar in 0..2 * BARS {
        run = if bars[bar % BARS] > 0 { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest.min(BARS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sizes::bucket_of;

    #[test]
    fn the_anchors_of_its_unit_tests() {
        assert_eq!(timestamp_score(&mut [98, 99, 100, 101, 102]), 0.995);
        assert_eq!(timestamp_score(&mut [98, 98, 98, 98, 98, 300, 300, 300, 300, 300]), 0.746);
        assert_eq!(timestamp_score(&mut [1, 2, 25, 42, 90, 299, 500, 1500, 4975]), 0.083);
        let ten: Vec<SizeCount> = (1..=10).map(|bytes| SizeCount::new(bucket_of(bytes), 1)).collect();
        assert_eq!(size_score(&ten), 0.773);
        assert_eq!(size_score(&[SizeCount::new(0, 8)]), 0.5);
    }

    #[test]
    fn a_clock_all_day_scores_one_and_poisson_is_not_low() {
        let clock: Vec<i64> = (0..288).map(|k| k * 300).collect();
        let score = rita_score(&clock, &[SizeCount::new(200, 288)], 0, 86_400).unwrap();
        assert_eq!((score.timestamps, score.sizes, score.histogram, score.duration), (1.0, 1.0, 1.0, 1.0));
        let mut draws = crate::simulation::Draws::seeded(9);
        let mut poisson: Vec<i64> = (0..300).map(|_| (draws.uniform() * 86_400.0) as i64).collect();
        poisson.sort_unstable();
        let score = rita_score(&poisson, &[SizeCount::new(200, 300)], 0, 86_400).unwrap().score;
        assert!((0.7..0.9).contains(&score), "{score}");
    }

    #[test]
    fn too_little_is_not_scored() {
        assert_eq!(rita_score(&[1, 2, 3], &[], 0, 86_400), None);
        assert_eq!(rita_score(&[1, 1, 1, 2, 3], &[], 0, 86_400), None);
        assert_eq!(longest_run(&std::array::from_fn(|bar| u64::from(!(3..=20).contains(&bar)))), 6);
    }

    #[test]
    fn only_the_last_day_counts() {
        let slow: Vec<i64> = (0..30).map(|day| day * 86_400).collect();
        assert_eq!(rita_score(&slow, &[SizeCount::new(9, 30)], 0, 30 * 86_400), None);
    }
}
