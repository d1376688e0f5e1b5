//! `flowsift sql` as a person or a script meets it: numbers, formats, pruning, mistakes, limits, exit codes.

use std::fs;
use std::io::Write;
use std::process::Stdio;
use std::sync::atomic::Ordering::Relaxed;

use flowsift::report::read_parquet;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::program::{Ran, copy, finish, flowsift, program, scratch};
use crate::s3_server::{ACCESS_KEY, S3Server, SECRET_KEY};

/// The committed corpus; what is asked of it here was asked of another engine too.
const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/datasets/demo");

fn ask(sql: &str) -> Ran {
    flowsift(["sql", DEMO, "--format", "csv", "-c", sql])
}

/// The rows of a query, without the header.
#[track_caller]
fn rows(sql: &str) -> String {
    let ran = ask(sql).expect(0);
    ran.text().split_once('\n').unwrap().1.trim_end().to_owned()
}

#[test]
fn sums_and_counts_are_those_of_another_engine() {
    for (sql, expected) in [
        (
            "SELECT count(*), sum(bytes), sum(packets) FROM flows WHERE action = 'ACCEPT'",
            "148018,122370080774,124610186",
        ),
        (
            "SELECT count(*), count(DISTINCT srcaddr), min(start), max(\"end\"), count(tcp_flags) FROM flows",
            "149984,1773,2023-11-22T00:00:02Z,2023-11-23T00:00:00Z,149815",
        ),
        ("SELECT log_status, count(*) FROM flows GROUP BY 1 ORDER BY 1", "NODATA,151\nOK,149815\nSKIPDATA,18"),
        (
            "SELECT srcaddr, sum(bytes) AS b FROM flows WHERE action = 'ACCEPT' AND flow_direction = 'egress' \
             GROUP BY 1 ORDER BY b DESC LIMIT 3",
            "10.0.24.7,17845336844\n10.0.24.8,13563237661\n10.0.28.4,9916571149",
        ),
        ("SELECT count(*) FROM flows WHERE hour = 13 AND (srcaddr = '10.0.8.4' OR dstaddr = '10.0.8.4')", "263"),
        (
            "SELECT count(*) FROM (SELECT 1 FROM flows WHERE flow_direction = 'egress' AND action = 'ACCEPT' \
             GROUP BY srcaddr, dstaddr, dstport, protocol)",
            "27407",
        ),
        // A missing value is NULL, however the file writes it.
        ("SELECT count(*) FROM flows WHERE srcaddr IS NULL", "169"),
        ("SELECT count(*) FROM flows WHERE srcaddr = '-'", "0"),
    ] {
        assert_eq!(rows(sql), expected, "{sql}");
    }
}

#[test]
fn questions_are_read_as_people_write_them() {
    for (sql, expected) in [
        ("SELECT sum(bytes) > 0 FROM flows GROUP BY srcaddr ORDER BY sum(bytes) DESC LIMIT 1", "true"),
        ("SELECT sum(bytes) IS NULL FROM flows GROUP BY srcaddr ORDER BY sum(bytes) DESC NULLS FIRST LIMIT 1", "true"),
        ("SELECT min(start) AT TIME ZONE 'Asia/Tokyo' FROM flows", "2023-11-22T09:00:02"),
        ("SELECT TIMESTAMP '2023-11-22 15:00:00' AT TIME ZONE 'Asia/Tokyo'", "2023-11-22T06:00:00Z"),
        (
            "SELECT '2023-11-22T06:00:00Z'::timestamptz, to_timestamp(1700632800)",
            "2023-11-22T06:00:00Z,2023-11-22T06:00:00Z",
        ),
        ("SELECT to_char(min(start), 'YYYY-MM-DD HH24:MI:SS') FROM flows", "2023-11-22 00:00:02"),
        ("SELECT date_format(min(start), '%H:%M') FROM flows", "00:00"),
        ("SELECT (beacon(start)).connections = beacon(start).connections FROM flows", "true"),
        ("SELECT count(*) = count(*) FILTER (WHERE log_status = ANY('{OK,NODATA,SKIPDATA}')) FROM flows", "true"),
        ("SELECT count(DISTINCT log_status) FROM flows WHERE log_status LIKE 'NO!DATA' ESCAPE '!'", "1"),
    ] {
        assert_eq!(rows(sql), expected, "{sql}");
    }
}

