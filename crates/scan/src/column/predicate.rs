//! Decodes texts to the results of predicates alone: a row is one byte.

use super::bits::bits_of;
use super::decoder::ColumnDecoder;
use super::view::{MISSING_VIEW, TextPredicate, ViewDecoder};
use crate::interner::Interners;
use crate::value::text::Meaning;
use arrow::array::BooleanArray;
use parquet::errors::Result;

/// Sentinel of a missing text; the bits below hold the answers.
const MISSING_TEXT: u8 = 0x80;

/// Decodes a column of texts to predicates' answers.
#[derive(Default)]
pub(crate) struct PredicateDecoder {
    views: ViewDecoder,
    /// Number of predicates.
    predicates: usize,
    scratch: Vec<u128>,
}

fn answers_of(view: u128) -> u8 {
    if view == MISSING_VIEW { MISSING_TEXT } else { ViewDecoder::answers_in(view) as u8 }
}

impl PredicateDecoder {
    /// Evaluates `predicates` on the value of every text from now on.
    ///
    /// # Errors
    /// When a predicate cannot be evaluated.
    pub(crate) fn begin(&mut self, predicates: Vec<TextPredicate>, meaning: Meaning) -> Result<()> {
        self.views.meaning = meaning;
        self.predicates = predicates.len();
        self.views.set_predicates(predicates)
    }

    /// Returns the answers for decoded rows: one column per predicate.
    pub(crate) fn answers(&self, rows: &[u8]) -> Vec<BooleanArray> {
        let missing = self.views.answers_of_missing() as u8;
        let of = |index: usize| {
            // If a missing text does not pass, its byte needs no comparison.
            let bits = match missing >> index & 1 {
                0 => bits_of(rows, |answers| answers >> index & 1 == 1),
                _ => bits_of(rows, |answers| answers == MISSING_TEXT || answers >> index & 1 == 1),
            };
            BooleanArray::new(bits, None)
        };
        (0..self.predicates).map(of).collect()
    }
}

impl ColumnDecoder for PredicateDecoder {
    type Out = u8;

    fn missing() -> u8 {
        MISSING_TEXT
    }

    fn dictionary(&mut self, bytes: &[u8], count: usize, interners: &Interners, table: &mut Vec<u8>) -> Result<()> {
        self.scratch.clear();
        self.views.dictionary(bytes, count, interners, &mut self.scratch)?;
        self.views.forget();
        table.extend(self.scratch.iter().map(|view| answers_of(*view)));
        Ok(())
    }

    fn plain(&mut self, bytes: &[u8], interners: &Interners, out: &mut [u8]) -> Result<usize> {
        self.scratch.clear();
        self.scratch.resize(out.len(), MISSING_VIEW);
        let taken = self.views.plain(bytes, interners, &mut self.scratch)?;
        self.views.forget();
        for (out, view) in out.iter_mut().zip(&self.scratch) {
            *out = answers_of(*view);
        }
        Ok(taken)
    }
}
