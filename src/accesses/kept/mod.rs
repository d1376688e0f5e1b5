//! What is kept of logs of accesses between runs: the fold of each unit, and the ledgers.
//!
//! A unit is the objects of one log and day. The name of its file holds the fingerprint of its objects, so late objects
//! cost only their own unit. A unit whose objects left the lake still counts as history: a lake may hold less than a run
//! compares with. The fold is kept with the ids of its acts, since another trail may tell the same on the next day.

mod file;
mod ledger;
mod unit;

use super::fold::Fold;
use super::logs::{AccessLogs, KeptUse};
use crate::source::{PutMode, SourceError, Store, TimeRange};
use ::memory::lock;
use bytes::Bytes;
use flow::error_text;
use flow::fnv::Fnv64;
use flow::time::DAY_S;
use flow::units::count_text;
use futures::stream::{self, StreamExt};
use ledger::KeptLedgers;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use tokio::runtime::Handle;
pub(super) use unit::{AccessUnit, units};

/// The folder of all versions.
const FOLDER: &str = "accesses";
/// The folder of this version. A new version leaves older files alone.
const VERSION_FOLDER: &str = "accesses/v1";
/// Files that are fetched at the same time.
const CONCURRENCY: usize = 16;
/// Failures in a row after which the place is not asked any more: each may have taken all its retries.
const GIVE_UP_AFTER: u64 = 2;
/// How far the days of folders may be from those of the records; as in listings.
const DAY_MARGIN_S: i64 = DAY_S;

/// The place where folds of logs of accesses and ledgers are kept.
#[derive(Clone, Debug)]
pub struct KeptAccesses {
    store: Store,
    source: u64,
    trouble: Arc<Mutex<Trouble>>,
}

/// What did not work.
#[derive(Debug, Default)]
struct Trouble {
    unread: u64,
    unkept: u64,
    unread_in_a_row: u64,
    unkept_in_a_row: u64,
    reasons: BTreeSet<String>,
}

/// What is there of one unit.
#[derive(Debug)]
pub(super) enum KeptState {
    /// A file of the same objects, or of them and others that have left the lake.
    Kept(KeptFile),
    /// No such file: the objects have to be read.
    Changed,
}

/// A file of a unit.
#[derive(Clone, Debug)]
pub(super) struct KeptFile {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) day_s: Option<i64>,
}

/// The files of units, by the beginning of their names.
pub(super) type KeptFiles = BTreeMap<String, Vec<KeptFile>>;

impl KeptAccesses {
    /// The folders that are kept, which listings of sources leave out.
    pub const FOLDERS: &[&str] = &[FOLDER, ledger::FOLDER];

