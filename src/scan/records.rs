//! Flow records as Arrow columns under AWS's names and types: what SQL reads.
//!
//! Texts are views; a missing value is NULL however the file writes it (`-`, `None`, empty). Times are whole seconds in
//! UTC. A file that lacks a field has NULL in all its rows.

use super::columns::{MISSING, leaf, numbers};
use super::direct::{Source, supports};
use super::object::{self, BATCH_ROWS, check_rows, guarded};
use super::pages::OneRowGroup;
use super::record_cursors::Coding;
use super::texts::Meaning;
use super::views::TextTest;
use super::{Binding, Books, ObjectBytes, RecordCursors, ScanError, TextNumbers};
use crate::flow::schema::{Field, FieldKind, to_seconds};
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array, RecordBatch, RecordBatchOptions, StringViewBuilder,
    TimestampSecondArray, new_null_array,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef, TimeUnit};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use std::sync::Arc;

/// Returns the Arrow type of a field's column.
pub fn type_of(field: Field) -> DataType {
    match (field, field.kind()) {
        (Field::Start | Field::End, _) => DataType::Timestamp(TimeUnit::Second, Some("UTC".into())),
        (_, FieldKind::Text) => DataType::Utf8View,
        (_, FieldKind::Int32) => DataType::Int32,
        (_, FieldKind::Int64) => DataType::Int64,
    }
}

/// Returns the schema of some fields, in their order.
pub fn schema_of(fields: &[Field]) -> SchemaRef {
    let column = |field: &Field| ArrowField::new(field.name(), type_of(*field), true);
    Arc::new(Schema::new(fields.iter().map(column).collect::<Vec<_>>()))
}

/// Records of which it is to be decided whether they are wanted.
#[derive(Debug)]
pub struct Records {
    /// The leading fields, or all of them.
    pub batch: RecordBatch,
    /// What the tests say of each record, in the order of the fields and of their tests; `None` when they were not asked.
    pub answers: Option<Vec<BooleanArray>>,
}

/// Which records of a batch are wanted.
#[derive(Debug)]
pub enum Wanted {
    /// None of them.
    None,
    /// The batch as it is.
    All,
    /// A batch of those for which this is true, where the other fields of the rest are not even decoded.
    Rows(BooleanArray),
}

/// An object opened for reading some fields of its records.
pub struct RecordFile {
    object: String,
    bytes: Arc<ObjectBytes>,
    metadata: Arc<ParquetMetaData>,
    binding: Arc<Binding>,
    fields: Arc<[Field]>,
    schema: SchemaRef,
    /// What the direct way gives: codes where texts are coded.
    direct_schema: SchemaRef,
    coding: Coding,
    way: object::Way,
    /// Leading fields, by which batches are chosen.
    first: usize,
    tests: Arc<[(Field, TextTest)]>,
}

impl RecordFile {
    /// Opens an object of which the bytes of the bound columns are at hand; `fields` are those that `binding` binds.
    ///
    /// # Errors
    /// [`ScanError`] when the footer claims what the object cannot hold.
    pub fn open(
        object: &str,
        bytes: Arc<ObjectBytes>,
        metadata: Arc<ParquetMetaData>,
        binding: Arc<Binding>,
        fields: Arc<[Field]>,
    ) -> Result<Self, ScanError> {
        check_rows(object, &bytes, &metadata)?;
        let schema = schema_of(&fields);
        let (object, way, tests) = (object.to_owned(), object::Way::Direct, Arc::new([]));
        let (direct_schema, coding) = (schema.clone(), Coding::default());
        let first = fields.len();
        Ok(Self { object, bytes, metadata, binding, fields, schema, direct_schema, coding, way, first, tests })
    }

    /// Decodes the `first` leading fields before the others, and asks `tests` of the texts of some of them.
    #[must_use]
    pub fn choosing(self, first: usize, tests: Arc<[(Field, TextTest)]>) -> Self {
        Self { first: first.min(self.fields.len()), tests, ..self }
    }

