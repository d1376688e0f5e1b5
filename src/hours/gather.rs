//! Gathers `pair_hours`: from kept hours where a unit's objects are unchanged, from the logs where not.

use super::HoursError;
use super::kept::KeptHours;
use super::span::span;
use crate::hours::fetch::{FetchOptions, Fetched, fetch};
use crate::source::{Object, ObjectReader, Unit};
use ::memory::Memory;
use ::memory::{Purpose, Reservation};
use arrow::array::RecordBatch;
use parquet::file::metadata::ParquetMetaData;
use rollup::window::WindowOptions;
use rollup::{IsInternal, PairHours, RollupOptions, UnitCounts, UnitRollup, UnitTables};
use scan::object::{footer, scan};
use scan::{ObjectBytes, ROLLUP_FIELDS, ScanError};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
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

/// Is told how far the work has come; called from many threads.
pub trait Progress: Sync {
    /// An object was read (or skipped): its size in bytes as listed, and its rows.
    fn object_done(&self, bytes: u64, rows: u64);
}

/// An object that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skipped {
    /// Where the object is.
    pub object: String,
    /// Why it was skipped, in one line.
    pub reason: String,
}

/// Everything gathered of a source.
#[derive(Debug, Default)]
pub struct Gathered {
    /// Tables of `pair_hours`, one a unit, in the order of the units.
    pub pair_hours: Vec<PairHours>,
    /// Tables of `coverage`, in the same order.
    pub coverage: Vec<RecordBatch>,
    /// What the records were, kept ones included.
    pub counts: UnitCounts,
    /// Objects that could not be read, sorted.
    pub skipped: Vec<Skipped>,
    /// Objects read now.
    pub objects_read: u64,
    /// Objects whose hours were kept.
    pub objects_reused: u64,
    /// Bytes read now.
    pub bytes_read: u64,
    /// Rows read now.
    pub rows_read: u64,
    /// What `coverage` takes of the run's memory.
    pub held: Option<Reservation>,
}

impl Gathered {
    /// First and last hour of the data that a window may need, in seconds since 1970, without strays; `None` when there is
    /// none.
    pub fn hours(&self, window: &WindowOptions) -> Option<(i64, i64)> {
        let needed = window.earliest_s().unwrap_or(i64::MIN)..window.latest_s().unwrap_or(i64::MAX);
        span(&self.pair_hours, &self.coverage, &needed)
    }
}

/// One unit under work.
struct Work {
    unit: usize,
    objects_left: AtomicUsize,
    any_skipped: AtomicUsize,
    rollup: Mutex<Option<Arc<UnitRollup>>>,
    /// Places of objects that could not be read before all others were. How much of a damaged object must be read depends
    /// on what others told before it, and the outcome must not depend on their order: such objects are read again in turn.
    doubtful: Mutex<Vec<usize>>,
    /// The flow logs of the unit's objects, sorted.
    flow_logs: Vec<Arc<str>>,
}

impl Work {
    fn new(unit: usize, objects: &[Object]) -> Self {
        let mut flow_logs: Vec<Arc<str>> =
            objects.iter().filter_map(|object| object.facts.flow_log_id.clone()).collect();
        flow_logs.sort_unstable();
        flow_logs.dedup();
        Self {
            unit,
            objects_left: AtomicUsize::new(objects.len()),
            any_skipped: AtomicUsize::new(0),
            rollup: Mutex::new(None),
            doubtful: Mutex::default(),
            flow_logs,
        }
    }

    /// The number of an object's flow log, where the unit has several.
    fn flow_log_of(&self, object: &Object) -> Option<u32> {
        let name = object.facts.flow_log_id.as_ref().filter(|_| self.flow_logs.len() > 1)?;
        self.flow_logs.binary_search(name).ok().map(|place| place as u32)
    }
}

