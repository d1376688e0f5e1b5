//! The rules of the schema that every event must keep: required fields, enumerated values, at least one of some.

use super::*;
use crate::incident::model::{Change, ClosedReason, Status};

/// Fails unless a value is an object with all of some fields.
fn has(value: &Value, what: &str, fields: &[&str]) {
    for field in fields {
        assert!(!value[*field].is_null(), "{what} has no {field}: {value:#}");
    }
}

/// Fails unless a whole number is one of some.
fn is_one_of(value: &Value, what: &str, known: &[i64]) {
    assert!(value.as_i64().is_some_and(|number| known.contains(&number)), "{what}: {value}");
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Fails unless an event is a Detection Finding of OCSF 1.8.
pub(super) fn check(event: &Value) {
    has(
        event,
        "event",
        &[
            "activity_id",
            "category_uid",
            "class_uid",
            "finding_info",
            "metadata",
            "severity_id",
            "time",
            "type_uid",
            "cloud",
        ],
    );
    is_one_of(&event["activity_id"], "activity_id", &[1, 2, 3]);
    is_one_of(&event["severity_id"], "severity_id", &[1, 2, 3, 4, 5]);
    is_one_of(&event["status_id"], "status_id", &[1, 2, 3, 4]);
    assert_eq!((event["class_uid"].as_i64(), event["category_uid"].as_i64()), (Some(2_004), Some(2)));
    assert_eq!(event["type_uid"].as_i64(), event["activity_id"].as_i64().map(|id| 200_400 + id));
    assert!(event["is_alert"].is_boolean());
    for time in ["time", "start_time", "end_time"] {
        assert!(event[time].as_i64().is_some_and(|at| at % 1_000 == 0), "{time} is in milliseconds");
    }
    has(&event["metadata"], "metadata", &["product", "version", "uid", "profiles"]);
    assert_eq!(event["metadata"]["version"], OCSF_VERSION);
    has(&event["metadata"]["product"], "product", &["name"]);
    has(&event["cloud"], "cloud", &["provider"]);
    let info = &event["finding_info"];
    has(info, "finding_info", &["uid", "title", "analytic"]);
    is_one_of(&info["analytic"]["type_id"], "analytic.type_id", &[1, 2, 3, 4]);
    has(&info["analytic"], "analytic", &["name"]);
    for attack in items(&info["attacks"]) {
        let any = ["tactic", "technique", "sub_technique"].iter().any(|name| attack[*name]["uid"].is_string());
        assert!(any, "{attack}");
    }
    if !info["attack_graph"].is_null() {
        let graph = &info["attack_graph"];
        has(graph, "attack_graph", &["nodes", "uid"]);
        let known: Vec<&Value> = items(&graph["nodes"]).map(|node| &node["uid"]).collect();
        for edge in items(&graph["edges"]) {
            has(edge, "edge", &["source", "target", "uid"]);
            assert!(known.contains(&&edge["source"]) && known.contains(&&edge["target"]), "{edge}");
        }
    }
    assert!(items(&event["evidences"]).next().is_some());
    for evidence in items(&event["evidences"]) {
        let any = ["connection_info", "src_endpoint", "dst_endpoint", "user", "data"];
        assert!(any.iter().any(|name| !evidence[*name].is_null()), "{evidence}");
        if !evidence["connection_info"].is_null() {
            is_one_of(&evidence["connection_info"]["direction_id"], "direction_id", &[0, 1, 2, 3]);
        }
        for side in ["src_endpoint", "dst_endpoint"] {
            assert!(evidence[side].is_null() || evidence[side]["ip"].is_string(), "{evidence}");
        }
    }
    for observable in items(&event["observables"]) {
        is_one_of(&observable["type_id"], "observable.type_id", &[2, 4]);
        has(observable, "observable", &["name", "value"]);
    }
    for resource in items(&event["resources"]) {
        has(resource, "resource", &["uid", "name", "type"]);
    }
}

/// Returns an incident with every kind of part.
fn example() -> Incident {
    let lines = include_bytes!("../../../tests/slt/incidents.jsonl");
    crate::report::read_incidents(&lines[..], "incidents.jsonl").unwrap().remove(0)
}

/// Returns a finding of a detection; `more` are fields in place of those of a call from a host to a remote.
fn finding(detection: &crate::detect::Detection, more: Value) -> Finding {
    let mut fields = json!({
        "schema_version": 2, "id": "ab", "subject": "cd", "incident_id": null, "detection": detection.name,
        "title": detection.title, "severity": "high", "score": 0.93, "p_value": 1e-9, "account_id": "111122223333",
        "region": "eu-west-1", "host": "10.0.1.15", "interface_id": "eni-1", "instance_id": null, "vpc_id": "vpc-1",
        "remote": "192.0.2.7", "port": 443, "protocol": 6, "role": "client", "first_seen": "2024-04-19T00:00:00Z",
        "last_seen": "2024-04-19T01:00:00Z", "window_start": "2024-04-19T00:00:00Z",
        "window_end": "2024-04-20T00:00:00Z", "techniques": detection.techniques, "evidence": { "period_s": 300 },
        "explanation": "Ten.", "coverage": 1.0,
    });
    for (name, value) in more.as_object().unwrap() {
        fields[name.as_str()] = value.clone();
    }
    serde_json::from_value(fields).unwrap()
}

#[test]
fn every_kind_of_finding_is_a_detection_finding() {
    let shapes = [
        (json!({}), Some(2)),
        (json!({ "role": "server", "remote": "2001:db8::7" }), Some(1)),
        (json!({ "remote": "10.0.9.9" }), Some(3)),
        (json!({ "role": null, "protocol": null, "port": null }), Some(0)),
        (json!({ "remote": null, "role": null, "score": 7.5, "p_value": null }), Some(0)),
        (
            json!({ "host": null, "remote": null, "role": null, "principal": "jo", "credential": "…7Q2A", "source": "192.0.2.9",
            "app": "okta", "object": "repo", "event_ids": ["e1"], "logs": ["okta"] }),
            None,
        ),
        (
            json!({ "host": null, "remote": null, "role": null, "account_id": null, "region": null, "techniques": [],
            "evidence": { "allowed_by": "allow.csv:1" } }),
            None,
        ),
    ];
    let detections = crate::detect::built_in().unwrap();
    assert!(detections.len() > 40);
    let is_internal = |address: Address| address.to_string().starts_with("10.");
    for detection in &detections {
        for (more, direction) in &shapes {
            let finding = finding(detection, more.clone());
            let event = finding::event(&finding, &is_internal);
            check(&event);
            assert_eq!(event["evidences"][0]["connection_info"]["direction_id"].as_i64(), *direction);
            assert_eq!(event["finding_info"]["uid"], "cd");
            let evidence = &event["evidences"][0];
            assert!(finding.host.is_some() || evidence["dst_endpoint"].is_null(), "{evidence}");
            let mut bytes = Vec::new();
            write_ocsf_parquet(&mut bytes, &ocsf_events(&[finding], &[], &is_internal)).unwrap();
        }
    }
}

#[test]
fn incidents_in_every_state_are_detection_findings() {
    let states = [
        (Status::Open, None, Change::Opened, (1, 1, true)),
        (Status::Open, None, Change::Escalated, (2, 2, true)),
        (Status::Open, None, Change::Unchanged, (2, 2, false)),
        (Status::Open, None, Change::Reopened, (2, 2, true)),
        (Status::Closed, Some(ClosedReason::Quiet), Change::Closed, (3, 4, false)),
        (Status::Closed, Some(ClosedReason::FalsePositive), Change::Closed, (3, 3, false)),
        (Status::Merged, None, Change::Merged, (3, 4, false)),
    ];
    let whole = example();
    for (status, closed_reason, change, told) in states {
        let incident = Incident { status, closed_reason, change, ..whole.clone() };
        let event = incident::event(&incident);
        check(&event);
        let seen = (event["activity_id"].as_i64(), event["status_id"].as_i64(), event["is_alert"].as_bool());
        assert_eq!(seen, (Some(told.0), Some(told.1), Some(told.2)), "{status:?} {change:?}");
        assert_eq!(event["metadata"]["correlation_uid"], incident.id);
    }
    let bare = Incident {
        hosts: Vec::new(),
        remotes: Vec::new(),
        principals: vec!["jo@example.com".to_owned()],
        timeline: Vec::new(),
        stages: Vec::new(),
        ..whole
    };
    check(&incident::event(&bare));
}

#[test]
fn events_are_the_same_in_parquet() {
    let incident = example();
    let events = ocsf_events(&[], &[incident.clone(), incident], &|_| false);
    let mut bytes = Vec::new();
    write_ocsf_parquet(&mut bytes, &events).unwrap();
    let reader =
        ::parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(bytes::Bytes::from(bytes), 10).unwrap();
    let mut rows = Vec::new();
    for batch in reader {
        let mut writer = arrow::json::ArrayWriter::new(&mut rows);
        writer.write(&batch.unwrap()).unwrap();
        writer.finish().unwrap();
    }
    let rows: Vec<Value> = serde_json::from_slice(&rows).unwrap();
    for (row, event) in rows.iter().zip(&events) {
        let mut event = event.fields().clone();
        let mut row = row.clone();
        for one in [&mut row, &mut event] {
            for evidence in one["evidences"].as_array_mut().unwrap() {
                let data = evidence.get("data").cloned().unwrap_or_default();
                let text = data.as_str().map_or_else(|| data.to_string(), str::to_owned);
                evidence["data"] = text.into();
            }
        }
        assert_eq!(sorted(&row), sorted(&event), "every field has a column");
    }
    assert_eq!(rows.len(), 2);
}

/// Returns a value without empty lists and nulls, its fields by name: what Parquet keeps of it.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(values) => values.iter().map(sorted).collect::<Vec<_>>().into(),
        Value::Object(fields) => {
            let kept = fields
                .iter()
                .filter(|(_, value)| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()));
            let fields: std::collections::BTreeMap<String, Value> =
                kept.map(|(name, value)| (name.clone(), sorted(value))).collect();
            serde_json::to_value(fields).unwrap_or_default()
        }
        other => other.clone(),
    }
}
