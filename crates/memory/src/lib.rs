//! The memory that a run may use, shared by all its stages, and the folder for what does not fit.
//!
//! A stage takes bytes from the budget before it holds them. When the budget is used up, it writes the same data to a
//! file instead. Findings depend on neither. Start with [`Memory`]; a [`Reservation`] costs two atomic additions.

mod lock;

mod buffer_pool;
mod private_folder;

mod folder;

pub use buffer_pool::BufferPool;
pub use folder::{SpillError, SpillFile, SpillFolder, SpillReader};
pub use lock::lock;
pub use private_folder::sweep;
use std::any::Any;
use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// Counts the bytes that all stages of a run hold.
pub trait Budget: Debug + Send + Sync {
    /// Takes `bytes` if that many are left; returns whether it did.
    fn try_take(&self, bytes: usize) -> bool;
    /// Takes `bytes` even when they are not left: for data that cannot be spilled.
    fn take(&self, bytes: usize);
    /// Returns bytes to the budget.
    fn give_back(&self, bytes: usize);
}

/// A budget without a limit.
#[derive(Debug)]
struct Unlimited;

impl Budget for Unlimited {
    fn try_take(&self, _bytes: usize) -> bool {
        true
    }
    fn take(&self, _bytes: usize) {}
    fn give_back(&self, _bytes: usize) {}
}

/// The purpose that memory is taken for. Each has a share of the whole, so that no stage starves the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Records of units in progress: 3/8.
    Records,
    /// Rows of `pair_hours` until the tables are derived: 1/4.
    Hours,
    /// Rows of `pairs`: 1/4.
    Pairs,
}

impl Purpose {
    fn share_of(self, bytes: usize) -> usize {
        match self {
            Purpose::Records => bytes / 8 * 3,
            Purpose::Hours | Purpose::Pairs => bytes / 4,
        }
    }
}

/// A pool of buffers of any type.
trait AnyPool: Debug + Send + Sync {
    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
    fn clear(&self);
}

impl<T: Debug + Send + 'static> AnyPool for BufferPool<T> {
    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }

    fn clear(&self) {
        BufferPool::clear(self);
    }
}

/// Memory and spill folder of one run; clones share them.
///
/// ```
/// use flowsift_memory::{Memory, Purpose};
///
/// let memory = Memory::default();
/// let mut rows = memory.reserve(Purpose::Hours);
/// assert!(rows.try_grow(1 << 20), "the default has no limit");
/// assert_eq!(rows.bytes(), 1 << 20);
/// ```
#[derive(Clone, Debug)]
pub struct Memory(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    budget: Box<dyn Budget>,
    limit: Option<usize>,
    used: [AtomicUsize; 3],
    file: OnceLock<Arc<SpillFile>>,
    folder: SpillFolder,
    /// The pools of buffers, one for each type of value.
    buffers: Mutex<Vec<Arc<dyn AnyPool>>>,
}

impl Default for Memory {
    /// No limit, so nothing is ever spilled.
    fn default() -> Self {
        Self::new(Box::new(Unlimited), None, std::env::temp_dir())
    }
}

impl Memory {
    /// Returns a memory of at most `bytes`, counted by `budget`; what does not fit goes to a private folder below
    /// `spill_dir`.
    pub fn limited(bytes: usize, budget: Box<dyn Budget>, spill_dir: PathBuf) -> Self {
        Self::new(budget, Some(bytes), spill_dir)
    }

    fn new(budget: Box<dyn Budget>, limit: Option<usize>, spill_dir: PathBuf) -> Self {
        let folder = SpillFolder::new(spill_dir);
        Self(Arc::new(Shared {
            budget,
            limit,
            used: Default::default(),
            file: OnceLock::new(),
            folder,
            buffers: Mutex::default(),
        }))
    }

    /// Returns how many bytes all stages together may take; `None` for no limit.
    pub fn limit(&self) -> Option<usize> {
        self.0.limit
    }

    /// Returns how many bytes may be taken for `purpose`.
    pub fn share(&self, purpose: Purpose) -> usize {
        self.0.limit.map_or(usize::MAX, |bytes| purpose.share_of(bytes))
    }

    /// Returns an empty reservation for `purpose`.
    pub fn reserve(&self, purpose: Purpose) -> Reservation {
        Reservation { memory: self.clone(), purpose, bytes: 0 }
    }

