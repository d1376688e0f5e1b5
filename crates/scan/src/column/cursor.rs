//! A cursor over one column: decodes its pages, in order, into the rows of batches.
//!
//! The loop that all columns share, without page reuse and skipping:
//!
//! ```text
//! fill(out):
//!     while out has room:
//!         if the page is used up: next_page()          # a dictionary page only fills the table
//!         read a run of definition levels
//!         rows without a value become missing
//!         rows with one: gather table[index], or decode them from plain bytes
//! ```
//!
//! `pkt_srcaddr` mostly has the same pages as `srcaddr`, byte for byte. Such a page is decompressed and decoded once:
//! the first column keeps its recent pages, and the second copies the rows of those that it shares.

use super::decoder::ColumnDecoder;
use super::page_reuse::SharedPage;
use crate::interner::Interners;
use bytes::Bytes;
use pages::ObjectBytes;
use pages::decompress::Decompressor;
use pages::rle::{RleDecoder, RunRead};
use pages::stream::{PageBuffer, PageStream, RawPage};
use parquet::basic::Encoding;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ParquetMetaData;
use std::sync::Arc;

/// How the values of the current page are encoded.
#[derive(Default)]
enum PageValues {
    /// Plain values; the next one is at this byte.
    Plain(usize),
    /// Indices of the dictionary.
    Indices(RleDecoder),
    /// The other column has the same page: its rows are copied.
    Shared,
    /// There is no page yet.
    #[default]
    None,
}

/// Decodes one column of a row group, keeping its buffers from page to page and from row group to row group.
#[derive(Default)]
pub(crate) struct ColumnCursor<D: ColumnDecoder> {
    pub(crate) decoder: D,
    stream: Option<PageStream>,
    page: PageBuffer,
    values: PageValues,
    levels: RleDecoder,
    /// Highest definition level; rows that have it have a value.
    defined: u32,
    /// Rows of the current page not read yet.
    left: usize,
    /// The decoded entries of the dictionary, padded to a power of two.
    table: Vec<D::Out>,
    /// Entries of the dictionary.
    entries: usize,
    /// The dictionary page as read.
    dictionary: Option<Bytes>,
    /// The first row after the current page.
    next_row: usize,
    /// Unpacked levels.
    scratch: Vec<u32>,
    /// Pages that overlap the current batch, if they are shared.
    recent: Vec<SharedPage>,
    /// Whether pages are kept in `recent`.
    shares_pages: bool,
}

/// Levels that are unpacked at a time.
const LEVELS: usize = 1_024;

impl<D: ColumnDecoder> ColumnCursor<D> {
    /// Opens a column chunk.
    ///
    /// # Errors
    /// When the footer claims an impossible byte range for the chunk.
    pub(crate) fn open(
        &mut self,
        data: &Arc<ObjectBytes>,
        metadata: &ParquetMetaData,
        group: usize,
        column: usize,
    ) -> Result<()> {
        self.close();
        let defined = metadata.row_group(group).column(column).column_descr().max_def_level();
        self.defined = u32::try_from(defined).unwrap_or(0);
        self.stream = Some(PageStream::open(data, metadata, group, column)?);
        Ok(())
    }

    /// Releases the object's bytes.
    pub(crate) fn close(&mut self) {
        self.stream = None;
        self.page.release();
        self.values = PageValues::None;
        self.left = 0;
        self.entries = 0;
        self.table.clear();
        self.dictionary = None;
        self.next_row = 0;
        self.recent.clear();
    }

    /// Returns whether the column is read at all.
    pub(crate) fn is_open(&self) -> bool {
        self.stream.is_some()
    }

    /// Keeps recent pages for a column that may share them.
    pub(crate) fn share_pages(&mut self, shares_pages: bool) {
        self.shares_pages = shares_pages;
    }

    /// Decodes the next rows until `out` is full.
    ///
    /// # Errors
    /// When a page is damaged or of an unsupported kind.
    pub(crate) fn fill(
        &mut self,
        decompressor: &mut Decompressor,
        interners: &Interners,
        out: &mut [D::Out],
    ) -> Result<()> {
        self.fill_after(None, decompressor, interners, out)
    }

    /// Decodes the next rows like [`Self::fill`], but copies those of pages that the column shares with `original`,
    /// which has just decoded the same rows into `original_rows`.
    ///
    /// # Errors
    /// Those of [`Self::fill`].
    pub(crate) fn fill_reusing(
        &mut self,
        original: &Self,
        original_rows: &[D::Out],
        decompressor: &mut Decompressor,
        interners: &Interners,
        out: &mut [D::Out],
    ) -> Result<()> {
        self.fill_after(Some((original, original_rows)), decompressor, interners, out)
    }

