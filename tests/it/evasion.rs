//! What would hide an intruder: success, another protocol, a second region, a second list.

use crate::network::{DAY, HOUR_S, Network};
use crate::program::{flowsift, scratch};
use crate::records::Flow;
use std::collections::BTreeSet;

/// One connection of 25 minutes, window by window, in which the host of number 3 takes 50 MB of 10.0.0.8.
fn session(net: &mut Network, at: i64) {
    let first = net.flow(3, "10.0.0.8", 22, at, [100_000, 2_000_000]);
    for minute in 0..25 {
        let flags = if minute == 0 { [2, 18] } else { [16, 16] };
        let (start_s, remote) = (first.start_s + 60 * minute, first.remote.clone());
        net.add(&Flow { start_s, length_s: 58, flags, remote, ..first });
    }
}

#[test]
fn a_guess_that_was_right_does_not_hide_the_guessing() {
    let guessed = |at_end: bool| {
        let mut net = Network::new(9);
        let day = net.last_day();
        if !at_end {
            session(&mut net, day + HOUR_S);
        }
        for n in 0..100 {
            net.call(3, "10.0.0.8", 22, day + 2 * HOUR_S + 7 * n, [2_400, 3_100]);
        }
        if at_end {
            session(&mut net, day + 2 * HOUR_S + 720);
        }
        net.findings(&[])
    };
    let found = guessed(true);
    found.expect("brute_force", &["high 10.0.0.3 10.0.0.8 22"]);
    let said = found.by("brute_force")[0]["explanation"].as_str().unwrap();
    assert!(said.contains("; one connection then lasted 24 m 58 s, so a guess may have been right"), "{said}");
    // What came before the guesses is no success of theirs, and moves more than guesses do.
    guessed(false).expect("brute_force", &[]);
}

#[test]
fn resets_and_silence_over_ipv6_are_no_answers_either() {
    for (remote, bytes) in [("192.0.2.44", [60, 40]), ("2600:1f18::44", [80, 60])] {
        let mut net = Network::new(9);
        let day = net.last_day();
        for n in 0..120 {
            let flow = net.flow(2, remote, 443, day + 60 * n, bytes);
            net.add(&Flow { flags: [2, 20], ..flow });
        }
        let host = if remote.contains(':') { "fd00::2" } else { "10.0.0.2" };
        net.findings(&[]).expect("unanswered_calls", &[&format!("medium {host} {remote} 443")]);
    }
}

