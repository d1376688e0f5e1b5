//! What an incident tells: names, parts, stages, and which findings belong to it.

use super::*;
use crate::incident::model::{Change, RemotePart, Status, Tactic};

/// An intrusion of two hosts, and a host that has nothing to do with it.
fn story() -> World {
    let mut world = World::new(72);
    let calls = world.beacon("10.0.57.128", "103.6.160.233", 60);
    evidence(calls, "network_owner", "AS64500 Hoster");
    evidence(calls, "prevalence_hosts", 1);
    world.find("rare_egress", Severity::Low, "10.0.57.128", "103.6.160.233", (60, 600)).coverage = Some(0.4);
    let sweep = world.find("port_sweep", Severity::High, "10.0.57.128", "none", (120, 125));
    (sweep.port, sweep.techniques) = (Some(22), vec!["T1046".to_owned(), "T1018".to_owned()]);
    world.session("10.0.57.128", "10.0.28.247", 22, 200);
    world.beacon("10.0.28.247", "198.51.100.7", 230).instance_id = Some("i-7".to_owned());
    let upload = world.find("bulk_egress", Severity::High, "10.0.28.247", "192.0.2.9", (700, 760));
    evidence(upload, "bytes_out", 5_300_000_000_u64);
    let allowed = world.find("rare_egress", Severity::Informational, "10.0.28.247", "192.0.2.77", (0, 10));
    evidence(allowed, "allowed_by", "allow.csv:1");
    world.find("external_dns", Severity::Informational, "10.0.28.247", "192.0.2.53", (0, 10));
    world.find("bulk_egress", Severity::Medium, "10.0.0.9", "192.0.2.10", (0, 10));
    world.find("log_gap", Severity::Medium, "10.0.0.10", "none", (0, 10)).host = None;
    world
}

#[test]
fn the_title_tells_the_story() {
    let (incidents, ..) = story().join();
    assert_eq!(
        incidents[0].title,
        "10.0.57.128 calls 103.6.160.233 and 1 more, scans port 22, entered 10.0.28.247, 5.3 GB left"
    );
    assert_eq!(incidents[1].title, "10.0.0.9 uploads more than usual");
    let mut world = World::new(72);
    let upload = world.find("bulk_egress", Severity::High, "10.0.0.1", "192.0.2.9", (700, 760));
    evidence(upload, "bytes_out", 4_100_000_000_u64);
    // A second finding about the same upload tells no further bytes.
    let again = world.find("rare_egress", Severity::High, "10.0.0.1", "192.0.2.9", (700, 760));
    evidence(again, "bytes_out", 4_000_000_000_u64);
    assert_eq!(world.join().0[0].title, "10.0.0.1 sent 4.1 GB out");
}

#[test]
fn of_many_things_the_title_tells_what_left_and_whom_they_entered() {
    let mut world = story();
    world.find("brute_force", Severity::Medium, "10.0.57.128", "10.0.28.247", (190, 199));
    let (incidents, ..) = world.join();
    assert_eq!(
        incidents[0].title,
        "10.0.57.128 calls 103.6.160.233 and 1 more, guesses passwords of 10.0.28.247, entered 10.0.28.247, 5.3 GB left"
    );
}

#[test]
fn an_upload_to_several_began_with_the_remote_that_it_names() {
    let mut world = World::new(72);
    world.call("10.0.0.1", "203.0.113.5", 1, 5);
    world.call("10.0.0.1", "192.0.2.9", 1, 700);
    let upload = world.find("rare_egress", Severity::High, "10.0.0.1", "192.0.2.9", (5, 760));
    evidence(upload, "destinations", 2_u64);
    assert_eq!(world.join().0[0].first_seen_s, at(700));
    evidence(&mut world.findings[0], "destinations", 1_u64);
    assert_eq!(world.join().0[0].first_seen_s, at(5));
}

#[test]
fn the_worst_call_is_named_and_not_the_first() {
    let mut world = World::new(72);
    world.find("beacon", Severity::Medium, "10.0.0.1", "203.0.113.1", (10, 900));
    world.beacon("10.0.0.1", "203.0.113.2", 60);
    assert_eq!(world.join().0[0].title, "10.0.0.1 calls 203.0.113.2 and 1 more");
}

