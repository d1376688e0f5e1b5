//! Gathers the logs of accesses of a source, on all threads.

use super::arrivals::fetch;
use super::lists::Lists;
use super::logs::AccessLogs;
use super::worker::Worker;
use crate::source::{AccessObject, ObjectReader, TimeRange};
use ::memory::Memory;
use access::{Log, Tz};
use flow::time::DAY_S;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::runtime::Handle;

/// The surroundings of a gathering.
#[derive(Clone, Debug)]
pub struct GatherAccesses<'a> {
    /// The runtime that fetches objects.
    pub runtime: &'a Handle,
    /// Reads them.
    pub reader: ObjectReader,
    /// The window and its history. Of acts before it, ledgers know; acts after it do not count at all.
    pub range: TimeRange,
    /// The zone of logs that write local time; without it they are taken as UTC.
    pub zone: Option<Tz>,
    /// Threads that read, at least 1.
    pub threads: usize,
    /// Objects that are fetched at the same time, at least 1.
    pub concurrency: usize,
    /// Most bytes that are fetched and not yet read.
    pub budget_bytes: usize,
    /// The memory that hours take.
    pub memory: Memory,
}

/// Bytes of objects after whose last day their acts are put together and sealed.
const TURN_BYTES: u64 = 32 << 20;

/// How long, in seconds, before the day of an object its acts may lie, as far as trails that tell the same are concerned.
const LATE_S: i64 = DAY_S;

/// A thread that read objects has panicked, or no bytes came any more: what was read is not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a thread that read logs of accesses ended early")]
pub struct WorkerLost;

/// Reads objects and folds their acts. `done` is told of each object: its bytes as listed.
///
/// The result depends on neither the order of the objects nor the number of threads. An object that cannot be read counts
/// with none of its acts, and is listed in what was read.
///
/// # Errors
/// [`WorkerLost`] when not all objects were looked at.
pub fn gather(
    context: &GatherAccesses<'_>,
    objects: Vec<AccessObject>,
    done: &(dyn Fn(u64) + Sync),
) -> Result<AccessLogs, WorkerLost> {
    if objects.is_empty() {
        return Ok(AccessLogs::default());
    }
    let (mut objects, beside): (Vec<_>, Vec<_>) =
        objects.into_iter().partition(|one| one.kind.has_acts() || one.kind.is_list());
    // By day, so that days that are done can be sealed. Those without one may hold any day and come first.
    objects.sort_by(|a, b| (a.day_s(), &a.object.url).cmp(&(b.day_s(), &b.object.url)));
    let objects: Arc<[AccessObject]> = objects.into();
    let arrivals =
        fetch(context.runtime, context.reader.clone(), objects.clone(), context.concurrency, context.budget_bytes);
    let threads = context.threads.clamp(1, objects.len().max(1));
    let mut workers: Vec<Worker<'_>> = (0..threads).map(|_| Worker::new(context)).collect();
    for turn in turns(&objects) {
        let (taken, looked_at) = (AtomicUsize::new(turn.start), AtomicUsize::new(turn.start));
        let work = |worker: &mut Worker<'_>| {
            // Objects arrive in order, so those of the turn come before all others.
            while taken.fetch_add(1, Ordering::Relaxed) < turn.end
                && let Ok(arrived) = arrivals.recv()
            {
                let object = &objects[arrived.index];
                worker.read(object, arrived.bytes);
                looked_at.fetch_add(1, Ordering::Relaxed);
                done(object.object.size);
            }
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = workers.iter_mut().map(|worker| scope.spawn(|| work(worker))).collect();
            threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| WorkerLost))
        })?;
        if looked_at.into_inner() != turn.end {
            return Err(WorkerLost);
        }
        let next_day_s = objects.get(turn.end).and_then(AccessObject::day_s);
        if let Some((first, others)) = workers.split_first_mut() {
            others.iter_mut().for_each(|other| first.take_hours(other));
            first.seal_before(next_day_s.map_or(i64::MIN, |day_s| day_s - LATE_S));
        }
    }
    let parts = workers.into_iter().map(Worker::into_parts).collect();
    let mut logs = merged(parts);
    for one in beside {
        *logs.read.others.entry(one.kind).or_default() += 1;
        done(one.object.size);
    }
    Ok(logs)
}

/// Cuts objects, sorted by day, into stretches of whole days and of at least [`TURN_BYTES`].
fn turns(objects: &[AccessObject]) -> Vec<Range<usize>> {
    let (mut turns, mut from, mut bytes) = (Vec::new(), 0, 0);
    for (at, one) in objects.iter().enumerate() {
        bytes += one.object.size;
        let ends_day = objects.get(at + 1).is_none_or(|next| next.day_s() != one.day_s());
        if ends_day && (bytes >= TURN_BYTES || at + 1 == objects.len()) {
            turns.push(from..at + 1);
            (from, bytes) = (at + 1, 0);
        }
    }
    turns
}

/// Puts together what the threads read.
fn merged(parts: Vec<(AccessLogs, Lists)>) -> AccessLogs {
    let mut parts = parts.into_iter();
    let (mut all, mut lists) = parts.next().unwrap_or_default();
    for (part, of_part) in parts {
        all.hours.merge(&part.hours);
        all.credentials.merge(&part.credentials);
        all.principals.merge(&part.principals);
        all.ties.merge(&part.ties);
        all.read.merge(part.read);
        lists.merge(of_part);
    }
    // All objects are read, so no act can come once more.
    all.hours.seal();
    if let Some(held) = &mut all.held {
        held.shrink_to(0);
        held.grow(all.hours.held_bytes());
    }
    let mut counted: BTreeMap<Log, u64> = BTreeMap::new();
    for row in all.hours.rows() {
        *counted.entry(row.log).or_default() += row.sums.events;
        *all.acts_by_hour.entry(row.hour_s).or_default() += row.sums.events;
        all.credentials.add_hour(&row);
        all.principals.add_hour(&row);
    }
    for (log, read) in &mut all.read.logs {
        read.duplicates = read.acts.saturating_sub(counted.get(log).copied().unwrap_or(0));
    }
    lists.tell(&mut all);
    all
}