#[test]
fn filters_on_texts_agree_however_they_are_asked() {
    // The first form is answered once for each entry of a dictionary, the second for each row.
    for (by_entry, by_row) in [
        ("srcaddr LIKE '10.0.8.%'", "starts_with(concat(srcaddr, dstaddr), '10.0.8.')"),
        (
            "srcaddr IN ('10.0.8.4', '10.0.8.5') OR dstaddr = '10.0.8.4'",
            "(srcaddr = '10.0.8.4' OR srcaddr = '10.0.8.5' OR dstaddr = '10.0.8.4') AND bytes >= 0",
        ),
        (
            "srcaddr IS NULL OR regexp_like(srcaddr, '^10\\.')",
            "coalesce(srcaddr, concat('10.', dstaddr), '10.') LIKE '10.%'",
        ),
        ("NOT (srcaddr LIKE '10.%')", "coalesce(srcaddr, concat('10.', dstaddr), '10.') NOT LIKE '10.%'"),
    ] {
        let count =
            |filter: &str| rows(&format!("SELECT count(*), sum(bytes), max(dstaddr) FROM flows WHERE {filter}"));
        let counted = count(by_entry);
        assert_eq!(counted, count(by_row), "{by_entry}");
        assert!(!counted.starts_with("0,"), "{by_entry}");
    }
}

#[test]
fn a_look_up_reads_little_and_explain_says_so() {
    let explained = |sql: &str| {
        let ran = flowsift(["sql", DEMO, "-c", &format!("EXPLAIN ANALYZE {sql}")]).expect(0);
        ran.text().lines().find(|line| line.contains("FlowsExec")).unwrap().trim().to_owned()
    };
    let by_hour = explained("SELECT sum(bytes) FROM flows WHERE hour = 13 AND srcaddr = '10.0.8.4'");
    for expected in ["objects=1,", "pruned_objects=23", "columns=[bytes]", "asked_of_dictionaries=1", "objects_read=1"]
    {
        assert!(by_hour.contains(expected), "{expected}: {by_hour}");
    }
    // Records of the hour may lie in the objects before and after, whose footers rule them out.
    let by_time = explained(
        "SELECT sum(bytes) FROM flows WHERE start >= '2023-11-22T13:05:00Z' AND start < '2023-11-22T13:20:00Z'",
    );
    for expected in ["objects=3,", "pruned_folders=21", "row_groups_pruned=2", "row_groups_read=1"] {
        assert!(by_time.contains(expected), "{expected}: {by_time}");
    }
    let elsewhere = explained("SELECT count(*) FROM flows WHERE region = 'eu-west-1'");
    assert!(elsewhere.contains("objects=0,"), "{elsewhere}");
}

#[test]
fn every_table_answers_and_they_agree() {
    assert_eq!(
        rows("SELECT sum(records), sum(nodata), sum(skipdata) FROM coverage"),
        rows(
            "SELECT count(*), count(*) FILTER (WHERE log_status = 'NODATA'), count(*) FILTER (WHERE log_status = 'SKIPDATA') FROM flows"
        ),
    );
    // A record alone tells its host, port and role as the whole unit does.
    let of_flows = rows(
        "SELECT host, remote, port, sum(bytes) FROM flows WHERE outbound AND action = 'ACCEPT' AND role = 'client' \
         AND host = '10.0.8.4' AND bytes > 0 GROUP BY 1, 2, 3 ORDER BY 4 DESC LIMIT 3",
    );
    let of_pairs = rows(
        "SELECT host, remote, port, bytes_out FROM pairs WHERE role = 'client' AND host = '10.0.8.4' \
         ORDER BY 4 DESC LIMIT 3",
    );
    assert_eq!(of_flows, of_pairs);
    let sql = "SELECT (SELECT count(*) FROM hosts) AS h, (SELECT count(*) FROM destinations) AS d, \
               (SELECT count(*) FROM host_hours) AS hh, \
               (SELECT sum(bytes_out) FROM pairs) = (SELECT sum(bytes_out) FROM pair_hours WHERE vantage = 'own')";
    assert!(rows(sql).ends_with(",true"), "{}", rows(sql));
    assert_eq!(rows("SELECT (SELECT count(*) FROM indicators) AS i, (SELECT count(*) FROM findings) AS f"), "0,0");
}

