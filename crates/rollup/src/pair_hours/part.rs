//! The rows and segments of one part of hosts, in memory.

use super::row::{HourRow, PackedSegment, Vantage};
use flow::codes::Role;

/// The rows of the hosts of one part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HourPart {
    /// Sorted by [`HourRow::order`].
    pub(crate) rows: Vec<HourRow>,
    pub(crate) segments: Vec<PackedSegment>,
}

impl HourPart {
    /// Returns the bytes of memory that the part takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<HourRow>() + self.segments.capacity() * size_of::<PackedSegment>()
    }

    /// Returns the first and last hour of any row.
    pub(super) fn hours(&self) -> Option<(u32, u32)> {
        let hours = || self.rows.iter().map(|row| row.hour_s);
        Some((hours().min()?, hours().max()?))
    }

    pub(super) fn own_hosts(&self) -> Vec<u32> {
        let told = self.rows.iter().filter(|row| row.vantage != Vantage::Transit);
        let mut hosts: Vec<u32> = told.map(|row| row.host).collect();
        hosts.dedup();
        hosts
    }

    pub(super) fn own_interfaces(&self) -> Vec<u32> {
        let told = self.rows.iter().filter(|row| row.vantage != Vantage::Transit);
        let mut interfaces: Vec<u32> = told.map(|row| row.interface).collect();
        interfaces.dedup();
        interfaces.sort_unstable();
        interfaces.dedup();
        interfaces
    }

    pub(super) fn forwarded_remotes(&self) -> Vec<u32> {
        let forwarded = self.rows.iter().filter(|row| row.vantage == Vantage::Transit);
        let mut remotes: Vec<u32> = forwarded.map(|row| row.remote).collect();
        remotes.sort_unstable();
        remotes.dedup();
        remotes
    }
}

impl HourPart {
    /// Gives the host of a row the other role. The row must be of one connection: the service's port and the client's
    /// port change places.
    pub(crate) fn swap_role(&mut self, row: usize) {
        let Some(row) = self.rows.get_mut(row) else { return };
        let begin = row.segments_at as usize;
        let segments = self.segments.get_mut(begin..begin + usize::from(row.segments)).unwrap_or_default();
        let (port, client_port) = (row.port, segments.first().map_or(row.port, |segment| segment.client_port));
        row.port = client_port;
        row.role = match row.role {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        };
        segments.iter_mut().for_each(|segment| segment.client_port = port);
    }
}
