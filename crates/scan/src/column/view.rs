//! Decodes texts straight from pages to Arrow's views: a dictionary's texts are read once, and a row costs a copy of 16
//! bytes.

use super::decoder::ColumnDecoder;
use super::plain_text::{PlainTexts, utf8};
use crate::interner::Interners;
use crate::value::text::Meaning;
use arrow::array::{Array, ArrayRef, BooleanArray, StringViewArray, StringViewBuilder};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use parquet::errors::{ParquetError, Result};
use std::borrow::Cow;
use std::sync::Arc;

/// Sentinel of a missing text: no text is that long.
pub(crate) const MISSING_VIEW: u128 = u128::MAX;

/// Texts up to this length are stored in the view itself.
const INLINE_BYTES: usize = 12;

/// A predicate on texts, evaluated once for each entry of a dictionary: which of them pass. Returns `None` when it
/// cannot be evaluated; the caller then evaluates it row by row.
pub type TextPredicate = Arc<dyn Fn(&ArrayRef) -> Option<BooleanArray> + Send + Sync>;

/// Predicates of one column: their answers occupy the upper byte of a view's length until the batch is built.
pub const MAX_PREDICATES: usize = 7;

/// The lowest of the bits that hold answers. Texts of 16 MB or more leave no room for them.
const ANSWERS_BIT: usize = 24;

/// Decodes a column of texts. Missing ones are [`MISSING_VIEW`] until the batch is built.
#[derive(Default)]
pub(crate) struct ViewDecoder {
    /// What the column's texts mean.
    pub(crate) meaning: Meaning,
    predicates: Vec<TextPredicate>,
    /// The answers for a missing text.
    of_missing: u128,
    /// Long texts of dictionaries.
    dictionaries: Vec<Buffer>,
    /// Long texts of the batch that are not in a dictionary.
    plain: Vec<u8>,
}

/// Returns the view of a text at the offset `at` of a buffer.
fn view_of(text: &[u8], buffer: usize, at: usize) -> u128 {
    let length = text.len() as u128;
    if text.len() <= INLINE_BYTES {
        let mut bytes = [0; 16];
        bytes[4..4 + text.len()].copy_from_slice(text);
        return u128::from_le_bytes(bytes) | length;
    }
    let prefix = u32::from_le_bytes([text[0], text[1], text[2], text[3]]);
    length | u128::from(prefix) << 32 | (buffer as u128) << 64 | (at as u128) << 96
}

/// Checks that a view can hold the offset `at`.
fn check_offset(at: usize) -> Result<()> {
    match i32::try_from(at) {
        Ok(_) => Ok(()),
        Err(_) => Err(ParquetError::NYI("texts of more than 2 GB in a page".to_owned())),
    }
}

fn unanswered() -> ParquetError {
    ParquetError::NYI("a predicate on texts that cannot be evaluated".to_owned())
}

impl ViewDecoder {
    /// Evaluates `predicates`, [`MAX_PREDICATES`] at most, on every text from now on.
    ///
    /// # Errors
    /// When a predicate cannot be evaluated.
    pub(crate) fn set_predicates(&mut self, predicates: Vec<TextPredicate>) -> Result<()> {
        self.predicates = predicates;
        let missing: ArrayRef = Arc::new(StringViewArray::new_null(1));
        self.of_missing = self.answers(&missing)?.first().copied().unwrap_or(0);
        Ok(())
    }

    /// Returns the answers for some texts, as bits of their views.
    fn answers(&self, texts: &ArrayRef) -> Result<Vec<u128>> {
        let mut bits = vec![0u128; texts.len()];
        for (index, predicate) in self.predicates.iter().enumerate() {
            let passed = predicate(texts).filter(|passed| passed.len() == texts.len()).ok_or_else(unanswered)?;
            for (row, bits) in bits.iter_mut().enumerate() {
                *bits |= u128::from(passed.is_valid(row) && passed.value(row)) << (ANSWERS_BIT + index);
            }
        }
        Ok(bits)
    }

