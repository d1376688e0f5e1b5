//! Reads an object's flow records as Arrow columns, row group by row group.
//!
//! Texts are views; a missing value is NULL however the file writes it (`-`, `None`, empty). Times are whole seconds in
//! UTC. A field that the file lacks is NULL in every row.

use super::cursors::{DecodedColumns, RecordCursors, TextProjection};
use super::schema::{number_column, schema_of, type_of};
use crate::arrow_columns::{leaf_column, read_numbers};
use crate::batch::flow_batch::BATCH_ROWS;
use crate::binding::Binding;
use crate::bound_object::{BoundObject, DecodePath, check_rows, supports_native};
use crate::column::code::TextNumbers;
use crate::column::view::TextPredicate;
use crate::error::{ScanError, guarded};
use crate::interner::Interners;
use crate::value::text::Meaning;
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, StringViewBuilder, new_null_array,
};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef};
use flow::schema::{Field, FieldKind};
use pages::ObjectBytes;
use pages::row_group::CheckedRowGroup;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use std::sync::Arc;

/// The records that the caller selects from.
#[derive(Debug)]
pub struct Records {
    /// The leading fields, or all of them.
    pub batch: RecordBatch,
    /// The predicates' answers for each record, in the order of the fields and of their predicates; `None` when the
    /// predicates were not evaluated.
    pub answers: Option<Vec<BooleanArray>>,
}

/// Which records of a batch the caller wants.
#[derive(Debug)]
pub enum Selection {
    /// None of them.
    None,
    /// The batch as it is.
    All,
    /// Those for which this is true; the remaining fields of all others are not even decoded.
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
    /// Schema of the native path's batches, which have codes in place of some texts.
    native_schema: SchemaRef,
    projection: TextProjection,
    path: DecodePath,
    /// Number of leading fields, which the caller selects by.
    first: usize,
    predicates: Arc<[(Field, TextPredicate)]>,
    batch_rows: usize,
}

impl RecordFile {
    /// Opens an object whose bytes cover the bound columns; `fields` are those that `binding` binds.
    ///
    /// # Errors
    /// [`ScanError`] when the footer claims more rows than the object can hold.
    pub fn open(
        object: &str,
        bytes: Arc<ObjectBytes>,
        metadata: Arc<ParquetMetaData>,
        binding: Arc<Binding>,
        fields: Arc<[Field]>,
    ) -> Result<Self, ScanError> {
        check_rows(object, &bytes, &metadata)?;
        let schema = schema_of(&fields);
        Ok(Self {
            object: object.to_owned(),
            bytes,
            metadata,
            binding,
            native_schema: schema.clone(),
            schema,
            projection: TextProjection::default(),
            path: DecodePath::Native,
            first: fields.len(),
            fields,
            predicates: Arc::new([]),
            batch_rows: BATCH_ROWS,
        })
    }

    /// Decodes the `first` leading fields before the others, and evaluates `predicates` on the texts of some of them.
    #[must_use]
    pub fn with_filter(self, first: usize, predicates: Arc<[(Field, TextPredicate)]>) -> Self {
        Self { first: first.min(self.fields.len()), predicates, ..self }
    }

    /// Reads codes in place of some fields' texts where the native path can: a column of `UInt32` numbered by
    /// [`TextNumbers`] and [`crate::own_text_code`], [`crate::NONE`] for a missing text. Batches of the Arrow path
    /// still have texts. Not for accounts, whose texts are repaired.
    #[must_use]
    pub fn with_codes(self, coded: Arc<[Field]>, numbers: Arc<dyn TextNumbers>) -> Self {
        let native_schema = self.retyped(&coded, &DataType::UInt32);
        let projection = TextProjection { coded, numbers: Some(numbers), ..self.projection };
        Self { native_schema, projection, ..self }
    }

    /// Reads only the predicates' answers of some fields where the native path can: their column then has the type
    /// `Null`. Batches of the Arrow path still have texts.
    #[must_use]
    pub fn with_answers_only(self, fields: Arc<[Field]>) -> Self {
        let native_schema = self.retyped(&fields, &DataType::Null);
        let projection = TextProjection { answers_only: fields, ..self.projection };
        Self { native_schema, projection, ..self }
    }

    /// Reads at most `rows` rows at a time, from 1 to [`BATCH_ROWS`]: fewer where records are wide and may have to wait.
    #[must_use]
    pub fn with_batch_rows(self, rows: usize) -> Self {
        Self { batch_rows: rows.clamp(1, BATCH_ROWS), ..self }
    }

