//! First contacts with the outside addresses of an incident, and the hours in which data left.

use super::{Story, Told, command, entry, first_sentence, service_text, tactic, weight_of};
use crate::detect::Finding;
use crate::incident::facts::PairFact;
use crate::incident::model::{IncidentRemote, RemotePart, Tactic, TimelineKind};
use flow::Address;
use flow::codes::Role;
use flow::time::{HOUR_S, rfc3339};
use flow::units::{bytes_text, duration_text};
use std::collections::{BTreeMap, BTreeSet};

/// Detections of uploads that name the hour.
const BY_HOUR: &[&str] = &["bulk_egress", "upload_asymmetry"];

/// Detections of uploads that name a span.
const BY_SPAN: &[&str] = &["rare_egress", "pair_surge", "peer_egress", "slow_drip"];

/// Returns whether findings of a detection are told as uploads.
pub(super) fn is_upload(detection: &str) -> bool {
    BY_HOUR.contains(&detection) || BY_SPAN.contains(&detection)
}

/// Tells for each outside address of the incident when one of the known hosts met it first.
pub(super) fn first_contacts(story: &Story<'_>, told: &mut Vec<Told>) {
    let mut parts: BTreeMap<Address, RemotePart> = BTreeMap::new();
    for IncidentRemote { address, part, .. } in &story.incident.remotes {
        // An address with several parts is told by its first.
        let first = parts.entry(*address).or_insert(*part);
        *first = (*first).min(*part);
    }
    // Hosts that are not of the incident may have met it, too.
    let mut first: BTreeMap<Address, (i64, &PairFact)> = BTreeMap::new();
    let pairs = parts.iter().filter_map(|(remote, part)| Some((part, story.meetings.of_remote.get(remote)?)));
    for (part, pair) in pairs.flat_map(|(part, pairs)| pairs.iter().map(move |pair| (*part, *pair))) {
        // Hosts call a controller; who enters calls them.
        if part != RemotePart::Source && pair.role == Role::Server {
            continue;
        }
        let met_s = pair.baseline_first_seen_s.unwrap_or(pair.first_seen_s);
        let key = |met_s: i64, pair: &'_ PairFact| (met_s, pair.host.address, pair.port, pair.protocol, pair.role);
        if first.get(&pair.remote).is_none_or(|(other_s, other)| key(met_s, pair) < key(*other_s, other)) {
            first.insert(pair.remote, (met_s, pair));
        }
    }
    for (remote, (met_s, pair)) in first {
        let (actor, target) = match pair.role {
            Role::Client => (pair.host.address, remote),
            Role::Server => (remote, pair.host.address),
        };
        let text = first_text(story, (actor, target), met_s, pair);
        let span_s = (met_s, met_s);
        let mut one = entry(TimelineKind::FirstContact, span_s, (actor, Some(target)), text);
        one.port = Some(pair.port);
        one.tactic = match parts.get(&remote) {
            Some(RemotePart::Controller) => Some(Tactic::CommandAndControl),
            Some(RemotePart::Drop) => Some(Tactic::Exfiltration),
            Some(RemotePart::Source) => Some(Tactic::InitialAccess),
            Some(RemotePart::Indicator) | None => None,
        };
        one.query = command::between(actor, target, (met_s, met_s + HOUR_S));
        told.push(Told { weight: 4, entry: one });
    }
}

fn first_text(story: &Story<'_>, sides: (Address, Address), met_s: i64, pair: &PairFact) -> String {
    let window = story.facts.window;
    let (remote, service) = (pair.remote, service_text(pair.port, pair.protocol));
    let known_s = met_s - window.baseline_from_s;
    let known = if met_s < window.from_s || !window.has_history() {
        format!("the data begin {} before it", duration_text(known_s.max(0) as f64))
    } else {
        format!("none of the hosts looked at had met {remote} in {} of data before", duration_text(known_s as f64))
    };
    format!("{} meets {} on {service} for the first time; {known}.", sides.0, sides.1)
}

