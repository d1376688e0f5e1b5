//! The work on one unit: its objects are scanned into one rollup on any number of threads, then folded and kept.

use super::error::HoursError;
use super::fetch::{FetchOptions, Fetched, OpenedObject, fetch};
use super::gathered::{Outlook, Skipped, UnitReport};
use super::keeping::Keeping;
use super::kept::KeptHours;
use crate::source::{Object, ObjectReader, Unit};
use ::memory::{Memory, lock};
use rollup::{IsInternal, RollupOptions, UnitRollup, UnitTables};
use scan::object::scan;
use scan::{ROLLUP_FIELDS, ScanError};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::runtime::Handle;

/// How hours are gathered.
#[derive(Clone, Debug)]
pub struct GatherOptions {
    /// Threads that decode, at least 1.
    pub threads: usize,
    /// Records that count. Kept hours need all records of whole units, so leave it unbounded with them, and list by
    /// [`Grain::Unit`](crate::source::Grain).
    pub rollup: RollupOptions,
    /// How objects are fetched.
    pub fetch: FetchOptions,
    /// What records and hours may take; the rest is spilled.
    pub memory: Memory,
}

/// What all units are gathered with.
#[derive(Clone, Copy)]
pub struct GatherContext<'a> {
    /// The runtime that fetches objects, and reads and writes kept hours.
    pub runtime: &'a Handle,
    /// Reads the objects.
    pub reader: &'a ObjectReader,
    /// Hours kept between runs.
    pub kept: Option<&'a KeptHours>,
    /// Threads, records, memory.
    pub options: &'a GatherOptions,
    /// Which addresses are internal.
    pub is_internal: &'a IsInternal<'a>,
}

/// One unit and its rollup. Objects may be added in any order and from many threads; the tables do not depend on it.
pub(super) struct UnitJob<'a> {
    context: GatherContext<'a>,
    unit: &'a Unit,
    /// Keeps the unit when it is done.
    keeping: Option<&'a Keeping<'a>>,
    /// The flow logs of the unit's objects, sorted.
    flow_logs: Vec<Arc<str>>,
    /// Created with the first object, and taken when the last one is done.
    rollup: Mutex<Option<Arc<UnitRollup>>>,
    objects_left: AtomicUsize,
    /// Indices of objects that could not be read before all others were. How much of a damaged object must be read depends
    /// on the objects before it, and the result must not depend on their order: such objects are read again at the end.
    doubtful: Mutex<Vec<usize>>,
    skipped: Mutex<Vec<(Outlook, Skipped)>>,
    bytes_read: AtomicU64,
    rows_read: AtomicU64,
}

/// What became of an object that was scanned.
enum ScanOutcome {
    /// So many rows are part of the unit.
    Rows(u64),
    /// None of its rows are.
    Unreadable(ScanError),
}

impl<'a> UnitJob<'a> {
    pub(super) fn new(context: GatherContext<'a>, unit: &'a Unit, keeping: Option<&'a Keeping<'a>>) -> Self {
        let mut flow_logs: Vec<Arc<str>> =
            unit.objects.iter().filter_map(|object| object.facts.flow_log_id.clone()).collect();
        flow_logs.sort_unstable();
        flow_logs.dedup();
        Self {
            context,
            unit,
            keeping,
            flow_logs,
            rollup: Mutex::default(),
            objects_left: AtomicUsize::new(unit.objects.len()),
            doubtful: Mutex::default(),
            skipped: Mutex::default(),
            bytes_read: AtomicU64::new(0),
            rows_read: AtomicU64::new(0),
        }
    }

