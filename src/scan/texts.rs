//! Texts of a record turned into codes, decoded straight from pages.

use super::Books;
use super::batch::{decide, decision_of};
use super::books::{BookMark, NONE, TextBook, own_code};
use super::cursor::Kind;
use super::seen::Seen;
use crate::flow::Address;
use crate::flow::schema::{Field, is_missing};
use parquet::errors::{ParquetError, Result};
use std::borrow::Cow;

/// Walks texts that each stand behind their length.
pub(super) struct Plain<'a> {
    bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Plain<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Returns the next text's bytes.
    ///
    /// # Errors
    /// When it ends behind the page.
    #[inline]
    pub(super) fn next(&mut self) -> Result<&'a [u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let text = rest.split_first_chunk::<4>().and_then(|(length, rest)| {
            let length = u32::from_le_bytes(*length) as usize;
            rest.get(..length)
        });
        let text = text.ok_or_else(|| ParquetError::General("text ends behind its page".to_owned()))?;
        self.at += 4 + text.len();
        Ok(text)
    }
}

/// Tells that bytes are no text.
pub(super) fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|error| ParquetError::General(format!("text is not UTF-8: {error}")))
}

/// Returns what a text of a describing or naming column says; `None` for the stand-ins of a missing value.
///
/// Account numbers that went through pandas lost their leading zeros; they get them back.
pub(super) fn value_of(text: &str, account: bool) -> Option<Cow<'_, str>> {
    let text = text.trim();
    if is_missing(text) {
        None
    } else if account && text.len() < 12 && text.bytes().all(|b| b.is_ascii_digit()) {
        Some(Cow::Owned(format!("{text:0>12}")))
    } else {
        Some(Cow::Borrowed(text))
    }
}

/// How the texts of a field are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Meaning {
    /// As they stand there.
    #[default]
    Text,
    /// An account number, which may have lost its zeros.
    Account,
    /// `action`, `flow_direction` or `log_status`: in AWS's words, whatever OCSF or the case says.
    Decision,
}

impl Meaning {
    /// How the texts of a field are shown.
    pub fn of(field: Field) -> Self {
        match field {
            Field::AccountId => Self::Account,
            Field::Action | Field::FlowDirection | Field::LogStatus => Self::Decision,
            _ => Self::Text,
        }
    }

    /// Returns what a text says; `None` for the stand-ins of a missing value.
    pub fn value_of(self, text: &str) -> Option<Cow<'_, str>> {
        let value = value_of(text, self == Self::Account)?;
        if self != Self::Decision || matches!(&*value, "ACCEPT" | "REJECT" | "ingress" | "egress" | "OK") {
            return Some(value);
        }
        // Owned: the word does not stand in the page that the text was read from.
        Some(decision_of(&value).map_or(value, |decision| Cow::Owned(decision.word().to_owned())))
    }
}

/// Decodes a column of addresses.
#[derive(Default)]
pub(super) struct Addresses {
    seen: Seen,
}

impl Kind for Addresses {
    type Out = u32;

    fn missing() -> u32 {
        NONE
    }

    fn dictionary(&mut self, bytes: &[u8], count: usize, books: &Books, table: &mut Vec<u32>) -> Result<()> {
        let mut texts = Plain::new(bytes);
        let mut booked = Vec::new();
        for place in 0..count {
            let text = texts.next()?;
            let address = Address::parse(text);
            table.push(address.and_then(own_code).unwrap_or(NONE));
            match address {
                Some(address) if own_code(address).is_none() => booked.push((place, address)),
                Some(_) => {}
                None => drop(utf8(text)?),
            }
        }
        if !booked.is_empty() {
            let codes = books.addresses.enter_all(booked.iter().map(|(_, address)| Some(*address)));
            for ((place, _), code) in booked.iter().zip(codes) {
                table[*place] = code;
            }
        }
        Ok(())
    }

    fn plain(&mut self, bytes: &[u8], books: &Books, out: &mut [u32]) -> Result<usize> {
        let mut texts = Plain::new(bytes);
        for out in out.iter_mut() {
            let text = texts.next()?;
            // To parse four octets takes no longer than to look them up.
            let is_dotted = (7..=15).contains(&text.len()) && text[1..4].contains(&b'.');
            let code = if is_dotted { Address::parse(text).and_then(own_code) } else { None };
            *out = match code {
                Some(code) => code,
                None => self.seen.code(text, |text| match Address::parse(text) {
                    Some(address) => Ok(own_code(address).unwrap_or_else(|| books.addresses.enter(address))),
                    None => utf8(text).map(|_| NONE),
                })?,
            };
        }
        Ok(texts.at)
    }

    fn forget(&mut self) {
        self.seen.clear();
    }
}

/// Decodes `action`, `log_status` or `flow_direction`.
#[derive(Default)]
pub(super) struct Decisions;

impl Kind for Decisions {
    type Out = u8;

    fn missing() -> u8 {
        0
    }

    fn dictionary(&mut self, bytes: &[u8], count: usize, _: &Books, table: &mut Vec<u8>) -> Result<()> {
        let mut texts = Plain::new(bytes);
        for _ in 0..count {
            table.push(decide(utf8(texts.next()?)?));
        }
        Ok(())
    }

    fn plain(&mut self, bytes: &[u8], _: &Books, out: &mut [u8]) -> Result<usize> {
        let mut texts = Plain::new(bytes);
        // There are few texts, and their lengths and first letters tell them apart.
        let mut seen: [(&[u8], u8); 16] = [(&[], 0); 16];
        for out in out.iter_mut() {
            let text = texts.next()?;
            let (known, code) = &mut seen[(text.len() ^ usize::from(text.first().copied().unwrap_or(0))) & 15];
            if *known != text {
                (*known, *code) = (text, decide(utf8(text)?));
            }
            *out = *code;
        }
        Ok(texts.at)
    }
}

