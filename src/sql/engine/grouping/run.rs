//! One run of a GROUP BY: the tables of its parts, which all threads fold into.

use super::pack::{GroupingError, Packer};
use super::shape::Shape;
use super::table::{TOGETHER, Table, hash_of};
use super::texts::{OutOfMemory, Texts};
use arrow::array::RecordBatch;
use datafusion::error::Result;
use datafusion::execution::memory_pool::MemoryReservation;
use memory::lock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Parts of the groups, by the highest bits of their hash: enough that threads seldom contend for one.
pub(super) const PARTS: usize = 256;

/// Rows that a thread buffers for a part before it folds them.
const COLLECTED: usize = TOGETHER;

/// Groups that a thread keeps to itself at first: as many as its cache holds.
const OWN_GROUPS: usize = 4_096;

/// Rows of a batch that are packed at a time, so that they are folded while still in the cache.
const PACKED: usize = 2_048;

/// The state that the threads of a run share.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) shape: Arc<Shape>,
    pub(super) texts: Arc<Texts>,
    parts: Vec<Mutex<Table>>,
    reserved: MemoryReservation,
    /// Memory ran out, so the threads can stop.
    full: AtomicBool,
}

impl Run {
    /// Returns a run without groups; the memory of its tables is reserved in `reserved`, that of its texts in a child
    /// of it.
    pub(super) fn new(shape: Arc<Shape>, reserved: MemoryReservation) -> Self {
        let texts = Arc::new(Texts::new(reserved.new_empty()));
        let parts = (0..PARTS).map(|_| Mutex::default()).collect();
        Self { shape, texts, parts, reserved, full: AtomicBool::new(false) }
    }

    /// Returns whether memory ran out.
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed) || self.texts.is_full()
    }

    /// Takes the groups of a part out of the run; their memory is released when they are written.
    pub(super) fn take(&self, part: usize) -> Table {
        let table = self.parts.get(part).map(|part| std::mem::take(&mut *lock(part)));
        table.unwrap_or_default()
    }

    /// Releases the memory of a table that was taken.
    pub(super) fn written(&self, table: Table) {
        let bytes = table.bytes();
        drop(table);
        let _ = self.reserved.try_shrink(bytes);
    }

    /// Folds rows into a part.
    fn fold(&self, part: usize, rows: &[u64], hashes: &[u64]) -> Result<(), OutOfMemory> {
        let layout = &self.shape.layout;
        let mut table = lock(&self.parts[part]);
        let growth = table.growth(layout, hashes.len());
        if growth > 0 {
            let before = table.bytes();
            if self.reserved.try_grow(growth).is_err() {
                self.full.store(true, Ordering::Relaxed);
                return Err(OutOfMemory);
            }
            table.make_room(layout, hashes.len());
            // Releases what was reserved for the old and new tables together, less what the table uses now.
            let _ = self.reserved.try_shrink((before + growth).saturating_sub(table.bytes()));
        }
        table.fold(layout, rows, hashes, usize::MAX);
        Ok(())
    }
}

/// Rows that wait for their part.
#[derive(Default)]
struct PartBuffer {
    rows: Vec<u64>,
    hashes: Vec<u64>,
}

/// One thread's work on a run.
pub(super) struct Folder {
    run: Arc<Run>,
    packer: Packer,
    own: LocalGroups,
}

/// The groups that a thread keeps until it folds them into the parts.
struct LocalGroups {
    groups: Table,
    /// Rows that were folded into `groups` since it was empty.
    folded: usize,
    /// Rows go to the parts at once, since hardly any two of them have the same keys.
    direct: bool,
    waiting: Vec<PartBuffer>,
    /// Memory of the groups and the waiting rows.
    reserved: MemoryReservation,
}

impl Folder {
    /// Starts a thread's work.
    ///
    /// # Errors
    /// When there is no memory to begin.
    pub(super) fn new(run: &Arc<Run>) -> Result<Self, OutOfMemory> {
        let layout = &run.shape.layout;
        let own = LocalGroups {
            groups: Table::default(),
            folded: 0,
            direct: false,
            waiting: Vec::new(),
            reserved: run.reserved.new_empty(),
        };
        let mut folder = Self { run: run.clone(), packer: Packer::new(run.shape.clone(), run.texts.clone()), own };
        let growth = folder.own.groups.growth(layout, OWN_GROUPS);
        if folder.own.reserved.try_grow(growth).is_err() {
            run.full.store(true, Ordering::Relaxed);
            return Err(OutOfMemory);
        }
        folder.own.groups.make_room(layout, OWN_GROUPS);
        Ok(folder)
    }

