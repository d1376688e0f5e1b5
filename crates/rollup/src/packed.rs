//! Flow records packed to 40 bytes, seen from the host whose ENI wrote them, and the parts they are spread over.

use flow::Address;
use flow::codes::SYN;
use memory::{BufferPool, Memory};
use scan::{FIRST_INTERNED, NONE};
use std::sync::Arc;

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
/// Two records in one, an exchange: [`PackedFlow::joined`] says how.
pub(super) const BOTH_WAYS: u8 = 64;

/// Records that a list has room for: 40 kB, small enough that half-filled lists of 128 parts are no weight.
pub(super) const LIST_RECORDS: usize = 1_024;
/// Bytes of a list.
pub(super) const LIST_BYTES: usize = LIST_RECORDS * size_of::<PackedFlow>();

/// Returns the run's pool of lists of records.
pub(super) fn record_lists(memory: &Memory) -> Arc<BufferPool<PackedFlow>> {
    memory.buffers(LIST_RECORDS)
}

/// The number that stands for "no AWS service".
pub(super) const NO_SERVICE: u16 = u16::MAX;

/// One flow record, or the two of an exchange; addresses are codes of the unit's book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(super) struct PackedFlow {
    /// Of an exchange, bytes out in the lower half and bytes in in the upper.
    pub(super) bytes: u64,
    pub(super) host: u32,
    pub(super) remote: u32,
    /// Number of the ENI's name in the text book, [`NONE`] when the record names none.
    pub(super) interface: u32,
    /// Seconds since 1970; good until 2106.
    pub(super) start_s: u32,
    /// Of an exchange, packets out in the lower half and packets in in the upper.
    pub(super) packets: u32,
    pub(super) host_port: u16,
    pub(super) remote_port: u16,
    /// Seconds from the first to the last packet, at most 65,535.
    pub(super) duration_s: u16,
    pub(super) protocol: u8,
    /// Of an exchange, those of the outbound record.
    pub(super) tcp_flags: u8,
    pub(super) bits: u8,
    /// TCP flags of the inbound record of an exchange.
    pub(super) flags_in: u8,
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
        if self.is(BOTH_WAYS) {
            self.bytes = self.bytes.rotate_left(u32::BITS);
            self.packets = self.packets.rotate_left(u16::BITS);
            std::mem::swap(&mut self.tcp_flags, &mut self.flags_in);
        } else {
            self.bits ^= OUTBOUND;
        }
    }

    /// Flow records in this one.
    pub(super) fn records(&self) -> u32 {
        1 + u32::from(self.is(BOTH_WAYS))
    }

    /// Bytes and packets of the host (0) and of the remote (1).
    #[inline]
    pub(super) fn volumes(&self) -> [(u64, u32); 2] {
        if self.is(BOTH_WAYS) {
            let [out, back] = [self.bytes as u32, (self.bytes >> u32::BITS) as u32].map(u64::from);
            return [(out, self.packets & 0xffff), (back, self.packets >> u16::BITS)];
        }
        let mut volumes = [(0, 0); 2];
        volumes[usize::from(!self.is(OUTBOUND))] = (self.bytes, self.packets);
        volumes
    }

    /// Joins the two records of an exchange: those of one 5-tuple at one ENI that begin in the same second, one each way.
    /// The fold does the same with one record of both as with the two: `None` where it would not, or where numbers are
    /// too large for their halves.
    #[inline]
    pub(super) fn joined(&self, other: &Self) -> Option<Self> {
        let (out, back) = if self.is(OUTBOUND) { (self, other) } else { (other, self) };
        // Bits differ in the way alone; what is rejected has no answer, and a SYN decides how a connection begins.
        let is_exchange = (out.bits ^ back.bits == OUTBOUND)
            & !out.is(REJECTED | BOTH_WAYS)
            & (((out.tcp_flags ^ back.tcp_flags) & SYN) == 0)
            & (out.start_s == back.start_s)
            & (out.host_port == back.host_port)
            & (out.remote_port == back.remote_port)
            & (out.host == back.host)
            & (out.remote == back.remote)
            & (out.interface == back.interface)
            & (out.protocol == back.protocol)
            & (out.service == back.service);
        let fits = ((out.bytes | back.bytes) >> u32::BITS == 0) & ((out.packets | back.packets) >> u16::BITS == 0);
        (is_exchange && fits).then(|| Self {
            bytes: out.bytes | back.bytes << u32::BITS,
            packets: out.packets | back.packets << u16::BITS,
            duration_s: out.duration_s.max(back.duration_s),
            flags_in: back.tcp_flags,
            bits: out.bits | BOTH_WAYS,
            ..*out
        })
    }

    /// Orders the records of one pair by ports and start; of equals, by bits, the outbound record's TCP flags and duration.
    /// 96 bits.
    #[inline]
    pub(super) fn order(&self) -> u128 {
        let tuple = u64::from(self.host_port) << 48 | u64::from(self.remote_port) << 32 | u64::from(self.start_s);
        let rest = u32::from(self.bits) << 24 | u32::from(self.tcp_flags) << 16 | u32::from(self.duration_s);
        u128::from(tuple) << 32 | u128::from(rest)
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
        Some(bits) if bits < FIRST_INTERNED => part_of_code(bits),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange() -> (PackedFlow, PackedFlow) {
        let out = PackedFlow {
            bytes: 700,
            packets: 7,
            host: 1,
            remote: 2,
            host_port: 40_000,
            bits: OUTBOUND,
            tcp_flags: 2,
            ..PackedFlow::default()
        };
        (out, PackedFlow { bytes: 9_000, packets: 9, bits: 0, tcp_flags: 18, duration_s: 5, ..out })
    }

    #[test]
    fn an_exchange_has_both_volumes_from_either_end() {
        let (out, back) = exchange();
        let joined = out.joined(&back).unwrap();
        assert_eq!(back.joined(&out), Some(joined), "whichever comes first");
        assert_eq!((joined.records(), joined.duration_s), (2, 5));
        assert_eq!(joined.volumes(), [(700, 7), (9_000, 9)]);
        assert_eq!((joined.tcp_flags, joined.flags_in), (2, 18));
        let mut swapped = joined;
        swapped.swap();
        assert_eq!((swapped.host, swapped.remote, swapped.remote_port), (2, 1, 40_000));
        assert_eq!(swapped.volumes(), [(9_000, 9), (700, 7)]);
        assert_eq!((swapped.tcp_flags, swapped.flags_in), (18, 2));
        assert!(swapped.is(OUTBOUND));
    }

    #[test]
    fn what_is_no_exchange_or_too_large_stays_apart() {
        let (out, back) = exchange();
        let apart = |change: &dyn Fn(&mut PackedFlow)| {
            let mut other = back;
            change(&mut other);
            assert_eq!(out.joined(&other), None, "{other:?}");
        };
        apart(&|flow| flow.bits = OUTBOUND);
        apart(&|flow| flow.start_s += 1);
        apart(&|flow| flow.remote_port = 1);
        apart(&|flow| flow.host_port = 1);
        apart(&|flow| flow.remote = 9);
        apart(&|flow| flow.host = 9);
        apart(&|flow| flow.interface = 9);
        apart(&|flow| flow.protocol = 9);
        apart(&|flow| flow.service = 9);
        apart(&|flow| flow.bits = REJECTED);
        apart(&|flow| flow.tcp_flags = 16);
        apart(&|flow| flow.bytes = 1 << 32);
        apart(&|flow| flow.packets = 1 << 16);
        let joined = out.joined(&back).unwrap();
        assert_eq!(joined.joined(&back), None, "two make an exchange");
        let most = PackedFlow { bytes: u64::from(u32::MAX), packets: 0xffff, ..back };
        assert_eq!(out.joined(&most).unwrap().volumes(), [(700, 7), (u64::from(u32::MAX), 0xffff)]);
    }
}
