//! Tables of Delta Lake, Iceberg and Hudi as sources, on disk and in S3; files of any name, and JSON documents as tables.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, StructArray};
use arrow::datatypes::{DataType, Field};
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};

use crate::lakes::{DAILY, TOTALS, detect, hour_file, hours, name, put, sql};
use crate::program::{Ran, finish, flowsift, program, scratch};
use crate::s3_server::{ACCESS_KEY, S3Server, SECRET_KEY};

fn commit(lines: &[Value]) -> Vec<u8> {
    lines.iter().map(|line| format!("{line}\n")).collect::<String>().into_bytes()
}

fn add(path: &str) -> Value {
    json!({"add": {"path": path, "size": 1, "dataChange": true}})
}

#[test]
fn a_delta_table_is_read_by_its_live_files() {
    let folder = scratch();
    let root = folder.path().join("table");
    let dead = ("dt=2024-04-19/dead.parquet", 3);
    for (name, hour) in [("old.parquet", 0), ("a b.parquet", 1), ("dt=2024-04-19/new.parquet", 2), dead] {
        put(&root, name, &hour_file(hour));
    }
    let log = |version: u64, lines: &[Value]| {
        put(&root, &format!("_delta_log/{version:020}.json"), &commit(lines));
    };
    let protocol = json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}});
    let metadata = json!({"metaData": {"id": "x", "configuration": {}}});
    log(0, &[protocol, metadata.clone(), add("old.parquet")]);
    log(1, &[json!({"remove": {"path": "old.parquet"}}), add("a%20b.parquet"), add("dt=2024-04-19/new.parquet")]);
    let live = folder.path().join("live");
    put(&live, "1.parquet", &hour_file(1));
    put(&live, "2.parquet", &hour_file(2));
    let expected = sql(&live, TOTALS).expect(0);
    assert_eq!(sql(&root, TOTALS).expect(0).text(), expected.text());
    for pattern in ["table/", "table//", "table/.", "tab*", "tab*/", "tab*/*", "tab*/**/*.parquet"] {
        assert_eq!(sql(&folder.path().join(pattern), TOTALS).expect(0).text(), expected.text(), "{pattern}");
    }
    let top = sql(&live.join("1.parquet"), TOTALS).expect(0);
    assert_eq!(sql(&root.join("*.parquet"), TOTALS).expect(0).text(), top.text());
    // A live file that is gone is told, and the rest is answered.
    fs::rename(root.join("a b.parquet"), folder.path().join("kept")).unwrap();
    let less = sql(&root, TOTALS).expect(3);
    assert_eq!(less.text(), sql(&live.join("2.parquet"), TOTALS).expect(0).text());
    assert!(
        less.err.contains("1 object could not be read") && less.err.contains("a b.parquet is gone"),
        "{}",
        less.err
    );
    let judged = detect(&root, &[]).expect(3);
    assert!(judged.err.contains("1 skipped") && judged.err.contains("a b.parquet is gone"), "{}", judged.err);
    // A pattern that does not name the file does not miss it.
    sql(&root.join("dt=*"), TOTALS).expect(0);
    assert!(sql(&folder.path().join("tab*"), TOTALS).expect(3).err.contains("is gone"));
    fs::rename(folder.path().join("kept"), root.join("a b.parquet")).unwrap();
    // What is refused says why.
    let refused = |words: &str| {
        let ran = sql(&root, TOTALS).expect(1);
        assert!(ran.err.contains("Delta Lake table") && ran.err.contains(words), "{}", ran.err);
    };
    let mut with_vector = add("a%20b.parquet");
    with_vector["add"]["deletionVector"] = json!({"storageType": "u"});
    log(2, &[with_vector]);
    refused("deletion vectors");
    let mut mapped = metadata;
    mapped["metaData"]["configuration"]["delta.columnMapping.mode"] = json!("name");
    log(2, &[mapped]);
    refused("column mapping");
    fs::remove_file(root.join(format!("_delta_log/{:020}.json", 0))).unwrap();
    refused("commit 0 is missing");
}

