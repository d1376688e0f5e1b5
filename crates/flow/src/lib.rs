//! The vocabulary of flow logs: addresses, record fields, codes, directions and times.
//!
//! This crate answers what a value in a flow log means: which [`Field`](schema::Field) a column stands for, which
//! [`Address`] a text, who opened a connection ([`direction`]), and how numbers and times are written for people
//! ([`units`], [`time`]), how bad something is ([`Severity`]), and how text that others wrote is shown
//! ([`printable`](mod@printable)). [`fnv`] is the hash behind stable names, and
//! [`error_text()`] the one way to print an error with its causes. Nothing here reads files or imports another crate of
//! flowsift.
//!
//! **Cost.** Only functions that return text allocate; parsing a dotted address ([`dotted`], [`Address::parse`]) is the
//! one hot path, about one step per byte.
//!
//! **Where to begin.** [`schema`] for the fields, [`address`] for the keys of every table.

pub mod address;
pub mod codes;
pub mod direction;
pub mod dotted;
mod error_text;
pub mod fnv;
mod hex;
pub mod printable;
pub mod schema;
pub mod services;
pub mod severity;
pub mod time;
pub mod units;

pub use address::{Address, Network};
pub use error_text::error_text;
pub use hex::hex;
pub use printable::printable;
pub use severity::Severity;
