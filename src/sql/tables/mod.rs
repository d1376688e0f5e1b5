//! The tables that FROM can name: `flows` straight from the logs, tables derived from them when a query first reads
//! one, tables in memory or on disk, and local files.
//!
//! Begin reading at `derived`, or at `flows` for the scan of the logs.

pub(super) mod accesses;
pub(super) mod derived;
mod display_schema;
pub(super) mod files;
pub(super) mod flows;
pub(super) mod in_memory;
pub(super) mod lists;
mod skipped_objects;
pub(super) mod spilled;

pub use skipped_objects::SkippedObjects;
