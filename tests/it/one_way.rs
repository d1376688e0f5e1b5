//! Logs of one direction: that no answer is seen does not mean that there was none.

use crate::network::{HOUR_S, Network};
use crate::program::flowsift;
use crate::records::{COLUMNS, text};

/// Leaves out the records of one direction, of one host's ENI or of all.
fn lose_direction(net: &mut Network, direction: &str, host: Option<u32>) {
    let place = |name: &str| COLUMNS.iter().position(|column| *column == name).unwrap();
    let (way, interface) = (place("flow_direction"), place("interface_id"));
    let interface_id = host.map(|host| text(&format!("eni-{host:017x}")));
    net.rewrite(|record| {
        let of_interface = interface_id.as_ref().is_none_or(|name| record[interface] == *name);
        if of_interface && record[way] == text(direction) { Vec::new() } else { vec![record] }
    });
}

/// An implant of host 1 with small requests, a session of host 3 with equal ones, and a host 5 that asks many others.
fn intruders() -> Network {
    let mut net = Network::new(9);
    let day = net.last_day();
    for beat in 0..280 {
        let late = net.below(30);
        net.call(1, "192.0.2.80", 443, day + 308 * beat + late, [60, 300]);
    }
    let mut at = day + 5 * HOUR_S;
    while at < day + 5 * HOUR_S + 1_200 {
        let bytes = 640 + net.below(8);
        net.call(3, "192.0.2.3", 443, at, [bytes, 2_000]);
        at += 1;
        while net.below(3) > 0 {
            at += 1;
        }
    }
    for n in 0..60 {
        net.call(5, &format!("10.0.3.{n}"), 8_080, day + 60 * n, [120, 90]);
        net.call(5, &format!("10.0.3.{n}"), 8_080, day + 60 * n + 7_200, [120, 90]);
    }
    net
}

#[test]
fn where_answers_are_not_logged_nothing_is_said_to_be_unanswered() {
    for host in [None, Some(1)] {
        let mut net = intruders();
        lose_direction(&mut net, "ingress", host);
        let found = net.findings(&[]);
        found.expect("unanswered_calls", &[]);
        found.expect("port_sweep", &[]);
        found.expect("port_scan", &[]);
        found.expect("equal_requests", &["medium 10.0.0.3 192.0.2.3 443"]);
        let beacon = found.by("beacon").into_iter().find(|finding| finding["remote"] == "192.0.2.80").unwrap();
        assert_eq!((&beacon["severity"], &beacon["evidence"]["answers_logged"]), (&"high".into(), &false.into()));
        let said = beacon["explanation"].as_str().unwrap();
        assert!(said.ends_with(" The log has one direction only, so answers do not show."), "{said}");
        let equal = found.by("equal_requests")[0];
        assert_eq!(equal["evidence"].get("answers_logged").is_some(), host.is_none(), "{equal:#}");
    }
}

#[test]
fn where_answers_are_logged_silence_is_silence() {
    let mut net = intruders();
    // The others log what comes in, and so does this host: of one remote nothing came.
    let day = net.last_day();
    for beat in 0..280 {
        let late = net.below(30);
        net.call(2, "192.0.2.81", 443, day + 308 * beat + late, [60, 0]);
    }
    net.findings(&[]).expect("unanswered_calls", &["medium 10.0.0.2 192.0.2.81 443"]);
}

#[test]
fn the_summary_says_which_directions_are_logged() {
    let said = |net: &Network| flowsift(["detect", net.write().path().to_str().unwrap()]).expect(0).err;
    let mut net = Network::new(1);
    let one_way = "one direction only";
    assert!(!said(&net).contains(one_way));
    lose_direction(&mut net, "ingress", Some(4));
    let all = said(&net);
    let expected = "the log of eni-00000000000000004 has one direction only: whether calls were answered does not show";
    assert!(all.contains(expected), "{all}");
    lose_direction(&mut net, "ingress", None);
    assert!(said(&net).contains("eni-00000000000000001 and 19 more interfaces have one direction only"));
    let mut inbound = Network::new(1);
    lose_direction(&mut inbound, "egress", None);
    assert!(said(&inbound).contains(one_way));
    let mut rejected = Network::new(1);
    let action = COLUMNS.iter().position(|column| *column == "action").unwrap();
    rejected.rewrite(|mut record| {
        record[action] = text("REJECT");
        vec![record]
    });
    assert!(said(&rejected).contains("every record is a rejection: traffic that was accepted is not logged"));
}
