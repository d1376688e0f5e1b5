//! Texts of a column of which only the answers to tests count: a row is one byte.

use super::Books;
use super::cursor::Kind;
use super::records::bits_of;
use super::texts::Meaning;
use super::views::{MISSING_VIEW, TextTest, Views};
use arrow::array::BooleanArray;
use parquet::errors::Result;

/// Stands for a missing text; the bits below are those of the tests.
const MISSING_TEXT: u8 = 0x80;

/// Decodes a column of texts to answers.
#[derive(Default)]
pub(super) struct Asked {
    views: Views,
    tests: usize,
    scratch: Vec<u128>,
}

fn answers_of(view: u128) -> u8 {
    if view == MISSING_VIEW { MISSING_TEXT } else { Views::answers_in(view) as u8 }
}

impl Asked {
    /// Asks `tests` of every text from now on, as it is shown.
    ///
    /// # Errors
    /// When a test cannot be answered.
    pub(super) fn begin(&mut self, tests: Vec<TextTest>, meaning: Meaning) -> Result<()> {
        self.views.meaning = meaning;
        self.tests = tests.len();
        self.views.ask(tests)
    }

    /// Reads the answers about decoded rows: one column for each test.
    pub(super) fn answers(&self, rows: &[u8]) -> Vec<BooleanArray> {
        let missing = self.views.answers_of_missing() as u8;
        let of = |place: usize| {
            // Without answers about a missing text its byte needs no look.
            let bits = match missing >> place & 1 {
                0 => bits_of(rows, |answers| answers >> place & 1 == 1),
                _ => bits_of(rows, |answers| answers == MISSING_TEXT || answers >> place & 1 == 1),
            };
            BooleanArray::new(bits, None)
        };
        (0..self.tests).map(of).collect()
    }
}

impl Kind for Asked {
    type Out = u8;

    fn missing() -> u8 {
        MISSING_TEXT
    }

    fn dictionary(&mut self, bytes: &[u8], count: usize, books: &Books, table: &mut Vec<u8>) -> Result<()> {
        self.scratch.clear();
        self.views.dictionary(bytes, count, books, &mut self.scratch)?;
        self.views.forget();
        table.extend(self.scratch.iter().map(|view| answers_of(*view)));
        Ok(())
    }

    fn plain(&mut self, bytes: &[u8], books: &Books, out: &mut [u8]) -> Result<usize> {
        self.scratch.clear();
        self.scratch.resize(out.len(), MISSING_VIEW);
        let taken = self.views.plain(bytes, books, &mut self.scratch)?;
        self.views.forget();
        for (out, view) in out.iter_mut().zip(&self.scratch) {
            *out = answers_of(*view);
        }
        Ok(taken)
    }
}
