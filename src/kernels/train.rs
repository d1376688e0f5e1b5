//! A train of connection starts under the tests.
//!
//! Starts become check-ins ([`super::intervals`]), then [`tests`] runs every test on them. Most trains are random, which
//! bounds tell at a third of the price: see `Train::is_weak`.

use super::calibration::{Method, calibrated, class_of, combine, resolution};
use super::intervals::{Beats, ascending, burst_scale_of, coalesce, resolution_s, trim_gaps, trim_gaps_of};
use super::lost::Lost;
use super::{correlogram, counts, phase, regularity};

/// Fewest connections that are judged.
pub const FEWEST_CONNECTIONS: usize = 6;

/// Most starts looked at: the latest of them, an unbroken stretch.
pub const MOST_STARTS: usize = 16_384;

/// The evidence of every test on one train, before calibration.
#[derive(Debug, Clone)]
pub struct Tests {
    /// Resolution of the starts in seconds.
    pub unit_s: i64,
    /// Each test that applies: method, class, number of intervals (windows for counts), evidence.
    pub evidence: Vec<(Method, usize, usize, f64)>,
    /// Check-ins the description rests on.
    pub check_ins_s: Vec<i64>,
    /// Distances between them without gaps.
    pub distances_s: Vec<f64>,
    /// Best folding period, when that test applies.
    pub phase: Option<phase::Phase>,
    /// Mean distance of the check-ins, gaps left out, in seconds.
    pub active_mean_s: f64,
    /// Gamma shape of the check-in distances; 1 when there are too few.
    pub shape: f64,
    /// Mean distance of all starts in seconds, set when beats come too fast for the resolution to tell them apart.
    pub mean_s: Option<f64>,
}

impl Tests {
    /// The lag at which starts follow others, when that test applies: dearer than its evidence.
    pub fn lags(&self) -> Option<correlogram::Correlogram> {
        correlogram::correlogram(&self.check_ins_s, self.unit_s, self.active_mean_s)
    }
}

/// Starts made ready for the tests.
pub(super) struct Train<'a> {
    starts_s: &'a [i64],
    /// Resolution of the starts in seconds.
    unit_s: i64,
    /// Check-ins one unit apart, and their distances.
    single: (Vec<i64>, Beats),
    /// Check-ins out of bursts, where there are any and their distances are above the resolution.
    merged: Option<(Vec<i64>, Beats)>,
    /// Time that the log knows nothing of.
    lost: Lost<'a>,
}

/// Method, class, number of intervals, evidence.
type Test = (Method, usize, usize, f64);

impl<'a> Train<'a> {
    /// Looks for check-ins; `None` when there are too few, or too few distances that no lost time cuts.
    pub(super) fn new(starts_s: &'a [i64], window_s: u32, lost: Lost<'a>) -> Option<Self> {
        if starts_s.len() < FEWEST_CONNECTIONS {
            return None;
        }
        let starts_s = &starts_s[starts_s.len().saturating_sub(MOST_STARTS)..];
        let unit_s = resolution_s(starts_s, window_s);
        let single = coalesce(starts_s, unit_s);
        let plain = lost.distances(&single);
        let beats = trim_gaps_of(&plain, ascending(&plain))?;
        let mut train = Self { starts_s, unit_s, single: (single, beats), merged: None, lost };
        if let Some(scale) = burst_scale_of(&train.single.1.ascending_s, unit_s) {
            let merged = coalesce(starts_s, scale);
            let beats = trim_gaps(&lost.distances(&merged)).filter(|beats| train.is_fine(beats));
            train.merged = beats.map(|beats| (merged, beats));
        }
        Some(train)
    }

    /// Under two units a distance is rounding: only counts speak.
    fn is_fine(&self, beats: &Beats) -> bool {
        resolution(beats.median_s, self.unit_s) > 0
    }

