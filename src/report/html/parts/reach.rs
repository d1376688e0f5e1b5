//! The blast radius of an incident: whom its hosts reached, and who entered the first.

use super::tables::{figure, table};
use crate::incident::Incident;
use crate::incident::model::{Deed, Edge, Node};
use crate::report::html::draw::blast::blast;
use crate::report::html::markup::Markup;
use crate::report::html::words;
use flow::units::{bytes_text, count_text, number_text};
use std::collections::BTreeMap;

/// Writes the blast columns with their table, and what principals did.
pub(super) fn reach(out: &mut Markup, incident: &Incident, marker: &str) {
    hosts(out, incident, marker);
    deeds(out, incident);
}

fn hosts(out: &mut Markup, incident: &Incident, marker: &str) {
    let Some(drawing) = blast(incident, marker) else { return };
    out.leaf("h3", &[], "Blast radius");
    let note = " Coloured and thick: the two had not met before. Dashed: no answer.";
    let heads = [
        ("From", "mono"),
        ("To", "mono"),
        ("Service", ""),
        ("How it takes part", ""),
        ("Rank", "number"),
        ("First", "time"),
        ("Connections", "number"),
        ("Sent", "number"),
        ("Got", "number"),
        ("New", ""),
    ];
    figure(out, "Whom the hosts reached, and who came in", drawing, note, &heads, &rows(incident));
    if !incident.graph.left_out.is_empty() {
        let texts = incident.graph.left_out.iter().map(|(name, count)| format!("{} {name}", count_text(*count)));
        let text = format!("Left out of the graph: {}.", texts.collect::<Vec<_>>().join(", "));
        out.leaf("p", &[("class", "note")], &text);
    }
}

/// Writes what principals reached, what refused them, and what was open to them before.
fn deeds(out: &mut Markup, incident: &Incident) {
    if incident.graph.deeds.is_empty() {
        return;
    }
    out.leaf("h3", &[], "What the principals did");
    let heads = [
        ("From", "mono"),
        ("To", "mono"),
        ("What", ""),
        ("How it takes part", ""),
        ("First", "time"),
        ("Last", "time"),
        ("Events", "number"),
        ("Objects", "number"),
        ("Got", "number"),
    ];
    let of_deed = |deed: &Deed| {
        vec![
            deed.from.to_string(),
            deed.to.to_string(),
            words::deed_kind(deed.kind).to_owned(),
            words::node_class(deed.class).to_owned(),
            words::moment(deed.first_seen_s),
            words::moment(deed.last_seen_s),
            count_text(deed.events),
            count_text(deed.objects),
            bytes_text(deed.bytes),
        ]
    };
    let rows: Vec<Vec<String>> = incident.graph.deeds.iter().map(of_deed).collect();
    table(out, "What principals did since their first sign, and what was open to them before", &heads, &rows);
}

/// Returns a row for each edge, then one for each node without any.
fn rows(incident: &Incident) -> Vec<Vec<String>> {
    let nodes: BTreeMap<_, &Node> = incident.graph.nodes.iter().map(|node| (node.address, node)).collect();
    let class = |node: Option<&&Node>| {
        node.map_or_else(String::new, |node| match node.clients {
            Some(clients) => format!("{}, {} hosts use it", words::node_class(node.class), count_text(clients)),
            None => words::node_class(node.class).to_owned(),
        })
    };
    let of_edge = |edge: &Edge| {
        let far = nodes.get(&edge.to);
        let new = match edge.is_new {
            Some(true) => "new",
            Some(false) => "no",
            None => "unknown",
        };
        let answered = if edge.answered { "" } else { ", no answer" };
        vec![
            edge.from.to_string(),
            edge.to.to_string(),
            words::service(Some(edge.port), Some(edge.protocol)),
            format!("{}{answered}", class(far)),
            far.map_or_else(String::new, |node| number_text(node.rank)),
            words::moment(edge.first_seen_s),
            count_text(edge.connections),
            bytes_text(edge.bytes_out),
            bytes_text(edge.bytes_in),
            new.to_owned(),
        ]
    };
    let mut rows: Vec<Vec<String>> = incident.graph.edges.iter().map(of_edge).collect();
    let met =
        |node: &&Node| incident.graph.edges.iter().any(|edge| edge.from == node.address || edge.to == node.address);
    for node in incident.graph.nodes.iter().filter(|node| !met(node)) {
        let mut row = vec![String::new(); 10];
        row[1] = node.address.to_string();
        row[3] = class(Some(&node));
        row[4] = number_text(node.rank);
        row[5] = words::moment(node.reached_at_s);
        rows.push(row);
    }
    rows
}
