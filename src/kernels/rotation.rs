//! Trains over several remotes (D7): does one implant of a host rotate over addresses?
//!
//! What each address sees of an implant that chooses at random is the train with most beats missing; what it sees of one
//! that moves on is a few hours. The union of the trains restores the renewal process. Remotes belong together when
//! their connections carry about the same bytes: sorted by typical size, a step of more than a tenth separates two
//! groups. The union of each group is judged as a pair would be ([`super::beacon`]), the number of groups paid for, and
//! counts only when it is far more regular than any of its members, which otherwise explains it alone.

use super::beacon::{BeaconStatistics, FEWEST_CONNECTIONS, Judgement, ObservedWindow, judge_seen};
use super::lost::Lost;
use super::sizes::bucket_of;

/// Remotes belong together when their typical sizes are within this ratio, step by step.
const SAME_SIZE: f64 = 1.1;

/// Fewest starts of a group that is judged.
const FEWEST_STARTS: usize = 12;

/// Most remotes of a group that is judged: more are a scan, a crawl or a mail server.
const MOST_REMOTES: usize = 64;

/// How many times less probable the union must be than its best member.
const BEYOND_MEMBERS: f64 = 100.0;

/// One remote of a host.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Member<'a> {
    /// Sorted connection starts in seconds.
    pub starts_s: &'a [i64],
    /// Typical bytes out of a connection; 0 when unknown.
    pub size_bytes: f64,
}

/// A group of remotes that are called as one.
#[derive(Debug, Clone, PartialEq)]
pub struct Rotation {
    /// Places of the remotes among those given, ascending.
    pub members: Vec<usize>,
    /// What the union of their starts says; its p-value has paid for the groups.
    pub union: BeaconStatistics,
    /// Smallest p-value of a member alone, 1 when none can be judged.
    pub member_p_value: f64,
    /// First and last start in seconds.
    pub seen_s: (i64, i64),
}

/// What the remotes of one host say together.
#[derive(Debug, Clone, PartialEq)]
pub enum RotationJudgement {
    /// No group has a p-value within the bound asked for.
    Random,
    /// The group that is least probable.
    Described(Box<Rotation>),
}

