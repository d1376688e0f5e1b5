//! Graphs of handmade incidents.

use super::*;
use crate::incident::made::{
    FROM_S, address, answered_by, call, facts, habit, incident, key, remote, unanswered, without_history,
};
use crate::incident::model::{Edge, Graph, Node, NodeClass, RemotePart};
use flow::Address;
use std::cell::RefCell;
use std::convert::Infallible;

const H: i64 = 3_600;

/// The graph of one incident; pairs of hosts that are not involved are handed out when asked for.
fn graph(incident: &Incident, facts: &Facts, others: &[PairFact]) -> Graph {
    let mut incidents = [incident.clone()];
    let more = |hosts: &BTreeSet<HostKey>, asked: Asked| {
        let mut pairs: BTreeMap<HostKey, Vec<PairFact>> = BTreeMap::new();
        let is_asked = |pair: &&PairFact| hosts.contains(&pair.host) && (asked == Asked::All || !pair.external);
        for pair in others.iter().filter(is_asked) {
            pairs.entry(pair.host.clone()).or_default().push(pair.clone());
        }
        Ok::<_, Infallible>(pairs)
    };
    graphs(&mut incidents, facts, more).unwrap();
    let [incident] = incidents;
    incident.graph
}

fn node<'a>(graph: &'a Graph, text: &str) -> Option<&'a Node> {
    graph.nodes.iter().find(|node| node.address == address(text))
}

fn edge<'a>(graph: &'a Graph, from: &str, to: &str) -> Option<&'a Edge> {
    graph.edges.iter().find(|edge| (edge.from, edge.to) == (address(from), address(to)))
}

fn class(graph: &Graph, text: &str) -> Option<NodeClass> {
    node(graph, text).map(|node| node.class)
}

#[test]
fn only_what_comes_after_the_first_sign_counts() {
    let one = incident(&[("10.0.0.1", 10 * H)]);
    let known = facts(vec![
        call("10.0.0.1", "10.0.0.2", 5432, 9 * H),
        call("10.0.0.1", "10.0.0.3", 5432, 11 * H),
        // Within the slack of an aggregation window.
        call("10.0.0.1", "10.0.0.4", 5432, 10 * H - 50),
    ]);
    let graph = graph(&one, &known, &[]);
    assert_eq!(class(&graph, "10.0.0.1"), Some(NodeClass::Involved));
    assert_eq!(class(&graph, "10.0.0.2"), None);
    assert_eq!(class(&graph, "10.0.0.3"), Some(NodeClass::Reached));
    assert_eq!(class(&graph, "10.0.0.4"), Some(NodeClass::Reached));
    let reached = node(&graph, "10.0.0.3").unwrap();
    assert_eq!((reached.reached_at_s, reached.hops), (FROM_S + 11 * H, 1));
    let edge = edge(&graph, "10.0.0.1", "10.0.0.3").unwrap();
    assert_eq!((edge.port, edge.is_new, edge.answered), (5432, Some(true), true));
}

#[test]
fn a_longer_window_gives_more_slack() {
    let one = incident(&[("10.0.0.1", 10 * H)]);
    let early = call("10.0.0.1", "10.0.0.2", 22, 10 * H - 500);
    assert_eq!(class(&graph(&one, &facts(vec![early.clone()]), &[]), "10.0.0.2"), None);
    let coarse = facts(vec![PairFact { window_s: 600, ..early }]);
    assert_eq!(class(&graph(&one, &coarse, &[]), "10.0.0.2"), Some(NodeClass::Reached));
}

#[test]
fn the_second_hop_leaves_after_the_arrival() {
    let one = incident(&[("10.0.0.1", H)]);
    let known = facts(vec![call("10.0.0.1", "10.0.0.2", 22, 5 * H)]);
    let others = [
        call("10.0.0.2", "10.0.0.3", 5432, 4 * H),
        call("10.0.0.2", "10.0.0.4", 5432, 6 * H),
        // Three hops are too many.
        call("10.0.0.4", "10.0.0.5", 22, 7 * H),
    ];
    let graph = graph(&one, &known, &others);
    assert_eq!(class(&graph, "10.0.0.3"), None);
    assert_eq!(node(&graph, "10.0.0.4").map(|node| node.hops), Some(2));
    assert_eq!(class(&graph, "10.0.0.5"), None);
    let ranks = ["10.0.0.2", "10.0.0.4"].map(|text| node(&graph, text).unwrap().rank);
    // 3 new, 2 management, 1 rare; then half of 3 new and 1 rare.
    assert_eq!(ranks, [6.0, 2.0]);
}

