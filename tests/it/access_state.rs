//! Logs of accesses between runs: what a state remembers when the lake forgets.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::accesses::{call, trail};
use crate::lakes::put;
use crate::program::{Ran, flowsift, scratch};

fn detect(source: &Path, state: Option<&Path>, more: &[&str]) -> Ran {
    let kept: Vec<&str> = state.iter().flat_map(|state| ["--state", state.to_str().unwrap()]).collect();
    flowsift([&["detect", source.to_str().unwrap(), "--progress", "never"], &kept[..], more].concat())
}

/// The findings of a run, but for the incidents that they belong to: with a state, those of earlier runs go on.
fn found(ran: &Ran) -> Vec<String> {
    let without_incident = |mut one: Value| {
        one.as_object_mut().unwrap().remove("incident_id");
        one.to_string()
    };
    let mut told: Vec<String> = ran.findings().into_iter().map(without_incident).collect();
    told.sort();
    told
}

/// The files below a folder.
fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Copies the logs of accesses of the story of the days of a November that `wanted` picks, and the lists beside them.
fn story(root: &Path, wanted: impl Fn(u32) -> bool) {
    let story = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/story");
    for path in files(&story) {
        let name = path.strip_prefix(&story).unwrap().to_str().unwrap();
        let day = name.split_once("/2023/11/").map(|(_, rest)| rest[..2].parse::<u32>().unwrap());
        let is_list = name.starts_with("iam/");
        if (is_list || day.is_some_and(&wanted)) && !name.contains("vpcflowlogs") {
            put(root, name, &fs::read(&path).unwrap());
        }
    }
}

#[test]
fn the_last_days_alone_and_a_state_find_what_the_whole_lake_finds() {
    const LAST: u32 = 22;
    let folder = scratch();
    let (lake, state, out) = (folder.path().join("lake"), folder.path().join("state"), folder.path().join("out"));
    let last = ["--from", "2023-11-22", "--to", "2023-11-25", "--baseline", "30d", "--format", "jsonl"];
    story(&lake, |_| true);
    let whole = found(&detect(&lake, None, &last).expect(0));
    assert!(whole.len() >= 5, "{}", whole.len());

    fs::remove_dir_all(&lake).unwrap();
    story(&lake, |day| day < LAST);
    detect(&lake, Some(&state), &["-q", "--from", "2023-11-14", "--to", "2023-11-22", "--baseline", "30d"]).expect(0);

    fs::remove_dir_all(&lake).unwrap();
    story(&lake, |day| day >= LAST);
    let of_last = files(&lake).len() as u64;
    let run = || {
        let all = [&last[..], &["--out", out.to_str().unwrap()]].concat();
        let ran = detect(&lake, Some(&state), &all).expect(0);
        let summary: Value = serde_json::from_slice(&fs::read(out.join("summary.json")).unwrap()).unwrap();
        (found(&ran), summary["bytes_read"].as_u64().unwrap())
    };
    let bytes = |root: &Path| files(root).iter().map(|path| path.metadata().unwrap().len()).sum::<u64>();
    let (told, read) = run();
    assert_eq!(told, whole);
    assert_eq!(read, bytes(&lake), "{of_last} objects, each once");
    let kept: Vec<(PathBuf, Vec<u8>)> =
        files(&state.join("accesses")).into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    let ledgers = files(&state.join("ledgers"));
    assert!(kept.len() > 60 && ledgers.len() == 1, "{} {}", kept.len(), ledgers.len());

    let (told, read) = run();
    assert_eq!(told, whole);
    assert_eq!(read, bytes(&lake.join("iam")), "the lists alone are read again");
    assert!(kept.iter().all(|(path, bytes)| fs::read(path).unwrap() == *bytes));
    assert_eq!(files(&state.join("ledgers")), ledgers);
}

#[test]
fn a_stale_key_is_found_though_the_lake_holds_the_last_day_alone() {
    let folder = scratch();
    let (lake, state) = (folder.path().join("lake"), folder.path().join("state"));
    let account = "AWSLogs/123456789012/CloudTrail/eu-west-1";
    let used = |day: &str, action: &str| {
        let name = format!("{account}/{}/a.json.gz", day.replace('-', "/"));
        let calls = [call("10:00:00", "s3", action, "backup", "203.0.113.9", "")];
        put(&lake, &name, &trail(&calls.map(|call| call.replace("2024-04-19", day))));
    };
    used("2023-11-10", "GetObject");
    detect(&lake, Some(&state), &["-q"]).expect(0);
    fs::remove_dir_all(&lake).unwrap();
    used("2024-04-19", "ListBuckets");
    let day = ["-q", "--from", "2024-04-19", "--to", "2024-04-20", "--format", "jsonl"];
    let stale = |ran: &Ran| -> Vec<Value> {
        ran.findings().into_iter().filter(|one| one["detection"] == "stale_credential").collect()
    };
    assert!(stale(&detect(&lake, None, &day).expect(0)).is_empty());
    let told = stale(&detect(&lake, Some(&state), &day).expect(0));
    let [key] = &told[..] else { panic!("{told:?}") };
    assert_eq!((&key["evidence"]["gap_days"], &key["evidence"]["last_from"]), (&161.into(), &"log".into()));
    assert_eq!(key["event_ids"], serde_json::json!(["backup-10:00:00-ListBuckets"]));

    // The tables of SQL know it, too.
    let query = "SELECT first_seen, longest_gap_days FROM credentials";
    let ran =
        flowsift(["sql", lake.to_str().unwrap(), "--state", state.to_str().unwrap(), "--format", "csv", "-c", query]);
    assert!(ran.expect(0).text().contains("2023-11-10T10:00:00Z,161"));
}

#[test]
fn a_state_that_is_full_or_damaged_is_told_and_changes_nothing() {
    let folder = scratch();
    let (lake, state) = (folder.path().join("lake"), folder.path().join("state"));
    let account = "AWSLogs/123456789012/CloudTrail/eu-west-1/2024/04/19";
    put(
        &lake,
        &format!("{account}/a.json.gz"),
        &trail(&[call("10:00:00", "s3", "GetObject", "al", "203.0.113.9", "")]),
    );
    let plain = detect(&lake, None, &["-q", "--format", "jsonl"]).expect(0);
    detect(&lake, Some(&state), &["-q"]).expect(0);
    let units = files(&state.join("accesses"));
    let [kept] = &units[..] else { panic!("{units:?}") };
    let mut bytes = fs::read(kept).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(kept, bytes).unwrap();
    let damaged = detect(&lake, Some(&state), &["--format", "jsonl"]).expect(0);
    assert!(damaged.err.contains("accesses/v1/2024-04-19/") && damaged.err.contains("damaged"), "{}", damaged.err);
    assert_eq!(damaged.out, plain.out);

    let full = folder.path().join("file");
    fs::write(&full, "no folder").unwrap();
    let ran = detect(&lake, Some(&full), &["--format", "jsonl"]).expect(3);
    assert!(ran.err.contains("of logs of accesses could not be kept"), "{}", ran.err);
    assert_eq!(ran.out, plain.out);
}
