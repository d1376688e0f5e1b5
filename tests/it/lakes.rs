//! Sources that are no plain delivery of AWS: other logs between the flow logs, unreadable objects, folders of other
//! writers, and copies.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use serde_json::Value;

use crate::forms::{aws, write};
use crate::program::{Ran, flowsift, scratch};
use crate::records::{COLUMNS, DAY_S, Record, Value as Field, records};

pub const DAILY: &str = "AWSLogs/123456789012/vpcflowlogs/eu-west-1/2024/04/19";

pub fn put(root: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

pub fn name(flow_log: &str, hour: i64) -> String {
    format!("123456789012_vpcflowlogs_eu-west-1_fl-{flow_log}_20240419T{hour:02}00Z_0000000{hour}.log.parquet")
}

fn start_s(record: &Record) -> i64 {
    let index = COLUMNS.iter().position(|column| *column == "start").unwrap();
    match record[index] {
        Field::Number(start_s) => start_s,
        ref other => panic!("{other:?}"),
    }
}

/// The records of an hour of the day, as a file.
pub fn hour_file(hour: i64) -> Vec<u8> {
    let mine: Vec<Record> =
        records().into_iter().filter(|record| (start_s(record) - DAY_S).div_euclid(3_600) == hour).collect();
    write(&mine, &aws()).to_vec()
}

/// Three hours of records in AWS's layout.
pub fn hours(root: &Path) {
    for hour in 0..3 {
        put(root, &format!("{DAILY}/{}", name("0a", hour)), &hour_file(hour));
    }
}

/// A Parquet file with columns of text, of one row.
pub fn table(columns: &[&str]) -> Vec<u8> {
    let columns = columns.iter().map(|column| {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![format!("{column} 1")]));
        (*column, texts)
    });
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

pub fn transit_gateway() -> Vec<u8> {
    table(&["version", "resource_type", "tgw_id", "tgw_attachment_id", "srcaddr", "dstaddr", "srcport", "start", "end"])
}

pub fn detect(source: &Path, more: &[&str]) -> Ran {
    let args = ["detect", source.to_str().unwrap(), "--min-severity", "informational"];
    flowsift([&args[..], more].concat())
}

pub fn sql(source: &Path, query: &str) -> Ran {
    flowsift(["sql", source.to_str().unwrap(), "--format", "csv", "-c", query])
}

fn summary(out: &Path) -> Value {
    serde_json::from_slice(&fs::read(out.join("summary.json")).unwrap()).unwrap()
}

pub const TOTALS: &str = "SELECT count(*), sum(bytes), min(start), max(start) FROM flows";

#[test]
fn other_logs_in_the_tree_are_named_and_no_failure() {
    let folder = scratch();
    let root = folder.path().join("logs");
    hours(&root);
    let plain = detect(&root, &["-q"]).expect(0);
    for hour in 0..3 {
        put(&root, &format!("{DAILY}/{}", name("0ff", hour)), &transit_gateway());
    }
    put(&root, &format!("{DAILY}/resolver.parquet"), &table(&["query_name", "query_type", "srcaddr"]));
    put(&root, &format!("{DAILY}/assets.parquet"), &table(&["owner", "team"]));
    put(&root, &format!("{DAILY}/text.log.gz"), b"x");
    let (state, out) = (folder.path().join("state"), folder.path().join("out"));
    let more = ["--state", state.to_str().unwrap(), "--out", out.to_str().unwrap()];
    let first = detect(&root, &more).expect(0);
    assert!(first.out == plain.out, "other logs change nothing");
    assert!(first.err.contains("8 listed, 3 read") && first.err.contains("5 of other logs"), "{}", first.err);
    assert!(first.err.contains("3 of Transit Gateway flow logs"), "{}", first.err);
    assert!(!first.err.contains("skipped"), "{}", first.err);
    let again = detect(&root, &more).expect(0);
    assert!(again.out == plain.out);
    assert!(again.err.contains("8 listed, 0 read (0 B)") && again.err.contains("5 of other logs"), "{}", again.err);
    assert_eq!(summary(&out)["objects"]["other_logs"], 5);
    let rows = sql(&root, TOTALS).expect(0);
    assert!(rows.err.contains("note: 5 objects hold other logs"), "{}", rows.err);
    flowsift(["inspect", root.to_str().unwrap(), "--decode"]).expect(0);
    // A flow log without the default fields is a mistake of its owner, and stays one.
    put(&root, &format!("{DAILY}/short.parquet"), &table(&["interface_id", "srcaddr", "dstaddr"]));
    let short = detect(&root, &more).expect(3);
    assert!(short.err.contains("no VPC flow records: no column for srcport"), "{}", short.err);
}

