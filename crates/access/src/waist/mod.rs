//! The narrow waist: what is ever needed of an hour of access logs, and what is known of a credential for good.

mod distinct;
mod fold;
mod hours;
mod ledger;
mod row;
mod uses;

pub use distinct::{Distinct, MAX_DISTINCT};
pub use hours::AccessHours;
pub use ledger::{Credentials, LedgerEntry, Principals};
pub use row::{AccessHour, Sums};
pub use uses::{QUIET_S, Uses};
