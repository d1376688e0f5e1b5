//! The outer legs of forwarded exchanges: what a forwarder logs between its own address and a remote beyond it.
//!
//! The inner leg names both true ends, so the outer leg counts a second time, at the wrong host. One record cannot tell
//! an outer leg from the forwarder's own traffic, and the two legs may lie in different units. So they are left out
//! here, where all units are known: rows of a forwarder with a remote that some forwarder's inner leg also names.

use crate::pair_hours::row::{HourRow, Vantage};
use foldhash::fast::FixedState;
use hashbrown::HashSet;

/// What makes a row an outer leg. Codes are those of the merger.
#[derive(Debug, Default)]
pub(super) struct OuterLegs {
    /// Codes of the addresses of forwarders.
    pub(super) hosts: HashSet<u32, FixedState>,
    /// For each table, the ENIs of forwarders, by index of their name; empty where there are none.
    pub(super) interfaces: Vec<Vec<bool>>,
    /// Codes of the remotes beyond forwarders.
    pub(super) remotes: HashSet<u32, FixedState>,
}

impl OuterLegs {
    /// Returns whether a row of a table is an outer leg; `host` and `remote` are its codes in the merger.
    pub(super) fn contain(&self, table: usize, row: &HourRow, host: u32, remote: u32) -> bool {
        let is_of_forwarder = || {
            let interfaces = self.interfaces.get(table);
            let by_name = interfaces.and_then(|of| of.get(row.interface as usize)).copied().unwrap_or(false);
            by_name || self.hosts.contains(&host)
        };
        row.vantage != Vantage::Transit && self.remotes.contains(&remote) && is_of_forwarder()
    }

    /// Returns whether no row is an outer leg.
    pub(super) fn is_empty(&self) -> bool {
        self.remotes.is_empty()
    }
}
