//! Kept hours: a file per unit and source, named by the fingerprint of the unit's objects.

use super::error::HoursError;
use super::flags::{self, Flags};
use super::gathered::{Outlook, Skipped};
use super::note::parse_skipped;
use super::trouble::{KeptTrouble, TroubleBook};
use super::unit_files::{ListedFiles, UnitFiles};
use crate::source::{PutMode, Store, Unit};
use ::memory::Memory;
use bytes::Bytes;
use flow::error_text;
use flow::fnv::Fnv64;
use pages::guard::catch;
use rollup::UnitTables;
use rollup::habits::NamedPair;
use rollup::kept::{KeptError, unpack};
use rollup::window::Window;

/// Version of the layout and form of kept hours. A new version leaves older files alone.
const VERSION: &str = "v7";

/// What is kept of a unit.
#[derive(Debug)]
pub(super) struct KeptUnit {
    pub(super) tables: UnitTables,
    /// The objects that the tables lack, each with whether it may be readable by now.
    pub(super) skipped: Vec<(Outlook, Skipped)>,
}

/// Hours kept under a local folder or an S3 prefix.
#[derive(Debug, Clone)]
pub struct KeptHours {
    files: UnitFiles,
    /// What did not work; clones share it.
    trouble: TroubleBook,
}

/// Returns a hash of what the fold depends on besides the records, such as the internal networks (FNV-1a, 64 bits).
pub fn settings_hash<'a>(settings: impl IntoIterator<Item = &'a str>) -> u64 {
    let mut hash = Fnv64::default();
    for text in settings {
        hash.write(text.as_bytes());
        hash.write(&[0]);
    }
    hash.finish()
}

impl KeptHours {
    /// The folders in which this version and earlier ones keep hours and flags.
    pub const FOLDERS: &[&str] = &["v1", "v2", "v3", "v4", "v5", "v6", VERSION, flags::FOLDER];

    /// Opens kept hours; `settings` is the [`settings_hash`] of everything else that the tables depend on.
    pub fn new(store: Store, settings: u64) -> Self {
        let files = UnitFiles { store, folder: VERSION, extension: "hours", settings };
        Self { files, trouble: TroubleBook::default() }
    }

    /// Returns the folder or URL that keeps the hours.
    pub fn place(&self) -> &str {
        self.files.store.url()
    }

    /// Returns what did not work so far; `None` when all did.
    pub fn trouble(&self) -> Option<KeptTrouble> {
        self.trouble.told()
    }

    /// Returns the kept files that storage has damaged, each with what is wrong, sorted. Their logs were read again.
    pub fn damaged(&self) -> Vec<String> {
        self.trouble.all_damaged()
    }

    pub(super) fn files(&self) -> &UnitFiles {
        &self.files
    }

    /// Returns whether the files lie on this machine, without latency.
    pub(super) fn is_local(&self) -> bool {
        self.files.store.local_folder().is_some()
    }

    /// Lists what is kept of some units. Where it cannot be listed, nothing is known of any, which is noted.
    pub(super) async fn list(&self, units: &[Unit]) -> ListedFiles {
        match self.files.list(units).await {
            Ok(listed) => listed,
            Err(error) => {
                self.trouble.unlisted(units.len() as u64, &error.into());
                ListedFiles::default()
            }
        }
    }

    /// Reads a kept file; `None` when it is gone. A file that cannot be read counts as absent, and is noted.
    pub(super) async fn read(&self, name: &str) -> Option<Bytes> {
        if !self.trouble.may_read() {
            return None;
        }
        self.trouble.read(self.files.store.get(name).await.map_err(HoursError::from)).flatten()
    }

    /// Returns what a file holds of a unit; `None` when storage has damaged it.
    ///
    /// # Errors
    /// [`HoursError::Spill`] when rows that do not fit into memory cannot be spilled.
    pub(super) fn open(&self, unit: &Unit, file: &[u8], memory: &Memory) -> Result<Option<KeptUnit>, HoursError> {
        let refused = |reason: &str| {
            let file = self.files.store.url_of(&self.files.name(unit));
            tracing::warn!("kept hours: {file}: {reason}");
            self.trouble.damaged(format!("{file}: {reason}"));
            Ok(None)
        };
        let unpacked = match catch(|| unpack(file, memory)) {
            Ok(Ok(unpacked)) => unpacked,
            Ok(Err(KeptError::Spill(error))) => return Err(error.into()),
            Ok(Err(error)) => return refused(&error_text(&error)),
            Err(panic) => return refused(&panic),
        };
        match parse_skipped(unit, &unpacked.note) {
            Some(skipped) => Ok(Some(KeptUnit { tables: unpacked.tables, skipped })),
            None => refused("it names objects that the unit does not have"),
        }
    }

    /// Returns whether hours can be kept, as far as is known. A unit that is not kept counts as such.
    pub(super) fn may_write(&self) -> bool {
        self.trouble.may_write()
    }

    /// Writes a file in place of the outdated ones. A store that cannot be written is noted and no error.
    pub(super) async fn replace(&self, outdated: &[String], name: &str, file: Bytes) {
        self.trouble.written(self.put(outdated, name, file).await);
    }

    async fn put(&self, outdated: &[String], name: &str, file: Bytes) -> Result<(), HoursError> {
        // The outdated ones first: a run that is killed in between leaves nothing that no later run would look for.
        for name in outdated {
            self.files.store.delete(name).await?;
        }
        Ok(self.files.store.put(name, file, PutMode::Overwrite).await?)
    }

    /// Keeps the pairs that a run of `window` over `sources` flagged while they were new; replaces those of an earlier run
    /// of the same. A store that cannot be written is noted and no error.
    pub async fn save_flags(&self, window: &Window, sources: &[String], pairs: &[NamedPair]) {
        if self.trouble.may_write() {
            let mut sources: Vec<&str> = sources.iter().map(String::as_str).collect();
            sources.sort_unstable();
            let saved = flags::save(&self.files.store, window, settings_hash(sources), pairs).await;
            self.trouble.written(saved);
        }
    }

    /// Loads the pairs that runs of earlier windows flagged. A store that cannot be read is noted; nothing is known then.
    pub(super) async fn load_flags(&self, window: &Window) -> Flags {
        if !self.trouble.may_read() {
            return Flags::default();
        }
        self.trouble.read(flags::load(&self.files.store, window).await).unwrap_or_default()
    }
}
