//! Loads kept units: files are read ahead, and unpacked on all threads.

use super::error::HoursError;
use super::fetch::FetchOptions;
use super::gathered::Outlook;
use super::kept::{KeptHours, KeptUnit};
use super::unit_files::ListedFiles;
use super::unit_job::GatherContext;
use crate::source::Unit;
use bytes::Bytes;
use crossbeam_channel::{Receiver, unbounded};
use futures::StreamExt;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A kept file that was read.
struct KeptFile {
    /// Index of its unit.
    unit: usize,
    /// `None` when it could not be read.
    bytes: Option<Bytes>,
    /// Returns the bytes to the budget when dropped.
    _permit: Option<OwnedSemaphorePermit>,
}

/// Loads what is kept of the units at `wanted`, as far as `listed` has it, and passes each to `done` with its index. A unit
/// that is not passed has to be read from its logs.
///
/// # Errors
/// [`HoursError::Spill`] when tables that do not fit into memory cannot be spilled, and those of `done`.
pub(super) fn load(
    context: &GatherContext<'_>,
    kept: &KeptHours,
    listed: &ListedFiles,
    units: &[Unit],
    wanted: &[usize],
    done: &(dyn Fn(usize, KeptUnit) -> Result<(), HoursError> + Sync),
) -> Result<(), HoursError> {
    let file_of = |index: &usize| {
        let name = kept.files().name(&units[*index]);
        listed.size(&name).map(|size| (*index, name, size))
    };
    let files: Vec<(usize, String, u64)> = wanted.iter().filter_map(file_of).collect();
    if files.is_empty() {
        return Ok(());
    }
    let threads = context.options.threads.clamp(1, files.len());
    let arrivals = read_ahead(context.runtime, kept.clone(), files, context.options.fetch);
    let work = || -> Result<(), HoursError> {
        for file in &arrivals {
            let unit = &units[file.unit];
            let Some(bytes) = file.bytes else { continue };
            let Some(found) = kept.open(unit, &bytes, &context.options.memory)? else { continue };
            if !any_is_readable_now(context, unit, &found) {
                done(file.unit, found)?;
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        // All are joined before the first error is returned.
        let results: Vec<_> =
            workers.into_iter().map(|worker| worker.join().unwrap_or(Err(HoursError::Worker))).collect();
        results.into_iter().collect()
    })
}

/// Reads files within a budget of bytes.
fn read_ahead(
    runtime: &Handle,
    kept: KeptHours,
    files: Vec<(usize, String, u64)>,
    options: FetchOptions,
) -> Receiver<KeptFile> {
    let (sender, receiver) = unbounded();
    let options = options.for_place(kept.is_local());
    let budget = options.budget_bytes.clamp(1, Semaphore::MAX_PERMITS).min(u32::MAX as usize);
    let permits = Arc::new(Semaphore::new(budget));
    runtime.spawn(async move {
        let read = |(unit, name, size): (usize, String, u64)| {
            let (permits, kept) = (permits.clone(), kept.clone());
            async move {
                let permit = permits.acquire_many_owned(size.clamp(1, budget as u64) as u32).await.ok();
                KeptFile { unit, bytes: kept.read(&name).await, _permit: permit }
            }
        };
        let mut arrivals =
            std::pin::pin!(futures::stream::iter(files).map(read).buffer_unordered(options.concurrency.max(1)));
        while let Some(file) = arrivals.next().await {
            if sender.send(file).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Asks again for objects that were withheld: once one of them can be read, the unit is new.
fn any_is_readable_now(context: &GatherContext<'_>, unit: &Unit, kept: &KeptUnit) -> bool {
    let mut withheld = kept.skipped.iter().filter(|(outlook, _)| *outlook == Outlook::Withheld);
    withheld.any(|(_, skipped)| {
        let object = unit.objects.iter().find(|object| *object.url == *skipped.object);
        let probe = |object| async move { context.reader.suffix(object, 1).await.is_ok() };
        object.is_none_or(|object| context.runtime.block_on(probe(object)))
    })
}
