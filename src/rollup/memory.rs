//! The memory that a run may take, shared by all its stages, and the folder that takes what does not fit.
//!
//! What a stage holds it takes from the budget first. When it gets no more, it spills: the same numbers, in a file. What
//! is found depends on neither.

mod folder;

use super::spare::SpareLists;
use crate::flow::units::bytes_text;
pub use folder::{SpillError, SpillFile, SpillFolder, SpillReader};
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// Counts the bytes that all stages of a run hold.
pub trait Budget: Debug + Send + Sync {
    /// Takes `bytes` if that many are left, and tells whether it did.
    fn try_take(&self, bytes: usize) -> bool;
    /// Takes `bytes`, left or not: for what cannot be spilled.
    fn take(&self, bytes: usize);
    /// Gives back what was taken.
    fn give_back(&self, bytes: usize);
}

/// A budget without end.
#[derive(Debug)]
struct Endless;

impl Budget for Endless {
    fn try_take(&self, _bytes: usize) -> bool {
        true
    }
    fn take(&self, _bytes: usize) {}
    fn give_back(&self, _bytes: usize) {}
}

/// What memory is taken for. Each purpose has a share of the whole, so that no stage starves the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Records of units under way: 3/8.
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

/// Memory and spill folder of one run; clones share them.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    budget: Box<dyn Budget>,
    limit: Option<usize>,
    used: [AtomicUsize; 3],
    file: OnceLock<Arc<SpillFile>>,
    folder: SpillFolder,
    /// Lists of records to be filled again.
    spare_lists: SpareLists,
}

impl Default for Memory {
    /// No limit, so nothing is ever spilled.
    fn default() -> Self {
        Self::new(Box::new(Endless), None, std::env::temp_dir())
    }
}

impl Memory {
    /// At most `bytes`, counted by `budget`; what does not fit goes to a private folder below `spill_dir`.
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
            spare_lists: SpareLists::default(),
        }))
    }

    /// Bytes that all stages together may take; `None` for no limit.
    pub fn limit(&self) -> Option<usize> {
        self.0.limit
    }

    /// Bytes that may be taken for `purpose`.
    pub fn share(&self, purpose: Purpose) -> usize {
        self.0.limit.map_or(usize::MAX, |bytes| purpose.share_of(bytes))
    }

    /// Takes nothing yet.
    pub fn reserve(&self, purpose: Purpose) -> Reservation {
        Reservation { memory: self.clone(), purpose, bytes: 0 }
    }

    /// Lists of records to be filled again.
    pub(super) fn spare_lists(&self) -> &SpareLists {
        &self.0.spare_lists
    }

    /// Bytes of lists that may be kept for later: what is kept is held beside the budget.
    pub(super) fn most_spare(&self) -> usize {
        self.share(Purpose::Records) / 8
    }

    /// Lets go of what was kept for records to come.
    pub fn release_spare(&self) {
        self.0.spare_lists.clear();
    }

    /// Where spilled bytes go.
    pub fn folder(&self) -> &SpillFolder {
        &self.0.folder
    }

    /// The file of what is spilled until the run ends.
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

    /// A file of its own, whose space is free again once it is dropped.
    ///
    /// # Errors
    /// [`SpillError::Folder`] when it cannot be made.
    pub fn new_file(&self) -> Result<SpillFile, SpillError> {
        self.0.folder.new_file()
    }

    /// Bytes spilled so far.
    pub fn spilled_bytes(&self) -> u64 {
        self.0.folder.written_bytes()
    }
}

/// Bytes taken from the budget; they are given back when it is dropped.
#[derive(Debug)]
pub struct Reservation {
    memory: Memory,
    purpose: Purpose,
    bytes: usize,
}

impl Reservation {
    /// The memory that it is taken from.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes `bytes` more if the purpose and the run have as many left; tells whether it did.
    pub fn try_grow(&mut self, bytes: usize) -> bool {
        let Shared { budget, used, .. } = &*self.memory.0;
        let used = &used[self.purpose as usize];
        let most = self.memory.share(self.purpose);
        let fits = |now: usize| now.checked_add(bytes).filter(|sum| *sum <= most);
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

    /// Takes `bytes` more, left or not.
    pub fn grow(&mut self, bytes: usize) {
        self.memory.0.used[self.purpose as usize].fetch_add(bytes, Ordering::Relaxed);
        self.memory.0.budget.take(bytes);
        self.bytes += bytes;
    }

    /// Gives back all beyond `bytes`.
    pub fn shrink_to(&mut self, bytes: usize) {
        let freed = self.bytes.saturating_sub(bytes);
        self.memory.0.used[self.purpose as usize].fetch_sub(freed, Ordering::Relaxed);
        self.memory.0.budget.give_back(freed);
        self.bytes -= freed;
    }

    /// Takes over what another one of the same purpose holds.
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

/// Names a folder and what could not be put there, for messages.
fn place(folder: &Path, bytes: u64) -> String {
    format!("spill folder {}: {}", folder.display(), bytes_text(bytes))
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
