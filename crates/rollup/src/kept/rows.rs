//! Rows and segments as columns, and back.
//!
//! A row differs little from the one before it, and a time from the hour it lies in: most columns hold differences. They
//! wrap, so that any numbers come back.

use super::cursor::Cursor;
use super::error::{KeptError, damaged};
use super::planes::{CHUNK, Chunk, Column, put_columns, row_at};
use crate::pair_hours::part::HourPart;
use crate::pair_hours::row::{HourRow, PackedSegment, Vantage};
use flow::codes::Role;
use flow::time::HOUR_S;

/// Columns of a row.
const ROW_COLUMNS: usize = 23;
/// Columns of a segment.
const SEGMENT_COLUMNS: usize = 4;

const HOUR: u32 = HOUR_S as u32;

/// Some rows of one part, one after the other.
#[derive(Clone, Copy)]
pub(super) struct RowRun<'a> {
    pub(super) part: &'a HourPart,
    pub(super) rows: &'a [HourRow],
}

impl<'a> RowRun<'a> {
    fn segments(&self) -> impl Iterator<Item = (&'a HourRow, &'a [PackedSegment])> {
        let part = self.part;
        self.rows.iter().map(move |row| {
            let begin = row.segments_at as usize;
            (row, part.segments.get(begin..begin + usize::from(row.segments)).unwrap_or_default())
        })
    }
}

