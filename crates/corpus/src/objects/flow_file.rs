//! One Parquet file of flow records, written as AWS delivers it: no embedded Arrow schema, dictionary-encoded.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use serde::Serialize;

use super::columns::record_batch;
use crate::error::CorpusError;
use crate::options::{GenerateOptions, PageCodec, PageVersion};
use crate::traffic::records::Record;
use crate::world::World;

/// One file of a corpus.
#[derive(Clone, Debug, Serialize)]
pub struct CorpusFile {
    /// Path below the output folder, with `/` between folders.
    pub path: String,
    /// Rows.
    pub rows: u64,
    /// Size in bytes.
    pub bytes: u64,
}

/// Maximum number of rows converted to columns at once.
const MAX_BATCH_ROWS: usize = 128 * 1024;

/// Returns the properties that the options ask for.
///
/// # Errors
/// [`CorpusError::InvalidOption`] when the level is not one of the codec's.
pub fn properties(options: &GenerateOptions) -> Result<WriterProperties, CorpusError> {
    let level = options.codec_level;
    let illegal = |error: parquet::errors::ParquetError| {
        CorpusError::option("level", level.unwrap_or_default(), format!("a level of the codec ({error})"))
    };
    let compression = match (options.codec, level) {
        (PageCodec::Gzip, Some(level)) => Compression::GZIP(GzipLevel::try_new(level).map_err(illegal)?),
        (PageCodec::Gzip, None) => Compression::GZIP(GzipLevel::default()),
        (PageCodec::Zstd, Some(level)) => Compression::ZSTD(ZstdLevel::try_new(level as i32).map_err(illegal)?),
        (PageCodec::Zstd, None) => Compression::ZSTD(ZstdLevel::try_new(3).map_err(illegal)?),
        (PageCodec::Snappy, _) => Compression::SNAPPY,
        (PageCodec::None, _) => Compression::UNCOMPRESSED,
    };
    let version = match options.page_version {
        PageVersion::V1 => WriterVersion::PARQUET_1_0,
        PageVersion::V2 => WriterVersion::PARQUET_2_0,
    };
    Ok(WriterProperties::builder()
        .set_compression(compression)
        .set_writer_version(version)
        .set_dictionary_enabled(options.dictionary)
        .set_max_row_group_row_count(Some(options.row_group_rows))
        // Statistics of row groups only: no page index, as AWS writes none.
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .build())
}

/// Writes records of one site to `path` and returns the size of the file in bytes.
///
/// # Errors
/// [`CorpusError::Io`], [`CorpusError::Parquet`] or [`CorpusError::Columns`], each with the path.
pub fn write_flow_file(
    world: &World,
    options: &GenerateOptions,
    schema: &SchemaRef,
    path: &Path,
    records: &[Record],
) -> Result<u64, CorpusError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(CorpusError::io(folder, "create"))?;
    }
    let file = File::create(path).map_err(CorpusError::io(path, "create"))?;
    let failed = |source| CorpusError::Parquet { path: path.to_owned(), action: "write", source };
    let writer_options = ArrowWriterOptions::new().with_properties(properties(options)?).with_skip_arrow_metadata(true);
    let mut writer =
        ArrowWriter::try_new_with_options(BufWriter::new(file), schema.clone(), writer_options).map_err(failed)?;
    for records in records.chunks(MAX_BATCH_ROWS.min(options.row_group_rows)) {
        let batch = record_batch(world, options.start_s, options.fields_version, schema, records)
            .map_err(|source| CorpusError::Columns { path: path.to_owned(), action: "build", source })?;
        writer.write(&batch).map_err(failed)?;
    }
    writer.finish().map_err(failed)?;
    std::fs::metadata(path).map(|metadata| metadata.len()).map_err(CorpusError::io(path, "read"))
}
