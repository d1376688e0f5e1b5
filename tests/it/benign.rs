//! Nothing bad happens here, so nothing may be called bad.

use corpus::GenerateOptions;

use crate::network::{DAY, Found, HOUR_S, Network};
use crate::program::{Corpus, flowsift, small};
use crate::records::Flow;

/// Findings of severity high and above, as text.
fn alarms(found: &Found) -> Vec<String> {
    let high = found.0.iter().filter(|f| f["severity"] == "high" || f["severity"] == "critical");
    high.map(|finding| finding["explanation"].to_string()).collect()
}

#[test]
fn generated_days_without_attacks_raise_no_alarm() {
    // 60 seconds and 600: in the latter keep-alives and short visits look most alike.
    for (seed, window_s) in [(5, 60), (4, 600)] {
        let options = GenerateOptions {
            rows: 60_000,
            hosts: 60,
            hours: 48,
            seed,
            window_s,
            attacks: None,
            attack_hosts: 0,
            benign_callers: 1.0 / 3.0,
            ..small()
        };
        let corpus = Corpus::generate(options);
        let found = Found(flowsift(["detect", corpus.source(), "-q"]).expect(0).findings());
        assert_eq!(alarms(&found), Vec::<String>::new(), "window {window_s}");
    }
}

/// Nine days of what looks like an attack and is none; twenty hosts.
fn honest() -> Network {
    let mut net = Network::new(9);
    // A connection for all nine days, kept alive each minute, that nobody else has.
    for minute in (0..9 * 24 * 60).step_by(10) {
        let flow = net.flow(1, "192.0.2.1", 443, 60 * minute, [900, 700]);
        let flags = if minute == 0 { [2, 18] } else { [0, 0] };
        net.add(&Flow { client_port: 50_001, flags, length_s: 599, ..flow });
    }
    // Pollers of constant size that come at random, each with a supplier of its own.
    for host in 2..=7 {
        let mut at = 0;
        while at < 9 * DAY {
            net.call(host, &format!("192.0.2.{host}"), 443, at, [600, 900]);
            // Exponential by the sum of its binary digits would do as well; this is the quantile at a draw.
            let draw = 1 + net.below(999_999);
            at += 1 - (600.0 * (draw as f64 / 1e6).ln()) as i64;
        }
    }
    for day in 0..9 {
        let day = day * DAY;
        // Backups by night to a supplier each, and updates that all hosts fetch by the clock.
        for host in 8..=12 {
            let more = net.below(60_000_000);
            let at = day + 2 * HOUR_S + net.below(900);
            net.call(host, &format!("192.0.2.{host}"), 443, at, [3_000_000_000 + more, 8_000_000]);
        }
        for host in 1..=20 {
            for turn in 0..4 {
                net.call(host, "203.0.113.50", 443, day + turn * 6 * HOUR_S + 30, [900, 180_000]);
                net.ask(host, "203.0.113.60", 123, day + turn * 6 * HOUR_S + 512, [76, 76]);
            }
        }
    }
    net
}

#[test]
fn honest_habits_raise_no_alarm() {
    let found = honest().findings(&[]);
    assert_eq!(alarms(&found), Vec::<String>::new());
    for detection in ["port_scan", "port_sweep", "brute_force", "slow_drip", "bulk_egress", "pair_surge"] {
        found.expect(detection, &[]);
    }
}
