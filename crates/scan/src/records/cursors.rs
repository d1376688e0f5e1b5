//! The native path from pages to Arrow columns: one cursor per field, kept from object to object for its buffers.

use super::schema::{number_column, type_of};
use crate::bound_object::BoundObject;
use crate::column::code::{CodeDecoder, TextNumbers};
use crate::column::cursor::ColumnCursor;
use crate::column::decoder::ColumnDecoder;
use crate::column::number::{NumberDecoder, PhysicalNumber};
use crate::column::predicate::PredicateDecoder;
use crate::column::view::{TextPredicate, ViewDecoder};
use crate::interner::Interners;
use crate::value::number::Narrow;
use crate::value::text::Meaning;
use arrow::array::{ArrayRef, BooleanArray, NullArray, new_null_array};
use flow::schema::{Field, FieldKind};
use pages::decompress::Decompressor;
use parquet::errors::Result;
use std::sync::Arc;

/// Leaves numbers as they are.
#[derive(Default)]
struct Unchanged;

impl Narrow for Unchanged {
    type Out = i64;

    #[inline(always)]
    fn narrow(number: i64) -> i64 {
        number
    }
}

/// Decodes one field.
enum FieldCursor {
    Number(Box<ColumnCursor<NumberDecoder<Unchanged>>>),
    Text(Box<ColumnCursor<ViewDecoder>>),
    Code(Box<ColumnCursor<CodeDecoder>>),
    Answers(Box<ColumnCursor<PredicateDecoder>>),
}

/// Text fields that are not read as text.
#[derive(Clone, Debug, Default)]
pub(crate) struct TextProjection {
    /// Only the results of their predicates.
    pub(crate) answers_only: Arc<[Field]>,
    /// Their codes.
    pub(crate) coded: Arc<[Field]>,
    /// The dictionary that numbers the texts of `coded`.
    pub(crate) numbers: Option<Arc<dyn TextNumbers>>,
}

/// The rows to read next.
struct NextRows<'a> {
    /// Rows before them to skip.
    waiting: usize,
    rows: usize,
    /// Which of them are decoded, if not all.
    picked: Option<&'a [usize]>,
    decompressor: &'a mut Decompressor,
    interners: &'a Interners,
}

impl NextRows<'_> {
    /// Decodes a column's rows; all are missing when the file does not have the column.
    fn decode<D: ColumnDecoder>(
        &mut self,
        cursor: &mut ColumnCursor<D>,
        scratch: &mut Vec<D::Out>,
    ) -> Result<Vec<D::Out>> {
        let Self { waiting, rows, picked, decompressor, interners } = self;
        let missing = |rows: usize| vec![D::missing(); rows];
        if !cursor.is_open() {
            return Ok(missing(picked.map_or(*rows, <[usize]>::len)));
        }
        cursor.skip(*waiting, decompressor, interners, scratch)?;
        if let Some(picked) = picked {
            return cursor.pick(*rows, picked, decompressor, interners, scratch);
        }
        let mut all = missing(*rows);
        cursor.fill(decompressor, interners, &mut all)?;
        Ok(all)
    }
}

/// One cursor for each field of a scan.
#[derive(Default)]
pub struct RecordCursors {
    cursors: Vec<(Field, FieldCursor)>,
    /// Fields whose cursors read codes.
    coded: Arc<[Field]>,
    /// Fields whose cursors read only answers.
    answers_only: Arc<[Field]>,
    decompressor: Decompressor,
    /// Stays empty: texts and addresses are not interned here.
    interners: Interners,
    /// Rows by which the fields that are decoded second lag behind the leading ones.
    waiting: usize,
    scratch: Scratch,
}

/// Scratch for rows that are decoded only to be skipped.
#[derive(Default)]
struct Scratch {
    numbers: Vec<i64>,
    views: Vec<u128>,
    codes: Vec<u64>,
    answers: Vec<u8>,
}

/// The columns of some fields, and the answers of the predicates on their texts, in the order of the fields and of the
/// predicates.
pub(crate) struct DecodedColumns {
    pub(crate) columns: Vec<ArrayRef>,
    pub(crate) answers: Vec<BooleanArray>,
}

impl std::fmt::Debug for RecordCursors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordCursors").field("fields", &self.cursors.len()).finish_non_exhaustive()
    }
}

