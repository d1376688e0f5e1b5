//! The `coverage` table, and what follows from it: the hosts behind ENIs, shares of time with data, and lost times.
//!
//! Start with [`coverage_schema`].

mod table;

mod lost_times;
mod per_interface;
#[cfg(test)]
mod test_tables;

pub use lost_times::LostTimes;
pub use per_interface::{Forwarders, HostFacts, coverage_shares, forwarders, host_facts};
pub(crate) use table::coverage_batch;
pub use table::coverage_schema;
