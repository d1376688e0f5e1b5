//! The nodes and edges of graphs as rows: those of hosts and remotes first, then those of principals and things.

use super::{
    Column, batch, count, flag, number, optional_count, optional_flag, optional_number, optional_text, optional_time,
    position, real, text, time, word,
};
use crate::incident::model::{Deed, Edge, Incident, IncidentHost, IncidentRemote, Node, NodeClass, Thing};
use crate::incident::reach::MAX_DRAWN;
use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use flow::Address;
use std::collections::BTreeSet;

/// A node with what its incident says about the host or remote, or a thing.
struct NodeRow<'a> {
    incident_id: &'a str,
    at: usize,
    node: Node,
    host: Option<&'a IncidentHost>,
    remote: Option<&'a IncidentRemote>,
    /// What it is where it has no address; `node` then only has its class and time.
    thing: Option<&'a Thing>,
}

/// Returns the nodes of an incident. Its hosts and remotes are among them also where no graph was computed.
fn node_rows(incident: &Incident) -> Vec<NodeRow<'_>> {
    let nodes = &incident.graph.nodes;
    let mut known: BTreeSet<Address> = nodes.iter().map(|node| node.address).collect();
    let mut all = nodes.clone();
    let bare =
        |address, class, hops, reached_at_s| Node { address, class, rank: 0.0, hops, reached_at_s, clients: None };
    let hosts = incident.hosts.iter().map(|host| bare(host.host, NodeClass::Involved, 0, host.since_s));
    let remotes =
        incident.remotes.iter().map(|remote| bare(remote.address, NodeClass::Remote, 1, incident.first_seen_s));
    all.extend(hosts.chain(remotes).filter(|node| known.insert(node.address)));
    let row = |(at, node): (usize, Node)| NodeRow {
        incident_id: &incident.id,
        at,
        host: incident.hosts.iter().find(|host| host.host == node.address),
        remote: incident.remotes.iter().find(|remote| remote.address == node.address),
        node,
        thing: None,
    };
    let mut rows: Vec<NodeRow<'_>> = all.into_iter().enumerate().map(row).collect();
    // Addresses that act are among the nodes already.
    let things = incident.graph.things.iter().filter(|thing| thing.party.address().is_none());
    rows.extend(things.zip(rows.len()..).map(|(thing, at)| NodeRow {
        incident_id: &incident.id,
        at,
        host: None,
        remote: None,
        node: bare(Address::from_bits(0), thing.class, hops_of(thing), thing.reached_at_s),
        thing: Some(thing),
    }));
    rows
}

const fn hops_of(thing: &Thing) -> u8 {
    if matches!(thing.class, NodeClass::Involved) { 0 } else { 1 }
}

pub(super) fn nodes_batch(incidents: &[Incident]) -> Result<RecordBatch, ArrowError> {
    let rows: Vec<NodeRow<'_>> = incidents.iter().flat_map(node_rows).collect();
    let each = || rows.iter();
    let name =
        |row: &NodeRow<'_>| row.thing.map_or_else(|| row.node.address.to_string(), |thing| thing.party.to_string());
    let of_host =
        |field: fn(&IncidentHost) -> Option<&String>| move |row: &NodeRow<'_>| row.host.and_then(field).cloned();
    let part =
        |row: &NodeRow<'_>| row.host.map(|host| word(&host.part)).or(row.remote.map(|remote| word(&remote.part)));
    batch(vec![
        text("incident_id", each().map(|row| row.incident_id)),
        number("position", each().map(|row| position(row.at))),
        text("address", each().map(name)),
        text("class", each().map(|row| word(&row.node.class))),
        optional_text("part", each().map(part)),
        real("rank", each().map(|row| row.node.rank)),
        number("hops", each().map(|row| i32::from(row.node.hops))),
        time("reached_at", each().map(|row| row.node.reached_at_s)),
        optional_time("since", each().map(|row| row.host.map(|host| host.since_s))),
        optional_count("clients", each().map(|row| row.node.clients)),
        flag("drawn", each().map(|row| row.at < MAX_DRAWN)),
        optional_text("account_id", each().map(of_host(|host| host.account_id.as_ref()))),
        optional_text("region", each().map(of_host(|host| host.region.as_ref()))),
        optional_text("vpc_id", each().map(of_host(|host| host.vpc_id.as_ref()))),
        optional_text("interface_id", each().map(of_host(|host| host.interface_id.as_ref()))),
        optional_text("instance_id", each().map(of_host(|host| host.instance_id.as_ref()))),
        optional_number("port", each().map(|row| row.remote.and_then(|remote| remote.port.map(i32::from)))),
        optional_text("owner", each().map(|row| row.remote.and_then(|remote| remote.owner.as_ref()))),
        optional_count("prevalence_hosts", each().map(|row| row.remote.and_then(|remote| remote.prevalence_hosts))),
        optional_count("objects", each().map(|row| row.thing.and_then(|thing| thing.objects))),
    ])
}

