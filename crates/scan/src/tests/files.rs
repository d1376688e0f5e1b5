//! Files of flow records in every layout that writers choose.

use crate::DecodePath;
use crate::object::{footer, scan_with};
use crate::{
    ENI_METADATA_FIELDS, Interners, MISSING_BYTES, MISSING_PROTOCOL, MISSING_S, NONE, ObjectBytes, ROLLUP_FIELDS,
    ScanError, address_of,
};
use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, GzipLevel, ZstdLevel};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use proptest::prelude::*;
use std::sync::Arc;

/// How a file is written.
#[derive(Clone, Copy, Debug)]
pub struct FileLayout {
    pub v2: bool,
    pub codec: Compression,
    /// Bytes of a dictionary before the writer falls back; 0 for no dictionary.
    pub dictionary: usize,
    pub page_rows: usize,
    pub group_rows: usize,
    /// Encoding of texts outside dictionaries.
    pub texts: Encoding,
}

pub fn layouts() -> impl Strategy<Value = FileLayout> {
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
        .prop_map(|(v2, codec, dictionary, page_rows, group_rows, texts)| FileLayout {
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

fn source(n: u8) -> String {
    format!("10.0.0.{n}")
}

fn destination(n: u16) -> String {
    if n.is_multiple_of(50) { "-".to_owned() } else { format!("2001:db8::{n:x}") }
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
        ("srcaddr", text(&|c| c.0.map(source))),
        ("dstaddr", text(&|c| c.1.map(destination))),
        ("srcport", int(&|c| c.2)),
        ("dstport", int(&|c| c.2.map(|n| n % 1_024))),
        ("protocol", int(&|c| c.0.map(|n| i32::from(n % 2) * 11 + 6))),
        ("packets", long(&|c| c.3.map(|n| n >> 10))),
        ("bytes", long(&|c| c.3)),
        ("start", required),
        ("end", long(&|c| Some(c.4 + 59))),
        ("tcp_flags", int(&|c| c.2.filter(|n| n % 7 > 0).map(|n| n % 40))),
        ("log_status", text(&|c| c.0.map(|n| if n % 60 == 0 { "NODATA" } else { "OK" }.to_owned()))),
        ("flow_direction", text(&|c| c.0.map(|n| if n % 2 == 0 { "ingress" } else { "egress" }.to_owned()))),
        // Mostly the same as the outer addresses, page by page.
        ("pkt_srcaddr", text(&|c| c.0.map(|n| if c.4 % 977 == 0 { "10.9.9.9".to_owned() } else { source(n) }))),
        ("pkt_dstaddr", text(&|c| c.1.map(destination))),
        ("pkt_src_aws_service", text(&|c| c.1.filter(|n| n % 3 == 0).map(|n| format!("S{}", n % 4)))),
        ("pkt_dst_aws_service", text(&|_| Some("-".to_owned()))),
        (
            "account_id",
            text(&|c| c.2.map(|n| if n % 3 == 0 { format!("{}", n % 5) } else { "123456789012".to_owned() })),
        ),
        ("instance_id", text(&|c| c.1.map(|n| if n % 40 == 0 { "-".to_owned() } else { format!("i-{}", n / 10) }))),
        ("vpc_id", text(&|_| Some("vpc-1".to_owned()))),
        ("subnet_id", text(&|c| c.0.map(|n| format!("subnet-{}", n / 100)))),
        ("region", text(&|c| Some(if c.4 % 2 == 0 { " us-east-1" } else { "None" }.to_owned()))),
        ("action", text(&|c| c.0.map(|n| if n % 9 == 0 { "REJECT" } else { "ACCEPT" }.to_owned()))),
        ("interface_id", text(&|c| c.1.map(|n| format!("eni-{}", n / 100)))),
        ("unread", text(&|c| Some(format!("{c:?}")))),
    ])
    .unwrap()
}

pub fn write(batch: &RecordBatch, layout: FileLayout) -> Vec<u8> {
    let mut properties = WriterProperties::builder()
        .set_writer_version(if layout.v2 { WriterVersion::PARQUET_2_0 } else { WriterVersion::PARQUET_1_0 })
        .set_compression(layout.codec)
        .set_dictionary_enabled(layout.dictionary > 0)
        .set_dictionary_page_size_limit(layout.dictionary.max(1))
        .set_data_page_row_count_limit(layout.page_rows)
        .set_write_batch_size(layout.page_rows.min(64))
        .set_max_row_group_row_count(Some(layout.group_rows))
        .set_statistics_enabled(EnabledStatistics::Chunk);
    let texts = batch.schema();
    for text in texts.fields().iter().filter(|f| f.data_type() == &DataType::Utf8 && f.name() != "unread") {
        properties = properties.set_column_encoding(text.name().as_str().into(), layout.texts);
    }
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties.build())).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