    fn fill_after(
        &mut self,
        original: Option<(&Self, &[D::Out])>,
        decompressor: &mut Decompressor,
        interners: &Interners,
        out: &mut [D::Out],
    ) -> Result<()> {
        let batch_begin = self.next_row - self.left;
        self.recent.retain(|page| page.first_row + page.values > batch_begin);
        let mut at = 0;
        while at < out.len() {
            if self.left == 0 {
                self.next_page(original.map(|(original, _)| original), decompressor, interners)?;
                continue;
            }
            let count = self.left.min(out.len() - at);
            match (&self.values, original) {
                (PageValues::Shared, Some((_, original_rows))) => {
                    let rows = original_rows.get(at..at + count).unwrap_or_default();
                    out[at..at + count].copy_from_slice(rows);
                }
                _ => self.rows(interners, &mut out[at..at + count])?,
            }
            self.left -= count;
            at += count;
        }
        Ok(())
    }

    /// Skips rows; pages that hold no others are not even decompressed. `scratch` receives rows that have to be decoded
    /// nevertheless.
    ///
    /// # Errors
    /// Those of [`Self::fill`].
    pub(crate) fn skip(
        &mut self,
        mut rows: usize,
        decompressor: &mut Decompressor,
        interners: &Interners,
        scratch: &mut Vec<D::Out>,
    ) -> Result<()> {
        while rows > 0 {
            if self.left == 0 {
                let first = self.next_row;
                let skipped =
                    self.stream.as_mut().map_or(Ok(None), |stream| stream.skip_before(first, first + rows))?;
                match skipped {
                    Some(values) => {
                        self.next_row += values;
                        rows -= values;
                    }
                    None => self.next_page(None, decompressor, interners)?,
                }
                continue;
            }
            let count = self.left.min(rows);
            if !self.skip_undecoded(count)? {
                scratch.resize(count.max(scratch.len()), D::missing());
                self.rows(interners, &mut scratch[..count])?;
            }
            self.left -= count;
            rows -= count;
        }
        Ok(())
    }

    /// Decodes the rows of the next `rows` rows that are in `picked`, which is ascending, and skips the others.
    ///
    /// # Errors
    /// Those of [`Self::fill`].
    pub(crate) fn pick(
        &mut self,
        rows: usize,
        picked: &[usize],
        decompressor: &mut Decompressor,
        interners: &Interners,
        scratch: &mut Vec<D::Out>,
    ) -> Result<Vec<D::Out>> {
        let (mut out, mut at) = (vec![D::missing(); picked.len()], 0);
        let mut rest = &mut out[..];
        for run in picked.chunk_by(|row, next| row + 1 == *next) {
            self.skip(run[0] - at, decompressor, interners, scratch)?;
            let (now, later) = rest.split_at_mut(run.len());
            self.fill(decompressor, interners, now)?;
            at = run[0] + run.len();
            rest = later;
        }
        self.skip(rows - at, decompressor, interners, scratch)?;
        Ok(out)
    }

    /// Skips rows of the current page without decoding them, if its encoding allows that; returns whether it did.
    fn skip_undecoded(&mut self, count: usize) -> Result<bool> {
        let PageValues::Indices(runs) = &mut self.values else { return Ok(false) };
        let present = match self.defined {
            0 => count,
            defined => self.levels.count(self.page.levels(), count, defined)?,
        };
        runs.skip(self.page.values().get(1..).unwrap_or_default(), present)?;
        Ok(true)
    }

    /// Reads the next page: a data page becomes the current one, a dictionary page fills the table.
    fn next_page(
        &mut self,
        original: Option<&Self>,
        decompressor: &mut Decompressor,
        interners: &Interners,
    ) -> Result<()> {
        let ended = || ParquetError::General("column has fewer values than its row group has rows".to_owned());
        let stream = self.stream.as_mut().ok_or_else(ended)?;
        let page = stream.next_page()?.ok_or_else(ended)?;
        if page.is_dictionary {
            return self.read_dictionary(page, original, decompressor, interners);
        }
        let values = page.values;
        let encoding = page.encoding;
        let first_row = self.next_row;
        self.next_row += values;
        self.left = values;
        if let Some(original) = original
            && original.has_page(&page, first_row, self.dictionary.as_ref())
        {
            self.values = PageValues::Shared;
            return Ok(());
        }
        if self.shares_pages {
            self.recent.push(SharedPage { bytes: page.bytes.clone(), encoding, values, first_row });
        }
        stream.load(page, decompressor, &mut self.page)?;
        self.levels = RleDecoder::for_levels(self.defined);
        self.values = match encoding {
            Encoding::PLAIN => PageValues::Plain(0),
            Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY => self.indices()?,
            other => return Err(ParquetError::NYI(format!("values encoded as {other}"))),
        };
        Ok(())
    }

