//! The judgement of one pair: is this train of connection starts a beacon, and which?
//!
//! Starts become check-ins ([`crate::train::intervals`]) and pass five tests: regularity as they are, regularity after
//! coalescing, missed beats, counts, lags. Each is calibrated by its null table, and the best, after paying for the
//! choice, is the p-value. The p-value says "this is not random traffic"; it does not say "this is an implant": scheduled
//! services are as regular.
//!
//! ```
//! use flowsift_kernels::beacon::{BeaconMethod, ObservedWindow, beacon};
//! use flowsift_kernels::simulation::{Draws, Implant};
//!
//! let starts = Implant::sleeping(60.0, 90.0).train(&mut Draws::seeded(1), 86_400.0, 1);
//! let day = ObservedWindow { from_s: 0, to_s: 86_400, window_s: 60 };
//! let found = beacon(&starts, &[], &day).unwrap();
//! assert!(found.p_value < 1e-30 && found.method == BeaconMethod::Renewal);
//! assert!((found.period_s - 75.0).abs() < 1.0);
//! assert!(found.sleep_low_s >= 60.0 && found.sleep_high_s <= 91.0);
//! ```

mod evidence;
pub mod rita;
pub mod score;
mod score_weights;
#[cfg(test)]
mod tests;
mod window;

use crate::calibration::{Method, MethodDepth, combine};
use crate::lost::Lost;
use crate::sizes::SizeCount;
use crate::train::daily::{DailyHours, daily_hours};
use crate::train::{clock, rhythm};
use evidence::Train;
use score::{Features, filled_share};

pub use evidence::{MAX_STARTS, MIN_CONNECTIONS, TrainEvidence, train_evidence};
pub use window::ObservedWindow;

/// Smallest p-value reported; beyond it the null tables mean nothing.
pub const MIN_P_VALUE: f64 = 1e-300;

/// Bounds on p-values are widened by this factor, so that rounding never drops a value exactly on the bound.
const BOUND_SLACK: f64 = 1.0 + 1e-9;

/// −log10 p from which missed beats are estimated: a train that may as well be random has none to miss.
const DESCRIBED_FROM: f64 = 2.0;

/// −log10 p from which neighbouring distances describe a train even where its lags are clearer.
const REGULAR_FROM: f64 = 4.0;

/// The statistic that carried a judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BeaconMethod {
    /// Regular distances between check-ins.
    Renewal,
    /// Distances that are multiples of one period.
    Phase,
    /// Equal counts in equal windows.
    Counts,
    /// Starts that follow others at one lag, under noise.
    Lags,
}

impl BeaconMethod {
    /// Returns the lower-case name used in findings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Renewal => "renewal",
            Self::Phase => "phase",
            Self::Counts => "counts",
            Self::Lags => "lags",
        }
    }
}