    /// Returns the native path's schema with another type for some fields.
    fn retyped(&self, fields: &[Field], data_type: &DataType) -> SchemaRef {
        let column = |(field, column): (&Field, &Arc<ArrowField>)| {
            if fields.contains(field) {
                Arc::new(ArrowField::new(column.name(), data_type.clone(), true))
            } else {
                column.clone()
            }
        };
        Arc::new(Schema::new(self.fields.iter().zip(self.native_schema.fields()).map(column).collect::<Vec<_>>()))
    }

    /// Reads by the given path; both return the same rows.
    #[must_use]
    pub fn with_path(self, path: DecodePath) -> Self {
        Self { path, ..self }
    }

    /// Opens a row group, which [`Self::next`] reads in batches of at most [`BATCH_ROWS`] rows. A set of cursors reads
    /// one row group at a time.
    ///
    /// # Errors
    /// [`ScanError`] when the row group cannot be read at all.
    pub fn row_group(&self, index: usize, cursors: &mut RecordCursors) -> Result<OpenRowGroup, ScanError> {
        let rows = usize::try_from(self.metadata.row_group(index).num_rows()).unwrap_or(0);
        let mut group = OpenRowGroup { index, rows, done: 0, decoder: RowGroupDecoder::NoColumns };
        if self.binding.leaves.is_empty() {
            return Ok(group);
        }
        let interners = Interners::default();
        let object =
            BoundObject { bytes: &self.bytes, metadata: &self.metadata, binding: &self.binding, interners: &interners };
        let native = guarded(&self.object, || {
            let fits =
                self.path == DecodePath::Native && supports_native(&self.binding, self.metadata.row_group(index));
            Ok(fits && cursors.open(&object, index, &self.fields, &self.predicates, &self.projection).is_ok())
        });
        group.decoder = match native {
            Ok(true) => RowGroupDecoder::Native,
            _ => RowGroupDecoder::Arrow(Box::new(self.arrow(index)?)),
        };
        Ok(group)
    }

    /// Reads the next batch of a row group; `None` at its end. `cursors` are those that it was opened with.
    ///
    /// `select` first sees each batch with its leading fields, or with all of them. What it does not select is skipped,
    /// and pages that hold nothing else stay compressed.
    ///
    /// # Errors
    /// [`ScanError`] when the row group is damaged.
    pub fn next(
        &self,
        group: &mut OpenRowGroup,
        cursors: &mut RecordCursors,
        select: &mut dyn FnMut(&Records) -> Selection,
    ) -> Result<Option<RecordBatch>, ScanError> {
        while group.done < group.rows {
            let rows = (group.rows - group.done).min(self.batch_rows);
            if matches!(group.decoder, RowGroupDecoder::Native) {
                match self.next_native(cursors, rows, select)? {
                    NativeOutcome::Rows(batch) => {
                        group.done += rows;
                        return Ok(Some(batch));
                    }
                    NativeOutcome::NotSelected => {
                        group.done += rows;
                        continue;
                    }
                    NativeOutcome::Unsupported => {}
                }
                // The Arrow path reads what the native path cannot, and reports damage.
                let mut reader = self.arrow(group.index)?;
                let mut skipped = 0;
                while skipped < group.done {
                    skipped += self.decode(&mut reader, group.index)?.num_rows();
                }
                group.decoder = RowGroupDecoder::Arrow(Box::new(reader));
            }
            let batch = match &mut group.decoder {
                RowGroupDecoder::Arrow(reader) => {
                    let decoded = self.decode(reader, group.index)?;
                    guarded(&self.object, || self.convert(&decoded))?
                }
                RowGroupDecoder::NoColumns | RowGroupDecoder::Native => self.empty(rows)?,
            };
            group.done += batch.num_rows().max(1);
            let records = Records { batch, answers: None };
            match select(&records) {
                Selection::None => {}
                Selection::All => return Ok(Some(records.batch)),
                Selection::Rows(rows) => return Ok(Some(self.filtered(&records.batch, &rows)?)),
            }
        }
        cursors.close();
        Ok(None)
    }

    /// Reads a batch by the native path.
    fn next_native(
        &self,
        cursors: &mut RecordCursors,
        rows: usize,
        select: &mut dyn FnMut(&Records) -> Selection,
    ) -> Result<NativeOutcome, ScanError> {
        let decoded = |work: &mut dyn FnMut() -> parquet::errors::Result<DecodedColumns>| {
            guarded(&self.object, || Ok(work())).ok().and_then(Result::ok)
        };
        let leading = decoded(&mut || cursors.next(self.first, false, rows, None));
        let Some(DecodedColumns { mut columns, answers }) = leading else {
            return Ok(NativeOutcome::Unsupported);
        };
        let first = Arc::new(Schema::new(self.native_schema.fields()[..self.first].to_vec()));
        let records = Records { batch: self.batch(first, columns.clone(), rows)?, answers: Some(answers) };
        let picked: Option<Vec<usize>> = match select(&records) {
            Selection::None => {
                cursors.pass_over(rows);
                return Ok(NativeOutcome::NotSelected);
            }
            Selection::All => None,
            Selection::Rows(wanted) => {
                columns = self.filtered(&records.batch, &wanted)?.columns().to_vec();
                Some((0..rows).filter(|row| wanted.is_valid(*row) && wanted.value(*row)).collect())
            }
        };
        if self.first < self.fields.len() {
            let rest = decoded(&mut || cursors.next(self.first, true, rows, picked.as_deref()));
            let Some(rest) = rest else { return Ok(NativeOutcome::Unsupported) };
            columns.extend(rest.columns);
        }
        let count = picked.map_or(rows, |picked| picked.len());
        Ok(NativeOutcome::Rows(self.batch(self.native_schema.clone(), columns, count)?))
    }

