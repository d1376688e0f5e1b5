//! The `host_days` table: what each host uploaded to rare remotes, day by day, over baseline and window.
//!
//! Which remotes are rare is known only after the walk over all hosts. So the walk records uploads by remote and day.

use super::columns::{address_column, batch, seconds};
use super::destinations::Destinations;
use super::records::{HostCounts, PairRecord};
use crate::error::RollupError;
use crate::merge::{MergedPart, Merger, RowAt};
use crate::window::Window;
use arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringArray, UInt64Array};
use flow::codes::Role;
use flow::time::DAY_S;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Fewest bytes that a host sends one remote in a day to count as an upload; recording less would cost memory.
const UPLOAD_BYTES: u64 = 64 * 1024;

/// An upload sends at least this many times the bytes that come back.
const UPLOAD_RATIO: u64 = 2;

/// Most hosts that talk to a rare remote, whatever the share.
const RARE_HOSTS: f64 = 5.0;

/// Largest share of the hosts with egress that talk to a rare remote; two hosts are always allowed.
const RARE_SHARE: f64 = 0.02;

/// What a host uploaded to one remote on one day, counted since 1970.
#[derive(Clone, Copy, Debug)]
struct Upload {
    day: i32,
    remote: u32,
    bytes: u64,
}

/// Uploads of one host.
#[derive(Clone, Debug, Default)]
pub(crate) struct Uploads(Vec<Upload>);

impl Uploads {
    /// Records the uploads of an egress pair, whose rows are sorted by hour. AWS's own services are no rare remotes.
    pub(crate) fn add(
        &mut self,
        merger: &Merger<'_>,
        part: &MergedPart<'_>,
        pair: &PairRecord,
        rows: &[RowAt],
        window: &Window,
    ) {
        if merger.names(pair.sample).1.is_some_and(|service| service != "EC2" && service != "AMAZON") {
            return;
        }
        let within = |at: &&RowAt| (window.baseline_from_s..window.to_s).contains(&part.hour(**at).hour_s());
        let rows: Vec<&RowAt> = rows.iter().filter(within).collect();
        let day_of = |at: &RowAt| part.hour(*at).hour_s().div_euclid(DAY_S);
        for of_day in rows.chunk_by(|a, b| day_of(a) == day_of(b)) {
            let sum = |(out, back): (u64, u64), at: &&RowAt| {
                let hour = part.hour(**at);
                (out.saturating_add(hour.bytes_out()), back.saturating_add(hour.bytes_in()))
            };
            let (bytes, back) = of_day.iter().fold((0, 0), sum);
            if bytes >= UPLOAD_BYTES && bytes >= back.saturating_mul(UPLOAD_RATIO) {
                self.0.push(Upload { day: day_of(of_day[0]) as i32, remote: pair.key.remote, bytes });
            }
        }
    }

    /// Returns the bytes of memory that the uploads take.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.0.capacity() * size_of::<Upload>()
    }
}

/// One host: its code, owner, ENI, uploads, and the hours in which it sent anything outside.
pub(crate) struct HostDays<'a> {
    pub(crate) host: u32,
    pub(crate) owner: u32,
    pub(crate) interface: Option<&'a str>,
    pub(crate) uploads: &'a Uploads,
    pub(crate) hours_s: Box<dyn Iterator<Item = i64> + 'a>,
}

/// Bytes to rare remotes on a day, the number of remotes, and the remote with most bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Day {
    bytes: u64,
    remotes: u64,
    top: Option<(u64, u32)>,
}

/// Builds the table: a row for each host and day with egress, zeros included, in the order of hosts and days.
pub(crate) fn host_days_batch<'a>(
    hosts: impl Iterator<Item = HostDays<'a>>,
    merger: &Merger<'_>,
    destinations: &Destinations,
    counts: HostCounts,
    window: &Window,
) -> Result<RecordBatch, RollupError> {
    struct Row<'a> {
        host: u32,
        owner: &'a (String, String),
        interface: Option<&'a str>,
        day_s: i64,
        day: Day,
    }
    let most_hosts = (RARE_SHARE * counts.egress as f64).clamp(2.0, RARE_HOSTS) as u64;
    let mut rows: Vec<Row<'_>> = Vec::new();
    for host in hosts {
        let mut days: BTreeMap<i64, Day> = BTreeMap::new();
        for hour_s in host.hours_s {
            days.entry(hour_s.div_euclid(DAY_S)).or_default();
        }
        // The ports of one remote follow each other, and count as one.
        let mut by_remote: BTreeMap<(i64, u32), u64> = BTreeMap::new();
        for upload in &host.uploads.0 {
            if destinations.hosts(upload.remote, Role::Client) <= most_hosts {
                let bytes = by_remote.entry((i64::from(upload.day), upload.remote)).or_default();
                *bytes = bytes.saturating_add(upload.bytes);
            }
        }
        for ((day, remote), bytes) in by_remote {
            let day = days.entry(day).or_default();
            day.bytes = day.bytes.saturating_add(bytes);
            day.remotes += 1;
            if day.top.is_none_or(|top| bytes > top.0) {
                day.top = Some((bytes, remote));
            }
        }
        let owner = &merger.owners()[host.owner as usize];
        rows.extend(days.into_iter().map(|(day, of_day)| Row {
            host: host.host,
            owner,
            interface: host.interface,
            day_s: day * DAY_S,
            day: of_day,
        }));
    }
    let u64s =
        |pick: &dyn Fn(&Row<'_>) -> u64| -> ArrayRef { Arc::new(UInt64Array::from_iter_values(rows.iter().map(pick))) };
    let top = rows.iter().map(|row| row.day.top.map_or(row.host, |top| top.1));
    batch(
        "host_days",
        vec![
            ("account_id", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.owner.0.as_str())))),
            ("region", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.owner.1.as_str())))),
            ("host", address_column(rows.iter().map(|row| merger.address(row.host)))?),
            ("interface_id", Arc::new(rows.iter().map(|row| row.interface).collect::<StringArray>())),
            ("day", seconds(rows.iter().map(|row| Some(row.day_s)).collect())),
            ("in_window", {
                // A day that the window touches is judged.
                Arc::new(rows.iter().map(|row| Some(row.day_s + DAY_S > window.from_s)).collect::<BooleanArray>())
            }),
            ("rare_bytes_out", u64s(&|row| row.day.bytes)),
            ("rare_remotes", u64s(&|row| row.day.remotes)),
            // The host itself where there is none: `rare_remotes` is 0 then.
            ("top_remote", address_column(top.map(|code| merger.address(code)))?),
            ("top_bytes_out", u64s(&|row| row.day.top.map_or(0, |top| top.0))),
        ],
    )
}
