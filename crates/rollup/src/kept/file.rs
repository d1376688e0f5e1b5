//! The layout of a kept file.
//!
//! ```text
//! magic and version   8 bytes
//! length of the head  4 bytes
//! CRC-32 of the head  4 bytes
//! head                counts, note, rows of each part, and of each block: rows, length, inflated length, CRC-32
//! blocks              words, coverage, then rows in the order of the table
//! ```
//!
//! The blocks fill the rest of the file, so a byte too few or too many shows. Parts of few rows share a block, and a part
//! of very many has several.

use super::cursor::{Cursor, put_text, put_u32};
use super::error::{KeptError, damaged};
use super::frame::{Frame, FrameHead, crc32};
use super::rows::{RowRun, from_columns, to_columns};
use super::texts::{lookup_bytes, lookup_of, put_counts, take_counts};
use crate::coverage::coverage_schema;
use crate::error::RollupError;
use crate::fold::UnitTables;
use crate::pair_hours::PairHours;
use crate::pair_hours::part::HourPart;
use crate::pair_hours::stored_part::{SharedReservation, StoredPart};
use crate::unit::parts::PARTS;
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use memory::{Memory, Purpose, Reservation, SpillError};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// What every file begins with; the last byte is the version.
const MAGIC: [u8; 8] = *b"flowhrs\x01";
/// Bytes before the head.
const BEFORE_HEAD: usize = MAGIC.len() + 8;

/// Rows that are enough for a block.
const BLOCK_ROWS: usize = 1 << 13;
/// Most rows of a block.
const MAX_BLOCK_ROWS: usize = 1 << 16;

/// What was kept of a unit.
#[derive(Debug)]
pub struct Unpacked {
    /// The unit's tables, as they were packed.
    pub tables: UnitTables,
    /// The note that was packed with them.
    pub note: String,
}

/// Returns the kept form of a unit's tables, with a note of the caller's.
///
/// # Errors
/// [`RollupError::Spill`] when rows on disk cannot be read, [`RollupError::Arrow`] when coverage cannot be written.
pub fn pack(tables: &UnitTables, note: &str) -> Result<Vec<u8>, RollupError> {
    let PairHours { parts, lookup, .. } = &tables.pair_hours;
    let rows_of_parts: Vec<usize> = parts.iter().map(StoredPart::rows).collect();
    let groups = groups(&rows_of_parts);
    let (blocks, (words, coverage)) = rayon::join(
        || groups.into_par_iter().map(|group| pack_rows(&parts[group])).collect::<Result<Vec<_>, SpillError>>(),
        || rayon::join(|| Frame::pack(lookup_bytes(lookup)), || coverage_bytes(&tables.coverage).map(Frame::pack)),
    );
    let (blocks, coverage) = (blocks?, coverage.map_err(|source| RollupError::Arrow { table: "coverage", source })?);
    let blocks: Vec<Block> = blocks.into_iter().flatten().collect();
    let mut head = Vec::new();
    put_counts(&tables.counts, &mut head);
    put_text(note, &mut head);
    put_u32(rows_of_parts.len(), &mut head);
    rows_of_parts.iter().for_each(|rows| put_u32(*rows, &mut head));
    words.head().put(&mut head);
    coverage.head().put(&mut head);
    put_u32(blocks.len(), &mut head);
    for block in &blocks {
        put_u32(block.rows, &mut head);
        block.frame.head().put(&mut head);
    }
    let frames = || [&words, &coverage].into_iter().chain(blocks.iter().map(|block| &block.frame));
    let length: usize = frames().map(|frame| frame.bytes().len()).sum();
    let mut file = Vec::with_capacity(BEFORE_HEAD + head.len() + length);
    file.extend_from_slice(&MAGIC);
    put_u32(head.len(), &mut file);
    file.extend_from_slice(&crc32(&head).to_le_bytes());
    file.extend_from_slice(&head);
    frames().for_each(|frame| file.extend_from_slice(frame.bytes()));
    Ok(file)
}

