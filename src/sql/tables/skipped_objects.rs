//! The objects that a query skipped: those that could not be read, and those of other logs.

use crate::hours::Skipped;
use memory::lock;
use scan::ScanError;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Skipped objects, by URL; clones share the list.
#[derive(Clone, Debug, Default)]
pub struct SkippedObjects(Arc<Mutex<BTreeMap<String, Skipped>>>);

impl SkippedObjects {
    /// Adds an object that could not be read, and the rows it has by its footer, if that could be read.
    pub(in crate::sql) fn add(&self, object: &str, error: &ScanError, rows: Option<u64>) {
        self.add_skipped(Skipped { rows, ..Skipped::new(object, error) });
    }

    /// Adds an object that the rollup skipped.
    pub(in crate::sql) fn add_skipped(&self, skipped: Skipped) {
        tracing::warn!("skipped {}: {}", skipped.object, skipped.reason);
        lock(&self.0).insert(skipped.object.clone(), skipped);
    }

    /// Adds the objects of another list, without another line in the log.
    pub(in crate::sql) fn extend(&self, others: &[Skipped]) {
        lock(&self.0).extend(others.iter().map(|other| (other.object.clone(), other.clone())));
    }

    /// Returns them, sorted by URL.
    pub fn list(&self) -> Vec<Skipped> {
        lock(&self.0).values().cloned().collect()
    }
}
