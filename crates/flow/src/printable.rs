//! Text that others wrote, in a form that cannot steer a terminal.
//!
//! Logs, object keys and lists may hold escape sequences that move the cursor, colour the screen or set the clipboard,
//! and marks that turn the direction of writing. A terminal gets each of them as the escape that names it.

use std::fmt::Write as _;
use std::io::{Result, Write};

/// Returns text with its control characters as escapes, in one line: `\n`, `\t`, `\x1b`, `\u{202e}`.
pub fn printable(text: &str) -> String {
    escaped(text, false)
}

/// Returns text as [`printable`] does, but leaves its lines as they are.
pub fn printable_lines(text: &str) -> String {
    escaped(text, true)
}

fn escaped(text: &str, lines: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' if lines => shown.push('\n'),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            // Writing to a string does not fail.
            '\0'..='\x1f' | '\x7f' => drop(write!(shown, "\\x{:02x}", u32::from(letter))),
            _ if steers(letter) => drop(write!(shown, "\\u{{{:x}}}", u32::from(letter))),
            _ => shown.push(letter),
        }
    }
    shown
}

/// Returns whether a character acts instead of being shown: C1 controls, ends of lines, and marks of the direction of
/// writing.
fn steers(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Writes JSON with U+007F to U+009F as escapes, which JSON's own writers leave as they are.
#[derive(Debug)]
pub struct EscapedJson<W: Write> {
    to: W,
    /// The last bytes written end with the first byte of such a character.
    begun: bool,
}

/// The first byte of U+0080 to U+00BF in UTF-8.
const FIRST: u8 = 0xc2;

impl<W: Write> EscapedJson<W> {
    /// Writes to `to`.
    pub fn new(to: W) -> Self {
        Self { to, begun: false }
    }

    /// Returns the writer below.
    pub fn into_inner(self) -> W {
        self.to
    }
}

impl<W: Write> Write for EscapedJson<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let mut plain_from = 0;
        for (at, byte) in bytes.iter().enumerate() {
            let escape = match (std::mem::take(&mut self.begun), *byte) {
                (true, 0x80..=0x9f) => true,
                (true, _) => {
                    self.to.write_all(&[FIRST])?;
                    false
                }
                (false, 0x7f) => true,
                (false, FIRST) => {
                    self.to.write_all(&bytes[plain_from..at])?;
                    (self.begun, plain_from) = (true, at + 1);
                    false
                }
                (false, _) => false,
            };
            if escape {
                self.to.write_all(&bytes[plain_from..at])?;
                write!(self.to, "\\u00{byte:02x}")?;
                plain_from = at + 1;
            }
        }
        self.to.write_all(&bytes[plain_from..])?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_safe() {
        assert_eq!(printable("a\u{1b}[31mb\n\t\r\0\u{7f}\u{9b}"), "a\\x1b[31mb\\n\\t\\r\\x00\\x7f\\u{9b}");
        assert_eq!(printable("key\u{202e}gpj.exe\u{2028}é→"), "key\\u{202e}gpj.exe\\u{2028}é→");
        assert_eq!(printable_lines("a\n b\u{1b}c"), "a\n b\\x1bc");
    }

    #[test]
    fn json_has_no_control_characters_however_it_is_cut() {
        let text = "[\"é\u{7f}\u{80}\u{9f}\u{a0}\u{c2}→\"]";
        for each in 1..text.len() {
            let mut json = EscapedJson::new(Vec::new());
            text.as_bytes().chunks(each).for_each(|part| json.write_all(part).unwrap());
            let json = String::from_utf8(json.into_inner()).unwrap();
            assert_eq!(json, "[\"é\\u007f\\u0080\\u009f\u{a0}\u{c2}→\"]", "{each}");
        }
    }
}
