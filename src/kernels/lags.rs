//! Lags between starts, counted by bin, and the windows that stand out among them: the work of
//! [`super::correlogram`].

use super::correlogram::FEWEST;
use std::ops::RangeInclusive;

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

/// Most multiples of a lag that are looked at together.
pub(super) const MOST_BEATS: usize = 3;

/// How wide the window of each multiple is, in hundredths of the first: the root of its number.
const WIDER: [usize; MOST_BEATS] = [100, 141, 173];

/// Widest window as a share of its lag, half of it: more is no period.
const WIDEST: f64 = 0.3;

/// Stretches of the train between which the contrast's variance is measured.
const BLOCKS: usize = 24;

/// Hills whose variance is measured.
const HILLS: usize = 6;

/// A hill this clear beside the wide window around it is one of two.
const CLEAR_WITHIN: f64 = 0.4;

/// Most bins of the correlogram.
const MOST_BINS: usize = (LONGEST * FINENESS * 1.5) as usize + 2;

/// Counts of lags, by bin.
pub(super) struct Lags {
    /// Starts in bins since the first.
    pub(super) places: Vec<u32>,
    pub(super) bin_s: f64,
    /// Lags of fewer than so many bins, as a running sum: the count of lag `k` is `sums[k + 1] − sums[k]`.
    sums: Vec<u32>,
    /// Shortest lag there is, in bins.
    shortest: usize,
}

/// A lag and half its width, in bins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    pub(super) centre: usize,
    pub(super) half: usize,
}

/// A lag and its multiples: beats that follow others follow their next but one, too. Sums of sleeps are as much wider as
/// the root of their number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Chain {
    pub(super) first: Window,
    pub(super) beats: usize,
}

impl Chain {
    /// The window of each multiple.
    pub(super) fn windows(self) -> impl Iterator<Item = Window> {
        let Window { centre, half } = self.first;
        (1..=self.beats).map(move |beat| Window { centre: beat * centre, half: half * WIDER[beat - 1] / 100 })
    }
}

impl Window {
    /// The last lag of its flanks.
    pub(super) fn reach(self) -> usize {
        self.centre + 2 * self.half + 1
    }

    /// Weight of a lag in the flanks: they are one bin wider than the window together.
    fn flank_weight(self) -> f64 {
        (2 * self.half + 1) as f64 / (2 * self.half + 2) as f64
    }