/// Returns the columns of a block of rows, and of their segments.
pub(super) fn to_columns(runs: &[RowRun<'_>]) -> Vec<u8> {
    let rows = || runs.iter().flat_map(|run| run.rows);
    let count = rows().count();
    let segment_count: usize = rows().map(|row| usize::from(row.segments)).sum();
    let mut out = Vec::with_capacity(count * 48 + segment_count * 8);
    out.extend_from_slice(&(segment_count as u64).to_le_bytes());
    let row_columns = || {
        let mut before = &FIRST;
        rows().map(move |row| differences(row, std::mem::replace(&mut before, row)))
    };
    put_columns(count, row_columns, &mut out);
    let segment_columns = || {
        runs.iter().flat_map(RowRun::segments).flat_map(|(row, segments)| {
            let mut before_s = row.hour_s;
            segments.iter().map(move |segment| {
                let after_s = segment.start_s().wrapping_sub(std::mem::replace(&mut before_s, segment.start_s()));
                let [port, bucket] = [segment.client_port(), segment.bucket].map(u64::from);
                [zigzag(after_s), port, bucket, segment.length().into()]
            })
        })
    };
    put_columns(segment_count, segment_columns, &mut out);
    out
}

/// Stands before the first row of a block.
const FIRST: HourRow = HourRow {
    bytes_out: 0,
    bytes_in: 0,
    packets_out: 0,
    packets_in: 0,
    host: 0,
    remote: 0,
    hour_s: 0,
    first_s: 0,
    last_s: 0,
    longest_s: 0,
    connections: 0,
    records: 0,
    rejected: 0,
    segments_dropped: 0,
    segments_at: 0,
    interface: 0,
    owner: 0,
    segments: 0,
    service: 0,
    port: 0,
    window_s: 0,
    protocol: 0,
    role: Role::Client,
    vantage: Vantage::Own,
};

/// Returns the columns of a row, given the one before it.
#[inline(always)]
fn differences(row: &HourRow, before: &HourRow) -> [u64; ROW_COLUMNS] {
    let remote = if row.host == before.host { row.remote.wrapping_sub(before.remote) } else { row.remote };
    [
        row.bytes_out,
        row.bytes_in,
        row.packets_out,
        row.packets_in,
        row.host.wrapping_sub(before.host).into(),
        remote.into(),
        (row.hour_s / HOUR).into(),
        (row.hour_s % HOUR).into(),
        row.first_s.wrapping_sub(row.hour_s).into(),
        row.last_s.wrapping_sub(row.first_s).into(),
        row.longest_s.into(),
        row.connections.into(),
        row.records.into(),
        row.rejected.into(),
        row.segments_dropped.into(),
        zigzag(row.interface.wrapping_sub(before.interface)),
        zigzag(row.owner.wrapping_sub(before.owner)),
        row.segments.into(),
        // No service is the highest number, and the most frequent.
        row.service.wrapping_add(1).into(),
        row.port.into(),
        row.window_s.into(),
        row.protocol.into(),
        u64::from(row.role == Role::Server) | (row.vantage as u64) << 1,
    ]
}

/// Reads a block of rows: `runs` has the rows of each part that the block holds.
pub(super) fn from_columns(block: &[u8], runs: &[usize]) -> Result<Vec<HourPart>, KeptError> {
    let mut cursor = Cursor::new(block, "rows");
    let count = runs.iter().sum();
    let segment_count = usize::try_from(cursor.u64()?).map_err(|_| damaged("rows"))?;
    let mut columns = Vec::with_capacity(ROW_COLUMNS + SEGMENT_COLUMNS);
    for column in 0..ROW_COLUMNS + SEGMENT_COLUMNS {
        columns.push(Column::take(&mut cursor, if column < ROW_COLUMNS { count } else { segment_count })?);
    }
    cursor.end()?;
    let (of_rows, of_segments) = columns.split_at(ROW_COLUMNS);
    let mut reading = Reading { rows: 0, segments: 0, segment_count, before: FIRST };
    runs.iter().map(|rows| reading.part(of_rows, of_segments, *rows)).collect()
}

/// How far a block has been read.
struct Reading {
    rows: usize,
    segments: usize,
    /// The segments that the block has.
    segment_count: usize,
    before: HourRow,
}

impl Reading {
    fn part(
        &mut self,
        of_rows: &[Column<'_>],
        of_segments: &[Column<'_>],
        count: usize,
    ) -> Result<HourPart, KeptError> {
        let mut rows: Vec<HourRow> = Vec::with_capacity(count);
        let mut segments_at = 0u32;
        let mut values = [[0; CHUNK]; ROW_COLUMNS];
        while rows.len() < count {
            let more = CHUNK.min(count - rows.len());
            for (column, values) in of_rows.iter().zip(&mut values) {
                column.read(self.rows, &mut values[..more]);
            }
            for index in 0..more {
                let row = row_of(&values, index, &self.before, segments_at);
                segments_at = segments_at.checked_add(row.segments.into()).ok_or(damaged("rows"))?;
                rows.push(row);
                self.before = row;
            }
            self.rows += more;
        }
        if self.segments + segments_at as usize > self.segment_count {
            return Err(damaged("rows"));
        }
        Ok(HourPart { segments: self.segments_of(&rows, of_segments, segments_at as usize), rows })
    }

    fn segments_of(&mut self, rows: &[HourRow], of_segments: &[Column<'_>], count: usize) -> Vec<PackedSegment> {
        let mut segments = Vec::with_capacity(count);
        let mut values = [[0; CHUNK]; SEGMENT_COLUMNS];
        let mut with_segments = rows.iter().filter(|row| row.segments > 0);
        let (mut left, mut before_s) = (0, 0);
        while segments.len() < count {
            let more = CHUNK.min(count - segments.len());
            for (column, values) in of_segments.iter().zip(&mut values) {
                column.read(self.segments, &mut values[..more]);
            }
            for index in 0..more {
                if left == 0 {
                    // There are as many segments as the rows say.
                    (left, before_s) = with_segments.next().map_or((1, 0), |row| (row.segments, row.hour_s));
                }
                left -= 1;
                let [after_s, port, bucket, length] = row_at(&values, index);
                before_s = unzigzag(after_s).wrapping_add(before_s);
                segments.push(PackedSegment::from_numbers(before_s, port as u16, bucket as u16, length as u32));
            }
            self.segments += more;
        }
        segments
    }
}

#[inline(always)]
fn row_of(values: &Chunk<ROW_COLUMNS>, index: usize, before: &HourRow, segments_at: u32) -> HourRow {
    let [
        bytes_out,
        bytes_in,
        packets_out,
        packets_in,
        host,
        remote,
        hour,
        in_hour,
        first,
        last,
        longest,
        connections,
        records,
        rejected,
        dropped,
        interface,
        owner,
        segments,
        service,
        port,
        window,
        protocol,
        bits,
    ] = row_at(values, index);
    let host = (host as u32).wrapping_add(before.host);
    let remote = remote as u32;
    let hour_s = (hour as u32).wrapping_mul(HOUR).wrapping_add(in_hour as u32);
    let first_s = (first as u32).wrapping_add(hour_s);
    HourRow {
        bytes_out,
        bytes_in,
        packets_out,
        packets_in,
        host,
        remote: if host == before.host { remote.wrapping_add(before.remote) } else { remote },
        hour_s,
        first_s,
        last_s: (last as u32).wrapping_add(first_s),
        longest_s: longest as u32,
        connections: connections as u32,
        records: records as u32,
        rejected: rejected as u32,
        segments_dropped: dropped as u32,
        segments_at,
        interface: unzigzag(interface).wrapping_add(before.interface),
        owner: unzigzag(owner).wrapping_add(before.owner),
        segments: segments as u16,
        service: (service as u16).wrapping_sub(1),
        port: port as u16,
        window_s: window as u16,
        protocol: protocol as u8,
        role: if bits & 1 == 0 { Role::Client } else { Role::Server },
        vantage: Vantage::from_code((bits >> 1) as u8),
    }
}

/// Returns a difference as a number that is small when the difference is, of either sign.
#[inline(always)]
fn zigzag(difference: u32) -> u64 {
    let signed = difference as i32;
    u64::from((signed << 1 ^ signed >> 31) as u32)
}

#[inline(always)]
fn unzigzag(number: u64) -> u32 {
    let number = number as u32;
    number >> 1 ^ (number & 1).wrapping_neg()
}
