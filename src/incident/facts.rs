//! What incidents are made from, besides findings: the pairs of implicated hosts, and how many call a service.

use flow::Address;
use flow::codes::{Role, TCP};
use flow::time::HOUR_S;
use rollup::window::Window;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A host, as incidents tell hosts apart: the accounts and regions of an organisation may use the same private addresses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostKey {
    /// The AWS account; empty where the logs do not name it.
    pub account_id: String,
    /// The AWS region; empty where the logs do not name it.
    pub region: String,
    /// The address.
    pub address: Address,
}

/// A row of `pairs` of an implicated host.
#[derive(Debug, Clone, PartialEq)]
pub struct PairFact {
    /// The monitored side.
    pub host: HostKey,
    /// The other side.
    pub remote: Address,
    /// The port of the service; 0 for protocols without ports.
    pub port: u16,
    /// The IANA protocol number.
    pub protocol: u8,
    /// Whether `host` opened the connections.
    pub role: Role,
    /// Whether `remote` lies outside.
    pub external: bool,
    /// Connections in the window.
    pub connections: u64,
    /// Records in the window, and how many of them were rejected.
    pub records: u64,
    /// Rejected records.
    pub rejected: u64,
    /// Bytes from `host` to `remote`.
    pub bytes_out: u64,
    /// Bytes from `remote` to `host`.
    pub bytes_in: u64,
    /// Packets from `remote` to `host`.
    pub packets_in: u64,
    /// First second in the window.
    pub first_seen_s: i64,
    /// Last second in the window.
    pub last_seen_s: i64,
    /// The longest connection, in seconds.
    pub longest_s: u64,
    /// Hours of the window with records.
    pub active_hours: u32,
    /// Whether the two had not met before the window, or not long enough to be known; `None` without history.
    pub first_contact: Option<bool>,
    /// Bytes from `host` to `remote` in the baseline; `None` without history.
    pub baseline_bytes_out: Option<u64>,
    /// Hours of the baseline with records; `None` without history.
    pub baseline_hours: Option<u64>,
    /// The first second in the baseline; `None` where the two had not met, or without history.
    pub baseline_first_seen_s: Option<i64>,
    /// Hosts that contact `remote`.
    pub prevalence_hosts: u64,
    /// The aggregation window of its records, in seconds; 0 where not known.
    pub window_s: u32,
    /// Starts of connections in the window, ascending; empty where the run did not keep them.
    pub starts_s: Vec<i64>,
}

impl PairFact {
    /// Returns whether the other side took part: bytes both ways, not all rejected, and more than the reset by which a
    /// closed TCP port answers each try.
    #[must_use]
    pub fn answered(&self) -> bool {
        let from_server = if self.role == Role::Client { self.bytes_in } else { self.bytes_out };
        let only_resets = self.protocol == TCP && from_server <= RESET_BYTES * self.connections;
        self.bytes_in > 0 && self.bytes_out > 0 && self.connections > 0 && self.rejected < self.records && !only_resets
    }

    /// Returns when the two met first, in baseline or window.
    #[must_use]
    pub fn met_s(&self) -> i64 {
        self.baseline_first_seen_s.unwrap_or(self.first_seen_s)
    }

    /// Returns whether the history knows the pair as a habit; `false` without history.
    #[must_use]
    pub fn is_habit(&self) -> bool {
        self.first_contact == Some(false)
    }

    /// Returns whether the service is one by which hosts are administered.
    #[must_use]
    pub fn is_management(&self) -> bool {
        self.protocol == TCP && MANAGEMENT_PORTS.contains(&self.port)
    }

    /// Returns the first start at or after a second, as far as the pair tells it: a kept start, else the first or last
    /// second of the pair.
    #[must_use]
    pub fn first_start_after_s(&self, second: i64) -> Option<i64> {
        let kept = self.starts_s.get(self.starts_s.partition_point(|start| *start < second)).copied();
        let ends = || [self.first_seen_s, self.last_seen_s].into_iter().find(|end| *end >= second);
        kept.or_else(ends)
    }

    /// Returns the last start at or before a second, as far as the pair tells it: a kept start, else its first second.
    #[must_use]
    pub fn last_start_by_s(&self, second: i64) -> Option<i64> {
        let later = self.starts_s.partition_point(|start| *start <= second);
        let kept = later.checked_sub(1).and_then(|last| self.starts_s.get(last)).copied();
        kept.or_else(|| Some(self.first_seen_s).filter(|first| *first <= second))
    }
}

