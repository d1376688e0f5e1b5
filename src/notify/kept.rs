//! The outbox in the state of runs.

use crate::source::{PutMode, Store, Swap, Version};
use flow::error_text;
use sink::{Storage, StorageError};

/// Keeps the outbox beside kept hours and incidents.
#[derive(Debug, Clone)]
pub struct KeptOutbox(pub Store);

fn failed(error: impl std::error::Error + 'static) -> StorageError {
    StorageError(error_text(&error))
}

impl Storage for KeptOutbox {
    type Version = Version;

    async fn list(&self, folder: &str) -> Result<Vec<String>, StorageError> {
        let listed = self.0.list(folder).await.map_err(failed)?;
        Ok(listed.into_iter().map(|object| object.name).collect())
    }

    async fn get(&self, name: &str) -> Result<Option<(Vec<u8>, Version)>, StorageError> {
        let read = self.0.get_versioned(name).await.map_err(failed)?;
        Ok(read.map(|(bytes, version)| (bytes.to_vec(), version)))
    }

    async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), StorageError> {
        self.0.put(name, bytes.into(), PutMode::Overwrite).await.map_err(failed)
    }

    async fn swap(&self, name: &str, bytes: Vec<u8>, expected: Option<&Version>) -> Result<bool, StorageError> {
        let swap = self.0.swap(name, bytes.into(), expected).await.map_err(failed)?;
        Ok(swap == Swap::Done)
    }

    async fn delete(&self, name: &str) -> Result<(), StorageError> {
        self.0.delete(name).await.map_err(failed)
    }
}