/// Tells uploads by the hour where a finding names it, else by the span of the finding.
pub(super) fn uploads(story: &Story<'_>, told: &mut Vec<Told>) {
    let mut hours: BTreeMap<(Address, Option<Address>, i64), (&Finding, u64)> = BTreeMap::new();
    let mut spans: BTreeMap<(Address, Option<Address>), (&Finding, u64)> = BTreeMap::new();
    for finding in story.findings.iter().copied() {
        let Some(host) = finding.host.filter(|_| is_upload(&finding.detection)) else { continue };
        let (remote, bytes) = (remote_of(finding), bytes_of(finding));
        // The worst finding tells; of others, only bytes that are more.
        if BY_HOUR.contains(&finding.detection.as_str()) {
            let hour = hours.entry((host, remote, finding.first_seen_s)).or_insert((finding, bytes));
            hour.1 = hour.1.max(bytes);
        } else {
            let span = spans.entry((host, remote)).or_insert((finding, bytes));
            span.1 = span.1.max(bytes);
        }
    }
    let told_by_hour: BTreeSet<(Address, Option<Address>)> = hours.keys().map(|(host, to, _)| (*host, *to)).collect();
    let in_hours = hours.into_iter().map(|((host, remote, _), upload)| (host, remote, upload, true));
    let in_spans = spans.into_iter().filter(|((host, remote), _)| {
        !told_by_hour.contains(&(*host, *remote)) && !(remote.is_none() && told_by_hour.iter().any(|(h, _)| h == host))
    });
    for (host, remote, (finding, bytes), by_hour) in
        in_hours.chain(in_spans.map(|((host, remote), upload)| (host, remote, upload, false)))
    {
        tell_upload(finding, (host, remote), bytes, by_hour, told);
    }
}

fn tell_upload(finding: &Finding, sides: (Address, Option<Address>), bytes: u64, by_hour: bool, told: &mut Vec<Told>) {
    let span_s = (finding.first_seen_s, finding.last_seen_s);
    let to = sides.1.map(|remote| format!(", most of it to {remote}")).unwrap_or_default();
    let when = match by_hour {
        true => format!("in the hour from {}", rfc3339(span_s.0)),
        false => format!("within {}", duration_text((span_s.1 - span_s.0).max(1) as f64)),
    };
    let text = match bytes {
        0 => first_sentence(&finding.explanation),
        _ => format!("{} sent {} out {when}{to}.", sides.0, bytes_text(bytes)),
    };
    // The end of an hour is the first second of the next.
    let end_s = if by_hour { span_s.1 - 1 } else { span_s.1 };
    let mut one = entry(TimelineKind::Upload, (span_s.0, end_s), sides, text);
    one.port = finding.port;
    one.tactic = tactic(finding);
    one.bytes = (bytes > 0).then_some(bytes);
    one.subject = Some(finding.subject.clone());
    one.query = match sides.1 {
        Some(remote) => command::between(sides.0, remote, (span_s.0, end_s)),
        None => command::hours_of(sides.0, (span_s.0, end_s)),
    };
    told.push(Told { weight: weight_of(finding).max(3), entry: one });
}

/// Returns the remote that took most of an upload; `None` where the finding names none.
fn remote_of(finding: &Finding) -> Option<Address> {
    let top = || finding.evidence.get("top_remote").and_then(serde_json::Value::as_str)?.parse().ok();
    finding.remote.or_else(top)
}

/// Returns the bytes of an upload: those of the hour where the finding has one, else those of its span.
fn bytes_of(finding: &Finding) -> u64 {
    let named = |name: &str| finding.evidence.get(name).and_then(serde_json::Value::as_u64);
    let by_hour = BY_HOUR.contains(&finding.detection.as_str());
    let hour = || if by_hour { named("bytes_out_hour") } else { None };
    hour().or_else(|| named("bytes_out")).unwrap_or(0)
}
