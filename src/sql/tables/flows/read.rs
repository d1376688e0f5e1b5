//! Reads the objects of one partition of a scan, ahead of the rows made from them.

use super::prune::Pruner;
use super::rows::RowMaker;
use crate::source::{Object, ObjectReader};
use crate::sql::tables::SkippedObjects;
use arrow::array::{BooleanArray, RecordBatch};
use bytes::Bytes;
use datafusion::common::runtime::SpawnedTask;
use datafusion::error::{DataFusionError, Result};
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder, Time};
use flow::schema::Field;
use futures::stream::{BoxStream, StreamExt};
use pages::object_bytes::footer_length;
use parquet::file::metadata::ParquetMetaData;
use scan::bound_ranges;
use scan::object::footer;
use scan::records::{OpenRowGroup, RecordFile, Records, Selection};
use scan::{
    Binding, Meaning, ObjectBytes, RecordCursors, ScanError, TextPredicate, dictionary_page_range, dictionary_passes,
};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::runtime::Handle;

/// The state that the partitions of one scan share.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) reader: ObjectReader,
    pub(super) objects: Arc<[Object]>,
    pub(super) fields: Arc<[Field]>,
    /// Number of fields that the filter reads; they come first.
    pub(super) first: usize,
    pub(super) rows: RowMaker,
    pub(super) pruner: Pruner,
    pub(super) skipped: SkippedObjects,
    pub(super) tries: Arc<DictionaryTrials>,
}

/// How often dictionaries that were read first ruled their row group out: where they do not, they are read twice.
#[derive(Debug, Default)]
pub(super) struct DictionaryTrials {
    tried: AtomicUsize,
    kept: AtomicUsize,
}

impl DictionaryTrials {
    /// Row groups that are always tried.
    const FIRST: usize = 4;

    /// Returns whether at least a quarter of the row groups tried were ruled out.
    fn are_worth_it(&self) -> bool {
        let (tried, kept) = (self.tried.load(Ordering::Relaxed), self.kept.load(Ordering::Relaxed));
        tried < Self::FIRST || kept <= tried / 4 * 3
    }

    fn add(&self, tried: usize, kept: usize) {
        self.tried.fetch_add(tried, Ordering::Relaxed);
        self.kept.fetch_add(kept, Ordering::Relaxed);
    }
}

/// Names of the metrics that show a scan's progress.
pub(super) const BYTES_READ: &str = "bytes_read";
pub(super) const RECORDS_READ: &str = "records_read";

/// The metrics of one partition.
#[derive(Clone)]
pub(super) struct ScanMetrics {
    objects: Count,
    row_groups: Count,
    row_groups_pruned: Count,
    bytes: Count,
    records: Count,
    decoding: Time,
}

impl ScanMetrics {
    pub(super) fn new(metrics: &ExecutionPlanMetricsSet, partition: usize) -> Self {
        let count = |name| MetricBuilder::new(metrics).counter(name, partition);
        Self {
            objects: count("objects_read"),
            row_groups: count("row_groups_read"),
            row_groups_pruned: count("row_groups_pruned"),
            bytes: count(BYTES_READ),
            records: count(RECORDS_READ),
            decoding: MetricBuilder::new(metrics).subset_time("decoding_time", partition),
        }
    }
}

/// Objects fetched while one is decoded: a few, since each partition fetches for itself.
const AHEAD_LOCAL: usize = 2;
const AHEAD_REMOTE: usize = 16;
/// Bytes of objects, including columns that are not read, that a partition fetches ahead; at least one object.
const AHEAD_BYTES: u64 = 128 << 20;

/// Objects up to this size are fetched whole: a second request costs more than the bytes.
const WHOLE_LOCAL_BYTES: u64 = 64 << 10;
const WHOLE_REMOTE_BYTES: u64 = 1 << 20;

/// Bytes from the end of a larger object that are fetched first: enough for nearly every footer. From a disk, one more
/// read is cheaper than unneeded bytes.
const FOOTER_REMOTE_BYTES: u64 = 64 << 10;
const FOOTER_LOCAL_BYTES: u64 = 16 << 10;

/// When a batch keeps at most one row in so many, the other columns are decoded row by row.
const FEW: usize = 16;

