//! Which tables are derived, and how much of a pair they keep.

use crate::window::Window;
use flow::time::DAY_S;

/// Fewest connections in the window for which a pair keeps its list of starts: no statistic judges fewer.
pub const MIN_STARTS: usize = 6;

/// The same for connections of hosts to the outside, where several remotes may be judged as one.
pub const MIN_STARTS_OUTSIDE: usize = 2;

/// A pair with fewer connections in the window is slow: its history shows more than the window.
pub const SLOW_STARTS_A_WINDOW: u64 = 24;

/// Most connections of a slow pair, in history and window together, whose starts are kept.
pub const MAX_SLOW_STARTS: usize = 512;

/// Fewest days of baseline and window from which a drift can be judged.
pub const MIN_DAYS: i64 = 8;

/// Tables that only some detections read. A table that is not wanted is empty and costs nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Derive `services`.
    pub services: bool,
    /// Derive `host_days`; it stays empty when baseline and window span fewer than [`MIN_DAYS`].
    pub host_days: bool,
}

impl Wanted {
    /// Everything.
    pub const ALL: Self = Self { services: true, host_days: true };

    pub(crate) fn within(self, window: &Window) -> Self {
        let days = (window.to_s - window.baseline_from_s) / DAY_S;
        Self { host_days: self.host_days && days >= MIN_DAYS, ..self }
    }
}
