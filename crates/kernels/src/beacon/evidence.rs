//! The evidence of every test on one train of connection starts.
//!
//! Starts become check-ins ([`crate::train::intervals`]), then [`train_evidence`] runs every test on them. Most trains are
//! random, which bounds show at a third of the cost: see `Train::is_weak`.

use crate::calibration::{Evidence, Method, class_of, combine, resolution};
use crate::lost::Lost;
use crate::train::bursts::{burst_scale_of, doubles_scale_of};
use crate::train::intervals::{Beats, ascending, coalesce, resolution_s, trim_gaps, trim_gaps_of};
use crate::train::{CountedEvidence, correlogram, counts, phase, regularity};

/// Fewest connections that are judged.
pub const MIN_CONNECTIONS: usize = 6;

/// Most starts used: the latest of them, an unbroken stretch.
pub const MAX_STARTS: usize = 16_384;

/// The evidence of every test on one train, before calibration.
#[derive(Debug, Clone)]
pub struct TrainEvidence {
    /// Resolution of the starts in seconds.
    pub unit_s: i64,
    /// The evidence of each test that applies.
    pub evidence: Vec<Evidence>,
    /// Check-ins that the description rests on.
    pub check_ins_s: Vec<i64>,
    /// Distances between the check-ins, without gaps.
    pub distances_s: Vec<f64>,
    /// Best folding period, when that test applies.
    pub phase: Option<phase::Phase>,
    /// Mean distance of the check-ins, gaps left out, in seconds.
    pub active_mean_s: f64,
    /// Gamma shape of the check-in distances; 1 when there are too few.
    pub shape: f64,
    /// Mean distance of all starts in seconds, set when beats come too fast for the resolution to separate them.
    pub mean_s: Option<f64>,
}

impl TrainEvidence {
    /// Returns the lag at which starts follow others, when that test applies; it costs more than its evidence.
    pub fn lags(&self) -> Option<correlogram::Correlogram> {
        correlogram::correlogram(&self.check_ins_s, self.unit_s, self.active_mean_s)
    }
}

/// Starts prepared for the tests.
pub(super) struct Train<'a> {
    starts_s: &'a [i64],
    /// Resolution of the starts in seconds.
    unit_s: i64,
    /// Check-ins at least one unit apart, a few doubles dropped.
    single: CheckIns,
    /// Check-ins with bursts merged, where there are bursts and the distances are above the resolution.
    merged: Option<CheckIns>,
    /// Time that the log knows nothing about.
    lost: Lost<'a>,
}

/// Check-ins and the distances between them.
struct CheckIns {
    starts_s: Vec<i64>,
    beats: Beats,
}

impl<'a> Train<'a> {
    /// Finds check-ins; `None` when there are too few, or too few distances that no lost time cuts.
    pub(super) fn new(starts_s: &'a [i64], window_s: u32, lost: Lost<'a>) -> Option<Self> {
        if starts_s.len() < MIN_CONNECTIONS {
            return None;
        }
        let starts_s = &starts_s[starts_s.len().saturating_sub(MAX_STARTS)..];
        let unit_s = resolution_s(starts_s, window_s);
        let single = coalesce(starts_s, unit_s);
        let plain = lost.distances(&single);
        let beats = trim_gaps_of(&plain, ascending(&plain))?;
        let mut train = Self { starts_s, unit_s, single: CheckIns { starts_s: single, beats }, merged: None, lost };
        if let Some(scale) = burst_scale_of(&train.single.beats.ascending_s, unit_s) {
            let merged = coalesce(starts_s, scale);
            let beats = trim_gaps(&lost.distances(&merged)).filter(|beats| train.is_fine(beats));
            train.merged = beats.map(|beats| CheckIns { starts_s: merged, beats });
        } else if let Some(scale) = doubles_scale_of(&train.single.beats.ascending_s, unit_s) {
            // So few that they are no habit: the train is judged as if they were not there, by the nulls of trains as they
            // are. Those of merged trains are of benign traffic in bursts, which is less regular.
            let starts_s = coalesce(starts_s, scale);
            if let Some(beats) = trim_gaps(&lost.distances(&starts_s)).filter(|beats| train.is_fine(beats)) {
                train.single = CheckIns { starts_s, beats };
            }
        }
        Some(train)
    }

    /// Returns whether distances are above the resolution; below two units only counts mean anything.
    fn is_fine(&self, beats: &Beats) -> bool {
        resolution(beats.median_s, self.unit_s) > 0
    }

