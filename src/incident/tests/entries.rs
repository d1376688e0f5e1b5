//! A host that always calls out, as some benign ones do, and is then entered.

use super::*;
use crate::incident::model::{HostPart, LinkKind, Tactic};

/// A host with a beacon, and a host that has called its own remote since midnight and shows a beacon of an implant later.
fn benign_caller() -> World {
    let mut world = World::new(72);
    world.beacon("10.0.0.1", "203.0.113.1", 60);
    world.find("beacon", Severity::Medium, "10.0.0.2", "192.0.2.80", (0, 1_430));
    world.beacon("10.0.0.2", "198.51.100.2", 240);
    world
}

#[test]
fn a_benign_caller_hides_no_entry() {
    let mut world = benign_caller();
    assert!(!world.are_one());
    world.session("10.0.0.1", "10.0.0.2", 22, 200);
    let (incidents, ..) = world.join();
    assert_eq!(incidents.len(), 1);
    let incident = &incidents[0];
    assert_eq!((incident.links[0].kind, incident.links[0].strength), (LinkKind::Lateral, 3.0));
    assert_eq!(
        incident.links[0].explanation,
        "10.0.0.1 opened port 22 (SSH) of 10.0.0.2 for the first time, 40 m before the next sign of that host."
    );
}

#[test]
fn the_story_of_an_entered_host_begins_with_the_entry() {
    let mut world = benign_caller();
    world.session("10.0.0.1", "10.0.0.2", 22, 200);
    let incident = world.join().0.remove(0);
    let hosts: Vec<(String, HostPart, i64)> =
        incident.hosts.iter().map(|host| (host.host.to_string(), host.part, host.since_s)).collect();
    assert_eq!(
        hosts,
        [("10.0.0.1".to_owned(), HostPart::First, at(60)), ("10.0.0.2".to_owned(), HostPart::Compromised, at(240))]
    );
    assert_eq!(incident.title, "10.0.0.1 calls 203.0.113.1 and 1 more, entered 10.0.0.2");
    let stages: Vec<(Tactic, i64)> = incident.stages.iter().map(|stage| (stage.tactic, stage.first_seen_s)).collect();
    assert_eq!(stages, [(Tactic::CommandAndControl, at(60)), (Tactic::LateralMovement, at(200))]);
    // The calls before are evidence as well.
    assert_eq!((incident.first_seen_s, incident.findings, incident.stages[0].subjects.len()), (at(0), 3, 3));
}

#[test]
fn an_entry_asks_for_a_sign_that_follows() {
    let mut world = benign_caller();
    world.findings.pop();
    world.session("10.0.0.1", "10.0.0.2", 22, 200);
    assert!(!world.are_one(), "none follows");
    world.find("beacon", Severity::Medium, "10.0.0.2", "10.0.0.77", (300, 1_430));
    assert!(!world.are_one(), "calls inside begin at any time");
    world.find("bulk_egress", Severity::Medium, "10.0.0.2", "192.0.2.9", (139, 145));
    assert!(!world.are_one(), "more than the slack before");
    world.find("bulk_egress", Severity::Medium, "10.0.0.2", "192.0.2.9", (140, 145));
    assert!(world.are_one());
}

#[test]
fn habits_and_hubs_do_not_link_a_benign_caller() {
    let mut world = benign_caller();
    world.session("10.0.0.1", "10.0.0.2", 22, 200).habitual(60);
    assert!(!world.are_one());
    let mut world = benign_caller();
    world.session("10.0.0.1", "10.0.0.2", 8_080, 200);
    let key = world.key("10.0.0.2");
    world.facts.in_degree.insert((key, 8_080), 21);
    assert!(!world.are_one());
}

#[test]
fn a_host_that_showed_more_than_calls_or_entered_another_stays_first() {
    let first = |world: &World| world.join().0[0].hosts[0].host.to_string();
    let mut world = benign_caller();
    world.session("10.0.0.1", "10.0.0.2", 22, 200);
    assert_eq!(first(&world), "10.0.0.1");
    world.find("port_sweep", Severity::Medium, "10.0.0.2", "none", (30, 40));
    assert_eq!(first(&world), "10.0.0.2", "it swept before");
    let mut world = benign_caller();
    world.session("10.0.0.1", "10.0.0.2", 22, 200);
    world.session("10.0.0.2", "10.0.0.1", 3_389, 50);
    assert_eq!(first(&world), "10.0.0.2", "it entered the other before");
}

#[test]
fn a_benign_caller_is_reached_over_a_jump_host() {
    let mut world = benign_caller();
    world.session("10.0.0.1", "10.0.9.9", 22, 150).habitual(60);
    world.session("10.0.9.9", "10.0.0.2", 3_389, 160);
    let incident = world.join().0.remove(0);
    assert_eq!(hosts_of(&incident), ["10.0.0.1", "10.0.9.9", "10.0.0.2"]);
    assert_eq!(incident.hosts[1].part, HostPart::Pivot);
}

#[test]
fn a_sweep_that_hit_a_benign_caller_links_it() {
    let mut world = benign_caller();
    let sweep = world.find("port_sweep", Severity::Medium, "10.0.0.1", "none", (185, 210));
    (sweep.port, sweep.protocol) = (Some(8_080), Some(TCP));
    world.session("10.0.0.1", "10.0.0.2", 8_080, 200);
    let links = world.join().0.remove(0).links;
    let hit = links.iter().find(|link| link.kind == LinkKind::ScanHit).unwrap();
    assert_eq!(hit.explanation, "10.0.0.1 scanned 10.0.0.2, which answered on port 8080 before its next sign.");
}

/// A scanner that logs in at hosts without history, one of which is entered by an intruder or shows a sign by itself.
fn scanned(hosts: i64) -> World {
    let mut world = World::new(0);
    let scan = world.find("port_sweep", Severity::Medium, "10.0.9.9", "none", (400, 460));
    (scan.port, scan.protocol) = (Some(22), Some(TCP));
    for last in 1..=hosts {
        world.session("10.0.9.9", &format!("10.0.0.{last}"), 22, 400 + last);
    }
    world.beacon("10.0.0.1", "198.51.100.2", 480);
    world
}

#[test]
fn a_scan_that_a_crowd_answers_links_nobody() {
    assert!(scanned(5).are_one());
    assert!(!scanned(6).are_one());
    let mut worm = scanned(6);
    for last in 2..=3 {
        worm.beacon(&format!("10.0.0.{last}"), &format!("203.0.113.{last}"), 480 + last);
    }
    assert!(worm.are_one(), "half of those that answered are suspect");
}

#[test]
fn a_scan_of_several_ports_that_a_crowd_answers_on_one_links_nobody() {
    let mut world = scanned(6);
    let scan = world.find("port_sweep", Severity::Medium, "10.0.9.9", "none", (400, 460));
    (scan.port, scan.protocol) = (Some(443), Some(TCP));
    world.session("10.0.9.9", "10.0.0.1", 443, 420);
    assert!(!world.are_one());
}
