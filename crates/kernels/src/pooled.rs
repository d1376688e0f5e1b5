//! Trains of several hosts to one remote (D8): do hosts call one controller too rarely for any of them to be judged?
//!
//! Each host shows a short stretch of the same implant's renewal process. The stretches are laid end to end, cut where one
//! host's train ends and the next begins ([`super::lost`]), and judged as one train: intervals pooled over sources, as
//! ACSAC 2023 ("aggregation-based beaconing") does with the signals of a server. Hosts of other periods make the pool more
//! dispersed, so the null tables stay on the cautious side. The pool counts only when it is far more regular than any of
//! its members, which otherwise explains it alone.
//!
//! ```
//! use flowsift_kernels::beacon::ObservedWindow;
//! use flowsift_kernels::lost::Lost;
//! use flowsift_kernels::pooled::{HostTrain, PooledJudgement, pooled};
//!
//! // Five check-ins on each of eight hosts, an hour apart.
//! let trains: Vec<Vec<i64>> =
//!     (0..8).map(|host| (0..5).map(|beat| host * 7_001 + beat * 3_600 + beat * host % 4).collect()).collect();
//! let hosts: Vec<_> =
//!     trains.iter().map(|starts_s| HostTrain { starts_s, lost: Lost::NONE, size_bytes: 800.0 }).collect();
//! let day = ObservedWindow { from_s: 0, to_s: 86_400, window_s: 60 };
//! let Some(PooledJudgement::Described(found)) = pooled(&hosts, &day, 0.01) else { panic!("not found") };
//! assert_eq!(found.members.len(), 8);
//! assert!((found.union.period_s - 3_600.0).abs() < 5.0);
//! ```

use super::beacon::score::Features;
use super::beacon::{BeaconStatistics, Judgement, MIN_CONNECTIONS, ObservedWindow, judge_with_lost_time};
use super::lost::{Lost, Stretch, joined};
use super::sizes::{SizeCount, weighted};
use super::train::{clock, daily, intervals};

/// Fewest hosts that are pooled.
const MIN_HOSTS: usize = 2;

/// Most hosts that are pooled: more make the remote a service.
const MAX_HOSTS: usize = 64;

/// Fewest starts of a host that counts: one has no distance.
const MIN_STARTS_PER_HOST: usize = 2;

/// Fewest starts of all hosts together.
const MIN_STARTS: usize = 12;

/// How many times less probable the pool must be than its best member.
const BEYOND_MEMBERS: f64 = 100.0;

/// The train of one host.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HostTrain<'a> {
    /// Sorted connection starts in seconds.
    pub starts_s: &'a [i64],
    /// The lost time of the host's log.
    pub lost: Lost<'a>,
    /// Typical bytes out of a connection; 0 when unknown.
    pub size_bytes: f64,
}

/// Hosts that call one remote as if they were one.
#[derive(Debug, Clone, PartialEq)]
pub struct Pooled {
    /// Indices of the hosts with at least two starts in the slice judged, ascending.
    pub members: Vec<usize>,
    /// The timing of the pool; times and spans are those of the hosts.
    pub union: BeaconStatistics,
    /// Smallest p-value of a member alone, 1 when none can be judged.
    pub member_p_value: f64,
    /// First start in seconds.
    pub first_seen_s: i64,
    /// Last start in seconds.
    pub last_seen_s: i64,
}

/// The judgement of the hosts of one remote taken together.
#[derive(Debug, Clone, PartialEq)]
pub enum PooledJudgement {
    /// The pool's p-value is above the requested bound, or one member explains it.
    Random,
    /// The pool.
    Described(Box<Pooled>),
}

