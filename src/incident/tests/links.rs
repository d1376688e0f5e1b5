//! Each link is earned, and each wall holds.

use super::*;
use crate::incident::link::Links;
use crate::incident::model::{HostPart, LinkKind};
use std::collections::BTreeMap;

/// Two beacons to remotes of their own: nothing joins them yet.
fn two_beacons(history_hours: i64) -> World {
    let mut world = World::new(history_hours);
    world.beacon("10.0.0.1", "203.0.113.1", 60);
    world.beacon("10.0.0.2", "198.51.100.2", 240);
    world
}

fn kinds(world: &World) -> Vec<(LinkKind, f64)> {
    world.join().0.iter().flat_map(|incident| &incident.links).map(|link| (link.kind, link.strength)).collect()
}

#[test]
fn hosts_without_links_stay_apart() {
    let world = two_beacons(72);
    assert_eq!(world.groups(), [["10.0.0.1"], ["10.0.0.2"]]);
}

#[test]
fn a_rare_remote_links_and_a_common_one_does_not() {
    for (prevalence, joined) in [(2, true), (5, true), (6, false), (400, false)] {
        let mut world = World::new(72);
        for (host, minute) in [("10.0.0.1", 60), ("10.0.0.2", 90)] {
            world.beacon(host, "203.0.113.1", minute);
            world.call(host, "203.0.113.1", prevalence, minute);
        }
        assert_eq!(world.are_one(), joined, "{prevalence}");
        if prevalence == 2 {
            // 3 − log₁₀ 2.
            assert_eq!(kinds(&world), [(LinkKind::SameRemote, 2.699)]);
        }
    }
}

#[test]
fn a_weak_sign_links_only_where_nobody_else_calls_the_remote() {
    for (prevalence, joined) in [(2, true), (3, false)] {
        let mut world = two_beacons(72);
        for (host, severity) in [("10.0.0.1", Severity::Medium), ("10.0.0.2", Severity::Low)] {
            world.beacon(host, "192.0.2.9", 300).severity = severity;
            world.call(host, "192.0.2.9", prevalence, 300);
        }
        assert_eq!(world.are_one(), joined, "{prevalence}");
    }
}

#[test]
fn a_remote_of_up_to_fifty_links_where_half_of_its_callers_are_suspect() {
    for (suspects, joined) in [(19, false), (20, true)] {
        let mut world = World::new(72);
        for last in 1..=suspects {
            let host = format!("10.0.0.{last}");
            world.beacon(&host, "203.0.113.1", 60 + last);
            world.call(&host, "203.0.113.1", 40, 60 + last);
        }
        assert_eq!(world.are_one(), joined, "{suspects} of 40");
    }
}

#[test]
fn who_answers_a_remote_is_not_linked_by_it() {
    let mut world = World::new(72);
    for (host, minute) in [("10.0.0.1", 60), ("10.0.0.2", 90)] {
        world.beacon(host, "203.0.113.1", minute).role = Some(Role::Server);
    }
    assert!(!world.are_one());
}

#[test]
fn a_new_path_in_the_order_of_time_links() {
    let mut world = two_beacons(72);
    world.session("10.0.0.1", "10.0.0.2", 22, 200);
    assert!(world.are_one());
    // New 1.5, management 1.0, soon 0.5.
    assert_eq!(kinds(&world), [(LinkKind::Lateral, 3.0)]);
    let incident = &world.join().0[0];
    assert_eq!(
        incident.links[0].explanation,
        "10.0.0.1 opened port 22 (SSH) of 10.0.0.2 for the first time, 40 m before the first sign of that host."
    );
    let parts: Vec<HostPart> = incident.hosts.iter().map(|host| host.part).collect();
    assert_eq!(parts, [HostPart::First, HostPart::Compromised]);
}

#[test]
fn the_strength_of_a_path_is_the_sum_of_what_speaks_for_it() {
    let strength = |history_hours: i64, port: u16, minute: i64| {
        let mut world = two_beacons(history_hours);
        world.session("10.0.0.1", "10.0.0.2", port, minute);
        kinds(&world).first().map(|(_, strength)| *strength)
    };
    // 1.5 + 0.5: a new path of any port needs two days of history.
    assert_eq!(strength(48, 8_080, 200), Some(2.0));
    assert_eq!(strength(24, 8_080, 200), None);
    assert_eq!(strength(24, 22, 200), Some(2.5));
    assert_eq!(strength(6, 22, 200), Some(2.1));
    assert_eq!(strength(0, 22, 200), None);
    // Without history, but new after six hours of the window: too late for a host whose sign came before.
    assert_eq!(strength(0, 22, 400), None);
}

#[test]
fn a_path_after_some_hours_of_the_window_is_new_without_history() {
    let mut world = World::new(0);
    world.beacon("10.0.0.1", "203.0.113.1", 360);
    world.beacon("10.0.0.2", "198.51.100.2", 600);
    world.session("10.0.0.1", "10.0.0.2", 22, 500);
    assert!(world.are_one());
    assert!(world.join().1.links_limited);
    assert_eq!(world.join().1.limits(), ["links limited: 0 h of history"]);
}

