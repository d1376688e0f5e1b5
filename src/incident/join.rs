//! Joins findings to incidents, from facts that were read.

use super::actor::{ActorKey, Actors, Bonds, Told, actor_of, gather};
use super::assemble::Material;
use super::cluster::{Cluster, clusters};
use super::facts::{Facts, HostKey};
use super::link::Links;
use super::model::Incident;
use super::notes::{IncidentNotes, MIN_HISTORY_HOURS};
use super::signal::{Suspect, hosts_of, is_allowed, suspects};
use super::weight::Rates;
use crate::detect::Finding;
use access::Identities;
use flow::Address;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Joins findings to incidents, and names in each finding the incident that it belongs to.
///
/// Incidents come sorted by severity, score and id. They do not depend on the order of the findings.
pub(super) fn join(
    findings: &mut [Finding],
    is_inside: &dyn Fn(&HostKey, Address) -> bool,
    facts: &Facts,
    rates: &Rates,
    (actors, told): (&Actors, &Told),
) -> (Vec<Incident>, IncidentNotes) {
    let suspects = suspects(findings, is_inside, facts);
    let history_hours = facts.history_hours();
    let mut notes = IncidentNotes {
        suspect_hosts: suspects.len() as u64,
        hosts_left_out: 0,
        pairs_read: facts.pairs.values().map(|pairs| pairs.len() as u64).sum(),
        pairs_left_out: 0,
        suspect_actors: actors.len() as u64,
        links_refused: 0,
        history_hours,
        links_limited: suspects.len() > 1 && history_hours < MIN_HISTORY_HOURS,
    };
    let ties = Links { findings, suspects: &suspects, facts }.all();
    let clusters = clusters(suspects.keys(), ties);
    let bonds = Bonds { findings, actors, suspects: &suspects, facts, told }.all();
    let (clusters, bonds_refused) = gather(clusters, actors, bonds);
    notes.links_refused = bonds_refused + clusters.iter().map(|cluster| cluster.refused.len() as u64).sum::<u64>() / 2;
    let material = Material { findings, suspects: &suspects, actors, facts, rates };
    let mut made: Vec<(Incident, &Cluster)> =
        clusters.iter().map(|cluster| (material.incident(cluster), cluster)).collect();
    relate(&mut made);
    made.sort_by(|(a, _), (b, _)| compare(a, b));
    let belongs = belongs(findings, &suspects, (actors, &told.identities), &made);
    for (finding, id) in findings.iter_mut().zip(belongs) {
        finding.incident_id = id;
    }
    (made.into_iter().map(|(incident, _)| incident).collect(), notes)
}

/// Orders incidents as they are reported: by severity from the worst, score from the highest, then id.
pub fn compare(a: &Incident, b: &Incident) -> std::cmp::Ordering {
    (b.severity.cmp(&a.severity)).then(b.score.total_cmp(&a.score)).then_with(|| a.id.cmp(&b.id))
}

/// Names in incidents those that would have joined them, had they not become too large.
fn relate(made: &mut [(Incident, &Cluster)]) {
    let ids: BTreeMap<HostKey, String> = made
        .iter()
        .flat_map(|(incident, cluster)| cluster.hosts.iter().map(|host| (host.clone(), incident.id.clone())))
        .collect();
    for (incident, cluster) in made {
        let mut related: Vec<String> = cluster.refused.iter().filter_map(|host| ids.get(host).cloned()).collect();
        related.sort_unstable();
        related.dedup();
        incident.related = related;
    }
}

/// Returns for each finding the incident of the host that it names: of signs, and of what the user allows about the same
/// host or actor, which is no evidence but may belong to the story. Findings of neither and informational ones belong to
/// none.
fn belongs(
    findings: &[Finding],
    suspects: &BTreeMap<HostKey, Suspect>,
    (actors, identities): (&Actors, &Identities),
    made: &[(Incident, &Cluster)],
) -> Vec<Option<String>> {
    let ids: BTreeMap<&HostKey, &str> = made
        .iter()
        .flat_map(|(incident, cluster)| cluster.hosts.iter().map(|host| (host, incident.id.as_str())))
        .collect();
    let mut belongs: Vec<Option<String>> = vec![None; findings.len()];
    for (host, suspect) in suspects {
        for signal in &suspect.signals {
            let named = findings[signal.finding].host == Some(host.address);
            let id = ids.get(host).map(|id| (*id).to_owned());
            if named || belongs[signal.finding].is_none() {
                belongs[signal.finding] = id;
            }
        }
    }
    let of_actor: BTreeMap<&ActorKey, &str> = made
        .iter()
        .flat_map(|(incident, cluster)| cluster.actors.iter().map(|key| (key, incident.id.as_str())))
        .collect();
    for (key, actor) in actors {
        for signal in &actor.signals {
            belongs[signal.finding] = of_actor.get(key).map(|id| (*id).to_owned());
        }
    }
    for (at, finding) in findings.iter().enumerate().filter(|(_, finding)| is_allowed(finding)) {
        if let Some(key) = actor_of(finding, identities) {
            belongs[at] = of_actor.get(&key).map(|id| (*id).to_owned());
            continue;
        }
        let host = hosts_of(finding).into_iter().next();
        belongs[at] = host.and_then(|host| ids.get(&host).map(|id| (*id).to_owned()));
    }
    belongs
}

/// Returns the hosts that open incidents, the worst first: by severity, then score, then name; at most `most`, and how
/// many there are beyond.
pub(super) fn worst_hosts(
    findings: &[Finding],
    is_inside: &dyn Fn(&HostKey, Address) -> bool,
    facts: &Facts,
    most: usize,
) -> (Vec<HostKey>, u64) {
    let suspects = suspects(findings, is_inside, facts);
    let mut hosts: Vec<_> = suspects
        .into_values()
        .map(|suspect| {
            let opening = || suspect.opening();
            let severity = opening().map(|signal| signal.severity).max();
            let of_worst = opening().filter(|signal| Some(signal.severity) == severity);
            // Scores lie between 0 and 1.
            let score = of_worst.map(|signal| (findings[signal.finding].score * 1e6) as u64).max();
            (Reverse(severity), Reverse(score), suspect.host)
        })
        .collect();
    hosts.sort_unstable();
    let left_out = hosts.len().saturating_sub(most) as u64;
    (hosts.into_iter().take(most).map(|(.., host)| host).collect(), left_out)
}
