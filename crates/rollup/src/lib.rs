//! Folds flow records into `pair_hours`, and derives from `pair_hours` the tables that detections read.
//!
//! **Question it answers**: who talked to whom in each hour, how often and how much? `pair_hours` is the narrow waist:
//! all that is ever needed of an hour of raw logs.
//!
//! **Cost**: 40 bytes for each packed record while a unit is open, then 96 bytes for each row and 12 for each connection
//! segment. All of it stays within a limit of [`memory`]. What does not fit is spilled part by part, with the same
//! result.
//!
//! **Where to begin**: [`UnitRollup`] collects the records of one unit of work and [`UnitRollup::finish`] folds them;
//! `unit/pack.rs` has the hot loops. [`derive::derive()`] merges units and derives the tables of a run.
//!
//! Hosts are divided into 128 parts by their address. All tables of all units share the division, so each stage works
//! on one part at a time, in parallel and within the caches.
//!
//! | layer | files |
//! | --- | --- |
//! | basics | [`window`], [`habits`], [`segment`], options, counts and errors |
//! | units | `unit/`: objects to packed records, by the part of their host |
//! | coverage | [`coverage`]: what was logged of each ENI, and what was lost |
//! | pair hours | [`pair_hours`]: the table, in memory, on disk and in its published form |
//! | fold | `fold/`: find the host of each record, group by pair, cut into hour segments, sum |
//! | kept | [`kept`]: a unit as a file that a later run reads instead of the logs |
//! | merge | [`merge`]: many units, pair by pair, with directions that agree |
//! | derive | [`mod@derive`]: one walk over the merged pairs, many tables |
//!
//! ```
//! # use flowsift_rollup as rollup;
//! use rollup::{RollupOptions, UnitRollup};
//! use scan::{ObjectBytes, ROLLUP_FIELDS, object};
//! # use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
//! # use std::sync::Arc;
//! # fn parquet_file() -> Vec<u8> {
//! #     let (host, remote) = ("10.0.0.8", "192.0.2.1");
//! #     let text = |texts: [&str; 3]| Arc::new(StringArray::from(texts.to_vec())) as ArrayRef;
//! #     let int = |numbers: [i32; 3]| Arc::new(Int32Array::from(numbers.to_vec())) as ArrayRef;
//! #     let long = |numbers: [i64; 3]| Arc::new(Int64Array::from(numbers.to_vec())) as ArrayRef;
//! #     let batch = RecordBatch::try_from_iter(vec![
//! #         ("account_id", text(["123456789012"; 3])), ("interface_id", text(["eni-1"; 3])),
//! #         ("srcaddr", text([host, remote, host])), ("dstaddr", text([remote, host, remote])),
//! #         ("srcport", int([50_000, 443, 50_000])), ("dstport", int([443, 50_000, 443])), ("protocol", int([6; 3])),
//! #         ("packets", long([10, 12, 5])), ("bytes", long([840, 9_000, 600])),
//! #         ("start", long([1_700_000_000, 1_700_000_000, 1_700_000_060])),
//! #         ("end", long([1_700_000_059, 1_700_000_059, 1_700_000_090])),
//! #         ("action", text(["ACCEPT"; 3])), ("log_status", text(["OK"; 3])),
//! #     ]).unwrap();
//! #     let mut writer = parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
//! #     writer.write(&batch).unwrap();
//! #     writer.into_inner().unwrap()
//! # }
//! // An object of three records: 10.0.0.8 sends 840 bytes to port 443 of 192.0.2.1, gets 9,000, and sends another 600.
//! let bytes = Arc::new(ObjectBytes::Whole(parquet_file().into()));
//! let metadata = object::footer("sample.parquet", &bytes)?;
//! let unit = UnitRollup::new(RollupOptions::default());
//! let mut records = unit.object(0);
//! object::scan("sample.parquet", &bytes, &metadata, ROLLUP_FIELDS, unit.interners(), |batch| records.add(batch))?;
//! records.commit()?;
//!
//! let is_internal = |address: flow::Address| address.to_string().starts_with("10.");
//! let tables = unit.finish(None, Some("eu-central-1"), &is_internal)?;
//! let hours = tables.pair_hours.hours()?;
//! let hour = hours.iter().next().ok_or("no row")?;
//! assert_eq!((hour.host().to_string(), hour.remote().to_string(), hour.port()), ("10.0.0.8".into(), "192.0.2.1".into(), 443));
//! assert_eq!((hour.records(), hour.connections()), (3, 1));
//! assert_eq!((hour.bytes_out(), hour.bytes_in()), (1_440, 9_000));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod counts;
mod error;
mod options;
pub mod window;

pub mod habits;
pub mod segment;

pub mod unit;

pub mod coverage;

pub mod pair_hours;

mod fold;

pub mod kept;

pub mod merge;

pub mod derive;

#[cfg(test)]
mod tests;

pub use counts::UnitCounts;
pub use coverage::coverage_schema;
pub use error::RollupError;
pub use fold::UnitTables;
pub use options::{IsInternal, RollupOptions};
pub use pair_hours::{Hour, PairHours, Vantage, pair_hours_schema};
pub use segment::{Connection, Opening, Segment};
pub use unit::{ObjectRollup, UnitRollup};
