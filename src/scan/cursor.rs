//! A cursor over one column: decodes its pages, one after another, into the rows of batches.

use super::inflate::Inflater;
use super::page_stream::{PageBuffer, PageStream, RawPage};
use super::runs::{Next, Runs};
use super::{Books, ObjectBytes};
use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ParquetMetaData;
use std::sync::Arc;

/// What a column's values become.
pub(super) trait Kind: Default {
    /// A row of the column.
    type Out: Copy;

    /// Stands for a missing value.
    fn missing() -> Self::Out;

    /// Appends what the `count` entries of a dictionary become to `table`, which is empty.
    fn dictionary(&mut self, bytes: &[u8], count: usize, books: &Books, table: &mut Vec<Self::Out>) -> Result<()>;

    /// Decodes as many values as `out` has places; returns the bytes that they took.
    fn plain(&mut self, bytes: &[u8], books: &Books, out: &mut [Self::Out]) -> Result<usize>;

    /// Forgets what belongs to the books of one object.
    fn forget(&mut self) {}
}

/// How the values of the current page are encoded.
#[derive(Default)]
enum Values {
    /// One after another, the next at this byte.
    Plain(usize),
    /// Indices of the dictionary.
    Indices(Runs),
    /// The page is the same as the leader's: its rows are copied.
    Copied,
    /// There is no page yet.
    #[default]
    None,
}

/// A page that a follower may find in its own column, byte for byte.
struct Led {
    bytes: Bytes,
    encoding: Encoding,
    values: usize,
    first_row: usize,
}

/// Decodes one column of a row group, keeping its buffers from page to page, row group to row group.
#[derive(Default)]
pub(super) struct Cursor<K: Kind> {
    pub(super) kind: K,
    stream: Option<PageStream>,
    page: PageBuffer,
    values: Values,
    levels: Runs,
    /// Highest definition level; rows that have it have a value.
    defined: u32,
    /// Rows of the current page that are left.
    left: usize,
    /// What the dictionary's entries become, filled up to a power of two.
    table: Vec<K::Out>,
    /// Entries of the dictionary.
    entries: usize,
    /// The dictionary as it came, and its encoding's number of entries.
    dictionary: Option<Bytes>,
    /// The first row that no page before the current one has.
    next_row: usize,
    /// Levels of rows, where they differ.
    scratch: Vec<u32>,
    /// Pages that reach into the current batch.
    recent: Vec<Led>,
    /// Pages are kept in `recent`.
    leads: bool,
}

/// Levels are unpacked so many at a time.
const LEVELS: usize = 1_024;

