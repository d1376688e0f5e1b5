//! Folds a unit's records into `pair_hours` and `coverage`.
//!
//! Start with [`crate::UnitRollup::finish`]. It finds the host of every record (`resolve_hosts`), groups the records of
//! a part by pair (`group`, `sort_records`), leaves out what several logs wrote (`repeats`), and folds each pair to rows
//! (`hour_segments`, `pair_fold`).

mod unit_facts;

mod group;
mod repeats;
mod sort_records;

mod hour_segments;
mod pair_fold;
mod resolve_hosts;

mod finish;

pub use finish::UnitTables;
