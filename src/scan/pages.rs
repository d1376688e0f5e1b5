//! Column chunks of one row group for the parquet crate's decoder, with gzip pages inflated by libdeflate.

use super::chunks::ObjectBytes;
use super::inflate::Inflater;
use bytes::Bytes;
use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::Compression;
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::Result;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::serialized_reader::SerializedPageReader;
use std::sync::Arc;

/// One row group of an object, as the parquet crate's low-level reader wants it.
///
/// One at a time on purpose: a batch that spans row groups loses its dictionary and is packed anew.
pub(super) struct OneRowGroup {
    pub(super) data: Arc<ObjectBytes>,
    pub(super) metadata: Arc<ParquetMetaData>,
    pub(super) index: usize,
}

impl RowGroups for OneRowGroup {
    fn num_rows(&self) -> usize {
        usize::try_from(self.metadata.row_group(self.index).num_rows()).unwrap_or(0)
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>> {
        let group = self.metadata.row_group(self.index);
        let chunk = group.column(column);
        let rows = self.num_rows();
        let reader: Box<dyn PageReader> = if matches!(chunk.compression(), Compression::GZIP(_)) {
            // The inner reader believes that the chunk is not compressed, so it hands the raw pages through.
            let limit = usize::try_from(chunk.uncompressed_size()).unwrap_or(0);
            let raw = chunk.clone().into_builder().set_compression(Compression::UNCOMPRESSED).build()?;
            let inner = SerializedPageReader::new(self.data.clone(), &raw, rows, None)?;
            Box::new(GzipPages { inner, inflater: Inflater::new(), limit })
        } else {
            Box::new(SerializedPageReader::new(self.data.clone(), chunk, rows, None)?)
        };
        Ok(Box::new(OneChunk(Some(reader))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(std::iter::once(self.metadata.row_group(self.index)))
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// Yields the pages of a single column chunk.
struct OneChunk(Option<Box<dyn PageReader>>);

impl Iterator for OneChunk {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(Ok)
    }
}

impl PageIterator for OneChunk {}

/// Inflates the gzip pages that `inner` hands through raw.
struct GzipPages {
    inner: SerializedPageReader<ObjectBytes>,
    inflater: Inflater,
    /// What the footer says the whole chunk inflates to; no page may be larger.
    limit: usize,
}

impl GzipPages {
    fn inflate(&mut self, page: Page) -> Result<Page> {
        Ok(match page {
            Page::DataPage { buf, num_values, encoding, def_level_encoding, rep_level_encoding, statistics } => {
                let buf = self.inflater.gzip(&buf, self.limit)?;
                Page::DataPage { buf, num_values, encoding, def_level_encoding, rep_level_encoding, statistics }
            }
            Page::DictionaryPage { buf, num_values, encoding, is_sorted } => {
                let buf = self.inflater.gzip(&buf, self.limit)?;
                Page::DictionaryPage { buf, num_values, encoding, is_sorted }
            }
            Page::DataPageV2 {
                buf,
                num_values,
                encoding,
                num_nulls,
                num_rows,
                def_levels_byte_len,
                rep_levels_byte_len,
                is_compressed,
                statistics,
            } => {
                // Version 2 keeps the levels before the values, outside the compression.
                let levels = (def_levels_byte_len as usize).saturating_add(rep_levels_byte_len as usize);
                let buf = if is_compressed && levels < buf.len() {
                    let values = self.inflater.gzip(&buf[levels..], self.limit)?;
                    let mut whole = Vec::with_capacity(levels + values.len());
                    whole.extend_from_slice(&buf[..levels]);
                    whole.extend_from_slice(&values);
                    Bytes::from(whole)
                } else {
                    buf
                };
                Page::DataPageV2 {
                    buf,
                    num_values,
                    encoding,
                    num_nulls,
                    num_rows,
                    def_levels_byte_len,
                    rep_levels_byte_len,
                    is_compressed: false,
                    statistics,
                }
            }
        })
    }
}

impl Iterator for GzipPages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for GzipPages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        match self.inner.get_next_page()? {
            Some(page) => self.inflate(page).map(Some),
            None => Ok(None),
        }
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.inner.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.inner.skip_next_page()
    }
}
