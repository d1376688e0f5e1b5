//! Texts of a column as codes of 4 bytes, for those who only ask which texts are the same.

use super::Books;
use super::books::{FIRST_BOOKED, NONE};
use super::cursor::Kind;
use super::records::bits_of;
use super::texts::{Meaning, Plain, utf8};
use super::views::{MISSING_VIEW, TextTest, Views};
use crate::flow::dotted::exact_v4;
use arrow::array::{ArrayRef, BooleanArray, UInt32Array};
use parquet::errors::Result;
use std::sync::Arc;

/// Numbers texts. Equal texts have equal numbers, other texts others, on all threads and for all objects of a scan.
pub trait TextNumbers: std::fmt::Debug + Send + Sync {
    /// Returns the numbers of some texts, from [`FIRST_BOOKED`] on and below [`NONE`].
    fn numbers(&self, texts: &[&str]) -> Vec<u32>;
}

/// Returns the code of a text that needs no number: an IPv4 address below 240.0.0.0, in its one exact form, is its own.
#[inline]
pub fn own_text_code(text: &[u8]) -> Option<u32> {
    exact_v4(text).filter(|bits| *bits < FIRST_BOOKED)
}

/// Stands for a missing text: its lower half is [`NONE`].
const MISSING_CODE: u64 = u64::MAX;

/// The lowest of the bits that hold answers; the code is below.
const ANSWERS_BIT: usize = 32;

/// Decodes a column of texts to codes, with the answers of tests above them.
#[derive(Default)]
pub(super) struct Coded {
    book: Option<Arc<dyn TextNumbers>>,
    /// Asks the tests.
    views: Views,
    tests: usize,
    scratch: Vec<u128>,
}

impl Coded {
    /// Numbers texts, as they are shown, by `book`, and asks `tests` of every text from now on.
    ///
    /// # Errors
    /// When a test cannot be answered.
    pub(super) fn begin(&mut self, book: &Arc<dyn TextNumbers>, tests: Vec<TextTest>, meaning: Meaning) -> Result<()> {
        self.views.meaning = meaning;
        self.book = Some(book.clone());
        self.tests = tests.len();
        self.views.ask(tests)
    }

    /// Writes the codes of a page's texts; returns the bytes that they took.
    fn code(&self, bytes: &[u8], out: &mut [u64]) -> Result<usize> {
        let mut texts = Plain::new(bytes);
        let mut numbered = Vec::new();
        let mut places = Vec::new();
        for (place, out) in out.iter_mut().enumerate() {
            let raw = texts.next()?;
            *out = match own_text_code(raw) {
                Some(code) => u64::from(code),
                None => {
                    if let Some(text) = self.views.meaning.value_of(utf8(raw)?) {
                        numbered.push(text);
                        places.push(place);
                    }
                    MISSING_CODE
                }
            };
        }
        if let Some(book) = self.book.as_ref().filter(|_| !numbered.is_empty()) {
            let texts: Vec<&str> = numbered.iter().map(AsRef::as_ref).collect();
            for (place, number) in places.into_iter().zip(book.numbers(&texts)) {
                out[place] = u64::from(number);
            }
        }
        Ok(texts.at)
    }

    /// Adds what the tests say to codes.
    fn mark(&self, codes: &mut [u64], views: &[u128]) {
        for (code, view) in codes.iter_mut().zip(views) {
            if *view != MISSING_VIEW {
                *code |= u64::from(Views::answers_in(*view)) << ANSWERS_BIT;
            }
        }
    }

    /// Reads the answers about decoded rows: one column for each test.
    pub(super) fn answers(&self, rows: &[u64]) -> Vec<BooleanArray> {
        let missing = u64::from(self.views.answers_of_missing());
        let of = |place: usize| {
            let bits = bits_of(rows, |code| {
                let answers = if code == MISSING_CODE { missing } else { code >> ANSWERS_BIT };
                answers >> place & 1 == 1
            });
            BooleanArray::new(bits, None)
        };
        (0..self.tests).map(of).collect()
    }

    /// Turns decoded rows into a column of codes, where a missing text has [`NONE`].
    pub(super) fn column(rows: &[u64]) -> ArrayRef {
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(|code| *code as u32)))
    }
}

impl Kind for Coded {
    type Out = u64;

    fn missing() -> u64 {
        debug_assert_eq!(MISSING_CODE as u32, NONE);
        MISSING_CODE
    }

    fn dictionary(&mut self, bytes: &[u8], count: usize, books: &Books, table: &mut Vec<u64>) -> Result<()> {
        table.resize(count, MISSING_CODE);
        self.code(bytes, table)?;
        if self.tests > 0 {
            let mut views = std::mem::take(&mut self.scratch);
            views.clear();
            self.views.dictionary(bytes, count, books, &mut views)?;
            self.mark(table, &views);
            self.views.forget();
            self.scratch = views;
        }
        Ok(())
    }

    fn plain(&mut self, bytes: &[u8], books: &Books, out: &mut [u64]) -> Result<usize> {
        let taken = self.code(bytes, out)?;
        if self.tests > 0 {
            let mut views = std::mem::take(&mut self.scratch);
            views.clear();
            views.resize(out.len(), MISSING_VIEW);
            self.views.plain(bytes, books, &mut views)?;
            self.mark(out, &views);
            self.views.forget();
            self.scratch = views;
        }
        Ok(taken)
    }
}
