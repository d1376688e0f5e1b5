//! Trains over several remotes (D7): does one implant of a host rotate over addresses?
//!
//! Of an implant that chooses at random, each address sees a train with most beats missing; of one that moves on, a few
//! hours. The union of the trains restores the renewal process. Remotes belong together when their connections carry
//! about the same bytes: sorted by typical size, a step of more than a tenth separates two groups. What was sent to a
//! remote that never answered has no such size: silent remotes are a group of their own, and are tried with each of the
//! others, since controllers die while an implant goes on. The union of each group is judged like a pair
//! ([`crate::beacon`]), after paying for the number of groups, and counts only when it is far more regular than any of
//! its members, which otherwise explains it alone.
//!
//! ```
//! use flowsift_kernels::beacon::ObservedWindow;
//! use flowsift_kernels::lost::Lost;
//! use flowsift_kernels::rotation::{RemoteTrain, RotationJudgement, rotation};
//!
//! // A beat of five minutes, dealt to three addresses in an uneven order.
//! let trains: Vec<Vec<i64>> =
//!     (0..3).map(|n| (0..288).filter(|beat| beat * beat % 7 % 3 == n).map(|beat| beat * 300).collect()).collect();
//! let remotes: Vec<_> = trains.iter().map(|starts_s| RemoteTrain { starts_s, size_bytes: 800.0, silent: false }).collect();
//! let day = ObservedWindow { from_s: 0, to_s: 86_400, window_s: 60 };
//! let found = rotation(&remotes, &day, Lost::NONE, 0.01);
//! let Some(RotationJudgement::Described(found)) = found else { panic!("not found") };
//! assert_eq!(found.members, [0, 1, 2]);
//! assert!((found.union.period_s - 300.0).abs() < 1.0);
//! ```

use super::beacon::{BeaconStatistics, Judgement, MIN_CONNECTIONS, ObservedWindow, judge_with_lost_time};
use super::lost::Lost;
use super::sizes::{SizeCount, weighted};

/// Remotes belong together when their typical sizes are within this ratio, step by step.
const SAME_SIZE: f64 = 1.1;

/// Fewest starts of a group that is judged.
const MIN_STARTS: usize = 12;

/// Most remotes of a group that is judged: more are a scan, a crawl or a mail server.
const MAX_REMOTES: usize = 64;

/// How many times less probable the union must be than its best member.
const BEYOND_MEMBERS: f64 = 100.0;

/// The train of one remote of a host.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RemoteTrain<'a> {
    /// Sorted connection starts in seconds.
    pub starts_s: &'a [i64],
    /// Typical bytes out of a connection; 0 when unknown.
    pub size_bytes: f64,
    /// Whether the remote never answered.
    pub silent: bool,
}

/// A group of remotes that a host calls as if they were one.
#[derive(Debug, Clone, PartialEq)]
pub struct Rotation {
    /// Indices of the remotes in the slice judged, ascending.
    pub members: Vec<usize>,
    /// The timing of the union of their starts; its p-value has paid for the number of groups.
    pub union: BeaconStatistics,
    /// Smallest p-value of a member alone, 1 when none can be judged.
    pub member_p_value: f64,
    /// First start in seconds.
    pub first_seen_s: i64,
    /// Last start in seconds.
    pub last_seen_s: i64,
}

/// The judgement of the remotes of one host taken together.
#[derive(Debug, Clone, PartialEq)]
pub enum RotationJudgement {
    /// No group has a p-value within the requested bound.
    Random,
    /// The least probable group.
    Described(Box<Rotation>),
}

