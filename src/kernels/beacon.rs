//! The judgement of one pair: is this train of connection starts a beacon, and which?
//!
//! Starts become check-ins ([`super::intervals`]), five tests look at them (regularity as they are, regularity after
//! coalescing, missed beats, counts, lags), each is calibrated by its null table, and the best, paid for, is the p-value. The
//! p-value says "this is not random traffic"; it does not say "this is an implant": scheduled services are as regular.

use super::calibration::{Method, calibrated, combine};
use super::daily::{DailyHours, daily_hours};
use super::lost::Lost;
use super::score::{Features, filled_share};
use super::train::Train;
use super::{clock, rhythm, rita};

pub use super::train::{FEWEST_CONNECTIONS, MOST_STARTS, Tests, tests};

/// Smallest p-value reported; beyond it the null tables mean nothing.
pub const LEAST_P_VALUE: f64 = 1e-300;

/// Bounds on p-values are widened by this, so that rounding never drops what is exactly on one.
const BOUND_SLACK: f64 = 1.0 + 1e-9;

/// −log10 p from which lost beats are looked for: a train that may as well be random has none to lose.
const DESCRIBED_FROM: f64 = 2.0;

/// −log10 p from which neighbouring distances describe a train whose lags are clearer still.
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
    /// The lower-case name used in findings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Renewal => "renewal",
            Self::Phase => "phase",
            Self::Counts => "counts",
            Self::Lags => "lags",
        }
    }
}

/// The window in which starts were looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObservedWindow {
    /// First second, Unix time.
    pub from_s: i64,
    /// Second after the last, Unix time.
    pub to_s: i64,
    /// Aggregation interval of the log in seconds: 60 or 600 for flow logs, 1 when starts are exact.
    pub window_s: u32,
}

/// What the timing of one pair says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BeaconStatistics {
    /// Connection starts given.
    pub connections: u32,
    /// Check-ins after coalescing, among the starts looked at.
    pub check_ins: u32,
    /// Connections per check-in, at least 1.
    pub connections_per_check_in: f64,
    /// Mean distance between check-ins in seconds; missed beats are taken out where the p-value is at most 0.01.
    pub period_s: f64,
    /// `(q95 − q05) / (2·period)` of the single-beat distances: 0 = a clock, 0.5 = ±50 %; 0 too when
    /// beats come faster than the resolution.
    pub jitter_ratio: f64,
    /// Estimated share of beats that did not arrive, 0 to 1 (gaps longer than six medians not counted); 0 where
    /// the p-value is above 0.01.
    pub missed_ratio: f64,
    /// q05 and q95 of the single-beat distances in seconds: the sleep's bounds; 0 where beats are too fast to tell.
    pub sleep_s: (f64, f64),
    /// Period in seconds of a second train under the same starts, when starts follow others at such a lag, too.
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
    /// What the score is made of.
    pub features: Features,
    /// The statistic that carried the p-value.
    pub method: BeaconMethod,
    /// The clock it keeps: 60, 300, 3600 or 86400 s; `None` when it drifts.
    pub clock_period_s: Option<u32>,
    /// p-value of the best anchor tried; 1 when none applies.
    pub clock_p_value: f64,
    /// First to last start in seconds.
    pub span_s: i64,
    /// That span over the observed window, 0 to 1.
    pub span_ratio: f64,
    /// The score of RITA v5 for the same starts and sizes; 0 where it gives none.
    pub rita_score: f64,
}

/// Whether a train is worth a description.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Judgement {
    /// Its p-value is above the bound asked for.
    Random,
    /// What its timing says.
    Described(BeaconStatistics),
}

impl Judgement {
    /// Gives the description; `None` of what is random.
    pub fn described(&self) -> Option<&BeaconStatistics> {
        match self {
            Self::Random => None,
            Self::Described(statistics) => Some(statistics),
        }
    }

    /// Gives the p-value; 1 stands for all that are above the bound.
    pub fn p_value(&self) -> f64 {
        self.described().map_or(1.0, |statistics| statistics.p_value)
    }
}

/// Judges the sorted connection starts of one pair and the histogram of their bytes out.
///
/// `sizes` is sparse and sorted by bucket ([`super::sizes`]); empty means unknown. `None` for fewer than six
/// connections, or when they are so few or so crowded that no test applies. Linear in the number of starts, of which the
/// latest 16,384 are looked at.
pub fn beacon(starts_s: &[i64], sizes: &[(u16, u32)], observed: &ObservedWindow) -> Option<BeaconStatistics> {
    judge(starts_s, || sizes, observed, 1.0)?.described().copied()
}

/// Judges as [`beacon`] does, but describes only what has a p-value of at most `most_p_value`.
///
/// Most pairs are random traffic, and to see that of one is several times cheaper than to describe it. `sizes` is asked
/// for at most once, when there is something to describe.
pub fn judge<S: AsRef<[(u16, u32)]>>(
    starts_s: &[i64],
    sizes: impl FnOnce() -> S,
    observed: &ObservedWindow,
    most_p_value: f64,
) -> Option<Judgement> {
    judge_seen(starts_s, sizes, observed, Lost::NONE, most_p_value)
}

