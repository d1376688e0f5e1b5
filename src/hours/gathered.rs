//! What was gathered of a source, and what had to be skipped.

use super::span::span;
use ::memory::Reservation;
use arrow::array::RecordBatch;
use flow::error_text;
use rollup::window::WindowOptions;
use rollup::{PairHours, UnitCounts};
use scan::ScanError;

/// An object that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skipped {
    /// Where the object is.
    pub object: String,
    /// Why it was skipped, in one line.
    pub reason: String,
}

impl Skipped {
    /// Returns the object with the text of its error. The object is not named again in the reason, so that equal reasons
    /// can be grouped.
    pub(crate) fn new(object: &str, error: &ScanError) -> Self {
        let text = error_text(error);
        let reason = text.strip_prefix(&format!("{object}: ")).unwrap_or(&text).to_owned();
        Self { object: object.to_owned(), reason }
    }
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
    /// Objects that could not be read, sorted.
    pub skipped: Vec<Skipped>,
    /// Objects read in this run.
    pub objects_read: u64,
    /// Objects whose hours were kept.
    pub objects_reused: u64,
    /// Bytes read in this run.
    pub bytes_read: u64,
    /// Rows read in this run.
    pub rows_read: u64,
    /// The memory that `coverage` takes from the run's budget.
    pub held: Option<Reservation>,
}

impl Gathered {
    /// Returns the first and the last hour of the data that a window may need, in seconds since 1970, without strays;
    /// `None` when there is no data.
    pub fn hours(&self, window: &WindowOptions) -> Option<(i64, i64)> {
        let needed = window.earliest_s().unwrap_or(i64::MIN)..window.latest_s().unwrap_or(i64::MAX);
        span(&self.pair_hours, &self.coverage, &needed)
    }
}
