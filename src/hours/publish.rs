//! The published form of `pair_hours`: a Parquet file for each unit, for other engines to read.

use super::error::HoursError;
use super::unit_files::{ListedFiles, UnitFiles};
use crate::source::{PutMode, Store, Unit};
use ::memory::lock;
use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use flow::units::counted;
use flow::{Address, error_text};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use rollup::{PairHours, pair_hours_schema};
use std::sync::{Arc, Mutex};
use tokio::runtime::Handle;

/// Rows that become columns at a time.
const BATCH_ROWS: usize = 1 << 18;

/// Where `pair_hours` is published.
#[derive(Debug)]
pub struct PublishedHours {
    files: UnitFiles,
    /// How many units could not be published, and the first error.
    trouble: Mutex<(u64, Option<String>)>,
}

impl PublishedHours {
    /// The folder of the files.
    pub const FOLDER: &str = "pair_hours";

    /// Opens a place; `settings` is as for [`KeptHours::new`](super::KeptHours::new).
    pub fn new(store: Store, settings: u64) -> Self {
        let files = UnitFiles { store, folder: Self::FOLDER, extension: "parquet", settings };
        Self { files, trouble: Mutex::default() }
    }

    /// Returns what did not work, in one line; `None` when all did.
    pub fn trouble(&self) -> Option<String> {
        let trouble = lock(&self.trouble);
        let (units, first) = (trouble.0, trouble.1.as_ref()?);
        let units = counted(units, "unit", "units");
        Some(format!("pair_hours of {units} could not be published: {first}"))
    }

    pub(super) fn files(&self) -> &UnitFiles {
        &self.files
    }

    /// Lists what is published of some units. Where it cannot be listed, nothing is known of any.
    pub(super) async fn list(&self, units: &[Unit]) -> ListedFiles {
        self.files.list(units).await.unwrap_or_else(|error| {
            tracing::warn!("published hours: {}", error_text(&error));
            ListedFiles::default()
        })
    }

    /// Publishes a unit in place of its outdated files. A place that cannot be written is noted and no error.
    ///
    /// # Errors
    /// [`HoursError`] when the table cannot be read or encoded.
    pub(super) fn publish(
        &self,
        runtime: &Handle,
        listed: &ListedFiles,
        unit: &Unit,
        table: &PairHours,
    ) -> Result<(), HoursError> {
        let name = self.files.name(unit);
        let file = encoded(table, &name)?;
        let written = runtime.block_on(async {
            self.files.store.put(&name, file.into(), PutMode::Overwrite).await?;
            for outdated in listed.outdated(&self.files, unit) {
                self.files.store.delete(&outdated).await?;
            }
            Ok::<_, HoursError>(())
        });
        written.or_else(|error| {
            self.note(&error);
            Ok(())
        })
    }

    fn note(&self, error: &HoursError) {
        let text = match error {
            HoursError::Store(error) => error_text(error),
            other => error_text(other),
        };
        let mut trouble = lock(&self.trouble);
        trouble.0 += 1;
        trouble.1.get_or_insert(text);
    }
}

fn encoded(table: &PairHours, name: &str) -> Result<Vec<u8>, HoursError> {
    let failed = |source: ParquetError| HoursError::Write { name: name.to_owned(), source };
    let compression = Compression::ZSTD(ZstdLevel::try_new(3).map_err(failed)?);
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), published_schema(), Some(properties)).map_err(failed)?;
    for batch in table.to_batches(BATCH_ROWS) {
        let batch = published(&batch?).map_err(|error| failed(error.into()))?;
        writer.write(&batch).map_err(failed)?;
    }
    writer.into_inner().map_err(failed)
}

/// Returns the schema of the files: that of `pair_hours` with types that all engines know.
fn published_schema() -> Arc<Schema> {
    Arc::new(Schema::new(pair_hours_schema().fields().iter().map(|field| plain_field(field)).collect::<Vec<_>>()))
}

fn plain_field(field: &Field) -> Field {
    field.clone().with_data_type(plain(field.data_type()))
}

/// Addresses become text, times get a unit that Parquet knows, and numbers get a sign.
fn plain(kind: &DataType) -> DataType {
    match kind {
        DataType::FixedSizeBinary(_) | DataType::Dictionary(..) => DataType::Utf8,
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Millisecond, zone.clone()),
        DataType::UInt8 | DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::List(item) => DataType::List(Arc::new(plain_field(item))),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|field| plain_field(field)).collect()),
        other => other.clone(),
    }
}

fn published(batch: &RecordBatch) -> Result<RecordBatch, arrow::error::ArrowError> {
    let schema = published_schema();
    let column = |(column, field): (&ArrayRef, &Arc<Field>)| -> Result<ArrayRef, arrow::error::ArrowError> {
        match column.as_fixed_size_binary_opt() {
            Some(addresses) => {
                let text = |bytes: &[u8]| Address::from_bytes(bytes.try_into().unwrap_or_default()).to_string();
                Ok(Arc::new(StringArray::from_iter(addresses.iter().map(|bytes| bytes.map(text)))))
            }
            None => cast(column, field.data_type()),
        }
    };
    let columns = batch.columns().iter().zip(schema.fields()).map(column).collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(schema, columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_types_are_those_that_all_engines_know() {
        let schema = published_schema();
        let kind = |name: &str| schema.field_with_name(name).unwrap().data_type().to_string();
        assert_eq!((kind("host"), kind("account_id"), kind("port")), ("Utf8".into(), "Utf8".into(), "Int32".into()));
        assert_eq!((kind("bytes_out"), kind("hour")), ("Int64".into(), "Timestamp(ms, \"UTC\")".into()));
        let empty = RecordBatch::new_empty(pair_hours_schema());
        assert_eq!(published(&empty).unwrap().schema(), schema);
    }
}