#[test]
fn a_source_of_other_logs_alone_says_so() {
    let folder = scratch();
    put(folder.path(), "a.parquet", &transit_gateway());
    let ran = detect(folder.path(), &[]).expect(3);
    assert!(
        ran.err.contains("warning: nothing could be judged: no VPC flow logs in 1 object, but Transit"),
        "{}",
        ran.err
    );
}

#[test]
fn a_partition_is_kept_without_what_no_run_can_read() {
    let folder = scratch();
    let root = folder.path().join("logs");
    hours(&root);
    put(&root, &format!("{DAILY}/{}", name("0b", 1)), b"");
    let cut = hour_file(1);
    let damaged = put(&root, &format!("{DAILY}/{}", name("0c", 1)), &cut[..cut.len() / 2]);
    let (state, out) = (folder.path().join("state"), folder.path().join("out"));
    let more = ["--state", state.to_str().unwrap(), "--out", out.to_str().unwrap()];
    let first = detect(&root, &more).expect(3);
    assert!(first.err.contains("3 read") && first.err.contains("2 skipped"), "{}", first.err);
    assert!(first.err.contains("empty (0 bytes)"), "{}", first.err);
    let again = detect(&root, &more).expect(3);
    assert!(
        again.err.contains(" 0 read (0 B)") && again.err.contains("3 reused from state, 2 skipped"),
        "{}",
        again.err
    );
    assert!(again.out == first.out);
    let reasons = |run: &Ran| {
        run.err.lines().filter(|line| line.contains(".log.parquet: ")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(reasons(&again), reasons(&first));
    assert_eq!(summary(&out)["skipped_objects"].as_array().unwrap().len(), 2);
    // A new version of the object is tried.
    fs::write(&damaged, &cut).unwrap();
    let mended = detect(&root, &more).expect(3);
    assert!(mended.err.contains("4 read") && mended.err.contains("1 skipped"), "{}", mended.err);
}

/// The folders of a writer in a zone `hours` from UTC, or of a job that runs `hours` later, by the second of a record.
fn filed(root: &Path, folder: impl Fn(i64) -> String) {
    for hour in 0..3 {
        put(root, &format!("lake/{}/part-{hour}.parquet", folder(DAY_S + hour * 3_600)), &hour_file(hour));
    }
}

fn dated(second: i64, format: &str) -> String {
    chrono::DateTime::from_timestamp(second, 0).unwrap().format(format).to_string()
}

#[test]
fn folders_of_other_writers_answer_as_a_flat_folder_does() {
    let folder = scratch();
    let flat = folder.path().join("flat");
    filed(&flat, |_| "all".to_owned());
    let hourly = "year=%Y/month=%m/day=%d/hour=%H";
    let trees: Vec<(PathBuf, i64, &str)> = [
        (0, hourly),
        (9, hourly),
        (-8, hourly),
        (9, "year=%Y/month=%m/day=%d"),
        (48, "year=%Y/month=%m/day=%d"),
        (48, "dt=%Y-%m-%d"),
        (-8, "region=eu-west-1/accountId=123456789012/eventDay=%Y%m%d"),
        (24, "tp_date=%Y-%m-%d"),
        (0, "date=%Y-%m-%d"),
    ]
    .iter()
    .enumerate()
    .map(|(index, (shift_h, format))| {
        let root = folder.path().join(format!("tree{index}"));
        filed(&root, |second| dated(second + shift_h * 3_600, format));
        (root, *shift_h, *format)
    })
    .collect();
    let query = |from: &str, to: &str| format!("{TOTALS} WHERE start >= '{from}' AND start < '{to}'");
    let queries =
        [query("2024-04-19T00:20:00Z", "2024-04-19T00:35:00Z"), query("2024-04-19T02:00:00Z", "2024-04-19T03:00:00Z")];
    for query in &queries {
        let expected = sql(&flat, query).expect(0);
        assert!(!expected.text().contains("\n0,"));
        for (root, shift_h, format) in &trees {
            assert_eq!(sql(root, query).expect(0).text(), expected.text(), "{format} {shift_h} {query}");
        }
    }
    let fields = |run: &Ran| {
        let mut all = run.findings();
        for finding in &mut all {
            // Folders may say the account and region, which are part of a finding.
            for field in ["id", "account_id", "region"] {
                finding[field] = Value::Null;
            }
        }
        all
    };
    let window = ["-q", "--from", "2024-04-19T02:00:00Z", "--baseline", "1h"];
    let judged = detect(&flat, &window).expect(0);
    for (root, shift_h, format) in trees.iter().filter(|(_, shift_h, _)| [9, -8, 48].contains(shift_h)) {
        let state = root.with_extension("state");
        let kept = [&window[..], &["--state", state.to_str().unwrap()]].concat();
        for options in [&window[..], &kept, &kept] {
            assert_eq!(fields(&detect(root, options).expect(0)), fields(&judged), "{format} {shift_h} {options:?}");
        }
    }
}

#[test]
fn folders_that_bound_their_records_are_pruned() {
    let folder = scratch();
    for day in 0..5 {
        // Ten records a day, on five days.
        let second = DAY_S + day * 86_400;
        for format in ["dt=%Y-%m-%d", "year=%Y/month=%m/day=%d"] {
            day_file(&folder.path().join(&format[..2]), &dated(second, format), day);
        }
    }
    for tree in ["dt", "ye"] {
        let root = folder.path().join(tree);
        let plan = sql(&root, "EXPLAIN FORMAT INDENT SELECT count(*) FROM flows WHERE start >= '2024-04-22T06:00:00Z'");
        assert!(plan.expect(0).text().contains("objects=2, "), "{tree}");
        let rows = sql(&root, "SELECT count(*) FROM flows WHERE start >= '2024-04-22T00:00:00Z'").expect(0);
        assert!(rows.text().contains("\n20\n"), "{}", rows.text());
    }
}

/// Writes a file of records of a day, counted from the day of the records, and returns its number of records.
fn day_file(root: &Path, folder: &str, day: i64) -> usize {
    let moved = |record: &Record| -> Record {
        let mut record = record.clone();
        for column in ["start", "end"] {
            let index = COLUMNS.iter().position(|name| *name == column).unwrap();
            if let Field::Number(time_s) = &mut record[index] {
                *time_s += day * 86_400;
            }
        }
        record
    };
    let rows: Vec<Record> = records().iter().take(10).map(moved).collect();
    put(root, &format!("{folder}/part-{day}.parquet"), &write(&rows, &aws()));
    rows.len()
}

#[test]
fn folders_that_deviate_in_the_middle_hide_nothing() {
    let folder = scratch();
    let of_day = |day: i64| dated(DAY_S + day * 86_400, "dt=%Y-%m-%d");
    let asked = |root: &Path, day: i64| {
        let (from, to) = (dated(DAY_S + day * 86_400, "%Y-%m-%d"), dated(DAY_S + (day + 1) * 86_400, "%Y-%m-%d"));
        let rows =
            sql(root, &format!("SELECT count(*) FROM flows WHERE start >= '{from}' AND start < '{to}'")).expect(0);
        rows.text().lines().nth(1).unwrap().to_owned()
    };
    // One folder of forty, filed two days later by a job: far from the ends, and found by a question for its neighbour.
    let late = folder.path().join("late");
    let count = (0..40).map(|day| day_file(&late, &of_day(if day == 22 { 24 } else { day }), day)).max().unwrap();
    for day in [21, 22, 24] {
        assert_eq!(asked(&late, day), count.to_string(), "{day}");
    }
    // A stretch of folders in which old days lie that were missing.
    let backfilled = folder.path().join("backfilled");
    for day in (0..40).filter(|day| !(3..6).contains(day)) {
        day_file(&backfilled, &of_day(day), if (18..21).contains(&day) { day - 15 } else { day });
    }
    assert_eq!(asked(&backfilled, 4), count.to_string());
}

#[test]
fn folders_that_begin_with_an_underscore_are_left_out() {
    let folder = scratch();
    let root = folder.path();
    hours(root);
    let expected = sql(root, TOTALS).expect(0);
    for hidden in ["_temporary/0", "_change_data", "_spark_metadata", ".tmp"] {
        put(root, &format!("{DAILY}/{hidden}/part-0.parquet"), &hour_file(2)[..]);
    }
    assert_eq!(sql(root, TOTALS).expect(0).text(), expected.text());
    let pattern = root.join("AWSLogs/*/vpcflowlogs/**/*.parquet");
    assert_eq!(sql(&pattern, TOTALS).expect(0).text(), expected.text());
    // Named, it is read.
    let named = sql(&root.join(DAILY).join("_change_data"), "SELECT count(*) > 0 FROM flows").expect(0);
    assert!(named.text().contains("true"), "{}", named.text());
}

#[test]
fn a_copy_of_the_tree_counts_once_and_is_told() {
    let folder = scratch();
    let root = folder.path().join("logs");
    hours(&root);
    let (alone, rows) = (detect(&root, &["-q"]).expect(0), sql(&root, TOTALS).expect(0));
    hours(&root.join("backup"));
    // The same name and size, and other records.
    let other = hour_file(0);
    let elsewhere = folder.path().join("distinct");
    put(&elsewhere, &format!("{DAILY}/{}", name("0a", 1)), &other);
    let copied = detect(&root, &[]).expect(0);
    assert!(copied.out == alone.out, "the copy counts");
    assert!(
        copied.err.contains("3 copies") && copied.err.contains("3 objects repeat others and count once"),
        "{}",
        copied.err
    );
    assert_eq!(sql(&root, TOTALS).expect(0).text(), rows.text());
    let args = ["sql", root.to_str().unwrap(), elsewhere.to_str().unwrap(), "--format", "csv", "-c"];
    let both = flowsift([&args[..], &["SELECT count(DISTINCT object) FROM flows"]].concat()).expect(0);
    assert!(both.text().contains("\n4\n"), "{}", both.text());
}

#[test]
fn objects_of_one_name_and_size_that_differ_both_count() {
    let folder = scratch();
    let file = |number: i64| {
        let rows: Vec<Record> = records().into_iter().take(20).collect();
        let plain = crate::forms::Variant {
            compression: parquet::basic::Compression::UNCOMPRESSED,
            dictionary: false,
            ..aws()
        };
        let bytes_at = COLUMNS.iter().position(|column| *column == "bytes").unwrap();
        let rows: Vec<Record> = rows
            .into_iter()
            .map(|mut row| {
                row[bytes_at] = Field::Number(number);
                row
            })
            .collect();
        write(&rows, &plain).to_vec()
    };
    let (one, two) = (file(1_000), file(2_000));
    assert_eq!(one.len(), two.len());
    put(folder.path(), "a/part-0.parquet", &one);
    put(folder.path(), "b/part-0.parquet", &two);
    let rows = sql(folder.path(), "SELECT sum(bytes) FROM flows").expect(0);
    assert!(rows.text().contains("\n60000\n"), "{}", rows.text());
}

#[test]
fn the_account_of_the_folder_counts_where_the_record_says_unknown() {
    let folder = scratch();
    let account = COLUMNS.iter().position(|column| *column == "account_id").unwrap();
    let rows: Vec<Record> = records()
        .into_iter()
        .map(|mut row| {
            row[account] = Field::Text("unknown".to_owned());
            row
        })
        .collect();
    put(folder.path(), &format!("{DAILY}/{}", name("0a", 0)), &write(&rows, &aws()));
    for finding in detect(folder.path(), &["-q"]).expect(0).findings() {
        assert_eq!(finding["account_id"], "123456789012");
    }
    let accounts = sql(folder.path(), "SELECT DISTINCT account FROM flows").expect(0);
    assert_eq!(accounts.text(), "account\n123456789012\n");
}

#[test]
fn coverage_is_null_where_no_interface_is_known() {
    let folder = scratch();
    let interface = COLUMNS.iter().position(|column| *column == "interface_id").unwrap();
    let rows: Vec<Record> = records()
        .into_iter()
        .map(|mut row| {
            row[interface] = Field::Missing;
            row
        })
        .collect();
    put(folder.path(), &format!("{DAILY}/{}", name("0a", 0)), &write(&rows, &aws()));
    let findings = detect(folder.path(), &["-q"]).expect(0).findings();
    assert!(!findings.is_empty());
    for finding in findings {
        assert_eq!((&finding["interface_id"], &finding["coverage"]), (&Value::Null, &Value::Null));
    }
}
