//! Gathers `pair_hours`: from kept hours where a unit's objects are unchanged, from the logs where not.

use super::error::HoursError;
use super::fetch::{Fetched, fetch};
use super::gathered::{Gathered, UnitReport};
use super::keeping::Keeping;
use super::kept::{KeptHours, KeptUnit};
use super::load::load;
use super::unit_files::ListedFiles;
use super::unit_job::{GatherContext, UnitJob};
use crate::source::Unit;
use ::memory::{Purpose, Reservation, lock};
use arrow::array::Array;
use rollup::UnitTables;
use scan::ROLLUP_FIELDS;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Receives how far the work has come, from many threads.
pub trait Progress: Sync {
    /// An object was read (or skipped): its size in bytes as listed, and its rows.
    fn object_done(&self, bytes: u64, rows: u64);
}

/// Gathers the hours of `units`.
///
/// # Errors
/// [`HoursError`] when a unit cannot be folded. An object that cannot be read is not an error: it is listed in
/// [`Gathered::skipped`]. Its unit is kept without it, unless the reason may pass by itself. Nor are kept hours that cannot
/// be read or written: [`Gathered::kept_trouble`] tells of them.
pub fn gather(context: &GatherContext<'_>, units: &[Unit], progress: &dyn Progress) -> Result<Gathered, HoursError> {
    let held = context.options.memory.reserve(Purpose::Hours);
    let state = Mutex::new((Gathered::default(), Finished { tables: Vec::new(), held }));
    let all: Vec<usize> = (0..units.len()).collect();
    let listed = context.kept.map(|kept| context.runtime.block_on(kept.list(units)));
    if let Some((kept, listed)) = context.kept.zip(listed.as_ref()) {
        let done = |unit: usize, found: KeptUnit| {
            let mut state = lock(&state);
            state.0.objects_reused += (units[unit].objects.len() - found.skipped.len()) as u64;
            state.0.add_skipped(found.skipped.into_iter().map(|(_, skipped)| skipped));
            state.1.add(unit, found.tables);
            progress.object_done(units[unit].bytes(), 0);
            Ok(())
        };
        load(context, kept, listed, units, &all, &done)?;
    }
    let (mut gathered, finished) = state.into_inner().unwrap_or_else(PoisonError::into_inner);
    let finished = Mutex::new(finished);
    let known: HashSet<usize> = lock(&finished).tables.iter().map(|(unit, _)| *unit).collect();
    let new_units: Vec<usize> = all.into_iter().filter(|unit| !known.contains(unit)).collect();
    let done = |unit: usize, tables: UnitTables| {
        lock(&finished).add(unit, tables);
        Ok(())
    };
    for report in scan_units(context, listed.as_ref(), units, &new_units, progress, &done)? {
        gathered.add_report(report);
    }
    gathered.kept_trouble = context.kept.and_then(KeptHours::trouble);
    gathered.skipped.sort_unstable();
    gathered.other_logs.sort_unstable();
    let mut finished = finished.into_inner().unwrap_or_else(PoisonError::into_inner);
    finished.tables.sort_unstable_by_key(|(unit, _)| *unit);
    gathered.held = Some(finished.held);
    for (_, table) in finished.tables {
        gathered.counts.add(&table.counts);
        gathered.pair_hours.push(table.pair_hours);
        gathered.coverage.push(table.coverage);
    }
    Ok(gathered)
}

/// Reads the logs of the units at `wanted`, keeps them where hours are kept, and passes their tables to `done` as they end.
/// Returns what each cost.
pub(super) fn scan_units(
    context: &GatherContext<'_>,
    listed: Option<&ListedFiles>,
    units: &[Unit],
    wanted: &[usize],
    progress: &dyn Progress,
    done: &Done<'_>,
) -> Result<Vec<UnitReport>, HoursError> {
    let keeping = context.kept.zip(listed).map(|(kept, listed)| Keeping::new(context.runtime, kept, listed));
    let jobs: Vec<UnitJob<'_>> =
        wanted.iter().map(|index| UnitJob::new(*context, &units[*index], keeping.as_ref())).collect();
    let ended = run(context, &jobs, progress, &|job, tables| done(wanted[job], tables));
    let reports = jobs.into_iter().map(UnitJob::into_report).collect();
    if let Some(keeping) = keeping {
        keeping.finish();
    }
    ended?;
    context.options.memory.free_unused_buffers();
    Ok(reports)
}

/// Takes the tables of a unit, given its index.
pub(super) type Done<'a> = dyn Fn(usize, UnitTables) -> Result<(), HoursError> + Sync + 'a;

/// The tables of the units that are done.
struct Finished {
    /// Tables by the index of their unit.
    tables: Vec<(usize, UnitTables)>,
    /// The memory of the tables of `coverage`, which are not spilled.
    held: Reservation,
}

impl Finished {
    fn add(&mut self, unit: usize, tables: UnitTables) {
        // Columns of a kept table share their memory, so it is not theirs that counts but what they use of it.
        let columns = tables.coverage.columns().iter();
        let used = columns.map(|column| column.to_data().get_slice_memory_size().unwrap_or(0));
        self.held.grow(used.sum());
        self.tables.push((unit, tables));
    }
}

/// An object of a job.
#[derive(Clone, Copy)]
struct JobObject {
    job: usize,
    /// Its index among the objects of the job.
    object: usize,
}

/// Fetches the objects of all jobs and adds them, on all threads.
fn run(
    context: &GatherContext<'_>,
    jobs: &[UnitJob<'_>],
    progress: &dyn Progress,
    done: &Done<'_>,
) -> Result<(), HoursError> {
    let origin: Vec<JobObject> = jobs
        .iter()
        .enumerate()
        .flat_map(|(job, of)| (0..of.objects().len()).map(move |object| JobObject { job, object }))
        .collect();
    let objects = Arc::new(jobs.iter().flat_map(|job| job.objects()).cloned().collect::<Vec<_>>());
    let arrivals = fetch(context.runtime, context.reader.clone(), objects, ROLLUP_FIELDS, context.options.fetch);
    // Set when a thread failed, so that the others stop.
    let failed = AtomicBool::new(false);
    let add_next = |fetched: Fetched| -> Result<(), HoursError> {
        let JobObject { job: index, object } = origin[fetched.index];
        let job = &jobs[index];
        let rows = job.add(object, fetched)?;
        progress.object_done(job.objects()[object].size, rows);
        if let Some(tables) = job.object_done()? {
            done(index, tables)?;
        }
        Ok(())
    };
    let work = || -> Result<(), HoursError> {
        while !failed.load(Ordering::Relaxed)
            && let Ok(fetched) = arrivals.recv()
        {
            add_next(fetched).inspect_err(|_| failed.store(true, Ordering::Relaxed))?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..context.options.threads.max(1)).map(|_| scope.spawn(work)).collect();
        // All are joined before the first error is returned.
        let results: Vec<_> =
            workers.into_iter().map(|worker| worker.join().unwrap_or(Err(HoursError::Worker))).collect();
        results.into_iter().collect::<Result<(), HoursError>>()
    })?;
    // The channel also ends when the fetching task does: objects that never came must not count as read.
    if !jobs.iter().all(UnitJob::is_complete) {
        return Err(HoursError::Worker);
    }
    Ok(())
}
