//! Incidents on a terminal: a few lines each, in the order of their rank.

use super::{GAP, MIN_WIDTH, TableOptions, minute_text, push_severity, severity_word, wrapped};
use crate::incident::Incident;
use crate::incident::model::{Change, ClosedReason, HostPart, IncidentHost, Status, Tactic, TimelineEntry};
use flow::Severity;
use flow::printable::printable;
use flow::units::{count_text, counted, number_text};
use std::collections::BTreeMap;
use std::fmt::Write as _;

mod reach;

/// Hosts of an incident that are named.
const NAMED_HOSTS: usize = 5;

/// Links of an incident that are told.
const NAMED_LINKS: usize = 3;

/// Incidents that are told, unless all rows are wanted.
const TOLD: usize = 20;

/// Returns whether an incident says more than its finding does, which the table has as well.
fn tells_more(incident: &Incident) -> bool {
    incident.severity >= Severity::Medium || incident.findings > 1 || incident.hosts.len() > 1
}

/// Returns incidents as text: rank, severity, score and title, then hosts and since when, stages, from severity high on
/// whom they reached, and why the hosts belong together; `timeline` adds what happened, by time. Empty without incidents. With a limit of rows, at most `TOLD` are
/// told, and those of severity low that are a single finding are counted only.
///
/// Control characters are replaced.
pub fn incidents_text(incidents: &[Incident], options: &TableOptions, timeline: bool) -> String {
    if incidents.is_empty() {
        return String::new();
    }
    let width = options.width.max(MIN_WIDTH);
    let ranked = incidents.iter().enumerate().map(|(at, incident)| (at + 1, incident));
    let (mut told, mut rest): (Vec<_>, Vec<_>) =
        ranked.partition(|(_, incident)| options.limit.is_none() || tells_more(incident));
    let most = options.limit.map_or(told.len(), |limit| limit.min(TOLD).min(told.len()));
    rest.extend(told.split_off(most));
    let (count, counts) = (counted(incidents.len() as u64, "incident", "incidents"), by_severity(incidents.iter()));
    let all_alone = if told.is_empty() { ", of one finding each" } else { "" };
    let mut text = format!("{count}: {counts}{all_alone}\n");
    let rank_width = count_text(told.last().map_or(0, |(rank, _)| *rank) as u64).len();
    for (rank, incident) in &told {
        text.push('\n');
        push_incident(&mut text, incident, (*rank, rank_width), width, options.color);
        if timeline {
            push_timeline(&mut text, &incident.timeline, rank_width + GAP, width);
        }
    }
    if !rest.is_empty() && !told.is_empty() {
        let counts = by_severity(rest.iter().map(|(_, incident)| *incident));
        let _ = writeln!(text, "\nand {} more: {counts}", count_text(rest.len() as u64));
    }
    text
}

fn by_severity<'a>(incidents: impl Iterator<Item = &'a Incident>) -> String {
    let mut counts: BTreeMap<Severity, u64> = BTreeMap::new();
    for incident in incidents {
        *counts.entry(incident.severity).or_default() += 1;
    }
    let parts = counts.iter().rev().map(|(severity, count)| format!("{} {severity}", count_text(*count)));
    parts.collect::<Vec<_>>().join(", ")
}

