//! What would hide an intruder: success, another protocol, a second region, a second list.

use crate::network::{HOUR_S, Network};
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