/// Judges the remotes of one host on one port, and describes the best group whose p-value is at most `max_p_value`.
///
/// `None` when no group of two to 64 remotes has twelve starts. The order of `members` affects nothing but the indices
/// returned, as long as no two groups are equally good.
pub fn rotation(
    members: &[RemoteTrain<'_>],
    observed: &ObservedWindow,
    lost: Lost<'_>,
    max_p_value: f64,
) -> Option<RotationJudgement> {
    let groups = groups(members);
    let mut best: Option<Box<Rotation>> = None;
    let mut judged = false;
    for group in &groups {
        let paid = groups.len() as f64;
        let Some(found) = judge_group(members, group, observed, lost, max_p_value / paid) else { continue };
        judged = true;
        if let RotationJudgement::Described(mut found) = found {
            found.union.p_value = (found.union.p_value * paid).min(1.0);
            if best.as_ref().is_none_or(|best| found.union.p_value < best.union.p_value) {
                best = Some(found);
            }
        }
    }
    judged.then(|| best.map_or(RotationJudgement::Random, RotationJudgement::Described))
}

/// Returns the groups of remotes that may belong together and have enough starts, each ascending.
fn groups(members: &[RemoteTrain<'_>]) -> Vec<Vec<usize>> {
    let (silent, mut by_size): (Vec<usize>, Vec<usize>) = (0..members.len()).partition(|&index| members[index].silent);
    by_size.sort_by(|&a, &b| members[a].size_bytes.total_cmp(&members[b].size_bytes).then(a.cmp(&b)));
    let together = |a: &usize, b: &usize| members[*b].size_bytes <= SAME_SIZE * members[*a].size_bytes;
    let mut groups: Vec<Vec<usize>> = by_size.chunk_by(together).map(<[usize]>::to_vec).collect();
    if !silent.is_empty() {
        let with_silent: Vec<Vec<usize>> = groups.iter().map(|group| [group.as_slice(), &silent].concat()).collect();
        groups.extend(with_silent);
        groups.push(silent);
    }
    let starts = |group: &[usize]| group.iter().map(|&index| members[index].starts_s.len()).sum::<usize>();
    groups.retain(|group| (2..=MAX_REMOTES).contains(&group.len()) && starts(group) >= MIN_STARTS);
    groups.iter_mut().for_each(|group| group.sort_unstable());
    groups
}

/// Judges one group; `None` when no test applies.
fn judge_group(
    members: &[RemoteTrain<'_>],
    group: &[usize],
    observed: &ObservedWindow,
    lost: Lost<'_>,
    max_p_value: f64,
) -> Option<RotationJudgement> {
    let mut starts: Vec<i64> = group.iter().flat_map(|&index| members[index].starts_s.iter().copied()).collect();
    starts.sort_unstable();
    let sizes = || weighted(group.iter().map(|&index| (members[index].size_bytes, members[index].starts_s.len())));
    let Judgement::Described(union) = judge_with_lost_time(&starts, sizes, observed, lost, max_p_value)? else {
        return Some(RotationJudgement::Random);
    };
    let mut member_p_value: f64 = 1.0;
    for &index in group {
        let member = members[index].starts_s;
        if member.len() >= MIN_CONNECTIONS
            && let Some(found) = judge_with_lost_time(member, || [SizeCount::new(0, 1)], observed, lost, 1.0)
        {
            member_p_value = member_p_value.min(found.p_value());
        }
    }
    if union.p_value * BEYOND_MEMBERS > member_p_value {
        return Some(RotationJudgement::Random);
    }
    Some(RotationJudgement::Described(Box::new(Rotation {
        members: group.to_vec(),
        union,
        member_p_value,
        first_seen_s: starts[0],
        last_seen_s: starts[starts.len() - 1],
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::{Benign, Draws, Implant};

    const DAY: ObservedWindow = ObservedWindow { from_s: 0, to_s: 86_400, window_s: 60 };

    fn dealt(starts: &[i64], count: usize, mut choose: impl FnMut(usize, i64) -> usize) -> Vec<Vec<i64>> {
        let mut trains = vec![Vec::new(); count];
        starts.iter().enumerate().for_each(|(index, &start)| trains[choose(index, start) % count].push(start));
        trains
    }

    fn members(trains: &[Vec<i64>], size_bytes: f64) -> Vec<RemoteTrain<'_>> {
        trains.iter().map(|starts_s| RemoteTrain { starts_s, size_bytes, silent: false }).collect()
    }

    #[test]
    fn every_order_of_rotation_is_seen_among_other_remotes() {
        let mut draws = Draws::seeded(31);
        let starts = Implant::sleeping(300.0, 450.0).train(&mut draws, 86_400.0, 1);
        let other = Benign::Poisson.train(&mut draws, 60, 1_000.0, 1);
        for kind in 0..3 {
            let trains = dealt(&starts, 4, |index, start| match kind {
                0 => draws.bits() as usize,
                1 => index,
                _ => start as usize / 10_800,
            });
            let mut all = members(&trains, 800.0);
            all.insert(2, RemoteTrain { starts_s: &other, size_bytes: 5_000.0, silent: false });
            let Some(RotationJudgement::Described(found)) = rotation(&all, &DAY, Lost::NONE, 0.01) else {
                panic!("{kind}")
            };
            assert_eq!(found.members, [0, 1, 3, 4]);
            assert!(found.union.p_value < 1e-20 && (found.union.period_s - 375.0).abs() < 10.0, "{found:?}");
        }
    }

    #[test]
    fn dead_remotes_belong_to_the_rotation_whatever_was_sent_to_them() {
        let mut draws = Draws::seeded(34);
        let starts = Implant::sleeping(800.0, 1_000.0).train(&mut draws, 86_400.0, 1);
        let trains = dealt(&starts, 12, |_, _| draws.bits() as usize);
        let other = Benign::Poisson.train(&mut draws, 30, 2_000.0, 1);
        for dead in [4, 6, 12] {
            // Tries of one to four packets, and requests of one size.
            let sent = |at: usize| if at < dead { 60.0 * (1 + at % 4) as f64 } else { 800.0 };
            let numbered = trains.iter().enumerate();
            let mut all: Vec<RemoteTrain<'_>> = numbered
                .map(|(at, starts_s)| RemoteTrain { starts_s, size_bytes: sent(at), silent: at < dead })
                .collect();
            all.push(RemoteTrain { starts_s: &other, size_bytes: 5_000.0, silent: false });
            let Some(RotationJudgement::Described(found)) = rotation(&all, &DAY, Lost::NONE, 0.001) else {
                panic!("{dead}")
            };
            assert_eq!(found.members, (0..12).collect::<Vec<_>>(), "{dead}");
            // Told as answering, they are of sizes of their own.
            all.iter_mut().for_each(|remote| remote.silent = false);
            let found = rotation(&all, &DAY, Lost::NONE, 0.001);
            let whole = matches!(&found, Some(RotationJudgement::Described(found)) if found.members.len() == 12);
            assert!(!whole, "{found:?}");
        }
    }

    #[test]
    fn a_beacon_beside_random_remotes_is_no_rotation() {
        let mut draws = Draws::seeded(32);
        let beacon = Implant::sleeping(300.0, 330.0).train(&mut draws, 86_400.0, 1);
        for count in [3, 10, 40] {
            let random = Benign::Poisson.train(&mut draws, count, 2_000.0, 1);
            let trains = [beacon.clone(), random];
            let found = rotation(&members(&trains, 700.0), &DAY, Lost::NONE, 0.01);
            assert_eq!(found, Some(RotationJudgement::Random), "{count}");
        }
    }

    #[test]
    fn random_remotes_stay_below_their_p_value() {
        let (mut judged, mut small) = (0, 0);
        for seed in 0..300 {
            let mut draws = Draws::seeded(40_000 + seed);
            let family = Benign::ALL[seed as usize % Benign::ALL.len()];
            let starts = family.train(&mut draws, 120, 600.0, 1);
            let trains = dealt(&starts, 5, |_, _| draws.bits() as usize);
            if let Some(found) = rotation(&members(&trains, 500.0), &DAY, Lost::NONE, 0.05) {
                judged += 1;
                small += usize::from(found != RotationJudgement::Random);
            }
        }
        assert!(judged >= 290 && small <= 15, "{small} of {judged}");
    }

    #[test]
    fn few_starts_and_many_remotes_are_not_judged() {
        let trains: Vec<Vec<i64>> = (0..100).map(|n| vec![n * 300, n * 300 + 150]).collect();
        assert_eq!(rotation(&members(&trains, 500.0), &DAY, Lost::NONE, 1.0), None);
        assert_eq!(rotation(&members(&trains[..4], 500.0), &DAY, Lost::NONE, 1.0), None);
        assert_eq!(rotation(&[], &DAY, Lost::NONE, 1.0), None);
    }
}
