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
use super::publish::PublishedHours;
use super::roll::{Rolled, roll};
use super::span::without_strays;
use super::unit_job::{GatherContext, GatherOptions};
use crate::accesses::{self, AccessLogs, GatherAccesses, KeptAccesses};
use crate::source::{AccessObject, CopiedObject, Grain, Source, SourceError, TimeRange, Unit, WantedLogs, units};
use ::memory::Memory;
use access::Tz;
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
    /// Folds and ledgers of logs of accesses kept between runs.
    pub kept_accesses: Option<KeptAccesses>,
    /// The window, and the history before it.
    pub window: WindowOptions,
    /// The zone of logs of accesses that write local time; without it they are taken as UTC.
    pub zone: Option<Tz>,
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
    /// Objects that hold logs of accesses, where they were asked for.
    pub accesses: Vec<AccessObject>,
    /// Objects that are neither.
    pub other_objects: u64,
    /// Objects that repeat another one, and do not count.
    pub copies: Vec<CopiedObject>,
}

impl ListedUnits {
    /// Returns the bytes of all objects as listed.
    pub fn bytes(&self) -> u64 {
        let accesses: u64 = self.accesses.iter().map(|one| one.object.size).sum();
        self.units.iter().map(Unit::bytes).sum::<u64>() + accesses
    }
}

/// The hours of a source, with the window and the facts of ENIs that follow from them.
#[derive(Debug)]
pub struct SourceHours {
    /// The hours, their coverage, and what was read for them.
    pub gathered: Gathered,
    /// The logs of accesses beside them.
    pub accesses: AccessLogs,
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
    /// Lists the units that the window and its history may need, whole ones when hours are kept, and the logs of accesses
    /// if `logs` wants them.
    ///
    /// # Errors
    /// [`SourceError`] when the source cannot be listed.
    pub async fn list(&self, logs: WantedLogs) -> Result<ListedUnits, SourceError> {
        let grain = if self.kept.is_some() { Grain::Unit } else { Grain::Object };
        let listing = self.source.list_by(&self.range(), grain, logs).await?;
        Ok(ListedUnits {
            accesses: listing.accesses,
            objects: listing.objects.len() as u64,
            pruned_objects: listing.pruned_objects,
            other_objects: listing.other_objects,
            copies: listing.copies,
            units: units(listing.objects),
        })
    }

    /// Rolls up and keeps what of a listing is not kept yet, and publishes what is not published. Without kept hours,
    /// nothing is done.
    ///
    /// # Errors
    /// As [`gather`].
    pub fn roll(
        &self,
        units: &[Unit],
        published: Option<&PublishedHours>,
        is_internal: &IsInternal<'_>,
        progress: &dyn Progress,
    ) -> Result<Rolled, HoursError> {
        let Some(kept) = &self.kept else { return Ok(Rolled::default()) };
        let (options, reader) = (self.gather_options(), self.source.reader());
        let context =
            GatherContext { runtime: &self.runtime, reader: &reader, kept: Some(kept), options: &options, is_internal };
        roll(&context, kept, units, published, progress)
    }

    fn gather_options(&self) -> GatherOptions {
        let rollup = if self.kept.is_some() {
            // Hours that are kept must hold all records of their unit.
            RollupOptions::default()
        } else {
            RollupOptions { from_s: self.window.earliest_s(), to_s: self.window.latest_s() }
        };
        GatherOptions { threads: self.threads, rollup, fetch: self.fetch, memory: self.memory.clone() }
    }

    /// Returns the window and its history.
    fn range(&self) -> TimeRange {
        TimeRange { from_s: self.window.earliest_s(), to_s: self.window.latest_s() }
    }

    /// Gathers the logs of accesses of a listing.
    ///
    /// # Errors
    /// [`HoursError::Worker`] when they could not be read to the end.
    pub fn gather_accesses(&self, objects: &[AccessObject], progress: &dyn Progress) -> Result<AccessLogs, HoursError> {
        let context = GatherAccesses {
            runtime: &self.runtime,
            reader: self.source.reader(),
            kept: self.kept_accesses.as_ref(),
            range: self.range(),
            zone: self.zone,
            threads: self.threads,
            concurrency: self.fetch.concurrency,
            budget_bytes: self.fetch.budget_bytes,
            memory: self.memory.clone(),
        };
        let done = |bytes| progress.object_done(bytes, 0);
        accesses::gather(&context, objects.to_vec(), &done).map_err(|_| HoursError::Worker)
    }

    /// Gathers the hours of what was listed, and chooses the window by them and by the logs of accesses.
    ///
    /// # Errors
    /// As [`gather`] and [`Pipeline::gather_accesses`].
    pub fn gather(
        &self,
        listed: &ListedUnits,
        is_internal: &IsInternal<'_>,
        progress: &dyn Progress,
    ) -> Result<SourceHours, HoursError> {
        let options = self.gather_options();
        let context = GatherContext {
            runtime: &self.runtime,
            reader: &self.source.reader(),
            kept: self.kept.as_ref(),
            options: &options,
            is_internal,
        };
        let gathered = gather(&context, &listed.units, progress)?;
        let mut accesses = self.gather_accesses(&listed.accesses, progress)?;
        let (hours_s, (host_facts, forwarders)) = rayon::join(
            || gathered.hours(&self.window),
            || (host_facts(&gathered.coverage), forwarders(&gathered.coverage)),
        );
        let hours_s = both(hours_s, hours_of(&accesses));
        let (window, baseline) = choose_window(&self.window, hours_s);
        accesses.remember(Some(window.from_s));
        let flags = match &self.kept {
            Some(kept) if window.has_history() => self.runtime.block_on(kept.load_flags(&window)),
            _ => Flags::default(),
        };
        let habits = Habits::new(self.window.habit_s, flags.pairs);
        let damaged_flags = flags.damaged;
        let data_hours_s = hours_s;
        Ok(SourceHours {
            gathered,
            accesses,
            window,
            data_hours_s,
            baseline,
            host_facts,
            forwarders,
            habits,
            damaged_flags,
        })
    }
}

/// Returns the first and the last hour of acts, without strays.
fn hours_of(accesses: &AccessLogs) -> Option<(i64, i64)> {
    let by_hour = &accesses.acts_by_hour;
    let (first, last) = by_hour.first_key_value().zip(by_hour.last_key_value())?;
    Some(without_strays((*first.0, *last.0), by_hour))
}

/// Returns the span that holds both.
fn both(a: Option<(i64, i64)>, b: Option<(i64, i64)>) -> Option<(i64, i64)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
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
