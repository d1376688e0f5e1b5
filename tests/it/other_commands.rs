//! Help, completions, configuration, `inspect` and `generate`.

use std::fs;

use serde_json::Value;

use crate::program::{ATTACKS, Corpus, finish, flowsift, parquet_files, program, scratch};

#[test]
fn help_completions_and_man_pages_come_from_one_definition() {
    let commands = ["detect", "generate", "evaluate", "inspect", "completions", "man"];
    let whole = flowsift(["--help"]).expect(0);
    for command in commands {
        assert!(whole.text().contains(&format!("\n  {command}")), "{}", whole.text());
        let help = flowsift([command, "--help"]).expect(0);
        assert!(help.text().contains(&format!("Usage: flowsift {command}")) && help.err.is_empty());
        assert!(help.text().lines().all(|line| line.chars().count() <= 160), "{command}");
    }
    let detect = flowsift(["detect", "--help"]).expect(0);
    let options = ["--from", "--to", "--baseline", "--state", "--indicators", "--networks", "--internal", "--allow"];
    let more = ["--detections", "--out", "--format", "--min-severity", "--fail-on", "--fdr", "--threads", "--profile"];
    for option in options.iter().chain(&more) {
        assert!(detect.text().contains(option), "no {option} in the help of detect");
    }
    let version = flowsift(["--version"]).expect(0);
    assert_eq!(version.text(), format!("flowsift {}\n", env!("CARGO_PKG_VERSION")));
    for shell in ["bash", "zsh", "fish"] {
        let script = flowsift(["completions", shell]).expect(0);
        assert!(script.text().contains("min-severity") && script.err.is_empty(), "{shell}");
    }
    assert!(flowsift(["man"]).expect(0).text().contains(".TH flowsift 1"));
    let folder = scratch();
    finish(program().args(["man", "--out"]).arg(folder.path())).expect(0);
    for command in commands {
        let page = fs::read_to_string(folder.path().join(format!("flowsift-{command}.1"))).unwrap();
        assert!(page.contains(".TH"), "{command}");
    }
}

#[test]
fn a_config_file_gives_defaults_that_flags_override() {
    let corpus = Corpus::shared();
    let folder = scratch();
    let config = folder.path().join("flowsift.toml");
    fs::write(&config, "[global]\nquiet = true\nthreads = 1\n[detect]\nmin-severity = 'high'\n").unwrap();
    let config = config.to_str().unwrap();
    let high = flowsift(["detect", corpus.source(), "--config", config]).expect(0);
    assert_eq!(high.err, "", "quiet comes from [global]");
    assert!(high.findings().iter().all(|finding| finding["severity"] == "high"));
    let low = flowsift(["--config", config, "detect", corpus.source(), "--min-severity", "low"]).expect(0);
    assert!(low.findings().len() > high.findings().len(), "the flag wins");
}

#[test]
fn inspect_tells_what_is_there_without_reading_rows() {
    let corpus = Corpus::shared();
    let table = flowsift(["inspect", corpus.source()]).expect(0);
    for word in ["18 objects", "hive hourly", "123456789012", "us-east-1", "2024-01-15T06:00:00Z", "29 columns"] {
        assert!(table.text().contains(word), "no `{word}` in:\n{}", table.text());
    }
    let told = flowsift(["inspect", corpus.source(), "--format", "json"]).expect(0);
    let told: Value = serde_json::from_str(told.text()).unwrap();
    let bytes: u64 = corpus.files().iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    assert_eq!((&told["objects"], &told["bytes"], &told["places"][0]["hours"]), (&18.into(), &bytes.into(), &6.into()));
    let hour = flowsift(["inspect", corpus.source(), "--from", "2024-01-15T05:00:00Z", "--format", "json"]).expect(0);
    let hour: Value = serde_json::from_str(hour.text()).unwrap();
    assert!(hour["objects"].as_u64().unwrap() < 6, "{hour}");
}

#[test]
fn generate_makes_the_same_bytes_on_any_number_of_threads() {
    let folder = scratch();
    let made = |threads: &str| {
        let out = folder.path().join(threads);
        let rows = "20000";
        let args =
            ["generate", "--rows", rows, "--hosts", "30", "--hours", "2", "--attack-hosts", "0", "--threads", threads];
        let ran = finish(program().args(args).arg("--out").arg(&out)).expect(0);
        assert!(ran.out.is_empty() && ran.err.contains("rows in"), "{}", ran.err);
        let files = parquet_files(&out);
        assert_eq!(files.len(), 24);
        files.iter().map(|f| (f.strip_prefix(&out).unwrap().to_owned(), fs::read(f).unwrap())).collect::<Vec<_>>()
    };
    assert!(made("1") == made("3"));
}

