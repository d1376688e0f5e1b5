//! The same objects give the same findings: on any number of threads, under any names, with kept hours or without.

use std::fs;
use std::path::{Path, PathBuf};

use parquet::basic::Compression;
use serde_json::Value as Json;

use crate::forms::{Variant, aws, write};
use crate::program::{Corpus, copy, flowsift, kept_files, parquet_files, scratch};
use crate::records::{COLUMNS, Value, records};

fn findings(source: &str, more: &[&str]) -> Vec<u8> {
    let args = [&["detect", source, "-q", "--min-severity", "informational"], more].concat();
    flowsift(args).expect(0).out
}

/// Runs with kept hours and `--out`; returns the findings and the counts of objects.
fn with_state(source: &str, state: &Path, more: &[&str], code: i32) -> (Vec<u8>, Json) {
    let out = scratch();
    let (state, out_text) = (state.to_str().unwrap(), out.path().to_str().unwrap());
    let fixed = ["detect", source, "-q", "--min-severity", "informational", "--state", state, "--out", out_text];
    let ran = flowsift([&fixed[..], more].concat()).expect(code);
    let summary = fs::read_to_string(out.path().join("summary.json")).unwrap();
    let summary: Json = serde_json::from_str(&summary).unwrap();
    assert_eq!(fs::read(out.path().join("findings.jsonl")).unwrap(), ran.out);
    (ran.out, summary["objects"].clone())
}

/// The objects' numbers as (read, reused, skipped).
fn counts(objects: &Json) -> (u64, u64, u64) {
    let count = |name: &str| objects[name].as_u64().unwrap();
    (count("read"), count("reused"), count("skipped"))
}

/// A copy of the shared corpus that a test may change.
fn copied(corpus: &Corpus) -> tempfile::TempDir {
    let folder = scratch();
    for file in corpus.files() {
        copy(&file, &folder.path().join(file.strip_prefix(corpus.path()).unwrap()));
    }
    folder
}

