//! Groups of hosts: links taken strongest first, with stops.

use super::actor::{ActorKey, Bond};
use super::facts::HostKey;
use super::link::Tie;
use super::model::LinkKind;
use std::collections::{BTreeMap, BTreeSet};

/// An incident holds at most so many hosts with signs of their own. A larger one is a list that nobody reads.
pub const MAX_HOSTS: usize = 50;

/// Hosts and actors that belong together, and why.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Cluster {
    /// Suspect hosts, sorted.
    pub(super) hosts: Vec<HostKey>,
    /// The links between them, strongest first, and whether each is part of the tree that holds them together.
    pub(super) ties: Vec<(Tie, bool)>,
    /// A host of each cluster that would have joined, had it not become too large.
    pub(super) refused: BTreeSet<HostKey>,
    /// Principals and addresses that act, sorted; none until they are gathered.
    pub(super) actors: Vec<ActorKey>,
    /// The bonds of actors, strongest first, and whether each is part of the tree.
    pub(super) bonds: Vec<(Bond, bool)>,
}

impl Cluster {
    /// Takes in the hosts of another.
    pub(super) fn take(&mut self, other: Cluster) {
        self.hosts.extend(other.hosts);
        self.ties.extend(other.ties);
        self.refused.extend(other.refused);
    }

    /// Brings hosts, links and bonds in their order: those of the tree first, else as strong as they are.
    pub(super) fn settle(&mut self) {
        self.hosts.sort_unstable();
        self.ties.sort_by(|(a, in_a), (b, in_b)| in_b.cmp(in_a).then(b.strength.total_cmp(&a.strength)));
        self.bonds.sort_by_key(|(_, in_tree)| !in_tree);
    }
}

/// Groups suspect hosts by Kruskal's algorithm (1956): `ties`, which come strongest first, join two groups unless the
/// result would pass [`MAX_HOSTS`], or a kind of link that does not hold across accounts would cross them. The links that
/// join are a spanning tree, so that each host has one reason to be there; the others are further evidence.
///
/// The clusters come in the order of their first host.
pub(super) fn clusters<'a>(suspects: impl Iterator<Item = &'a HostKey>, ties: Vec<Tie>) -> Vec<Cluster> {
    let hosts: BTreeMap<&HostKey, usize> = suspects.enumerate().map(|(at, host)| (host, at)).collect();
    let mut groups = Groups::new(hosts.len());
    let mut taken: Vec<(Tie, bool)> = Vec::new();
    let mut refused: Vec<(HostKey, HostKey)> = Vec::new();
    for tie in ties.into_iter().filter(may_join) {
        let (Some(from), Some(to)) = (hosts.get(&tie.from), hosts.get(&tie.to)) else { continue };
        let (a, b) = (groups.root(*from), groups.root(*to));
        if a == b {
            taken.push((tie, false));
        } else if groups.size[a] + groups.size[b] > MAX_HOSTS {
            refused.push((tie.from, tie.to));
        } else {
            groups.join(a, b);
            taken.push((tie, true));
        }
    }
    let mut clusters: BTreeMap<usize, Cluster> = BTreeMap::new();
    for (host, at) in &hosts {
        clusters.entry(groups.root(*at)).or_default().hosts.push((*host).clone());
    }
    let mut root = |host: &HostKey| hosts.get(host).map(|at| groups.root(*at));
    for (tie, in_tree) in taken {
        if let Some(cluster) = root(&tie.from).and_then(|root| clusters.get_mut(&root)) {
            cluster.ties.push((tie, in_tree));
        }
    }
    for (from, to) in refused {
        // A link that came too late may have ended inside one cluster after all.
        let (Some(a), Some(b)) = (root(&from), root(&to)) else { continue };
        for (root, other) in [(a, to), (b, from)].into_iter().filter(|_| a != b) {
            clusters.entry(root).and_modify(|cluster| {
                cluster.refused.insert(other);
            });
        }
    }
    let mut clusters: Vec<Cluster> = clusters.into_values().collect();
    for cluster in &mut clusters {
        // Stable, so that strength orders each of the two halves.
        cluster.ties.sort_by_key(|(_, in_tree)| !in_tree);
    }
    clusters.sort_by(|a, b| a.hosts.cmp(&b.hosts));
    clusters
}

