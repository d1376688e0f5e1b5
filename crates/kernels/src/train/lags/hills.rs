//! The search for the windows and chains that stand out.
//!
//! It is most of the work on a pair, so it goes through all lags of a width at once, without branches and in single
//! precision. Whatever comes near the best is computed again exactly.

use super::{Chain, LagWindow, Lags, MAX_HALF_WIDTH, MAX_PAIR_BEATS, PAIR, QUARTERS, WIDTHS, rough_height_of};
use std::ops::RangeInclusive;

/// Hills whose variance is measured.
const HILLS: usize = 6;

/// A hill of at least this share of the height of the wide window around it is one of two.
const CLEAR_WITHIN: f64 = 0.4;

/// Chains of windows of one width, one lag after the other.
#[derive(Debug)]
struct Survey {
    /// The first chain's first window; each of the others begins one bin behind the one before it.
    first: LagWindow,
    /// Most beats of a chain.
    beats: usize,
    /// Heights of their first windows.
    heights: Vec<f32>,
    /// Sums of the heights added so far, −∞ where the chain has ended.
    sums: Vec<f32>,
    /// Upper bounds of the heights of the best beginnings, −∞ where there is none; those of all lags for each quarter of a
    /// bin in turn.
    best: Vec<f32>,
    /// Bound of the error of the heights.
    roughness: f32,
}

impl Default for Survey {
    fn default() -> Self {
        let first = LagWindow { low: 0, width: 1 };
        Self { first, beats: 1, heights: Vec::new(), sums: Vec::new(), best: Vec::new(), roughness: 0.0 }
    }
}

impl Survey {
    fn begin(&mut self, first: LagWindow, beats: usize, heights: impl Iterator<Item = f32>) {
        (self.first, self.beats) = (first, beats);
        self.heights.clear();
        self.heights.extend(heights);
        self.best.clear();
    }

    fn chain(&self, index: usize, quarter: usize) -> Chain {
        let LagWindow { low, width } = self.first;
        Chain { first: LagWindow { low: low + index, width }, quarter, beats: self.beats }
    }
}

/// Keeps a chain if it is one of the [`HILLS`] highest that are no part of each other.
fn keep_hill(best: &mut Vec<(f64, Chain)>, height: f64, chain: Chain) {
    // One window stands for its hill, whatever its width.
    let same = |other: LagWindow| other.centre().abs_diff(chain.first.centre()) <= other.half().max(chain.first.half());
    match best.iter().position(|(_, other)| same(other.first)) {
        Some(index) if best[index].0 < height => best[index] = (height, chain),
        Some(_) => {}
        None if best.len() < HILLS => best.push((height, chain)),
        None => {
            let lowest = (0..HILLS).min_by(|&a, &b| best[a].0.total_cmp(&best[b].0)).unwrap_or(0);
            if best[lowest].0 < height {
                best[lowest] = (height, chain);
            }
        }
    }
}

impl Lags {
    /// Hands over upper bounds of the heights of the best chains of at most `max_beats` beats at each lag of a range, for
    /// each of a range of window widths. Returns how many of them are independent.
    fn survey(
        &self,
        lags: RangeInclusive<usize>,
        widths: RangeInclusive<usize>,
        max_beats: usize,
        mut found: impl FnMut(&Survey),
    ) -> f64 {
        let mut trials = 0.0;
        let mut surveyed = Survey { roughness: self.roughness(), ..Survey::default() };
        for width in WIDTHS.into_iter().filter(|width| widths.contains(width)) {
            let window = LagWindow { low: 0, width };
            let (half, flank) = (window.half(), window.flank());
            let narrow = (half as f64 / MAX_HALF_WIDTH).ceil() as usize;
            let lowest = (self.shortest + half + flank).max(*lags.start()).max(narrow);
            let highest = (self.longest() + 1).saturating_sub(width - half + flank).min(*lags.end());
            if lowest > highest {
                continue;
            }
            let (beats, quarters) = match width {
                PAIR if max_beats > 1 => (MAX_PAIR_BEATS, QUARTERS),
                _ => (max_beats, 1),
            };
            let count = highest - lowest + 1;
            trials += (count * quarters * beats) as f64 / width as f64;
            surveyed.begin(
                LagWindow { low: lowest - half, width },
                beats,
                self.rough_heights(width, lowest - half, count),
            );
            for quarter in 0..quarters {
                self.add_chains(&mut surveyed, quarter);
            }
            found(&surveyed);
        }
        trials
    }