#[test]
fn regions_with_the_same_addresses_are_told_apart() {
    let swept = |addresses: u32| {
        let mut net = Network::new(2);
        for region in ["eu-west-1", "us-east-1"] {
            net.region = region;
            for n in 1..=addresses {
                net.call(4, &format!("10.0.9.{n}"), 445, HOUR_S + i64::from(n), [60, 0]);
            }
        }
        net.write()
    };
    let findings = |addresses, threads: &str| {
        let folder = swept(addresses);
        let source = folder.path().to_str().unwrap().to_owned();
        flowsift(["detect", &source, "-q", "--threads", threads]).expect(0)
    };
    // Thirteen in each region are fewer than 25 in any.
    assert!(!findings(13, "2").text().contains("port_sweep"));
    let once = findings(40, "1");
    let sweeps: Vec<_> = once.findings().into_iter().filter(|finding| finding["detection"] == "port_sweep").collect();
    let of = |name: &str| sweeps.iter().map(|one| one[name].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(of("region"), BTreeSet::from(["eu-west-1".to_owned(), "us-east-1".to_owned()]));
    assert_eq!((sweeps.len(), of("id").len()), (2, 2));
    for threads in ["2", "3", "4", "8"] {
        assert_eq!(findings(40, threads).text(), once.text(), "{threads} threads");
    }
}

#[test]
fn an_address_on_two_lists_is_on_both_in_any_order() {
    let mut net = Network::new(1);
    net.call(1, "192.0.2.1", 9_001, 100, [5_000, 9_000]);
    // Its port is the host's: the list says nothing about that.
    net.serve(2, "192.0.2.3", 443, 200, [5_000, 900]);
    let folder = scratch();
    for (name, text) in [("tor-exits.txt", "192.0.2.1\n"), ("botnet.txt", "192.0.2.1\n192.0.2.3:443\n")] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    for names in [["tor-exits.txt", "botnet.txt"], ["botnet.txt", "tor-exits.txt"]] {
        let paths = names.map(|name| folder.path().join(name).to_str().unwrap().to_owned());
        let found = net.findings_of(&["--indicators", &paths[0], "--indicators", &paths[1]]);
        found.expect("tor_contact", &["high 10.0.0.1 192.0.2.1 9001"]);
        found.expect("indicator_contact", &["high 10.0.0.1 192.0.2.1 9001", "low 10.0.0.2 192.0.2.3 443"]);
        let visited = found.by("indicator_contact")[1];
        assert_eq!((&visited["role"], &visited["evidence"]["port_matched"]), (&"server".into(), &false.into()));
    }
}

#[test]
fn sleeps_that_drift_slowly_are_no_schedule() {
    let mut net = Network::new(1);
    for (host, sleep_ms, work_ms) in
        [(1, 300_000, 300), (2, 600_000, 300), (3, 900_000, 500), (4, 1_800_000, 1_000), (5, 3_600_000, 1_000)]
    {
        let mut at_ms = 1_000 * net.below(300);
        while at_ms < 1_000 * DAY {
            net.call(host, &format!("192.0.2.{host}"), 443, at_ms / 1_000, [700, 1_200]);
            at_ms += sleep_ms + work_ms / 2 + net.below(work_ms);
        }
    }
    // Jobs that are up to two seconds late, and jobs to the second.
    for (host, every_s, late_s) in [(11, 300, 2), (12, 3_600, 2), (13, 600, 0), (14, 3_600, 0), (15, 60, 0)] {
        for turn in 0..DAY / every_s {
            let at = turn * every_s + 17 + net.below(late_s + 1);
            net.call(host, &format!("192.0.2.{host}"), 443, at, [700, 1_200]);
        }
    }
    let mut found = net.findings_of(&[]);
    found.0.retain(|finding| finding["severity"] != "informational");
    let sleepers = (1..=5).map(|host| format!("high 10.0.0.{host} 192.0.2.{host} 443"));
    let jobs = (11..=15).map(|host| format!("low 10.0.0.{host} 192.0.2.{host} 443"));
    let expected: Vec<String> = sleepers.chain(jobs).collect();
    found.expect("beacon", &expected.iter().map(String::as_str).collect::<Vec<_>>());
    for job in found.by("beacon").into_iter().filter(|finding| finding["severity"] == "low") {
        let said = job["explanation"].as_str().unwrap();
        assert!(said.ends_with("It keeps the wall clock, as scheduled jobs do."), "{said}");
        assert!(job["evidence"]["clock_period_s"].as_u64().unwrap() >= 60, "{job:#}");
    }
}

#[test]
fn where_windows_hide_a_drift_it_is_said() {
    let mut net = Network::new(1);
    // All that is known of the times of this host is the minute.
    let mut on_grid = |remote: &str, minute: i64| {
        let flow = net.flow(25, remote, 443, 60 * minute + 7, [700, 1_200]);
        net.add(&Flow { length_s: 59, ..flow });
    };
    for hour in 0..24 {
        on_grid("192.0.2.25", 60 * hour + 4);
        on_grid("198.51.100.40", 60 * hour + hour * hour % 53);
        on_grid("198.51.100.41", 60 * hour + 7 * hour * hour % 59);
    }
    let found = net.findings_of(&[]);
    found.expect("beacon", &["medium 10.0.0.25 192.0.2.25 443"]);
    let said = found.by("beacon")[0]["explanation"].as_str().unwrap();
    assert!(
        said.ends_with("It may keep the wall clock: the log does not tell a scheduled job from sleeps here."),
        "{said}"
    );
}

#[test]
fn a_session_without_a_beat_shows_in_its_equal_requests() {
    let mut net = Network::new(9);
    let day = net.last_day();
    let session = |net: &mut Network, host: u32, from: i64, sizes: &dyn Fn(&mut Network) -> i64| {
        let mut at = from;
        while at < from + 1_200 {
            let bytes = sizes(net);
            net.call(host, &format!("192.0.2.{host}"), 443, at, [bytes, 2_000]);
            // Geometric: without memory, so without a beat.
            at += 1;
            while net.below(3) > 0 {
                at += 1;
            }
        }
    };
    let poll = |net: &mut Network| if net.below(30) == 0 { 1_500 + net.below(9_000) } else { 640 + net.below(8) };
    let page = |net: &mut Network| 500 + net.below(30) * net.below(60);
    session(&mut net, 3, day + 5 * HOUR_S, &poll);
    session(&mut net, 4, day + 6 * HOUR_S, &page);
    // The same session as on the days before.
    for at in 0..9 {
        session(&mut net, 6, at * DAY + 7 * HOUR_S, &poll);
    }
    // At the same pace all over the day: no burst.
    for n in 0..700 {
        let at = day + 120 * n + net.below(100);
        net.call(7, "192.0.2.7", 443, at, [640, 2_000]);
    }
    let found = net.findings(&[]);
    found.expect("equal_requests", &["low 10.0.0.6 192.0.2.6 443", "medium 10.0.0.3 192.0.2.3 443"]);
    let evidence = &found.by("equal_requests")[0]["evidence"];
    assert!(evidence["same_size_ratio"].as_f64().unwrap() > 0.9, "{evidence:#}");
    assert!(evidence["connections_in_burst"].as_u64().unwrap() > 100, "{evidence:#}");
}
