//! Scores against values computed by hand: −log₁₀ of the shipped shares is 1.301 (low), 2 (medium), 3.097 (high) and
//! 4.301 (critical).

use super::*;

fn scored(world: &World) -> (f64, Severity) {
    let (incidents, ..) = world.join();
    assert_eq!(incidents.len(), 1, "{incidents:#?}");
    (incidents[0].score, incidents[0].severity)
}

#[test]
fn one_finding_weighs_as_its_kind() {
    for (severity, score, of_incident) in [
        (Severity::Medium, 2.0, Severity::Low),
        (Severity::High, 3.097, Severity::Medium),
        (Severity::Critical, 4.301, Severity::High),
    ] {
        let mut world = World::new(72);
        world.find("bulk_egress", severity, "10.0.0.1", "203.0.113.1", (60, 120));
        assert_eq!(scored(&world), (score, of_incident));
    }
}

#[test]
fn low_ones_support_and_open_nothing() {
    let mut world = World::new(72);
    world.find("rare_egress", Severity::Low, "10.0.0.1", "203.0.113.1", (60, 120));
    assert!(world.join().0.is_empty());
    world.find("beacon", Severity::Medium, "10.0.0.1", "203.0.113.1", (50, 130));
    // 1.301 + 0.8 · 1; a low upload is no step.
    assert_eq!(scored(&world), (2.101, Severity::Low));
}

#[test]
fn a_remote_counts_once_for_each_kind_whoever_meets_it() {
    let mut world = World::new(72);
    for (host, minute) in [("10.0.0.1", 60), ("10.0.0.2", 61), ("10.0.0.3", 62)] {
        world.find("beacon", Severity::Medium, host, "203.0.113.1", (minute, 1_000));
        world.find("rotating_beacon", Severity::Low, host, "203.0.113.1", (minute, 1_000));
    }
    // Three hosts share a poller: one item, and the shared remote adds nothing.
    assert_eq!(scored(&world), (1.0, Severity::Low));
}

#[test]
fn kinds_add_up_and_their_order_counts() {
    let mut world = World::new(72);
    world.beacon("10.0.0.1", "203.0.113.1", 60);
    world.find("beacon", Severity::Medium, "10.0.0.1", "203.0.113.2", (60, 600));
    let upload = world.find("bulk_egress", Severity::Medium, "10.0.0.1", "203.0.113.1", (700, 760));
    evidence(upload, "bytes_out", 5_300_000_000_u64);
    // Calls 2.523 + 0.5 · 1 = 3.023, upload 2: 3.023 + 0.8 · 2 = 4.623; one step after another 0.5.
    assert_eq!(scored(&world), (5.123, Severity::Medium));
    world.findings[2].first_seen_s = at(10);
    // Uploads before the first call are no step after it.
    assert_eq!(scored(&world), (4.623, Severity::Medium));
}

#[test]
fn paths_are_evidence_and_three_kinds_make_it_critical() {
    let mut world = World::new(72);
    world.beacon("10.0.0.1", "203.0.113.1", 60);
    world.beacon("10.0.0.2", "198.51.100.2", 240);
    world.session("10.0.0.1", "10.0.0.2", 22, 200);
    // 2.523 · 1.5 = 3.784; path 0.6 · 3 = 1.8; entered before the second call 0.5.
    assert_eq!(scored(&world), (6.084, Severity::High));
    world.find("bulk_egress", Severity::High, "10.0.0.2", "192.0.2.3", (500, 560));
    // 3.784 + 0.8 · 3.097 = 6.262; path 1.8; two steps 1.0.
    assert_eq!(scored(&world), (9.062, Severity::Critical));
    let expected = world.join().0[0].expected_per_day;
    // 1,000 hosts · 10^−9.062.
    assert!((expected - 8.67e-7).abs() < 1e-12, "{expected}");
}

#[test]
fn health_checks_add_next_to_nothing_and_calls_of_a_proxy_little() {
    let mut world = World::new(72);
    world.find("beacon", Severity::Low, "10.0.0.1", "10.0.0.9", (0, 1_430));
    assert!(world.join().0.is_empty());
    world.find("bulk_egress", Severity::Medium, "10.0.0.1", "203.0.113.1", (60, 120));
    // 2 + 0.8 · −log₁₀ 0.9.
    assert_eq!(scored(&world), (2.037, Severity::Low));
    let mut world = World::new(72);
    world.find("beacon", Severity::Medium, "10.0.0.1", "10.0.0.9", (0, 1_430));
    // −log₁₀ 0.3.
    assert_eq!(scored(&world), (0.523, Severity::Low));
}
