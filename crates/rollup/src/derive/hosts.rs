//! The `hosts` and `host_hours` tables: what each host sends out, hour by hour, against its own baseline.

use super::host_days::{HostDays, Uploads};
use super::pairs::{PairRecord, address_column, batch, seconds};
use super::services::Services;
use super::walk::is_egress;
use super::{Wanted, Window};
use crate::RollupError;
use crate::merge::{MergedPart, Merger, NamesAt, RowAt};
use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, UInt32Array, UInt64Array};
use hdrhistogram::Histogram;
use kernels::robust;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the log says of an ENI and the host behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// EC2 instance; `None` for requester-managed ENIs.
    pub instance_id: Option<String>,
    /// VPC.
    pub vpc_id: Option<String>,
    /// Subnet.
    pub subnet_id: Option<String>,
}

/// What a host sent to and got from external remotes as a client in one hour.
#[derive(Clone, Copy, Debug, Default)]
struct HostHour {
    bytes_out: u64,
    bytes_in: u64,
    connections: u64,
    /// Bytes to and from the remote that got most.
    top_bytes_out: u64,
    top_bytes_in: u64,
    top_remote: u32,
    remotes: u32,
    rejected: u32,
}

impl HostHour {
    /// Adds what the host exchanged with one more remote in the hour.
    fn add(&mut self, merger: &Merger<'_>, remote: u32, of_remote: &RemoteHour) {
        let RemoteHour { bytes_out, bytes_in, connections, rejected } = *of_remote;
        // Codes of addresses differ from run to run, so the addresses decide between equals.
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
pub(super) struct HostRecord {
    /// Code of the host.
    pub(super) host: u32,
    pub(super) owner: u32,
    pub(super) external_remotes_ever: u64,
    sample: Option<NamesAt>,
    hours: BTreeMap<i64, HostHour>,
    /// Hours of the last remote, in order; they go to `hours` when its last pair is there.
    last_remote_hours: Vec<(i64, RemoteHour)>,
    destinations: u64,
    new_destinations: u64,
    last_remote: Option<u32>,
    last_remote_live: bool,
    last_remote_known: bool,
    last_remote_new: bool,
    ports: BTreeSet<u16>,
    connections: u64,
    bytes_out: u64,
    bytes_in: u64,
    rejected: u64,
    pairs: u64,
    first_s: i64,
    last_s: i64,
    /// Kept where they are wanted.
    pub(super) services: Services,
    uploads: Uploads,
}

impl HostRecord {
    pub(super) fn new(host: u32, owner: u32) -> Self {
        Self {
            host,
            owner,
            external_remotes_ever: 0,
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
            services: Services::default(),
            uploads: Uploads::default(),
        }
    }

    pub(super) fn add(
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
        // The pairs of one remote follow each other, ordered by protocol and port; some lie in the window, some before.
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

    /// Adds the hours of the last remote to those of the host; no more pairs of that remote may follow.
    fn close_remote(&mut self, merger: &Merger<'_>) {
        let Some(remote) = self.last_remote else { return };
        for (hour_s, of_remote) in self.last_remote_hours.drain(..) {
            self.hours.entry(hour_s).or_default().add(merger, remote, &of_remote);
        }
    }

    /// Adds the hours of the last remote and lets go of what the walk alone needs.
    pub(super) fn close(&mut self, merger: &Merger<'_>) {
        self.close_remote(merger);
        self.last_remote_hours = Vec::new();
    }

    /// Bytes of memory that the host takes, about.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.hours.len() * (size_of::<(i64, HostHour)>() + 8)
            + self.ports.len() * 4
            + self.services.memory_bytes()
            + self.uploads.memory_bytes()
    }

    /// What the table of days needs of the host.
    pub(super) fn days<'a>(&'a self, merger: &'a Merger<'_>) -> HostDays<'a> {
        HostDays {
            host: self.host,
            owner: self.owner,
            interface: self.sample.and_then(|at| merger.names(at).0),
            uploads: &self.uploads,
            hours_s: Box::new(self.hours.keys().copied()),
        }
    }

    /// Hours of the baseline: those before the window, or all of them when the window is its own baseline.
    fn baseline_hours(&self, window: &Window) -> impl Iterator<Item = &HostHour> {
        let to_s = if window.has_history() { window.from_s } else { window.to_s };
        self.hours.range(..to_s).map(|(_, hour)| hour)
    }
}

/// Bytes out per hour of a host, as a histogram of two significant digits up to 2^50 bytes.
fn histogram<'a>(hours: impl Iterator<Item = &'a HostHour>) -> Option<Histogram<u32>> {
    let mut histogram = Histogram::new_with_bounds(1, 1 << 50, 2).ok()?;
    for hour in hours {
        histogram.saturating_record(hour.bytes_out.max(1));
    }
    (!histogram.is_empty()).then_some(histogram)
}

