//! The `pair_hours` table: in memory and on disk, and in its published form.
//!
//! Start with [`PairHours`].

pub(crate) mod row;

pub(crate) mod lookup;
pub(crate) mod part;

pub(crate) mod hour;
pub(crate) mod stored_part;

mod table;

mod arrow_table;

pub use arrow_table::pair_hours_schema;
pub use hour::{Hour, LoadedHours};
pub use row::Vantage;
pub use table::PairHours;
