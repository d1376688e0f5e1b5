//! Reads the objects of one partition of a scan, and makes rows of their acts.

use super::column::{BatchMaker, Column};
use super::row::Row;
use super::wanted::WantedActs;
use crate::hours::{SkipKind, Skipped};
use crate::source::{AccessObject, ObjectReader};
use crate::sql::tables::SkippedObjects;
use access::{Inflater, ReadOptions, Tz, read_object};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use flow::error_text;
use futures::stream::{BoxStream, StreamExt};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// Objects fetched while one is read: a few, since each partition fetches for itself.
const AHEAD: usize = 4;

/// The state that the partitions of one scan share.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) reader: ObjectReader,
    pub(super) objects: Arc<[AccessObject]>,
    pub(super) columns: Vec<&'static Column>,
    pub(super) schema: SchemaRef,
    pub(super) wanted: WantedActs,
    pub(super) zone: Option<Tz>,
    pub(super) skipped: SkippedObjects,
}

/// Names of the metrics that show a scan's progress.
pub(super) const BYTES_READ: &str = "bytes_read";
pub(super) const RECORDS_READ: &str = "records_read";

/// The metrics of one partition.
pub(super) struct Counts {
    objects: Count,
    bytes: Count,
    records: Count,
}

impl Counts {
    pub(super) fn new(metrics: &ExecutionPlanMetricsSet, partition: usize) -> Self {
        let count = |name| MetricBuilder::new(metrics).counter(name, partition);
        Self { objects: count("objects_read"), bytes: count(BYTES_READ), records: count(RECORDS_READ) }
    }
}

/// A partition in progress.
struct Partition {
    reading: Arc<Reading>,
    arrivals: BoxStream<'static, (usize, Result<Bytes, crate::source::ReadError>)>,
    inflater: Inflater,
    counts: Counts,
    /// Rows of the last object, which is whole.
    ready: VecDeque<RecordBatch>,
    held: MemoryReservation,
}

impl Reading {
    /// Returns the rows of a stretch of the objects, in order.
    pub(super) fn read(
        self: Arc<Self>,
        stretch: Range<usize>,
        counts: Counts,
        pool: &Arc<dyn MemoryPool>,
    ) -> BoxStream<'static, Result<RecordBatch>> {
        let (reader, objects) = (self.reader.clone(), self.objects.clone());
        let arrivals = futures::stream::iter(stretch)
            .map(move |at| {
                let (reader, object) = (reader.clone(), objects[at].object.clone());
                async move { (at, reader.whole(&object).await) }
            })
            .buffered(AHEAD)
            .boxed();
        let held = MemoryConsumer::new("rows of an object").register(pool);
        let (inflater, ready) = (Inflater::default(), VecDeque::new());
        let partition = Partition { reading: self, arrivals, inflater, counts, ready, held };
        futures::stream::unfold(partition, |mut partition| async move {
            let next = partition.next().await?;
            Some((next, partition))
        })
        .boxed()
    }
}

impl Partition {
    async fn next(&mut self) -> Option<Result<RecordBatch>> {
        loop {
            if let Some(rows) = self.ready.pop_front() {
                if self.ready.is_empty() {
                    self.held.free();
                }
                return Some(Ok(rows));
            }
            let (at, bytes) = self.arrivals.next().await?;
            match self.rows(at, bytes) {
                Ok(batches) => self.ready = batches.into(),
                Err(error) => return Some(Err(error)),
            }
            let bytes = self.ready.iter().map(RecordBatch::get_array_memory_size).sum();
            if let Err(error) = self.held.try_resize(bytes) {
                return Some(Err(error));
            }
            // An object may take long, and its statement may be cancelled meanwhile.
            tokio::task::yield_now().await;
        }
    }

    /// Returns the wanted rows of an object; none of one that cannot be read, which is noted.
    fn rows(&mut self, at: usize, bytes: Result<Bytes, crate::source::ReadError>) -> Result<Vec<RecordBatch>> {
        let Self { reading, inflater, counts, .. } = self;
        let object = &reading.objects[at];
        let url = &object.object.url;
        let skip = |reason: String| {
            reading.skipped.add_skipped(Skipped {
                object: url.to_string(),
                reason,
                kind: SkipKind::Unreadable,
                rows: None,
            });
            Ok(Vec::new())
        };
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(error) => return skip(error_text(&error)),
        };
        counts.bytes.add(bytes.len());
        let options =
            ReadOptions { kind: object.is_told.then_some(object.kind), zone: reading.zone, ..ReadOptions::default() };
        let mut maker = BatchMaker::new(&reading.columns, &reading.schema);
        let mut failed: Option<DataFusionError> = None;
        let read = read_object(inflater, url, &bytes, &options, &mut |act| {
            if failed.is_none() && reading.wanted.has_act(act) {
                let row = Row::new(act, url);
                if reading.wanted.has_row(&row)
                    && let Err(error) = maker.add(&row)
                {
                    failed = Some(error);
                }
            }
        });
        match (read, failed) {
            (Err(error), _) => skip(format!("byte {}: got {}, expected {}", error.at, error.got, error.expected)),
            (_, Some(error)) => Err(error),
            (Ok(read), None) => {
                counts.objects.add(1);
                counts.records.add(usize::try_from(read.counts.acts).unwrap_or(usize::MAX));
                maker.finish()
            }
        }
    }
}
