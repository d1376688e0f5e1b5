//! The timelines of incidents as lines for Timesketch: each has `message`, `datetime` and `timestamp_desc`, and fields to
//! search by.

use super::error::ReportError;
use super::jsonl::write_lines;
use crate::detect::Finding;
use crate::incident::Incident;
use flow::time::rfc3339;
use serde::Serialize;
use serde_json::{Value, json};
use std::io::Write;

/// One line.
#[derive(Serialize)]
#[serde(transparent)]
struct Line {
    fields: Value,
    #[serde(skip)]
    id: String,
}

/// Writes what happened in incidents, and findings that belong to none, in the order of time.
///
/// # Errors
/// [`ReportError::Io`] when the writer fails; see [`ReportError::is_broken_pipe`].
pub fn write_timesketch<W: Write>(out: W, findings: &[Finding], incidents: &[Incident]) -> Result<(), ReportError> {
    let mut lines: Vec<(i64, Line)> = incidents.iter().flat_map(of_incident).collect();
    lines.extend(findings.iter().filter(|finding| finding.incident_id.is_none()).map(of_finding));
    lines.sort_by_key(|(time_s, _)| *time_s);
    let lines: Vec<Line> = lines.into_iter().map(|(_, line)| line).collect();
    write_lines(out, &lines, "line", |line| &line.id)
}

fn of_incident(incident: &Incident) -> impl Iterator<Item = (i64, Line)> {
    incident.timeline.iter().map(|entry| {
        let fields = json!({
            "message": entry.text,
            "datetime": stamp(entry.time_s),
            "timestamp_desc": entry.kind,
            "end": stamp(entry.end_s),
            "data_type": "flowsift:incident:entry",
            "incident": incident.id,
            "incident_title": incident.title,
            "severity": incident.severity,
            "actor": entry.actor.name(),
            "target": entry.target.as_ref().map(|target| target.name()),
            "port": entry.port,
            "tactic": entry.tactic,
            "bytes": entry.bytes,
            "subject": entry.subject,
            "query": entry.query,
        });
        (entry.time_s, Line { fields, id: incident.id.clone() })
    })
}

fn of_finding(finding: &Finding) -> (i64, Line) {
    let fields = json!({
        "message": finding.explanation,
        "datetime": stamp(finding.first_seen_s),
        "timestamp_desc": "finding",
        "end": stamp(finding.last_seen_s),
        "data_type": "flowsift:finding",
        "detection": finding.detection,
        "severity": finding.severity,
        "actor": finding.host.map(|host| host.to_string()).or_else(|| finding.principal.clone()),
        "target": finding.remote.map(|remote| remote.to_string()),
        "port": finding.port,
        "techniques": finding.techniques,
        "subject": finding.subject,
    });
    (finding.first_seen_s, Line { fields, id: finding.id.clone() })
}

/// Returns a time in the form that Timesketch reads.
fn stamp(second: i64) -> String {
    rfc3339(second).replace('Z', "+00:00")
}
