//! A finding: what was seen, how bad it is, and the evidence, in one row.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::text_forms;
use flow::Address;
use flow::Severity;
use flow::codes::Role;

/// The version of the finding's fields that this code writes and reads.
pub const SCHEMA_VERSION: u32 = 2;

/// One finding, schema version 2: one JSON object per line, and the same columns in Parquet.
///
/// Times are seconds since 1970-01-01 UTC here and RFC 3339 text in JSON; addresses are text in JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The version of these fields: [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// 32 hex characters from [`Subject::id`](super::subject::Subject::id); equal in every run of the same window that finds the same.
    pub id: String,
    /// 32 hex characters from [`Subject::hash`](super::subject::Subject::hash); equal in every run that finds the same, whatever its window.
    pub subject: String,
    /// The `id` of the incident that the finding belongs to; `None` where it belongs to none.
    #[serde(default)]
    pub incident_id: Option<String>,
    /// The detection's name, which is its SQL file's name, such as `beacon`.
    pub detection: String,
    /// The detection's title, such as `Regular contact with one remote`.
    pub title: String,
    /// How bad it is, from score and context.
    pub severity: Severity,
    /// How strong the evidence is, 0–1.
    pub score: f64,
    /// The calibrated chance of seeing this much by accident, 0–1; `None` where the detection is not statistical.
    pub p_value: Option<f64>,
    /// The AWS account, 12 digits; `None` where the logs do not name it.
    pub account_id: Option<String>,
    /// The AWS region; `None` where the logs do not name it.
    pub region: Option<String>,
    /// The monitored side; `None` where the finding is about a principal or a log as a whole.
    #[serde(default, with = "text_forms::optional_address_text")]
    pub host: Option<Address>,
    /// The host's network interface.
    pub interface_id: Option<String>,
    /// The host's instance.
    pub instance_id: Option<String>,
    /// The host's VPC.
    pub vpc_id: Option<String>,
    /// The other side; `None` for findings about the host as a whole.
    #[serde(default, with = "text_forms::optional_address_text")]
    pub remote: Option<Address>,
    /// The service's port; `None` where several or none.
    pub port: Option<u16>,
    /// The IANA protocol number; `None` where several.
    pub protocol: Option<u8>,
    /// Whether the host opened the connections or answered them; `None` where both.
    #[serde(default, with = "text_forms::optional_role_text")]
    pub role: Option<Role>,
    /// The user, role or service account that acted; `None` where flow logs alone speak.
    #[serde(default)]
    pub principal: Option<String>,
    /// The key, token or session that it used, by its last four characters.
    #[serde(default)]
    pub credential: Option<String>,
    /// The caller's address or network, where the logs of an application name one.
    #[serde(default)]
    pub source: Option<String>,
    /// The application that was entered.
    #[serde(default)]
    pub app: Option<String>,
    /// What was touched in it, such as a repository or a bucket.
    #[serde(default)]
    pub object: Option<String>,
    /// The logs that the evidence comes from, such as `vpc_flow`. Sorted.
    #[serde(default)]
    pub logs: Vec<String>,
    /// Ids of events in those logs that show it, at most [`MAX_EVENT_IDS`]; flow logs have none.
    #[serde(default)]
    pub event_ids: Vec<String>,
    /// First second of the evidence.
    #[serde(rename = "first_seen", with = "text_forms::rfc3339_text")]
    pub first_seen_s: i64,
    /// Last second of the evidence.
    #[serde(rename = "last_seen", with = "text_forms::rfc3339_text")]
    pub last_seen_s: i64,
    /// First second of the window examined.
    #[serde(rename = "window_start", with = "text_forms::rfc3339_text")]
    pub window_start_s: i64,
    /// First second after the window examined.
    #[serde(rename = "window_end", with = "text_forms::rfc3339_text")]
    pub window_end_s: i64,
    /// ATT&CK technique ids, such as `T1071.001`.
    pub techniques: Vec<String>,
    /// Named values with units in their names, in the order of the detection: the most important first.
    pub evidence: serde_json::Map<String, serde_json::Value>,
    /// One plain sentence.
    pub explanation: String,
    /// The share of the window with data of the finding's ENI, 0–1; `None` where no ENI is known.
    pub coverage: Option<f64>,
    /// The other sides that a finding about several stands for, or the hosts where all have one remote; not reported.
    #[serde(skip)]
    pub members: Vec<Address>,
}

/// The evidence that names the entry of an allow-list which lowered a finding.
pub const ALLOWED_BY: &str = "allowed_by";

/// The evidence that names the verdict which lowered a finding.
pub const VERDICT: &str = "verdict";

impl Finding {
    /// Returns whether an allow-list or a verdict lowered it: it is told, and proves nothing.
    #[must_use]
    pub fn is_held_back(&self) -> bool {
        [ALLOWED_BY, VERDICT].iter().any(|name| self.evidence.contains_key(*name))
    }
}

/// The name of VPC Flow Logs among the `logs` of a finding.
pub const FLOW_LOG: &str = "vpc_flow";

