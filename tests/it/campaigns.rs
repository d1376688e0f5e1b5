//! `flowsift generate --campaigns`, and `flowsift evaluate --incidents` against what it planted.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::program::{Ran, finish, flowsift, program, scratch};

const CAMPAIGNS: &str = "
[[campaign]]
form = 'guessing'
begin = '1h'
[[campaign]]
form = 'burst'
copies = 2
";

/// Makes a small corpus with the campaigns in a folder.
fn made(folder: &Path) {
    let file = folder.join("campaigns.toml");
    fs::write(&file, CAMPAIGNS).unwrap();
    let size = ["--rows", "60000", "--hosts", "40", "--hours", "12", "--benign-callers", "0", "--hubs", "on"];
    finish(program().args(["generate", "-q", "--campaigns"]).arg(&file).arg("--out").arg(folder).args(size)).expect(0);
}

/// The inside hosts of each campaign, from campaigns.csv.
fn hosts(folder: &Path) -> BTreeMap<String, Vec<String>> {
    let text = fs::read_to_string(folder.join("campaigns.csv")).unwrap();
    assert!(text.starts_with("campaign,stage,tactic,time,src,dst,port,part\n"), "{text}");
    let mut hosts = BTreeMap::<String, Vec<String>>::new();
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let of = hosts.entry(cells[0].to_owned()).or_default();
        of.extend([cells[4], cells[5]].into_iter().filter(|host| host.starts_with("10.")).map(str::to_owned));
        of.sort();
        of.dedup();
    }
    hosts
}

fn incident(id: &str, score: f64, hosts: &[String], findings: &[Value]) -> Value {
    let subjects: Vec<&Value> = findings
        .iter()
        .filter(|finding| hosts.iter().any(|host| finding["host"] == host.as_str()))
        .map(|finding| &finding["subject"])
        .collect();
    let hosts: Vec<Value> = hosts.iter().map(|host| json!({"host": host, "part": "compromised"})).collect();
    json!({"id": id, "status": "open", "score": score, "hosts": hosts, "subjects": subjects})
}

#[test]
fn campaigns_are_planted_and_incidents_are_judged_against_them() {
    let folder = scratch();
    let folder = folder.path();
    made(folder);
    let manifest: Value = serde_json::from_slice(&fs::read(folder.join("corpus.json")).unwrap()).unwrap();
    assert_eq!(manifest["planted_campaigns"], 3);
    assert_eq!(manifest["hubs"]["interfaces"].as_array().unwrap().len(), 5);
    let hosts = hosts(folder);
    assert_eq!(hosts.keys().collect::<Vec<_>>(), ["burst-1", "burst-2", "guessing"]);
    let out = folder.join("out");
    let ran = finish(program().args(["detect", "-q", folder.to_str().unwrap(), "--out"]).arg(&out)).expect(0);
    let findings = ran.findings();
    for host in hosts.values().flatten() {
        assert!(findings.iter().any(|finding| finding["host"] == host.as_str()), "nothing about {host}");
    }
    let judged = |incidents: &[Value], more: &[&str]| -> Ran {
        let path = out.join("told.jsonl");
        fs::write(&path, incidents.iter().map(|incident| format!("{incident}\n")).collect::<String>()).unwrap();
        let mut command = program();
        command.arg("evaluate").arg(out.join("findings.jsonl")).arg(folder.join("labels.csv"));
        command.arg("--incidents").arg(&path).arg("--campaigns").arg(folder.join("campaigns.csv")).args(more);
        finish(&mut command).expect(0)
    };
    let perfect: Vec<Value> = hosts.iter().map(|(name, hosts)| incident(name, 7.0, hosts, &findings)).collect();
    let table = judged(&perfect, &[]);
    for line in [
        "campaign recall 100.0 % (3 of 3 campaigns)",
        "incidents a campaign 1.00, mixed incidents 0, purity 100.0 %",
        "share of compromised hosts in the best incident 100.0 %",
        "rank of the first true incident 1",
    ] {
        assert!(table.text().contains(line), "no `{line}` in\n{}", table.text());
    }
    assert!(table.text().contains("recall 100.0 % (4 of 4 attacks)"), "{}", table.text());
    let everybody: Vec<String> = hosts.values().flatten().cloned().collect();
    let mixed = judged(&[incident("all", 5.0, &everybody, &findings)], &["--format", "json", "--host-days", "20"]);
    let mixed: Value = serde_json::from_slice(&mixed.out).unwrap();
    assert_eq!(mixed["found"], 4, "the judgement of findings stays where it was");
    assert_eq!((&mixed["incidents"]["found"], &mixed["incidents"]["mixed"]), (&json!(3), &json!(1)));
    assert_eq!(mixed["incidents"]["at_score"][2]["incidents"], 0);
}

#[test]
fn mistakes_in_a_campaigns_file_are_named() {
    let folder = scratch();
    let file = folder.path().join("campaigns.toml");
    let out = folder.path().join("corpus");
    for (text, code, expected) in [
        ("[[campaign]]\nform = 'classic'\nafter = '3h'\n", 2, "campaigns.toml: line 3: unknown field `after`"),
        ("[[campaign]]\nform = 'slow'\n", 1, "campaign `slow`: stage `"),
    ] {
        fs::write(&file, text).unwrap();
        let mut command = program();
        command.args(["generate", "--rows", "20000", "--hosts", "40", "--hours", "24", "--campaigns"]).arg(&file);
        let ran = finish(command.arg("--out").arg(&out)).expect(code);
        assert!(ran.err.contains(expected), "{}", ran.err);
    }
    let ran = flowsift(["generate", "--out", "x", "--hubs", "proxy=1"]).expect(2);
    assert!(ran.err.contains("option `hubs` is proxy=1; expected on, off, or NAME=SHARE"), "{}", ran.err);
    flowsift(["evaluate", "a.jsonl", "b.csv", "--incidents", "c.jsonl"]).expect(2);
}
