//! Facts, incidents and findings made by hand, for tests.

use super::facts::{Facts, HostKey, PairFact};
use super::model::{
    Change, Graph, HostPart, Incident, IncidentHost, IncidentRemote, RemotePart, SCHEMA_VERSION, Status,
};
use crate::detect::finding::{FLOW_LOG, Finding};
use crate::detect::{Severity, finding};
use flow::Address;
use flow::codes::{Role, TCP};
use flow::time::DAY_S;
use rollup::window::Window;

/// First second of the window: it is a day long.
pub(super) const FROM_S: i64 = 20 * DAY_S;

const ACCOUNT: &str = "111122223333";
const REGION: &str = "us-east-1";

pub(super) fn address(text: &str) -> Address {
    text.parse().unwrap()
}

pub(super) fn key(text: &str) -> HostKey {
    HostKey { account_id: ACCOUNT.to_owned(), region: REGION.to_owned(), address: address(text) }
}

/// A connection that was opened at a second of the window, answered, and had not been seen before.
pub(super) fn call(from: &str, to: &str, port: u16, at_s: i64) -> PairFact {
    let to = address(to);
    PairFact {
        host: key(from),
        remote: to,
        port,
        protocol: TCP,
        role: Role::Client,
        external: !to.to_string().starts_with("10."),
        connections: 1,
        records: 4,
        rejected: 0,
        bytes_out: 5_000,
        bytes_in: 20_000,
        packets_in: 30,
        first_seen_s: FROM_S + at_s,
        last_seen_s: FROM_S + at_s + 60,
        longest_s: 60,
        active_hours: 1,
        first_contact: None,
        baseline_bytes_out: Some(0),
        baseline_hours: Some(0),
        baseline_first_seen_s: None,
        prevalence_hosts: 1,
        window_s: 60,
        starts_s: vec![FROM_S + at_s],
    }
}

/// The same call by habit: the two met in each of ten hours of the history.
pub(super) fn habit(pair: PairFact) -> PairFact {
    PairFact {
        first_contact: Some(false),
        baseline_hours: Some(10),
        baseline_bytes_out: Some(2 * pair.bytes_out),
        baseline_first_seen_s: Some(FROM_S - DAY_S),
        ..pair
    }
}

/// The same connection as the other side has it.
pub(super) fn answered_by(pair: &PairFact) -> PairFact {
    PairFact {
        host: HostKey { address: pair.remote, ..pair.host.clone() },
        remote: pair.host.address,
        role: Role::Server,
        bytes_out: pair.bytes_in,
        bytes_in: pair.bytes_out,
        ..pair.clone()
    }
}

/// Nobody answered.
pub(super) fn unanswered(pair: PairFact) -> PairFact {
    PairFact { bytes_in: 0, packets_in: 0, ..pair }
}

/// The facts of a run over 1,000 hosts and one day, after two days of history.
pub(super) fn facts(pairs: Vec<PairFact>) -> Facts {
    let window = Window { from_s: FROM_S, to_s: FROM_S + DAY_S, baseline_from_s: FROM_S - 2 * DAY_S };
    let mut facts = Facts::new(window, 1_000);
    for pair in pairs {
        facts.pairs.entry(pair.host.clone()).or_default().push(pair);
    }
    for pairs in facts.pairs.values_mut() {
        pairs.sort_by_key(|pair| (pair.role, pair.remote, pair.port, pair.protocol));
    }
    facts
}

/// The facts of a run without history.
pub(super) fn without_history(pairs: Vec<PairFact>) -> Facts {
    let unknown = |pair: PairFact| PairFact { baseline_bytes_out: None, baseline_hours: None, ..pair };
    let mut facts = facts(pairs.into_iter().map(unknown).collect());
    facts.window.baseline_from_s = FROM_S;
    facts
}

/// An open incident of hosts, each with the second of the window of its first sign.
pub(super) fn incident(hosts: &[(&str, i64)]) -> Incident {
    let host = |(at, (text, since_s)): (usize, &(&str, i64))| IncidentHost {
        host: address(text),
        account_id: Some(ACCOUNT.to_owned()),
        region: Some(REGION.to_owned()),
        vpc_id: None,
        interface_id: None,
        instance_id: None,
        part: if at == 0 { HostPart::First } else { HostPart::Compromised },
        since_s: FROM_S + since_s,
    };
    Incident {
        schema_version: SCHEMA_VERSION,
        id: "c0ffee1234567890abcdef0123456789".to_owned(),
        revision: 1,
        status: Status::Open,
        closed_reason: None,
        merged_into: None,
        change: Change::Opened,
        title: "one".to_owned(),
        severity: Severity::High,
        score: 6.0,
        expected_per_day: 0.001,
        hosts: hosts.iter().enumerate().map(host).collect(),
        remotes: Vec::new(),
        principals: Vec::new(),
        first_seen_s: FROM_S,
        last_seen_s: FROM_S + DAY_S,
        opened_at_s: FROM_S + DAY_S,
        updated_at_s: FROM_S + DAY_S,
        stages: Vec::new(),
        subjects: Vec::new(),
        findings: 1,
        links: Vec::new(),
        timeline: Vec::new(),
        graph: Graph::default(),
        related: Vec::new(),
        coverage: None,
    }
}

pub(super) fn remote(text: &str, part: RemotePart) -> IncidentRemote {
    IncidentRemote { address: address(text), port: Some(443), part, owner: None, prevalence_hosts: Some(1) }
}

/// A finding of severity high about a host, and about the service of a remote where one is given.
pub(super) fn found(detection: &str, host: &str, to: Option<(&str, u16)>, span_s: (i64, i64)) -> Finding {
    Finding {
        schema_version: finding::SCHEMA_VERSION,
        id: format!("id of {detection} {host}"),
        subject: format!("{detection} {host} {to:?}"),
        incident_id: None,
        detection: detection.to_owned(),
        title: detection.to_owned(),
        severity: Severity::High,
        score: 0.5,
        p_value: None,
        account_id: Some(ACCOUNT.to_owned()),
        region: Some(REGION.to_owned()),
        host: Some(address(host)),
        interface_id: None,
        instance_id: None,
        vpc_id: None,
        remote: to.map(|(remote, _)| address(remote)),
        port: to.map(|(_, port)| port),
        protocol: Some(TCP),
        role: Some(Role::Client),
        principal: None,
        credential: None,
        source: None,
        app: None,
        object: None,
        logs: vec![FLOW_LOG.to_owned()],
        event_ids: Vec::new(),
        first_seen_s: FROM_S + span_s.0,
        last_seen_s: FROM_S + span_s.1,
        window_start_s: FROM_S,
        window_end_s: FROM_S + DAY_S,
        techniques: Vec::new(),
        evidence: serde_json::Map::new(),
        explanation: format!("{host} did it. Lowered: not here."),
        coverage: None,
        members: Vec::new(),
    }
}

/// The finding with evidence.
pub(super) fn with_evidence(mut finding: Finding, values: &[(&str, serde_json::Value)]) -> Finding {
    finding.evidence.extend(values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    finding
}
