//! Damaged and malicious files: an error or a result, never a panic, never memory by claim.

use super::files::{FileLayout, batch, cells, layouts, scanned, scanned_by, write};
use crate::DecodePath;
use crate::object::{footer, scan, scan_with};
use crate::{Interners, ObjectBytes, ROLLUP_FIELDS};
use flow::error_text;
use pages::guard::quiet_panics;
use parquet::basic::{Compression, Encoding};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use proptest::prelude::*;
use std::sync::Arc;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn flipped_bytes_never_escape(
        cells in cells(80),
        layout in layouts(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        quiet_panics();
        let mut file = write(&batch(&cells), layout);
        for (at, to) in flips {
            let at = at.index(file.len());
            file[at] = to;
        }
        let _ = scanned(file);
    }

    #[test]
    fn flipped_bytes_of_the_footer_never_escape(
        cells in cells(20),
        layout in layouts(),
        flips in prop::collection::vec((0usize..1_500, any::<u8>()), 1..4),
    ) {
        quiet_panics();
        let mut file = write(&batch(&cells), layout);
        for (back, to) in flips {
            let at = file.len().saturating_sub(9 + back);
            file[at] = to;
        }
        let _ = scanned(file);
    }

    #[test]
    fn truncated_files_are_errors(cells in cells(80), layout in layouts(), cut in any::<prop::sample::Index>()) {
        quiet_panics();
        let mut file = write(&batch(&cells), layout);
        file.truncate(cut.index(file.len()));
        prop_assert!(scanned(file).is_err());
    }

    #[test]
    fn holes_in_the_middle_never_escape(
        cells in cells(80),
        layout in layouts(),
        begin in any::<prop::sample::Index>(),
        length in 1usize..300,
    ) {
        quiet_panics();
        let mut file = write(&batch(&cells), layout);
        let begin = begin.index(file.len());
        let end = (begin + length).min(file.len());
        file.drain(begin..end);
        let _ = scanned(file);
    }
}

pub fn plain_file(texts: Encoding, codec: Compression) -> Vec<u8> {
    let cells: Vec<_> = (0..100u16).map(|n| (Some(n as u8), Some(n), Some(443), Some(1_000), 1_700_000_000)).collect();
    let layout = FileLayout { v2: false, codec, dictionary: 0, page_rows: 1_000, group_rows: 1_000, texts };
    write(&batch(&cells), layout)
}

/// Rewrites a footer with each row group changed, and scans the file with it.
fn under(file: &[u8], change: impl Fn(RowGroupMetaData) -> RowGroupMetaData) -> Result<u64, crate::ScanError> {
    quiet_panics();
    let bytes = Arc::new(ObjectBytes::Whole(file.to_vec().into()));
    let honest = footer("object", &bytes).unwrap();
    let groups = honest.row_groups().iter().cloned().map(change).collect();
    let metadata = Arc::new(ParquetMetaData::new(honest.file_metadata().clone(), groups));
    scan("object", &bytes, &metadata, ROLLUP_FIELDS, &Interners::default(), |_| {})
}

#[test]
fn footers_that_claim_too_much_are_errors() {
    let file = plain_file(Encoding::PLAIN, Compression::SNAPPY);
    for rows in [-1, i64::MIN, i64::MAX, 1 << 40, 1 << 28] {
        let lied = under(&file, |group| group.into_builder().set_num_rows(rows).build().unwrap());
        assert!(lied.is_err(), "{rows} rows");
    }
    for size in [-1, 0, 10, i64::MIN] {
        let lied = under(&file, |group| {
            let mut builder = group.into_builder();
            let columns = builder.take_columns().into_iter();
            let columns = columns.map(|c| c.into_builder().set_total_uncompressed_size(size).build().unwrap());
            builder.set_column_metadata(columns.collect()).build().unwrap()
        });
        assert!(lied.is_err(), "{size} bytes");
    }
    for size in [-1, i64::MAX, i64::MIN, 1 << 40] {
        let lied = under(&file, |group| {
            let mut builder = group.into_builder();
            let columns = builder.take_columns().into_iter();
            let columns = columns.map(|c| c.into_builder().set_total_compressed_size(size).build().unwrap());
            builder.set_column_metadata(columns.collect()).build().unwrap()
        });
        assert!(lied.is_err() || size > 0, "{size} compressed bytes");
    }
}