#[test]
fn stages_hosts_and_remotes_have_their_parts() {
    let (incidents, ..) = story().join();
    let incident = &incidents[0];
    assert_eq!((incident.status, incident.change, incident.revision), (Status::Open, Change::Opened, 1));
    assert_eq!((incident.opened_at_s, incident.updated_at_s), (FROM_S + DAY_S, FROM_S + DAY_S));
    assert_eq!((incident.first_seen_s, incident.last_seen_s), (at(60), at(1_430)));
    let stages: Vec<(Tactic, i64)> = incident.stages.iter().map(|stage| (stage.tactic, stage.first_seen_s)).collect();
    assert_eq!(
        stages,
        [
            (Tactic::CommandAndControl, at(60)),
            (Tactic::Exfiltration, at(60)),
            (Tactic::Discovery, at(120)),
            (Tactic::LateralMovement, at(200)),
        ]
    );
    assert_eq!(incident.stages[2].techniques, ["T1018", "T1046"]);
    assert_eq!(incident.stages[3].techniques, ["T1021"]);
    let remotes: Vec<(String, RemotePart, Option<&str>)> = incident
        .remotes
        .iter()
        .map(|remote| (remote.address.to_string(), remote.part, remote.owner.as_deref()))
        .collect();
    assert_eq!(
        remotes,
        [
            ("103.6.160.233".to_owned(), RemotePart::Controller, Some("AS64500 Hoster")),
            ("198.51.100.7".to_owned(), RemotePart::Controller, None),
            ("192.0.2.9".to_owned(), RemotePart::Drop, None),
        ]
    );
    assert_eq!(incident.remotes[0].prevalence_hosts, Some(1));
    assert_eq!(incident.hosts[1].instance_id.as_deref(), Some("i-7"));
    assert_eq!(incident.coverage, Some(0.4));
}

#[test]
fn findings_name_the_incident_that_they_belong_to() {
    let world = story();
    let (incidents, notes, findings) = world.join();
    let (first, second) = (incidents[0].id.as_str(), incidents[1].id.as_str());
    assert_eq!((first.len(), incidents.len(), incidents[0].findings), (32, 2, 5));
    let ids: Vec<Option<&str>> = findings.iter().map(|finding| finding.incident_id.as_deref()).collect();
    let f = Some(first);
    // Allowed ones belong without being evidence; informational ones and those of no host do not.
    assert_eq!(ids, [f, f, f, f, f, f, None, Some(second), None]);
    assert_eq!((notes.suspect_hosts, notes.history_hours, notes.links_limited), (3, 72, false));
    for (after, before) in findings.iter().zip(&world.findings) {
        assert_eq!(Finding { incident_id: None, ..after.clone() }, *before, "nothing else changes");
    }
}

#[test]
fn the_name_is_that_of_the_earliest_sign() {
    let before = story().join().0[0].id.clone();
    let mut world = story();
    world.find("bulk_egress", Severity::High, "10.0.57.128", "192.0.2.99", (800, 900));
    assert_eq!(world.join().0[0].id, before, "a later sign changes nothing");
    world.find("bulk_egress", Severity::High, "10.0.57.128", "192.0.2.98", (5, 9));
    assert_ne!(world.join().0[0].id, before);
}

#[test]
fn calls_begin_with_the_first_contact_that_is_kept() {
    let mut world = World::new(72);
    world.beacon("10.0.0.1", "203.0.113.1", 60);
    world.call("10.0.0.1", "203.0.113.1", 1, 60);
    let key = world.key("10.0.0.1");
    let pair = world.facts.pairs.get_mut(&key).unwrap().last_mut().unwrap();
    (pair.baseline_first_seen_s, pair.baseline_hours) = (Some(FROM_S - 30 * HOUR_S), Some(2));
    assert_eq!(world.join().0[0].hosts[0].since_s, FROM_S - 30 * HOUR_S);
    let pair = world.facts.pairs.get_mut(&key).unwrap().last_mut().unwrap();
    pair.first_contact = Some(false);
    assert_eq!(world.join().0[0].hosts[0].since_s, at(60), "a habit says nothing of its first day");
}

#[test]
fn the_order_of_findings_changes_nothing() {
    let text = |world: &World| serde_json::to_string(&world.join().0).unwrap();
    let mut world = story();
    let expected = text(&world);
    for turn in 1..world.findings.len() {
        world.findings.rotate_left(turn);
        assert_eq!(text(&world), expected);
        world.findings.reverse();
        assert_eq!(text(&world), expected);
    }
}

#[test]
fn incidents_too_large_to_join_are_related() {
    let mut world = World::new(72);
    for last in 0..60 {
        world.beacon(&format!("10.0.0.{last}"), &format!("203.0.113.{last}"), 60 + last);
    }
    for last in 0..59 {
        world.session(&format!("10.0.0.{last}"), &format!("10.0.0.{}", last + 1), 22, 60 + last);
    }
    let (incidents, notes, _) = world.join();
    let mut sizes: Vec<usize> = incidents.iter().map(|incident| incident.hosts.len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [10, 50]);
    assert_eq!(incidents[0].related, std::slice::from_ref(&incidents[1].id));
    assert_eq!(incidents[1].related, std::slice::from_ref(&incidents[0].id));
    assert!(notes.limits()[0].contains("links refused"), "{:?}", notes.limits());
}