/// From so many fields on, a batch has fewer rows: a statement such as `SELECT *` may have to hold a few of them for a
/// client that reads slowly.
const WIDE_FIELDS: usize = 12;
const WIDE_BATCH_ROWS: usize = 1_024;

/// An object with all the bytes that the scan needs.
struct LoadedObject {
    at: usize,
    bytes: Arc<ObjectBytes>,
    metadata: Arc<ParquetMetaData>,
    binding: Arc<Binding>,
    row_groups: Vec<usize>,
}

impl Reading {
    /// Reads some of the objects, in order; objects that cannot be read are noted and skipped. A read that was cut off,
    /// since its statement was cancelled, says nothing about the object.
    pub(super) fn read(
        self: Arc<Self>,
        objects: Range<usize>,
        counts: ScanMetrics,
    ) -> BoxStream<'static, Result<RecordBatch>> {
        let local = self.objects[objects.clone()].iter().all(Object::is_local);
        let (this, counted) = (self.clone(), counts.clone());
        let load = move |at: usize| {
            let (this, counts) = (this.clone(), counted.clone());
            let object = this.objects[at].clone();
            let task = match object.is_local() {
                // Nothing here waits, so one task per file is enough instead of one per read.
                true => SpawnedTask::spawn_blocking(move || Handle::current().block_on(this.load(at, &counts))),
                false => SpawnedTask::spawn(async move { this.load(at, &counts).await }),
            };
            async move {
                match task.join().await {
                    Ok(loaded) => Some(loaded.map_err(|error| (object, error))),
                    Err(failed) if failed.is_panic() => {
                        Some(Err((object, ScanError::Fetch("reading it failed: a bug of flowsift".into()))))
                    }
                    Err(_) => None,
                }
            }
        };
        let largest = self.objects[objects.clone()].iter().map(|object| object.size).max().unwrap_or(0).max(1);
        let most = if local { AHEAD_LOCAL } else { AHEAD_REMOTE };
        let ahead = usize::try_from(AHEAD_BYTES / largest).unwrap_or(most).clamp(1, most);
        let arrivals = futures::stream::iter(objects).map(load).buffered(ahead).boxed();
        let partition =
            ScanPartition { reading: self, arrivals, counts, current: None, cursors: RecordCursors::default() };
        futures::stream::unfold(partition, |mut partition| async move {
            let next = partition.next().await?;
            Some((next, partition))
        })
        .boxed()
    }

    /// Fetches the bytes of an object that a scan needs: the footer, then the bound columns of the row groups kept.
    async fn load(&self, at: usize, counts: &ScanMetrics) -> Result<LoadedObject, ScanError> {
        let object = &self.objects[at];
        let name = object.url.as_ref();
        if object.size == 0 {
            return Err(ScanError::Empty { object: name.to_owned() });
        }
        let whole_limit = if object.is_local() { WHOLE_LOCAL_BYTES } else { WHOLE_REMOTE_BYTES };
        let whole = object.size <= whole_limit;
        let footer_bytes = if object.is_local() { FOOTER_LOCAL_BYTES } else { FOOTER_REMOTE_BYTES };
        let mut tail = self.suffix(object, if whole { object.size } else { footer_bytes }).await?;
        counts.bytes.add(tail.len());
        let needed = footer_length(&tail).filter(|needed| *needed > tail.len() as u64 && *needed <= object.size);
        if let Some(needed) = needed {
            tail = self.suffix(object, needed).await?;
            counts.bytes.add(tail.len());
        }
        let at_end = match whole {
            true => ObjectBytes::Whole(tail),
            false => ObjectBytes::Ranges { len: object.size, parts: vec![(object.size - tail.len() as u64, tail)] },
        };
        let metadata = footer(name, &at_end)?;
        let binding = Binding::new(name, metadata.file_metadata().schema_descr(), &self.fields)?;
        let keeps = self.pruner.row_groups(&binding, metadata.row_groups());
        let mut row_groups: Vec<usize> = (0..keeps.len()).filter(|group| keeps[*group]).collect();
        if !whole {
            row_groups = self.by_dictionaries(object, &metadata, &binding, row_groups, counts).await?;
        }
        counts.row_groups_pruned.add(keeps.len() - row_groups.len());
        let bytes = if whole {
            at_end
        } else {
            let groups = row_groups.iter().map(|group| metadata.row_group(*group));
            let ranges = bound_ranges(&binding, groups).map_err(|error| ScanError::in_footer(name, error))?;
            let parts = self.ranges(object, &ranges).await?;
            counts.bytes.add(parts.iter().map(|part| part.len()).sum());
            ObjectBytes::Ranges { len: object.size, parts: ranges.iter().map(|range| range.start).zip(parts).collect() }
        };
        Ok(LoadedObject { at, bytes: Arc::new(bytes), metadata, binding: Arc::new(binding), row_groups })
    }
}