/// Judges the remotes of one host on one port, and describes the best group whose p-value is at most `most_p_value`.
///
/// `None` when no group of two to 64 remotes has twelve starts. The order of `members` decides nothing but the places
/// named, as long as no two groups are equally good.
pub fn rotation(
    members: &[Member<'_>],
    observed: &ObservedWindow,
    lost: Lost<'_>,
    most_p_value: f64,
) -> Option<RotationJudgement> {
    let mut by_size: Vec<usize> = (0..members.len()).collect();
    by_size.sort_by(|&a, &b| members[a].size_bytes.total_cmp(&members[b].size_bytes).then(a.cmp(&b)));
    let together = |a: &usize, b: &usize| members[*b].size_bytes <= SAME_SIZE * members[*a].size_bytes;
    let groups: Vec<Vec<usize>> = by_size
        .chunk_by(together)
        .map(|group| {
            let mut group = group.to_vec();
            group.sort_unstable();
            group
        })
        .filter(|group| (2..=MOST_REMOTES).contains(&group.len()))
        .filter(|group| group.iter().map(|&at| members[at].starts_s.len()).sum::<usize>() >= FEWEST_STARTS)
        .collect();
    let mut best: Option<Rotation> = None;
    let mut judged = false;
    for group in &groups {
        let paid = groups.len() as f64;
        let Some(found) = judge_group(members, group, observed, lost, most_p_value / paid) else { continue };
        judged = true;
        if let Some(mut found) = found {
            found.union.p_value = (found.union.p_value * paid).min(1.0);
            if best.as_ref().is_none_or(|best| found.union.p_value < best.union.p_value) {
                best = Some(found);
            }
        }
    }
    judged.then(|| best.map_or(RotationJudgement::Random, |best| RotationJudgement::Described(Box::new(best))))
}

/// `None` when no test applies, `Some(None)` when the group is random or one member explains it.
fn judge_group(
    members: &[Member<'_>],
    group: &[usize],
    observed: &ObservedWindow,
    lost: Lost<'_>,
    most_p_value: f64,
) -> Option<Option<Rotation>> {
    let mut starts: Vec<i64> = group.iter().flat_map(|&at| members[at].starts_s.iter().copied()).collect();
    starts.sort_unstable();
    let sizes = || typical_sizes(group.iter().map(|&at| (members[at].size_bytes, members[at].starts_s.len())));
    let Judgement::Described(union) = judge_seen(&starts, sizes, observed, lost, most_p_value)? else {
        return Some(None);
    };
    let mut member_p_value: f64 = 1.0;
    for &at in group {
        let member = members[at].starts_s;
        if member.len() >= FEWEST_CONNECTIONS
            && let Some(found) = judge_seen(member, || [(0u16, 1u32)], observed, lost, 1.0)
        {
            member_p_value = member_p_value.min(found.p_value());
        }
    }
    if union.p_value * BEYOND_MEMBERS > member_p_value {
        return Some(None);
    }
    let seen_s = (starts[0], starts[starts.len() - 1]);
    Some(Some(Rotation { members: group.to_vec(), union, member_p_value, seen_s }))
}

/// A histogram of trains' typical bytes, each counted as often as the train has starts.
pub(super) fn typical_sizes(trains: impl Iterator<Item = (f64, usize)>) -> Vec<(u16, u32)> {
    let mut buckets: Vec<(u16, u32)> =
        trains.map(|(bytes, starts)| (bucket_of(bytes.max(0.0) as u64), starts as u32)).collect();
    buckets.sort_unstable();
    buckets.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        kept.1 += if same { next.1 } else { 0 };
        same
    });
    buckets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::simulation::{Benign, Draws, Implant};

    const DAY: ObservedWindow = ObservedWindow { from_s: 0, to_s: 86_400, window_s: 60 };

    fn dealt(starts: &[i64], count: usize, mut choose: impl FnMut(usize, i64) -> usize) -> Vec<Vec<i64>> {
        let mut trains = vec![Vec::new(); count];
        starts.iter().enumerate().for_each(|(at, &start)| trains[choose(at, start) % count].push(start));
        trains
    }

    fn members(trains: &[Vec<i64>], size_bytes: f64) -> Vec<Member<'_>> {
        trains.iter().map(|starts_s| Member { starts_s, size_bytes }).collect()
    }

    #[test]
    fn every_order_of_rotation_is_seen_among_other_remotes() {
        let mut draws = Draws::seeded(31);
        let starts = Implant::sleeping(300.0, 450.0).train(&mut draws, 86_400.0, 1);
        let other = Benign::Poisson.train(&mut draws, 60, 1_000.0, 1);
        for kind in 0..3 {
            let trains = dealt(&starts, 4, |at, start| match kind {
                0 => draws.bits() as usize,
                1 => at,
                _ => start as usize / 10_800,
            });
            let mut all = members(&trains, 800.0);
            all.insert(2, Member { starts_s: &other, size_bytes: 5_000.0 });
            let Some(RotationJudgement::Described(found)) = rotation(&all, &DAY, Lost::NONE, 0.01) else {
                panic!("{kind}")
            };
            assert_eq!(found.members, [0, 1, 3, 4]);
            assert!(found.union.p_value < 1e-20 && (found.union.period_s - 375.0).abs() < 10.0, "{found:?}");
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
    fn few_starts_and_many_remotes_say_nothing() {
        let trains: Vec<Vec<i64>> = (0..100).map(|at| vec![at * 300, at * 300 + 150]).collect();
        assert_eq!(rotation(&members(&trains, 500.0), &DAY, Lost::NONE, 1.0), None);
        assert_eq!(rotation(&members(&trains[..4], 500.0), &DAY, Lost::NONE, 1.0), None);
        assert_eq!(rotation(&[], &DAY, Lost::NONE, 1.0), None);
    }
}
