//! Handmade incidents for tests.

use crate::detect::Severity;
use crate::incident::model::{
    Change, Graph, HostPart, Incident, IncidentHost, IncidentRemote, RemotePart, SCHEMA_VERSION, Stage, Status, Tactic,
    TimelineEntry, TimelineKind,
};

/// Returns a host that shows signs of its own.
pub(crate) fn host(address: &str) -> IncidentHost {
    IncidentHost {
        host: address.parse().unwrap(),
        account_id: Some("111122223333".to_owned()),
        region: Some("eu-west-1".to_owned()),
        vpc_id: None,
        interface_id: None,
        instance_id: None,
        part: HostPart::Compromised,
        since_s: 0,
    }
}

/// Returns a controller.
pub(crate) fn remote(address: &str) -> IncidentRemote {
    let address = address.parse().unwrap();
    IncidentRemote { address, port: Some(443), part: RemotePart::Controller, owner: None, prevalence_hosts: Some(1) }
}

/// Returns an entry of a timeline.
pub(crate) fn entry(kind: TimelineKind, time_s: i64, end_s: i64) -> TimelineEntry {
    TimelineEntry {
        time_s,
        end_s,
        kind,
        actor: "10.0.0.1".parse().unwrap(),
        target: "192.0.2.1".parse().ok(),
        port: Some(443),
        tactic: None,
        bytes: None,
        subject: None,
        text: format!("{kind:?} at {time_s}"),
        query: String::new(),
    }
}

/// Returns a fresh incident of one window; its id is the digit, 32 times.
pub(crate) fn incident(digit: &str, hosts: &[&str], subjects: &[&str]) -> Incident {
    let mut hosts: Vec<IncidentHost> = hosts.iter().map(|address| host(address)).collect();
    if let Some(first) = hosts.first_mut() {
        first.part = HostPart::First;
    }
    let subjects: Vec<String> = subjects.iter().map(|&subject| subject.to_owned()).collect();
    let tactic = Tactic::CommandAndControl;
    Incident {
        schema_version: SCHEMA_VERSION,
        id: digit.repeat(32),
        revision: 1,
        status: Status::Open,
        closed_reason: None,
        merged_into: None,
        change: Change::Opened,
        title: format!("incident {digit}"),
        severity: Severity::Medium,
        score: 4.0,
        expected_per_day: 1.0,
        hosts,
        remotes: vec![remote("192.0.2.1")],
        principals: Vec::new(),
        first_seen_s: 0,
        last_seen_s: 0,
        opened_at_s: 0,
        updated_at_s: 0,
        stages: vec![Stage {
            tactic,
            first_seen_s: 0,
            last_seen_s: 0,
            techniques: vec!["T1071".to_owned()],
            subjects: subjects.clone(),
        }],
        findings: subjects.len() as u64,
        subjects,
        links: Vec::new(),
        timeline: Vec::new(),
        graph: Graph::default(),
        related: Vec::new(),
        coverage: Some(1.0),
    }
}

/// Returns a fresh incident with evidence from a second to another.
pub(crate) fn seen(digit: &str, hosts: &[&str], subjects: &[&str], first_s: i64, last_s: i64) -> Incident {
    let mut incident = incident(digit, hosts, subjects);
    (incident.first_seen_s, incident.last_seen_s) = (first_s, last_s);
    incident.hosts.iter_mut().for_each(|host| host.since_s = first_s);
    for stage in &mut incident.stages {
        (stage.first_seen_s, stage.last_seen_s) = (first_s, last_s);
    }
    incident.timeline = vec![entry(TimelineKind::Finding, first_s, last_s)];
    incident
}
