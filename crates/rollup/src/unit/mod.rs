//! Collects the flow records of one unit of work, packed to 40 bytes each, by the part of their host.
//!
//! Start with [`UnitRollup`] and [`ObjectRollup`]; `pack` and `add_records` have the hot loops. A new field of records
//! goes through `packed`, `pack` and `add_records`, a new text that describes an ENI through `interface`.

pub(crate) mod address_code;
pub(crate) mod packed;
pub(crate) mod parts;

pub(crate) mod flow_file;
pub(crate) mod record_buffer;

pub(crate) mod coverage_hours;
pub(crate) mod interface;
pub(crate) mod object_interfaces;

pub(crate) mod interfaces;
pub(crate) mod service_numbers;

mod pack;

pub(crate) mod unit_rollup;

mod add_records;

pub use unit_rollup::{ObjectRollup, UnitRollup};
