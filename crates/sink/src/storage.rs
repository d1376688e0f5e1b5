//! Where the outbox is kept.

use std::future::Future;

/// Why a storage could not be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StorageError(pub String);

/// The bytes of an object and their version.
pub type Versioned<V> = (Vec<u8>, V);

/// A folder of small objects. Names use `/` and never begin with it.
pub trait Storage: Sync {
    /// Which content of an object was read.
    type Version: Send + Sync;

    /// Returns the names of all objects below a folder, sorted.
    fn list(&self, folder: &str) -> impl Future<Output = Result<Vec<String>, StorageError>> + Send;

    /// Reads an object and its version; `None` when it does not exist.
    fn get(&self, name: &str) -> impl Future<Output = Result<Option<Versioned<Self::Version>>, StorageError>> + Send;

    /// Writes an object, in place of any other.
    fn put(&self, name: &str, bytes: Vec<u8>) -> impl Future<Output = Result<(), StorageError>> + Send;

    /// Writes an object if it still has the version `expected` (`None`: does not exist), and returns whether it did.
    fn swap(
        &self,
        name: &str,
        bytes: Vec<u8>,
        expected: Option<&Self::Version>,
    ) -> impl Future<Output = Result<bool, StorageError>> + Send;

    /// Removes an object; it is no error when it does not exist.
    fn delete(&self, name: &str) -> impl Future<Output = Result<(), StorageError>> + Send;
}
