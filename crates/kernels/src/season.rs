//! The usual level at an hour of the week, given a few weeks of history.
//!
//! A week has 168 hours and a history rarely more than a few weeks, so the hour of the week alone has two or three
//! samples. Each level therefore leans on the next wider one (shrinkage): the hour of the week on the hour of the day,
//! and that on all hours. With `n` samples at a level, its own median has the weight `w = min(1, n / 8)`:
//!
//! `centre = w·median + (1 − w)·centre of the wider level`
//!
//! and the spread is the same mean of the MADs plus `w·(1 − w)·|median − centre of the wider level|`: as long as the
//! levels disagree and neither stands on its own, either may be right (as in the variance of a mixture).
//!
//! ```
//! use flowsift_kernels::season::habit;
//!
//! // Two weeks of hours; at 02:00 there is a backup.
//! let hours: Vec<i64> = (0..14 * 24).map(|hour| hour * 3_600).collect();
//! let values: Vec<f64> = hours.iter().map(|s| if s % 86_400 == 7_200 { 22.0 } else { 11.0 }).collect();
//! assert_eq!(habit(&hours, &values, 14 * 86_400 + 7_200).unwrap().centre, 22.0);
//! assert_eq!(habit(&hours, &values, 14 * 86_400).unwrap().centre, 11.0);
//! ```

use super::robust::{mad, median};

/// Number of samples from which a level stands on its own.
pub const ENOUGH: usize = 8;

/// The usual level: a robust centre and spread, in the unit of the values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Habit {
    /// Shrunken median.
    pub centre: f64,
    /// Shrunken median absolute deviation, unscaled.
    pub spread: f64,
    /// Hours of history at the same hour of the day.
    pub samples: usize,
}

/// Returns the habit at the hour that begins at `at_s`, from hours that begin at `hours_s` (Unix time) and their values.
///
/// `None` without history; surplus elements of unequal slices are ignored. O(n).
pub fn habit(hours_s: &[i64], values: &[f64], at_s: i64) -> Option<Habit> {
    const DAY_S: i64 = 86_400;
    let of = |period_s: i64| -> Vec<f64> {
        let same = hours_s.iter().zip(values).filter(|(hour_s, _)| (**hour_s - at_s).rem_euclid(period_s) < 3_600);
        same.map(|(_, value)| *value).collect()
    };
    let shrunken = |mut own: Vec<f64>, wider: Habit| {
        let weight = (own.len() as f64 / ENOUGH as f64).min(1.0);
        let Some(centre) = median(&mut own) else { return wider };
        let spread = mad(&own, centre).unwrap_or(wider.spread);
        let mix = |own: f64, wider: f64| weight * own + (1.0 - weight) * wider;
        let between = weight * (1.0 - weight) * (centre - wider.centre).abs();
        Habit { centre: mix(centre, wider.centre), spread: mix(spread, wider.spread) + between, samples: wider.samples }
    };
    let mut all: Vec<f64> = hours_s.iter().zip(values).map(|(_, value)| *value).collect();
    let centre = median(&mut all)?;
    let whole = Habit { centre, spread: mad(&all, centre)?, samples: 0 };
    let daily = of(DAY_S);
    let whole = Habit { samples: daily.len(), ..whole };
    Some(shrunken(of(7 * DAY_S), shrunken(daily, whole)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY_S: i64 = 86_400;

    /// Returns hours of some days with a backup every night at 02:00.
    fn nightly(days: i64) -> (Vec<i64>, Vec<f64>) {
        let hours: Vec<i64> = (0..days * 24).map(|hour| hour * 3_600).collect();
        let values = hours.iter().map(|s| if s % DAY_S == 7_200 { 22.0 } else { 11.0 }).collect();
        (hours, values)
    }

    #[test]
    fn a_nightly_backup_is_usual_at_night_only() {
        let (hours, values) = nightly(14);
        let night = habit(&hours, &values, 14 * DAY_S + 7_200).unwrap();
        assert_eq!((night.centre, night.spread, night.samples), (22.0, 0.0, 14));
        assert_eq!(habit(&hours, &values, 14 * DAY_S + 14 * 3_600).unwrap().centre, 11.0);
    }

    #[test]
    fn a_short_history_leans_on_all_hours() {
        let (hours, values) = nightly(2);
        // Two of eight samples at the hour of the day, none of that weekday.
        assert_eq!(habit(&hours, &values, 2 * DAY_S + 7_200).unwrap().centre, 0.25 * 22.0 + 0.75 * 11.0);
        assert_eq!(habit(&[], &[], 0), None);
    }

    #[test]
    fn a_weekly_job_is_half_known_after_four_weeks() {
        let hours: Vec<i64> = (0..28 * 24).map(|hour| hour * 3_600).collect();
        let values: Vec<f64> = hours.iter().map(|s| if s % (7 * DAY_S) == 3_600 { 20.0 } else { 10.0 }).collect();
        let weekly = habit(&hours, &values, 28 * DAY_S + 3_600).unwrap();
        assert_eq!((weekly.centre, weekly.spread), (15.0, 2.5), "20 is no surprise");
        let other = habit(&hours, &values, 29 * DAY_S + 3_600).unwrap();
        assert_eq!((other.centre, other.spread), (10.0, 0.0), "on any other day it is");
    }

    #[test]
    fn one_past_theft_does_not_become_the_habit() {
        let (hours, mut values) = nightly(14);
        values[5 * 24 + 14] = 24.0;
        let habit = habit(&hours, &values, 14 * DAY_S + 14 * 3_600).unwrap();
        assert_eq!((habit.centre, habit.spread), (11.0, 0.0));
    }

    proptest! {
        /// Slow twin: each level by sorting, in floating point in the same order.
        #[test]
        fn equals_the_levels_one_by_one(
            samples in prop::collection::btree_map(0i64..400, 0.0..30.0f64, 0..60), at in 0i64..600,
        ) {
            let (hours, values): (Vec<i64>, Vec<f64>) = samples.iter().map(|(hour, value)| (hour * 3_600, *value)).unzip();
            let middle = |mut values: Vec<f64>| {
                values.sort_by(f64::total_cmp);
                let half = values.len() / 2;
                if values.len() % 2 == 1 { values[half] } else { values[half - 1] + 0.5 * (values[half] - values[half - 1]) }
            };
            let level = |every: i64| -> Vec<f64> {
                samples.iter().filter(|(hour, _)| (*hour - at) % every == 0).map(|(_, value)| *value).collect()
            };
            let (mut centre, mut spread) = (0.0, 0.0);
            for (every, is_whole) in [(1, true), (24, false), (168, false)] {
                let own = level(every);
                if own.is_empty() {
                    continue;
                }
                let w = if is_whole { 1.0 } else { (own.len() as f64 / 8.0).min(1.0) };
                let m = middle(own.clone());
                let d = middle(own.iter().map(|value| (value - m).abs()).collect());
                let between = w * (1.0 - w) * (m - centre).abs();
                (centre, spread) = (w * m + (1.0 - w) * centre, w * d + (1.0 - w) * spread + between);
            }
            match habit(&hours, &values, at * 3_600) {
                None => prop_assert!(samples.is_empty()),
                Some(found) => {
                    prop_assert!((found.centre - centre).abs() < 1e-9 && (found.spread - spread).abs() < 1e-9);
                    prop_assert_eq!(found.samples, level(24).len());
                }
            }
        }
    }
}
