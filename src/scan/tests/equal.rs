//! Whatever the layout, the scan sees what the stock reader sees.

use super::files::{batch, cells, layouts, scanned, write};
use crate::scan::{Decision, NONE};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;

/// The stock reader's view of a file, in the shape of [`scanned`].
fn stock(bytes: Vec<u8>) -> Vec<Vec<String>> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).unwrap().build().unwrap();
    let mut rows = Vec::new();
    for batch in reader {
        let batch: RecordBatch = batch.unwrap();
        let text = |name: &str, row: usize| {
            let array = batch[name].as_string::<i32>();
            (array.is_valid(row) && array.value(row) != "-").then(|| array.value(row).to_owned())
        };
        let number = |name: &str, row: usize| {
            let array = &batch[name];
            if array.is_null(row) {
                return "null".to_owned();
            }
            match array.as_primitive_opt::<Int32Type>() {
                Some(ints) => ints.value(row).to_string(),
                None => array.as_primitive::<Int64Type>().value(row).to_string(),
            }
        };
        for row in 0..batch.num_rows() {
            let action = match text("action", row).as_deref() {
                Some("ACCEPT") => Decision::Accept as u32,
                Some("REJECT") => Decision::Reject as u32,
                _ => NONE,
            };
            let mut cells = vec!["srcaddr", "dstaddr"]
                .into_iter()
                .map(|name| text(name, row).unwrap_or("null".to_owned()))
                .collect::<Vec<_>>();
            let names = ["srcport", "dstport", "protocol", "packets", "bytes", "start", "end"];
            cells.extend(names.iter().map(|name| number(name, row)));
            cells.push(action.to_string());
            cells.push(text("interface_id", row).unwrap_or("null".to_owned()));
            rows.push(cells);
        }
    }
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn every_layout_reads_as_the_stock_reader_reads_it(cells in cells(600), layout in layouts()) {
        let file = write(&batch(&cells), layout);
        prop_assert_eq!(scanned(file.clone()).unwrap(), stock(file));
    }
}

#[test]
fn a_chunk_that_outgrows_its_dictionary_reads_whole() {
    // More rows than a batch, and a fall-back to plain pages in the middle of one.
    let cells: Vec<_> = (0..30_000i64)
        .map(|n| {
            let n = n * 7_919 % 65_536;
            (Some(n as u8), Some(n as u16), Some(n as i32), Some(n << 8), 1_700_000_000 + n % 300)
        })
        .collect();
    for v2 in [false, true] {
        for dictionary in [0, 20_000, 100_000] {
            let layout = super::files::Layout {
                v2,
                codec: parquet::basic::Compression::GZIP(Default::default()),
                dictionary,
                page_rows: 5_000,
                group_rows: 1 << 20,
                texts: parquet::basic::Encoding::PLAIN,
            };
            let file = write(&batch(&cells), layout);
            assert!(scanned(file.clone()).unwrap() == stock(file), "v2 {v2}, dictionary of {dictionary}");
        }
    }
}
