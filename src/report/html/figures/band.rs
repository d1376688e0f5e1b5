//! What a host usually sends at an hour: quantiles of the same hour on earlier days or weeks.

use super::{Band, Habit, MAX_HOURS, UploadHour};
use flow::Address;
use flow::time::{DAY_S, HOUR_S};
use rollup::window::Window;
use std::collections::BTreeMap;

/// Fewest days of history for a band of the hour of the day.
const MIN_DAYS: i64 = 5;
/// Fewest weeks of history for a band of the hour of the week.
const MIN_WEEKS: i64 = 4;

/// What is known of one hour of a host.
#[derive(Debug, Clone, Copy)]
pub(super) struct SentHour {
    pub(super) bytes_out: u64,
    pub(super) top_remote: Address,
}

/// Returns what the band of a host is made of. Its history begins with its first hour, as before it may not have existed.
pub(super) fn habit(sent: &BTreeMap<i64, SentHour>, window: &Window) -> Habit {
    let first = sent.keys().next().copied().unwrap_or(window.from_s).max(window.baseline_from_s);
    let days = (window.from_s - first).max(0) / DAY_S;
    let count = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
    if days / 7 >= MIN_WEEKS {
        Habit::HourOfWeek { weeks: count(days / 7) }
    } else if days >= MIN_DAYS {
        Habit::HourOfDay { days: count(days) }
    } else {
        Habit::Unknown { days: count(days) }
    }
}

/// Returns the hours of the window, at most [`MAX_HOURS`] of them, and how many are left out.
pub(super) fn hours(sent: &BTreeMap<i64, SentHour>, window: &Window, habit: Habit) -> (Vec<UploadHour>, u64) {
    let from_s = window.from_s.max(window.to_s - MAX_HOURS as i64 * HOUR_S);
    let hours = (0..(window.to_s - from_s).max(0) / HOUR_S).map(|at| {
        let hour_s = from_s + at * HOUR_S;
        let found = sent.get(&hour_s);
        UploadHour {
            hour_s,
            bytes_out: found.map_or(0, |hour| hour.bytes_out),
            top_remote: found.filter(|hour| hour.bytes_out > 0).map(|hour| hour.top_remote),
            band: band(sent, window, habit, hour_s),
        }
    });
    (hours.collect(), u64::try_from((from_s - window.from_s) / HOUR_S).unwrap_or(0))
}

/// Returns what a host usually sends at an hour. An hour of the history without a row is one in which nothing was sent.
fn band(sent: &BTreeMap<i64, SentHour>, window: &Window, habit: Habit, hour_s: i64) -> Option<Band> {
    let (step_s, count) = match habit {
        Habit::Unknown { .. } => return None,
        Habit::HourOfDay { days } => (DAY_S, days),
        Habit::HourOfWeek { weeks } => (7 * DAY_S, weeks),
    };
    let last = hour_s - ((hour_s - window.from_s) / step_s + 1) * step_s;
    let of = |at: u32| sent.get(&(last - i64::from(at) * step_s)).map_or(0, |hour| hour.bytes_out);
    let mut bytes: Vec<u64> = (0..count).map(of).collect();
    bytes.sort_unstable();
    Some(Band { low_bytes: quantile(&bytes, 0.05)?, high_bytes: quantile(&bytes, 0.95)? })
}

/// Returns a quantile of ascending values, between two of them where it falls there.
fn quantile(values: &[u64], share: f64) -> Option<u64> {
    let last = values.len().checked_sub(1)?;
    let at = share * last as f64;
    let (below, above) = (*values.get(at.floor() as usize)?, *values.get(at.ceil() as usize)?);
    Some((below as f64 + (above - below) as f64 * at.fract()).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(days: i64) -> Window {
        Window { from_s: 100 * DAY_S, to_s: 101 * DAY_S, baseline_from_s: (100 - days) * DAY_S }
    }

    /// A host that sends at 10 o'clock, more on the third day of a week.
    fn sent(days: i64) -> BTreeMap<i64, SentHour> {
        let hour = |day: i64, hour: i64, bytes_out| {
            (day * DAY_S + hour * HOUR_S, SentHour { bytes_out, top_remote: Address::default() })
        };
        let first = hour(100 - days, 0, 1);
        [first]
            .into_iter()
            .chain((100 - days..=100).map(|day| hour(day, 10, if day % 7 == 2 { 900 } else { 100 })))
            .collect()
    }

    #[test]
    fn the_band_is_of_the_same_hour() {
        let (sent, window) = (sent(10), window(14));
        let habit = habit(&sent, &window);
        assert_eq!(habit, Habit::HourOfDay { days: 10 });
        let (hours, left_out) = hours(&sent, &window, habit);
        assert_eq!((hours.len(), left_out), (24, 0));
        // Day 100 is the third of its week; of the ten days before, day 93 alone is.
        assert_eq!(hours[10].band, Some(Band { low_bytes: 100, high_bytes: 540 }));
        assert!(hours[10].is_over() && !hours[9].is_over());
        assert_eq!(hours[9].band, Some(Band { low_bytes: 0, high_bytes: 0 }));
    }

    #[test]
    fn weeks_are_compared_where_there_are_enough() {
        let (sent, window) = (sent(30), window(30));
        let habit = habit(&sent, &window);
        assert_eq!(habit, Habit::HourOfWeek { weeks: 4 });
        let (hours, _) = hours(&sent, &window, habit);
        assert_eq!(hours[10].band, Some(Band { low_bytes: 900, high_bytes: 900 }));
    }

    #[test]
    fn a_short_history_has_no_band() {
        let window = window(14);
        let habit = habit(&sent(3), &window);
        assert_eq!(habit, Habit::Unknown { days: 3 });
        assert_eq!(hours(&sent(3), &window, habit).0[10].band, None);
        let long = Window { from_s: 0, to_s: 30 * DAY_S, baseline_from_s: 0 };
        let (hours, left_out) = hours(&BTreeMap::new(), &long, habit);
        assert_eq!((hours.len(), left_out), (MAX_HOURS, 30 * 24 - 168));
    }
}