    /// Adds bounds of the heights of the best beginnings of all chains whose lag is `quarter` quarters into a bin. They are
    /// no less than [`Self::best_beginning`] returns, without a branch. A height that may be above 0 is taken to be so.
    fn add_chains(&self, surveyed: &mut Survey, quarter: usize) {
        let Survey { first, beats, heights, sums, best, roughness } = surveyed;
        let roughness = *roughness;
        sums.clear();
        sums.extend(heights.iter().map(|height| if *height > -roughness { *height } else { f32::NEG_INFINITY }));
        let from = best.len();
        best.extend_from_slice(sums);
        let best = &mut best[from..];
        let chain = Chain { first: *first, quarter, beats: *beats };
        for (window, beat) in chain.windows().zip(1..).skip(1) {
            let Some(room) = self.longest().checked_sub(window.reach()) else { break };
            let count = (room / beat + 1).min(best.len());
            let (sums, best) = (&mut sums[..count], &mut best[..count]);
            match beat {
                2 => self.add_beat::<2>(window, sums, best, roughness),
                3 => self.add_beat::<3>(window, sums, best, roughness),
                4 => self.add_beat::<4>(window, sums, best, roughness),
                _ => self.add_beat::<MAX_PAIR_BEATS>(window, sums, best, roughness),
            }
        }
        best.iter_mut().for_each(|height| *height += roughness);
    }

    /// Adds the heights of one multiple, whose window for the first chain is `window`, to the sums of all chains that have
    /// it, and keeps the best. A chain that has ended stays at −∞.
    fn add_beat<const BEAT: usize>(&self, window: LagWindow, sums: &mut [f32], best: &mut [f32], roughness: f32) {
        let (flank, weight, root) = (window.flank(), window.flank_weight() as f32, (BEAT as f32).sqrt());
        let counts = |from: usize| self.sums[from..from + sums.len() * BEAT].as_chunks::<BEAT>().0;
        let (outer_from, from) = (counts(window.low - flank), counts(window.low));
        let (to, outer_to) = (counts(window.low + window.width), counts(window.low + window.width + flank));
        let counts = outer_from.iter().zip(from).zip(to).zip(outer_to);
        for ((sum, best), (((outer_from, from), to), outer_to)) in sums.iter_mut().zip(best).zip(counts) {
            let height = rough_height_of(outer_from[0], from[0], to[0], outer_to[0], weight);
            *sum = if height > -roughness { *sum + height } else { f32::NEG_INFINITY };
            let whole = *sum / root;
            *best = if whole > *best { whole } else { *best };
        }
    }

    /// Returns the highest chain of each hill, best first, among chains of at most `max_beats` beats that begin at lags of a
    /// range in windows of a range of widths; and how many of those chains are independent.
    pub(in crate::train) fn hills(
        &self,
        lags: RangeInclusive<usize>,
        widths: RangeInclusive<usize>,
        max_beats: usize,
    ) -> (Vec<(f64, Chain)>, f64) {
        let mut best: Vec<(f64, Chain)> = Vec::new();
        // What a chain must exceed to be one of the best.
        let mut threshold = f64::NEG_INFINITY;
        let trials = self.survey(lags, widths, max_beats, |surveyed| {
            let count = surveyed.heights.len();
            let quarters = surveyed.best.len() / count;
            for (index, quarter) in (0..count).flat_map(|index| (0..quarters).map(move |quarter| (index, quarter))) {
                if f64::from(surveyed.best[quarter * count + index]) > threshold {
                    let chain = surveyed.chain(index, quarter);
                    let Some(height) = self.height(chain.first) else { continue };
                    let (height, chain) = self.best_beginning(height, chain);
                    keep_hill(&mut best, height, chain);
                    if best.len() == HILLS {
                        threshold = best.iter().map(|hill| hill.0).fold(f64::INFINITY, f64::min);
                    }
                }
            }
        });
        best.sort_by(|a, b| b.0.total_cmp(&a.0));
        (best, trials)
    }

    /// Returns a close upper bound of the height of the first of [`Self::hills`] in windows of any width, and the same
    /// number of independent chains, at a lower cost; `None` when there is no hill.
    pub(in crate::train) fn highest(&self, lags: RangeInclusive<usize>, max_beats: usize) -> Option<(f64, f64)> {
        let mut best = f32::NEG_INFINITY;
        let trials = self.survey(lags.clone(), self.widths(), max_beats, |surveyed| {
            best = surveyed.best.iter().fold(best, |best, height| if *height > best { *height } else { best });
        });
        // So low a hill may be none: that takes an exact look.
        if best <= 2.0 * self.roughness() {
            let (hills, _) = self.hills(lags, self.widths(), max_beats);
            return hills.first().map(|hill| (hill.0, trials));
        }
        Some((f64::from(best), trials))
    }

