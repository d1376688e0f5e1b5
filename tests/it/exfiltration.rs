//! Exfiltration that hides: in the hours of backups, in known pairs, in small daily sums, among downloads.

use crate::network::{DAY, HOUR_S, Network};
use crate::program::scratch;

/// So many days; host 12 backs up 4 GB to its own supplier each night at two.
fn nights(days: i64) -> Network {
    let mut net = Network::new(days);
    for day in 0..days {
        net.call(
            12,
            "192.0.2.12",
            443,
            day * DAY + 2 * HOUR_S + 60,
            [4_000_000_000 + 7_000_000 * (day % 3), 9_000_000],
        );
    }
    net
}

#[test]
fn an_upload_out_of_season_is_found_and_the_backup_is_not() {
    let mut net = nights(15);
    let found = net.findings(&[]);
    found.expect("bulk_egress", &[]);
    // Less than the backup, twelve hours later.
    let day = net.last_day();
    net.call(12, "192.0.2.99", 443, day + 14 * HOUR_S, [2_000_000_000, 4_000_000]);
    let found = net.findings(&[]);
    found.expect("bulk_egress", &["high 10.0.0.12 192.0.2.99 443"]);
    let explanation = found.by("bulk_egress")[0]["explanation"].as_str().unwrap().to_owned();
    assert!(explanation.contains("at this hour"), "{explanation}");
    found.expect("pair_surge", &[]);
}

#[test]
fn a_past_theft_does_not_hide_the_next_one() {
    let mut net = nights(15);
    let day = net.last_day();
    for past in [3, 8] {
        net.call(5, "192.0.2.98", 443, past * DAY + 15 * HOUR_S, [9_000_000_000, 4_000_000]);
    }
    net.call(5, "192.0.2.99", 443, day + 15 * HOUR_S, [2_000_000_000, 4_000_000]);
    let found = net.findings(&[]);
    found.expect("bulk_egress", &["high 10.0.0.5 192.0.2.99 443"]);
    found.expect("rare_egress", &["high 10.0.0.5 192.0.2.99 443", "medium 10.0.0.12 192.0.2.12 443"]);
}

#[test]
fn a_known_pair_that_surges_is_found() {
    let mut net = Network::new(9);
    let day = net.last_day();
    // The host's own service, which it calls every hour with a kilobyte; below every floor of volume.
    net.call(6, "198.51.100.6", 443, day + 5 * HOUR_S, [60_000_000, 400_000]);
    // The shared service gets as much from another host.
    net.call(7, "203.0.113.10", 443, day + 5 * HOUR_S, [60_000_000, 400_000]);
    let found = net.findings(&[]);
    found.expect("pair_surge", &["informational 10.0.0.7 203.0.113.10 443", "medium 10.0.0.6 198.51.100.6 443"]);
    let surge = found.by("pair_surge")[1];
    let surge = if surge["host"] == "10.0.0.6" { surge } else { found.by("pair_surge")[0] };
    assert!(surge["evidence"]["times_history"].as_f64().unwrap() > 10_000.0, "{surge:#}");
}

#[test]
fn an_upload_of_a_host_that_downloads_is_found() {
    let mut net = Network::new(9);
    for hour in 0..9 * 24 {
        // One downloads all day, another always uploads to its supplier.
        net.call(8, "203.0.113.40", 443, hour * HOUR_S + 100, [3_000_000, 90_000_000]);
        net.call(9, "192.0.2.9", 443, hour * HOUR_S + 200, [80_000_000, 1_000_000]);
    }
    let day = net.last_day();
    net.call(8, "192.0.2.88", 443, day + 7 * HOUR_S, [600_000_000, 900_000]);
    net.call(9, "192.0.2.9", 443, day + 7 * HOUR_S, [80_000_000, 900_000]);
    let found = net.findings(&[]);
    found.expect("upload_asymmetry", &["medium 10.0.0.8 192.0.2.88 443"]);
}

