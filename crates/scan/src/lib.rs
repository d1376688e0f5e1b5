//! Turns Parquet objects into typed flow records.
//!
//! **Question it answers**: which flow records does this object hold? [`object::scan`] answers with [`FlowBatch`]es,
//! the shape that the rollup reads; [`records::RecordFile`] answers with Arrow columns, which SQL reads.
//!
//! **Cost**: about 3.5 times less than the stock reader. The scan works in the dictionary's domain: each address is
//! parsed once per dictionary, and rows carry codes of 4 bytes. One row group is decoded at a time, in batches of 8,192
//! rows, and only the requested columns.
//!
//! **Where to begin**: [`object::scan`], then `column/cursor.rs`, the loop that all columns share.
//!
//! There are two decode paths. The native path has one cursor per column; a cursor decompresses page by page into
//! buffers that are reused, and goes from bits to codes in one step. Columns that only describe an ENI stay compressed
//! until one of their rows is requested. The Arrow path goes through the parquet crate and reads every layout that the
//! crate reads; row groups with anything unusual, or with damage, take it. Both paths return the same rows.
//!
//! | layer | files |
//! | --- | --- |
//! | values | `value/{decision,number,text}`: what a field's texts and numbers mean |
//! | codes | `interner`: numbers of 4 bytes for addresses and texts |
//! | columns | `column/`: one column chunk to values, codes, views or answers; `binding`: which column holds which field |
//! | objects | `bound_object`: an object ready to be decoded, and which of its row groups the native path supports |
//! | flow batches | `batch/`: both paths to [`FlowBatch`], and [`object`] |
//! | records | `records/`: both paths to Arrow columns |
//!
//! ```
//! # use flowsift_scan as scan;
//! use scan::{Interners, ROLLUP_FIELDS, address_of, object};
//! # use arrow::array::{Int32Array, Int64Array, RecordBatch, StringArray, ArrayRef};
//! # use std::sync::Arc;
//! # fn parquet_file() -> Vec<u8> {
//! #     let text = |text| Arc::new(StringArray::from(vec![text])) as ArrayRef;
//! #     let int = |number| Arc::new(Int32Array::from(vec![number])) as ArrayRef;
//! #     let long = |number| Arc::new(Int64Array::from(vec![number])) as ArrayRef;
//! #     let batch = RecordBatch::try_from_iter(vec![
//! #         ("account_id", text("123456789012")), ("interface_id", text("eni-1")),
//! #         ("srcaddr", text("10.0.0.8")), ("dstaddr", text("192.0.2.1")), ("srcport", int(50_000)),
//! #         ("dstport", int(443)), ("protocol", int(6)), ("packets", long(10)), ("bytes", long(840)),
//! #         ("start", long(1_700_000_000)), ("end", long(1_700_000_059)), ("action", text("ACCEPT")),
//! #         ("log_status", text("OK")),
//! #     ]).unwrap();
//! #     let mut writer = parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
//! #     writer.write(&batch).unwrap();
//! #     writer.into_inner().unwrap()
//! # }
//! let bytes = Arc::new(scan::ObjectBytes::Whole(parquet_file().into()));
//! let metadata = object::footer("sample.parquet", &bytes)?;
//! let interners = Interners::default();
//! let mut seen = Vec::new();
//! let rows = object::scan("sample.parquet", &bytes, &metadata, ROLLUP_FIELDS, &interners, |batch| {
//!     for row in 0..batch.rows {
//!         seen.push((batch.srcaddr[row], batch.dstport[row], batch.bytes[row]));
//!     }
//! })?;
//! assert_eq!(rows, 1);
//! let (source, port, bytes) = seen[0];
//! assert_eq!(address_of(source, &interners.addresses.entries()).to_string(), "10.0.0.8");
//! assert_eq!((port, bytes), (443, 840));
//! # Ok::<(), scan::ScanError>(())
//! ```

mod error;

mod value;

mod interner;

mod column;

mod arrow_columns;
mod binding;
mod bound_object;

mod batch;
pub mod records;

#[cfg(fuzzing)]
pub mod fuzzing;
#[cfg(test)]
mod tests;

pub use batch::flow_batch::{BATCH_ROWS, ENI_METADATA_FIELDS, FlowBatch, PresentColumns};
pub use batch::object;
pub use binding::{Binding, ROLLUP_FIELDS, bound_ranges};
pub use bound_object::DecodePath;
pub use column::code::{TextNumbers, own_text_code};
pub use column::dictionary::{dictionary_page_range, dictionary_passes};
pub use column::view::{MAX_PREDICATES, TextPredicate};
pub use error::{ScanError, guarded};
pub use interner::{FIRST_INTERNED, Interners, NONE, address_of, own_code};
pub use pages::ObjectBytes;
pub use pages::decompress::Decompressor;
pub use pages::guard::quiet_panics;
pub use records::RecordCursors;
pub use value::decision::Decision;
pub use value::number::{MISSING, MISSING_BYTES, MISSING_PROTOCOL, MISSING_S};
pub use value::text::Meaning;
