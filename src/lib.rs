//! flowsift hunts intruders in AWS VPC Flow Logs kept as Parquet.
//!
//! Data runs one way through the rooms, in this order:
//!
//! | room | does |
//! | --- | --- |
//! | [`flow`] | the words: addresses, fields, codes, direction, time |
//! | [`kernels`] | the maths on slices; knows neither files nor async |
//! | [`source`] | finds objects: AWS's S3 layouts, files, folders, globs |
//! | [`scan`] | turns Parquet objects into typed flow records |
//! | [`rollup`] | folds flow records into `pair_hours`, the narrow waist |
//! | [`state`] | keeps `pair_hours` between runs |
//! | [`intel`] | indicators, networks and allow-lists |
//! | [`sql`] | tables and functions for SQL |
//! | [`detect`] | runs the detections and controls false discoveries |
//! | [`report`] | writes findings and summaries |
//! | [`corpus`] | makes labelled corpora and judges findings against labels |
//! | `serve` | SQL over the Postgres wire protocol (feature `postgres`) |
//! | [`cli`] | one file a command; printing and progress live here only |

pub mod cli;
pub mod corpus;
pub mod detect;
pub mod flow;
pub mod intel;
pub mod kernels;
pub mod report;
pub mod rollup;
pub mod scan;
#[cfg(feature = "postgres")]
pub mod serve;
pub mod source;
pub mod sql;
pub mod state;