    /// Reads codes in the place of some fields' texts, where it can: a column of `UInt32` as [`TextNumbers`] and
    /// [`super::own_text_code`] number them, [`super::NONE`] where there is none. Batches that had to be read another
    /// way still have texts. Not for accounts, which are mended.
    #[must_use]
    pub fn coding(self, coded: Arc<[Field]>, book: Arc<dyn TextNumbers>) -> Self {
        let direct_schema = self.retyped(&coded, &DataType::UInt32);
        let coding = Coding { coded, book: Some(book), ..self.coding };
        Self { direct_schema, coding, ..self }
    }

    /// Reads nothing of some fields but the answers to their tests, where it can: their column is then of `Null`. Batches
    /// that had to be read another way still have texts.
    #[must_use]
    pub fn asking_only(self, asked: Arc<[Field]>) -> Self {
        let direct_schema = self.retyped(&asked, &DataType::Null);
        let coding = Coding { asked, ..self.coding };
        Self { direct_schema, coding, ..self }
    }

    /// The schema of the direct way with other types of some fields.
    fn retyped(&self, fields: &[Field], data_type: &DataType) -> SchemaRef {
        let column = |(field, column): (&Field, &Arc<ArrowField>)| match fields.contains(field) {
            true => Arc::new(ArrowField::new(column.name(), data_type.clone(), true)),
            false => column.clone(),
        };
        Arc::new(Schema::new(self.fields.iter().zip(self.direct_schema.fields()).map(column).collect::<Vec<_>>()))
    }

    /// Reads by a way of the caller's choice; both tell the same.
    #[must_use]
    pub fn by(self, way: object::Way) -> Self {
        Self { way, ..self }
    }

    /// Begins to read a row group, in batches of at most [`BATCH_ROWS`] rows. One set of cursors reads one row group at a
    /// time.
    ///
    /// # Errors
    /// [`ScanError`] when the row group cannot be read at all.
    pub fn row_group(&self, index: usize, cursors: &mut RecordCursors) -> Result<RowGroup, ScanError> {
        let rows = usize::try_from(self.metadata.row_group(index).num_rows()).unwrap_or(0);
        let mut group = RowGroup { index, rows, done: 0, way: Way::Nothing };
        if self.binding.leaves.is_empty() {
            return Ok(group);
        }
        let books = Books::default();
        let source = Source { bytes: &self.bytes, metadata: &self.metadata, binding: &self.binding, books: &books };
        let direct = guarded(&self.object, || {
            let fits = self.way == object::Way::Direct && supports(&self.binding, self.metadata.row_group(index));
            Ok(fits && cursors.open(&source, index, &self.fields, &self.tests, &self.coding).is_ok())
        });
        group.way = match direct {
            Ok(true) => Way::Direct,
            _ => Way::Arrow(Box::new(self.arrow(index)?)),
        };
        Ok(group)
    }

    /// Reads the next batch of a row group; `None` when there is none. `cursors` are those that it began with.
    ///
    /// `wants` is asked about each batch first, with the leading fields or all of them; what it does not want is passed
    /// over, and pages that hold nothing else stay compressed.
    ///
    /// # Errors
    /// [`ScanError`] when the row group is damaged.
    pub fn next(
        &self,
        group: &mut RowGroup,
        cursors: &mut RecordCursors,
        wants: &mut dyn FnMut(&Records) -> Wanted,
    ) -> Result<Option<RecordBatch>, ScanError> {
        while group.done < group.rows {
            let rows = (group.rows - group.done).min(BATCH_ROWS);
            if matches!(group.way, Way::Direct) {
                if let Ok(batch) = self.direct(cursors, rows, wants)? {
                    group.done += rows;
                    match batch {
                        Some(batch) => return Ok(Some(batch)),
                        None => continue,
                    }
                }
                // The way through Arrow reads what the direct one cannot, and has the words for damage.
                let mut reader = self.arrow(group.index)?;
                let mut skipped = 0;
                while skipped < group.done {
                    skipped += self.decode(&mut reader, group.index)?.num_rows();
                }
                group.way = Way::Arrow(Box::new(reader));
            }
            let batch = match &mut group.way {
                Way::Arrow(reader) => {
                    let decoded = self.decode(reader, group.index)?;
                    guarded(&self.object, || self.convert(&decoded))?
                }
                Way::Nothing | Way::Direct => self.empty(rows)?,
            };
            group.done += batch.num_rows().max(1);
            let records = Records { batch, answers: None };
            match wants(&records) {
                Wanted::None => {}
                Wanted::All => return Ok(Some(records.batch)),
                Wanted::Rows(rows) => return Ok(Some(self.filtered(&records.batch, &rows)?)),
            }
        }
        cursors.close();
        Ok(None)
    }

