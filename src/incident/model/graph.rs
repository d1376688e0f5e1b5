//! Whom the hosts of an incident reached.

use crate::detect::text_forms;
use flow::Address;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Whom the hosts of an incident reached: nodes, edges and what was left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Graph {
    /// Compromised hosts first, then outside addresses, then who entered the first host, then the others by rank.
    pub nodes: Vec<Node>,
    /// Edges between nodes, in the order of their nodes.
    pub edges: Vec<Edge>,
    /// What does not fit into the limits, by name: `nodes`, `attempted`, `edges`, `remotes`, `upstream`,
    /// `shared_services`, `second_hop`.
    pub left_out: BTreeMap<String, u64>,
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
