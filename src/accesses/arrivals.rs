//! Fetches objects ahead of the threads that read them, within a budget of bytes.

use crate::source::{AccessObject, ObjectReader, ReadError};
use bytes::Bytes;
use crossbeam_channel::{Receiver, unbounded};
use futures::StreamExt;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Local files read at once: there is no latency to hide.
const LOCAL_CONCURRENCY: usize = 4;
/// Bytes of local files that are read ahead.
const LOCAL_BUDGET_BYTES: usize = 32 << 20;

/// An object whose bytes have come.
pub(super) struct Arrived {
    /// Its index in the list that was given.
    pub(super) index: usize,
    pub(super) bytes: Result<Bytes, ReadError>,
    /// Returns the bytes to the budget when dropped.
    _permit: Option<OwnedSemaphorePermit>,
}

/// Starts to fetch whole objects on `runtime`, `concurrency` at a time and `budget_bytes` ahead; a single larger object
/// passes alone. They arrive in their order; dropping the receiver stops it.
pub(super) fn fetch(
    runtime: &Handle,
    reader: ObjectReader,
    objects: Arc<[AccessObject]>,
    concurrency: usize,
    budget_bytes: usize,
) -> Receiver<Arrived> {
    let (sender, receiver) = unbounded();
    let is_local = objects.iter().all(|one| one.object.is_local());
    let (most, budget) = if is_local { (LOCAL_CONCURRENCY, LOCAL_BUDGET_BYTES) } else { (usize::MAX, usize::MAX) };
    let budget = budget_bytes.min(budget).clamp(1, Semaphore::MAX_PERMITS).min(u32::MAX as usize);
    let permits = Arc::new(Semaphore::new(budget));
    runtime.spawn(async move {
        let arrivals = futures::stream::iter(0..objects.len())
            .then(|index| {
                // Permits are taken in order, before the request starts, so the next object can always come.
                let cost = objects[index].object.size.min(budget as u64).max(1) as u32;
                let permits = permits.clone();
                async move { (index, permits.acquire_many_owned(cost).await.ok()) }
            })
            .map(|(index, permit)| {
                let (reader, object) = (reader.clone(), objects[index].object.clone());
                async move { Arrived { index, bytes: reader.whole(&object).await, _permit: permit } }
            })
            .buffered(concurrency.clamp(1, most));
        let mut arrivals = std::pin::pin!(arrivals);
        while let Some(arrived) = arrivals.next().await {
            if sender.send(arrived).is_err() {
                break;
            }
        }
    });
    receiver
}
