//! Feeds bytes as the pages of one column chunk: the native decoder and Arrow agree, and no page panics.
//!
//! Input: column kind, flags, rows read at a time; then for each page: flags, values, bytes of levels, length, bytes.
#![no_main]

use flowsift_fuzz::memory::Limited;
use flowsift_fuzz::panics::{forgive_others, single_thread};
use libfuzzer_sys::fuzz_target;
use scan::Interners;
use scan::fuzzing::{Chunk, Column, GzipInflater, PageSpec};
use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

#[global_allocator]
static MEMORY: Limited = Limited;

const COLUMNS: [Column; 8] = [
    Column::I32,
    Column::U32,
    Column::I64,
    Column::Millis,
    Column::Addresses,
    Column::Decisions,
    Column::Names,
    Column::Describing,
];
/// Column kind of an input that is one gzip page.
const GZIP: u8 = 8;
/// Maximum pages and rows of a chunk.
const MAX_PAGES: usize = 16;
const MAX_ROWS: usize = 20_000;

fuzz_target!(
    init: {
        forgive_others();
        single_thread();
    },
    |data: &[u8]| {
        let Some((&kind, rest)) = data.split_first() else { return };
        if kind % 9 == GZIP {
            inflate(rest);
        } else if let Some(chunk) = chunk(COLUMNS[usize::from(kind % 9)], rest) {
            decode(&chunk);
        }
    }
);

/// Checks that libdeflate and flate2 inflate to the same bytes. libdeflate ignores anything between data and trailer, but
/// length and checksum must match its output.
fn inflate(page: &[u8]) {
    const LIMIT: usize = 1 << 20;
    let ours = GzipInflater::new().gzip(page, LIMIT);
    let mut theirs = Vec::new();
    let read = flate2::read::MultiGzDecoder::new(page).take(LIMIT as u64 + 1).read_to_end(&mut theirs);
    match (ours, read) {
        (Ok(ours), Ok(_)) => assert!(ours == theirs, "libdeflate and flate2 differ"),
        (Ok(ours), Err(error)) => {
            let mut checksum = flate2::Crc::new();
            checksum.update(&ours);
            let trailer = [checksum.sum().to_le_bytes(), checksum.amount().to_le_bytes()].concat();
            assert!(page.ends_with(&trailer), "{} bytes out of a page that flate2 refuses: {error}", ours.len());
        }
        (Err(error), Ok(length)) => assert!(length > LIMIT, "{length} bytes refused: {error}"),
        (Err(_), Err(_)) => {}
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let written = encoder.write_all(bytes);
    assert!(written.is_ok());
    encoder.finish().unwrap_or_default()
}

fn chunk(column: Column, data: &[u8]) -> Option<Chunk> {
    let ([flags, step], mut rest) = data.split_first_chunk::<2>()?;
    let is = |bit: u8| flags & 1 << bit != 0;
    let (v2, optional, packs, raw_gzip) = (is(0), is(1), is(2), is(3));
    let mut pages = Vec::new();
    let mut rows = 0;
    while let Some(([flags, values @ .., l0, l1, n0, n1], behind)) = rest.split_first_chunk::<7>() {
        let length = usize::from(u16::from_le_bytes([*n0, *n1])).min(behind.len());
        let (bytes, behind) = behind.split_at(length);
        rest = behind;
        let levels = u16::from_le_bytes([*l0, *l1]);
        let is_dictionary = flags & 1 != 0;
        let values = u16::from_le_bytes([values[0], values[1]]);
        let mut body = bytes.to_vec();
        if packs {
            // Levels of version 2 are not compressed.
            let raw = if v2 && !is_dictionary { usize::from(levels).min(bytes.len()) } else { 0 };
            body = [&bytes[..raw], &gzip(&bytes[raw..])].concat();
        }
        rows += if is_dictionary { 0 } else { usize::from(values) };
        let encoding = [0, 8, 2, 3][usize::from(flags >> 1 & 3)];
        let uncompressed = if raw_gzip { length * 20 + 100 } else { length };
        pages.push(PageSpec { is_dictionary, values, encoding, definition_len: levels, body, uncompressed });
        if pages.len() == MAX_PAGES || rows > MAX_ROWS {
            break;
        }
    }
    // Sometimes a row more than the pages hold, sometimes one fewer.
    let rows = if is(4) { rows + 1 } else { rows.saturating_sub(usize::from(is(5))) };
    (rows > 0).then(|| Chunk {
        column,
        v2,
        optional,
        gzip: packs || raw_gzip,
        rows,
        step: usize::from(*step) * usize::from(*step) / 4 + 1,
        pages,
    })
}

fn decode(chunk: &Chunk) {
    let books = Interners::default();
    let direct = chunk.direct(&books);
    // The parquet crate panics on some damage, which the scan catches.
    let arrow = catch_unwind(AssertUnwindSafe(|| chunk.arrow(&books)));
    if let (Ok(direct), Ok(Ok(arrow))) = (direct, arrow) {
        for (row, (direct, arrow)) in direct.iter().zip(&arrow).enumerate() {
            assert!(direct == arrow, "row {row}: {direct} directly, {arrow} through Arrow: {chunk:?}");
        }
        assert!(direct.len() == arrow.len(), "{} rows directly, {} through Arrow", direct.len(), arrow.len());
    }
}
