//! What the fuzz targets share: an allocator with limits, which panics are crashes, and rows to compare.

pub mod memory;
pub mod panics;
/// The rows of `pair_hours` as the tests of the rollup compare them.
#[path = "../../crates/rollup/src/tests/rows.rs"]
pub mod rows;

// What `rows` imports from its own crate.
use rollup::{Hour, PairHours, Segment, Vantage};
