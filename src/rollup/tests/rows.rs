//! Rows of `pair_hours` as plain values, to be compared.

use crate::rollup::{PairHours, Segment};
use arrow::array::RecordBatch;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub host: String,
    pub remote: String,
    pub protocol: u8,
    pub port: u16,
    pub role: &'static str,
    pub owner: (String, String),
    pub transit: bool,
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
pub fn rows(batch: &RecordBatch) -> Vec<Row> {
    let table = PairHours::new(batch.clone()).unwrap();
    let mut rows: Vec<Row> = (0..table.len())
        .map(|row| {
            let mut segments = Vec::new();
            table.segments(row, &mut segments);
            let (account, region) = table.owner(row);
            Row {
                host: table.host(row).to_string(),
                remote: table.remote(row).to_string(),
                protocol: table.protocol(row),
                port: table.port(row),
                role: table.role(row).as_str(),
                owner: (account.to_owned(), region.to_owned()),
                transit: table.is_transit(row),
                hour_s: table.hour_s(row),
                interface: table.interface(row).map(str::to_owned),
                service: table.service(row).map(str::to_owned),
                window_s: table.window_s(row),
                counts: [table.connections(row), table.records(row), table.rejected(row)],
                bytes: [table.bytes_out(row), table.bytes_in(row)],
                packets: [table.packets_out(row), table.packets_in(row)],
                seen_s: (table.first_seen_s(row), table.last_seen_s(row)),
                segments,
                sizes: table.sizes(row).collect(),
            }
        })
        .collect();
    rows.sort();
    rows
}
