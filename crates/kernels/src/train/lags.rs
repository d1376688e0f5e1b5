//! Lags between starts, counted by bin, and the heights of windows of them: the work of [`super::correlogram`].
//!
//! [`hills`] searches all lags for the windows that stand out.

mod hills;

use std::cell::OnceCell;
use std::ops::RangeInclusive;

/// Fewest starts in which lags are looked for.
pub(super) const MIN_STARTS: usize = 40;

/// Most starts looked at: the latest of them.
const MAX_STARTS: usize = 4096;
const _: () = assert!(MAX_STARTS * (MAX_STARTS - 1) / 2 < 1 << f32::MANTISSA_DIGITS, "sums of lags are exact");

/// Longest lag in mean distances: noise of eleven starts for each beat.
const MAX_LAG: f64 = 12.0;

/// The same where starts are crowded: there are few lags, and many beats are needed.
const MAX_LAG_CROWDED: f64 = 24.0;

/// Longest lag in seconds. Beyond a quarter of a day, lags begin to show that one working day follows another.
const MAX_LAG_S: f64 = 21_600.0;

/// Starts closer than this many of the log's units are crowded: three bins are then so wide that they hold more noise
/// than beats.
const CROWDED: f64 = 2.0;

/// Bins per mean distance.
const FINENESS: f64 = 32.0;

/// Widths of the windows tried, in bins; two only where starts are crowded.
const WIDTHS: [usize; 11] = [PAIR, 3, 5, 7, 9, 13, 17, 25, 33, 49, 65];

/// Bins that hold the lag of a clock whose times are cut to the unit: its whole part and the next.
const PAIR: usize = 2;

/// Most multiples of a lag that are combined.
pub(super) const MAX_BEATS: usize = 3;

/// The same for pairs of bins. Their lag is tried in quarters of a bin; its multiples decide which quarter fits.
const MAX_PAIR_BEATS: usize = 5;

/// Positions within a bin that are tried for a pair's lag.
const QUARTERS: usize = 4;

/// Width of the window of each multiple, in hundredths of the first: the root of its number.
const WIDER: [usize; MAX_BEATS] = [100, 141, 173];

/// Half the width of the widest window, as a share of its lag: a wider one is no period.
const MAX_HALF_WIDTH: f64 = 0.3;

/// Stretches of the train between which the contrast's variance is measured.
pub(super) const BLOCKS: usize = 24;

/// Most bins of the correlogram.
const MAX_BINS: usize = (MAX_LAG * FINENESS * 1.5) as usize + 2;

/// Counts of lags, by bin.
pub(super) struct Lags {
    /// Starts, in bins since the first.
    pub(super) start_bins: Vec<u32>,
    pub(super) bin_s: f64,
    /// Width of the narrowest windows.
    narrowest: usize,
    /// Running sum of the counts of lags: the count of lag `k` is `sums[k + 1] − sums[k]`. Whole numbers, which single
    /// precision holds exactly for [`MAX_STARTS`] starts. The last is repeated [`MAX_PAIR_BEATS`] times, so that every
    /// stride through them stays within.
    sums: Vec<f32>,
    /// Longest lag that is counted, in bins.
    longest: usize,
    /// The counts of the lags that begin in each of [`BLOCKS`] stretches of the train, one stretch after the other. Made on
    /// demand: most trains turn out to be random without them.
    blocks: OnceCell<Vec<u32>>,
    /// Shortest lag there is, in bins.
    shortest: usize,
}

/// `width` successive lags from `low` on, in bins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LagWindow {
    pub(super) low: usize,
    pub(super) width: usize,
}

/// A lag and its multiples: a beat that follows another also follows the one before that. Sums of sleeps are wider by the
/// root of their number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Chain {
    pub(super) first: LagWindow,
    /// Position of the lag within the first bin of a pair, in quarters.
    pub(super) quarter: usize,
    pub(super) beats: usize,
}

impl Chain {
    /// Returns the window of each multiple.
    pub(super) fn windows(self) -> impl Iterator<Item = LagWindow> {
        let Self { first, quarter, beats } = self;
        (1..=beats).map(move |beat| {
            if first.width == PAIR {
                return LagWindow { low: beat * (QUARTERS * first.low + quarter) / QUARTERS, width: PAIR };
            }
            let half = first.half() * WIDER[beat - 1] / 100;
            LagWindow { low: beat * first.centre() - half, width: 2 * half + 1 }
        })
    }
}