/// The timing of one pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BeaconStatistics {
    /// Resolution of the starts in seconds: the log's window where they lie on its windows, else 1.
    pub resolution_s: u32,
    /// Connection starts given.
    pub connections: u32,
    /// Check-ins after coalescing, among the starts used.
    pub check_ins: u32,
    /// Connections per check-in, at least 1.
    pub connections_per_check_in: f64,
    /// Mean distance between check-ins in seconds; missed beats are accounted for where the p-value is at most 0.01.
    pub period_s: f64,
    /// `(q95 − q05) / (2·period)` of the single-beat distances: 0 = a clock, 0.5 = ±50 %; also 0 when beats come faster
    /// than the resolution.
    pub jitter_ratio: f64,
    /// Estimated share of beats that did not arrive, 0 to 1 (gaps longer than six medians not counted); 0 where
    /// the p-value is above 0.01.
    pub missed_ratio: f64,
    /// Lower bound of the sleep in seconds: q05 of the single-beat distances; 0 where beats are too fast to measure.
    pub sleep_low_s: f64,
    /// Upper bound of the sleep in seconds: q95 of the single-beat distances; 0 where beats are too fast to measure.
    pub sleep_high_s: f64,
    /// Period in seconds of a second train under the same starts, when starts also follow others at such a lag.
    pub other_period_s: Option<f64>,
    /// Hours of the day outside of which there are no check-ins.
    pub daily_hours: Option<DailyHours>,
    /// Gamma shape κ of the check-in distances: 1 = Poisson, above 10 = a clock with jitter.
    pub shape: f64,
    /// `(q80 − q20) / (2·q50)` of the check-in distances, 0 = equal.
    pub dispersion: f64,
    /// Probability that random benign traffic looks this regular, calibrated, 1e-300 to 1.
    pub p_value: f64,
    /// Rank among findings, 0 to 1: [`Features::score`].
    pub score: f64,
    /// What the score is computed from.
    pub features: Features,
    /// The statistic that carried the p-value.
    pub method: BeaconMethod,
    /// The clock it keeps: 60, 300, 3600 or 86400 s; `None` when it drifts.
    pub clock_period_s: Option<u32>,
    /// The clock it may keep, where a schedule and a sleeper cannot be distinguished; `None` where they can.
    pub possible_clock_s: Option<u32>,
    /// p-value of the best anchor tried; 1 when none applies.
    pub clock_p_value: f64,
    /// First to last start in seconds.
    pub span_s: i64,
    /// That span over the observed window, 0 to 1.
    pub span_ratio: f64,
    /// The score of RITA v5 for the same starts and sizes; 0 where RITA does not score.
    pub rita_score: f64,
}

/// The judgement of a train: random, or described.
#[allow(clippy::large_enum_variant, reason = "a batch holds one a row for a moment; a box would be an allocation each")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Judgement {
    /// Its p-value is above the requested bound.
    Random,
    /// Its timing.
    Described(BeaconStatistics),
}

impl Judgement {
    /// Returns the description; `None` for a random train.
    pub fn described(&self) -> Option<&BeaconStatistics> {
        match self {
            Self::Random => None,
            Self::Described(statistics) => Some(statistics),
        }
    }

    /// Returns the p-value; 1 for a random train.
    pub fn p_value(&self) -> f64 {
        self.described().map_or(1.0, |statistics| statistics.p_value)
    }
}

/// Judges the sorted connection starts of one pair and the histogram of their bytes out.
///
/// `sizes` is sparse and sorted by bucket ([`crate::sizes`]); empty means unknown. `None` for fewer than six connections,
/// or when they are so few or so crowded that no test applies. Linear in the number of starts, of which the latest 16,384
/// are used.
pub fn beacon(starts_s: &[i64], sizes: &[SizeCount], observed: &ObservedWindow) -> Option<BeaconStatistics> {
    judge(starts_s, || sizes, observed, 1.0)?.described().copied()
}

/// Judges like [`beacon`], but describes only trains with a p-value of at most `max_p_value`.
///
/// Most pairs are random traffic, and recognising that is several times cheaper than a description. `sizes` is called at
/// most once, when there is something to describe.
pub fn judge<S: AsRef<[SizeCount]>>(
    starts_s: &[i64],
    sizes: impl FnOnce() -> S,
    observed: &ObservedWindow,
    max_p_value: f64,
) -> Option<Judgement> {
    judge_with_lost_time(starts_s, sizes, observed, Lost::NONE, max_p_value)
}

