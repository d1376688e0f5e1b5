//! Packs batches into rows of words.

use super::shape::{AggregateInput, Fold, Key, KeyKind, Shape};
use super::table::hash_of;
use super::texts::{Coder, OutOfMemory, Texts};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type, Int64Type, UInt32Type};
use datafusion::error::{DataFusionError, Result};
use datafusion::physical_expr::PhysicalExpr;
use std::sync::Arc;

/// Why rows could not be grouped.
pub(super) enum GroupingError {
    /// Memory ran out: the rows have to be grouped another way.
    OutOfMemory,
    /// The input or an expression failed.
    Engine(DataFusionError),
}

impl From<OutOfMemory> for GroupingError {
    fn from(_: OutOfMemory) -> Self {
        GroupingError::OutOfMemory
    }
}

/// Packs batches on one thread.
pub(super) struct Packer {
    shape: Arc<Shape>,
    coder: Coder,
    codes: Vec<u32>,
    rows: Vec<u64>,
    hashes: Vec<u64>,
}

/// Puts 32-bit numbers into a half word of each row, which is zero before.
fn put_halves(rows: &mut [u64], words: usize, lane: usize, numbers: impl Iterator<Item = u32>) {
    let (word, shift) = (lane / 2, lane % 2 * 32);
    for (row, number) in rows.chunks_exact_mut(words).zip(numbers) {
        row[word] |= u64::from(number) << shift;
    }
}

impl Packer {
    /// Returns a packer for rows of the given shape; `texts` numbers the texts.
    pub(super) fn new(shape: Arc<Shape>, texts: Arc<Texts>) -> Self {
        Self { shape, coder: Coder::new(texts), codes: Vec::new(), rows: Vec::new(), hashes: Vec::new() }
    }

    /// Packs a batch; returns its rows and the hashes of their keys.
    ///
    /// # Errors
    /// When an expression cannot be evaluated, or there is no memory for texts.
    pub(super) fn pack(&mut self, batch: &RecordBatch) -> Result<(&[u64], &[u64]), GroupingError> {
        let shape = self.shape.clone();
        let layout = &shape.layout;
        let words = layout.words;
        self.rows.clear();
        self.rows.resize(batch.num_rows() * words, 0);
        for key in &shape.keys {
            let values = values(&key.expr, batch)?;
            if key.kind == KeyKind::Text {
                // The scan may have coded them already.
                if let Some(codes) = values.as_primitive_opt::<UInt32Type>() {
                    put_halves(&mut self.rows, words, key.lane, codes.values().iter().copied());
                    continue;
                }
                let texts = cast(&values, &DataType::Utf8View).map_err(arrow)?;
                self.coder.codes(texts.as_string_view(), &mut self.codes)?;
                put_halves(&mut self.rows, words, key.lane, self.codes.iter().copied());
                continue;
            }
            put_numbers(&mut self.rows, words, key, &values)?;
            if let (Some(lane), Some(bit), Some(nulls)) = (layout.null_lane, key.null_bit, values.nulls()) {
                let missing = nulls.iter().map(|valid| u32::from(!valid) << bit);
                put_halves(&mut self.rows, words, lane, missing);
            }
        }
        let flags = layout.key_words;
        for (place, (aggregate, fold)) in shape.aggregates.iter().zip(&layout.folds).enumerate() {
            let word = layout.key_words + usize::from(layout.has_flags) + place;
            let rows = self.rows.chunks_exact_mut(words);
            match &aggregate.taken {
                AggregateInput::Rows => rows.for_each(|row| row[word] = 1),
                AggregateInput::Present(expr) => {
                    let values = values(expr, batch)?;
                    let nulls = values.logical_nulls();
                    let present = |at| u64::from(nulls.as_ref().is_none_or(|nulls| nulls.is_valid(at)));
                    rows.enumerate().for_each(|(at, row)| row[word] = present(at));
                }
                AggregateInput::Values(expr) => {
                    let values = cast(&values(expr, batch)?, &DataType::Int64).map_err(arrow)?;
                    let numbers = values.as_primitive::<Int64Type>();
                    let bit = 1 << place;
                    match numbers.nulls() {
                        None => rows.zip(numbers.values()).for_each(|(row, number)| {
                            row[word] = *number as u64;
                            row[flags] |= bit;
                        }),
                        Some(nulls) => {
                            for ((row, number), valid) in rows.zip(numbers.values()).zip(nulls) {
                                (row[word], row[flags]) = match valid {
                                    true => (*number as u64, row[flags] | bit),
                                    false => (nothing(*fold), row[flags]),
                                };
                            }
                        }
                    }
                }
            }
        }
        self.hashes.clear();
        self.hashes.extend(self.rows.chunks_exact(words).map(|row| hash_of(&row[..layout.key_words])));
        Ok((&self.rows, &self.hashes))
    }
}

/// Returns the neutral value of a fold.
fn nothing(fold: Fold) -> u64 {
    match fold {
        Fold::Add => 0,
        Fold::Min => i64::MAX as u64,
        Fold::Max => i64::MIN as u64,
    }
}

fn arrow(error: arrow::error::ArrowError) -> GroupingError {
    GroupingError::Engine(error.into())
}

fn values(expr: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> Result<ArrayRef, GroupingError> {
    let values = expr.evaluate(batch).and_then(|values| values.into_array_of_size(batch.num_rows()));
    values.map_err(GroupingError::Engine)
}

/// Puts numbers into rows; a missing one is zero, whatever the column's buffer holds there.
fn put_numbers(rows: &mut [u64], words: usize, key: &Key, values: &ArrayRef) -> Result<(), GroupingError> {
    let valid = |at: usize| values.is_valid(at);
    match key.kind {
        KeyKind::Whole => {
            let whole = cast(values, &DataType::Int64).map_err(arrow)?;
            let numbers = whole.as_primitive::<Int64Type>().values().iter().enumerate();
            let word = key.lane / 2;
            for (row, (at, number)) in rows.chunks_exact_mut(words).zip(numbers) {
                row[word] = if valid(at) { *number as u64 } else { 0 };
            }
        }
        KeyKind::Half => {
            let half = cast(values, &DataType::Int32).map_err(arrow)?;
            let numbers = half.as_primitive::<Int32Type>().values().iter().enumerate();
            put_halves(rows, words, key.lane, numbers.map(|(at, number)| if valid(at) { *number as u32 } else { 0 }));
        }
        KeyKind::Truth => {
            let truths = values.as_boolean().values().iter().enumerate();
            put_halves(rows, words, key.lane, truths.map(|(at, truth)| u32::from(valid(at) && truth)));
        }
        KeyKind::Text => {}
    }
    Ok(())
}