#[test]
fn lists_and_findings_are_tables() {
    let folder = scratch();
    let (out, feed) = (folder.path().join("out"), folder.path().join("feed.txt"));
    fs::write(&feed, "203.0.113.0/24\n198.51.100.7\n").unwrap();
    flowsift(["detect", DEMO, "--out", out.to_str().unwrap(), "-q"]).expect(0);
    let findings = read_parquet(fs::File::open(out.join("findings.parquet")).unwrap(), "findings").unwrap();
    for name in ["findings.parquet", "findings.jsonl"] {
        let name = out.join(name);
        let sql = "SELECT count(*) FROM findings; SELECT network FROM indicators ORDER BY network";
        let args = ["sql", DEMO, "--format", "csv", "-c", sql, "--findings", name.to_str().unwrap()];
        let ran = finish(program().args(args).arg("--indicators").arg(&feed)).expect(0);
        let expected = format!("count\n{}\nnetwork\n198.51.100.7/32\n203.0.113.0/24\n", findings.len());
        assert_eq!(ran.text(), expected);
    }
}

#[test]
fn incidents_beside_findings_are_tables() {
    let folder = scratch();
    let (out, lines) = (folder.path(), include_str!("../slt/incidents.jsonl"));
    fs::write(out.join("findings.jsonl"), "").unwrap();
    fs::write(out.join("incidents.jsonl"), lines).unwrap();
    fs::write(out.join("other.jsonl"), lines.lines().next().unwrap()).unwrap();
    let count = |options: &[(&str, &str)]| {
        let sql = "SELECT count(*) AS n FROM incidents";
        let mut asked = program();
        asked.args(["sql", DEMO, "--format", "csv", "-c", sql]);
        for (option, name) in options {
            asked.arg(option).arg(out.join(name));
        }
        finish(&mut asked).expect(0).text().trim().replace('\n', " ")
    };
    assert_eq!(count(&[]), "n 0");
    assert_eq!(count(&[("--findings", "findings.jsonl")]), "n 2");
    assert_eq!(count(&[("--incidents", "other.jsonl")]), "n 1");
    assert_eq!(count(&[("--findings", "findings.jsonl"), ("--incidents", "other.jsonl")]), "n 1");

    fs::write(out.join("incidents.jsonl"), "{}\n").unwrap();
    let args =
        ["sql", DEMO, "-c", "SELECT 1", "--findings", out.join("findings.jsonl").to_str().unwrap()].map(str::to_owned);
    let ran = finish(program().args(args));
    assert!(ran.err.contains("incidents.jsonl:1: not an incident"), "{}", ran.err);
}

#[test]
fn kept_hours_give_the_same_tables() {
    let state = scratch();
    let ask = || {
        let sql =
            "SELECT host, remote, port, bytes_out FROM pairs ORDER BY bytes_out DESC, host, remote, port LIMIT 20";
        let args = ["sql", DEMO, "--format", "csv", "-c", sql, "--state"];
        finish(program().args(args).arg(state.path())).expect(0).out
    };
    let first = ask();
    let kept = fs::read_dir(state.path()).unwrap().count();
    assert!(kept > 0, "hours are kept");
    assert_eq!(ask(), first);
}

