//! What stands beside the incidents of the page by hand: findings, figures and the summary.

use super::example::{APP, CONTROLLER, DROP, FROM_S, WEB, address, at};
use crate::detect::{FLOW_LOG, Finding, SCHEMA_VERSION, Severity};
use crate::report::html::figures::{Band, BeatFigure, Figures, Habit, UploadFigure, UploadHour};
use crate::report::{BaselineOrigin, BaselineSpan, LogGap, ObjectCounts, SkippedObject, Summary};
use flow::Address;
use flow::codes::Role;
use flow::time::DAY_S;
use serde_json::json;

fn finding(subject: &str, detection: &str, title: &str, severity: Severity, ends: (&str, &str)) -> Finding {
    let sends = detection == "bulk_egress";
    let evidence = match sends {
        true => json!({ "bytes_out": 5_300_000_000_u64, "times_baseline": 41.27, "baseline_p99_bytes": null }),
        false => json!({ "period_s": 74.3, "jitter_ratio": 0.17, "connections": 1_135, "prevalence_hosts": 2,
            "first_contact": true, "indicator_source": "feodo.csv" }),
    };
    let explanation = match sends {
        true => format!(
            "{} sent 5.3 GB out in one hour; most of it to {} port 443, which no other host talks to.",
            ends.0, ends.1
        ),
        false => format!(
            "{} called {} on tcp port 443 every 1 m 14 s ± 17 %, 1,135 connections over 23 h 25 m; one other host talks to this remote.",
            ends.0, ends.1
        ),
    };
    Finding {
        schema_version: SCHEMA_VERSION,
        id: format!("{subject}-id"),
        subject: subject.to_owned(),
        incident_id: None,
        detection: detection.to_owned(),
        title: title.to_owned(),
        severity,
        score: 0.987,
        p_value: Some(1e-12),
        account_id: Some("111122223333".to_owned()),
        region: Some("eu-central-1".to_owned()),
        host: Some(address(ends.0)),
        interface_id: Some("eni-0123456789abcdef0".to_owned()),
        instance_id: Some("i-0123456789abcdef0".to_owned()),
        vpc_id: None,
        remote: Some(address(ends.1)),
        port: Some(443),
        protocol: Some(6),
        role: Some(Role::Client),
        principal: None,
        credential: None,
        source: None,
        app: None,
        object: None,
        logs: vec![FLOW_LOG.to_owned()],
        event_ids: Vec::new(),
        first_seen_s: at(0, 31),
        last_seen_s: at(23, 50),
        window_start_s: FROM_S,
        window_end_s: FROM_S + DAY_S,
        techniques: if sends { vec!["T1048".to_owned()] } else { vec!["T1071".to_owned(), "T1573".to_owned()] },
        evidence: evidence.as_object().unwrap().clone(),
        explanation,
        coverage: Some(0.99),
        members: Vec::new(),
    }
}

/// The findings of the page.
pub(super) fn findings() -> Vec<Finding> {
    let beacon = "Regular contact with one remote";
    vec![
        finding("s1", "beacon", beacon, Severity::Critical, (WEB, CONTROLLER)),
        finding("s2", "beacon", beacon, Severity::High, (APP, CONTROLLER)),
        finding("s3", "bulk_egress", "Much more data out than usual", Severity::High, (APP, DROP)),
        finding("s4", "beacon", beacon, Severity::Medium, ("10.0.8.1", "2001:db8::7")),
        finding("s5", "bulk_egress", "Much more data out than usual", Severity::Low, ("10.0.8.2", "198.51.100.80")),
    ]
}

/// Many findings, as a large run has them.
pub(super) fn many(count: usize) -> Vec<Finding> {
    let kinds = findings();
    let one = |number: usize| {
        let mut finding = kinds[number % kinds.len()].clone();
        finding.id = format!("{number:032x}");
        finding.subject = format!("{number:032x}");
        finding.host = Some(Address::from_v4_bits(0x0a00_0000 + number as u32));
        finding.severity = Severity::ALL[4 - number * 5 / count.max(5)];
        finding.score = 1.0 - number as f64 / count as f64;
        finding
    };
    (0..count).map(one).collect()
}

