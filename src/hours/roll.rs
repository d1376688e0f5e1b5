//! Rolls units up and keeps them, without a look at what they tell: the part of a run that many machines can share.

use super::error::HoursError;
use super::gather::{Progress, scan_units};
use super::gathered::Gathered;
use super::kept::{KeptHours, KeptUnit};
use super::load::load;
use super::publish::PublishedHours;
use super::unit_job::GatherContext;
use crate::source::Unit;
use ::memory::lock;
use rollup::UnitTables;
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// What became of the units.
#[derive(Debug, Default)]
pub struct Rolled {
    /// Units whose hours were kept already.
    pub units_kept: u64,
    /// Units that were rolled up.
    pub units_rolled: u64,
    /// Units whose table was published.
    pub units_published: u64,
    /// Rows of `pair_hours` that were rolled up.
    pub pair_hours: u64,
    /// What was read and skipped, without any table.
    pub read: Gathered,
}

/// Rolls up and keeps those of `units` that are not kept yet; publishes those that are not published. No table stays in
/// memory.
///
/// # Errors
/// [`HoursError`] when a unit cannot be folded; as for [`gather`](super::gather()), objects that cannot be read are none,
/// nor is a store that cannot be written.
pub fn roll(
    context: &GatherContext<'_>,
    kept: &KeptHours,
    units: &[Unit],
    published: Option<&PublishedHours>,
    progress: &dyn Progress,
) -> Result<Rolled, HoursError> {
    let runtime = context.runtime;
    let listed = runtime.block_on(kept.list(units));
    let there = published.map(|published| (published, runtime.block_on(published.list(units))));
    let (published_count, pair_hours) = (AtomicU64::new(0), AtomicU64::new(0));
    let publish = |unit: usize, tables: &UnitTables| -> Result<(), HoursError> {
        if let Some((published, there)) = &there {
            published.publish(runtime, there, &units[unit], &tables.pair_hours)?;
            published_count.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    };
    let is_kept = |unit: &usize| listed.size(&kept.files().name(&units[*unit])).is_some();
    let is_published = |unit: &usize| {
        there.as_ref().is_none_or(|(published, there)| there.size(&published.files().name(&units[*unit])).is_some())
    };
    let (mut done, mut new): (Vec<usize>, Vec<usize>) = (0..units.len()).partition(is_kept);
    let unpublished: Vec<usize> = done.iter().copied().filter(|unit| !is_published(unit)).collect();
    let lost: Mutex<HashSet<usize>> = Mutex::new(unpublished.iter().copied().collect());
    let add_loaded = |unit: usize, found: KeptUnit| {
        publish(unit, &found.tables)?;
        lock(&lost).remove(&unit);
        Ok(())
    };
    load(context, kept, &listed, units, &unpublished, &add_loaded)?;
    // What is kept but cannot be loaded is rolled up anew.
    let lost = lost.into_inner().unwrap_or_else(PoisonError::into_inner);
    new.extend(&lost);
    new.sort_unstable();
    done.retain(|unit| !lost.contains(unit));
    done.iter().for_each(|unit| progress.object_done(units[*unit].bytes(), 0));

    let mut rolled = Rolled { units_kept: done.len() as u64, units_rolled: new.len() as u64, ..Rolled::default() };
    rolled.read.objects_reused = done.iter().map(|unit| units[*unit].objects.len() as u64).sum();
    let counts = Mutex::new(std::mem::take(&mut rolled.read.counts));
    let end = |unit: usize, tables: UnitTables| {
        pair_hours.fetch_add(tables.pair_hours.len() as u64, Ordering::Relaxed);
        lock(&counts).add(&tables.counts);
        publish(unit, &tables)
    };
    for report in scan_units(context, Some(&listed), units, &new, progress, &end)? {
        rolled.read.add_report(report);
    }
    rolled.read.counts = counts.into_inner().unwrap_or_else(PoisonError::into_inner);
    rolled.read.skipped.sort_unstable();
    rolled.read.other_logs.sort_unstable();
    rolled.read.kept_trouble = kept.trouble();
    rolled.units_published = published_count.into_inner();
    rolled.pair_hours = pair_hours.into_inner();
    Ok(rolled)
}
