//! Implants whose controllers are dead, all of them or some: the train is told once, and never as severe as an answered one.

use crate::network::{DAY, Found, HOUR_S, Network};

/// How a remote fails to answer.
#[derive(Clone, Copy, PartialEq)]
enum Death {
    Silence,
    Reset,
    Rejection,
}

/// A host tries a dead remote.
fn try_in_vain(net: &mut Network, host: u32, remote: &str, at: i64, death: Death) {
    match death {
        Death::Rejection => net.refuse(host, remote, 443, at),
        Death::Silence => net.call(host, remote, 443, at, [60, 0]),
        Death::Reset => {
            let flow = net.flow(host, remote, 443, at, [60, 40]);
            net.add(&crate::records::Flow { flags: [2, 20], ..flow });
        }
    }
}

/// Host 1 calls one of so many remotes every so many seconds, of which the first `dead` never answer.
fn rotating(remotes: i64, dead: i64, period_s: i64, death: Death) -> Found {
    let mut net = Network::new(9);
    let day = net.last_day();
    let mut at = day + 37;
    while at < day + DAY {
        let remote = net.below(remotes);
        let address = format!("192.0.2.{}", 100 + remote);
        if remote < dead {
            try_in_vain(&mut net, 1, &address, at, death);
        } else {
            net.call(1, &address, 443, at, [700, 1_200]);
        }
        // It sleeps after its work, so that it drifts.
        at += period_s + net.below(period_s / 15);
    }
    net.findings(&[])
}

#[test]
fn a_rotation_over_dead_remotes_is_one_finding_of_medium_severity() {
    for (death, period_s) in
        [(Death::Silence, 900), (Death::Reset, 900), (Death::Rejection, 900), (Death::Silence, 120)]
    {
        let found = rotating(20, 20, period_s, death);
        found.expect("rotating_beacon", &["medium 10.0.0.1 - 443"]);
        // Each remote alone is called again and again as well, where the period is short.
        found.expect("unanswered_calls", &[]);
        let finding = found.by("rotating_beacon")[0];
        let evidence = &finding["evidence"];
        let answered = if death == Death::Reset { 40 * evidence["connections"].as_i64().unwrap() } else { 0 };
        let number = |name: &str| evidence[name].as_i64().unwrap();
        assert!(number("destinations") >= 19 && number("silent_remotes") == number("destinations"), "{finding:#}");
        // What the host sends to others on that port is not theirs. What is rejected was not sent.
        let sent = if death == Death::Rejection { 0 } else { 60 * number("connections") };
        assert_eq!((number("bytes_out"), number("bytes_in")), (sent, answered), "{finding:#}");
        assert_eq!(evidence["first_contact"], true, "{finding:#}");
        assert!((evidence["period_s"].as_f64().unwrap() / period_s as f64 - 1.0).abs() < 0.05, "{finding:#}");
        assert!(finding["explanation"].as_str().unwrap().contains("; none ever answered; none was seen before"));
        assert!(finding.get("members").is_none() && evidence.get("members").is_none(), "{finding:#}");
    }
}

#[test]
fn dead_and_answering_remotes_of_one_rotation_are_told_together() {
    let found = rotating(20, 10, 900, Death::Silence);
    found.expect("rotating_beacon", &["high 10.0.0.1 - 443"]);
    let evidence = &found.by("rotating_beacon")[0]["evidence"];
    let number = |name: &str| evidence[name].as_i64().unwrap();
    assert!(number("destinations") >= 19 && (9..=10).contains(&number("silent_remotes")), "{evidence:#}");
    found.expect("unanswered_calls", &[]);
}

#[test]
fn hosts_that_call_one_dead_remote_are_pooled() {
    let mut net = Network::new(9);
    let day = net.last_day();
    for host in 1..=3 {
        for beat in 0..8 {
            let at = day + 5 * HOUR_S * i64::from(host) + 1_837 * beat + net.below(60);
            try_in_vain(&mut net, host, "192.0.2.90", at, Death::Reset);
        }
    }
    let found = net.findings(&[]);
    found.expect("pooled_beacon", &["medium 10.0.0.1 192.0.2.90 443"]);
    let finding = found.by("pooled_beacon")[0];
    assert_eq!(finding["evidence"]["silent_hosts"], 3, "{finding:#}");
    assert!(finding["explanation"].as_str().unwrap().contains("; it never answered;"), "{finding:#}");
}

#[test]
fn a_sweep_that_keeps_time_is_no_rotation() {
    let mut net = Network::new(9);
    let day = net.last_day();
    for n in 0..120 {
        try_in_vain(&mut net, 1, &format!("192.0.2.{}", 100 + n % 40), day + 600 * n, Death::Silence);
    }
    let found = net.findings(&[]);
    found.expect("rotating_beacon", &[]);
    found.expect("port_sweep", &["medium 10.0.0.1 - 443"]);
}
