//! One row for each identity and day: what it did, what of it was new, and how surprising that is.
//!
//! A day is the unit of evidence, not an event: retries and bursts must not count. Each day is judged by all earlier
//! days, whether in the window or before it, and by nothing of the same day. What was itself unusual never becomes a
//! habit: neither its own nor a reason to find the same less rare in others.

mod gather;
mod judge;
mod reading;

pub use gather::{Dimension, gather, is_of_somebody};
pub use judge::{Judged, NewValue, judge};
pub use reading::JudgedReading;

/// A day whose surprisal is at least this many times that of a value which nobody else uses does not become a habit. So
/// the measure grows with the estate, as surprisals do.
///
/// Travel alone stays below it, and so do newcomers who come from known networks with known programs.
pub const UNUSUAL: f64 = 2.25;

/// The same for programs from a place that is new to them: they do not travel.
pub const UNUSUAL_FOR_PROGRAMS: f64 = 2.0;

/// The same for a place that only unusual days used: all that comes from there is suspect.
pub const UNUSUAL_FROM_SUSPECT: f64 = 1.2;

/// Neither does it count as unusual if more than this share of the usual days before it was as surprising. In a small
/// estate none may have been.
pub const UNUSUAL_P: f64 = 0.01;

/// Days of logs that must lie before a day, for it to count as unusual: before, everything is new.
pub const WARM_UP_DAYS: i64 = 7;
