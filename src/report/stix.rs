//! The outside addresses of incidents as a STIX 2.1 bundle: an indicator and a sighting for each, with ids that follow
//! from their content, so that another run updates what is known instead of adding to it.

use super::error::ReportError;
use crate::incident::Incident;
use crate::incident::model::{IncidentRemote, RemotePart};
use flow::printable::EscapedJson;
use flow::time::rfc3339;
use flow::{Address, hex};
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;

/// The namespace of the ids of observables, as the standard has it.
const OBSERVABLES: [u8; 16] =
    [0x00, 0xab, 0xed, 0xb4, 0xaa, 0x42, 0x46, 0x6c, 0x9c, 0x01, 0xfe, 0xd2, 0x33, 0x15, 0xa9, 0xb7];
/// The namespace of our other ids.
const OURS: [u8; 16] = [0x6f, 0x1c, 0x0e, 0x52, 0x5c, 0x5d, 0x4d, 0x0e, 0x8f, 0x5a, 0x0b, 0x9d, 0x2f, 0x3c, 0x71, 0x44];

/// When all objects were made. It may not change as long as an id stays, and ids outlive what a run knows.
const CREATED: &str = "2020-01-01T00:00:00.000Z";

/// Writes the bundle; it is the same for the same incidents.
///
/// # Errors
/// [`ReportError::Io`] when the writer fails.
pub fn write_stix<W: Write>(mut out: W, incidents: &[Incident]) -> Result<(), ReportError> {
    let failed = |source| ReportError::Io { action: "write", what: "incidents".to_owned(), source };
    serde_json::to_writer_pretty(EscapedJson::new(&mut out), &bundle(incidents))
        .map_err(|error| failed(error.into()))?;
    out.write_all(b"\n").and_then(|()| out.flush()).map_err(failed)
}

/// What is known of an address from all incidents.
struct Known<'a> {
    remotes: Vec<(&'a Incident, &'a IncidentRemote)>,
}

fn bundle(incidents: &[Incident]) -> Value {
    let mut by_address = BTreeMap::<Address, Known<'_>>::new();
    for incident in incidents {
        for remote in &incident.remotes {
            by_address
                .entry(remote.address)
                .or_insert_with(|| Known { remotes: Vec::new() })
                .remotes
                .push((incident, remote));
        }
    }
    let identity = id("identity", &OURS, "flowsift");
    let mut objects = vec![json!({
        "type": "identity", "spec_version": "2.1", "id": identity, "name": "flowsift", "identity_class": "system",
        "created": CREATED, "modified": CREATED,
    })];
    for (address, known) in &by_address {
        objects.extend(of_address(*address, known, &identity));
    }
    let all: Vec<&str> = objects.iter().filter_map(|object| object["id"].as_str()).collect();
    let bundle = id("bundle", &OURS, &all.join(" "));
    json!({ "type": "bundle", "id": bundle, "objects": objects })
}

