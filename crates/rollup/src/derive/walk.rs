//! The walk over merged pairs that gathers everything the derived tables need.

use super::destinations::Meetings;
use super::host_record::HostRecord;
use super::options::{MAX_SLOW_STARTS, MIN_STARTS, MIN_STARTS_OUTSIDE, SLOW_STARTS_A_WINDOW, Wanted};
use super::records::{Baseline, PairLifetime, PairLists, PairRecord, is_egress};
use crate::error::RollupError;
use crate::merge::{MergedPart, Merger, PairKey, RowAt};
use crate::pair_hours::hour::histogram;
use crate::segment::{LOOK_BACK_S, Segment, Stitcher};
use crate::unit::parts::PARTS;
use crate::window::Window;
use foldhash::fast::FixedState;
use hashbrown::HashSet;
use rayon::prelude::*;
use std::ops::Range;

/// Most pairs that are gathered before they are passed on: a host that scans has millions.
const MAX_PAIRS: usize = 1 << 16;

/// What the walk over one shard gathered, apart from its pairs.
#[derive(Debug, Default)]
pub(crate) struct WalkResult {
    pub(crate) hosts: Vec<HostRecord>,
    pub(crate) meetings: Meetings,
}

impl WalkResult {
    /// Adds the records of a host, which has no more pairs.
    fn close(&mut self, merger: &Merger<'_>, of_host: &mut Vec<HostRecord>) {
        of_host.iter_mut().for_each(|record| record.close(merger));
        self.hosts.append(of_host);
    }
}

/// Returns the codes of all hosts that their own ENI logged: any such host is monitored.
pub(crate) fn own_hosts(merger: &Merger<'_>) -> HashSet<u32, FixedState> {
    let of_part = |part: usize| {
        let mut hosts = merger.own_hosts(part);
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    };
    (0..PARTS).into_par_iter().flat_map_iter(of_part).collect::<Vec<u32>>().into_iter().collect()
}

/// Walks over one shard of hosts, with one part of it in memory at a time. Passes its pairs to `emit` in order, at
/// least once.
pub(crate) fn walk(
    merger: &Merger<'_>,
    shard: Range<usize>,
    window: &Window,
    wanted: Wanted,
    is_internal: &dyn Fn(u32) -> bool,
    mut emit: impl FnMut(PairLists) -> Result<(), RollupError>,
) -> Result<WalkResult, RollupError> {
    let mut walked = WalkResult::default();
    let mut pairs = PairLists::default();
    let mut emitted = Ok(());
    let mut buffers = WalkBuffers::default();
    for part in shard {
        // The pairs of one host follow each other, and those of its owners interleave: few enough for a list.
        let mut of_host: Vec<HostRecord> = Vec::new();
        let mut host = None;
        let part = merger.take_part(part, &(window.baseline_from_s..window.to_s))?;
        part.visit(|key, rows| {
            if emitted.is_err() {
                return;
            }
            if host != Some(key.host) {
                walked.close(merger, &mut of_host);
                host = Some(key.host);
            }
            let external = !is_internal(key.remote) && !merger.address(key.remote).is_local_scope();
            let Some((pair, ever)) = gather(merger, &part, key, rows, window, external, &mut buffers) else { return };
            // Kept hours may reach beyond baseline and window. A pair that occurs only there does not count.
            if ever.first_s == u32::MAX {
                return;
            }
            let at = match of_host.iter().position(|record| record.owner == key.owner) {
                Some(at) => at,
                None => {
                    of_host.push(HostRecord::new(key.host, key.owner));
                    of_host.len() - 1
                }
            };
            let before = pair.baseline.as_deref().map_or(0, |baseline| baseline.connections);
            of_host[at].life.add(ever.first_s, ever.last_s, pair.connections.saturating_add(before));
            of_host[at].add(merger, &part, &pair, rows, window, wanted);
            walked.meetings.add(&pair, &ever);
            if pair.records > 0 {
                pairs.push(pair, &buffers);
            }
            if pairs.records.len() == MAX_PAIRS {
                emitted = emit(std::mem::take(&mut pairs));
            }
        });
        walked.close(merger, &mut of_host);
        std::mem::replace(&mut emitted, Ok(()))?;
    }
    emit(pairs)?;
    Ok(walked)
}

/// Buffers that are reused for every pair.
#[derive(Debug, Default)]
struct WalkBuffers {
    segments: Vec<Segment>,
    stitcher: Stitcher,
    buckets: Vec<u16>,
    /// Of the last pair, if it keeps them.
    starts: Vec<i64>,
    sizes: Vec<(u16, u32)>,
    /// Segments of the history, as long as they are few, then those of the window.
    slow: Vec<Segment>,
    slow_starts: Vec<i64>,
}

