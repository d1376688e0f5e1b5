//! When each host of an incident fell.

use super::cluster::Cluster;
use super::facts::HostKey;
use super::link::LATE_S;
use super::signal::{Signal, Suspect};
use std::collections::BTreeMap;

/// When a host fell, as far as its signs and those who entered it tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fall {
    /// The first sign that counts. Plain calls before an entry do not: benign hosts make them at any time.
    pub(super) since_s: i64,
    /// When another host entered it, or else its first sign: the place of the host in the story.
    pub(super) at_s: i64,
}

impl Fall {
    /// Returns whether a sign of the host belongs to the story.
    pub(super) fn counts(self, signal: &Signal) -> bool {
        signal.since_s >= self.since_s || !signal.is_plain()
    }
}

/// Returns when each suspect of a cluster fell.
///
/// Nobody was entered who entered another before, or who showed more than plain calls before.
pub(super) fn falls<'a>(cluster: &Cluster, suspects: &'a BTreeMap<HostKey, Suspect>) -> BTreeMap<&'a HostKey, Fall> {
    let mut entered: BTreeMap<&HostKey, i64> = BTreeMap::new();
    let mut entered_others: BTreeMap<&HostKey, i64> = BTreeMap::new();
    for (tie, _) in cluster.ties.iter().filter(|(tie, _)| tie.is_path()) {
        for (firsts, host) in [(&mut entered, &tie.to), (&mut entered_others, &tie.from)] {
            let first_s = firsts.entry(host).or_insert(tie.at_s);
            *first_s = tie.at_s.min(*first_s);
        }
    }
    let fall = |suspect: &Suspect| {
        let own = Fall { since_s: suspect.since_s, at_s: suspect.since_s };
        let Some(at_s) = entered.get(&suspect.host).copied() else { return own };
        let since_s = suspect.sign_after_s(at_s, LATE_S).unwrap_or(suspect.since_s);
        let entered_before = entered_others.get(&suspect.host).is_some_and(|first_s| *first_s < at_s);
        let more_before = suspect.opening().any(|signal| signal.since_s < since_s && !signal.is_plain());
        if entered_before || more_before { own } else { Fall { since_s, at_s } }
    };
    let of_cluster = cluster.hosts.iter().filter_map(|host| suspects.get(host));
    of_cluster.map(|suspect| (&suspect.host, fall(suspect))).collect()
}
