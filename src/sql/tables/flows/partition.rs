//! One partition of a scan: its objects one after another, each passed on only when it is known to be whole.

use super::held::HeldRows;
use super::read::{LoadedObject, Reading, ScanMetrics};
use crate::source::Object;
use arrow::array::{BooleanArray, RecordBatch};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryPool;
use futures::stream::{BoxStream, StreamExt};
use scan::records::{OpenRowGroup, RecordFile, Records, Selection};
use scan::{RecordCursors, ScanError};
use std::sync::Arc;

/// When a batch keeps at most one row in so many, the other columns are decoded row by row.
const FEW: usize = 16;

/// From so many fields on, a batch has fewer rows: a statement such as `SELECT *` may have to hold a few of them for a
/// client that reads slowly.
const WIDE_FIELDS: usize = 12;
const WIDE_BATCH_ROWS: usize = 1_024;

/// An object, or why it cannot be read; `None` when its reading was cut off.
pub(super) type Arrival = Option<Result<LoadedObject, (Object, ScanError)>>;

/// A partition in progress.
pub(super) struct ScanPartition {
    reading: Arc<Reading>,
    arrivals: BoxStream<'static, Arrival>,
    counts: ScanMetrics,
    current: Option<Current>,
    /// Rows of the current object, or of the one before it, which is whole.
    held: HeldRows,
    /// Rows until the limit.
    missing: usize,
    cursors: RecordCursors,
}

/// The object being decoded.
struct Current {
    loaded: LoadedObject,
    file: RecordFile,
    row_groups: std::vec::IntoIter<usize>,
    group: Option<OpenRowGroup>,
    /// Its rows are passed on, all but the batches that were before; otherwise it is yet to show whether it is whole.
    passes: Option<usize>,
}

/// What decoding came to.
enum Decoded {
    Rows(RecordBatch),
    End,
    Unreadable(ScanError),
}

impl ScanPartition {
    /// Reads objects as they arrive; nobody needs more rows than `limit`.
    pub(super) fn new(
        reading: Arc<Reading>,
        arrivals: BoxStream<'static, Arrival>,
        limit: Option<usize>,
        counts: ScanMetrics,
        pool: &Arc<dyn MemoryPool>,
    ) -> Self {
        let (held, missing) = (HeldRows::new(pool), limit.unwrap_or(usize::MAX));
        Self { reading, arrivals, counts, current: None, held, missing, cursors: RecordCursors::default() }
    }

    /// Returns the next rows; batches without a kept row are left out. Rows wait until their object is decoded to its
    /// end: a damaged one counts with none of them, as in a rollup.
    pub(super) async fn next(&mut self) -> Option<Result<RecordBatch>> {
        loop {
            let Some(current) = &self.current else {
                if let Some(rows) = self.held.take_first() {
                    return Some(Ok(rows));
                }
                match self.arrivals.next().await? {
                    Some(Ok(loaded)) => self.current = self.open(loaded, None),
                    Some(Err((object, error))) => self.reading.skipped.add(&object.url, &error, None),
                    None => return Some(Err(DataFusionError::Execution("reading was cut off".to_owned()))),
                }
                continue;
            };
            let passes = current.passes;
            if passes.is_some()
                && let Some(rows) = self.held.take_first()
            {
                return Some(Ok(rows));
            }
            match self.decode()? {
                Err(error) => return Some(Err(error)),
                Ok(Decoded::Rows(rows)) => match passes {
                    None => {
                        self.held.add(rows);
                        if self.held.rows() >= self.missing {
                            self.pass_on(0);
                        }
                        // An object may take long, and its statement may be cancelled meanwhile.
                        tokio::task::yield_now().await;
                    }
                    Some(0) => return Some(Ok(rows)),
                    Some(before) => self.pass_on(before - 1),
                },
                Ok(Decoded::End) => self.end(),
                Ok(Decoded::Unreadable(error)) => self.skip(&error),
            }
        }
    }

    /// Makes the rows of the current object count, all but so many batches that come next.
    fn pass_on(&mut self, but: usize) {
        if let Some(current) = &mut self.current {
            current.passes = Some(but);
        }
    }

    /// Ends the current object, which is whole. If not all of its rows fitted, it begins anew with those that did not.
    fn end(&mut self) {
        let Some(Current { loaded, passes, .. }) = self.current.take() else { return };
        if passes.is_none() {
            self.missing = self.missing.saturating_sub(self.held.rows());
            if self.held.is_full() {
                self.current = self.open(loaded, Some(self.held.batches()));
            }
        }
    }

    fn skip(&mut self, error: &ScanError) {
        let Some(Current { loaded, .. }) = self.current.take() else { return };
        self.held.clear();
        let rows = u64::try_from(loaded.metadata.file_metadata().num_rows()).ok();
        self.reading.skipped.add(&self.reading.objects[loaded.at].url, error, rows);
    }

    /// Decodes the next rows of the current object; `None` without one.
    fn decode(&mut self) -> Option<Result<Decoded>> {
        let current = self.current.as_mut()?;
        let counts = if current.passes.is_none() { self.counts.clone() } else { self.counts.again() };
        let object = &self.reading.objects[current.loaded.at];
        let rows = &self.reading.rows;
        let timer = counts.decoding.timer();
        let (mut kept, mut few, mut failed) = (None, false, None);
        let mut wants = |batch: &Records| {
            counts.records.add(batch.batch.num_rows());
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
        let read = current.next(&counts, &mut self.cursors, &mut wants);
        timer.done();
        if let Some(error) = failed {
            return Some(Err(error));
        }
        Some(match read {
            Ok(Some(records)) => rows.rows(object, &records, kept.as_ref(), few).map(Decoded::Rows),
            Ok(None) => Ok(Decoded::End),
            Err(error) => Ok(Decoded::Unreadable(error)),
        })
    }

    fn open(&self, loaded: LoadedObject, passes: Option<usize>) -> Option<Current> {
        let LoadedObject { at, bytes, metadata, binding, row_groups } = loaded.clone();
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
                if passes.is_none() {
                    self.counts.objects.add(1);
                }
                Some(Current { loaded, file, row_groups: row_groups.into_iter(), group: None, passes })
            }
            Err(error) => {
                let rows = u64::try_from(loaded.metadata.file_metadata().num_rows()).ok();
                self.reading.skipped.add(name, &error, rows);
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
