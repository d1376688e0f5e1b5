//! Scans, guessing, odd ports, spam, floods and resolvers: each found where it is planted, and nowhere else.

use crate::network::{HOUR_S, Network, host};

/// Nine days, the last of which is judged; what is planted in it is new.
fn attacked() -> Network {
    let mut net = Network::new(9);
    let day = net.last_day();
    // 10.0.0.1 scans a neighbour: closed ports answer with a reset, one is open.
    for port in 1..=150 {
        let bytes = if port == 22 { [200, 180] } else { [44, 40] };
        net.call(1, "10.0.0.9", port, day + port, bytes);
    }
    // 10.0.0.2 sweeps SMB over a network whose addresses are mostly unused, and is rejected by some.
    for n in 1..=120 {
        let remote = format!("10.0.9.{n}");
        match n % 4 {
            0 => net.refuse(2, &remote, 445, day + HOUR_S + n),
            1 => net.call(2, &remote, 445, day + HOUR_S + n, [300, 250]),
            _ => net.call(2, &remote, 445, day + HOUR_S + n, [60, 0]),
        }
    }
    // 10.0.0.3 guesses SSH passwords of a neighbour.
    for n in 0..200 {
        net.call(3, "10.0.0.8", 22, day + 2 * HOUR_S + 7 * n, [2_400, 3_100]);
    }
    // 10.0.0.4 talks with a port that nobody uses.
    for n in 0..6 {
        net.call(4, "192.0.2.77", 61_616, day + 2 * HOUR_S * n, [4_000, 9_000]);
    }
    // 10.0.0.5 sends mail to whoever takes it.
    for n in 0..150 {
        net.call(5, &format!("192.0.3.{}", n % 80), 25, day + 60 * n, [9_000, 1_200]);
    }
    // 10.0.0.6 floods: 700,000 packets in an hour.
    for n in 0..7 {
        net.ask(6, "192.0.2.200", 80, day + 3 * HOUR_S + 500 * n, [50_000_000, 0]);
    }
    // 10.0.0.7 carries data out in questions to a resolver: 240 bytes in each packet.
    for n in 0..400 {
        let flow = net.flow(7, "192.0.2.53", 53, day + 200 * n, [20_000, 8_000]);
        net.add(&crate::records::Flow { protocol: 17, ..flow });
    }
    net
}

#[test]
fn what_is_planted_is_found_once() {
    let found = attacked().findings(&[]);
    found.expect("port_scan", &["high 10.0.0.1 10.0.0.9 -"]);
    found.expect("port_sweep", &["medium 10.0.0.2 - 445"]);
    found.expect("brute_force", &["high 10.0.0.3 10.0.0.8 22"]);
    found.expect("unusual_remote_port", &["low 10.0.0.4 192.0.2.77 61616"]);
    found.expect("spam", &["high 10.0.0.5 - 25"]);
    found.expect("outbound_flood", &["medium 10.0.0.6 192.0.2.200 80"]);
    found.expect("external_dns", &["medium 10.0.0.7 192.0.2.53 53"]);
    let scan = found.by("port_scan")[0];
    assert_eq!((&scan["evidence"]["ports"], &scan["evidence"]["silent_ports"]), (&150.into(), &149.into()));
    assert_eq!(
        scan["explanation"],
        "10.0.0.1 tried 150 tcp ports of 10.0.0.9 between 1 and 150 within 2 m 30 s, a few packets each; \
         149 were rejected, closed or silent."
    );
    let sweep = found.by("port_sweep")[0];
    assert_eq!((&sweep["evidence"]["silent_remotes"], &sweep["evidence"]["destinations"]), (&90.into(), &120.into()));
    assert_eq!(found.by("outbound_flood")[0]["evidence"]["packets_per_hour"], 700_007.0);
}