    /// Opens the place; `settings` are the texts on which folds depend besides the objects: the sources as they were named,
    /// the rules by which logs are recognised, and the zone of local times.
    pub fn new<'a>(store: Store, settings: impl IntoIterator<Item = &'a str>) -> Self {
        let mut hash = Fnv64::default();
        for text in settings {
            hash.write(text.as_bytes());
            hash.write(&[0]);
        }
        Self { store, source: hash.finish(), trouble: Arc::default() }
    }

    /// Returns what did not work so far, and why, in one line; `None` when all did.
    pub fn trouble(&self) -> Option<String> {
        let trouble = lock(&self.trouble);
        let units = |count| format!("{} {}", count_text(count), if count == 1 { "file" } else { "files" });
        let mut parts = Vec::new();
        if trouble.unread > 0 {
            parts.push(format!("{} of logs of accesses could not be read, so the logs were", units(trouble.unread)));
        }
        if trouble.unkept > 0 {
            parts.push(format!("{} of logs of accesses could not be kept", units(trouble.unkept)));
        }
        let reasons: Vec<&str> = trouble.reasons.iter().map(String::as_str).collect();
        (!parts.is_empty()).then(|| format!("{}: {}", parts.join("; "), reasons.join("; ")))
    }

    /// Lists the files of this source; none if that fails, which is noted.
    pub(super) fn list(&self, runtime: &Handle) -> KeptFiles {
        let listed = self.read(|| runtime.block_on(self.store.list(VERSION_FOLDER))).unwrap_or_default();
        let mark = format!("-{:016x}-", self.source);
        let mut files = KeptFiles::new();
        for stored in listed {
            let Some(below) = stored.name.strip_prefix(VERSION_FOLDER).and_then(|name| name.strip_prefix('/')) else {
                continue;
            };
            if let Some(end) = below.find(&mark) {
                let file = KeptFile { name: stored.name.clone(), bytes: stored.size, day_s: unit::day_of_name(below) };
                files.entry(below[..end + mark.len()].to_owned()).or_default().push(file);
            }
        }
        files
    }

    /// Returns what is there of a unit, and takes its file from `files`.
    pub(super) fn state_of(
        &self,
        unit: &AccessUnit,
        files: &mut KeptFiles,
        runtime: &Handle,
        damaged: &mut Vec<String>,
    ) -> KeptState {
        let Some(candidates) = files.remove(&unit.stem(self.source)) else { return KeptState::Changed };
        let name = self.name_of(unit);
        if let Some(exact) = candidates.iter().find(|file| file.name == name) {
            return KeptState::Kept(exact.clone());
        }
        // What has left the lake still counts, where folders tell its day; other objects may have new names.
        if unit.day_s.is_some() {
            let listed: BTreeSet<_> = unit.names().into_iter().collect();
            for file in candidates {
                let Some(bytes) = self.get(&file, runtime) else { continue };
                match file::objects_of(&bytes) {
                    Some(objects) => {
                        let held: BTreeSet<_> = objects.into_iter().collect();
                        if listed.is_subset(&held) {
                            return KeptState::Kept(file);
                        }
                    }
                    None => damaged.push(self.store.url_of(&file.name)),
                }
            }
        }
        KeptState::Changed
    }

    /// Returns the files that are left of the days of a range: their objects are no longer there.
    pub(super) fn gone(&self, files: KeptFiles, range: &TimeRange) -> Vec<KeptFile> {
        let is_wanted = |file: &KeptFile| {
            file.day_s.is_some_and(|day_s| {
                range.from_s.is_some_and(|from_s| day_s + DAY_S + DAY_MARGIN_S > from_s)
                    && range.to_s.is_none_or(|to_s| day_s - DAY_MARGIN_S < to_s)
            })
        };
        // Of several files of a unit, one: the next run that reads it puts them right.
        files
            .into_values()
            .filter_map(|of_unit| of_unit.into_iter().max_by_key(|file| file.bytes))
            .filter(is_wanted)
            .collect()
    }

    fn name_of(&self, unit: &AccessUnit) -> String {
        format!("{VERSION_FOLDER}/{}{}.parquet", unit.stem(self.source), unit.fingerprint())
    }

    /// Returns the URL of a file.
    pub(super) fn url_of(&self, file: &KeptFile) -> String {
        self.store.url_of(&file.name)
    }

    fn get(&self, file: &KeptFile, runtime: &Handle) -> Option<Bytes> {
        self.read(|| runtime.block_on(self.store.get(&file.name))).flatten()
    }

    /// Loads files; `None` of one that could not be read, and of one that is damaged, whose URL is added.
    pub(super) fn load(&self, files: &[KeptFile], runtime: &Handle, damaged: &mut Vec<String>) -> Vec<Option<Fold>> {
        use rayon::prelude::*;
        let fetched: Vec<Result<Option<Bytes>, SourceError>> = runtime.block_on(
            stream::iter(files)
                .map(|file| async { if self.may_read() { self.store.get(&file.name).await } else { Ok(None) } })
                .buffered(CONCURRENCY)
                .collect(),
        );
        let bytes: Vec<Option<Bytes>> = fetched.into_iter().map(|one| self.note_read(one).flatten()).collect();
        let parsed: Vec<Option<Fold>> = bytes.par_iter().map(|bytes| bytes.as_ref().and_then(file::parsed)).collect();
        for ((file, bytes), parsed) in files.iter().zip(&bytes).zip(&parsed) {
            if bytes.is_some() && parsed.is_none() {
                damaged.push(self.url_of(file));
            }
        }
        parsed
    }

    /// Keeps the fold of a unit that was read, in place of those of its other objects.
    pub(super) fn save(&self, unit: &AccessUnit, fold: &Fold, runtime: &Handle) {
        if fold.is_passing || !self.may_write() {
            return;
        }
        let (name, stem) = (self.name_of(unit), unit.stem(self.source));
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        let saved: Result<(), String> = runtime.block_on(async {
            let written = file::written(unit.names(), fold);
            let bytes = written.map_err(|error| error_text(&error))?;
            let told = |error: SourceError| error_text(&error);
            self.store.sweep(&folder).await;
            self.store.put(&name, bytes, PutMode::Overwrite).await.map_err(told)?;
            let begin = format!("{VERSION_FOLDER}/{stem}");
            for other in self.store.list(&folder).await.map_err(told)? {
                if other.name != name && other.name.starts_with(&begin) {
                    self.store.delete(&other.name).await.map_err(told)?;
                }
            }
            Ok(())
        });
        self.note_written(saved);
    }

    /// Loads the ledgers of earlier runs; empty ones if that fails, which is noted.
    fn ledgers(&self, runtime: &Handle) -> Option<KeptLedgers> {
        self.read(|| runtime.block_on(ledger::load(&self.store)))
    }

    /// Adds the ledgers of a run to those of earlier runs, keeps them, and gives the earlier ones to the run.
    pub(super) fn settle_ledgers(&self, logs: &mut AccessLogs, used: &mut KeptUse, runtime: &Handle) {
        // What cannot be read may be there: a file of this run alone is added to it.
        let loaded = self.ledgers(runtime).unwrap_or_default();
        let (mut credentials, mut principals) = (loaded.credentials.clone(), loaded.principals.clone());
        credentials.merge(&logs.credentials);
        principals.merge(&logs.principals);
        if self.may_write() {
            let saved = runtime.block_on(ledger::save(&self.store, &loaded, &credentials, &principals));
            self.note_written(saved.map_err(|error| error_text(&error)));
        }
        used.damaged.extend(loaded.damaged);
        used.ledgers = (loaded.credentials, loaded.principals);
    }

    fn may_read(&self) -> bool {
        lock(&self.trouble).unread_in_a_row < GIVE_UP_AFTER
    }

    fn may_write(&self) -> bool {
        let mut trouble = lock(&self.trouble);
        let may = trouble.unkept_in_a_row < GIVE_UP_AFTER;
        trouble.unkept += u64::from(!may);
        may
    }

    fn read<T>(&self, ask: impl FnOnce() -> Result<T, SourceError>) -> Option<T> {
        if self.may_read() { self.note_read(ask()) } else { None }
    }

    fn note_read<T>(&self, done: Result<T, SourceError>) -> Option<T> {
        let mut trouble = lock(&self.trouble);
        match done {
            Ok(done) => {
                trouble.unread_in_a_row = 0;
                Some(done)
            }
            Err(error) => {
                trouble.unread += 1;
                trouble.unread_in_a_row += 1;
                trouble.reasons.insert(error_text(&error));
                None
            }
        }
    }

    fn note_written(&self, done: Result<(), String>) {
        let mut trouble = lock(&self.trouble);
        match done {
            Ok(()) => trouble.unkept_in_a_row = 0,
            Err(reason) => {
                trouble.unkept += 1;
                trouble.unkept_in_a_row += 1;
                trouble.reasons.insert(reason);
            }
        }
    }
}
