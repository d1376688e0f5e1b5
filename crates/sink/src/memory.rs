//! A storage that ends with the process, for runs without state.

use crate::storage::{Storage, StorageError};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Keeps objects in memory.
#[derive(Debug, Default)]
pub struct MemoryStorage {
    objects: Mutex<BTreeMap<String, (Vec<u8>, u64)>>,
}

impl MemoryStorage {
    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, (Vec<u8>, u64)>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Storage for MemoryStorage {
    type Version = u64;

    async fn list(&self, folder: &str) -> Result<Vec<String>, StorageError> {
        let below = format!("{folder}/");
        Ok(self.objects().keys().filter(|name| name.starts_with(&below)).cloned().collect())
    }

    async fn get(&self, name: &str) -> Result<Option<(Vec<u8>, u64)>, StorageError> {
        Ok(self.objects().get(name).cloned())
    }

    async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), StorageError> {
        let mut objects = self.objects();
        let version = objects.get(name).map_or(0, |(_, version)| version + 1);
        objects.insert(name.to_owned(), (bytes, version));
        Ok(())
    }

    async fn swap(&self, name: &str, bytes: Vec<u8>, expected: Option<&u64>) -> Result<bool, StorageError> {
        let mut objects = self.objects();
        let version = objects.get(name).map(|(_, version)| *version);
        if version.as_ref() != expected {
            return Ok(false);
        }
        objects.insert(name.to_owned(), (bytes, version.map_or(0, |version| version + 1)));
        Ok(true)
    }

    async fn delete(&self, name: &str) -> Result<(), StorageError> {
        self.objects().remove(name);
        Ok(())
    }
}
