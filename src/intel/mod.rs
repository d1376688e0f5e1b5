//! What is known about addresses before any flow is read: indicators, network owners, internal networks,
//! allow-lists and verdicts.
//!
//! Every list is read once, checked line by line, and turned into sorted blocks that are looked up in O(log n).

pub mod allow;
pub mod feed;
pub mod indicators;
pub mod internal;
pub mod known_services;
pub mod list_category;
pub mod networks;
pub mod ranges;
pub mod verdicts;

mod error;
mod row;

pub use allow::{AllowEntry, AllowList, Contact};
pub use error::{IntelError, Warning, WarningKind};
pub use indicators::{IndicatorHit, Indicators};
pub use internal::InternalNetworks;
pub use known_services::known_service;
pub use list_category::ListCategory;
pub use networks::{AWS_OWNER, NetworkOwner, Networks};
pub use ranges::{AddressBlock, RangeMap};
pub use verdicts::{Judged, Suspect, Verdict, VerdictEntry, Verdicts};
