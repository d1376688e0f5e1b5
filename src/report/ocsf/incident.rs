//! The event of an incident.

use super::{Head, address_observable, attacks, host_resource, millis, user_observable};
use crate::incident::Incident;
use crate::incident::model::{Change, ClosedReason, Status, Tactic};
use serde_json::{Value, json};

/// Returns the event of an incident.
pub(super) fn event(incident: &Incident) -> Value {
    let (activity_id, activity) = match (incident.status, incident.change) {
        (Status::Closed | Status::Merged, _) => (3, "Close"),
        (Status::Open, Change::Opened) => (1, "Create"),
        (Status::Open, _) => (2, "Update"),
    };
    let (status_id, status) = match (incident.status, incident.closed_reason) {
        (Status::Open, _) if incident.change == Change::Opened => (1, "New"),
        (Status::Open, _) => (2, "In Progress"),
        (_, Some(ClosedReason::Allowed | ClosedReason::FalsePositive | ClosedReason::Benign)) => (3, "Suppressed"),
        (_, _) => (4, "Resolved"),
    };
    let first = incident.hosts.first();
    let head = Head {
        activity_id,
        activity,
        severity: incident.severity,
        made_s: incident.updated_at_s,
        first_seen_s: incident.first_seen_s,
        last_seen_s: incident.last_seen_s,
        status_id,
        status,
        uid: &incident.id,
        correlation_uid: Some(&incident.id),
        account_id: first.and_then(|host| host.account_id.as_deref()),
        region: first.and_then(|host| host.region.as_deref()),
        profiles: &["cloud", "incident"],
    };
    let mut event = head.event(&incident.title);
    let alerts = matches!(incident.change, Change::Opened | Change::Escalated | Change::Reopened);
    event.insert("is_alert".to_owned(), (alerts && incident.status == Status::Open).into());
    let attacks: Vec<Value> = incident
        .stages
        .iter()
        .flat_map(|stage| {
            let tactic = tactic(stage.tactic);
            match stage.techniques.is_empty() {
                true => vec![json!({ "version": "17", "tactic": { "uid": tactic.0, "name": tactic.1 } })],
                false => attacks(stage.techniques.iter(), Some(tactic)),
            }
        })
        .collect();
    let story: Vec<&str> = incident.timeline.iter().take(20).map(|entry| entry.text.as_str()).collect();
    let desc = if story.is_empty() { incident.title.clone() } else { story.join("\n") };
    let mut info = json!({
        "uid": incident.id,
        "title": incident.title,
        "desc": desc,
        "types": ["incident"],
        "analytic": { "uid": "incident", "name": "flowsift incidents", "type_id": 2, "type": "Behavioral" },
        "attacks": attacks,
        "created_time": millis(incident.opened_at_s),
        "modified_time": millis(incident.updated_at_s),
        "first_seen_time": millis(incident.first_seen_s),
        "last_seen_time": millis(incident.last_seen_s),
        "related_events_count": incident.findings,
    });
    if !incident.graph.nodes.is_empty() {
        info["attack_graph"] = attack_graph(incident);
    }
    event.insert("finding_info".to_owned(), info);
    let hosts = incident.hosts.iter().map(|host| {
        let (instance, interface) = (host.instance_id.as_deref(), host.interface_id.as_deref());
        host_resource(&host.host.to_string(), instance, interface, host.region.as_deref())
    });
    let resources: Vec<Value> = hosts.collect();
    if !resources.is_empty() {
        event.insert("resources".to_owned(), resources.into());
    }
    event.insert("evidences".to_owned(), evidences(incident));
    let hosts = incident.hosts.iter().map(|host| address_observable("resources[].ip", &host.host.to_string()));
    let remotes = incident
        .remotes
        .iter()
        .map(|remote| address_observable("evidences[].dst_endpoint.ip", &remote.address.to_string()));
    let users = incident.principals.iter().map(|name| user_observable("evidences[].user.name", name));
    let observables: Vec<Value> = hosts.chain(remotes).chain(users).collect();
    if !observables.is_empty() {
        event.insert("observables".to_owned(), observables.into());
    }
    event.into()
}

/// Returns one entry for each remote and principal, and one for the score.
fn evidences(incident: &Incident) -> Value {
    let remotes = incident.remotes.iter().map(|remote| {
        let mut to = json!({ "ip": remote.address.to_string() });
        if let Some(port) = remote.port {
            to["port"] = port.into();
        }
        if let Some(owner) = &remote.owner {
            to["name"] = owner.as_str().into();
        }
        json!({ "dst_endpoint": to, "data": { "part": remote.part, "prevalence_hosts": remote.prevalence_hosts } })
    });
    let users = incident.principals.iter().map(|name| json!({ "user": { "name": name } }));
    let summed = json!({ "data": {
        "score": incident.score,
        "expected_per_day": incident.expected_per_day,
        "revision": incident.revision,
        "change": incident.change,
        "closed_reason": incident.closed_reason,
        "merged_into": incident.merged_into,
        "subjects": incident.subjects,
    } });
    std::iter::once(summed).chain(remotes).chain(users).collect::<Vec<Value>>().into()
}

fn attack_graph(incident: &Incident) -> Value {
    let nodes = incident.graph.nodes.iter().map(|node| {
        let address = node.address.to_string();
        json!({ "uid": address, "name": address, "type": node.class })
    });
    let known: std::collections::BTreeSet<String> =
        incident.graph.nodes.iter().map(|node| node.address.to_string()).collect();
    let edges = incident.graph.edges.iter().filter_map(|edge| {
        let (source, target) = (edge.from.to_string(), edge.to.to_string());
        let both = known.contains(&source) && known.contains(&target);
        both.then(|| {
            let name = if edge.port == 0 { "several ports".to_owned() } else { format!("port {}", edge.port) };
            json!({ "uid": format!("{source}-{target}-{}", edge.port), "name": name, "source": source, "target": target, "is_directed": true })
        })
    });
    json!({
        "uid": incident.id,
        "name": "reach",
        "is_directed": true,
        "nodes": nodes.collect::<Vec<Value>>(),
        "edges": edges.collect::<Vec<Value>>(),
    })
}

/// Returns the id and the name of a tactic in ATT&CK.
fn tactic(tactic: Tactic) -> (&'static str, &'static str) {
    match tactic {
        Tactic::InitialAccess => ("TA0001", "Initial Access"),
        Tactic::Discovery => ("TA0007", "Discovery"),
        Tactic::CredentialAccess => ("TA0006", "Credential Access"),
        Tactic::Persistence => ("TA0003", "Persistence"),
        Tactic::LateralMovement => ("TA0008", "Lateral Movement"),
        Tactic::Collection => ("TA0009", "Collection"),
        Tactic::CommandAndControl => ("TA0011", "Command and Control"),
        Tactic::Exfiltration => ("TA0010", "Exfiltration"),
        Tactic::DefenseEvasion => ("TA0005", "Defense Evasion"),
        Tactic::Impact => ("TA0040", "Impact"),
    }
}
