//! Lags between starts, counted by bin, and the windows that stand out among them: the work of
//! [`super::correlogram`].

mod hills;

use super::correlogram::FEWEST;
use std::cell::OnceCell;
use std::ops::RangeInclusive;

/// Most starts looked at: the latest of them.
const MOST: usize = 4096;
const _: () = assert!(MOST * (MOST - 1) / 2 < 1 << f32::MANTISSA_DIGITS, "sums of lags are exact");

/// Longest lag in mean distances: noise of eleven starts for each beat.
const LONGEST: f64 = 12.0;

/// The same where starts are crowded: there are few lags, and many beats are needed.
const LONGEST_CROWDED: f64 = 24.0;

/// Longest lag in seconds: beyond a quarter of a day every working day follows another.
const LONGEST_S: f64 = 21_600.0;

/// Starts closer than so many of the log's units are crowded: there three bins are wide, and hold more noise than beats.
const CROWDED: f64 = 2.0;

/// Bins of a mean distance.
const FINENESS: f64 = 32.0;

/// Widths of the windows tried, in bins; two only where starts are crowded.
const WIDTHS: [usize; 11] = [PAIR, 3, 5, 7, 9, 13, 17, 25, 33, 49, 65];

/// Bins that hold the lag of a clock whose times are cut to the unit: the whole part of it and the next.
const PAIR: usize = 2;

/// Most multiples of a lag that are looked at together.
pub(super) const MOST_BEATS: usize = 3;

/// The same for pairs of bins, whose lag is tried in quarters of a bin: its multiples say which.
const MOST_PAIR_BEATS: usize = 5;

/// Tries of a pair's lag within a bin.
const QUARTERS: usize = 4;

/// How wide the window of each multiple is, in hundredths of the first: the root of its number.
const WIDER: [usize; MOST_BEATS] = [100, 141, 173];

/// Widest window as a share of its lag, half of it: more is no period.
const WIDEST: f64 = 0.3;

/// Stretches of the train between which the contrast's variance is measured.
pub(super) const BLOCKS: usize = 24;

/// A hill this clear beside the wide window around it is one of two.
const CLEAR_WITHIN: f64 = 0.4;

/// Most bins of the correlogram.
const MOST_BINS: usize = (LONGEST * FINENESS * 1.5) as usize + 2;

/// Counts of lags, by bin.
pub(super) struct Lags {
    /// Starts in bins since the first.
    pub(super) places: Vec<u32>,
    pub(super) bin_s: f64,
    /// Width of the narrowest windows.
    narrowest: usize,
    /// Lags of fewer than so many bins, as a running sum: the count of lag `k` is `sums[k + 1] − sums[k]`. Whole numbers,
    /// of which single precision holds those of [`MOST`] starts, and [`MOST_PAIR_BEATS`] more of the last, so that every
    /// stride through them ends within.
    sums: Vec<f32>,
    /// Longest lag that is counted, in bins.
    longest: usize,
    /// The counts of each of [`BLOCKS`] stretches of the train, one after the other: of lags that begin there. Most trains
    /// are random, and are known to be without them.
    blocks: OnceCell<Vec<u32>>,
    /// Shortest lag there is, in bins.
    shortest: usize,
}

/// Lags from `low` on, `width` of them, in bins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    pub(super) low: usize,
    pub(super) width: usize,
}

/// A lag and its multiples: beats that follow others follow their next but one, too. Sums of sleeps are as much wider as
/// the root of their number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Chain {
    pub(super) first: Window,
    /// Where the lag is in the first bin of a pair, in quarters.
    pub(super) quarter: usize,
    pub(super) beats: usize,
}

impl Chain {
    /// The window of each multiple.
    pub(super) fn windows(self) -> impl Iterator<Item = Window> {
        let Self { first, quarter, beats } = self;
        (1..=beats).map(move |beat| {
            if first.width == PAIR {
                return Window { low: beat * (QUARTERS * first.low + quarter) / QUARTERS, width: PAIR };
            }
            let half = first.half() * WIDER[beat - 1] / 100;
            Window { low: beat * first.centre() - half, width: 2 * half + 1 }
        })
    }
}

impl Window {
    pub(super) fn centre(self) -> usize {
        self.low + self.half()
    }

    pub(super) fn half(self) -> usize {
        self.width / 2
    }

    /// Bins of the flank on either side: both together are one or two bins wider than the window.
    pub(super) fn flank(self) -> usize {
        self.width / 2 + 1
    }

    /// The last lag of its flanks.
    pub(super) fn reach(self) -> usize {
        self.low + self.width - 1 + self.flank()
    }

    /// Weight of a lag in the flanks; one in the window counts 1.
    pub(super) fn flank_weight(self) -> f64 {
        self.width as f64 / (2 * self.flank()) as f64
    }
}

/// The height of a window, roughly, by the running sums at the begin of its flanks, at its own, at its end and at that of
/// its flanks; not above 0 where it has no more lags than its flanks, and no number where there are none at all.
#[inline(always)]
fn rough_height_of(outer_from: f32, from: f32, to: f32, outer_to: f32, flank_weight: f32) -> f32 {
    let inside = to - from;
    let flanks = (outer_to - outer_from) - inside;
    (inside - flank_weight * flanks) / (inside + flank_weight * flank_weight * flanks).sqrt()
}

/// Counts the lags from one start to those behind it, as far as there are counts for them.
fn count_from(places: &[u32], at: usize, counts: &mut [u32]) {
    let place = places[at];
    for later in &places[at + 1..] {
        match counts.get_mut((later - place) as usize) {
            Some(count) => *count += 1,
            None => break,
        }
    }
}

