//! The columns that only describe an ENI, decoded when a row of them is asked for and not before.

use super::books::{NONE, TextBook};
use super::inflate::Inflater;
use super::page_stream::{PageBuffer, PageStream};
use super::runs::Runs;
use super::texts::{Plain, utf8, value_of};
use super::{ObjectBytes, object};
use parquet::basic::Encoding;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ParquetMetaData;
use std::ops::Range;
use std::sync::Arc;

/// One row group's describing columns, and what went wrong while they were read.
#[derive(Default)]
pub(super) struct Lazy {
    /// In the order of the describing fields; `None` where the file has no such column.
    columns: Vec<Option<LazyColumn>>,
    group: Option<Group>,
    /// The batch's first row in its row group.
    pub(super) first_row: usize,
    inflater: Inflater,
    error: Option<ParquetError>,
}

impl std::fmt::Debug for Lazy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lazy").field("first_row", &self.first_row).finish_non_exhaustive()
    }
}

/// The row group that the columns are of.
struct Group {
    data: Arc<ObjectBytes>,
    metadata: Arc<ParquetMetaData>,
    index: usize,
    texts: TextBook,
}

impl Lazy {
    /// Begins with a row group; `columns` are those of the describing fields.
    pub(super) fn open(
        &mut self,
        data: &Arc<ObjectBytes>,
        metadata: &Arc<ParquetMetaData>,
        index: usize,
        texts: &TextBook,
        columns: impl Iterator<Item = Option<usize>>,
    ) {
        let texts = texts.handle();
        self.group = Some(Group { data: data.clone(), metadata: metadata.clone(), index, texts });
        self.first_row = 0;
        self.error = None;
        for (place, number) in columns.enumerate() {
            if self.columns.len() <= place {
                self.columns.push(None);
            }
            match (&mut self.columns[place], number) {
                (Some(column), Some(number)) => column.begin(number),
                (column, number) => *column = number.map(|number| LazyColumn { number, ..LazyColumn::default() }),
            }
        }
    }

    /// Lets go of the object's bytes.
    pub(super) fn close(&mut self) {
        self.group = None;
        for column in self.columns.iter_mut().flatten() {
            column.begin(0);
        }
    }

    /// Takes what went wrong in [`Self::text`] since the last time.
    pub(super) fn take_error(&mut self) -> Option<ParquetError> {
        self.error.take()
    }

    /// Returns the number of the text that the describing field at `place` has in a row of the batch; [`NONE`] also
    /// when the column is damaged, which [`Self::take_error`] then tells.
    pub(super) fn text(&mut self, place: usize, row: usize, account: bool) -> u32 {
        let (Some(group), Some(Some(column))) = (&self.group, self.columns.get_mut(place)) else { return NONE };
        let row = self.first_row + row;
        let inflater = &mut self.inflater;
        let found = if column.has(row) {
            column.text(row, account, &group.texts)
        } else {
            object::quietly(|| {
                column.turn_to(row, group, inflater)?;
                column.text(row, account, &group.texts)
            })
        };
        found.unwrap_or_else(|error| {
            self.error.get_or_insert(error);
            NONE
        })
    }
}

/// Stands for a dictionary entry whose text nobody asked for yet.
const UNASKED: u32 = NONE - 1;

/// A column of texts of which few are asked for: pages are turned without a look at them, and within a page whole
/// runs are skipped.
#[derive(Default)]
struct LazyColumn {
    /// Number of the leaf.
    number: usize,
    stream: Option<PageStream>,
    /// Highest definition level; rows that have it have a text.
    defined: u32,
    /// The current page's first row and number of rows.
    first: usize,
    rows: usize,
    page: PageBuffer,
    /// Where the reader stands in the page.
    place: Place,
    /// Every row of the page has a text.
    all_present: bool,
    /// Rows of which the text that was read last is certain to be theirs, and its number.
    last: (Range<usize>, u32),
    dictionary: PageBuffer,
    entries: Vec<Range<usize>>,
    /// Numbers of the dictionary's texts, or [`UNASKED`].
    numbers: Vec<u32>,
}

/// A place in a page.
#[derive(Default, Clone, Copy)]
struct Place {
    /// The row that the levels come to next, counted from the page's first.
    row: usize,
    levels: Runs,
    /// Rows before it that have a text.
    present: usize,
    values: Values,
    /// The value that `values` come to next.
    value: usize,
}

/// Where the texts of a page are.
#[derive(Clone, Copy)]
enum Values {
    /// In the dictionary.
    Indices(Runs),
    /// In the page, the next one at this byte.
    Plain(usize),
}

