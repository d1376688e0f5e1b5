//! Flow records packed to 40 bytes, seen from their host.

use flow::codes::SYN;
use memory::{BufferPool, Memory};
use scan::NONE;
use std::sync::Arc;

/// One flow record, or the two of an exchange: records of one 5-tuple at one ENI that begin in the same second, one in
/// each direction.
///
/// Addresses are codes: an IPv4 address below [`scan::FIRST_INTERNED`] is its own code, any other has a code of the
/// unit's address interner. Texts are numbers of the unit's text interner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct PackedFlow {
    /// For an exchange: bytes out in the lower half, bytes in in the upper.
    pub(crate) bytes: u64,
    /// Code of the host, the end on the ENI's own side.
    pub(crate) host: u32,
    /// Code of the other end.
    pub(crate) remote: u32,
    /// Number of the ENI's name; [`NONE`] when the record names none.
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
    /// Any of [`OUTBOUND`], [`REJECTED`], [`FLAGS_KNOWN`], [`TRANSLATED`], [`UNDECIDED`], [`TRANSIT`], [`EXCHANGE`] and
    /// [`CARRIED`].
    pub(crate) bits: u8,
    /// For an exchange: the flags of the inbound record; else 0.
    pub(crate) flags_in: u8,
    /// Number of the AWS service in [`super::service_numbers`], [`NO_SERVICE`] for none. Numbers follow the order of
    /// arrival until the unit is finished, then the order of names.
    pub(crate) service: u16,
}

/// The host sent the packets of the record. An exchange has this bit, too.
pub(crate) const OUTBOUND: u8 = 1;

/// The record was rejected by a security group or network ACL.
pub(crate) const REJECTED: u8 = 2;

/// The file has TCP flags, so a connection starts at a SYN and nowhere else.
pub(crate) const FLAGS_KNOWN: u8 = 4;

/// Packet-level addresses differ from the ENI's: the record passed a NAT, a transit gateway or a pod network.
pub(crate) const TRANSLATED: u8 = 8;

/// The record does not say its direction, so which end is the host is open. `host` is the sender until the ENI's own
/// address is known.
pub(crate) const UNDECIDED: u8 = 16;

/// The ENI forwarded the packets for the host, as those of gateways and NAT instances do. Known only once the unit is
/// complete.
pub(crate) const TRANSIT: u8 = 32;

/// Two records in one; see [`PackedFlow::exchange_with`].
pub(crate) const EXCHANGE: u8 = 64;

/// `host` is not the ENI's own address: the ENI carries the packets of a pod or of a secondary address, or forwards
/// them for another host.
pub(crate) const CARRIED: u8 = 128;

/// Stands for "no AWS service".
pub(crate) const NO_SERVICE: u16 = u16::MAX;

impl PackedFlow {
    /// Returns whether the record has any of some bits.
    pub(crate) fn is(&self, bits: u8) -> bool {
        self.bits & bits != 0
    }

    /// Returns the second of the last packet, since 1970.
    pub(crate) fn end_s(&self) -> u32 {
        self.start_s.saturating_add(u32::from(self.duration_s))
    }

    /// Swaps host and remote, and with them ports, direction, volumes and flags.
    pub(crate) fn swap(&mut self) {
        std::mem::swap(&mut self.host, &mut self.remote);
        std::mem::swap(&mut self.host_port, &mut self.remote_port);
        if self.is(EXCHANGE) {
            self.bytes = self.bytes.rotate_left(u32::BITS);
            self.packets = self.packets.rotate_left(u16::BITS);
            std::mem::swap(&mut self.tcp_flags, &mut self.flags_in);
        } else {
            self.bits ^= OUTBOUND;
        }
    }

    /// Returns the records of an exchange, or the record itself.
    pub(crate) fn halves(&self) -> [Option<Self>; 2] {
        if !self.is(EXCHANGE) {
            return [Some(*self), None];
        }
        let volumes = self.volumes();
        let bits = self.bits & !EXCHANGE;
        let half = |side: usize, bits: u8, tcp_flags: u8| {
            let (bytes, packets) = volumes[side];
            Some(Self { bytes, packets, bits, tcp_flags, flags_in: 0, ..*self })
        };
        [half(0, bits | OUTBOUND, self.tcp_flags), half(1, bits & !OUTBOUND, self.flags_in)]
    }

