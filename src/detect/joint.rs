//! Two findings about the same contact that mean more together than each alone.
//!
//! Regular calls and large uploads are both common by themselves: software polls, backups upload. A rare remote that is
//! called regularly and suddenly gets far more than it used to is explained by neither.

use super::finding::Finding;
use flow::Address;
use flow::Severity;
use flow::codes::Role;
use std::collections::HashMap;

/// Detections of regular contact.
const CALLS: &[&str] = &["beacon", "rotating_beacon"];

/// Detections of outbound volume beyond what was usual. `rare_egress` is not one of them: it sums, and the bytes that a
/// steady poller sends to its own supplier add up, too.
const UPLOADS: &[&str] = &["bulk_egress", "pair_surge", "upload_asymmetry", "slow_drip", "peer_egress"];

/// A remote that more hosts contact is a service.
const MAX_RARE_HOSTS: u64 = 5;

/// A host and a rare remote that it calls.
#[derive(PartialEq, Eq, Hash)]
struct ContactKey {
    account_id: Option<String>,
    host: Address,
    remote: Address,
}

fn contact_key(finding: &Finding) -> Option<ContactKey> {
    let may_count = finding.severity >= Severity::Low && finding.role == Some(Role::Client) && !finding.is_held_back();
    let remote = finding.remote.filter(|_| may_count)?;
    Some(ContactKey { account_id: finding.account_id.clone(), host: finding.host?, remote })
}

/// Returns whether the volume recurs: what goes out every night did not grow.
fn recurs(finding: &Finding) -> bool {
    finding.evidence.get("recurs").and_then(serde_json::Value::as_bool) == Some(true)
}

fn is_rare(finding: &Finding) -> bool {
    finding
        .evidence
        .get("prevalence_hosts")
        .and_then(serde_json::Value::as_u64)
        .is_none_or(|hosts| hosts <= MAX_RARE_HOSTS)
}

fn agree(a: Option<u16>, b: Option<u16>) -> bool {
    a.is_none() || b.is_none() || a == b
}

