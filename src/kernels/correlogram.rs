//! Beacons under noise (D4): do starts follow others, not only their next, at one lag more often than just below and above?
//!
//! Noise on the pair, or a second implant, breaks every distance between neighbours, yet each beat still has another beat
//! one period later. All lags `t_j − t_i` up to twelve mean distances are counted (the correlogram, or autocorrelation of
//! a point process: Perkel, Gerstein & Moore 1967). At a lag window its count `C` is compared with that of its flanks
//! `F`, a window's width on both sides together: a rate that follows the day, and bursts, raise all three alike. For a
//! Poisson stream the contrast `D = C − F` has mean 0 and variance `C + F`, since each start's expected contribution
//! vanishes. Clustered traffic varies more, so the variance is at least what `D` shows between 24 stretches of the train
//! (a block jackknife, Künsch 1989). The best window of all lags and widths gives the evidence, its trials paid for;
//! simulation does the rest.
//!
//! A spectral peak sees the same pairs through cosines. It melts with jitter, because phases wander after a few beats;
//! the peak at the first lag stays, as wide as the jitter.

use super::special::ln_normal_cdf;

/// Fewest starts that are looked at.
pub const FEWEST: usize = 40;

/// Most starts looked at: the latest of them.
const MOST: usize = 4096;

/// Longest lag in mean distances: noise of eleven starts for each beat.
const LONGEST: f64 = 12.0;

/// Longest lag in seconds: beyond a quarter of a day every working day follows another.
const LONGEST_S: f64 = 21_600.0;

/// Bins of a mean distance.
const FINENESS: f64 = 32.0;

/// Half widths of the windows tried, in bins.
const HALF_WIDTHS: [usize; 10] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32];

/// Widest window as a share of its lag, half of it: more is no period.
const WIDEST: f64 = 0.3;

/// Stretches of the train between which the contrast's variance is measured.
const BLOCKS: usize = 24;

/// Hills whose variance is measured.
const HILLS: usize = 6;

/// A hill this clear beside the clearest may be the period.
const CLEAR: f64 = 0.6;

/// Most bins of the correlogram.
const MOST_BINS: usize = (LONGEST * FINENESS * 1.5) as usize + 2;

/// The lag at which starts follow others most clearly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Correlogram {
    /// Number of starts used.
    pub count: usize,
    /// The lag in seconds.
    pub period_s: f64,
    /// Half the width of its window in seconds.
    pub half_width_s: f64,
    /// Starts that another follows at this lag, more than the flanks have: about the number of beats.
    pub beats: f64,
    /// −log10 of the upper-tail probability under a Poisson stream, trials paid for; at least 0.
    pub evidence: f64,
}

/// Counts of lags, by bin.
struct Lags {
    /// Starts in bins since the first.
    places: Vec<u32>,
    bin_s: f64,
    /// Lags of fewer than so many bins, as a running sum: the count of lag `k` is `sums[k + 1] − sums[k]`.
    sums: Vec<u32>,
    /// Shortest lag there is, in bins.
    shortest: usize,
}

/// A lag and half its width, in bins.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Window {
    centre: usize,
    half: usize,
}

impl Window {
    /// Weight of a lag in the flanks: they are one bin wider than the window together.
    fn flank_weight(self) -> f64 {
        (2 * self.half + 1) as f64 / (2 * self.half + 2) as f64
    }

    /// What a lag counts for.
    fn weight(self, lag: usize) -> f64 {
        let away = self.centre.abs_diff(lag);
        if away <= self.half {
            1.0
        } else if away <= 2 * self.half + 1 {
            -self.flank_weight()
        } else {
            0.0
        }
    }
}

impl Lags {
    fn new(starts_s: &[i64], unit_s: i64, mean_s: f64) -> Option<Self> {
        let starts_s = &starts_s[starts_s.len().saturating_sub(MOST)..];
        let unit = unit_s.max(1);
        let bin = ((mean_s / (FINENESS * unit as f64)).round() as i64).max(1).saturating_mul(unit);
        let longest = (((LONGEST * mean_s).min(LONGEST_S) / bin as f64) as usize).min(MOST_BINS);
        let first = *starts_s.first()?;
        let whole = (starts_s[starts_s.len() - 1] - first) / bin;
        if starts_s.len() < FEWEST || longest < 6 || u32::try_from(whole).is_err() {
            return None;
        }
        let places: Vec<u32> = starts_s.iter().map(|start| ((start - first) / bin) as u32).collect();
        let mut counts = vec![0u32; longest + 1];
        for (at, &place) in places.iter().enumerate() {
            for &later in &places[at + 1..] {
                let lag = (later - place) as usize;
                if lag > longest {
                    break;
                }
                counts[lag] += 1;
            }
        }
        let shortest = counts.iter().position(|&count| count > 0).unwrap_or(longest);
        let mut sums = Vec::with_capacity(longest + 2);
        sums.push(0);
        let mut sum = 0u32;
        for count in counts {
            sum = sum.saturating_add(count);
            sums.push(sum);
        }
        Some(Self { places, bin_s: bin as f64, sums, shortest })
    }

