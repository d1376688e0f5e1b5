//! Files of flow records in every layout that writers choose.

use crate::scan::object::{footer, scan};
use crate::scan::{Books, MISSING, NONE, ObjectBytes, ROLLUP_FIELDS, ScanError};
use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, GzipLevel, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use proptest::prelude::*;
use std::sync::Arc;

/// How a file is written.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    pub v2: bool,
    pub codec: Compression,
    /// Bytes of a dictionary before the writer falls back; 0 for none at all.
    pub dictionary: usize,
    pub page_rows: usize,
    pub group_rows: usize,
    /// Encoding of texts outside dictionaries.
    pub texts: Encoding,
}

pub fn layouts() -> impl Strategy<Value = Layout> {
    let codecs = vec![
        Compression::GZIP(GzipLevel::default()),
        Compression::SNAPPY,
        Compression::ZSTD(ZstdLevel::default()),
        Compression::LZ4_RAW,
        Compression::UNCOMPRESSED,
    ];
    let texts = vec![Encoding::PLAIN, Encoding::DELTA_LENGTH_BYTE_ARRAY, Encoding::DELTA_BYTE_ARRAY];
    (
        any::<bool>(),
        prop::sample::select(codecs),
        prop::sample::select(vec![0usize, 64, 400, 1 << 20]),
        prop::sample::select(vec![7usize, 100, 20_000]),
        prop::sample::select(vec![50usize, 333, 1_000_000]),
        prop::sample::select(texts),
    )
        .prop_map(|(v2, codec, dictionary, page_rows, group_rows, texts)| Layout {
            v2,
            codec,
            dictionary,
            page_rows,
            group_rows,
            texts,
        })
}

/// A record's cells; `None` is NULL.
pub type Cells = (Option<u8>, Option<u16>, Option<i32>, Option<i64>, i64);

pub fn cells(most: usize) -> impl Strategy<Value = Vec<Cells>> {
    let cell = (
        prop::option::weighted(0.9, any::<u8>()),
        prop::option::weighted(0.9, any::<u16>()),
        prop::option::weighted(0.9, 0i32..65_536),
        prop::option::weighted(0.9, 0i64..1 << 40),
        1_700_000_000i64..1_700_003_600,
    );
    prop::collection::vec(cell, 1..most)
}

pub fn batch(cells: &[Cells]) -> RecordBatch {
    let text = |pick: &dyn Fn(&Cells) -> Option<String>| -> ArrayRef {
        Arc::new(cells.iter().map(pick).collect::<StringArray>())
    };
    let int =
        |pick: &dyn Fn(&Cells) -> Option<i32>| -> ArrayRef { Arc::new(cells.iter().map(pick).collect::<Int32Array>()) };
    let long =
        |pick: &dyn Fn(&Cells) -> Option<i64>| -> ArrayRef { Arc::new(cells.iter().map(pick).collect::<Int64Array>()) };
    let required: ArrayRef = Arc::new(Int64Array::from_iter_values(cells.iter().map(|c| c.4)));
    RecordBatch::try_from_iter(vec![
        ("srcaddr", text(&|c| c.0.map(|n| format!("10.0.0.{n}")))),
        ("dstaddr", text(&|c| c.1.map(|n| if n % 50 == 0 { "-".to_owned() } else { format!("2001:db8::{n:x}") }))),
        ("srcport", int(&|c| c.2)),
        ("dstport", int(&|c| c.2.map(|n| n % 1_024))),
        ("protocol", int(&|c| c.0.map(|n| i32::from(n % 2) * 11 + 6))),
        ("packets", long(&|c| c.3.map(|n| n >> 10))),
        ("bytes", long(&|c| c.3)),
        ("start", required),
        ("end", long(&|c| Some(c.4 + 59))),
        ("action", text(&|c| c.0.map(|n| if n % 9 == 0 { "REJECT" } else { "ACCEPT" }.to_owned()))),
        ("interface_id", text(&|c| c.1.map(|n| format!("eni-{}", n / 100)))),
        ("unread", text(&|c| Some(format!("{c:?}")))),
    ])
    .unwrap()
}

pub fn write(batch: &RecordBatch, layout: Layout) -> Vec<u8> {
    let mut properties = WriterProperties::builder()
        .set_writer_version(if layout.v2 { WriterVersion::PARQUET_2_0 } else { WriterVersion::PARQUET_1_0 })
        .set_compression(layout.codec)
        .set_dictionary_enabled(layout.dictionary > 0)
        .set_dictionary_page_size_limit(layout.dictionary.max(1))
        .set_data_page_row_count_limit(layout.page_rows)
        .set_write_batch_size(layout.page_rows.min(64))
        .set_max_row_group_row_count(Some(layout.group_rows))
        .set_statistics_enabled(EnabledStatistics::Chunk);
    for text in ["srcaddr", "dstaddr", "action", "interface_id"] {
        properties = properties.set_column_encoding(text.into(), layout.texts);
    }
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties.build())).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

/// What the scan makes of a file: addresses, interface and numbers of each record as text.
pub fn scanned(bytes: Vec<u8>) -> Result<Vec<Vec<String>>, ScanError> {
    let bytes = Arc::new(ObjectBytes::Whole(bytes.into()));
    let metadata = footer("object", &bytes)?;
    let books = Books::default();
    let mut rows = Vec::new();
    scan("object", &bytes, &metadata, ROLLUP_FIELDS, &books, |batch| {
        let addresses = books.addresses.entries();
        let texts = books.texts.entries();
        let number = |n: Option<&i64>| n.filter(|n| **n != MISSING).map_or("null".to_owned(), i64::to_string);
        let address = |n: u32| if n == NONE { "null".to_owned() } else { addresses[n as usize].to_string() };
        for row in 0..batch.rows {
            let name = batch.text(0, row);
            rows.push(vec![
                address(batch.srcaddr.get(row)),
                address(batch.dstaddr.get(row)),
                number(batch.srcport.get(row)),
                number(batch.dstport.get(row)),
                number(batch.protocol.get(row)),
                number(batch.packets.get(row)),
                number(batch.bytes.get(row)),
                number(batch.start_s.get(row)),
                number(batch.end_s.get(row)),
                batch.action.get(row).to_string(),
                if name == NONE { "null".to_owned() } else { texts[name as usize].clone() },
            ]);
        }
    })?;
    Ok(rows)
}
