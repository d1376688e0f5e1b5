//! The window in which starts were observed.

/// The window in which starts were observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObservedWindow {
    /// First second, Unix time.
    pub from_s: i64,
    /// Second after the last, Unix time.
    pub to_s: i64,
    /// Aggregation interval of the log in seconds: 60 or 600 for flow logs, 1 when starts are exact.
    pub window_s: u32,
}
