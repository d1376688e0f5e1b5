//! How surprising the evidence of an incident is, and how severe that makes it.

use super::actor::ActorKey;
use super::assemble::Material;
use super::cluster::Cluster;
use super::facts::HostKey;
use super::kind::Kind;
use super::model::LinkKind;
use super::signal::Signal;
use crate::detect::Severity;
use flow::Address;
use flow::time::DAY_S;
use std::collections::{BTreeMap, BTreeSet};

/// Each further piece of evidence of a kind counts for half of the one before.
const WITHIN_KIND: f64 = 0.5;

/// Each further kind counts for this share of the one before.
const OVER_KINDS: f64 = 0.8;

/// What a path from host to host adds, by its strength, and the most that all of them add.
const PATH_SHARE: f64 = 0.6;
const MAX_OF_PATHS: f64 = 3.0;

/// What each further kind adds that comes in the order of an intrusion.
const IN_ORDER: f64 = 0.5;

/// The steps of an intrusion whose order counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Access,
    Discovery,
    Credential,
    Persistence,
    Lateral,
    CommandAndControl,
    Collection,
    Exfiltration,
}

/// The steps in the order of an intrusion.
const STEPS: [Step; 8] = [
    Step::Access,
    Step::Discovery,
    Step::Credential,
    Step::Persistence,
    Step::Lateral,
    Step::CommandAndControl,
    Step::Collection,
    Step::Exfiltration,
];

/// A score and what it was made of.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Score {
    /// Rounded to a thousandth.
    pub(super) score: f64,
    pub(super) severity: Severity,
}

/// Who bears a piece of evidence that is about no outside remote.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Bearer {
    Host(HostKey),
    Actor(ActorKey),
}

/// What an incident shows, as far as its score depends on it.
#[derive(Debug, Clone, Default)]
struct Shown {
    /// The heaviest evidence of each kind about each remote, or about each host or actor where there is no outside remote:
    /// however many hosts show it and however many findings tell it.
    items: BTreeMap<(Kind, Option<Address>, Option<Bearer>), f64>,
    /// When each step was seen, by findings that open incidents and by paths.
    steps: BTreeMap<Step, BTreeSet<i64>>,
    /// Kinds of findings that open incidents, besides paths.
    kinds: BTreeSet<Kind>,
    /// The strongest path between each two hosts.
    paths: BTreeMap<(HostKey, HostKey), f64>,
    /// The strengths of the bonds on which an intruder moved.
    bonds: Vec<f64>,
    worst: Option<Severity>,
}

/// Scores a cluster.
///
/// Score = Σₖ 0.8ᵏ · (Σᵢ wᵢ·0.5ⁱ within the kind, heaviest first), kinds from the heaviest, with w of
/// [`Rates::weight`]; plus min(3, 0.6 · Σ strengths of paths); plus 0.5 for each further step that comes in the order of
/// an intrusion. Capping what repeats and rewarding independent kinds follows risk-based alerting (Splunk RBA) and
/// Elastic's entity risk score; the sum of surprisals is that of independent events. The factors are first guesses that
/// held on generated corpora.
///
/// Critical from 9 with three kinds on; high from 6, or with a critical finding; medium from 4, or with a high finding;
/// else low.
pub(super) fn score(material: Material<'_>, cluster: &Cluster) -> Score {
    let shown = shown(material, cluster);
    let mut by_kind: BTreeMap<Kind, Vec<f64>> = BTreeMap::new();
    for ((kind, ..), weight) in &shown.items {
        by_kind.entry(*kind).or_default().push(*weight);
    }
    let kinds = by_kind.into_values().map(|weights| decaying_sum(weights, WITHIN_KIND)).collect();
    let bonds = shown.bonds.iter().sum::<f64>();
    let paths = (PATH_SHARE * (shown.paths.values().sum::<f64>() + bonds)).min(MAX_OF_PATHS);
    let in_order = IN_ORDER * longest_order(&shown.steps).saturating_sub(1) as f64;
    let score = decaying_sum(kinds, OVER_KINDS) + paths + in_order;
    let score = (score * 1_000.0).round() / 1_000.0;
    let kinds = shown.kinds.len() + usize::from(!shown.paths.is_empty() || !shown.bonds.is_empty());
    let severity = match shown.worst {
        _ if score >= 9.0 && kinds >= 3 => Severity::Critical,
        Some(Severity::Critical) => Severity::High,
        _ if score >= 6.0 => Severity::High,
        Some(Severity::High) => Severity::Medium,
        _ if score >= 4.0 => Severity::Medium,
        _ => Severity::Low,
    };
    Score { score, severity }
}

/// Returns how many incidents of at least a score benign traffic is expected to show a day: hosts × 10^−score for each
/// window, times the windows of a day. Rounded to three significant digits.
pub(super) fn expected_per_day(score: f64, hosts: u64, window_s: i64) -> f64 {
    let windows = DAY_S as f64 / window_s.max(1) as f64;
    let expected = hosts as f64 * 10f64.powf(-score) * windows;
    if expected <= 0.0 || !expected.is_finite() {
        return 0.0;
    }
    // As decimal text, so that no platform's power of ten leaves a trace.
    format!("{expected:.2e}").parse().unwrap_or(expected)
}