    /// Reads a batch by the direct way; `None` when it is not wanted. The inner error is what that way cannot read.
    #[allow(clippy::type_complexity)]
    fn direct(
        &self,
        cursors: &mut RecordCursors,
        rows: usize,
        wants: &mut dyn FnMut(&Records) -> Wanted,
    ) -> Result<Result<Option<RecordBatch>, ()>, ScanError> {
        let decoded = |work: &mut dyn FnMut() -> parquet::errors::Result<(Vec<ArrayRef>, Vec<BooleanArray>)>| {
            guarded(&self.object, || Ok(work())).ok().and_then(Result::ok)
        };
        let Some((mut columns, answers)) = decoded(&mut || cursors.next(self.first, false, rows, None)) else {
            return Ok(Err(()));
        };
        let first = Arc::new(Schema::new(self.direct_schema.fields()[..self.first].to_vec()));
        let records = Records { batch: self.batch(first, columns.clone(), rows)?, answers: Some(answers) };
        let picked: Option<Vec<usize>> = match wants(&records) {
            Wanted::None => {
                cursors.pass_over(rows);
                return Ok(Ok(None));
            }
            Wanted::All => None,
            Wanted::Rows(wanted) => {
                columns = self.filtered(&records.batch, &wanted)?.columns().to_vec();
                Some((0..rows).filter(|row| wanted.is_valid(*row) && wanted.value(*row)).collect())
            }
        };
        if self.first < self.fields.len() {
            let rest = decoded(&mut || cursors.next(self.first, true, rows, picked.as_deref()));
            let Some((rest, _)) = rest else { return Ok(Err(())) };
            columns.extend(rest);
        }
        let count = picked.map_or(rows, |picked| picked.len());
        Ok(Ok(Some(self.batch(self.direct_schema.clone(), columns, count)?)))
    }

    fn filtered(&self, batch: &RecordBatch, wanted: &BooleanArray) -> Result<RecordBatch, ScanError> {
        filter_record_batch(batch, wanted).map_err(|error| ScanError::Decode {
            object: self.object.clone(),
            place: "columns".to_owned(),
            error,
        })
    }

    /// Opens a row group for the parquet crate's arrow reader.
    fn arrow(&self, index: usize) -> Result<ParquetRecordBatchReader, ScanError> {
        guarded(&self.object, || {
            let group = OneRowGroup { data: self.bytes.clone(), metadata: self.metadata.clone(), index };
            ParquetRecordBatchReader::try_new_with_row_groups(self.binding.levels(), &group, BATCH_ROWS, None)
                .map_err(|error| self.damaged(index, error))
        })
    }

    fn decode(&self, reader: &mut ParquetRecordBatchReader, index: usize) -> Result<RecordBatch, ScanError> {
        guarded(&self.object, || {
            let ended = || ParquetError::General("columns have fewer values than the footer claims".to_owned());
            let batch = reader.next().ok_or_else(|| self.damaged(index, ended()))?;
            let place = format!("row group {index}");
            batch.map_err(|error| ScanError::Decode { object: self.object.clone(), place, error })
        })
    }

    fn damaged(&self, index: usize, error: ParquetError) -> ScanError {
        ScanError::Parquet { object: self.object.clone(), place: format!("row group {index}"), error }
    }

    /// Rows of which no column was bound.
    fn empty(&self, rows: usize) -> Result<RecordBatch, ScanError> {
        let columns = self.schema.fields().iter().map(|field| new_null_array(field.data_type(), rows)).collect();
        self.batch(self.schema.clone(), columns, rows)
    }

    fn batch(&self, schema: SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, ScanError> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(schema, columns, &options).map_err(|error| ScanError::Decode {
            object: self.object.clone(),
            place: "columns".to_owned(),
            error,
        })
    }