#[test]
fn paths_against_the_order_of_time_do_not_link() {
    for (minute, joined) in [(40, false), (46, true), (300, true), (301, false)] {
        let mut world = two_beacons(72);
        world.session("10.0.0.1", "10.0.0.2", 22, minute);
        assert_eq!(world.are_one(), joined, "minute {minute}");
    }
}

#[test]
fn habits_rejections_and_silence_do_not_link() {
    let mut world = two_beacons(72);
    world.session("10.0.0.1", "10.0.0.2", 22, 200).habitual(60);
    assert!(!world.are_one());
    for change in [
        (|pair: &mut PairFact| pair.rejected = pair.records) as fn(&mut PairFact),
        |pair: &mut PairFact| {
            (pair.bytes_in, pair.bytes_out) = if pair.role == Role::Client { (0, 60) } else { (60, 0) }
        },
        // A closed port resets.
        |pair: &mut PairFact| {
            (pair.bytes_in, pair.bytes_out) = if pair.role == Role::Client { (40, 60) } else { (60, 40) }
        },
    ] {
        let mut world = two_beacons(72);
        world.session("10.0.0.1", "10.0.0.2", 22, 200).each(change);
        assert!(!world.are_one());
    }
}

#[test]
fn guessing_speaks_for_a_path_where_history_cannot() {
    let mut world = two_beacons(0);
    world.session("10.0.0.1", "10.0.0.2", 22, 70);
    let guess = world.find("brute_force", Severity::Medium, "10.0.0.1", "10.0.0.2", (65, 75));
    (guess.port, guess.protocol) = (Some(22), Some(TCP));
    assert!(world.are_one());
    let strongest = kinds(&world)[0];
    // Management 1.0, soon 0.5, guessed 1.5.
    assert_eq!(strongest, (LinkKind::Lateral, 3.0));
}

#[test]
fn hubs_carry_no_link_but_their_other_ports_do() {
    for (port, joined) in [(8_080, false), (22, true)] {
        let mut world = two_beacons(72);
        let key = world.log("10.0.0.2");
        // More than 20 and 2 % of 1,000 hosts.
        world.facts.in_degree.insert((key, 8_080), 21);
        world.session("10.0.0.1", "10.0.0.2", port, 200);
        assert_eq!(world.are_one(), joined, "port {port}");
    }
}

#[test]
fn a_host_that_calls_everyone_links_by_new_management_paths_only() {
    for (port, joined) in [(8_080, false), (22, true)] {
        let mut world = two_beacons(72);
        let key = world.log("10.0.0.1");
        world.facts.out_degree.insert(key, 101);
        world.session("10.0.0.1", "10.0.0.2", port, 200);
        assert_eq!(world.are_one(), joined, "port {port}");
    }
}

#[test]
fn hosts_that_forward_for_others_take_no_part_in_paths() {
    let mut world = two_beacons(72);
    world.session("10.0.0.1", "10.0.0.2", 22, 200);
    world.facts.relays.insert(address("10.0.0.1"));
    assert!(!world.are_one());
}

#[test]
fn accounts_are_crossed_where_an_address_is_logged_once() {
    let mut world = World::new(72);
    world.beacon("10.0.0.1", "203.0.113.1", 60);
    world.session("10.0.0.1", "10.0.0.2", 22, 200);
    // The same session, but the other side is logged in another account.
    world.facts.places.remove(&address("10.0.0.2"));
    world.account("2").beacon("10.0.0.2", "198.51.100.2", 240);
    assert!(world.are_one());
    world.account("3").log("10.0.0.2");
    assert!(!world.are_one(), "two accounts use the address");
    world.account("1").log("10.0.0.2");
    assert!(!world.are_one(), "the host of the same account is meant");
}

#[test]
fn the_same_address_in_two_accounts_is_two_hosts() {
    let mut world = World::new(72);
    world.beacon("10.0.0.1", "203.0.113.1", 60);
    world.account("2").beacon("10.0.0.1", "198.51.100.2", 60);
    assert_eq!(world.groups(), [["10.0.0.1"], ["10.0.0.1"]]);
}

#[test]
fn two_intruders_on_one_jump_host_stay_apart() {
    let mut world = two_beacons(72);
    world.beacon("10.0.0.3", "203.0.113.3", 70);
    world.beacon("10.0.0.4", "198.51.100.4", 260);
    // The second is on the jump host by habit, too, and was there before the first.
    world.session("10.0.0.1", "10.0.9.9", 22, 100);
    world.session("10.0.0.3", "10.0.9.9", 22, 80).each(|pair| pair.starts_s = [80, 120].map(at).to_vec());
    for (host, minute) in [("10.0.0.2", 110), ("10.0.0.4", 130)] {
        world.session("10.0.9.9", host, 22, minute);
    }
    assert_eq!(world.groups(), [["10.0.0.1", "10.0.9.9", "10.0.0.2"], ["10.0.0.3", "10.0.9.9", "10.0.0.4"]]);
}

