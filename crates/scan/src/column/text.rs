//! Decodes texts straight from pages to codes: addresses, decisions, and names.

use super::decoder::ColumnDecoder;
use super::plain_text::{PlainTexts, utf8};
use super::text_cache::TextCache;
use crate::interner::{InternerMark, Interners, NONE, TextInterner, own_code};
use crate::value::decision::decision_code;
use crate::value::text::Meaning;
use flow::Address;
use parquet::errors::Result;

/// Decodes a column of addresses.
#[derive(Default)]
pub(crate) struct AddressDecoder {
    cache: TextCache,
}

impl ColumnDecoder for AddressDecoder {
    type Out = u32;

    fn missing() -> u32 {
        NONE
    }

    fn dictionary(&mut self, bytes: &[u8], count: usize, interners: &Interners, table: &mut Vec<u32>) -> Result<()> {
        let mut texts = PlainTexts::new(bytes);
        let mut interned = Vec::new();
        for index in 0..count {
            let text = texts.next()?;
            let address = Address::parse(text);
            table.push(address.and_then(own_code).unwrap_or(NONE));
            match address {
                Some(address) if own_code(address).is_none() => interned.push((index, address)),
                Some(_) => {}
                None => drop(utf8(text)?),
            }
        }
        if !interned.is_empty() {
            let codes = interners.addresses.intern_all(interned.iter().map(|(_, address)| Some(*address)));
            for ((index, _), code) in interned.iter().zip(codes) {
                table[*index] = code;
            }
        }
        Ok(())
    }

    fn plain(&mut self, bytes: &[u8], interners: &Interners, out: &mut [u32]) -> Result<usize> {
        let mut texts = PlainTexts::new(bytes);
        for out in out.iter_mut() {
            let text = texts.next()?;
            // Parsing four octets takes no longer than looking them up.
            let is_dotted = (7..=15).contains(&text.len()) && text[1..4].contains(&b'.');
            let code = if is_dotted { Address::parse(text).and_then(own_code) } else { None };
            *out = match code {
                Some(code) => code,
                None => self.cache.code(text, |text| match Address::parse(text) {
                    Some(address) => Ok(own_code(address).unwrap_or_else(|| interners.addresses.intern(address))),
                    None => utf8(text).map(|_| NONE),
                })?,
            };
        }
        Ok(texts.at)
    }

    fn forget(&mut self) {
        self.cache.clear();
    }
}

/// Decodes `action`, `log_status` or `flow_direction`.
#[derive(Default)]
pub(crate) struct DecisionDecoder;

impl ColumnDecoder for DecisionDecoder {
    type Out = u8;

    fn missing() -> u8 {
        0
    }

    fn dictionary(&mut self, bytes: &[u8], count: usize, _: &Interners, table: &mut Vec<u8>) -> Result<()> {
        let mut texts = PlainTexts::new(bytes);
        for _ in 0..count {
            table.push(decision_code(utf8(texts.next()?)?));
        }
        Ok(())
    }

    fn plain(&mut self, bytes: &[u8], _: &Interners, out: &mut [u8]) -> Result<usize> {
        let mut texts = PlainTexts::new(bytes);
        // There are few texts, and their lengths and first letters differ.
        let mut known_texts: [(&[u8], u8); 16] = [(&[], 0); 16];
        for out in out.iter_mut() {
            let text = texts.next()?;
            let (known, code) = &mut known_texts[(text.len() ^ usize::from(text.first().copied().unwrap_or(0))) & 15];
            if *known != text {
                (*known, *code) = (text, decision_code(utf8(text)?));
            }
            *out = *code;
        }
        Ok(texts.at)
    }
}

/// Decodes a column of names: interfaces and services.
#[derive(Default)]
pub(crate) struct NameDecoder {
    cache: TextCache,
    /// The interner whose numbers are cached: the objects of a unit mostly have the same names.
    interner: InternerMark,
}

impl NameDecoder {
    /// Empties the cache if its numbers are those of another interner.
    fn use_interner(&mut self, interner: &TextInterner) {
        if !self.interner.is_of(interner) {
            self.cache.clear();
            self.interner = interner.mark();
        }
    }
}

impl ColumnDecoder for NameDecoder {
    type Out = u32;

