//! In every layout, the scan returns what the stock reader returns.

use super::files::{FileLayout, batch, cells, layouts, scanned, scanned_by, scanned_under, write};
use crate::DecodePath;
use crate::batch::native::NativeDecoder;
use crate::bound_object::{BoundObject, supports_native};
use crate::object::footer;
use crate::{Binding, Decision, Interners, ObjectBytes, ROLLUP_FIELDS};
use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Float64Array, Int8Array, Int32Array, Int64Array,
    LargeStringArray, RecordBatch, StringArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, TimestampSecondArray, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::datatypes::{Int32Type, Int64Type};
use bytes::Bytes;
use flow::error_text;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, Encoding};
use parquet::file::metadata::ParquetMetaData;
use proptest::prelude::*;
use std::sync::Arc;

/// Returns the stock reader's view of a file, in the shape of [`scanned`].
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
                return if ["srcport", "dstport", "packets", "tcp_flags"].contains(&name) { "0" } else { "null" }
                    .to_owned();
            }
            match array.as_primitive_opt::<Int32Type>() {
                Some(ints) => ints.value(row).to_string(),
                None => array.as_primitive::<Int64Type>().value(row).to_string(),
            }
        };
        for row in 0..batch.num_rows() {
            let decision = |name: &str| match text(name, row).as_deref() {
                Some("ACCEPT") => Decision::Accept as u8,
                Some("REJECT") => Decision::Reject as u8,
                Some("ingress") => Decision::Ingress as u8,
                Some("egress") => Decision::Egress as u8,
                Some("OK") => Decision::Ok as u8,
                Some("NODATA") => Decision::NoData as u8,
                _ => 0,
            };
            let texts = |names: &[&str]| -> Vec<String> {
                let text = |name: &&str| text(name, row).filter(|text| text != "None");
                names.iter().map(|name| text(name).map_or("null".to_owned(), |text| text.trim().to_owned())).collect()
            };
            let mut cells = texts(&["srcaddr", "dstaddr"]);
            let names = ["srcport", "dstport", "protocol", "packets", "bytes", "start", "end"];
            cells.extend(names.iter().map(|name| number(name, row)));
            cells.push(decision("action").to_string());
            cells.extend(texts(&["interface_id"]));
            cells.push(number("tcp_flags", row));
            cells.extend(texts(&["pkt_srcaddr", "pkt_dstaddr"]));
            cells.extend(["log_status", "flow_direction"].map(|name| decision(name).to_string()));
            cells.extend(texts(&["pkt_src_aws_service", "pkt_dst_aws_service"]));
            let account = text("account_id", row).map_or("null".to_owned(), |text| format!("{text:0>12}"));
            cells.push(account);
            cells.extend(texts(&["instance_id", "vpc_id", "subnet_id"]));
            cells.push("null".to_owned());
            cells.extend(texts(&["region"]));
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
        let stock = stock(file.clone());
        prop_assert_eq!(&scanned(file.clone()).unwrap(), &stock);
        prop_assert_eq!(&scanned_by(DecodePath::Arrow, file, |_| true).unwrap(), &stock);
    }

    #[test]
    fn eni_metadata_does_not_depend_on_which_other_rows_are_read(
        cells in cells(3_000),
        layout in layouts(),
        step in 1usize..500,
        from in 0usize..500,
    ) {
        let file = write(&batch(&cells), layout);
        let asked = |row: usize| row % step == from % step;
        let direct = scanned_by(DecodePath::Native, file.clone(), asked).unwrap();
        prop_assert_eq!(direct, scanned_by(DecodePath::Arrow, file, asked).unwrap());
    }

    #[test]
    fn the_native_path_reads_every_layout_that_it_supports(cells in cells(600), layout in layouts()) {
        let file = write(&batch(&cells), layout);
        let bytes = Arc::new(ObjectBytes::Whole(file.into()));
        let metadata = footer("object", &bytes).unwrap();
        let binding = Binding::new("object", metadata.file_metadata().schema_descr(), ROLLUP_FIELDS).unwrap();
        let interners = Interners::default();
        let source = BoundObject { bytes: &bytes, metadata: &metadata, binding: &binding, interners: &interners };
        let mut direct = NativeDecoder::take();
        for (index, group) in metadata.row_groups().iter().enumerate() {
            let delta = group.columns().iter().flat_map(|column| column.encodings()).any(|encoding| {
                matches!(encoding, Encoding::DELTA_BYTE_ARRAY | Encoding::DELTA_LENGTH_BYTE_ARRAY)
                    || encoding == Encoding::DELTA_BINARY_PACKED
            });
            prop_assert!(supports_native(&binding, group) || delta);
            if supports_native(&binding, group) {
                direct.open(&source, index).unwrap();
                let mut rows = 0;
                while direct.next(&interners).unwrap() {
                    rows += direct.batch.rows as i64;
                }
                prop_assert_eq!(rows, group.num_rows());
            }
        }
    }
}