/// Uploads so many megabytes on each of the last days to one address of its own.
fn drip(net: &mut Network, host: u32, days: i64, megabytes: i64) {
    for n in 0..days {
        let begin = net.last_day() - n * DAY;
        for part in 0..6 {
            let bytes = [megabytes * 1_000_000 / 6 + 1_000 * part, 20_000];
            let at = begin + net.below(23 * HOUR_S);
            net.call(host, "192.0.2.150", 443, at, bytes);
        }
    }
}

#[test]
fn a_drip_of_days_is_found_and_a_habit_is_not() {
    let mut net = Network::new(16);
    drip(&mut net, 3, 6, 40);
    for day in 0..16 {
        // A habit of the same size, and one large day in the past.
        net.call(4, "192.0.2.160", 443, day * DAY + 3_000, [40_000_000 + 1_000_000 * (day % 5), 20_000]);
    }
    net.call(5, "192.0.2.170", 443, 4 * DAY, [900_000_000, 20_000]);
    let found = net.findings(&[]);
    found.expect("slow_drip", &["medium 10.0.0.3 192.0.2.150 -"]);
    let evidence = &found.by("slow_drip")[0]["evidence"];
    assert_eq!((&evidence["drift_days"], &evidence["days_known"]), (&6.into(), &16.into()));
    // The same without a window of its own: all days are judged.
    net.findings_of(&[]).expect("slow_drip", &["medium 10.0.0.3 192.0.2.150 -"]);
}

#[test]
fn a_past_theft_does_not_hide_a_drip() {
    let mut net = Network::new(16);
    drip(&mut net, 3, 6, 40);
    for day in [1, 4, 6] {
        net.call(3, "192.0.2.180", 443, day * DAY, [5_000_000_000, 20_000]);
    }
    net.findings(&[]).expect("slow_drip", &["medium 10.0.0.3 192.0.2.150 -"]);
}

#[test]
fn a_host_beyond_its_peers_is_found_and_a_group_that_moves_is_not() {
    let mut net = Network::new(8);
    let day = net.last_day();
    net.call(2, "192.0.2.199", 443, day + HOUR_S, [6_000_000_000, 400_000]);
    net.findings(&[]).expect("peer_egress", &["medium 10.0.0.2 192.0.2.199 443"]);
    for host in 1..=20 {
        net.call(host, &format!("192.0.2.{host}"), 443, day + 2 * HOUR_S, [5_000_000_000, 400_000]);
    }
    net.findings(&[]).expect("peer_egress", &[]);
}

#[test]
fn a_beacon_that_takes_data_out_is_raised_and_says_why() {
    let mut net = Network::new(9);
    let day = net.last_day();
    for beat in 0..280 {
        let late = net.below(20);
        net.call(1, "192.0.2.44", 443, day + 300 * beat + late, [700, 400]);
        net.call(2, "192.0.2.45", 443, day + 300 * beat + late, [700, 400]);
    }
    net.call(1, "192.0.2.44", 443, day + 9 * HOUR_S, [700_000_000, 90_000]);
    let found = net.findings(&[]);
    // Others of the network call their own services by the hour, as ever.
    assert!(found.about("10.0.0.1").contains(&"high beacon".to_owned()), "{:?}", found.about("10.0.0.1"));
    assert_eq!(found.about("10.0.0.2"), ["medium beacon"]);
    found.expect("bulk_egress", &["high 10.0.0.1 192.0.2.44 443"]);
    let explanation = found.by("bulk_egress")[0]["explanation"].as_str().unwrap();
    assert!(explanation.ends_with("Raised: the host also calls the same remote regularly (beacon)."), "{explanation}");
}

