//! The event of a finding.

use super::{Head, IsInternal, address_observable, attacks, host_resource, millis, user_observable};
use crate::detect::Finding;
use flow::codes::Role;
use serde_json::{Map, Value, json};

/// Returns the event of a finding.
pub(super) fn event(finding: &Finding, is_internal: IsInternal<'_>) -> Value {
    let held_back = finding.is_held_back();
    let head = Head {
        activity_id: 1,
        activity: "Create",
        severity: finding.severity,
        made_s: finding.window_end_s,
        first_seen_s: finding.first_seen_s,
        last_seen_s: finding.last_seen_s,
        status_id: if held_back { 3 } else { 1 },
        status: if held_back { "Suppressed" } else { "New" },
        uid: &finding.id,
        correlation_uid: finding.incident_id.as_deref(),
        account_id: finding.account_id.as_deref(),
        region: finding.region.as_deref(),
        profiles: &["cloud"],
    };
    let mut event = head.event(&finding.explanation);
    // People are told of incidents.
    event.insert("is_alert".to_owned(), false.into());
    event.insert("confidence_score".to_owned(), score(finding.score).into());
    let statistical = finding.p_value.is_some();
    event.insert(
        "finding_info".to_owned(),
        json!({
            "uid": finding.subject,
            "title": finding.title,
            "desc": finding.explanation,
            "types": [finding.detection],
            "analytic": {
                "uid": finding.detection,
                "name": finding.title,
                "type_id": if statistical { 3 } else { 1 },
                "type": if statistical { "Statistical" } else { "Rule" },
            },
            "attacks": attacks(finding.techniques.iter(), None),
            "data_sources": finding.logs,
            "created_time": millis(finding.window_end_s),
            "first_seen_time": millis(finding.first_seen_s),
            "last_seen_time": millis(finding.last_seen_s),
        }),
    );
    event.insert("evidences".to_owned(), json!([evidence(finding, is_internal)]));
    let resources = resources(finding);
    if !resources.is_empty() {
        event.insert("resources".to_owned(), resources.into());
    }
    let observables = observables(finding);
    if !observables.is_empty() {
        event.insert("observables".to_owned(), observables.into());
    }
    event.into()
}

/// Returns 0–100 of a score of 0–1.
fn score(score: f64) -> u32 {
    if score.is_nan() { 0 } else { (score.clamp(0.0, 1.0) * 100.0).round() as u32 }
}

fn evidence(finding: &Finding, is_internal: IsInternal<'_>) -> Value {
    let mut evidence = Map::new();
    let host = finding.host.map(|address| {
        let mut host = json!({ "ip": address.to_string() });
        if let Some(interface) = &finding.interface_id {
            host["interface_uid"] = interface.as_str().into();
        }
        if let Some(instance) = &finding.instance_id {
            host["instance_uid"] = instance.as_str().into();
        }
        if let Some(vpc) = &finding.vpc_id {
            host["vpc_uid"] = vpc.as_str().into();
        }
        host
    });
    let remote = finding.remote.map(|address| json!({ "ip": address.to_string() }));
    let served = finding.role == Some(Role::Server);
    // The port is that of the service, so it belongs to the side that answers.
    let (mut from, mut to) = if served { (remote, host) } else { (host, remote) };
    if let Some((to, port)) = to.as_mut().zip(finding.port) {
        to["port"] = port.into();
    }
    if finding.host.is_some() {
        let inside = finding.remote.is_some_and(is_internal);
        let (direction_id, direction) = match (inside, finding.role) {
            (true, Some(_)) => (3, "Lateral"),
            (false, Some(Role::Client)) => (2, "Outbound"),
            (false, Some(Role::Server)) => (1, "Inbound"),
            (_, None) => (0, "Unknown"),
        };
        let mut connection = json!({ "direction_id": direction_id, "direction": direction });
        if let Some(protocol) = finding.protocol {
            connection["protocol_num"] = protocol.into();
        }
        evidence.insert("connection_info".to_owned(), connection);
    }
    if finding.host.is_none() {
        // About a principal: the address is that of the caller.
        let caller = finding.source.as_deref().and_then(|source| source.parse::<flow::Address>().ok());
        from = finding.remote.or(caller).map(|address| json!({ "ip": address.to_string() }));
        to = None;
    }
    for (name, side) in [("src_endpoint", from), ("dst_endpoint", to)] {
        if let Some(side) = side {
            evidence.insert(name.to_owned(), side);
        }
    }
    if let Some(principal) = &finding.principal {
        evidence.insert("user".to_owned(), json!({ "name": principal }));
    }
    let mut data = finding.evidence.clone();
    let named = [
        ("credential", &finding.credential),
        ("source", &finding.source),
        ("app", &finding.app),
        ("object", &finding.object),
    ];
    for (name, value) in named {
        if let Some(value) = value {
            data.entry(name).or_insert_with(|| value.as_str().into());
        }
    }
    if !finding.event_ids.is_empty() {
        data.entry("event_ids").or_insert_with(|| finding.event_ids.clone().into());
    }
    if let Some(p_value) = finding.p_value {
        data.entry("p_value").or_insert_with(|| p_value.into());
    }
    evidence.insert("data".to_owned(), data.into());
    evidence.into()
}

fn resources(finding: &Finding) -> Vec<Value> {
    let host = finding.host.map(|host| {
        let (instance, interface) = (finding.instance_id.as_deref(), finding.interface_id.as_deref());
        host_resource(&host.to_string(), instance, interface, finding.region.as_deref())
    });
    let app = finding.app.as_ref().map(|app| json!({ "uid": app, "name": app, "type": "Application" }));
    host.into_iter().chain(app).collect()
}

fn observables(finding: &Finding) -> Vec<Value> {
    let served = finding.role == Some(Role::Server);
    let (host, remote) = match served || finding.host.is_none() {
        true => ("evidences[].dst_endpoint.ip", "evidences[].src_endpoint.ip"),
        false => ("evidences[].src_endpoint.ip", "evidences[].dst_endpoint.ip"),
    };
    let host = finding.host.map(|address| address_observable(host, &address.to_string()));
    let remote = finding.remote.map(|address| address_observable(remote, &address.to_string()));
    let user = finding.principal.as_ref().map(|name| user_observable("evidences[].user.name", name));
    host.into_iter().chain(remote).chain(user).collect()
}
