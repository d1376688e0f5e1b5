//! Files that are named by units: a folder per day, and in it a file for each unit, named by what it was made of.

use crate::source::{SourceError, Store, Unit};
use chrono::DateTime;
use futures::{StreamExt, TryStreamExt};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// Folders that are listed at the same time.
const CONCURRENCY: usize = 16;

/// Where the files of units are, and what they are called.
#[derive(Debug, Clone)]
pub(super) struct UnitFiles {
    pub(super) store: Store,
    /// The folder of all days.
    pub(super) folder: &'static str,
    /// The end of the names, without its dot.
    pub(super) extension: &'static str,
    /// A hash of everything that the files depend on besides the objects of their unit.
    pub(super) settings: u64,
}

impl UnitFiles {
    /// Returns the folder of a unit's day.
    fn folder_of(&self, unit: &Unit) -> String {
        let day = unit.partition.and_then(|partition| DateTime::from_timestamp(partition.from_s, 0));
        let day = day.map_or_else(|| "undated".to_owned(), |day| day.format("%Y-%m-%d").to_string());
        format!("{}/{day}", self.folder)
    }

    /// Returns what the names of all files of a unit begin with. There is no `=` in them: engines would take it for a
    /// column of a partition.
    fn beginning(&self, unit: &Unit) -> String {
        format!("{}/{}-", self.folder_of(unit), unit.id.replace('/', "_").replace('=', "-"))
    }

    /// Returns what the names of all files of a unit end with: units of one id in different sources differ in it.
    fn end(&self, unit: &Unit) -> String {
        format!("-{:016x}.{}", unit.origin(), self.extension)
    }

    /// Returns the name of a unit's file.
    pub(super) fn name(&self, unit: &Unit) -> String {
        let (beginning, end) = (self.beginning(unit), self.end(unit));
        format!("{beginning}{}-{:016x}{end}", unit.fingerprint(), self.settings)
    }

    /// Lists the files that there are of some units, with one request for each day, and removes what killed runs left
    /// unfinished beside them.
    ///
    /// # Errors
    /// [`SourceError`] when the store cannot be listed.
    pub(super) async fn list(&self, units: &[Unit]) -> Result<ListedFiles, SourceError> {
        let folders: BTreeSet<String> = units.iter().map(|unit| self.folder_of(unit)).collect();
        let list = |folder: String| async move {
            self.store.sweep(&folder).await;
            self.store.list(&folder).await
        };
        let listed: Vec<_> = futures::stream::iter(folders).map(list).buffered(CONCURRENCY).try_collect().await?;
        Ok(ListedFiles(listed.into_iter().flatten().map(|file| (file.name, file.size)).collect()))
    }
}

/// The files that there are, by name, with their sizes in bytes.
#[derive(Debug, Default)]
pub(super) struct ListedFiles(BTreeMap<String, u64>);

impl ListedFiles {
    /// Returns the size of a file in bytes; `None` when it does not exist.
    pub(super) fn size(&self, name: &str) -> Option<u64> {
        self.0.get(name).copied()
    }

    /// Returns the files of a unit that were made of other objects or under other settings: they are of no use any more.
    pub(super) fn outdated(&self, files: &UnitFiles, unit: &Unit) -> Vec<String> {
        let (name, beginning, end) = (files.name(unit), files.beginning(unit), files.end(unit));
        let from = (Bound::Included(beginning.as_str()), Bound::Unbounded);
        let beside = self.0.range::<str, _>(from).map(|(other, _)| other);
        let beside = beside.take_while(|other| other.starts_with(&beginning));
        beside.filter(|other| other.len() == name.len() && other.ends_with(&end) && **other != name).cloned().collect()
    }
}
