//! Writes seed inputs of both targets to `seeds/file` and `seeds/page`: every layout that writers choose.

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::datatypes::DataType;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, GzipLevel, Type, ZstdLevel};
use parquet::column::page::Page;
use parquet::errors::Result;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// How a file is written.
struct Layout {
    v2: bool,
    codec: Compression,
    /// Bytes of a dictionary before the writer falls back; 0 for none at all.
    dictionary: usize,
    page_rows: usize,
    group_rows: usize,
    /// Encoding of texts outside dictionaries.
    texts: Encoding,
}

/// Records of a few hosts, with missing values, both directions, a gateway and odd texts. `all` fields, or those of
/// version 2 with times in milliseconds.
fn batch(rows: i64, all: bool) -> Result<RecordBatch> {
    let text =
        |pick: &dyn Fn(i64) -> Option<String>| -> ArrayRef { Arc::new((0..rows).map(pick).collect::<StringArray>()) };
    let int = |pick: &dyn Fn(i64) -> Option<i32>| -> ArrayRef { Arc::new((0..rows).map(pick).collect::<Int32Array>()) };
    let long =
        |pick: &dyn Fn(i64) -> Option<i64>| -> ArrayRef { Arc::new((0..rows).map(pick).collect::<Int64Array>()) };
    let own = |n: i64| format!("10.0.0.{}", n % 4 + 1);
    let far = |n: i64| if n % 5 == 0 { format!("2001:db8::{:x}", n % 7) } else { format!("93.184.216.{}", n % 9) };
    let egress = |n: i64| n % 3 != 0;
    let empty = |n: i64| n % 17 == 16;
    let time = |n: i64| 1_700_000_000 + n * 60 % 7_200;
    let address = |n: i64, source: bool| {
        let text = if egress(n) == source { own(n) } else { far(n) };
        Some(if empty(n) { "-".to_owned() } else { text })
    };
    let port = |n: i64, source: bool| {
        if empty(n) { None } else { Some(if egress(n) == source { 50_000 + n as i32 } else { 443 }) }
    };
    let number = |n: i64, value: i64| if empty(n) { None } else { Some(value) };
    let times = |shift: i64| -> ArrayRef {
        if all {
            Arc::new(Int64Array::from_iter_values((0..rows).map(|n| time(n) + shift)))
        } else {
            Arc::new(TimestampMillisecondArray::from_iter_values((0..rows).map(|n| (time(n) + shift) * 1_000 + 250)))
        }
    };
    let mut columns = vec![
        ("version", int(&|_| Some(5))),
        ("account_id", text(&|n| (!empty(n)).then(|| if n % 30 == 0 { "12345" } else { "123456789012" }.to_owned()))),
        ("interface_id", text(&|n| Some(format!("eni-{}", n % 4)))),
        ("srcaddr", text(&|n| address(n, true))),
        ("dstaddr", text(&|n| address(n, false))),
        ("srcport", int(&|n| port(n, true))),
        ("dstport", int(&|n| port(n, false))),
        ("protocol", int(&|n| if empty(n) { None } else { Some(if n % 6 == 0 { 17 } else { 6 }) })),
        ("packets", long(&|n| number(n, n % 9 + 1))),
        ("bytes", long(&|n| number(n, n * n * 40 + 40))),
        ("start", times(0)),
        ("end", times(58)),
        ("action", text(&|n| Some(if n % 11 == 0 { "REJECT" } else { "ACCEPT" }.to_owned()))),
        (
            "log_status",
            text(&|n| {
                Some(
                    if !empty(n) {
                        "OK"
                    } else if n % 2 == 0 {
                        "NODATA"
                    } else {
                        "SKIPDATA"
                    }
                    .to_owned(),
                )
            }),
        ),
    ];
    if all {
        columns.extend([
            ("vpc_id", text(&|n| Some(if empty(n) { "-" } else { "vpc-1" }.to_owned()))),
            ("subnet_id", text(&|n| Some(format!("subnet-{}", n % 2)))),
            ("instance_id", text(&|n| Some(if n % 4 == 3 { "-".to_owned() } else { format!("i-{}", n % 4) }))),
            ("tcp_flags", int(&|n| Some(if n % 4 == 0 { 2 } else { 18 + n as i32 % 2 }))),
            ("pkt_srcaddr", text(&|n| if n % 4 == 3 { Some("10.0.9.9".to_owned()) } else { address(n, true) })),
            ("pkt_dstaddr", text(&|n| address(n, false))),
            ("region", text(&|_| Some("eu-central-1".to_owned()))),
            ("pkt_src_aws_service", text(&|n| Some(if n % 8 == 0 { "S3" } else { "-" }.to_owned()))),
            ("pkt_dst_aws_service", text(&|n| Some(if n % 7 == 0 { "AMAZON" } else { "-" }.to_owned()))),
            ("flow_direction", text(&|n| Some(if egress(n) { "egress" } else { "ingress" }.to_owned()))),
        ]);
    }
    Ok(RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| {
        let nullable = !(name == "start" || name == "version");
        (name, column, nullable)
    }))?)
}