    /// Stores the answers in views, except in those of missing texts.
    fn mark(&self, views: &mut [u128], texts: &ArrayRef) -> Result<()> {
        for (view, answers) in views.iter_mut().zip(self.answers(texts)?) {
            if *view == MISSING_VIEW {
                continue;
            }
            if *view as u32 >> ANSWERS_BIT > 0 {
                return Err(ParquetError::NYI("a text of 16 MB or more".to_owned()));
            }
            *view |= answers;
        }
        Ok(())
    }

    /// Returns the answers in the view of a text that is present: one bit per predicate, from the lowest on.
    #[inline]
    pub(crate) fn answers_in(view: u128) -> u32 {
        (view >> ANSWERS_BIT) as u32 & ((1 << MAX_PREDICATES) - 1)
    }

    /// Returns the answers for the text of a view, which may be missing.
    #[inline]
    pub(crate) fn answers_of(&self, view: u128) -> u32 {
        if view == MISSING_VIEW { self.answers_of_missing() } else { Self::answers_in(view) }
    }

    /// Returns the answers for a missing text.
    pub(crate) fn answers_of_missing(&self) -> u32 {
        Self::answers_in(self.of_missing)
    }

    /// Moves the answers out of decoded rows: one column per predicate.
    pub(crate) fn take_answers(&self, views: &mut [u128]) -> Vec<BooleanArray> {
        let of = |index: usize| {
            let bit = 1u128 << (ANSWERS_BIT + index);
            let passed = |row: usize| {
                let view = views[row];
                (if view == MISSING_VIEW { self.of_missing } else { view }) & bit != 0
            };
            BooleanArray::new(BooleanBuffer::collect_bool(views.len(), passed), None)
        };
        let answers = (0..self.predicates.len()).map(of).collect::<Vec<_>>();
        if !answers.is_empty() {
            let all = ((1u128 << MAX_PREDICATES) - 1) << ANSWERS_BIT;
            views.iter_mut().filter(|view| **view != MISSING_VIEW).for_each(|view| *view &= !all);
        }
        answers
    }

    /// Drops the texts of rows that were only skipped.
    pub(crate) fn drop_plain(&mut self) {
        self.plain.clear();
    }

    /// Converts decoded rows to a column, and drops the texts that belong to this batch alone.
    pub(crate) fn column(&mut self, mut views: Vec<u128>) -> ArrayRef {
        let missing = views.contains(&MISSING_VIEW);
        let nulls = missing.then(|| NullBuffer::from_iter(views.iter().map(|view| *view != MISSING_VIEW)));
        if missing {
            for view in views.iter_mut().filter(|view| **view == MISSING_VIEW) {
                *view = 0;
            }
        }
        let mut buffers = self.dictionaries.clone();
        if !self.plain.is_empty() {
            buffers.push(Buffer::from_vec(std::mem::take(&mut self.plain)));
        }
        let (views, buffers): (ScalarBuffer<u128>, Arc<[Buffer]>) = (views.into(), buffers.into());
        // SAFETY: every view is the empty text or was made by `view_of` from UTF-8, either inline or with the offset of
        // its bytes in a buffer that is passed here.
        #[allow(unsafe_code)]
        let column = unsafe { StringViewArray::new_unchecked(views, buffers, nulls) };
        Arc::new(column)
    }
}

impl ColumnDecoder for ViewDecoder {
    type Out = u128;

    fn missing() -> u128 {
        MISSING_VIEW
    }

    fn dictionary(&mut self, bytes: &[u8], count: usize, _: &Interners, table: &mut Vec<u128>) -> Result<()> {
        check_offset(bytes.len())?;
        let mut texts = PlainTexts::new(bytes);
        let buffer = self.dictionaries.len();
        let mut long = false;
        for _ in 0..count {
            let raw = texts.next()?;
            let end = texts.at;
            table.push(match self.meaning.value_of(utf8(raw)?) {
                None => MISSING_VIEW,
                Some(Cow::Owned(text)) => view_of(text.as_bytes(), 0, 0),
                Some(Cow::Borrowed(text)) => {
                    long |= text.len() > INLINE_BYTES;
                    // Bytes trimmed from the front of the text.
                    let skipped = text.as_ptr() as usize - raw.as_ptr() as usize;
                    view_of(text.as_bytes(), buffer, end - raw.len() + skipped)
                }
            });
        }
        if long {
            self.dictionaries.push(Buffer::from(bytes));
        }
        if !self.predicates.is_empty() {
            let plain = std::mem::take(&mut self.plain);
            let texts = self.column(table.clone());
            self.plain = plain;
            self.mark(table, &texts)?;
        }
        Ok(())
    }

