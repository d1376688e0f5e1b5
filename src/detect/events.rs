//! The ids of the events that show a finding, to look them up in the logs.

use super::finding::{FLOW_LOG, Finding, MAX_EVENT_IDS};
use crate::accesses::AccessLogs;
use access::{AccessHour, ActionClass, Identities, Outcome};
use flow::time::HOUR_S;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};

/// Names events in findings over logs of accesses that name none: those of their principal, or of their source, in their
/// logs and time. Where some fit what the finding is about better than others, only they are named; the earliest first.
pub(super) fn name_events(findings: &mut [Finding], logs: &AccessLogs) {
    let is_wanted =
        |finding: &&mut Finding| finding.event_ids.is_empty() && finding.logs.iter().any(|log| log != FLOW_LOG);
    let mut wanted: Vec<&mut Finding> = findings.iter_mut().filter(is_wanted).collect();
    if wanted.is_empty() {
        return;
    }
    let rows = logs.hours.rows();
    let ledger = logs.principals.iter().map(|(_, principal, _)| principal);
    let identities = Identities::of(rows.iter().map(|row| row.principal).chain(ledger));
    let who: BTreeSet<&str> = wanted.iter().filter_map(|finding| finding.principal.as_deref()).collect();
    let sources: BTreeSet<String> = wanted.iter().filter_map(|finding| source_of(finding)).collect();
    let mut by_principal: HashMap<String, Vec<usize>> = HashMap::new();
    let mut by_source: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, row) in rows.iter().enumerate().filter(|(_, row)| !row.event_id.is_empty()) {
        let identity = identities.of_principal(row.principal);
        if who.contains(identity.as_ref()) {
            by_principal.entry(identity.into_owned()).or_default().push(at);
        }
        if sources.contains(row.source) {
            by_source.entry(row.source).or_default().push(at);
        }
    }
    let told: Vec<Vec<String>> = wanted
        .iter()
        .map(|finding| {
            let of = match &finding.principal {
                Some(principal) => by_principal.get(principal.as_str()),
                None => source_of(finding).and_then(|source| by_source.get(source.as_str())),
            };
            of.map_or_else(Vec::new, |of| best(finding, of.iter().map(|at| &rows[*at])))
        })
        .collect();
    wanted.iter_mut().zip(told).for_each(|(finding, told)| finding.event_ids = told);
}

/// Returns the address that a finding is about, if no principal is.
fn source_of(finding: &Finding) -> Option<String> {
    if finding.principal.is_some() {
        return None;
    }
    finding.source.clone().or_else(|| finding.remote.map(|remote| remote.to_string()))
}

/// Returns the ids of the rows that fit a finding best.
fn best<'r>(finding: &Finding, rows: impl Iterator<Item = &'r AccessHour<'r>>) -> Vec<String> {
    let is_of = |row: &&AccessHour<'_>| {
        let in_time = row.sums.first_s <= finding.last_seen_s && row.sums.last_s >= finding.first_seen_s;
        in_time && row.hour_s + HOUR_S > finding.window_start_s && finding.logs.iter().any(|log| log == row.log.name())
    };
    let mut fitting: Vec<(u32, i64, &str)> =
        rows.filter(is_of).map(|row| (fit(finding, row), row.sums.first_s, row.event_id)).collect();
    let most = fitting.iter().map(|(fit, ..)| *fit).max().unwrap_or_default();
    fitting.retain(|(fit, ..)| *fit == most);
    fitting.sort_unstable_by_key(|(_, first_s, id)| (*first_s, *id));
    fitting.dedup_by_key(|(.., id)| *id);
    fitting.into_iter().take(MAX_EVENT_IDS).map(|(.., id)| id.to_owned()).collect()
}

/// Returns how well a row fits what a finding is about.
fn fit(finding: &Finding, row: &AccessHour<'_>) -> u32 {
    let names = |key: &str, value: &str| match finding.evidence.get(key) {
        Some(Value::Array(values)) => values.iter().any(|one| one.as_str() == Some(value)),
        _ => false,
    };
    let is_kind = match finding.detection.as_str() {
        "probing" | "okta_denied" => row.outcome == Outcome::Denied,
        "guessing" => row.action_class == ActionClass::Login && row.outcome != Outcome::Success,
        "mass_download" => row.action_class == ActionClass::Download || row.action_class == ActionClass::Read,
        "mass_reading" => row.action_class == ActionClass::Read,
        "identity_weakened" | "cloud_credential_made" | "account_by_service" | "trail_silenced" => {
            row.action_class.is_rare() || names("actions", row.action)
        }
        "console_without_mfa" => row.mfa == Some(false),
        _ => false,
    };
    let is_object = finding.object.as_deref().is_some_and(|object| object == row.object);
    let is_source = finding.source.as_deref() == Some(row.source);
    let is_app = finding.app.as_deref().is_some_and(|app| app == row.app || app == row.service);
    let is_key = finding.credential.as_deref().is_some_and(|key| key.ends_with(row.credential.last_four()))
        && !row.credential.last_four().is_empty();
    [(names("actions", row.action), 16), (is_kind, 8), (is_object, 4), (is_key, 2), (is_source, 2), (is_app, 1)]
        .into_iter()
        .map(|(fits, weight)| if fits { weight } else { 0 })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use access::{Act, Log};
    use serde_json::json;

    #[test]
    fn the_events_that_fit_best_are_named_earliest_first() {
        let mut logs = AccessLogs::default();
        let mut add = |id: &str, second: i64, action: &'static str, outcome| {
            let mut act = Act::new(Log::CloudTrail, second * 1_000_000);
            (act.principal, act.action, act.outcome) = ("Jo@example.com".into(), action.into(), outcome);
            (act.event_id, act.source) = (id.to_owned().into(), "198.51.100.7".into());
            logs.hours.add(&act);
        };
        for number in 0..8i64 {
            let action = ["A", "B", "C", "D", "E", "F", "G", "H"][number as usize];
            add(&format!("denied-{}", 8 - number), 7_200 + number, action, Outcome::Denied);
        }
        add("allowed", 7_200, "A", Outcome::Success);
        add("before", 10, "A", Outcome::Denied);
        let finding = |detection: &str, principal: Option<&str>| -> Finding {
            let value = json!({
                "schema_version": 2, "subject": "", "id": "", "detection": detection, "title": "", "severity": "high",
                "score": 0.5, "p_value": null, "account_id": null, "region": null, "host": null, "interface_id": null,
                "instance_id": null, "vpc_id": null, "remote": null, "port": null, "protocol": null, "role": null,
                "principal": principal, "source": "198.51.100.7", "logs": ["cloudtrail"],
                "first_seen": "1970-01-01T02:00:00Z", "last_seen": "1970-01-01T03:00:00Z",
                "window_start": "1970-01-01T00:00:00Z", "window_end": "1970-01-02T00:00:00Z", "techniques": [],
                "evidence": {}, "explanation": "What.", "coverage": null,
            });
            serde_json::from_value(value).unwrap()
        };
        let mut findings = [
            finding("probing", Some("jo@example.com")),
            finding("shared_source", None),
            Finding { logs: vec!["okta".to_owned()], ..finding("probing", Some("jo@example.com")) },
        ];
        name_events(&mut findings, &logs);
        assert_eq!(findings[0].event_ids, ["denied-8", "denied-7", "denied-6", "denied-5", "denied-4"]);
        assert_eq!(findings[1].event_ids.len(), MAX_EVENT_IDS);
        assert!(findings[2].event_ids.is_empty());
    }
}
