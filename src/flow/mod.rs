//! The words of the field: addresses, record fields, codes and time.
//!
//! Nothing here reads files, and nothing here imports another room.

pub mod address;
pub mod codes;
pub mod direction;
pub mod dotted;
pub mod schema;
pub mod services;
pub mod time;
pub mod units;

pub use address::{Address, Network};
