//! Sinks of whole runs: a receiver on loopback that fails at first, an outbox in the state, and forms of other programs.

use crate::network::Network;
use crate::program::{Ran, finish, flowsift, program, scratch};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A receiver that answers with the statuses of a script, then 200.
struct Receiver {
    port: u16,
    came: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Receiver {
    fn start(script: &'static [u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let came = Arc::new(Mutex::new(Vec::new()));
        let (seen, mut script) = (came.clone(), script.iter().copied());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(request) = read(&mut stream) else { continue };
                seen.lock().unwrap().push(request);
                let status = script.next().unwrap_or(200);
                let _ = write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
            }
        });
        Self { port, came }
    }

    fn url(&self, options: &str) -> String {
        format!("http://127.0.0.1:{}/very-secret-path?{options}", self.port)
    }

    /// The heads and bodies of the requests so far.
    fn came(&self) -> Vec<(String, Value)> {
        self.came.lock().unwrap().clone()
    }
}

fn read(stream: &mut TcpStream) -> Option<(String, Value)> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 8_192]);
    loop {
        let read = stream.read(&mut chunk).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        if let Ok(body) = serde_json::from_str(body) {
            return Some((head.to_lowercase(), body));
        }
    }
}

/// A day of a small network with one implant.
fn logs() -> tempfile::TempDir {
    let mut net = Network::new(1);
    for beat in 0..280 {
        let late = net.below(30);
        net.call(1, "192.0.2.75", 443, 308 * beat + late, [700, 400]);
    }
    net.write()
}

fn detect(logs: &tempfile::TempDir, more: &[&str]) -> Ran {
    flowsift([&["detect", logs.path().to_str().unwrap(), "--notify-loopback"], more].concat())
}

