//! A beat alone is no implant: timers of systems and vendors drift, too. History or a second kind of evidence must speak.

use crate::network::{DAY, Found, HOUR_S, Network};

/// A caller that sleeps and then works for up to two seconds, from one second to another.
struct Caller<'a> {
    host: u32,
    remote: &'a str,
    port: i64,
    sleep_s: i64,
    bytes: [i64; 2],
}

impl Caller<'_> {
    fn call(&self, net: &mut Network, from_s: i64, to_s: i64) {
        let mut at_ms = 1_000 * (from_s + net.below(self.sleep_s));
        while at_ms < 1_000 * to_s {
            let (at, more) = (at_ms / 1_000, net.below(1 + self.bytes[1] / 50));
            let bytes = [self.bytes[0], self.bytes[1] + more];
            match self.port {
                53 => net.ask(self.host, self.remote, 53, at, bytes),
                port => net.call(self.host, self.remote, port, at, bytes),
            }
            at_ms += 1_000 * self.sleep_s + net.below(2_000);
        }
    }
}

/// Leaves out what is about the everyday traffic of the network.
fn own_remotes(mut found: Found) -> Found {
    let everyday = |remote: &str| ["203.0.113.10", "10.0.0.20"].contains(&remote) || remote.starts_with("198.51.100.");
    found.0.retain(|finding| !finding["remote"].as_str().is_some_and(everyday));
    found
}

/// Bytes of a call over TLS, certificate included.
const TLS: [i64; 2] = [2_500, 6_000];

#[test]
fn without_history_a_second_kind_of_evidence_makes_a_beat_high() {
    let mut net = Network::new(1);
    for (host, remote, port, sleep_s, bytes) in [
        (1, "192.0.2.1", 443, 900, TLS),
        (2, "192.0.2.2", 4_444, 900, TLS),
        (3, "192.0.2.3", 443, 900, [700, 1_200]),
        (4, "192.0.2.4", 80, 900, [2_500, 1_500]),
        (5, "192.0.2.5", 80, 900, [500, 1_500]),
        (6, "192.0.2.6", 80, 120, [500, 1_500]),
        (7, "192.0.2.7", 443, 3_600, [40_000, 20_000_000]),
        (8, "192.0.2.8", 4_444, 3_600, [40_000, 20_000_000]),
        (9, "9.9.9.9", 53, 600, [70, 140]),
        (10, "192.0.2.10", 53, 600, [70, 140]),
        (11, "1.1.1.1", 53, 600, [180, 140]),
    ] {
        Caller { host, remote, port, sleep_s, bytes }.call(&mut net, 0, DAY);
    }
    // An implant that is told to sleep 300 s ± 30 %.
    let mut at = 40;
    while at < DAY {
        net.call(12, "192.0.2.12", 443, at, TLS);
        at += 210 + net.below(180);
    }
    let found = own_remotes(net.findings_of(&[]));
    found.expect(
        "beacon",
        &[
            "high 10.0.0.11 1.1.1.1 53",
            "high 10.0.0.12 192.0.2.12 443",
            "high 10.0.0.2 192.0.2.2 4444",
            "high 10.0.0.3 192.0.2.3 443",
            "high 10.0.0.4 192.0.2.4 80",
            "high 10.0.0.6 192.0.2.6 80",
            "informational 10.0.0.9 9.9.9.9 53",
            "medium 10.0.0.1 192.0.2.1 443",
            "medium 10.0.0.10 192.0.2.10 53",
            "medium 10.0.0.5 192.0.2.5 80",
            "medium 10.0.0.7 192.0.2.7 443",
            "medium 10.0.0.8 192.0.2.8 4444",
        ],
    );
    let said = |host: &str| {
        let finding = found.by("beacon").into_iter().find(|finding| finding["host"] == host).unwrap();
        (finding["evidence"]["beside_beat"].clone(), finding["explanation"].as_str().unwrap().to_owned())
    };
    let (beside, explained) = said("10.0.0.2");
    assert_eq!(beside, "the port is unusual");
    assert!(explained.ends_with("; no other host talks to this remote; the port is unusual."), "{explained}");
    assert!(said("10.0.0.7").1.ends_with(" Each call fetches 20.2 MB."), "{}", said("10.0.0.7").1);
    assert!(
        said("10.0.0.9").1.ends_with(" Lowered: the remote is the public resolver of Quad9."),
        "{}",
        said("10.0.0.9").1
    );
}

#[test]
fn history_tells_a_new_beat_from_a_habit_and_a_new_host_has_none() {
    let mut net = Network::new(12);
    let day = net.last_day();
    let caller = |host, remote, bytes| Caller { host, remote, port: 443, sleep_s: 900, bytes };
    caller(1, "192.0.2.1", TLS).call(&mut net, 0, day + DAY);
    caller(2, "192.0.2.2", [700, 1_200]).call(&mut net, 0, day + DAY);
    // Since yesterday is not since ever.
    caller(3, "192.0.2.3", TLS).call(&mut net, day - DAY, day + DAY);
    caller(4, "192.0.2.4", TLS).call(&mut net, day, day + DAY);
    // A host of today, to which every remote is new.
    for hour in 0..24 {
        net.call(25, "203.0.113.10", 443, day + hour * HOUR_S + 60, [2_000, 9_000]);
    }
    caller(25, "192.0.2.25", TLS).call(&mut net, day, day + DAY);
    own_remotes(net.findings(&[])).expect(
        "beacon",
        &[
            "high 10.0.0.3 192.0.2.3 443",
            "high 10.0.0.4 192.0.2.4 443",
            "low 10.0.0.1 192.0.2.1 443",
            "medium 10.0.0.2 192.0.2.2 443",
            "medium 10.0.0.25 192.0.2.25 443",
        ],
    );
}