#[test]
fn iceberg_and_hudi_tables_are_refused_with_what_to_do() {
    for (marker, name) in [("metadata/v1.metadata.json", "Iceberg"), (".hoodie/hoodie.properties", "Hudi")] {
        let folder = scratch();
        put(folder.path(), &format!("t/{marker}"), b"{}");
        put(folder.path(), "t/data/1.parquet", &hour_file(1));
        for path in [folder.path().to_owned(), folder.path().join("t/")] {
            let ran = detect(&path, &[]).expect(1);
            assert!(ran.err.contains(name) && ran.err.contains("plain Parquet"), "{}", ran.err);
        }
        detect(&folder.path().join("t/data"), &["-q"]).expect(0);
    }
}

#[test]
fn a_delta_checkpoint_stands_for_the_commits_before_it() {
    let folder = scratch();
    let root = folder.path().join("table");
    for (name, hour) in [("old.parquet", 0), ("1.parquet", 1), ("2.parquet", 2)] {
        put(&root, name, &hour_file(hour));
    }
    let paths: ArrayRef = Arc::new(StringArray::from(vec!["1.parquet"]));
    let sizes: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let field = |name: &str, kind| Arc::new(Field::new(name, kind, true));
    let add_column: ArrayRef = Arc::new(StructArray::from(vec![
        (field("path", DataType::Utf8), paths),
        (field("size", DataType::Int64), sizes),
    ]));
    let batch = RecordBatch::try_from_iter([("add", add_column)]).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    put(&root, &format!("_delta_log/{:020}.checkpoint.parquet", 7), &writer.into_inner().unwrap());
    put(&root, &format!("_delta_log/{:020}.json", 8), &commit(&[add("2.parquet")]));
    let rows = sql(&root, "SELECT count(DISTINCT object) FROM flows").expect(0);
    assert!(rows.text().contains("\n2\n"), "{}", rows.text());
}

#[test]
fn files_without_the_ending_are_read_on_request() {
    let folder = scratch();
    put(folder.path(), "export/part-00000", &hour_file(0));
    put(folder.path(), "export/part-00000.crc", b"x");
    assert!(detect(folder.path(), &[]).expect(1).err.contains("--any-name"));
    let rows =
        flowsift(["sql", folder.path().to_str().unwrap(), "--any-name", "-q", "-c", "SELECT count(*) > 0 FROM flows"]);
    assert!(rows.expect(0).text().contains("true"));
}

#[test]
fn json_of_the_aws_cli_is_a_table() {
    let folder = scratch();
    let rows = json!([{"NetworkInterfaceId": "eni-1", "Groups": [{"GroupId": "sg-1"}]}, {"NetworkInterfaceId": "eni-2", "Groups": []}]);
    let spread = serde_json::to_string_pretty(&json!({"NetworkInterfaces": rows, "NextToken": "x"})).unwrap();
    let files = [
        ("object.json", spread),
        ("array.json", serde_json::to_string_pretty(&rows).unwrap()),
        ("flat.json", json!({"NetworkInterfaces": rows}).to_string()),
        ("marked.json", format!("\u{feff}{}", serde_json::to_string_pretty(&rows).unwrap())),
        ("lines.json", format!("{}\n{}\n", rows[0], rows[1])),
    ];
    for (name, text) in files {
        let path = put(folder.path(), name, text.as_bytes());
        let query = format!("SELECT max(\"NetworkInterfaceId\"), count(*) FROM '{}'", path.display());
        let ran =
            flowsift(["sql", concat!(env!("CARGO_MANIFEST_DIR"), "/datasets/demo"), "--format", "csv", "-c", &query]);
        assert!(ran.expect(0).text().contains("\neni-2,2\n"), "{name}");
    }
}

fn s3(server: &S3Server, args: &[&str]) -> Ran {
    let mut command = program();
    command.args(args).args(["--endpoint-url", &server.endpoint_url, "--region", "us-east-1"]);
    command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
    finish(&mut command)
}