/// An object by its unit's work and its place in the unit.
#[derive(Clone, Copy, Debug)]
struct Turn {
    work: usize,
    place: usize,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gathers the hours of `units`.
///
/// # Errors
/// [`HoursError`] when kept hours cannot be reached or a unit cannot be folded. Objects that cannot be read are no
/// error: they are listed in [`Gathered::skipped`], and their unit is not kept.
pub fn gather(
    runtime: &Handle,
    reader: &ObjectReader,
    units: &[Unit],
    kept: Option<&KeptHours>,
    options: &GatherOptions,
    is_internal: &IsInternal<'_>,
    progress: &dyn Progress,
) -> Result<Gathered, HoursError> {
    let mut tables: Vec<Option<UnitTables>> = Vec::with_capacity(units.len());
    let mut gathered = Gathered::default();
    for unit in units {
        let known = match kept {
            Some(kept) => runtime.block_on(kept.load(unit))?,
            None => None,
        };
        let known = match known {
            Some(known) => Some(UnitTables { pair_hours: known.pair_hours.within(&options.memory)?, ..known }),
            None => None,
        };
        if known.is_some() {
            gathered.objects_reused += unit.objects.len() as u64;
            progress.object_done(unit.bytes(), 0);
        }
        tables.push(known);
    }
    let works: Vec<Work> = (0..units.len())
        .filter(|unit| tables[*unit].is_none())
        .map(|unit| Work::new(unit, &units[unit].objects))
        .collect();
    let mut turns: Vec<Turn> = Vec::new();
    let mut objects: Vec<Object> = Vec::new();
    for (work, of) in works.iter().enumerate() {
        let unit = &units[of.unit];
        turns.extend((0..unit.objects.len()).map(|place| Turn { work, place }));
        objects.extend(unit.objects.iter().cloned());
    }
    let objects = Arc::new(objects);
    let arrivals = fetch(runtime, reader.clone(), objects.clone(), ROLLUP_FIELDS, options.fetch);
    let run = Run {
        runtime,
        reader,
        units,
        works: &works,
        turns: &turns,
        objects: &objects,
        kept,
        options,
        is_internal,
        progress,
        finished: Mutex::new(Vec::new()),
        skipped: Mutex::new(Vec::new()),
        bytes_read: AtomicU64::new(0),
        rows_read: AtomicU64::new(0),
        failed: AtomicBool::new(false),
        held: Mutex::new(options.memory.reserve(Purpose::Hours)),
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..options.threads.max(1))
            .map(|_| {
                scope.spawn(|| -> Result<(), HoursError> {
                    while !run.failed.load(Ordering::Relaxed)
                        && let Ok(fetched) = arrivals.recv()
                    {
                        run.object(fetched).inspect_err(|_| run.failed.store(true, Ordering::Relaxed))?;
                    }
                    Ok(())
                })
            })
            .collect();
        // All are joined before the first error is returned.
        let results: Vec<_> = workers.into_iter().map(|w| w.join().unwrap_or(Err(HoursError::Worker))).collect();
        results.into_iter().collect::<Result<(), HoursError>>()
    })?;
    // The channel ends early when what fetches does; objects that never came must not be taken for none.
    if works.iter().any(|work| work.objects_left.load(Ordering::Acquire) > 0) {
        return Err(HoursError::Worker);
    }
    options.memory.free_unused_buffers();
    gathered.bytes_read = run.bytes_read.into_inner();
    gathered.rows_read = run.rows_read.into_inner();
    gathered.held = Some(run.held.into_inner().unwrap_or_else(PoisonError::into_inner));
    gathered.skipped = run.skipped.into_inner().unwrap_or_else(PoisonError::into_inner);
    gathered.skipped.sort_unstable();
    gathered.objects_read = objects.len() as u64 - gathered.skipped.len() as u64;
    for (unit, done) in run.finished.into_inner().unwrap_or_else(PoisonError::into_inner) {
        tables[unit] = Some(done);
    }
    for table in tables.into_iter().flatten() {
        gathered.counts.add(&table.counts);
        gathered.pair_hours.push(table.pair_hours);
        gathered.coverage.push(table.coverage);
    }
    Ok(gathered)
}

/// An object's bytes and its footer.
type File = (Arc<ObjectBytes>, Arc<ParquetMetaData>);

fn opened(object: &Object, fetched: Fetched) -> Result<File, ScanError> {
    let (bytes, metadata) = fetched.content?;
    let metadata = match metadata {
        Some(metadata) => metadata,
        None => footer(object.url.as_ref(), &bytes)?,
    };
    Ok((bytes, metadata))
}

struct Run<'a> {
    runtime: &'a Handle,
    reader: &'a ObjectReader,
    units: &'a [Unit],
    works: &'a [Work],
    turns: &'a [Turn],
    objects: &'a [Object],
    kept: Option<&'a KeptHours>,
    options: &'a GatherOptions,
    is_internal: &'a IsInternal<'a>,
    progress: &'a dyn Progress,
    finished: Mutex<Vec<(usize, UnitTables)>>,
    skipped: Mutex<Vec<Skipped>>,
    bytes_read: AtomicU64,
    rows_read: AtomicU64,
    /// A thread failed, so the others need not go on.
    failed: AtomicBool,
    /// What the tables of `coverage` take, which stay in memory.
    held: Mutex<Reservation>,
}