#[test]
fn results_come_in_every_format_and_to_a_file() {
    let folder = scratch();
    let sql = "SELECT host, sum(bytes) AS total FROM flows WHERE hour = 3 GROUP BY host ORDER BY total DESC NULLS LAST LIMIT 2";
    let expected = [("10.0.24.4", "x"), ("10.0.24.4", "y")].len();
    for name in ["a.csv", "a.json", "a.jsonl", "a.parquet"] {
        let path = folder.path().join(name);
        let args = ["sql", DEMO, "-c", sql, "-o", path.to_str().unwrap()];
        let ran = flowsift(args).expect(0);
        assert!(ran.out.is_empty());
        let found = match name {
            "a.csv" => fs::read_to_string(&path).unwrap().lines().count() - 1,
            "a.json" => serde_json::from_slice::<Vec<serde_json::Value>>(&fs::read(&path).unwrap()).unwrap().len(),
            "a.jsonl" => fs::read_to_string(&path).unwrap().lines().count(),
            _ => {
                let file = fs::File::open(&path).unwrap();
                let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
                reader.map(|batch| batch.unwrap().num_rows()).sum()
            }
        };
        assert_eq!(found, expected, "{name}");
        // What was written can be asked in turn.
        let again = format!("SELECT count(*) FROM '{}'", path.display());
        assert_eq!(rows(&again), "2", "{name}");
    }
}