fn write(batch: &RecordBatch, layout: &Layout) -> Result<Vec<u8>> {
    let mut properties = WriterProperties::builder()
        .set_writer_version(if layout.v2 { WriterVersion::PARQUET_2_0 } else { WriterVersion::PARQUET_1_0 })
        .set_compression(layout.codec)
        .set_dictionary_enabled(layout.dictionary > 0)
        .set_dictionary_page_size_limit(layout.dictionary.max(1))
        .set_data_page_row_count_limit(layout.page_rows)
        .set_write_batch_size(layout.page_rows.min(64))
        .set_max_row_group_row_count(Some(layout.group_rows))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true);
    let schema = batch.schema();
    for field in schema.fields() {
        let encoding = if field.data_type() == &DataType::Utf8 { layout.texts } else { Encoding::PLAIN };
        properties = properties.set_column_encoding(field.name().as_str().into(), encoding);
    }
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties.build()))?;
    writer.write(batch)?;
    writer.into_inner()
}

fn layouts() -> Vec<Layout> {
    let codecs = [
        Compression::UNCOMPRESSED,
        Compression::GZIP(GzipLevel::default()),
        Compression::SNAPPY,
        Compression::ZSTD(ZstdLevel::default()),
        Compression::LZ4_RAW,
    ];
    let mut layouts = Vec::new();
    for codec in codecs {
        for v2 in [false, true] {
            for dictionary in [0, 40, 1 << 20] {
                for (page_rows, group_rows) in [(7, 1_000), (1_000, 25)] {
                    layouts.push(Layout { v2, codec, dictionary, page_rows, group_rows, texts: Encoding::PLAIN });
                }
            }
        }
    }
    for texts in [Encoding::DELTA_LENGTH_BYTE_ARRAY, Encoding::DELTA_BYTE_ARRAY] {
        let codec = Compression::UNCOMPRESSED;
        layouts.push(Layout { v2: true, codec, dictionary: 0, page_rows: 20, group_rows: 1_000, texts });
    }
    layouts
}

/// Kind of a column for the page target, and the column; `None` for columns that it does not know.
fn kind(name: &str, physical: Type, all: bool) -> Option<u8> {
    match (name, physical) {
        ("srcaddr" | "dstaddr" | "pkt_srcaddr", _) => Some(4),
        ("action" | "log_status" | "flow_direction", _) => Some(5),
        ("interface_id" | "pkt_dst_aws_service", _) => Some(6),
        ("instance_id" | "account_id", _) => Some(7),
        (_, Type::INT32) => Some((name.len() % 2) as u8),
        ("start" | "end", Type::INT64) if !all => Some(3),
        (_, Type::INT64) => Some(2),
        _ => None,
    }
}

/// The pages of a column chunk in the page target's words.
fn pages(file: &SerializedFileReader<Bytes>, column: usize, kind: u8, packs: bool) -> Result<Option<Vec<u8>>> {
    let group = file.get_row_group(0)?;
    let descriptor = group.metadata().column(column).column_descr_ptr();
    let mut reader = group.get_column_page_reader(column)?;
    let optional = u8::from(descriptor.max_def_level() > 0);
    let mut out = vec![kind, optional << 1 | u8::from(packs) << 2, 5];
    while let Some(page) = reader.get_next_page()? {
        out[1] |= u8::from(matches!(page, Page::DataPageV2 { .. }));
        let encoding = match page.encoding() {
            Encoding::PLAIN => 0,
            Encoding::RLE_DICTIONARY => 1,
            Encoding::PLAIN_DICTIONARY => 2,
            Encoding::RLE => 3,
            _ => return Ok(None),
        };
        let levels = match &page {
            Page::DataPageV2 { def_levels_byte_len, .. } => *def_levels_byte_len as u16,
            _ => 0,
        };
        out.push(u8::from(page.is_dictionary_page()) | encoding << 1);
        out.extend((page.num_values() as u16).to_le_bytes());
        out.extend(levels.to_le_bytes());
        out.extend((page.buffer().len() as u16).to_le_bytes());
        out.extend_from_slice(page.buffer());
    }
    Ok(Some(out))
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let (files, chunks) = (root.join("file"), root.join("page"));
    fs::create_dir_all(&files)?;
    fs::create_dir_all(&chunks)?;
    let mut written = 0;
    for all in [false, true] {
        let batch = batch(40, all)?;
        for (number, layout) in layouts().iter().enumerate() {
            let bytes = write(&batch, layout)?;
            fs::write(files.join(format!("{}-{number}.parquet", if all { "v5" } else { "v2" })), &bytes)?;
            written += 1;
            if layout.codec != Compression::UNCOMPRESSED {
                continue;
            }
            let file = SerializedFileReader::new(Bytes::from(bytes))?;
            let schema = file.metadata().file_metadata().schema_descr();
            for (column, descriptor) in schema.columns().iter().enumerate() {
                let Some(kind) = kind(descriptor.name(), descriptor.physical_type(), all) else { continue };
                for packs in [false, true] {
                    let Some(seed) = pages(&file, column, kind, packs)? else { continue };
                    let name = format!("{}-{all}-{number}-{packs}", descriptor.name());
                    fs::write(chunks.join(name), seed)?;
                    written += 1;
                }
            }
        }
    }
    // A little more rows than a batch has, with a dictionary that is outgrown on the way and one that is not.
    let batch = batch(8_250, false)?;
    for (name, dictionary) in [("outgrown", 9_000), ("wide", 1 << 20)] {
        let codec = Compression::GZIP(GzipLevel::try_new(9)?);
        let (page_rows, group_rows, texts) = (4_000, 1 << 20, Encoding::PLAIN);
        let layout = Layout { v2: name == "wide", codec, dictionary, page_rows, group_rows, texts };
        fs::write(files.join(format!("{name}.parquet")), write(&batch, &layout)?)?;
        written += 1;
    }
    println!("{written} seeds in {}", root.display());
    Ok(())
}
