//! Writes groups as batches.

use super::run::Run;
use super::shape::{AggregateInput, Fold, Key, KeyKind, RowLayout};
use super::table::Table;
use arrow::array::{ArrayRef, BooleanArray, Int32Array, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::error::Result;
use std::ops::Range;
use std::sync::Arc;

/// Writes the groups of some parts, one part after the other.
pub(super) struct Emitter {
    run: Arc<Run>,
    parts: Range<usize>,
    /// The table being written, and the index of its next group.
    current: Option<(Table, usize)>,
    /// The columns to write, keys first, then aggregates.
    columns: Vec<usize>,
    schema: SchemaRef,
    batch_rows: usize,
    rows: Vec<u64>,
}

impl Emitter {
    /// Writes `columns` of the groups of `parts`; `schema` is that of the output.
    pub(super) fn new(
        run: Arc<Run>,
        parts: Range<usize>,
        columns: Vec<usize>,
        schema: SchemaRef,
        batch_rows: usize,
    ) -> Self {
        Self { run, parts, current: None, columns, schema, batch_rows: batch_rows.max(1), rows: Vec::new() }
    }

    /// Collects the words of the next groups, as many as fit in a batch.
    fn collect(&mut self) {
        let words = self.run.shape.layout.words;
        self.rows.clear();
        loop {
            let room = self.batch_rows - self.rows.len() / words;
            let Some((table, next)) = &mut self.current else {
                match self.parts.next() {
                    Some(part) if room > 0 => self.current = Some((self.run.take(part), 0)),
                    Some(part) => {
                        self.parts.start = part;
                        return;
                    }
                    None => return,
                }
                continue;
            };
            if room == 0 {
                return;
            }
            let end = table.groups().min(*next + room);
            self.rows.extend_from_slice(&table.rows()[*next * words..end * words]);
            *next = end;
            if end == table.groups()
                && let Some((table, _)) = self.current.take()
            {
                self.run.written(table);
            }
        }
    }

    fn batch(&self) -> Result<RecordBatch> {
        let (shape, count) = (&self.run.shape, self.rows.len() / self.run.shape.layout.words);
        let column = |place: &usize| match shape.keys.get(*place) {
            Some(key) => self.key(key),
            None => self.aggregate(*place - shape.keys.len()),
        };
        let columns = self.columns.iter().map(column).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?)
    }

    fn halves(&self, lane: usize) -> impl Iterator<Item = u32> + '_ {
        let (word, shift) = (lane / 2, lane % 2 * 32);
        self.words(word).map(move |word| (word >> shift) as u32)
    }

    fn words(&self, word: usize) -> impl Iterator<Item = u64> + '_ {
        self.rows.chunks_exact(self.run.shape.layout.words).map(move |row| row[word])
    }

    fn key(&self, key: &Key) -> Result<ArrayRef> {
        let layout: &RowLayout = &self.run.shape.layout;
        let count = self.rows.len() / layout.words;
        let nulls = layout
            .null_lane
            .zip(key.null_bit)
            .map(|(lane, bit)| NullBuffer::from_iter(self.halves(lane).map(|missing| missing >> bit & 1 == 0)));
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
        let values: ArrayRef = match key.kind {
            KeyKind::Text => Arc::new(self.run.texts.write(self.halves(key.lane), count)),
            KeyKind::Half => {
                Arc::new(Int32Array::new(self.halves(key.lane).map(|number| number as i32).collect(), nulls))
            }
            KeyKind::Whole => {
                Arc::new(Int64Array::new(self.words(key.lane / 2).map(|number| number as i64).collect(), nulls))
            }
            KeyKind::Truth => {
                Arc::new(BooleanArray::new(self.halves(key.lane).map(|truth| truth == 1).collect(), nulls))
            }
        };
        as_type(values, &key.data_type)
    }

    fn aggregate(&self, place: usize) -> Result<ArrayRef> {
        let (shape, layout) = (&self.run.shape, &self.run.shape.layout);
        let aggregate = &shape.aggregates[place];
        let word = layout.key_words + usize::from(layout.has_flags) + place;
        let nulls = match aggregate.taken {
            AggregateInput::Values(_) => {
                let nulls = NullBuffer::from_iter(self.words(layout.key_words).map(|flags| flags >> place & 1 == 1));
                Some(nulls).filter(|nulls| nulls.null_count() > 0)
            }
            AggregateInput::Rows | AggregateInput::Present(_) => None,
        };
        // A group without a value holds the neutral value, which may not fit the column's type.
        let missing = |at: usize| nulls.as_ref().is_some_and(|nulls| nulls.is_null(at));
        let fits = layout.folds[place] == Fold::Add;
        let numbers = self.words(word).enumerate().map(|(at, word)| if !fits && missing(at) { 0 } else { word as i64 });
        let numbers = numbers.collect::<Vec<i64>>();
        as_type(Arc::new(Int64Array::new(numbers.into(), nulls)), &aggregate.data_type)
    }
}

/// Converts numbers and texts to the type of their column.
fn as_type(values: ArrayRef, data_type: &DataType) -> Result<ArrayRef> {
    if values.data_type() == data_type {
        return Ok(values);
    }
    // Dates have 32 bits, so they must be narrowed first.
    let values = if *data_type == DataType::Date32 { cast(&values, &DataType::Int32)? } else { values };
    Ok(cast(&values, data_type)?)
}

impl Iterator for Emitter {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.collect();
        if self.rows.is_empty() {
            return None;
        }
        Some(self.batch())
    }
}