/// The same activities in the forms that honest machines have.
fn benign() -> Network {
    let mut net = Network::new(9);
    for day in 0..9 {
        let day = day * 24 * HOUR_S;
        // 10.0.0.1 is a scanner by trade: it does it every day.
        for port in 1..=60 {
            net.call(1, "10.0.0.9", port, day + port, [44, 40]);
        }
        // 10.0.0.2 monitors what is not there any more.
        for n in 1..=40 {
            net.call(2, &format!("10.0.9.{n}"), 9_100, day + HOUR_S + n, [60, 0]);
        }
        // 10.0.0.3 deploys over SSH.
        for n in 0..100 {
            net.call(3, "10.0.0.8", 22, day + 2 * HOUR_S + 7 * n, [2_400, 3_100]);
        }
        // 10.0.0.5 is a mail relay.
        for n in 0..100 {
            net.call(5, &format!("192.0.3.{}", (n * 7 + day / 999) % 90), 25, day + 60 * n, [9_000, 1_200]);
        }
        // All hosts ask one resolver.
        for number in 1..=20 {
            net.ask(number, "192.0.2.53", 53, day + 600 * i64::from(number), [800, 1_600]);
        }
    }
    let day = net.last_day();
    // A monitor that meets hundreds, all of which answer; a client of a passive FTP server.
    for n in 1..=200 {
        net.call(10, &format!("10.0.8.{n}"), 9_100, day + n, [300, 40_000]);
        net.call(11, "192.0.2.21", 50_000 + n, day + 20 * n, [500, 200_000]);
    }
    // Uploads, whose acknowledgements come back.
    net.call(12, "192.0.2.99", 443, day, [900_000_000, 30_000_000]);
    // The Internet knocks at an open host: nothing worth more than informational.
    for n in 1..=300 {
        net.serve(13, "192.0.2.66", n * 13, day + n, [40, 44]);
        net.serve(13, "192.0.2.67", 22, day + 10 * n, [2_500, 1_900]);
    }
    net
}

#[test]
fn honest_machines_are_lowered_or_left_alone() {
    let found = benign().findings(&[]);
    found.expect("port_scan", &["informational 10.0.0.13 192.0.2.66 -", "low 10.0.0.1 10.0.0.9 -"]);
    found.expect("port_sweep", &["low 10.0.0.2 - 9100"]);
    found.expect("brute_force", &["informational 10.0.0.13 192.0.2.67 22", "low 10.0.0.3 10.0.0.8 22"]);
    found.expect("unusual_remote_port", &[]);
    found.expect("spam", &["low 10.0.0.5 - 25"]);
    found.expect("outbound_flood", &[]);
    found.expect("external_dns", &[]);
    for number in [2, 4, 10, 11] {
        let about = found.about(&host(number));
        assert!(about.iter().all(|line| !line.starts_with("high")), "{number}: {about:?}");
    }
}

#[test]
fn without_history_nothing_is_called_high() {
    let net = attacked();
    let found = net.findings_of(&[]);
    found.expect("port_scan", &["medium 10.0.0.1 10.0.0.9 -"]);
    found.expect("port_sweep", &["medium 10.0.0.2 - 445"]);
    found.expect("brute_force", &["medium 10.0.0.3 10.0.0.8 22"]);
    found.expect("unusual_remote_port", &["informational 10.0.0.4 192.0.2.77 61616"]);
    found.expect("spam", &["medium 10.0.0.5 - 25"]);
}

#[test]
fn new_services_and_spikes_of_rejects_are_found() {
    let mut net = Network::new(9);
    let day = net.last_day();
    for hour in 0..9 * 24 {
        // A web server that has always been one, and a host whose calls are rejected now and then.
        net.serve(14, &format!("192.0.2.{}", 1 + hour % 200), 443, hour * HOUR_S + 30, [30_000, 2_000]);
        net.refuse(15, "192.0.2.250", 25, hour * HOUR_S + 700);
        // Another's are rejected all day long.
        for n in 0..90 {
            net.refuse(19, "192.0.2.251", 4_444, hour * HOUR_S + 20 * n);
        }
    }
    // 10.0.0.16 begins to answer on RDP, and 10.0.0.17 on a web port; 10.0.0.18 only resets.
    net.serve(16, "192.0.2.31", 3_389, day + 100, [9_000, 4_000]);
    net.serve(17, "192.0.2.31", 8_080, day + 200, [9_000, 4_000]);
    net.serve(18, "192.0.2.31", 22, day + 300, [40, 60]);
    for n in 0..400 {
        net.refuse(15, &format!("192.0.2.{}", n % 40), 6_667, day + 3 * HOUR_S + 8 * n);
    }
    let found = net.findings(&[]);
    found.expect("exposed_service", &["low 10.0.0.17 192.0.2.31 8080", "medium 10.0.0.16 192.0.2.31 3389"]);
    found.expect("rejected_egress", &["low 10.0.0.15 - -"]);
    let evidence = &found.by("rejected_egress")[0]["evidence"];
    assert_eq!((&evidence["rejected_hour"], &evidence["baseline_median_rejected"]), (&401.into(), &1.into()));
    // Without history nothing is new: only administration and data stores are named.
    let found = net.findings_of(&[]);
    found.expect("exposed_service", &["informational 10.0.0.16 192.0.2.31 3389"]);
    assert!(found.by("rejected_egress").iter().all(|finding| finding["severity"] == "informational"));
}

