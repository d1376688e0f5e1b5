//! A time filter gives the same whatever span the files of a layout have and whatever their names say of it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::forms::{aws, write};
use crate::program::{flowsift, scratch};
use crate::records::{COLUMNS, DAY_S, Record, Value, records};

const DAILY: &str = "AWSLogs/123456789012/vpcflowlogs/eu-west-1/2024/04/19";
const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/datasets/demo");

fn file_name(time_s: i64, n: i64) -> String {
    let time = chrono::DateTime::from_timestamp(time_s, 0).unwrap().format("%Y%m%dT%H%MZ");
    format!("123456789012_vpcflowlogs_eu-west-1_fl-0a_{time}_{n:08x}.log.parquet")
}

/// Second of the day at which a record begins.
fn second(record: &Record) -> i64 {
    let place = COLUMNS.iter().position(|column| *column == "start").unwrap();
    match record[place] {
        Value::Number(start_s) => start_s - DAY_S,
        ref other => panic!("{other:?}"),
    }
}

/// Writes three hours of records into files of `span_s`, each named by the second that `name` makes of its begin.
fn written(root: &Path, folder: &str, span_s: i64, name: impl Fn(i64) -> i64) -> PathBuf {
    let folder = root.join(folder);
    fs::create_dir_all(&folder).unwrap();
    let all = records();
    for at in 0..3 * 3_600 / span_s.min(3 * 3_600) {
        let held = |record: &&Record| second(record).div_euclid(span_s) == at;
        let mine: Vec<Record> = all.iter().filter(held).cloned().collect();
        fs::write(folder.join(file_name(name(DAY_S + at * span_s), at)), write(&mine, &aws())).unwrap();
    }
    root.to_owned()
}

fn counted(source: &str, filter: &str) -> String {
    let sql = format!("SELECT count(*), sum(bytes), min(start), max(start) FROM flows WHERE {filter}");
    flowsift(["sql", source, "-q", "--format", "csv", "-c", &sql]).expect(0).text().to_owned()
}

/// A filter of which names tell something, and the same of which they tell nothing.
fn filters(from: &str, to: &str) -> [String; 2] {
    let zero = "INTERVAL '0 seconds'";
    [
        format!("start >= '{from}' AND start < '{to}'"),
        format!("start + {zero} >= TIMESTAMP '{from}' AND start + {zero} < TIMESTAMP '{to}'"),
    ]
}

#[test]
fn the_demo_of_a_file_an_hour_keeps_its_middle() {
    let [named, unnamed] = filters("2023-11-22T05:30:00Z", "2023-11-22T05:45:00Z");
    let count = counted(DEMO, &named);
    assert!(count.contains("\n894,"), "{count}");
    assert_eq!(count, counted(DEMO, &unnamed));
    let moment = ["query", "active_at", DEMO, "-q", "--format", "csv", "--param", "at=2023-11-22T05:50:00Z"];
    assert!(flowsift(moment).expect(0).text().lines().count() > 10);
}

#[test]
fn long_files_answer_as_short_ones_do() {
    let folder = scratch();
    let day = 86_400;
    let begin: fn(i64) -> i64 = |from_s| from_s;
    let sources = [
        written(&folder.path().join("five"), DAILY, 300, begin),
        written(&folder.path().join("hour"), DAILY, 3_600, begin),
        written(&folder.path().join("hour-by-end"), DAILY, 3_600, |from_s| from_s + 3_600),
        written(&folder.path().join("day"), DAILY, day, begin),
        written(&folder.path().join("day-by-end"), DAILY, day, |from_s| from_s + 86_340),
        written(&folder.path().join("bare"), "copies", day, begin),
        written(&folder.path().join("bare-hour"), "copies", 3_600, begin),
    ];
    for (from, to) in [
        ("2024-04-19T00:20:00Z", "2024-04-19T00:35:00Z"),
        ("2024-04-19T01:40:00Z", "2024-04-19T02:05:00Z"),
        ("2024-04-19T02:30:00Z", "2024-04-19T02:31:00Z"),
    ] {
        let [named, unnamed] = filters(from, to);
        let expected = counted(sources[0].to_str().unwrap(), &unnamed);
        assert!(!expected.contains("\n0,"), "{expected}");
        for source in &sources {
            assert_eq!(counted(source.to_str().unwrap(), &named), expected, "{} {from}", source.display());
        }
    }
    let judged = |source: &Path| {
        let source = source.to_str().unwrap();
        let window = ["--from", "2024-04-19T02:00:00Z", "--baseline", "1h", "--min-severity", "informational"];
        flowsift([&["detect", source, "-q"], &window[..]].concat()).expect(0).text().to_owned()
    };
    let expected = judged(&sources[0]);
    assert!(!expected.is_empty());
    for source in &sources[1..] {
        assert_eq!(judged(source), expected, "{}", source.display());
    }
}