    /// Brings what the parquet crate decoded to the types of the fields.
    fn convert(&self, batch: &RecordBatch) -> Result<RecordBatch, ScanError> {
        let mut scratch = Vec::new();
        let column = |field: &Field| {
            let bound = self.binding.fields.iter().find(|(bound, _)| bound == field);
            let leaves: Vec<ArrayRef> = bound
                .map(|(_, leaves)| leaves.iter().filter_map(|bound| leaf(batch, &bound.path)).collect())
                .unwrap_or_default();
            match (leaves.first(), field.kind()) {
                (None, _) => Ok(new_null_array(&type_of(*field), batch.num_rows())),
                (Some(_), FieldKind::Text) => self.texts(*field, &leaves, batch.num_rows()),
                (Some(first), _) => {
                    numbers(&self.object, field.name(), first, &mut scratch)?;
                    Ok(number_column(*field, std::mem::take(&mut scratch)))
                }
            }
        };
        let columns = self.fields.iter().map(column).collect::<Result<Vec<_>, _>>()?;
        self.batch(self.schema.clone(), columns, batch.num_rows())
    }

    /// Texts of a field: the first column that has a value counts.
    fn texts(&self, field: Field, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef, ScanError> {
        let unfit = |array: &ArrayRef| ScanError::Column {
            object: self.object.clone(),
            field: field.name(),
            got: array.data_type().to_string(),
            expected: "text",
        };
        let columns = columns
            .iter()
            .map(|array| cast(array, &DataType::Utf8).map_err(|_| unfit(array)))
            .collect::<Result<Vec<_>, _>>()?;
        let columns: Vec<_> = columns.iter().map(|array| array.as_string::<i32>()).collect();
        let mut texts = StringViewBuilder::with_capacity(rows);
        for row in 0..rows {
            let mut values = columns.iter().filter(|column| !arrow::array::Array::is_null(**column, row));
            let value = values.find_map(|column| Meaning::of(field).value_of(column.value(row)));
            texts.append_option(value);
        }
        Ok(Arc::new(texts.finish()))
    }
}

/// Asks something of each of some numbers, 64 at a time.
pub(super) fn bits_of<T: Copy>(numbers: &[T], ask: impl Fn(T) -> bool) -> BooleanBuffer {
    let word = |numbers: &[T]| {
        numbers.iter().enumerate().fold(0u64, |word, (place, number)| word | u64::from(ask(*number)) << place)
    };
    let (whole, rest) = numbers.as_chunks::<64>();
    let mut words: Vec<u64> = Vec::with_capacity(whole.len() + 1);
    words.extend(whole.iter().map(|numbers| word(numbers)));
    if !rest.is_empty() {
        words.push(word(rest));
    }
    BooleanBuffer::new(Buffer::from_vec(words), 0, numbers.len())
}

/// Makes the column of a field of numbers; those that are missing or do not fit are NULL.
pub(super) fn number_column(field: Field, mut numbers: Vec<i64>) -> ArrayRef {
    let is_time = matches!(field, Field::Start | Field::End);
    if is_time {
        numbers.iter_mut().for_each(|time| *time = to_seconds(*time));
    }
    if !is_time && field.kind() == FieldKind::Int32 {
        // A missing number does not fit either.
        let fits = |number: i64| number == i64::from(number as i32);
        let all = numbers.iter().fold(true, |all, number| all & fits(*number));
        let nulls = (!all).then(|| NullBuffer::new(bits_of(&numbers, fits)));
        let numbers: Vec<i32> = numbers.into_iter().map(|number| number as i32).collect();
        return Arc::new(Int32Array::new(numbers.into(), nulls));
    }
    let is_present = |number: i64| number != MISSING;
    let all = numbers.iter().fold(true, |all, number| all & is_present(*number));
    let nulls = (!all).then(|| NullBuffer::new(bits_of(&numbers, is_present)));
    match is_time {
        true => Arc::new(TimestampSecondArray::new(numbers.into(), nulls).with_timezone("UTC")),
        false => Arc::new(Int64Array::new(numbers.into(), nulls)),
    }
}

/// A row group under way; see [`RecordFile::row_group`].
pub struct RowGroup {
    index: usize,
    rows: usize,
    /// Rows that were read.
    done: usize,
    way: Way,
}

/// How a row group is read.
enum Way {
    /// No column is bound: only the number of rows counts.
    Nothing,
    /// From pages to columns.
    Direct,
    /// Through the parquet crate's arrow reader.
    Arrow(Box<ParquetRecordBatchReader>),
}
