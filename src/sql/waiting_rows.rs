//! The memory of rows that wait: for the end of their object, or for a client.
//!
//! They are a saving: without memory for them, a scan decodes an object twice, or stops until its client reads. Those of
//! all statements together get a small part of the pool, so that clients that do not read leave the rest to the others.

use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use std::sync::Arc;

/// The name of these consumers: they have no other mark.
const NAME: &str = "waiting rows";
/// The share of the pool that the waiting rows of all statements may take together: one in so many.
const SHARE: usize = 4;

/// Returns an empty reservation for rows that wait. Its owner must do without where it cannot grow.
pub(super) fn waiting_rows(pool: &Arc<dyn MemoryPool>) -> MemoryReservation {
    MemoryConsumer::new(NAME).register(pool)
}

/// Returns whether a consumer is rows that wait.
pub(super) fn is_waiting_rows(consumer: &MemoryConsumer) -> bool {
    consumer.name() == NAME
}

/// Returns the most bytes of all waiting rows together in a pool of so many bytes.
pub(super) fn most_bytes(pool_bytes: usize) -> usize {
    pool_bytes / SHARE
}
