//! Merges the `pair_hours` of many units by key, part by part. The order of units does not matter.
//!
//! Start with [`Merger`].

mod merged_part;

mod legs;
mod remainder;

mod gather_legs;

mod forwarder_codes;
mod judge_legs;

mod outside_enis;

mod outer_legs;

mod fix_direction;

mod merger;

pub use merged_part::{MergedPart, NamesAt, PairKey, RowAt};
pub use merger::Merger;
