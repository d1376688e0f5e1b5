//! One row group for the parquet crate's decoder: gzip pages go through libdeflate, and every claim is checked.

use crate::decompress::{Codec, Decompressor};
use crate::header::PageHeader;
use crate::object_bytes::ObjectBytes;
use bytes::Bytes;
use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::{Compression, Encoding};
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;
use std::sync::Arc;

/// One row group of an object, as the source of the parquet crate's low-level reader.
///
/// A single row group on purpose: a batch that spans row groups loses its dictionary and is packed again.
pub struct CheckedRowGroup {
    /// The object, or all ranges of the columns to be read.
    pub data: Arc<ObjectBytes>,
    /// The object's footer.
    pub metadata: Arc<ParquetMetaData>,
    /// Index of the row group.
    pub index: usize,
}

impl RowGroups for CheckedRowGroup {
    fn num_rows(&self) -> usize {
        usize::try_from(self.metadata.row_group(self.index).num_rows()).unwrap_or(0)
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>> {
        let group = self.metadata.row_group(self.index);
        let chunk = group.column(column);
        let rows = self.num_rows();
        let OpenChunk { reader: inner, limit, is_gzip } = open_chunk(&self.data, chunk, rows)?;
        let decompressor = is_gzip.then(Decompressor::new);
        let column = chunk.column_descr();
        let level_lists = usize::from(column.max_def_level() > 0) + usize::from(column.max_rep_level() > 0);
        let values_left = match column.max_rep_level() {
            0 => rows,
            _ => usize::try_from(chunk.num_values()).unwrap_or(0).min(rows.saturating_mul(MAX_LIST_VALUES)),
        };
        let reader: Box<dyn PageReader> =
            Box::new(CheckedPages { inner, decompressor, limit, values_left, level_lists, ahead: None });
        Ok(Box::new(OneChunk(Some(reader))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(std::iter::once(self.metadata.row_group(self.index)))
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// Most values that a row's list has on average; those of addresses on the way have one or none.
const MAX_LIST_VALUES: usize = 16;

/// A column chunk, opened for the parquet crate's page reader.
pub(crate) struct OpenChunk {
    pub(crate) reader: SerializedPageReader<LimitedBytes>,
    /// Bytes that a page may decompress to.
    pub(crate) limit: usize,
    /// Whether the reader returns gzip pages undecompressed.
    pub(crate) is_gzip: bool,
}

/// Opens a column chunk.
pub(crate) fn open_chunk(data: &Arc<ObjectBytes>, chunk: &ColumnChunkMetaData, rows: usize) -> Result<OpenChunk> {
    let limit = page_limit(chunk);
    let source = Arc::new(LimitedBytes { data: data.clone(), limit });
    if matches!(chunk.compression(), Compression::GZIP(_)) {
        // The reader is given metadata that claim the chunk is not compressed, so it returns the raw pages.
        let raw = chunk.clone().into_builder().set_compression(Compression::UNCOMPRESSED).build()?;
        Ok(OpenChunk { reader: SerializedPageReader::new(source, &raw, rows, None)?, limit, is_gzip: true })
    } else {
        Ok(OpenChunk { reader: SerializedPageReader::new(source, chunk, rows, None)?, limit, is_gzip: false })
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

/// Returns the bytes that a page may decompress to: what the footer claims, but no more than the codec can expand.
pub(crate) fn page_limit(chunk: &ColumnChunkMetaData) -> usize {
    let best = Codec::of(chunk.compression()).unwrap_or(Codec::Zstd).max_expansion();
    let size = |bytes: i64| usize::try_from(bytes).unwrap_or(0);
    let possible = size(chunk.compressed_size()).saturating_mul(best).saturating_add(64 << 10);
    size(chunk.uncompressed_size()).min(possible).min(MAX_PAGE_BYTES)
}

/// No writer makes pages of this size: theirs are about a megabyte.
const MAX_PAGE_BYTES: usize = 512 << 20;

/// An object's bytes for a page reader. It refuses pages whose header claims more than `limit` bytes before anything is
/// allocated for them.
pub(crate) struct LimitedBytes {
    data: Arc<ObjectBytes>,
    limit: usize,
}

impl Length for LimitedBytes {
    fn len(&self) -> u64 {
        self.data.len()
    }
}

impl ChunkReader for LimitedBytes {
    type T = <ObjectBytes as ChunkReader>::T;

    /// The page reader calls this for headers only; bodies are read by [`Self::get_bytes`]. A header that cannot be
    /// read completely here is refused: the reader would skip as many elements of a list as it claims, even beyond the
    /// end.
    fn get_read(&self, start: u64) -> Result<Self::T> {
        let read = self.data.get_read(start)?;
        match PageHeader::read(read.get_ref()) {
            Some(header) if header.uncompressed <= self.limit => Ok(read),
            Some(header) => Err(ParquetError::General(format!(
                "page at {start} claims {} bytes, the footer allows {}",
                header.uncompressed, self.limit
            ))),
            None => Err(ParquetError::General(format!("no page header at {start}"))),
        }
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        self.data.get_bytes(start, length)
    }
}

/// Reads an unsigned LEB128 number of at most 64 bits and moves `at` past it.
fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Walks delta-packed 32-bit numbers; returns how many there are, and the offset of what follows.
fn delta_count(bytes: &[u8], max: usize) -> Option<(usize, usize)> {
    let mut at = 0;
    let block = usize::try_from(varint(bytes, &mut at)?).ok()?;
    let miniblocks = usize::try_from(varint(bytes, &mut at)?).ok().filter(|count| *count > 0 && *count <= block)?;
    let count = usize::try_from(varint(bytes, &mut at)?).ok().filter(|count| *count <= max)?;
    varint(bytes, &mut at)?;
    let per_miniblock = block / miniblocks;
    let mut left = count.saturating_sub(1);
    while left > 0 {
        varint(bytes, &mut at)?;
        let widths = bytes.get(at..at.checked_add(miniblocks)?)?;
        at += miniblocks;
        for width in widths.iter().take(left.div_ceil(per_miniblock)) {
            at = at.checked_add(per_miniblock.checked_mul(usize::from(*width))?.div_ceil(8))?;
            left = left.saturating_sub(per_miniblock);
        }
    }
    Some((count, at))
}

/// Pages of a column chunk. gzip is decompressed; a page that claims more than there can be is refused, since the
/// decoder allocates by these claims.
struct CheckedPages {
    inner: SerializedPageReader<LimitedBytes>,
    /// Decompresses the gzip pages of `inner`.
    decompressor: Option<Decompressor>,
    /// Bytes that a page may decompress to.
    limit: usize,
    /// Values of the row group that no page has delivered so far.
    values_left: usize,
    /// How many lists of levels precede the values of a page.
    level_lists: usize,
    /// A page that was looked at but not returned yet. The reader below cannot look ahead: it would read a header where
    /// a page begins.
    ahead: Option<Page>,
}

impl CheckedPages {
    fn check(&mut self, page: &Page) -> Result<()> {
        let values = page.num_values() as usize;
        let too_many =
            |most: usize| Err(ParquetError::General(format!("page claims {values} values, there are {most} at most")));
        if page.is_dictionary_page() {
            // Every entry of a dictionary takes at least one byte.
            return if values > page.buffer().len() { too_many(page.buffer().len()) } else { Ok(()) };
        }
        if values > self.values_left {
            return too_many(self.values_left);
        }
        self.values_left -= values;
        let lists = match page.encoding() {
            Encoding::DELTA_LENGTH_BYTE_ARRAY => 1,
            Encoding::DELTA_BYTE_ARRAY => 2,
            _ => 0,
        };
        let mut rest = self.values(page);
        for _ in 0..lists {
            let counted = delta_count(rest, values);
            let Some((_, end)) = counted else {
                return Err(ParquetError::General(format!("page of {values} values has another number of lengths")));
            };
            rest = rest.get(end..).unwrap_or_default();
        }
        Ok(())
    }

    /// Returns the bytes of a data page after its levels.
    fn values<'a>(&self, page: &'a Page) -> &'a [u8] {
        let mut buffer: &[u8] = page.buffer();
        if let Page::DataPageV2 { def_levels_byte_len, rep_levels_byte_len, .. } = page {
            let levels = (*def_levels_byte_len as usize).saturating_add(*rep_levels_byte_len as usize);
            return buffer.get(levels..).unwrap_or_default();
        }
        for _ in 0..self.level_lists {
            let frame = buffer.first_chunk::<4>().copied().unwrap_or_default();
            buffer = buffer.get((u32::from_le_bytes(frame) as usize).saturating_add(4)..).unwrap_or_default();
        }
        buffer
    }

    fn decompress(&mut self, page: Page) -> Result<Page> {
        let Some(decompressor) = &mut self.decompressor else { return Ok(page) };
        Ok(match page {
            Page::DataPage { buf, num_values, encoding, def_level_encoding, rep_level_encoding, statistics } => {
                let buf = decompressor.gzip(&buf, self.limit)?;
                Page::DataPage { buf, num_values, encoding, def_level_encoding, rep_level_encoding, statistics }
            }
            Page::DictionaryPage { buf, num_values, encoding, is_sorted } => {
                let buf = decompressor.gzip(&buf, self.limit)?;
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
                    let values = decompressor.gzip(&buf[levels..], self.limit)?;
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

impl Iterator for CheckedPages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for CheckedPages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        if let Some(page) = self.ahead.take() {
            return Ok(Some(page));
        }
        match self.inner.get_next_page()? {
            Some(page) => {
                let page = self.decompress(page)?;
                self.check(&page)?;
                Ok(Some(page))
            }
            None => Ok(None),
        }
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.ahead = self.get_next_page()?;
        Ok(self.ahead.as_ref().map(|page| PageMetadata {
            num_rows: if let Page::DataPageV2 { num_rows, .. } = page { Some(*num_rows as usize) } else { None },
            num_levels: (!page.is_dictionary_page()).then_some(page.num_values() as usize),
            is_dict: page.is_dictionary_page(),
        }))
    }

    fn skip_next_page(&mut self) -> Result<()> {
        match self.ahead.take() {
            Some(_) => Ok(()),
            None => self.inner.skip_next_page(),
        }
    }
}
