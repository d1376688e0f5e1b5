//! Arrow's columns as Postgres's: types that both have are sent unchanged; structs and other nested types are sent as
//! JSON.

mod binary;
mod cells;
mod columns;
mod decode;
mod oid;
mod text;

pub(super) use columns::Columns;
pub(super) use decode::decoded;
pub(super) use oid::{PG_TYPE, array_of, item_of, size_of, type_of};
