//! What a unit knows of each ENI: the texts that describe it, its addresses, how long its windows are, whether it is a
//! gateway's, and what was logged of it.
//!
//! A *gateway* is a NAT gateway, a transit gateway or a load balancer: all that its ENIs do is forward traffic. NAT
//! instances and appliances are not meant; `fold/resolve_hosts` recognises them by their records.

use super::address_code::has_value;
use super::coverage_hours::CoverageHours;
use flow::Address;
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use scan::NONE;

/// Longest record of a log with windows of 60 seconds, in seconds.
pub(crate) const MAX_SHORT_RECORD_S: u16 = 65;

/// Sentinel: no object.
const NO_OBJECT: u32 = u32::MAX;

/// A text that describes an ENI. Where several objects have it, the value of the first object counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FirstValue {
    /// Number of the text in the interner; [`NONE`] where the log does not have it.
    pub(crate) number: u32,
    /// Index of the object among the unit's objects; [`NO_OBJECT`] where no object has the field.
    object: u32,
}

impl FirstValue {
    pub(crate) fn new(number: u32, object: u32) -> Self {
        Self { number, object }
    }

    /// Keeps the value of the first object, whichever was read first.
    pub(super) fn merge(&mut self, other: Self) {
        if other.object < self.object {
            *self = other;
        }
    }
}

impl Default for FirstValue {
    fn default() -> Self {
        Self { number: NONE, object: NO_OBJECT }
    }
}

/// The texts that describe an ENI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct InterfaceTexts {
    pub(crate) account: FirstValue,
    pub(crate) instance: FirstValue,
    pub(crate) vpc: FirstValue,
    pub(crate) subnet: FirstValue,
    /// `interface_type`.
    pub(crate) kind: FirstValue,
    pub(crate) region: FirstValue,
}

impl InterfaceTexts {
    pub(super) fn merge(&mut self, other: &Self) {
        self.account.merge(other.account);
        self.instance.merge(other.instance);
        self.vpc.merge(other.vpc);
        self.subnet.merge(other.subnet);
        self.kind.merge(other.kind);
        self.region.merge(other.region);
    }
}

/// One ENI, as its records describe it. Addresses are codes, as in [`super::packed::PackedFlow`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Interface {
    pub(crate) texts: InterfaceTexts,
    /// Packet-level addresses differed from the ENI's in some record.
    pub(crate) translates: bool,
    /// In a log without packet-level addresses, some record has a private IPv4 address on the ENI's own side.
    pub(crate) has_private_address: bool,
    /// The ENI's own addresses in records whose packet-level address on its side is another
    /// ([`super::packed::CARRIED`]).
    pub(crate) carrier_addresses: HashSet<u32, FixedState>,
    /// Some records were put into the part of the host that they name, since nothing in their object suggested a
    /// gateway.
    pub(crate) has_resolved_records: bool,
    /// Seconds of the longest record.
    pub(crate) longest_record_s: u16,
    /// Number of records that name each address at either end. Only records without a direction are counted; they do
    /// not say which end is the ENI's own.
    pub(crate) records_naming: HashMap<u32, u32, FixedState>,
    pub(crate) hours: CoverageHours,
}

impl Interface {
    /// Returns whether `instance_id` is logged and is `-`: the ENI is requester-managed.
    pub(crate) fn has_no_instance(&self) -> bool {
        self.texts.instance.object != NO_OBJECT && !has_value(self.texts.instance.number)
    }

    /// Returns the aggregation interval in seconds, 60 or 600, judged by the longest record.
    pub(crate) fn window_s(&self) -> u32 {
        if self.longest_record_s <= MAX_SHORT_RECORD_S { 60 } else { 600 }
    }

    /// Returns whether the ENI is a gateway's. `kind` is its `interface_type` where logged (version 11). Where it is
    /// not, a requester-managed ENI with packet-level addresses other than its own is a NAT or transit gateway's.
    pub(crate) fn is_gateway(&self, kind: Option<&str>) -> bool {
        match kind {
            Some(kind) => is_gateway_kind(kind),
            None => self.has_no_instance() && self.translates,
        }
    }

    /// Returns the code of the ENI's own address, IPv4 (`v4`) or IPv6, among those of records without a direction: the
    /// one that most records name. Among equals, an address that `is_ours` comes first, then the lowest.
    ///
    /// An ENI that talked to a single remote names both addresses equally often.
    pub(crate) fn own_address(
        &self,
        v4: bool,
        address_of: impl Fn(u32) -> Address,
        is_ours: impl Fn(Address) -> bool,
    ) -> Option<u32> {
        let named = self.records_naming.iter().map(|(code, records)| (*code, *records, address_of(*code)));
        let of_family = named.filter(|(_, _, address)| address.is_v4() == v4);
        of_family
            .max_by_key(|(_, records, address)| (*records, is_ours(*address), std::cmp::Reverse(*address)))
            .map(|(code, _, _)| code)
    }

    /// Returns the prefix of the ENI's VPC: that of its own IPv6 address, if more records name this address than any
    /// other and there is another.
    pub(crate) fn vpc_prefix(&self, address_of: impl Fn(u32) -> Address) -> Option<VpcPrefix> {
        let named = self.records_naming.iter().map(|(code, records)| (*records, address_of(*code)));
        let mut named: Vec<(u32, Address)> = named.filter(|(_, address)| !address.is_v4()).collect();
        named.sort_unstable_by(|a, b| b.cmp(a));
        match named[..] {
            [(most, own), (next, _), ..] if most > next => Some(vpc_prefix(own)),
            _ => None,
        }
    }

    /// Merges what another object knows of the same ENI. The order of objects does not matter.
    pub(super) fn merge(&mut self, other: &Interface) {
        self.texts.merge(&other.texts);
        self.translates |= other.translates;
        self.has_private_address |= other.has_private_address;
        self.carrier_addresses.extend(&other.carrier_addresses);
        self.has_resolved_records |= other.has_resolved_records;
        self.longest_record_s = self.longest_record_s.max(other.longest_record_s);
        for (code, records) in &other.records_naming {
            *self.records_naming.entry(*code).or_default() += records;
        }
        self.hours.merge(&other.hours);
    }
}

/// Returns whether an `interface_type` is that of a gateway.
pub(crate) fn is_gateway_kind(kind: &str) -> bool {
    kind.contains("nat_gateway") || kind.contains("transit_gateway") || kind.contains("load_balancer")
}

/// The first 56 bits of an IPv6 address: AWS gives a VPC a network of this length. Hosts have public IPv6 addresses, so
/// no list of internal networks can recognise them; but the addresses of neighbouring ENIs have the same prefix.
pub(crate) type VpcPrefix = u128;

/// Length of a [`VpcPrefix`].
pub(crate) const VPC_PREFIX_BITS: u32 = 56;

/// Returns the prefix of an IPv6 address.
pub(crate) fn vpc_prefix(address: Address) -> VpcPrefix {
    address.bits() >> (u128::BITS - VPC_PREFIX_BITS)
}
