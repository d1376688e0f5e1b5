//! Where the job spends its time, piece by piece: `cargo bench`, or `cargo bench --bench kernels -- --quick`.
//!
//! Every bench checks its answer against an independent computation before it is timed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A bench stops where its answer is wrong.

mod beacon;
mod decode;
mod direction;
mod inflate;
mod rollup;
mod sample;

use criterion::{criterion_group, criterion_main};

criterion_group!(kernels, inflate::bench, decode::bench, direction::bench, rollup::bench, beacon::bench);
criterion_main!(kernels);