impl Lags {
    pub(super) fn new(starts_s: &[i64], unit_s: i64, mean_s: f64) -> Option<Self> {
        let starts_s = &starts_s[starts_s.len().saturating_sub(MOST)..];
        let unit = unit_s.max(1);
        let bin = ((mean_s / (FINENESS * unit as f64)).round() as i64).max(1).saturating_mul(unit);
        let crowded = mean_s < CROWDED * unit as f64;
        let longest = if crowded { LONGEST_CROWDED } else { LONGEST };
        let longest = (((longest * mean_s).min(LONGEST_S) / bin as f64) as usize).min(MOST_BINS);
        let first = *starts_s.first()?;
        let whole = (starts_s[starts_s.len() - 1] - first) / bin;
        if starts_s.len() < FEWEST || longest < 6 || u32::try_from(whole).is_err() {
            return None;
        }
        let places: Vec<u32> = starts_s.iter().map(|start| ((start - first) / bin) as u32).collect();
        let mut counts = vec![0u32; longest + 1];
        (0..places.len()).for_each(|at| count_from(&places, at, &mut counts));
        let shortest = counts.iter().position(|&count| count > 0).unwrap_or(longest);
        let mut sums = Vec::with_capacity(longest + 2 + MOST_PAIR_BEATS);
        sums.push(0.0);
        let mut sum = 0;
        for count in counts {
            sum += count;
            sums.push(sum as f32);
        }
        sums.extend([sum as f32; MOST_PAIR_BEATS]);
        Some(Self {
            places,
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

    /// Number of lags from `low` to `high` bins, both included.
    fn between(&self, low: usize, high: usize) -> f64 {
        f64::from(self.sums[high + 1] - self.sums[low])
    }

    /// More than single precision errs in a height, or in that of a chain.
    ///
    /// Sums and their differences are exact. With `u = 2^−24` for each operation and a flank's weight of ½ at least, a
    /// height of up to `N` lags errs by `12u·√N` at most, and a chain of five by `40u·√N`.
    fn roughness(&self) -> f32 {
        4e-6 * self.sums.last().copied().unwrap_or(0.0).sqrt() + 1e-6
    }

    /// The counts of each stretch of the train.
    fn blocks(&self) -> &[u32] {
        self.blocks.get_or_init(|| {
            let bins = self.longest + 1;
            let mut blocks = vec![0; BLOCKS * bins];
            for at in 0..self.places.len() {
                count_from(&self.places, at, &mut blocks[at * BLOCKS / self.places.len() * bins..][..bins]);
            }
            blocks
        })
    }

    /// The number of lags inside a window and in its flanks.
    fn counts(&self, window: Window) -> (f64, f64) {
        let inside = self.between(window.low, window.low + window.width - 1);
        (inside, self.between(window.low - window.flank(), window.reach()) - inside)
    }

    /// The contrast of a window and its variance for a Poisson stream.
    pub(super) fn contrast(&self, window: Window) -> (f64, f64) {
        let (inside, flanks) = self.counts(window);
        let weight = window.flank_weight();
        (inside - weight * flanks, inside + weight * weight * flanks)
    }

    /// How far a window stands out, in standard deviations of a Poisson stream; `None` when it does not fit or has no more
    /// lags than its flanks.
    fn height(&self, window: Window) -> Option<f64> {
        if window.reach() > self.longest() {
            return None;
        }
        let (contrast, variance) = self.contrast(window);
        (contrast > 0.0).then(|| contrast / variance.sqrt())
    }

    /// The heights, roughly, of all windows of a width that begin at one of `count` lags from `low` on; not above 0 where a
    /// window has no more lags than its flanks.
    fn rough_heights(&self, width: usize, low: usize, count: usize) -> impl Iterator<Item = f32> {
        let first = Window { low, width };
        let (flank, weight) = (first.flank(), first.flank_weight() as f32);
        let sums = |from: usize| &self.sums[from..from + count];
        let (outer_from, from) = (sums(low - flank), sums(low));
        let (to, outer_to) = (sums(low + width), sums(low + width + flank));
        // Straight through four slices: this is most of the work on a pair, and goes four lags at a time.
        outer_from.iter().zip(from).zip(to).zip(outer_to).map(move |(((outer_from, from), to), outer_to)| {
            rough_height_of(*outer_from, *from, *to, *outer_to, weight)
        })
    }

    /// The best of a chain's beginnings whose first window is so high: the sum of the heights of its windows over the root
    /// of their number. It ends with the first that has none; of equals the shortest is the best.
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

    /// The widths of windows that tell something.
    pub(super) fn widths(&self) -> RangeInclusive<usize> {
        self.narrowest..=usize::MAX
    }

    /// Variance of a chain's height as it shows between stretches of the train; that of a Poisson stream is 1.
    pub(super) fn block_variance(&self, chain: Chain) -> f64 {
        let windows: Vec<(Window, f64)> =
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

    /// Two hills under one wide window: two trains of neighbouring periods. A single one with much jitter is flat within.
    pub(super) fn split(&self, window: Window) -> Option<(Window, Window)> {
        let (contrast, variance) = self.contrast(window);
        let within = window.low..=window.low + window.width - 1;
        let (hills, _) = self.hills(within, PAIR + 1..=window.half() / 3 * 2 + 1, 1);
        let [first, second, ..] = hills.as_slice() else { return None };
        let (first, second) = (first.1.first, second.1.first);
        let (inside, spread) = self.contrast(second);
        let clear = inside / spread.sqrt() >= CLEAR_WITHIN * contrast / variance.sqrt();
        clear.then_some(if first.centre() < second.centre() { (first, second) } else { (second, first) })
    }

    /// Mean lag of the window, in bins, each lag weighted by its count above that of the flanks.
    pub(super) fn middle(&self, window: Window) -> f64 {
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
