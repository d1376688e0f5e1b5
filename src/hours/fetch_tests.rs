//! Fetching ranges of objects: a footer with impossible claims spoils its own object only.

use super::fetch::{FetchOptions, Fetched, fetch, read_footer};
use crate::source::{Source, SourceOptions, TimeRange};
use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use flow::error_text;
use pages::guard::quiet_panics;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::metadata::{ColumnChunkMetaDataBuilder, ParquetMetaData, ParquetMetaDataWriter};
use parquet::file::properties::WriterProperties;
use scan::object::footer;
use scan::{ObjectBytes, ROLLUP_FIELDS};
use std::sync::Arc;

/// A file of a hundred flow records, without dictionaries.
fn plain_file() -> Vec<u8> {
    let rows = 0..100;
    let texts =
        |text: &str| -> ArrayRef { Arc::new(rows.clone().map(|_| Some(text.to_owned())).collect::<StringArray>()) };
    let ints = |first: i32| -> ArrayRef { Arc::new(rows.clone().map(|row| Some(first + row)).collect::<Int32Array>()) };
    let longs = |first: i64| -> ArrayRef {
        Arc::new(rows.clone().map(|row| Some(first + i64::from(row))).collect::<Int64Array>())
    };
    let addresses: ArrayRef = Arc::new(rows.clone().map(|row| Some(format!("10.0.0.{row}"))).collect::<StringArray>());
    let batch = RecordBatch::try_from_iter(vec![
        ("interface_id", texts("eni-1")),
        ("srcaddr", addresses),
        ("dstaddr", texts("192.0.2.1")),
        ("srcport", ints(40_000)),
        ("dstport", ints(443)),
        ("protocol", ints(6)),
        ("packets", longs(1)),
        ("bytes", longs(1_000)),
        ("start", longs(1_700_000_000)),
        ("end", longs(1_700_000_059)),
        ("action", texts("ACCEPT")),
        ("log_status", texts("OK")),
    ])
    .unwrap();
    let properties =
        WriterProperties::builder().set_compression(Compression::SNAPPY).set_dictionary_enabled(false).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

/// The file with every column chunk's claims changed.
fn claiming(file: &[u8], change: fn(ColumnChunkMetaDataBuilder) -> ColumnChunkMetaDataBuilder) -> Vec<u8> {
    let honest = footer("object", &ObjectBytes::Whole(file.to_vec().into())).unwrap();
    let groups = honest.row_groups().iter().map(|group| {
        let columns = group.columns().iter().map(|chunk| change(chunk.clone().into_builder()).build().unwrap());
        group.clone().into_builder().set_column_metadata(columns.collect()).build().unwrap()
    });
    let lying = ParquetMetaData::new(honest.file_metadata().clone(), groups.collect());
    let frame = file.last_chunk::<8>().unwrap();
    let length = u32::from_le_bytes(frame[..4].try_into().unwrap()) as usize;
    let mut out = file[..file.len() - 8 - length].to_vec();
    ParquetMetaDataWriter::new(&mut out, &lying).finish().unwrap();
    out
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_footer_that_lies_costs_its_own_object_only() {
    quiet_panics();
    let file = plain_file();
    let root = tempfile::tempdir().unwrap();
    let lies: [fn(ColumnChunkMetaDataBuilder) -> ColumnChunkMetaDataBuilder; 3] = [
        |chunk| chunk.set_total_compressed_size(-5),
        |chunk| chunk.set_data_page_offset(-1),
        |chunk| chunk.set_total_compressed_size(1 << 50),
    ];
    for (name, lie) in ["b.parquet", "c.parquet", "d.parquet"].into_iter().zip(lies) {
        std::fs::write(root.path().join(name), claiming(&file, lie)).unwrap();
    }
    for name in ["a.parquet", "e.parquet"] {
        std::fs::write(root.path().join(name), &file).unwrap();
    }
    let source = Source::open(&[root.path().to_str().unwrap()], &SourceOptions::default()).await.unwrap();
    let objects = source.list(&TimeRange::default()).await.unwrap().objects;
    let count = objects.len();
    let listed = objects.clone();
    let options = FetchOptions { whole_limit_bytes: 0, ..FetchOptions::default() };
    let arrivals =
        fetch(&tokio::runtime::Handle::current(), source.reader(), Arc::new(objects), ROLLUP_FIELDS, options);
    let opened = move || {
        let open = |fetched: Fetched| {
            let index = fetched.index;
            fetched.open(&listed[index])
        };
        arrivals.iter().map(open).collect::<Vec<_>>()
    };
    let opened = tokio::task::spawn_blocking(opened).await.unwrap();
    assert_eq!(opened.len(), count);
    let said: Vec<String> =
        opened.iter().map(|one| one.as_ref().err().map(|error| error_text(error)).unwrap_or_default()).collect();
    assert_eq!((said[0].as_str(), said[4].as_str()), ("", ""));
    assert!(
        said[1].contains("b.parquet: footer cannot be decoded: ") && said[1].contains("claims -5 bytes at offset "),
        "{}",
        said[1]
    );
    assert!(
        said[2].contains("c.parquet: footer cannot be decoded: ") && said[2].contains("at offset -1"),
        "{}",
        said[2]
    );
    assert!(said[3].contains("d.parquet: got "), "{}", said[3]);
}

#[tokio::test]
async fn a_footer_alone_is_looked_at_before_it_is_parsed() {
    // Version, an empty schema, rows, then a list of 2^31 - 1 row groups.
    let mut lied = vec![0x15, 2, 0x19, 0x0c, 0x16, 0, 0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07];
    lied.extend((lied.len() as u32).to_le_bytes());
    lied.extend(b"PAR1");
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("a.parquet"), lied).unwrap();
    std::fs::write(root.path().join("b.parquet"), plain_file()).unwrap();
    let source = Source::open(&[root.path().to_str().unwrap()], &SourceOptions::default()).await.unwrap();
    let objects = source.list(&TimeRange::default()).await.unwrap().objects;
    let error = read_footer(&source.reader(), &objects[0], 1 << 10).await.unwrap_err();
    let error = error_text(&error);
    assert!(error.contains("claims 2147483647 row groups"), "{error}");
    // A footer longer than the usual comes with a second request.
    let once = read_footer(&source.reader(), &objects[1], 1 << 20).await.unwrap();
    let twice = read_footer(&source.reader(), &objects[1], 16).await.unwrap();
    assert_eq!(once.metadata.row_groups(), twice.metadata.row_groups());
    assert_eq!(once.bytes_read, objects[1].size);
    assert!(twice.bytes_read > 16 && twice.bytes_read < once.bytes_read, "{}", twice.bytes_read);
}