/// A finding names at most this many events.
pub const MAX_EVENT_IDS: usize = 5;

/// Compares findings in the order of reports: severity from worst, score from highest, then id.
///
/// A score that is not a number comes last within its severity. A detection of the user's own may have several findings
/// about one pair, which share an id: those are ordered by their content.
pub fn compare_findings(a: &Finding, b: &Finding) -> Ordering {
    let score = |finding: &Finding| if finding.score.is_nan() { f64::NEG_INFINITY } else { finding.score };
    let said = |finding: &Finding| serde_json::to_string(finding).unwrap_or_default();
    (b.severity.cmp(&a.severity).then(score(b).total_cmp(&score(a))).then_with(|| a.id.cmp(&b.id)))
        .then_with(|| said(a).cmp(&said(b)))
}

/// Sorts findings in the order of reports; see [`compare_findings`].
pub fn sort_findings(findings: &mut [Finding]) {
    findings.sort_by(compare_findings);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn finding(severity: Severity, score: f64, id: &str) -> Finding {
        let evidence = json!({ "period_s": 300, "jitter_ratio": 0.04, "bytes_out": 12_345 });
        Finding {
            schema_version: SCHEMA_VERSION,
            id: id.to_owned(),
            subject: "cd".to_owned(),
            incident_id: None,
            detection: "beacon".to_owned(),
            title: "Regular contact".to_owned(),
            severity,
            score,
            p_value: Some(1e-9),
            account_id: Some("111122223333".to_owned()),
            region: None,
            host: "10.0.1.15".parse().ok(),
            interface_id: None,
            instance_id: None,
            vpc_id: None,
            remote: Some("2001:db8::7".parse().unwrap()),
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
            first_seen_s: 1_713_484_800,
            last_seen_s: 1_713_488_400,
            window_start_s: 1_713_484_800,
            window_end_s: 1_713_571_200,
            techniques: vec!["T1071.001".to_owned()],
            evidence: evidence.as_object().unwrap().clone(),
            explanation: "Ten.".to_owned(),
            coverage: Some(1.0),
            members: Vec::new(),
        }
    }

    #[test]
    fn json_has_the_published_fields_in_order() {
        let finding = finding(Severity::High, 0.5, "ab");
        let text = serde_json::to_string(&finding).unwrap();
        assert_eq!(
            text,
            r#"{"schema_version":2,"id":"ab","subject":"cd","incident_id":null,"detection":"beacon","title":"Regular contact","severity":"high","score":0.5,"p_value":1e-9,"account_id":"111122223333","region":null,"host":"10.0.1.15","interface_id":null,"instance_id":null,"vpc_id":null,"remote":"2001:db8::7","port":443,"protocol":6,"role":"client","principal":null,"credential":null,"source":null,"app":null,"object":null,"logs":["vpc_flow"],"event_ids":[],"first_seen":"2024-04-19T00:00:00Z","last_seen":"2024-04-19T01:00:00Z","window_start":"2024-04-19T00:00:00Z","window_end":"2024-04-20T00:00:00Z","techniques":["T1071.001"],"evidence":{"period_s":300,"jitter_ratio":0.04,"bytes_out":12345},"explanation":"Ten.","coverage":1.0}"#
        );
        assert_eq!(serde_json::from_str::<Finding>(&text).unwrap(), finding);
        assert!(serde_json::from_str::<Finding>(&text.replace("\"client\"", "\"both\"")).is_err());
        assert!(serde_json::from_str::<Finding>(&text.replace("2024-04-19T01:00:00Z", "24h")).is_err());
        let host_level = text.replace("\"remote\":\"2001:db8::7\",", "").replace("\"role\":\"client\",", "");
        assert_eq!(serde_json::from_str::<Finding>(&host_level).unwrap().remote, None);
    }

    #[test]
    fn severities_are_ordered_and_read_back() {
        assert!(Severity::ALL.is_sorted());
        for severity in Severity::ALL {
            assert_eq!(severity.to_string().parse(), Ok(severity));
            assert_eq!(serde_json::to_value(severity).unwrap(), severity.as_str());
            assert!(severity.lowered() <= severity);
        }
        assert_eq!(format!("{:<9}|", Severity::Low), "low      |");
        assert_eq!(
            "bad".parse::<Severity>().unwrap_err().to_string(),
            "`bad` is not a severity; expected informational, low, medium, high or critical"
        );
    }

    #[test]
    fn findings_sort_by_severity_score_and_id() {
        let mut findings = vec![
            finding(Severity::Low, 0.99, "a"),
            finding(Severity::High, 0.5, "c"),
            finding(Severity::High, f64::NAN, "0"),
            finding(Severity::High, 0.5, "b"),
            finding(Severity::High, 0.9, "d"),
        ];
        sort_findings(&mut findings);
        let ids: Vec<&str> = findings.iter().map(|finding| finding.id.as_str()).collect();
        assert_eq!(ids, ["d", "b", "c", "0", "a"]);
    }
}
