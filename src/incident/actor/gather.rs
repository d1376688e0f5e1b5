//! Actors and groups of hosts joined: bonds taken strongest first, with stops.

use super::{ActorKey, Actors, Bond, Node};
use crate::incident::cluster::{Cluster, Groups, MAX_HOSTS};
use crate::incident::facts::HostKey;
use std::collections::BTreeMap;

/// An incident holds at most so many actors.
const MAX_ACTORS: usize = MAX_HOSTS;

/// Joins groups of hosts and actors by Kruskal's algorithm (1956): `bonds`, which come strongest first, join two unless
/// the result would have more than [`MAX_HOSTS`] hosts or [`MAX_ACTORS`] actors. Returns the groups and how many bonds
/// were refused: groups with hosts in the order of their first host, then those of actors alone in the order of these.
/// Without actors, the groups stay as they are.
pub(in crate::incident) fn gather(clusters: Vec<Cluster>, actors: &Actors, bonds: Vec<Bond>) -> (Vec<Cluster>, u64) {
    if actors.is_empty() {
        return (clusters, 0);
    }
    let mut of_host: BTreeMap<HostKey, usize> = BTreeMap::new();
    for (at, cluster) in clusters.iter().enumerate() {
        of_host.extend(cluster.hosts.iter().map(|host| (host.clone(), at)));
    }
    let first_actor = clusters.len();
    let of_actor: BTreeMap<&ActorKey, usize> =
        actors.keys().enumerate().map(|(at, key)| (key, first_actor + at)).collect();
    let place = |node: &Node| match node {
        Node::Host(host) => of_host.get(host).copied(),
        Node::Actor(key) => of_actor.get(key).copied(),
    };
    let mut groups = Groups::new(first_actor + actors.len());
    let mut hosts: Vec<usize> = clusters.iter().map(|cluster| cluster.hosts.len()).collect();
    hosts.resize(first_actor + actors.len(), 0);
    let mut count: Vec<usize> = (0..hosts.len()).map(|at| usize::from(at >= first_actor)).collect();
    let mut taken: Vec<(Bond, bool)> = Vec::new();
    let mut refused = 0;
    for bond in bonds {
        let (Some(from), Some(to)) = (place(&bond.from), place(&bond.to)) else { continue };
        let (a, b) = (groups.root(from), groups.root(to));
        if a == b {
            taken.push((bond, false));
        } else if hosts[a] + hosts[b] > MAX_HOSTS || count[a] + count[b] > MAX_ACTORS {
            refused += 1;
        } else {
            groups.join(a, b);
            let root = groups.root(a);
            (hosts[root], count[root]) = (hosts[a] + hosts[b], count[a] + count[b]);
            taken.push((bond, true));
        }
    }
    let mut joined: BTreeMap<usize, Cluster> = BTreeMap::new();
    for (at, cluster) in clusters.into_iter().enumerate() {
        joined.entry(groups.root(at)).or_default().take(cluster);
    }
    for (key, at) in &of_actor {
        joined.entry(groups.root(*at)).or_default().actors.push((*key).clone());
    }
    for (bond, in_tree) in taken {
        let root = place(&bond.from).map(|at| groups.root(at));
        if let Some(cluster) = root.and_then(|root| joined.get_mut(&root)) {
            cluster.bonds.push((bond, in_tree));
        }
    }
    let mut joined: Vec<Cluster> = joined.into_values().collect();
    for cluster in &mut joined {
        cluster.settle();
    }
    joined.sort_by(|a, b| (a.hosts.is_empty(), &a.hosts, &a.actors).cmp(&(b.hosts.is_empty(), &b.hosts, &b.actors)));
    (joined, refused)
}
