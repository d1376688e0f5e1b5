//! From a source to the tables that detections and queries read: the one path that `detect`, `sql` and the evaluation
//! suite share.
//!
//! [`Pipeline::list`] finds the units, [`Pipeline::gather`] folds them into hours and chooses the window, and
//! [`SourceHours::derive`] makes the tables. The three steps are separate because callers do something between them: they
//! show progress, refuse what would read too much, or stop when the tables are not needed.

use super::error::HoursError;
use super::fetch::FetchOptions;
use super::flags::Flags;
use super::gather::{Progress, gather};
use super::gathered::Gathered;
use super::kept::KeptHours;
use super::unit_job::{GatherContext, GatherOptions};
use crate::source::{CopiedObject, Grain, Source, SourceError, TimeRange, Unit, units};
use ::memory::Memory;
use rollup::coverage::{Forwarders, HostFacts, forwarders, host_facts};
use rollup::derive::{Derived, Known, Wanted, derive};
use rollup::habits::Habits;
use rollup::window::{BaselineKind, Window, WindowOptions, choose_window};
use rollup::{IsInternal, PairHours, RollupError, RollupOptions};
use std::collections::HashMap;
use tokio::runtime::Handle;

/// The source of the tables, and how much of the machine they may use.
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
    /// Objects that repeat another one, and are no part of any unit.
    pub copies: Vec<CopiedObject>,
}

impl ListedUnits {
    /// Returns the bytes of all objects as listed.
    pub fn bytes(&self) -> u64 {
        self.units.iter().map(Unit::bytes).sum()
    }
}

/// The hours of a source, with the window and the facts of ENIs that follow from them.
#[derive(Debug)]
pub struct SourceHours {
    /// The hours, their coverage, and what was read for them.
    pub gathered: Gathered,
    /// The window and its history, fitted to the hours there are.
    pub window: Window,
    /// First and last hour of the data, in seconds since 1970, without strays; `None` when there is none.
    pub data_hours_s: Option<(i64, i64)>,
    /// Which history the window is compared with.
    pub baseline: BaselineKind,
    /// Instance, VPC and subnet of ENIs, by the ENI's name.
    pub host_facts: HashMap<String, HostFacts>,
    /// The ENIs that forward for others.
    pub forwarders: Forwarders,
    /// What makes a habit of a pair; knows what earlier runs flagged, where hours are kept.
    pub habits: Habits,
    /// Files of such flags that storage has damaged, and that do not count.
    pub damaged_flags: Vec<String>,
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
            copies: listing.copies,
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
        let rollup = if self.kept.is_some() {
            // Hours that are kept must hold all records of their unit.
            RollupOptions::default()
        } else {
            RollupOptions { from_s: self.window.earliest_s(), to_s: self.window.latest_s() }
        };
        let options = GatherOptions { threads: self.threads, rollup, fetch: self.fetch, memory: self.memory.clone() };
        let context = GatherContext {
            runtime: &self.runtime,
            reader: &self.source.reader(),
            kept: self.kept.as_ref(),
            options: &options,
            is_internal,
        };
        let gathered = gather(&context, units, progress)?;
        let (hours_s, (host_facts, forwarders)) = rayon::join(
            || gathered.hours(&self.window),
            || (host_facts(&gathered.coverage), forwarders(&gathered.coverage)),
        );
        let (window, baseline) = choose_window(&self.window, hours_s);
        let flags = match &self.kept {
            Some(kept) if window.has_history() => self.runtime.block_on(kept.load_flags(&window)),
            _ => Flags::default(),
        };
        let habits = Habits::new(self.window.habit_s, flags.pairs);
        let damaged_flags = flags.damaged;
        let data_hours_s = hours_s;
        Ok(SourceHours { gathered, window, data_hours_s, baseline, host_facts, forwarders, habits, damaged_flags })
    }
}

impl SourceHours {
    /// Derives the tables of the window from `pair_hours`, the hours taken out of `gathered`. They are dropped as they are
    /// read, so hours and tables need not be in memory together.
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
        let known = Known { forwarders: &self.forwarders, host_facts: &facts_of, habits: &self.habits };
        derive(pair_hours, &self.window, wanted, is_internal, known, memory)
    }
}
