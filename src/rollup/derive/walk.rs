//! The walk over merged pairs that gathers everything the derived tables need.

use super::destinations::Destinations;
use super::hosts::HostRecord;
use super::pairs::{Baseline, PairRecord};
use super::{MIN_STARTS, Window};
use crate::flow::Address;
use crate::flow::codes::Role;
use crate::rollup::merge::{Merger, PairKey, RowAt};
use crate::rollup::pair_hours::PairHours;
use crate::rollup::segment::{Connection, Segment, TCP_IDLE_S, stitch_into};
use rayon::prelude::*;

/// What one shard of the walk gathered.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// In chunks of [`CHUNK`], so that a growing list never moves what it holds.
    pub(super) pairs: Vec<Vec<PairRecord>>,
    pub(super) hosts: Vec<HostRecord>,
    pub(super) destinations: Destinations,
}

/// Pairs in a chunk of a shard's list.
const CHUNK: usize = 1_024;

impl Walked {
    fn push(&mut self, pair: PairRecord) {
        match self.pairs.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => chunk.push(pair),
            _ => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(pair);
                self.pairs.push(chunk);
            }
        }
    }
}

/// All hosts that their own ENI logged, sorted: whoever they are, they are monitored.
pub(super) fn own_hosts(tables: &[PairHours]) -> Vec<Address> {
    let of_table = |table: &PairHours| {
        let mut hosts: Vec<Address> = Vec::new();
        for row in (0..table.len()).filter(|row| !table.is_transit(*row)) {
            let host = table.host(row);
            if hosts.last() != Some(&host) {
                hosts.push(host);
            }
        }
        hosts
    };
    let mut hosts: Vec<Address> = tables.par_iter().flat_map_iter(of_table).collect();
    hosts.sort_unstable();
    hosts.dedup();
    hosts
}

/// Walks one shard of hosts.
pub(super) fn walk(
    merger: &Merger<'_>,
    shard: (Address, Option<Address>),
    window: &Window,
    is_internal: &dyn Fn(Address) -> bool,
) -> Walked {
    let mut walked = Walked::default();
    let mut scratch = Scratch::default();
    // The pairs of one host stand together, those of its accounts in between: few enough for a list.
    let mut of_host: Vec<HostRecord> = Vec::new();
    let mut host = None;
    merger.visit(shard, |key, rows| {
        if host != Some(key.host) {
            walked.hosts.append(&mut of_host);
            host = Some(key.host);
        }
        let external = !is_internal(key.remote) && !key.remote.is_local_scope();
        let Some(pair) = gather(merger, key, rows, window, external, &mut scratch) else { return };
        // Kept hours may reach beyond baseline and window: a pair that was only met there was not met.
        if pair.ever_first_s == i64::MAX {
            return;
        }
        let at = match of_host.iter().position(|record| record.owner == key.owner) {
            Some(at) => at,
            None => {
                of_host.push(HostRecord::new(key.host, key.owner));
                of_host.len() - 1
            }
        };
        of_host[at].add(merger, &pair, rows, window);
        walked.destinations.add(&pair);
        if pair.records > 0 {
            walked.push(pair);
        }
    });
    walked.hosts.append(&mut of_host);
    walked
}

/// Buffers of the walk that are used again for every pair.
#[derive(Debug, Default)]
struct Scratch {
    segments: Vec<Segment>,
    connections: Vec<Connection>,
    sizes: Vec<(u16, u32)>,
}

