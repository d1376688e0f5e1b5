//! Gathers the logs of accesses of a source, on all threads.

use super::arrivals::fetch;
use super::fold::Fold;
use super::kept::KeptAccesses;
use super::logs::{AccessLogs, KeptUse};
use super::plan::{Plan, Stretch};
use super::worker::Worker;
use crate::source::{AccessObject, ObjectReader, TimeRange};
use ::memory::{Memory, Purpose, Reservation};
use access::{Log, Tz};
use flow::time::DAY_S;
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
    /// What is kept between runs.
    pub kept: Option<&'a KeptAccesses>,
    /// The window and its history, in whole hours. Of acts before it, ledgers know; acts after it do not count at all.
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

/// How long, in seconds, before the day of an object its acts may lie, as far as trails that tell the same are concerned.
const LATE_S: i64 = DAY_S;

/// A thread that read objects has panicked, or no bytes came any more: what was read is not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a thread that read logs of accesses ended early")]
pub struct WorkerLost;

/// Reads objects and folds their acts. `done` is told of each object: its bytes as listed.
///
/// The result depends on neither the order of the objects nor the number of threads. An object that cannot be read counts
/// with none of its acts, and is listed in what was read. With kept units, those whose objects did not change are not read,
/// and the result is the same; [`AccessLogs::remember`] adds the ledgers of earlier runs.
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
    let mut used = KeptUse::default();
    let plan = match context.kept {
        Some(kept) => Plan::with_kept(objects, kept, context, &mut used),
        None => Plan::of(objects),
    };
    let mut gathering =
        Gathering { context, total: Fold::default(), held: context.memory.reserve(Purpose::Hours), used, done };
    gathering.follow(&plan)?;
    let Gathering { mut total, held, mut used, .. } = gathering;
    for one in beside {
        *total.read.others.entry(one.kind).or_default() += 1;
        done(one.object.size);
    }
    let mut logs = finished(total, held);
    if let Some(kept) = context.kept {
        kept.settle_ledgers(&mut logs, &mut used, context.runtime);
        used.trouble = kept.trouble();
        logs.kept = Some(used);
    }
    Ok(logs)
}

/// What is gathered so far.
struct Gathering<'a> {
    context: &'a GatherAccesses<'a>,
    total: Fold,
    held: Reservation,
    used: KeptUse,
    done: &'a (dyn Fn(u64) + Sync),
}

