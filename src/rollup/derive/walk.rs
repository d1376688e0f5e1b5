//! The walk over merged pairs that gathers everything the derived tables need.

use super::destinations::Destinations;
use super::hosts::HostRecord;
use super::pairs::{Baseline, PairRecord};
use super::{MIN_STARTS, Window};
use crate::flow::Address;
use crate::flow::codes::Role;
use crate::kernels::sizes;
use crate::rollup::merge::{Merger, PairKey, RowAt};
use crate::rollup::pair_hours::PairHours;
use crate::rollup::segment::{Segment, TCP_IDLE_S, stitch};

/// What one shard of the walk gathered.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub(super) pairs: Vec<PairRecord>,
    pub(super) hosts: Vec<HostRecord>,
    pub(super) destinations: Destinations,
}

/// All hosts that their own ENI logged, sorted: whoever they are, they are monitored.
pub(super) fn own_hosts(tables: &[PairHours]) -> Vec<Address> {
    let mut hosts: Vec<Address> = Vec::new();
    for table in tables {
        let mut last = None;
        for row in 0..table.len() {
            if table.is_transit(row) {
                continue;
            }
            let host = table.address("host", row);
            if last != Some(host) {
                hosts.push(host);
                last = Some(host);
            }
        }
    }
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
    let mut segments = Vec::new();
    // The pairs of one host stand together, those of its accounts in between: few enough for a list.
    let mut of_host: Vec<HostRecord> = Vec::new();
    let mut host = None;
    merger.visit(shard, |key, rows| {
        if host != Some(key.host) {
            walked.hosts.append(&mut of_host);
            host = Some(key.host);
        }
        let external = !is_internal(key.remote) && !key.remote.is_local_scope();
        let pair = gather(merger, key, rows, window, external, &mut segments);
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
            walked.pairs.push(pair);
        }
    });
    walked.hosts.append(&mut of_host);
    walked
}

fn gather(
    merger: &Merger<'_>,
    key: &PairKey,
    rows: &[RowAt],
    window: &Window,
    external: bool,
    segments: &mut Vec<Segment>,
) -> PairRecord {
    let mut pair = PairRecord::new(*key, rows[0], external);
    let mut baseline = Baseline::default();
    segments.clear();
    let mut last_hour = None;
    for at in rows {
        let table = merger.table(*at);
        let row = at.row;
        let hour_s = table.hour_s(row);
        if hour_s >= window.to_s || hour_s < window.baseline_from_s {
            continue;
        }
        let first_s = table.batch_seconds("first_seen", row);
        let last_s = table.batch_seconds("last_seen", row);
        let bytes_out = table.u64s("bytes_out").value(row);
        pair.ever_first_s = pair.ever_first_s.min(first_s);
        pair.ever_last_s = pair.ever_last_s.max(last_s);
        pair.window_s = pair.window_s.max(table.u32s("window_s").value(row));
        pair.ever_bytes_out += bytes_out;
        let new_hour = last_hour != Some(hour_s);
        last_hour = Some(hour_s);
        // A connection that runs into the window started before it: its last hours tell.
        if hour_s + TCP_IDLE_S >= window.from_s {
            table.segments(row, segments);
        }
        if hour_s < window.from_s {
            baseline.hours += u32::from(new_hour);
            baseline.connections += u64::from(table.u32s("connections").value(row));
            baseline.bytes_out += bytes_out;
            baseline.max_hour_bytes_out = baseline.max_hour_bytes_out.max(bytes_out);
            baseline.first_s = baseline.first_s.min(first_s);
            continue;
        }
        if pair.records == 0 {
            pair.sample = *at;
        }
        pair.active_hours += u32::from(new_hour);
        pair.records += u64::from(table.u32s("records").value(row));
        pair.rejected += u64::from(table.u32s("rejected").value(row));
        pair.bytes_out += bytes_out;
        pair.bytes_in += table.u64s("bytes_in").value(row);
        pair.packets_out += table.u64s("packets_out").value(row);
        pair.packets_in += table.u64s("packets_in").value(row);
        pair.max_hour_bytes_out = pair.max_hour_bytes_out.max(bytes_out);
        pair.first_s = pair.first_s.min(first_s);
        pair.last_s = pair.last_s.max(last_s);
        pair.segments_dropped += u64::from(table.u32s("segments_dropped").value(row));
    }
    pair.baseline = (baseline.hours > 0).then_some(baseline);
    if pair.records == 0 {
        return pair;
    }
    let connections = stitch(segments, key.protocol, pair.window_s.max(1));
    for connection in &connections {
        if connection.end_s >= window.from_s {
            pair.longest_s = pair.longest_s.max(connection.end_s - connection.start_s);
            pair.connections += u64::from(connection.started && connection.start_s >= window.from_s);
        }
    }
    if pair.connections >= MIN_STARTS as u64 {
        let in_window = connections.iter().filter(|c| c.started && c.start_s >= window.from_s);
        pair.starts = in_window.map(|c| c.start_s).collect();
        for at in rows {
            let table = merger.table(*at);
            let hour_s = table.hour_s(at.row);
            if hour_s >= window.from_s && hour_s < window.to_s {
                let of_row: Vec<(u16, u32)> = table.sizes(at.row).collect();
                pair.sizes = sizes::merge(&pair.sizes, &of_row);
            }
        }
    }
    pair.connections += pair.segments_dropped;
    pair
}

impl PairHours {
    /// Second in one of the time columns.
    pub(super) fn batch_seconds(&self, name: &str, row: usize) -> i64 {
        use arrow::array::AsArray;
        use arrow::datatypes::TimestampSecondType;
        self.batch()[name].as_primitive::<TimestampSecondType>().value(row)
    }
}

/// Tells whether bytes out of a pair leave the organisation by the host's own doing.
pub(super) fn is_egress(pair: &PairRecord) -> bool {
    pair.external && pair.key.role == Role::Client
}