#[test]
fn a_jump_host_without_signs_is_a_bridge() {
    let bridged = |habit_first: bool, second_minute: i64, second_habit: bool| {
        let mut world = two_beacons(72);
        let first = world.session("10.0.0.1", "10.0.9.9", 22, 100);
        if habit_first {
            // Sessions before and after the first sign.
            first.habitual(60).each(|pair| {
                (pair.connections, pair.starts_s) = (6, [5, 25, 45, 65, 110, 150].map(at).to_vec());
            });
        }
        let second = world.session("10.0.9.9", "10.0.0.2", 3_389, second_minute);
        if second_habit {
            second.habitual(60);
        }
        world
    };
    let world = bridged(false, 160, false);
    assert!(world.are_one());
    assert_eq!(kinds(&world), [(LinkKind::Bridge, 1.9)]);
    let incident = &world.join().0[0];
    let parts: Vec<(String, HostPart)> = incident.hosts.iter().map(|host| (host.host.to_string(), host.part)).collect();
    assert_eq!(
        parts,
        [
            ("10.0.0.1".to_owned(), HostPart::First),
            ("10.0.9.9".to_owned(), HostPart::Pivot),
            ("10.0.0.2".to_owned(), HostPart::Compromised)
        ]
    );
    assert!(incident.links[0].explanation.contains("which opened port 3389 (RDP) of 10.0.0.2 for the first time"));
    assert!(bridged(true, 160, false).are_one(), "the first step may be a habit");
    assert!(!bridged(false, 90, false).are_one(), "the second step came before the first");
    assert!(!bridged(false, 160, true).are_one(), "the second step is a habit");
}

#[test]
fn a_sweep_that_hit_a_suspect_links_it() {
    let hit = |bytes_in: u64, minute: i64| {
        let mut world = two_beacons(0);
        let sweep = world.find("port_sweep", Severity::Medium, "10.0.0.1", "none", (65, 80));
        (sweep.port, sweep.protocol) = (Some(8_080), Some(TCP));
        world.session("10.0.0.1", "10.0.0.2", 8_080, minute).each(|pair| {
            if pair.role == Role::Client {
                pair.bytes_in = bytes_in;
            }
        });
        world
    };
    assert_eq!(kinds(&hit(9_000, 70)), [(LinkKind::ScanHit, 1.9)]);
    assert!(!hit(200, 70).are_one(), "an open port is no session");
    assert!(!hit(9_000, 320).are_one(), "the host showed its sign before");
}

#[test]
fn interfaces_of_an_instance_are_one() {
    let mut world = two_beacons(72);
    for finding in &mut world.findings {
        finding.instance_id = Some("i-1".to_owned());
    }
    assert_eq!(kinds(&world), [(LinkKind::SameInstance, 3.0)]);
}

#[test]
fn a_train_that_moves_and_a_pool_are_one_incident() {
    let mut world = World::new(72);
    let moved = world.beacon("10.0.0.1", "203.0.113.1", 60);
    evidence(moved, "successors", json!(["10.0.0.1", "10.0.0.2", "10.0.0.3"]));
    let pooled = world.find("pooled_beacon", Severity::Medium, "10.1.0.1", "203.0.113.9", (10, 1_000));
    pooled.members = ["10.1.0.1", "10.1.0.2"].map(address).to_vec();
    // Many call it, but the finding tells these together.
    world.call("10.1.0.1", "203.0.113.9", 300, 10);
    assert_eq!(world.groups(), [vec!["10.0.0.1", "10.0.0.2", "10.0.0.3"], vec!["10.1.0.1", "10.1.0.2"]]);
}

#[test]
fn links_come_strongest_first_whatever_the_order_of_findings() {
    let mut world = two_beacons(72);
    world.session("10.0.0.1", "10.0.0.2", 22, 200);
    world.session("10.0.0.1", "10.0.0.2", 8_080, 190);
    world.beacon("10.0.0.3", "203.0.113.1", 100);
    let suspects = crate::incident::signal::suspects(
        &world.findings,
        &|_, remote: Address| remote.to_string().starts_with("10."),
        &world.facts,
    );
    let links = Links { findings: &world.findings, suspects: &suspects, facts: &world.facts }.all();
    let told: BTreeMap<usize, (LinkKind, String)> =
        links.iter().enumerate().map(|(at, tie)| (at, (tie.kind, tie.to.address.to_string()))).collect();
    // Two ports of one pair are one link.
    assert_eq!(told[&0], (LinkKind::Lateral, "10.0.0.2".to_owned()));
    assert_eq!(told[&1], (LinkKind::SameRemote, "10.0.0.3".to_owned()));
    assert_eq!(told.len(), 2);
}
