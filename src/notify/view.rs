//! Incidents as sinks are told of them.

use crate::incident::Incident;
use crate::incident::model::{HostPart, IncidentHost, IncidentRemote, Tactic};
use serde::Serialize;
use sink::{Host, IncidentView, Moment, Remote, StoryLine};

/// Returns an incident as far as sinks are told of it.
#[must_use]
pub fn incident_view(incident: &Incident) -> IncidentView {
    let mut techniques: Vec<String> = incident.stages.iter().flat_map(|stage| stage.techniques.clone()).collect();
    techniques.sort_unstable();
    techniques.dedup();
    IncidentView {
        id: incident.id.clone(),
        revision: incident.revision,
        status: word(&incident.status),
        closed_reason: incident.closed_reason.as_ref().map(word),
        merged_into: incident.merged_into.clone(),
        change: word(&incident.change),
        title: incident.title.clone(),
        severity: incident.severity,
        score: incident.score,
        hosts: incident.hosts.iter().map(host).collect(),
        remotes: incident.remotes.iter().map(remote).collect(),
        principals: incident.principals.clone(),
        first_seen: Moment(incident.first_seen_s),
        last_seen: Moment(incident.last_seen_s),
        opened_at: Moment(incident.opened_at_s),
        updated_at: Moment(incident.updated_at_s),
        tactics: incident.stages.iter().map(|stage| word::<Tactic>(&stage.tactic)).collect(),
        techniques,
        findings: incident.findings,
        story: incident
            .timeline
            .iter()
            .map(|entry| StoryLine { time: Moment(entry.time_s), text: entry.text.clone() })
            .collect(),
        links: incident.links.iter().map(|link| link.explanation.clone()).collect(),
        ..IncidentView::default()
    }
}

fn host(host: &IncidentHost) -> Host {
    Host {
        host: host.host.to_string(),
        account_id: host.account_id.clone(),
        region: host.region.clone(),
        vpc_id: host.vpc_id.clone(),
        interface_id: host.interface_id.clone(),
        instance_id: host.instance_id.clone(),
        part: word::<HostPart>(&host.part),
        since: Moment(host.since_s),
    }
}

fn remote(remote: &IncidentRemote) -> Remote {
    Remote {
        address: remote.address.to_string(),
        port: remote.port,
        part: word(&remote.part),
        owner: remote.owner.clone(),
    }
}

/// Returns the name of a value in JSON.
fn word<T: Serialize>(value: &T) -> String {
    let text = serde_json::to_value(value).ok();
    text.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
