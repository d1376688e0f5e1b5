//! Flow records before they become columns, kept by the minute in which their window ended.

use crate::world::endpoints::{Endpoint, NO_ENDPOINT};

/// The kind of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum RecordKind {
    /// Accepted traffic that enters the interface.
    Ingress,
    /// Accepted traffic that leaves the interface.
    Egress,
    /// Refused traffic that would have entered the interface.
    Rejected,
    /// An interface without traffic in the window.
    NoData,
    /// A window whose records AWS lost.
    SkipData,
}

/// One flow record; times are seconds from the start of the corpus.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// IP bytes, headers included.
    pub bytes: u64,
    /// Packets, at least 1 unless nothing passed.
    pub packets: u32,
    /// Second of the first packet.
    pub start: u32,
    /// The interface that logs.
    pub interface: u32,
    /// `srcaddr` and `dstaddr`.
    pub src: Endpoint,
    pub dst: Endpoint,
    /// `pkt_srcaddr` and `pkt_dstaddr`: the ends of the packet, whatever gateway is in between.
    pub pkt_src: Endpoint,
    pub pkt_dst: Endpoint,
    pub src_port: u16,
    pub dst_port: u16,
    /// Seconds from the first to the last packet, at most the window.
    pub length_s: u16,
    pub protocol: u8,
    /// `tcp_flags`, OR-ed over the window.
    pub flags: u8,
    /// `traffic_path`; egress only.
    pub path: u8,
    pub kind: RecordKind,
}

/// The records of one hour, by the minute in which their aggregation window ended.
#[derive(Debug)]
pub struct HourRecords {
    /// Sixty lists.
    pub records: Vec<Vec<Record>>,
    /// Windows that end in (`from`, `until`] belong to the hour; seconds from the start of the corpus.
    pub from: i32,
    pub until: i32,
    /// Whether this is the corpus's last hour: windows that are still open are cut at its end.
    pub last: bool,
    /// Aggregation interval in seconds.
    pub window_s: i32,
    /// Number of records.
    pub count: u64,
}

impl HourRecords {
    /// Reserves room for the hour that starts at `from`.
    pub fn new(from: i32, last: bool, window_s: u32) -> Self {
        let records = (0..60).map(|_| Vec::new()).collect();
        Self { records, from, until: from + 3_600, last, window_s: window_s as i32, count: 0 }
    }

    /// Adds a record whose window ends at `window_end`.
    pub fn push(&mut self, window_end: i32, record: Record) {
        let minute = ((window_end - self.from - 1) / 60).clamp(0, 59);
        self.records[minute as usize].push(record);
        self.count += 1;
    }
}

/// Returns a NODATA or SKIPDATA record for the window that starts at `window`.
pub fn placeholder(interface: u32, window: i32, window_s: i32, kind: RecordKind) -> Record {
    Record {
        bytes: 0,
        packets: 0,
        start: window.max(0) as u32,
        interface,
        src: NO_ENDPOINT,
        dst: NO_ENDPOINT,
        pkt_src: NO_ENDPOINT,
        pkt_dst: NO_ENDPOINT,
        src_port: 0,
        dst_port: 0,
        length_s: (window_s - 2 - (-window).max(0)).max(0) as u16,
        protocol: 0,
        flags: 0,
        path: 0,
        kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_kept_by_the_minute_in_which_their_window_ended() {
        let mut minutes = HourRecords::new(3_600, false, 60);
        for window_end in [3_601, 3_660, 3_661, 7_200] {
            minutes.push(window_end, placeholder(0, window_end - 60, 60, RecordKind::NoData));
        }
        let counts: Vec<usize> = minutes.records.iter().map(Vec::len).collect();
        assert_eq!((counts[0], counts[1], counts[59], minutes.count), (2, 1, 1, 4));
    }

    #[test]
    fn placeholders_never_begin_before_the_corpus() {
        let record = placeholder(3, -20, 60, RecordKind::SkipData);
        assert_eq!((record.start, record.length_s), (0, 38));
        assert_eq!(placeholder(3, 100, 600, RecordKind::NoData).length_s, 598);
    }
}
