//! What the fold of records needs to know of their unit: its ENIs, and the order of its texts and addresses.

use crate::options::IsInternal;
use crate::unit::address_code::has_value;
use crate::unit::interface::VPC_PREFIX_BITS;
use crate::unit::packed::{NAME_BITS, NAME_MASK, PackedFlow};
use flow::Address;
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use memory::lock;
use scan::{FIRST_INTERNED, NONE, address_of};
use std::sync::Mutex;

/// An ENI, once all records of the unit are in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InterfaceFacts {
    pub(crate) owner: u32,
    pub(crate) name_rank: u32,
    pub(crate) window_s: u32,
    /// See [`crate::unit::interface::Interface::is_gateway`]; false for records that name no ENI.
    pub(crate) is_gateway: bool,
    /// See [`crate::unit::interface::Interface::has_private_address`].
    pub(crate) has_private_address: bool,
    /// The ENI's own IPv4 and IPv6 address by code, [`NONE`] if unknown.
    pub(crate) own: [u32; 2],
}

impl InterfaceFacts {
    /// Returns whether an address, by code, is the ENI's own.
    pub(crate) fn owns(&self, code: u32) -> bool {
        has_value(code) && self.own.contains(&code)
    }
}

impl Default for InterfaceFacts {
    fn default() -> Self {
        Self { owner: 0, name_rank: NONE, window_s: 60, is_gateway: false, has_private_address: false, own: [NONE; 2] }
    }
}

/// ENIs by the number of their name in the interner.
#[derive(Debug, Default)]
pub(crate) struct InterfaceFactsList {
    by_name: Vec<Option<InterfaceFacts>>,
    nameless: InterfaceFacts,
    /// The numbers of ENIs in records have the number of the flow log above that of the name.
    have_flow_logs: bool,
    /// Networks of the addresses with which an ENI carries or forwards packets of other addresses.
    carrier_networks: HashMap<u32, Vec<CarrierNetwork>, FixedState>,
    /// ENIs that forwarded a record, by the number of their name.
    forwarding: Mutex<HashSet<u32, FixedState>>,
}

/// The largest network that an ENI's secondary addresses and pods may lie in: 16 bits for IPv4, 56 bits for IPv6.
pub(super) type CarrierNetwork = (bool, u128);

/// Returns the network around an ENI's address.
pub(super) fn carrier_network(address: Address) -> CarrierNetwork {
    let bits = if address.is_v4() { 16 } else { u128::BITS - VPC_PREFIX_BITS };
    (address.is_v4(), address.bits() >> bits)
}

impl InterfaceFactsList {
    /// Makes the list; `have_flow_logs` where records tell several flow logs apart
    /// ([`crate::unit::packed::with_flow_log`]).
    pub(crate) fn new(facts: impl Iterator<Item = (u32, InterfaceFacts)>, have_flow_logs: bool) -> Self {
        let mut list = Self { have_flow_logs, ..Self::default() };
        for (name, facts) in facts {
            if name == NONE {
                list.nameless = facts;
                continue;
            }
            let index = name as usize;
            if list.by_name.len() <= index {
                list.by_name.resize(index + 1, None);
            }
            list.by_name[index] = Some(facts);
        }
        list
    }

    /// Returns the list with the networks around the addresses with which ENIs carry or forward.
    pub(super) fn with_carriers(mut self, networks: impl Iterator<Item = (u32, Vec<CarrierNetwork>)>) -> Self {
        self.carrier_networks = networks.collect();
        self
    }

    /// Returns whether an address may be one that the record's ENI carries: a pod's or a secondary address.
    pub(super) fn carries(&self, flow: &PackedFlow, address: Address) -> bool {
        let networks = self.carrier_networks.get(&self.name(flow));
        networks.is_some_and(|networks| networks.contains(&carrier_network(address)))
    }

    /// Notes that some ENIs forward for others.
    pub(super) fn note_forwarding(&self, interfaces: HashSet<u32, FixedState>) {
        if !interfaces.is_empty() {
            lock(&self.forwarding).extend(interfaces);
        }
    }

    /// Returns the ENIs that forwarded a record.
    pub(super) fn forwarding(&self) -> HashSet<u32, FixedState> {
        lock(&self.forwarding).clone()
    }

