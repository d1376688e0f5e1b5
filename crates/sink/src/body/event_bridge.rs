//! Entries for EventBridge's PutEvents.

use crate::notice::{Change, Notice};
use serde_json::{Value, json};

/// Most entries of one request.
pub(crate) const MAX_ENTRIES: usize = 10;
/// Most bytes of one request.
pub(crate) const MAX_BYTES: usize = 1_000_000;

/// Returns the entry of a notice.
pub(crate) fn entry(notice: &Notice, bus: &str, now_s: i64) -> Value {
    let (kind, time_s) = match notice {
        Notice::Incident(notice) => {
            let kind = match notice.change {
                Change::Opened => "Incident Opened",
                Change::Escalated => "Incident Escalated",
                Change::Reopened => "Incident Reopened",
                Change::Extended => "Incident Extended",
                Change::Closed => "Incident Closed",
            };
            (kind, notice.incident.updated_at.0)
        }
        Notice::Digest(digest) => ("Digest", digest.run.window_end.map_or(now_s, |end| end.0)),
        Notice::Heartbeat(run) => ("Run Finished", run.window_end.map_or(now_s, |end| end.0)),
    };
    json!({
        "Source": "flowsift",
        "DetailType": kind,
        "Time": time_s,
        "EventBusName": bus,
        "Detail": detail(notice),
    })
}

/// Returns the detail: the notice, with the key by which a rule's target knows a repetition.
fn detail(notice: &Notice) -> String {
    let mut detail = serde_json::to_value(notice).unwrap_or_default();
    detail["idempotency_key"] = notice.key().into();
    detail.to_string()
}
