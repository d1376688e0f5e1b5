//! The pages of one column chunk, one after another, inflated into a buffer that is kept.

use super::ObjectBytes;
use super::chunks::chunk_range;
use super::inflate::{Codec, Inflater};
use super::page_header::{self, PageHeader, PageKind};
use super::pages::{PageSource, page_limit, page_source};
use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::reader::ChunkReader;
use parquet::file::serialized_reader::SerializedPageReader;
use std::ops::Range;
use std::sync::Arc;

/// Reads the pages of one column chunk, with the checks that keep claims from taking memory.
pub(super) struct PageStream {
    pages: Pages,
    /// What a page may inflate to.
    limit: usize,
    /// Values of the row group that no page has brought yet.
    values_left: usize,
    /// Values are preceded by levels.
    has_levels: bool,
}

/// Where pages come from.
enum Pages {
    /// From the chunk's bytes.
    Chunk {
        bytes: Bytes,
        /// Where the next page's header begins.
        at: usize,
        codec: Codec,
    },
    /// From the parquet crate, which has all other codecs.
    Decoded(Box<SerializedPageReader<PageSource>>),
}

/// What a page's header says, and its bytes as they came.
pub(super) struct RawPage {
    /// The bytes of the page, still compressed if [`PageStream`] says so.
    pub(super) bytes: Bytes,
    /// The page is a dictionary.
    pub(super) is_dictionary: bool,
    /// Values in the page, missing ones among them.
    pub(super) values: usize,
    /// How the values are encoded.
    pub(super) encoding: Encoding,
    /// The first bytes that are never compressed: levels of version 2. `None` in version 1.
    levels: Option<usize>,
    /// Bytes that it claims to hold, levels among them.
    claimed: usize,
    codec: Codec,
}

/// Bytes of one page, ready to be decoded, in buffers that are used again for the next.
#[derive(Default)]
pub(super) struct PageBuffer {
    raw: Bytes,
    inflated: Vec<u8>,
    levels: Part,
    values: Part,
}

#[derive(Default)]
enum Part {
    #[default]
    None,
    Raw(Range<usize>),
    Inflated(Range<usize>),
}

/// Larger buffers are given back when an object is done.
const KEPT_BYTES: usize = 4 << 20;

impl PageBuffer {
    fn part(&self, part: &Part) -> &[u8] {
        let (bytes, range): (&[u8], _) = match part {
            Part::None => return &[],
            Part::Raw(range) => (&self.raw, range),
            Part::Inflated(range) => (&self.inflated, range),
        };
        bytes.get(range.clone()).unwrap_or_default()
    }

    /// The definition levels.
    #[inline]
    pub(super) fn levels(&self) -> &[u8] {
        self.part(&self.levels)
    }

    /// The bytes behind the levels.
    #[inline]
    pub(super) fn values(&self) -> &[u8] {
        self.part(&self.values)
    }

    /// Lets go of the object's bytes and of what only a huge page needed.
    pub(super) fn release(&mut self) {
        self.raw = Bytes::new();
        (self.levels, self.values) = (Part::None, Part::None);
        if self.inflated.capacity() > KEPT_BYTES {
            self.inflated = Vec::new();
        }
    }
}

impl PageStream {
    /// Opens a column chunk.
    ///
    /// # Errors
    /// When the footer's word about the chunk cannot be.
    pub(super) fn open(
        data: &Arc<ObjectBytes>,
        metadata: &ParquetMetaData,
        group: usize,
        column: usize,
    ) -> Result<Self> {
        let group = metadata.row_group(group);
        let chunk = group.column(column);
        let rows = usize::try_from(group.num_rows()).unwrap_or(0);
        let limit = page_limit(chunk);
        let pages = match Codec::of(chunk.compression()) {
            Some(codec) => {
                let range = chunk_range(chunk)?;
                let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
                Pages::Chunk { bytes: data.get_bytes(range.start, length)?, at: 0, codec }
            }
            None => Pages::Decoded(Box::new(page_source(data, chunk, rows)?.0)),
        };
        Ok(Self { pages, limit, values_left: rows, has_levels: chunk.column_descr().max_def_level() > 0 })
    }

    /// Opens the first pages of a column chunk, of which `bytes` are at hand and no others.
    ///
    /// # Errors
    /// When the chunk's codec is one of the parquet crate's only.
    pub(super) fn of_bytes(chunk: &ColumnChunkMetaData, bytes: Bytes) -> Result<Self> {
        let other = || ParquetError::NYI(format!("pages of {} by themselves", chunk.compression()));
        let codec = Codec::of(chunk.compression()).ok_or_else(other)?;
        let has_levels = chunk.column_descr().max_def_level() > 0;
        Ok(Self { pages: Pages::Chunk { bytes, at: 0, codec }, limit: page_limit(chunk), values_left: 0, has_levels })
    }

