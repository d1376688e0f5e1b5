//! Decodes a gzip file of flow logs in memory to batches: the native path, the Arrow path, and the stock reader.

use crate::sample::{FILE, scan_sample};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use criterion::{Criterion, Throughput};
use flow::Address;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use scan::DecodePath;
use scan::{Interners, NONE, ObjectBytes, ROLLUP_FIELDS, address_of};
use std::hint::black_box;

/// Addresses, port, bytes and start of a record.
type Cells = (Option<Address>, Option<Address>, u16, u64, u32);

pub fn bench(criterion: &mut Criterion) {
    let expected: Vec<Cells> = stock().iter().flat_map(cells_of).collect();
    for way in [DecodePath::Native, DecodePath::Arrow] {
        assert!(cells_by(way) == expected, "{way:?} reads what the stock reader reads");
    }
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(expected.len() as u64));
    group.sample_size(20);
    for (name, way) in [("direct", DecodePath::Native), ("arrow", DecodePath::Arrow)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let books = Interners::default();
                scan_sample(way, &books, |batch| {
                    black_box(batch);
                })
            });
        });
    }
    group.bench_function("stock", |bencher| bencher.iter(|| black_box(stock()).len()));
    group.finish();
}

/// All batches of the sample by the parquet crate's own reader, of the same columns.
fn stock() -> Vec<RecordBatch> {
    let ObjectBytes::Whole(bytes) = &**FILE else { return Vec::new() };
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).expect("a footer");
    let names = ROLLUP_FIELDS.iter().map(|field| field.name());
    let mask = ProjectionMask::columns(builder.parquet_schema(), names);
    let reader = builder.with_projection(mask).with_batch_size(8_192).build().expect("a reader");
    reader.map(|batch| batch.expect("records")).collect()
}

fn cells_of(batch: &RecordBatch) -> Vec<Cells> {
    let column = |name: &str| batch.column_by_name(name).expect("a column of the default format");
    let address = |name: &str, row: usize| {
        let column = column(name).as_string::<i32>();
        column.is_valid(row).then(|| column.value(row).parse().ok()).flatten()
    };
    let (port, bytes) = (column("srcport").as_primitive::<Int32Type>(), column("bytes").as_primitive::<Int64Type>());
    let start = column("start").as_primitive::<Int64Type>();
    let number = |row: usize| if bytes.is_valid(row) { bytes.value(row) as u64 } else { u64::MAX };
    let port = |row: usize| if port.is_valid(row) { port.value(row) as u16 } else { 0 };
    (0..batch.num_rows())
        .map(|row| (address("srcaddr", row), address("dstaddr", row), port(row), number(row), start.value(row) as u32))
        .collect()
}

fn cells_by(way: DecodePath) -> Vec<Cells> {
    let books = Interners::default();
    let mut cells = Vec::new();
    scan_sample(way, &books, |batch| {
        let entries = books.addresses.entries();
        let address = |code: u32| (code != NONE).then(|| address_of(code, &entries));
        cells.extend((0..batch.rows).map(|row| {
            let (source, destination) = (address(batch.srcaddr[row]), address(batch.dstaddr[row]));
            (source, destination, batch.srcport[row], batch.bytes[row], batch.start_s[row])
        }));
    });
    cells
}
