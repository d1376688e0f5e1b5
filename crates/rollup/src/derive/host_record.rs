//! What the walk gathers of a host, hour by hour.

use super::host_days::{HostDays, Uploads};
use super::lives::Life;
use super::options::Wanted;
use super::records::{PairRecord, is_egress};
use super::relay::Relay;
use super::services::HostServices;
use crate::merge::{MergedPart, Merger, NamesAt, RowAt};
use crate::window::Window;
use std::collections::{BTreeMap, BTreeSet};

/// What a host exchanged with external remotes as a client in one hour.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HostHour {
    pub(super) bytes_out: u64,
    pub(super) bytes_in: u64,
    pub(super) connections: u64,
    /// The remote that most bytes went to.
    pub(super) top_bytes_out: u64,
    pub(super) top_bytes_in: u64,
    pub(super) top_remote: u32,
    pub(super) remotes: u32,
    pub(super) rejected: u32,
}

impl HostHour {
    /// Adds what the host exchanged with one more remote in the hour.
    fn add(&mut self, merger: &Merger<'_>, remote: u32, of_remote: &RemoteHour) {
        let RemoteHour { bytes_out, bytes_in, connections, rejected } = *of_remote;
        // Codes differ from run to run, so addresses decide between equals.
        let first = self.remotes == 0;
        let tied = || merger.address(remote) < merger.address(self.top_remote);
        if first || bytes_out > self.top_bytes_out || (bytes_out == self.top_bytes_out && tied()) {
            (self.top_remote, self.top_bytes_out, self.top_bytes_in) = (remote, bytes_out, bytes_in);
        }
        self.bytes_out = self.bytes_out.saturating_add(bytes_out);
        self.bytes_in = self.bytes_in.saturating_add(bytes_in);
        self.connections += connections;
        self.rejected += rejected;
        self.remotes += 1;
    }
}

/// What a host exchanged with one remote in one hour, over all its ports.
#[derive(Clone, Copy, Debug, Default)]
struct RemoteHour {
    bytes_out: u64,
    bytes_in: u64,
    connections: u64,
    rejected: u32,
}

/// One host over baseline and window.
#[derive(Clone, Debug)]
pub(crate) struct HostRecord {
    /// Code of the host.
    pub(crate) host: u32,
    pub(crate) owner: u32,
    pub(crate) external_remotes_ever: u64,
    /// When it was seen, whatever it did.
    pub(crate) life: Life,
    pub(super) sample: Option<NamesAt>,
    pub(super) hours: BTreeMap<i64, HostHour>,
    /// Hours of the last remote, in order. They move to `hours` after its last pair.
    last_remote_hours: Vec<(i64, RemoteHour)>,
    pub(super) destinations: u64,
    pub(super) new_destinations: u64,
    last_remote: Option<u32>,
    last_remote_live: bool,
    last_remote_known: bool,
    last_remote_new: bool,
    pub(super) ports: BTreeSet<u16>,
    pub(super) connections: u64,
    pub(super) bytes_out: u64,
    pub(super) bytes_in: u64,
    pub(super) rejected: u64,
    pub(super) pairs: u64,
    pub(super) first_s: i64,
    pub(super) last_s: i64,
    /// Empty where the table is not wanted.
    pub(crate) services: HostServices,
    uploads: Uploads,
    relay: Relay,
}

impl HostRecord {
    pub(crate) fn new(host: u32, owner: u32) -> Self {
        Self {
            host,
            owner,
            external_remotes_ever: 0,
            life: Life::default(),
            sample: None,
            hours: BTreeMap::new(),
            last_remote_hours: Vec::new(),
            destinations: 0,
            new_destinations: 0,
            last_remote: None,
            last_remote_live: false,
            last_remote_known: false,
            last_remote_new: false,
            ports: BTreeSet::new(),
            connections: 0,
            bytes_out: 0,
            bytes_in: 0,
            rejected: 0,
            pairs: 0,
            first_s: i64::MAX,
            last_s: i64::MIN,
            services: HostServices::default(),
            uploads: Uploads::default(),
            relay: Relay::default(),
        }
    }

