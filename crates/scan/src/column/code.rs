//! Decodes texts to codes of 4 bytes, for callers that only need to know which texts are equal.

use super::bits::bits_of;
use super::decoder::ColumnDecoder;
use super::plain_text::{PlainTexts, utf8};
use super::view::{MISSING_VIEW, TextPredicate, ViewDecoder};
use crate::interner::{FIRST_INTERNED, Interners, NONE};
use crate::value::text::Meaning;
use arrow::array::{ArrayRef, BooleanArray, UInt32Array};
use flow::dotted::exact_v4;
use parquet::errors::Result;
use std::sync::Arc;

/// Numbers texts: equal texts get equal numbers, different texts different ones, on all threads and for all objects of
/// a scan.
pub trait TextNumbers: std::fmt::Debug + Send + Sync {
    /// Returns the numbers of some texts, from [`FIRST_INTERNED`] on and below [`NONE`].
    fn numbers(&self, texts: &[&str]) -> Vec<u32>;
}

/// Returns the code of a text that needs no number: an IPv4 address below 240.0.0.0, in its canonical form.
#[inline]
pub fn own_text_code(text: &[u8]) -> Option<u32> {
    exact_v4(text).filter(|bits| *bits < FIRST_INTERNED)
}

/// Sentinel of a missing text: its lower half is [`NONE`].
const MISSING_CODE: u64 = u64::MAX;

/// The lowest of the bits that hold answers; the code is below.
const ANSWERS_BIT: usize = 32;

/// Decodes a column of texts to codes, with the predicates' answers in the bits above.
#[derive(Default)]
pub(crate) struct CodeDecoder {
    numbers: Option<Arc<dyn TextNumbers>>,
    /// Evaluates the predicates.
    views: ViewDecoder,
    /// Number of predicates.
    predicates: usize,
    scratch: Vec<u128>,
}

impl CodeDecoder {
    /// Numbers the values of texts by `numbers`, and evaluates `predicates` on every text from now on.
    ///
    /// # Errors
    /// When a predicate cannot be evaluated.
    pub(crate) fn begin(
        &mut self,
        numbers: &Arc<dyn TextNumbers>,
        predicates: Vec<TextPredicate>,
        meaning: Meaning,
    ) -> Result<()> {
        self.views.meaning = meaning;
        self.numbers = Some(numbers.clone());
        self.predicates = predicates.len();
        self.views.set_predicates(predicates)
    }

    /// Writes the codes of a page's texts; returns the bytes that they took.
    fn code(&self, bytes: &[u8], out: &mut [u64]) -> Result<usize> {
        let mut texts = PlainTexts::new(bytes);
        let mut numbered = Vec::new();
        let mut indices = Vec::new();
        for (index, out) in out.iter_mut().enumerate() {
            let raw = texts.next()?;
            *out = match own_text_code(raw) {
                Some(code) => u64::from(code),
                None => {
                    if let Some(text) = self.views.meaning.value_of(utf8(raw)?) {
                        numbered.push(text);
                        indices.push(index);
                    }
                    MISSING_CODE
                }
            };
        }
        if let Some(numbers) = self.numbers.as_ref().filter(|_| !numbered.is_empty()) {
            let texts: Vec<&str> = numbered.iter().map(AsRef::as_ref).collect();
            for (index, number) in indices.into_iter().zip(numbers.numbers(&texts)) {
                out[index] = u64::from(number);
            }
        }
        Ok(texts.at)
    }

    /// Adds the predicates' answers to codes.
    fn mark(&self, codes: &mut [u64], views: &[u128]) {
        for (code, view) in codes.iter_mut().zip(views) {
            if *view != MISSING_VIEW {
                *code |= u64::from(ViewDecoder::answers_in(*view)) << ANSWERS_BIT;
            }
        }
    }

    /// Returns the answers for decoded rows: one column per predicate.
    pub(crate) fn answers(&self, rows: &[u64]) -> Vec<BooleanArray> {
        let missing = u64::from(self.views.answers_of_missing());
        let of = |index: usize| {
            let bits = bits_of(rows, |code| {
                let answers = if code == MISSING_CODE { missing } else { code >> ANSWERS_BIT };
                answers >> index & 1 == 1
            });
            BooleanArray::new(bits, None)
        };
        (0..self.predicates).map(of).collect()
    }

    /// Converts decoded rows to a column of codes, [`NONE`] for a missing text.
    pub(crate) fn column(rows: &[u64]) -> ArrayRef {
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(|code| *code as u32)))
    }
}

impl ColumnDecoder for CodeDecoder {
    type Out = u64;

    fn missing() -> u64 {
        debug_assert_eq!(MISSING_CODE as u32, NONE);
        MISSING_CODE
    }

    fn dictionary(&mut self, bytes: &[u8], count: usize, interners: &Interners, table: &mut Vec<u64>) -> Result<()> {
        table.resize(count, MISSING_CODE);
        self.code(bytes, table)?;
        if self.predicates > 0 {
            let mut views = std::mem::take(&mut self.scratch);
            views.clear();
            self.views.dictionary(bytes, count, interners, &mut views)?;
            self.mark(table, &views);
            self.views.forget();
            self.scratch = views;
        }
        Ok(())
    }

    fn plain(&mut self, bytes: &[u8], interners: &Interners, out: &mut [u64]) -> Result<usize> {
        let taken = self.code(bytes, out)?;
        if self.predicates > 0 {
            let mut views = std::mem::take(&mut self.scratch);
            views.clear();
            views.resize(out.len(), MISSING_VIEW);
            self.views.plain(bytes, interners, &mut views)?;
            self.mark(out, &views);
            self.views.forget();
            self.scratch = views;
        }
        Ok(taken)
    }
}
