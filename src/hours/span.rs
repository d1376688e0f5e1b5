//! Which hours the data covers.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{TimestampSecondType, UInt64Type};
use rayon::prelude::*;
use rollup::PairHours;
use std::collections::BTreeMap;
use std::ops::Range;

/// An hour at either end holds only strays when it has fewer records than this fraction of a mean hour's.
const STRAY_FRACTION: u64 = 1_000;

/// Returns the first and the last hour of the data, in seconds since 1970: those of its pairs or, without pairs, of its
/// coverage. `None` when there is no data.
///
/// Strays at the ends are left out. A record of the second after the last hour, or from a clock that is years off, would
/// make a window that is mostly empty, in which the coverage of every ENI is poor. Only hours inside `needed` decide what a
/// stray is: kept hours may reach beyond, and must give the same window.
pub(super) fn span(pair_hours: &[PairHours], coverage: &[RecordBatch], needed: &Range<i64>) -> Option<(i64, i64)> {
    let widest =
        |spans: Vec<(i64, i64)>| Some((spans.iter().map(|span| span.0).min()?, spans.iter().map(|span| span.1).max()?));
    // Pairs first: a lone NODATA record outside the time range makes no window.
    let of_pairs = widest(pair_hours.par_iter().filter_map(PairHours::hour_range).collect());
    match of_pairs {
        Some(span) => Some(without_strays(span, &records_by_hour(coverage, needed))),
        None => widest(coverage.iter().filter_map(hours_of).collect()),
    }
}

fn hours_of(coverage: &RecordBatch) -> Option<(i64, i64)> {
    let hours = coverage["hour"].as_primitive::<TimestampSecondType>();
    Some((arrow::compute::min(hours)?, arrow::compute::max(hours)?))
}

fn records_by_hour(coverage: &[RecordBatch], needed: &Range<i64>) -> BTreeMap<i64, u64> {
    let mut by_hour = BTreeMap::new();
    for table in coverage {
        let hours = table["hour"].as_primitive::<TimestampSecondType>();
        let records = table["records"].as_primitive::<UInt64Type>();
        for (hour_s, records) in hours.values().iter().zip(records.values()).filter(|(hour, _)| needed.contains(hour)) {
            *by_hour.entry(*hour_s).or_default() += records;
        }
    }
    by_hour
}

/// Returns the span without the hours at its ends that hold only strays.
pub(super) fn without_strays((first_s, last_s): (i64, i64), records_by_hour: &BTreeMap<i64, u64>) -> (i64, i64) {
    let within = || records_by_hour.range(first_s..=last_s).filter(|(_, records)| **records > 0);
    let hours = within().count() as u64;
    let total = within().map(|(_, records)| records).sum::<u64>();
    let is_no_stray =
        |(_, records): &(&i64, &u64)| (**records).saturating_mul(STRAY_FRACTION).saturating_mul(hours) >= total;
    let first = within().find(is_no_stray).map_or(first_s, |(hour_s, _)| *hour_s);
    let last = within().rfind(is_no_stray).map_or(last_s, |(hour_s, _)| *hour_s);
    (first, last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span_of(hours: &[(i64, u64)]) -> (i64, i64) {
        let hours: BTreeMap<i64, u64> = hours.iter().map(|(hour, records)| (hour * 3_600, *records)).collect();
        let (first, last) = (*hours.keys().min().unwrap(), *hours.keys().max().unwrap());
        let (first, last) = without_strays((first, last), &hours);
        (first / 3_600, last / 3_600)
    }

    #[test]
    fn strays_at_the_ends_make_no_window() {
        assert_eq!(span_of(&[(10, 5_000), (11, 4_000), (12, 2)]), (10, 11));
        assert_eq!(span_of(&[(-400_000, 1), (10, 5_000), (11, 0), (12, 4_000), (900_000, 2)]), (10, 12));
        // A quiet hour between busy ones stays, and so does one that is only short.
        assert_eq!(span_of(&[(10, 5_000), (11, 1), (12, 400)]), (10, 12));
        // Of little data, all is data.
        assert_eq!(span_of(&[(10, 900), (11, 1)]), (10, 11));
        assert_eq!(span_of(&[(10, 1)]), (10, 10));
    }
}
