//! What the walk gathers of a pair.

use crate::merge::{NamesAt, PairKey};
use flow::codes::Role;

/// A pair in the history before the window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Baseline {
    pub(crate) hours: u32,
    pub(crate) connections: u64,
    pub(crate) bytes_out: u64,
    pub(crate) max_hour_bytes_out: u64,
    pub(crate) first_s: i64,
}

impl Default for Baseline {
    fn default() -> Self {
        Self { hours: 0, connections: 0, bytes_out: 0, max_hour_bytes_out: 0, first_s: i64::MAX }
    }
}

/// A pair over baseline and window together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PairLifetime {
    /// First packet's second since 1970, `u32::MAX` for none.
    pub(crate) first_s: u32,
    pub(crate) last_s: u32,
    pub(crate) bytes_out: u64,
}

impl Default for PairLifetime {
    fn default() -> Self {
        Self { first_s: u32::MAX, last_s: 0, bytes_out: 0 }
    }
}

/// One pair over the window, with its history.
#[derive(Clone, Debug)]
pub(crate) struct PairRecord {
    pub(crate) key: PairKey,
    /// Names of ENI and service.
    pub(crate) sample: NamesAt,
    pub(crate) external: bool,
    /// There are enough starts for a statistic.
    pub(crate) keeps_starts: bool,
    pub(crate) connections: u64,
    pub(crate) records: u64,
    pub(crate) rejected: u64,
    pub(crate) bytes_out: u64,
    pub(crate) bytes_in: u64,
    pub(crate) packets_out: u64,
    pub(crate) packets_in: u64,
    pub(crate) max_hour_bytes_out: u64,
    pub(crate) longest_s: i64,
    pub(crate) segments_dropped: u64,
    pub(crate) first_s: u32,
    pub(crate) last_s: u32,
    pub(crate) active_hours: u32,
    pub(crate) window_s: u32,
    /// Number of starts in the shard's list.
    pub(crate) starts: u32,
    /// Number of sizes in the shard's list.
    pub(crate) sizes: u32,
    /// Number of starts in the shard's list of slow pairs.
    pub(crate) slow_starts: u32,
    pub(crate) baseline: Option<Box<Baseline>>,
}

impl PairRecord {
    pub(crate) fn new(key: PairKey, sample: NamesAt, external: bool) -> Self {
        Self {
            key,
            sample,
            external,
            keeps_starts: false,
            connections: 0,
            records: 0,
            rejected: 0,
            bytes_out: 0,
            bytes_in: 0,
            packets_out: 0,
            packets_in: 0,
            max_hour_bytes_out: 0,
            longest_s: 0,
            segments_dropped: 0,
            first_s: u32::MAX,
            last_s: 0,
            active_hours: 0,
            window_s: 0,
            starts: 0,
            sizes: 0,
            slow_starts: 0,
            baseline: None,
        }
    }
}

/// Pairs of one shard that occur in the window, and their lists, one after the other.
#[derive(Debug, Default)]
pub(crate) struct PairLists {
    pub(crate) records: Vec<PairRecord>,
    /// Connection starts of the pairs that keep them, in order.
    pub(crate) starts: Vec<i64>,
    /// Sizes of the same pairs: bucket and count.
    pub(crate) sizes: Vec<(u16, u32)>,
    /// Connection starts of slow pairs over history and window, in order.
    pub(crate) slow_starts: Vec<i64>,
}

/// Returns whether the bytes out of a pair leave the organisation on the host's own initiative.
pub(crate) fn is_egress(external: bool, role: Role) -> bool {
    external && role == Role::Client
}

/// Numbers of hosts, the denominators of prevalence. An address in two accounts or regions is two hosts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostCounts {
    /// Hosts that talk to any remote.
    pub(crate) all: u64,
    /// Hosts that talk to an external remote as a client.
    pub(crate) egress: u64,
}

impl HostCounts {
    /// Returns the share that `hosts` are of those that could talk to such a remote, 0 to 1.
    pub(crate) fn share(&self, hosts: u64, external: bool, role: Role) -> f64 {
        let whole = if external && role == Role::Client { self.egress } else { self.all };
        hosts as f64 / whole.max(1) as f64
    }
}