pub(super) fn hosts_batch(
    hosts: &[&HostRecord],
    merger: &Merger<'_>,
    facts_of: &(dyn Fn(&str) -> Option<HostFacts> + Sync),
) -> Result<RecordBatch, RollupError> {
    let hosts: Vec<&HostRecord> = hosts.iter().copied().filter(|host| host.pairs > 0).collect();
    let interface = |host: &HostRecord| host.sample.and_then(|at| merger.names(at).0);
    let facts: Vec<HostFacts> = hosts.iter().map(|h| interface(h).and_then(facts_of).unwrap_or_default()).collect();
    let words = |words: Vec<Option<&str>>| -> ArrayRef { Arc::new(StringArray::from(words)) };
    let u64s = |pick: &dyn Fn(&HostRecord) -> u64| -> ArrayRef {
        Arc::new(UInt64Array::from_iter_values(hosts.iter().map(|host| pick(host))))
    };
    let owner = |host: &HostRecord| &merger.owners()[host.owner as usize];
    batch(
        "hosts",
        vec![
            ("account_id", words(hosts.iter().map(|h| Some(owner(h).0.as_str())).collect())),
            ("region", words(hosts.iter().map(|h| Some(owner(h).1.as_str())).collect())),
            ("host", address_column(hosts.iter().map(|h| merger.address(h.host)))?),
            ("interface_id", words(hosts.iter().map(|h| interface(h)).collect())),
            ("instance_id", words(facts.iter().map(|f| f.instance_id.as_deref()).collect())),
            ("vpc_id", words(facts.iter().map(|f| f.vpc_id.as_deref()).collect())),
            ("subnet_id", words(facts.iter().map(|f| f.subnet_id.as_deref()).collect())),
            ("destinations", u64s(&|h| h.destinations)),
            ("new_destinations", u64s(&|h| h.new_destinations)),
            ("ports", Arc::new(UInt32Array::from_iter_values(hosts.iter().map(|h| h.ports.len() as u32)))),
            ("pairs", u64s(&|h| h.pairs)),
            ("connections", u64s(&|h| h.connections)),
            ("bytes_out", u64s(&|h| h.bytes_out)),
            ("bytes_in", u64s(&|h| h.bytes_in)),
            ("rejected", u64s(&|h| h.rejected)),
            ("first_seen", seconds(hosts.iter().map(|h| Some(h.first_s)).collect())),
            ("last_seen", seconds(hosts.iter().map(|h| Some(h.last_s)).collect())),
        ],
    )
}

pub(super) fn host_hours_batch(
    hosts: &[&HostRecord],
    merger: &Merger<'_>,
    window: &Window,
) -> Result<RecordBatch, RollupError> {
    /// One hour of a host, and the place of the host's baseline.
    struct Row<'a> {
        host: &'a HostRecord,
        hour_s: i64,
        hour: &'a HostHour,
        baseline: usize,
    }
    let baseline = |host: &&HostRecord| {
        // Median and MAD of ln(1 + bytes): neither notices a past exfiltration, as a mean and deviation would.
        let mut logs: Vec<f64> = host.baseline_hours(window).map(|hour| (hour.bytes_out as f64).ln_1p()).collect();
        let (median, mad) = median_and_mad(&mut logs);
        let histogram = histogram(host.baseline_hours(window));
        let p99 = histogram.as_ref().map_or(0, |histogram| histogram.value_at_quantile(0.99));
        let max = histogram.as_ref().map_or(0, |histogram| histogram.max());
        (logs.len() as u32, median, mad, p99, max)
    };
    let baselines: Vec<(u32, f64, f64, u64, u64)> = hosts.par_iter().map(baseline).collect();
    let mut rows: Vec<Row<'_>> = Vec::with_capacity(hosts.iter().map(|host| host.hours.len()).sum());
    for (baseline, host) in hosts.iter().enumerate() {
        rows.extend(host.hours.iter().map(|(hour_s, hour)| Row { host, hour_s: *hour_s, hour, baseline }));
    }
    let owner = |row: &Row<'_>| &merger.owners()[row.host.owner as usize];
    let u64s =
        |pick: &dyn Fn(&Row<'_>) -> u64| -> ArrayRef { Arc::new(UInt64Array::from_iter_values(rows.iter().map(pick))) };
    let f64s = |pick: &dyn Fn(&Row<'_>) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(rows.iter().map(pick)))
    };
    batch(
        "host_hours",
        vec![
            ("account_id", fitted(rows.iter().map(|r| owner(r).0.as_str()))),
            ("region", fitted(rows.iter().map(|r| owner(r).1.as_str()))),
            ("host", address_column(rows.iter().map(|r| merger.address(r.host.host)))?),
            ("hour", seconds(rows.iter().map(|r| Some(r.hour_s)).collect())),
            ("in_window", {
                let within = |row: &Row<'_>| Some(row.hour_s >= window.from_s);
                Arc::new(rows.iter().map(within).collect::<BooleanArray>())
            }),
            ("bytes_out", u64s(&|r| r.hour.bytes_out)),
            ("bytes_in", u64s(&|r| r.hour.bytes_in)),
            ("connections", u64s(&|r| r.hour.connections)),
            ("remotes", u64s(&|r| u64::from(r.hour.remotes))),
            ("rejected", u64s(&|r| u64::from(r.hour.rejected))),
            ("top_remote", address_column(rows.iter().map(|r| merger.address(r.hour.top_remote)))?),
            ("top_remote_bytes_out", u64s(&|r| r.hour.top_bytes_out)),
            ("top_remote_bytes_in", u64s(&|r| r.hour.top_bytes_in)),
            ("baseline_hours", u64s(&|r| u64::from(baselines[r.baseline].0))),
            ("baseline_median_ln", f64s(&|r| baselines[r.baseline].1)),
            ("baseline_mad_ln", f64s(&|r| baselines[r.baseline].2)),
            ("baseline_p99_bytes", u64s(&|r| baselines[r.baseline].3)),
            ("baseline_max_bytes", u64s(&|r| baselines[r.baseline].4)),
        ],
    )
}

/// A column of texts without room to grow.
fn fitted<'a>(texts: impl Iterator<Item = &'a str>) -> ArrayRef {
    let mut column = StringArray::from_iter_values(texts);
    column.shrink_to_fit();
    Arc::new(column)
}

/// Median and median absolute deviation; zeros for an empty slice.
fn median_and_mad(values: &mut [f64]) -> (f64, f64) {
    let median = robust::median(values).unwrap_or(0.0);
    (median, robust::mad(values, median).unwrap_or(0.0))
}