/// What is known of the run.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The window and its history.
    pub window: Window,
    /// Monitored hosts in the window.
    pub hosts: u64,
    /// The pairs of implicated hosts, by host, each sorted by role, remote, port and protocol.
    pub pairs: BTreeMap<HostKey, Vec<PairFact>>,
    /// Inside hosts that use a service of an inside host: at least [`MIN_DEGREE`], others are not kept.
    pub in_degree: HashMap<(HostKey, u16), u64>,
    /// Inside services that each implicated host opens by habit, all its pairs counted.
    pub out_degree: HashMap<HostKey, u64>,
    /// Where the addresses of implicated hosts and of their remotes are logged, in the order of account and region.
    pub places: HashMap<Address, Vec<Place>>,
    /// Hosts that seem to forward for others: what they do may be another's.
    pub relays: BTreeSet<Address>,
}

/// An address that is logged in an account and region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The host.
    pub host: HostKey,
    /// Its network interface.
    pub interface_id: Option<String>,
    /// Its instance.
    pub instance_id: Option<String>,
    /// Its VPC.
    pub vpc_id: Option<String>,
}

/// A closed port answers with a segment of at most so many bytes.
const RESET_BYTES: u64 = 60;

/// Fewest inside services that a host opens by habit for its calls to say little.
const MIN_OPENED: u64 = 100;

/// Services that fewer hosts use are not counted.
pub const MIN_DEGREE: u64 = 10;

/// Ports over which hosts are administered: who may use them owns the host.
pub const MANAGEMENT_PORTS: [u16; 12] = [22, 23, 135, 139, 445, 2375, 3389, 5900, 5985, 5986, 6443, 10_250];

impl Facts {
    /// Returns the facts of a run without pairs.
    #[must_use]
    pub fn new(window: Window, hosts: u64) -> Self {
        Self {
            window,
            hosts,
            pairs: BTreeMap::new(),
            in_degree: HashMap::new(),
            out_degree: HashMap::new(),
            places: HashMap::new(),
            relays: BTreeSet::new(),
        }
    }

    /// Returns the length of the history before the window, in whole hours.
    #[must_use]
    pub fn history_hours(&self) -> u64 {
        u64::try_from((self.window.from_s - self.window.baseline_from_s) / HOUR_S).unwrap_or(0)
    }

    /// Returns where an address is logged.
    #[must_use]
    pub fn places_of(&self, address: Address) -> &[Place] {
        self.places.get(&address).map_or(&[], Vec::as_slice)
    }

    /// Returns the host that an inside remote of `host` is: that of the same account and region, else the only one that
    /// is logged with the address. `None` where none or several are: accounts may use the same addresses.
    #[must_use]
    pub fn host_behind(&self, host: &HostKey, remote: Address) -> Option<&HostKey> {
        let places = self.places_of(remote);
        let near = |place: &&Place| place.host.account_id == host.account_id && place.host.region == host.region;
        match (places.iter().find(near), places) {
            (Some(place), _) | (None, [place]) => Some(&place.host),
            _ => None,
        }
    }

    /// Returns what the place of a host tells of it.
    #[must_use]
    pub fn place_of(&self, host: &HostKey) -> Option<&Place> {
        self.places_of(host.address).iter().find(|place| place.host == *host)
    }

    /// Returns whether a host opens so many inside services by habit that one more says nothing, as scanners and
    /// monitoring do: more than 100 and 5 % of all hosts.
    #[must_use]
    pub fn calls_everyone(&self, host: &HostKey) -> bool {
        self.out_degree.get(host).is_some_and(|opened| *opened > MIN_OPENED.max(self.hosts / 20))
    }

    /// Returns the pairs of a host; none where it is not implicated.
    #[must_use]
    pub fn pairs_of(&self, host: &HostKey) -> &[PairFact] {
        self.pairs.get(host).map_or(&[], Vec::as_slice)
    }

    /// Returns how many inside hosts use a service of an inside host; 0 where fewer than [`MIN_DEGREE`].
    #[must_use]
    pub fn clients_of(&self, host: &HostKey, port: u16) -> u64 {
        self.in_degree.get(&(host.clone(), port)).copied().unwrap_or(0)
    }

    /// Returns whether so many hosts use a service that its use says nothing: more than 20 and 2 % of all.
    #[must_use]
    pub fn is_hub(&self, host: &HostKey, port: u16) -> bool {
        self.is_crowd(self.clients_of(host, port))
    }

    /// Returns whether so many clients make a hub.
    #[must_use]
    pub fn is_crowd(&self, clients: u64) -> bool {
        clients > 20.max(self.hosts / 50)
    }
}
