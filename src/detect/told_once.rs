//! What belongs to a train is not told once more as calls that nobody answers.
//!
//! `unanswered_calls` judges each pair by itself. A pair whose calls keep time together with those of others is told with
//! them, and so is a slow pair whose train is known from the history.

use super::finding::Finding;
use super::flagged::pairs_of;
use flow::codes::Role;
use rollup::habits::NamedPair;
use std::collections::{BTreeMap, BTreeSet};

/// The detection whose findings give way.
const UNANSWERED: &str = "unanswered_calls";

/// Detections of trains, whose findings stay.
const TRAINS: &[&str] = &["beacon", "rotating_beacon", "pooled_beacon"];

fn takes_part(finding: &Finding) -> bool {
    finding.role == Some(Role::Client) && !finding.is_held_back()
}

/// Removes findings of `unanswered_calls` about pairs that belong to a train. The train is at least as severe as they
/// were. Findings that the user allows take no part.
///
/// Findings may come in any order; the result depends only on what they are.
pub(super) fn tell_once(findings: &mut Vec<Finding>) {
    let mut unanswered: BTreeMap<NamedPair, usize> = BTreeMap::new();
    for (index, finding) in findings.iter().enumerate() {
        if finding.detection == UNANSWERED && takes_part(finding) {
            unanswered.extend(pairs_of(finding).into_iter().map(|key| (key, index)));
        }
    }
    if unanswered.is_empty() {
        return;
    }
    let severities: Vec<_> = findings.iter().map(|finding| finding.severity).collect();
    let mut gone: BTreeSet<usize> = BTreeSet::new();
    for train in findings.iter_mut().filter(|one| TRAINS.contains(&one.detection.as_str()) && takes_part(one)) {
        for index in pairs_of(train).iter().filter_map(|key| unanswered.get(key)) {
            train.severity = train.severity.max(severities[*index]);
            gone.insert(*index);
        }
    }
    let mut index = 0;
    findings.retain(|_| {
        let keep = !gone.contains(&index);
        index += 1;
        keep
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn finding(detection: &str, severity: &str, host: &str, remote: Option<&str>, members: &[&str]) -> Finding {
        let value = json!({
            "schema_version": 2, "subject": "", "id": "", "detection": detection, "title": "", "severity": severity, "score": 0.5,
            "p_value": null, "account_id": "1", "region": null, "host": host, "interface_id": null,
            "instance_id": null, "vpc_id": null, "remote": remote, "port": 443, "protocol": 6, "role": "client",
            "first_seen": "2024-04-19T00:00:00Z", "last_seen": "2024-04-19T01:00:00Z",
            "window_start": "2024-04-19T00:00:00Z", "window_end": "2024-04-20T00:00:00Z", "techniques": [],
            "evidence": {}, "explanation": "What.", "coverage": 1.0,
        });
        let members = members.iter().map(|member| member.parse().unwrap()).collect();
        Finding { members, ..serde_json::from_value(value).unwrap() }
    }

    fn told(mut findings: Vec<Finding>) -> Vec<String> {
        tell_once(&mut findings);
        findings.iter().map(|one| format!("{} {}", one.severity, one.detection)).collect()
    }

    #[test]
    fn members_of_a_train_are_told_with_it() {
        let alone = |remote: &str| finding(UNANSWERED, "medium", "10.0.0.1", Some(remote), &[]);
        let dead = || vec![alone("192.0.2.1"), alone("192.0.2.2"), alone("192.0.2.3")];
        let train =
            |severity: &str| finding("rotating_beacon", severity, "10.0.0.1", None, &["192.0.2.1", "192.0.2.2"]);
        assert_eq!(told([dead(), vec![train("low")]].concat()), ["medium unanswered_calls", "medium rotating_beacon"]);
        assert_eq!(told([vec![train("high")], dead()].concat()), ["high rotating_beacon", "medium unanswered_calls"]);
        let pool = finding("pooled_beacon", "medium", "10.0.0.9", Some("192.0.2.1"), &["10.0.0.1", "10.0.0.9"]);
        assert_eq!(told(vec![alone("192.0.2.1"), pool]), ["medium pooled_beacon"]);
        let slow = finding("beacon", "high", "10.0.0.1", Some("192.0.2.1"), &[]);
        assert_eq!(told(vec![slow, alone("192.0.2.1")]), ["high beacon"]);
        assert_eq!(told(dead()).len(), 3);
    }

    #[test]
    fn what_is_allowed_stays_as_it_is() {
        let mut allowed = finding(UNANSWERED, "informational", "10.0.0.1", Some("192.0.2.1"), &[]);
        allowed.evidence.insert("allowed_by".to_owned(), "a:1".into());
        let train = finding("rotating_beacon", "low", "10.0.0.1", None, &["192.0.2.1"]);
        assert_eq!(told(vec![allowed, train]), ["informational unanswered_calls", "low rotating_beacon"]);
    }
}
