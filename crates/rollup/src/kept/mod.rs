//! The kept form of a unit: its tables in one file of packed columns, which a later run reads instead of the logs.
//!
//! Private and versioned: only flowsift reads it, and a file of another version is refused. Every byte stands under a
//! checksum, so that damage by storage never becomes rows. The published form is
//! [`pair_hours_schema`](crate::pair_hours_schema).
//!
//! **Cost**: packing and unpacking work on blocks of some ten thousand rows, on all threads of rayon's pool. A row with
//! three segments takes about 30 bytes.
//!
//! Start with [`pack`] and [`unpack`]; `file.rs` describes the layout.

mod cursor;
mod error;

mod planes;
mod rows;

mod frame;
mod texts;

mod file;

pub use error::KeptError;
pub use file::{Unpacked, pack, unpack};