impl<K: Kind> Cursor<K> {
    /// Begins with a column chunk of `metadata`.
    ///
    /// # Errors
    /// When the footer's word about the chunk cannot be.
    pub(super) fn open(
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

    /// Lets go of the object's bytes.
    pub(super) fn close(&mut self) {
        self.stream = None;
        self.page.release();
        self.values = Values::None;
        self.left = 0;
        self.entries = 0;
        self.table.clear();
        self.dictionary = None;
        self.next_row = 0;
        self.recent.clear();
    }

    /// Tells whether the column is read at all.
    pub(super) fn is_open(&self) -> bool {
        self.stream.is_some()
    }

    /// Keeps pages for a follower.
    pub(super) fn lead(&mut self, leads: bool) {
        self.leads = leads;
    }

    /// Decodes the next rows, as many as `out` has.
    ///
    /// # Errors
    /// When a page is damaged or of a kind that is not read here.
    pub(super) fn fill(&mut self, inflater: &mut Inflater, books: &Books, out: &mut [K::Out]) -> Result<()> {
        self.fill_after(None, inflater, books, out)
    }

    /// Decodes the next rows as [`Self::fill`] does, but copies the leader's where a page is the same as the leader's.
    /// The leader decoded the same rows, into `led`, just before.
    pub(super) fn follow(
        &mut self,
        leader: &Self,
        led: &[K::Out],
        inflater: &mut Inflater,
        books: &Books,
        out: &mut [K::Out],
    ) -> Result<()> {
        self.fill_after(Some((leader, led)), inflater, books, out)
    }

    fn fill_after(
        &mut self,
        leader: Option<(&Self, &[K::Out])>,
        inflater: &mut Inflater,
        books: &Books,
        out: &mut [K::Out],
    ) -> Result<()> {
        let batch_begin = self.next_row - self.left;
        self.recent.retain(|page| page.first_row + page.values > batch_begin);
        let mut at = 0;
        while at < out.len() {
            if self.left == 0 {
                self.turn(leader.map(|(leader, _)| leader), inflater, books)?;
                continue;
            }
            let count = self.left.min(out.len() - at);
            match (&self.values, leader) {
                (Values::Copied, Some((_, led))) => {
                    let rows = led.get(at..at + count).unwrap_or_default();
                    out[at..at + count].copy_from_slice(rows);
                }
                _ => self.rows(books, &mut out[at..at + count])?,
            }
            self.left -= count;
            at += count;
        }
        Ok(())
    }

    /// Skips rows; pages that hold no others are not even inflated. `scratch` takes what has to be decoded all the same.
    ///
    /// # Errors
    /// As for [`Self::fill`].
    pub(super) fn skip(
        &mut self,
        mut rows: usize,
        inflater: &mut Inflater,
        books: &Books,
        scratch: &mut Vec<K::Out>,
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
                    None => self.turn(None, inflater, books)?,
                }
                continue;
            }
            let count = self.left.min(rows);
            if !self.leave_out(count)? {
                scratch.resize(count.max(scratch.len()), K::missing());
                self.rows(books, &mut scratch[..count])?;
            }
            self.left -= count;
            rows -= count;
        }
        Ok(())
    }

    /// Decodes some of the next `rows` rows, those in `picked`, ascending, and skips the others.
    ///
    /// # Errors
    /// As for [`Self::fill`].
    pub(super) fn pick(
        &mut self,
        rows: usize,
        picked: &[usize],
        inflater: &mut Inflater,
        books: &Books,
        scratch: &mut Vec<K::Out>,
    ) -> Result<Vec<K::Out>> {
        let (mut out, mut at) = (vec![K::missing(); picked.len()], 0);
        let mut rest = &mut out[..];
        for run in picked.chunk_by(|row, next| row + 1 == *next) {
            self.skip(run[0] - at, inflater, books, scratch)?;
            let (now, later) = rest.split_at_mut(run.len());
            self.fill(inflater, books, now)?;
            at = run[0] + run.len();
            rest = later;
        }
        self.skip(rows - at, inflater, books, scratch)?;
        Ok(out)
    }

    /// Skips rows of the current page without decoding them, if its encoding allows that.
    fn leave_out(&mut self, count: usize) -> Result<bool> {
        let Values::Indices(runs) = &mut self.values else { return Ok(false) };
        let present = match self.defined {
            0 => count,
            defined => self.levels.count(self.page.levels(), count, defined)?,
        };
        runs.skip(self.page.values().get(1..).unwrap_or_default(), present)?;
        Ok(true)
    }

    /// Goes to the next data page, reading the dictionary on the way.
    fn turn(&mut self, leader: Option<&Self>, inflater: &mut Inflater, books: &Books) -> Result<()> {
        let ended = || ParquetError::General("column has fewer values than its row group has rows".to_owned());
        let stream = self.stream.as_mut().ok_or_else(ended)?;
        let page = stream.next()?.ok_or_else(ended)?;
        if page.is_dictionary {
            return self.read_dictionary(page, leader, inflater, books);
        }
        let (values, encoding) = (page.values, page.encoding);
        let first_row = self.next_row;
        self.next_row += values;
        self.left = values;
        if let Some(leader) = leader
            && leader.has_page(&page, first_row, self.dictionary.as_ref())
        {
            self.values = Values::Copied;
            return Ok(());
        }
        if self.leads {
            self.recent.push(Led { bytes: page.bytes.clone(), encoding, values, first_row });
        }
        stream.load(page, inflater, &mut self.page)?;
        self.levels = Runs::of_levels(self.defined);
        self.values = match encoding {
            Encoding::PLAIN => Values::Plain(0),
            Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY => self.indices()?,
            other => return Err(ParquetError::NYI(format!("values encoded as {other}"))),
        };
        Ok(())
    }

    /// Begins with a page of indices: their width comes first.
    fn indices(&mut self) -> Result<Values> {
        // A page of missing values may have no indices at all.
        let width = self.page.values().first().copied().unwrap_or(0);
        let runs = Runs::new(width)?;
        // The table is filled up, but not by the word of a page alone: twice the dictionary is enough for any writer.
        let most = self.entries.next_power_of_two().max(256) * 2;
        if let Some(full) = 1usize.checked_shl(u32::from(width)).filter(|full| *full <= most)
            && self.table.len() < full
        {
            self.table.resize(full, K::missing());
        }
        Ok(Values::Indices(runs))
    }

    /// Tells whether the leader read the same page at the same row, with the same dictionary.
    fn has_page(&self, page: &RawPage, first_row: usize, dictionary: Option<&Bytes>) -> bool {
        self.recent.iter().any(|led| {
            led.first_row == first_row
                && led.values == page.values
                && led.encoding == page.encoding
                && (page.encoding == Encoding::PLAIN || self.dictionary.as_ref() == dictionary)
                && led.bytes == page.bytes
        })
    }

    fn read_dictionary(
        &mut self,
        page: RawPage,
        leader: Option<&Self>,
        inflater: &mut Inflater,
        books: &Books,
    ) -> Result<()> {
        if !matches!(page.encoding, Encoding::PLAIN | Encoding::PLAIN_DICTIONARY) {
            return Err(ParquetError::NYI(format!("dictionary encoded as {}", page.encoding)));
        }
        let count = page.values;
        let bytes = page.bytes.clone();
        self.table.clear();
        match leader.filter(|leader| leader.entries == count && leader.dictionary.as_ref() == Some(&bytes)) {
            Some(leader) => self.table.extend_from_slice(&leader.table),
            None => {
                if let Some(stream) = &self.stream {
                    stream.load(page, inflater, &mut self.page)?;
                }
                let values = self.page.values();
                // Every entry of a dictionary takes a byte at least.
                if count > values.len() {
                    let claim = format!("dictionary claims {count} values, there are {} at most", values.len());
                    return Err(ParquetError::General(claim));
                }
                self.kind.dictionary(values, count, books, &mut self.table)?;
            }
        }
        self.entries = count;
        self.dictionary = Some(bytes);
        Ok(())
    }

    /// Decodes rows of the current page.
    fn rows(&mut self, books: &Books, out: &mut [K::Out]) -> Result<()> {
        if self.defined == 0 {
            return self.present(books, out);
        }
        self.scratch.resize(LEVELS, 0);
        let mut at = 0;
        while at < out.len() {
            match self.levels.read(self.page.levels(), out.len() - at, &mut self.scratch)? {
                Next::Same(level, count) => {
                    let out = &mut out[at..at + count];
                    if level == self.defined {
                        self.present(books, out)?;
                    } else {
                        out.fill(K::missing());
                    }
                    at += count;
                }
                Next::Mixed(count) => {
                    let out = &mut out[at..at + count];
                    let levels = &self.scratch[..count];
                    let mut value = levels.iter().filter(|level| **level == self.defined).count();
                    self.present(books, &mut out[..value])?;
                    // From the end, so that no value is overwritten before it has moved.
                    for row in (0..count).rev() {
                        out[row] = if self.scratch[row] == self.defined {
                            value -= 1;
                            out[value]
                        } else {
                            K::missing()
                        };
                    }
                    at += count;
                }
            }
        }
        Ok(())
    }

    /// Decodes values that are present.
    #[inline]
    fn present(&mut self, books: &Books, out: &mut [K::Out]) -> Result<()> {
        match &mut self.values {
            Values::Plain(at) => {
                let rest = self.page.values().get(*at..).unwrap_or_default();
                *at += self.kind.plain(rest, books, out)?;
                Ok(())
            }
            Values::Indices(runs) => {
                let indices = self.page.values().get(1..).unwrap_or_default();
                runs.gather(indices, &self.table, self.entries, out)
            }
            Values::Copied | Values::None => Err(ParquetError::General("rows of a page that was not read".to_owned())),
        }
    }
}
