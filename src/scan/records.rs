//! Flow records as Arrow columns under AWS's names and types: what SQL reads.
//!
//! Texts are views; a missing value is NULL however the file writes it (`-`, `None`, empty). Times are whole seconds in
//! UTC. A file that lacks a field has NULL in all its rows.

use super::columns::{MISSING, leaf, numbers};
use super::object::{BATCH_ROWS, check_rows, guarded};
use super::pages::OneRowGroup;
use super::texts::value_of;
use super::{Binding, ObjectBytes, ScanError};
use crate::flow::schema::{Field, FieldKind, to_seconds};
use arrow::array::{
    ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, RecordBatchOptions, StringViewBuilder,
    TimestampSecondArray, new_null_array,
};
use arrow::compute::cast;
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

/// An object opened for reading some fields of its records.
pub struct RecordFile {
    object: String,
    bytes: Arc<ObjectBytes>,
    metadata: Arc<ParquetMetaData>,
    binding: Arc<Binding>,
    fields: Arc<[Field]>,
    schema: SchemaRef,
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
        Ok(Self { object: object.to_owned(), bytes, metadata, binding, fields, schema })
    }

    /// Begins to read a row group, in batches of at most [`BATCH_ROWS`] rows.
    ///
    /// # Errors
    /// [`ScanError`] when the row group cannot be read at all.
    pub fn row_group(&self, index: usize) -> Result<RowGroup, ScanError> {
        let rows_left = usize::try_from(self.metadata.row_group(index).num_rows()).unwrap_or(0);
        let way = if self.binding.leaves.is_empty() {
            Way::None
        } else {
            let reader = guarded(&self.object, || {
                let group = OneRowGroup { data: self.bytes.clone(), metadata: self.metadata.clone(), index };
                ParquetRecordBatchReader::try_new_with_row_groups(self.binding.levels(), &group, BATCH_ROWS, None)
                    .map_err(|error| self.damaged(index, error))
            })?;
            Way::Arrow(Box::new(reader))
        };
        Ok(RowGroup { index, rows_left, way })
    }

    /// Reads the next batch of a row group; `None` when there is none.
    ///
    /// # Errors
    /// [`ScanError`] when the row group is damaged.
    pub fn next(&self, group: &mut RowGroup) -> Result<Option<RecordBatch>, ScanError> {
        if group.rows_left == 0 {
            return Ok(None);
        }
        let batch = match &mut group.way {
            Way::None => self.empty(group.rows_left.min(BATCH_ROWS))?,
            Way::Arrow(reader) => guarded(&self.object, || {
                let index = group.index;
                let ended = || ParquetError::General("columns have fewer values than the footer claims".to_owned());
                let batch = reader.next().ok_or_else(|| self.damaged(index, ended()))?;
                let place = format!("row group {index}");
                let batch = batch.map_err(|error| ScanError::Decode { object: self.object.clone(), place, error })?;
                self.convert(&batch)
            })?,
        };
        group.rows_left -= batch.num_rows().min(group.rows_left);
        Ok(Some(batch))
    }

    fn damaged(&self, index: usize, error: ParquetError) -> ScanError {
        ScanError::Parquet { object: self.object.clone(), place: format!("row group {index}"), error }
    }

    /// Rows of which no column was bound.
    fn empty(&self, rows: usize) -> Result<RecordBatch, ScanError> {
        let columns = self.schema.fields().iter().map(|field| new_null_array(field.data_type(), rows)).collect();
        self.batch(columns, rows)
    }

    fn batch(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, ScanError> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options).map_err(|error| ScanError::Decode {
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
                    Ok(number_column(*field, &scratch))
                }
            }
        };
        let columns = self.fields.iter().map(column).collect::<Result<Vec<_>, _>>()?;
        self.batch(columns, batch.num_rows())
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
            let value = values.find_map(|column| value_of(column.value(row), field == Field::AccountId));
            texts.append_option(value);
        }
        Ok(Arc::new(texts.finish()))
    }
}

/// Makes the column of a field of numbers; those that do not fit are NULL.
pub(super) fn number_column(field: Field, numbers: &[i64]) -> ArrayRef {
    let present = |number: i64| (number != MISSING).then_some(number);
    match (field, field.kind()) {
        (Field::Start | Field::End, _) => {
            let seconds = numbers.iter().map(|time| present(*time).map(to_seconds));
            Arc::new(seconds.collect::<TimestampSecondArray>().with_timezone("UTC"))
        }
        (_, FieldKind::Int32) => {
            let small = numbers.iter().map(|number| present(*number).and_then(|number| i32::try_from(number).ok()));
            Arc::new(small.collect::<Int32Array>())
        }
        _ => Arc::new(numbers.iter().map(|number| present(*number)).collect::<Int64Array>()),
    }
}

/// A row group under way; see [`RecordFile::row_group`].
pub struct RowGroup {
    index: usize,
    rows_left: usize,
    way: Way,
}

/// How a row group is read.
enum Way {
    /// No column is bound: only the number of rows counts.
    None,
    /// Through the parquet crate's arrow reader.
    Arrow(Box<ParquetRecordBatchReader>),
}
