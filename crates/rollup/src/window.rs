//! The window that is judged, and the baseline it is judged against.

use flow::time::{DAY_S, HOUR_S, hour_of};

/// Length of history that is needed to call a pair new. A shorter history may miss weekly business.
pub const FIRST_CONTACT_HISTORY_S: i64 = 7 * DAY_S;

/// How long before the window a pair was met for the first time to be a habit, unless the user says otherwise. An implant
/// of yesterday is none.
pub const HABIT_S: i64 = 3 * DAY_S;

/// The window that is judged, and the history before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// First second of the window, a whole hour.
    pub from_s: i64,
    /// First second after the window, a whole hour.
    pub to_s: i64,
    /// First second of the baseline; equal to `from_s` when there is no history and the window is its own baseline.
    pub baseline_from_s: i64,
}

impl Window {
    /// Returns whether there is history before the window.
    pub fn has_history(&self) -> bool {
        self.baseline_from_s < self.from_s
    }

    /// Judges whether a pair is new: not when the history has it; yes when a history of at least
    /// [`FIRST_CONTACT_HISTORY_S`] does not have it. `None` when the history is too short to tell.
    pub fn first_contact(&self, in_baseline: bool) -> Option<bool> {
        if in_baseline {
            return Some(false);
        }
        (self.from_s - self.baseline_from_s >= FIRST_CONTACT_HISTORY_S).then_some(true)
    }

    /// Returns the length of the window in hours, at least 1.
    pub fn hours(&self) -> i64 {
        ((self.to_s - self.from_s) / HOUR_S).max(1)
    }
}

/// The window that the user asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowOptions {
    /// First second of the window; `None` for all data.
    pub from_s: Option<i64>,
    /// First second after the window; `None` for the end of the data.
    pub to_s: Option<i64>,
    /// Length of the baseline before the window, in seconds.
    pub baseline_s: i64,
    /// How long before the window a pair was met for the first time to be a habit, in seconds.
    pub habit_s: i64,
}

impl Default for WindowOptions {
    fn default() -> Self {
        Self { from_s: None, to_s: None, baseline_s: 14 * DAY_S, habit_s: HABIT_S }
    }
}

/// Which history the window is judged against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaselineKind {
    /// As much history as requested.
    History,
    /// All the history there is, which is less than requested.
    Shorter,
    /// There is no history: the window itself.
    Itself,
}

impl WindowOptions {
    /// Returns the first second of records that are needed at all; `None` for all.
    pub fn earliest_s(&self) -> Option<i64> {
        self.from_s.map(|from_s| hour_of(from_s).saturating_sub(self.baseline_s))
    }

    /// Returns the first second of records that are no longer needed, a whole hour; `None` for no bound.
    pub fn latest_s(&self) -> Option<i64> {
        self.to_s.map(|to_s| hour_of(to_s.saturating_add(HOUR_S - 1)))
    }
}

/// Chooses the window. `hours_s` is the first and last hour of the data; `None` when there is none.
///
/// Windows are whole hours, since `pair_hours` holds whole hours: `from` is rounded down, `to` up.
pub fn choose_window(options: &WindowOptions, hours_s: Option<(i64, i64)>) -> (Window, BaselineKind) {
    let empty = hour_of(options.from_s.or(options.to_s).unwrap_or(0));
    let (first_hour_s, last_hour_s) = hours_s.unwrap_or((empty, empty));
    let data_end_s = last_hour_s + HOUR_S;
    let to_s = options.latest_s().unwrap_or(data_end_s);
    let Some(from_s) = options.from_s.map(hour_of) else {
        let from_s = first_hour_s.min(to_s - HOUR_S);
        return (Window { from_s, to_s, baseline_from_s: from_s }, BaselineKind::Itself);
    };
    let to_s = to_s.max(from_s + HOUR_S);
    let wanted_s = from_s - options.baseline_s;
    if first_hour_s >= from_s {
        return (Window { from_s, to_s, baseline_from_s: from_s }, BaselineKind::Itself);
    }
    let kind = if first_hour_s <= wanted_s { BaselineKind::History } else { BaselineKind::Shorter };
    (Window { from_s, to_s, baseline_from_s: first_hour_s.max(wanted_s) }, kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_history_there_is() {
        let day = |n: i64| n * DAY_S;
        let options = WindowOptions { from_s: Some(day(20) + 1_800), ..WindowOptions::default() };
        let (window, kind) = choose_window(&options, Some((day(0), day(21) - HOUR_S)));
        assert_eq!(window, Window { from_s: day(20), to_s: day(21), baseline_from_s: day(6) });
        assert_eq!(kind, BaselineKind::History);
        let (window, kind) = choose_window(&options, Some((day(18), day(21) - HOUR_S)));
        assert_eq!((window.baseline_from_s, kind), (day(18), BaselineKind::Shorter));
        let (window, kind) = choose_window(&options, Some((day(20), day(21) - HOUR_S)));
        assert_eq!((window.has_history(), kind), (false, BaselineKind::Itself));
        let all = WindowOptions { from_s: None, ..options };
        let (window, _) = choose_window(&all, Some((day(18), day(21) - HOUR_S)));
        assert_eq!(window, Window { from_s: day(18), to_s: day(21), baseline_from_s: day(18) });
    }

    #[test]
    fn a_short_history_calls_nothing_new() {
        let after = |days: i64| Window { from_s: 10 * DAY_S, to_s: 11 * DAY_S, baseline_from_s: (10 - days) * DAY_S };
        assert_eq!([0, 1, 6, 7].map(|days| after(days).first_contact(false)), [None, None, None, Some(true)]);
        assert_eq!(after(1).first_contact(true), Some(false));
    }
}
