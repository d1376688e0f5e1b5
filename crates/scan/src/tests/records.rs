//! Records as Arrow columns are the same by both paths, and the same as written.

use super::files::{FileLayout, batch, cells, layouts, write};
use crate::DecodePath;
use crate::object::footer;
use crate::records::{RecordFile, Records, Selection};
use crate::{Binding, ObjectBytes, RecordCursors, ScanError, TextPredicate};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use flow::schema::{FIELDS, Field};
use parquet::basic::{Compression, Encoding, GzipLevel};
use proptest::prelude::*;
use std::sync::Arc;

/// Returns all row groups of a file, one after the other, with the same cursors.
pub(super) fn read(
    bytes: &[u8],
    fields: &[Field],
    way: DecodePath,
    cursors: &mut RecordCursors,
) -> Result<Option<RecordBatch>, ScanError> {
    let bytes = Arc::new(ObjectBytes::Whole(bytes.to_vec().into()));
    let metadata = footer("x", &bytes)?;
    let binding = Arc::new(Binding::new("x", metadata.file_metadata().schema_descr(), fields)?);
    let groups = metadata.num_row_groups();
    let file = RecordFile::open("x", bytes, metadata, binding, fields.into())?.with_path(way);
    let mut batches = Vec::new();
    for group in 0..groups {
        let mut group = file.row_group(group, cursors)?;
        while let Some(batch) = file.next(&mut group, cursors, &mut |_| Selection::All)? {
            batches.push(batch);
        }
    }
    let Some(first) = batches.first() else { return Ok(None) };
    Ok(Some(concat_batches(&first.schema(), &batches).unwrap()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn both_paths_return_the_same_columns(cells in cells(900), layout in layouts()) {
        let file = write(&batch(&cells), layout);
        let mut cursors = RecordCursors::default();
        let direct = read(&file, FIELDS, DecodePath::Native, &mut cursors).unwrap().unwrap();
        let arrow = read(&file, FIELDS, DecodePath::Arrow, &mut RecordCursors::default()).unwrap().unwrap();
        prop_assert_eq!(direct.num_rows(), cells.len());
        prop_assert_eq!(&direct, &arrow);
        // Fewer columns, read by cursors that were used before, are the same columns.
        let few = [Field::Dstaddr, Field::Bytes, Field::Start, Field::NextHopAzId];
        let few_read = read(&file, &few, DecodePath::Native, &mut cursors).unwrap().unwrap();
        for field in few {
            prop_assert_eq!(&few_read[field.name()], &direct[field.name()]);
        }
        let none = read(&file, &[], DecodePath::Native, &mut cursors).unwrap().unwrap();
        prop_assert_eq!((none.num_rows(), none.num_columns()), (cells.len(), 0));
    }

    #[test]
    fn picked_rows_are_those_of_the_whole(cells in cells(900), layout in layouts(), kept in 1u64..40, seed in any::<u64>()) {
        let file = write(&batch(&cells), layout);
        let fields = [Field::Srcaddr, Field::Action, Field::Bytes, Field::Dstaddr, Field::Start, Field::NextHopAzId, Field::Srcport];
        let whole = read(&file, &fields, DecodePath::Arrow, &mut RecordCursors::default()).unwrap().unwrap();
        let keeps = |row: usize| (row as u64 ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32 & 63 < kept;
        let mask: BooleanArray = (0..whole.num_rows()).map(|row| Some(keeps(row))).collect();
        for way in [DecodePath::Native, DecodePath::Arrow] {
            let bytes = Arc::new(ObjectBytes::Whole(file.clone().into()));
            let metadata = footer("x", &bytes).unwrap();
            let groups = metadata.num_row_groups();
            let binding = Arc::new(Binding::new("x", metadata.file_metadata().schema_descr(), &fields).unwrap());
            let file = RecordFile::open("x", bytes, metadata, binding, fields.into()).unwrap();
            let file = file.with_path(way).with_filter(2, Arc::new([]));
            let (mut cursors, mut at, mut batches) = (RecordCursors::default(), 0, Vec::new());
            for group in 0..groups {
                let mut group = file.row_group(group, &mut cursors).unwrap();
                let mut wants = |records: &Records| {
                    let rows = mask.slice(at, records.batch.num_rows());
                    at += rows.len();
                    if rows.true_count() > 0 { Selection::Rows(rows) } else { Selection::None }
                };
                while let Some(batch) = file.next(&mut group, &mut cursors, &mut wants).unwrap() {
                    batches.push(batch);
                }
            }
            let picked = concat_batches(&whole.schema(), &batches).unwrap();
            prop_assert_eq!(picked, filter_record_batch(&whole, &mask).unwrap());
        }
    }

    #[test]
    fn damage_is_an_error_or_seen_by_both_paths(
        cells in cells(300),
        layout in layouts(),
        at in any::<prop::sample::Index>(),
        bits in 1u8..,
    ) {
        let mut file = write(&batch(&cells), FileLayout { group_rows: 100, ..layout });
        let at = at.index(file.len());
        file[at] ^= bits;
        let direct = read(&file, FIELDS, DecodePath::Native, &mut RecordCursors::default());
        let arrow = read(&file, FIELDS, DecodePath::Arrow, &mut RecordCursors::default());
        if let (Ok(direct), Ok(arrow)) = (direct, arrow) {
            prop_assert_eq!(direct, arrow);
        }
    }
}

/// Forty thousand records in one row group of many pages.
fn many(layout: FileLayout) -> Vec<u8> {
    let cell = |n: i64| (Some(n as u8), Some((n / 7) as u16), Some(n as i32 % 60_000), Some(n * 3), 1_700_000_000 + n);
    let cells: Vec<_> = (0..40_000).map(cell).collect();
    write(&batch(&cells), FileLayout { group_rows: 1 << 20, ..layout })
}

#[test]
fn what_is_passed_over_does_not_move_what_follows() {
    for (dictionary, codec, page_rows) in [
        (1 << 20, Compression::GZIP(GzipLevel::default()), 500),
        (400, Compression::UNCOMPRESSED, 3_000),
        (0, Compression::SNAPPY, 20_000),
    ] {
        let layout = FileLayout { v2: false, codec, dictionary, page_rows, group_rows: 0, texts: Encoding::PLAIN };
        let file = many(layout);
        let fields = [Field::Srcaddr, Field::Bytes, Field::Dstaddr, Field::Start];
        let whole = read(&file, &fields, DecodePath::Native, &mut RecordCursors::default()).unwrap().unwrap();
        for wanted in [0b00000u32, 0b11111, 0b10010, 0b01101, 0b00001] {
            let bytes = Arc::new(ObjectBytes::Whole(file.clone().into()));
            let metadata = footer("x", &bytes).unwrap();
            let binding = Arc::new(Binding::new("x", metadata.file_metadata().schema_descr(), &fields).unwrap());
            let test: TextPredicate = Arc::new(|texts: &ArrayRef| {
                let of = |text: Option<&str>| Some(text.is_some_and(|text| text.ends_with('7')));
                Some(texts.as_string_view().iter().map(of).collect())
            });
            let file = RecordFile::open("x", bytes, metadata, binding, fields.into()).unwrap();
            let file = file.with_filter(1, Arc::new([(Field::Srcaddr, test)]));
            let mut cursors = RecordCursors::default();
            let mut group = file.row_group(0, &mut cursors).unwrap();
            let (mut at, mut seen) = (0, Vec::new());
            let mut wants = |records: &Records| {
                let sources = records.batch["srcaddr"].as_string_view();
                let answers = records.answers.as_ref().unwrap();
                for row in 0..sources.len() {
                    let ends = sources.is_valid(row) && sources.value(row).ends_with('7');
                    assert_eq!(answers[0].value(row), ends);
                }
                assert_eq!(records.batch.num_columns(), 1);
                at += 1;
                let keeps = wanted >> (at - 1) & 1 == 1;
                if keeps {
                    seen.push(at - 1);
                }
                if keeps { Selection::All } else { Selection::None }
            };
            let mut batches = Vec::new();
            while let Some(batch) = file.next(&mut group, &mut cursors, &mut wants).unwrap() {
                batches.push(batch);
            }
            assert_eq!(at, 5, "every batch was asked about, by the native path");
            for (batch, at) in batches.iter().zip(&seen) {
                assert_eq!(*batch, whole.slice(at * 8_192, batch.num_rows()));
            }
            assert_eq!(batches.len(), seen.len());
        }
    }
}
