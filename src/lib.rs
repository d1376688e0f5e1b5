//! flowsift hunts intruders in AWS VPC Flow Logs kept as Parquet.
//!
//! Data runs one way, in this order. The rooms below SQL are crates of the workspace, so that the compiler holds who may
//! import whom and they build and test without DataFusion and AWS; the others are modules of this crate.
//!
//! | room | where | does |
//! | --- | --- | --- |
//! | [`flow`] | crate | names the data: addresses, fields, codes, direction, time |
//! | [`kernels`] | crate | computes statistics on slices; knows neither files nor async |
//! | [`memory`] | crate | holds a run to its memory and spills the rest to disk |
//! | [`pages`] | crate | reads Parquet pages |
//! | [`scan`] | crate | turns Parquet objects into typed flow records |
//! | [`rollup`] | crate | folds flow records into `pair_hours`, and those into the tables of detections |
//! | [`access`] | crate | turns logs of accesses into acts, and folds them to hours and ledgers |
//! | [`corpus`] | crate | generates labelled corpora and judges findings against labels |
//! | [`source`] | module | finds objects: AWS's S3 layouts, files, folders, globs |
//! | [`accesses`] | module | gathers the logs of accesses of a source |
//! | [`hours`] | module | gathers `pair_hours` of a source and keeps them between runs |
//! | [`intel`] | module | reads indicators, networks and allow-lists |
//! | [`sql`] | module | offers the tables and functions in SQL |
//! | [`detect`] | module | runs the detections and controls false discoveries |
//! | [`incident`] | module | ties findings into incidents with a timeline and a blast radius |
//! | [`report`] | module | writes findings, incidents and summaries |
//! | [`sink`] | crate | sends incidents to where people work, and loses none |
//! | [`notify`] | module | tells sinks what a run changed |
//! | `serve` | module | answers SQL over the Postgres wire protocol (feature `postgres`) |
//! | [`cli`] | module | is the command line; only here is anything printed |
//!
//! Begin with `cli/detect/mod.rs`, which walks the whole way once.

pub mod accesses;
pub mod cli;
pub mod detect;
pub mod hours;
pub mod incident;
pub mod intel;
pub mod notify;
pub mod report;
#[cfg(feature = "postgres")]
pub mod serve;
pub mod source;
pub mod sql;
