//! The outbox of a sink: what it was told, and what waits for it.
//!
//! ```text
//! outbox/v1/SINK/told.json                    what it was told, swapped only as it was read
//! outbox/v1/SINK/waiting/NUMBER-KEY.json      a notice that waits, in the order of numbers
//! outbox/v1/SINK/refused/KEY.json             a notice that the receiver will never take
//! ```
//!
//! A notice is kept before it counts as told, and removed after it has arrived. So a run that is killed anywhere loses
//! none, and may send one again under the same key.

use crate::due::Told;
use crate::notice::{Change, IncidentView, Notice, RunView};
use crate::storage::{Storage, StorageError};
use crate::target::Sink;
use std::collections::{BTreeMap, BTreeSet};

/// The folder of all sinks.
const FOLDER: &str = "outbox/v1";
/// Most notices that wait for one sink; what finds no room stays due.
const MAX_WAITING: usize = 1_000;
/// How often a run that was slower than others tries again.
const ATTEMPTS: usize = 20;

/// Why the outbox could not be used.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The storage failed.
    #[error("the outbox cannot be used")]
    Storage(#[from] StorageError),
    /// A value cannot be written as JSON.
    #[error("the outbox cannot be written")]
    Json(#[from] serde_json::Error),
    /// Other runs were faster each time.
    #[error("the outbox was changed by other runs each time; run again")]
    Busy,
}

/// A notice that waits.
#[derive(Debug, Clone)]
pub struct Pending {
    /// Its name in the storage.
    pub name: String,
    /// What is sent.
    pub notice: Notice,
}

/// What a run added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Added {
    /// Notices that wait by now.
    pub notices: u64,
    /// Notices that found no room and stay due.
    pub postponed: u64,
}

/// The outbox of a sink.
#[derive(Debug)]
pub struct Outbox<'a, S> {
    pub(crate) storage: &'a S,
    pub(crate) sink: &'a Sink,
}

impl<'a, S: Storage> Outbox<'a, S> {
    /// The folder in which all versions keep outboxes.
    pub const FOLDER: &'static str = "outbox";

    /// Opens the outbox of a sink.
    pub fn new(storage: &'a S, sink: &'a Sink) -> Self {
        Self { storage, sink }
    }

    fn path(&self, name: &str) -> String {
        format!("{FOLDER}/{}/{name}", self.sink.id)
    }

    /// Notes a sink that is new here: it hears only of what changes after `before`. To be called before a run keeps its
    /// incidents, so that a run that is killed in between leaves them due.
    ///
    /// # Errors
    /// [`OutboxError`] when the storage fails.
    pub async fn begin(&self, before: &[IncidentView]) -> Result<(), OutboxError> {
        if self.told().await?.is_some() {
            return Ok(());
        }
        let told = serde_json::to_vec_pretty(&Told::begun(self.sink, before))?;
        // Another run that was faster has noted the same.
        let _ = self.storage.swap(&self.path("told.json"), told, None).await?;
        Ok(())
    }

    /// Keeps what a run makes due, and counts it as told.
    ///
    /// # Errors
    /// [`OutboxError`] when the storage fails, or others are always faster.
    pub async fn add(&self, run: &RunView) -> Result<Added, OutboxError> {
        for _ in 0..ATTEMPTS {
            let (told, version) = self.told().await?.map_or((Told::default(), None), |(told, v)| (told, Some(v)));
            let waiting = self.names("waiting").await?;
            // Of signs of life only the last one tells anything.
            let signs: Vec<&String> = waiting.iter().filter(|name| key_of(name).starts_with("run-")).collect();
            let room = MAX_WAITING.saturating_sub(waiting.len() - signs.len());
            let mut due = told.due(self.sink, run, room);
            let mut kept = BTreeSet::new();
            for notice in &due.notices {
                kept.insert(self.keep(due.told.next, notice).await?);
                due.told.next += 1;
            }
            due.told.version = 1;
            let written = serde_json::to_vec_pretty(&due.told)?;
            if self.storage.swap(&self.path("told.json"), written, version.as_ref()).await? {
                // One of the same window and number may be there from a run that was killed before it counted.
                for name in signs.into_iter().filter(|name| self.sink.heartbeat && !kept.contains(*name)) {
                    self.storage.delete(name).await?;
                }
                return Ok(Added { notices: due.notices.len() as u64, postponed: due.postponed });
            }
        }
        Err(OutboxError::Busy)
    }

    /// Keeps a notice of an incident once more, whatever the sink was told.
    ///
    /// # Errors
    /// [`OutboxError`] when the storage fails.
    pub async fn replay(&self, incident: &IncidentView) -> Result<(), OutboxError> {
        let number = self.told().await?.map_or(0, |(told, _)| told.next);
        self.keep(number, &replayed(incident)).await.map(drop)
    }

