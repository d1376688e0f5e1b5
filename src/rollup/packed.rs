//! Flow records packed to 40 bytes, seen from the host whose ENI wrote them, and the parts they are spread over.

use crate::flow::Address;
use crate::scan::{FIRST_BOOKED, NONE};

/// The host sent the packets of the record.
pub(super) const OUTBOUND: u8 = 1;
/// The record was rejected by a security group or network ACL.
pub(super) const REJECTED: u8 = 2;
/// The file has TCP flags, so a connection starts at a SYN and nowhere else.
pub(super) const FLAGS_KNOWN: u8 = 4;
/// Packet-level addresses differ from the ENI's: the record passed a NAT, a transit gateway or a pod network.
pub(super) const TRANSLATED: u8 = 8;
/// The record does not say its direction; `host` is the sender until the ENI's own address is known.
pub(super) const UNDECIDED: u8 = 16;
/// The ENI only passes traffic on.
pub(super) const TRANSIT: u8 = 32;

/// The number that stands for "no AWS service".
pub(super) const NO_SERVICE: u16 = u16::MAX;

/// One flow record; addresses are codes of the unit's book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(super) struct PackedFlow {
    pub(super) bytes: u64,
    pub(super) host: u32,
    pub(super) remote: u32,
    /// Number of the ENI's name in the text book, [`NONE`] when the record names none.
    pub(super) interface: u32,
    /// Seconds since 1970; good until 2106.
    pub(super) start_s: u32,
    pub(super) packets: u32,
    pub(super) host_port: u16,
    pub(super) remote_port: u16,
    /// Seconds from the first to the last packet, at most 65,535.
    pub(super) duration_s: u16,
    pub(super) protocol: u8,
    pub(super) tcp_flags: u8,
    pub(super) bits: u8,
    /// Number of the AWS service, [`NO_SERVICE`] for none: in order of arrival until the unit is finished, then by text.
    pub(super) service: u16,
}

impl PackedFlow {
    pub(super) fn is(&self, bit: u8) -> bool {
        self.bits & bit != 0
    }

    pub(super) fn end_s(&self) -> u32 {
        self.start_s.saturating_add(u32::from(self.duration_s))
    }

    /// Looks at the record from its other end.
    pub(super) fn swap(&mut self) {
        std::mem::swap(&mut self.host, &mut self.remote);
        std::mem::swap(&mut self.host_port, &mut self.remote_port);
        self.bits ^= OUTBOUND;
    }

    /// Orders the records of one pair by ports and start.
    #[inline]
    pub(super) fn order(&self) -> u64 {
        u64::from(self.host_port) << 48 | u64::from(self.remote_port) << 32 | u64::from(self.start_s)
    }
}

/// Parts that hosts are spread over, so that the records of each fit the caches when they are folded.
///
/// All tables of all units share the division, so what concerns one host stands in the same part of each.
pub(super) const PARTS: usize = 128;
const PART_BITS: u32 = PARTS.trailing_zeros();

/// The part of a host that is its own code.
#[inline]
pub(super) fn part_of_code(code: u32) -> usize {
    (code.wrapping_mul(0x9e37_79b1) >> (u32::BITS - PART_BITS)) as usize
}

/// The part of any host, by its address.
pub(super) fn part_of(host: Address) -> usize {
    match host.v4_bits() {
        Some(bits) if bits < FIRST_BOOKED => part_of_code(bits),
        _ => {
            let folded = host.bits() as u64 ^ (host.bits() >> 64) as u64;
            (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - PART_BITS)) as usize
        }
    }
}

/// The host's and the remote's of what source and destination have: the host is the source, or where the record is
/// `ingress` the destination.
#[inline]
pub(super) fn ends(ingress: bool, [source, destination]: [u32; 2]) -> [u32; 2] {
    let other = (source ^ destination) & u32::from(ingress).wrapping_neg();
    [source ^ other, destination ^ other]
}

/// Tells whether a number of a book stands for a value.
pub(super) const fn is_some(number: u32) -> bool {
    number != NONE
}
