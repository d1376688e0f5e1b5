//! The vocabulary of flow logs: addresses, record fields, codes, directions and times.
//!
//! This crate answers what a value in a flow log means: which [`Field`](schema::Field) a column stands for, which
//! [`Address`] a text, who opened a connection ([`direction`]), and how numbers and times are written for people
//! ([`units`], [`time`]). [`fnv`] is the hash behind stable names. Nothing here reads files or imports another crate of
//! flowsift.
//!
//! **Cost.** Nothing allocates but what returns text; parsing a dotted address ([`dotted`], [`Address::parse`]) is the one
//! hot path, about one step per byte.
//!
//! **Where to begin.** [`schema`] for the fields, [`address`] for what keys every table.

pub mod address;
pub mod codes;
pub mod direction;
pub mod dotted;
pub mod fnv;
pub mod schema;
pub mod services;
pub mod time;
pub mod units;

pub use address::{Address, Network};
