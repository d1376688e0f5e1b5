//! Incidents as a run of the whole program makes them.

use std::collections::{BTreeMap, BTreeSet};
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

/// What was planted in the demo: who did it to whom, and the part of whom.
fn planted() -> Vec<(String, String, String)> {
    let text = fs::read_to_string(Path::new(DEMO).join("campaigns.csv")).unwrap();
    let fields = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<String>>();
    let rows = text.lines().skip(1).map(fields);
    rows.map(|row| (row[4].clone(), row[5].clone(), row[7].clone())).collect()
}

#[test]
fn the_intrusion_of_the_demo_is_one_incident_and_the_first() {
    let out = scratch();
    detect(DEMO, out.path(), &["--min-severity", "informational"]);
    let incidents = lines(&out.path().join("incidents.jsonl"));
    let (intrusion, others) = incidents.split_first().unwrap();
    let planted = planted();
    let of_part = |wanted: &str| -> BTreeSet<String> {
        planted.iter().filter(|(.., part)| part == wanted).map(|(_, target, _)| target.clone()).collect()
    };
    let owned = |texts: Vec<&str>| -> BTreeSet<String> { texts.into_iter().map(str::to_owned).collect() };
    assert_eq!((owned(hosts(intrusion)), hosts(intrusion).len()), (of_part("compromised"), 2));
    assert_eq!(intrusion["severity"], "critical");
    for part in ["controller", "drop"] {
        let remotes = intrusion["remotes"].as_array().unwrap().iter().filter(|remote| remote["part"] == part);
        assert_eq!(owned(remotes.map(|remote| remote["address"].as_str().unwrap()).collect()), of_part(part));
    }
    // Who came in, and the database that was emptied, are in the graph; all stages are in the timeline.
    let nodes = intrusion["graph"]["nodes"].as_array().unwrap();
    let first = |class: &str| nodes.iter().find(|node| node["class"] == class).unwrap()["address"].as_str().unwrap();
    assert_eq!(first("upstream"), planted[0].0);
    assert_eq!(BTreeSet::from([first("reached").to_owned()]), of_part("target"));
    let timeline = intrusion["timeline"].as_array().unwrap().iter();
    let told: Vec<(&str, &str)> =
        timeline.map(|entry| (entry["kind"].as_str().unwrap(), entry["actor"].as_str().unwrap())).collect();
    let (source, gate, second) = (&*planted[0].0, &*planted[0].1, &*planted[2].1);
    let expected = [
        ("first_contact", source),
        ("first_contact", gate),
        ("cadence_begins", gate),
        ("sweep", gate),
        ("guessing", gate),
        ("inside_session", gate),
        ("session_after_guessing", gate),
        ("first_contact", second),
        ("cadence_begins", second),
        ("inside_pull", second),
        ("upload", second),
        ("first_contact", second),
    ];
    assert_eq!(told, expected);
    // Whoever calls a remote of its own, and the scanner, stand alone and low.
    assert!(others.len() > 5);
    assert!(others.iter().all(|other| other["severity"] == "low" && hosts(other).len() == 1));

    // Each finding of these hosts that is no mere note names its incident, and no other does.
    let ids: BTreeMap<&str, &str> = incidents
        .iter()
        .flat_map(|incident| hosts(incident).into_iter().map(|host| (host, incident["id"].as_str().unwrap())))
        .collect();
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
    assert_eq!(counted, incidents.len() as u64);
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
    assert!(blocks.next().unwrap().starts_with("12 incidents: 1 critical, "), "{text}");
    assert!(text.contains("\n1  critical  "), "{text}");
    assert!(text.contains("perhaps entered by ") && text.contains("; reached "), "{text}");
    assert!(text.contains(" since 20") && text.contains("IN  SEVERITY"), "{text}");
    assert!(!text.contains('\u{1b}') && text.lines().all(|line| line.chars().count() <= 120), "{text}");
    let worst = flowsift(["detect", DEMO, "-q", "--format", "table", "--min-severity", "critical"]).expect(0);
    assert!(
        worst.text().starts_with("1 incident: 1 critical\n") && worst.text().ends_with("No findings\n"),
        "{}",
        worst.text()
    );
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
