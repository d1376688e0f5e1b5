//! Findings in AWS's format for Security Hub: one for each incident, under the same id for all its life.

use super::plain::Message;
use crate::aws::partition;
use crate::notice::{Change, Host, IncidentNotice, Notice, cut_to};
use flow::Severity;
use serde_json::{Map, Value, json};

/// Most findings of one request.
pub(crate) const MAX_FINDINGS: usize = 100;
/// Most bytes of one finding.
pub(crate) const MAX_FINDING_BYTES: usize = 240_000;
/// Most bytes of one request.
pub(crate) const MAX_BYTES: usize = 6_000_000;
const MAX_TITLE: usize = 256;
const MAX_DESCRIPTION: usize = 1_024;
const MAX_RESOURCES: usize = 32;
const MAX_INDICATORS: usize = 5;
const MAX_FIELD: usize = 1_024;

/// Returns the id of an incident's finding.
pub(crate) fn finding_id(incident: &str) -> String {
    format!("flowsift/incident/{incident}")
}

/// Returns the finding of an incident; `None` for what is about no incident.
pub(crate) fn finding(notice: &Notice, account: &str, region: &str) -> Option<Value> {
    let about = notice.of_incident()?;
    let incident = &about.incident;
    let message = Message::of(notice);
    let arn = format!("arn:{}:securityhub:{region}:{account}:product/{account}/default", partition(region));
    let label = match incident.severity {
        Severity::Critical => "CRITICAL",
        Severity::High => "HIGH",
        Severity::Medium => "MEDIUM",
        Severity::Low => "LOW",
        Severity::Informational => "INFORMATIONAL",
    };
    let mut types: Vec<&str> = incident.tactics.iter().filter_map(|tactic| type_of(tactic)).collect();
    if types.is_empty() {
        types.push("Unusual Behaviors/Network Flow");
    }
    types.sort_unstable();
    types.dedup();
    let description = match message.lines.is_empty() {
        true => message.heading.clone(),
        false => message.lines.join(" | "),
    };
    let mut resources: Vec<Value> =
        incident.hosts.iter().take(MAX_RESOURCES).map(|host| resource(host, account, region)).collect();
    for principal in incident.principals.iter().take(MAX_RESOURCES - resources.len()) {
        resources.push(json!({
            "Type": "Other", "Id": cut_to(&format!("principal/{principal}"), 512),
            "Partition": partition(region), "Region": region,
        }));
    }
    if resources.is_empty() {
        resources.push(json!({ "Type": "AwsAccount", "Id": format!("AWS::::Account:{account}"), "Partition": partition(region), "Region": region }));
    }
    let mut finding = json!({
        "SchemaVersion": "2018-10-08",
        "Id": finding_id(&incident.id),
        "ProductArn": arn,
        "ProductName": "flowsift",
        "GeneratorId": "flowsift/incident",
        "AwsAccountId": account,
        "FirstObservedAt": incident.first_seen.text(),
        "LastObservedAt": incident.last_seen.text(),
        "CreatedAt": incident.opened_at.text(),
        "UpdatedAt": incident.updated_at.text(),
        "Title": cut_to(&incident.title, MAX_TITLE),
        "Description": cut_to(&description, MAX_DESCRIPTION),
        "FindingProviderFields": { "Severity": { "Label": label, "Original": format!("{:.2}", incident.score) }, "Types": types },
        "Resources": resources,
        "ProductFields": fields(about),
        "RecordState": if about.change == Change::Closed { "ARCHIVED" } else { "ACTIVE" },
    });
    let indicators: Vec<Value> = incident
        .remotes
        .iter()
        .take(MAX_INDICATORS)
        .map(|remote| {
            let mut indicator = json!({
                "Type": if remote.address.contains(':') { "IPV6_ADDRESS" } else { "IPV4_ADDRESS" },
                "Value": remote.address,
                "LastObservedAt": incident.last_seen.text(),
                "Source": "flowsift",
            });
            match remote.part.as_str() {
                "controller" => indicator["Category"] = "COMMAND_AND_CONTROL".into(),
                "drop" => indicator["Category"] = "DROP_SITE".into(),
                // What it is for is not known.
                _ => {}
            }
            indicator
        })
        .collect();
    if !indicators.is_empty() {
        finding["ThreatIntelIndicators"] = indicators.into();
    }
    Some(finding)
}

/// Returns the entries that the format has no field for.
fn fields(about: &IncidentNotice) -> Value {
    let incident = &about.incident;
    let mut fields = Map::new();
    let mut put = |name: &str, value: String| {
        fields.insert(format!("flowsift/{name}"), cut_to(&value, MAX_FIELD).into());
    };
    put("change", about.change.name().to_owned());
    put("revision", incident.revision.to_string());
    put("status", incident.status.clone());
    put("findings", incident.findings.to_string());
    put("techniques", incident.techniques.join(", "));
    if let Some(reason) = &incident.closed_reason {
        put("closed_reason", reason.clone());
    }
    if let Some(other) = &incident.merged_into {
        put("merged_into", other.clone());
    }
    let remotes: Vec<&str> = incident.remotes.iter().map(|remote| remote.address.as_str()).collect();
    put("remotes", remotes.join(", "));
    let more = incident.hosts.len().saturating_sub(MAX_RESOURCES) as u64;
    let more = more + incident.left_out.get("hosts").copied().unwrap_or(0);
    if more > 0 {
        put("hosts_left_out", more.to_string());
    }
    // Empty values are refused.
    fields.retain(|_, value| value.as_str().is_some_and(|text| !text.is_empty()));
    fields.into()
}

/// Returns the host as a resource: by its instance, its interface, or its address alone.
fn resource(host: &Host, account: &str, region: &str) -> Value {
    let account = host.account_id.as_deref().unwrap_or(account);
    let region = host.region.as_deref().unwrap_or(region);
    let arn = |kind: &str, id: &str| format!("arn:{}:ec2:{region}:{account}:{kind}/{id}", partition(region));
    let (kind, id) = match (&host.instance_id, &host.interface_id) {
        (Some(instance), _) => ("AwsEc2Instance", arn("instance", instance)),
        (None, Some(interface)) => ("AwsEc2NetworkInterface", arn("network-interface", interface)),
        (None, None) => ("Other", format!("host/{}", host.host)),
    };
    json!({
        "Type": kind,
        "Id": cut_to(&id, 512),
        "Partition": partition(region),
        "Region": region,
        "Details": { "Other": { "address": host.host, "part": host.part, "since": host.since.text() } },
    })
}

/// Returns the type of finding of an ATT&CK tactic.
fn type_of(tactic: &str) -> Option<&'static str> {
    Some(match tactic {
        "initial-access" => "TTPs/Initial Access",
        "discovery" => "TTPs/Discovery",
        "credential-access" => "TTPs/Credential Access",
        "persistence" => "TTPs/Persistence",
        "lateral-movement" => "TTPs/Lateral Movement",
        "collection" => "TTPs/Collection",
        "command-and-control" => "TTPs/Command and Control",
        "exfiltration" => "Effects/Data Exfiltration",
        "defense-evasion" => "TTPs/Defense Evasion",
        "impact" => "Effects/Resource Consumption",
        _ => return None,
    })
}