fn push_incident(text: &mut String, incident: &Incident, rank: (usize, usize), width: usize, color: bool) {
    let (rank, rank_width) = rank;
    let indent = rank_width + GAP;
    let _ = write!(text, "{rank:>rank_width$}  ");
    push_severity(text, incident.severity, severity_word(incident.severity).len() + GAP, color);
    let score = format!("{:.1}", incident.score);
    let _ = write!(text, "{score}  ");
    let before = indent + severity_word(incident.severity).len() + GAP + score.len() + GAP;
    // The title goes on below its beginning.
    for (at, line) in wrapped(&printable(&incident.title), width - before).iter().enumerate() {
        let _ = writeln!(text, "{:1$}{line}", "", if at == 0 { 0 } else { before });
    }
    let findings = counted(incident.findings, "finding", "findings");
    let since = minute_text(incident.first_seen_s, 0);
    let mut lines = vec![
        parties_text(incident, &since),
        format!("{}{findings}, {}", stages_text(incident), expected_text(incident.expected_per_day)),
    ];
    lines.extend(life_text(incident));
    lines.extend(reach::reach_text(incident).filter(|_| incident.severity >= Severity::High));
    let tree: Vec<&str> =
        incident.links.iter().filter(|link| link.in_tree).map(|link| link.explanation.as_str()).collect();
    lines.extend(tree.iter().take(NAMED_LINKS).map(|link| format!("because {link}")));
    if tree.len() > NAMED_LINKS {
        lines.push(format!("and {} more links", count_text((tree.len() - NAMED_LINKS) as u64)));
    }
    for line in lines {
        // What goes on is indented further.
        for (at, line) in wrapped(&printable(&line), width - indent - GAP).iter().enumerate() {
            let _ = writeln!(text, "{:1$}{line}", "", if at == 0 { indent } else { indent + GAP });
        }
    }
}

/// Returns what the run changed in an incident of earlier runs, and whether it ended.
fn life_text(incident: &Incident) -> Option<String> {
    let since = || minute_text(incident.updated_at_s, 0);
    match (incident.status, incident.change) {
        (Status::Merged, _) => Some(format!("became part of {}", incident.merged_into.as_deref().unwrap_or("another"))),
        (Status::Closed, _) => Some(format!("closed {}: {}", since(), incident.closed_reason.map_or("", reason_text))),
        (Status::Open, Change::Escalated) => Some("escalated: more severe than before".to_owned()),
        (Status::Open, Change::Extended) => Some("extended: new hosts, tactics or remotes".to_owned()),
        (Status::Open, Change::Reopened) => Some("reopened: it had fallen silent".to_owned()),
        (Status::Open, Change::Unchanged) => Some(format!("unchanged since {}", since())),
        (Status::Open, Change::Opened | Change::Merged | Change::Closed) => None,
    }
}

fn reason_text(reason: ClosedReason) -> &'static str {
    match reason {
        ClosedReason::Quiet => "no new evidence",
        ClosedReason::Allowed => "an allow-list covers it",
        ClosedReason::FalsePositive => "judged a false positive",
        ClosedReason::Benign => "judged benign",
        ClosedReason::Resolved => "resolved",
    }
}

/// Returns who takes part, and since when.
fn parties_text(incident: &Incident, since: &str) -> String {
    let principals = || {
        let named: Vec<&str> = incident.principals.iter().take(NAMED_HOSTS).map(String::as_str).collect();
        let count = counted(incident.principals.len() as u64, "principal", "principals");
        let more = incident.principals.len() - named.len();
        let more = if more > 0 { format!(" and {} more", count_text(more as u64)) } else { String::new() };
        format!("{count}: {}{more}", named.join(", "))
    };
    let hosts = || counted(incident.hosts.len() as u64, "host", "hosts");
    match (incident.hosts.is_empty(), incident.principals.is_empty()) {
        (true, false) => format!("since {since}, {}", principals()),
        (_, true) => format!("{} since {since}: {}", hosts(), hosts_text(&incident.hosts)),
        (false, false) => format!("{} since {since}: {}; {}", hosts(), hosts_text(&incident.hosts), principals()),
    }
}

fn hosts_text(hosts: &[IncidentHost]) -> String {
    let named = hosts.iter().take(NAMED_HOSTS).map(|host| match host.part {
        HostPart::Pivot => format!("{} (pivot)", host.host),
        HostPart::Target => format!("{} (target)", host.host),
        HostPart::First | HostPart::Compromised => host.host.to_string(),
    });
    let mut text = named.collect::<Vec<_>>().join(", ");
    if hosts.len() > NAMED_HOSTS {
        let _ = write!(text, " and {} more", count_text((hosts.len() - NAMED_HOSTS) as u64));
    }
    text
}

fn stages_text(incident: &Incident) -> String {
    let names: Vec<&str> = incident.stages.iter().map(|stage| tactic_text(stage.tactic)).collect();
    if names.is_empty() { String::new() } else { format!("{}; ", names.join(", ")) }
}

