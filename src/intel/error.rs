//! Why a list could not be used, and what was left out of one.

use flow::printable;
use std::fmt;
use std::path::{Path, PathBuf};

/// Why a list could not be used.
#[derive(Debug, thiserror::Error)]
pub enum IntelError {
    /// The file could not be read; check that it exists and may be read.
    #[error("could not read `{}`; check that the file exists and may be read", path.display())]
    Read {
        /// The file as given.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line that must be right is not; correct the line.
    #[error("{}:{line}: got `{got}`, expected {expected}", path.display())]
    Line {
        /// The file as given.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// The text found, shortened to 80 characters.
        got: String,
        /// What would have been right, with an example.
        expected: &'static str,
    },
    /// Not one entry of the file could be read: it is another format or no list at all.
    #[error("{}: none of {entries} entries could be read; line {line}: got `{got}`, expected {expected}", path.display())]
    NothingReadable {
        /// The file as given.
        path: PathBuf,
        /// Entries tried.
        entries: u64,
        /// The line of the first entry, counted from 1.
        line: u64,
        /// The text of the first entry, shortened to 80 characters.
        got: String,
        /// What would have been right, with an example.
        expected: &'static str,
    },
}

/// Why an entry was left out of a list, or counts only in part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WarningKind {
    /// The entry could not be read.
    Unreadable,
    /// The network is so broad that it would match everybody.
    TooBroad,
    /// The address is private or of local scope, so it identifies no remote.
    Private,
    /// The file holds no entries at all.
    Empty,
    /// The entry has expired.
    Expired,
}

impl WarningKind {
    /// Returns the reason as it stands in a message.
    pub const fn reason(self) -> &'static str {
        match self {
            WarningKind::Unreadable => "could not be read",
            WarningKind::TooBroad => "is too broad for an indicator",
            WarningKind::Private => "is a private or local address",
            WarningKind::Empty => "has no entries",
            WarningKind::Expired => "has expired, and counts only for what was last seen before",
        }
    }
}

/// One kind of entry left out of one file: how many, and the first of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The file as given.
    pub path: PathBuf,
    /// Why entries were left out.
    pub kind: WarningKind,
    /// Entries left out for this reason.
    pub count: u64,
    /// The line of the first one, counted from 1.
    pub first_line: u64,
    /// The text of the first one, shortened to 80 characters.
    pub got: String,
    /// What would have been right, with an example.
    pub expected: &'static str,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        if self.kind == WarningKind::Empty {
            return write!(f, "`{path}` {}; expected {}", self.kind.reason(), self.expected);
        }
        let (line, got, reason) = (self.first_line, &self.got, self.kind.reason());
        match self.kind {
            WarningKind::Expired => write!(f, "{path}:{line}: `{got}` {reason}")?,
            _ => write!(f, "{path}:{line}: ignored `{got}`: it {reason}")?,
        }
        if self.count > 1 {
            let others = self.count - 1;
            write!(f, " (as {} {others} more in this file)", if others == 1 { "is" } else { "are" })?;
        }
        write!(f, "; expected {}", self.expected)
    }
}

/// Counts the entries left out of one file. Each kind has one [`Warning`], so a million bad lines stay one message.
#[derive(Debug)]
pub(crate) struct WarningTally {
    path: PathBuf,
    warnings: Vec<Warning>,
}

impl WarningTally {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), warnings: Vec::new() }
    }

    pub(crate) fn add(&mut self, kind: WarningKind, line: u64, got: &str, expected: &'static str) {
        if let Some(warning) = self.warnings.iter_mut().find(|warning| warning.kind == kind) {
            warning.count += 1;
            return;
        }
        let got = shorten(got);
        self.warnings.push(Warning { path: self.path.clone(), kind, count: 1, first_line: line, got, expected });
    }

    /// Returns the warnings, or an error when `entries` were tried and none could be read.
    pub(crate) fn finish(mut self, entries: u64, expected: &'static str) -> Result<Vec<Warning>, IntelError> {
        if entries == 0 {
            self.add(WarningKind::Empty, 1, "", expected);
            return Ok(self.warnings);
        }
        let unreadable = self.warnings.iter().find(|warning| warning.kind == WarningKind::Unreadable);
        if let Some(first) = unreadable.filter(|warning| warning.count == entries) {
            let (line, got, expected) = (first.first_line, first.got.clone(), first.expected);
            return Err(IntelError::NothingReadable { path: self.path, entries, line, got, expected });
        }
        self.warnings.sort_by_key(|warning| (warning.first_line, warning.kind));
        Ok(self.warnings)
    }
}

/// Cuts text for a message to 80 characters on one line, with control characters as escapes.
pub(crate) fn shorten(text: &str) -> String {
    let mut letters = text.trim().chars();
    let mut short = printable(&letters.by_ref().take(80).collect::<String>());
    if letters.next().is_some() {
        short.push('…');
    }
    short
}

/// Reads a whole list as text; bytes that are not UTF-8 become U+FFFD, as comments may be in any encoding.
pub(crate) fn read_text(path: &Path) -> Result<String, IntelError> {
    let bytes = std::fs::read(path).map_err(|source| IntelError::Read { path: path.to_owned(), source })?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    Ok(String::from_utf8_lossy(bytes).into_owned())
}
