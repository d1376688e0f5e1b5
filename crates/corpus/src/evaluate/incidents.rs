//! Incidents as `detect` writes them, read back from JSONL, reduced to what evaluation needs.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::{Deserialize, Deserializer};

use crate::error::CorpusError;
use flow::{Address, error_text};

/// The part of a host in an incident.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostPart {
    /// The first that showed a sign.
    First,
    /// One that showed signs of its own.
    Compromised,
    /// One on the way between two others.
    Pivot,
    /// One that was reached.
    Target,
}

impl HostPart {
    /// Returns whether the host showed signs of its own.
    pub const fn has_signs(self) -> bool {
        matches!(self, Self::First | Self::Compromised)
    }
}

/// A host of an incident.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct IncidentHost {
    /// Its address.
    #[serde(deserialize_with = "address")]
    pub host: Address,
    /// Its part.
    pub part: HostPart,
}

/// Whether an incident goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentStatus {
    /// It goes on.
    Open,
    /// It ended.
    Closed,
    /// It became part of another.
    Merged,
}

/// Somebody in the graph of an incident.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ReachedNode {
    /// Its address.
    #[serde(deserialize_with = "address")]
    pub address: Address,
    /// How it takes part, such as `reached`.
    pub class: String,
    /// Higher is worth a look sooner.
    pub rank: f64,
}

/// The graph of an incident.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct ReachedGraph {
    /// Its nodes.
    #[serde(default)]
    pub nodes: Vec<ReachedNode>,
}

/// The parts of an incident that evaluation needs.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct JudgedIncident {
    /// Stays the same from run to run.
    pub id: String,
    /// Whether it goes on.
    pub status: IncidentStatus,
    /// The `id` of the incident that it became part of.
    #[serde(default)]
    pub merged_into: Option<String>,
    /// How surprising its evidence is.
    pub score: f64,
    /// Its hosts.
    pub hosts: Vec<IncidentHost>,
    /// The subjects of its findings.
    #[serde(default)]
    pub subjects: Vec<String>,
    /// Whom its hosts reached.
    #[serde(default)]
    pub graph: ReachedGraph,
}

impl JudgedIncident {
    /// Returns the hosts that showed signs of their own.
    pub fn signed(&self) -> impl Iterator<Item = Address> {
        self.hosts.iter().filter(|host| host.part.has_signs()).map(|host| host.host)
    }

    /// Returns whether a host takes part, whatever its part.
    pub fn has(&self, host: Address) -> bool {
        self.hosts.iter().any(|of| of.host == host)
    }

    /// Returns the hosts that others are told to look at, the most urgent first: those reached or tried.
    pub fn reached(&self) -> Vec<Address> {
        let classes = ["reached", "attempted", "shared"];
        let mut nodes: Vec<&ReachedNode> =
            self.graph.nodes.iter().filter(|node| classes.contains(&node.class.as_str())).collect();
        nodes.sort_by(|a, b| b.rank.total_cmp(&a.rank));
        let mut hosts: Vec<Address> = Vec::with_capacity(nodes.len());
        for node in nodes {
            if !hosts.contains(&node.address) {
                hosts.push(node.address);
            }
        }
        hosts
    }
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| serde::de::Error::custom(format!("`{text}` is no address")))
}

/// Reads incidents, one JSON object per line, in the order of the file.
///
/// # Errors
/// [`CorpusError::Io`] when the file cannot be read, [`CorpusError::InvalidInput`] with the line that is none.
pub fn read_incidents(path: &Path) -> Result<Vec<JudgedIncident>, CorpusError> {
    let file = File::open(path).map_err(CorpusError::io(path, "read"))?;
    let mut incidents = Vec::new();
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(CorpusError::io(path, "read"))?;
        if line.trim().is_empty() {
            continue;
        }
        let wrong = |error| CorpusError::input(path, format_args!("line {}", number + 1), error_text(&error));
        incidents.push(serde_json::from_str(&line).map_err(wrong)?);
    }
    Ok(incidents)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incidents_are_read_and_a_broken_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("incidents.jsonl");
        let node = |address: &str, class: &str, rank: f64| serde_json::json!({"address": address, "class": class, "rank": rank, "hops": 1});
        let incident = serde_json::json!({
            "schema_version": 1, "id": "ab", "status": "open", "merged_into": null, "score": 7.5, "title": "T",
            "hosts": [{"host": "10.0.0.4", "part": "first", "since": "2024-01-15T00:00:00Z"},
                      {"host": "10.0.0.5", "part": "pivot", "since": "2024-01-15T00:00:00Z"}],
            "subjects": ["cd"],
            "graph": {"nodes": [node("10.0.0.4", "involved", 0.0), node("10.0.0.7", "reached", 1.0),
                                node("10.0.0.8", "attempted", 3.0), node("1.2.3.4", "remote", 9.0)], "edges": []},
        });
        std::fs::write(&path, format!("{incident}\n\n")).unwrap();
        let read = read_incidents(&path).unwrap();
        let texts = |hosts: Vec<Address>| hosts.iter().map(Address::to_string).collect::<Vec<_>>();
        assert_eq!(texts(read[0].signed().collect()), ["10.0.0.4"]);
        assert_eq!(texts(read[0].reached()), ["10.0.0.8", "10.0.0.7"]);
        std::fs::write(&path, "{\"id\":\"ab\"}\n").unwrap();
        let error = read_incidents(&path).unwrap_err().to_string();
        assert!(error.contains("line 1: missing field `status`"), "{error}");
    }
}
