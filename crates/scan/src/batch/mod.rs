//! Flow records as [`flow_batch::FlowBatch`]es, the shape that the rollup reads.
//!
//! `native` decodes pages straight into a batch; `arrow_fallback` converts what the parquet crate decoded; `object`
//! chooses between them for each row group.

pub(crate) mod flow_batch;

pub(crate) mod arrow_fallback;
pub(crate) mod native;

pub mod object;
