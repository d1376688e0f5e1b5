//! Fetches objects ahead of the threads that decode them, within a budget of bytes.
//!
//! Small objects come whole, with one request; of large ones the footer comes first and then only the column chunks
//! that the scan reads.

use crate::source::{Object, ObjectReader};
use crossbeam_channel::{Receiver, unbounded};
use flow::schema::Field;
use futures::{FutureExt, StreamExt};
use pages::guard::panic_text;
use pages::object_bytes::footer_length;
use parquet::file::metadata::ParquetMetaData;
use scan::bound_ranges;
use scan::object::footer;
use scan::{Binding, ObjectBytes, ScanError};
use std::panic::AssertUnwindSafe;
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
                    // A panic would end the whole task, and with it every object that has not arrived.
                    let loaded = AssertUnwindSafe(load(&reader, &object, wanted, &options)).catch_unwind().await;
                    let (content, bytes_read) = match loaded.unwrap_or_else(|panic| {
                        Err(ScanError::Damaged { object: object.url.to_string(), reason: panic_text(&*panic) })
                    }) {
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
    let (metadata, mut read) = read_footer(reader, object, FOOTER_BYTES).await?;
    let name = object.url.as_ref();
    let binding = Binding::new(name, metadata.file_metadata().schema_descr(), wanted)?;
    let ranges = bound_ranges(&binding, metadata.row_groups()).map_err(|error| ScanError::in_footer(name, error))?;
    let parts = reader.ranges(object, &ranges).await.map_err(failed)?;
    read += parts.iter().map(|part| part.len() as u64).sum::<u64>();
    let parts = ranges.iter().map(|range| range.start).zip(parts).collect();
    Ok((ObjectBytes::Ranges { len: object.size, parts }, Some(metadata), read))
}

/// Reads the footer of an object, of which `usual` bytes are asked for at first; also returns how many were read.
///
/// # Errors
/// [`ScanError::Fetch`] when the object cannot be read, [`ScanError::Parquet`] or [`ScanError::Damaged`] when it is
/// truncated, damaged or no Parquet.
pub async fn read_footer(
    reader: &ObjectReader,
    object: &Object,
    usual: u64,
) -> Result<(Arc<ParquetMetaData>, u64), ScanError> {
    let failed = |error: crate::source::ReadError| ScanError::Fetch(error.to_string());
    let mut tail = reader.suffix(object, usual).await.map_err(failed)?;
    let mut read = tail.len() as u64;
    if let Some(needed) = footer_length(&tail).filter(|needed| *needed > tail.len() as u64 && *needed <= object.size) {
        tail = reader.suffix(object, needed).await.map_err(failed)?;
        read += tail.len() as u64;
    }
    let at_end = ObjectBytes::Ranges { len: object.size, parts: vec![(object.size - tail.len() as u64, tail)] };
    Ok((footer(object.url.as_ref(), &at_end)?, read))
}
