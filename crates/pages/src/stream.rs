//! The pages of one column chunk, in order, decompressed into a buffer that is reused.
//!
//! ```text
//! next():                                  load(page, buffer):
//!     read the header at the position          version 1: decompress the whole page; its levels come first,
//!     refuse it if it claims more than                    framed by their length
//!         the footer or the chunk allows       version 2: levels are never compressed; decompress the rest
//!     cut out the page, still compressed       levels and values are ranges of the buffer
//! ```
//!
//! Departures from that: pages that hold none of the wanted rows are skipped by their headers alone, and codecs that
//! are not read here come from the parquet crate's page reader.

use crate::decompress::{Codec, Decompressor};
use crate::header::{self, PageHeader, PageKind};
use crate::object_bytes::{ObjectBytes, chunk_range};
use crate::row_group::{LimitedBytes, open_chunk, page_limit};
use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::reader::ChunkReader;
use parquet::file::serialized_reader::SerializedPageReader;
use std::ops::Range;
use std::sync::Arc;

/// Reads the pages of one column chunk, and refuses claims before memory is allocated for them.
///
/// ```
/// # use flowsift_pages as pages;
/// use pages::ObjectBytes;
/// use pages::decompress::Decompressor;
/// use pages::stream::{PageBuffer, PageStream};
/// # use parquet::data_type::Int32Type;
/// # use parquet::file::metadata::ParquetMetaDataReader;
/// # use parquet::file::properties::WriterProperties;
/// # use parquet::file::writer::SerializedFileWriter;
/// # use parquet::schema::parser::parse_message_type;
/// # use std::sync::Arc;
/// # let schema = Arc::new(parse_message_type("message logs { required int32 port; }")?);
/// # let properties = WriterProperties::builder().set_dictionary_enabled(false).build();
/// # let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
/// # let mut group = writer.next_row_group()?;
/// # let mut column = group.next_column()?.unwrap();
/// # column.typed::<Int32Type>().write_batch(&[443, 22], None, None)?;
/// # column.close()?;
/// # group.close()?;
/// # let file = writer.into_inner()?;
/// let object = Arc::new(ObjectBytes::Whole(file.into()));
/// let metadata = ParquetMetaDataReader::new().parse_and_finish(&*object)?;
/// let mut stream = PageStream::open(&object, &metadata, 0, 0)?;
/// let (mut decompressor, mut buffer) = (Decompressor::new(), PageBuffer::default());
/// while let Some(page) = stream.next_page()? {
///     assert_eq!(page.values, 2);
///     stream.load(page, &mut decompressor, &mut buffer)?;
///     assert_eq!(buffer.values(), [443u32.to_le_bytes(), 22u32.to_le_bytes()].concat());
/// }
/// # Ok::<(), parquet::errors::ParquetError>(())
/// ```
pub struct PageStream {
    pages: PageOrigin,
    /// Bytes that a page may decompress to.
    limit: usize,
    /// Values of the row group that no page has delivered so far.
    values_left: usize,
    /// Whether definition levels precede the values of a page.
    has_levels: bool,
}

/// Where pages come from.
enum PageOrigin {
    /// From the chunk's bytes.
    Chunk {
        bytes: Bytes,
        /// Where the next page's header begins.
        at: usize,
        codec: Codec,
    },
    /// From the parquet crate, which supports all other codecs.
    Decoded(Box<SerializedPageReader<LimitedBytes>>),
}

/// A page's header, and its bytes as they are in the file.
pub struct RawPage {
    /// The bytes of the page, mostly still compressed.
    pub bytes: Bytes,
    /// Whether the page is a dictionary.
    pub is_dictionary: bool,
    /// Number of values, missing ones included.
    pub values: usize,
    /// How the values are encoded.
    pub encoding: Encoding,
    /// Length of the levels, which version 2 never compresses; `None` in version 1.
    levels: Option<usize>,
    /// Uncompressed length that the page claims, levels included.
    claimed: usize,
    codec: Codec,
}

/// Bytes of one page, ready to be decoded, in buffers that the next page reuses.
#[derive(Default)]
pub struct PageBuffer {
    raw: Bytes,
    decompressed: Vec<u8>,
    levels: PageBytes,
    values: PageBytes,
}

#[derive(Default)]
enum PageBytes {
    #[default]
    None,
    Raw(Range<usize>),
    Decompressed(Range<usize>),
}

/// Larger buffers are freed when an object is done.
const MAX_KEPT_BYTES: usize = 4 << 20;

impl PageBuffer {
    fn part(&self, part: &PageBytes) -> &[u8] {
        let (bytes, range): (&[u8], _) = match part {
            PageBytes::None => return &[],
            PageBytes::Raw(range) => (&self.raw, range),
            PageBytes::Decompressed(range) => (&self.decompressed, range),
        };
        bytes.get(range.clone()).unwrap_or_default()
    }