/// Returns the starts of each host moved behind those of the hosts before, and the cuts between and within them.
fn laid_end_to_end(sources: &[HostTrain<'_>], window_s: u32) -> (Vec<i64>, Vec<Stretch>) {
    let window = i64::from(window_s.max(1));
    let mut starts = Vec::new();
    let mut cuts = Vec::new();
    for HostTrain { starts_s, lost, .. } in sources {
        // Each train begins on a window of its own, so that quantised starts stay quantised.
        let begin = starts.last().map_or(0, |last: &i64| (last / window + 3) * window);
        if let Some(last) = starts.last() {
            cuts.push(Stretch::new(last + 1, begin));
        }
        let (first, last) = (starts_s[0], starts_s[starts_s.len() - 1]);
        let moved = |stretch: Stretch| Stretch::new(stretch.from_s - first + begin, stretch.to_s - first + begin);
        cuts.extend(lost.within(first, last).map(moved));
        starts.extend(starts_s.iter().map(|start| start - first + begin));
    }
    (starts, joined(cuts))
}

/// Judges the hosts of one remote on one port, and describes them when the pool's p-value is at most `max_p_value`.
///
/// `None` when fewer than two or more than 64 hosts have two starts, or there are fewer than twelve starts in total. The
/// order of the hosts affects nothing but the indices returned and, within rounding, where windows of counts begin.
pub fn pooled(sources: &[HostTrain<'_>], observed: &ObservedWindow, max_p_value: f64) -> Option<PooledJudgement> {
    let counts = |index: &usize| sources[*index].starts_s.len() >= MIN_STARTS_PER_HOST;
    let members: Vec<usize> = (0..sources.len()).filter(counts).collect();
    let used: Vec<HostTrain<'_>> = members.iter().map(|&index| sources[index]).collect();
    let count: usize = used.iter().map(|source| source.starts_s.len()).sum();
    if !(MIN_HOSTS..=MAX_HOSTS).contains(&members.len()) || count < MIN_STARTS {
        return None;
    }
    let (starts, cuts) = laid_end_to_end(&used, observed.window_s);
    let whole = ObservedWindow { from_s: 0, to_s: starts[count - 1] + 1, window_s: observed.window_s };
    let sizes = || weighted(used.iter().map(|source| (source.size_bytes, source.starts_s.len())));
    let Judgement::Described(mut union) = judge_with_lost_time(&starts, sizes, &whole, Lost::new(&cuts), max_p_value)?
    else {
        return Some(PooledJudgement::Random);
    };
    let mut member_p_value: f64 = 1.0;
    let mut coverage = 0.0;
    let mut rita_score = 0.0f64;
    for HostTrain { starts_s: train, lost, .. } in &used {
        if train.len() >= MIN_CONNECTIONS
            && let Some(found) = judge_with_lost_time(train, || [SizeCount::new(0, 1)], observed, *lost, 1.0)
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
    let (first_seen_s, last_seen_s) = (real[0], real[count - 1]);
    let unit_s = intervals::resolution_s(&real, observed.window_s);
    let trains: Vec<&[i64]> = used.iter().map(|source| source.starts_s).collect();
    let anchor = clock::clock(&trains, union.period_s, unit_s);
    union.features = Features { coverage: coverage.min(1.0), ..union.features };
    union.score = union.features.score();
    union.clock_period_s = anchor.period_s;
    union.possible_clock_s = anchor.possible_s;
    union.clock_p_value = anchor.p_value;
    union.span_s = last_seen_s - first_seen_s;
    union.span_ratio = coverage.min(1.0);
    union.daily_hours = daily::daily_hours(&real);
    union.rita_score = rita_score;
    let pool = Pooled { members, union, member_p_value, first_seen_s, last_seen_s };
    Some(PooledJudgement::Described(Box::new(pool)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::{Benign, Draws, Implant};
    use proptest::prelude::*;

    const WEEK: ObservedWindow = ObservedWindow { from_s: 0, to_s: 7 * 86_400, window_s: 60 };

    fn source(starts_s: &[i64]) -> HostTrain<'_> {
        HostTrain { starts_s, lost: Lost::NONE, size_bytes: 800.0 }
    }

    fn sources(trains: &[Vec<i64>]) -> Vec<HostTrain<'_>> {
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
        let stretches = |of: &[(i64, i64)]| of.iter().map(|&(from, to)| Stretch::new(from, to)).collect::<Vec<_>>();
        let holes = stretches(&[(10, 20), (80, 90), (120, 200)]);
        let holey = HostTrain { lost: Lost::new(&holes), ..source(&[70, 130]) };
        let (starts, cuts) = laid_end_to_end(&[holey, source(&[1_000_000, 1_000_060])], 60);
        assert_eq!((starts, cuts), (vec![0, 60, 240, 300], stretches(&[(10, 20), (50, 60), (61, 240)])));
    }

    proptest! {
        #[test]
        fn the_pool_has_the_distances_of_its_hosts(
            trains in prop::collection::vec(prop::collection::vec(-90_000i64..90_000, 2..12), 1..6),
            lost in prop::collection::vec((-90_000i64..90_000, 1i64..9_000), 0..4),
            window_s in prop::sample::select(vec![1u32, 60, 600]),
        ) {
            let lost = joined(lost.into_iter().map(|(from, length)| Stretch::new(from, from + length)).collect());
            let trains: Vec<Vec<i64>> = trains.into_iter().map(|mut t| { t.sort_unstable(); t }).collect();
            let sources: Vec<HostTrain<'_>> =
                trains.iter().map(|train| HostTrain { lost: Lost::new(&lost), ..source(train) }).collect();
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