/// Returns whether a link may join its hosts: a scan reaches into other accounts without meaning, an entry does not.
fn may_join(tie: &Tie) -> bool {
    let across = tie.from.account_id != tie.to.account_id || tie.from.region != tie.to.region;
    !across || matches!(tie.kind, LinkKind::Lateral | LinkKind::Bridge | LinkKind::SameRemote)
}

/// Disjoint sets with path halving.
pub(super) struct Groups {
    parent: Vec<usize>,
    size: Vec<usize>,
}

impl Groups {
    /// Returns sets of one member each.
    pub(super) fn new(members: usize) -> Self {
        Self { parent: (0..members).collect(), size: vec![1; members] }
    }

    /// Returns the member that stands for a member's set.
    pub(super) fn root(&mut self, mut at: usize) -> usize {
        while self.parent[at] != at {
            self.parent[at] = self.parent[self.parent[at]];
            at = self.parent[at];
        }
        at
    }

    /// Joins the sets that two members stand for.
    pub(super) fn join(&mut self, a: usize, b: usize) {
        let (root, below) = if a < b { (a, b) } else { (b, a) };
        self.parent[below] = root;
        self.size[root] += self.size[below];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(account: &str, last: usize) -> HostKey {
        HostKey {
            account_id: account.to_owned(),
            region: "eu-west-1".to_owned(),
            address: format!("10.0.{}.{}", last / 250, last % 250).parse().unwrap(),
        }
    }

    fn tie(kind: LinkKind, from: HostKey, to: HostKey, strength: f64) -> Tie {
        Tie { kind, from, to, via: None, strength, at_s: 0, explanation: String::new() }
    }

    #[test]
    fn the_strongest_links_are_the_tree() {
        let [a, b, c] = [1, 2, 3].map(|last| host("1", last));
        let link = |from: &HostKey, to: &HostKey, strength| tie(LinkKind::Lateral, from.clone(), to.clone(), strength);
        let ties = vec![link(&a, &b, 3.0), link(&b, &c, 2.5), link(&a, &c, 2.0)];
        let found = clusters([&a, &b, &c].into_iter(), ties);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].hosts, [a, b, c]);
        let told: Vec<(f64, bool)> = found[0].ties.iter().map(|(tie, in_tree)| (tie.strength, *in_tree)).collect();
        assert_eq!(told, [(3.0, true), (2.5, true), (2.0, false)]);
    }

    #[test]
    fn a_worm_is_cut_at_the_limit_and_the_rest_is_related() {
        let hosts: Vec<HostKey> = (0..120).map(|last| host("1", last)).collect();
        let steps = hosts.windows(2);
        let ties = steps.map(|pair| tie(LinkKind::Lateral, pair[0].clone(), pair[1].clone(), 3.0)).collect();
        let found = clusters(hosts.iter(), ties);
        assert_eq!(found.iter().map(|cluster| cluster.hosts.len()).collect::<Vec<_>>(), [50, 50, 20]);
        assert_eq!(found[0].refused, [hosts[50].clone()].into());
        assert_eq!(found[1].refused, [hosts[49].clone(), hosts[100].clone()].into());
    }

    #[test]
    fn accounts_are_crossed_by_what_holds_across_them() {
        let (a, b) = (host("1", 1), host("2", 2));
        for (kind, groups) in [
            (LinkKind::Lateral, 1),
            (LinkKind::Bridge, 1),
            (LinkKind::SameRemote, 1),
            (LinkKind::ScanHit, 2),
            (LinkKind::SameInstance, 2),
        ] {
            let ties = vec![tie(kind, a.clone(), b.clone(), 2.0)];
            assert_eq!(clusters([&a, &b].into_iter(), ties).len(), groups, "{kind:?}");
        }
    }
}