    /// Returns the definition levels.
    #[inline]
    pub fn levels(&self) -> &[u8] {
        self.part(&self.levels)
    }

    /// Returns the bytes after the levels.
    #[inline]
    pub fn values(&self) -> &[u8] {
        self.part(&self.values)
    }

    /// Releases the object's bytes, and memory that only a huge page needed.
    pub fn release(&mut self) {
        self.raw = Bytes::new();
        (self.levels, self.values) = (PageBytes::None, PageBytes::None);
        if self.decompressed.capacity() > MAX_KEPT_BYTES {
            self.decompressed = Vec::new();
        }
    }
}

impl PageStream {
    /// Opens a column chunk.
    ///
    /// # Errors
    /// When the footer claims an impossible byte range for the chunk.
    pub fn open(data: &Arc<ObjectBytes>, metadata: &ParquetMetaData, group: usize, column: usize) -> Result<Self> {
        let group = metadata.row_group(group);
        let chunk = group.column(column);
        let rows = usize::try_from(group.num_rows()).unwrap_or(0);
        let limit = page_limit(chunk);
        let pages = match Codec::of(chunk.compression()) {
            Some(codec) => {
                let range = chunk_range(chunk)?;
                let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
                PageOrigin::Chunk { bytes: data.get_bytes(range.start, length)?, at: 0, codec }
            }
            None => PageOrigin::Decoded(Box::new(open_chunk(data, chunk, rows)?.reader)),
        };
        Ok(Self { pages, limit, values_left: rows, has_levels: chunk.column_descr().max_def_level() > 0 })
    }

    /// Opens the first pages of a column chunk, which are in `bytes`; no others are available.
    ///
    /// # Errors
    /// When only the parquet crate supports the chunk's codec.
    pub fn of_bytes(chunk: &ColumnChunkMetaData, bytes: Bytes) -> Result<Self> {
        let other = || ParquetError::NYI(format!("pages of {} by themselves", chunk.compression()));
        let codec = Codec::of(chunk.compression()).ok_or_else(other)?;
        let has_levels = chunk.column_descr().max_def_level() > 0;
        Ok(Self {
            pages: PageOrigin::Chunk { bytes, at: 0, codec },
            limit: page_limit(chunk),
            values_left: 0,
            has_levels,
        })
    }

    /// Returns the next page.
    ///
    /// # Errors
    /// When the page is damaged, claims too much, or is of an unsupported kind.
    pub fn next_page(&mut self) -> Result<Option<RawPage>> {
        let raw = match &mut self.pages {
            PageOrigin::Decoded(pages) => match pages.get_next_page()? {
                Some(page) => decoded(page, self.has_levels)?,
                None => return Ok(None),
            },
            PageOrigin::Chunk { .. } => match self.header()? {
                Some((header, begin)) => self.cut(&header, begin)?,
                None => return Ok(None),
            },
        };
        if !raw.is_dictionary {
            self.take_values(raw.values)?;
        }
        Ok(Some(raw))
    }

    /// Reads the header of the next page that holds values; returns it with the offset of its page in the chunk.
    fn header(&mut self) -> Result<Option<(PageHeader, usize)>> {
        let PageOrigin::Chunk { bytes, at, .. } = &mut self.pages else { return Ok(None) };
        loop {
            let rest = bytes.get(*at..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(None);
            }
            let header = PageHeader::read(rest)
                .ok_or_else(|| ParquetError::General(format!("no page header at {at} of a column chunk")))?;
            if header.uncompressed > self.limit {
                let (claimed, limit) = (header.uncompressed, self.limit);
                let claim = format!("page at {at} of a column chunk claims {claimed} bytes, the footer allows {limit}");
                return Err(ParquetError::General(claim));
            }
            if header.compressed > rest.len() - header.length {
                return Err(ParquetError::General(format!("page at {at} of a column chunk ends beyond its chunk")));
            }
            if header.kind != PageKind::Other {
                let begin = *at + header.length;
                return Ok(Some((header, begin)));
            }
            *at += header.length + header.compressed;
        }
    }