#[test]
fn a_page_that_claims_two_gigabytes_is_refused_before_memory_is() {
    for codec in [Compression::SNAPPY, Compression::ZSTD(Default::default()), Compression::LZ4_RAW] {
        let mut file = plain_file(Encoding::PLAIN, codec);
        // The first page begins after the magic: type, then the uncompressed size as a zigzag number.
        assert_eq!((file[4], file[6]), (0x15, 0x15));
        let begin = 7;
        let end = begin + file[begin..].iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
        let claim = [0xfe, 0xff, 0xff, 0xff, 0x0f];
        file.splice(begin..end, claim);
        // Everything after it has moved, but the first page is read first.
        let error = error_text(&scanned(file).unwrap_err());
        assert!(error.contains("claims 2147483647 bytes"), "{error}");
    }
}

#[test]
fn a_header_that_claims_a_long_list_takes_no_time() {
    for codec in [Compression::SNAPPY, Compression::UNCOMPRESSED] {
        let mut file = plain_file(Encoding::PLAIN, codec);
        // After the page's type and two sizes, an unknown field: a list of 2^31 - 1 numbers that are not there.
        let mut at = 4;
        for _ in 0..3 {
            assert_eq!(file[at], 0x15);
            at += file[at..].iter().skip(1).position(|byte| byte & 0x80 == 0).unwrap() + 2;
        }
        file.splice(at..at, [0x69, 0xf7, 0xff, 0xff, 0xff, 0xff, 0x07]);
        for way in [DecodePath::Native, DecodePath::Arrow] {
            let error = error_text(&scanned_by(way, file.clone(), |_| true).unwrap_err());
            assert!(error.contains("no page header at 4"), "{error}");
        }
    }
}

#[test]
fn lengths_that_claim_too_much_are_errors() {
    for texts in [Encoding::DELTA_LENGTH_BYTE_ARRAY, Encoding::DELTA_BYTE_ARRAY] {
        let file = plain_file(texts, Compression::UNCOMPRESSED);
        assert!(scanned(file.clone()).is_ok());
        // A block of 128 numbers in 4 miniblocks, 100 in all: the last number is false.
        let header = [0x80, 0x01, 0x04, 100];
        let places: Vec<usize> =
            file.windows(4).enumerate().filter(|(_, bytes)| *bytes == header).map(|(at, _)| at).collect();
        assert!(!places.is_empty(), "{texts}");
        for at in places {
            let mut lied = file.clone();
            // The width of the number is unchanged, so everything else stays where it is.
            lied[at + 3] = 127;
            let _ = scanned(lied);
            let mut lied = file.clone();
            // Seven bytes of number: 2^48 lengths.
            lied[at + 3..at + 10].copy_from_slice(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
            assert!(scanned(lied).is_err(), "{texts} at {at}");
        }
    }
}

#[test]
fn pages_without_values_are_never_the_silent_end_of_their_columns() {
    let mut file = plain_file(Encoding::PLAIN, Compression::UNCOMPRESSED);
    let honest = footer("object", &Arc::new(ObjectBytes::Whole(file.clone().into()))).unwrap();
    // Every chunk is appended to the file again, after two pages of no values.
    let columns = honest.row_group(0).columns().iter().map(|chunk| {
        let (begin, length) = chunk.byte_range();
        let pages = file[begin as usize..][..length as usize].to_vec();
        let frame = 4 * u8::from(chunk.column_descr().max_def_level() > 0);
        let size = frame * 2;
        let header = [0x15, 0, 0x15, size, 0x15, size, 0x2c, 0x15, 0, 0x15, 0, 0x15, 6, 0x15, 6, 0, 0];
        let empty = [&header[..], &vec![0; frame.into()]].concat();
        let begin = file.len() as i64;
        file.extend([&empty[..], &empty, &pages].concat());
        let moved = chunk.clone().into_builder().set_data_page_offset(begin);
        moved.set_total_compressed_size(file.len() as i64 - begin).build().unwrap()
    });
    let columns = columns.collect();
    let group = honest.row_group(0).clone().into_builder().set_column_metadata(columns).build().unwrap();
    let metadata = Arc::new(ParquetMetaData::new(honest.file_metadata().clone(), vec![group]));
    let bytes = Arc::new(ObjectBytes::Whole(file.into()));
    let rows = |way| scan_with(way, "object", &bytes, &metadata, ROLLUP_FIELDS, &Interners::default(), |_| {});
    assert_eq!(rows(DecodePath::Native).unwrap(), 100);
    let error = error_text(&rows(DecodePath::Arrow).unwrap_err());
    assert!(
        error.contains("row group 0 cannot be decoded: ") && error.contains("0 rows decoded, the footer claims 100"),
        "{error}"
    );
}
