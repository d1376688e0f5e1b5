//! The narrow waist: what is ever needed of an hour of access logs, what is known of a credential for good, and who is
//! who.

mod distinct;
mod fold;
mod hours;
mod identity;
mod ledger;
mod packed;
mod row;
mod texts;
mod ties;
mod uses;

pub use distinct::{Distinct, MAX_DISTINCT};
pub use hours::AccessHours;
pub use identity::{Identities, identity, instance_of};
pub use ledger::{Credentials, LedgerEntry, Principals};
pub use packed::PackedRow;
pub use row::{AccessHour, Sums};
pub use ties::{MAX_TIES, Tie, TieRule, Ties};
pub use uses::{QUIET_S, Uses};