/// Returns the records that a scan returns for a file, each as text.
pub fn scanned(bytes: Vec<u8>) -> Result<Vec<Vec<String>>, ScanError> {
    scanned_by(DecodePath::Native, bytes, |_| true)
}

/// Returns the records that a decode path returns for a file: addresses, numbers and texts of each, and the ENI
/// metadata for the rows of a batch that `asked` selects.
pub fn scanned_by(
    way: DecodePath,
    bytes: Vec<u8>,
    asked: impl Fn(usize) -> bool,
) -> Result<Vec<Vec<String>>, ScanError> {
    let bytes = Arc::new(ObjectBytes::Whole(bytes.into()));
    let metadata = footer("object", &bytes)?;
    scanned_under(&metadata, way, &bytes, asked)
}

/// Returns the records that a decode path returns for a file with a footer that need not be its own.
pub fn scanned_under(
    metadata: &Arc<ParquetMetaData>,
    way: DecodePath,
    bytes: &Arc<ObjectBytes>,
    asked: impl Fn(usize) -> bool,
) -> Result<Vec<Vec<String>>, ScanError> {
    let interners = Interners::default();
    let mut rows = Vec::new();
    scan_with(way, "object", bytes, metadata, ROLLUP_FIELDS, &interners, |batch| {
        let asked_rows = (0..batch.rows).filter(|row| asked(*row));
        let text = |row: usize| ENI_METADATA_FIELDS.iter().map(move |field| batch.text(*field, row));
        let mut described: Vec<Vec<u32>> = vec![Vec::new(); batch.rows];
        asked_rows.for_each(|row| described[row].extend(text(row)));
        let addresses = interners.addresses.entries();
        let texts = interners.texts.entries();
        let null = || "null".to_owned();
        let time = |s: u32| if s == MISSING_S { null() } else { s.to_string() };
        let address = |code: u32| if code == NONE { null() } else { address_of(code, &addresses).to_string() };
        let text = |number: u32| if number == NONE { null() } else { texts[number as usize].clone() };
        for (row, described) in described.iter().enumerate() {
            let (protocol, bytes) = (batch.protocol[row], batch.bytes[row]);
            let mut cells = vec![
                address(batch.srcaddr[row]),
                address(batch.dstaddr[row]),
                batch.srcport[row].to_string(),
                batch.dstport[row].to_string(),
                if protocol == MISSING_PROTOCOL { null() } else { protocol.to_string() },
                batch.packets[row].to_string(),
                if bytes == MISSING_BYTES { null() } else { bytes.to_string() },
                time(batch.start_s[row]),
                time(batch.end_s[row]),
                batch.action[row].to_string(),
                text(batch.interface[row]),
                batch.tcp_flags[row].to_string(),
                address(batch.pkt_srcaddr[row]),
                address(batch.pkt_dstaddr[row]),
                batch.log_status[row].to_string(),
                batch.flow_direction[row].to_string(),
                text(batch.src_service[row]),
                text(batch.dst_service[row]),
            ];
            cells.extend(described.iter().map(|number| text(*number)));
            rows.push(cells);
        }
    })?;
    Ok(rows)
}