#[test]
fn what_a_sink_did_not_take_is_kept_and_sent_by_the_next_run() {
    let (logs, receiver) = (logs(), Receiver::start(&[401]));
    let state = scratch();
    let state = state.path().to_str().unwrap();
    let url = receiver.url("least=low&name=soc");
    let failed = detect(&logs, &["--state", state, "--notify", &url]).expect(3);
    assert!(failed.err.contains("warning: --notify soc: it answers 401"), "{}", failed.err);
    assert!(failed.err.contains("the next run sends the"), "{}", failed.err);
    assert!(!failed.err.contains("very-secret"), "{}", failed.err);
    assert_eq!(receiver.came().len(), 1);
    // What waits is sent in the order in which it came; the run itself has nothing new to say but that it lives.
    let shown = flowsift(["notify", "--notify-loopback", "--state", state, "--notify", &url, "--dry-run"]).expect(0);
    assert!(
        shown.text().contains("POST soc for") && shown.text().contains("\"change\":\"opened\""),
        "{}",
        shown.text()
    );
    assert_eq!(receiver.came().len(), 1);
    let sent = flowsift(["notify", "--notify-loopback", "--state", state, "--notify", &url]).expect(0);
    assert!(sent.text().starts_with("soc: ") && sent.text().contains(" sent\n"), "{}", sent.text());
    let came = receiver.came();
    let kinds: Vec<&str> = came.iter().map(|(_, body)| body["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds.last(), Some(&"heartbeat"), "{kinds:?}");
    assert!(kinds.iter().rev().skip(1).all(|kind| *kind == "incident"), "{kinds:?}");
    assert_eq!(came[0].1, came[1].1, "the first is sent again as it was");
    let incident = &came[1].1["incident"];
    assert_eq!(incident["status"], "open");
    let key = format!("idempotency-key: {}-{}", incident["id"].as_str().unwrap(), incident["revision"]);
    assert!(came[1].0.contains(&key), "{}", came[1].0);
    // A run again tells nothing but that it lives.
    let again = detect(&logs, &["--state", state, "--notify", &url, "-q"]).expect(0);
    assert!(!again.err.contains("soc"), "{}", again.err);
    assert_eq!(receiver.came().len(), came.len() + 1);
    let id = incident["id"].as_str().unwrap();
    let replay = ["notify", "--notify-loopback", "--state", state, "--notify", &url, "--replay", id];
    flowsift(replay).expect(0);
    assert_eq!(receiver.came().last().unwrap().1["incident"]["id"], id);
    let unknown = flowsift(["notify", "--state", state, "--notify", &url, "--replay", "ff"]).expect(2);
    assert!(unknown.err.contains("knows no such incident"), "{}", unknown.err);
}

#[test]
fn what_was_only_shown_is_told_by_the_next_run() {
    let (logs, receiver) = (logs(), Receiver::start(&[]));
    let state = scratch();
    let state = state.path().to_str().unwrap();
    let url = receiver.url("least=low&heartbeat=off&name=soc");
    let shown = detect(&logs, &["--state", state, "--notify", &url, "--dry-run"]).expect(0);
    assert!(shown.err.contains("POST soc for "), "{}", shown.err);
    assert_eq!(receiver.came().len(), 0);
    detect(&logs, &["--state", state, "--notify", &url]).expect(0);
    assert!(receiver.came().iter().any(|(_, body)| body["change"] == "opened"));
}

#[test]
fn without_state_a_run_sends_at_once_and_says_that_failures_are_lost() {
    let (logs, receiver) = (logs(), Receiver::start(&[]));
    let out = scratch();
    let slack = receiver.url("body=slack&least=low&name=chat");
    let out_path = out.path().to_str().unwrap();
    let ran = detect(&logs, &["--notify", &slack, "--out", out_path]).expect(0);
    assert!(ran.err.contains("told      chat: "), "{}", ran.err);
    let came = receiver.came();
    assert!(!came.is_empty() && came.iter().all(|(_, body)| body["blocks"].is_array()));
    let summary: Value = serde_json::from_slice(&std::fs::read(out.path().join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary["sinks"][0]["sent"].as_u64(), Some(came.len() as u64));
    let shut = Receiver::start(&[403; 9]);
    let ran = detect(&logs, &["--notify", &shut.url("least=low&name=soc")]).expect(3);
    assert!(ran.err.contains("are lost, as failures are kept with --state alone"), "{}", ran.err);
    let dry = detect(&logs, &["--notify", &shut.url("least=low&name=soc"), "--dry-run"]).expect(0);
    assert!(dry.err.contains("POST soc for ") && !dry.err.contains("very-secret"), "{}", dry.err);
    assert_eq!(shut.came().len(), 1);
}

#[test]
fn mistakes_in_sinks_are_told_before_any_log_is_read() {
    let ran = flowsift(["detect", "/nonexistent", "--notify", "https://hooks.slack.com/services/T/B/very-secret"]);
    assert!(ran.err.contains("env:NAME or file:PATH") && !ran.err.contains("very-secret"), "{}", ran.err);
    assert_eq!(ran.code, 2);
    let mut command = program();
    command.args(["detect", "/nonexistent", "--notify", "env:FLOWSIFT_TEST_SINK"]);
    command.env("FLOWSIFT_TEST_SINK", "ftp://very-secret");
    let ran = finish(&mut command);
    assert!(ran.err.contains("env:FLOWSIFT_TEST_SINK") && !ran.err.contains("very-secret"), "{}", ran.err);
    assert_eq!(ran.code, 2);
    let twice = ["detect", "/nonexistent", "--notify", "https://example.com/a", "--notify", "https://example.com/a"];
    assert!(flowsift(twice).expect(2).err.contains("named twice"));
}

#[test]
fn forms_of_other_programs_are_written_beside_the_findings() {
    let (logs, out) = (logs(), scratch());
    let path = out.path().to_str().unwrap();
    let ocsf = detect(&logs, &["--format", "ocsf", "--out", path]).expect(0);
    let events = ocsf.findings();
    assert!(!events.is_empty());
    assert!(events.iter().all(|event| event["class_uid"] == 2_004 && event["metadata"]["version"] == "1.8.0"));
    assert_eq!(ocsf.out, std::fs::read(out.path().join("findings.ocsf.jsonl")).unwrap());
    assert!(std::fs::read(out.path().join("findings.ocsf.parquet")).unwrap().starts_with(b"PAR1"));
    let stix = detect(&logs, &["--format", "stix", "--out", path]).expect(0);
    let bundle: Value = serde_json::from_slice(&stix.out).unwrap();
    let kinds: Vec<&str> =
        bundle["objects"].as_array().unwrap().iter().map(|one| one["type"].as_str().unwrap()).collect();
    assert!(
        ["identity", "ipv4-addr", "indicator", "observed-data", "sighting"].iter().all(|kind| kinds.contains(kind))
    );
    let lines = detect(&logs, &["--format", "timesketch", "--out", path]).expect(0).findings();
    let has = |line: &Value| ["message", "datetime", "timestamp_desc"].iter().all(|name| line[*name].is_string());
    assert!(!lines.is_empty() && lines.iter().all(has));
    assert!(lines.is_sorted_by_key(|line| line["datetime"].as_str().unwrap().to_owned()));
}
