//! Incidents kept between runs: a snapshot for each window, and a head that tells which there are.
//!
//! Two runs at once lose nothing: the head is swapped only as it was read. Whoever was slower reads it again, carries its
//! incidents over from the state that is there by now, and compares.

use super::carry::Carried;
use super::head::Head;
use super::snapshot::{Snapshot, SnapshotName};
use crate::incident::model::Incident;
use crate::source::{PutMode, SourceError, Store, Swap, Version};
use bytes::Bytes;
use flow::fnv::Fnv64;
use rollup::window::Window;

/// The folder of this version. A new version leaves older files alone.
const VERSION_FOLDER: &str = "incidents/v1";
const HEAD: &str = "incidents/v1/HEAD.json";

/// How often a run that was slower than others tries again.
const ATTEMPTS: usize = 30;

/// Why the state of incidents could not be used.
#[derive(Debug, thiserror::Error)]
pub enum LifeError {
    /// The store failed.
    #[error("kept incidents cannot be used")]
    Store(#[from] SourceError),
    /// A value cannot be written as JSON.
    #[error("kept incidents cannot be written")]
    Json(#[from] serde_json::Error),
    /// Other runs were faster each time.
    #[error("`{0}` was changed by other runs each time that this one was about to write it; run again")]
    Busy(String),
}

/// The incidents of a source, kept under a folder or an S3 prefix.
#[derive(Debug, Clone)]
pub struct KeptIncidents {
    store: Store,
    source: u64,
}

/// The state that a run starts from.
#[derive(Debug, Clone, Default)]
pub struct Before {
    /// The state; empty where nothing is kept.
    pub snapshot: Snapshot,
    /// Files that are missing or damaged, so that the state is that of an earlier run.
    pub damaged: Vec<String>,
    name: Option<SnapshotName>,
}

/// What became of a run's state.
#[derive(Debug)]
pub struct Settled {
    /// The state after the run.
    pub carried: Carried,
    /// Kept windows after this one that rest on an earlier state of it, and should be judged again.
    pub stale_windows: u64,
    /// Files that are missing or damaged.
    pub damaged: Vec<String>,
}

impl KeptIncidents {
    /// The folder in which all versions keep incidents.
    pub const FOLDER: &str = "incidents";

    /// Opens the kept incidents of the logs that `sources` name, in any order.
    #[must_use]
    pub fn new(store: Store, sources: &[String]) -> Self {
        let mut sorted: Vec<&str> = sources.iter().map(String::as_str).collect();
        sorted.sort_unstable();
        let mut hash = Fnv64::default();
        for source in sorted {
            hash.write(source.as_bytes());
            hash.write(&[0]);
        }
        Self { store, source: hash.finish() }
    }

    /// Returns the state that a run of a window starts from.
    ///
    /// # Errors
    /// [`LifeError::Store`] when the store cannot be read.
    pub async fn before(&self, window: &Window) -> Result<Before, LifeError> {
        let (head, _) = self.head().await?;
        self.newest(&head, window).await
    }

    /// Keeps the state after a run of a window: `next` makes it from the state before, and is asked again when another run
    /// has written meanwhile. A run again with the same result writes nothing.
    ///
    /// # Errors
    /// [`LifeError`] when the store cannot be read or written, or others are always faster.
    pub async fn settle(
        &self,
        window: &Window,
        next: impl Fn(&Snapshot) -> (Snapshot, Carried),
    ) -> Result<Settled, LifeError> {
        for _ in 0..ATTEMPTS {
            let (head, version) = self.head().await?;
            let before = self.newest(&head, window).await?;
            let (snapshot, carried) = next(&before.snapshot);
            let (bytes, name) = snapshot.written((window.from_s, window.to_s), self.source)?;
            let mut changed = head.clone();
            changed.put(&name, before.name.as_ref());
            let stale_windows = changed.stale_after(&name);
            let until_s = changed.forget_old();
            let settled = Settled { carried, stale_windows, damaged: before.damaged };
            if version.is_some() && changed == head && self.snapshot(&name).await?.is_some() {
                return Ok(settled);
            }
            self.store.put(&path_of(&name), bytes, PutMode::Overwrite).await?;
            let written = Bytes::from(changed.written()?);
            if self.store.swap(HEAD, written, version.as_ref()).await? == Swap::Done {
                self.remove_before(until_s).await;
                return Ok(settled);
            }
        }
        Err(LifeError::Busy(self.store.url_of(HEAD)))
    }

    /// Returns an incident as the newest window that knows it left it, of any source; `None` when none knows it.
    ///
    /// # Errors
    /// [`LifeError::Store`] when the store cannot be read.
    pub async fn find(store: &Store, id: &str) -> Result<Option<Incident>, LifeError> {
        let any = Self { store: store.clone(), source: 0 };
        let mut names = any.names().await?;
        names.sort_unstable_by(|a, b| b.cmp(a));
        for name in names {
            let found = any.snapshot(&name).await?;
            let found = found.and_then(|snapshot| snapshot.incidents.into_iter().find(|incident| incident.id == id));
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Reads the head; where it is missing or damaged, it is made from the names of the snapshots.
    async fn head(&self) -> Result<(Head, Option<Version>), LifeError> {
        let read = self.store.get_versioned(HEAD).await?;
        let (bytes, version) = read.map_or((Bytes::new(), None), |(bytes, version)| (bytes, Some(version)));
        let head = match Head::parsed(&bytes) {
            Some(head) => head,
            None => Head::of_names(self.names().await?.into_iter()),
        };
        Ok((head, version))
    }

    async fn names(&self) -> Result<Vec<SnapshotName>, LifeError> {
        let listed = self.store.list(VERSION_FOLDER).await?;
        let name = |path: &str| path.rsplit('/').next()?.parse().ok();
        Ok(listed.iter().filter_map(|file| name(&file.name)).collect())
    }

    async fn newest(&self, head: &Head, window: &Window) -> Result<Before, LifeError> {
        let run = SnapshotName { to_s: window.to_s, from_s: window.from_s, source: self.source, crc32: String::new() };
        let mut damaged = Vec::new();
        for name in head.before(&run) {
            if let Some(snapshot) = self.snapshot(&name).await? {
                return Ok(Before { snapshot, damaged, name: Some(name) });
            }
            damaged.push(self.store.url_of(&path_of(&name)));
        }
        Ok(Before { damaged, ..Before::default() })
    }

    /// Reads a snapshot; `None` when it is missing or damaged.
    async fn snapshot(&self, name: &SnapshotName) -> Result<Option<Snapshot>, LifeError> {
        let bytes = self.store.get(&path_of(name)).await?;
        Ok(bytes.and_then(|bytes| Snapshot::parsed(name, &bytes)))
    }

    /// Removes snapshots of windows that ended before a second, of replaced runs as well. What cannot be removed stays.
    async fn remove_before(&self, until_s: i64) {
        for name in self.names().await.unwrap_or_default() {
            if name.to_s < until_s {
                let _ = self.store.delete(&path_of(&name)).await;
            }
        }
    }
}

fn path_of(name: &SnapshotName) -> String {
    format!("{VERSION_FOLDER}/{name}")
}