    /// Cuts a header's page out of the chunk and moves past it.
    fn cut(&mut self, header: &PageHeader, begin: usize) -> Result<RawPage> {
        let PageOrigin::Chunk { bytes, at, codec } = &mut self.pages else {
            return Err(ParquetError::General("page without a chunk".to_owned()));
        };
        *at = begin + header.compressed;
        let encoding = header::encoding(header.encoding)
            .ok_or_else(|| ParquetError::NYI(format!("values encoded as number {}", header.encoding)))?;
        let levels = match header.kind {
            PageKind::DataV2 if header.repetition_len != 0 => {
                return Err(ParquetError::NYI("repetition levels".to_owned()));
            }
            PageKind::DataV2 => Some(header.definition_len),
            PageKind::Data if self.has_levels && header::encoding(header.level_encoding) != Some(Encoding::RLE) => {
                return Err(ParquetError::NYI(format!("levels encoded as number {}", header.level_encoding)));
            }
            _ => None,
        };
        Ok(RawPage {
            bytes: bytes.slice(begin..*at),
            is_dictionary: header.kind == PageKind::Dictionary,
            values: header.values,
            encoding,
            levels,
            claimed: header.uncompressed,
            codec: if header.is_compressed { *codec } else { Codec::None },
        })
    }

    fn take_values(&mut self, values: usize) -> Result<()> {
        self.values_left = self.values_left.checked_sub(values).ok_or_else(|| {
            ParquetError::General(format!("page claims {values} values, there are {} at most", self.values_left))
        })?;
        Ok(())
    }

    /// Skips the next page if it is a data page that ends before `row`, counted from `first`; returns its values. The
    /// page is not read beyond its header. Pages of the parquet crate's codecs are never skipped.
    ///
    /// # Errors
    /// When the page's header is damaged.
    pub fn skip_before(&mut self, first: usize, row: usize) -> Result<Option<usize>> {
        let Some((header, begin)) = self.header()? else { return Ok(None) };
        if header.kind == PageKind::Dictionary || first.saturating_add(header.values) > row {
            return Ok(None);
        }
        self.take_values(header.values)?;
        if let PageOrigin::Chunk { at, .. } = &mut self.pages {
            *at = begin + header.compressed;
        }
        Ok(Some(header.values))
    }

    /// Loads a page into `buffer`, decompressed if need be, and locates its levels and values.
    ///
    /// # Errors
    /// When the page is damaged or decompresses to more than its footer allows.
    pub fn load(&self, page: RawPage, decompressor: &mut Decompressor, buffer: &mut PageBuffer) -> Result<()> {
        let raw_levels = page.levels.unwrap_or(0);
        let total = page.bytes.len();
        if raw_levels > total {
            return Err(ParquetError::General(format!("levels of {raw_levels} bytes in a page of {total}")));
        }
        let decompressed = page.codec != Codec::None && total > raw_levels;
        let levels = PageBytes::Raw(0..raw_levels);
        let values = if decompressed {
            let claimed = page.claimed.saturating_sub(raw_levels);
            let packed = &page.bytes[raw_levels..];
            0..decompressor.page_into(page.codec, packed, claimed, self.limit, &mut buffer.decompressed)?
        } else {
            raw_levels..total
        };
        buffer.raw = page.bytes;
        let part = if decompressed { PageBytes::Decompressed } else { PageBytes::Raw };
        buffer.levels = levels;
        buffer.values = part(values.clone());
        if page.levels.is_none() && self.has_levels && !page.is_dictionary {
            // Version 1 frames its levels with their length.
            let frame = buffer.values().first_chunk::<4>().copied();
            let length = frame.map_or(usize::MAX, |frame| u32::from_le_bytes(frame) as usize);
            let begin = values.start + 4;
            let end = begin.saturating_add(length);
            if end > values.end {
                return Err(ParquetError::General("levels end beyond their page".to_owned()));
            }
            buffer.levels = part(begin..end);
            buffer.values = part(end..values.end);
        }
        Ok(())
    }
}

/// Converts a page of the parquet crate.
fn decoded(page: Page, has_levels: bool) -> Result<RawPage> {
    Ok(match page {
        Page::DictionaryPage { buf, num_values, encoding, .. } => RawPage {
            bytes: buf,
            is_dictionary: true,
            values: num_values as usize,
            encoding,
            levels: None,
            claimed: 0,
            codec: Codec::None,
        },
        Page::DataPage { def_level_encoding, .. } if has_levels && def_level_encoding != Encoding::RLE => {
            return Err(ParquetError::NYI(format!("levels encoded as {def_level_encoding}")));
        }
        Page::DataPage { buf, num_values, encoding, .. } => RawPage {
            bytes: buf,
            is_dictionary: false,
            values: num_values as usize,
            encoding,
            levels: None,
            claimed: 0,
            codec: Codec::None,
        },
        Page::DataPageV2 { rep_levels_byte_len, .. } if rep_levels_byte_len != 0 => {
            return Err(ParquetError::NYI("repetition levels".to_owned()));
        }
        Page::DataPageV2 { buf, num_values, encoding, def_levels_byte_len, .. } => RawPage {
            bytes: buf,
            is_dictionary: false,
            values: num_values as usize,
            encoding,
            levels: Some(def_levels_byte_len as usize),
            claimed: 0,
            codec: Codec::None,
        },
    })
}