impl LagWindow {
    pub(super) fn centre(self) -> usize {
        self.low + self.half()
    }

    pub(super) fn half(self) -> usize {
        self.width / 2
    }

    /// Returns the bins of the flank on either side; both together are one or two bins wider than the window.
    pub(super) fn flank(self) -> usize {
        self.width / 2 + 1
    }

    /// Returns the last lag of the flanks.
    pub(super) fn reach(self) -> usize {
        self.low + self.width - 1 + self.flank()
    }

    /// Returns the weight of a lag in the flanks; one in the window counts 1.
    pub(super) fn flank_weight(self) -> f64 {
        self.width as f64 / (2 * self.flank()) as f64
    }
}

/// Returns the rough height of a window from the running sums at the begin of its flanks, at its own begin and end, and at
/// the end of its flanks: at most 0 where it has no more lags than its flanks, NaN where there are none at all.
#[inline(always)]
fn rough_height_of(outer_from: f32, from: f32, to: f32, outer_to: f32, flank_weight: f32) -> f32 {
    let inside = to - from;
    let flanks = (outer_to - outer_from) - inside;
    (inside - flank_weight * flanks) / (inside + flank_weight * flank_weight * flanks).sqrt()
}

/// Counts the lags from one start to later ones, up to the longest that is counted.
fn count_from(start_bins: &[u32], index: usize, counts: &mut [u32]) {
    let start = start_bins[index];
    for later in &start_bins[index + 1..] {
        match counts.get_mut((later - start) as usize) {
            Some(count) => *count += 1,
            None => break,
        }
    }
}

impl Lags {
    pub(super) fn new(starts_s: &[i64], unit_s: i64, mean_s: f64) -> Option<Self> {
        let starts_s = &starts_s[starts_s.len().saturating_sub(MAX_STARTS)..];
        let unit = unit_s.max(1);
        let bin = ((mean_s / (FINENESS * unit as f64)).round() as i64).max(1).saturating_mul(unit);
        let crowded = mean_s < CROWDED * unit as f64;
        let longest = if crowded { MAX_LAG_CROWDED } else { MAX_LAG };
        let longest = (((longest * mean_s).min(MAX_LAG_S) / bin as f64) as usize).min(MAX_BINS);
        let first = *starts_s.first()?;
        let whole = (starts_s[starts_s.len() - 1] - first) / bin;
        if starts_s.len() < MIN_STARTS || longest < 6 || u32::try_from(whole).is_err() {
            return None;
        }
        let start_bins: Vec<u32> = starts_s.iter().map(|start| ((start - first) / bin) as u32).collect();
        let mut counts = vec![0u32; longest + 1];
        (0..start_bins.len()).for_each(|index| count_from(&start_bins, index, &mut counts));
        let shortest = counts.iter().position(|&count| count > 0).unwrap_or(longest);
        let mut sums = Vec::with_capacity(longest + 2 + MAX_PAIR_BEATS);
        sums.push(0.0);
        let mut sum = 0;
        for count in counts {
            sum += count;
            sums.push(sum as f32);
        }
        sums.extend([sum as f32; MAX_PAIR_BEATS]);
        Some(Self {
            start_bins,
            bin_s: bin as f64,
            narrowest: if crowded { PAIR } else { PAIR + 1 },
            sums,
            longest,
            blocks: OnceCell::new(),
            shortest,
        })
    }

    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// Returns the number of lags from `low` to `high` bins, both included.
    fn between(&self, low: usize, high: usize) -> f64 {
        f64::from(self.sums[high + 1] - self.sums[low])
    }

    /// Returns a bound of the error of single precision in a height, or in that of a chain.
    ///
    /// Sums and their differences are exact. With `u = 2^−24` for each operation and a flank's weight of ½ at least, a
    /// height of up to `N` lags errs by `12u·√N` at most, and a chain of five by `40u·√N`.
    fn roughness(&self) -> f32 {
        4e-6 * self.sums.last().copied().unwrap_or(0.0).sqrt() + 1e-6
    }

    /// Returns the counts of each stretch of the train.
    fn blocks(&self) -> &[u32] {
        self.blocks.get_or_init(|| {
            let bins = self.longest + 1;
            let mut blocks = vec![0; BLOCKS * bins];
            for index in 0..self.start_bins.len() {
                let block = index * BLOCKS / self.start_bins.len();
                count_from(&self.start_bins, index, &mut blocks[block * bins..][..bins]);
            }
            blocks
        })
    }