impl Gathering<'_> {
    /// Reads and loads all that is planned, stretch by stretch.
    fn follow(&mut self, plan: &Plan) -> Result<(), WorkerLost> {
        let context = self.context;
        let arrivals = fetch(
            context.runtime,
            context.reader.clone(),
            plan.objects.clone(),
            context.concurrency,
            context.budget_bytes,
        );
        let threads = context.threads.clamp(1, plan.objects.len().max(1));
        // Units that are kept must hold all of their acts, whatever this run judges.
        let range = if plan.is_kept { TimeRange::default() } else { context.range };
        let mut workers: Vec<Worker<'_>> = (0..threads).map(|_| Worker::new(context, range)).collect();
        for stretch in &plan.stretches {
            if let (false, Some(first)) = (plan.is_kept, workers.first_mut()) {
                first.folds.insert(0, std::mem::take(&mut self.total));
            }
            let end = stretch.objects.end;
            let (taken, looked_at) = (AtomicUsize::new(stretch.objects.start), AtomicUsize::new(stretch.objects.start));
            let done = self.done;
            let work = |worker: &mut Worker<'_>| {
                // Objects arrive in order, so those of the stretch come before all others.
                while taken.fetch_add(1, Ordering::Relaxed) < end
                    && let Ok(arrived) = arrivals.recv()
                {
                    let object = &plan.objects[arrived.index];
                    worker.read(plan.unit_of(arrived.index), object, arrived.bytes);
                    looked_at.fetch_add(1, Ordering::Relaxed);
                    done(object.object.size);
                }
            };
            std::thread::scope(|scope| {
                let threads: Vec<_> = workers.iter_mut().map(|worker| scope.spawn(|| work(worker))).collect();
                threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| WorkerLost))
            })?;
            if looked_at.into_inner() != end {
                return Err(WorkerLost);
            }
            for (unit, fold) in together(&mut workers) {
                self.take(plan, unit, fold);
            }
            self.load(plan, stretch, &mut workers)?;
            self.total.hours.seal_before(stretch.next_day_s.map_or(i64::MIN, |day_s| day_s - LATE_S));
            self.held.shrink_to(0);
            self.held.grow(self.total.hours.held_bytes());
        }
        Ok(())
    }

    /// Takes the fold of a unit that was read, and keeps it.
    fn take(&mut self, plan: &Plan, unit: usize, fold: Fold) {
        match self.context.kept.filter(|_| plan.is_kept) {
            Some(kept) => {
                if let Some(unit) = plan.units.get(unit).filter(|unit| !unit.is_list()) {
                    kept.save(unit, &fold, self.context.runtime);
                    self.used.read += 1;
                }
                self.total.absorb(fold, &self.context.range);
            }
            // It holds what was gathered before.
            None if unit == 0 => self.total = fold,
            None => self.total.merge(fold),
        }
    }

    /// Loads the units of a stretch that are kept, and reads those that cannot be loaded after all.
    fn load(&mut self, plan: &Plan, stretch: &Stretch, workers: &mut [Worker<'_>]) -> Result<(), WorkerLost> {
        let Some(kept) = self.context.kept.filter(|_| !stretch.kept.is_empty()) else { return Ok(()) };
        let files: Vec<_> = stretch.kept.iter().map(|(_, file)| file.clone()).collect();
        let loaded = kept.load(&files, self.context.runtime, &mut self.used.damaged);
        for ((unit, _), fold) in stretch.kept.iter().zip(loaded) {
            match (unit.and_then(|unit| Some((unit, plan.units.get(unit)?))), fold) {
                (unit, Some(mut fold)) => {
                    self.used.loaded += 1;
                    match unit {
                        Some((_, unit)) => (self.done)(unit.bytes()),
                        None => {
                            self.used.gone += 1;
                            // What could not be read of it is nobody's concern any more.
                            fold.read.skipped.clear();
                        }
                    }
                    self.total.absorb(fold, &self.context.range);
                }
                (Some((number, unit)), None) => {
                    let objects: Arc<[AccessObject]> = unit.objects.clone().into();
                    let context = self.context;
                    let arrivals = fetch(
                        context.runtime,
                        context.reader.clone(),
                        objects.clone(),
                        context.concurrency,
                        context.budget_bytes,
                    );
                    let Some(worker) = workers.first_mut() else { return Err(WorkerLost) };
                    for _ in 0..objects.len() {
                        let arrived = arrivals.recv().map_err(|_| WorkerLost)?;
                        let object = &objects[arrived.index];
                        worker.read(number, object, arrived.bytes);
                        (self.done)(object.object.size);
                    }
                    for (number, fold) in together(workers) {
                        self.take(plan, number, fold);
                    }
                }
                (None, None) => {}
            }
        }
        Ok(())
    }
}

/// Takes the folds of all threads, those of one unit merged.
fn together(workers: &mut [Worker<'_>]) -> BTreeMap<usize, Fold> {
    let mut folds: BTreeMap<usize, Fold> = BTreeMap::new();
    for worker in workers {
        for (unit, fold) in std::mem::take(&mut worker.folds) {
            match folds.entry(unit) {
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(fold);
                }
                std::collections::btree_map::Entry::Occupied(mut entry) => entry.get_mut().merge(fold),
            }
        }
        worker.let_go();
    }
    folds
}

/// Makes the logs of all that was gathered.
fn finished(total: Fold, mut held: Reservation) -> AccessLogs {
    let Fold { hours, made, told, credentials, principals, read, lists, .. } = total;
    let mut logs = AccessLogs { hours, credentials, principals, read, told, ..AccessLogs::default() };
    // All objects are read, so no act can come once more.
    logs.hours.seal();
    held.shrink_to(0);
    held.grow(logs.hours.held_bytes());
    logs.held = Some(held);
    for made in made.values() {
        logs.ties.merge(&made.ties);
        logs.credentials.merge(&made.credentials);
    }
    for ((log, account, _), hours) in &logs.told {
        let read = logs.read.logs.entry(*log).or_default();
        read.acts += hours.values().map(|told| told.acts).sum::<u64>();
        read.days.extend(hours.keys().map(|hour_s| hour_s.div_euclid(DAY_S) * DAY_S));
        if !account.is_empty() && !hours.is_empty() && !read.accounts.contains(account) {
            read.accounts.insert(account.clone());
        }
    }
    let mut counted: BTreeMap<Log, u64> = BTreeMap::new();
    for row in logs.hours.rows() {
        *counted.entry(row.log).or_default() += row.sums.events;
        *logs.acts_by_hour.entry(row.hour_s).or_default() += row.sums.events;
        logs.credentials.add_hour(&row);
        logs.principals.add_hour(&row);
    }
    for (log, read) in &mut logs.read.logs {
        read.duplicates = read.acts.saturating_sub(counted.get(log).copied().unwrap_or(0));
    }
    lists.tell(&mut logs);
    logs
}
