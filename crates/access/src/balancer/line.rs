//! A line of words and quoted words to its fields.

use std::borrow::Cow;

/// Most fields of a line that are kept: those that all lines of an application balancer have. AWS writes 34 and adds to
/// them.
const MAX_FIELDS: usize = 25;

/// The fields of a line.
pub(super) struct Fields<'a> {
    parts: [&'a str; MAX_FIELDS],
    count: usize,
}

impl<'a> Fields<'a> {
    /// Splits a line at its spaces. Within double quotes a space is part of the word, and `\"` a quote.
    pub fn of(line: &'a str) -> Self {
        let mut fields = Self { parts: [""; MAX_FIELDS], count: 0 };
        let mut at = 0;
        while at < line.len() && fields.count < MAX_FIELDS {
            let (word, next) = if line.as_bytes()[at] == b'"' { quoted(line, at + 1) } else { bare(line, at) };
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
    pub fn raw(&self, place: usize) -> &'a str {
        match self.parts[..self.count].get(place) {
            None | Some(&"-") => "",
            Some(word) => word,
        }
    }

    /// Returns a field as a text, without its escapes.
    pub fn text(&self, place: usize) -> Cow<'a, str> {
        let text = self.raw(place);
        if memchr::memchr(b'\\', text.as_bytes()).is_none() {
            return text.into();
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
        self.raw(place).parse().ok()
    }

    /// Returns the sum of three fields of seconds in milliseconds; -1 is none, and `None` if all are none.
    pub fn seconds_ms(&self, places: [usize; 3]) -> Option<u64> {
        let seconds = places.map(|place| self.raw(place).parse::<f64>().ok());
        let known = seconds.into_iter().flatten().filter(|seconds| *seconds >= 0.0);
        known.map(|seconds| (seconds * 1_000.0) as u64).reduce(u64::saturating_add)
    }
}

/// Returns the word behind a quote, and where the next one begins. All marks are ASCII, so every part is a text.
fn quoted(line: &str, begin: usize) -> (&str, usize) {
    let bytes = line.as_bytes();
    let mut at = begin;
    loop {
        match memchr::memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
            Some(next) if bytes[at + next] == b'"' => {
                let end = at + next;
                // `"h2","http/1.1"` is one field.
                if bytes.get(end + 1) == Some(&b',') {
                    at = end + 2;
                    if bytes.get(at) == Some(&b'"') {
                        at += 1;
                    }
                    continue;
                }
                return (line.get(begin..end).unwrap_or_default(), next_word(bytes, end + 1));
            }
            Some(next) => at += next + 2,
            None => return (line.get(begin..).unwrap_or_default(), line.len()),
        }
    }
}

/// Returns where the next word begins: behind the space that should be here.
fn next_word(line: &[u8], at: usize) -> usize {
    if line.get(at) == Some(&b' ') { at + 1 } else { at }
}

fn bare(line: &str, begin: usize) -> (&str, usize) {
    let rest = line.get(begin..).unwrap_or_default();
    let end = memchr::memchr(b' ', rest.as_bytes()).unwrap_or(rest.len());
    (&rest[..end], begin + end + 1)
}

/// Splits `address:port` at its last colon; IPv6 comes without brackets, or with.
pub(super) fn address_and_port(text: &str) -> (Cow<'_, str>, Option<u16>) {
    let Some((address, port)) = text.rsplit_once(':') else { return (text.into(), None) };
    (address.trim_start_matches('[').trim_end_matches(']').into(), port.parse().ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotes_hold_spaces_quotes_and_lists() {
        let fields = Fields::of(r#"a "b c" - "d \"e\" \\" "h2","http/1.1" f"#);
        let texts: Vec<_> = (0..fields.count()).map(|place| fields.text(place).into_owned()).collect();
        assert_eq!(texts, ["a", "b c", "", r#"d "e" \"#, r#"h2","http/1.1"#, "f"]);
        assert_eq!(fields.raw(99), "");
    }

    #[test]
    fn ports_stand_behind_the_last_colon() {
        assert_eq!(address_and_port("198.19.7.7:443"), ("198.19.7.7".into(), Some(443)));
        assert_eq!(address_and_port("2001:db8::17:51823"), ("2001:db8::17".into(), Some(51_823)));
        assert_eq!(address_and_port("[2001:db8::17]:443"), ("2001:db8::17".into(), Some(443)));
        assert_eq!(address_and_port(""), ("".into(), None));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(line in "[\"\\\\ ,a1é-]{0,60}") {
            let fields = Fields::of(&line);
            for place in 0..fields.count() + 2 {
                let _ = (fields.text(place), fields.number(place), address_and_port(fields.raw(place)));
            }
        }

        #[test]
        fn what_was_quoted_comes_out(words in prop::collection::vec("[ -~&&[^,]]{1,12}", 1..=MAX_FIELDS)) {
            let line: Vec<String> =
                words.iter().map(|word| format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))).collect();
            let line = line.join(" ");
            let fields = Fields::of(&line);
            prop_assert_eq!(fields.count(), words.len());
            for (place, word) in words.iter().enumerate() {
                let word = if word == "-" { "" } else { word };
                prop_assert_eq!(fields.text(place), word);
            }
        }
    }
}
