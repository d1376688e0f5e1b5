//! Who forwards, in the codes of a merger, and which rows may have the legs of what it forwards.

use super::gather_legs::Place;
use crate::pair_hours::row::{HourRow, Vantage};
use crate::pair_hours::stored_part::StoredPart;
use foldhash::fast::FixedState;
use hashbrown::HashSet;

/// Who forwards, in the merger's codes.
#[derive(Debug, Default)]
pub(super) struct ForwarderCodes {
    /// Codes of the addresses of forwarders.
    pub(super) hosts: HashSet<u32, FixedState>,
    /// Whether each part has such a host.
    pub(super) parts: Vec<bool>,
    /// For each table, whether each of its ENIs is a forwarder's, by index of its name.
    pub(super) interfaces: Vec<Vec<bool>>,
    /// ENIs whose instance is not known: for each of them, the index of its name in each table.
    pub(super) alone: Vec<Vec<Option<u32>>>,
}

impl ForwarderCodes {
    fn is_forwarders(&self, table: usize, interface: u32) -> bool {
        self.interfaces.get(table).and_then(|of| of.get(interface as usize)).copied().unwrap_or(false)
    }

    fn has_host(&self, part: usize, host: impl FnOnce() -> u32) -> bool {
        self.parts.get(part).is_some_and(|has_some| *has_some) && self.hosts.contains(&host())
    }

    /// Returns whether a row may have outer legs. `host` returns the code of its host.
    pub(super) fn is_outer(&self, place: Place, row: &HourRow, host: impl FnOnce() -> u32) -> bool {
        let by_name = row.vantage != Vantage::Transit && self.is_forwarders(place.table, row.interface);
        by_name || self.has_host(place.part, host)
    }

    /// Returns whether a row has inner legs. What a forwarder sends through another one is its outer leg.
    pub(super) fn is_inner(&self, place: Place, row: &HourRow, host: impl FnOnce() -> u32) -> bool {
        row.vantage == Vantage::Transit && !self.has_host(place.part, host)
    }

    pub(super) fn may_be_outer(&self, place: Place, stored: &StoredPart) -> bool {
        let by_name = || stored.own_interfaces().iter().any(|interface| self.is_forwarders(place.table, *interface));
        self.parts.get(place.part).is_some_and(|has_some| *has_some) || by_name()
    }
}
