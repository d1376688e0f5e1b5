//! What is a forwarder's own in a row that also has outer legs.

use super::legs::Totals;
use crate::pair_hours::part::HourPart;
use crate::segment::Opening;

/// What is left of a row without its outer legs.
#[derive(Clone, Debug, Default)]
pub(super) struct Remainder {
    /// Indices of the segments that stay, ascending; at least one.
    pub(super) own: Vec<u16>,
    /// Sums of the inner legs.
    pub(super) forwarded: Totals,
}

impl Remainder {
    /// Takes the outer legs out of a row of a part.
    pub(super) fn keep_in(&self, part: &mut HourPart, row: usize) {
        let Some(row) = part.rows.get_mut(row) else { return };
        let begin = row.segments_at as usize;
        let segments = part.segments.get_mut(begin..begin + usize::from(row.segments)).unwrap_or_default();
        let all = segments.len().max(1) as u64;
        for (to, from) in self.own.iter().enumerate() {
            segments[to] = segments[usize::from(*from)];
        }
        let own = &segments[..self.own.len()];
        // What the row does not keep is taken to be like what it keeps.
        let dropped = (u64::from(row.segments_dropped) * own.len() as u64 / all) as u32;
        row.segments = own.len() as u16;
        row.segments_dropped = dropped;
        row.connections = dropped + own.iter().filter(|segment| segment.opening() != Opening::Continued).count() as u32;
        let own = own.iter().map(|segment| segment.segment());
        row.first_s = own.clone().map(|segment| segment.start_s as u32).min().unwrap_or(row.first_s);
        row.last_s = own.clone().map(|segment| segment.end_s as u32).max().unwrap_or(row.last_s);
        row.longest_s = own.map(|segment| (segment.end_s - segment.start_s) as u32).max().unwrap_or(0);
        let Totals { bytes, packets, records, rejected } = self.forwarded;
        row.bytes_out = row.bytes_out.saturating_sub(bytes[0]);
        row.bytes_in = row.bytes_in.saturating_sub(bytes[1]);
        row.packets_out = row.packets_out.saturating_sub(packets[0]);
        row.packets_in = row.packets_in.saturating_sub(packets[1]);
        // Each segment has a record at least.
        row.records = row.records.saturating_sub(records as u32).max(u32::from(row.segments));
        row.rejected = row.rejected.saturating_sub(rejected as u32);
    }
}
