//! The direct way from pages to Arrow columns: a cursor for each field, kept from object to object for its buffers.

use super::Books;
use super::asked::Asked;
use super::coded::{Coded, TextNumbers};
use super::cursor::{Cursor, Kind};
use super::direct::Source;
use super::inflate::Inflater;
use super::numbers::{Narrow, Numbers, Stored};
use super::records::{number_column, type_of};
use super::texts::Meaning;
use super::views::{TextTest, Views};
use crate::flow::schema::{Field, FieldKind};
use arrow::array::{ArrayRef, BooleanArray, NullArray, new_null_array};
use parquet::errors::Result;
use std::sync::Arc;

/// Numbers as they are.
#[derive(Default)]
struct Whole;

impl Narrow for Whole {
    type Out = i64;

    #[inline(always)]
    fn narrow(number: i64) -> i64 {
        number
    }
}

/// Decodes one field.
enum FieldCursor {
    Number(Box<Cursor<Numbers<Whole>>>),
    Text(Box<Cursor<Views>>),
    Code(Box<Cursor<Coded>>),
    Asked(Box<Cursor<Asked>>),
}

/// Fields of texts of which something less is read.
#[derive(Clone, Debug, Default)]
pub(super) struct Coding {
    /// Only the answers to their tests.
    pub(super) asked: Arc<[Field]>,
    /// Their codes.
    pub(super) coded: Arc<[Field]>,
    /// What numbers the texts that are coded.
    pub(super) book: Option<Arc<dyn TextNumbers>>,
}

/// Which rows come next.
struct Next<'a> {
    /// Rows before them that are left out.
    waiting: usize,
    rows: usize,
    /// Those of them that are decoded, if not all.
    picked: Option<&'a [usize]>,
    inflater: &'a mut Inflater,
    books: &'a Books,
}

impl Next<'_> {
    /// Decodes the rows of a column; they are missing when the file does not have it.
    fn of<K: Kind>(&mut self, cursor: &mut Cursor<K>, scratch: &mut Vec<K::Out>) -> Result<Vec<K::Out>> {
        let Self { waiting, rows, picked, inflater, books } = self;
        let missing = |rows: usize| vec![K::missing(); rows];
        if !cursor.is_open() {
            return Ok(missing(picked.map_or(*rows, <[usize]>::len)));
        }
        cursor.skip(*waiting, inflater, books, scratch)?;
        if let Some(picked) = picked {
            return cursor.pick(*rows, picked, inflater, books, scratch);
        }
        let mut all = missing(*rows);
        cursor.fill(inflater, books, &mut all)?;
        Ok(all)
    }
}

/// Cursors of the fields of a scan.
#[derive(Default)]
pub struct RecordCursors {
    cursors: Vec<(Field, FieldCursor)>,
    /// Fields whose cursors read codes, and only answers.
    coded: Arc<[Field]>,
    asked: Arc<[Field]>,
    inflater: Inflater,
    /// Texts and addresses have no numbers here.
    books: Books,
    /// Rows that the fields decoded last are behind the others.
    waiting: usize,
    scratch: (Vec<i64>, Vec<u128>, Vec<u64>, Vec<u8>),
}

impl std::fmt::Debug for RecordCursors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordCursors").field("fields", &self.cursors.len()).finish_non_exhaustive()
    }
}

