//! A place in a JSON text.
//!
//! The cursor finds the bounds of values and does not check the grammar of what it passes over: `{"a":tru}` has bounds.
//! Texts that it returns are as serde_json would return them.

use std::borrow::Cow;

use super::block::{Before, Block, end_of, quote_or_escape, quotes_or_escapes};
use crate::error::Broken;

/// A place in a JSON text, before a value or between two.
pub(crate) struct Cursor<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub const fn new(text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes(), at: 0 }
    }

    /// Returns the byte that the cursor stands at.
    pub const fn at(&self) -> usize {
        self.at
    }

    /// Goes back to a byte where the cursor stood before.
    pub fn return_to(&mut self, at: usize) {
        debug_assert!(at <= self.at);
        self.at = at;
    }

    pub const fn broken(&self, expected: &'static str) -> Broken {
        Broken { at: self.at, expected }
    }

    /// Returns the next byte that is no white space; `None` at the end.
    #[inline]
    pub fn peek(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                next => return next.copied(),
            }
        }
    }

    #[inline]
    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Returns a part of the text. Both ends stand at ASCII, so there always is one.
    #[inline]
    pub fn slice(&self, begin: usize, end: usize) -> &'a str {
        self.text.get(begin..end).unwrap_or_default()
    }

    /// Passes over what stands between texts of a stream: white space, a byte order mark, record separators, commas.
    pub fn between(&mut self) -> Option<u8> {
        loop {
            match self.peek()? {
                b',' | 0x1e => self.at += 1,
                0xef if self.bytes[self.at..].starts_with(&[0xef, 0xbb, 0xbf]) => self.at += 3,
                byte => return Some(byte),
            }
        }
    }

    /// Passes over a string; the cursor stands at its opening quote. Returns whether it has escapes.
    #[inline]
    fn string(&mut self) -> Result<bool, Broken> {
        let begin = self.at + 1;
        // Most strings are short.
        if let Some(part) = self.bytes.get(begin..).and_then(|rest| rest.first_chunk()) {
            let end = begin + quotes_or_escapes(part).trailing_zeros() as usize;
            if self.bytes.get(end) == Some(&b'"') && end < begin + part.len() {
                self.at = end + 1;
                return Ok(false);
            }
        }
        self.long_string()
    }

    /// Does the same as [`Cursor::string`] for any length.
    #[inline(never)]
    fn long_string(&mut self) -> Result<bool, Broken> {
        let mut at = self.at + 1;
        let mut escaped = false;
        loop {
            let rest = self.bytes.get(at..).unwrap_or_default();
            let Some(next) = quote_or_escape(rest) else { return Err(self.broken("the end of this string")) };
            if rest[next] == b'"' {
                self.at = at + next + 1;
                return Ok(escaped);
            }
            escaped = true;
            at += next + 2;
        }
    }

    /// Passes over a value and returns it as it is written.
    #[inline]
    pub fn skip(&mut self) -> Result<&'a str, Broken> {
        let first = self.peek();
        let begin = self.at;
        match first {
            Some(b'"') => {
                self.string()?;
            }
            Some(b'{' | b'[') => self.nested()?,
            Some(b'}' | b']' | b',' | b':') | None => return Err(self.broken("a value")),
            Some(_) => {
                while self.bytes.get(self.at).is_some_and(|byte| {
                    !matches!(byte, b',' | b'}' | b']' | b':' | b'"' | b'{' | b'[' | b' ' | b'\n' | b'\r' | b'\t')
                }) {
                    self.at += 1;
                }
            }
        }
        Ok(self.slice(begin, self.at))
    }

    /// Passes over a value.
    #[inline]
    pub fn pass(&mut self) -> Result<(), Broken> {
        self.skip().map(drop)
    }

    /// Passes over an object or an array with all that is in it, however deep; the cursor stands at its bracket.
    fn nested(&mut self) -> Result<(), Broken> {
        let (mut depth, mut at, mut before) = (0, self.at, Before::default());
        loop {
            let rest = self.bytes.get(at..).unwrap_or_default();
            let block = match rest.first_chunk() {
                Some(block) => Block::of(block),
                None if rest.is_empty() => return Err(self.broken("the end of this value")),
                None => {
                    let mut padded = [0; Block::BYTES];
                    padded[..rest.len()].copy_from_slice(rest);
                    Block::of(&padded)
                }
            };
            let (within, after) = block.strings(before);
            let (opens, closes) = (block.opens & !within, block.closes & !within);
            let fewer = closes.count_ones() as usize;
            if depth <= fewer
                && let Some(end) = end_of(opens, closes, depth)
            {
                self.at = at + end + 1;
                return Ok(());
            }
            depth = depth + opens.count_ones() as usize - fewer;
            before = after;
            at += Block::BYTES;
        }
    }

    /// Calls `field` with each key of an object, the cursor before its value; `field` passes over the value. Returns
    /// whether the value was an object; another value is passed over.
    #[inline]
    pub fn object(&mut self, mut field: impl FnMut(&mut Self, &[u8]) -> Result<(), Broken>) -> Result<bool, Broken> {
        if !self.take(b'{') {
            self.skip()?;
            return Ok(false);
        }
        if self.take(b'}') {
            return Ok(true);
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.broken("a key"));
            }
            let begin = self.at + 1;
            let escaped = self.string()?;
            let end = self.at - 1;
            if !self.take(b':') {
                return Err(self.broken("`:`"));
            }
            let unescaped;
            let key = if escaped {
                unescaped = self.unescape(self.slice(begin, end))?;
                unescaped.as_bytes()
            } else {
                &self.bytes[begin..end]
            };
            field(self, key)?;
            if self.take(b'}') {
                return Ok(true);
            }
            if !self.take(b',') {
                return Err(self.broken("`,` or `}`"));
            }
        }
    }

    /// Calls `element` before each element of an array; `element` passes over it. Another value is passed over.
    #[inline]
    pub fn array(&mut self, mut element: impl FnMut(&mut Self) -> Result<(), Broken>) -> Result<(), Broken> {
        if !self.take(b'[') {
            self.skip()?;
            return Ok(());
        }
        if self.take(b']') {
            return Ok(());
        }
        loop {
            element(self)?;
            if self.take(b']') {
                return Ok(());
            }
            if !self.take(b',') {
                return Err(self.broken("`,` or `]`"));
            }
        }
    }

    /// Returns the text of a string; `None` for another value.
    pub fn text(&mut self) -> Result<Option<Cow<'a, str>>, Broken> {
        let mut text = None;
        self.text_to(&mut text)?;
        Ok(text)
    }

    /// Does the same as [`Cursor::text`], in place: a text that is returned is copied, and most records have many.
    pub fn text_to(&mut self, text: &mut Option<Cow<'a, str>>) -> Result<(), Broken> {
        if self.peek() != Some(b'"') {
            self.skip()?;
            *text = None;
            return Ok(());
        }
        let begin = self.at + 1;
        let escaped = self.string()?;
        let within = self.slice(begin, self.at - 1);
        *text = Some(if escaped { Cow::Owned(self.unescape(within)?) } else { Cow::Borrowed(within) });
        Ok(())
    }

    #[cold]
    fn unescape(&self, within: &str) -> Result<String, Broken> {
        serde_json::from_str(&format!("\"{within}\""))
            .map_err(|_| self.broken("a string with valid escapes before this"))
    }

    /// Returns a number; `None` for another value.
    pub fn number(&mut self) -> Result<Option<f64>, Broken> {
        let value = self.skip()?;
        Ok(if value.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
            value.parse().ok()
        } else {
            None
        })
    }

    /// Returns a truth; `None` for another value.
    pub fn truth(&mut self) -> Result<Option<bool>, Broken> {
        Ok(match self.skip()? {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_and_texts_are_those_of_serde() {
        let text = r#" {"a":"x\ny","b" : 1.5, "\u0063":true,"d":{"e":["}",{}]},"f":null}"#;
        let mut cursor = Cursor::new(text);
        let mut seen = Vec::new();
        let is_object = cursor.object(|cursor, key| {
            let key = String::from_utf8_lossy(key).into_owned();
            let value = match key.as_str() {
                "a" => format!("{:?}", cursor.text()?),
                "b" => format!("{:?}", cursor.number()?),
                "c" => format!("{:?}", cursor.truth()?),
                _ => cursor.skip()?.to_owned(),
            };
            seen.push(format!("{key}={value}"));
            Ok(())
        });
        assert_eq!(is_object, Ok(true));
        assert_eq!(seen, [r#"a=Some("x\ny")"#, "b=Some(1.5)", "c=Some(true)", r#"d={"e":["}",{}]}"#, "f=null"]);
    }

    #[test]
    fn what_has_no_end_is_told_with_its_beginning() {
        for (text, at) in [(r#"{"a":"b"#, 5), (r#"{"a":[1"#, 5), (r#"{"a""#, 4), (r#"{"a":1"#, 6), ("{1:2}", 1)] {
            let error = Cursor::new(text).object(|cursor, _| cursor.skip().map(drop)).unwrap_err();
            assert_eq!(error.at, at, "{text}: {}", error.expected);
        }
    }

    fn walk(cursor: &mut Cursor<'_>) -> Result<(), Broken> {
        cursor.object(|cursor, key| match key.first() {
            Some(b'a') => cursor.text().map(drop),
            Some(b'n') => cursor.number().map(drop),
            Some(b'l') => cursor.array(|cursor| cursor.skip().map(drop)),
            _ => cursor.skip().map(drop),
        })?;
        Ok(())
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in r#"[\{\}\[\]",:\\aln1 u]{0,60}"#) {
            let _ = walk(&mut Cursor::new(&bytes));
        }

        #[test]
        fn passes_over_whatever_serde_writes(text in ".{0,20}", number in any::<f64>(), deep in 0usize..30) {
            let value = serde_json::json!({"a": text, "b": [number, {"c": null}], "d": "[\\\"".repeat(deep)});
            let written = value.to_string();
            let mut cursor = Cursor::new(&written);
            prop_assert_eq!(cursor.skip().unwrap(), written.as_str());
        }
    }
}