#[test]
fn only_new_or_management_paths_are_followed() {
    let one = incident(&[("10.0.0.1", H)]);
    let known = facts(vec![
        habit(call("10.0.0.1", "10.0.0.2", 5432, 5 * H)),
        habit(call("10.0.0.1", "10.0.0.3", 22, 5 * H)),
        unanswered(call("10.0.0.1", "10.0.0.4", 22, 5 * H)),
    ]);
    let others = ["2", "3", "4"].map(|n| call(&format!("10.0.0.{n}"), &format!("10.0.1.{n}"), 22, 6 * H));
    let graph = graph(&one, &known, &others);
    assert_eq!(["2", "3", "4"].map(|n| node(&graph, &format!("10.0.1.{n}")).is_some()), [false, true, false]);
    assert_eq!(class(&graph, "10.0.0.4"), Some(NodeClass::Attempted));
    let ranks = ["2", "3", "4"].map(|n| node(&graph, &format!("10.0.0.{n}")).unwrap().rank);
    assert_eq!(ranks, [1.0, 3.0, 4.0]);
    assert_eq!(edge(&graph, "10.0.0.1", "10.0.0.4").map(|edge| edge.answered), Some(false));
}

#[test]
fn a_closed_port_is_no_answer() {
    let one = incident(&[("10.0.0.1", H)]);
    let reset = PairFact { bytes_in: 40, bytes_out: 60, ..call("10.0.0.1", "10.0.0.2", 22, 2 * H) };
    assert_eq!(class(&graph(&one, &facts(vec![reset]), &[]), "10.0.0.2"), Some(NodeClass::Attempted));
}

#[test]
fn hubs_are_one_leaf_and_never_followed() {
    let one = incident(&[("10.0.0.1", H), ("10.0.0.2", H)]);
    let mut known = facts(vec![
        call("10.0.0.1", "10.0.9.9", 53, 2 * H),
        call("10.0.0.2", "10.0.9.9", 389, 3 * H),
        // A jump host that many use, entered for the first time: reached, and a hub all the same.
        call("10.0.0.1", "10.0.9.8", 22, 2 * H),
    ]);
    for (host, port, clients) in [("10.0.9.9", 53, 900), ("10.0.9.9", 389, 300), ("10.0.9.8", 22, 40)] {
        known.in_degree.insert((key(host), port), clients);
    }
    let others = ["10.0.9.9", "10.0.9.8"].map(|hub| call(hub, "10.0.1.1", 22, 4 * H));
    let graph = graph(&one, &known, &others);
    assert_eq!(class(&graph, "10.0.9.9"), Some(NodeClass::Shared));
    assert_eq!(node(&graph, "10.0.9.9").and_then(|node| node.clients), Some(900));
    assert_eq!(graph.nodes.iter().filter(|node| node.class == NodeClass::Shared).count(), 1);
    assert_eq!(class(&graph, "10.0.9.8"), Some(NodeClass::Reached));
    assert_eq!(node(&graph, "10.0.9.8").and_then(|node| node.clients), Some(40));
    assert_eq!(class(&graph, "10.0.1.1"), None);
    assert!(edge(&graph, "10.0.0.1", "10.0.9.9").is_some() && edge(&graph, "10.0.0.2", "10.0.9.9").is_some());
}

#[test]
fn who_calls_everyone_by_habit_is_followed_along_new_management_paths_alone() {
    let one = incident(&[("10.0.0.1", H)]);
    let known = facts(vec![call("10.0.0.1", "10.0.0.2", 22, 5 * H)]);
    let peers = (0..150).map(|n| habit(call("10.0.0.2", &format!("10.0.2.{n}"), 9100, 6 * H)));
    let others: Vec<PairFact> =
        peers.chain([call("10.0.0.2", "10.0.3.1", 22, 6 * H), call("10.0.0.2", "10.0.3.2", 80, 6 * H)]).collect();
    let graph = graph(&one, &known, &others);
    assert_eq!(class(&graph, "10.0.3.1"), Some(NodeClass::Reached));
    assert_eq!(graph.nodes.len(), 3);
}

#[test]
fn a_host_is_under_control_from_when_another_entered_it() {
    let one = incident(&[("10.0.0.1", H), ("10.0.0.2", 10 * H)]);
    let known = facts(vec![
        call("10.0.0.1", "10.0.0.2", 22, 5 * H),
        // Before the own sign of 10.0.0.2, and after it was entered.
        call("10.0.0.2", "10.0.0.3", 5432, 6 * H),
        call("10.0.0.2", "10.0.0.4", 5432, 4 * H),
    ]);
    let graph = graph(&one, &known, &[]);
    assert_eq!(node(&graph, "10.0.0.2").map(|node| node.reached_at_s), Some(FROM_S + 5 * H));
    assert!(node(&graph, "10.0.0.3").is_some() && node(&graph, "10.0.0.4").is_none());
}