    fn missing() -> u32 {
        NONE
    }

    fn dictionary(&mut self, bytes: &[u8], count: usize, interners: &Interners, table: &mut Vec<u32>) -> Result<()> {
        self.use_interner(&interners.texts);
        let mut plain = PlainTexts::new(bytes);
        let mut texts: Vec<&[u8]> = Vec::with_capacity(count.min(bytes.len() / 4));
        for _ in 0..count {
            texts.push(plain.next()?);
        }
        let mut new: Vec<(usize, &[u8])> = Vec::new();
        self.cache.get_all(&texts, |index, code| {
            table.push(code.unwrap_or_else(|| {
                new.push((index, texts[index]));
                NONE
            }));
        });
        let values = new.iter().map(|(_, text)| Ok(Meaning::Text.value_of(utf8(text)?))).collect::<Result<Vec<_>>>()?;
        let numbers = interners.texts.intern_all(values.iter().map(|value| value.as_deref()));
        for ((index, text), number) in new.into_iter().zip(numbers) {
            table[index] = number;
            self.cache.put(text, number);
        }
        Ok(())
    }

    fn plain(&mut self, bytes: &[u8], interners: &Interners, out: &mut [u32]) -> Result<usize> {
        self.use_interner(&interners.texts);
        let mut texts = PlainTexts::new(bytes);
        for out in out.iter_mut() {
            *out = self.cache.code(texts.next()?, |text| {
                let value = Meaning::Text.value_of(utf8(text)?);
                Ok(value.map_or(NONE, |value| interners.texts.intern(&value)))
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
            let interners = Interners::default();
            let bytes = plain(&texts);
            let mut column = AddressDecoder::default();
            let mut table = Vec::new();
            column.dictionary(&bytes, texts.len(), &interners, &mut table).unwrap();
            let mut rows = vec![0; texts.len()];
            prop_assert_eq!(column.plain(&bytes, &interners, &mut rows).unwrap(), bytes.len());
            let one = |text: &String| Address::parse(text.as_bytes());
            let wanted = interners.addresses.intern_all(texts.iter().map(one));
            prop_assert_eq!(&table, &wanted);
            prop_assert_eq!(&rows, &wanted);
        }

        #[test]
        fn names_and_decisions_are_read_as_one_by_one(
            texts in prop::collection::vec(prop::sample::select(vec!["ACCEPT", "REJECT", "ok", "-", "", " x ", "eni-1", "Egress"]), 1..60),
        ) {
            let interners = Interners::default();
            let texts: Vec<String> = texts.into_iter().map(str::to_owned).collect();
            let bytes = plain(&texts);
            let (mut names, mut decisions) = (vec![0; texts.len()], vec![0; texts.len()]);
            NameDecoder::default().plain(&bytes, &interners, &mut names).unwrap();
            DecisionDecoder.plain(&bytes, &interners, &mut decisions).unwrap();
            let values = texts.iter().map(|text| Meaning::Text.value_of(text));
            let numbers = interners.texts.intern_all(values.collect::<Vec<_>>().iter().map(Option::as_deref));
            prop_assert_eq!(names, numbers);
            prop_assert_eq!(decisions, texts.iter().map(|text| decision_code(text)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn numbers_of_another_interner_are_not_used() {
        let mut names = NameDecoder::default();
        let (first, second) = (Interners::default(), Interners::default());
        second.texts.intern("eni-other");
        let bytes = plain(&["eni-1".to_owned(), "-".to_owned(), "eni-2".to_owned(), "eni-1".to_owned()]);
        for (interners, wanted) in [(&first, [0, NONE, 1, 0]), (&first, [0, NONE, 1, 0]), (&second, [1, NONE, 2, 1])] {
            let mut table = Vec::new();
            names.dictionary(&bytes, 4, interners, &mut table).unwrap();
            assert_eq!(table, wanted);
            let mut rows = [0; 4];
            names.plain(&bytes, interners, &mut rows).unwrap();
            assert_eq!(rows, wanted);
        }
        let damaged = [&bytes[..], &[2, 0, 0, 0, 0xff, 0xff]].concat();
        assert!(names.dictionary(&damaged, 5, &first, &mut Vec::new()).is_err());
    }
}
