//! Goldens of the table, and findings that the other writers' tests share.

use super::*;
use crate::detect::{FLOW_LOG, SCHEMA_VERSION, Subject};
use flow::Address;
use flow::codes::{ICMP, Role, TCP, UDP};
use serde_json::{Value, json};

fn example(
    (detection, title): (&str, &str),
    severity: Severity,
    score: f64,
    (host, remote): (&str, &str),
    (port, protocol): (Option<u16>, Option<u8>),
    evidence: Value,
    explanation: &str,
) -> Finding {
    let (host, remote) = (host.parse().ok(), remote.parse().ok());
    let (from_s, to_s) = (1_713_484_800, 1_713_571_200);
    let account_id = Some("111122223333");
    let subject = Subject { detection, account_id, host, remote, port, protocol, ..Subject::default() };
    Finding {
        schema_version: SCHEMA_VERSION,
        id: subject.id(from_s, to_s),
        subject: subject.hash(),
        incident_id: None,
        detection: detection.to_owned(),
        title: title.to_owned(),
        severity,
        score,
        p_value: (detection == "beacon").then_some(1e-12),
        account_id: Some("111122223333".to_owned()),
        region: Some("eu-central-1".to_owned()),
        host,
        interface_id: Some("eni-0123456789abcdef0".to_owned()),
        instance_id: None,
        vpc_id: Some("vpc-0123456789abcdef0".to_owned()),
        remote,
        port,
        protocol,
        role: remote.map(|_| Role::Client),
        principal: None,
        credential: None,
        source: None,
        app: None,
        object: None,
        logs: vec![FLOW_LOG.to_owned()],
        event_ids: Vec::new(),
        first_seen_s: from_s + 420,
        last_seen_s: to_s - 180,
        window_start_s: from_s,
        window_end_s: to_s,
        techniques: vec!["T1071".to_owned(), "T1573".to_owned()],
        evidence: evidence.as_object().unwrap().clone(),
        explanation: explanation.to_owned(),
        coverage: Some(0.99),
        members: Vec::new(),
    }
}

/// One finding of every shape: IPv4, IPv6, without a remote, another protocol, hostile text.
pub(in crate::report) fn examples() -> Vec<Finding> {
    vec![
        example(
            ("rare_egress", "Rare remote"),
            Severity::Low,
            0.41,
            ("10.0.1.99", "192.0.2.50"),
            (None, Some(ICMP)),
            json!({ "bytes_out": 52_000, "prevalence_hosts": 1, "first_contact": true }),
            "",
        ),
        example(
            ("beacon", "Regular contact with one remote"),
            Severity::Critical,
            0.987,
            ("10.0.1.15", "203.0.113.7"),
            (Some(443), Some(TCP)),
            json!({ "period_s": 300.2, "jitter_ratio": 0.04, "connections": 288, "prevalence_hosts": 1,
                "indicator_source": "feodo.csv" }),
            "10.0.1.15 opened 288 connections to 203.0.113.7:443 every 5 minutes with 4 % jitter; no other host talks \
             to this remote, and feodo.csv lists it as a QakBot server.",
        ),
        example(
            ("bulk_egress", "Much more data out than usual"),
            Severity::High,
            0.91,
            ("2600:1f18:1234:5600:abcd:ef01:2345:6789", "2a00:1450:4001:830:1111:2222:3333:200e"),
            (Some(443), Some(UDP)),
            json!({ "bytes_out": 12_300_000_000_u64, "times_baseline": 41.27, "baseline_p99_bytes": 298_000_000 }),
            "The host sent 12.3 GB in one hour, 41 times its usual peak.\u{1b}[2J",
        ),
        example(
            ("port_scan", "Many ports or hosts tried"),
            Severity::Informational,
            0.2,
            ("10.0.2.2", "none"),
            (None, None),
            json!({ "ports": 1_024, "destinations": 12, "allowed_by": "allow.txt:3" }),
            "Known scanner.",
        ),
    ]
}

fn table(width: usize, limit: Option<usize>, explained: usize) -> String {
    findings_table(&examples(), &[], &TableOptions { width, color: false, limit, explained })
}

#[test]
fn golden_at_160_columns() {
    assert_eq!(table(160, None, 2), include_str!("../goldens/table_160.txt"));
}

#[test]
fn golden_at_100_columns_with_a_limit() {
    assert_eq!(table(100, Some(3), 1), include_str!("../goldens/table_100.txt"));
}

#[test]
fn golden_at_120_columns_of_ipv4_only() {
    let findings: Vec<Finding> =
        examples().into_iter().filter(|finding| finding.host.is_some_and(Address::is_v4)).collect();
    let text = findings_table(&findings, &[], &TableOptions { explained: 1, ..TableOptions::default() });
    assert_eq!(text, include_str!("../goldens/table_120.txt"));
}

#[test]
fn no_line_is_wider_than_asked() {
    for width in 80..200 {
        for line in table(width, None, 0).lines() {
            assert!(columns_of(line) <= width, "{width}: {line}");
        }
    }
}

#[test]
fn findings_have_the_rank_of_their_incident_at_any_width() {
    let mut findings = examples();
    findings.retain(|finding| finding.host.is_none_or(Address::is_v4));
    findings[1].incident_id = Some("b".to_owned());
    findings[0].detection = "unusual_remote_port".to_owned();
    let incidents: Vec<Incident> = ["a", "b"].map(super::incidents::tests::of_id).into();
    for width in 80..200 {
        let options = TableOptions { width, explained: 0, ..TableOptions::default() };
        let text = findings_table(&findings, &incidents, &options);
        assert!(text.lines().all(|line| columns_of(line) <= width), "{width}: {text}");
        assert!(text.contains("\nIN  SEVERITY") && text.contains("\n 2  critical  "), "{width}: {text}");
        assert!(text.contains("\n -  low  "), "{width}: {text}");
    }
}

#[test]
fn ports_are_never_cut() {
    for width in [80, 100, 120] {
        assert!(table(width, None, 0).contains("]:443/udp"), "{width}");
    }
}

#[test]
fn colour_changes_nothing_but_colour() {
    let options = TableOptions { color: true, ..TableOptions::default() };
    let coloured = findings_table(&examples(), &[], &options);
    assert!(coloured.contains("\u{1b}[1;31mcritical\u{1b}[0m"));
    let mut plain = coloured;
    for severity in Severity::ALL {
        plain = plain.replace(severity_color(severity), "");
    }
    plain = plain.replace("\u{1b}[0m", "");
    assert_eq!(plain, findings_table(&examples(), &[], &TableOptions::default()));
    assert!(!plain.contains('\u{1b}'));
}

#[test]
fn order_of_the_input_does_not_matter() {
    let mut findings = examples();
    let options = TableOptions::default();
    let first = findings_table(&findings, &[], &options);
    findings.reverse();
    assert_eq!(findings_table(&findings, &[], &options), first);
}

#[test]
fn nothing_found_is_said() {
    assert_eq!(findings_table(&[], &[], &TableOptions::default()), "No findings\n");
    let none = table(120, Some(0), 5);
    assert_eq!(
        none,
        "4 findings on 4 hosts: 1 critical, 1 high, 1 low, 1 informational\n\
         and 4 more: 1 critical, 1 high, 1 low, 1 informational\n"
    );
}

#[test]
fn servers_show_who_called() {
    let mut finding = examples().swap_remove(1);
    finding.role = Some(Role::Server);
    assert_eq!(pair_text(&finding, 80), "10.0.1.15 ← 203.0.113.7:443");
    finding.remote = None;
    assert_eq!(pair_text(&finding, 80), "10.0.1.15 ← *:443");
}
