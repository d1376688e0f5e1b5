//! Flow records packed to 40 bytes, seen from the host whose ENI wrote them, and the parts that hosts are divided into.

use flow::Address;
use flow::codes::SYN;
use memory::{BufferPool, Memory};
use scan::{FIRST_INTERNED, NONE};
use std::sync::Arc;

/// The host sent the packets of the record.
pub(crate) const OUTBOUND: u8 = 1;

/// The record was rejected by a security group or network ACL.
pub(crate) const REJECTED: u8 = 2;

/// The file has TCP flags, so a connection starts at a SYN and nowhere else.
pub(crate) const FLAGS_KNOWN: u8 = 4;

/// Packet-level addresses differ from the ENI's: the record passed a NAT, a transit gateway or a pod network.
pub(crate) const TRANSLATED: u8 = 8;

/// The record does not say its direction; `host` is the sender until the ENI's own address is known.
pub(crate) const UNDECIDED: u8 = 16;

/// The ENI only forwards traffic.
pub(crate) const TRANSIT: u8 = 32;

/// An exchange: two records in one; see [`PackedFlow::joined`].
pub(crate) const BOTH_WAYS: u8 = 64;

/// On the ENI's own side the packets have another address than the ENI's: it carries them for a pod or a secondary
/// address, or forwards them for others.
pub(crate) const CARRIED: u8 = 128;

/// Records that fit into a list: 40 kB, small enough that half-filled lists of 128 parts do not matter.
pub(crate) const LIST_RECORDS: usize = 1_024;

/// Bytes of a list.
pub(crate) const LIST_BYTES: usize = LIST_RECORDS * size_of::<PackedFlow>();

/// Returns the run's pool of record lists.
pub(crate) fn record_lists(memory: &Memory) -> Arc<BufferPool<PackedFlow>> {
    memory.buffers(LIST_RECORDS)
}

/// Stands for "no AWS service".
pub(crate) const NO_SERVICE: u16 = u16::MAX;

/// One flow record, or the two of an exchange. Addresses are codes of the unit's interner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct PackedFlow {
    /// For an exchange: bytes out in the lower half, bytes in in the upper.
    pub(crate) bytes: u64,
    pub(crate) host: u32,
    pub(crate) remote: u32,
    /// Number of the ENI's name in the interner; [`NONE`] when the record names none.
    pub(crate) interface: u32,
    /// Seconds since 1970; good until 2106.
    pub(crate) start_s: u32,
    /// For an exchange: packets out in the lower half, packets in in the upper.
    pub(crate) packets: u32,
    pub(crate) host_port: u16,
    pub(crate) remote_port: u16,
    /// Seconds from the first to the last packet, at most 65,535.
    pub(crate) duration_s: u16,
    pub(crate) protocol: u8,
    /// For an exchange: the flags of the outbound record.
    pub(crate) tcp_flags: u8,
    pub(crate) bits: u8,
    /// For an exchange: the flags of the inbound record.
    pub(crate) flags_in: u8,
    /// Number of the AWS service, [`NO_SERVICE`] for none. Numbers follow the order of arrival until the unit is
    /// finished, then the order of names.
    pub(crate) service: u16,
}

impl PackedFlow {
    pub(crate) fn is(&self, bit: u8) -> bool {
        self.bits & bit != 0
    }

    pub(crate) fn end_s(&self) -> u32 {
        self.start_s.saturating_add(u32::from(self.duration_s))
    }

    /// Exchanges host and remote.
    pub(crate) fn swap(&mut self) {
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

    /// Returns how many flow records this one stands for.
    pub(crate) fn records(&self) -> u32 {
        1 + u32::from(self.is(BOTH_WAYS))
    }

    /// Returns bytes and packets sent by the host (0) and by the remote (1).
    #[inline]
    pub(crate) fn volumes(&self) -> [(u64, u32); 2] {
        if self.is(BOTH_WAYS) {
            let [out, back] = [self.bytes as u32, (self.bytes >> u32::BITS) as u32].map(u64::from);
            return [(out, self.packets & 0xffff), (back, self.packets >> u16::BITS)];
        }
        let mut volumes = [(0, 0); 2];
        volumes[usize::from(!self.is(OUTBOUND))] = (self.bytes, self.packets);
        volumes
    }

    /// Joins the two records of an exchange: records of one 5-tuple at one ENI that begin in the same second, one in
    /// each direction.
    ///
    /// The fold treats the joined record exactly as the two. `None` where it would not, or where a number does not fit
    /// into its half.
    #[inline]
    pub(crate) fn joined(&self, other: &Self) -> Option<Self> {
        let (out, back) = if self.is(OUTBOUND) { (self, other) } else { (other, self) };
        // The bits differ in the direction alone. A rejected record has no answer, and a SYN decides how a connection
        // begins.
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

    /// Returns a sort key of 96 bits for the records of one pair: ports, start, bits, the outbound record's TCP flags,
    /// duration.
    #[inline]
    pub(crate) fn order(&self) -> u128 {
        let tuple = u64::from(self.host_port) << 48 | u64::from(self.remote_port) << 32 | u64::from(self.start_s);
        let rest = u32::from(self.bits) << 24 | u32::from(self.tcp_flags) << 16 | u32::from(self.duration_s);
        u128::from(tuple) << 32 | u128::from(rest)
    }
}

/// Parts that hosts are divided into, so that the records of one part fit the caches when they are folded.
///
/// All tables of all units share the division: everything about one host is in the same part of each.
pub(crate) const PARTS: usize = 128;

const PART_BITS: u32 = PARTS.trailing_zeros();

/// Returns the part of a host whose address is its own code.
#[inline]
pub(crate) fn part_of_code(code: u32) -> usize {
    (code.wrapping_mul(0x9e37_79b1) >> (u32::BITS - PART_BITS)) as usize
}

/// Returns the part of any host, by its address.
pub(crate) fn part_of(host: Address) -> usize {
    match host.v4_bits() {
        Some(bits) if bits < FIRST_INTERNED => part_of_code(bits),
        _ => {
            let folded = host.bits() as u64 ^ (host.bits() >> 64) as u64;
            (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - PART_BITS)) as usize
        }
    }
}

/// Returns the host's and the remote's value, given those of source and destination. The host is the destination of an
/// `ingress` record, else the source.
#[inline]
pub(crate) fn ends(ingress: bool, [source, destination]: [u32; 2]) -> [u32; 2] {
    let other = (source ^ destination) & u32::from(ingress).wrapping_neg();
    [source ^ other, destination ^ other]
}

/// Returns whether both codes are IPv4 addresses in one network of 16 bits, the largest that AWS gives a subnet. The
/// secondary addresses of an ENI and its pods lie in the ENI's subnet.
#[inline]
pub(crate) const fn may_share_subnet(a: u32, b: u32) -> bool {
    a < FIRST_INTERNED && b < FIRST_INTERNED && a >> 16 == b >> 16
}

/// Returns whether a code is a private IPv4 address: RFC 1918 or RFC 6598.
#[inline]
pub(crate) const fn is_private_v4(code: u32) -> bool {
    (code >> 24 == 10) | (code >> 20 == 0xac1) | (code >> 16 == 0xc0a8) | (code >> 22 == 0x191)
}

/// Returns whether a number of an interner stands for a value.
pub(crate) const fn is_some(number: u32) -> bool {
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
