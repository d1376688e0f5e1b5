//! From a source to the tables that detections and queries read: the one path that `detect`, `sql` and the evaluation
//! suite share.
//!
//! [`Pipeline::list`] finds the units, [`Pipeline::gather`] folds them into hours and chooses the window, and
//! [`SourceHours::derive`] makes the tables. The three steps are separate because their callers do something between
//! them: they show progress, refuse what would read too much, or stop when nobody asks for the tables.

use super::fetch::FetchOptions;
use super::gather::{GatherOptions, Gathered, Progress, gather};
use super::{HoursError, KeptHours};
use crate::source::{Grain, Source, SourceError, TimeRange, Unit, units};
use ::memory::Memory;
use rollup::coverage::host_facts;
use rollup::derive::{Derived, HostFacts, Wanted, derive};
use rollup::window::{BaselineKind, Window, WindowOptions, choose_window};
use rollup::{IsInternal, PairHours, RollupError, RollupOptions};
use std::collections::HashMap;
use tokio::runtime::Handle;

/// What the tables are made of, and with how much of the machine.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// The flow logs.
    pub source: Source,
    /// Hours kept between runs.
    pub kept: Option<KeptHours>,
    /// The window, and the history before it.
    pub window: WindowOptions,
    /// Threads that decode, at least 1.
    pub threads: usize,
    /// How objects are fetched.
    pub fetch: FetchOptions,
    /// What records and hours may take; the rest is spilled.
    pub memory: Memory,
    /// The runtime that fetches objects.
    pub runtime: Handle,
}

/// The units of a source that the window and its history may need.
#[derive(Debug)]
pub struct ListedUnits {
    /// The units, sorted.
    pub units: Vec<Unit>,
    /// Parquet objects in them.
    pub objects: u64,
    /// Parquet objects left out because of the times in their names.
    pub pruned_objects: u64,
    /// Objects that are not Parquet.
    pub other_objects: u64,
}

impl ListedUnits {
    /// Returns the bytes of all objects as listed.
    pub fn bytes(&self) -> u64 {
        self.units.iter().map(Unit::bytes).sum()
    }
}

/// The hours of a source, and what follows from them: the window, and the facts of its ENIs.
#[derive(Debug)]
pub struct SourceHours {
    /// The hours, their coverage, and what was read for them.
    pub gathered: Gathered,
    /// The window and its history, fitted to the hours there are.
    pub window: Window,
    /// Which history the window is compared with.
    pub baseline: BaselineKind,
    /// Instance, VPC and subnet of ENIs, by the ENI's name.
    pub host_facts: HashMap<String, HostFacts>,
}

impl Pipeline {
    /// Lists the units that the window and its history may need: whole ones when hours are kept.
    ///
    /// # Errors
    /// [`SourceError`] when the source cannot be listed.
    pub async fn list(&self) -> Result<ListedUnits, SourceError> {
        let range = TimeRange { from_s: self.window.earliest_s(), to_s: self.window.latest_s() };
        let grain = if self.kept.is_some() { Grain::Unit } else { Grain::Object };
        let listing = self.source.list_by(&range, grain).await?;
        Ok(ListedUnits {
            objects: listing.objects.len() as u64,
            pruned_objects: listing.pruned_objects,
            other_objects: listing.other_objects,
            units: units(listing.objects),
        })
    }

    /// Gathers the hours of `units`, and chooses the window by them.
    ///
    /// # Errors
    /// As [`gather`].
    pub fn gather(
        &self,
        units: &[Unit],
        is_internal: &IsInternal<'_>,
        progress: &dyn Progress,
    ) -> Result<SourceHours, HoursError> {
        // Hours that are kept must hold all records of their unit.
        let rollup = match self.kept {
            Some(_) => RollupOptions::default(),
            None => RollupOptions { from_s: self.window.earliest_s(), to_s: self.window.latest_s() },
        };
        let options = GatherOptions { threads: self.threads, rollup, fetch: self.fetch, memory: self.memory.clone() };
        let reader = self.source.reader();
        let gathered = gather(&self.runtime, &reader, units, self.kept.as_ref(), &options, is_internal, progress)?;
        let (hours_s, host_facts) = rayon::join(|| gathered.hours(&self.window), || host_facts(&gathered.coverage));
        let (window, baseline) = choose_window(&self.window, hours_s);
        Ok(SourceHours { gathered, window, baseline, host_facts })
    }
}

impl SourceHours {
    /// Derives the tables of the window from its hours, which `pair_hours` hands over: they are dropped as they are
    /// read, so that hours and tables need not be in memory together.
    ///
    /// # Errors
    /// As [`derive()`].
    pub fn derive(
        &self,
        pair_hours: Vec<PairHours>,
        wanted: Wanted,
        is_internal: &IsInternal<'_>,
        memory: &Memory,
    ) -> Result<Derived, RollupError> {
        let facts_of = |name: &str| self.host_facts.get(name).cloned();
        derive(pair_hours, &self.window, wanted, is_internal, &facts_of, memory)
    }
}