impl Default for Values {
    fn default() -> Self {
        Values::Plain(0)
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

    /// Tells whether the current page has a row.
    fn has(&self, row: usize) -> bool {
        row >= self.first && row - self.first < self.rows
    }

    /// Goes to the page that has a row; pages before it are not inflated.
    fn turn_to(&mut self, row: usize, group: &Group, inflater: &mut Inflater) -> Result<()> {
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
            let page = stream.next()?.ok_or_else(ended)?;
            let (rows, encoding) = (page.values, page.encoding);
            if page.is_dictionary {
                stream.load(page, inflater, &mut self.dictionary)?;
                read_spans(self.dictionary.values(), rows, &mut self.entries)?;
                self.numbers.clear();
                self.numbers.resize(rows, UNASKED);
                continue;
            }
            stream.load(page, inflater, &mut self.page)?;
            let values = match encoding {
                Encoding::PLAIN => Values::Plain(0),
                // A page of missing values may have no indices at all.
                Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY => {
                    Values::Indices(Runs::new(self.page.values().first().copied().unwrap_or(0))?)
                }
                other => return Err(ParquetError::NYI(format!("values encoded as {other}"))),
            };
            self.place = Place { levels: Runs::of_levels(self.defined), values, ..Place::default() };
            self.all_present = self.defined == 0 || self.place.levels.is_all(self.page.levels(), rows, self.defined);
            self.rows = rows;
        }
        Ok(())
    }

    /// Returns the number of a row's text; the current page has the row.
    fn text(&mut self, row: usize, account: bool, texts: &TextBook) -> Result<u32> {
        if !self.last.0.contains(&row) {
            let (number, more) = self.read(row - self.first, account, texts)?;
            self.last = (row..row + 1 + more, number);
        }
        Ok(self.last.1)
    }

    /// Returns the number of the text of a row, counted from the page's first, and of how many rows behind it that is
    /// certain to be the text too.
    fn read(&mut self, row: usize, account: bool, texts: &TextBook) -> Result<(u32, usize)> {
        if row < self.place.row {
            let values = match self.place.values {
                Values::Plain(_) => Values::Plain(0),
                Values::Indices(_) => Values::Indices(Runs::new(self.page.values().first().copied().unwrap_or(0))?),
            };
            self.place = Place { levels: Runs::of_levels(self.defined), values, ..Place::default() };
        }
        let place = &mut self.place;
        let skipped_rows = row - place.row;
        place.row = row + 1;
        if self.all_present {
            place.present = row;
        } else {
            let levels = self.page.levels();
            place.present += place.levels.count(levels, skipped_rows, self.defined)?;
            if place.levels.count(levels, 1, self.defined)? == 0 {
                return Ok((NONE, 0));
            }
        }
        let skipped = place.present - place.value;
        place.present += 1;
        place.value = place.present;
        let values = self.page.values();
        match &mut place.values {
            Values::Plain(at) => {
                let mut plain = Plain::new(values.get(*at..).unwrap_or_default());
                for _ in 0..skipped {
                    plain.next()?;
                }
                let text = plain.next()?;
                *at += plain.at;
                Ok((number_of(text, account, texts)?, 0))
            }
            Values::Indices(runs) => {
                let (index, more) = runs.skip_to(values.get(1..).unwrap_or_default(), skipped)?;
                let index = index as usize;
                let entry = self.numbers.get_mut(index).zip(self.entries.get(index));
                let (number, span) = entry.ok_or_else(|| {
                    let entries = self.entries.len();
                    ParquetError::General(format!("index {index} of a dictionary with {entries} entries"))
                })?;
                if *number == UNASKED {
                    let text = self.dictionary.values().get(span.clone()).unwrap_or_default();
                    *number = number_of(text, account, texts)?;
                }
                let more = if self.all_present { more.min(self.rows - row - 1) } else { 0 };
                Ok((*number, more))
            }
        }
    }
}

fn number_of(text: &[u8], account: bool, texts: &TextBook) -> Result<u32> {
    Ok(value_of(utf8(text)?, account).map_or(NONE, |value| texts.enter(&value)))
}

/// Finds the `count` texts that stand in `bytes`.
fn read_spans(bytes: &[u8], count: usize, spans: &mut Vec<Range<usize>>) -> Result<()> {
    spans.clear();
    let mut texts = Plain::new(bytes);
    for _ in 0..count {
        let length = texts.next()?.len();
        spans.push(texts.at - length..texts.at);
    }
    Ok(())
}