#[test]
fn numbers_and_texts_of_every_type_read_the_same_both_ways() {
    let times = [1_700_000_000i64, 1_700_000_001, -5, 0, 5_000_000_000];
    let of = |factor: i64| times.map(|time| time * factor + factor / 2);
    let starts: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(times)),
        Arc::new(Int64Array::from_iter_values(of(1_000))),
        Arc::new(Int64Array::from_iter_values(of(1_000_000))),
        Arc::new(Int32Array::from_iter_values(times.map(|time| time as i32))),
        Arc::new(UInt32Array::from_iter_values(times.map(|time| time as u32))),
        Arc::new(UInt64Array::from_iter_values(times.map(|time| time as u64))),
        Arc::new(UInt16Array::from_iter_values(times.map(|time| time as u16))),
        Arc::new(Int8Array::from_iter_values(times.map(|time| time as i8))),
        Arc::new(TimestampSecondArray::from_iter_values(times)),
        Arc::new(TimestampMillisecondArray::from_iter_values(of(1_000))),
        Arc::new(TimestampMicrosecondArray::from_iter_values(of(1_000_000)).with_timezone("UTC")),
        Arc::new(TimestampNanosecondArray::from_iter_values(of(1_000_000_000))),
        Arc::new(Float64Array::from_iter_values(times.map(|time| time as f64))),
        Arc::new(StringArray::from_iter_values(times.map(|time| time.to_string()))),
        Arc::new(BooleanArray::from(vec![true, false, true, true, false])),
    ];
    let text = |text: &str| Arc::new(StringArray::from(vec![Some(text), None, Some("-"), Some(""), Some(text)])) as _;
    let names: Vec<ArrayRef> = vec![
        text("10.0.0.1"),
        text(" 10.0.0.1 "),
        text("\u{e9}"),
        text("2001:db8::1"),
        Arc::new(BinaryArray::from_iter_values(["10.0.0.1"; 5].map(str::as_bytes))),
        Arc::new(Int32Array::from_iter_values([1, 2, 3, 4, 5])),
        Arc::new(LargeStringArray::from_iter_values(["10.0.0.1", "10.0.0.2", "::1", "::1", "240.0.0.1"])),
    ];
    for (start, name) in starts.iter().flat_map(|start| names.iter().map(move |name| (start, name))) {
        let numbers = |name| (name, start.clone());
        let mut columns: Vec<(&str, ArrayRef)> =
            ["srcport", "dstport", "protocol", "packets", "bytes", "start", "end", "tcp_flags"].map(numbers).into();
        let texts = ["srcaddr", "dstaddr", "action", "interface_id", "account_id", "region", "pkt_srcaddr"];
        columns.extend(texts.map(|column| (column, name.clone())));
        let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap();
        for dictionary in [0, 1 << 20] {
            let codec = Compression::UNCOMPRESSED;
            let (page_rows, group_rows) = (2, 1 << 20);
            let layout = FileLayout { v2: false, codec, dictionary, page_rows, group_rows, texts: Encoding::PLAIN };
            let file = write(&batch, layout);
            let (direct, arrow) = (DecodePath::Native, DecodePath::Arrow);
            let read = |way| scanned_by(way, file.clone(), |_| true).map_err(|error| error_text(&error));
            assert_eq!(read(direct), read(arrow), "{} and {}", start.data_type(), name.data_type());
        }
    }
}

