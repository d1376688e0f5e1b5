//! Trains of several hosts to one remote (D8): do hosts call one controller too rarely for any of them to be judged?
//!
//! What each host shows of the same implant is a short stretch of one renewal process. The stretches are laid end to end,
//! cut where one host's train ends and the next begins ([`super::lost`]), and judged as one train: intervals pooled over
//! sources, as ACSAC 2023 ("aggregation-based beaconing") does with the signals of a server. Hosts of other periods make
//! the pool more dispersed, so the null tables stay on the careful side. The pool counts only when it is far more
//! regular than any of its members, which otherwise explains it alone.

use super::beacon::{BeaconStatistics, FEWEST_CONNECTIONS, Judgement, ObservedWindow, judge_seen};
use super::clock;
use super::lost::{Lost, joined};
use super::score::Features;

/// Fewest hosts that are pooled.
const FEWEST_HOSTS: usize = 2;

/// Most hosts that are pooled: more make the remote a service.
const MOST_HOSTS: usize = 64;

/// Fewest starts of a host that counts: one has no distance.
const FEWEST_STARTS_A_HOST: usize = 2;

/// Fewest starts of all hosts together.
const FEWEST_STARTS: usize = 12;

/// How many times less probable the pool must be than its best member.
const BEYOND_MEMBERS: f64 = 100.0;

/// One host's train.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Source<'a> {
    /// Sorted connection starts in seconds.
    pub starts_s: &'a [i64],
    /// What was lost of the host's log.
    pub lost: Lost<'a>,
    /// Typical bytes out of a connection; 0 when unknown.
    pub size_bytes: f64,
}

/// Hosts that call one remote as one.
#[derive(Debug, Clone, PartialEq)]
pub struct Pooled {
    /// Places of the hosts among those given that have at least two starts, ascending.
    pub members: Vec<usize>,
    /// What the pool says; times and spans are those of the hosts.
    pub union: BeaconStatistics,
    /// Smallest p-value of a member alone, 1 when none can be judged.
    pub member_p_value: f64,
    /// First and last start in seconds.
    pub seen_s: (i64, i64),
}

/// What the hosts of one remote say together.
#[derive(Debug, Clone, PartialEq)]
pub enum PooledJudgement {
    /// The pool is random, above the bound asked for, or one member explains it.
    Random,
    /// The pool.
    Described(Box<Pooled>),
}

