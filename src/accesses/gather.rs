//! Gathers the logs of accesses of a source, on all threads.

use super::arrivals::fetch;
use super::lists::Lists;
use super::logs::AccessLogs;
use super::worker::Worker;
use crate::source::{AccessObject, ObjectReader, TimeRange};
use ::memory::Memory;
use access::{Log, Tz};
use std::collections::BTreeMap;
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
    let (objects, beside): (Vec<_>, Vec<_>) =
        objects.into_iter().partition(|one| one.kind.has_acts() || one.kind.is_list());
    let objects: Arc<[AccessObject]> = objects.into();
    let arrivals =
        fetch(context.runtime, context.reader.clone(), objects.clone(), context.concurrency, context.budget_bytes);
    let looked_at = AtomicUsize::new(0);
    let work = || {
        let mut worker = Worker::new(context);
        while let Ok(arrived) = arrivals.recv() {
            let object = &objects[arrived.index];
            worker.read(object, arrived.bytes);
            looked_at.fetch_add(1, Ordering::Relaxed);
            done(object.object.size);
        }
        worker.into_parts()
    };
    let threads = context.threads.clamp(1, objects.len().max(1));
    let parts: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().map_err(|_| WorkerLost)).collect::<Result<_, _>>()
    })?;
    if looked_at.into_inner() != objects.len() {
        return Err(WorkerLost);
    }
    let mut logs = merged(parts);
    for one in beside {
        *logs.read.others.entry(one.kind).or_default() += 1;
        done(one.object.size);
    }
    Ok(logs)
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
