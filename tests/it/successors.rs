//! One connection, one workload, one train: what is one is told once, and what never answered is told as that.

use crate::network::{DAY, Found, HOUR_S, Network};
use crate::records::{COLUMNS, DAY_S, Flow, V2};

/// Detections of the findings about one remote, with their severity, sorted.
fn about(found: &Found, remote: &str) -> Vec<String> {
    let some = found.0.iter().filter(|f| f["remote"] == remote);
    let mut lines: Vec<String> =
        some.map(|f| format!("{} {}", f["severity"], f["detection"]).replace('"', "")).collect();
    lines.sort();
    lines
}

#[test]
fn a_keep_alive_is_one_connection_with_and_without_flags() {
    for (period_s, remote) in [(60, "192.0.2.71"), (300, "192.0.2.71"), (900, "2600:1f18::71"), (7_200, "192.0.2.71")] {
        let mut net = Network::new(1);
        for beat in 0..DAY / period_s {
            let header = if remote.contains(':') { 20 } else { 0 };
            let flow = net.flow(1, remote, 5_222, period_s * beat, [104 + header, 104 + header]);
            net.add(&Flow {
                client_port: 41_000,
                flags: if beat == 0 { [2, 18] } else { [0, 0] },
                length_s: 0,
                ..flow
            });
        }
        for columns in [V2, COLUMNS.len()] {
            let found = net.findings_of_fields(columns, &[]);
            assert_eq!(about(&found, remote), ["low long_connection"], "every {period_s} s, {columns} fields");
        }
    }
}

#[test]
fn an_implant_with_a_port_of_its_own_opens_connections_where_flags_say_so() {
    let mut net = Network::new(1);
    for beat in 0..280 {
        let late = net.below(30);
        let flow = net.flow(1, "192.0.2.72", 443, 308 * beat + late, [700, 400]);
        net.add(&Flow { client_port: 41_000, ..flow });
    }
    let found = net.findings_of(&[]);
    assert_eq!(about(&found, "192.0.2.72"), ["high beacon"]);
    assert_eq!(found.by("beacon").iter().filter(|f| f["remote"] == "192.0.2.72").count(), 1);
}

/// An implant in the image of a service whose tasks live so many seconds, each with an address of its own, over a day.
fn churn(net: &mut Network, life_s: i64, period_s: i64, remote: &str) {
    let day = net.last_day();
    for task in 0..DAY / life_s {
        let host = 30 + task as u32;
        let mut at = task * life_s + net.below(15);
        while at < (task + 1) * life_s - 5 {
            net.call(host, remote, 443, day + at, [700, 1_200]);
            at += period_s - period_s / 10 + net.below(period_s / 5);
        }
        for _ in 0..8 {
            let at = task * life_s + net.below(life_s - 60);
            net.call(host, "203.0.113.10", 443, day + at, [3_000, 9_000]);
        }
    }
}

#[test]
fn an_implant_whose_host_changes_its_address_is_one_rare_train() {
    for (life_s, period_s, history) in [(1_200, 60, true), (1_200, 60, false), (7_200, 300, true), (14_400, 60, true)] {
        let mut net = Network::new(if history { 9 } else { 1 });
        churn(&mut net, life_s, period_s, "192.0.2.73");
        let found = if history { net.findings(&[]) } else { net.findings_of(&[]) };
        assert_eq!(about(&found, "192.0.2.73"), ["high beacon"], "{life_s} {history}");
        let beacon = found.0.iter().find(|f| f["remote"] == "192.0.2.73").unwrap();
        let evidence = &beacon["evidence"];
        assert_eq!((&evidence["addresses"], &evidence["prevalence_hosts"]), (&(DAY / life_s).into(), &1.into()));
        let first = evidence["successors"][0].as_str().unwrap();
        assert_eq!(first, "10.0.0.30");
        // Their other remote is shared by the others all the same.
        assert!(about(&found, "203.0.113.10").iter().all(|line| line.starts_with("informational")));
    }
}

#[test]
fn a_remote_that_lasting_hosts_call_in_turn_is_shared() {
    let mut net = Network::new(9);
    let day = net.last_day();
    for host in 1..=20 {
        for beat in 0..40 {
            let late = net.below(6);
            net.call(host, "192.0.2.74", 443, day + HOUR_S * i64::from(host) + 60 * beat + late, [700, 1_200]);
        }
    }
    let found = net.findings(&[]);
    let beacons = about(&found, "192.0.2.74");
    assert!(beacons.iter().all(|line| line == "informational beacon"), "{beacons:?}");
}

