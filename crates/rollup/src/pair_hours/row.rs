//! One row of `pair_hours` and one connection segment, as small as they go.

use super::HourPart;
use crate::segment::{Opening, Segment};
use flow::codes::Role;

/// One row in numbers, 96 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HourRow {
    pub(crate) bytes_out: u64,
    pub(crate) bytes_in: u64,
    pub(crate) packets_out: u64,
    pub(crate) packets_in: u64,
    /// Code of the host.
    pub(crate) host: u32,
    /// Code of the remote.
    pub(crate) remote: u32,
    /// Times in seconds since 1970.
    pub(crate) hour_s: u32,
    pub(crate) first_s: u32,
    pub(crate) last_s: u32,
    pub(crate) longest_s: u32,
    pub(crate) connections: u32,
    pub(crate) records: u32,
    pub(crate) rejected: u32,
    pub(crate) segments_dropped: u32,
    /// First of the row's segments in its part.
    pub(crate) segments_at: u32,
    /// Place of the ENI's name in the table's, `u32::MAX` if nameless.
    pub(crate) interface: u32,
    /// Place of account and region in the table's.
    pub(crate) owner: u32,
    pub(crate) segments: u16,
    /// Place of the AWS service in the table's, `u16::MAX` for none.
    pub(crate) service: u16,
    pub(crate) port: u16,
    pub(crate) window_s: u16,
    pub(crate) protocol: u8,
    pub(crate) role: Role,
    pub(crate) transit: bool,
}

impl HourRow {
    /// What the rows of a part are sorted by, hour left out.
    pub(crate) fn key(&self) -> u128 {
        key_of(self.host, self.remote, self.protocol, self.port, self.role, self.owner)
    }

    /// What the rows of a part are sorted by.
    pub(crate) fn order(&self) -> (u128, bool, u32) {
        (self.key(), self.transit, self.hour_s)
    }
}

/// Host, remote, protocol, port, role and owner as one number, in this order: 128 bits hold 32 of each address and of the owner.
pub(crate) fn key_of(host: u32, remote: u32, protocol: u8, port: u16, role: Role, owner: u32) -> u128 {
    let peers = u128::from(host) << 32 | u128::from(remote);
    let service = u128::from(protocol) << 17 | u128::from(port) << 1 | u128::from(role as u8);
    peers << 64 | service << 32 | u128::from(owner)
}

/// Where [`key_of`] packs port and role.
const SERVICE_BITS: u128 = ((1 << 17) - 1) << 32;

/// A key with another port and role.
pub(crate) fn with_service(key: u128, port: u16, role: Role) -> u128 {
    key & !SERVICE_BITS | key_of(0, 0, 0, port, role, 0)
}

/// One connection segment in 12 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PackedSegment {
    start_s: u32,
    client_port: u16,
    /// Bucket of the segment's bytes out.
    pub(crate) bucket: u16,
    /// Seconds in the upper 30 bits, opening in the lower two.
    length: u32,
}

impl PackedSegment {
    pub(crate) fn new(segment: &Segment, bucket: u16) -> Self {
        let duration_s = u32::try_from(segment.end_s - segment.start_s).unwrap_or(0).min(u32::MAX >> 2);
        Self {
            start_s: u32::try_from(segment.start_s).unwrap_or(0),
            client_port: segment.client_port,
            bucket,
            length: duration_s << 2 | segment.opening as u32,
        }
    }

    pub(super) fn to_bytes(self) -> [u8; 12] {
        let number = u128::from(self.start_s)
            | u128::from(self.client_port) << 32
            | u128::from(self.bucket) << 48
            | u128::from(self.length) << 64;
        let bytes = number.to_le_bytes();
        std::array::from_fn(|at| bytes[at])
    }

    pub(super) fn from_bytes(bytes: &[u8; 12]) -> Self {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let ends = word(4);
        Self { start_s: word(0), client_port: ends as u16, bucket: (ends >> 16) as u16, length: word(8) }
    }

    pub(crate) fn segment(&self) -> Segment {
        Segment {
            start_s: i64::from(self.start_s),
            client_port: self.client_port,
            end_s: i64::from(self.start_s) + i64::from(self.length >> 2),
            opening: self.opening(),
        }
    }

    pub(crate) fn start_s(&self) -> u32 {
        self.start_s
    }

    pub(crate) fn client_port(&self) -> u16 {
        self.client_port
    }

    pub(crate) fn opening(&self) -> Opening {
        Opening::from_code((self.length & 3) as u8)
    }
}

impl HourPart {
    /// Takes a row of one connection for what its other end says: its service is the port of its segments' client.
    pub(crate) fn turn(&mut self, row: usize) {
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

const _: () = assert!(size_of::<HourRow>() == 96 && size_of::<PackedSegment>() == 12);
