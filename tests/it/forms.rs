//! The physical forms that flow records come in, and a writer of all of them.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Float64Array, Int32Array, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder,
    StructArray, TimestampMicrosecondArray, TimestampMillisecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use bytes::Bytes;
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::{Compression, GzipLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};

use crate::records::{COLUMNS, Record, Value, text};
use Value::Number;

/// How numbers are typed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Numbers {
    /// INT32 and INT64 as AWS does.
    Aws,
    Int64,
    Double,
    /// Text, with this where the number is missing; NULL when empty.
    Text(&'static str),
}

/// How times are typed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Times {
    Seconds,
    Milliseconds,
    TimestampMillis,
    TimestampMicros,
}

/// The names of the columns.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Names {
    Aws,
    Athena,
    Tailpipe,
    Panther,
    Upper,
    Hyphens,
    /// Nested groups as Security Lake has them.
    Ocsf,
    /// The same without the list of addresses on the way.
    OcsfFarEnds,
}

#[derive(Clone, Debug)]
pub struct Variant {
    pub numbers: Numbers,
    pub times: Times,
    pub names: Names,
    /// What stands for missing text; NULL when empty.
    pub missing_text: &'static str,
    /// The first so many columns only.
    pub columns: usize,
    pub shuffle: bool,
    pub unknown_columns: bool,
    /// Text columns as Arrow dictionaries, which changes the writer's path, not the file's schema.
    pub arrow_dictionary: bool,
    pub dictionary: bool,
    pub compression: Compression,
    pub version: WriterVersion,
    pub row_group_rows: usize,
    pub page_rows: usize,
    pub embed_arrow_schema: bool,
}

pub fn aws() -> Variant {
    Variant {
        numbers: Numbers::Aws,
        times: Times::Seconds,
        names: Names::Aws,
        missing_text: "-",
        columns: COLUMNS.len(),
        shuffle: false,
        unknown_columns: false,
        arrow_dictionary: false,
        dictionary: true,
        compression: Compression::GZIP(GzipLevel::default()),
        version: WriterVersion::PARQUET_1_0,
        row_group_rows: 1_000_000,
        page_rows: 20_000,
        embed_arrow_schema: false,
    }
}

pub fn named(names: Names, column: &str) -> String {
    let athena = [
        ("account_id", "account"),
        ("interface_id", "interfaceid"),
        ("srcaddr", "sourceaddress"),
        ("dstaddr", "destinationaddress"),
        ("srcport", "sourceport"),
        ("dstport", "destinationport"),
        ("packets", "numpackets"),
        ("bytes", "numbytes"),
        ("start", "starttime"),
        ("end", "endtime"),
        ("log_status", "logstatus"),
        ("flow_direction", "flowdirection"),
        ("tcp_flags", "tcpflags"),
    ];
    let tailpipe = [
        ("srcaddr", "src_addr"),
        ("dstaddr", "dst_addr"),
        ("srcport", "src_port"),
        ("dstport", "dst_port"),
        ("start", "start_time"),
        ("end", "end_time"),
        ("pkt_srcaddr", "pkt_src_addr"),
        ("pkt_dstaddr", "pkt_dst_addr"),
    ];
    let alias = |list: &[(&str, &str)]| {
        list.iter().find(|(name, _)| *name == column).map_or(column, |(_, alias)| alias).to_owned()
    };
    match names {
        Names::Aws | Names::Ocsf | Names::OcsfFarEnds => column.to_owned(),
        Names::Athena => alias(&athena),
        Names::Tailpipe => alias(&tailpipe),
        Names::Upper => column.to_uppercase(),
        Names::Hyphens => column.replace('_', "-"),
        Names::Panther => {
            let short = ["src", "dst"].iter().find(|end| column.starts_with(**end));
            match short {
                Some(end) => format!("{end}{}{}", column[3..4].to_uppercase(), &column[4..]),
                None => {
                    let mut words = column.split('_');
                    let first = words.next().unwrap().to_owned();
                    words.fold(first, |name, word| format!("{name}{}{}", word[..1].to_uppercase(), &word[1..]))
                }
            }
        }
    }
}

pub fn is_time(column: &str) -> bool {
    column == "start" || column == "end"
}

