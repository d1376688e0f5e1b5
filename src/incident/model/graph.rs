//! Whom the hosts of an incident reached, and what its principals did.

use super::Party;
use crate::detect::text_forms;
use flow::Address;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Whom the hosts of an incident reached: nodes, edges and what was left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Graph {
    /// Compromised hosts first, then outside addresses, then who entered the first host, then the others by rank.
    pub nodes: Vec<Node>,
    /// Edges between nodes, in the order of their nodes.
    pub edges: Vec<Edge>,
    /// What does not fit into the limits, by name: `nodes`, `attempted`, `edges`, `remotes`, `upstream`,
    /// `shared_services`, `second_hop`, `things`, `deeds`.
    pub left_out: BTreeMap<String, u64>,
    /// The principals of the incident, their credentials, and the applications that they reached or could have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub things: Vec<Thing>,
    /// What the principals did, from the worst: what they reached, what refused them, what was open to them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deeds: Vec<Deed>,
}

impl Graph {
    /// Brings things and deeds in their order: as they take part, what was reached most first.
    pub(in crate::incident) fn sort_deeds(&mut self) {
        self.things.sort_by(|a, b| {
            let rank = |thing: &Thing| (thing.class, Reverse(thing.objects), thing.reached_at_s);
            rank(a).cmp(&rank(b)).then_with(|| a.party.cmp(&b.party))
        });
        self.deeds.sort_by(|a, b| {
            let rank = |deed: &Deed| (deed.class, deed.kind, deed.first_seen_s);
            rank(a).cmp(&rank(b)).then_with(|| (&a.from, &a.to).cmp(&(&b.from, &b.to)))
        });
    }
}

/// A host or remote of the graph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Its address.
    #[serde(with = "text_forms::address_text")]
    pub address: Address,
    /// How it takes part.
    pub class: NodeClass,
    /// The rank among those reached: higher is worth a look sooner. 0 for compromised hosts.
    pub rank: f64,
    /// Steps from a compromised host: 0 for those, 1 or 2 for others.
    pub hops: u8,
    /// When it was reached first.
    #[serde(rename = "reached_at", with = "text_forms::rfc3339_text")]
    pub reached_at_s: i64,
    /// For a shared service, the hosts that use it; of several, those of the most used.
    pub clients: Option<u64>,
}

/// How a node takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeClass {
    /// It shows signs of its own.
    Involved,
    /// It answered a compromised host after that one's first sign.
    Reached,
    /// It was tried and did not answer.
    Attempted,
    /// Many hosts use it; it is not followed further.
    Shared,
    /// It entered the first host in the day before.
    Upstream,
    /// An outside address.
    Remote,
    /// The principal or credential used it before the incident: whoever had either could reach it.
    Reachable,
}

/// An edge of the graph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Edge {
    /// The side that opened the connections.
    #[serde(with = "text_forms::address_text")]
    pub from: Address,
    /// The other side.
    #[serde(with = "text_forms::address_text")]
    pub to: Address,
    /// The port of the service; 0 for several.
    pub port: u16,
    /// The IANA protocol number.
    pub protocol: u8,
    /// The first connection after the compromise of `from`.
    #[serde(rename = "first_seen", with = "text_forms::rfc3339_text")]
    pub first_seen_s: i64,
    /// Connections in the window.
    pub connections: u64,
    /// Bytes from `from` to `to`.
    pub bytes_out: u64,
    /// Bytes from `to` to `from`.
    pub bytes_in: u64,
    /// Whether the two had not met before; `None` without history.
    pub is_new: Option<bool>,
    /// Whether `to` answered.
    pub answered: bool,
}

/// A principal, a credential, an application or another thing without an address of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Thing {
    /// Its kind and its name.
    pub party: Party,
    /// How it takes part.
    pub class: NodeClass,
    /// When it took part first.
    #[serde(rename = "reached_at", with = "text_forms::rfc3339_text")]
    pub reached_at_s: i64,
    /// Repositories, buckets, secrets, pages or the like in it that were reached, at least; `None` where not counted.
    pub objects: Option<u64>,
}

/// What a principal did with a thing, or from where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deed {
    /// Who or what acted.
    pub from: Party,
    /// What it was done to.
    pub to: Party,
    /// What was done.
    pub kind: DeedKind,
    /// How it takes part.
    pub class: NodeClass,
    /// First second.
    #[serde(rename = "first_seen", with = "text_forms::rfc3339_text")]
    pub first_seen_s: i64,
    /// Last second.
    #[serde(rename = "last_seen", with = "text_forms::rfc3339_text")]
    pub last_seen_s: i64,
    /// Events that tell it.
    pub events: u64,
    /// Different repositories, buckets, secrets, pages or the like, at least.
    pub objects: u64,
    /// Bytes to the client.
    pub bytes: u64,
    /// How certain it is that the two belong together, 0–1.
    pub certainty: f64,
}

/// Kinds of deeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeedKind {
    /// Data were taken in bulk.
    Downloaded,
    /// Users, keys or rights were made.
    Created,
    /// Things were changed, removed or switched off.
    Changed,
    /// Things were read or listed.
    Read,
    /// Somebody logged in.
    LoggedInto,
    /// It was refused, or failed.
    Denied,
    /// A credential made another.
    Minted,
    /// A principal acted under a credential.
    ActedAs,
    /// It came from an address.
    UsedFrom,
}
