//! `flowsift query` as a person or a script meets it; what the questions answer is in `tests/slt`.

use std::path::Path;

use crate::program::{flowsift, scratch};

fn demo() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/demo").to_str().unwrap().to_owned()
}

#[test]
fn the_catalogue_is_listed_and_shown_without_a_source() {
    let listed = flowsift(["query", "--list"]).expect(0);
    let lines: Vec<&str> = listed.text().lines().collect();
    assert!(lines.len() >= 60 && lines.is_sorted(), "{}", listed.text());
    assert!(lines.iter().any(|line| line.starts_with("host_day ") && line.ends_with("(needs host)")));
    let shown = flowsift(["query", "beacon_candidates", "--show"]).expect(0);
    for part in ["Which contacts of a host keep time?", "max_p", "default 0.000001", "beacon_statistics(", "Columns"] {
        assert!(shown.text().contains(part), "{part}: {}", shown.text());
    }
    assert_eq!(shown.err, "");
    let functions = flowsift(["sql", "--functions"]).expect(0);
    assert!(functions.text().contains("cidr_contains(network, address)"), "{}", functions.text());
}

#[test]
fn what_is_wrong_is_said_before_anything_is_read() {
    for (args, said) in [
        (vec!["query", "top_talker", "/nowhere"], "did you mean `top_talkers`?"),
        (vec!["query", "host_day", "/nowhere"], "needs --param host=…: the host"),
        (vec!["query", "host_day", "/nowhere", "-p", "host=me"], "`me` is not an address"),
        (vec!["query", "top_talkers", "/nowhere", "-p", "top=3"], "has no parameter `top`; it has from, to, limit"),
        (vec!["query", "top_talkers", "/nowhere", "-p", "limit"], "`limit` is not NAME=VALUE"),
        (vec!["query", "top_talkers"], "what shall be read?"),
        (vec!["query"], "required"),
    ] {
        let ran = flowsift(&args).expect(2);
        assert!(ran.err.contains(said) && ran.out.is_empty(), "{args:?}: {}", ran.err);
    }
}

#[test]
fn answers_come_in_every_format_and_to_files() {
    let (demo, folder) = (demo(), scratch());
    let args = ["query", "who-talked-to", &demo, "--param", "address=135.76.202.223"];
    let table = flowsift(args).expect(0);
    assert!(table.text().contains("| 10.0.44.5 | client | 443  | https   | 851 "), "{}", table.text());
    let lines = flowsift(args.iter().chain(&["--format", "jsonl"])).expect(0);
    let row: serde_json::Value = serde_json::from_str(lines.text().trim()).unwrap();
    assert_eq!((&row["host"], &row["connections"]), (&"10.0.44.5".into(), &851.into()));
    let file = folder.path().join("answer.csv");
    let written = flowsift(args.iter().chain(&["-o", file.to_str().unwrap()])).expect(0);
    assert!(written.out.is_empty());
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.starts_with("host,role,port,service,connections,"), "{text}");
    assert_eq!(text.lines().count(), 2);
    let refused = flowsift(args.iter().chain(&["--max-bytes", "10KB"])).expect(1);
    assert!(refused.err.contains("--max-bytes"), "{}", refused.err);
}

#[test]
fn the_time_of_interest_bounds_what_a_query_lists() {
    let demo = demo();
    let times = ["--from", "2023-11-22T01:00:00Z", "--to", "2023-11-22T03:00:00Z"];
    let args = ["query", "host_day", &demo, "--param", "host=10.0.44.5", "--format", "csv"];
    let hours = flowsift([&args[..], &times[..]].concat()).expect(0);
    let hours: Vec<&str> = hours.text().lines().skip(1).map(|line| &line[..13]).collect();
    assert_eq!(hours, ["2023-11-22T01", "2023-11-22T02"]);
    // A parameter that is given counts more than the time of interest.
    let hours = flowsift([&args[..], &times[..], &["--param", "from=2023-11-22T02:00:00Z"]].concat()).expect(0);
    assert_eq!(hours.text().lines().count(), 2);
}

#[test]
fn records_without_bytes_do_not_come_first() {
    let demo = demo();
    for name in ["top_talking_instances", "top_talking_subnets"] {
        let listed = flowsift(["query", name, &demo, "--param", "limit=1", "--format", "jsonl"]).expect(0);
        let row: serde_json::Value = serde_json::from_str(listed.text().trim()).unwrap();
        assert!(row["bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{name}: {row}");
    }
}