    fn filtered(&self, batch: &RecordBatch, wanted: &BooleanArray) -> Result<RecordBatch, ScanError> {
        filter_record_batch(batch, wanted).map_err(|source| ScanError::Decode {
            object: self.object.clone(),
            part: "columns".to_owned(),
            source,
        })
    }

    /// Opens a row group for the parquet crate's arrow reader.
    fn arrow(&self, index: usize) -> Result<ParquetRecordBatchReader, ScanError> {
        guarded(&self.object, || {
            let group = CheckedRowGroup { data: self.bytes.clone(), metadata: self.metadata.clone(), index };
            ParquetRecordBatchReader::try_new_with_row_groups(self.binding.levels(), &group, self.batch_rows, None)
                .map_err(|error| self.damaged(index, error))
        })
    }

    fn decode(&self, reader: &mut ParquetRecordBatchReader, index: usize) -> Result<RecordBatch, ScanError> {
        guarded(&self.object, || {
            let ended = || ParquetError::General("columns have fewer values than the footer claims".to_owned());
            let batch = reader.next().ok_or_else(|| self.damaged(index, ended()))?;
            let part = format!("row group {index}");
            batch.map_err(|source| ScanError::Decode { object: self.object.clone(), part, source })
        })
    }

    fn damaged(&self, index: usize, source: ParquetError) -> ScanError {
        ScanError::Parquet { object: self.object.clone(), part: format!("row group {index}"), source }
    }

    /// Returns rows that have NULL in every field: no column was bound.
    fn empty(&self, rows: usize) -> Result<RecordBatch, ScanError> {
        let columns = self.schema.fields().iter().map(|field| new_null_array(field.data_type(), rows)).collect();
        self.batch(self.schema.clone(), columns, rows)
    }

    fn batch(&self, schema: SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, ScanError> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(schema, columns, &options).map_err(|source| ScanError::Decode {
            object: self.object.clone(),
            part: "columns".to_owned(),
            source,
        })
    }

    /// Converts what the parquet crate decoded to the types of the fields.
    fn convert(&self, batch: &RecordBatch) -> Result<RecordBatch, ScanError> {
        let mut scratch = Vec::new();
        let column = |field: &Field| {
            let bound = self.binding.fields.iter().find(|(bound, _)| bound == field);
            let leaves: Vec<ArrayRef> = bound
                .map(|(_, leaves)| leaves.iter().filter_map(|bound| leaf_column(batch, &bound.path)).collect())
                .unwrap_or_default();
            match (leaves.first(), field.kind()) {
                (None, _) => Ok(new_null_array(&type_of(*field), batch.num_rows())),
                (Some(_), FieldKind::Text) => self.texts(*field, &leaves, batch.num_rows()),
                (Some(first), _) => {
                    read_numbers(&self.object, field.name(), first, &mut scratch)?;
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
            let mut values = columns.iter().filter(|column| !Array::is_null(**column, row));
            let value = values.find_map(|column| Meaning::of(field).value_of(column.value(row)));
            texts.append_option(value);
        }
        Ok(Arc::new(texts.finish()))
    }
}

/// A row group that is being read; see [`RecordFile::row_group`].
pub struct OpenRowGroup {
    index: usize,
    rows: usize,
    /// Rows read or skipped so far.
    done: usize,
    decoder: RowGroupDecoder,
}

/// How a row group is decoded.
enum RowGroupDecoder {
    /// Not at all: no column is bound, so only the number of rows counts.
    NoColumns,
    /// By the caller's cursors.
    Native,
    /// By the parquet crate's Arrow reader.
    Arrow(Box<ParquetRecordBatchReader>),
}

/// The result of the native path for the next rows.
enum NativeOutcome {
    /// The selected ones.
    Rows(RecordBatch),
    /// The caller selected none of them.
    NotSelected,
    /// The native path does not support them, or they are damaged.
    Unsupported,
}
