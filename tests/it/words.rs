//! Words between `flowsift sql` and a person: heads of columns, forms of other prompts, text that would steer a terminal.

use std::fs;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::lakes::{DAILY, hours, put, sql};
use crate::program::{Ran, flowsift, scratch};

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/datasets/demo");

fn ask(sql: &str) -> Ran {
    flowsift(["sql", DEMO, "--format", "csv", "-c", sql])
}

/// The heads of a query's columns.
#[track_caller]
fn heads(sql: &str) -> String {
    let ran = ask(sql).expect(0);
    ran.text().lines().next().unwrap().to_owned()
}

#[test]
fn columns_are_called_what_a_person_wrote() {
    for (sql, expected) in [
        ("SELECT count(*), SUM(bytes) FROM flows", "count,sum"),
        ("SELECT sum(bytes), sum(packets), max(bytes) FROM flows", "sum(bytes),sum(packets),max"),
        ("SELECT host||NULL, 1 + 1, 'a', -2 FROM hosts LIMIT 1", "host||NULL,1 + 1,'a',-2"),
        ("SELECT host, host, f.host FROM hosts f LIMIT 1", "host,host,host"),
        ("SELECT f.host, host FROM hosts f LIMIT 1", "host,host"),
        ("SELECT 1 AS a, 2 AS a, sum(bytes), sum(bytes) FROM flows", "a,a,sum(bytes),sum(bytes)"),
        ("SELECT date_trunc('hour', start), count(*) FROM flows GROUP BY 1 ORDER BY count LIMIT 1", "date_trunc,count"),
        ("SELECT count(*) AS n, count(*) FILTER (WHERE bytes > 1) FROM flows", "n,count"),
        ("SELECT (beacon(start)).period_s FROM flows WHERE bytes < 0", "(beacon(start)).period_s"),
        ("SELECT * FROM (SELECT bytes*8, max(start) FROM flows GROUP BY 1) LIMIT 1", "bytes*8,max"),
        ("SELECT CASE WHEN bytes > 1 THEN 'x' END -- why\n FROM flows LIMIT 1", "CASE WHEN bytes > 1 THEN 'x' END"),
        ("SELECT min(bytes) FROM flows UNION ALL SELECT max(bytes) FROM flows ORDER BY min", "min"),
        ("SELECT row_number() OVER (ORDER BY host), host FROM hosts ORDER BY row_number LIMIT 1", "row_number,host"),
        ("SELECT count(DISTINCT host) FROM flows HAVING count(*) > 1", "count"),
        ("SELECT DISTINCT upper(action) FROM flows ORDER BY upper(action)", "upper"),
        ("SELECT unnest([1, 2]), 3", "unnest,3"),
    ] {
        assert_eq!(heads(sql), expected, "{sql}");
    }
    // Beside all columns, too, and where a table has a column of that name.
    let beside = "SELECT *, count(*) OVER (), bytes * 8, n FROM (SELECT bytes, 7 AS n, 1 AS count FROM flows LIMIT 3)";
    assert_eq!(heads(beside), "bytes,n,count,count,bytes * 8,n");
    let mut by_count = ask("SELECT action, count(*) FROM flows GROUP BY action ORDER BY count").expect(0);
    let counts = |ran: &Ran| -> Vec<u64> {
        ran.text().lines().skip(1).map(|line| line.rsplit(',').next().unwrap().parse().unwrap()).collect()
    };
    assert!(counts(&by_count).is_sorted() && counts(&by_count).len() > 1, "{}", by_count.text());
    by_count = ask("SELECT action, count(*) FROM flows GROUP BY action ORDER BY count(*) DESC").expect(0);
    assert!(counts(&by_count).iter().rev().is_sorted(), "{}", by_count.text());
}

#[test]
fn files_have_each_head_once() {
    let folder = scratch();
    let query = "SELECT sum(bytes), sum(bytes), count(*) FROM flows";
    let written = |name: &str| {
        let path = folder.path().join(name);
        flowsift(["sql", DEMO, "-c", query, "-o", path.to_str().unwrap()]).expect(0);
        fs::read(path).unwrap()
    };
    let object: serde_json::Value = serde_json::from_slice(&written("a.jsonl")).unwrap();
    let names: Vec<&String> = object.as_object().unwrap().keys().collect();
    assert_eq!(names, ["sum(bytes)", "sum(bytes)_2", "count"]);
    let file = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(written("a.parquet"))).unwrap();
    let names: Vec<&String> = file.schema().fields().iter().map(|field| field.name()).collect();
    assert_eq!(names, ["sum(bytes)", "sum(bytes)_2", "count"]);
    let explained = flowsift(["sql", DEMO, "-c", "EXPLAIN SELECT *, count(*) OVER () FROM hosts"]).expect(0);
    assert!(!explained.text().contains(['\u{1}', '\\']), "{}", explained.text());
}

