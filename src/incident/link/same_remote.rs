//! Hosts that call one rare remote.

use super::{Links, Tie};
use crate::incident::facts::{HostKey, PairFact};
use crate::incident::model::LinkKind;
use crate::incident::signal::hosts_of;
use flow::Address;
use flow::codes::Role;
use flow::units::{count_text, counted};
use std::collections::{BTreeMap, BTreeSet};

/// A remote that no more hosts call is rare.
const RARE_HOSTS: u64 = 5;

/// A remote that no more hosts call links those of them that are suspect, if they are at least half of all.
const FEW_HOSTS: u64 = 50;

/// Adds links between suspect hosts that have findings about one outside remote that they call, in the order of their
/// first signs. A finding of low severity counts only where nobody else calls the remote: hosts that are suspect for other
/// reasons share benign services, too.
pub(super) fn add(links: Links<'_>, ties: &mut Vec<Tie>) {
    // By remote, the callers, and whether what is said of each would open an incident.
    let mut callers: BTreeMap<Address, BTreeMap<&HostKey, bool>> = BTreeMap::new();
    let mut told_together: BTreeSet<Address> = BTreeSet::new();
    for suspect in links.suspects.values() {
        for signal in &suspect.signals {
            let finding = &links.findings[signal.finding];
            if finding.role == Some(Role::Client) {
                for remote in &signal.outside {
                    *callers.entry(*remote).or_default().entry(&suspect.host).or_default() |= signal.opens;
                }
                if finding.remote.is_some() && hosts_of(finding).len() > 1 {
                    told_together.extend(&signal.outside);
                }
            }
        }
    }
    for (remote, mut hosts) in callers.into_iter().filter(|(_, hosts)| hosts.len() > 1) {
        let known = hosts.keys().filter_map(|host| prevalence(links.facts.pairs_of(host), remote)).max();
        let callers = known.unwrap_or(0).max(hosts.len() as u64);
        if callers > hosts.len() as u64 {
            hosts.retain(|_, opens| *opens);
        }
        let few = callers <= FEW_HOSTS && 2 * hosts.len() as u64 >= callers;
        if callers > RARE_HOSTS && !few && !told_together.contains(&remote) {
            continue;
        }
        let mut hosts: Vec<(i64, &HostKey)> =
            hosts.into_keys().map(|host| (links.suspects[host].since_s, host)).collect();
        hosts.sort_unstable();
        for pair in hosts.windows(2) {
            let ((_, from), (at_s, to)) = (pair[0], pair[1]);
            let only = match callers {
                2 => "and no other host does".to_owned(),
                all if all == hosts.len() as u64 => {
                    format!("with {}", counted(all - 2, "other suspect", "other suspects"))
                }
                all => format!("which {} hosts call in all", count_text(all)),
            };
            ties.push(Tie {
                kind: LinkKind::SameRemote,
                from: from.clone(),
                to: to.clone(),
                via: None,
                // What one finding tells together belongs together however many call the remote.
                strength: (3.0 - (callers as f64).log10()).max(1.0),
                at_s,
                explanation: format!("{} and {} both call {remote}, {only}.", from.address, to.address),
            });
        }
    }
}

/// Returns how many hosts call a remote, as the pairs of one that does tell.
fn prevalence(pairs: &[PairFact], remote: Address) -> Option<u64> {
    let called = pairs.iter().filter(|pair| pair.role == Role::Client && pair.external && pair.remote == remote);
    called.map(|pair| pair.prevalence_hosts).max()
}
