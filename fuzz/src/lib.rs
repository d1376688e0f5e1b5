//! The rooms of flowsift that read what others wrote, and what the fuzz targets share.
//!
//! The rooms are included by path, so that a target is built without DataFusion and without the AWS SDK.
#![cfg_attr(fuzzing, allow(dead_code))]

#[cfg(fuzzing)]
#[path = "../../src/flow/mod.rs"]
pub mod flow;
#[cfg(fuzzing)]
#[path = "../../src/kernels/mod.rs"]
pub mod kernels;
#[cfg(fuzzing)]
#[path = "../../src/rollup/mod.rs"]
pub mod rollup;
#[cfg(fuzzing)]
#[path = "../../src/rollup/tests/rows.rs"]
pub mod rows;
#[cfg(fuzzing)]
#[path = "../../src/scan/mod.rs"]
pub mod scan;

pub mod memory;
pub mod panics;
