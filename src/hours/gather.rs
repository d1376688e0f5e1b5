//! Gathers `pair_hours`: from kept hours where a unit's objects are unchanged, from the logs where not.

use super::error::HoursError;
use super::fetch::{Fetched, fetch};
use super::gathered::{Gathered, Outlook};
use super::kept::{KeptHours, KeptUnit};
use super::unit_job::{GatherContext, UnitJob};
use crate::source::Unit;
use ::memory::{Purpose, Reservation, lock};
use rollup::UnitTables;
use scan::ROLLUP_FIELDS;
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
    let mut tables = Vec::with_capacity(units.len());
    let mut gathered = Gathered::default();
    for unit in units {
        let kept = kept_unit(context, unit)?;
        if let Some(kept) = &kept {
            gathered.objects_reused += (unit.objects.len() - kept.skipped.len()) as u64;
            gathered.add_skipped(kept.skipped.iter().map(|(_, skipped)| skipped.clone()));
            progress.object_done(unit.bytes(), 0);
        }
        tables.push(kept.map(|kept| kept.tables));
    }
    let new_units: Vec<usize> = (0..units.len()).filter(|index| tables[*index].is_none()).collect();
    let jobs: Vec<UnitJob<'_>> = new_units.iter().map(|index| UnitJob::new(*context, &units[*index])).collect();
    let finished = run(context, &jobs, progress)?;
    context.options.memory.free_unused_buffers();
    for (job, unit_tables) in finished.tables {
        tables[new_units[job]] = Some(unit_tables);
    }
    gathered.held = Some(finished.held);
    for job in jobs {
        let objects = job.objects().len();
        let report = job.into_report();
        gathered.objects_read += (objects - report.skipped.len()) as u64;
        gathered.bytes_read += report.bytes_read;
        gathered.rows_read += report.rows_read;
        gathered.add_skipped(report.skipped);
    }
    gathered.kept_trouble = context.kept.and_then(KeptHours::trouble);
    gathered.skipped.sort_unstable();
    gathered.other_logs.sort_unstable();
    for table in tables.into_iter().flatten() {
        gathered.counts.add(&table.counts);
        gathered.pair_hours.push(table.pair_hours);
        gathered.coverage.push(table.coverage);
    }
    Ok(gathered)
}

/// Returns the kept tables of a unit whose objects are unchanged, moved to disk where memory is short. Objects that were
/// withheld are asked for again: once one of them can be read, the unit is new.
fn kept_unit(context: &GatherContext<'_>, unit: &Unit) -> Result<Option<KeptUnit>, HoursError> {
    let Some(kept) = context.kept else { return Ok(None) };
    let Some(kept) = context.runtime.block_on(kept.load(unit)) else { return Ok(None) };
    let withheld = kept.skipped.iter().filter(|(outlook, _)| *outlook == Outlook::Withheld);
    for (_, skipped) in withheld {
        let object = unit.objects.iter().find(|object| *object.url == *skipped.object);
        let probe = |object| async move { context.reader.suffix(object, 1).await.is_ok() };
        if object.is_none_or(|object| context.runtime.block_on(probe(object))) {
            return Ok(None);
        }
    }
    let pair_hours = kept.tables.pair_hours.within(&context.options.memory)?;
    Ok(Some(KeptUnit { tables: UnitTables { pair_hours, ..kept.tables }, skipped: kept.skipped }))
}

/// The tables of the jobs that are done.
struct Finished {
    /// Tables by the index of their job.
    tables: Vec<(usize, UnitTables)>,
    /// The memory of the tables of `coverage`, which are not spilled.
    held: Reservation,
}

/// An object of a job.
#[derive(Clone, Copy)]
struct JobObject {
    job: usize,
    /// Its index among the objects of the job.
    object: usize,
}

/// Fetches the objects of all jobs and adds them, on all threads.
fn run(context: &GatherContext<'_>, jobs: &[UnitJob<'_>], progress: &dyn Progress) -> Result<Finished, HoursError> {
    let origin: Vec<JobObject> = jobs
        .iter()
        .enumerate()
        .flat_map(|(job, of)| (0..of.objects().len()).map(move |object| JobObject { job, object }))
        .collect();
    let objects = Arc::new(jobs.iter().flat_map(|job| job.objects()).cloned().collect::<Vec<_>>());
    let arrivals = fetch(context.runtime, context.reader.clone(), objects, ROLLUP_FIELDS, context.options.fetch);
    let held = context.options.memory.reserve(Purpose::Hours);
    let finished = Mutex::new(Finished { tables: Vec::new(), held });
    // Set when a thread failed, so that the others stop.
    let failed = AtomicBool::new(false);
    let add_next = |fetched: Fetched| -> Result<(), HoursError> {
        let JobObject { job: index, object } = origin[fetched.index];
        let job = &jobs[index];
        let rows = job.add(object, fetched)?;
        progress.object_done(job.objects()[object].size, rows);
        if let Some(tables) = job.object_done()? {
            let mut finished = lock(&finished);
            finished.held.grow(tables.coverage.get_array_memory_size());
            finished.tables.push((index, tables));
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
    Ok(finished.into_inner().unwrap_or_else(PoisonError::into_inner))
}