/// Returns the unit that [`pack`] wrote into `file`. Rows that do not fit into `memory` are spilled.
///
/// # Errors
/// [`KeptError::Version`] when the file is of another version, [`KeptError::Damaged`] when a byte of it has changed, and
/// [`KeptError::Spill`] when rows cannot be spilled.
pub fn unpack(file: &[u8], memory: &Memory) -> Result<Unpacked, KeptError> {
    let Some(rest) = file.strip_prefix(&MAGIC) else { return Err(KeptError::Version) };
    let mut rest = Cursor::new(rest, "file");
    let (head_length, sum) = (rest.length()?, rest.u32()?);
    let head = rest.bytes(head_length)?;
    if crc32(head) != sum {
        return Err(damaged("head"));
    }
    let mut head = Cursor::new(head, "head");
    let counts = take_counts(&mut head)?;
    let note = head.text()?;
    let rows_of_parts = head.list(Cursor::length)?;
    if rows_of_parts.len() != PARTS {
        return Err(damaged("head"));
    }
    let (words, coverage) = (FrameHead::take(&mut head)?, FrameHead::take(&mut head)?);
    let blocks = head.list(|head| Ok((head.length()?, FrameHead::take(head)?)))?;
    head.end()?;
    let (words_at, coverage_at) = (rest.bytes(words.length())?, rest.bytes(coverage.length())?);
    let mut sealed = Vec::with_capacity(blocks.len());
    for (rows, head) in blocks {
        sealed.push(SealedBlock { rows, head, bytes: rest.bytes(head.length())? });
    }
    rest.end()?;
    let groups = sealed_groups(&rows_of_parts, sealed)?;
    let (parts, (lookup, coverage)) = rayon::join(
        || groups.into_par_iter().map(|group| unpack_rows(group, memory)).collect::<Result<Vec<_>, KeptError>>(),
        || {
            let lookup = || lookup_of(&words.unpack(words_at, "words")?);
            let coverage = || coverage_of(&coverage.unpack(coverage_at, "coverage")?).ok_or(damaged("coverage"));
            rayon::join(lookup, coverage)
        },
    );
    let (lookup, coverage) = (lookup?, coverage?);
    let mut held = memory.reserve(Purpose::Hours);
    held.grow(lookup.memory_bytes());
    let mut pair_hours = PairHours { lookup: Arc::new(lookup), ..PairHours::default() };
    for (of_group, held_by_group) in parts? {
        held.join(held_by_group);
        for (part, stored) in of_group {
            pair_hours.parts[part] = stored;
        }
    }
    pair_hours.held = SharedReservation::new(held);
    Ok(Unpacked { tables: UnitTables { pair_hours, coverage, counts }, note })
}

/// A block of rows to be written.
struct Block {
    rows: usize,
    frame: Frame,
}

/// Divides the parts into groups with rows enough for a block, by the rows of each part.
fn groups(rows_of_parts: &[usize]) -> Vec<Range<usize>> {
    let mut groups = Vec::new();
    let (mut begin, mut rows) = (0, 0);
    for (part, more) in rows_of_parts.iter().enumerate() {
        rows += more;
        if rows >= BLOCK_ROWS || (part + 1 == rows_of_parts.len() && rows > 0) {
            groups.push(begin..part + 1);
            (begin, rows) = (part + 1, 0);
        }
    }
    groups
}

/// Packs the rows of a group of parts into one block, or into several where they are very many.
fn pack_rows(parts: &[StoredPart]) -> Result<Vec<Block>, SpillError> {
    let loaded = parts.iter().map(StoredPart::load).collect::<Result<Vec<_>, _>>()?;
    let mut blocks: Vec<(usize, Vec<RowRun<'_>>)> = vec![(0, Vec::new())];
    for part in &loaded {
        let mut rows = part.rows.as_slice();
        while let Some((count, runs)) = blocks.last_mut()
            && !rows.is_empty()
        {
            let (run, rest) = rows.split_at(rows.len().min(MAX_BLOCK_ROWS - *count));
            if !run.is_empty() {
                runs.push(RowRun { part, rows: run });
            }
            *count += run.len();
            rows = rest;
            if !rows.is_empty() {
                blocks.push((0, Vec::new()));
            }
        }
    }
    let pack = |(rows, runs): (usize, Vec<RowRun<'_>>)| Block { rows, frame: Frame::pack(to_columns(&runs)) };
    Ok(blocks.into_par_iter().map(pack).collect())
}

/// A block of rows in a file.
struct SealedBlock<'a> {
    rows: usize,
    head: FrameHead,
    bytes: &'a [u8],
}

/// Rows of one part in a block.
struct SealedRun {
    part: usize,
    rows: usize,
}

/// The blocks that hold whole parts together, each with its runs.
type SealedGroup<'a> = Vec<(SealedBlock<'a>, Vec<SealedRun>)>;