impl Reading {
    /// Reads the last bytes of an object.
    async fn suffix(&self, object: &Object, length: u64) -> Result<Bytes, ScanError> {
        let range = object.size.saturating_sub(length)..object.size;
        Ok(self.ranges(object, &[range]).await?.pop().unwrap_or_default())
    }

    /// Reads byte ranges of an object; those of a file on this thread.
    async fn ranges(&self, object: &Object, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, ScanError> {
        let read = match self.reader.ranges_now(object, ranges) {
            Some(read) => read,
            None => self.reader.ranges(object, ranges).await,
        };
        read.map_err(|error| ScanError::Fetch(error.into()))
    }

    /// Skips row groups that contain none of the texts that the filter asks for, by their dictionaries alone.
    async fn by_dictionaries(
        &self,
        object: &Object,
        metadata: &ParquetMetaData,
        binding: &Binding,
        row_groups: Vec<usize>,
        counts: &ScanMetrics,
    ) -> Result<Vec<usize>, ScanError> {
        let Some(filter) = self.rows.filter().filter(|_| self.tries.are_worth_it()) else { return Ok(row_groups) };
        let rare = filter.rare_tests();
        let leaf = |place: &usize| {
            let (_, leaves) = binding.fields.iter().find(|(bound, _)| *bound == filter.tests()[*place].0)?;
            let [leaf] = leaves.as_slice() else { return None };
            Some((*place, leaf.number))
        };
        let Some(asked) = rare.iter().map(leaf).collect::<Option<Vec<_>>>().filter(|asked| !asked.is_empty()) else {
            return Ok(row_groups);
        };
        // One dictionary per field and row group, where it can be read separately.
        let mut fields: Vec<usize> = asked.iter().map(|(_, leaf)| *leaf).collect();
        fields.dedup();
        let chunk = |group: usize, leaf: usize| metadata.row_group(group).column(leaf);
        let pages = row_groups.iter().flat_map(|group| fields.iter().map(|leaf| (*group, *leaf)));
        let (pages, ranges): (Vec<_>, Vec<_>) = pages
            .filter_map(|(group, leaf)| Some(((group, leaf), dictionary_page_range(chunk(group, leaf))?)))
            .filter(|(_, range)| range.end <= object.size)
            .unzip();
        let bytes = self.ranges(object, &ranges).await?;
        counts.bytes.add(bytes.iter().map(|bytes| bytes.len()).sum());
        let mut may: BTreeMap<usize, Vec<bool>> = BTreeMap::new();
        for ((group, leaf), bytes) in pages.into_iter().zip(bytes) {
            let may = may.entry(group).or_insert_with(|| vec![true; filter.tests().len()]);
            let tests: Vec<usize> = asked.iter().filter(|(_, of)| *of == leaf).map(|(place, _)| *place).collect();
            let questions: Vec<TextPredicate> = tests.iter().map(|place| filter.tests()[*place].1.clone()).collect();
            let meaning = tests.first().map_or(Meaning::Text, |place| Meaning::of(filter.tests()[*place].0));
            let Some(answers) = dictionary_passes(chunk(group, leaf), bytes, &questions, meaning) else { continue };
            for (place, answer) in tests.into_iter().zip(answers) {
                may[place] = answer;
            }
        }
        let kept = |group: &usize| may.get(group).is_none_or(|may| filter.may_pass(&|place| may[place]));
        let tried = row_groups.len();
        let kept: Vec<usize> = row_groups.into_iter().filter(kept).collect();
        self.tries.add(tried, kept.len());
        Ok(kept)
    }
}

/// An object, or why it cannot be read; `None` when its reading was cut off.
type Arrival = Option<Result<LoadedObject, (Object, ScanError)>>;

/// A partition in progress.
struct ScanPartition {
    reading: Arc<Reading>,
    arrivals: BoxStream<'static, Arrival>,
    counts: ScanMetrics,
    current: Option<Current>,
    cursors: RecordCursors,
}

/// The object being decoded.
struct Current {
    at: usize,
    file: RecordFile,
    row_groups: std::vec::IntoIter<usize>,
    group: Option<OpenRowGroup>,
}

impl ScanPartition {
    /// Returns the next rows; batches without a kept row are left out.
    async fn next(&mut self) -> Option<Result<RecordBatch>> {
        loop {
            let Some(current) = &mut self.current else {
                match self.arrivals.next().await? {
                    Some(Ok(loaded)) => self.current = self.open(loaded),
                    Some(Err((object, error))) => self.reading.skipped.add(&object.url, &error),
                    None => return Some(Err(DataFusionError::Execution("reading was cut off".to_owned()))),
                }
                continue;
            };
            let object = &self.reading.objects[current.at];
            let rows = &self.reading.rows;
            let timer = self.counts.decoding.timer();
            let (mut kept, mut few, mut failed) = (None, false, None);
            let records = &self.counts.records;
            let mut wants = |batch: &Records| {
                records.add(batch.batch.num_rows());
                (kept, few) = (None, false);
                let judged = match rows.kept(object, batch) {
                    Ok(judged) => judged,
                    Err(error) => {
                        failed = Some(error);
                        return Selection::All;
                    }
                };
                let count = judged.as_ref().map_or(usize::MAX, BooleanArray::true_count);
                match judged {
                    Some(_) if count == 0 => Selection::None,
                    Some(judged) if count <= judged.len() / FEW => {
                        few = true;
                        Selection::Rows(judged)
                    }
                    judged => {
                        kept = judged;
                        Selection::All
                    }
                }
            };
            let read = current.next(&self.counts, &mut self.cursors, &mut wants);
            timer.done();
            if let Some(error) = failed {
                return Some(Err(error));
            }
            match read {
                Ok(Some(records)) => return Some(rows.rows(object, &records, kept.as_ref(), few)),
                Ok(None) => self.current = None,
                Err(error) => {
                    self.reading.skipped.add(&object.url, &error);
                    self.current = None;
                }
            }
        }
    }

