//! What a run says of its incidents as a whole: what was read, what was left out, what could not be told.

use serde::Serialize;

/// Without so many hours of history, whether a path is new cannot be told.
pub const MIN_HISTORY_HOURS: u64 = 6;

/// What was read for incidents and what their limits left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct IncidentNotes {
    /// Hosts with signs that open incidents.
    pub suspect_hosts: u64,
    /// Of those, hosts whose pairs were not read, since others come first: they have no links.
    pub hosts_left_out: u64,
    /// Rows of `pairs` that were read of suspect hosts.
    pub pairs_read: u64,
    /// Rows that were left out, since their hosts have too many.
    pub pairs_left_out: u64,
    /// Principals and addresses with signs that open incidents, in logs beside flow logs.
    #[serde(skip_serializing_if = "is_zero")]
    pub suspect_actors: u64,
    /// Links that would have made an incident too large; the incidents are `related`.
    pub links_refused: u64,
    /// Hours of history before the window.
    pub history_hours: u64,
    /// Whether there were suspect hosts, but too little history to tell new paths: links then need guessing or a scan, or
    /// a path that is new after some hours of the window.
    pub links_limited: bool,
}

/// A run without such logs has no word for them.
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl IncidentNotes {
    /// Returns what was limited, each in some words; empty when nothing was.
    #[must_use]
    pub fn limits(&self) -> Vec<String> {
        let counted =
            |count: u64, text: &str| (count > 0).then(|| format!("{} {text}", flow::units::count_text(count)));
        let history = self.links_limited.then(|| format!("links limited: {} h of history", self.history_hours));
        let left_out = [
            counted(self.hosts_left_out, "hosts without links, as too many are suspect"),
            counted(self.pairs_left_out, "pairs left out of hosts with too many"),
            counted(self.links_refused, "links refused, as an incident would become too large"),
        ];
        history.into_iter().chain(left_out.into_iter().flatten()).collect()
    }
}
