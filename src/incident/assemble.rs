//! Makes an incident of a group of hosts: its name, its parties, its stages and its links.

use super::actor::{ActorKey, Actors};
use super::cluster::Cluster;
use super::facts::{Facts, HostKey};
use super::fall::{Fall, falls};
use super::model::{Change, Graph, Incident, Link, LinkKind, SCHEMA_VERSION, Stage, Status, Tactic};
use super::parties::{hosts, remotes};
use super::score::{expected_per_day, score};
use super::signal::{Signal, Suspect};
use super::title::title;
use super::weight::Rates;
use crate::detect::Finding;
use flow::Address;
use flow::fnv::Fnv128;
use std::collections::{BTreeMap, BTreeSet};

/// The technique of what moves from host to host.
const LATERAL: &str = "T1021";

/// Most links that an incident tells: the tree of the largest has fewer.
const MAX_LINKS: usize = 200;

/// What incidents are made from.
#[derive(Clone, Copy)]
pub(super) struct Material<'a> {
    pub(super) findings: &'a [Finding],
    pub(super) suspects: &'a BTreeMap<HostKey, Suspect>,
    pub(super) actors: &'a Actors,
    pub(super) facts: &'a Facts,
    pub(super) rates: &'a Rates,
}

impl<'a> Material<'a> {
    /// Returns the signs of the hosts of a cluster.
    pub(super) fn signals(self, cluster: &'a Cluster) -> impl Iterator<Item = (&'a HostKey, &'a Signal)> {
        let suspects = cluster.hosts.iter().filter_map(move |host| self.suspects.get(host));
        suspects.flat_map(|suspect| suspect.signals.iter().map(|signal| (&suspect.host, signal)))
    }

    /// Returns the signs of the actors of a cluster.
    pub(super) fn acts(self, cluster: &'a Cluster) -> impl Iterator<Item = (&'a ActorKey, &'a Signal)> {
        let actors = cluster.actors.iter().filter_map(move |key| self.actors.get_key_value(key));
        actors.flat_map(|(key, actor)| actor.signals.iter().map(move |signal| (key, signal)))
    }

