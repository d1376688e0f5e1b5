//! What was gathered of a source, and what had to be skipped.

use super::span::span;
use super::trouble::KeptTrouble;
use crate::source::{CopiedObject, ReadError};
use ::memory::Reservation;
use arrow::array::RecordBatch;
use flow::error_text;
use rollup::window::WindowOptions;
use rollup::{PairHours, UnitCounts};
use scan::ScanError;

/// Why an object's rows are no part of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SkipKind {
    /// It could not be read: rows may be missing.
    Unreadable,
    /// It holds another log, such as that of a Transit Gateway: nothing is missing.
    OtherLog,
    /// It repeats another object, which counts.
    Copy,
    /// It is no object but the place of kept hours, which could not be read or written: nothing is missing.
    Kept,
}

/// An object that was skipped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skipped {
    /// Where the object is.
    pub object: String,
    /// Why it was skipped, in one line; for another log, which log it is.
    pub reason: String,
    /// Whether anything is missing.
    pub kind: SkipKind,
    /// The rows that it has by its footer; `None` where that could not be read, or was read by an earlier run.
    pub rows: Option<u64>,
}

/// Whether an object that could not be read may be readable in a later run, unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outlook {
    /// Not unless the object changes: what it holds is no flow log, or is damaged.
    Final,
    /// Once its owner restores it from an archive or grants access; asking is cheap.
    Withheld,
    /// At any time: the network or the service failed.
    Passing,
}

impl Outlook {
    pub(super) fn of(error: &ScanError) -> Self {
        let ScanError::Fetch(cause) = error else { return Self::Final };
        match cause.downcast_ref::<ReadError>() {
            Some(ReadError::Denied { .. } | ReadError::Archived { .. }) => Self::Withheld,
            _ => Self::Passing,
        }
    }
}

impl Skipped {
    /// Returns an object that repeats another.
    pub(crate) fn copy(copy: &CopiedObject) -> Self {
        Self { object: copy.object.to_string(), reason: copy.reason(), kind: SkipKind::Copy, rows: None }
    }

    /// Returns what did not work with the hours kept at `place`.
    pub(crate) fn kept(place: &str, trouble: &KeptTrouble) -> Self {
        Self { object: place.to_owned(), reason: trouble.text(), kind: SkipKind::Kept, rows: None }
    }

    /// Returns the object with the text of its error. The object is not named again in the reason, so that equal reasons
    /// can be grouped.
    pub(crate) fn new(object: &str, error: &ScanError) -> Self {
        if let ScanError::OtherLog { log, .. } = error {
            return Self { object: object.to_owned(), reason: (*log).to_owned(), kind: SkipKind::OtherLog, rows: None };
        }
        let text = error_text(error);
        let reason = text.strip_prefix(&format!("{object}: ")).unwrap_or(&text).to_owned();
        Self { object: object.to_owned(), reason, kind: SkipKind::Unreadable, rows: None }
    }
}

/// What a unit cost, and what is missing of it.
pub(super) struct UnitReport {
    pub(super) objects: u64,
    pub(super) skipped: Vec<Skipped>,
    pub(super) bytes_read: u64,
    pub(super) rows_read: u64,
}

/// Everything gathered of a source.
#[derive(Debug, Default)]
pub struct Gathered {
    /// Tables of `pair_hours`, one per unit, in the order of the units.
    pub pair_hours: Vec<PairHours>,
    /// Tables of `coverage`, in the same order.
    pub coverage: Vec<RecordBatch>,
    /// What the records were, kept ones included.
    pub counts: UnitCounts,
    /// Objects that could not be read, sorted; those of kept units as well.
    pub skipped: Vec<Skipped>,
    /// Objects that hold other logs, sorted; those of kept units as well.
    pub other_logs: Vec<Skipped>,
    /// Objects read in this run.
    pub objects_read: u64,
    /// Objects whose hours were kept.
    pub objects_reused: u64,
    /// Bytes read in this run.
    pub bytes_read: u64,
    /// Rows read in this run.
    pub rows_read: u64,
    /// What did not work with kept hours; `None` when all did, or when none are kept.
    pub kept_trouble: Option<KeptTrouble>,
    /// The memory that `coverage` takes from the run's budget.
    pub held: Option<Reservation>,
}

impl Gathered {
    /// Adds objects that were skipped, each to the list of its kind.
    pub(super) fn add_skipped(&mut self, skipped: impl IntoIterator<Item = Skipped>) {
        for one in skipped {
            match one.kind {
                SkipKind::Unreadable => self.skipped.push(one),
                SkipKind::OtherLog | SkipKind::Copy | SkipKind::Kept => self.other_logs.push(one),
            }
        }
    }

    /// Adds what a unit cost, and what is missing of it.
    pub(super) fn add_report(&mut self, report: UnitReport) {
        self.objects_read += report.objects - report.skipped.len() as u64;
        self.bytes_read += report.bytes_read;
        self.rows_read += report.rows_read;
        self.add_skipped(report.skipped);
    }

    /// Returns the first and the last hour of the data that a window may need, in seconds since 1970, without strays;
    /// `None` when there is no data.
    pub fn hours(&self, window: &WindowOptions) -> Option<(i64, i64)> {
        let needed = window.earliest_s().unwrap_or(i64::MIN)..window.latest_s().unwrap_or(i64::MAX);
        span(&self.pair_hours, &self.coverage, &needed)
    }
}
