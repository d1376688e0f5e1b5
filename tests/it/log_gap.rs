//! Logs that fall silent: planted gaps are found, and what only looks like one is not.

use crate::network::{DAY, Found, HOUR_S, Network};
use crate::records::{COLUMNS, Record, Value};

fn place(column: &str) -> usize {
    COLUMNS.iter().position(|name| *name == column).unwrap()
}

fn start_s(record: &Record) -> i64 {
    match &record[place("start")] {
        Value::Number(start_s) => *start_s,
        other => panic!("{other:?}"),
    }
}

fn is(record: &Record, column: &str, text: &str) -> bool {
    record[place(column)] == Value::Text(text.to_owned())
}

fn interface(host: u32) -> String {
    format!("eni-{host:017x}")
}

/// Two regions of twenty hosts each, three days long.
fn two_regions() -> Network {
    let mut net = Network::new(3);
    net.region = "us-west-2";
    for hour in 0..72 {
        for host in 1..=20 {
            let at = hour * HOUR_S + net.below(3_500);
            net.call(host, "203.0.113.10", 443, at, [2_000, 9_000]);
        }
    }
    net
}

/// Severity, extent and hours of every gap.
fn gaps(found: &Found) -> Vec<String> {
    let line = |finding: &&serde_json::Value| {
        let evidence = &finding["evidence"];
        let hours = evidence["gap_s"].as_i64().unwrap() / HOUR_S;
        format!("{} {} {hours}", finding["severity"].as_str().unwrap(), evidence["extent"].as_str().unwrap())
    };
    let mut lines: Vec<String> = found.by("log_gap").iter().map(line).collect();
    lines.sort();
    lines
}

#[test]
fn a_region_that_stops_while_another_goes_on_is_told() {
    let mut net = two_regions();
    assert_eq!(gaps(&net.findings(&[])), Vec::<String>::new());
    let stop_s = crate::records::DAY_S + 2 * DAY + 10 * HOUR_S;
    net.rewrite(|record| {
        let gone = is(&record, "region", "us-west-2") && start_s(&record) >= stop_s;
        if gone { Vec::new() } else { vec![record] }
    });
    let found = net.findings_with(&[], 3);
    assert_eq!(gaps(&found), ["medium account and region 14"]);
    let finding = found.by("log_gap")[0];
    assert_eq!((&finding["region"], &finding["techniques"][0]), (&"us-west-2".into(), &"T1562.008".into()));
}

#[test]
fn a_region_that_was_in_the_baseline_alone_is_told() {
    let mut net = two_regions();
    let last_day_s = crate::records::DAY_S + 2 * DAY;
    net.rewrite(|record| {
        let gone = is(&record, "region", "us-west-2") && start_s(&record) >= last_day_s;
        if gone { Vec::new() } else { vec![record] }
    });
    assert_eq!(gaps(&net.findings_with(&[], 3)), ["medium account and region 24"]);
}

#[test]
fn a_pause_of_all_logs_is_told() {
    let mut net = Network::new(3);
    let from_s = crate::records::DAY_S + 2 * DAY + 5 * HOUR_S;
    net.rewrite(|record| {
        let gone = (from_s..from_s + 4 * HOUR_S).contains(&start_s(&record));
        if gone { Vec::new() } else { vec![record] }
    });
    assert_eq!(gaps(&net.findings_with(&[], 3)), ["medium account and region 4"]);
}

/// Every host calls host 20 each hour, and both ENIs log it.
fn neighbours() -> Network {
    let mut net = Network::new(3);
    for hour in 0..72 {
        for host in 1..=6 {
            let at = hour * HOUR_S + net.below(3_500);
            net.call(host, "10.0.0.19", 8_443, at, [2_000, 9_000]);
            net.serve(19, &format!("10.0.0.{host}"), 8_443, at, [9_000, 2_000]);
        }
    }
    net
}

#[test]
fn an_interface_that_is_still_answered_for_is_told_and_a_host_that_ended_is_not() {
    let stop_s = crate::records::DAY_S + 2 * DAY + 6 * HOUR_S;
    // The log of host 19 ends, but its neighbours still hear from it.
    let mut net = neighbours();
    net.rewrite(|record| {
        let gone = is(&record, "interface_id", &interface(19)) && start_s(&record) >= stop_s;
        if gone { Vec::new() } else { vec![record] }
    });
    let found = net.findings_with(&[], 3);
    assert_eq!(gaps(&found), ["medium ENI 18"]);
    assert_eq!(found.by("log_gap")[0]["host"], "10.0.0.19");
    // The host itself ends: nobody hears from it any more.
    let mut net = neighbours();
    net.rewrite(|record| {
        let of_host = is(&record, "interface_id", &interface(19))
            || is(&record, "srcaddr", "10.0.0.19")
            || is(&record, "dstaddr", "10.0.0.19");
        if of_host && start_s(&record) >= stop_s { Vec::new() } else { vec![record] }
    });
    assert_eq!(gaps(&net.findings(&[])), Vec::<String>::new());
    // Its address goes to another ENI, whose log goes on.
    let mut net = neighbours();
    net.rewrite(|mut record| {
        if is(&record, "interface_id", &interface(19)) && start_s(&record) >= stop_s {
            record[place("interface_id")] = Value::Text("eni-successor".to_owned());
        }
        vec![record]
    });
    assert_eq!(gaps(&net.findings(&[])), Vec::<String>::new());
}

#[test]
fn nights_and_late_deliveries_are_no_gaps() {
    // Silent from 20:00 to 06:00 each day.
    let mut net = Network::new(4);
    net.rewrite(|record| {
        let hour = (start_s(&record) - crate::records::DAY_S) / HOUR_S % 24;
        if (6..20).contains(&hour) { vec![record] } else { Vec::new() }
    });
    assert_eq!(gaps(&net.findings(&[])), Vec::<String>::new());
    // The last two hours of one region are not delivered yet.
    let mut net = two_regions();
    let late_s = crate::records::DAY_S + 3 * DAY - 2 * HOUR_S;
    net.rewrite(|record| {
        let late = is(&record, "region", "us-west-2") && start_s(&record) >= late_s;
        if late { Vec::new() } else { vec![record] }
    });
    assert_eq!(gaps(&net.findings(&[])), Vec::<String>::new());
}