/// Judges as [`judge`] does where the log has holes: distances across lost time say nothing, and parts of the window that
/// were lost are not asked for check-ins.
pub fn judge_seen<S: AsRef<[(u16, u32)]>>(
    starts_s: &[i64],
    sizes: impl FnOnce() -> S,
    observed: &ObservedWindow,
    lost: Lost<'_>,
    most_p_value: f64,
) -> Option<Judgement> {
    let train = Train::new(starts_s, observed.window_s, lost)?;
    let least_depth = -(most_p_value * BOUND_SLACK).log10();
    if least_depth > 0.0 && train.is_weak(least_depth)? {
        return Some(Judgement::Random);
    }
    let tests = train.tests()?;
    let mut judged = [(Method::Plain, 0.0); Method::ALL.len()];
    for (slot, &(method, class, count, evidence)) in judged.iter_mut().zip(&tests.evidence) {
        *slot = (method, calibrated(method, class, count, evidence));
    }
    let (depth, method) = combine(&judged[..tests.evidence.len()])?;
    if 10f64.powf(-depth) > most_p_value * BOUND_SLACK {
        return Some(Judgement::Random);
    }
    let method = if method == Method::Lags { describing(&judged[..tests.evidence.len()]) } else { method };
    let sizes = sizes();
    let sizes = sizes.as_ref();
    let looked_at = starts_s.len().min(MOST_STARTS);
    let check_ins = tests.check_ins_s.len();
    // A second train is told only where lags are told from random traffic at all.
    let clear =
        judged[..tests.evidence.len()].iter().any(|&(method, depth)| method == Method::Lags && depth >= REGULAR_FROM);
    let lags = if clear || method == Method::Lags { tests.lags() } else { None };
    let rhythm = if let (Method::Lags, Some(lags)) = (method, &lags) {
        // Distances between neighbours say nothing here: most of them are noise.
        rhythm::Rhythm {
            period_s: lags.period_s,
            jitter_ratio: 0.9 * lags.half_width_s / lags.period_s,
            missed_ratio: 0.0,
            dispersion: rhythm::plain(&tests.distances_s, tests.mean_s).dispersion,
            sleep_s: (lags.period_s - 0.9 * lags.half_width_s, lags.period_s + 0.9 * lags.half_width_s),
        }
    } else if depth >= DESCRIBED_FROM {
        rhythm::rhythm(&tests.distances_s, tests.unit_s as f64, tests.phase.as_ref(), tests.mean_s)
    } else {
        rhythm::plain(&tests.distances_s, tests.mean_s)
    };
    let span_s = starts_s[starts_s.len() - 1] - starts_s[0];
    let window = (observed.to_s - observed.from_s).max(1) as f64;
    let span_ratio = ((span_s + 1) as f64 / window).min(1.0);
    let anchor = clock::clock(&tests.check_ins_s, rhythm.period_s, tests.unit_s);
    let method = match method {
        Method::Plain | Method::Coalesced => BeaconMethod::Renewal,
        Method::Phase => BeaconMethod::Phase,
        Method::Counts => BeaconMethod::Counts,
        Method::Lags => BeaconMethod::Lags,
    };
    let coverage = (span_ratio * filled_share(&tests.check_ins_s, observed, lost)).sqrt();
    let features = Features::new(depth, coverage, rhythm.jitter_ratio, sizes);
    let rita_score = rita::rita_score(starts_s, sizes, observed.from_s, observed.to_s).map_or(0.0, |rita| rita.score);
    Some(Judgement::Described(BeaconStatistics {
        connections: u32::try_from(starts_s.len()).unwrap_or(u32::MAX),
        check_ins: check_ins as u32,
        connections_per_check_in: looked_at as f64 / check_ins.max(1) as f64,
        period_s: rhythm.period_s,
        jitter_ratio: rhythm.jitter_ratio,
        missed_ratio: rhythm.missed_ratio,
        sleep_s: rhythm.sleep_s,
        other_period_s: lags.filter(|_| clear).and_then(|lags| lags.other_period_s),
        daily_hours: daily_hours(&tests.check_ins_s),
        shape: tests.shape,
        dispersion: rhythm.dispersion,
        p_value: 10f64.powf(-depth).max(LEAST_P_VALUE),
        score: features.score(),
        features,
        method,
        clock_period_s: anchor.period_s,
        clock_p_value: anchor.p_value,
        span_s,
        span_ratio,
        rita_score,
    }))
}

/// The method that describes a train whose lags are its best evidence: a regular train has regular lags as well, and its
/// distances tell more.
fn describing(judged: &[(Method, f64)]) -> Method {
    let regular = judged.iter().filter(|(method, _)| !matches!(method, Method::Lags | Method::Counts));
    combine(&regular.copied().collect::<Vec<_>>())
        .map_or(Method::Lags, |(depth, method)| if depth >= REGULAR_FROM { method } else { Method::Lags })
}

#[cfg(test)]
mod tests;