#[test]
fn a_chunk_that_outgrows_its_dictionary_reads_whole() {
    for v2 in [false, true] {
        for dictionary in [0, 20_000, 100_000] {
            let layout = FileLayout {
                v2,
                codec: Compression::GZIP(Default::default()),
                dictionary,
                page_rows: 5_000,
                group_rows: 1 << 20,
                texts: Encoding::PLAIN,
            };
            // More rows than a batch, and a fallback to plain pages in the middle of one.
            let file = write(&many(), layout);
            assert!(scanned(file.clone()).unwrap() == stock(file), "v2 {v2}, dictionary of {dictionary}");
        }
    }
}

/// Enough rows for several batches, with more distinct texts than a small dictionary holds.
fn many() -> RecordBatch {
    let cells: Vec<_> = (0..30_000i64)
        .map(|n| {
            let n = n * 7_919 % 65_536;
            (Some(n as u8), Some(n as u16), Some(n as i32), Some(n << 8), 1_700_000_000 + n % 300)
        })
        .collect();
    batch(&cells)
}

#[test]
fn a_page_of_another_kind_in_the_middle_of_a_row_group_loses_no_row() {
    let codec = Compression::GZIP(Default::default());
    let texts = Encoding::DELTA_LENGTH_BYTE_ARRAY;
    for dictionary in [0, 20_000, 100_000, 300_000] {
        let layout = FileLayout { v2: false, codec, dictionary, page_rows: 2_000, group_rows: 1 << 20, texts };
        let file = write(&many(), layout);
        let bytes = Arc::new(ObjectBytes::Whole(file.into()));
        let honest = footer("object", &bytes).unwrap();
        // The footer does not mention the pages that are neither plain nor dictionary-encoded.
        let silent = honest.row_groups().iter().cloned().map(|group| {
            let mut builder = group.into_builder();
            let columns = builder.take_columns().into_iter();
            let encodings = || vec![Encoding::PLAIN, Encoding::RLE, Encoding::RLE_DICTIONARY];
            let columns = columns.map(|c| c.into_builder().set_encodings(encodings()).build().unwrap());
            builder.set_column_metadata(columns.collect()).build().unwrap()
        });
        let silent = Arc::new(ParquetMetaData::new(honest.file_metadata().clone(), silent.collect()));
        let read = |way| scanned_under(&silent, way, &bytes, |_| false).unwrap();
        let direct = read(DecodePath::Native);
        assert_eq!(direct.len(), 30_000);
        assert!(direct == read(DecodePath::Arrow), "dictionary of {dictionary}");
    }
}

#[test]
fn damaged_eni_metadata_is_an_error_only_when_it_is_read() {
    let (codec, texts) = (Compression::GZIP(Default::default()), Encoding::PLAIN);
    let layout = FileLayout { v2: false, codec, dictionary: 1 << 20, page_rows: 5_000, group_rows: 1 << 20, texts };
    let mut file = write(&many(), layout);
    let sound = scanned(file.clone()).unwrap();
    let honest = footer("object", &Arc::new(ObjectBytes::Whole(file.clone().into()))).unwrap();
    let column = honest.row_group(0).columns().iter().find(|c| c.column_path().string() == "instance_id").unwrap();
    let (start, length) = column.byte_range();
    // The last page's checksum.
    file[(start + length - 6) as usize] ^= 1;
    let error = error_text(&scanned(file.clone()).unwrap_err());
    assert!(error.contains("row group 0") && error.contains("gzip"), "{error}");
    // The last page begins at row 25,000, which is in the last batch of 8,192.
    let described = scanned_by(DecodePath::Native, file, |row| row < 100).unwrap();
    assert_eq!(described.len(), sound.len());
    assert!(described.iter().zip(&sound).enumerate().all(|(row, (found, sound))| match row % 8_192 < 100 {
        true => found == sound,
        false => *found == sound[..18],
    }));
}