#[test]
fn bytes_beyond_the_habit_of_the_pair_raise_the_rank() {
    let one = incident(&[("10.0.0.1", H)]);
    let dump = |host: &str| PairFact { bytes_in: 1_000_000_000, ..habit(call("10.0.0.1", host, 5432, 5 * H)) };
    let known = facts(vec![dump("10.0.0.2"), dump("10.0.0.3")]);
    // 10.0.0.2 sent as much each day, 10.0.0.3 a thousandth: their own pairs know.
    let usual = PairFact { baseline_bytes_out: Some(2_000_000_000), ..answered_by(&dump("10.0.0.2")) };
    let little = PairFact { baseline_bytes_out: Some(2_000_000), ..answered_by(&dump("10.0.0.3")) };
    let graph = graph(&one, &known, &[usual, little]);
    assert_eq!(node(&graph, "10.0.0.2").unwrap().rank, 1.0);
    assert_eq!(node(&graph, "10.0.0.3").unwrap().rank, 4.0);
}

#[test]
fn without_history_only_what_comes_hours_later_is_new() {
    let one = incident(&[("10.0.0.1", H)]);
    let known = without_history(vec![
        call("10.0.0.1", "10.0.0.2", 5432, 5 * H),
        call("10.0.0.1", "10.0.0.3", 5432, 7 * H),
        call("10.0.0.1", "10.0.0.4", 22, 5 * H),
    ]);
    let others = ["2", "3", "4"].map(|n| call(&format!("10.0.0.{n}"), &format!("10.0.1.{n}"), 22, 8 * H));
    let graph = graph(&one, &known, &others);
    let new = ["2", "3", "4"].map(|n| edge(&graph, "10.0.0.1", &format!("10.0.0.{n}")).unwrap().is_new);
    assert_eq!(new, [None, Some(true), None]);
    assert_eq!(["2", "3", "4"].map(|n| node(&graph, &format!("10.0.1.{n}")).is_some()), [false, true, true]);
}

#[test]
fn who_entered_the_first_host_stands_upstream() {
    let one = incident(&[("10.0.0.1", 20 * H)]);
    let from = |who: &str, port, at_s, longest_s| PairFact {
        host: key("10.0.0.1"),
        remote: address(who),
        role: flow::codes::Role::Server,
        external: !who.starts_with("10."),
        longest_s,
        bytes_out: 50_000,
        ..call("10.0.0.1", who, port, at_s)
    };
    let known = facts(vec![
        from("203.0.113.7", 22, 19 * H, 1_500),
        // Too short, too late, inside without management, not answered.
        from("203.0.113.8", 22, 19 * H, 20),
        from("203.0.113.9", 22, 21 * H, 1_500),
        from("10.0.5.1", 8080, 19 * H, 1_500),
        PairFact { bytes_out: 0, ..from("203.0.113.10", 22, 19 * H, 1_500) },
        from("10.0.5.2", 22, 18 * H, 20),
    ]);
    let graph = graph(&one, &known, &[]);
    let upstream: Vec<String> = graph
        .nodes
        .iter()
        .filter(|node| node.class == NodeClass::Upstream)
        .map(|node| node.address.to_string())
        .collect();
    assert_eq!(upstream, ["10.0.5.2", "203.0.113.7"]);
    let edge = edge(&graph, "203.0.113.7", "10.0.0.1").unwrap();
    assert_eq!((edge.bytes_out, edge.bytes_in, edge.first_seen_s), (20_000, 50_000, FROM_S + 19 * H));
}

#[test]
fn remotes_stand_beside_the_hosts() {
    let mut one = incident(&[("10.0.0.1", H)]);
    one.remotes = vec![remote("203.0.113.7", RemotePart::Controller), remote("203.0.113.8", RemotePart::Indicator)];
    let known = facts(vec![
        call("10.0.0.1", "203.0.113.7", 443, H),
        call("10.0.0.1", "198.51.100.1", 443, 2 * H),
        call("10.0.0.1", "10.0.0.2", 22, 2 * H),
    ]);
    let graph = graph(&one, &known, &[]);
    let order: Vec<NodeClass> = graph.nodes.iter().map(|node| node.class).collect();
    assert_eq!(order, [NodeClass::Involved, NodeClass::Remote, NodeClass::Remote, NodeClass::Reached]);
    assert!(edge(&graph, "10.0.0.1", "203.0.113.7").is_some() && node(&graph, "198.51.100.1").is_none());
}