#[test]
fn tables_globs_and_hidden_folders_in_s3_are_what_they_are_on_disk() {
    let folder = scratch();
    let bucket = folder.path().join("logs");
    hours(&bucket.join("org/day1"));
    put(&bucket, &format!("org/day1/{DAILY}/_temporary/0/part-0.parquet"), &hour_file(1));
    put(&bucket, "org/other/1.parquet", &hour_file(0));
    put(&bucket, "delta/old.parquet", &hour_file(0));
    put(&bucket, "delta/new.parquet", &hour_file(1));
    put(&bucket, &format!("delta/_delta_log/{:020}.json", 0), &commit(&[add("old.parquet")]));
    let replaced = [json!({"remove": {"path": "old.parquet"}}), add("new.parquet")];
    put(&bucket, &format!("delta/_delta_log/{:020}.json", 1), &commit(&replaced));
    put(&bucket, "hudi/t/.hoodie/hoodie.properties", b"x");
    put(&bucket, "hudi/t/1.parquet", &hour_file(0));
    put(&bucket, "ice/t/metadata/v1.metadata.json", b"{}");
    put(&bucket, "ice/t/data/1.parquet", &hour_file(0));
    let server = S3Server::start(folder.path(), false);
    let rows = |url: &str| s3(&server, &["sql", url, "-q", "--format", "csv", "-c", TOTALS]);
    let plain = sql(&bucket.join("org/day1/AWSLogs"), TOTALS).expect(0);
    for url in ["s3://logs/org/day1", "s3://logs/org/day*", "s3://logs/*/day1/AWSLogs"] {
        assert_eq!(rows(url).expect(0).text(), plain.text(), "{url}");
    }
    let live = sql(&bucket.join("delta/new.parquet"), TOTALS).expect(0);
    assert_eq!(rows("s3://logs/delta").expect(0).text(), live.text());
    assert_eq!(rows("s3://logs/del*").expect(0).text(), live.text());
    put(&bucket, &format!("delta/_delta_log/{:020}.json", 2), &commit(&[add("gone.parquet")]));
    for url in ["s3://logs/delta", "s3://logs/del*"] {
        let less = s3(&server, &["sql", url, "--format", "csv", "-c", TOTALS]).expect(3);
        assert_eq!(less.text(), live.text());
        assert!(less.err.contains("s3://logs/delta/gone.parquet is gone"), "{}", less.err);
    }
    for (url, name) in [("s3://logs/hudi", "Hudi"), ("s3://logs/ice", "Iceberg")] {
        let ran = rows(url).expect(1);
        assert!(ran.err.contains(name) && ran.err.contains("plain Parquet"), "{}", ran.err);
    }
}

#[test]
fn an_archived_object_is_named_and_asked_for_until_it_is_restored() {
    let folder = scratch();
    hours(&folder.path().join("logs"));
    fs::create_dir_all(folder.path().join("state")).unwrap();
    let server = S3Server::start(folder.path(), false);
    let archived = name("0a", 1);
    *server.traffic.archived_keys.lock().unwrap() = archived.clone();
    let run = || {
        server.traffic.reset_counts();
        s3(&server, &["detect", "s3://logs", "--state", "s3://state"])
    };
    let first = run().expect(3);
    let line = first.err.lines().find(|line| line.starts_with("skipped")).unwrap();
    assert!(line.contains(&archived) && line.contains("archived") && line.contains("restore-object"), "{line}");
    let again = run().expect(3);
    assert!(again.err.contains(" 0 read (0 B), 2 reused from state, 1 skipped"), "{}", again.err);
    assert!(again.out == first.out);
    // The kept tables, the question whether the object can be read by now, and the kept incidents: their head, before and
    // after the run, and its snapshot.
    let gets = server.traffic.gets.load(Relaxed);
    assert!(gets <= 6, "{gets} objects were read");
    server.traffic.archived_keys.lock().unwrap().clear();
    let restored = run().expect(0);
    assert!(restored.err.contains("3 listed, 3 read"), "{}", restored.err);
    assert!(run().expect(0).err.contains("3 reused from state"));
}