#[test]
fn forms_of_duckdb_are_understood() {
    for (query, expected) in [
        ("FROM hosts SELECT count(*) > 0", "true"),
        ("SELECT count(*) FROM (FROM hosts LIMIT 1)", "1"),
        ("SELECT action, log_status FROM flows GROUP BY ALL ORDER BY ALL LIMIT 1", "ACCEPT,OK"),
        ("SELECT n FROM (VALUES (2), (1)) AS t(n) ORDER BY ALL DESC LIMIT 1", "2"),
    ] {
        let ran = ask(query).expect(0);
        assert_eq!(ran.text().split_once('\n').unwrap().1.trim_end(), expected, "{query}");
    }
    let rows = "SELECT * FROM (VALUES (1, 'a', [1]), (2, NULL, [2]), (5, 'c', NULL)) AS t(n, word, list)";
    let expected = "column_name,column_type,min,max,approx_unique,avg,std,q25,q50,q75,count,null_percentage\n\
                    n,bigint,1,5,3,2.6666666666666665,2.0816659994661326,1.25,2.0,4.25,3,0.0\n\
                    word,text,a,c,2,,,,,,3,33.33\n\
                    list,list of bigint,,,,,,,,,3,33.33\n";
    assert_eq!(ask(&format!("SUMMARIZE {rows}")).expect(0).text(), expected);
    let flows = ask("summarize flows").expect(0);
    assert!(flows.text().contains("\nsrcaddr,text,"), "{}", flows.text());
    let mistake = ask("SUMMARIZE SELECT srcadr FROM flows").expect(1);
    assert!(mistake.err.contains("^^^^^^\ndid you mean `srcaddr`?"), "{}", mistake.err);
}

#[test]
fn comparisons_that_no_row_passes_are_noted() {
    let ran = ask("SELECT count(*) FROM flows WHERE action = 'accept'").expect(0);
    assert_eq!(
        (ran.text(), ran.err.as_str()),
        ("count\n0\n", "note: `action` is written 'ACCEPT': no row has 'accept'\n")
    );
    let quiet = flowsift(["sql", DEMO, "-q", "-c", "SELECT count(*) FROM flows WHERE action = 'accept'"]).expect(0);
    assert_eq!(quiet.err, "");
}

#[test]
fn text_of_others_steers_no_terminal() {
    let folder = scratch();
    hours(folder.path());
    put(folder.path(), &format!("{DAILY}/a\u{1b}[2Jb\u{202e}.log.parquet"), b"PAR1 no Parquet PAR1");
    let shown = "a\\x1b[2Jb\\u{202e}.log.parquet";
    let source = folder.path().to_str().unwrap();
    let asked = sql(folder.path(), "SELECT count(*) FROM flows").expect(3);
    let table =
        flowsift(["sql", source, "-c", "SELECT E'\\x1b]0;me\\x07' AS \"h\u{1b}c\", count(*) FROM flows"]).expect(3);
    assert!(table.text().contains("\\x1b]0;me\\x07") && table.text().contains("h\\x1bc"), "{}", table.text());
    let failed = flowsift(["sql", source, "-c", "SELECT CAST('\u{1b}[31m' AS INT)"]).expect(1);
    assert!(failed.err.contains("\\x1b[31m"), "{}", failed.err);
    let judged = flowsift(["detect", source]).expect(3);
    let inspected = flowsift(["inspect", source, "--decode", "--footers", "9"]).expect(3);
    let parsed = flowsift(["inspect", source, "--decode", "--format", "json"]).expect(3);
    for text in [&asked.err, &table.err, &judged.err, &inspected.text().to_owned()] {
        assert!(text.contains(shown), "{text}");
    }
    for ran in [&asked, &table, &failed, &judged, &inspected, &parsed] {
        for text in [ran.text(), &ran.err] {
            assert!(!text.contains(|letter: char| letter.is_control() && letter != '\n'), "{text:?}");
        }
    }
}

#[test]
fn csv_is_true_to_the_data_unless_a_spreadsheet_reads_it() {
    let query = "SELECT '=1+1' AS a, -1 AS b, 'x' AS c";
    assert_eq!(ask(query).expect(0).text(), "a,b,c\n=1+1,-1,x\n");
    let safe = flowsift(["sql", DEMO, "--format", "csv", "--csv-safe", "-c", query]).expect(0);
    assert_eq!(safe.text(), "a,b,c\n\"'=1+1\",-1,x\n");
}