    /// Returns how many flow records this one stands for.
    pub(crate) fn records(&self) -> u32 {
        1 + u32::from(self.is(EXCHANGE))
    }

    /// Returns bytes and packets sent by the host (0) and by the remote (1).
    #[inline]
    pub(crate) fn volumes(&self) -> [(u64, u32); 2] {
        if self.is(EXCHANGE) {
            let [out, back] = [self.bytes as u32, (self.bytes >> u32::BITS) as u32].map(u64::from);
            return [(out, self.packets & 0xffff), (back, self.packets >> u16::BITS)];
        }
        let mut volumes = [(0, 0); 2];
        volumes[usize::from(!self.is(OUTBOUND))] = (self.bytes, self.packets);
        volumes
    }

    /// Returns the exchange of this record and `other`, in whichever order. `None` when the two are no exchange, or
    /// when a number does not fit into its half.
    ///
    /// An exchange and its two records are folded to the same rows.
    #[inline]
    pub(crate) fn exchange_with(&self, other: &Self) -> Option<Self> {
        let (out, back) = if self.is(OUTBOUND) { (self, other) } else { (other, self) };
        // Of the bits, only the direction may differ. A rejected record has no answer. A SYN decides how a connection
        // begins, so both records have one or neither has.
        let is_exchange = (out.bits ^ back.bits == OUTBOUND)
            & !out.is(REJECTED | EXCHANGE)
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
            bits: out.bits | EXCHANGE,
            ..*out
        })
    }

    /// Returns the record's sort key among those of its pair, 96 bits: ports, start, bits, `tcp_flags`, duration. Sorts
    /// append the index of the record in the lowest 32 bits of a `u128`.
    #[inline]
    pub(crate) fn order(&self) -> u128 {
        let tuple = u64::from(self.host_port) << 48 | u64::from(self.remote_port) << 32 | u64::from(self.start_s);
        let rest = u32::from(self.bits) << 24 | u32::from(self.tcp_flags) << 16 | u32::from(self.duration_s);
        u128::from(tuple) << 32 | u128::from(rest)
    }
}

/// Bits of [`PackedFlow::interface`] that number the name where a unit has several flow logs; the bits above number the
/// flow log from 1 on.
pub(crate) const NAME_BITS: u32 = 24;

/// The lower [`NAME_BITS`] bits.
pub(crate) const NAME_MASK: u32 = (1 << NAME_BITS) - 1;

/// Returns the number of a name together with that of a flow log, which begin at 0. More than 255 flow logs share the
/// last number. There are never so many names; such an ENI would have none.
pub(crate) fn with_flow_log(name: u32, flow_log: u32) -> u32 {
    if name < NAME_MASK { name | (flow_log + 1).min(0xff) << NAME_BITS } else { NONE }
}

/// Records of a full list. Records are collected in lists, one open list for each part of hosts; 40 kB are few enough
/// that 128 open lists do not matter.
pub(crate) const LIST_RECORDS: usize = 1_024;

/// Bytes of a full list.
pub(crate) const LIST_BYTES: usize = LIST_RECORDS * size_of::<PackedFlow>();

/// Returns the pool of empty lists that all units of a run share.
pub(crate) fn record_lists(memory: &Memory) -> Arc<BufferPool<PackedFlow>> {
    memory.buffers(LIST_RECORDS)
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
        let joined = out.exchange_with(&back).unwrap();
        assert_eq!(back.exchange_with(&out), Some(joined), "whichever comes first");
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
            assert_eq!(out.exchange_with(&other), None, "{other:?}");
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
        let joined = out.exchange_with(&back).unwrap();
        assert_eq!(joined.exchange_with(&back), None, "two make an exchange");
        let with_duration = |flow| Some(PackedFlow { duration_s: 5, ..flow });
        assert_eq!(joined.halves(), [with_duration(out), with_duration(back)]);
        assert_eq!(out.halves(), [Some(out), None]);
        let most = PackedFlow { bytes: u64::from(u32::MAX), packets: 0xffff, ..back };
        assert_eq!(out.exchange_with(&most).unwrap().volumes(), [(700, 7), (u64::from(u32::MAX), 0xffff)]);
    }
}
