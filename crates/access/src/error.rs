//! What can be wrong with a whole object.

use std::fmt;

use flow::printable;

/// An object that cannot be read: where, what stood there, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}, byte {at}: got {got}, expected {expected}")]
pub struct AccessError {
    /// The object's name, as the caller gave it.
    pub place: String,
    /// The byte where reading stopped, in the inflated text, or in the object if it did not inflate.
    pub at: usize,
    /// What stood there, shortened and made printable.
    pub got: String,
    /// What would have been right.
    pub expected: &'static str,
}

/// A record that was counted and skipped: where it begins, and what was missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRecord {
    /// The byte where the record begins in the inflated text; for lines, the line's number, from 1.
    pub at: usize,
    /// What would have been right.
    pub expected: &'static str,
}

impl fmt::Display for BadRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record at {}: expected {}", self.at, self.expected)
    }
}

/// A text that is not what its format says, before it is known which object holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken {
    pub at: usize,
    pub expected: &'static str,
}

impl Broken {
    /// Returns the error of the object that holds `text`.
    pub fn of(self, place: &str, text: &[u8]) -> AccessError {
        AccessError { place: place.to_owned(), at: self.at, got: excerpt(text, self.at), expected: self.expected }
    }
}

/// Most bytes of an excerpt in an error.
const EXCERPT_BYTES: usize = 24;

/// Returns what stands at a byte of a text: quoted, printable and short, or `the end`.
pub(crate) fn excerpt(text: &[u8], at: usize) -> String {
    match text.get(at..) {
        None | Some([]) => "the end".to_owned(),
        Some(rest) => {
            let short = String::from_utf8_lossy(&rest[..rest.len().min(EXCERPT_BYTES)]);
            format!("`{}`", printable(&short))
        }
    }
}
