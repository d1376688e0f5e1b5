//! Keeps units as they end: packed by the thread that folded them, on all threads, and written beside the scan.

use super::error::HoursError;
use super::gathered::{Outlook, Skipped};
use super::kept::KeptHours;
use super::note::write_skipped;
use super::unit_files::ListedFiles;
use crate::source::Unit;
use ::memory::lock;
use rollup::UnitTables;
use rollup::kept::pack;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// Most bytes that are packed and not yet written; a single larger unit passes alone.
const UNWRITTEN_BYTES: usize = 64 << 20;

/// Keeps units of one run.
pub(super) struct Keeping<'a> {
    runtime: &'a Handle,
    kept: &'a KeptHours,
    /// What was kept when the run began.
    listed: &'a ListedFiles,
    room: Arc<Semaphore>,
    writing: Mutex<Vec<JoinHandle<()>>>,
}

impl<'a> Keeping<'a> {
    pub(super) fn new(runtime: &'a Handle, kept: &'a KeptHours, listed: &'a ListedFiles) -> Self {
        Self { runtime, kept, listed, room: Arc::new(Semaphore::new(UNWRITTEN_BYTES)), writing: Mutex::default() }
    }

    /// Keeps a unit's tables and the objects that they lack, in place of those of its other fingerprints. Tables that
    /// another source left under the same unit's id stay. Returns when the tables are packed.
    ///
    /// # Errors
    /// [`HoursError::Rollup`] when the tables cannot be read from where they were spilled.
    pub(super) fn keep(
        &self,
        unit: &Unit,
        tables: &UnitTables,
        skipped: &[(Outlook, Skipped)],
    ) -> Result<(), HoursError> {
        if !self.kept.may_write() {
            return Ok(());
        }
        let _span = tracing::info_span!("keep", unit = unit.id.as_str()).entered();
        let file = pack(tables, &write_skipped(unit, skipped))?;
        let (name, outdated) = (self.kept.files().name(unit), self.listed.outdated(self.kept.files(), unit));
        let cost = file.len().clamp(1, UNWRITTEN_BYTES) as u32;
        let room = self.runtime.block_on(self.room.clone().acquire_many_owned(cost));
        let kept = self.kept.clone();
        let write = async move {
            kept.replace(&outdated, &name, file.into()).await;
            drop(room);
        };
        lock(&self.writing).push(self.runtime.spawn(write));
        Ok(())
    }

    /// Waits until everything is written.
    pub(super) fn finish(self) {
        let writing = self.writing.into_inner().unwrap_or_else(PoisonError::into_inner);
        // What could not be written is noted already.
        self.runtime.block_on(futures::future::join_all(writing));
    }
}
