//! How an incident takes in what a run shows of it, or another incident that became part of it.

use super::deeds::add_older;
use super::sameness::has_signs;
use super::story::joined;
use crate::incident::model::{
    Edge, Graph, HostPart, Incident, IncidentHost, IncidentRemote, Link, LinkKind, Node, NodeClass, Party, Stage,
    Tactic,
};
use flow::Address;
use std::collections::{BTreeMap, BTreeSet};

/// An incident keeps at most so many links: those of the tree, then the strongest.
const MAX_LINKS: usize = 200;
/// Its graph has at most so many nodes.
const MAX_NODES: usize = 200;
/// Its graph has at most so many edges.
const MAX_EDGES: usize = 400;

/// What of an incident is material: a change of it is worth a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Material {
    hosts: BTreeSet<(Option<String>, Option<String>, Address)>,
    remotes: BTreeSet<Address>,
    principals: BTreeSet<String>,
    tactics: BTreeSet<Tactic>,
}

impl Material {
    /// Returns what is material of an incident.
    pub(super) fn of(incident: &Incident) -> Self {
        Self {
            hosts: incident.hosts.iter().map(host_key).collect(),
            remotes: incident.remotes.iter().map(|remote| remote.address).collect(),
            principals: incident.principals.iter().cloned().collect(),
            tactics: incident.stages.iter().map(|stage| stage.tactic).collect(),
        }
    }
}

fn host_key(host: &IncidentHost) -> (Option<String>, Option<String>, Address) {
    (host.account_id.clone(), host.region.clone(), host.host)
}

/// Returns how many hosts with signs of their own the two have together.
pub(super) fn hosts_together(a: &Incident, b: &Incident) -> usize {
    let hosts = a.hosts.iter().chain(&b.hosts).filter(|host| has_signs(host));
    hosts.map(host_key).collect::<BTreeSet<_>>().len()
}

/// Adds to `old` what `newer` knows. Severity and score are the highest of both, times reach from the first to the last;
/// id, revision, status and the times of the incident itself stay.
pub(super) fn grow(old: &mut Incident, newer: &Incident) {
    // The words of whoever knows all hosts.
    if hosts_together(old, newer) == hosts_together(newer, newer) {
        old.title.clone_from(&newer.title);
    }
    old.severity = old.severity.max(newer.severity);
    if newer.score > old.score {
        (old.score, old.expected_per_day) = (newer.score, newer.expected_per_day);
    }
    old.first_seen_s = old.first_seen_s.min(newer.first_seen_s);
    old.last_seen_s = old.last_seen_s.max(newer.last_seen_s);
    old.hosts = hosts(&old.hosts, &newer.hosts);
    old.remotes = remotes(&old.remotes, &newer.remotes);
    old.principals = union(&old.principals, &newer.principals);
    old.stages = stages(&old.stages, &newer.stages);
    old.subjects = union(&old.subjects, &newer.subjects);
    old.related = union(&old.related, &newer.related);
    old.links = links(&old.links, &newer.links);
    old.timeline = joined(&old.timeline, &newer.timeline);
    let older = std::mem::take(&mut old.graph);
    old.graph = graph(&older, &newer.graph);
    (old.graph.things, old.graph.deeds) = (newer.graph.things.clone(), newer.graph.deeds.clone());
    add_older(&mut old.graph, &older);
    old.coverage = match (old.coverage, newer.coverage) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
}

/// Returns the texts of both, sorted.
fn union(a: &[String], b: &[String]) -> Vec<String> {
    a.iter().chain(b).cloned().collect::<BTreeSet<String>>().into_iter().collect()
}

/// Returns the hosts of both in the order of their first signs; exactly one of them is the first.
fn hosts(old: &[IncidentHost], newer: &[IncidentHost]) -> Vec<IncidentHost> {
    let mut by_key: BTreeMap<_, IncidentHost> = BTreeMap::new();
    for host in old.iter().chain(newer) {
        match by_key.get_mut(&host_key(host)) {
            Some(known) => {
                known.since_s = known.since_s.min(host.since_s);
                // The parts are in the order of how much they say.
                known.part = known.part.min(host.part);
                let fill = |known: &mut Option<String>, seen: &Option<String>| {
                    if seen.is_some() {
                        known.clone_from(seen);
                    }
                };
                fill(&mut known.vpc_id, &host.vpc_id);
                fill(&mut known.interface_id, &host.interface_id);
                fill(&mut known.instance_id, &host.instance_id);
            }
            None => {
                by_key.insert(host_key(host), host.clone());
            }
        }
    }
    let mut all: Vec<IncidentHost> = by_key.into_values().collect();
    all.sort_by_key(|host| (host.since_s, host.host));
    let mut firsts = all.iter_mut().filter(|host| matches!(host.part, HostPart::First | HostPart::Compromised));
    if let Some(first) = firsts.next() {
        first.part = HostPart::First;
    }
    firsts.for_each(|host| host.part = HostPart::Compromised);
    all
}

