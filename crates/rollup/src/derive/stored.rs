//! A table of several batches, each in memory or on disk.

use crate::error::RollupError;
use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use memory::{Reservation, SpillFile, SpillReader};
use std::sync::Arc;

/// Rows of a batch that is read back.
const BATCH_ROWS: usize = 8_192;

fn failed(source: ArrowError) -> RollupError {
    RollupError::Arrow { table: "pairs", source }
}

/// A table that may be larger than memory.
#[derive(Clone, Debug)]
pub struct StoredTable {
    schema: SchemaRef,
    shards: Vec<Stored>,
}

impl StoredTable {
    /// Joins shards, all of the same schema.
    pub(crate) fn new(shards: Vec<Stored>) -> Self {
        Self { schema: shards.first().map_or_else(|| Arc::new(Schema::empty()), Stored::schema), shards }
    }

    /// Returns the columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Returns the shards in order.
    pub fn shards(&self) -> &[Stored] {
        &self.shards
    }

    /// Returns the number of rows.
    pub fn rows(&self) -> usize {
        self.shards.iter().map(Stored::rows).sum()
    }

    /// Returns whether all shards are in memory.
    pub fn is_in_memory(&self) -> bool {
        self.shards.iter().all(|shard| matches!(shard, Stored::Kept { .. }))
    }

    /// Returns all batches if all are in memory.
    pub fn in_memory(&self) -> Option<Vec<RecordBatch>> {
        let kept = |shard: &Stored| match shard {
            Stored::Kept { batch, .. } => Some(batch.clone()),
            Stored::Spilled { .. } => None,
        };
        self.shards.iter().map(kept).collect()
    }
}

/// One shard of a table.
#[derive(Clone, Debug)]
pub enum Stored {
    /// In memory.
    Kept {
        /// The rows.
        batch: RecordBatch,
        /// Their memory.
        held: Arc<Reservation>,
    },
    /// On disk, as an Arrow IPC stream.
    Spilled {
        /// The file.
        file: Arc<SpillFile>,
        /// Where the stream begins.
        at: u64,
        /// Its length in bytes.
        bytes: u64,
        /// Number of rows.
        rows: usize,
        /// The columns.
        schema: SchemaRef,
    },
}

impl Stored {
    /// Keeps a batch in memory if there is room, and writes it to `file` otherwise.
    ///
    /// # Errors
    /// [`RollupError::Spill`] when the batch cannot be written.
    pub(crate) fn store(
        batch: RecordBatch,
        mut held: Reservation,
        file: impl FnOnce() -> Result<Arc<SpillFile>, RollupError>,
    ) -> Result<Self, RollupError> {
        if held.try_grow(batch.get_array_memory_size()) {
            return Ok(Stored::Kept { batch, held: Arc::new(held) });
        }
        Self::write(&batch.schema(), [Ok(batch)], file()?)
    }

    /// Writes batches to `file`.
    pub(crate) fn write(
        schema: &SchemaRef,
        batches: impl IntoIterator<Item = Result<RecordBatch, RollupError>>,
        file: Arc<SpillFile>,
    ) -> Result<Self, RollupError> {
        let mut writer = StreamWriter::try_new(Vec::new(), schema).map_err(failed)?;
        let mut rows = 0;
        for batch in batches {
            let batch = batch?;
            for from in (0..batch.num_rows()).step_by(BATCH_ROWS) {
                let some = batch.slice(from, BATCH_ROWS.min(batch.num_rows() - from));
                writer.write(&some).map_err(failed)?;
            }
            rows += batch.num_rows();
        }
        let stream = writer.into_inner().map_err(failed)?;
        let at = file.append(&stream)?;
        Ok(Stored::Spilled { file, at, bytes: stream.len() as u64, rows, schema: schema.clone() })
    }

    /// Returns the number of rows.
    pub fn rows(&self) -> usize {
        match self {
            Stored::Kept { batch, .. } => batch.num_rows(),
            Stored::Spilled { rows, .. } => *rows,
        }
    }

    /// Returns the columns.
    pub fn schema(&self) -> SchemaRef {
        match self {
            Stored::Kept { batch, .. } => batch.schema(),
            Stored::Spilled { schema, .. } => schema.clone(),
        }
    }

    /// Reads the shard in order, a few thousand rows at a time, with the columns of `projection` or all of them.
    ///
    /// # Errors
    /// [`RollupError::Arrow`] when it cannot be read.
    pub fn read(
        &self,
        projection: Option<&[usize]>,
    ) -> Result<Box<dyn Iterator<Item = Result<RecordBatch, RollupError>> + Send>, RollupError> {
        match self {
            Stored::Kept { batch, .. } => {
                let batch = match projection {
                    Some(columns) => batch.project(columns).map_err(failed)?,
                    None => batch.clone(),
                };
                let slice = move |from: usize| Ok(batch.slice(from, BATCH_ROWS.min(batch.num_rows() - from)));
                Ok(Box::new((0..self.rows()).step_by(BATCH_ROWS).map(slice)))
            }
            Stored::Spilled { file, at, bytes, .. } => {
                let reader = std::io::BufReader::with_capacity(1 << 16, SpillReader::new(file.clone(), *at, *bytes));
                let reader = StreamReader::try_new(reader, projection.map(<[usize]>::to_vec)).map_err(failed)?;
                Ok(Box::new(reader.map(|batch| batch.map_err(failed))))
            }
        }
    }
}
