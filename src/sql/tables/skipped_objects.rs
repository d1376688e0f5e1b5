//! The objects that a query had to skip.

use crate::hours::Skipped;
use memory::lock;
use scan::ScanError;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Objects that could not be read, by URL; clones share the list.
#[derive(Clone, Debug, Default)]
pub struct SkippedObjects(Arc<Mutex<BTreeMap<String, String>>>);

impl SkippedObjects {
    /// Adds an object that could not be read.
    pub(in crate::sql) fn add(&self, object: &str, error: &ScanError) {
        self.add_skipped(Skipped::new(object, error));
    }

    /// Adds an object that the rollup could not read.
    pub(in crate::sql) fn add_skipped(&self, skipped: Skipped) {
        let Skipped { object, reason } = skipped;
        tracing::warn!("skipped {object}: {reason}");
        lock(&self.0).insert(object, reason);
    }

    /// Adds those of another list, of which the log has told.
    pub(in crate::sql) fn extend(&self, others: &[Skipped]) {
        lock(&self.0).extend(others.iter().map(|other| (other.object.clone(), other.reason.clone())));
    }

    /// Returns them, sorted by URL.
    pub fn list(&self) -> Vec<Skipped> {
        lock(&self.0)
            .iter()
            .map(|(object, reason)| Skipped { object: object.clone(), reason: reason.clone() })
            .collect()
    }
}