/// Returns the remotes of both, those of `old` first.
fn remotes(old: &[IncidentRemote], newer: &[IncidentRemote]) -> Vec<IncidentRemote> {
    let mut all = old.to_vec();
    for remote in newer {
        match all.iter_mut().find(|known| known.address == remote.address) {
            Some(known) => {
                known.port = known.port.filter(|port| remote.port == Some(*port));
                known.owner = remote.owner.clone().or(known.owner.take());
                known.prevalence_hosts = remote.prevalence_hosts.or(known.prevalence_hosts);
            }
            None => all.push(remote.clone()),
        }
    }
    all
}

/// Returns the tactics of both in the order of time.
fn stages(old: &[Stage], newer: &[Stage]) -> Vec<Stage> {
    let mut by_tactic: BTreeMap<Tactic, Stage> = BTreeMap::new();
    for stage in old.iter().chain(newer) {
        match by_tactic.get_mut(&stage.tactic) {
            Some(known) => {
                known.first_seen_s = known.first_seen_s.min(stage.first_seen_s);
                known.last_seen_s = known.last_seen_s.max(stage.last_seen_s);
                known.techniques = union(&known.techniques, &stage.techniques);
                known.subjects = union(&known.subjects, &stage.subjects);
            }
            None => {
                by_tactic.insert(stage.tactic, stage.clone());
            }
        }
    }
    let mut all: Vec<Stage> = by_tactic.into_values().collect();
    all.sort_by_key(|stage| (stage.first_seen_s, stage.tactic));
    all
}

/// Returns the links of both: those of the spanning tree first, each part strongest first.
fn links(old: &[Link], newer: &[Link]) -> Vec<Link> {
    let mut by_key: BTreeMap<(LinkKind, Party, Party), Link> = BTreeMap::new();
    for link in old.iter().chain(newer) {
        let key = (link.kind, link.from.clone(), link.to.clone());
        // A link is as strong as it was seen to be, and as old.
        if by_key.get(&key).is_none_or(|known| link.strength > known.strength) {
            by_key.insert(key, link.clone());
        }
    }
    let mut all: Vec<Link> = by_key.into_values().collect();
    all.sort_by(|a, b| {
        b.strength
            .total_cmp(&a.strength)
            .then_with(|| (a.at_s, &a.from, &a.to, a.kind).cmp(&(b.at_s, &b.from, &b.to, b.kind)))
    });
    // The tree of the union: Kruskal (1956) over the links in this order.
    let mut group: BTreeMap<Party, Party> = BTreeMap::new();
    for link in &mut all {
        let root = |group: &BTreeMap<Party, Party>, party: &Party| {
            let mut at = party;
            while let Some(above) = group.get(at).filter(|above| *above != at) {
                at = above;
            }
            at.clone()
        };
        let (from, to) = (root(&group, &link.from), root(&group, &link.to));
        link.in_tree = from != to;
        if link.in_tree {
            group.insert(from, to);
        }
    }
    all.sort_by_key(|link| !link.in_tree);
    all.truncate(MAX_LINKS);
    all
}

/// Returns the graph of both: a host that was reached once stays reached.
fn graph(old: &Graph, newer: &Graph) -> Graph {
    if newer.nodes.is_empty() {
        return old.clone();
    }
    if old.nodes.is_empty() {
        return newer.clone();
    }
    let mut nodes = newer.nodes.clone();
    for node in &old.nodes {
        match nodes.iter_mut().find(|known| known.address == node.address) {
            Some(known) => merge_node(known, node),
            None => nodes.push(node.clone()),
        }
    }
    nodes.sort_by(|a, b| {
        let later = |a: &Node, b: &Node| (a.reached_at_s, a.address).cmp(&(b.reached_at_s, b.address));
        (place(a).cmp(&place(b))).then_with(|| b.rank.total_cmp(&a.rank)).then_with(|| later(a, b))
    });
    let mut left_out = newer.left_out.clone();
    for (name, count) in &old.left_out {
        let most = left_out.entry(name.clone()).or_default();
        *most = (*most).max(*count);
    }
    let mut cut = |name: &str, count: usize| {
        if count > 0 {
            *left_out.entry(name.to_owned()).or_default() += count as u64;
        }
    };
    cut("nodes", nodes.len().saturating_sub(MAX_NODES));
    nodes.truncate(MAX_NODES);
    let places: BTreeMap<Address, usize> = nodes.iter().enumerate().map(|(at, node)| (node.address, at)).collect();
    let mut edges: BTreeMap<(usize, usize, u16, u8), Edge> = BTreeMap::new();
    for edge in newer.edges.iter().chain(&old.edges) {
        let (Some(from), Some(to)) = (places.get(&edge.from), places.get(&edge.to)) else { continue };
        match edges.get_mut(&(*from, *to, edge.port, edge.protocol)) {
            Some(known) => {
                known.first_seen_s = known.first_seen_s.min(edge.first_seen_s);
                // Windows may overlap, so their counts cannot be added.
                known.connections = known.connections.max(edge.connections);
                known.bytes_out = known.bytes_out.max(edge.bytes_out);
                known.bytes_in = known.bytes_in.max(edge.bytes_in);
                // It was new when it was seen first.
                known.is_new = edge.is_new.or(known.is_new);
                known.answered |= edge.answered;
            }
            None => {
                edges.insert((*from, *to, edge.port, edge.protocol), edge.clone());
            }
        }
    }
    cut("edges", edges.len().saturating_sub(MAX_EDGES));
    Graph { nodes, edges: edges.into_values().take(MAX_EDGES).collect(), left_out, ..Graph::default() }
}