/// An order that differs from the sorted one and hardly keeps neighbours.
fn shuffled(mut files: Vec<PathBuf>) -> Vec<PathBuf> {
    files.sort_by_key(|file| {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        name.bytes().fold(7u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    });
    files
}

#[test]
fn threads_do_not_matter() {
    let corpus = Corpus::shared();
    let one = findings(corpus.source(), &["--threads", "1"]);
    assert!(one.len() > 10_000);
    for threads in ["2", "4", "7"] {
        assert!(findings(corpus.source(), &["--threads", threads]) == one, "{threads} threads");
    }
}

#[test]
fn names_and_folders_do_not_matter() {
    let corpus = Corpus::shared();
    let expected = findings(corpus.source(), &[]);
    let folder = scratch();
    // The same hours in AWS's plain layout, under names in another order.
    for (at, file) in shuffled(corpus.files()).iter().enumerate() {
        let hour = file.parent().unwrap().file_name().unwrap().to_string_lossy().replace("hour=", "");
        let name = format!("123456789012_vpcflowlogs_us-east-1_fl-0_20240115T{hour}00Z_{at:08x}.log.parquet");
        let place = format!("deep/er/AWSLogs/o-abc/123456789012/vpcflowlogs/us-east-1/2024/01/15/{hour}/{name}");
        copy(file, &folder.path().join(place));
    }
    let plain = findings(folder.path().to_str().unwrap(), &[]);
    assert!(plain == expected, "the plain layout gives other findings");
    // The files named one by one, last first, some of them twice.
    let mut files: Vec<String> = corpus.files().iter().rev().map(|file| file.to_str().unwrap().to_owned()).collect();
    files.push(files[3].clone());
    let args = ["detect", "-q", "--min-severity", "informational"].map(str::to_owned);
    let named = flowsift(args.into_iter().chain(files)).expect(0);
    assert!(named.out == expected, "files named one by one give other findings");
}

#[test]
fn a_folder_without_any_layout_finds_the_same() {
    let corpus = Corpus::shared();
    let folder = scratch();
    for (at, file) in shuffled(corpus.files()).iter().enumerate() {
        copy(file, &folder.path().join(format!("{at}.parquet")));
    }
    // One unit now holds all hours, so connections that cross an hour are seen whole; what is found stays.
    let key = |finding: &Json| ["id", "detection", "host", "remote", "severity"].map(|name| finding[name].to_string());
    let read = |bytes: Vec<u8>| -> Vec<_> {
        let text = String::from_utf8(bytes).unwrap();
        let mut keys: Vec<_> = text.lines().map(|line| key(&serde_json::from_str(line).unwrap())).collect();
        keys.sort();
        keys
    };
    let flat = flowsift(["detect", "-q", folder.path().to_str().unwrap()]).expect(0).out;
    let dated = flowsift(["detect", "-q", corpus.source()]).expect(0).out;
    assert_eq!(read(flat), read(dated));
}

#[test]
fn kept_hours_give_the_same_findings_and_are_used_again() {
    let corpus = Corpus::shared();
    let expected = findings(corpus.source(), &[]);
    let state = scratch();
    let (first, objects) = with_state(corpus.source(), state.path(), &[], 0);
    assert_eq!(counts(&objects), (18, 0, 0));
    assert!(first == expected, "the first run with kept hours differs from one without");
    let (second, objects) = with_state(corpus.source(), state.path(), &["--threads", "1"], 0);
    assert_eq!(counts(&objects), (0, 18, 0));
    assert!(second == expected, "kept hours give other findings");

    // Other internal networks make other hours: none of the kept ones fits.
    let (_, objects) = with_state(corpus.source(), state.path(), &["--internal", "10.0.0.0/8"], 0);
    assert_eq!(counts(&objects), (18, 0, 0));

    // A damaged or half-written file counts as absent.
    let state = scratch();
    with_state(corpus.source(), state.path(), &[], 0);
    let kept = kept_files(state.path());
    assert_eq!(kept.len(), 6, "a file for each unit");
    let bytes = fs::read(&kept[0]).unwrap();
    fs::write(&kept[0], &bytes[..bytes.len() / 2]).unwrap();
    fs::remove_file(&kept[3]).unwrap();
    let (third, objects) = with_state(corpus.source(), state.path(), &[], 0);
    assert_eq!(counts(&objects), (6, 12, 0));
    assert!(third == expected, "damaged kept hours changed the findings");
}

#[test]
fn a_window_in_kept_hours_is_judged_as_one_that_was_read() {
    let corpus = Corpus::shared();
    let state = scratch();
    with_state(corpus.source(), state.path(), &[], 0);
    for (window, hours) in [
        (&["--from", "2024-01-15T03:00:00Z"][..], 6),
        (&["--to", "2024-01-15T04:00:00Z"], 5),
        (&["--from", "2024-01-15T02:00:00Z", "--to", "2024-01-15T05:00:00Z"], 6),
        (&["--from", "2024-01-15T03:20:00Z", "--to", "2024-01-15T04:40:00Z", "--baseline", "2h"], 6),
    ] {
        let read = findings(corpus.source(), window);
        // A run continues the incidents of runs whose windows ended before; here only the kept hours are judged.
        fs::remove_dir_all(state.path().join("incidents")).unwrap();
        let (kept, objects) = with_state(corpus.source(), state.path(), window, 0);
        assert_eq!(counts(&objects), (0, 3 * hours, 0), "{window:?}");
        assert!(kept == read, "{window:?} gives other findings from kept hours");
    }
}

#[test]
fn a_late_object_costs_its_own_unit_only() {
    let corpus = Corpus::shared();
    let folder = copied(&corpus);
    let source = folder.path().to_str().unwrap();
    let late = &parquet_files(folder.path())[10];
    let aside = folder.path().join("late.bin");
    fs::rename(late, &aside).unwrap();
    let state = scratch();
    let (before, objects) = with_state(source, state.path(), &[], 0);
    assert_eq!(counts(&objects), (17, 0, 0));
    fs::rename(&aside, late).unwrap();
    let (after, objects) = with_state(source, state.path(), &[], 0);
    assert_eq!(counts(&objects), (3, 15, 0), "three objects make an hour");
    assert!(after == findings(corpus.source(), &[]) && after != before);
    assert_eq!(kept_files(state.path()).len(), 6, "hours of the unit without the late object are gone");
}

/// Two files at the ends of each of three days.
fn three_days(root: &Path, flow_log: &str) {
    for (at, day) in [19, 20, 21].into_iter().enumerate() {
        for time in ["0000", "2350"] {
            let folder = root.join(format!("AWSLogs/123456789012/vpcflowlogs/eu-west-1/2024/04/{day}"));
            fs::create_dir_all(&folder).unwrap();
            let name = format!("123456789012_vpcflowlogs_eu-west-1_{flow_log}_202404{day}T{time}Z_0a.log.parquet");
            let days = at as i64 * 86_400 + if time == "0000" { 0 } else { 85_800 };
            let mut records = records();
            for record in &mut records {
                for column in ["start", "end"] {
                    let place = COLUMNS.iter().position(|name| *name == column).unwrap();
                    if let Value::Number(time_s) = &mut record[place] {
                        *time_s += days;
                    }
                }
            }
            fs::write(folder.join(name), write(&records, &aws())).unwrap();
        }
    }
}

#[test]
fn days_at_the_edge_of_a_window_stay_whole() {
    let folder = scratch();
    three_days(folder.path(), "fl-0a");
    let (source, state) = (folder.path().to_str().unwrap(), scratch());
    let (all, objects) = with_state(source, state.path(), &[], 0);
    assert_eq!(counts(&objects), (6, 0, 0));
    // The day before the history begins ends within the margins.
    let window = ["--from", "2024-04-21T01:00:00Z", "--baseline", "1h"];
    let (part, objects) = with_state(source, state.path(), &window, 0);
    assert_eq!(counts(&objects), (0, 4, 0));
    assert!(part == findings(source, &window));
    let (again, objects) = with_state(source, state.path(), &[], 0);
    assert_eq!(counts(&objects), (0, 6, 0));
    assert!(all == again);
    // Without anything kept the days are read whole, and may be kept.
    let state = scratch();
    with_state(source, state.path(), &window, 0);
    assert_eq!(counts(&with_state(source, state.path(), &[], 0).1), (2, 4, 0));
}

#[test]
fn what_a_run_writes_is_not_what_it_reads() {
    let folder = scratch();
    let logs = folder.path().join("logs");
    three_days(&logs, "fl-0a");
    let expected = findings(logs.to_str().unwrap(), &[]);
    let asked =
        ["sql", logs.to_str().unwrap(), "-q", "--state", logs.to_str().unwrap(), "-c", "SELECT 1 FROM pair_hours"];
    for _ in 0..2 {
        flowsift(asked).expect(0);
    }
    fs::remove_dir_all(logs.join("v7")).unwrap();
    // Outputs below what is read, and in the very folder.
    for (source, state, out) in [("logs", "logs/state", "logs/out"), ("logs", "logs", "logs"), (".", "logs", "")] {
        let place = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (source, state, out) = (place(source), place(state), place(out));
        for _ in 0..2 {
            let args = ["detect", &source, "-q", "--min-severity", "informational", "--state", &state, "--out", &out];
            assert!(flowsift(args).expect(0).out == expected, "{args:?}");
        }
        for written in ["logs/state", "logs/out", "logs/v7"] {
            let _ = fs::remove_dir_all(folder.path().join(written));
        }
        for written in ["findings.jsonl", "findings.parquet", "incidents.jsonl", "summary.json"] {
            let _ = fs::remove_file(logs.join(written));
        }
    }
}

#[test]
fn sources_that_share_a_place_keep_their_hours_apart() {
    let (one, other, state) = (scratch(), scratch(), scratch());
    three_days(one.path(), "fl-0a");
    three_days(other.path(), "fl-0b");
    let read = |source: &Path| counts(&with_state(source.to_str().unwrap(), state.path(), &[], 0).1);
    assert_eq!([read(one.path()), read(other.path())], [(6, 0, 0); 2]);
    assert_eq!([read(one.path()), read(other.path())], [(0, 6, 0); 2]);
}

#[test]
fn a_unit_with_a_damaged_object_is_kept_until_the_object_changes() {
    let corpus = Corpus::shared();
    let folder = copied(&corpus);
    let source = folder.path().to_str().unwrap();
    let damaged = &parquet_files(folder.path())[4];
    let whole = fs::read(damaged).unwrap();
    fs::write(damaged, &whole[..whole.len() - 100]).unwrap();
    let state = scratch();
    let (first, objects) = with_state(source, state.path(), &[], 3);
    assert_eq!(counts(&objects), (17, 0, 1));
    let (second, objects) = with_state(source, state.path(), &[], 3);
    assert_eq!(counts(&objects), (0, 17, 1), "nothing is read again, and the object is still named");
    assert!(first == second);
    fs::write(damaged, &whole).unwrap();
    let (healed, objects) = with_state(source, state.path(), &[], 0);
    assert_eq!(counts(&objects), (3, 15, 0));
    assert!(healed == findings(corpus.source(), &[]));
}

/// How much of an object is read depends on what others told of its ENIs before; that of a damaged one must not show.
#[test]
fn what_counts_of_damaged_objects_does_not_depend_on_who_was_read_first() {
    let whole = write(&records(), &Variant { compression: Compression::UNCOMPRESSED, ..aws() });
    let mut damaged = whole.to_vec();
    // The first name in the dictionary of instances, behind its length.
    let name = damaged.windows(6).position(|bytes| bytes == b"\x13\0\0\0i-").expect("a dictionary of instances");
    damaged[name + 4..name + 23].fill(0xff);
    let folder = scratch();
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).unwrap();
    for (file, bytes) in
        [("a", &damaged[..]), ("b", &damaged), ("c", &whole), ("d", &damaged), ("e", &whole), ("f", &damaged)]
    {
        fs::write(logs.join(file).with_extension("parquet"), bytes).unwrap();
    }
    let mut seen = Vec::new();
    for threads in ["1", "2", "3", "8", "8"] {
        let out = folder.path().join("out");
        let args = ["detect", logs.to_str().unwrap(), "-q", "--min-severity", "informational", "--threads", threads];
        let ran = flowsift([&args[..], &["--out", out.to_str().unwrap()]].concat()).expect(3);
        let summary: Json = serde_json::from_slice(&fs::read(out.join("summary.json")).unwrap()).unwrap();
        let skipped = summary["skipped_objects"].as_array().unwrap().iter();
        let skipped: Vec<&str> = skipped.map(|of| of["object"].as_str().unwrap().rsplit('/').next().unwrap()).collect();
        // Before `c` nobody tells whose the ENIs are, so `a` and `b` must, and cannot.
        assert_eq!(skipped, ["a.parquet", "b.parquet"], "{threads} threads");
        assert_eq!(summary["rows"], 4 * records().len(), "{threads} threads");
        seen.push(ran.out);
    }
    assert!(seen.iter().all(|findings| *findings == seen[0]));
}
