//! Times for which an ENI's log was lost, so that its silence proves nothing.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{TimestampSecondType, UInt32Type, UInt64Type};
use flow::time::HOUR_S;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use kernels::lost::{Lost, Stretch, joined};
use std::collections::BTreeMap;

/// An ENI's log records silence when at least this share of its whole hours has as many rows as windows: AWS writes a
/// row (NODATA) for a window without traffic.
const MIN_SILENCE_SHARE: f64 = 0.95;

/// Fewest whole hours from which that share is judged.
const MIN_SILENCE_HOURS: usize = 6;

/// An account and region whose median hour has this many rows does not fall silent by chance.
const MIN_BUSY_ROWS: u64 = 100;

/// Seconds of a minute, the granularity of lost windows.
const MINUTE_S: i64 = 60;

/// Stretches of time that were lost, by ENI.
///
/// These count as lost: windows with status SKIPDATA; hours without any row, between the first and the last row of an
/// ENI whose log records silence; and hours without any row of an account and region whose median hour has a hundred
/// rows or more. Whatever else is missing may be silence.
#[derive(Clone, Debug, Default)]
pub struct LostTimes {
    by_interface: HashMap<String, Vec<Stretch>, FixedState>,
}

/// The hours of one ENI.
struct InterfaceHours<'a> {
    name: &'a str,
    /// Account and region.
    owner: (&'a str, &'a str),
    /// Hour and number of rows, including SKIPDATA and NODATA rows. An hour that is split over two units comes twice.
    rows: Vec<(i64, u64)>,
    window_s: u32,
    lost: Vec<Stretch>,
}

impl LostTimes {
    /// Finds the lost times between `from_s` and `to_s` in tables of `coverage`.
    pub fn new(tables: &[RecordBatch], from_s: i64, to_s: i64) -> Self {
        let mut numbers: HashMap<&str, usize, FixedState> = HashMap::default();
        let mut interfaces: Vec<InterfaceHours<'_>> = Vec::new();
        let mut rows_by_owner: BTreeMap<(&str, &str), BTreeMap<i64, u64>> = BTreeMap::new();
        for table in tables {
            let text = |name: &str| table[name].as_string::<i32>();
            let (names, accounts, regions) = (text("interface_id"), text("account_id"), text("region"));
            let hours = table["hour"].as_primitive::<TimestampSecondType>();
            let (records, minutes) =
                (table["records"].as_primitive::<UInt64Type>(), table["skipdata_minutes"].as_primitive::<UInt64Type>());
            let [nodata, skipdata, window] =
                ["nodata", "skipdata", "window_s"].map(|name| table[name].as_primitive::<UInt32Type>());
            for row in 0..table.num_rows() {
                let hour_s = hours.value(row);
                if names.is_null(row) || !(from_s..to_s).contains(&hour_s) {
                    continue;
                }
                let (name, owner) = (names.value(row), (accounts.value(row), regions.value(row)));
                let rows = records.value(row).max(u64::from(nodata.value(row)) + u64::from(skipdata.value(row)));
                let number = *numbers.entry(name).or_insert(interfaces.len());
                if number == interfaces.len() {
                    interfaces.push(InterfaceHours { name, owner, rows: Vec::new(), window_s: 0, lost: Vec::new() });
                }
                let of_interface = &mut interfaces[number];
                of_interface.window_s = of_interface.window_s.max(window.value(row));
                of_interface.lost.extend(lost_minutes(hour_s, minutes.value(row)));
                // An hour without rows only holds the end of another hour's lost window.
                if rows > 0 {
                    of_interface.rows.push((hour_s, rows));
                    *rows_by_owner.entry(owner).or_default().entry(hour_s).or_default() += rows;
                }
            }
        }
        let outages: BTreeMap<(&str, &str), Vec<Stretch>> =
            rows_by_owner.iter().map(|(owner, hours)| (*owner, outages(hours))).collect();
        let lost_of = |of_interface: InterfaceHours<'_>| {
            let rows = by_hour(of_interface.rows);
            let mut lost = of_interface.lost;
            if records_silence(&rows, of_interface.window_s) {
                lost.extend(missing(rows.iter().map(|(hour_s, _)| *hour_s)));
            }
            if let Some(of_owner) = outages.get(&of_interface.owner) {
                lost.extend(of_owner);
            }
            let lost = joined(lost);
            (!lost.is_empty()).then(|| (of_interface.name.to_owned(), lost))
        };
        Self { by_interface: interfaces.into_iter().filter_map(lost_of).collect() }
    }

    /// Returns whether nothing was lost.
    pub fn is_empty(&self) -> bool {
        self.by_interface.is_empty()
    }

    /// Returns what was lost of an ENI's log.
    pub fn of(&self, interface: &str) -> Lost<'_> {
        self.by_interface.get(interface).map_or(Lost::NONE, |stretches| Lost::new(stretches))
    }
}