/// The order of nodes: compromised hosts, outside addresses, who entered the first host, then the others.
fn place(node: &Node) -> u8 {
    match node.class {
        NodeClass::Involved => 0,
        NodeClass::Remote => 1,
        NodeClass::Upstream => 2,
        NodeClass::Reached | NodeClass::Attempted | NodeClass::Shared | NodeClass::Reachable => 3,
    }
}

fn merge_node(known: &mut Node, node: &Node) {
    known.class = known.class.min(node.class);
    known.hops = known.hops.min(node.hops);
    known.rank = known.rank.max(node.rank);
    known.reached_at_s = known.reached_at_s.min(node.reached_at_s);
    known.clients = known.clients.max(node.clients);
}

#[cfg(test)]
mod tests {
    use super::super::examples::{host, incident, remote, seen};
    use super::*;
    use crate::detect::Severity;

    #[test]
    fn it_grows_and_never_gets_milder() {
        let mut old = seen("1", &["10.0.0.1"], &["s1"], 1_000, 2_000);
        (old.severity, old.score) = (Severity::High, 6.0);
        let before = Material::of(&old);
        let mut newer = seen("2", &["10.0.0.2", "10.0.0.1"], &["s2"], 500, 3_000);
        newer.remotes = vec![remote("192.0.2.1"), remote("192.0.2.9")];
        newer.remotes[0].port = Some(80);
        grow(&mut old, &newer);
        assert_eq!((old.severity, old.score, old.id.as_str()), (Severity::High, 6.0, &*"1".repeat(32)));
        assert_eq!((old.first_seen_s, old.last_seen_s), (500, 3_000));
        assert_eq!(old.subjects, ["s1", "s2"]);
        // One of each had signs of its own from second 500 on: the first by address is the first.
        let parts: Vec<HostPart> = old.hosts.iter().map(|host| host.part).collect();
        assert_eq!(parts, [HostPart::First, HostPart::Compromised]);
        assert_eq!(old.remotes.iter().map(|remote| remote.port).collect::<Vec<_>>(), [None, Some(443)]);
        assert_eq!(old.title, "incident 2");
        assert_ne!(Material::of(&old), before);
        // What is known already changes nothing.
        let whole = old.clone();
        grow(&mut old, &whole.clone());
        assert_eq!(old, whole);
    }

    #[test]
    fn a_host_that_shows_signs_is_no_target_any_more() {
        let (mut old, mut newer) = (incident("1", &["10.0.0.1", "10.0.0.2"], &["s"]), incident("2", &[], &[]));
        old.hosts[1].part = HostPart::Target;
        newer.hosts = vec![IncidentHost { since_s: 50, ..host("10.0.0.2") }];
        grow(&mut old, &newer);
        assert_eq!(old.hosts[1].part, HostPart::Compromised);
        assert_eq!(old.title, "incident 1", "the newer one does not know all hosts");
    }

    #[test]
    fn the_links_of_two_runs_have_one_tree() {
        let link = |from: &str, to: &str, strength: f64| Link {
            kind: LinkKind::Lateral,
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            strength,
            at_s: 0,
            in_tree: true,
            explanation: String::new(),
        };
        let (a, b, c) = ("10.0.0.1", "10.0.0.2", "10.0.0.3");
        let all = links(&[link(a, b, 2.0), link(b, c, 2.0)], &[link(a, c, 3.0), link(a, b, 1.0)]);
        let told: Vec<(f64, bool)> = all.iter().map(|link| (link.strength, link.in_tree)).collect();
        assert_eq!(told, [(3.0, true), (2.0, true), (2.0, false)]);
    }
}