/// Judges like [`judge`] where the log has holes: distances across lost time are ignored, and lost parts of the window are
/// not examined for check-ins.
pub fn judge_with_lost_time<S: AsRef<[SizeCount]>>(
    starts_s: &[i64],
    sizes: impl FnOnce() -> S,
    observed: &ObservedWindow,
    lost: Lost<'_>,
    max_p_value: f64,
) -> Option<Judgement> {
    let train = Train::new(starts_s, observed.window_s, lost)?;
    let min_depth = -(max_p_value * BOUND_SLACK).log10();
    if min_depth > 0.0 && train.is_weak(min_depth)? {
        return Some(Judgement::Random);
    }
    let train = train.evidence()?;
    let mut depths = [MethodDepth { method: Method::Plain, depth: 0.0 }; Method::ALL.len()];
    depths.iter_mut().zip(&train.evidence).for_each(|(slot, evidence)| *slot = evidence.depth());
    let depths = &depths[..train.evidence.len()];
    let MethodDepth { method, depth } = combine(depths)?;
    if 10f64.powf(-depth) > max_p_value * BOUND_SLACK {
        return Some(Judgement::Random);
    }
    let method = if method == Method::Lags { describing_method(depths) } else { method };
    let sizes = sizes();
    let sizes = sizes.as_ref();
    let used = starts_s.len().min(MAX_STARTS);
    let check_ins = train.check_ins_s.len();
    // A second train is reported only where lags are distinguishable from random traffic at all.
    let clear = depths.iter().any(|found| found.method == Method::Lags && found.depth >= REGULAR_FROM);
    let lags = if clear || method == Method::Lags { train.lags() } else { None };
    let rhythm = if let (Method::Lags, Some(lags)) = (method, &lags) {
        // Distances between neighbours mean nothing here: most of them are noise.
        rhythm::Rhythm {
            period_s: lags.period_s,
            jitter_ratio: 0.9 * lags.half_width_s / lags.period_s,
            missed_ratio: 0.0,
            dispersion: rhythm::plain(&train.distances_s, train.mean_s).dispersion,
            sleep_low_s: lags.period_s - 0.9 * lags.half_width_s,
            sleep_high_s: lags.period_s + 0.9 * lags.half_width_s,
        }
    } else if depth >= DESCRIBED_FROM {
        rhythm::rhythm(&train.distances_s, train.unit_s as f64, train.phase.as_ref(), train.mean_s)
    } else {
        rhythm::plain(&train.distances_s, train.mean_s)
    };
    let span_s = starts_s[starts_s.len() - 1] - starts_s[0];
    let window = (observed.to_s - observed.from_s).max(1) as f64;
    let span_ratio = ((span_s + 1) as f64 / window).min(1.0);
    let anchor = clock::clock(&[&train.check_ins_s], rhythm.period_s, train.unit_s);
    let method = match method {
        Method::Plain | Method::Coalesced => BeaconMethod::Renewal,
        Method::Phase => BeaconMethod::Phase,
        Method::Counts => BeaconMethod::Counts,
        Method::Lags => BeaconMethod::Lags,
    };
    let coverage = (span_ratio * filled_share(&train.check_ins_s, observed, lost)).sqrt();
    let features = Features::new(depth, coverage, rhythm.jitter_ratio, sizes);
    let rita_score = rita::rita_score(starts_s, sizes, observed.from_s, observed.to_s).map_or(0.0, |rita| rita.score);
    Some(Judgement::Described(BeaconStatistics {
        resolution_s: u32::try_from(train.unit_s).unwrap_or(u32::MAX),
        connections: u32::try_from(starts_s.len()).unwrap_or(u32::MAX),
        check_ins: check_ins as u32,
        connections_per_check_in: used as f64 / check_ins.max(1) as f64,
        period_s: rhythm.period_s,
        jitter_ratio: rhythm.jitter_ratio,
        missed_ratio: rhythm.missed_ratio,
        sleep_low_s: rhythm.sleep_low_s,
        sleep_high_s: rhythm.sleep_high_s,
        other_period_s: lags.filter(|_| clear).and_then(|lags| lags.other_period_s),
        daily_hours: daily_hours(&train.check_ins_s),
        shape: train.shape,
        dispersion: rhythm.dispersion,
        p_value: 10f64.powf(-depth).max(MIN_P_VALUE),
        score: features.score(),
        features,
        method,
        clock_period_s: anchor.period_s,
        possible_clock_s: anchor.possible_s,
        clock_p_value: anchor.p_value,
        span_s,
        span_ratio,
        rita_score,
    }))
}

/// Returns the method that describes a train whose lags are its best evidence: a regular train also has regular lags, and
/// its distances describe it better.
fn describing_method(depths: &[MethodDepth]) -> Method {
    let regular = depths.iter().filter(|found| !matches!(found.method, Method::Lags | Method::Counts));
    combine(&regular.copied().collect::<Vec<_>>())
        .map_or(Method::Lags, |best| if best.depth >= REGULAR_FROM { best.method } else { Method::Lags })
}