    /// The check-ins to count, and how long a distance between them is a gap, in seconds.
    ///
    /// Below two units every start counts and bursts cannot be told from beats; above, check-ins do.
    fn counted<'b>(&self, check_ins_s: &'b [i64], beats: &Beats) -> (&'b [i64], f64)
    where
        'a: 'b,
    {
        let gap_s = beats.gap_s.max(2.0 * self.unit_s as f64);
        (if self.is_fine(beats) { check_ins_s } else { self.starts_s }, gap_s)
    }

    /// Mean distance of the starts that are counted, gaps left out, in seconds.
    fn active_mean_s(&self, counted_s: &[i64], gap_s: f64) -> f64 {
        let beats = self.lost.distances(counted_s).into_iter().filter(|&distance| distance as f64 <= gap_s);
        let (count, sum) = beats.fold((0u32, 0i64), |(count, sum), distance| (count + 1, sum + distance));
        sum as f64 / f64::from(count.max(1))
    }

    /// Tells whether every test surely stays below `least_depth`, −log10 of a p-value; `None` when none applies.
    ///
    /// Most trains are random and need no more than this, a third of the work of [`Train::tests`].
    pub(super) fn is_weak(&self, least_depth: f64) -> Option<bool> {
        let unit = self.unit_s as f64;
        let weak = |test: &Test| depth_of(test) < least_depth;
        let (single, merged) = (&self.single.1, self.merged.as_ref().map(|merged| &merged.1));
        let plain = if self.is_fine(single) { regularity::moran(&single.capped_s, unit) } else { None };
        let coalesced = merged.and_then(|beats| regularity::moran(&beats.capped_s, unit));
        for (method, beats, found) in [(Method::Plain, Some(single), plain), (Method::Coalesced, merged, coalesced)] {
            let (Some(beats), Some(found)) = (beats, found) else { continue };
            let bounded = (method, class_of(beats, self.unit_s), found.count, regularity::EVIDENCE_BELOW_NULL);
            if !found.is_below(regularity::NULL_SHAPE) || !weak(&bounded) {
                let exact = regularity::regularity(&beats.capped_s, unit)?;
                if !weak(&(bounded.0, bounded.1, bounded.2, exact.evidence)) {
                    return Some(false);
                }
            }
        }
        let (check_ins_s, beats) = match (&self.merged, plain, coalesced) {
            (Some(merged), None, Some(_)) => merged,
            (Some(merged), Some(plain), Some(coalesced)) => {
                let between = (plain.rough_shape() * coalesced.rough_shape()).sqrt();
                if plain.is_below(between) && coalesced.is_above(between) {
                    merged
                } else if plain.is_above(between) && coalesced.is_below(between) {
                    &self.single
                } else {
                    return Some(false);
                }
            }
            _ => &self.single,
        };
        let class = class_of(beats, self.unit_s);
        let (counted_s, gap_s) = self.counted(check_ins_s, beats);
        let counted = counts::counts(counted_s, self.unit_s, gap_s, self.lost);
        if counted.is_some_and(|found| !weak(&(Method::Counts, class, found.windows, found.evidence))) {
            return Some(false);
        }
        let bound = if self.is_fine(beats) { phase::evidence_bound(&beats.sorted(), unit) } else { None };
        if bound.is_some_and(|(count, evidence)| !weak(&(Method::Phase, class, count, evidence))) {
            return Some(false);
        }
        let active_mean_s = self.active_mean_s(counted_s, gap_s);
        let weak_lags = |count, evidence| weak(&(Method::Lags, class, count, evidence));
        let lags = correlogram::evidence_or_bound(counted_s, self.unit_s, active_mean_s, weak_lags);
        if lags.is_some_and(|(count, evidence)| !weak(&(Method::Lags, class, count, evidence))) {
            return Some(false);
        }
        let any = plain.is_some() || coalesced.is_some() || counted.is_some() || bound.is_some() || lags.is_some();
        any.then_some(true)
    }

    /// Runs every test; `None` when none applies.
    pub(super) fn tests(self) -> Option<Tests> {
        let (unit_s, unit) = (self.unit_s, self.unit_s as f64);
        let mut evidence: Vec<Test> = Vec::with_capacity(Method::ALL.len());
        let mut shape = None;
        let mut chosen = &self.single;
        if self.is_fine(&self.single.1)
            && let Some(found) = regularity::regularity(&self.single.1.capped_s, unit)
        {
            evidence.push((Method::Plain, class_of(&self.single.1, unit_s), found.count, found.evidence));
            shape = Some(found.shape);
        }
        if let Some(merged) = &self.merged
            && let Some(found) = regularity::regularity(&merged.1.capped_s, unit)
        {
            evidence.push((Method::Coalesced, class_of(&merged.1, unit_s), found.count, found.evidence));
            if shape.is_none_or(|shape| found.shape > shape) {
                shape = Some(found.shape);
                chosen = merged;
            }
        }
        let (check_ins_s, beats) = chosen;
        let (fine, class) = (self.is_fine(beats), class_of(beats, unit_s));
        let mut phase_found = None;
        if fine && let Some(found) = phase::phase(&beats.distances_s, unit) {
            evidence.push((Method::Phase, class, found.count, found.evidence));
            phase_found = Some(found);
        }
        let (counted_s, gap_s) = self.counted(check_ins_s, beats);
        if let Some(found) = counts::counts(counted_s, unit_s, gap_s, self.lost) {
            evidence.push((Method::Counts, class, found.windows, found.evidence));
        }
        let active_mean_s = self.active_mean_s(counted_s, gap_s);
        if let Some((count, found)) = correlogram::evidence(counted_s, unit_s, active_mean_s) {
            evidence.push((Method::Lags, class, count, found));
        }
        if evidence.is_empty() {
            return None;
        }
        let mean_s = (!fine).then_some(active_mean_s);
        let (check_ins_s, distances_s) = (counted_s.to_vec(), beats.distances_s.clone());
        let shape = shape.unwrap_or(1.0);
        Some(Tests { unit_s, evidence, check_ins_s, distances_s, phase: phase_found, active_mean_s, shape, mean_s })
    }
}

/// Gives −log10 of the p-value that one test alone would carry.
fn depth_of(&(method, class, count, evidence): &Test) -> f64 {
    combine(&[(method, calibrated(method, class, count, evidence))]).map_or(0.0, |(depth, _)| depth)
}

/// Runs every test on sorted connection starts; `None` when none applies.
///
/// `window_s` as in [`super::beacon::ObservedWindow`]. This is what the null tables are made of.
pub fn tests(starts_s: &[i64], window_s: u32) -> Option<Tests> {
    Train::new(starts_s, window_s, Lost::NONE)?.tests()
}