fn shown(material: Material<'_>, cluster: &Cluster) -> Shown {
    let mut shown = Shown::default();
    for (host, signal) in material.signals(cluster) {
        shown.add(material, signal, || Bearer::Host(host.clone()));
    }
    for (actor, signal) in material.acts(cluster) {
        shown.add(material, signal, || Bearer::Actor(actor.clone()));
    }
    shown.bonds =
        cluster.bonds.iter().filter(|(bond, in_tree)| *in_tree && bond.is_path()).map(|(b, _)| b.strength).collect();
    for (tie, _) in cluster.ties.iter().filter(|(tie, _)| tie.is_path()) {
        let strongest = shown.paths.entry((tie.from.clone(), tie.to.clone())).or_default();
        *strongest = strongest.max(tie.strength);
        if tie.kind != LinkKind::ScanHit {
            shown.steps.entry(Step::Lateral).or_default().insert(tie.at_s);
        }
    }
    shown
}

impl Shown {
    fn add(&mut self, material: Material<'_>, signal: &Signal, bearer: impl Fn() -> Bearer) {
        let weight = material.rates.weight(signal.kind, signal.severity);
        let item = match signal.outside.as_slice() {
            [remote] => (signal.kind, Some(*remote), None),
            _ => (signal.kind, None, Some(bearer())),
        };
        let heaviest = self.items.entry(item).or_default();
        *heaviest = heaviest.max(weight);
        if signal.opens {
            self.kinds.insert(signal.kind);
            if let Some(step) = step(signal.kind) {
                self.steps.entry(step).or_default().insert(signal.since_s);
            }
        }
        self.worst = self.worst.max(Some(signal.severity));
    }
}

fn step(kind: Kind) -> Option<Step> {
    match kind {
        Kind::Discovery => Some(Step::Discovery),
        Kind::Credential => Some(Step::Credential),
        Kind::CommandAndControl => Some(Step::CommandAndControl),
        Kind::Exfiltration => Some(Step::Exfiltration),
        Kind::Access => Some(Step::Access),
        Kind::Persistence => Some(Step::Persistence),
        Kind::Collection => Some(Step::Collection),
        _ => None,
    }
}

/// Returns Σ vᵢ·factorⁱ over values from the largest.
fn decaying_sum(mut values: Vec<f64>, factor: f64) -> f64 {
    values.sort_by(|a, b| b.total_cmp(a));
    values.iter().rev().fold(0.0, |sum, value| value + factor * sum)
}

/// Returns the length of the longest run of steps in the order of an intrusion, each seen no earlier than the one before.
fn longest_order(steps: &BTreeMap<Step, BTreeSet<i64>>) -> usize {
    // For each length, the earliest second at which a run of it may end.
    let mut ends = vec![i64::MIN];
    for seen in STEPS.iter().filter_map(|step| steps.get(step)) {
        for length in (0..ends.len()).rev() {
            if let Some(next_s) = seen.range(ends[length]..).next().copied() {
                match ends.get_mut(length + 1) {
                    Some(end_s) => *end_s = next_s.min(*end_s),
                    None => ends.push(next_s),
                }
            }
        }
    }
    ends.len() - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_evidence_counts_less() {
        assert!((decaying_sum(vec![1.0, 4.0, 2.0], 0.5) - 5.25).abs() < 1e-12);
        assert!((decaying_sum(vec![2.0, 3.0], 0.8) - 4.6).abs() < 1e-12);
        assert!(decaying_sum(Vec::new(), 0.8).abs() < 1e-12);
    }

    #[test]
    fn steps_count_in_the_order_of_time() {
        let steps = |seen: &[(Step, &[i64])]| {
            longest_order(&seen.iter().map(|(step, at)| (*step, at.iter().copied().collect())).collect())
        };
        assert_eq!(steps(&[]), 0);
        assert_eq!(steps(&[(Step::Discovery, &[5]), (Step::Exfiltration, &[5])]), 2);
        assert_eq!(steps(&[(Step::Discovery, &[6]), (Step::Exfiltration, &[5])]), 1);
        // The implant of the first host calls from the start, that of the second after it was entered.
        let two = [
            (Step::CommandAndControl, &[0, 30][..]),
            (Step::Discovery, &[10]),
            (Step::Lateral, &[20]),
            (Step::Exfiltration, &[40]),
        ];
        assert_eq!(steps(&two), 4);
    }

    #[test]
    fn what_is_expected_follows_hosts_and_windows() {
        assert!((expected_per_day(4.0, 10_000, DAY_S) - 1.0).abs() < 1e-9);
        assert!((expected_per_day(4.0, 10_000, DAY_S / 4) - 4.0).abs() < 1e-9);
        assert!((expected_per_day(4.812, 10_000, DAY_S) - 0.154).abs() < 1e-9);
        assert!(expected_per_day(4.0, 0, DAY_S).abs() < 1e-9);
    }
}