    /// Returns two hills under one wide window: two trains of neighbouring periods. A single train with much jitter is flat
    /// within it.
    pub(in crate::train) fn split(&self, window: LagWindow) -> Option<(LagWindow, LagWindow)> {
        let (contrast, variance) = self.contrast(window);
        let within = window.low..=window.low + window.width - 1;
        let (hills, _) = self.hills(within, PAIR + 1..=window.half() / 3 * 2 + 1, 1);
        let [first, second, ..] = hills.as_slice() else { return None };
        let (first, second) = (first.1.first, second.1.first);
        let (inside, spread) = self.contrast(second);
        let clear = inside / spread.sqrt() >= CLEAR_WITHIN * contrast / variance.sqrt();
        clear.then_some(if first.centre() < second.centre() { (first, second) } else { (second, first) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every chain whose first window stands out, one after the other.
    fn slow_survey(lags: &Lags, of: RangeInclusive<usize>, max_beats: usize, mut found: impl FnMut(f64, Chain)) -> f64 {
        every_chain(lags, of, max_beats, |chain| {
            if let Some(height) = lags.height(chain.first) {
                let (height, chain) = lags.best_beginning(height, chain);
                found(height, chain);
            }
        })
    }

    /// Goes through every chain, one after the other; returns how many are independent.
    fn every_chain(lags: &Lags, of: RangeInclusive<usize>, max_beats: usize, mut found: impl FnMut(Chain)) -> f64 {
        let mut trials = 0.0;
        for width in WIDTHS.into_iter().filter(|width| lags.widths().contains(width)) {
            let half = width / 2;
            let pairs = width == PAIR && max_beats > 1;
            let (beats, quarters) = if pairs { (MAX_PAIR_BEATS, QUARTERS) } else { (max_beats, 1) };
            let fits = |centre: &usize| {
                let window = LagWindow { low: centre - half, width };
                let begins = window.low >= lags.shortest + window.flank();
                begins && half as f64 <= MAX_HALF_WIDTH * *centre as f64 && window.reach() <= lags.longest()
            };
            let centres: Vec<usize> = of.clone().filter(|centre| *centre >= half).filter(fits).collect();
            trials += (centres.len() * quarters * beats) as f64 / width as f64;
            for (centre, quarter) in centres.iter().flat_map(|centre| (0..quarters).map(move |of| (centre, of))) {
                found(Chain { first: LagWindow { low: centre - half, width }, quarter, beats });
            }
        }
        trials
    }

    proptest! {
        #[test]
        fn hills_are_those_of_a_slow_search(
            mut starts in prop::collection::vec(0i64..20_000, 40..300), unit in prop::sample::select(vec![1i64, 60]),
            max_beats in prop::sample::select(vec![1usize, 3]), from in 1usize..80, beat in 100i64..2_000,
        ) {
            starts.extend((0..20_000 / beat).map(|at| at * beat));
            starts.sort_unstable();
            starts.iter_mut().for_each(|start| *start = *start / unit * unit);
            let mean_s = (starts[starts.len() - 1] - starts[0]) as f64 / (starts.len() - 1) as f64;
            let Some(lags) = Lags::new(&starts, unit, mean_s) else { return Ok(()) };
            let of = from..=lags.longest();
            let (mut slow, mut highest) = (Vec::new(), None::<f64>);
            let trials = slow_survey(&lags, of.clone(), max_beats, |height, chain| {
                keep_hill(&mut slow, height, chain);
                highest = Some(highest.map_or(height, |highest| highest.max(height)));
            });
            slow.sort_by(|a, b| b.0.total_cmp(&a.0));
            prop_assert_eq!(lags.hills(of.clone(), lags.widths(), max_beats), (slow, trials));
            let bound = lags.highest(of.clone(), max_beats);
            prop_assert_eq!(bound.map(|bound| bound.1), highest.map(|_| trials));
            if let (Some((bound, _)), Some(highest)) = (bound, highest) {
                prop_assert!(bound >= highest, "{} {}", bound, highest);
                // A chain may go on where the exact one ends, with a window that stands out by nothing; no other is higher.
                let roughness = f64::from(lags.roughness());
                let mut lenient = f64::NEG_INFINITY;
                every_chain(&lags, of, max_beats, |chain| {
                    let heights = chain.windows().map_while(|window| {
                        let (contrast, variance) = (window.reach() <= lags.longest()).then(|| lags.contrast(window))?;
                        Some(contrast / variance.sqrt()).filter(|height| *height > -2.0 * roughness)
                    });
                    let (mut sum, mut beats) = (0.0, 0.0f64);
                    for height in heights {
                        (sum, beats) = (sum + height, beats + 1.0);
                        lenient = lenient.max(sum / beats.sqrt());
                    }
                });
                prop_assert!(bound <= lenient + 2.0 * roughness, "{} {}", bound, lenient);
            }
        }
    }
}
