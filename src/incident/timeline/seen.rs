//! Sweeps, exposed services, silent logs and every other finding: what findings tell by themselves.

use super::{Story, Told, cadence, command, entry, first_sentence, outside, sides, tactic, weight_of};
use crate::detect::Finding;
use crate::incident::model::TimelineKind;
use flow::Address;

/// Tells the findings that no other part of the timeline tells.
pub(super) fn others(story: &Story<'_>, told: &mut Vec<Told>) {
    let is_other = |finding: &&&Finding| {
        finding.detection != "brute_force"
            && !outside::is_upload(&finding.detection)
            && cadence::period_s(finding).is_none()
    };
    for finding in story.findings.iter().filter(is_other) {
        let kind = match finding.detection.as_str() {
            "port_sweep" | "port_scan" => TimelineKind::Sweep,
            "exposed_service" => TimelineKind::Exposure,
            "log_gap" | "access_log_gap" => TimelineKind::LogGap,
            _ => TimelineKind::Finding,
        };
        let Some(sides) = sides_of(story, finding, kind) else { continue };
        let span_s = (finding.first_seen_s, finding.last_seen_s);
        let mut one = entry(kind, span_s, sides, first_sentence(&finding.explanation));
        one.port = finding.port;
        one.tactic = tactic(finding);
        one.bytes = finding.evidence.get("bytes_out").and_then(serde_json::Value::as_u64).filter(|_| {
            // Elsewhere bytes say nothing about what happened.
            kind == TimelineKind::Finding
        });
        one.subject = Some(finding.subject.clone());
        one.query = match (kind, sides.1) {
            (TimelineKind::LogGap, _) => command::logged_hours(finding.interface_id.as_deref(), span_s),
            (TimelineKind::Exposure, _) => command::received_by(sides.0, span_s),
            (_, Some(target)) => command::between(sides.0, target, span_s),
            (_, None) => command::sent_by(sides.0, span_s),
        };
        let weight = weight_of(finding).max(if kind == TimelineKind::Finding { 1 } else { 3 });
        told.push(Told { weight, entry: one });
    }
}

/// Returns who acted in a finding, and upon whom. A service is exposed by its host, whoever comes; a log that is of no
/// host is told with the first host of the incident.
fn sides_of(story: &Story<'_>, finding: &Finding, kind: TimelineKind) -> Option<(Address, Option<Address>)> {
    match kind {
        TimelineKind::Exposure => Some((finding.host?, finding.remote)),
        TimelineKind::LogGap => {
            let first = || story.incident.hosts.first().map(|host| host.host);
            Some((finding.host.or_else(first)?, None))
        }
        _ => sides(finding),
    }
}
