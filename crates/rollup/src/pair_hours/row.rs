//! One row of `pair_hours` and one connection segment, in as few bytes as possible.

use crate::segment::{Opening, Segment};
use flow::codes::Role;

/// How an ENI came to see the packets of a host, the best view first: of the views of one pair, only the best counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Vantage {
    /// The address is the ENI's own.
    Own = 0,
    /// The ENI carries the packets of another address: a pod's, a secondary address, or a host's that an appliance
    /// routes for.
    Carried = 1,
    /// The ENI forwards for the host.
    Transit = 2,
}

impl Vantage {
    /// Every vantage, by its number.
    pub(crate) const ALL: [Self; 3] = [Self::Own, Self::Carried, Self::Transit];

    /// Returns the text used in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Vantage::Own => "own",
            Vantage::Carried => "carried",
            Vantage::Transit => "transit",
        }
    }

    pub(crate) fn from_code(code: u8) -> Self {
        Self::ALL.get(usize::from(code)).copied().unwrap_or(Self::Own)
    }

    pub(crate) fn parse(text: &str) -> Self {
        Self::ALL.into_iter().find(|vantage| vantage.as_str() == text).unwrap_or(Self::Own)
    }
}

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
    /// Index of the row's first segment in its part.
    pub(crate) segments_at: u32,
    /// Index of the ENI's name in the table's names, `u32::MAX` if it has none.
    pub(crate) interface: u32,
    /// Index of account and region in the table's owners.
    pub(crate) owner: u32,
    pub(crate) segments: u16,
    /// Index of the AWS service in the table's services, `u16::MAX` for none.
    pub(crate) service: u16,
    pub(crate) port: u16,
    pub(crate) window_s: u16,
    pub(crate) protocol: u8,
    pub(crate) role: Role,
    pub(crate) vantage: Vantage,
}

impl HourRow {
    /// Returns the sort key of a part's rows without the vantage and the hour.
    pub(crate) fn key(&self) -> u128 {
        key_of(self.host, self.remote, self.protocol, self.port, self.role, self.owner)
    }

    /// Returns the sort key of a part's rows.
    pub(crate) fn order(&self) -> (u128, Vantage, u32) {
        (self.key(), self.vantage, self.hour_s)
    }
}

/// Packs host, remote, protocol, port, role and owner into one number, in this order: 32 bits for each address and for
/// the owner.
pub(crate) fn key_of(host: u32, remote: u32, protocol: u8, port: u16, role: Role, owner: u32) -> u128 {
    let peers = u128::from(host) << 32 | u128::from(remote);
    let service = u128::from(protocol) << 17 | u128::from(port) << 1 | u128::from(role as u8);
    peers << 64 | service << 32 | u128::from(owner)
}

/// The bits of port and role in [`key_of`].
const SERVICE_BITS: u128 = ((1 << 17) - 1) << 32;

/// Returns a key with another port and role.
pub(crate) fn with_service(key: u128, port: u16, role: Role) -> u128 {
    key & !SERVICE_BITS | key_of(0, 0, 0, port, role, 0)
}

/// One connection segment in 12 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PackedSegment {
    start_s: u32,
    pub(super) client_port: u16,
    /// Bucket of the segment's bytes out.
    pub(crate) bucket: u16,
    /// Duration in seconds in the upper 30 bits, opening in the lower two.
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

    /// Returns the segment of these numbers; `length` is as [`Self::length`] returns it.
    #[inline]
    pub(crate) fn from_numbers(start_s: u32, client_port: u16, bucket: u16, length: u32) -> Self {
        Self { start_s, client_port, bucket, length }
    }

    pub(crate) fn to_bytes(self) -> [u8; 12] {
        let number = u128::from(self.start_s)
            | u128::from(self.client_port) << 32
            | u128::from(self.bucket) << 48
            | u128::from(self.length) << 64;
        let bytes = number.to_le_bytes();
        std::array::from_fn(|at| bytes[at])
    }

    pub(crate) fn from_bytes(bytes: &[u8; 12]) -> Self {
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

    /// Returns the duration in seconds in the upper 30 bits, and the opening in the lower two.
    pub(crate) fn length(&self) -> u32 {
        self.length
    }

    pub(crate) fn client_port(&self) -> u16 {
        self.client_port
    }

    pub(crate) fn opening(&self) -> Opening {
        Opening::from_code((self.length & 3) as u8)
    }
}

const _: () = assert!(size_of::<HourRow>() == 96 && size_of::<PackedSegment>() == 12);
