//! Incidents as a run of the whole program makes them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::program::{Corpus, Ran, flowsift, scratch};

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/datasets/demo");

fn lines(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn detect(source: &str, out: &Path, more: &[&str]) -> Ran {
    flowsift([&["detect", source, "-q", "--out", out.to_str().unwrap()], more].concat()).expect(0)
}

fn hosts(incident: &Value) -> Vec<&str> {
    incident["hosts"].as_array().unwrap().iter().map(|host| host["host"].as_str().unwrap()).collect()
}

#[test]
fn both_attacks_of_the_demo_are_incidents_and_nothing_else() {
    let out = scratch();
    detect(DEMO, out.path(), &["--min-severity", "informational"]);
    let incidents = lines(&out.path().join("incidents.jsonl"));
    let mut told: Vec<Vec<&str>> = incidents.iter().map(hosts).collect();
    told.sort_unstable();
    assert_eq!(told, [["10.0.24.10"], ["10.0.52.5"]]);
    let remotes: BTreeMap<&str, &Value> =
        incidents.iter().map(|incident| (hosts(incident)[0], &incident["remotes"][0])).collect();
    let named = |host: &str| (&remotes[host]["address"], &remotes[host]["part"]);
    assert_eq!(named("10.0.52.5"), (&"167.10.192.131".into(), &"controller".into()));
    assert_eq!(named("10.0.24.10"), (&"128.196.187.90".into(), &"drop".into()));

    // Each finding of these hosts that is no mere note names its incident, and no other does.
    let ids: BTreeMap<&str, &str> =
        incidents.iter().map(|incident| (hosts(incident)[0], incident["id"].as_str().unwrap())).collect();
    let findings = lines(&out.path().join("findings.jsonl"));
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for finding in &findings {
        let id =
            ids.get(finding["host"].as_str().unwrap_or_default()).filter(|_| finding["severity"] != "informational");
        assert_eq!(finding["incident_id"].as_str(), id.copied(), "{finding}");
        if let Some(id) = id {
            *counts.entry(id).or_default() += 1;
        }
    }
    for incident in &incidents {
        assert_eq!(incident["findings"], counts[incident["id"].as_str().unwrap()]);
    }
    let summary: Value = serde_json::from_slice(&fs::read(out.path().join("summary.json")).unwrap()).unwrap();
    let counted: u64 = summary["incidents_by_severity"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert_eq!(counted, 2);
    assert!(summary["incident_notes"]["pairs_read"].as_u64().unwrap() > 0);
    assert!(summary["stages"].as_array().unwrap().iter().any(|stage| stage["stage"] == "incidents"));
    let manifest = fs::read_to_string(out.path().join("manifest.json")).unwrap();
    assert!(manifest.contains("\"incidents.jsonl\""), "{manifest}");
}

#[test]
fn the_table_begins_with_incidents_and_marks_findings() {
    let ran = flowsift(["detect", DEMO, "-q", "--format", "table"]).expect(0);
    let text = ran.text();
    let mut blocks = text.lines();
    assert!(blocks.next().unwrap().starts_with("2 incidents: "), "{text}");
    assert!(text.contains("\n1  "), "{text}");
    assert!(text.contains(" since 20") && text.contains("IN  SEVERITY"), "{text}");
    assert!(!text.contains('\u{1b}') && text.lines().all(|line| line.chars().count() <= 120), "{text}");
    let high = flowsift(["detect", DEMO, "-q", "--format", "table", "--min-severity", "critical"]).expect(0);
    assert_eq!(high.text(), "No findings\n");
}

#[test]
fn incidents_do_not_depend_on_threads_or_memory() {
    let corpus = Corpus::shared();
    let mut seen: Option<Vec<u8>> = None;
    for more in [&["--threads", "1"][..], &["--threads", "4"], &["--threads", "2", "--memory", "192MiB"]] {
        let out = scratch();
        detect(corpus.source(), out.path(), more);
        let bytes = fs::read(out.path().join("incidents.jsonl")).unwrap();
        assert!(!bytes.is_empty());
        let first = seen.get_or_insert_with(|| bytes.clone());
        assert!(*first == bytes, "{more:?} gives other incidents");
    }
}