    /// Returns the signs of a cluster, whose ever they are.
    fn all_signals(self, cluster: &'a Cluster) -> impl Iterator<Item = &'a Signal> {
        self.signals(cluster).map(|(_, signal)| signal).chain(self.acts(cluster).map(|(_, signal)| signal))
    }

    /// Returns the places of the findings of a cluster, each once.
    pub(super) fn findings_of(self, cluster: &'a Cluster) -> BTreeSet<usize> {
        self.all_signals(cluster).map(|signal| signal.finding).collect()
    }

    /// Makes an incident of a cluster. Timeline, graph and related incidents stay empty.
    pub(super) fn incident(self, cluster: &'a Cluster) -> Incident {
        let findings: Vec<&Finding> = self.findings_of(cluster).into_iter().map(|at| &self.findings[at]).collect();
        let window = &self.facts.window;
        let scored = score(self, cluster);
        let falls = falls(cluster, self.suspects);
        let hosts = hosts(self, cluster, &falls);
        let since_s = self.all_signals(cluster).map(|signal| signal.since_s);
        let bonds = || cluster.bonds.iter().map(|(bond, _)| bond.at_s);
        let at_s = || cluster.ties.iter().map(|(tie, _)| tie.at_s).chain(bonds());
        let first_seen_s = since_s.chain(at_s()).min().unwrap_or(window.from_s);
        let last_seen_s = findings.iter().map(|finding| finding.last_seen_s).chain(at_s()).max();
        let subjects: BTreeSet<&str> = findings.iter().map(|finding| finding.subject.as_str()).collect();
        Incident {
            schema_version: SCHEMA_VERSION,
            id: self.id(cluster),
            revision: 1,
            status: Status::Open,
            closed_reason: None,
            merged_into: None,
            change: Change::Opened,
            title: title(self, cluster, &hosts, &falls),
            severity: scored.severity,
            score: scored.score,
            expected_per_day: expected_per_day(scored.score, self.facts.hosts, window.to_s - window.from_s),
            remotes: remotes(self, cluster),
            hosts,
            principals: principals(cluster),
            first_seen_s,
            last_seen_s: last_seen_s.unwrap_or(first_seen_s),
            opened_at_s: window.to_s,
            updated_at_s: window.to_s,
            stages: self.stages(cluster, &falls),
            subjects: subjects.into_iter().map(str::to_owned).collect(),
            findings: findings.len() as u64,
            links: links(cluster),
            timeline: Vec::new(),
            graph: Graph::default(),
            related: Vec::new(),
            coverage: findings.iter().filter_map(|finding| finding.coverage).min_by(f64::total_cmp),
        }
    }

    /// Returns the incident's name: the hash of its anchor, the subject of its earliest sign that opens one, ties by the
    /// subject. FNV-1a, 128 bits, over `incident`, a zero byte and the subject; 32 hex characters. Findings about several
    /// hosts anchor the incident of the host that they name; where there are no others, its own host is hashed as well.
    fn id(self, cluster: &Cluster) -> String {
        let opening = || self.signals(cluster).filter(|(_, signal)| signal.opens);
        let anchor = |(host, signal): (&HostKey, &Signal)| {
            let finding = &self.findings[signal.finding];
            let named = finding.host == Some(host.address);
            (!named, signal.since_s, finding.subject.clone(), host.address)
        };
        let acts = self.acts(cluster).filter(|(_, signal)| signal.opens).map(|(_, signal)| {
            (false, signal.since_s, self.findings[signal.finding].subject.clone(), Address::from_bits(0))
        });
        let mut hash = Fnv128::default();
        hash.write(b"incident\0");
        if let Some((is_borrowed, _, subject, host)) = opening().map(anchor).chain(acts).min() {
            hash.write(subject.as_bytes());
            if is_borrowed {
                hash.write(&host.to_bytes());
            }
        }
        format!("{:032x}", hash.finish())
    }

    /// Returns the tactics in the order of time. A tactic begins with its first sign that counts; where it has none, with
    /// its first.
    fn stages(self, cluster: &Cluster, falls: &BTreeMap<&HostKey, Fall>) -> Vec<Stage> {
        let mut stages: BTreeMap<Tactic, Stage> = BTreeMap::new();
        let empty = |tactic, at_s| Stage {
            tactic,
            first_seen_s: at_s,
            last_seen_s: at_s,
            techniques: Vec::new(),
            subjects: Vec::new(),
        };
        let counts = |host: &HostKey, signal: &Signal| falls.get(host).is_none_or(|fall| fall.counts(signal));
        let of_hosts = self.signals(cluster).map(|(host, signal)| (counts(host, signal), signal));
        let mut signals: Vec<(bool, &Signal)> =
            of_hosts.chain(self.acts(cluster).map(|(_, signal)| (true, signal))).collect();
        signals.sort_by_key(|(counts, signal)| (!counts, signal.since_s));
        for (counts, signal) in signals {
            let Some(tactic) = signal.tactic else { continue };
            let finding = &self.findings[signal.finding];
            let stage = stages.entry(tactic).or_insert_with(|| empty(tactic, signal.since_s));
            if counts {
                stage.first_seen_s = stage.first_seen_s.min(signal.since_s);
            }
            stage.last_seen_s = stage.last_seen_s.max(signal.last_s);
            stage.techniques.extend(finding.techniques.iter().cloned());
            stage.subjects.push(finding.subject.clone());
        }
        for (tie, _) in cluster.ties.iter().filter(|(tie, _)| matches!(tie.kind, LinkKind::Lateral | LinkKind::Bridge))
        {
            let stage =
                stages.entry(Tactic::LateralMovement).or_insert_with(|| empty(Tactic::LateralMovement, tie.at_s));
            stage.first_seen_s = stage.first_seen_s.min(tie.at_s);
            stage.last_seen_s = stage.last_seen_s.max(tie.at_s);
            stage.techniques.push(LATERAL.to_owned());
        }
        let mut stages: Vec<Stage> = stages.into_values().collect();
        for stage in &mut stages {
            for texts in [&mut stage.techniques, &mut stage.subjects] {
                texts.sort_unstable();
                texts.dedup();
            }
        }
        stages.sort_by_key(|stage| (stage.first_seen_s, stage.tactic));
        stages
    }
}

fn links(cluster: &Cluster) -> Vec<Link> {
    let ties = cluster.ties.iter().take(MAX_LINKS);
    let link = |(tie, in_tree): &(super::link::Tie, bool)| Link {
        kind: tie.kind,
        from: tie.from.address.into(),
        to: tie.to.address.into(),
        strength: tie.strength,
        at_s: tie.at_s,
        in_tree: *in_tree,
        explanation: tie.explanation.clone(),
    };
    let bond = |(bond, in_tree): &(super::actor::Bond, bool)| Link {
        kind: bond.kind,
        from: bond.from.party(),
        to: bond.to.party(),
        strength: bond.strength,
        at_s: bond.at_s,
        in_tree: *in_tree,
        explanation: bond.explanation.clone(),
    };
    let bonds = cluster.bonds.iter().map(bond);
    let mut links: Vec<Link> = ties.map(link).chain(bonds).collect();
    if !cluster.bonds.is_empty() {
        links.sort_by(|a, b| (b.in_tree.cmp(&a.in_tree)).then(b.strength.total_cmp(&a.strength)));
        links.truncate(MAX_LINKS);
    }
    links
}

/// Returns the principals of a cluster, by the names that all logs know them by.
fn principals(cluster: &Cluster) -> Vec<String> {
    let name = |key: &ActorKey| match key {
        ActorKey::Identity(name) => Some(name.clone()),
        ActorKey::Source(_) => None,
    };
    cluster.actors.iter().filter_map(name).collect()
}