/// Divides the blocks into groups of whole parts, and says how many rows of each part a block holds.
fn sealed_groups<'a>(rows_of_parts: &[usize], blocks: Vec<SealedBlock<'a>>) -> Result<Vec<SealedGroup<'a>>, KeptError> {
    let mut parts = rows_of_parts.iter().copied().enumerate().filter(|(_, rows)| *rows > 0);
    let mut open: Option<SealedRun> = None;
    let mut groups: Vec<SealedGroup<'a>> = Vec::new();
    for block in blocks {
        let continues = open.is_some();
        let mut runs = Vec::new();
        let mut left = block.rows;
        while left > 0 {
            let next = || parts.next().map(|(part, rows)| SealedRun { part, rows });
            let of_part = open.take().or_else(next).ok_or(damaged("head"))?;
            let rows = left.min(of_part.rows);
            runs.push(SealedRun { part: of_part.part, rows });
            open = (of_part.rows > rows).then_some(SealedRun { part: of_part.part, rows: of_part.rows - rows });
            left -= rows;
        }
        match groups.last_mut().filter(|_| continues) {
            Some(group) => group.push((block, runs)),
            None => groups.push(vec![(block, runs)]),
        }
    }
    if open.is_some() || parts.next().is_some() {
        return Err(damaged("head"));
    }
    Ok(groups)
}

/// Reads the parts of a group, and holds them in memory or on disk.
fn unpack_rows(group: SealedGroup<'_>, memory: &Memory) -> Result<(Vec<(usize, StoredPart)>, Reservation), KeptError> {
    let read = |(block, runs): (SealedBlock<'_>, Vec<SealedRun>)| {
        let columns = block.head.unpack(block.bytes, "rows")?;
        let rows: Vec<usize> = runs.iter().map(|run| run.rows).collect();
        let parts = from_columns(&columns, &rows)?;
        Ok(runs.iter().map(|run| run.part).zip(parts).collect::<Vec<_>>())
    };
    let blocks = group.into_par_iter().map(read).collect::<Result<Vec<_>, KeptError>>()?;
    let mut whole: Vec<(usize, HourPart)> = Vec::new();
    for (part, rows) in blocks.into_iter().flatten() {
        match whole.last_mut().filter(|(last, _)| *last == part) {
            Some((_, before)) => append(before, rows)?,
            None => whole.push((part, rows)),
        }
    }
    let mut held = memory.reserve(Purpose::Hours);
    let mut stored = Vec::with_capacity(whole.len());
    for (part, rows) in whole {
        stored.push((part, StoredPart::store(rows, &mut held)?));
    }
    Ok((stored, held))
}

/// Appends rows that another block has of the same part.
fn append(part: &mut HourPart, more: HourPart) -> Result<(), KeptError> {
    let begin = u32::try_from(part.segments.len()).map_err(|_| damaged("rows"))?;
    part.segments.extend_from_slice(&more.segments);
    for mut row in more.rows {
        row.segments_at = row.segments_at.checked_add(begin).ok_or(damaged("rows"))?;
        part.rows.push(row);
    }
    Ok(())
}

fn coverage_bytes(coverage: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), coverage.schema_ref())?;
    writer.write(coverage)?;
    writer.into_inner()
}

/// Reads what [`coverage_bytes`] wrote; `None` when it is no coverage.
fn coverage_of(bytes: &[u8]) -> Option<RecordBatch> {
    let schema = coverage_schema();
    let batches = StreamReader::try_new(bytes, None).ok()?.collect::<Result<Vec<_>, _>>().ok()?;
    batches.iter().all(|batch| batch.schema_ref() == &schema).then(|| concat_batches(&schema, &batches).ok())?
}