#[test]
fn a_mistake_names_its_place_and_stops_the_script() {
    let script = "SELECT 1 AS one;\n-- a comment; with a mark\nSELECT bytes,\n       srcadr\nFROM flows;\nSELECT 3;\n";
    let mut child = program()
        .args(["sql", DEMO, "--format", "csv"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "one\n1\n");
    let expected =
        "error: no column `srcadr`\nline 4 |        srcadr\n                ^^^^^^\ndid you mean `srcaddr`?\n";
    assert_eq!(String::from_utf8(output.stderr).unwrap(), expected);
    for (sql, part) in [
        ("SELECT * FROM flowz", "no table `flowz`"),
        ("SELECT human_byte(1)", "did you mean `human_bytes`?"),
        ("SELECT count(* FROM flows", "^^^^"),
        ("SELECT 1/0 FROM flows", "Divide by zero"),
    ] {
        let ran = ask(sql).expect(1);
        assert!(ran.err.contains(part) && ran.err.starts_with("error: "), "{sql}: {}", ran.err);
    }
}

#[test]
fn limits_refuse_before_and_stop_while_a_statement_runs() {
    for (sql, code) in [
        ("SELECT count(*) FROM flows", 1),
        ("SELECT count(*) FROM pairs", 1),
        ("SELECT count(*) FROM flows WHERE date = '2023-11-22' AND hour = 3", 0),
        ("SELECT 1", 0),
    ] {
        let ran = flowsift(["sql", DEMO, "--max-bytes", "200kB", "-c", sql]).expect(code);
        assert_eq!(ran.err.contains("--max-bytes allows 200 KB"), code == 1, "{sql}: {}", ran.err);
    }
    // What does not fit into memory goes to disk and comes out in order.
    let sorted = "EXPLAIN ANALYZE SELECT host, remote, start, g.value FROM generate_series(1, 12) g CROSS JOIN flows \
                  ORDER BY start, host, remote, g.value";
    let ran = flowsift(["sql", DEMO, "--memory", "256MiB", "--threads", "2", "-c", sorted]).expect(0);
    let spilled = ran.text().lines().any(|line| line.contains("SortExec") && !line.contains("spill_count=0"));
    assert!(spilled, "{}", ran.text());
    let endless = "SELECT count(*) FROM flows a JOIN flows b ON a.bytes + b.bytes = 1";
    let ran = flowsift(["sql", DEMO, "--timeout", "1s", "-c", endless]).expect(1);
    assert!(ran.err.contains("took longer than 1 s"), "{}", ran.err);
    flowsift(["sql", DEMO, "--timeout", "soon", "-c", "SELECT 1"]).expect(2);
    flowsift(["sql", DEMO, "-c", "SELECT 1", "-f", "x.sql"]).expect(2);
    flowsift(["sql", "/nonexistent", "-c", "SELECT 1"]).expect(1);
}

#[test]
fn what_cannot_be_read_is_counted_and_the_rest_is_answered() {
    let folder = scratch();
    let broken = folder.path().join("123456789012_vpcflowlogs_us-east-1_fl-1_20231122T0300Z_h.log.parquet");
    fs::write(&broken, b"PAR1 this is no Parquet PAR1").unwrap();
    let sql = "SELECT count(*) FROM flows; SELECT sum(records) FROM coverage";
    let ran = flowsift(["sql", DEMO, folder.path().to_str().unwrap(), "--format", "csv", "-c", sql]).expect(3);
    assert_eq!(ran.text(), "count\n149984\nsum\n149984\n");
    assert!(ran.err.contains("1 object could not be read") && ran.err.contains("fl-1_20231122T0300Z"), "{}", ran.err);
}

#[test]
fn a_bucket_is_asked_for_what_a_query_needs_and_no_more() {
    let root = scratch();
    let pattern = format!("{}/AWSLogs/**/*.parquet", DEMO);
    for file in glob::glob(&pattern).unwrap().map(Result::unwrap) {
        copy(&file, &root.path().join("logs").join(file.strip_prefix(DEMO).unwrap()));
    }
    let server = S3Server::start(root.path(), false);
    let ask = |sql: &str| {
        let mut command = program();
        command.args(["sql", "s3://logs/AWSLogs", "--endpoint-url", &server.endpoint_url, "--region", "us-east-1"]);
        command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        finish(command.args(["--format", "csv", "-c", sql])).expect(0)
    };
    let of_hour = "SELECT count(*), sum(bytes) FROM flows WHERE hour = 13 AND host = '10.0.8.4'";
    let ran = ask(of_hour);
    assert_eq!(ran.text().split_once('\n').unwrap().1.trim_end(), rows(of_hour));
    assert_eq!(server.traffic.gets.load(Relaxed), 1, "one object has the hour");
    server.traffic.reset_counts();
    let of_time = "SELECT count(*) FROM flows WHERE start >= '2023-11-22T13:00:00Z' AND start < '2023-11-22T13:30:00Z'";
    let ran = ask(of_time);
    assert_eq!(ran.text().split_once('\n').unwrap().1.trim_end(), rows(of_time));
    assert!(server.traffic.gets.load(Relaxed) <= 4, "{} objects", server.traffic.gets.load(Relaxed));
}

#[test]
fn files_of_one_result_refuse_a_second_one() {
    let folder = scratch();
    for name in ["a.json", "a.parquet"] {
        let path = folder.path().join(name);
        let ran = flowsift(["sql", DEMO, "-q", "-o", path.to_str().unwrap(), "-c", "SELECT 1; SELECT 2"]).expect(2);
        assert!(ran.err.contains("holds one result: the script has a second one"), "{}", ran.err);
    }
}

#[test]
fn words_of_numbers_that_are_none_are_the_numbers() {
    let asked =
        "SELECT protocol_name(300), protocol_name(-1), protocol_name(6), human_bytes(-5), human_bytes(-4123456789)";
    assert_eq!(rows(asked), "300,-1,tcp,-5 B,-4.1 GB");
}

#[test]
fn every_table_of_detections_can_be_asked() {
    // The demo has too few days for a drift.
    assert_eq!(rows("SELECT count(*) > 0, min(host) IS NOT NULL FROM services"), "true,true");
    assert_eq!(rows("SELECT count(*) FROM host_days"), "0");
    for table in ["services", "host_days"] {
        assert!(rows(&format!("DESCRIBE {table}")).contains("account_id"), "{table}");
    }
}