/// Returns the address, its indicator, what was observed of it and the sighting that ties them.
fn of_address(address: Address, known: &Known<'_>, identity: &str) -> Vec<Value> {
    let value = address.to_string();
    let kind = if value.contains(':') { "ipv6-addr" } else { "ipv4-addr" };
    let observable = id(kind, &OBSERVABLES, &json!({ "value": value }).to_string());
    let times = |time: fn(&Incident) -> i64| known.remotes.iter().map(move |(incident, _)| time(incident));
    let first_s = times(|one| one.first_seen_s).min().unwrap_or(0);
    let last_s = times(|one| one.last_seen_s).max().unwrap_or(0);
    let modified = stamp(times(|one| one.updated_at_s).max().unwrap_or(0));
    let kinds: std::collections::BTreeSet<&str> =
        known.remotes.iter().map(|(_, remote)| kind_of(remote.part)).collect();
    let titles: Vec<String> =
        known.remotes.iter().map(|(incident, _)| format!("{} ({})", incident.title, incident.id)).collect();
    let indicator = id("indicator", &OURS, &value);
    let observed = id("observed-data", &OURS, &value);
    let common = |kind: &str, id: &str| {
        json!({
            "type": kind, "spec_version": "2.1", "id": id, "created_by_ref": identity,
            "created": CREATED, "modified": modified,
        })
    };
    let mut of_indicator = common("indicator", &indicator);
    of_indicator["name"] = format!("{value} in flow logs").into();
    of_indicator["description"] = titles.join("; ").into();
    of_indicator["indicator_types"] = kinds.into_iter().collect::<Vec<_>>().into();
    of_indicator["pattern"] = format!("[{kind}:value = '{value}']").into();
    of_indicator["pattern_type"] = "stix".into();
    of_indicator["valid_from"] = stamp(first_s).into();
    let mut of_observed = common("observed-data", &observed);
    of_observed["first_observed"] = stamp(first_s).into();
    of_observed["last_observed"] = stamp(last_s.max(first_s)).into();
    // At least once: how often, incidents do not tell.
    of_observed["number_observed"] = 1.into();
    of_observed["object_refs"] = json!([observable]);
    let mut sighting = common("sighting", &id("sighting", &OURS, &value));
    sighting["sighting_of_ref"] = indicator.into();
    sighting["observed_data_refs"] = json!([observed]);
    sighting["first_seen"] = stamp(first_s).into();
    sighting["last_seen"] = stamp(last_s.max(first_s)).into();
    let observable = json!({ "type": kind, "spec_version": "2.1", "id": observable, "value": value });
    vec![observable, of_indicator, of_observed, sighting]
}

fn kind_of(part: RemotePart) -> &'static str {
    match part {
        RemotePart::Controller | RemotePart::Indicator => "malicious-activity",
        RemotePart::Drop | RemotePart::Source => "anomalous-activity",
    }
}

/// Returns a time with the three digits of a second that the standard asks for.
fn stamp(second: i64) -> String {
    rfc3339(second).replace('Z', ".000Z")
}

/// Returns an id of a type: a UUID of version 5.
fn id(kind: &str, namespace: &[u8; 16], name: &str) -> String {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    context.update(namespace);
    context.update(name.as_bytes());
    let hash = context.finish();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_ref()[..16]);
    bytes[6] = (bytes[6] & 0x0f) | 0x50;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = hex(&bytes);
    format!("{kind}--{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_other_programs() {
        // python: uuid.uuid5(uuid.UUID("00abedb4-aa42-466c-9c01-fed23315a9b7"), '{"value":"198.51.100.3"}')
        assert_eq!(
            id("ipv4-addr", &OBSERVABLES, "{\"value\":\"198.51.100.3\"}"),
            "ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4"
        );
    }

    #[test]
    fn an_outside_address_has_the_same_ids_whatever_else_is_known() {
        let lines = include_bytes!("../../tests/slt/incidents.jsonl");
        let incidents = crate::report::read_incidents(&lines[..], "incidents.jsonl").unwrap();
        let with_remotes = incidents.iter().find(|one| !one.remotes.is_empty()).unwrap();
        let objects = |bundle: Value| bundle["objects"].as_array().unwrap().clone();
        let all = objects(bundle(&incidents));
        for object in objects(bundle(std::slice::from_ref(with_remotes))) {
            let same = all.iter().find(|other| other["id"] == object["id"]).unwrap();
            assert_eq!(same["created"], object["created"], "an id keeps its time");
            assert!(object["modified"].as_str() >= object["created"].as_str(), "{object}");
        }
        let kinds: std::collections::BTreeSet<_> = all.iter().map(|one| one["type"].as_str().unwrap()).collect();
        assert!(["indicator", "observed-data", "sighting"].iter().all(|kind| kinds.contains(kind)), "{kinds:?}");
    }

    #[test]
    fn a_bundle_without_incidents_names_who_made_it() {
        let bundle = bundle(&[]);
        assert_eq!(bundle["objects"].as_array().unwrap().len(), 1);
        assert_eq!(stamp(0), "1970-01-01T00:00:00.000Z");
    }
}