    /// Folds a batch.
    ///
    /// # Errors
    /// When there is no memory, or an expression fails.
    pub(super) fn fold(&mut self, batch: &RecordBatch) -> Result<(), GroupingError> {
        for from in (0..batch.num_rows()).step_by(PACKED) {
            let part = batch.slice(from, PACKED.min(batch.num_rows() - from));
            let (rows, hashes) = self.packer.pack(&part).inspect_err(|failed| {
                if matches!(failed, GroupingError::OutOfMemory) {
                    self.run.full.store(true, Ordering::Relaxed);
                }
            })?;
            self.own.take(&self.run, rows, hashes)?;
        }
        Ok(())
    }

    /// Folds everything that waits into the parts.
    ///
    /// # Errors
    /// When there is no memory.
    pub(super) fn end(mut self) -> Result<(), OutOfMemory> {
        self.own.empty(&self.run)?;
        for (part, waiting) in self.own.waiting.iter().enumerate().filter(|(_, waiting)| !waiting.hashes.is_empty()) {
            self.run.fold(part, &waiting.rows, &waiting.hashes)?;
        }
        Ok(())
    }
}

impl LocalGroups {
    fn take(&mut self, run: &Run, mut rows: &[u64], mut hashes: &[u64]) -> Result<(), OutOfMemory> {
        let layout = &run.shape.layout;
        while !self.direct && !hashes.is_empty() {
            let folded = self.groups.fold(layout, rows, hashes, OWN_GROUPS);
            self.folded += folded;
            (rows, hashes) = (&rows[folded * layout.words..], &hashes[folded..]);
            if !hashes.is_empty() {
                // Keep the thread's own groups only if at least half of the rows found their group there.
                self.direct = self.folded < 2 * OWN_GROUPS;
                self.empty(run)?;
            }
        }
        self.spread(run, rows, hashes)
    }

    /// Folds the thread's own groups into the parts.
    fn empty(&mut self, run: &Run) -> Result<(), OutOfMemory> {
        let layout = &run.shape.layout;
        let groups = std::mem::take(&mut self.groups);
        for rows in groups.rows().chunks(layout.words * PACKED) {
            let hashes: Vec<u64> =
                rows.chunks_exact(layout.words).map(|row| hash_of(&row[..layout.key_words])).collect();
            self.spread(run, rows, &hashes)?;
        }
        self.groups = groups;
        self.groups.clear();
        self.folded = 0;
        Ok(())
    }

    /// Adds rows to those that wait for their parts, and folds the parts that have enough.
    fn spread(&mut self, run: &Run, rows: &[u64], hashes: &[u64]) -> Result<(), OutOfMemory> {
        let words = run.shape.layout.words;
        if self.waiting.is_empty() && !hashes.is_empty() {
            let bytes = PARTS * COLLECTED * (words + 1) * size_of::<u64>();
            if self.reserved.try_grow(bytes).is_err() {
                run.full.store(true, Ordering::Relaxed);
                return Err(OutOfMemory);
            }
            self.waiting.resize_with(PARTS, PartBuffer::default);
        }
        for (row, hash) in rows.chunks_exact(words).zip(hashes) {
            let part = (hash >> 56) as usize;
            let waiting = &mut self.waiting[part];
            if waiting.rows.capacity() == 0 {
                waiting.rows.reserve_exact(COLLECTED * words);
                waiting.hashes.reserve_exact(COLLECTED);
            }
            waiting.rows.extend_from_slice(row);
            waiting.hashes.push(*hash);
            if waiting.hashes.len() == COLLECTED {
                run.fold(part, &waiting.rows, &waiting.hashes)?;
                waiting.rows.clear();
                waiting.hashes.clear();
            }
        }
        Ok(())
    }
}