#[test]
fn limits_are_counted() {
    let one = incident(&[("10.0.0.1", H)]);
    let at = |n: i64| format!("10.1.{}.{}", n / 250, n % 250);
    let reached = (0..230).map(|n| call("10.0.0.1", &at(n), 22, 2 * H + n));
    let tried = (300..400).map(|n| unanswered(call("10.0.0.1", &at(n), 22, 2 * H + n)));
    let known = facts(reached.chain(tried).collect());
    let graph = graph(&one, &known, &[]);
    assert_eq!(graph.nodes.len(), MAX_LISTED);
    // 200 of 330 have a place in the hop, and the host itself takes one of those.
    assert_eq!(graph.left_out.get("nodes"), Some(&131));
    assert_eq!(graph.left_out.get("attempted"), None);
    assert!(graph.edges.len() <= 400 && graph.edges.len() == MAX_LISTED - 1);
    // Of equals, those reached first.
    assert_eq!(graph.nodes[1].address, address(&at(0)));
}

#[test]
fn a_sweep_does_not_fill_the_graph() {
    let one = incident(&[("10.0.0.1", H)]);
    let tried = (0..100).map(|n| unanswered(call("10.0.0.1", &format!("10.1.0.{n}"), 22, 2 * H + n)));
    let graph = graph(&one, &facts(tried.collect()), &[]);
    assert_eq!((graph.nodes.len(), graph.left_out.get("attempted")), (41, Some(&60)));
}

#[test]
fn many_services_of_a_host_are_one_edge() {
    let one = incident(&[("10.0.0.1", H)]);
    let ports = (1..=40).map(|port| unanswered(call("10.0.0.1", "10.0.0.2", port, 2 * H)));
    let graph = graph(&one, &facts(ports.collect()), &[]);
    assert_eq!(graph.edges.len(), 1);
    assert_eq!((graph.edges[0].port, graph.edges[0].connections, graph.edges[0].bytes_out), (0, 40, 200_000));
}

#[test]
fn one_walk_serves_a_hop_of_all_incidents() {
    let mut incidents = [incident(&[("10.0.0.1", H)]), incident(&[("10.0.0.2", H), ("10.0.0.9", H)])];
    let known = facts(vec![call("10.0.0.1", "10.0.1.1", 22, 2 * H), call("10.0.0.2", "10.0.1.2", 22, 2 * H)]);
    let calls: RefCell<Vec<(Vec<String>, Asked)>> = RefCell::default();
    let more = |hosts: &BTreeSet<HostKey>, asked: Asked| {
        calls.borrow_mut().push((hosts.iter().map(|host| host.address.to_string()).collect(), asked));
        Ok::<_, Infallible>(BTreeMap::new())
    };
    graphs(&mut incidents, &known, more).unwrap();
    // First a host of an incident without pairs, then what the first hop reached: of those, calls outside say nothing.
    assert_eq!(
        calls.into_inner(),
        [
            (vec!["10.0.0.9".to_owned()], Asked::All),
            (vec!["10.0.1.1".to_owned(), "10.0.1.2".to_owned()], Asked::Inside)
        ]
    );
    let failed = graphs(&mut incidents, &known, |_: &BTreeSet<HostKey>, _: Asked| Err("no disk"));
    assert_eq!(failed, Err("no disk"));
}

#[test]
fn the_order_of_pairs_does_not_matter() {
    let mut one = incident(&[("10.0.0.1", H), ("10.0.0.2", 2 * H)]);
    one.remotes = vec![remote("203.0.113.7", RemotePart::Controller)];
    let mut pairs: Vec<PairFact> =
        (0..60).map(|n| call("10.0.0.1", &format!("10.0.1.{}", n % 20), 20 + n, (2 + i64::from(n) % 5) * H)).collect();
    pairs.extend((0..20).map(|n| call("10.0.0.2", &format!("10.0.1.{n}"), 22, 3 * H)));
    pairs.push(call("10.0.0.1", "203.0.113.7", 443, H));
    let others: Vec<PairFact> = (0..20).map(|n| call(&format!("10.0.1.{n}"), "10.0.2.1", 22, 9 * H)).collect();
    let expected = graph(&one, &facts(pairs.clone()), &others);
    pairs.reverse();
    let backwards: Vec<PairFact> = others.iter().rev().cloned().collect();
    let mut unsorted = facts(pairs.clone());
    unsorted.pairs.values_mut().for_each(|pairs| pairs.reverse());
    assert_eq!(graph(&one, &unsorted, &backwards), expected);
    one.hosts.reverse();
    let hosts = |graph: &Graph| graph.nodes.iter().map(|node| node.address).collect::<Vec<Address>>();
    assert_eq!(hosts(&graph(&one, &facts(pairs), &others)), hosts(&expected));
}
