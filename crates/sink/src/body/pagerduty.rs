//! An event for PagerDuty's Events API, version 2: an incident is one alert, by its id, and closing resolves it.

use super::plain::Message;
use crate::notice::{Change, Notice, cut_to};
use crate::secret::Secret;
use flow::Severity;
use serde_json::{Map, Value, json};

/// Most characters of a summary.
const MAX_SUMMARY: usize = 1_024;

/// Returns the event; `None` for what is about no incident.
pub(crate) fn body(notice: &Notice, key: &Secret) -> Option<Value> {
    let about = notice.of_incident()?;
    let incident = &about.incident;
    if about.change == Change::Closed {
        let resolve = json!({ "routing_key": key.reveal(), "event_action": "resolve", "dedup_key": incident.id });
        return Some(resolve);
    }
    let message = Message::of(notice);
    let mut details = Map::new();
    for (name, value) in &message.facts {
        details.insert((*name).to_owned(), value.clone().into());
    }
    details.insert("Story".to_owned(), message.lines.into());
    let severity = match incident.severity {
        Severity::Critical => "critical",
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Informational => "info",
    };
    let source = incident.hosts.first().map(|host| host.host.clone());
    let source = source.or_else(|| incident.principals.first().cloned()).unwrap_or_else(|| "flowsift".to_owned());
    Some(json!({
        "routing_key": key.reveal(),
        "event_action": "trigger",
        "dedup_key": incident.id,
        "client": "flowsift",
        "payload": {
            "summary": cut_to(&message.heading, MAX_SUMMARY),
            "source": source,
            "severity": severity,
            "timestamp": incident.last_seen.text(),
            "class": incident.tactics.first().cloned().unwrap_or_default(),
            "custom_details": details,
        },
    }))
}
