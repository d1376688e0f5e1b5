//! Rows of `pair_hours` as plain values, to be compared.

use crate::{Hour, PairHours, Segment, Vantage};
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub host: String,
    pub remote: String,
    pub protocol: u8,
    pub port: u16,
    pub role: &'static str,
    pub owner: (String, String),
    pub vantage: Vantage,
    pub hour_s: i64,
    pub interface: Option<String>,
    pub service: Option<String>,
    pub window_s: u32,
    pub counts: [u64; 3],
    pub bytes: [u64; 2],
    pub packets: [u64; 2],
    pub seen_s: (i64, i64),
    pub segments: Vec<Segment>,
    pub sizes: Vec<(u16, u32)>,
}

/// Reads all rows, in the table's order made plain.
pub fn rows(table: &PairHours) -> Vec<Row> {
    let mut rows: Vec<Row> = table.hours().unwrap().iter().map(row).collect();
    rows.sort();
    rows
}

fn row(hour: Hour<'_>) -> Row {
    let mut sizes = BTreeMap::new();
    hour.buckets().for_each(|bucket| *sizes.entry(bucket).or_default() += 1);
    let (account, region) = hour.owner();
    Row {
        host: hour.host().to_string(),
        remote: hour.remote().to_string(),
        protocol: hour.protocol(),
        port: hour.port(),
        role: hour.role().as_str(),
        owner: (account.to_owned(), region.to_owned()),
        vantage: hour.vantage(),
        hour_s: hour.hour_s(),
        interface: hour.interface().map(str::to_owned),
        service: hour.service().map(str::to_owned),
        window_s: hour.window_s(),
        counts: [hour.connections(), hour.records(), hour.rejected()],
        bytes: [hour.bytes_out(), hour.bytes_in()],
        packets: [hour.packets_out(), hour.packets_in()],
        seen_s: (hour.first_seen_s(), hour.last_seen_s()),
        segments: hour.segments().collect(),
        sizes: sizes.into_iter().collect(),
    }
}
