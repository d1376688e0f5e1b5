//! Columns of ENI metadata, decoded lazily: nothing is decompressed before one of its rows is requested.

use super::plain_text::{PlainTexts, utf8};
use crate::interner::{NONE, TextInterner};
use crate::value::text::Meaning;
use pages::ObjectBytes;
use pages::decompress::Decompressor;
use pages::rle::RleDecoder;
use pages::stream::{PageBuffer, PageStream};
use parquet::basic::Encoding;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ParquetMetaData;
use std::ops::Range;
use std::sync::Arc;

/// One row group's ENI-metadata columns, and the first error while they were read.
#[derive(Default)]
pub(crate) struct LazyMetadata {
    /// In the order of the ENI-metadata fields; `None` where the file has no such column.
    columns: Vec<Option<LazyColumn>>,
    group: Option<LazyRowGroup>,
    /// The batch's first row in its row group.
    pub(crate) first_row: usize,
    decompressor: Decompressor,
    error: Option<ParquetError>,
}

impl std::fmt::Debug for LazyMetadata {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LazyMetadata").field("first_row", &self.first_row).finish_non_exhaustive()
    }
}

/// The row group that the columns belong to.
struct LazyRowGroup {
    data: Arc<ObjectBytes>,
    metadata: Arc<ParquetMetaData>,
    index: usize,
    texts: TextInterner,
}

impl LazyMetadata {
    /// Opens a row group; `columns` are those of the ENI-metadata fields.
    pub(crate) fn open(
        &mut self,
        data: &Arc<ObjectBytes>,
        metadata: &Arc<ParquetMetaData>,
        index: usize,
        texts: &TextInterner,
        columns: impl Iterator<Item = Option<usize>>,
    ) {
        let texts = texts.handle();
        self.group = Some(LazyRowGroup { data: data.clone(), metadata: metadata.clone(), index, texts });
        self.first_row = 0;
        self.error = None;
        for (index, number) in columns.enumerate() {
            if self.columns.len() <= index {
                self.columns.push(None);
            }
            match (&mut self.columns[index], number) {
                (Some(column), Some(number)) => column.begin(number),
                (column, number) => *column = number.map(|number| LazyColumn { number, ..LazyColumn::default() }),
            }
        }
    }

    /// Releases the object's bytes.
    pub(crate) fn close(&mut self) {
        self.group = None;
        for column in self.columns.iter_mut().flatten() {
            column.begin(0);
        }
    }

    /// Takes the first error of [`Self::text`] since the last call.
    pub(crate) fn take_error(&mut self) -> Option<ParquetError> {
        self.error.take()
    }

    /// Returns the interned text of the `index`th ENI-metadata field in a row of the batch. Returns [`NONE`] also when
    /// the column is damaged; [`Self::take_error`] then has the error.
    pub(crate) fn text(&mut self, index: usize, row: usize, meaning: Meaning) -> u32 {
        let (Some(group), Some(Some(column))) = (&self.group, self.columns.get_mut(index)) else { return NONE };
        let row = self.first_row + row;
        let decompressor = &mut self.decompressor;
        let found = if column.has(row) {
            column.text(row, meaning, &group.texts)
        } else {
            pages::guard::quietly(|| {
                column.seek(row, group, decompressor)?;
                column.text(row, meaning, &group.texts)
            })
        };
        found.unwrap_or_else(|error| {
            self.error.get_or_insert(error);
            NONE
        })
    }
}

/// Marks a dictionary entry whose text was not interned yet.
const UNRESOLVED: u32 = NONE - 1;

/// A column of texts, few of which are requested: pages are skipped by their headers alone, and whole runs within a
/// page.
#[derive(Default)]
struct LazyColumn {
    /// Number of the leaf in the file's schema.
    number: usize,
    stream: Option<PageStream>,
    /// Highest definition level; rows that have it have a text.
    defined: u32,
    /// The current page's first row and number of rows.
    first: usize,
    rows: usize,
    page: PageBuffer,
    /// The reader's position in the page.
    position: PagePosition,
    /// Every row of the page has a text.
    all_present: bool,
    /// Rows that are certain to have the text that was read last, and its number.
    last: (Range<usize>, u32),
    dictionary: PageBuffer,
    entries: Vec<Range<usize>>,
    /// Numbers of the dictionary's texts, or [`UNRESOLVED`].
    numbers: Vec<u32>,
}

/// A position in a page.
#[derive(Default, Clone, Copy)]
struct PagePosition {
    /// The row of the next level, counted from the page's first.
    row: usize,
    levels: RleDecoder,
    /// Rows before it that have a text.
    present: usize,
    values: ValuePosition,
    /// Index of the next value.
    value: usize,
}

/// Position among the texts of a page.
#[derive(Clone, Copy)]
enum ValuePosition {
    /// An index into the dictionary's indices.
    Indices(RleDecoder),
    /// In the page itself: the next text is at this byte.
    Plain(usize),
}

impl Default for ValuePosition {
    fn default() -> Self {
        ValuePosition::Plain(0)
    }
}

impl LazyColumn {
    fn begin(&mut self, number: usize) {
        self.number = number;
        self.stream = None;
        (self.first, self.rows) = (0, 0);
        self.last = (0..0, NONE);
        self.page.release();
        self.dictionary.release();
        self.entries.clear();
        self.numbers.clear();
    }

