//! What was logged of one ENI, hour by hour.

use flow::time::HOUR_S;
use std::collections::BTreeMap;
use std::ops::Bound;

/// What was logged of one ENI in one hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HourCoverage {
    /// All records that begin in the hour, including those without traffic.
    pub(crate) records: u64,
    /// Windows without traffic: `log_status` NODATA.
    pub(crate) nodata: u32,
    /// Windows in which AWS lost records: `log_status` SKIPDATA.
    pub(crate) skipdata: u32,
    /// Length of the windows in which AWS lost records, in seconds, at most an hour.
    pub(crate) skipdata_s: u32,
    /// The minutes of the hour that such windows touch, one per bit, the first in the lowest. A window that began in
    /// the hour before adds to this field alone.
    pub(crate) skipdata_minutes: u64,
}

/// Longest window whose minutes are noted. AWS has none longer than ten minutes; a damaged file may name any length.
const MAX_LOST_MINUTES: usize = 60;

/// Coverage of one ENI by hour, hours in seconds since 1970.
///
/// Nearly every object has records of one hour only, and a unit may have thousands of objects with thousands of ENIs
/// each. So the first hour needs no allocation.
#[derive(Clone, Debug, Default)]
pub(crate) struct CoverageHours {
    /// The hour that was added first, not the earliest.
    first: Option<(i64, HourCoverage)>,
    others: BTreeMap<i64, HourCoverage>,
}

impl CoverageHours {
    /// Returns the coverage of an hour, to be added to.
    #[inline]
    pub(crate) fn at(&mut self, hour_s: i64) -> &mut HourCoverage {
        let (first_s, first) = self.first.get_or_insert((hour_s, HourCoverage::default()));
        if *first_s == hour_s { first } else { self.others.entry(hour_s).or_default() }
    }

    /// Notes the minutes of a window of `duration_s` seconds from `start_s` on in which AWS lost records.
    ///
    /// The window may run into the next hour. That hour then has a row of `coverage` even if nothing else was logged in
    /// it; all counts of such a row are 0.
    pub(crate) fn add_lost_window(&mut self, start_s: i64, duration_s: u32) {
        let minutes = start_s.div_euclid(60)..(start_s + i64::from(duration_s)).div_euclid(60) + 1;
        for minute in minutes.take(MAX_LOST_MINUTES) {
            self.at(minute.div_euclid(60) * HOUR_S).skipdata_minutes |= 1 << minute.rem_euclid(60);
        }
    }

    /// Returns each hour with its coverage, ascending.
    pub(crate) fn sorted(&self) -> impl Iterator<Item = (i64, HourCoverage)> + '_ {
        let first_s = self.first.map_or(i64::MIN, |(hour_s, _)| hour_s);
        let others =
            |range: (Bound<i64>, Bound<i64>)| self.others.range(range).map(|(hour_s, coverage)| (*hour_s, *coverage));
        others((Bound::Unbounded, Bound::Excluded(first_s)))
            .chain(self.first)
            .chain(others((Bound::Excluded(first_s), Bound::Unbounded)))
    }

    /// Adds what another object has of the same ENI.
    pub(super) fn merge(&mut self, other: &CoverageHours) {
        let first = other.first.iter().map(|(hour_s, coverage)| (*hour_s, coverage));
        for (hour_s, coverage) in first.chain(other.others.iter().map(|(hour_s, coverage)| (*hour_s, coverage))) {
            let sum = self.at(hour_s);
            sum.records += coverage.records;
            sum.nodata += coverage.nodata;
            sum.skipdata += coverage.skipdata;
            sum.skipdata_s = (sum.skipdata_s + coverage.skipdata_s).min(HOUR_S as u32);
            sum.skipdata_minutes |= coverage.skipdata_minutes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_window_marks_the_minutes_of_both_hours_that_it_touches() {
        let mut hours = CoverageHours::default();
        hours.at(0).records = 1;
        // 59:30 to 1:01:29
        hours.add_lost_window(HOUR_S - 30, 119);
        let minutes: Vec<_> = hours.sorted().map(|(hour_s, of)| (hour_s, of.records, of.skipdata_minutes)).collect();
        assert_eq!(minutes, [(0, 1, 1 << 59), (HOUR_S, 0, 0b11)]);
    }

    #[test]
    fn hours_come_in_order_of_time_whichever_was_added_first() {
        let mut hours = CoverageHours::default();
        for hour in [5, 2, 9] {
            hours.at(hour * HOUR_S).records += 1;
        }
        let mut other = CoverageHours::default();
        other.at(9 * HOUR_S).records = 3;
        hours.merge(&other);
        let records: Vec<_> = hours.sorted().map(|(hour_s, of)| (hour_s / HOUR_S, of.records)).collect();
        assert_eq!(records, [(2, 1), (5, 1), (9, 4)]);
    }
}
