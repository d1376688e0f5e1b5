//! Who entered an incident's first host, and whom its hosts reached, in one line.

use crate::incident::Incident;
use crate::incident::model::{Edge, Node, NodeClass};
use flow::services::service_name;
use flow::units::{bytes_text, counted};

/// Bytes that came back from a host from which they are told.
const TOLD_BYTES: u64 = 1_000_000;

/// Returns a line such as `perhaps entered by 198.51.100.7 over port 22 (ssh); reached 10.0.8.4 over port 5432
/// (postgresql), 3.6 GB came back, and 11 more hosts; tried 38 others in vain`; `None` where nobody was met.
pub(super) fn reach_text(incident: &Incident) -> Option<String> {
    let graph = &incident.graph;
    let of_class = |class: NodeClass| graph.nodes.iter().filter(move |node| node.class == class);
    let mut parts: Vec<String> = Vec::new();
    // Who comes every day has not entered.
    let came = |node: &&Node| graph.edges.iter().find(|edge| edge.from == node.address && edge.is_new == Some(true));
    if let Some(edge) = of_class(NodeClass::Upstream).find_map(|node| came(&node)) {
        parts.push(format!("perhaps entered by {} over {}", edge.from, port_text(edge)));
    }
    if let Some(first) = of_class(NodeClass::Reached).next() {
        let others = of_class(NodeClass::Reached).count() - 1;
        let pulls = graph.edges.iter().filter(|edge| edge.to == first.address && edge.bytes_in >= TOLD_BYTES);
        let pulled = pulls.max_by_key(|edge| edge.bytes_in).map_or_else(String::new, |edge| {
            format!(" over {}, {} came back", port_text(edge), bytes_text(edge.bytes_in))
        });
        let and = if pulled.is_empty() { " and" } else { ", and" };
        let least = if graph.left_out.contains_key("nodes") { "at least " } else { "" };
        let others = match others {
            0 => String::new(),
            _ => format!("{and} {least}{}", counted(others as u64, "more host", "more hosts")),
        };
        parts.push(format!("reached {}{pulled}{others}", first.address));
    }
    let failed = of_class(NodeClass::Attempted).count() as u64 + graph.left_out.get("attempted").copied().unwrap_or(0);
    if failed > 0 {
        parts.push(format!("tried {} in vain", counted(failed, "other", "others")));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn port_text(edge: &Edge) -> String {
    match service_name(edge.port, edge.protocol) {
        Some(name) => format!("port {} ({name})", edge.port),
        None => format!("port {}", edge.port),
    }
}