    /// Returns the objects of the unit.
    pub(super) fn objects(&self) -> &'a [Object] {
        &self.unit.objects
    }

    /// Adds the fetched object of an index and returns its rows: 0 when it cannot be read, or not yet.
    pub(super) fn add(&self, index: usize, fetched: Fetched) -> Result<u64, HoursError> {
        let object = &self.unit.objects[index];
        let rollup = lock(&self.rollup).get_or_insert_with(|| Arc::new(self.empty_rollup())).clone();
        self.bytes_read.fetch_add(fetched.bytes_read, Ordering::Relaxed);
        let opened = match fetched.open(object) {
            Ok(opened) => opened,
            Err(error) => {
                self.skip(object, &error, None);
                return Ok(0);
            }
        };
        match self.scan(index, &opened, &rollup)? {
            ScanOutcome::Rows(rows) => Ok(rows),
            // What a file is does not depend on the objects before it.
            ScanOutcome::Unreadable(error @ (ScanError::OtherLog { .. } | ScanError::NotFlowLogs { .. })) => {
                self.skip(object, &error, None);
                Ok(0)
            }
            ScanOutcome::Unreadable(_) => {
                lock(&self.doubtful).push(index);
                Ok(0)
            }
        }
    }

    /// Counts an object as done after [`Self::add`]. After the last one, finishes the unit: returns its tables, and keeps
    /// them if hours are kept, unless an object was skipped for a reason that may pass by itself.
    pub(super) fn object_done(&self) -> Result<Option<UnitTables>, HoursError> {
        if self.objects_left.fetch_sub(1, Ordering::AcqRel) > 1 {
            return Ok(None);
        }
        // All other threads dropped their share of the rollup before they counted their object as done.
        let Some(rollup) = lock(&self.rollup).take().and_then(Arc::into_inner) else {
            return Err(HoursError::Worker);
        };
        self.read_doubtful(&rollup)?;
        let _span = tracing::info_span!("rollup", unit = self.unit.id.as_str()).entered();
        let (account, region) = (self.unit.account_id.as_deref(), self.unit.region.as_deref());
        let tables = rollup.finish(account, region, self.context.is_internal)?;
        if let Some(keeping) = self.keeping {
            let skipped = lock(&self.skipped).clone();
            if skipped.iter().all(|(outlook, _)| *outlook != Outlook::Passing) {
                keeping.keep(self.unit, &tables, &skipped)?;
            }
        }
        Ok(Some(tables))
    }

    /// Returns whether [`Self::object_done`] was called for every object.
    pub(super) fn is_complete(&self) -> bool {
        self.objects_left.load(Ordering::Acquire) == 0
    }

    /// Returns what the unit cost, and the objects that it lacks.
    pub(super) fn into_report(self) -> UnitReport {
        UnitReport {
            objects: self.unit.objects.len() as u64,
            skipped: std::mem::take(&mut *lock(&self.skipped)).into_iter().map(|(_, skipped)| skipped).collect(),
            bytes_read: self.bytes_read.into_inner(),
            rows_read: self.rows_read.into_inner(),
        }
    }

    fn empty_rollup(&self) -> UnitRollup {
        UnitRollup::within(self.context.options.memory.clone(), self.context.options.rollup)
    }

    /// Reads the doubtful objects again, now that all others are part of the unit.
    fn read_doubtful(&self, rollup: &UnitRollup) -> Result<(), HoursError> {
        let GatherContext { runtime, reader, options, .. } = self.context;
        let mut indices = std::mem::take(&mut *lock(&self.doubtful));
        indices.sort_unstable();
        for index in indices {
            let object = &self.unit.objects[index];
            let alone = Arc::new(vec![object.clone()]);
            let Ok(fetched) = fetch(runtime, reader.clone(), alone, ROLLUP_FIELDS, options.fetch).recv() else {
                return Err(HoursError::Worker);
            };
            self.bytes_read.fetch_add(fetched.bytes_read, Ordering::Relaxed);
            let (outcome, rows) = match fetched.open(object) {
                Ok(opened) => (self.scan(index, &opened, rollup)?, opened.rows()),
                Err(error) => (ScanOutcome::Unreadable(error), None),
            };
            if let ScanOutcome::Unreadable(error) = outcome {
                self.skip(object, &error, rows);
            }
        }
        Ok(())
    }

    /// Notes that none of an object's rows counts, and how many they are, if that is known.
    fn skip(&self, object: &Object, error: &ScanError, rows: Option<u64>) {
        let skipped = Skipped { rows, ..Skipped::new(&object.url, error) };
        tracing::warn!("skipped {}: {}", skipped.object, skipped.reason);
        lock(&self.skipped).push((Outlook::of(error), skipped));
    }

    /// Scans an object into the rollup: all of its records, or none.
    fn scan(&self, index: usize, opened: &OpenedObject, rollup: &UnitRollup) -> Result<ScanOutcome, HoursError> {
        let object = &self.unit.objects[index];
        let name = object.url.as_ref();
        let _span = tracing::info_span!("scan", object = name).entered();
        let mut records = rollup.object(index);
        if let Some(number) = self.flow_log_of(object) {
            records = records.of_flow_log(number);
        }
        let OpenedObject { bytes, metadata } = opened;
        let scanned = scan(name, bytes, metadata, ROLLUP_FIELDS, rollup.interners(), |batch| records.add(batch));
        let rows = match scanned {
            Ok(rows) => rows,
            Err(error) => return Ok(ScanOutcome::Unreadable(error)),
        };
        records.commit()?;
        self.rows_read.fetch_add(rows, Ordering::Relaxed);
        Ok(ScanOutcome::Rows(rows))
    }

    /// Returns the number of an object's flow log, where the unit has several.
    fn flow_log_of(&self, object: &Object) -> Option<u32> {
        let name = object.facts.flow_log_id.as_ref().filter(|_| self.flow_logs.len() > 1)?;
        self.flow_logs.binary_search(name).ok().map(|index| index as u32)
    }
}
