//! Fetches objects ahead of the threads that decode them, within a budget of bytes.
//!
//! Small objects come whole, with one request; of large ones the footer comes first and then only the column chunks
//! that the scan reads.

use crate::source::{Object, ObjectReader, ReadError};
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
    /// Objects that are fetched at the same time, at least 1.
    pub concurrency: usize,
    /// Most bytes that are fetched and not yet decoded; a single larger object passes alone.
    pub budget_bytes: usize,
    /// Objects up to this size are fetched whole.
    pub whole_limit_bytes: u64,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self { concurrency: 32, budget_bytes: 256 << 20, whole_limit_bytes: 16 << 20 }
    }
}

/// Bytes of local files that are read ahead. There is no latency to hide, and a buffer that comes back soon is still in the
/// CPU's caches.
const LOCAL_BUDGET_BYTES: usize = 32 << 20;
/// Local files read at once.
const LOCAL_CONCURRENCY: usize = 4;

impl FetchOptions {
    /// Returns the options for one place: less is read ahead where all are local files.
    pub(super) fn for_place(self, is_local: bool) -> Self {
        if !is_local {
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
    /// Index of the object in the list that was given.
    pub index: usize,
    /// Bytes that came over the wire or from disk.
    pub bytes_read: u64,
    content: Result<FetchedContent, ScanError>,
    /// Returns the bytes to the budget when dropped.
    _permit: Option<OwnedSemaphorePermit>,
}

/// The bytes of an object, with the footer if that had to be read already.
#[derive(Debug)]
struct FetchedContent {
    bytes: Arc<ObjectBytes>,
    metadata: Option<Arc<ParquetMetaData>>,
}

/// An object that can be scanned.
#[derive(Debug)]
pub struct OpenedObject {
    /// The whole object, or all ranges of the bound columns.
    pub bytes: Arc<ObjectBytes>,
    /// Its footer.
    pub metadata: Arc<ParquetMetaData>,
}

impl OpenedObject {
    /// Returns the rows that the footer promises.
    pub fn rows(&self) -> Option<u64> {
        u64::try_from(self.metadata.file_metadata().num_rows()).ok()
    }
}

impl Fetched {
    /// Opens the object: parses its footer if that was not done yet. Its bytes no longer count against the budget.
    ///
    /// # Errors
    /// [`ScanError`] when the object could not be fetched or its footer is damaged.
    pub fn open(self, object: &Object) -> Result<OpenedObject, ScanError> {
        let FetchedContent { bytes, metadata } = self.content?;
        let metadata = match metadata {
            Some(metadata) => metadata,
            None => footer(object.url.as_ref(), &bytes)?,
        };
        Ok(OpenedObject { bytes, metadata })
    }
}

/// Starts to fetch `objects` on `runtime`. They arrive in their order; dropping the receiver stops it.
pub fn fetch(
    runtime: &Handle,
    reader: ObjectReader,
    objects: Arc<Vec<Object>>,
    wanted: &'static [Field],
    options: FetchOptions,
) -> Receiver<Fetched> {
    let (sender, receiver) = unbounded();
    let options = options.for_place(objects.iter().all(Object::is_local));
    let budget = options.budget_bytes.clamp(1, Semaphore::MAX_PERMITS).min(u32::MAX as usize);
    let permits = Arc::new(Semaphore::new(budget));
    runtime.spawn(async move {
        let count = objects.len();
        let arrivals = futures::stream::iter(0..count)
            .then(|index| {
                // Permits are taken in order, before the request starts, so the next object can always come.
                let cost = objects[index].size.min(budget as u64).max(1) as u32;
                let permits = permits.clone();
                async move { (index, permits.acquire_many_owned(cost).await.ok()) }
            })
            .map(|(index, permit)| {
                let reader = reader.clone();
                let object = objects[index].clone();
                async move {
                    // A panic would end the whole task, and with it every object that has not arrived.
                    let loaded = AssertUnwindSafe(load(&reader, &object, wanted, &options)).catch_unwind().await;
                    let loaded = loaded.unwrap_or_else(|panic| {
                        Err(ScanError::Damaged { object: object.url.to_string(), reason: panic_text(&*panic) })
                    });
                    let (content, bytes_read) = match loaded {
                        Ok((content, bytes_read)) => (Ok(content), bytes_read),
                        Err(error) => (Err(error), 0),
                    };
                    Fetched { index, bytes_read, content, _permit: permit }
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

/// Reads what a scan needs of an object, and returns also how many bytes were read.
async fn load(
    reader: &ObjectReader,
    object: &Object,
    wanted: &[Field],
    options: &FetchOptions,
) -> Result<(FetchedContent, u64), ScanError> {
    if object.size == 0 {
        return Err(ScanError::Empty { object: object.url.to_string() });
    }
    if object.size <= options.whole_limit_bytes {
        let bytes = reader.whole(object).await.map_err(fetch_error)?;
        let bytes_read = bytes.len() as u64;
        return Ok((FetchedContent { bytes: Arc::new(ObjectBytes::Whole(bytes)), metadata: None }, bytes_read));
    }
    let Footer { metadata, mut bytes_read } = read_footer(reader, object, FOOTER_BYTES).await?;
    let name = object.url.as_ref();
    let binding = Binding::new(name, metadata.file_metadata().schema_descr(), wanted)?;
    let ranges = bound_ranges(&binding, metadata.row_groups()).map_err(|error| ScanError::in_footer(name, error))?;
    let parts = reader.ranges(object, &ranges).await.map_err(fetch_error)?;
    bytes_read += parts.iter().map(|part| part.len() as u64).sum::<u64>();
    let parts = ranges.iter().map(|range| range.start).zip(parts).collect();
    let bytes = Arc::new(ObjectBytes::Ranges { len: object.size, parts });
    Ok((FetchedContent { bytes, metadata: Some(metadata) }, bytes_read))
}

/// The footer of an object.
#[derive(Debug)]
pub struct Footer {
    /// The parsed footer.
    pub metadata: Arc<ParquetMetaData>,
    /// Bytes that were read for it.
    pub bytes_read: u64,
}

/// Reads the footer of an object. The first request asks for the last `usual_bytes`; a longer footer takes a second one.
///
/// # Errors
/// [`ScanError::Fetch`] when the object cannot be read, [`ScanError::Parquet`] or [`ScanError::Damaged`] when it is
/// truncated, damaged or not Parquet.
pub async fn read_footer(reader: &ObjectReader, object: &Object, usual_bytes: u64) -> Result<Footer, ScanError> {
    let mut tail = reader.suffix(object, usual_bytes).await.map_err(fetch_error)?;
    let mut bytes_read = tail.len() as u64;
    if let Some(needed) = footer_length(&tail).filter(|needed| *needed > tail.len() as u64 && *needed <= object.size) {
        tail = reader.suffix(object, needed).await.map_err(fetch_error)?;
        bytes_read += tail.len() as u64;
    }
    let at_end = ObjectBytes::Ranges { len: object.size, parts: vec![(object.size - tail.len() as u64, tail)] };
    Ok(Footer { metadata: footer(object.url.as_ref(), &at_end)?, bytes_read })
}

fn fetch_error(error: ReadError) -> ScanError {
    ScanError::Fetch(error.into())
}
