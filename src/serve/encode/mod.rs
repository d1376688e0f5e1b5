//! Arrow's columns as Postgres's: what both have goes as it is, structs and what else is nested goes as JSON.

mod binary;
mod cells;
mod columns;
mod decode;
mod oid;
mod text;

pub(super) use columns::Columns;
pub(super) use decode::decoded;
pub(super) use oid::{PG_TYPE, size_of, type_of};