/// Sums the rows of one pair; `None` when none of them lies in baseline or window.
fn gather(
    merger: &Merger<'_>,
    part: &MergedPart<'_>,
    key: &PairKey,
    rows: &[RowAt],
    window: &Window,
    external: bool,
    buffers: &mut WalkBuffers,
) -> Option<(PairRecord, PairLifetime)> {
    let mut pair = PairRecord::new(*key, part.names(rows[0]), external);
    let mut ever = PairLifetime::default();
    let mut baseline = Baseline::default();
    buffers.segments.clear();
    buffers.slow.clear();
    let mut slow = window.has_history();
    let mut last_hour = None;
    let mut hour_bytes_out = 0;
    let mut sample_hour = None;
    for at in rows {
        let hour = part.hour(*at);
        let hour_s = hour.hour_s();
        if hour_s >= window.to_s || hour_s < window.baseline_from_s {
            continue;
        }
        let bytes_out = hour.bytes_out();
        ever.first_s = ever.first_s.min(hour.row.first_s);
        ever.last_s = ever.last_s.max(hour.row.last_s);
        pair.window_s = pair.window_s.max(hour.window_s());
        ever.bytes_out = ever.bytes_out.saturating_add(bytes_out);
        let new_hour = last_hour != Some(hour_s);
        last_hour = Some(hour_s);
        // The rows of one hour may come from several units.
        hour_bytes_out = if new_hour { bytes_out } else { hour_bytes_out.saturating_add(bytes_out) };
        // A connection that runs into the window started before it, which its last hours show.
        if hour_s + LOOK_BACK_S >= window.from_s {
            buffers.segments.extend(hour.segments());
        }
        if slow {
            buffers.slow.extend(hour.segments());
            slow = buffers.slow.len() <= MAX_SLOW_STARTS && hour.segments_dropped() == 0;
        }
        if hour_s < window.from_s {
            baseline.hours += u32::from(new_hour);
            baseline.connections += hour.connections();
            baseline.bytes_out = baseline.bytes_out.saturating_add(bytes_out);
            baseline.max_hour_bytes_out = baseline.max_hour_bytes_out.max(hour_bytes_out);
            baseline.first_s = baseline.first_s.min(hour.first_seen_s());
            continue;
        }
        let names = part.names(*at);
        if sample_hour.is_none_or(|first| first == hour_s && merger.names(names) < merger.names(pair.sample)) {
            pair.sample = names;
            sample_hour = Some(hour_s);
        }
        pair.active_hours += u32::from(new_hour);
        pair.records += hour.records();
        pair.rejected += hour.rejected();
        pair.bytes_out = pair.bytes_out.saturating_add(bytes_out);
        pair.bytes_in = pair.bytes_in.saturating_add(hour.bytes_in());
        pair.packets_out += hour.packets_out();
        pair.packets_in += hour.packets_in();
        pair.max_hour_bytes_out = pair.max_hour_bytes_out.max(hour_bytes_out);
        pair.first_s = pair.first_s.min(hour.row.first_s);
        pair.last_s = pair.last_s.max(hour.row.last_s);
        pair.segments_dropped += hour.segments_dropped();
        if hour.row.segments == 0 {
            // Rejected probes that were summed up have no segments.
            pair.connections += hour.connections();
        }
    }
    last_hour?;
    pair.baseline = (baseline.hours > 0).then(|| Box::new(baseline));
    if pair.records == 0 {
        return Some((pair, ever));
    }
    let connections = buffers.stitcher.stitch(&buffers.segments, key.protocol, pair.window_s.max(1));
    let mut started = 0;
    for connection in connections {
        if connection.end_s >= window.from_s {
            pair.longest_s = pair.longest_s.max(connection.end_s - connection.start_s);
            started += u64::from(connection.started && connection.start_s >= window.from_s);
        }
    }
    pair.connections += started;
    let least = if is_egress(pair.external, key.role) { MIN_STARTS_OUTSIDE } else { MIN_STARTS };
    if started >= least as u64 {
        pair.keeps_starts = true;
        let in_window = connections.iter().filter(|c| c.started && c.start_s >= window.from_s);
        buffers.starts.clear();
        buffers.starts.extend(in_window.map(|c| c.start_s));
        buffers.buckets.clear();
        for hour in rows.iter().map(|at| part.hour(*at)) {
            if hour.hour_s() >= window.from_s && hour.hour_s() < window.to_s {
                buffers.buckets.extend(hour.buckets());
            }
        }
        buffers.sizes.clear();
        buffers.sizes.extend(histogram(&mut buffers.buckets));
    }
    pair.connections += pair.segments_dropped;
    buffers.slow_starts.clear();
    if slow && (1..SLOW_STARTS_A_WINDOW).contains(&started) && pair.baseline.is_some() {
        let connections = buffers.stitcher.stitch(&buffers.slow, key.protocol, pair.window_s.max(1));
        buffers.slow_starts.extend(connections.iter().filter(|c| c.started).map(|c| c.start_s));
        if buffers.slow_starts.len() < MIN_STARTS {
            buffers.slow_starts.clear();
        }
    }
    Some((pair, ever))
}

impl PairLists {
    fn push(&mut self, mut pair: PairRecord, buffers: &WalkBuffers) {
        if pair.keeps_starts {
            self.starts.extend_from_slice(&buffers.starts);
            self.sizes.extend_from_slice(&buffers.sizes);
            (pair.starts, pair.sizes) = (buffers.starts.len() as u32, buffers.sizes.len() as u32);
        }
        self.slow_starts.extend_from_slice(&buffers.slow_starts);
        pair.slow_starts = buffers.slow_starts.len() as u32;
        self.records.push(pair);
    }
}