#[test]
fn dead_controllers_and_strobes_are_found_and_busy_clients_are_not() {
    let mut net = Network::new(9);
    let day = net.last_day();
    // 10.0.0.1 retries a dead controller every two seconds for a quarter of an hour: resets come back.
    for n in 0..450 {
        net.call(1, "192.0.2.61", 2_404, day + HOUR_S + 2 * n, [60, 40]);
    }
    // 10.0.0.2 knocks at a blocked one every ten minutes, all day long.
    for n in 0..140 {
        net.refuse(2, "192.0.2.62", 443, day + 600 * n + n % 7);
    }
    // 10.0.0.3 carries something over connections of a second, four thousand an hour.
    for n in 0..8_000 {
        net.call(3, "192.0.2.63", 8_443, day + 2 * HOUR_S + n * 9 / 10, [900, 700]);
    }
    // The same from machines that mean no harm: a server that moved long ago, a front end that all hosts call.
    for at in 0..9 * 24 {
        for n in 0..4 {
            net.call(4, "192.0.2.64", 443, at * HOUR_S + 900 * n, [60, 40]);
        }
    }
    for host in 1..=20 {
        for n in 0..60 {
            net.call(host, "203.0.113.77", 443, day + 3 * HOUR_S + 20 * n, [60, 40]);
        }
    }
    for n in 0..8_000 {
        net.call(5, "203.0.113.10", 443, day + 4 * HOUR_S + n * 9 / 10, [900, 700]);
    }
    // A call a minute that is answered, and some that are not.
    for n in 0..200 {
        net.call(6, "192.0.2.65", 443, day + 60 * n, [900, 4_000]);
    }
    for n in 0..20 {
        net.call(7, "192.0.2.66", 443, day + 600 * n, [60, 40]);
    }
    let found = net.findings(&[]);
    let of_rare = |finding: &&serde_json::Value| finding["severity"] != "informational";
    let lines: Vec<String> = found
        .by("unanswered_calls")
        .into_iter()
        .filter(of_rare)
        .map(|f| format!("{} {} {}", f["severity"], f["host"], f["remote"]).replace('"', ""))
        .collect();
    // Twenty calls are few, but they keep time.
    let expected = [
        "low 10.0.0.4 192.0.2.64",
        "medium 10.0.0.1 192.0.2.61",
        "medium 10.0.0.2 192.0.2.62",
        "medium 10.0.0.7 192.0.2.66",
    ];
    let mut sorted = lines.clone();
    sorted.sort();
    assert_eq!(sorted, expected, "{lines:?}");
    let retry = found.by("unanswered_calls").into_iter().find(|f| f["remote"] == "192.0.2.62").unwrap();
    let period_s = retry["evidence"]["period_s"].as_f64().unwrap();
    assert!((period_s - 600.0).abs() < 5.0, "{retry:#}");
    // A host that calls the shared service all day is not as fast in its mean hour.
    found.expect("strobe", &["medium 10.0.0.3 192.0.2.63 8443"]);
}

