//! The walk over merged pairs that gathers everything the derived tables need.

use super::destinations::Meetings;
use super::hosts::HostRecord;
use super::pairs::{Baseline, Ever, PairRecord};
use super::{MIN_STARTS, MIN_STARTS_OUTSIDE, MOST_SLOW_STARTS, SLOW_STARTS_A_WINDOW, Wanted, Window};
use crate::RollupError;
use crate::merge::{MergedPart, Merger, PairKey, RowAt};
use crate::packed::PARTS;
use crate::pair_hours::histogram;
use crate::segment::{Segment, Stitcher, TCP_IDLE_S};
use flow::codes::Role;
use foldhash::fast::FixedState;
use hashbrown::HashSet;
use rayon::prelude::*;
use std::ops::Range;

/// Most pairs that are gathered before they are handed on: a host that scans has millions.
const MOST_PAIRS: usize = 1 << 16;

/// What one shard of the walk gathered beside its pairs.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub(super) hosts: Vec<HostRecord>,
    pub(super) meetings: Meetings,
}

impl Walked {
    /// Takes the records of a host whose pairs are all there.
    fn close(&mut self, merger: &Merger<'_>, of_host: &mut Vec<HostRecord>) {
        of_host.iter_mut().for_each(|record| record.close(merger));
        self.hosts.append(of_host);
    }
}

/// Pairs of one shard that the window has, one after the other, and their lists.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    pub(super) records: Vec<PairRecord>,
    /// Connection starts of the pairs that keep them, in order.
    pub(super) starts: Vec<i64>,
    /// Sizes of the same pairs: bucket and count.
    pub(super) sizes: Vec<(u16, u32)>,
    /// Connection starts of slow pairs over history and window, in order.
    pub(super) slow_starts: Vec<i64>,
}

/// All hosts that their own ENI logged, by code: whoever they are, they are monitored.
pub(super) fn own_hosts(merger: &Merger<'_>) -> HashSet<u32, FixedState> {
    let of_part = |part: usize| {
        let mut hosts = merger.own_hosts(part);
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    };
    (0..PARTS).into_par_iter().flat_map_iter(of_part).collect::<Vec<u32>>().into_iter().collect()
}

/// Walks one shard of hosts, one part of it in memory at a time; hands its pairs to `emit` in order, at least once.
pub(super) fn walk(
    merger: &Merger<'_>,
    shard: Range<usize>,
    window: &Window,
    wanted: Wanted,
    is_internal: &dyn Fn(u32) -> bool,
    mut emit: impl FnMut(Pairs) -> Result<(), RollupError>,
) -> Result<Walked, RollupError> {
    let mut walked = Walked::default();
    let mut pairs = Pairs::default();
    let mut emitted = Ok(());
    let mut scratch = Scratch::default();
    for part in shard {
        // The pairs of one host stand together, those of its accounts in between: few enough for a list.
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
            let Some((pair, ever)) = gather(merger, &part, key, rows, window, external, &mut scratch) else { return };
            // Kept hours may reach beyond baseline and window: a pair that was only met there was not met.
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
            of_host[at].add(merger, &part, &pair, rows, window, wanted);
            walked.meetings.add(&pair, &ever);
            if pair.records > 0 {
                pairs.push(pair, &scratch);
            }
            if pairs.records.len() == MOST_PAIRS {
                emitted = emit(std::mem::take(&mut pairs));
            }
        });
        walked.close(merger, &mut of_host);
        std::mem::replace(&mut emitted, Ok(()))?;
    }
    emit(pairs)?;
    Ok(walked)
}

impl Pairs {
    fn push(&mut self, mut pair: PairRecord, scratch: &Scratch) {
        if pair.keeps_starts {
            self.starts.extend_from_slice(&scratch.starts);
            self.sizes.extend_from_slice(&scratch.sizes);
            (pair.starts, pair.sizes) = (scratch.starts.len() as u32, scratch.sizes.len() as u32);
        }
        self.slow_starts.extend_from_slice(&scratch.slow_starts);
        pair.slow_starts = scratch.slow_starts.len() as u32;
        self.records.push(pair);
    }
}

/// Buffers of the walk that are used again for every pair.
#[derive(Debug, Default)]
struct Scratch {
    segments: Vec<Segment>,
    stitcher: Stitcher,
    buckets: Vec<u16>,
    /// Of the pair gathered last, when it keeps them.
    starts: Vec<i64>,
    sizes: Vec<(u16, u32)>,
    /// Segments of the history as long as they are few, then those of the window.
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
    scratch: &mut Scratch,
) -> Option<(PairRecord, Ever)> {
    let mut pair = PairRecord::new(*key, part.names(rows[0]), external);
    let mut ever = Ever::default();
    let mut baseline = Baseline::default();
    scratch.segments.clear();
    scratch.slow.clear();
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
        // A connection that runs into the window started before it: its last hours tell.
        if hour_s + TCP_IDLE_S >= window.from_s {
            scratch.segments.extend(hour.segments());
        }
        if slow {
            scratch.slow.extend(hour.segments());
            slow = scratch.slow.len() <= MOST_SLOW_STARTS && hour.segments_dropped() == 0;
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
            // Knocks that were summed up have no segments.
            pair.connections += hour.connections();
        }
    }
    last_hour?;
    pair.baseline = (baseline.hours > 0).then(|| Box::new(baseline));
    if pair.records == 0 {
        return Some((pair, ever));
    }
    let connections = scratch.stitcher.stitch(&scratch.segments, key.protocol, pair.window_s.max(1));
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
        scratch.starts.clear();
        scratch.starts.extend(in_window.map(|c| c.start_s));
        scratch.buckets.clear();
        for hour in rows.iter().map(|at| part.hour(*at)) {
            if hour.hour_s() >= window.from_s && hour.hour_s() < window.to_s {
                scratch.buckets.extend(hour.buckets());
            }
        }
        scratch.sizes.clear();
        scratch.sizes.extend(histogram(&mut scratch.buckets));
    }
    pair.connections += pair.segments_dropped;
    scratch.slow_starts.clear();
    if slow && (1..SLOW_STARTS_A_WINDOW).contains(&started) && pair.baseline.is_some() {
        let connections = scratch.stitcher.stitch(&scratch.slow, key.protocol, pair.window_s.max(1));
        scratch.slow_starts.extend(connections.iter().filter(|c| c.started).map(|c| c.start_s));
        if scratch.slow_starts.len() < MIN_STARTS {
            scratch.slow_starts.clear();
        }
    }
    Some((pair, ever))
}

/// Tells whether bytes out of a pair leave the organisation by the host's own doing.
pub(super) fn is_egress(external: bool, role: Role) -> bool {
    external && role == Role::Client
}