/// Starts about every 74 seconds from 00:31 on.
pub(super) fn beats(count: i64) -> Vec<i64> {
    (0..count).map(|number| at(0, 31) + number * 74 + number * 7_919 % 25).collect()
}

/// The figures of the page.
pub(super) fn figures() -> Figures {
    let beat = |subject: &str, title: &str, starts_s: Vec<i64>| BeatFigure {
        subject: subject.to_owned(),
        title: title.to_owned(),
        starts_s,
        left_out: 0,
    };
    let minutes = (0..280).map(|number| at(0, 0) + number * 300 + number % 7 / 6 * 60).collect();
    let hour = |number: i64, is_known: bool| UploadHour {
        hour_s: at(number, 0),
        bytes_out: if number == 8 { 5_300_000_000 } else { 40_000_000 + (number as u64 * 7) % 11 * 9_000_000 },
        top_remote: Some(address(DROP)),
        band: is_known
            .then(|| Band { low_bytes: 30_000_000, high_bytes: 120_000_000 + (number as u64 % 5) * 80_000_000 }),
    };
    let upload = |text: &str, habit: Habit| UploadFigure {
        account_id: "111122223333".to_owned(),
        region: "eu-central-1".to_owned(),
        host: address(text),
        habit,
        hours: (0..24).map(|number| hour(number, habit.is_known())).collect(),
        left_out: 0,
    };
    Figures {
        beats: vec![
            beat("s1", "10.0.57.128 to 103.6.160.233, tcp port 443", beats(1_135)),
            beat("s2", "10.0.28.247 to 103.6.160.233, tcp port 443", minutes),
            beat("s4", "10.0.8.1 to 2001:db8::7, tcp port 443", (0..9_000).map(|n| at(0, 0) + n * 9 + n % 4).collect()),
        ],
        uploads: vec![upload(APP, Habit::HourOfDay { days: 14 }), upload("10.0.8.2", Habit::Unknown { days: 1 })],
        beats_left_out: 4,
        uploads_left_out: 1,
    }
}

/// The summary of the page.
pub(super) fn summary() -> Summary {
    let object = |object: &str, reason: &str| SkippedObject { object: object.to_owned(), reason: reason.to_owned() };
    Summary {
        flowsift_version: "0.1.0".to_owned(),
        run_id: Some("0123456789abcdef0123456789abcdef".to_owned()),
        sources: vec!["s3://flow-logs/AWSLogs".to_owned()],
        window_start_s: Some(FROM_S),
        window_end_s: Some(FROM_S + DAY_S),
        baseline: BaselineSpan { kind: BaselineOrigin::History, from_s: Some(FROM_S - 14 * DAY_S), to_s: Some(FROM_S) },
        objects: ObjectCounts { listed: 1_440, read: 1_437, skipped: 2, not_parquet: 1, ..ObjectCounts::default() },
        skipped_objects: vec![object("AWSLogs/1111/a.parquet", "got 0 bytes, expected a Parquet footer")],
        other_log_objects: vec![object("AWSLogs/1111/tgw.parquet", "Transit Gateway flow logs")],
        copied_objects: vec![object("AWSLogs/1111/b.parquet", "repeats AWSLogs/1111/c.parquet")],
        log_gaps: vec![LogGap {
            severity: Severity::Medium,
            explanation: "The flow log of eni-1 ends at 09:00.".to_owned(),
        }],
        rows: 102_345_678,
        skipdata_rows: 12,
        unusable_rows: 3,
        bytes_read: 4_100_000_000,
        hosts: 1_200,
        pairs: 64_000,
        pair_hours: 1_900_000,
        destinations: 8_800,
        coverage_share: Some(0.987),
        knock_records: 2_000,
        opaque_forwarders: vec!["10.0.0.250".to_owned()],
        one_way_interfaces: vec!["eni-0aa".to_owned(), "eni-0bb".to_owned()],
        findings_by_detection: [("beacon".to_owned(), 3), ("bulk_egress".to_owned(), 2), ("port_sweep".to_owned(), 31)]
            .into(),
        findings_by_severity: [(Severity::Critical, 1), (Severity::High, 2), (Severity::Informational, 33)].into(),
        candidates_tested: 3_210,
        fdr: 0.01,
        threads: 2,
        ..Summary::default()
    }
}
