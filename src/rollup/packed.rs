//! Flow records packed to 40 bytes, seen from the host whose ENI wrote them.

use crate::scan::NONE;

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

/// One flow record; addresses and texts are numbers of the unit's books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(super) struct PackedFlow {
    pub(super) bytes: u64,
    pub(super) host: u32,
    pub(super) remote: u32,
    /// Number of the ENI in the unit's interfaces.
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

    /// Spreads records over `count` (a power of two) parts; both views of a pair land in the same part.
    pub(super) fn part(&self, count: usize) -> usize {
        let (low, high) = (self.host.min(self.remote), self.host.max(self.remote));
        let key = (u64::from(low) << 32 | u64::from(high)).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((key >> 40) as usize) & (count - 1)
    }
}

/// Narrows a number of a record to its packed width; what does not fit or is missing becomes `None`.
pub(super) fn narrow<T: TryFrom<i64>>(number: i64) -> Option<T> {
    T::try_from(number).ok()
}

/// Tells whether a book's number stands for a value.
pub(super) const fn is_some(number: u32) -> bool {
    number != NONE
}