    /// Returns the number of lags inside a window and in its flanks.
    fn counts(&self, window: LagWindow) -> (f64, f64) {
        let inside = self.between(window.low, window.low + window.width - 1);
        (inside, self.between(window.low - window.flank(), window.reach()) - inside)
    }

    /// Returns the contrast of a window and its variance for a Poisson stream.
    pub(super) fn contrast(&self, window: LagWindow) -> (f64, f64) {
        let (inside, flanks) = self.counts(window);
        let weight = window.flank_weight();
        (inside - weight * flanks, inside + weight * weight * flanks)
    }

    /// Returns how far a window stands out, in standard deviations of a Poisson stream; `None` when it does not fit or has
    /// no more lags than its flanks.
    fn height(&self, window: LagWindow) -> Option<f64> {
        if window.reach() > self.longest() {
            return None;
        }
        let (contrast, variance) = self.contrast(window);
        (contrast > 0.0).then(|| contrast / variance.sqrt())
    }

    /// Returns the rough heights of all windows of a width that begin at one of `count` lags from `low` on; at most 0 where
    /// a window has no more lags than its flanks.
    fn rough_heights(&self, width: usize, low: usize, count: usize) -> impl Iterator<Item = f32> {
        let first = LagWindow { low, width };
        let (flank, weight) = (first.flank(), first.flank_weight() as f32);
        let sums = |from: usize| &self.sums[from..from + count];
        let (outer_from, from) = (sums(low - flank), sums(low));
        let (to, outer_to) = (sums(low + width), sums(low + width + flank));
        // Four slices in step, so that the compiler takes four lags at a time: this is most of the work on a pair.
        outer_from.iter().zip(from).zip(to).zip(outer_to).map(move |(((outer_from, from), to), outer_to)| {
            rough_height_of(*outer_from, *from, *to, *outer_to, weight)
        })
    }

    /// Returns the best beginning of a chain whose first window has this height, by the sum of the heights of its windows
    /// over the root of their number. A chain ends before the first window without a height; of equals the shortest wins.
    pub(super) fn best_beginning(&self, height: f64, chain: Chain) -> (f64, Chain) {
        let (mut sum, mut best) = (height, (height, Chain { beats: 1, ..chain }));
        for (window, beats) in chain.windows().zip(1..).skip(1) {
            let Some(height) = self.height(window) else { break };
            sum += height;
            let height = sum / (beats as f64).sqrt();
            if height > best.0 {
                best = (height, Chain { beats, ..chain });
            }
        }
        best
    }

    /// Returns the widths of windows that are tried.
    pub(super) fn widths(&self) -> RangeInclusive<usize> {
        self.narrowest..=usize::MAX
    }

    /// Returns the variance of a chain's height between stretches of the train; that of a Poisson stream is 1.
    pub(super) fn block_variance(&self, chain: Chain) -> f64 {
        let windows: Vec<(LagWindow, f64)> =
            chain.windows().map(|window| (window, self.contrast(window).1.sqrt())).collect();
        let mut sums = [0.0; BLOCKS];
        for (sum, counts) in sums.iter_mut().zip(self.blocks().chunks_exact(self.longest() + 1)) {
            for &(window, deviation) in &windows {
                let inside: u32 = counts[window.low..window.low + window.width].iter().sum();
                let all: u32 = counts[window.low - window.flank()..=window.reach()].iter().sum();
                *sum += (f64::from(inside) - window.flank_weight() * f64::from(all - inside)) / deviation;
            }
        }
        let mean = sums.iter().sum::<f64>() / BLOCKS as f64;
        let squares: f64 = sums.iter().map(|sum| (sum - mean).powi(2)).sum();
        squares * BLOCKS as f64 / ((BLOCKS - 1) * chain.beats) as f64
    }

    /// Returns the mean lag of the window in bins, each lag weighted by its count above that of the flanks.
    pub(super) fn middle(&self, window: LagWindow) -> f64 {
        let (_, flanks) = self.counts(window);
        let level = flanks / (2 * window.flank()) as f64;
        let (mut sum, mut weights) = (0.0, 0.0);
        for lag in window.low..window.low + window.width {
            let above = (self.between(lag, lag) - level).max(0.0);
            sum += above * lag as f64;
            weights += above;
        }
        if weights > 0.0 { sum / weights } else { window.centre() as f64 }
    }
}