    fn longest(&self) -> usize {
        self.sums.len() - 2
    }

    /// Number of lags from `low` to `high` bins, both included.
    fn between(&self, low: usize, high: usize) -> f64 {
        f64::from(self.sums[high + 1] - self.sums[low])
    }

    /// The contrast of a window and its variance for a Poisson stream.
    fn contrast(&self, window: Window) -> (f64, f64) {
        let Window { centre, half } = window;
        let inside = self.between(centre - half, centre + half);
        let flanks = self.between(centre - 2 * half - 1, centre + 2 * half + 1) - inside;
        let weight = window.flank_weight();
        (inside - weight * flanks, inside + weight * weight * flanks)
    }

    /// Windows whose contrast is worth its variance: the highest of each hill, best first.
    fn hills(&self, shortest_lag: usize) -> (Vec<(f64, Window)>, f64) {
        let mut best: Vec<(f64, Window)> = Vec::new();
        let mut trials = 0.0;
        for half in HALF_WIDTHS {
            let lowest = (self.shortest + 2 * half + 1).max(shortest_lag).max((half as f64 / WIDEST).ceil() as usize);
            let highest = self.longest().saturating_sub(2 * half + 1);
            if lowest > highest {
                continue;
            }
            trials += (highest - lowest + 1) as f64 / (2 * half + 1) as f64;
            for centre in lowest..=highest {
                let window = Window { centre, half };
                let (contrast, variance) = self.contrast(window);
                if contrast <= 0.0 {
                    continue;
                }
                let z = contrast / variance.sqrt();
                // One window stands for its hill, whatever its width.
                match best.iter().position(|(_, other)| other.centre.abs_diff(centre) <= other.half.max(half)) {
                    Some(at) if best[at].0 < z => best[at] = (z, window),
                    Some(_) => {}
                    None if best.len() < HILLS => best.push((z, window)),
                    None => {
                        let least = (0..HILLS).min_by(|&a, &b| best[a].0.total_cmp(&best[b].0)).unwrap_or(0);
                        if best[least].0 < z {
                            best[least] = (z, window);
                        }
                    }
                }
            }
        }
        best.sort_by(|a, b| b.0.total_cmp(&a.0));
        (best, trials)
    }

    /// Variance of the contrast as it shows between stretches of the train.
    fn block_variance(&self, window: Window) -> f64 {
        let reach = window.centre + 2 * window.half + 1;
        let mut sums = [0.0; BLOCKS];
        for (at, &place) in self.places.iter().enumerate() {
            let block = at * BLOCKS / self.places.len();
            for &later in &self.places[at + 1..] {
                let lag = (later - place) as usize;
                if lag > reach {
                    break;
                }
                sums[block] += window.weight(lag);
            }
        }
        let mean = sums.iter().sum::<f64>() / BLOCKS as f64;
        let squares: f64 = sums.iter().map(|sum| (sum - mean).powi(2)).sum();
        squares * BLOCKS as f64 / (BLOCKS - 1) as f64
    }

    /// Mean lag of the window, in bins, each lag weighted by its count above that of the flanks.
    fn middle(&self, window: Window) -> f64 {
        let Window { centre, half } = window;
        let inside = self.between(centre - half, centre + half);
        let flanks = self.between(centre - 2 * half - 1, centre + 2 * half + 1) - inside;
        let level = flanks / (2 * half + 2) as f64;
        let (mut sum, mut weights) = (0.0, 0.0);
        for lag in centre - half..=centre + half {
            let above = (self.between(lag, lag) - level).max(0.0);
            sum += above * lag as f64;
            weights += above;
        }
        if weights > 0.0 { sum / weights } else { centre as f64 }
    }
}

/// Looks for the lag at which sorted starts follow others; they are known to `unit_s` seconds and `mean_s` seconds apart
/// where they are active.
///
/// `None` for fewer than 40 starts, or when no lag can be told from its neighbours. Of more than 4,096 starts the latest
/// are looked at; the work is twelve lags a start.
pub fn correlogram(starts_s: &[i64], unit_s: i64, mean_s: f64) -> Option<Correlogram> {
    let lags = Lags::new(starts_s, unit_s, mean_s)?;
    let shortest_lag = (0.7 * mean_s / lags.bin_s) as usize;
    let (hills, trials) = lags.hills(shortest_lag);
    let judged: Vec<(f64, Window)> = hills
        .iter()
        .map(|&(_, window)| {
            let (contrast, variance) = lags.contrast(window);
            (contrast / variance.max(lags.block_variance(window)).sqrt(), window)
        })
        .collect();
    let steady = judged.iter().map(|hill| hill.0).reduce(f64::max)?;
    // Beats follow their next but one, too: the shortest lag that is nearly as clear is the period.
    let clear = judged.iter().filter(|hill| hill.0 >= CLEAR * steady).map(|hill| hill.1);
    let window = clear.min_by_key(|window| window.centre)?;
    let ln_p = ln_normal_cdf(-steady) + trials.max(1.0).ln();
    Some(Correlogram {
        count: lags.places.len(),
        period_s: lags.middle(window) * lags.bin_s,
        half_width_s: (window.half as f64 + 0.5) * lags.bin_s,
        beats: lags.contrast(window).0,
        evidence: (-ln_p / std::f64::consts::LN_10).max(0.0),
    })
}