/// Returns the minutes of an hour, one per bit, as stretches.
fn lost_minutes(hour_s: i64, minutes: u64) -> impl Iterator<Item = Stretch> {
    let lost = (0..60).filter(move |minute| minutes >> minute & 1 == 1);
    lost.map(move |minute| Stretch::new(hour_s + minute * MINUTE_S, hour_s + (minute + 1) * MINUTE_S))
}

/// Returns the rows by hour, ascending, each hour once.
fn by_hour(mut rows: Vec<(i64, u64)>) -> Vec<(i64, u64)> {
    rows.sort_unstable();
    rows.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
    rows
}

/// Returns the gaps between ascending hours.
fn missing(hours: impl Iterator<Item = i64>) -> Vec<Stretch> {
    let hours: Vec<i64> = hours.collect();
    let gaps = hours.windows(2).filter(|pair| pair[1] - pair[0] > HOUR_S);
    gaps.map(|pair| Stretch::new(pair[0] + HOUR_S, pair[1])).collect()
}

/// Returns whether nearly every whole hour has as many rows as windows. The first and the last hour need not be whole.
fn records_silence(rows: &[(i64, u64)], window_s: u32) -> bool {
    let windows = (HOUR_S / i64::from(window_s.max(1))) as u64;
    let whole = rows.len().saturating_sub(2);
    let full = rows.iter().skip(1).take(whole).filter(|(_, rows)| *rows >= windows).count();
    whole >= MIN_SILENCE_HOURS && full as f64 >= MIN_SILENCE_SHARE * whole as f64
}

/// Returns the hours in which a busy account has no row at all.
fn outages(rows: &BTreeMap<i64, u64>) -> Vec<Stretch> {
    let mut counts: Vec<u64> = rows.values().copied().collect();
    counts.sort_unstable();
    let is_busy = counts.get(counts.len() / 2).is_some_and(|median| *median >= MIN_BUSY_ROWS);
    if is_busy { missing(rows.keys().copied()) } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coverage::test_tables::rows_of;

    /// Hours from 0, each with a number of rows and lost minutes.
    fn lost(hours: &[(i64, u64, u64)]) -> Vec<(i64, i64)> {
        let rows: Vec<_> = hours.iter().map(|&(hour, rows, minutes)| ("eni-1", hour * HOUR_S, rows, minutes)).collect();
        let times = LostTimes::new(&[rows_of(&rows)], 0, 100 * HOUR_S);
        let stretches = times.by_interface.get("eni-1").cloned().unwrap_or_default();
        stretches.into_iter().map(|stretch| (stretch.from_s, stretch.to_s)).collect()
    }

    #[test]
    fn lost_windows_are_lost_to_the_minute() {
        assert_eq!(lost(&[(0, 5, 0b111), (1, 5, 1 << 59), (2, 0, 1)]), [(0, 180), (7_140, 7_260)]);
        assert_eq!(lost(&[(0, 5, 0), (9, 5, 0)]), []);
    }

    #[test]
    fn a_missing_hour_is_lost_where_silence_is_recorded() {
        let mut hours: Vec<(i64, u64, u64)> = (0..20).map(|hour| (hour, 60, 0)).collect();
        hours.retain(|hour| ![7, 8].contains(&hour.0));
        assert_eq!(lost(&hours), [(7 * HOUR_S, 9 * HOUR_S)]);
        // A host with some connections an hour, in a log that does not record silence: nothing is known to be lost.
        hours.iter_mut().for_each(|hour| hour.1 = 24);
        assert_eq!(lost(&hours), []);
        // As busy as a whole account, it cannot have been silent.
        hours.iter_mut().for_each(|hour| hour.1 = if hour.0 % 3 == 0 { 40 } else { 150 });
        assert_eq!(lost(&hours), [(7 * HOUR_S, 9 * HOUR_S)]);
    }
}