    /// Returns whether the current page has a row.
    fn has(&self, row: usize) -> bool {
        row >= self.first && row - self.first < self.rows
    }

    /// Moves to the page that has a row; pages before it are not decompressed.
    fn seek(&mut self, row: usize, group: &LazyRowGroup, decompressor: &mut Decompressor) -> Result<()> {
        if self.stream.is_none() || row < self.first {
            self.begin(self.number);
            let chunk = group.metadata.row_group(group.index).column(self.number);
            self.defined = u32::try_from(chunk.column_descr().max_def_level()).unwrap_or(0);
            self.stream = Some(PageStream::open(&group.data, &group.metadata, group.index, self.number)?);
        }
        while row - self.first >= self.rows {
            self.first += self.rows;
            self.rows = 0;
            let Some(stream) = &mut self.stream else { break };
            if let Some(skipped) = stream.skip_before(self.first, row)? {
                self.first += skipped;
                continue;
            }
            let ended = || ParquetError::General("column has fewer values than its row group has rows".to_owned());
            let page = stream.next_page()?.ok_or_else(ended)?;
            let rows = page.values;
            let encoding = page.encoding;
            if page.is_dictionary {
                stream.load(page, decompressor, &mut self.dictionary)?;
                read_spans(self.dictionary.values(), rows, &mut self.entries)?;
                self.numbers.clear();
                self.numbers.resize(rows, UNRESOLVED);
                continue;
            }
            stream.load(page, decompressor, &mut self.page)?;
            let values = match encoding {
                Encoding::PLAIN => ValuePosition::Plain(0),
                // A page of missing values may have no indices at all.
                Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY => {
                    ValuePosition::Indices(RleDecoder::new(self.page.values().first().copied().unwrap_or(0))?)
                }
                other => return Err(ParquetError::NYI(format!("values encoded as {other}"))),
            };
            self.position =
                PagePosition { levels: RleDecoder::for_levels(self.defined), values, ..PagePosition::default() };
            self.all_present = self.defined == 0 || self.position.levels.is_all(self.page.levels(), rows, self.defined);
            self.rows = rows;
        }
        Ok(())
    }

    /// Returns the interned text of a row of the current page.
    fn text(&mut self, row: usize, meaning: Meaning, texts: &TextInterner) -> Result<u32> {
        if !self.last.0.contains(&row) {
            let (number, more) = self.read(row - self.first, meaning, texts)?;
            self.last = (row..row + 1 + more, number);
        }
        Ok(self.last.1)
    }

    /// Returns the interned text of a row, counted from the page's first, and how many rows after it are certain to
    /// have the same text.
    fn read(&mut self, row: usize, meaning: Meaning, texts: &TextInterner) -> Result<(u32, usize)> {
        if row < self.position.row {
            let values = match self.position.values {
                ValuePosition::Plain(_) => ValuePosition::Plain(0),
                ValuePosition::Indices(_) => {
                    ValuePosition::Indices(RleDecoder::new(self.page.values().first().copied().unwrap_or(0))?)
                }
            };
            self.position =
                PagePosition { levels: RleDecoder::for_levels(self.defined), values, ..PagePosition::default() };
        }
        let position = &mut self.position;
        let skipped_rows = row - position.row;
        position.row = row + 1;
        if self.all_present {
            position.present = row;
        } else {
            let levels = self.page.levels();
            position.present += position.levels.count(levels, skipped_rows, self.defined)?;
            if position.levels.count(levels, 1, self.defined)? == 0 {
                return Ok((NONE, 0));
            }
        }
        let skipped = position.present - position.value;
        position.present += 1;
        position.value = position.present;
        let values = self.page.values();
        match &mut position.values {
            ValuePosition::Plain(at) => {
                let mut plain = PlainTexts::new(values.get(*at..).unwrap_or_default());
                for _ in 0..skipped {
                    plain.next()?;
                }
                let text = plain.next()?;
                *at += plain.at;
                Ok((number_of(text, meaning, texts)?, 0))
            }
            ValuePosition::Indices(runs) => {
                let (index, more) = runs.skip_to(values.get(1..).unwrap_or_default(), skipped)?;
                let index = index as usize;
                let entry = self.numbers.get_mut(index).zip(self.entries.get(index));
                let (number, span) = entry.ok_or_else(|| {
                    let entries = self.entries.len();
                    ParquetError::General(format!("index {index} of a dictionary with {entries} entries"))
                })?;
                if *number == UNRESOLVED {
                    let text = self.dictionary.values().get(span.clone()).unwrap_or_default();
                    *number = number_of(text, meaning, texts)?;
                }
                let more = if self.all_present { more.min(self.rows - row - 1) } else { 0 };
                Ok((*number, more))
            }
        }
    }
}

fn number_of(text: &[u8], meaning: Meaning, texts: &TextInterner) -> Result<u32> {
    Ok(meaning.value_of(utf8(text)?).map_or(NONE, |value| texts.intern(&value)))
}

/// Finds the byte ranges of the `count` texts in `bytes`.
fn read_spans(bytes: &[u8], count: usize, spans: &mut Vec<Range<usize>>) -> Result<()> {
    spans.clear();
    let mut texts = PlainTexts::new(bytes);
    for _ in 0..count {
        let length = texts.next()?.len();
        spans.push(texts.at - length..texts.at);
    }
    Ok(())
}
