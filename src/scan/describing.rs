//! The columns that only describe an ENI, decoded when a row of them is asked for and not before.

use super::books::{NONE, TextBook};
use super::inflate::Inflater;
use super::page_stream::{PageBuffer, PageStream};
use super::runs::{Next, Runs};
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

/// Levels and indices are unpacked so many at a time.
const LEVELS: usize = 1_024;
/// Stands for a dictionary entry whose text nobody asked for yet.
const UNASKED: u32 = NONE - 1;

/// A column of texts of which few are asked for.
#[derive(Default)]
struct LazyColumn {
    /// Number of the leaf.
    number: usize,
    stream: Option<PageStream>,
    defined: u32,
    /// The current page's first row and number of rows.
    first: usize,
    rows: usize,
    page: PageBuffer,
    /// The page's texts stand in the dictionary, else in the page.
    by_dictionary: bool,
    /// Of each row of the page: the place of its text, or [`NONE`].
    keys: Vec<u32>,
    /// Where the texts of a page without dictionary are.
    spans: Vec<Range<usize>>,
    dictionary: PageBuffer,
    entries: Vec<Range<usize>>,
    /// Numbers of the dictionary's texts, or [`UNASKED`].
    numbers: Vec<u32>,
}

impl LazyColumn {
    fn begin(&mut self, number: usize) {
        self.number = number;
        self.stream = None;
        (self.first, self.rows) = (0, 0);
        self.page.release();
        self.dictionary.release();
        self.keys.clear();
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
            self.keys.clear();
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
            self.by_dictionary = match encoding {
                Encoding::PLAIN => false,
                Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY => true,
                other => return Err(ParquetError::NYI(format!("values encoded as {other}"))),
            };
            self.read_keys(rows)?;
            self.rows = rows;
        }
        Ok(())
    }

    /// Reads the places of the texts of a page's rows.
    fn read_keys(&mut self, rows: usize) -> Result<()> {
        let mut places = if self.by_dictionary {
            // A page of missing values may have no indices at all.
            Places::Indices(Runs::new(self.page.values().first().copied().unwrap_or(0))?)
        } else {
            Places::Ordinals(0)
        };
        let indices = self.page.values().get(1..).unwrap_or_default();
        let mut levels = Runs::new((u32::BITS - self.defined.leading_zeros()) as u8)?;
        let (mut scratch, mut found) = ([0; LEVELS], Vec::with_capacity(LEVELS));
        while self.keys.len() < rows {
            let left = rows - self.keys.len();
            let next = match self.defined {
                0 => Next::Same(0, left),
                _ => levels.read(self.page.levels(), left, &mut scratch)?,
            };
            match next {
                Next::Same(level, count) if level == self.defined => places.read(indices, count, &mut self.keys)?,
                Next::Same(_, count) => self.keys.resize(self.keys.len() + count, NONE),
                Next::Mixed(count) => {
                    let levels = &scratch[..count];
                    found.clear();
                    let present = levels.iter().filter(|level| **level == self.defined).count();
                    places.read(indices, present, &mut found)?;
                    let mut found = found.iter().copied();
                    let key = |level: &u32| {
                        if *level == self.defined { found.next().unwrap_or(NONE) } else { NONE }
                    };
                    self.keys.extend(levels.iter().map(key));
                }
            }
        }
        if let Places::Ordinals(count) = places {
            read_spans(self.page.values(), count as usize, &mut self.spans)?;
        }
        Ok(())
    }

    /// Returns the number of a row's text; the current page has the row.
    fn text(&mut self, row: usize, account: bool, texts: &TextBook) -> Result<u32> {
        let key = match self.keys.get(row - self.first) {
            None | Some(&NONE) => return Ok(NONE),
            Some(key) => *key as usize,
        };
        let (page, spans) = match self.by_dictionary {
            true => (&self.dictionary, &self.entries),
            false => (&self.page, &self.spans),
        };
        let span = spans.get(key).ok_or_else(|| {
            ParquetError::General(format!("index {key} of a dictionary with {} entries", spans.len()))
        })?;
        let number = |span: &Range<usize>| {
            let text = utf8(page.values().get(span.clone()).unwrap_or_default())?;
            Ok(value_of(text, account).map_or(NONE, |value| texts.enter(&value)))
        };
        if !self.by_dictionary {
            return number(span);
        }
        match self.numbers.get_mut(key) {
            Some(known) if *known != UNASKED => Ok(*known),
            Some(unasked) => {
                *unasked = number(span)?;
                Ok(*unasked)
            }
            None => number(span),
        }
    }
}

/// Where the texts of a page's rows are, for those that have one.
enum Places {
    /// In the dictionary.
    Indices(Runs),
    /// In the page, one after another; so many were read.
    Ordinals(u32),
}

impl Places {
    fn read(&mut self, indices: &[u8], count: usize, keys: &mut Vec<u32>) -> Result<()> {
        match self {
            Places::Ordinals(read) => {
                let end = read.saturating_add(count as u32);
                keys.extend(*read..end);
                *read = end;
            }
            Places::Indices(runs) => {
                let (end, mut scratch) = (keys.len() + count, [0; LEVELS]);
                while keys.len() < end {
                    match runs.read(indices, end - keys.len(), &mut scratch)? {
                        Next::Same(index, count) => keys.resize(keys.len() + count, index),
                        Next::Mixed(count) => keys.extend_from_slice(&scratch[..count]),
                    }
                }
            }
        }
        Ok(())
    }
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
