//! When the steps of the story happen. Days and times follow what was published about the real intrusion of November
//! 2023 where it was published; the rest is invented.

use super::options::Variation;

/// Seconds of a day.
pub const DAY_S: i64 = 86_400;

/// 2023-11-01T00:00:00Z.
const NOVEMBER_S: i64 = 1_698_796_800;

/// Returns a time of November 2023 in seconds since 1970 UTC; days beyond the 30th go on into December.
pub const fn november(day: i64, hour: i64, minute: i64, second: i64) -> i64 {
    NOVEMBER_S + (day - 1) * DAY_S + hour * 3_600 + minute * 60 + second
}

/// The times of a story, in seconds since 1970 UTC.
#[derive(Clone, Copy, Debug)]
pub struct Timeline {
    /// First second of the logs, and the first after them; whole days.
    pub begin_s: i64,
    pub end_s: i64,
    /// Service accounts are tried at Okta.
    pub probe_s: i64,
    /// A key that nobody used for months is tried.
    pub key_s: i64,
    /// A dormant service account reads Jira and Confluence.
    pub reading_s: i64,
    /// It makes a user.
    pub account_s: i64,
    /// Short visits.
    pub returns_s: [i64; 2],
    /// A script runs on the Jira server, and an implant after it.
    pub script_s: i64,
    pub beacon_s: i64,
    /// Repositories are read and archived.
    pub repositories_s: i64,
    /// Another server is tried.
    pub lateral_s: i64,
    /// Data leave.
    pub upload_s: i64,
    /// The service account and the new user are switched off.
    pub blocked_s: [i64; 2],
    /// The last try, and the end of the implant.
    pub last_try_s: i64,
    pub removed_s: i64,
    /// The quarterly job runs.
    pub quarterly_s: i64,
    /// The first second of the day whose logs are lost, if any.
    pub lost_s: Option<i64>,
}

impl Timeline {
    /// Returns the times of a story.
    pub fn of(variation: Variation) -> Self {
        // Who takes three repositories a day needs two weeks more.
        let later = if variation == Variation::Slow { 14 } else { 0 };
        Self {
            begin_s: november(if variation == Variation::NoHistory { 14 } else { 1 }, 0, 0, 0),
            end_s: november(25 + later, 0, 0, 0),
            probe_s: november(14, 9, 22, 49),
            key_s: november(14, 10, 2, 11),
            reading_s: november(15, 16, 28, 38),
            account_s: november(16, 14, 36, 37),
            returns_s: [november(20, 9, 26, 53), november(21, 11, 5, 20)],
            script_s: november(22, 14, 18, 22),
            beacon_s: november(22, 14, 31, 0),
            repositories_s: november(22, 15, 2, 0),
            lateral_s: november(22, 15, 11, 0),
            upload_s: november(23, 2, 10, 0),
            blocked_s: [november(23 + later, 16, 35, 0), november(23 + later, 17, 23, 0)],
            last_try_s: november(24 + later, 10, 44, 0),
            removed_s: november(24 + later, 11, 59, 0),
            quarterly_s: november(15, 6, 0, 0),
            lost_s: (variation == Variation::LostDay).then_some(november(21, 0, 0, 0)),
        }
    }

    /// Returns the number of days of the logs.
    pub const fn days(&self) -> u32 {
        ((self.end_s - self.begin_s) / DAY_S) as u32
    }

    /// Returns the first second of a day of the logs.
    pub const fn day_s(&self, day: u32) -> i64 {
        self.begin_s + day as i64 * DAY_S
    }

    /// Returns whether a day's logs are there.
    pub fn is_kept(&self, day_s: i64) -> bool {
        self.lost_s != Some(day_s)
    }
}

/// Returns the day of the week of a day, from 0 for Monday.
pub const fn weekday(day_s: i64) -> u32 {
    // 1970-01-01 was a Thursday.
    ((day_s.div_euclid(DAY_S) + 3).rem_euclid(7)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow::time::rfc3339;

    #[test]
    fn times_are_those_of_november() {
        let times = Timeline::of(Variation::None);
        assert_eq!(rfc3339(times.probe_s), "2023-11-14T09:22:49Z");
        assert_eq!(times.days(), 24);
        // The fifth was a Sunday.
        assert_eq!(weekday(november(5, 0, 0, 0)), 6);
        assert_eq!(Timeline::of(Variation::NoHistory).days(), 11);
        assert_eq!(rfc3339(Timeline::of(Variation::Slow).removed_s), "2023-12-08T11:59:00Z");
    }
}