    /// Returns the facts of a record's ENI.
    #[inline]
    pub(crate) fn of(&self, flow: &PackedFlow) -> &InterfaceFacts {
        self.of_number(flow.interface)
    }

    #[inline]
    fn of_number(&self, interface: u32) -> &InterfaceFacts {
        self.by_name.get(self.name_number(interface) as usize).and_then(Option::as_ref).unwrap_or(&self.nameless)
    }

    /// Returns the number of the name of a record's ENI, [`NONE`] for none.
    #[inline]
    pub(super) fn name(&self, flow: &PackedFlow) -> u32 {
        if flow.interface == NONE { NONE } else { self.name_number(flow.interface) }
    }

    #[inline]
    fn name_number(&self, interface: u32) -> u32 {
        if self.have_flow_logs { interface & NAME_MASK } else { interface }
    }

    /// Returns whether records of several flow logs are told apart.
    pub(super) fn have_flow_logs(&self) -> bool {
        self.have_flow_logs
    }

    /// Returns whether the numbers in two records stand for one ENI.
    pub(super) fn is_same_interface(&self, a: u32, b: u32) -> bool {
        self.name_number(a) == self.name_number(b)
    }

    /// Returns the order of the log that a number in a record stands for: the rank of the ENI's name, then the number of
    /// the flow log.
    pub(super) fn log_order(&self, interface: u32) -> (u32, u32) {
        let has_flow_log = self.have_flow_logs && interface != NONE;
        (self.of_number(interface).name_rank, if has_flow_log { interface >> NAME_BITS } else { 0 })
    }
}

/// The names of ENIs in order: names by rank, and ranks by number.
pub(crate) struct TextRanks {
    pub(super) sorted: Vec<String>,
    pub(super) rank: Vec<u32>,
}

impl TextRanks {
    /// Ranks the texts of some numbers, which may repeat. Other texts get no rank.
    pub(super) fn new(texts: &[String], numbers: impl Iterator<Item = u32>) -> Self {
        let mut order: Vec<u32> = numbers.filter(|number| (*number as usize) < texts.len()).collect();
        order.sort_unstable_by(|a, b| (&texts[*a as usize], a).cmp(&(&texts[*b as usize], b)));
        order.dedup();
        let mut rank = vec![NONE; texts.len()];
        for (at, number) in order.iter().enumerate() {
            rank[*number as usize] = at as u32;
        }
        let sorted = order.iter().map(|number| texts[*number as usize].clone()).collect();
        Self { sorted, rank }
    }

    pub(super) fn of(&self, number: u32) -> u32 {
        self.rank.get(number as usize).copied().unwrap_or(NONE)
    }
}

/// What the fold of records needs to know of their unit.
pub(crate) struct UnitFacts<'a> {
    pub(crate) interfaces: InterfaceFactsList,
    /// All records are of owner 0.
    pub(super) one_owner: bool,
    /// Some records of gateways are already in the part of the host that they name, and have to be resolved after all.
    pub(crate) late_gateway: bool,
    /// Rank of each address, by its index in the interner.
    pub(crate) address_rank: Vec<u32>,
    /// Addresses that are not their own code, sorted.
    pub(crate) addresses: Vec<Address>,
    pub(super) service_rank: Vec<u16>,
    pub(super) is_internal: &'a IsInternal<'a>,
}

impl UnitFacts<'_> {
    pub(crate) fn is_internal(&self, code: u32) -> bool {
        (self.is_internal)(address_of(code, &self.addresses))
    }
}

/// Returns the rank of each address, and the addresses by rank.
pub(crate) fn address_ranks(addresses: &[Address]) -> (Vec<u32>, Vec<Address>) {
    let mut order: Vec<u32> = (0..addresses.len() as u32).collect();
    order.sort_unstable_by_key(|index| addresses[*index as usize]);
    let mut rank = vec![0; addresses.len()];
    for (at, index) in order.iter().enumerate() {
        rank[*index as usize] = at as u32;
    }
    (rank, order.iter().map(|index| addresses[*index as usize]).collect())
}

/// Replaces a code by one that sorts as its address does.
#[inline]
pub(crate) fn ranked(code: u32, address_rank: &[u32]) -> u32 {
    match code.checked_sub(FIRST_INTERNED) {
        None => code,
        Some(index) => FIRST_INTERNED + address_rank.get(index as usize).copied().unwrap_or(0),
    }
}
