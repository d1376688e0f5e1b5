//! What did not work with kept hours. They are a cache: a run without them finds the same.

use super::error::HoursError;
use ::memory::lock;
use flow::error_text;
use flow::units::count_text;
use std::sync::{Arc, Mutex};

/// What did not work with the hours kept in one place.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct KeptTrouble {
    /// Units whose kept hours could not be asked for; they were scanned.
    pub unread: u64,
    /// Units whose hours could not be kept; the next run scans them.
    pub unkept: u64,
    /// Why not: the first error of each kind in one line, reading before writing.
    pub reasons: Vec<String>,
}

impl KeptTrouble {
    /// Returns what happened and why, in one line.
    pub fn text(&self) -> String {
        let units = |count| format!("{} {}", count_text(count), if count == 1 { "unit" } else { "units" });
        let mut parts = Vec::new();
        if self.unread > 0 {
            parts.push(format!("those of {} could not be read, so the logs were", units(self.unread)));
        }
        if self.unkept > 0 {
            parts.push(format!("those of {} could not be kept", units(self.unkept)));
        }
        format!("{}: {}", parts.join("; "), self.reasons.join("; "))
    }
}

/// Failures in a row after which a place is not asked any more: each may have taken all its retries.
const GIVE_UP_AFTER: u32 = 2;

/// Gathers the trouble of a run, from many threads; clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct TroubleBook(Arc<Mutex<Book>>);

#[derive(Debug, Default)]
struct Book {
    reading: Kind,
    writing: Kind,
    /// Files that storage has damaged.
    damaged: Vec<String>,
}

/// Reading, or writing.
#[derive(Debug, Default)]
struct Kind {
    units: u64,
    in_a_row: u32,
    first: Option<String>,
}

impl Kind {
    fn note<T>(&mut self, done: Result<T, HoursError>) -> Option<T> {
        match done {
            Ok(done) => {
                self.in_a_row = 0;
                Some(done)
            }
            Err(error) => {
                self.failed(1, 1, &error);
                None
            }
        }
    }

    fn failed(&mut self, units: u64, failures: u32, error: &HoursError) {
        let text = match error {
            HoursError::Store(error) => error_text(error),
            other => error_text(other),
        };
        tracing::warn!("kept hours: {text}");
        self.units += units;
        self.in_a_row += failures;
        self.first.get_or_insert(text);
    }
}

impl TroubleBook {
    /// Returns whether kept hours can be asked for, as far as is known. A unit that is not asked for counts as unread.
    pub(super) fn may_read(&self) -> bool {
        may(&mut lock(&self.0).reading)
    }

    /// Returns whether hours can be kept, as far as is known. A unit that is not kept counts as such.
    pub(super) fn may_write(&self) -> bool {
        may(&mut lock(&self.0).writing)
    }

    /// Notes that it is not known what is kept of some units. The place is not asked any more.
    pub(super) fn unlisted(&self, units: u64, error: &HoursError) {
        lock(&self.0).reading.failed(units, GIVE_UP_AFTER, error);
    }

    /// Notes a file that storage has damaged.
    pub(super) fn damaged(&self, file: String) {
        lock(&self.0).damaged.push(file);
    }

    /// Returns the files that storage has damaged, sorted.
    pub(super) fn all_damaged(&self) -> Vec<String> {
        let mut damaged = lock(&self.0).damaged.clone();
        damaged.sort_unstable();
        damaged
    }

    /// Notes how reading a unit ended.
    pub(super) fn read<T>(&self, done: Result<T, HoursError>) -> Option<T> {
        lock(&self.0).reading.note(done)
    }

    /// Notes how writing a unit ended.
    pub(super) fn written(&self, done: Result<(), HoursError>) {
        lock(&self.0).writing.note(done);
    }

    /// Returns all trouble so far; `None` without any.
    pub(super) fn told(&self) -> Option<KeptTrouble> {
        let book = lock(&self.0);
        let reasons: Vec<String> =
            [&book.reading, &book.writing].iter().filter_map(|kind| kind.first.clone()).collect();
        let (unread, unkept) = (book.reading.units, book.writing.units);
        (!reasons.is_empty()).then_some(KeptTrouble { unread, unkept, reasons })
    }
}

fn may(kind: &mut Kind) -> bool {
    let may = kind.in_a_row < GIVE_UP_AFTER;
    if !may {
        kind.units += 1;
    }
    may
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Result<(), HoursError> {
        let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let path = "state".to_owned();
        Err(HoursError::Store(crate::source::SourceError::Io { action: "write", path, source }))
    }

    #[test]
    fn a_place_that_always_fails_is_given_up() {
        let book = TroubleBook::default();
        assert_eq!(book.told(), None);
        book.written(full());
        book.written(Ok(()));
        for _ in 0..GIVE_UP_AFTER {
            assert!(book.may_write());
            book.written(full());
        }
        assert!(!book.may_write() && !book.may_write() && book.may_read());
        let told = book.told().unwrap();
        assert_eq!((told.unread, told.unkept), (0, 5));
        let text = "those of 5 units could not be kept: cannot write `state`: ";
        assert!(told.text().starts_with(text), "{}", told.text());
        assert_eq!(book.read(Ok(1)), Some(1));
    }
}