#[test]
fn hosts_that_call_too_rarely_alone_are_found_together() {
    let mut net = Network::new(9);
    let day = net.last_day();
    // Five hosts of twenty each call the same new remote every four to six hours; five others another, at random.
    for host in 8..=12 {
        let mut at = day + net.below(4 * HOUR_S);
        while at < day + 24 * HOUR_S {
            net.call(host, "192.0.2.71", 443, at, [700, 500]);
            at += 4 * HOUR_S + net.below(2 * HOUR_S);
        }
        let host = host + 5;
        for _ in 0..5 {
            let at = day + net.below(24 * HOUR_S - 60);
            net.call(host, "192.0.2.72", 443, at, [700, 500]);
        }
    }
    // The first host by address has the last ENI by name.
    net.rename_interface(8, "eni-last");
    let options = ["--detections", concat!(env!("CARGO_MANIFEST_DIR"), "/queries/detections")];
    let found = net.findings(&options);
    // A quarter of the hosts is nobody's secret.
    found.expect("pooled_beacon", &[]);
    let folder = crate::program::scratch();
    let sql = include_str!("../../queries/detections/pooled_beacon.sql");
    let sql = sql.replace("common_share = 0.2", "common_share = 0.5").replace("rare_share = 0.02", "rare_share = 0.3");
    std::fs::write(folder.path().join("pooled_beacon.sql"), sql).unwrap();
    let found = net.findings(&["--detections", folder.path().to_str().unwrap()]);
    found.expect("pooled_beacon", &["high 10.0.0.8 192.0.2.71 443"]);
    let finding = found.by("pooled_beacon")[0];
    assert_eq!(finding["interface_id"], "eni-last", "{finding:#}");
    assert!(!finding["explanation"].as_str().unwrap().contains("often enough"), "{finding:#}");
    let pool = &finding["evidence"];
    assert_eq!(pool["hosts"], serde_json::json!(["10.0.0.8", "10.0.0.9", "10.0.0.10", "10.0.0.11", "10.0.0.12"]));
    let period_s = pool["period_s"].as_f64().unwrap();
    assert!((period_s / 18_000.0 - 1.0).abs() < 0.1, "{pool:#}");
}

#[test]
fn icmp_to_those_who_knocked_first_is_no_sweep() {
    use crate::records::Flow;
    let mut net = Network::new(1);
    for n in 1..=60 {
        let at = 700 * n;
        // Host 3 answers knocks on closed UDP ports with errors; host 4 asks who is there.
        let knock = net.flow(3, &format!("192.0.3.{n}"), 0, at, [0, 60]);
        let (port, remote) = (knock.client_port, knock.remote.clone());
        net.add(&Flow { protocol: 17, client_port: 161, port, flags: [0, 0], ..knock });
        for (host, remote) in [(3, remote), (4, format!("192.0.4.{n}"))] {
            let icmp = net.flow(host, &remote, 0, at + 1, [88, 0]);
            net.add(&Flow { protocol: 1, client_port: 0, flags: [0, 0], ..icmp });
        }
    }
    net.findings_of(&[]).expect("port_sweep", &["medium 10.0.0.4 - 0"]);
}

#[test]
fn the_detection_that_the_documentation_writes_runs() {
    let mut net = Network::new(9);
    let day = net.last_day();
    for remote in 0..25 {
        net.call(3, &format!("192.0.2.{}", 100 + remote), 443, day + 600 * remote, [700, 500]);
    }
    let page = include_str!("../../docs/detections.md");
    let sql = page.split("```sql\n").nth(1).unwrap().split("```").next().unwrap();
    let folder = crate::program::scratch();
    std::fs::write(folder.path().join("many_remotes.sql"), sql).unwrap();
    let found = net.findings(&["--detections", folder.path().to_str().unwrap()]);
    let found = found.by("many_remotes");
    assert_eq!(found.len(), 1, "{found:#?}");
    // With the one that every host of the network has to itself.
    assert_eq!((&found[0]["host"], &found[0]["evidence"]["destinations"]), (&"10.0.0.3".into(), &26.into()));
    std::fs::write(folder.path().join("many_remotes.sql"), sql.replace("once: suspects", "once: guests")).unwrap();
    let corpus = crate::program::Corpus::shared();
    let folder = folder.path().to_str().unwrap();
    let refused = crate::program::flowsift(["detect", corpus.source(), "-q", "--detections", folder]).expect(1);
    let says = "detection many_remotes failed: ";
    assert!(refused.err.contains(says) && refused.err.contains("`guests` is to run once"), "{}", refused.err);
}