    /// Returns the starts to count, and from which length in seconds a distance between them is a gap.
    ///
    /// Below two units, where bursts cannot be separated from beats, every start counts; above, check-ins do.
    fn counted<'b>(&self, check_ins: &'b CheckIns) -> (&'b [i64], f64)
    where
        'a: 'b,
    {
        let gap_s = check_ins.beats.gap_s.max(2.0 * self.unit_s as f64);
        (if self.is_fine(&check_ins.beats) { &check_ins.starts_s } else { self.starts_s }, gap_s)
    }

    /// Returns the mean distance of the counted starts in seconds, gaps left out.
    fn active_mean_s(&self, counted_s: &[i64], gap_s: f64) -> f64 {
        let beats = self.lost.distances(counted_s).into_iter().filter(|&distance| distance as f64 <= gap_s);
        let (count, sum) = beats.fold((0u32, 0i64), |(count, sum), distance| (count + 1, sum + distance));
        sum as f64 / f64::from(count.max(1))
    }

    /// Returns whether every test certainly stays below `min_depth`, −log10 of a p-value; `None` when none applies.
    ///
    /// Most trains are random and need no more than this, a third of the work of [`Train::evidence`].
    pub(super) fn is_weak(&self, min_depth: f64) -> Option<bool> {
        let unit = self.unit_s as f64;
        let weak = |evidence: &Evidence| depth_of(evidence) < min_depth;
        let (single, merged) = (&self.single.beats, self.merged.as_ref().map(|merged| &merged.beats));
        let plain = if self.is_fine(single) { regularity::moran(&single.capped_s, unit) } else { None };
        let coalesced = merged.and_then(|beats| regularity::moran(&beats.capped_s, unit));
        for (method, beats, found) in [(Method::Plain, Some(single), plain), (Method::Coalesced, merged, coalesced)] {
            let (Some(beats), Some(found)) = (beats, found) else { continue };
            let class = class_of(beats, self.unit_s);
            let bound = Evidence { method, class, count: found.count, evidence: regularity::EVIDENCE_BELOW_NULL };
            if !found.is_below(regularity::NULL_SHAPE) || !weak(&bound) {
                let exact = regularity::regularity(&beats.capped_s, unit)?;
                if !weak(&Evidence { evidence: exact.evidence, ..bound }) {
                    return Some(false);
                }
            }
        }
        let check_ins = match (&self.merged, plain, coalesced) {
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
        let beats = &check_ins.beats;
        let class = class_of(beats, self.unit_s);
        let weak_as = |method, found: CountedEvidence| weak(&Evidence::new(method, class, found));
        let (counted_s, gap_s) = self.counted(check_ins);
        let counted = counts::counts(counted_s, self.unit_s, gap_s, self.lost);
        let counted = counted.map(|found| CountedEvidence { count: found.windows, evidence: found.evidence });
        if counted.is_some_and(|found| !weak_as(Method::Counts, found)) {
            return Some(false);
        }
        let bound = if self.is_fine(beats) { phase::evidence_bound(&beats.sorted(), unit) } else { None };
        if bound.is_some_and(|bound| !weak_as(Method::Phase, bound)) {
            return Some(false);
        }
        let active_mean_s = self.active_mean_s(counted_s, gap_s);
        let weak_lags = |bound| weak_as(Method::Lags, bound);
        let lags = correlogram::evidence_or_bound(counted_s, self.unit_s, active_mean_s, weak_lags);
        if lags.is_some_and(|found| !weak_as(Method::Lags, found)) {
            return Some(false);
        }
        let any = plain.is_some() || coalesced.is_some() || counted.is_some() || bound.is_some() || lags.is_some();
        any.then_some(true)
    }

    /// Runs every test; `None` when none applies.
    pub(super) fn evidence(self) -> Option<TrainEvidence> {
        let unit_s = self.unit_s;
        let unit = unit_s as f64;
        let mut evidence: Vec<Evidence> = Vec::with_capacity(Method::ALL.len());
        let mut shape = None;
        let mut chosen = &self.single;
        if self.is_fine(&self.single.beats)
            && let Some(found) = regularity::regularity(&self.single.beats.capped_s, unit)
        {
            let class = class_of(&self.single.beats, unit_s);
            evidence.push(Evidence { method: Method::Plain, class, count: found.count, evidence: found.evidence });
            shape = Some(found.shape);
        }
        if let Some(merged) = &self.merged
            && let Some(found) = regularity::regularity(&merged.beats.capped_s, unit)
        {
            let class = class_of(&merged.beats, unit_s);
            evidence.push(Evidence { method: Method::Coalesced, class, count: found.count, evidence: found.evidence });
            if shape.is_none_or(|shape| found.shape > shape) {
                shape = Some(found.shape);
                chosen = merged;
            }
        }
        let beats = &chosen.beats;
        let (fine, class) = (self.is_fine(beats), class_of(beats, unit_s));
        let mut phase_found = None;
        if fine && let Some(found) = phase::phase(&beats.distances_s, unit) {
            evidence.push(Evidence { method: Method::Phase, class, count: found.count, evidence: found.evidence });
            phase_found = Some(found);
        }
        let (counted_s, gap_s) = self.counted(chosen);
        if let Some(found) = counts::counts(counted_s, unit_s, gap_s, self.lost) {
            evidence.push(Evidence { method: Method::Counts, class, count: found.windows, evidence: found.evidence });
        }
        let active_mean_s = self.active_mean_s(counted_s, gap_s);
        if let Some(found) = correlogram::evidence(counted_s, unit_s, active_mean_s) {
            evidence.push(Evidence::new(Method::Lags, class, found));
        }
        if evidence.is_empty() {
            return None;
        }
        Some(TrainEvidence {
            unit_s,
            evidence,
            check_ins_s: counted_s.to_vec(),
            distances_s: beats.distances_s.clone(),
            phase: phase_found,
            active_mean_s,
            shape: shape.unwrap_or(1.0),
            mean_s: (!fine).then_some(active_mean_s),
        })
    }
}

/// Returns −log10 of the p-value that one test alone would carry.
fn depth_of(evidence: &Evidence) -> f64 {
    combine(&[evidence.depth()]).map_or(0.0, |best| best.depth)
}

/// Runs every test on sorted connection starts; `None` when none applies.
///
/// `window_s` as in [`super::ObservedWindow`]. The null tables are simulated through this function.
///
/// ```
/// use flowsift_kernels::beacon::train_evidence;
/// use flowsift_kernels::calibration::Method;
///
/// let starts: Vec<i64> = (0..100).map(|beat| beat * 60 + beat % 7).collect();
/// let found = train_evidence(&starts, 1).unwrap();
/// let plain = found.evidence.iter().find(|evidence| evidence.method == Method::Plain).unwrap();
/// assert!(plain.evidence > 20.0);
/// ```
pub fn train_evidence(starts_s: &[i64], window_s: u32) -> Option<TrainEvidence> {
    Train::new(starts_s, window_s, Lost::NONE)?.evidence()
}