    /// Starts to read a page of indices; its first byte is their width.
    fn indices(&mut self) -> Result<PageValues> {
        // A page of missing values may have no indices at all.
        let width = self.page.values().first().copied().unwrap_or(0);
        let runs = RleDecoder::new(width)?;
        // The table is padded, but not as far as a page may claim: twice the dictionary is enough for any writer.
        let max = self.entries.next_power_of_two().max(256) * 2;
        if let Some(full) = 1usize.checked_shl(u32::from(width)).filter(|full| *full <= max)
            && self.table.len() < full
        {
            self.table.resize(full, D::missing());
        }
        Ok(PageValues::Indices(runs))
    }

    /// Returns whether this column read the same page at the same row, with the same dictionary.
    fn has_page(&self, page: &RawPage, first_row: usize, dictionary: Option<&Bytes>) -> bool {
        self.recent.iter().any(|shared| {
            shared.resembles(page, first_row)
                && (page.encoding == Encoding::PLAIN || self.dictionary.as_ref() == dictionary)
                && shared.bytes == page.bytes
        })
    }

    fn read_dictionary(
        &mut self,
        page: RawPage,
        original: Option<&Self>,
        decompressor: &mut Decompressor,
        interners: &Interners,
    ) -> Result<()> {
        if !matches!(page.encoding, Encoding::PLAIN | Encoding::PLAIN_DICTIONARY) {
            return Err(ParquetError::NYI(format!("dictionary encoded as {}", page.encoding)));
        }
        let count = page.values;
        let bytes = page.bytes.clone();
        self.table.clear();
        match original.filter(|original| original.entries == count && original.dictionary.as_ref() == Some(&bytes)) {
            Some(original) => self.table.extend_from_slice(&original.table),
            None => {
                if let Some(stream) = &self.stream {
                    stream.load(page, decompressor, &mut self.page)?;
                }
                let values = self.page.values();
                // Every entry of a dictionary takes at least one byte.
                if count > values.len() {
                    let claim = format!("dictionary claims {count} values, there are {} at most", values.len());
                    return Err(ParquetError::General(claim));
                }
                self.decoder.dictionary(values, count, interners, &mut self.table)?;
            }
        }
        self.entries = count;
        self.dictionary = Some(bytes);
        Ok(())
    }

    /// Decodes rows of the current page.
    fn rows(&mut self, interners: &Interners, out: &mut [D::Out]) -> Result<()> {
        if self.defined == 0 {
            return self.present(interners, out);
        }
        self.scratch.resize(LEVELS, 0);
        let mut at = 0;
        while at < out.len() {
            match self.levels.read(self.page.levels(), out.len() - at, &mut self.scratch)? {
                RunRead::Repeated(level, count) => {
                    let out = &mut out[at..at + count];
                    if level == self.defined {
                        self.present(interners, out)?;
                    } else {
                        out.fill(D::missing());
                    }
                    at += count;
                }
                RunRead::Unpacked(count) => {
                    let out = &mut out[at..at + count];
                    let levels = &self.scratch[..count];
                    let mut value = levels.iter().filter(|level| **level == self.defined).count();
                    self.present(interners, &mut out[..value])?;
                    // From the end, so that no value is overwritten before it has moved.
                    for row in (0..count).rev() {
                        out[row] = if self.scratch[row] == self.defined {
                            value -= 1;
                            out[value]
                        } else {
                            D::missing()
                        };
                    }
                    at += count;
                }
            }
        }
        Ok(())
    }

    /// Decodes values of rows that have one.
    #[inline]
    fn present(&mut self, interners: &Interners, out: &mut [D::Out]) -> Result<()> {
        match &mut self.values {
            PageValues::Plain(at) => {
                let rest = self.page.values().get(*at..).unwrap_or_default();
                *at += self.decoder.plain(rest, interners, out)?;
                Ok(())
            }
            PageValues::Indices(runs) => {
                let indices = self.page.values().get(1..).unwrap_or_default();
                runs.gather(indices, &self.table, self.entries, out)
            }
            PageValues::Shared | PageValues::None => {
                Err(ParquetError::General("rows of a page that was not read".to_owned()))
            }
        }
    }
}
