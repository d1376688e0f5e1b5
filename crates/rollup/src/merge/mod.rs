//! Merges the `pair_hours` of many units by key, part by part. The order of units does not matter.
//!
//! Start with [`Merger`].

mod outer_legs;

mod merged_part;

mod fix_direction;

mod merger;

pub use merged_part::{MergedPart, NamesAt, PairKey, RowAt};
pub use merger::Merger;