impl Run<'_> {
    fn object(&self, fetched: Fetched) -> Result<(), HoursError> {
        let object = &self.objects[fetched.at];
        let turn = self.turns[fetched.at];
        let work = &self.works[turn.work];
        let rollup = lock(&work.rollup).get_or_insert_with(|| Arc::new(self.unit())).clone();
        self.bytes_read.fetch_add(fetched.bytes_read, Ordering::Relaxed);
        let rows = match opened(object, fetched) {
            Ok(file) => match self.scan(object, &file, &rollup, turn.place, work)? {
                Ok(rows) => rows,
                Err(_) => {
                    lock(&work.doubtful).push(turn.place);
                    0
                }
            },
            Err(error) => {
                self.skip(work, object, &error);
                0
            }
        };
        drop(rollup);
        self.progress.object_done(object.size, rows);
        if work.objects_left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.read_doubtful(work)?;
            self.finish(work)?;
        }
        Ok(())
    }

    /// Reads the objects again that could not be read, now that all others are part of the unit.
    fn read_doubtful(&self, work: &Work) -> Result<(), HoursError> {
        let mut places = std::mem::take(&mut *lock(&work.doubtful));
        places.sort_unstable();
        let Some(rollup) = lock(&work.rollup).clone() else { return Ok(()) };
        for place in places {
            let object = &self.units[work.unit].objects[place];
            let alone = Arc::new(vec![object.clone()]);
            let arrival = fetch(self.runtime, self.reader.clone(), alone, ROLLUP_FIELDS, self.options.fetch);
            let Ok(fetched) = arrival.recv() else { return Err(HoursError::Worker) };
            self.bytes_read.fetch_add(fetched.bytes_read, Ordering::Relaxed);
            let read = match opened(object, fetched) {
                Ok(file) => self.scan(object, &file, &rollup, place, work)?,
                Err(error) => Err(error),
            };
            if let Err(error) = read {
                self.skip(work, object, &error);
            }
        }
        Ok(())
    }

    /// Counts an object that cannot be read.
    fn skip(&self, work: &Work, object: &Object, error: &ScanError) {
        let message = error.to_string();
        tracing::warn!("skipped {message}");
        // The object is named beside its reason, so equal reasons can be told together.
        let reason = message.strip_prefix(&format!("{}: ", object.url)).unwrap_or(&message).to_owned();
        work.any_skipped.store(1, Ordering::Relaxed);
        lock(&self.skipped).push(Skipped { object: object.url.to_string(), reason });
    }

    fn unit(&self) -> UnitRollup {
        UnitRollup::within(self.options.memory.clone(), self.options.rollup)
    }

    /// Adds an object to its unit and returns its rows; the inner error is why it cannot be read.
    fn scan(
        &self,
        object: &Object,
        (bytes, metadata): &File,
        rollup: &UnitRollup,
        place: usize,
        work: &Work,
    ) -> Result<Result<u64, ScanError>, HoursError> {
        let name = object.url.as_ref();
        let _span = tracing::info_span!("scan", object = name).entered();
        let mut records = rollup.object(place);
        if let Some(number) = work.flow_log_of(object) {
            records = records.of_flow_log(number);
        }
        let rows = match scan(name, bytes, metadata, ROLLUP_FIELDS, rollup.books(), |batch| records.add(batch)) {
            Ok(rows) => rows,
            Err(error) => return Ok(Err(error)),
        };
        records.commit()?;
        self.rows_read.fetch_add(rows, Ordering::Relaxed);
        Ok(Ok(rows))
    }

    fn finish(&self, work: &Work) -> Result<(), HoursError> {
        // Every other worker dropped its share of the unit before it counted its object as done.
        let Some(rollup) = lock(&work.rollup).take().and_then(Arc::into_inner) else {
            return Err(HoursError::Worker);
        };
        let unit = &self.units[work.unit];
        let _span = tracing::info_span!("rollup", unit = unit.id.as_str()).entered();
        let tables = rollup.finish(unit.account_id.as_deref(), unit.region.as_deref(), self.is_internal)?;
        if let Some(kept) = self.kept
            && work.any_skipped.load(Ordering::Relaxed) == 0
        {
            self.runtime.block_on(kept.save(unit, &tables))?;
        }
        lock(&self.held).grow(tables.coverage.get_array_memory_size());
        lock(&self.finished).push((work.unit, tables));
        Ok(())
    }
}
