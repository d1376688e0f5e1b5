//! Addresses that are one machine: interfaces of an instance, and addresses that a workload had one after the other.

use super::{Links, Tie};
use crate::incident::facts::HostKey;
use crate::incident::model::LinkKind;
use crate::incident::signal::hosts_of;
use flow::printable::printable;
use std::collections::{BTreeMap, BTreeSet};

/// What is one machine is surely one incident.
const STRENGTH: f64 = 3.0;

/// Adds links between the interfaces of an instance, and between the addresses of a train that moves from one to the next.
pub(super) fn add(links: Links<'_>, ties: &mut Vec<Tie>) {
    let mut instances: BTreeMap<(&str, &str, &str), BTreeSet<&HostKey>> = BTreeMap::new();
    let mut moved: BTreeSet<(HostKey, HostKey)> = BTreeSet::new();
    for suspect in links.suspects.values() {
        let host = &suspect.host;
        for signal in &suspect.signals {
            let finding = &links.findings[signal.finding];
            let named = finding.host == Some(host.address);
            if let Some(instance) = finding.instance_id.as_deref().filter(|_| named) {
                instances.entry((&host.account_id, &host.region, instance)).or_default().insert(host);
            }
            if named && finding.evidence.contains_key("successors") {
                moved.extend(
                    hosts_of(finding).into_iter().filter(|other| other != host).map(|other| (host.clone(), other)),
                );
            }
        }
    }
    for ((.., instance), hosts) in instances {
        let hosts: Vec<&HostKey> = hosts.into_iter().collect();
        for pair in hosts.windows(2) {
            let what = format!("are addresses of one instance, {}.", printable(instance));
            ties.extend(tie(links, pair[0], pair[1], &what));
        }
    }
    for (a, b) in moved {
        ties.extend(tie(links, &a, &b, "are addresses that one train of calls had one after the other."));
    }
}

fn tie(links: Links<'_>, a: &HostKey, b: &HostKey, what: &str) -> Option<Tie> {
    let (a_s, b_s) = (links.since_s(a)?, links.since_s(b)?);
    let (from, to) = if (a_s, a) <= (b_s, b) { (a, b) } else { (b, a) };
    Some(Tie {
        kind: LinkKind::SameInstance,
        from: from.clone(),
        to: to.clone(),
        via: None,
        strength: STRENGTH,
        at_s: a_s.max(b_s),
        explanation: format!("{} and {} {what}", from.address, to.address),
    })
}