/// Sums the rows of one pair; `None` when none of them lies in baseline or window.
fn gather(
    merger: &Merger<'_>,
    key: &PairKey,
    rows: &[RowAt],
    window: &Window,
    external: bool,
    scratch: &mut Scratch,
) -> Option<PairRecord> {
    let mut pair = PairRecord::new(*key, rows[0], external);
    let mut baseline = Baseline::default();
    scratch.segments.clear();
    let mut last_hour = None;
    let mut hour_bytes_out = 0;
    let mut sample_hour = None;
    for at in rows {
        let table = merger.table(*at);
        let row = at.row;
        let hour_s = table.hour_s(row);
        if hour_s >= window.to_s || hour_s < window.baseline_from_s {
            continue;
        }
        let (first_s, last_s) = (table.first_seen_s(row), table.last_seen_s(row));
        let bytes_out = table.bytes_out(row);
        pair.ever_first_s = pair.ever_first_s.min(first_s);
        pair.ever_last_s = pair.ever_last_s.max(last_s);
        pair.window_s = pair.window_s.max(table.window_s(row));
        pair.ever_bytes_out += bytes_out;
        let new_hour = last_hour != Some(hour_s);
        last_hour = Some(hour_s);
        // The rows of one hour may come from several units.
        hour_bytes_out = if new_hour { bytes_out } else { hour_bytes_out + bytes_out };
        // A connection that runs into the window started before it: its last hours tell.
        if hour_s + TCP_IDLE_S >= window.from_s {
            table.segments(row, &mut scratch.segments);
        }
        if hour_s < window.from_s {
            baseline.hours += u32::from(new_hour);
            baseline.connections += table.connections(row);
            baseline.bytes_out += bytes_out;
            baseline.max_hour_bytes_out = baseline.max_hour_bytes_out.max(hour_bytes_out);
            baseline.first_s = baseline.first_s.min(first_s);
            continue;
        }
        if sample_hour.is_none_or(|hour| hour == hour_s && merger.names(*at) < merger.names(pair.sample)) {
            pair.sample = *at;
            sample_hour = Some(hour_s);
        }
        pair.active_hours += u32::from(new_hour);
        pair.records += table.records(row);
        pair.rejected += table.rejected(row);
        pair.bytes_out += bytes_out;
        pair.bytes_in += table.bytes_in(row);
        pair.packets_out += table.packets_out(row);
        pair.packets_in += table.packets_in(row);
        pair.max_hour_bytes_out = pair.max_hour_bytes_out.max(hour_bytes_out);
        pair.first_s = pair.first_s.min(first_s);
        pair.last_s = pair.last_s.max(last_s);
        pair.segments_dropped += table.segments_dropped(row);
    }
    last_hour?;
    pair.baseline = (baseline.hours > 0).then_some(baseline);
    if pair.records == 0 {
        return Some(pair);
    }
    stitch_into(&mut scratch.segments, key.protocol, pair.window_s.max(1), &mut scratch.connections);
    for connection in &scratch.connections {
        if connection.end_s >= window.from_s {
            pair.longest_s = pair.longest_s.max(connection.end_s - connection.start_s);
            pair.connections += u64::from(connection.started && connection.start_s >= window.from_s);
        }
    }
    if pair.connections >= MIN_STARTS as u64 {
        let in_window = scratch.connections.iter().filter(|c| c.started && c.start_s >= window.from_s);
        pair.starts = in_window.map(|c| c.start_s).collect();
        scratch.sizes.clear();
        for at in rows {
            let table = merger.table(*at);
            let hour_s = table.hour_s(at.row);
            if hour_s >= window.from_s && hour_s < window.to_s {
                scratch.sizes.extend(table.sizes(at.row));
            }
        }
        scratch.sizes.sort_unstable();
        let buckets = scratch.sizes.chunk_by(|a, b| a.0 == b.0);
        let sum = |same: &[(u16, u32)]| same.iter().fold(0u32, |sum, size| sum.saturating_add(size.1));
        pair.sizes = buckets.map(|same| (same[0].0, sum(same))).collect();
    }
    pair.connections += pair.segments_dropped;
    Some(pair)
}

/// Tells whether bytes out of a pair leave the organisation by the host's own doing.
pub(super) fn is_egress(pair: &PairRecord) -> bool {
    pair.external && pair.key.role == Role::Client
}