    /// Returns what waits, in the order in which it is sent; each key once. What is damaged is told and left where it is.
    ///
    /// # Errors
    /// [`OutboxError`] when the storage fails.
    pub async fn waiting(&self) -> Result<(Vec<Pending>, Vec<String>), OutboxError> {
        let (mut waiting, mut damaged, mut keys) = (Vec::new(), Vec::new(), BTreeSet::new());
        for name in self.names("waiting").await? {
            let Some((bytes, _)) = self.storage.get(&name).await? else { continue };
            match serde_json::from_slice::<Notice>(&bytes) {
                // Two runs at once may both have kept it.
                Ok(notice) if !keys.insert(notice.key()) => self.storage.delete(&name).await?,
                Ok(notice) => waiting.push(Pending { name, notice }),
                Err(_) => damaged.push(name),
            }
        }
        in_order(&mut waiting);
        Ok((waiting, damaged))
    }

    /// Returns what would be sent after a run, and keeps nothing.
    ///
    /// # Errors
    /// [`OutboxError`] when the storage fails.
    pub async fn due(&self, run: Option<&RunView>) -> Result<Vec<Notice>, OutboxError> {
        let (waiting, _) = self.waiting().await?;
        let mut notices: Vec<Notice> = waiting.into_iter().map(|pending| pending.notice).collect();
        if let Some(run) = run {
            let told = self.told().await?.map_or_else(Told::default, |(told, _)| told);
            notices.extend(told.due(self.sink, run, MAX_WAITING).notices);
        }
        Ok(notices)
    }

    /// Returns how many notices the receiver refused.
    ///
    /// # Errors
    /// [`OutboxError`] when the storage fails.
    pub async fn refused(&self) -> Result<u64, OutboxError> {
        Ok(self.names("refused").await?.len() as u64)
    }

    /// Puts a notice aside that the receiver will never take.
    pub(crate) async fn refuse(&self, pending: &Pending) -> Result<(), OutboxError> {
        let bytes = serde_json::to_vec(&pending.notice)?;
        self.storage.put(&self.path(&format!("refused/{}.json", pending.notice.key())), bytes).await?;
        Ok(self.storage.delete(&pending.name).await?)
    }

    /// Keeps a notice, and returns its name.
    async fn keep(&self, number: u64, notice: &Notice) -> Result<String, OutboxError> {
        let name = self.path(&format!("waiting/{number:012}-{}.json", notice.key()));
        self.storage.put(&name, serde_json::to_vec(notice)?).await?;
        Ok(name)
    }

    async fn names(&self, folder: &str) -> Result<Vec<String>, StorageError> {
        let names = self.storage.list(&self.path(folder)).await?;
        Ok(names.into_iter().filter(|name| name.ends_with(".json")).collect())
    }

    async fn told(&self) -> Result<Option<(Told, S::Version)>, OutboxError> {
        let Some((bytes, version)) = self.storage.get(&self.path("told.json")).await? else { return Ok(None) };
        Ok(Some((serde_json::from_slice(&bytes)?, version)))
    }
}

/// Puts the notices of each incident in the order of its revisions, in the places that they have together. A run that was
/// killed before it counted a notice leaves it under a number that a later one of the same incident may precede.
fn in_order(waiting: &mut [Pending]) {
    let revision = |pending: &Pending| pending.notice.of_incident().map(|about| about.incident.revision);
    let mut places = BTreeMap::<String, Vec<usize>>::new();
    for (place, pending) in waiting.iter().enumerate() {
        if let Some(about) = pending.notice.of_incident() {
            places.entry(about.incident.id.clone()).or_default().push(place);
        }
    }
    for places in places.into_values().filter(|places| places.len() > 1) {
        let mut of_one: Vec<Pending> = places.iter().map(|place| waiting[*place].clone()).collect();
        of_one.sort_by_key(revision);
        places.into_iter().zip(of_one).for_each(|(place, pending)| waiting[place] = pending);
    }
}

/// Returns how many notices wait for sinks other than `named`: nobody sends them until their sink is named again.
///
/// # Errors
/// [`StorageError`] when the storage cannot be listed.
pub async fn left_waiting<S: Storage>(storage: &S, named: &[Sink]) -> Result<u64, StorageError> {
    let names = storage.list(FOLDER).await?;
    let waits = |name: &&String| name.contains("/waiting/") && !key_of(name).starts_with("run-");
    let is_named = |name: &str| named.iter().any(|sink| name.starts_with(&format!("{FOLDER}/{}/", sink.id)));
    Ok(names.iter().filter(waits).filter(|name| !is_named(name)).count() as u64)
}

/// Returns the notice that tells of an incident once more, under the key that it had.
#[must_use]
pub fn replayed(incident: &IncidentView) -> Notice {
    let change = match incident.change.as_str() {
        _ if !incident.is_open() => Change::Closed,
        "escalated" => Change::Escalated,
        "reopened" => Change::Reopened,
        _ => Change::Opened,
    };
    Notice::incident(change, incident.clone())
}

/// Returns the key in the name of a waiting notice.
fn key_of(name: &str) -> &str {
    let file = name.rsplit('/').next().unwrap_or_default();
    file.split_once('-').map_or(file, |(_, key)| key)
}
