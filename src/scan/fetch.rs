//! Fetches objects ahead of the threads that decode them, within a budget of bytes.
//!
//! Small objects come whole, with one request; of large ones the footer comes first and then only the column chunks
//! that the scan reads.

use super::object::footer;
use super::{Binding, ObjectBytes, ScanError};
use crate::flow::schema::Field;
use crate::source::{Object, ObjectReader};
use bytes::Bytes;
use crossbeam_channel::{Receiver, unbounded};
use futures::StreamExt;
use parquet::file::metadata::ParquetMetaData;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How objects are fetched.
#[derive(Clone, Copy, Debug)]
pub struct FetchOptions {
    /// Requests under way at once, at least 1.
    pub concurrency: usize,
    /// Bytes fetched and not yet decoded, at most; a single larger object is let through alone.
    pub budget_bytes: usize,
    /// Objects up to this size come whole.
    pub whole_limit_bytes: u64,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self { concurrency: 32, budget_bytes: 256 << 20, whole_limit_bytes: 16 << 20 }
    }
}

/// Bytes of local files read ahead: there is no latency to hide, and buffers that come back soon are still in the caches.
const LOCAL_BUDGET_BYTES: usize = 32 << 20;
/// Local files read at once.
const LOCAL_CONCURRENCY: usize = 4;

impl FetchOptions {
    /// The options that fit these objects: less is read ahead where all are local files.
    fn for_objects(self, objects: &[Object]) -> Self {
        if !objects.iter().all(Object::is_local) {
            return self;
        }
        Self {
            concurrency: self.concurrency.min(LOCAL_CONCURRENCY),
            budget_bytes: self.budget_bytes.min(LOCAL_BUDGET_BYTES),
            ..self
        }
    }
}

/// Bytes from the end of a large object that come with the first request: enough for nearly every footer.
const FOOTER_BYTES: u64 = 512 << 10;

/// One fetched object.
#[derive(Debug)]
pub struct Fetched {
    /// Position of the object in the list that was given.
    pub at: usize,
    /// Its bytes, with the footer if that had to be read already.
    pub content: Result<(Arc<ObjectBytes>, Option<Arc<ParquetMetaData>>), ScanError>,
    /// Bytes that came over the wire or from disk.
    pub bytes_read: u64,
    /// Gives the bytes back to the budget when dropped.
    _permit: Option<OwnedSemaphorePermit>,
}

/// Starts to fetch `objects` in order on `runtime`; they arrive in that order. Dropping the receiver stops it.
pub fn fetch(
    runtime: &Handle,
    reader: ObjectReader,
    objects: Arc<Vec<Object>>,
    wanted: &'static [Field],
    options: FetchOptions,
) -> Receiver<Fetched> {
    let (sender, receiver) = unbounded();
    let options = options.for_objects(&objects);
    let budget = options.budget_bytes.clamp(1, Semaphore::MAX_PERMITS).min(u32::MAX as usize);
    let permits = Arc::new(Semaphore::new(budget));
    runtime.spawn(async move {
        let count = objects.len();
        let arrivals = futures::stream::iter(0..count)
            .then(|at| {
                // Permits are taken in order, before the request starts, so the next object can always come.
                let cost = objects[at].size.min(budget as u64).max(1) as u32;
                let permits = permits.clone();
                async move { (at, permits.acquire_many_owned(cost).await.ok()) }
            })
            .map(|(at, permit)| {
                let (reader, object) = (reader.clone(), objects[at].clone());
                async move {
                    let (content, bytes_read) = match load(&reader, &object, wanted, &options).await {
                        Ok((bytes, footer, read)) => (Ok((Arc::new(bytes), footer)), read),
                        Err(error) => (Err(error), 0),
                    };
                    Fetched { at, content, bytes_read, _permit: permit }
                }
            })
            .buffered(options.concurrency.max(1));
        let mut arrivals = std::pin::pin!(arrivals);
        while let Some(fetched) = arrivals.next().await {
            if sender.send(fetched).is_err() {
                break;
            }
        }
    });
    receiver
}

type Loaded = (ObjectBytes, Option<Arc<ParquetMetaData>>, u64);

async fn load(
    reader: &ObjectReader,
    object: &Object,
    wanted: &[Field],
    options: &FetchOptions,
) -> Result<Loaded, ScanError> {
    let failed = |error: crate::source::ReadError| ScanError::Fetch(error.to_string());
    if object.size <= options.whole_limit_bytes {
        let bytes = reader.whole(object).await.map_err(failed)?;
        let read = bytes.len() as u64;
        return Ok((ObjectBytes::Whole(bytes), None, read));
    }
    let mut tail = reader.suffix(object, FOOTER_BYTES).await.map_err(failed)?;
    let mut read = tail.len() as u64;
    if let Some(needed) = footer_bytes(&tail).filter(|needed| *needed > tail.len() as u64 && *needed <= object.size) {
        tail = reader.suffix(object, needed).await.map_err(failed)?;
        read += tail.len() as u64;
    }
    let name = object.url.as_ref();
    let at_end = ObjectBytes::Ranges { len: object.size, parts: vec![(object.size - tail.len() as u64, tail)] };
    let metadata = footer(name, &at_end)?;
    let binding = Binding::new(name, metadata.file_metadata().schema_descr(), wanted)?;
    let mut ranges: Vec<std::ops::Range<u64>> = metadata
        .row_groups()
        .iter()
        .flat_map(|group| binding.leaves.iter().filter_map(|leaf| group.columns().get(*leaf)))
        .map(|chunk| {
            let (start, length) = chunk.byte_range();
            start..start.saturating_add(length)
        })
        .collect();
    ranges.sort_unstable_by_key(|range| range.start);
    let parts = reader.ranges(object, &ranges).await.map_err(failed)?;
    read += parts.iter().map(|part| part.len() as u64).sum::<u64>();
    let parts = ranges.iter().map(|range| range.start).zip(parts).collect();
    Ok((ObjectBytes::Ranges { len: object.size, parts }, Some(metadata), read))
}

/// Length of the footer with its frame, as the last 8 bytes of a Parquet file tell it.
fn footer_bytes(tail: &Bytes) -> Option<u64> {
    let frame = tail.get(tail.len().checked_sub(8)?..)?;
    let length = u32::from_le_bytes(frame.get(..4)?.try_into().ok()?);
    (&frame[4..] == b"PAR1").then_some(u64::from(length) + 8)
}
