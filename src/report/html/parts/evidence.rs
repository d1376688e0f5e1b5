//! Findings with their evidence, in words.

use super::tables::facts;
use crate::detect::Finding;
use crate::incident::Incident;
use crate::report::html::markup::Markup;
use crate::report::html::words;
use flow::units::{bytes_text, count_text, counted, duration_text, number_text, share_text};
use serde_json::Value;

/// Findings of an incident told in its article; all are in the list of findings.
const MAX_TOLD: usize = 40;

/// Writes the findings of an incident.
pub(super) fn evidence(out: &mut Markup, findings: &[&Finding], incident: &Incident) {
    out.leaf("h3", &[], "Evidence");
    if findings.is_empty() {
        let told = counted(incident.subjects.len() as u64, "finding", "findings");
        out.leaf("p", &[], &format!("None of its {told} is on this page: they are older, or below --min-severity."));
        return;
    }
    for finding in findings.iter().take(MAX_TOLD) {
        out.raw("<details class=\"finding\"><summary>");
        out.leaf("span", &[("class", words::severity_class(finding.severity))], finding.severity.as_str()).raw(" ");
        out.leaf("strong", &[], title(finding)).text(&format!(
            " {} {}",
            words::who(finding),
            words::other_side(finding)
        ));
        out.raw("</summary>\n").leaf("p", &[], &finding.explanation);
        facts(out, &rows(finding).iter().map(|(name, value)| (name.as_str(), value.clone())).collect::<Vec<_>>());
        out.close("details");
    }
    if findings.len() > MAX_TOLD {
        let more = counted((findings.len() - MAX_TOLD) as u64, "more finding", "more findings");
        out.leaf("p", &[("class", "note")], &format!("{more} of this incident: see all findings."));
    }
}

/// Returns the title of a finding: its detection's, or its name.
pub(super) fn title(finding: &Finding) -> &str {
    if finding.title.is_empty() { &finding.detection } else { &finding.title }
}

/// Returns what is known of a finding besides its sentence, by name.
pub(super) fn rows(finding: &Finding) -> Vec<(String, String)> {
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        rows.extend(value.filter(|value| !value.is_empty()).map(|value| (name.to_owned(), value)));
    };
    add("score", Some(number_text(finding.score)));
    add("p_value", finding.p_value.map(number_text));
    for (name, value) in finding.evidence.iter().filter(|(_, value)| !value.is_null()) {
        add(name, Some(worded(name, value)));
    }
    add("techniques", Some(finding.techniques.join(", ")));
    add("seen", Some(format!("{} to {}", words::moment(finding.first_seen_s), words::moment(finding.last_seen_s))));
    let texts = [
        ("instance", &finding.instance_id),
        ("interface", &finding.interface_id),
        ("vpc", &finding.vpc_id),
        ("account", &finding.account_id),
        ("region", &finding.region),
        ("principal", &finding.principal),
        ("credential", &finding.credential),
        ("source", &finding.source),
        ("app", &finding.app),
        ("object", &finding.object),
    ];
    texts.into_iter().for_each(|(name, text)| add(name, text.clone()));
    add("logs", Some(finding.logs.join(", ")));
    add("events", Some(finding.event_ids.join(", ")));
    add("coverage", finding.coverage.map(share_text));
    add("subject", Some(finding.subject.clone()));
    add("id", Some(finding.id.clone()));
    rows
}

/// Writes a value by the unit in its name.
fn worded(name: &str, value: &Value) -> String {
    match value {
        Value::Number(number) => {
            let exact = number.as_u64();
            let number = number.as_f64().unwrap_or(f64::NAN);
            if name.ends_with("_s") {
                duration_text(number)
            } else if name.contains("bytes") {
                bytes_text(number as u64)
            } else if name.ends_with("_ratio") || name.ends_with("_share") {
                share_text(number)
            } else {
                exact.map_or_else(|| number_text(number), count_text)
            }
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