impl RecordCursors {
    /// Opens a row group that [`crate::bound_object::supports_native`] approved.
    ///
    /// # Errors
    /// When the footer claims an impossible byte range for a column, or a predicate cannot be answered.
    pub(crate) fn open(
        &mut self,
        object: &BoundObject<'_>,
        group: usize,
        fields: &[Field],
        predicates: &[(Field, TextPredicate)],
        projection: &TextProjection,
    ) -> Result<()> {
        let same = self.coded == projection.coded && self.answers_only == projection.answers_only;
        if !same || !self.cursors.iter().map(|(field, _)| field).eq(fields) {
            self.coded = projection.coded.clone();
            self.answers_only = projection.answers_only.clone();
            let cursor = |field: &Field| match field.kind() {
                FieldKind::Text if projection.coded.contains(field) => FieldCursor::Code(Box::default()),
                FieldKind::Text if projection.answers_only.contains(field) => FieldCursor::Answers(Box::default()),
                FieldKind::Text => FieldCursor::Text(Box::default()),
                _ => FieldCursor::Number(Box::default()),
            };
            self.cursors = fields.iter().map(|field| (*field, cursor(field))).collect();
        }
        self.close();
        self.waiting = 0;
        for (field, cursor) in &mut self.cursors {
            let predicates =
                || predicates.iter().filter(|(of, _)| of == field).map(|(_, predicate)| predicate.clone()).collect();
            match (&mut *cursor, &projection.numbers) {
                (FieldCursor::Text(cursor), _) => cursor.decoder.set_predicates(predicates())?,
                (FieldCursor::Answers(cursor), _) => cursor.decoder.begin(predicates(), Meaning::of(*field))?,
                (FieldCursor::Code(cursor), Some(numbers)) => {
                    cursor.decoder.begin(numbers, predicates(), Meaning::of(*field))?
                }
                _ => {}
            }
            let bound = object.binding.fields.iter().find(|(bound, _)| bound == field);
            let Some(leaf) = bound.and_then(|(_, leaves)| leaves.first()) else { continue };
            match cursor {
                FieldCursor::Number(cursor) => {
                    cursor.decoder.stored =
                        object.binding.arrow_type_of(leaf).and_then(PhysicalNumber::of).unwrap_or_default();
                    cursor.open(object.bytes, object.metadata, group, leaf.number)?;
                }
                FieldCursor::Text(cursor) => {
                    cursor.decoder.meaning = Meaning::of(*field);
                    cursor.open(object.bytes, object.metadata, group, leaf.number)?;
                }
                FieldCursor::Answers(cursor) => cursor.open(object.bytes, object.metadata, group, leaf.number)?,
                FieldCursor::Code(cursor) => cursor.open(object.bytes, object.metadata, group, leaf.number)?,
            }
        }
        Ok(())
    }

    /// Releases the object's bytes.
    pub(crate) fn close(&mut self) {
        for (_, cursor) in &mut self.cursors {
            match cursor {
                FieldCursor::Number(cursor) => cursor.close(),
                FieldCursor::Text(cursor) => {
                    cursor.close();
                    cursor.decoder.forget();
                }
                FieldCursor::Answers(cursor) => cursor.close(),
                FieldCursor::Code(cursor) => cursor.close(),
            }
        }
    }

    /// Decodes the next rows of the first `count` fields, or of all others, and evaluates their predicates. With
    /// `picked`, only those of the next rows are decoded.
    ///
    /// # Errors
    /// When a page is damaged or of an unsupported kind.
    pub(crate) fn next(
        &mut self,
        count: usize,
        others: bool,
        rows: usize,
        picked: Option<&[usize]>,
    ) -> Result<DecodedColumns> {
        let waiting = if others { std::mem::take(&mut self.waiting) } else { 0 };
        let Self { cursors, decompressor, interners, scratch, .. } = self;
        let count = count.min(cursors.len());
        let (first, rest) = cursors.split_at_mut(count);
        let mut answers = Vec::new();
        let decoded = picked.map_or(rows, <[usize]>::len);
        let mut next = NextRows { waiting, rows, picked, decompressor, interners };
        let column = |(field, cursor): &mut (Field, FieldCursor)| match cursor {
            FieldCursor::Number(cursor) if cursor.is_open() => {
                Ok(number_column(*field, next.decode(cursor, &mut scratch.numbers)?))
            }
            FieldCursor::Text(cursor) if cursor.is_open() => {
                cursor.decoder.drop_plain();
                let mut views = next.decode(cursor, &mut scratch.views)?;
                answers.extend(cursor.decoder.take_answers(&mut views));
                Ok(cursor.decoder.column(views))
            }
            FieldCursor::Answers(cursor) => {
                let rows = next.decode(cursor, &mut scratch.answers)?;
                answers.extend(cursor.decoder.answers(&rows));
                Ok(Arc::new(NullArray::new(decoded)) as ArrayRef)
            }
            FieldCursor::Code(cursor) => {
                let codes = next.decode(cursor, &mut scratch.codes)?;
                answers.extend(cursor.decoder.answers(&codes));
                Ok(CodeDecoder::column(&codes))
            }
            FieldCursor::Text(cursor) => {
                answers.extend(cursor.decoder.take_answers(&mut vec![ViewDecoder::missing(); decoded]));
                Ok(new_null_array(&type_of(*field), decoded))
            }
            FieldCursor::Number(_) => Ok(new_null_array(&type_of(*field), decoded)),
        };
        let columns = if others { rest } else { first }.iter_mut().map(column).collect::<Result<Vec<_>>>()?;
        Ok(DecodedColumns { columns, answers })
    }

    /// Skips the next rows of the fields that are decoded second.
    pub(crate) fn pass_over(&mut self, rows: usize) {
        self.waiting += rows;
    }
}
