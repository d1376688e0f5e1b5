//! A line of words and quoted words to its fields.

use std::borrow::Cow;

/// Most fields of a line that are kept; AWS writes 34 and adds to them.
const MOST_FIELDS: usize = 40;

/// The fields of a line.
pub(super) struct Fields<'a> {
    parts: [&'a [u8]; MOST_FIELDS],
    count: usize,
}

impl<'a> Fields<'a> {
    /// Splits a line at its spaces. Within double quotes a space is part of the word, and `\"` a quote.
    pub fn of(line: &'a [u8]) -> Self {
        let mut fields = Self { parts: [&[]; MOST_FIELDS], count: 0 };
        let mut at = 0;
        while at < line.len() && fields.count < MOST_FIELDS {
            let (word, next) = if line[at] == b'"' { quoted(line, at + 1) } else { bare(line, at) };
            fields.parts[fields.count] = word;
            fields.count += 1;
            at = next;
        }
        fields
    }

    /// Returns how many fields the line has.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Returns a field as it stands; empty behind the last, and for `-`.
    pub fn raw(&self, place: usize) -> &'a [u8] {
        match self.parts[..self.count].get(place) {
            None | Some(&b"-") => b"",
            Some(word) => word,
        }
    }

    /// Returns a field as a text, without its escapes.
    pub fn text(&self, place: usize) -> Cow<'a, str> {
        let text = String::from_utf8_lossy(self.raw(place));
        if memchr::memchr(b'\\', text.as_bytes()).is_none() {
            return text;
        }
        let mut plain = String::with_capacity(text.len());
        let mut rest = text.chars().peekable();
        while let Some(next) = rest.next() {
            match (next, rest.peek()) {
                ('\\', Some('"' | '\\')) => plain.extend(rest.next()),
                _ => plain.push(next),
            }
        }
        plain.into()
    }

    /// Returns a field as a whole number; `None` for any other.
    pub fn number(&self, place: usize) -> Option<u64> {
        std::str::from_utf8(self.raw(place)).ok()?.parse().ok()
    }

    /// Returns the sum of three fields of seconds in milliseconds; -1 is none, and `None` if all are none.
    pub fn seconds_ms(&self, places: [usize; 3]) -> Option<u64> {
        let seconds = places.map(|place| std::str::from_utf8(self.raw(place)).ok()?.parse::<f64>().ok());
        let known = seconds.into_iter().flatten().filter(|seconds| *seconds >= 0.0);
        known.map(|seconds| (seconds * 1_000.0) as u64).reduce(u64::saturating_add)
    }
}

fn quoted(line: &[u8], begin: usize) -> (&[u8], usize) {
    let mut at = begin;
    loop {
        match memchr::memchr2(b'"', b'\\', line.get(at..).unwrap_or_default()) {
            Some(next) if line[at + next] == b'"' => {
                let end = at + next;
                // `"h2","http/1.1"` is one field.
                if line.get(end + 1) == Some(&b',') {
                    at = end + 2;
                    if line.get(at) == Some(&b'"') {
                        at += 1;
                    }
                    continue;
                }
                return (&line[begin..end], end + 2);
            }
            Some(next) => at += next + 2,
            None => return (&line[begin..], line.len()),
        }
    }
}

fn bare(line: &[u8], begin: usize) -> (&[u8], usize) {
    let end = memchr::memchr(b' ', &line[begin..]).map_or(line.len(), |next| begin + next);
    (&line[begin..end], end + 1)
}

/// Splits `address:port` at its last colon; IPv6 comes without brackets, or with.
pub(super) fn address_and_port(text: &[u8]) -> (Cow<'_, str>, Option<u16>) {
    let text = String::from_utf8_lossy(text);
    let Some(colon) = text.rfind(':') else { return (text, None) };
    let port = text[colon + 1..].parse().ok();
    let bare = |text: &str| text.trim_start_matches('[').trim_end_matches(']').len() == text.len();
    match text {
        Cow::Borrowed(text) if bare(&text[..colon]) => (Cow::Borrowed(&text[..colon]), port),
        text => (Cow::Owned(text[..colon].trim_matches(['[', ']']).to_owned()), port),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotes_hold_spaces_quotes_and_lists() {
        let fields = Fields::of(br#"a "b c" - "d \"e\" \\" "h2","http/1.1" f"#);
        let texts: Vec<_> = (0..fields.count()).map(|place| fields.text(place).into_owned()).collect();
        assert_eq!(texts, ["a", "b c", "", r#"d "e" \"#, r#"h2","http/1.1"#, "f"]);
        assert_eq!(fields.raw(99), b"");
    }

    #[test]
    fn ports_stand_behind_the_last_colon() {
        assert_eq!(address_and_port(b"198.19.7.7:443"), ("198.19.7.7".into(), Some(443)));
        assert_eq!(address_and_port(b"2001:db8::17:51823"), ("2001:db8::17".into(), Some(51_823)));
        assert_eq!(address_and_port(b"[2001:db8::17]:443"), ("2001:db8::17".into(), Some(443)));
        assert_eq!(address_and_port(b""), ("".into(), None));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(line in prop::collection::vec(prop::sample::select(b"\"\\ ,-a1\xff".to_vec()), 0..60)) {
            let fields = Fields::of(&line);
            for place in 0..fields.count() + 2 {
                let _ = (fields.text(place), fields.number(place), address_and_port(fields.raw(place)));
            }
        }

        #[test]
        fn what_was_quoted_comes_out(words in prop::collection::vec("[ -~&&[^,]]{1,12}", 1..30)) {
            let line: Vec<String> =
                words.iter().map(|word| format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))).collect();
            let line = line.join(" ");
            let fields = Fields::of(line.as_bytes());
            prop_assert_eq!(fields.count(), words.len());
            for (place, word) in words.iter().enumerate() {
                let word = if word == "-" { "" } else { word };
                prop_assert_eq!(fields.text(place), word);
            }
        }
    }
}