    /// Returns the run's pool of buffers that each hold `capacity` values of one type. The first call for a type
    /// creates the pool and fixes its capacity.
    pub fn buffers<T: Debug + Send + 'static>(&self, capacity: usize) -> Arc<BufferPool<T>> {
        let mut pools = lock(&self.0.buffers);
        let known = pools.iter().find_map(|pool| Arc::clone(pool).as_any().downcast::<BufferPool<T>>().ok());
        known.unwrap_or_else(|| {
            let pool = Arc::new(BufferPool::new(capacity));
            pools.push(Arc::clone(&pool) as Arc<dyn AnyPool>);
            pool
        })
    }

    /// Returns how many bytes of unused buffers a pool may keep, which the budget does not count.
    pub fn max_unused_bytes(&self) -> usize {
        self.share(Purpose::Records) / 8
    }

    /// Frees the unused buffers of all pools.
    pub fn free_unused_buffers(&self) {
        lock(&self.0.buffers).iter().for_each(|pool| pool.clear());
    }

    /// Returns the folder that spilled bytes go to.
    pub fn folder(&self) -> &SpillFolder {
        &self.0.folder
    }

    /// Returns the file for data that stays spilled until the run ends.
    ///
    /// # Errors
    /// [`SpillError::Folder`] when it cannot be made.
    pub fn file(&self) -> Result<Arc<SpillFile>, SpillError> {
        if let Some(file) = self.0.file.get() {
            return Ok(file.clone());
        }
        let made = Arc::new(self.new_file()?);
        Ok(self.0.file.get_or_init(|| made).clone())
    }

    /// Creates a separate file, whose space is freed once it is dropped.
    ///
    /// # Errors
    /// [`SpillError::Folder`] when it cannot be made.
    pub fn new_file(&self) -> Result<SpillFile, SpillError> {
        self.0.folder.new_file()
    }

    /// Returns how many bytes were spilled so far.
    pub fn spilled_bytes(&self) -> u64 {
        self.0.folder.written_bytes()
    }
}

/// Bytes taken from the budget; they are returned when this is dropped.
#[derive(Debug)]
pub struct Reservation {
    memory: Memory,
    purpose: Purpose,
    bytes: usize,
}

impl Reservation {
    /// Returns the memory that the bytes are taken from.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Returns how many bytes are held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes `bytes` more if the purpose and the run have as many left; returns whether it did.
    pub fn try_grow(&mut self, bytes: usize) -> bool {
        let Shared { budget, used, .. } = &*self.memory.0;
        let used = &used[self.purpose as usize];
        let max = self.memory.share(self.purpose);
        let fits = |now: usize| now.checked_add(bytes).filter(|sum| *sum <= max);
        if used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_err() {
            return false;
        }
        if !budget.try_take(bytes) {
            used.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        self.bytes += bytes;
        true
    }

    /// Takes `bytes` more, even when they are not left.
    pub fn grow(&mut self, bytes: usize) {
        self.memory.0.used[self.purpose as usize].fetch_add(bytes, Ordering::Relaxed);
        self.memory.0.budget.take(bytes);
        self.bytes += bytes;
    }

    /// Returns everything beyond `bytes`.
    pub fn shrink_to(&mut self, bytes: usize) {
        let freed = self.bytes.saturating_sub(bytes);
        self.memory.0.used[self.purpose as usize].fetch_sub(freed, Ordering::Relaxed);
        self.memory.0.budget.give_back(freed);
        self.bytes -= freed;
    }

    /// Takes over the bytes of another reservation for the same purpose.
    pub fn join(&mut self, mut other: Reservation) {
        debug_assert_eq!(self.purpose, other.purpose);
        self.bytes += std::mem::take(&mut other.bytes);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A budget of a number of bytes.
    #[derive(Debug)]
    struct Counter(AtomicUsize);

    impl Budget for Counter {
        fn try_take(&self, bytes: usize) -> bool {
            self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()
        }
        fn take(&self, bytes: usize) {
            self.0.fetch_sub(bytes, Ordering::Relaxed);
        }
        fn give_back(&self, bytes: usize) {
            self.0.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_purpose_gets_its_share_and_the_run_its_limit() {
        let memory = Memory::limited(800, Box::new(Counter(AtomicUsize::new(350))), std::env::temp_dir());
        let mut records = memory.reserve(Purpose::Records);
        assert!(records.try_grow(300) && !records.try_grow(1));
        let mut hours = memory.reserve(Purpose::Hours);
        assert!(!hours.try_grow(51), "the run has 50 left");
        assert!(hours.try_grow(50));
        drop(records);
        assert!(hours.try_grow(150) && !hours.try_grow(1), "a quarter of 800");
        let mut more = memory.reserve(Purpose::Hours);
        more.grow(10);
        hours.shrink_to(20);
        more.join(hours);
        assert_eq!(more.bytes(), 30);
        drop(more);
        let mut all = memory.reserve(Purpose::Records);
        assert!(all.try_grow(300), "everything came back");
    }

    #[test]
    fn no_limit_is_no_limit() {
        let memory = Memory::default();
        assert!(memory.reserve(Purpose::Pairs).try_grow(1 << 50));
        assert_eq!((memory.limit(), memory.spilled_bytes()), (None, 0));
    }
}