pub fn is_number(column: &str) -> bool {
    ["version", "srcport", "dstport", "protocol", "packets", "bytes", "tcp_flags", "traffic_path"].contains(&column)
}

pub fn is_wide(column: &str) -> bool {
    ["packets", "bytes", "start", "end"].contains(&column)
}

pub fn array(records: &[Record], column: &str, variant: &Variant) -> ArrayRef {
    let at = COLUMNS.iter().position(|name| *name == column).unwrap();
    let values = || records.iter().map(|record| &record[at]);
    let number = |value: &Value| if let Number(number) = value { Some(*number) } else { None };
    let numbers = |scale: i64| values().map(move |value| number(value).map(|number| number * scale));
    let missing = |stand_in: &'static str| (!stand_in.is_empty()).then(|| stand_in.to_owned());
    if is_time(column) && variant.times != Times::Seconds {
        return match variant.times {
            Times::TimestampMillis => {
                Arc::new(numbers(1_000).collect::<TimestampMillisecondArray>().with_timezone("UTC"))
            }
            Times::TimestampMicros => Arc::new(numbers(1_000_000).collect::<TimestampMicrosecondArray>()),
            _ => Arc::new(numbers(1_000).collect::<Int64Array>()),
        };
    }
    if is_time(column) || is_number(column) {
        return match variant.numbers {
            Numbers::Aws if !is_wide(column) => {
                Arc::new(numbers(1).map(|n| n.map(|n| i32::try_from(n).unwrap())).collect::<Int32Array>())
            }
            Numbers::Aws | Numbers::Int64 => Arc::new(numbers(1).collect::<Int64Array>()),
            Numbers::Double => Arc::new(numbers(1).map(|n| n.map(|n| n as f64)).collect::<Float64Array>()),
            Numbers::Text(none) => Arc::new(
                numbers(1).map(|n| n.map(|n| n.to_string()).or_else(|| missing(none))).collect::<StringArray>(),
            ),
        };
    }
    let texts: StringArray = values()
        .map(|value| match value {
            Value::Text(text) => Some(text.clone()),
            _ => missing(variant.missing_text),
        })
        .collect();
    let texts: ArrayRef = Arc::new(texts);
    if variant.arrow_dictionary {
        cast(&texts, &DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))).unwrap()
    } else {
        texts
    }
}

pub fn group(fields: Vec<(&str, ArrayRef)>) -> ArrayRef {
    let fields: Vec<(Arc<Field>, ArrayRef)> = fields
        .into_iter()
        .map(|(name, array)| (Arc::new(Field::new(name, array.data_type().clone(), true)), array))
        .collect();
    Arc::new(StructArray::from(fields))
}