/// An edge between addresses, or what a principal did.
enum EdgeRow<'a> {
    Edge(&'a Edge),
    Deed(&'a Deed),
}

impl<'a> EdgeRow<'a> {
    /// Returns what an edge tells, or else what a deed does.
    fn told<T>(&self, of_edge: impl Fn(&'a Edge) -> T, of_deed: impl Fn(&'a Deed) -> T) -> T {
        match self {
            Self::Edge(edge) => of_edge(edge),
            Self::Deed(deed) => of_deed(deed),
        }
    }
}

fn edge_rows(incident: &Incident) -> Vec<(usize, EdgeRow<'_>)> {
    let edges = incident.graph.edges.iter().map(EdgeRow::Edge);
    edges.chain(incident.graph.deeds.iter().map(EdgeRow::Deed)).enumerate().collect()
}

pub(super) fn edges_batch(incidents: &[Incident]) -> Result<RecordBatch, ArrowError> {
    let rows: Vec<(&str, usize, EdgeRow<'_>)> = incidents
        .iter()
        .flat_map(|incident| edge_rows(incident).into_iter().map(|(at, row)| (incident.id.as_str(), at, row)))
        .collect();
    let each = || rows.iter().map(|(.., row)| row);
    let columns: Vec<Column> = vec![
        text("incident_id", rows.iter().map(|(id, ..)| *id)),
        number("position", rows.iter().map(|(_, at, _)| position(*at))),
        text("from_address", each().map(|row| row.told(|one| one.from.to_string(), |one| one.from.to_string()))),
        text("to_address", each().map(|row| row.told(|one| one.to.to_string(), |one| one.to.to_string()))),
        number("port", each().map(|row| row.told(|one| i32::from(one.port), |_| 0))),
        number("protocol", each().map(|row| row.told(|one| i32::from(one.protocol), |_| 0))),
        time("first_seen", each().map(|row| row.told(|one| one.first_seen_s, |one| one.first_seen_s))),
        count("connections", each().map(|row| row.told(|one| one.connections, |one| one.events))),
        count("bytes_out", each().map(|row| row.told(|one| one.bytes_out, |_| 0))),
        count("bytes_in", each().map(|row| row.told(|one| one.bytes_in, |one| one.bytes))),
        optional_flag("is_new", each().map(|row| row.told(|one| one.is_new, |_| None))),
        flag("answered", each().map(|row| row.told(|one| one.answered, |one| one.class != NodeClass::Attempted))),
        text("kind", each().map(|row| row.told(|_| "connected".to_owned(), |one| word(&one.kind)))),
        optional_text("class", each().map(|row| row.told(|_| None, |one| Some(word(&one.class))))),
        optional_count("objects", each().map(|row| row.told(|_| None, |one| Some(one.objects)))),
        real("certainty", each().map(|row| row.told(|_| 1.0, |one| one.certainty))),
    ];
    batch(columns)
}
