//! Findings and incidents as events of OCSF 1.8: one Detection Finding (class 2004) for each, with the profile `cloud`,
//! and for incidents also `incident`.
//!
//! A finding's `metadata.uid` is its id, `finding_info.uid` its subject, and `metadata.correlation_uid` the incident that
//! it belongs to. An incident's id is all three.

mod finding;
mod incident;
mod parquet;
mod techniques;

pub use parquet::write_ocsf_parquet;

use self::techniques::technique_name;
use super::error::ReportError;
use super::jsonl::write_lines;
use crate::detect::{Finding, Severity};
use crate::incident::Incident;
use flow::Address;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::io::Write;

/// The version of the schema.
pub const OCSF_VERSION: &str = "1.8.0";

/// Tells whether an address is inside.
pub type IsInternal<'a> = &'a dyn Fn(Address) -> bool;

/// An event of OCSF.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct OcsfEvent {
    fields: Value,
    #[serde(skip)]
    id: String,
}

impl OcsfEvent {
    /// Returns its fields.
    #[must_use]
    pub fn fields(&self) -> &Value {
        &self.fields
    }
}

/// Returns the events of incidents, then of findings, in the order given.
#[must_use]
pub fn ocsf_events(findings: &[Finding], incidents: &[Incident], is_internal: IsInternal<'_>) -> Vec<OcsfEvent> {
    let of_incidents = incidents.iter().map(|one| OcsfEvent { fields: incident::event(one), id: one.id.clone() });
    let of_findings =
        findings.iter().map(|one| OcsfEvent { fields: finding::event(one, is_internal), id: one.id.clone() });
    of_incidents.chain(of_findings).collect()
}

/// Writes events as JSON Lines.
///
/// # Errors
/// [`ReportError::Io`] when the writer fails; see [`ReportError::is_broken_pipe`].
pub fn write_ocsf<W: Write>(out: W, events: &[OcsfEvent]) -> Result<(), ReportError> {
    write_lines(out, events, "event", |event| &event.id)
}

/// What every event has.
struct Head<'a> {
    /// 1 created, 2 updated, 3 closed.
    activity_id: u32,
    activity: &'static str,
    severity: Severity,
    /// When it was made, in seconds.
    made_s: i64,
    first_seen_s: i64,
    last_seen_s: i64,
    /// 1 new, 2 in progress, 3 suppressed, 4 resolved.
    status_id: u32,
    status: &'static str,
    uid: &'a str,
    correlation_uid: Option<&'a str>,
    account_id: Option<&'a str>,
    region: Option<&'a str>,
    profiles: &'static [&'static str],
}

/// The class and category of a Detection Finding.
const CLASS_UID: u32 = 2_004;
const CATEGORY_UID: u32 = 2;

impl Head<'_> {
    fn event(&self, message: &str) -> Map<String, Value> {
        let (severity_id, severity) = match self.severity {
            Severity::Informational => (1, "Informational"),
            Severity::Low => (2, "Low"),
            Severity::Medium => (3, "Medium"),
            Severity::High => (4, "High"),
            Severity::Critical => (5, "Critical"),
        };
        let mut metadata = json!({
            "version": OCSF_VERSION,
            "product": { "name": "flowsift", "vendor_name": "flowsift", "version": env!("CARGO_PKG_VERSION") },
            "profiles": self.profiles,
            "uid": self.uid,
        });
        if let Some(incident) = self.correlation_uid {
            metadata["correlation_uid"] = incident.into();
        }
        let mut cloud = json!({ "provider": "AWS" });
        if let Some(account) = self.account_id {
            cloud["account"] = json!({ "uid": account, "name": account, "type": "AWS Account", "type_id": 10 });
        }
        if let Some(region) = self.region {
            cloud["region"] = region.into();
        }
        let event = json!({
            "class_uid": CLASS_UID,
            "class_name": "Detection Finding",
            "category_uid": CATEGORY_UID,
            "category_name": "Findings",
            "activity_id": self.activity_id,
            "activity_name": self.activity,
            "type_uid": CLASS_UID * 100 + self.activity_id,
            "type_name": format!("Detection Finding: {}", self.activity),
            "severity_id": severity_id,
            "severity": severity,
            "status_id": self.status_id,
            "status": self.status,
            "time": millis(self.made_s),
            "start_time": millis(self.first_seen_s),
            "end_time": millis(self.last_seen_s),
            "timezone_offset": 0,
            "message": message,
            "metadata": metadata,
            "cloud": cloud,
        });
        match event {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }
    }
}

fn millis(second: i64) -> i64 {
    second.saturating_mul(1_000)
}

/// Returns techniques as entries of `attacks`.
fn attacks<'a>(techniques: impl Iterator<Item = &'a String>, tactic: Option<(&str, &str)>) -> Vec<Value> {
    let entry = |technique: &String| {
        let (main, sub) =
            technique.split_once('.').map_or((technique.as_str(), None), |(main, _)| (main, Some(technique)));
        let mut entry = json!({ "version": "17", "technique": { "uid": main, "name": technique_name(main) } });
        if let Some(sub) = sub {
            entry["sub_technique"] = json!({ "uid": sub });
        }
        if let Some((uid, name)) = tactic {
            entry["tactic"] = json!({ "uid": uid, "name": name });
        }
        entry
    };
    techniques.map(entry).collect()
}

fn observable(name: &str, type_id: u32, kind: &str, value: &str) -> Value {
    json!({ "name": name, "type_id": type_id, "type": kind, "value": value })
}

fn address_observable(name: &str, address: &str) -> Value {
    observable(name, 2, "IP Address", address)
}

fn user_observable(name: &str, user: &str) -> Value {
    observable(name, 4, "User Name", user)
}

/// Returns the resource of a host: by its instance, its interface or its address.
fn host_resource(address: &str, instance: Option<&str>, interface: Option<&str>, region: Option<&str>) -> Value {
    let (uid, kind) = match (instance, interface) {
        (Some(instance), _) => (instance, "AWS::EC2::Instance"),
        (None, Some(interface)) => (interface, "AWS::EC2::NetworkInterface"),
        (None, None) => (address, "Host"),
    };
    let mut resource = json!({ "uid": uid, "name": address, "ip": address, "type": kind });
    if let Some(region) = region {
        resource["region"] = region.into();
    }
    resource
}

#[cfg(test)]
mod tests;
