//! The judgement of one pair: is this train of connection starts a beacon, and which?
//!
//! Starts become check-ins ([`super::intervals`]), five tests look at them (regularity as they are, regularity after
//! coalescing, missed beats, counts, lags), each is calibrated by its null table, and the best, paid for, is the p-value. The
//! p-value says "this is not random traffic"; it does not say "this is an implant": scheduled services are as regular.

use super::calibration::{Method, calibrated, combine};
use super::score::{filled_share, score};
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
    /// Gamma shape κ of the check-in distances: 1 = Poisson, above 10 = a clock with jitter.
    pub shape: f64,
    /// `(q80 − q20) / (2·q50)` of the check-in distances, 0 = equal.
    pub dispersion: f64,
    /// Probability that random benign traffic looks this regular, calibrated, 1e-300 to 1.
    pub p_value: f64,
    /// Rank among findings, 0 to 1: evidence, coverage of the window, regularity of times and sizes.
    pub score: f64,
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
    let train = Train::new(starts_s, observed.window_s)?;
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
    let rhythm = if let (Method::Lags, Some(lags)) = (method, &tests.lags) {
        // Distances between neighbours say nothing here: most of them are noise.
        rhythm::Rhythm {
            period_s: lags.period_s,
            jitter_ratio: 0.9 * lags.half_width_s / lags.period_s,
            missed_ratio: 0.0,
            dispersion: rhythm::plain(&tests.distances_s, tests.mean_s).dispersion,
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
    let coverage = (span_ratio * filled_share(&tests.check_ins_s, observed)).sqrt();
    let rita_score = rita::rita_score(starts_s, sizes, observed.from_s, observed.to_s).map_or(0.0, |rita| rita.score);
    Some(Judgement::Described(BeaconStatistics {
        connections: u32::try_from(starts_s.len()).unwrap_or(u32::MAX),
        check_ins: check_ins as u32,
        connections_per_check_in: looked_at as f64 / check_ins.max(1) as f64,
        period_s: rhythm.period_s,
        jitter_ratio: rhythm.jitter_ratio,
        missed_ratio: rhythm.missed_ratio,
        shape: tests.shape,
        dispersion: rhythm.dispersion,
        p_value: 10f64.powf(-depth).max(LEAST_P_VALUE),
        score: score(depth, coverage, rhythm.jitter_ratio, sizes),
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
mod tests {
    use super::*;
    use crate::kernels::simulation::{Benign, Draws, Implant};
    use proptest::prelude::*;

    const DAY_S: f64 = 86_400.0;

    fn judge(starts: &[i64], span_s: f64, window_s: u32) -> Option<BeaconStatistics> {
        let observed = ObservedWindow { from_s: 0, to_s: span_s as i64, window_s };
        beacon(starts, &[(100, starts.len() as u32)], &observed)
    }

    /// Share of forty trains of an implant found at p ≤ 1e-6, which a run over 10^4 pairs reports at a rate of 1 %.
    fn power(implant: Implant, span_s: f64, unit_s: i64) -> f64 {
        let found = (0..40).filter(|&seed| {
            let starts = implant.train(&mut Draws::seeded(seed), span_s, unit_s);
            judge(&starts, span_s, unit_s as u32).is_some_and(|found| found.p_value <= 1e-6)
        });
        found.count() as f64 / 40.0
    }

    /// A bound leaves out what is above it and changes nothing else.
    fn assert_bounded(starts: &[i64], observed: &ObservedWindow) {
        let whole = beacon(starts, &[(3, 2)], observed);
        for most_p_value in [0.999, 0.1, 0.01, 1e-3, 1e-9, 0.0] {
            let bounded = super::judge(starts, || [(3, 2)], observed, most_p_value);
            assert_eq!(bounded.is_some(), whole.is_some());
            if let (Some(bounded), Some(whole)) = (bounded, whole) {
                let within = whole.p_value <= most_p_value;
                assert_eq!(bounded.described(), within.then_some(&whole), "{most_p_value}");
            }
        }
    }

    #[test]
    fn a_bound_changes_nothing_below_it() {
        let (mut described, mut random) = (0, 0);
        for (family, kind) in Benign::ALL.into_iter().enumerate() {
            for seed in 0..150 {
                let mut draws = Draws::seeded(2_000_000 * (family as u64 + 1) + seed);
                let count = draws.between(6f64.ln(), 900f64.ln()).exp() as usize;
                let unit = [1, 60, 600][(draws.bits() % 3) as usize];
                let mean_s = draws.between(2f64.ln(), 2000f64.ln()).exp() * if unit == 1 { 1.0 } else { 30.0 };
                let starts = kind.train(&mut draws, count, mean_s, unit);
                let observed = ObservedWindow { from_s: 0, to_s: starts[count - 1] + 1, window_s: unit as u32 };
                assert_bounded(&starts, &observed);
                match super::judge(&starts, || [(3, 2)], &observed, 0.01) {
                    Some(Judgement::Described(_)) => described += 1,
                    Some(Judgement::Random) => random += 1,
                    None => {}
                }
            }
        }
        assert!(described * 20 < random, "{described} {random}");
        for seed in 0..60 {
            let implant = Implant { dropped: 0.01 * seed as f64, ..Implant::sleeping(60.0, 60.0 + 2.0 * seed as f64) };
            let starts = implant.train(&mut Draws::seeded(seed), 20_000.0, 1);
            assert_bounded(&starts, &ObservedWindow { from_s: 0, to_s: 20_000, window_s: 60 });
        }
    }

    #[test]
    fn real_implants_are_found_within_an_hour() {
        for (name, low, high) in [
            ("Havoc 2 s ±15 %", 1.7, 2.3),
            ("Empire 5 s", 5.0, 5.0),
            ("meterpreter 10 s", 10.05, 10.3),
            ("Mythic 10 s ±23 %", 7.7, 12.3),
            ("Merlin 30 s", 30.0, 33.0),
            ("Cobalt Strike 60 s", 60.0, 60.2),
            ("Sliver 60–90 s", 60.0, 90.0),
        ] {
            assert_eq!(power(Implant::sleeping(low, high), 3600.0, 1), 1.0, "{name}");
        }
    }

    #[test]
    fn jitter_loss_bursts_nights_and_days_are_found() {
        let sleeping = Implant::sleeping;
        for (name, implant, days, unit_s) in [
            ("±60 %, 20 % lost", Implant { dropped: 0.2, ..sleeping(120.0, 480.0) }, 1.0, 1),
            ("hourly", sleeping(3600.0, 3605.0), 1.0, 1),
            ("hourly +50 %, 20 % lost", Implant { dropped: 0.2, ..sleeping(3600.0, 5400.0) }, 7.0, 1),
            ("daily +20 %", sleeping(DAY_S, 1.2 * DAY_S), 30.0, 1),
            ("working hours", Implant { working_hours: true, ..sleeping(300.0, 360.0) }, 1.0, 1),
            ("three connections", Implant { connections: 3, ..sleeping(300.0, 450.0) }, 1.0, 1),
            ("one of four destinations", Implant { dropped: 0.75, ..sleeping(300.0, 330.0) }, 2.0, 1),
            ("60 s windows", Implant { dropped: 0.2, ..sleeping(300.0, 450.0) }, 1.0, 60),
            ("600 s windows, ten a window", sleeping(60.0, 90.0), 1.0, 600),
        ] {
            assert!(power(implant, days * DAY_S, unit_s) >= 0.95, "{name}");
        }
    }

    #[test]
    fn benign_trains_stay_below_their_p_value() {
        let (mut judged, mut at_hundredth, mut smallest) = (0u32, 0u32, 1.0f64);
        for (family, kind) in Benign::ALL.into_iter().enumerate() {
            for seed in 0..700 {
                let mut draws = Draws::seeded(1_000_000 * (family as u64 + 1) + seed);
                let count = draws.between(6f64.ln(), 300f64.ln()).exp() as usize;
                let unit = [1, 60, 600][(draws.bits() % 3) as usize];
                let mean_s = draws.between(2f64.ln(), 2000f64.ln()).exp() * if unit == 1 { 1.0 } else { 30.0 };
                let starts = kind.train(&mut draws, count, mean_s, unit);
                if let Some(found) = judge(&starts, starts[count - 1] as f64 + 1.0, unit as u32) {
                    judged += 1;
                    at_hundredth += u32::from(found.p_value <= 0.01);
                    smallest = smallest.min(found.p_value);
                }
            }
        }
        assert!(judged > 4000);
        assert!(f64::from(at_hundredth) <= 0.012 * f64::from(judged), "{at_hundredth} of {judged}");
        assert!(smallest > 1e-6, "{smallest}");
    }

    #[test]
    fn the_description_is_right() {
        let implant = Implant { dropped: 0.2, ..Implant::sleeping(300.0, 330.0) };
        let found = judge(&implant.train(&mut Draws::seeded(1), DAY_S, 1), DAY_S, 1).unwrap();
        assert!((found.period_s - 315.0).abs() < 6.0, "{found:?}");
        assert!((found.missed_ratio - 0.2).abs() < 0.07, "{found:?}");
        assert!((found.jitter_ratio - 0.045).abs() < 0.02, "{found:?}");
        assert!(found.span_ratio > 0.95 && found.clock_period_s.is_none(), "{found:?}");
        let bursts = Implant { connections: 3, ..Implant::sleeping(300.0, 330.0) };
        let found = judge(&bursts.train(&mut Draws::seeded(2), DAY_S, 1), DAY_S, 1).unwrap();
        assert!(
            (found.connections_per_check_in - 3.0).abs() < 0.1 && (found.period_s - 315.0).abs() < 8.0,
            "{found:?}"
        );
        let cron: Vec<i64> = (0..24).map(|hour| hour * 3600 + 5 + hour % 2).collect();
        assert_eq!(judge(&cron, DAY_S, 60).unwrap().clock_period_s, Some(3600));
    }

    #[test]
    fn a_lasting_beacon_outranks_a_tight_short_burst() {
        let lasting =
            judge(&Implant::sleeping(200.0, 350.0).train(&mut Draws::seeded(3), 3.0 * DAY_S, 1), 3.0 * DAY_S, 60);
        let burst: Vec<i64> = (0..466).map(|at| 100_000 + at * 7 + at % 2).collect();
        let burst = judge(&burst, 3.0 * DAY_S, 60);
        assert!(lasting.unwrap().score > burst.unwrap().score + 0.2);
    }

    #[test]
    fn six_clean_beats_get_through_and_five_do_not() {
        let beats: Vec<i64> = (0..6).map(|at| at * 600).collect();
        assert!(judge(&beats, 3600.0, 1).unwrap().p_value < 1e-5);
        assert_eq!(judge(&beats[..5], 3600.0, 1), None);
        assert_eq!(judge(&[7; 100], 3600.0, 1), None);
        assert_eq!(judge(&[], 3600.0, 1), None);
    }

    proptest! {
        #[test]
        fn any_train_is_judged_within_bounds(
            mut starts in prop::collection::vec(prop_oneof![0i64..50, 0i64..100_000, -1_000_000_000_000i64..1_000_000_000_000], 0..80),
            window_s in prop::sample::select(vec![0u32, 1, 60, 600]), from_s in -100i64..100_000, length in -5i64..100_000,
        ) {
            starts.sort_unstable();
            let observed = ObservedWindow { from_s, to_s: from_s + length, window_s };
            if let Some(found) = beacon(&starts, &[(3, 2), (900, 1)], &observed) {
                prop_assert!((0.0..=1.0).contains(&found.score) && found.p_value > 0.0 && found.p_value <= 1.0);
                for ratio in [found.missed_ratio, found.span_ratio, found.rita_score, found.clock_p_value] {
                    prop_assert!((0.0..=1.0).contains(&ratio), "{:?}", found);
                }
                prop_assert!(found.period_s >= 0.0 && found.jitter_ratio >= 0.0 && found.shape.is_finite());
                prop_assert_eq!(beacon(&starts, &[(3, 2), (900, 1)], &observed), Some(found));
            }
            assert_bounded(&starts, &observed);
        }

        #[test]
        fn time_zones_do_not_matter(seed in 0u64..200, shift in -1_000i64..1_000) {
            let starts = Implant::sleeping(50.0, 300.0).train(&mut Draws::seeded(seed), 7000.0, 1);
            let moved: Vec<i64> = starts.iter().map(|start| start + shift * 86_400).collect();
            let first = beacon(&starts, &[], &ObservedWindow { from_s: 0, to_s: 7000, window_s: 1 });
            let second =
                beacon(&moved, &[], &ObservedWindow { from_s: shift * 86_400, to_s: 7000 + shift * 86_400, window_s: 1 });
            prop_assert_eq!(first, second);
        }
    }
}
