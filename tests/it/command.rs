//! The command line as a person or a script meets it: exit codes, what goes where, files, help.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use corpus::read_labels;
use flowsift::detect::Finding;
use flowsift::report::{read_parquet, write_jsonl};
use serde_json::Value;

use crate::program::{Corpus, copy, finish, flowsift, program, scratch};

/// Fields of a finding in the order that the contract gives them.
const FIELDS: &[&str] = &[
    "schema_version",
    "id",
    "subject",
    "incident_id",
    "detection",
    "title",
    "severity",
    "score",
    "p_value",
    "account_id",
    "region",
    "host",
    "interface_id",
    "instance_id",
    "vpc_id",
    "remote",
    "port",
    "protocol",
    "role",
    "principal",
    "credential",
    "source",
    "app",
    "object",
    "logs",
    "event_ids",
    "first_seen",
    "last_seen",
    "window_start",
    "window_end",
    "techniques",
    "evidence",
    "explanation",
    "coverage",
];

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Findings as the lines that JSONL has for them.
fn as_lines(findings: &[Finding]) -> Vec<u8> {
    let mut lines = Vec::new();
    write_jsonl(&mut lines, findings).unwrap();
    lines
}

#[test]
fn stdout_is_data_and_stderr_is_the_summary() {
    let corpus = Corpus::shared();
    let ran = flowsift(["detect", corpus.source()]).expect(0);
    let findings = ran.findings();
    assert!(findings.len() >= 5);
    for finding in &findings {
        let fields: Vec<&str> = finding.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, FIELDS);
        assert_eq!(finding["schema_version"], 2);
        let evidence = finding["evidence"].as_object().unwrap();
        assert!(!evidence.is_empty() && !finding["explanation"].as_str().unwrap().is_empty());
        let score = finding["score"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&score), "{finding}");
        for time in ["first_seen", "last_seen", "window_start", "window_end"] {
            let time = finding[time].as_str().unwrap();
            assert!(time.starts_with("2024-01-15T0") && time.ends_with('Z'), "{time}");
        }
        assert_ne!(finding["severity"], "informational", "the least severity shown is low");
    }
    let ids: BTreeSet<&str> = findings.iter().map(|finding| finding["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), findings.len(), "ids are unique");
    let rank = |f: &Value| ["critical", "high", "medium", "low"].iter().position(|s| f["severity"] == *s).unwrap();
    let score = |f: &Value| f["score"].as_f64().unwrap();
    assert!(findings.is_sorted_by(|a, b| rank(a) < rank(b) || (rank(a) == rank(b) && score(a) >= score(b))));
    for label in ["source", "window", "baseline", "objects", "rows", "traffic", "findings", "time"] {
        assert!(ran.err.lines().any(|line| line.starts_with(label)), "no `{label}` in the summary:\n{}", ran.err);
    }
    assert!(ran.err.contains("18 listed, 18 read"), "{}", ran.err);
    assert!(!ran.err.contains('{') && !ran.err.contains('\x1b'));

    let quiet = flowsift(["detect", corpus.source(), "-q"]).expect(0);
    assert_eq!((quiet.err.as_str(), quiet.out), ("", ran.out));
}

#[test]
fn files_of_a_run_agree_and_planted_attacks_are_found() {
    let corpus = Corpus::shared();
    let folder = scratch();
    let out = folder.path().join("new/folder");
    let named = out.to_str().unwrap();
    let ran = flowsift(["detect", corpus.source(), "--out", named, "--min-severity", "informational"]).expect(0);
    let written = fs::read(out.join("findings.jsonl")).unwrap();
    assert_eq!(written, ran.out, "findings.jsonl is what stdout got");
    let lines = ran.findings();
    let columns = read_parquet(File::open(out.join("findings.parquet")).unwrap(), "findings.parquet").unwrap();
    assert!(as_lines(&columns) == written, "findings.parquet holds the same");
    let summary = json(&out.join("summary.json"));
    let by_severity: u64 =
        summary["findings_by_severity"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    let by_detection: u64 =
        summary["findings_by_detection"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert_eq!((by_severity, by_detection), (lines.len() as u64, lines.len() as u64));
    assert_eq!(summary["objects"]["read"], 18);
    assert_eq!(summary["objects"]["skipped"], 0);
    let rows = json(&corpus.path().join("corpus.json"))["rows"].clone();
    if rows.is_u64() {
        assert_eq!(summary["rows"], rows, "every generated row is read");
    }
    let bytes: u64 = corpus.files().iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    assert_eq!(summary["bytes_read"], bytes);
    assert_eq!(summary["window_start"], "2024-01-15T00:00:00Z");
    assert_eq!(summary["window_end"], "2024-01-15T06:00:00Z");

    let labels = corpus.labels();
    for name in ["findings.jsonl", "findings.parquet"] {
        let judged = finish(program().arg("evaluate").arg(out.join(name)).arg(&labels).args([
            "--min-recall",
            "1",
            "--format",
            "json",
        ]))
        .expect(0);
        let judged: Value = serde_json::from_str(judged.text()).unwrap();
        assert_eq!((&judged["attacks"], &judged["found"]), (&4.into(), &4.into()), "{judged}");
        assert!(judged["precision"].as_f64().unwrap() >= 0.6, "{judged}");
        assert_eq!(judged["first_true_rank"], 1);
    }
    let none = folder.path().join("none.jsonl");
    fs::write(&none, "").unwrap();
    let missed = finish(program().arg("evaluate").arg(&none).arg(&labels).args(["--min-recall", "0.5"])).expect(1);
    assert!(missed.err.contains("recall is 0.000, expected at least 0.5"), "{}", missed.err);
    assert!(missed.text().contains("recall 0.0 % (0 of 4 attacks)"), "the table comes all the same: {}", missed.text());
}

/// The remotes that were planted as attacks.
fn planted(corpus: &Corpus) -> Vec<String> {
    let labels = read_labels(&corpus.labels()).unwrap();
    labels.iter().filter(|label| label.is_attack()).map(|label| label.dst.to_string()).collect()
}

#[test]
fn the_table_is_for_people() {
    let corpus = Corpus::shared();
    let ran = flowsift(["detect", corpus.source(), "--format", "table", "--min-severity", "high"]).expect(0);
    assert!(!ran.text().contains('\x1b'), "no colour outside of a terminal");
    assert!(ran.text().lines().all(|line| line.chars().count() <= 120), "{}", ran.text());
    assert!(ran.text().contains("\n1  high  "), "the first findings are explained: {}", ran.text());
    // What else is found may change with the detections; what was planted shall look like this.
    let remotes = planted(&corpus);
    let heading = |line: &&str| line.starts_with("SEVERITY") || remotes.iter().any(|remote| line.contains(remote));
    let (table, _) = ran.text().split_once("\n1  high  ").unwrap();
    let table: Vec<&str> = table.lines().filter(heading).collect();
    let summary = ran.err.replace(corpus.source(), "CORPUS");
    insta::with_settings!({
        filters => vec![
            (r"flowsift \d+\.\d+\.\d+[^)]*", "flowsift VERSION"),
            (r"\([\d,]+ a second\)", "(N a second)"),
            (r"(time|findings|tested|incidents) +.*", "$1 …"),
            (r"(high|critical) +\d\.\d\d", "$1 SCORE"),
        ],
        omit_expression => true,
        prepend_module_to_snapshot => false,
        snapshot_path => "snapshots",
    }, {
        insta::assert_snapshot!("table", table.join("\n"));
        insta::assert_snapshot!("summary", summary);
    });
}

#[test]
fn parquet_on_stdout_is_one_file() {
    let corpus = Corpus::shared();
    let ran = flowsift(["detect", corpus.source(), "--format", "parquet", "-q"]).expect(0);
    let lines = flowsift(["detect", corpus.source(), "-q"]).expect(0);
    let columns = read_parquet(bytes::Bytes::from(ran.out), "stdout").unwrap();
    assert!(as_lines(&columns) == lines.out, "both formats hold the same");
}

#[test]
fn wrong_usage_ends_with_2_and_says_why() {
    let folder = scratch();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let source = folder.path().to_str().unwrap();
    let bad_table = file("table.toml", "[detekt]\nfdr = 0.1\n");
    let bad_toml = file("broken.toml", "[detect\n");
    let bad_attacks = file("attacks.toml", "[[attack]]\nkind = 'nosuch'\n");
    let cases: &[(&[&str], &str)] = &[
        (&["detect"], "SOURCE"),
        (&["frobnicate"], "frobnicate"),
        (&["detect", source, "--no-such-flag"], "--no-such-flag"),
        (&["detect", source, "--from", "yesterday"], "--from: `yesterday` is not a time"),
        (&["detect", source, "--to", "2024-13-01"], "--to: `2024-13-01` is not a time"),
        (&["detect", source, "--from", "2024-01-16", "--to", "2024-01-16"], "--from must be before --to"),
        (&["detect", source, "--from", "1h", "--to", "2h"], "--from must be before --to"),
        (&["detect", source, "--baseline", "soon"], "--baseline: `soon` is not a duration"),
        (&["detect", source, "--fdr", "0"], "--fdr 0: expected a share between 0 and 1"),
        (&["detect", source, "--fdr", "NaN"], "--fdr NaN: expected a share"),
        (&["detect", source, "--internal", "10.0.0.0/40"], "10.0.0.0/40"),
        (&["detect", source, "--min-severity", "worst"], "expected informational, low, medium, high or critical"),
        (&["detect", source, "--fail-on", "worst"], "expected informational, low, medium, high or critical"),
        (&["detect", source, "--format", "xml"], "table, jsonl, parquet"),
        (&["detect", source, "--threads", "0"], "--threads"),
        (&["detect", source, "--indicators", "/nonexistent/feed.csv"], "/nonexistent/feed.csv"),
        (&["detect", source, "--networks", "/nonexistent/ranges.json"], "/nonexistent/ranges.json"),
        (&["detect", source, "--allow", "/nonexistent/allow"], "/nonexistent/allow"),
        (&["detect", source, "--detections", "/nonexistent/folder"], "/nonexistent/folder"),
        (&["detect", source, "--config", "/nonexistent/config.toml"], "/nonexistent/config.toml"),
        (&["detect", source, "--config", &bad_table], "unknown table [detekt]"),
        (&["detect", source, "--config", &bad_toml], "broken.toml"),
        (&["generate", "--out", source, "--rows", "0"], "option `rows` is 0"),
        (&["generate", "--out", source, "--attacks", &bad_attacks], "nosuch"),
        (&["evaluate", source], "LABELS"),
        (&["evaluate", source, source, "--min-severity", "worst"], "expected informational, low, medium"),
        (&["completions", "tcsh"], "tcsh"),
    ];
    for (args, says) in cases {
        let ran = flowsift(*args).expect(2);
        assert!(ran.err.contains(says), "{args:?} says:\n{}", ran.err);
        assert!(ran.out.is_empty(), "{args:?} wrote to stdout");
    }
}

#[test]
fn failures_end_with_1_in_one_line() {
    let folder = scratch();
    let empty = folder.path().to_str().unwrap();
    let cases: &[(&[&str], &str)] = &[
        (&["detect", "/no/such/path"], "`/no/such/path` does not exist"),
        (&["detect", "/no/such/*.parquet"], "matches nothing"),
        (&["detect", empty], "no Parquet objects"),
        (&["inspect", "/no/such/path"], "`/no/such/path` does not exist"),
        (&["evaluate", "/no/such/findings.jsonl", "/no/such/labels.csv"], "/no/such/findings.jsonl"),
        (&["detect", "s3://bucket/prefix", "--region", "us-east-1"], "no AWS credentials found"),
        (&["detect", "s3:///prefix"], "s3:///prefix"),
    ];
    for (args, says) in cases {
        let ran = flowsift(*args).expect(1);
        assert!(ran.err.contains(says) && ran.err.starts_with("error: "), "{args:?} says:\n{}", ran.err);
        assert_eq!(ran.err.lines().count(), 1, "{args:?} says:\n{}", ran.err);
        assert!(ran.out.is_empty(), "{args:?} wrote to stdout");
    }
}

#[test]
fn damaged_objects_are_named_and_the_rest_is_judged() {
    let corpus = Corpus::shared();
    let folder = scratch();
    for file in corpus.files() {
        copy(&file, &folder.path().join("logs").join(file.strip_prefix(corpus.path()).unwrap()));
    }
    let logs = folder.path().join("logs");
    let whole = fs::read(&corpus.files()[0]).unwrap();
    let mut flipped = whole.clone();
    flipped[100..600].iter_mut().for_each(|byte| *byte ^= 0x5a);
    let noise: Vec<u8> = (0..3_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let labels = fs::read(corpus.labels()).unwrap();
    let bad: &[(&str, &[u8])] = &[
        ("cut.parquet", &whole[..whole.len() / 2]),
        ("empty.parquet", b""),
        ("flipped.parquet", &flipped),
        ("four.parquet", b"PAR1"),
        ("noise.parquet", &noise),
        ("text.parquet", &labels),
    ];
    for (name, bytes) in bad {
        fs::write(logs.join(name), bytes).unwrap();
    }
    let out = folder.path().join("out");
    let ran = flowsift(["detect", logs.to_str().unwrap(), "--out", out.to_str().unwrap()]).expect(3);
    let good = flowsift(["detect", corpus.source(), "-q"]).expect(0);
    assert!(ran.out == good.out, "the damaged objects change nothing in the findings of the others");
    let summary = json(&out.join("summary.json"));
    assert_eq!(summary["objects"]["skipped"], bad.len());
    assert_eq!(summary["objects"]["read"], 18);
    for (skipped, (name, _)) in summary["skipped_objects"].as_array().unwrap().iter().zip(bad) {
        let (object, reason) = (skipped["object"].as_str().unwrap(), skipped["reason"].as_str().unwrap());
        assert!(object.ends_with(name), "{object} is not {name}");
        assert!(reason.len() > 10 && !reason.contains(object), "{object}: {reason}");
    }
    assert!(ran.err.contains("6 skipped") && ran.err.contains("empty.parquet"), "{}", ran.err);
    // Other findings do not hide that objects were skipped, but those asked to fail on come first.
    flowsift(["detect", logs.to_str().unwrap(), "-q", "--fail-on", "high"]).expect(4);
}

#[test]
fn two_flow_logs_over_one_interface_count_once_and_are_told() {
    let mut net = crate::network::Network::new(1);
    net.call(1, "192.0.2.1", 443, 100, [5_000, 9_000]);
    let folder = net.write();
    let name = |log: &str| format!("000123456789_vpcflowlogs_eu-west-1_{log}_20240419T0005Z_0a1b2c3d.log.parquet");
    let file = |log: &str| folder.path().join(name(log));
    fs::rename(folder.path().join("flows.parquet"), file("fl-01")).unwrap();
    let run = || flowsift(["detect", folder.path().to_str().unwrap()]).expect(0);
    let bytes = || {
        let query = "SELECT sum(bytes_out), sum(bytes_in), sum(records) FROM pairs";
        flowsift(["sql", folder.path().to_str().unwrap(), "--format", "csv", "-c", query]).expect(0).text().to_owned()
    };
    let (alone, sums) = (run(), bytes());
    assert!(!alone.err.contains("warning"), "{}", alone.err);
    fs::copy(file("fl-01"), file("fl-02")).unwrap();
    let (both, doubled) = (run(), bytes());
    assert!(
        both.err.contains("several flow logs write the same interfaces: their common traffic counts once"),
        "{}",
        both.err
    );
    assert_eq!((both.out, doubled), (alone.out, sums.clone()));
    // A daily folder beside hourly ones.
    let hour = folder.path().join("AWSLogs/000123456789/vpcflowlogs/eu-west-1/2024/04/19/00");
    fs::create_dir_all(&hour).unwrap();
    fs::rename(file("fl-02"), hour.join(name("fl-02"))).unwrap();
    assert_eq!(bytes(), sums);
}

#[test]
fn findings_to_fail_on_end_with_4() {
    let corpus = Corpus::shared();
    let ran = flowsift(["detect", corpus.source(), "-q", "--fail-on", "high"]).expect(4);
    assert!(!ran.findings().is_empty());
    flowsift(["detect", corpus.source(), "-q", "--fail-on", "critical"]).expect(0);
    // What is not shown still counts.
    let hidden = flowsift(["detect", corpus.source(), "-q", "--fail-on", "high", "--min-severity", "critical"]);
    assert!(hidden.expect(4).out.is_empty());
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let corpus = Corpus::shared();
    for format in ["jsonl", "table", "parquet"] {
        let mut command = program();
        command.args(["detect", corpus.source(), "-q", "--format", format, "--min-severity", "informational"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), err.as_ref()), (Some(0), ""), "{format}");
    }
    // What the run found and what it could not read are told all the same.
    let out = scratch();
    let mut command = program();
    command.args(["detect", corpus.source(), "-q", "--format", "jsonl", "--fail-on", "high", "--out"]).arg(out.path());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(4));
    assert!(json(&out.path().join("summary.json"))["rows"].as_u64().unwrap() > 0);
    let mut child = program().args(["man"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_a_failure() {
    let corpus = Corpus::shared();
    for format in ["jsonl", "table", "parquet"] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let ran = finish(program().args(["detect", corpus.source(), "-q", "--format", format]).stdout(full)).expect(1);
        assert!(ran.err.starts_with("error: ") && ran.err.contains("No space left"), "{format}: {}", ran.err);
    }
}

#[test]
#[cfg(unix)]
fn an_interrupt_ends_with_130_and_a_schedulers_stop_with_143() {
    for (signal, code, word) in [("INT", 130, "interrupted"), ("TERM", 143, "terminated")] {
        let folder = scratch();
        let out = folder.path().join("corpus");
        let mut command = program();
        command.args(["generate", "--rows", "500000000", "--hosts", "2000", "--attack-hosts", "0", "--out"]).arg(&out);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let begun = Instant::now();
        while !out.exists() && begun.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let kill = format!("kill -{signal} {}", child.id());
        assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        let status = child.wait().unwrap();
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!(status.code(), Some(code), "{err}");
        assert!(err.contains(word), "{err}");
    }
}
