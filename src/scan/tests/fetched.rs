//! Objects of which ranges are fetched: what one footer claims is no other object's loss.

use super::damage::plain_file;
use crate::scan::fetch::{FetchOptions, fetch, read_footer};
use crate::scan::object::{footer, quiet_panics};
use crate::scan::{ObjectBytes, ROLLUP_FIELDS};
use crate::source::{Source, SourceOptions, TimeRange};
use parquet::basic::{Compression, Encoding};
use parquet::file::metadata::{ColumnChunkMetaDataBuilder, ParquetMetaData, ParquetMetaDataWriter};
use std::sync::Arc;

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
    let file = plain_file(Encoding::PLAIN, Compression::SNAPPY);
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
    let options = FetchOptions { whole_limit_bytes: 0, ..FetchOptions::default() };
    let arrivals =
        fetch(&tokio::runtime::Handle::current(), source.reader(), Arc::new(objects), ROLLUP_FIELDS, options);
    let arrived = tokio::task::spawn_blocking(move || arrivals.iter().map(|one| one.content).collect::<Vec<_>>());
    let arrived = arrived.await.unwrap();
    assert_eq!(arrived.len(), count);
    let said: Vec<String> =
        arrived.iter().map(|one| one.as_ref().err().map(ToString::to_string).unwrap_or_default()).collect();
    assert_eq!((said[0].as_str(), said[4].as_str()), ("", ""));
    assert!(said[1].contains("b.parquet: footer: ") && said[1].contains("claims -5 bytes at offset "), "{}", said[1]);
    assert!(said[2].contains("c.parquet: footer: ") && said[2].contains("at offset -1"), "{}", said[2]);
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
    std::fs::write(root.path().join("b.parquet"), plain_file(Encoding::PLAIN, Compression::SNAPPY)).unwrap();
    let source = Source::open(&[root.path().to_str().unwrap()], &SourceOptions::default()).await.unwrap();
    let objects = source.list(&TimeRange::default()).await.unwrap().objects;
    let error = read_footer(&source.reader(), &objects[0], 1 << 10).await.unwrap_err().to_string();
    assert!(error.contains("claims 2147483647 row groups"), "{error}");
    // A footer longer than the usual comes with a second request.
    let (whole, once) = read_footer(&source.reader(), &objects[1], 1 << 20).await.unwrap();
    let (again, twice) = read_footer(&source.reader(), &objects[1], 16).await.unwrap();
    assert_eq!(whole.row_groups(), again.row_groups());
    assert!(once == objects[1].size && twice > 16 && twice < once, "{once} {twice}");
}