/// Gives the number of starts that [`correlogram`] would use and an upper bound of the evidence it would give; `None`
/// when it gives none.
pub fn evidence_bound(starts_s: &[i64], unit_s: i64, mean_s: f64) -> Option<(usize, f64)> {
    let lags = Lags::new(starts_s, unit_s, mean_s)?;
    let (hills, trials) = lags.hills((0.7 * mean_s / lags.bin_s) as usize);
    let (z, _) = hills.first()?;
    let ln_p = ln_normal_cdf(-z) + trials.max(1.0).ln();
    Some((lags.places.len(), (-ln_p / std::f64::consts::LN_10).max(0.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::simulation::{Benign, Draws, Implant};
    use proptest::prelude::*;

    fn mean_s(starts: &[i64]) -> f64 {
        (starts[starts.len() - 1] - starts[0]) as f64 / (starts.len() - 1) as f64
    }

    #[test]
    fn beats_are_seen_under_noise() {
        for (noise, jitter, least) in [(1.0, 30.0, 12.0), (3.0, 30.0, 4.0), (0.5, 150.0, 6.0)] {
            let implant = Implant { noise, ..Implant::sleeping(300.0, 300.0 + jitter) };
            let mut depths: Vec<f64> = (0..20)
                .map(|seed| {
                    let starts = implant.train(&mut Draws::seeded(seed), 86_400.0, 1);
                    let found = correlogram(&starts, 1, mean_s(&starts)).unwrap();
                    assert!((found.period_s - 300.0 - 0.5 * jitter).abs() < 0.5 * jitter + 10.0, "{found:?}");
                    found.evidence
                })
                .collect();
            depths.sort_by(f64::total_cmp);
            assert!(depths[2] > least, "{noise} {jitter} {depths:?}");
        }
    }

    #[test]
    fn random_traffic_follows_nothing() {
        let mut deepest: f64 = 0.0;
        for seed in 0..200 {
            let mut draws = Draws::seeded(seed);
            let starts = Benign::Poisson.train(&mut draws, 300, 280.0, 1);
            deepest = deepest.max(correlogram(&starts, 1, mean_s(&starts)).map_or(0.0, |found| found.evidence));
        }
        assert!(deepest < 4.0, "{deepest}");
    }

    /// The contrast by comparing every start with every other.
    fn slow_contrast(starts: &[i64], bin: i64, window: Window) -> (f64, f64) {
        let (mut contrast, mut variance) = (0.0, 0.0);
        for (at, &from) in starts.iter().enumerate() {
            for &to in &starts[at + 1..] {
                let lag = (to - starts[0]) / bin - (from - starts[0]) / bin;
                let weight = window.weight(lag as usize);
                contrast += weight;
                variance += weight * weight;
            }
        }
        (contrast, variance)
    }

    proptest! {
        #[test]
        fn contrasts_equal_their_slow_twin(
            mut starts in prop::collection::vec(0i64..20_000, 40..90), unit in prop::sample::select(vec![1i64, 60]),
            half in 1usize..6, more in 0usize..20,
        ) {
            starts.sort_unstable();
            if let Some(lags) = Lags::new(&starts, unit, mean_s(&starts)) {
                let window = Window { centre: 2 * half + 1 + more, half };
                if window.centre + 2 * half < lags.longest() {
                    let (contrast, variance) = lags.contrast(window);
                    let (slow, slow_variance) = slow_contrast(&starts, lags.bin_s as i64, window);
                    prop_assert!((contrast - slow).abs() < 1e-6 && (variance - slow_variance).abs() < 1e-6);
                }
            }
        }

        #[test]
        fn the_bound_is_one_and_the_begin_does_not_matter(
            mut starts in prop::collection::vec(0i64..9_000, 30..120), unit in prop::sample::select(vec![1i64, 60]),
            shift in -1_000_000_000i64..1_000_000_000,
        ) {
            starts.sort_unstable();
            let found = correlogram(&starts, unit, mean_s(&starts));
            let bound = evidence_bound(&starts, unit, mean_s(&starts));
            prop_assert_eq!(found.is_some(), bound.is_some());
            if let (Some(found), Some((count, most))) = (found, bound) {
                prop_assert!(found.count == count && found.evidence <= most + 1e-9);
            }
            let moved: Vec<i64> = starts.iter().map(|start| start + shift).collect();
            prop_assert_eq!(correlogram(&moved, unit, mean_s(&starts)), found);
        }
    }
}