#[test]
fn lost_windows_are_no_missed_beats() {
    // A beat every 300 to 330 s, but AWS loses three windows in ten, and with them what was sent.
    let network = |told: bool| {
        let mut net = Network::new(9);
        let day = net.last_day();
        let lost: Vec<bool> = (0..24 * 6).map(|_| net.below(10) < 3).collect();
        let mut at = day + 17;
        while at < day + 24 * HOUR_S {
            if !lost[((at - day) / 600) as usize] {
                net.call(1, "192.0.2.81", 443, at, [700, 500]);
            }
            at += 300 + net.below(30);
        }
        for minute in (0..24 * 60).filter(|minute| told && lost[minute / 10]) {
            net.lose(1, day + 60 * minute as i64);
        }
        net.findings(&[])
    };
    let evidence = |found: &crate::network::Found| {
        let beacon = found.by("beacon").into_iter().find(|f| f["remote"] == "192.0.2.81").expect("no beacon").clone();
        (beacon["evidence"]["missed_ratio"].as_f64().unwrap(), beacon["coverage"].as_f64().unwrap(), beacon)
    };
    let (missed, coverage, beacon) = evidence(&network(true));
    assert!(missed < 0.02 && (0.6..0.85).contains(&coverage), "{beacon:#}");
    let period_s = beacon["evidence"]["period_s"].as_f64().unwrap();
    assert!((period_s - 315.0).abs() < 3.0, "{beacon:#}");
    let (missed, coverage, beacon) = evidence(&network(false));
    assert!(missed > 0.1 && coverage > 0.99, "{beacon:#}");
}

#[test]
fn lists_are_told_by_their_names() {
    let mut net = Network::new(1);
    net.call(1, "192.0.2.1", 9_001, 100, [5_000, 9_000]);
    net.serve(2, "192.0.2.1", 443, 200, [5_000, 900]);
    net.call(3, "192.0.2.2", 3_333, 300, [5_000, 900]);
    net.refuse(4, "192.0.2.2", 3_333, 300);
    net.call(5, "192.0.2.3", 443, 300, [5_000, 900]);
    let folder = crate::program::scratch();
    let mut options = Vec::new();
    for (name, text) in
        [("tor-exits.txt", "192.0.2.1\n"), ("mining_pools.txt", "192.0.2.2\n"), ("bad.txt", "192.0.2.3\n")]
    {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        options.extend(["--indicators".to_owned(), path.to_str().unwrap().to_owned()]);
    }
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let found = net.findings_of(&options);
    found.expect("tor_contact", &["high 10.0.0.1 192.0.2.1 9001", "informational 10.0.0.2 192.0.2.1 443"]);
    found.expect("mining_contact", &["high 10.0.0.3 192.0.2.2 3333", "medium 10.0.0.4 192.0.2.2 3333"]);
    found.expect("indicator_contact", &["high 10.0.0.5 192.0.2.3 443"]);
    let none = net.findings_of(&[]);
    none.expect("tor_contact", &[]);
    none.expect("mining_contact", &[]);
}

#[test]
fn owners_and_ranges_of_ports_can_be_allowed() {
    let mut net = Network::new(9);
    let day = net.last_day();
    net.call(6, "192.0.2.99", 8_443, day + 5 * HOUR_S, [2_000_000_000, 400_000]);
    let folder = crate::program::scratch();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let networks = file("networks.csv", "192.0.2.0/24,Example Backup Ltd\n");
    let allow = file("allow.txt", "any owner=\"example backup\" port=443,8400-8499 host=10.0.0.6 # ticket 7\n");
    let found = net.findings(&["--networks", &networks, "--allow", &allow]);
    found.expect("bulk_egress", &["informational 10.0.0.6 192.0.2.99 8443"]);
    let lowered = found.by("bulk_egress")[0];
    let reason = format!("allowed by {allow}:1: ticket 7");
    assert_eq!(lowered["evidence"]["allowed_by"], reason.as_str());
    assert!(lowered["explanation"].as_str().unwrap().ends_with(&format!(" Lowered: {reason}.")));
    let other = file("other.txt", "any owner=example port=443,9000-9999\n");
    let found = net.findings(&["--networks", &networks, "--allow", &other]);
    found.expect("bulk_egress", &["high 10.0.0.6 192.0.2.99 8443"]);
    let missing = crate::program::flowsift(["detect", ".", "--allow", &other]).expect(2);
    assert!(missing.err.contains("other.txt:1 asks for an owner"), "{}", missing.err);
}