    fn open(&self, loaded: LoadedObject) -> Option<Current> {
        let LoadedObject { at, bytes, metadata, binding, row_groups } = loaded;
        let name = &self.reading.objects[at].url;
        match RecordFile::open(name, bytes, metadata, binding, self.reading.fields.clone()) {
            Ok(file) => {
                let tests = self.reading.rows.filter().map(|filter| filter.tests().clone());
                let file = file.with_filter(self.reading.first, tests.unwrap_or_else(|| Arc::new([])));
                let file = file.with_answers_only(self.reading.rows.asked().clone());
                let wide = self.reading.fields.len() >= WIDE_FIELDS;
                let file = if wide { file.with_batch_rows(WIDE_BATCH_ROWS) } else { file };
                let file = match self.reading.rows.coded() {
                    Some((fields, dictionary)) => file.with_codes(fields.clone(), dictionary.clone()),
                    None => file,
                };
                self.counts.objects.add(1);
                Some(Current { at, file, row_groups: row_groups.into_iter(), group: None })
            }
            Err(error) => {
                self.reading.skipped.add(name, &error);
                None
            }
        }
    }
}

impl Current {
    fn next(
        &mut self,
        counts: &ScanMetrics,
        cursors: &mut RecordCursors,
        wants: &mut dyn FnMut(&Records) -> Selection,
    ) -> Result<Option<RecordBatch>, ScanError> {
        loop {
            if let Some(group) = &mut self.group {
                if let Some(batch) = self.file.next(group, cursors, wants)? {
                    return Ok(Some(batch));
                }
                self.group = None;
            }
            let Some(index) = self.row_groups.next() else { return Ok(None) };
            counts.row_groups.add(1);
            self.group = Some(self.file.row_group(index, cursors)?);
        }
    }
}