#[test]
fn a_small_theft_counts_where_hosts_send_kilobytes() {
    let mut net = Network::new(9);
    let day = net.last_day();
    // A habit of as much each night, and as much to a remote that all hosts call.
    for night in 0..9 {
        net.call(7, "192.0.2.91", 443, night * DAY + 2 * HOUR_S, [30_000_000, 90_000]);
    }
    for host in 1..=20 {
        net.call(host, "203.0.113.92", 443, day + 60, [3_000, 900]);
    }
    net.call(8, "203.0.113.92", 443, day + 5 * HOUR_S, [30_000_000, 90_000]);
    // Downloads are no theft, and four megabytes are too few.
    net.call(9, "192.0.2.93", 443, day + 5 * HOUR_S, [30_000_000, 900_000_000]);
    net.call(10, "192.0.2.94", 443, day + 5 * HOUR_S, [4_000_000, 90_000]);
    net.call(6, "192.0.2.90", 443, day + 5 * HOUR_S, [30_000_000, 90_000]);
    net.findings(&[]).expect("rare_egress", &["medium 10.0.0.6 192.0.2.90 443"]);
    // Where the others send as much, it is nothing.
    for host in 1..=20 {
        net.call(host, "203.0.113.10", 443, day + 3 * HOUR_S, [2_000_000, 90_000]);
    }
    net.findings(&[]).expect("rare_egress", &[]);
}

#[test]
fn an_implant_of_yesterday_is_no_habit() {
    let mut net = Network::new(14);
    for beat in 0..5 * 280 {
        let late = net.below(30);
        net.call(1, "192.0.2.75", 443, 8 * DAY + 308 * beat + late, [700, 400]);
    }
    let severities: Vec<String> = (8..13)
        .map(|day| {
            let at = |day: i64| chrono::DateTime::from_timestamp(DAY_S + day * DAY, 0).unwrap().to_rfc3339();
            let found = net.findings_of(&["--from", &at(day), "--to", &at(day + 1), "--baseline", "60d"]);
            about(&found, "192.0.2.75").join(", ")
        })
        .collect();
    // The fourth window begins some seconds less than three days after the first call.
    assert_eq!(severities, ["high beacon", "high beacon", "high beacon", "high beacon", "medium beacon"]);
}

#[test]
fn what_never_answered_is_no_beacon_and_told_once() {
    for (v6, protocol, count, period_s) in [(false, 6, 400, 200), (true, 6, 400, 200), (false, 6, 24, 3_500)] {
        let mut net = Network::new(9);
        let day = net.last_day();
        let remote = |n: u32| if v6 { format!("2600:1f18::{n}") } else { format!("192.0.2.{n}") };
        let header = if v6 { 20 } else { 0 };
        for n in 0..count {
            let at = day + period_s * n + net.below(9);
            // 10.0.0.1 is rejected, 10.0.0.2 hears nothing, 10.0.0.3 is reset; 10.0.0.4 is answered.
            let shapes =
                [(1, [60 + header, 0], true), (2, [60 + header, 0], false), (3, [60 + header, 40 + header], false)];
            for (host, bytes, rejected) in shapes {
                let flow = net.flow(host, &remote(60 + host), 443, at, bytes);
                net.add(&Flow { flags: [2, if bytes[1] > 0 { 20 } else { 0 }], rejected, protocol, ..flow });
            }
            net.call(4, &remote(64), 443, at, [700, 1_200]);
        }
        let found = net.findings(&[]);
        for number in 1..=4 {
            let address = remote(60 + number);
            let about: Vec<_> = found.0.iter().filter(|f| f["remote"] == address.as_str()).collect();
            let names: Vec<_> = about.iter().map(|f| f["detection"].as_str().unwrap()).collect();
            let expected = if number == 4 { "beacon" } else { "unanswered_calls" };
            assert_eq!(names, [expected], "{address} {count}: {about:#?}");
            let period = about[0]["evidence"]["period_s"].as_f64().unwrap();
            assert!((period / period_s as f64 - 1.0).abs() < 0.05, "{about:#?}");
        }
    }
}