/// Raises by one step the findings of regular contact with a rare remote that also got more than usual, and the findings
/// of that volume. Each is raised once and explains why. Findings that are allowed or informational take no part.
pub(super) fn raise_joint(findings: &mut [Finding]) {
    let mut by_key: HashMap<ContactKey, (Vec<usize>, Vec<usize>)> = HashMap::new();
    for (index, finding) in findings.iter().enumerate() {
        let is_call = CALLS.contains(&finding.detection.as_str());
        let is_upload = UPLOADS.contains(&finding.detection.as_str());
        if (is_call || is_upload)
            && is_rare(finding)
            && !recurs(finding)
            && let Some(key) = contact_key(finding)
        {
            let (calls, uploads) = by_key.entry(key).or_default();
            if is_call { calls } else { uploads }.push(index);
        }
    }
    let mut raised: Vec<(usize, String)> = Vec::new();
    for (calls, uploads) in by_key.into_values() {
        let meets = |a: &usize, b: &usize| agree(findings[*a].port, findings[*b].port);
        for call in &calls {
            let mut with: Vec<&str> = Vec::new();
            for upload in uploads.iter().filter(|upload| meets(call, upload)) {
                with.push(&findings[*upload].detection);
            }
            with.sort_unstable();
            with.dedup();
            if !with.is_empty() {
                raised.push((*call, with.join(", ")));
            }
        }
        for upload in &uploads {
            if calls.iter().any(|call| meets(call, upload)) {
                raised.push((*upload, "beacon".to_owned()));
            }
        }
    }
    for (index, with) in raised {
        let finding = &mut findings[index];
        let why = if CALLS.contains(&finding.detection.as_str()) {
            format!(" Raised: the same remote also got far more than usual ({with}).")
        } else {
            " Raised: the host also calls the same remote regularly (beacon).".to_owned()
        };
        finding.severity = finding.severity.raised();
        finding.explanation.push_str(&why);
        finding.evidence.insert("raised_with".to_owned(), with.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn finding(detection: &str, severity: &str, remote: Option<&str>, port: Option<u16>, evidence: Value) -> Finding {
        let value = json!({
            "schema_version": 2, "subject": "", "id": detection, "detection": detection, "title": "", "severity": severity, "score": 0.5,
            "p_value": null, "account_id": "1", "region": null, "host": "10.0.0.1", "interface_id": null,
            "instance_id": null, "vpc_id": null, "remote": remote, "port": port, "protocol": 6, "role": "client",
            "first_seen": "2024-04-19T00:00:00Z", "last_seen": "2024-04-19T01:00:00Z",
            "window_start": "2024-04-19T00:00:00Z", "window_end": "2024-04-20T00:00:00Z", "techniques": [],
            "evidence": evidence, "explanation": "What.", "coverage": 1.0,
        });
        serde_json::from_value(value).unwrap()
    }

    fn raised(mut findings: Vec<Finding>) -> Vec<&'static str> {
        raise_joint(&mut findings);
        findings.iter().map(|finding| finding.severity.as_str()).collect()
    }

    #[test]
    fn what_recurs_every_night_did_not_grow() {
        let pair = |recurs: bool| {
            vec![
                finding("beacon", "medium", Some("9.9.9.9"), Some(22), json!({ "prevalence_hosts": 1 })),
                finding(
                    "bulk_egress",
                    "medium",
                    Some("9.9.9.9"),
                    Some(22),
                    json!({ "prevalence_hosts": 1, "recurs": recurs }),
                ),
            ]
        };
        assert_eq!(raised(pair(true)), ["medium", "medium"]);
        assert_eq!(raised(pair(false)), ["high", "high"]);
    }

    #[test]
    fn a_beacon_that_also_takes_data_out_is_raised_with_it() {
        let rare = || json!({ "prevalence_hosts": 1 });
        let mut findings = vec![
            finding("beacon", "medium", Some("9.9.9.9"), Some(443), rare()),
            finding("bulk_egress", "high", Some("9.9.9.9"), Some(443), rare()),
            // Names no port: any agrees.
            finding("slow_drip", "medium", Some("9.9.9.9"), None, json!({})),
            finding("pair_surge", "medium", Some("9.9.9.9"), Some(22), rare()),
            finding("rare_egress", "medium", Some("9.9.9.9"), Some(443), rare()),
            finding("bulk_egress", "high", Some("8.8.8.8"), Some(443), rare()),
            finding("peer_egress", "medium", None, None, rare()),
        ];
        raise_joint(&mut findings);
        let severities: Vec<&str> = findings.iter().map(|finding| finding.severity.as_str()).collect();
        assert_eq!(severities, ["high", "critical", "high", "medium", "medium", "high", "medium"]);
        assert_eq!(
            findings[0].explanation,
            "What. Raised: the same remote also got far more than usual (bulk_egress, slow_drip)."
        );
        assert_eq!(findings[1].explanation, "What. Raised: the host also calls the same remote regularly (beacon).");
        assert_eq!(findings[1].evidence["raised_with"], "beacon");
    }

    #[test]
    fn shared_allowed_and_harmless_ones_take_no_part() {
        let of = |severity: &str, evidence: Value| {
            let upload = finding("bulk_egress", "low", Some("9.9.9.9"), Some(443), json!({ "prevalence_hosts": 1 }));
            raised(vec![finding("beacon", severity, Some("9.9.9.9"), Some(443), evidence), upload])
        };
        assert_eq!(of("low", json!({ "prevalence_hosts": 5 })), ["medium", "medium"]);
        assert_eq!(of("low", json!({ "prevalence_hosts": 6 })), ["low", "low"]);
        assert_eq!(of("informational", json!({ "prevalence_hosts": 1 })), ["informational", "low"]);
        assert_eq!(of("low", json!({ "prevalence_hosts": 1, "allowed_by": "a:1" })), ["low", "low"]);
    }
}
