//! What a query had to leave out.

use crate::hours::Skipped;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Objects that could not be read, by URL; clones share the list.
#[derive(Clone, Debug, Default)]
pub struct SkippedObjects(Arc<Mutex<BTreeMap<String, String>>>);

impl SkippedObjects {
    /// Adds an object and the reason, in one line.
    pub(in crate::sql) fn add(&self, object: &str, reason: &str) {
        // The object is named beside its reason.
        let reason = reason.strip_prefix(&format!("{object}: ")).unwrap_or(reason);
        tracing::warn!("skipped {object}: {reason}");
        let mut skipped = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        skipped.insert(object.to_owned(), reason.to_owned());
    }

    /// Lists them by URL.
    pub fn list(&self) -> Vec<Skipped> {
        let skipped = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        skipped.iter().map(|(object, reason)| Skipped { object: object.clone(), reason: reason.clone() }).collect()
    }
}
