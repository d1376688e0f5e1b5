//! Hours of the day in which a train of check-ins is active: implants that keep working hours, and people.
//!
//! The check-ins are counted by hour of the day (UTC). The longest run of empty hours, around midnight too, is the
//! night; that `n` check-ins at random times of day leave some `r` hours empty has a probability of at most
//! `24·(1 − r/24)^n`, which must be small for the night to be named.
//!
//! ```
//! use flowsift_kernels::train::daily::daily_hours;
//!
//! // Every ten minutes from nine to five, on five days.
//! let starts: Vec<i64> = (0..5).flat_map(|day| (0..48).map(move |n| day * 86_400 + 32_400 + n * 600)).collect();
//! let hours = daily_hours(&starts).unwrap();
//! assert_eq!((hours.from_h, hours.to_h, hours.days), (9, 17, 5));
//! ```

/// Seconds of a day.
const DAY_S: i64 = 86_400;

/// Fewest hours of a night.
const MIN_NIGHT_H: usize = 6;

/// Largest probability of a chance night.
const MAX_CHANCE: f64 = 1e-3;

/// The hours of a day in which check-ins come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DailyHours {
    /// First active hour of the day, 0 to 23, UTC.
    pub from_h: u8,
    /// Hour after the last active one, 0 to 23; below `from_h` when the activity runs over midnight.
    pub to_h: u8,
    /// Days with check-ins.
    pub days: u32,
}

/// Returns the active hours of sorted check-ins (Unix seconds); `None` when there is no night, or fewer than two days to
/// show it. Linear in the number of check-ins.
pub fn daily_hours(check_ins_s: &[i64]) -> Option<DailyHours> {
    let mut filled = [false; 24];
    let (mut days, mut last_day) = (0u32, None);
    for &check_in in check_ins_s {
        filled[(check_in.rem_euclid(DAY_S) / 3600) as usize] = true;
        let day = check_in.div_euclid(DAY_S);
        days += u32::from(last_day != Some(day));
        last_day = Some(day);
    }
    let (mut night, mut ends, mut run) = (0, 0, 0);
    for hour in 0..48 {
        run = if filled[hour % 24] { 0 } else { run + 1 };
        if run > night && run < 24 {
            (night, ends) = (run, (hour + 1) % 24);
        }
    }
    let chance = 24.0 * (1.0 - night as f64 / 24.0).powi(i32::try_from(check_ins_s.len()).unwrap_or(i32::MAX));
    let named = days >= 2 && night >= MIN_NIGHT_H && chance <= MAX_CHANCE;
    named.then(|| DailyHours { from_h: ends as u8, to_h: ((ends + 24 - night) % 24) as u8, days })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::{Benign, Draws, Implant};
    use proptest::prelude::*;

    #[test]
    fn working_hours_are_named_and_round_the_clock_is_not() {
        let mut draws = Draws::seeded(51);
        let worker = Implant { working_hours: true, ..Implant::sleeping(300.0, 360.0) };
        let found = daily_hours(&worker.train(&mut draws, 5.0 * 86_400.0, 1));
        assert_eq!(found, Some(DailyHours { from_h: 9, to_h: 17, days: 5 }));
        assert_eq!(daily_hours(&worker.train(&mut draws, 86_400.0, 1)), None, "one day shows no night");
        let always = Implant::sleeping(300.0, 360.0).train(&mut draws, 5.0 * 86_400.0, 1);
        assert_eq!(daily_hours(&always), None);
        for count in [8, 40, 200] {
            let random = Benign::Poisson.train(&mut draws, count, 5.0 * 86_400.0 / count as f64, 1);
            assert_eq!(daily_hours(&random), None, "{count}");
        }
        assert_eq!(daily_hours(&[]), None);
    }

    proptest! {
        #[test]
        fn the_night_holds_no_check_in_and_is_the_longest(hours in prop::collection::vec((0i64..4, 0i64..24), 20..60)) {
            let mut check_ins: Vec<i64> = hours.iter().map(|(day, hour)| day * DAY_S + hour * 3600 + 7).collect();
            check_ins.sort_unstable();
            let active = |hour: usize| hours.iter().any(|(_, other)| *other as usize == hour % 24);
            // Every run of empty hours, by comparing every hour with all that follow.
            let longest = (0..24).map(|from| (0..24).take_while(|more| !active(from + more)).count()).max().unwrap();
            if let Some(found) = daily_hours(&check_ins) {
                let night = (usize::from(found.from_h) + 24 - usize::from(found.to_h)) % 24;
                prop_assert_eq!(night, longest);
                prop_assert!((0..night).all(|more| !active(usize::from(found.to_h) + more)));
            }
        }
    }
}
