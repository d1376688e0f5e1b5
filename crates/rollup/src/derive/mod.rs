//! Derives what detections read from merged `pair_hours`: `pairs`, `hosts`, `host_hours`, `destinations`, and on request
//! `services` and `host_days`.
//!
//! All of them come from one walk over the merged pairs, made once per run and shared by every detection. Start with
//! [`derive()`]; `walk` has the loop.

mod columns;
mod lives;
mod options;
mod records;
mod stored;

mod destinations;
mod services;

mod host_days;
mod relay;

mod host_record;

mod hosts;
mod interface_logs;
mod pairs;
mod walk;

mod tables;

pub use options::{MAX_SLOW_STARTS, MIN_DAYS, MIN_STARTS, MIN_STARTS_OUTSIDE, SLOW_STARTS_A_WINDOW, Wanted};
pub use stored::{Stored, StoredTable};
pub use tables::{Derived, Known, derive};