    fn plain(&mut self, bytes: &[u8], _: &Interners, out: &mut [u128]) -> Result<usize> {
        let mut texts = PlainTexts::new(bytes);
        let buffer = self.dictionaries.len();
        for out in out.iter_mut() {
            *out = match self.meaning.value_of(utf8(texts.next()?)?) {
                None => MISSING_VIEW,
                Some(text) if text.len() <= INLINE_BYTES => view_of(text.as_bytes(), 0, 0),
                Some(text) => {
                    let at = self.plain.len();
                    self.plain.extend_from_slice(text.as_bytes());
                    check_offset(self.plain.len())?;
                    view_of(text.as_bytes(), buffer, at)
                }
            };
        }
        if !self.predicates.is_empty() {
            let mut again = PlainTexts::new(bytes);
            let mut values = StringViewBuilder::with_capacity(out.len());
            for _ in 0..out.len() {
                values.append_option(self.meaning.value_of(utf8(again.next()?)?));
            }
            let values: ArrayRef = Arc::new(values.finish());
            self.mark(out, &values)?;
        }
        Ok(texts.at)
    }

    fn forget(&mut self) {
        self.dictionaries.clear();
        self.plain.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::AsArray;
    use proptest::prelude::*;

    fn page(texts: &[String]) -> Vec<u8> {
        texts.iter().flat_map(|text| [&(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()).collect()
    }

    proptest! {
        #[test]
        fn views_say_what_the_page_says(
            texts in prop::collection::vec(prop_oneof!["[a-z0-9.:]{0,30}", Just("-".to_owned()), "Allowed|reject|SkipData|OUTBOUND", " {0,2}é{0,9} {0,2}", "[0-9]{9,12}"], 1..40),
            meaning in prop_oneof![Just(Meaning::Text), Just(Meaning::Account), Just(Meaning::Decision)],
        ) {
            let (interners, bytes) = (Interners::default(), page(&texts));
            let mut column = ViewDecoder { meaning, ..ViewDecoder::default() };
            let mut table = Vec::new();
            let short = |texts: &ArrayRef| {
                let texts = texts.as_string_view();
                Some(texts.iter().map(|text| text.map(|text| text.len() < 5)).collect::<BooleanArray>())
            };
            let absent = |texts: &ArrayRef| arrow::compute::is_null(texts).ok();
            column.set_predicates(vec![Arc::new(short), Arc::new(absent)]).unwrap();
            column.dictionary(&bytes, texts.len(), &interners, &mut table).unwrap();
            let mut rows = vec![0; texts.len()];
            prop_assert_eq!(column.plain(&bytes, &interners, &mut rows).unwrap(), bytes.len());
            table.extend(rows);
            let answers = column.take_answers(&mut table);
            let made = column.column(table);
            // Built again and checked, as the constructor that was skipped would have done.
            let made = made.as_string_view();
            let checked = StringViewArray::try_new(made.views().clone(), made.data_buffers().to_vec(), made.nulls().cloned()).unwrap();
            let wanted = texts.iter().map(|text| meaning.value_of(text)).collect::<Vec<_>>();
            for (row, wanted) in wanted.iter().chain(&wanted).enumerate() {
                prop_assert_eq!(checked.is_valid(row).then(|| checked.value(row)), wanted.as_deref());
                prop_assert_eq!(answers[0].value(row), wanted.as_ref().is_some_and(|text| text.len() < 5));
                prop_assert_eq!(answers[1].value(row), wanted.is_none());
            }
        }
    }
}