    pub(crate) fn add(
        &mut self,
        merger: &Merger<'_>,
        part: &MergedPart<'_>,
        pair: &PairRecord,
        rows: &[RowAt],
        window: &Window,
        wanted: Wanted,
    ) {
        if wanted.services {
            self.services.add(pair);
        }
        if pair.records > 0 {
            self.sample.get_or_insert(pair.sample);
            self.pairs += 1;
            self.relay.add(pair);
            self.rejected += pair.rejected;
            self.first_s = self.first_s.min(i64::from(pair.first_s));
            self.last_s = self.last_s.max(i64::from(pair.last_s));
        }
        if !is_egress(pair.external, pair.key.role) {
            return;
        }
        if wanted.host_days {
            self.uploads.add(merger, part, pair, rows, window);
        }
        // The pairs of one remote follow each other, ordered by protocol and port. Some lie in the window, some before
        // it.
        if self.last_remote != Some(pair.key.remote) {
            self.close_remote(merger);
            self.last_remote = Some(pair.key.remote);
            (self.last_remote_live, self.last_remote_known, self.last_remote_new) = (false, false, false);
            self.external_remotes_ever += 1;
        }
        self.destinations += u64::from(pair.records > 0 && !self.last_remote_live);
        self.last_remote_live |= pair.records > 0;
        self.last_remote_known |= pair.baseline.is_some();
        let is_new = self.last_remote_live && !self.last_remote_known;
        self.new_destinations = self.new_destinations + u64::from(is_new) - u64::from(self.last_remote_new);
        self.last_remote_new = is_new;
        if pair.records > 0 {
            self.ports.insert(pair.key.port);
            self.connections += pair.connections;
            self.bytes_out = self.bytes_out.saturating_add(pair.bytes_out);
            self.bytes_in = self.bytes_in.saturating_add(pair.bytes_in);
        }
        for at in rows {
            let of_pair = part.hour(*at);
            let hour_s = of_pair.hour_s();
            if hour_s >= window.to_s || hour_s < window.baseline_from_s {
                continue;
            }
            let at = self.last_remote_hours.binary_search_by_key(&hour_s, |(hour_s, _)| *hour_s);
            let at = at.unwrap_or_else(|at| {
                self.last_remote_hours.insert(at, (hour_s, RemoteHour::default()));
                at
            });
            let hour = &mut self.last_remote_hours[at].1;
            hour.bytes_out = hour.bytes_out.saturating_add(of_pair.bytes_out());
            hour.bytes_in = hour.bytes_in.saturating_add(of_pair.bytes_in());
            hour.connections += of_pair.connections();
            hour.rejected += of_pair.rejected() as u32;
        }
    }

    /// Adds the hours of the last remote to those of the host. No more pairs of that remote may follow.
    fn close_remote(&mut self, merger: &Merger<'_>) {
        let Some(remote) = self.last_remote else { return };
        for (hour_s, of_remote) in self.last_remote_hours.drain(..) {
            self.hours.entry(hour_s).or_default().add(merger, remote, &of_remote);
        }
    }

    /// Adds the hours of the last remote and frees what only the walk needs.
    pub(crate) fn close(&mut self, merger: &Merger<'_>) {
        self.close_remote(merger);
        self.last_remote_hours = Vec::new();
    }

    /// Returns whether the host seems to forward for others that its log does not name.
    pub(crate) fn forwards(&self) -> bool {
        self.relay.forwards()
    }

    /// Estimates the bytes of memory that the host takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.hours.len() * (size_of::<(i64, HostHour)>() + 8)
            + self.ports.len() * 4
            + self.services.memory_bytes()
            + self.uploads.memory_bytes()
    }

    /// Returns what the table of days needs of the host.
    pub(crate) fn days<'a>(&'a self, merger: &'a Merger<'_>) -> HostDays<'a> {
        HostDays {
            host: self.host,
            owner: self.owner,
            interface: self.sample.and_then(|at| merger.names(at).0),
            uploads: &self.uploads,
            hours_s: Box::new(self.hours.keys().copied()),
        }
    }

    /// Returns the hours of the baseline: those before the window, or all of them when the window is its own baseline.
    pub(super) fn baseline_hours(&self, window: &Window) -> impl Iterator<Item = &HostHour> {
        let to_s = if window.has_history() { window.from_s } else { window.to_s };
        self.hours.range(..to_s).map(|(_, hour)| hour)
    }
}