/// Decodes a column of names: interfaces and services.
#[derive(Default)]
pub(super) struct Names {
    seen: Seen,
    /// Whose numbers were seen: the objects of a unit mostly have the same names.
    book: BookMark,
}

impl Names {
    /// Forgets the numbers of another book.
    fn turn_to(&mut self, book: &TextBook) {
        if !self.book.is_of(book) {
            self.seen.clear();
            self.book = book.mark();
        }
    }
}

impl Kind for Names {
    type Out = u32;

    fn missing() -> u32 {
        NONE
    }

    fn dictionary(&mut self, bytes: &[u8], count: usize, books: &Books, table: &mut Vec<u32>) -> Result<()> {
        self.turn_to(&books.texts);
        let mut plain = Plain::new(bytes);
        let mut texts: Vec<&[u8]> = Vec::with_capacity(count.min(bytes.len() / 4));
        for _ in 0..count {
            texts.push(plain.next()?);
        }
        let mut new: Vec<(usize, &[u8])> = Vec::new();
        self.seen.get_all(&texts, |place, code| {
            table.push(code.unwrap_or_else(|| {
                new.push((place, texts[place]));
                NONE
            }));
        });
        let values = new.iter().map(|(_, text)| Ok(value_of(utf8(text)?, false))).collect::<Result<Vec<_>>>()?;
        let numbers = books.texts.enter_all(values.iter().map(|value| value.as_deref()));
        for ((place, text), number) in new.into_iter().zip(numbers) {
            table[place] = number;
            self.seen.put(text, number);
        }
        Ok(())
    }

    fn plain(&mut self, bytes: &[u8], books: &Books, out: &mut [u32]) -> Result<usize> {
        self.turn_to(&books.texts);
        let mut texts = Plain::new(bytes);
        for out in out.iter_mut() {
            *out = self.seen.code(texts.next()?, |text| {
                let value = value_of(utf8(text)?, false);
                Ok(value.map_or(NONE, |value| books.texts.enter(&value)))
            })?;
        }
        Ok(texts.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain(texts: &[String]) -> Vec<u8> {
        texts.iter().flat_map(|text| [&(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()).collect()
    }

    fn addresses() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<[u8; 4]>().prop_map(|[a, b, c, d]| format!("{a}.{b}.{c}.{d}")),
            "[0-9]{0,4}(\\.[0-9]{0,4}){2,4}",
            "[0-9./:;-]{0,17}",
            any::<u128>().prop_map(|bits| std::net::Ipv6Addr::from(bits).to_string()),
            any::<[u8; 4]>().prop_map(|[a, b, c, d]| format!(" {a}.{b}.{c}.{d}\t")),
            Just("-".to_owned()),
        ]
    }

    proptest! {
        #[test]
        fn addresses_are_read_as_one_by_one(texts in prop::collection::vec(addresses(), 1..40)) {
            let books = Books::default();
            let bytes = plain(&texts);
            let mut column = Addresses::default();
            let mut table = Vec::new();
            column.dictionary(&bytes, texts.len(), &books, &mut table).unwrap();
            let mut rows = vec![0; texts.len()];
            prop_assert_eq!(column.plain(&bytes, &books, &mut rows).unwrap(), bytes.len());
            let one = |text: &String| Address::parse(text.as_bytes());
            let wanted = books.addresses.enter_all(texts.iter().map(one));
            prop_assert_eq!(&table, &wanted);
            prop_assert_eq!(&rows, &wanted);
        }

        #[test]
        fn names_and_decisions_are_read_as_one_by_one(
            texts in prop::collection::vec(prop::sample::select(vec!["ACCEPT", "REJECT", "ok", "-", "", " x ", "eni-1", "Egress"]), 1..60),
        ) {
            let books = Books::default();
            let texts: Vec<String> = texts.into_iter().map(str::to_owned).collect();
            let bytes = plain(&texts);
            let (mut names, mut decisions) = (vec![0; texts.len()], vec![0; texts.len()]);
            Names::default().plain(&bytes, &books, &mut names).unwrap();
            Decisions.plain(&bytes, &books, &mut decisions).unwrap();
            let values = texts.iter().map(|text| value_of(text, false));
            let numbers = books.texts.enter_all(values.collect::<Vec<_>>().iter().map(Option::as_deref));
            prop_assert_eq!(names, numbers);
            prop_assert_eq!(decisions, texts.iter().map(|text| decide(text)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn another_books_numbers_are_not_taken_for_this_ones() {
        let mut names = Names::default();
        let (first, second) = (Books::default(), Books::default());
        second.texts.enter("eni-other");
        let bytes = plain(&["eni-1".to_owned(), "-".to_owned(), "eni-2".to_owned(), "eni-1".to_owned()]);
        for (books, wanted) in [(&first, [0, NONE, 1, 0]), (&first, [0, NONE, 1, 0]), (&second, [1, NONE, 2, 1])] {
            let mut table = Vec::new();
            names.dictionary(&bytes, 4, books, &mut table).unwrap();
            assert_eq!(table, wanted);
            let mut rows = [0; 4];
            names.plain(&bytes, books, &mut rows).unwrap();
            assert_eq!(rows, wanted);
        }
        let damaged = [&bytes[..], &[2, 0, 0, 0, 0xff, 0xff]].concat();
        assert!(names.dictionary(&damaged, 5, &first, &mut Vec::new()).is_err());
    }
}
