//! The outside addresses of an incident, and who entered its first host in the day before its first sign.

use super::KnownPairs;
use super::walk::{Walk, host_keys};
use crate::incident::model::{Edge, HostPart, Incident, IncidentHost, Node, NodeClass, RemotePart};
use crate::incident::step::{is_new, rarity, slack_s};
use crate::incident::{HostKey, PairFact};
use flow::Address;
use flow::codes::Role;
use flow::time::DAY_S;
use std::collections::{BTreeMap, BTreeSet};

/// How long before its first sign a host may have been entered, in seconds.
const UPSTREAM_S: i64 = DAY_S;

/// A connection from outside lasts at least so many seconds to be a session.
const SESSION_S: u64 = 300;

/// A port that more outside addresses reach is a public service: those who stay long are its users.
const PUBLIC_REMOTES: usize = 20;

/// Outside addresses in a graph.
const MAX_REMOTES: usize = 40;

/// Those who entered the first host, in a graph.
const MAX_UPSTREAM: usize = 20;

/// A node outside the walk, with its edges.
pub(super) struct Outside {
    pub(super) node: Node,
    pub(super) edges: Vec<Edge>,
}

/// Returns the nodes of the incident's outside addresses, by rank. An address that no host met has no edge.
pub(super) fn remotes(incident: &Incident, walk: &mut Walk, known: &KnownPairs<'_>) -> Vec<Outside> {
    let facts = known.facts;
    let mut met: BTreeMap<Address, Vec<(&PairFact, i64)>> = BTreeMap::new();
    let addresses: BTreeSet<Address> = incident.remotes.iter().map(|remote| remote.address).collect();
    for (host, arrival_s) in &walk.involved {
        for pair in known.of_host(host).iter().filter(|pair| addresses.contains(&pair.remote)) {
            met.entry(pair.remote).or_default().push((pair, *arrival_s));
        }
    }
    let outside = addresses.iter().map(|address| {
        let pairs = met.remove(address).unwrap_or_default();
        let first_s = |(pair, arrival_s): &(&PairFact, i64)| {
            pair.first_start_after_s(arrival_s - slack_s(pair)).unwrap_or(pair.first_seen_s)
        };
        let rank = pairs.iter().map(|(pair, arrival_s)| {
            let new = if is_new(pair, *arrival_s, facts.window) == Some(true) { 3.0 } else { 0.0 };
            let moved = ((pair.bytes_out.max(pair.bytes_in) as f64 + 1.0).log10() - 5.0).clamp(0.0, 3.0);
            new + moved + rarity(pair.prevalence_hosts, facts.hosts)
        });
        let node = Node {
            address: *address,
            class: NodeClass::Remote,
            rank: rank.fold(0.0, f64::max),
            hops: 1,
            reached_at_s: pairs.iter().map(first_s).min().unwrap_or(incident.first_seen_s),
            clients: None,
        };
        let edges = pairs.iter().map(|met| edge(met.0, first_s(met), is_new(met.0, met.1, facts.window)));
        Outside { node, edges: edges.collect() }
    });
    limited(outside.collect(), MAX_REMOTES, "remotes", walk)
}

/// Returns who entered the first host in the day before its first sign: sessions from outside that were answered and
/// lasted, and answered management connections from inside.
pub(super) fn upstream(incident: &Incident, walk: &mut Walk, known: &KnownPairs<'_>) -> Vec<Outside> {
    // A host on the way to the first may come before it.
    let is_first = |(_, host): &(HostKey, &IncidentHost)| host.part == HostPart::First;
    let mut hosts = host_keys(incident).zip(&incident.hosts);
    let Some((first, host)) = hosts.clone().find(is_first).or_else(|| hosts.next()) else { return Vec::new() };
    let parts: BTreeMap<Address, RemotePart> = incident.remotes.iter().map(|r| (r.address, r.part)).collect();
    let since_s = walk.involved.get(&first).copied().unwrap_or(host.since_s);
    let from_s = since_s - UPSTREAM_S;
    let pairs = known.of_host(&first);
    let visited = |port: u16, protocol: u8| {
        let same = |pair: &&PairFact| pair.role == Role::Server && pair.external && pair.answered();
        let same = pairs.iter().filter(same).filter(|pair| (pair.port, pair.protocol) == (port, protocol));
        same.map(|pair| pair.remote).collect::<BTreeSet<Address>>().len()
    };
    let mut entered: BTreeMap<Address, Outside> = BTreeMap::new();
    for pair in pairs.iter().filter(|pair| pair.role == Role::Server && pair.answered()) {
        let inside = HostKey { address: pair.remote, ..first.clone() };
        let is_known = walk.involved.contains_key(&inside)
            || parts.get(&pair.remote).is_some_and(|part| *part != RemotePart::Source);
        let Some(start_s) = pair.first_start_after_s(from_s).filter(|start| *start <= since_s + slack_s(pair)) else {
            continue;
        };
        let is_session = match pair.external {
            true => {
                pair.longest_s >= SESSION_S
                    && (pair.is_management() || visited(pair.port, pair.protocol) <= PUBLIC_REMOTES)
            }
            false => pair.is_management(),
        };
        if is_known || !is_session || pair.remote.is_local_scope() {
            continue;
        }
        let is_new = is_new(pair, start_s, known.facts.window);
        let rank = if is_new == Some(true) { 3.0 } else { 0.0 }
            + if pair.is_management() { 2.0 } else { 0.0 }
            + rarity(pair.prevalence_hosts, known.facts.hosts);
        let outside = entered.entry(pair.remote).or_insert_with(|| Outside {
            node: Node {
                address: pair.remote,
                class: NodeClass::Upstream,
                rank,
                hops: 1,
                reached_at_s: start_s,
                clients: None,
            },
            edges: Vec::new(),
        });
        outside.node.rank = outside.node.rank.max(rank);
        outside.node.reached_at_s = outside.node.reached_at_s.min(start_s);
        outside.edges.push(edge(pair, start_s, is_new));
    }
    limited(entered.into_values().collect(), MAX_UPSTREAM, "upstream", walk)
}

/// Sorts nodes by rank and keeps the first of them.
fn limited(mut nodes: Vec<Outside>, most: usize, name: &str, walk: &mut Walk) -> Vec<Outside> {
    nodes.iter_mut().for_each(|outside| outside.node.rank = super::drawing::rounded(outside.node.rank));
    nodes.sort_by(|a, b| {
        let key = |outside: &Outside| (outside.node.reached_at_s, outside.node.address);
        b.node.rank.total_cmp(&a.node.rank).then_with(|| key(a).cmp(&key(b)))
    });
    walk.leave_out(name, nodes.len().saturating_sub(most));
    nodes.truncate(most);
    nodes
}

/// Returns the edge of a pair, from the side that opened the connections.
fn edge(pair: &PairFact, first_seen_s: i64, is_new: Option<bool>) -> Edge {
    let host = (pair.host.address, pair.bytes_out);
    let remote = (pair.remote, pair.bytes_in);
    let (from, to) = if pair.role == Role::Client { (host, remote) } else { (remote, host) };
    Edge {
        from: from.0,
        to: to.0,
        port: pair.port,
        protocol: pair.protocol,
        first_seen_s,
        connections: pair.connections,
        bytes_out: from.1,
        bytes_in: to.1,
        is_new,
        answered: pair.answered(),
    }
}