impl RecordCursors {
    /// Begins with a row group that [`super::direct::supports`] approved.
    ///
    /// # Errors
    /// When the footer's word about a column cannot be.
    pub(super) fn open(
        &mut self,
        source: &Source<'_>,
        group: usize,
        fields: &[Field],
        tests: &[(Field, TextTest)],
        coding: &Coding,
    ) -> Result<()> {
        let same = self.coded == coding.coded && self.asked == coding.asked;
        if !same || !self.cursors.iter().map(|(field, _)| field).eq(fields) {
            (self.coded, self.asked) = (coding.coded.clone(), coding.asked.clone());
            let cursor = |field: &Field| match field.kind() {
                FieldKind::Text if coding.coded.contains(field) => FieldCursor::Code(Box::default()),
                FieldKind::Text if coding.asked.contains(field) => FieldCursor::Asked(Box::default()),
                FieldKind::Text => FieldCursor::Text(Box::default()),
                _ => FieldCursor::Number(Box::default()),
            };
            self.cursors = fields.iter().map(|field| (*field, cursor(field))).collect();
        }
        self.close();
        self.waiting = 0;
        for (field, cursor) in &mut self.cursors {
            let asked = || tests.iter().filter(|(of, _)| of == field).map(|(_, test)| test.clone()).collect();
            match (&mut *cursor, &coding.book) {
                (FieldCursor::Text(cursor), _) => cursor.kind.ask(asked())?,
                (FieldCursor::Asked(cursor), _) => cursor.kind.begin(asked(), Meaning::of(*field))?,
                (FieldCursor::Code(cursor), Some(book)) => cursor.kind.begin(book, asked(), Meaning::of(*field))?,
                _ => {}
            }
            let bound = source.binding.fields.iter().find(|(bound, _)| bound == field);
            let Some(leaf) = bound.and_then(|(_, leaves)| leaves.first()) else { continue };
            match cursor {
                FieldCursor::Number(cursor) => {
                    cursor.kind.stored = source.binding.kind_of(leaf).and_then(Stored::of).unwrap_or_default();
                    cursor.open(source.bytes, source.metadata, group, leaf.number)?;
                }
                FieldCursor::Text(cursor) => {
                    cursor.kind.meaning = Meaning::of(*field);
                    cursor.open(source.bytes, source.metadata, group, leaf.number)?;
                }
                FieldCursor::Asked(cursor) => cursor.open(source.bytes, source.metadata, group, leaf.number)?,
                FieldCursor::Code(cursor) => cursor.open(source.bytes, source.metadata, group, leaf.number)?,
            }
        }
        Ok(())
    }

    /// Lets go of the object's bytes.
    pub(super) fn close(&mut self) {
        for (_, cursor) in &mut self.cursors {
            match cursor {
                FieldCursor::Number(cursor) => cursor.close(),
                FieldCursor::Text(cursor) => {
                    cursor.close();
                    cursor.kind.forget();
                }
                FieldCursor::Asked(cursor) => cursor.close(),
                FieldCursor::Code(cursor) => cursor.close(),
            }
        }
    }

    /// Decodes the next rows of the first `count` fields, or of all others; also returns what the tests of their texts
    /// say, in the order of the fields and of the tests. With `picked`, only those of the next rows are decoded.
    ///
    /// # Errors
    /// When a page is damaged or of a kind that is not read here.
    pub(super) fn next(
        &mut self,
        count: usize,
        others: bool,
        rows: usize,
        picked: Option<&[usize]>,
    ) -> Result<(Vec<ArrayRef>, Vec<BooleanArray>)> {
        let waiting = if others { std::mem::take(&mut self.waiting) } else { 0 };
        let Self { cursors, inflater, books, scratch, .. } = self;
        let count = count.min(cursors.len());
        let (first, rest) = cursors.split_at_mut(count);
        let mut answers = Vec::new();
        let decoded = picked.map_or(rows, <[usize]>::len);
        let mut next = Next { waiting, rows, picked, inflater, books };
        let column = |(field, cursor): &mut (Field, FieldCursor)| match cursor {
            FieldCursor::Number(cursor) if cursor.is_open() => {
                Ok(number_column(*field, next.of(cursor, &mut scratch.0)?))
            }
            FieldCursor::Text(cursor) if cursor.is_open() => {
                cursor.kind.drop_plain();
                let mut views = next.of(cursor, &mut scratch.1)?;
                answers.extend(cursor.kind.take_answers(&mut views));
                Ok(cursor.kind.column(views))
            }
            FieldCursor::Asked(cursor) => {
                let asked = next.of(cursor, &mut scratch.3)?;
                answers.extend(cursor.kind.answers(&asked));
                Ok(Arc::new(NullArray::new(decoded)) as ArrayRef)
            }
            FieldCursor::Code(cursor) => {
                let codes = next.of(cursor, &mut scratch.2)?;
                answers.extend(cursor.kind.answers(&codes));
                Ok(Coded::column(&codes))
            }
            FieldCursor::Text(cursor) => {
                answers.extend(cursor.kind.take_answers(&mut vec![Views::missing(); decoded]));
                Ok(new_null_array(&type_of(*field), decoded))
            }
            FieldCursor::Number(_) => Ok(new_null_array(&type_of(*field), decoded)),
        };
        let columns = if others { rest } else { first }.iter_mut().map(column).collect::<Result<Vec<_>>>()?;
        Ok((columns, answers))
    }

    /// Leaves out the next rows of the fields that were not decoded yet.
    pub(super) fn pass_over(&mut self, rows: usize) {
        self.waiting += rows;
    }
}