    /// Returns the next page.
    ///
    /// # Errors
    /// When the page is damaged, claims too much, or is of a kind that is not read here.
    pub(super) fn next(&mut self) -> Result<Option<RawPage>> {
        let raw = match &mut self.pages {
            Pages::Decoded(pages) => match pages.get_next_page()? {
                Some(page) => decoded(page, self.has_levels)?,
                None => return Ok(None),
            },
            Pages::Chunk { .. } => match self.header()? {
                Some((header, begin)) => self.cut(&header, begin)?,
                None => return Ok(None),
            },
        };
        if !raw.is_dictionary {
            self.take_values(raw.values)?;
        }
        Ok(Some(raw))
    }

    /// Reads the header of the next page that holds values, and returns it with the place of its page in the chunk.
    fn header(&mut self) -> Result<Option<(PageHeader, usize)>> {
        let Pages::Chunk { bytes, at, .. } = &mut self.pages else { return Ok(None) };
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
                return Err(ParquetError::General(format!("page at {at} of a column chunk ends behind its chunk")));
            }
            if header.kind != PageKind::Other {
                let begin = *at + header.length;
                return Ok(Some((header, begin)));
            }
            *at += header.length + header.compressed;
        }
    }

    /// Cuts the page of a header out of the chunk and goes behind it.
    fn cut(&mut self, header: &PageHeader, begin: usize) -> Result<RawPage> {
        let Pages::Chunk { bytes, at, codec } = &mut self.pages else {
            return Err(ParquetError::General("page without a chunk".to_owned()));
        };
        *at = begin + header.compressed;
        let encoding = page_header::encoding(header.encoding)
            .ok_or_else(|| ParquetError::NYI(format!("values encoded as number {}", header.encoding)))?;
        let levels = match header.kind {
            PageKind::DataV2 if header.repetition_len != 0 => {
                return Err(ParquetError::NYI("repetition levels".to_owned()));
            }
            PageKind::DataV2 => Some(header.definition_len),
            PageKind::Data
                if self.has_levels && page_header::encoding(header.level_encoding) != Some(Encoding::RLE) =>
            {
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

    /// Skips the next page if it is a data page that ends before `row`, counted from `first`; returns its values.
    /// The page is neither inflated nor looked at beyond its header. Pages of the parquet crate's codecs are never
    /// skipped.
    ///
    /// # Errors
    /// When the page's header is damaged.
    pub(super) fn skip_before(&mut self, first: usize, row: usize) -> Result<Option<usize>> {
        let Some((header, begin)) = self.header()? else { return Ok(None) };
        if header.kind == PageKind::Dictionary || first.saturating_add(header.values) > row {
            return Ok(None);
        }
        self.take_values(header.values)?;
        if let Pages::Chunk { at, .. } = &mut self.pages {
            *at = begin + header.compressed;
        }
        Ok(Some(header.values))
    }

    /// Brings a page into `buffer`, inflated if need be, and finds its levels and values.
    ///
    /// # Errors
    /// When the page is damaged or inflates to more than its footer allows.
    pub(super) fn load(&self, page: RawPage, inflater: &mut Inflater, buffer: &mut PageBuffer) -> Result<()> {
        let raw_levels = page.levels.unwrap_or(0);
        let total = page.bytes.len();
        if raw_levels > total {
            return Err(ParquetError::General(format!("levels of {raw_levels} bytes in a page of {total}")));
        }
        let inflated = page.codec != Codec::None && total > raw_levels;
        let levels = Part::Raw(0..raw_levels);
        let values = if inflated {
            let claimed = page.claimed.saturating_sub(raw_levels);
            let packed = &page.bytes[raw_levels..];
            0..inflater.page_into(page.codec, packed, claimed, self.limit, &mut buffer.inflated)?
        } else {
            raw_levels..total
        };
        buffer.raw = page.bytes;
        let part = if inflated { Part::Inflated } else { Part::Raw };
        buffer.levels = levels;
        buffer.values = part(values.clone());
        if page.levels.is_none() && self.has_levels && !page.is_dictionary {
            // Version 1 frames its levels with their length.
            let frame = buffer.values().first_chunk::<4>().copied();
            let length = frame.map_or(usize::MAX, |frame| u32::from_le_bytes(frame) as usize);
            let begin = values.start + 4;
            let end = begin.saturating_add(length);
            if end > values.end {
                return Err(ParquetError::General("levels end behind their page".to_owned()));
            }
            buffer.levels = part(begin..end);
            buffer.values = part(end..values.end);
        }
        Ok(())
    }
}

/// A page of the parquet crate's.
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