#[test]
fn every_way_to_write_a_corpus_is_read_alike() {
    let folder = scratch();
    let mut all = Vec::new();
    for extra in [
        &["--layout", "hive", "--partition", "hourly"][..],
        &["--layout", "plain", "--partition", "hourly", "--codec", "zstd", "--page-version", "2"],
        &["--layout", "plain", "--codec", "snappy", "--no-dictionary", "--row-group-rows", "500"],
        &["--codec", "none", "--files-per-hour", "1"],
    ] {
        let out = folder.path().join(all.len().to_string());
        let attacks = folder.path().join("attacks.toml");
        fs::write(&attacks, ATTACKS).unwrap();
        let args = ["generate", "-q", "--rows", "30000", "--hosts", "20", "--hours", "3"];
        finish(program().args(args).args(extra).arg("--attacks").arg(&attacks).arg("--out").arg(&out)).expect(0);
        all.push(flowsift(["detect", "-q", out.to_str().unwrap()]).expect(0).out);
    }
    assert!(!all[0].is_empty() && all.iter().all(|findings| *findings == all[0]));
}

#[test]
fn inspect_decodes_everything_and_names_what_it_cannot_read() {
    let corpus = Corpus::generate(crate::program::small());
    let whole: Value =
        serde_json::from_slice(&flowsift(["inspect", corpus.source(), "--decode", "--format", "json"]).expect(0).out)
            .unwrap();
    let summary = flowsift(["detect", corpus.source()]).expect(0).err;
    let rows = whole["decoded"]["rows"].as_u64().unwrap();
    let told = format!("rows      {},{:03} ", rows / 1_000, rows % 1_000);
    assert!(summary.contains(&told), "no `{told}` in {summary}");
    assert!(whole["decoded"]["accepted"].as_u64().unwrap() < rows && whole["decoded"]["bytes"].as_u64().unwrap() > 0);
    let damaged = &corpus.files()[3];
    let bytes = fs::read(damaged).unwrap();
    fs::write(damaged, &bytes[..bytes.len() / 2]).unwrap();
    let ran = flowsift(["inspect", corpus.source(), "--decode", "--footers", "0", "--format", "json"]).expect(3);
    let less: Value = serde_json::from_slice(&ran.out).unwrap();
    let unreadable = less["decoded"]["unreadable"].as_array().unwrap();
    let name = damaged.file_name().unwrap().to_str().unwrap();
    assert!(unreadable.len() == 1 && unreadable[0].as_str().unwrap().contains(name), "{unreadable:?}");
    assert!(less["decoded"]["rows"].as_u64().unwrap() < rows);
}

#[test]
fn a_trace_has_every_stage_object_and_detection() {
    let corpus = Corpus::shared();
    let folder = scratch();
    let trace = folder.path().join("trace.json");
    let plain = flowsift(["detect", corpus.source(), "-q"]).expect(0);
    let traced = flowsift(["detect", corpus.source(), "-q", "--trace", trace.to_str().unwrap()]).expect(0);
    assert!(traced.out == plain.out && traced.err.is_empty());
    let events: Vec<Value> = serde_json::from_slice(&fs::read(&trace).unwrap()).unwrap();
    let begun = |name: &str| events.iter().filter(|event| event["ph"] == "B" && event["name"] == name).count();
    for stage in ["list", "scan and rollup", "baselines", "detections", "report"] {
        assert_eq!(begun(stage), 1, "{stage}");
    }
    assert_eq!((begun("scan"), begun("rollup")), (18, 6));
    assert!(begun("detection") >= 5);
    let count = |phase: &str| events.iter().filter(|event| event["ph"] == phase).count();
    assert_eq!(count("B"), count("E"), "every span ends");
    let ran = flowsift(["detect", corpus.source(), "--trace", "/nonexistent/trace.json"]).expect(2);
    assert!(ran.err.starts_with("error: --trace /nonexistent/trace.json: "), "{}", ran.err);
}

#[test]
fn a_story_is_made_and_judged() {
    let folder = scratch();
    let out = folder.path().join("story");
    let made = finish(program().args(["generate", "--story", "--people", "8", "--out"]).arg(&out)).expect(0);
    assert!(made.err.contains(" events and ") && made.err.contains(" labels"), "{}", made.err);
    for name in ["AWSLogs", "okta", "atlassian", "iam", "labels.csv", "networks.csv", "corpus.json"] {
        assert!(out.join(name).exists(), "{name}");
    }
    let findings = folder.path().join("findings.jsonl");
    let finding = r#"{"detection":"stale_credential","severity":"high","score":0.9,"principal":"apps-marketplace",
        "first_seen":"2023-11-14T10:00:00Z","last_seen":"2023-11-14T11:00:00Z","incident_id":"i1"}"#;
    fs::write(&findings, finding.replace('\n', "")).unwrap();
    let judge = |more: &[&str]| {
        finish(program().arg("evaluate").arg(&findings).arg(out.join("labels.csv")).arg("--story").args(more))
    };
    let judged = judge(&[]).expect(0);
    assert!(judged.text().contains("stale_credential (high, 1)"), "{}", judged.text());
    assert!(judged.text().contains("precision   100 %  1 of 1 findings"), "{}", judged.text());
    judge(&["--min-recall", "0.5"]).expect(1);
    flowsift(["generate", "--story", "--rows", "5", "--out", "x"]).expect(2);
    let wrong = flowsift(["generate", "--story", "--variation", "slwo", "--out", "x"]).expect(2);
    assert!(wrong.err.contains("one of none, gateway"), "{}", wrong.err);
}
