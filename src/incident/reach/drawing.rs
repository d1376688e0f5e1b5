//! The graph of one incident: nodes in the order of their rank, the edges between them, and what was left out.

use super::outside::{self, Outside};
use super::walk::Walk;
use super::{KnownPairs, MAX_LISTED};
use crate::incident::model::{Edge, Graph, Incident, Node, NodeClass};
use crate::incident::step::Step;
use flow::Address;
use std::collections::{BTreeMap, BTreeSet};

/// Edges of a graph.
const MAX_EDGES: usize = 400;

/// Services of one node that get an edge each; more become one edge.
const MAX_SERVICES: usize = 4;

/// Returns the graph of an incident.
pub(super) fn graph(incident: &Incident, mut walk: Walk, known: &KnownPairs<'_>) -> Graph {
    let upstream = outside::upstream(incident, &mut walk, known);
    let entered: BTreeSet<Address> = upstream.iter().map(|outside| outside.node.address).collect();
    let mut remotes = outside::remotes(incident, &mut walk, known);
    remotes.retain(|outside| !entered.contains(&outside.node.address));
    let mut edges: Vec<Edge> = walk.steps.iter().map(edge).collect();
    let mut nodes = involved(&walk);
    for Outside { node, edges: more } in remotes.into_iter().chain(upstream) {
        nodes.push(node);
        edges.extend(more);
    }
    // A host that was reached may also have entered the first; it is drawn once.
    let mut drawn: BTreeSet<Address> = nodes.iter().map(|node| node.address).collect();
    nodes.extend(reached(&walk, known).into_iter().filter(|node| drawn.insert(node.address)));
    walk.leave_out("nodes", nodes.len().saturating_sub(MAX_LISTED));
    nodes.truncate(MAX_LISTED);
    let places: BTreeMap<Address, usize> = nodes.iter().enumerate().map(|(at, node)| (node.address, at)).collect();
    let edges = placed(edges, &places, &mut walk);
    Graph { nodes, edges, left_out: walk.left_out, ..Graph::default() }
}

/// Rounds a rank to thousandths, so that it reads the same everywhere.
pub(super) fn rounded(rank: f64) -> f64 {
    // Adding zero turns −0 into 0.
    (rank * 1e3).round() / 1e3 + 0.0
}

/// Returns the incident's hosts in the order of their compromise.
fn involved(walk: &Walk) -> Vec<Node> {
    let mut since: BTreeMap<Address, i64> = BTreeMap::new();
    for (host, arrival_s) in &walk.involved {
        let at_s = since.entry(host.address).or_insert(*arrival_s);
        *at_s = (*at_s).min(*arrival_s);
    }
    let mut hosts: Vec<(i64, Address)> = since.into_iter().map(|(address, at_s)| (at_s, address)).collect();
    hosts.sort_unstable();
    let node = |(reached_at_s, address)| Node {
        address,
        class: NodeClass::Involved,
        rank: 0.0,
        hops: 0,
        reached_at_s,
        clients: None,
    };
    hosts.into_iter().map(node).collect()
}

/// Returns who was reached or tried, and the services that many use, by rank.
fn reached(walk: &Walk, known: &KnownPairs<'_>) -> Vec<Node> {
    let facts = known.facts;
    let found = walk.found.iter().map(|(address, found)| Node {
        address: *address,
        class: if found.answered { NodeClass::Reached } else { NodeClass::Attempted },
        rank: rounded(found.rank(known)),
        hops: found.hops,
        reached_at_s: found.at_s,
        clients: found.steps.iter().filter(|step| step.is_hub).map(|step| step.clients).max(),
    });
    let shared = walk.shared.iter().map(|(address, shared)| Node {
        address: *address,
        class: NodeClass::Shared,
        rank: rounded(crate::incident::step::rarity(shared.clients, facts.hosts)),
        hops: 1,
        reached_at_s: shared.at_s,
        clients: Some(shared.clients),
    });
    let mut nodes: Vec<Node> = found.chain(shared).collect();
    nodes.sort_by(|a, b| {
        let key = |node: &Node| (node.reached_at_s, node.address);
        b.rank.total_cmp(&a.rank).then_with(|| key(a).cmp(&key(b)))
    });
    nodes
}

fn edge(step: &Step) -> Edge {
    Edge {
        from: step.from.address,
        to: step.to.address,
        port: step.port,
        protocol: step.protocol,
        first_seen_s: step.start_s,
        connections: step.connections,
        bytes_out: step.bytes_out,
        bytes_in: step.bytes_in,
        is_new: step.is_new,
        answered: step.answered,
    }
}

/// Returns the edges between listed nodes in the order of those.
fn placed(mut edges: Vec<Edge>, places: &BTreeMap<Address, usize>, walk: &mut Walk) -> Vec<Edge> {
    // Both sides of a connection may have told it; the first tells when it began.
    edges.sort_by_key(|edge| (edge.first_seen_s, edge.from, edge.to, edge.port, edge.protocol, edge.bytes_in));
    let mut told = BTreeSet::new();
    edges.retain(|edge| told.insert((edge.from, edge.to, edge.port, edge.protocol)));
    let mut between: BTreeMap<(usize, usize), Vec<Edge>> = BTreeMap::new();
    for edge in edges {
        if let (Some(from), Some(to)) = (places.get(&edge.from), places.get(&edge.to)) {
            between.entry((*from, *to)).or_default().push(edge);
        }
    }
    let mut ranked: Vec<((usize, usize), Vec<Edge>)> = between.into_iter().collect();
    // Edges between nodes of high rank are kept.
    ranked.sort_by_key(|((from, to), _)| (*from.max(to), *from, *to));
    let mut kept: Vec<((usize, usize), Edge)> = Vec::new();
    for (place, edges) in ranked {
        let edges = if edges.len() > MAX_SERVICES { vec![joined(&edges)] } else { edges };
        kept.extend(edges.into_iter().map(|edge| (place, edge)));
    }
    walk.leave_out("edges", kept.len().saturating_sub(MAX_EDGES));
    kept.truncate(MAX_EDGES);
    kept.sort_by_key(|(place, edge)| (*place, edge.port, edge.protocol));
    kept.into_iter().map(|(_, edge)| edge).collect()
}

/// Returns one edge for many services of a node.
fn joined(edges: &[Edge]) -> Edge {
    let mut all = edges[0].clone();
    all.port = 0;
    for edge in &edges[1..] {
        all.first_seen_s = all.first_seen_s.min(edge.first_seen_s);
        all.connections += edge.connections;
        all.bytes_out += edge.bytes_out;
        all.bytes_in += edge.bytes_in;
        all.answered |= edge.answered;
        // One that is a habit says that the two had met.
        all.is_new = match (all.is_new, edge.is_new) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        };
        if edge.protocol != all.protocol {
            all.protocol = 0;
        }
    }
    all
}