    /// What a lag counts for.
    pub(super) fn weight(self, lag: usize) -> f64 {
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
    pub(super) fn new(starts_s: &[i64], unit_s: i64, mean_s: f64) -> Option<Self> {
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

    pub(super) fn longest(&self) -> usize {
        self.sums.len() - 2
    }

    /// Number of lags from `low` to `high` bins, both included.
    fn between(&self, low: usize, high: usize) -> f64 {
        f64::from(self.sums[high + 1] - self.sums[low])
    }

    /// The contrast of a window and its variance for a Poisson stream.
    pub(super) fn contrast(&self, window: Window) -> (f64, f64) {
        let Window { centre, half } = window;
        let inside = self.between(centre - half, centre + half);
        let flanks = self.between(centre - 2 * half - 1, centre + 2 * half + 1) - inside;
        let weight = window.flank_weight();
        (inside - weight * flanks, inside + weight * weight * flanks)
    }

    /// How far a chain stands out, in standard deviations of a Poisson stream; `None` where a window does not fit.
    pub(super) fn height(&self, chain: Chain) -> Option<f64> {
        let mut sum = 0.0;
        for window in chain.windows() {
            if window.reach() > self.longest() {
                return None;
            }
            let (contrast, variance) = self.contrast(window);
            if contrast <= 0.0 {
                return None;
            }
            sum += contrast / variance.sqrt();
        }
        Some(sum / (chain.beats as f64).sqrt())
    }

    /// Chains of so many beats at most that begin at lags of a range, in windows of at most a half width: the highest of each hill, best first, and
    /// how many of them are independent.
    pub(super) fn hills(
        &self,
        lags: RangeInclusive<usize>,
        widest: usize,
        most_beats: usize,
    ) -> (Vec<(f64, Chain)>, f64) {
        let mut best: Vec<(f64, Chain)> = Vec::new();
        let mut trials = 0.0;
        for half in HALF_WIDTHS.into_iter().filter(|half| *half <= widest) {
            let narrow = (half as f64 / WIDEST).ceil() as usize;
            let lowest = (self.shortest + 2 * half + 1).max(*lags.start()).max(narrow);
            let highest = self.longest().saturating_sub(2 * half + 1).min(*lags.end());
            if lowest > highest {
                continue;
            }
            trials += (highest - lowest + 1) as f64 / (2 * half + 1) as f64;
            for centre in lowest..=highest {
                let first = Window { centre, half };
                let Some(found) = self.best_chain(first, most_beats) else { continue };
                // One window stands for its hill, whatever its width.
                let same = |other: Window| other.centre.abs_diff(centre) <= other.half.max(half);
                match best.iter().position(|(_, other)| same(other.first)) {
                    Some(at) if best[at].0 < found.0 => best[at] = found,
                    Some(_) => {}
                    None if best.len() < HILLS => best.push(found),
                    None => {
                        let least = (0..HILLS).min_by(|&a, &b| best[a].0.total_cmp(&best[b].0)).unwrap_or(0);
                        if best[least].0 < found.0 {
                            best[least] = found;
                        }
                    }
                }
            }
        }
        best.sort_by(|a, b| b.0.total_cmp(&a.0));
        (best, trials * most_beats as f64)
    }

    /// The highest of the chains that begin with a window: each goes one beat further.
    fn best_chain(&self, first: Window, most_beats: usize) -> Option<(f64, Chain)> {
        let mut best: Option<(f64, Chain)> = None;
        for beats in 1..=most_beats {
            let chain = Chain { first, beats };
            let Some(height) = self.height(chain) else { break };
            if best.is_none_or(|best| height > best.0) {
                best = Some((height, chain));
            }
        }
        best
    }

    /// Variance of a chain's height as it shows between stretches of the train; that of a Poisson stream is 1.
    pub(super) fn block_variance(&self, chain: Chain) -> f64 {
        let scaled = |window: Window| (window, 1.0 / (chain.beats as f64 * self.contrast(window).1).sqrt());
        let windows: Vec<(Window, f64)> = chain.windows().map(scaled).collect();
        let reach = windows.iter().map(|(window, _)| window.reach()).max().unwrap_or(0);
        // What each lag counts for, so that a pair costs one look.
        let weights: Vec<f64> =
            (0..=reach).map(|lag| windows.iter().map(|(window, scale)| scale * window.weight(lag)).sum()).collect();
        let mut sums = [0.0; BLOCKS];
        for (at, &place) in self.places.iter().enumerate() {
            let block = at * BLOCKS / self.places.len();
            for &later in &self.places[at + 1..] {
                let lag = (later - place) as usize;
                if lag > reach {
                    break;
                }
                sums[block] += weights[lag];
            }
        }
        let mean = sums.iter().sum::<f64>() / BLOCKS as f64;
        let squares: f64 = sums.iter().map(|sum| (sum - mean).powi(2)).sum();
        squares * BLOCKS as f64 / (BLOCKS - 1) as f64
    }

    /// Two hills under one wide window: two trains of neighbouring periods. A single one with much jitter is flat within.
    pub(super) fn split(&self, window: Window) -> Option<(Window, Window)> {
        let (contrast, variance) = self.contrast(window);
        let within = window.centre - window.half..=window.centre + window.half;
        let (hills, _) = self.hills(within, window.half / 3, 1);
        let [first, second, ..] = hills.as_slice() else { return None };
        let (first, second) = (first.1.first, second.1.first);
        let (inside, spread) = self.contrast(second);
        let clear = inside / spread.sqrt() >= CLEAR_WITHIN * contrast / variance.sqrt();
        clear.then_some(if first.centre < second.centre { (first, second) } else { (second, first) })
    }

    /// Mean lag of the window, in bins, each lag weighted by its count above that of the flanks.
    pub(super) fn middle(&self, window: Window) -> f64 {
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
