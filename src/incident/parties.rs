//! Who takes part in an incident: hosts with their parts, and outside remotes with theirs.

use super::assemble::Material;
use super::cluster::Cluster;
use super::facts::HostKey;
use super::fall::Fall;
use super::kind::Kind;
use super::model::{HostPart, IncidentHost, IncidentRemote, RemotePart};
use crate::detect::Finding;
use flow::Address;
use flow::codes::Role;
use std::collections::BTreeMap;

/// Most outside remotes that an incident names; those with the plainest part come first.
pub(super) const MAX_REMOTES: usize = 100;

/// Returns the hosts of a cluster in the order in which they fell: suspects, and those on the way between them.
pub(super) fn hosts(material: Material<'_>, cluster: &Cluster, falls: &BTreeMap<&HostKey, Fall>) -> Vec<IncidentHost> {
    let mut order: Vec<(i64, bool, &HostKey)> = falls.iter().map(|(host, fall)| (fall.at_s, true, *host)).collect();
    let mut pivots: BTreeMap<&HostKey, i64> = BTreeMap::new();
    for (tie, _) in &cluster.ties {
        if let Some(via) = &tie.via {
            let since_s = pivots.entry(via).or_insert(tie.at_s);
            *since_s = tie.at_s.min(*since_s);
        }
    }
    // The host between two stands before the one that it opened.
    order.extend(pivots.into_iter().map(|(host, at_s)| (at_s, false, host)));
    order.sort_unstable();
    let first = order.iter().position(|(_, is_suspect, _)| *is_suspect);
    let part = |at: usize, is_suspect: bool| match is_suspect {
        false => HostPart::Pivot,
        true if Some(at) == first => HostPart::First,
        true => HostPart::Compromised,
    };
    let named = |(at, (at_s, is_suspect, host)): (usize, (i64, bool, &HostKey))| {
        let place = material.facts.place_of(host);
        let own = material.suspects.get(host).into_iter().flat_map(|suspect| &suspect.signals);
        let own: Vec<&Finding> = own
            .map(|signal| &material.findings[signal.finding])
            .filter(|finding| finding.host == Some(host.address))
            .collect();
        let told =
            |of_finding: &dyn Fn(&Finding) -> Option<&String>| own.iter().find_map(|one| of_finding(one)).cloned();
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        IncidentHost {
            host: host.address,
            account_id: text(&host.account_id),
            region: text(&host.region),
            vpc_id: told(&|one| one.vpc_id.as_ref()).or_else(|| place?.vpc_id.clone()),
            interface_id: told(&|one| one.interface_id.as_ref()).or_else(|| place?.interface_id.clone()),
            instance_id: told(&|one| one.instance_id.as_ref()).or_else(|| place?.instance_id.clone()),
            part: part(at, is_suspect),
            since_s: falls.get(host).filter(|_| is_suspect).map_or(at_s, |fall| fall.since_s),
        }
    };
    order.into_iter().enumerate().map(named).collect()
}

/// What findings say of an outside remote.
#[derive(Debug)]
struct Told {
    part: RemotePart,
    first_s: i64,
    /// The port, while all agree.
    port: Option<u16>,
    owner: Option<String>,
    prevalence_hosts: Option<u64>,
}

/// Returns the outside remotes of a cluster: controllers, drops, listed ones, then sources, each in the order of time.
pub(super) fn remotes(material: Material<'_>, cluster: &Cluster) -> Vec<IncidentRemote> {
    let mut told: BTreeMap<Address, Told> = BTreeMap::new();
    for (host, signal) in material.signals(cluster) {
        let finding = &material.findings[signal.finding];
        let Some(part) = part(signal.kind, finding) else { continue };
        for remote in &signal.outside {
            let one = told.entry(*remote).or_insert_with(|| Told {
                part,
                first_s: signal.since_s,
                port: finding.port,
                owner: None,
                prevalence_hosts: None,
            });
            one.part = one.part.min(part);
            one.first_s = one.first_s.min(signal.since_s);
            one.port = one.port.filter(|port| finding.port.is_none_or(|other| other == *port));
            // A finding about several says of none of them whose it is.
            if finding.remote == Some(*remote) {
                let owner = finding.evidence.get("network_owner").and_then(serde_json::Value::as_str);
                one.owner = one.owner.take().or_else(|| owner.map(str::to_owned));
                let hosts = finding.evidence.get("prevalence_hosts").and_then(serde_json::Value::as_u64);
                one.prevalence_hosts = one.prevalence_hosts.max(hosts);
            }
            let pairs = material.facts.pairs_of(host).iter().filter(|pair| pair.role == Role::Client);
            let met = pairs.filter(|pair| pair.remote == *remote).map(|pair| pair.prevalence_hosts).max();
            one.prevalence_hosts = one.prevalence_hosts.max(met);
        }
    }
    for (_, signal) in material.acts(cluster) {
        let owner = material.findings[signal.finding].evidence.get("network").and_then(serde_json::Value::as_str);
        for source in &signal.outside {
            let one = told.entry(*source).or_insert_with(|| Told {
                part: RemotePart::Source,
                first_s: signal.since_s,
                port: None,
                owner: None,
                prevalence_hosts: None,
            });
            one.first_s = one.first_s.min(signal.since_s);
            one.owner = one.owner.take().or_else(|| owner.map(str::to_owned));
        }
    }
    let mut remotes: Vec<(Address, Told)> = told.into_iter().collect();
    remotes.sort_by_key(|(address, told)| (told.part, told.first_s, *address));
    let remote = |(address, told): (Address, Told)| IncidentRemote {
        address,
        port: told.port,
        part: told.part,
        owner: told.owner,
        prevalence_hosts: told.prevalence_hosts,
    };
    remotes.into_iter().take(MAX_REMOTES).map(remote).collect()
}

/// Returns the part of an outside remote that a finding shows; the plainest part is the least.
fn part(kind: Kind, finding: &Finding) -> Option<RemotePart> {
    match kind {
        _ if finding.role == Some(Role::Server) => Some(RemotePart::Source),
        Kind::CommandAndControl => Some(RemotePart::Controller),
        Kind::Exfiltration => Some(RemotePart::Drop),
        Kind::Listed => Some(RemotePart::Indicator),
        Kind::Discovery | Kind::Credential | Kind::Impact => None,
        Kind::Exposure | Kind::Access => Some(RemotePart::Source),
        Kind::Inside | Kind::Persistence | Kind::Collection | Kind::Evasion => None,
        Kind::Odd => Some(RemotePart::Controller),
    }
}