/// One host's sorted starts moved behind those of the hosts before, and the cuts between and within.
fn laid_end_to_end(sources: &[Source<'_>], window_s: u32) -> (Vec<i64>, Vec<(i64, i64)>) {
    let window = i64::from(window_s.max(1));
    let (mut starts, mut cuts) = (Vec::new(), Vec::new());
    for Source { starts_s, lost, .. } in sources {
        // Each train begins on a window of its own, so that what is quantised stays so.
        let begin = starts.last().map_or(0, |last: &i64| (last / window + 3) * window);
        if let Some(last) = starts.last() {
            cuts.push((last + 1, begin));
        }
        let (first, last) = (starts_s[0], starts_s[starts_s.len() - 1]);
        cuts.extend(lost.within(first, last).map(|stretch| (stretch.0 - first + begin, stretch.1 - first + begin)));
        starts.extend(starts_s.iter().map(|start| start - first + begin));
    }
    (starts, joined(cuts))
}

/// Judges the hosts of one remote on one port, and describes them when the pool's p-value is at most `most_p_value`.
///
/// `None` when fewer than two or more than 64 hosts have two starts, or there are fewer than twelve starts in all. The order of the
/// hosts decides nothing but the places named and, within rounding, where windows of counts begin.
pub fn pooled(sources: &[Source<'_>], observed: &ObservedWindow, most_p_value: f64) -> Option<PooledJudgement> {
    let counts = |at: &usize| sources[*at].starts_s.len() >= FEWEST_STARTS_A_HOST;
    let members: Vec<usize> = (0..sources.len()).filter(counts).collect();
    let used: Vec<Source<'_>> = members.iter().map(|&at| sources[at]).collect();
    let count: usize = used.iter().map(|source| source.starts_s.len()).sum();
    if !(FEWEST_HOSTS..=MOST_HOSTS).contains(&members.len()) || count < FEWEST_STARTS {
        return None;
    }
    let (starts, cuts) = laid_end_to_end(&used, observed.window_s);
    let whole = ObservedWindow { from_s: 0, to_s: starts[count - 1] + 1, window_s: observed.window_s };
    let sizes = || super::rotation::typical_sizes(used.iter().map(|source| (source.size_bytes, source.starts_s.len())));
    let Judgement::Described(mut union) = judge_seen(&starts, sizes, &whole, Lost::new(&cuts), most_p_value)? else {
        return Some(PooledJudgement::Random);
    };
    let mut member_p_value: f64 = 1.0;
    let (mut coverage, mut rita_score) = (0.0, 0.0f64);
    for Source { starts_s: train, lost, .. } in &used {
        if train.len() >= FEWEST_CONNECTIONS
            && let Some(found) = judge_seen(train, || [(0u16, 1u32)], observed, *lost, 1.0)
        {
            member_p_value = member_p_value.min(found.p_value());
            rita_score = rita_score.max(found.described().map_or(0.0, |found| found.rita_score));
        }
        let span_s = train[train.len() - 1] - train[0] + 1;
        coverage += span_s as f64 / (observed.to_s - observed.from_s).max(1) as f64 / used.len() as f64;
    }
    if union.p_value * BEYOND_MEMBERS > member_p_value {
        return Some(PooledJudgement::Random);
    }
    let mut real: Vec<i64> = used.iter().flat_map(|source| source.starts_s.iter().copied()).collect();
    real.sort_unstable();
    let seen_s = (real[0], real[count - 1]);
    let unit_s = super::intervals::resolution_s(&real, observed.window_s);
    let anchor = clock::clock(&real, union.period_s, unit_s);
    union.features = Features { coverage: coverage.min(1.0), ..union.features };
    union.score = union.features.score();
    (union.clock_period_s, union.clock_p_value) = (anchor.period_s, anchor.p_value);
    union.span_s = seen_s.1 - seen_s.0;
    union.span_ratio = coverage.min(1.0);
    union.daily_hours = super::daily::daily_hours(&real);
    union.rita_score = rita_score;
    Some(PooledJudgement::Described(Box::new(Pooled { members, union, member_p_value, seen_s })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::simulation::{Benign, Draws, Implant};
    use proptest::prelude::*;

    const WEEK: ObservedWindow = ObservedWindow { from_s: 0, to_s: 7 * 86_400, window_s: 60 };

    fn source(starts_s: &[i64]) -> Source<'_> {
        Source { starts_s, lost: Lost::NONE, size_bytes: 800.0 }
    }

    fn sources(trains: &[Vec<i64>]) -> Vec<Source<'_>> {
        trains.iter().map(|train| source(train)).collect()
    }

    #[test]
    fn hosts_that_are_silent_alone_are_seen_together() {
        let mut found = 0;
        for seed in 0..20 {
            let mut draws = Draws::seeded(70 + seed);
            // Four to five check-ins a week on each of eight hosts.
            let implant = Implant::sleeping(1.2 * 86_400.0, 1.8 * 86_400.0);
            let mut trains: Vec<Vec<i64>> = (0..8).map(|_| implant.train(&mut draws, 7.0 * 86_400.0, 1)).collect();
            trains.insert(3, vec![400_000]);
            if let Some(PooledJudgement::Described(pool)) = pooled(&sources(&trains), &WEEK, 1e-4) {
                assert_eq!(pool.members, [0, 1, 2, 4, 5, 6, 7, 8]);
                assert!((pool.union.period_s / 129_600.0 - 1.0).abs() < 0.12, "{pool:?}");
                assert!(pool.union.span_ratio > 0.5 && pool.union.missed_ratio < 0.2, "{pool:?}");
                found += 1;
            }
        }
        assert!(found >= 19, "{found} of 20");
    }

    #[test]
    fn ends_are_cut_and_windows_kept() {
        let holey = Source { lost: Lost::new(&[(10, 20), (80, 90), (120, 200)]), ..source(&[70, 130]) };
        let (starts, cuts) = laid_end_to_end(&[holey, source(&[1_000_000, 1_000_060])], 60);
        assert_eq!((starts, cuts), (vec![0, 60, 240, 300], vec![(10, 20), (50, 60), (61, 240)]));
    }

    proptest! {
        #[test]
        fn the_pool_has_the_distances_of_its_hosts(
            trains in prop::collection::vec(prop::collection::vec(-90_000i64..90_000, 2..12), 1..6),
            lost in prop::collection::vec((-90_000i64..90_000, 1i64..9_000), 0..4),
            window_s in prop::sample::select(vec![1u32, 60, 600]),
        ) {
            let lost = joined(lost.into_iter().map(|(from, s)| (from, from + s)).collect());
            let trains: Vec<Vec<i64>> = trains.into_iter().map(|mut t| { t.sort_unstable(); t }).collect();
            let sources: Vec<Source<'_>> =
                trains.iter().map(|train| Source { lost: Lost::new(&lost), ..source(train) }).collect();
            let slow: Vec<i64> = trains.iter().flat_map(|train| Lost::new(&lost).distances(train)).collect();
            let (starts, cuts) = laid_end_to_end(&sources, window_s);
            prop_assert_eq!(joined(cuts.clone()), cuts.clone());
            prop_assert_eq!(Lost::new(&cuts).distances(&starts), slow);
        }
    }

    #[test]
    fn random_hosts_stay_below_their_p_value() {
        let (mut judged, mut small) = (0, 0);
        for seed in 0..420 {
            let mut draws = Draws::seeded(90_000 + seed);
            let family = Benign::ALL[seed as usize % Benign::ALL.len()];
            let trains: Vec<Vec<i64>> = (0..2 + seed as usize % 7)
                .map(|_| {
                    let count = 2 + (draws.bits() % 12) as usize;
                    family.train(&mut draws, count, 500_000.0 / count as f64, 1)
                })
                .collect();
            if let Some(found) = pooled(&sources(&trains), &WEEK, 0.05) {
                judged += 1;
                small += usize::from(found != PooledJudgement::Random);
            }
        }
        assert!(judged >= 300 && small * 20 <= judged, "{small} of {judged}");
    }

    #[test]
    fn a_beacon_beside_random_hosts_explains_itself() {
        let mut draws = Draws::seeded(33);
        let beacon = Implant::sleeping(300.0, 330.0).train(&mut draws, 86_400.0, 1);
        let random = Benign::Poisson.train(&mut draws, 20, 4_000.0, 1);
        let day = ObservedWindow { to_s: 86_400, ..WEEK };
        let found = pooled(&[source(&beacon), source(&random)], &day, 0.01);
        assert_eq!(found, Some(PooledJudgement::Random));
        assert_eq!(pooled(&[source(&beacon)], &day, 1.0), None);
        assert_eq!(pooled(&[source(&[1, 2]), source(&[3, 4])], &day, 1.0), None);
    }
}