/// The records as Security Lake nests them: what belongs to the ENI stands on its own side.
pub fn ocsf(records: &[Record], variant: &Variant) -> Vec<(String, ArrayRef)> {
    let at = |name: &str| COLUMNS.iter().position(|column| *column == name).unwrap();
    let direction = at("flow_direction");
    let column = |name: &str| array(records, name, variant);
    let sided = |name: &str, egress: bool| -> ArrayRef {
        let side = |record: &Record| (record[direction] != text("ingress")) == egress;
        let texts = records.iter().map(|record| match &record[at(name)] {
            Value::Text(text) if side(record) => Some(text.clone()),
            _ => None,
        });
        Arc::new(texts.collect::<StringArray>())
    };
    let renamed = |name: &str, words: &[(&str, &str)]| -> ArrayRef {
        let texts = records.iter().map(|record| match &record[at(name)] {
            Value::Text(text) => {
                Some(words.iter().find(|(from, _)| from == text).map_or(text.as_str(), |(_, to)| to).to_owned())
            }
            _ => None,
        });
        Arc::new(texts.collect::<StringArray>())
    };
    let endpoint = |egress: bool| {
        let side = if egress { "src" } else { "dst" };
        let (own, packet) = (at(&format!("{side}addr")), at(&format!("pkt_{side}addr")));
        let far = |record: &Record| record[if record[packet] == Value::Missing { own } else { packet }].clone();
        let ip = |value: Value| if let Value::Text(text) = value { text } else { variant.missing_text.to_owned() };
        let ips: StringArray = records.iter().map(|record| Some(ip(far(record)))).collect();
        let mut between = ListBuilder::new(StringBuilder::new());
        for record in records {
            if let (Value::Text(text), true) = (&record[own], record[own] != far(record)) {
                between.values().append_value(text);
            }
            between.append(true);
        }
        let mut fields: Vec<(&str, ArrayRef)> = vec![("ip", Arc::new(ips))];
        if variant.names == Names::Ocsf {
            fields.push(("intermediate_ips", Arc::new(between.finish())));
        }
        fields.extend([
            ("port", column(&format!("{side}port"))),
            ("interface_uid", sided("interface_id", egress)),
            ("instance_uid", sided("instance_id", egress)),
            ("vpc_uid", sided("vpc_id", egress)),
            ("subnet_uid", sided("subnet_id", egress)),
            ("svc_name", column(&format!("pkt_{side}_aws_service"))),
        ]);
        group(fields)
    };
    let connection = group(vec![
        ("protocol_num", column("protocol")),
        ("tcp_flags", column("tcp_flags")),
        ("direction", renamed("flow_direction", &[("ingress", "Inbound"), ("egress", "Outbound")])),
    ]);
    let account = group(vec![("uid", column("account_id"))]);
    vec![
        ("metadata".to_owned(), group(vec![("version", Arc::new(StringArray::from(vec!["1.1.0"; records.len()])))])),
        ("src_endpoint".to_owned(), endpoint(true)),
        ("dst_endpoint".to_owned(), endpoint(false)),
        ("connection_info".to_owned(), connection),
        ("traffic".to_owned(), group(vec![("packets", column("packets")), ("bytes", column("bytes"))])),
        ("cloud".to_owned(), group(vec![("account", account), ("region", column("region"))])),
        ("start_time".to_owned(), column("start")),
        ("end_time".to_owned(), column("end")),
        ("disposition".to_owned(), renamed("action", &[("ACCEPT", "Allowed"), ("REJECT", "Blocked")])),
        ("status_code".to_owned(), column("log_status")),
    ]
}

pub fn write(records: &[Record], variant: &Variant) -> Bytes {
    let mut columns: Vec<(String, ArrayRef)> = if matches!(variant.names, Names::Ocsf | Names::OcsfFarEnds) {
        ocsf(records, variant)
    } else {
        let names = &COLUMNS[..variant.columns];
        names.iter().map(|name| (named(variant.names, name), array(records, name, variant))).collect()
    };
    if variant.unknown_columns {
        let rows = records.len();
        let list = arrow::array::ListArray::from_iter_primitive::<arrow::datatypes::Int32Type, _, _>(
            (0..rows).map(|row| Some(vec![Some(row as i32); row % 3])),
        );
        columns.push(("tags".to_owned(), Arc::new(list)));
        columns.push(("Year".to_owned(), Arc::new(Int32Array::from(vec![2024; rows]))));
        columns.push(("srcaddr_owner".to_owned(), Arc::new(StringArray::from(vec!["10.9.9.9"; rows]))));
        columns.push(("nothing".to_owned(), Arc::new(arrow::array::NullArray::new(rows))));
    }
    if variant.shuffle {
        columns.sort_by_key(|(name, _)| name.bytes().rev().collect::<Vec<u8>>());
    }
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(name, array.data_type().clone(), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(schema.clone(), columns.into_iter().map(|(_, array)| array).collect()).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(variant.compression)
        .set_writer_version(variant.version)
        .set_dictionary_enabled(variant.dictionary)
        .set_max_row_group_row_count(Some(variant.row_group_rows))
        .set_data_page_row_count_limit(variant.page_rows)
        .set_write_batch_size(variant.page_rows.min(1_024))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .build();
    let options =
        ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(!variant.embed_arrow_schema);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), schema, options).unwrap();
    // The writer recurses once for each row group of a batch, so it gets them one by one.
    for row in (0..batch.num_rows()).step_by(variant.row_group_rows) {
        writer.write(&batch.slice(row, variant.row_group_rows.min(batch.num_rows() - row))).unwrap();
    }
    writer.into_inner().unwrap().into()
}
