//! An event for Splunk's HTTP Event Collector.

use crate::notice::Notice;
use serde_json::{Value, json};

pub(crate) fn body(notice: &Notice, now_s: i64) -> Value {
    let (time_s, host, kind) = match notice {
        Notice::Incident(notice) => {
            let host = notice.incident.hosts.first().map(|host| host.host.clone());
            (notice.incident.updated_at.0, host, "flowsift:incident")
        }
        Notice::Digest(digest) => (digest.run.window_end.map_or(now_s, |end| end.0), None, "flowsift:digest"),
        Notice::Heartbeat(run) => (run.window_end.map_or(now_s, |end| end.0), None, "flowsift:run"),
    };
    let mut event = json!({ "time": time_s, "source": "flowsift", "sourcetype": kind, "event": notice });
    if let Some(host) = host {
        event["host"] = host.into();
    }
    event
}
