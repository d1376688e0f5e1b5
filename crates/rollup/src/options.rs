//! What the caller decides: which records count, and which addresses are internal.

use flow::Address;

/// Which records a unit keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RollupOptions {
    /// First second that counts, by the record's `start`; `None` for no bound.
    pub from_s: Option<i64>,
    /// First second that no longer counts; `None` for no bound.
    pub to_s: Option<i64>,
}

impl RollupOptions {
    /// Returns whether a record that starts at `start_s` counts.
    pub fn holds(&self, start_s: i64) -> bool {
        self.from_s.is_none_or(|from| start_s >= from) && self.to_s.is_none_or(|to| start_s < to)
    }
}

/// Returns whether an address is internal, that is, monitored by the organisation.
pub type IsInternal<'a> = dyn Fn(Address) -> bool + Sync + 'a;