fn tactic_text(tactic: Tactic) -> &'static str {
    match tactic {
        Tactic::InitialAccess => "initial access",
        Tactic::Discovery => "discovery",
        Tactic::CredentialAccess => "credential access",
        Tactic::Persistence => "persistence",
        Tactic::LateralMovement => "lateral movement",
        Tactic::Collection => "collection",
        Tactic::CommandAndControl => "command and control",
        Tactic::Exfiltration => "exfiltration",
        Tactic::DefenseEvasion => "defense evasion",
        Tactic::Impact => "impact",
    }
}

fn expected_text(per_day: f64) -> String {
    if per_day < 0.001 {
        "hardly ever benign".to_owned()
    } else {
        format!("{} such a day expected if all is benign", number_text(per_day))
    }
}

fn push_timeline(text: &mut String, timeline: &[TimelineEntry], indent: usize, width: usize) {
    for entry in timeline {
        let time = minute_text(entry.time_s, "2024-".len());
        let room = width - indent - time.len() - GAP;
        for (at, line) in wrapped(&printable(&entry.text), room).iter().enumerate() {
            let time = if at == 0 { time.as_str() } else { "" };
            let _ = writeln!(text, "{:indent$}{time:11}  {line}", "");
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::incident::model::{
        Change, Edge, Graph, Link, LinkKind, Node, NodeClass, SCHEMA_VERSION, Stage, Status, TimelineKind,
    };

    fn host(text: &str, part: HostPart) -> IncidentHost {
        IncidentHost {
            host: text.parse().unwrap(),
            account_id: Some("111122223333".to_owned()),
            region: None,
            vpc_id: None,
            interface_id: None,
            instance_id: None,
            part,
            since_s: 1_713_485_220,
        }
    }

    fn stage(tactic: Tactic) -> Stage {
        Stage { tactic, first_seen_s: 0, last_seen_s: 0, techniques: Vec::new(), subjects: Vec::new() }
    }

    fn incident(title: &str, severity: Severity, score: f64, hosts: Vec<IncidentHost>) -> Incident {
        Incident {
            schema_version: SCHEMA_VERSION,
            id: title.to_owned(),
            revision: 1,
            status: Status::Open,
            closed_reason: None,
            merged_into: None,
            change: Change::Opened,
            title: title.to_owned(),
            severity,
            score,
            expected_per_day: 1_000.0 * 10f64.powf(-score),
            hosts,
            remotes: Vec::new(),
            principals: Vec::new(),
            first_seen_s: 1_713_485_220,
            last_seen_s: 1_713_571_000,
            opened_at_s: 1_713_571_200,
            updated_at_s: 1_713_571_200,
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

    /// An incident of which only the name matters.
    pub(in crate::report::table) fn of_id(id: &str) -> Incident {
        Incident { id: id.to_owned(), ..incident("title", Severity::Low, 1.0, Vec::new()) }
    }

    fn link(explanation: &str, in_tree: bool) -> Link {
        Link {
            kind: LinkKind::Lateral,
            from: "10.0.57.128".parse().unwrap(),
            to: "10.0.28.247".parse().unwrap(),
            strength: 3.0,
            at_s: 1_713_500_000,
            in_tree,
            explanation: explanation.to_owned(),
        }
    }

    fn entry(time_s: i64, text: &str) -> TimelineEntry {
        TimelineEntry {
            time_s,
            end_s: time_s,
            kind: TimelineKind::FirstContact,
            actor: "10.0.57.128".parse().unwrap(),
            target: None,
            port: None,
            tactic: None,
            bytes: None,
            subject: None,
            text: text.to_owned(),
            query: String::new(),
        }
    }

    /// Who entered from outside, a database that was emptied, another host, and one that did not answer.
    fn graph() -> Graph {
        let node = |text: &str, class| Node {
            address: text.parse().unwrap(),
            class,
            rank: 4.0,
            hops: 1,
            reached_at_s: 1_713_490_000,
            clients: None,
        };
        let edge = |from: &str, to: &str, port, bytes_in| Edge {
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            port,
            protocol: flow::codes::TCP,
            first_seen_s: 1_713_490_000,
            connections: 1,
            bytes_out: 900,
            bytes_in,
            is_new: Some(true),
            answered: true,
        };
        Graph {
            nodes: vec![
                node("198.51.100.7", NodeClass::Upstream),
                node("10.0.8.4", NodeClass::Reached),
                node("10.0.8.5", NodeClass::Reached),
                node("10.0.8.6", NodeClass::Attempted),
            ],
            edges: vec![
                edge("198.51.100.7", "10.0.57.128", 22, 2_000),
                edge("10.0.28.247", "10.0.8.4", 5432, 5_400_000_000),
                edge("10.0.28.247", "10.0.8.5", 443, 3_000),
            ],
            left_out: BTreeMap::from([("attempted".to_owned(), 3)]),
            ..Graph::default()
        }
    }

    /// An incident of three hosts with a timeline, and one of a single host with hostile text.
    fn examples() -> Vec<Incident> {
        let hosts = vec![
            host("10.0.57.128", HostPart::First),
            host("10.0.9.9", HostPart::Pivot),
            host("10.0.28.247", HostPart::Compromised),
        ];
        let title = "10.0.57.128 calls 103.6.160.233, scans port 22, entered 10.0.28.247, 5.3 GB left";
        let mut first = incident(title, Severity::Critical, 12.34, hosts);
        first.stages = [Tactic::CommandAndControl, Tactic::Discovery, Tactic::LateralMovement, Tactic::Exfiltration]
            .map(stage)
            .into();
        first.findings = 7;
        first.graph = graph();
        first.links = vec![
            link(
                "10.0.57.128 opened port 22 (SSH) of 10.0.9.9, which opened port 22 (SSH) of 10.0.28.247 for the first \
                 time within 40 m.",
                true,
            ),
            link("more of the same.", false),
        ];
        first.timeline = vec![
            entry(1_713_485_220, "10.0.57.128 met 103.6.160.233 for the first time."),
            entry(
                1_713_500_000,
                "10.0.57.128 tried port 22 of 254 addresses between 10.0.0.1 and 10.0.0.254, of which 6 answered.",
            ),
        ];
        let second =
            incident("10.0.0.9 shows \u{1b}[2Jodd things", Severity::Low, 2.0, vec![host("10.0.0.9", HostPart::First)]);
        vec![first, second]
    }

    fn text(width: usize, timeline: bool) -> String {
        incidents_text(&examples(), &TableOptions { width, ..TableOptions::default() }, timeline)
    }

    #[test]
    fn golden_at_120_columns() {
        assert_eq!(text(120, false), include_str!("../goldens/incidents_120.txt"));
    }

    #[test]
    fn golden_at_80_columns_with_the_timeline() {
        assert_eq!(text(80, true), include_str!("../goldens/incidents_80.txt"));
    }

    #[test]
    fn no_line_is_wider_than_asked_and_nothing_controls_the_terminal() {
        for width in 80..160 {
            let text = text(width, true);
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}: {text}");
            assert!(!text.contains('\u{1b}'), "{text}");
        }
    }

    #[test]
    fn many_incidents_and_those_of_one_finding_are_counted() {
        let of = |last: u32| {
            let title = format!("10.0.0.{last} calls");
            Incident { findings: 1 + u64::from(last % 2), ..incident(&title, Severity::Low, 2.0, Vec::new()) }
        };
        let many: Vec<Incident> = (0..60).map(of).collect();
        let limited = TableOptions { limit: Some(50), ..TableOptions::default() };
        let text = incidents_text(&many, &limited, false);
        assert!(text.contains("\n 2  low  2.0  10.0.0.1 calls\n") && !text.contains("10.0.0.2 calls"), "{text}");
        assert!(text.ends_with("\n\nand 40 more: 40 low\n"), "{text}");
        assert!(!incidents_text(&many, &TableOptions::default(), false).contains("more:"));
        let single = [of(0)];
        assert_eq!(incidents_text(&single, &limited, false), "1 incident: 1 low, of one finding each\n");
    }
}