#[test]
fn a_shared_remote_at_another_hour_hides_no_theft() {
    let mut net = Network::new(9);
    let day = net.last_day();
    // All hosts know the backup; host 6 sends it a gigabyte in the night, and a kilobyte while it steals.
    for host in 1..=20 {
        net.call(host, "203.0.113.77", 443, day + 600, [5_000, 900]);
    }
    net.call(6, "203.0.113.77", 443, day + 3 * HOUR_S, [1_200_000_000, 900_000_000]);
    net.call(6, "203.0.113.77", 443, day + 14 * HOUR_S, [1_000, 300]);
    net.call(6, "192.0.2.91", 443, day + 14 * HOUR_S + 30, [1_300_000_000, 400_000]);
    let found = net.findings(&[]);
    found.expect("bulk_egress", &["high 10.0.0.6 192.0.2.91 443"]);
    found.expect("upload_asymmetry", &["high 10.0.0.6 192.0.2.91 443"]);
    let explanation = found.by("bulk_egress")[0]["explanation"].as_str().unwrap();
    assert!(explanation.contains("most of it to 192.0.2.91 port 443"), "{explanation}");
}

#[test]
fn of_many_remotes_none_is_said_to_have_got_most() {
    let mut net = Network::new(9);
    let day = net.last_day();
    for remote in 0..10 {
        net.call(6, &format!("192.0.2.{}", 90 + remote), 443, day + 5 * HOUR_S + remote, [130_000_000, 40_000]);
    }
    let found = net.findings(&[]);
    found.expect("bulk_egress", &["high 10.0.0.6 - -"]);
    found.expect("upload_asymmetry", &["high 10.0.0.6 - -"]);
    found.expect("rare_egress", &["high 10.0.0.6 - -"]);
    for detection in ["bulk_egress", "upload_asymmetry", "rare_egress", "peer_egress"] {
        let finding = found.by(detection)[0];
        let explanation = finding["explanation"].as_str().unwrap();
        assert!(explanation.contains("130 MB of it, the largest part, "), "{explanation}");
        assert!(!explanation.contains("most "), "{explanation}");
    }
}

#[test]
fn bytes_over_many_shared_remotes_are_a_service() {
    let mut net = Network::new(9);
    let day = net.last_day();
    for remote in 0..10 {
        let address = format!("203.0.113.{}", 90 + remote);
        for host in 1..=20 {
            net.call(host, &address, 443, day + 600 + remote, [5_000, 900]);
        }
        net.call(6, &address, 443, day + 5 * HOUR_S + remote, [130_000_000, 40_000]);
    }
    net.findings(&[]).expect("bulk_egress", &["low 10.0.0.6 - -"]);
}

#[test]
fn ports_of_one_remote_are_one_remote() {
    let mut net = Network::new(9);
    let day = net.last_day();
    for port in [443, 8_443, 9_443, 2_096, 2_083] {
        net.call(6, "192.0.2.91", port, day + 5 * HOUR_S + port % 60, [260_000_000, 40_000]);
    }
    let found = net.findings(&[]);
    for detection in ["bulk_egress", "rare_egress", "upload_asymmetry"] {
        found.expect(detection, &["high 10.0.0.6 192.0.2.91 -"]);
    }
    assert_eq!(found.by("rare_egress")[0]["evidence"]["top_remotes"], serde_json::json!(["192.0.2.91"]));
    let folder = scratch();
    let list = folder.path().join("allowed.txt");
    std::fs::write(&list, "192.0.2.91\n").unwrap();
    let allowed = net.findings(&["--allow", list.to_str().unwrap()]);
    allowed.expect("bulk_egress", &["informational 10.0.0.6 192.0.2.91 -"]);
    allowed.expect("rare_egress", &["informational 10.0.0.6 192.0.2.91 -"]);
}

#[test]
fn rejected_calls_to_many_remotes_are_counted() {
    let mut net = Network::new(9);
    let day = net.last_day();
    for call in 0..160 {
        net.refuse(6, &format!("192.0.2.{}", 100 + call % 40), 25, day + 5 * HOUR_S + call);
    }
    let found = net.findings(&[]);
    found.expect("rejected_egress", &["low 10.0.0.6 - -"]);
    let explanation = found.by("rejected_egress")[0]["explanation"].as_str().unwrap();
    assert!(explanation.contains("the most in the window, 4 of 160, went to 192.0.2.100"), "{explanation}");
}
