//! Every physical and logical type of Parquet in the place of a field: both paths return the value, or an error.

use super::records::read;
use crate::{DecodePath, RecordCursors};
use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};
use flow::schema::{Field, REQUIRED};
use parquet::basic::Type as PhysicalType;
use parquet::data_type::{ByteArray, FixedLenByteArray, Int96};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;
use std::sync::Arc;

/// What a reader may make of a column.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Expected {
    Value(i64),
    Error,
}
use Expected::{Error, Value};

/// 2023-11-22T06:00:00Z.
const SECOND: i64 = 1_700_632_800;

/// A type of the column, the number that its cells store, and what a reader may make of it.
const NUMBERS: &[(&str, i64, Expected)] = &[
    ("int32 {}", SECOND, Value(SECOND)),
    ("int32 {} (INTEGER(8,true))", 100, Value(100)),
    ("int32 {} (INTEGER(16,true))", 100, Value(100)),
    ("int32 {} (INTEGER(32,true))", SECOND, Value(SECOND)),
    ("int32 {} (INTEGER(8,false))", 200, Value(200)),
    ("int32 {} (INTEGER(16,false))", 60_000, Value(60_000)),
    ("int32 {} (INTEGER(32,false))", 4_000_000_000, Value(4_000_000_000)),
    ("int32 {} (DECIMAL(9,0))", 100, Value(100)),
    ("int32 {} (DECIMAL(9,2))", 44_300, Value(443)),
    ("int32 {} (DATE)", 19_683, Error),
    ("int32 {} (TIME(MILLIS,true))", 100, Error),
    ("int64 {}", SECOND, Value(SECOND)),
    ("int64 {} (INTEGER(64,true))", SECOND, Value(SECOND)),
    ("int64 {} (INTEGER(64,false))", SECOND, Value(SECOND)),
    ("int64 {} (DECIMAL(18,0))", SECOND, Value(SECOND)),
    ("int64 {} (TIME(MICROS,true))", 100, Error),
    ("int64 {} (TIME(NANOS,false))", 100, Error),
    ("int64 {} (TIMESTAMP(MILLIS,true))", SECOND * 1_000, Value(SECOND)),
    ("int64 {} (TIMESTAMP(MICROS,true))", SECOND * 1_000_000, Value(SECOND)),
    ("int64 {} (TIMESTAMP(NANOS,true))", SECOND * 1_000_000_000, Value(SECOND)),
    ("int64 {} (TIMESTAMP(MILLIS,false))", SECOND * 1_000, Value(SECOND)),
    ("int64 {} (TIMESTAMP(MICROS,false))", SECOND * 1_000_000, Value(SECOND)),
    ("int64 {} (TIMESTAMP(NANOS,false))", SECOND * 1_000_000_000, Value(SECOND)),
    ("int96 {}", SECOND, Value(SECOND)),
    ("float {}", 443, Value(443)),
    ("double {}", SECOND, Value(SECOND)),
    ("boolean {}", 1, Error),
    ("binary {}", SECOND, Value(SECOND)),
    ("binary {} (UTF8)", SECOND, Value(SECOND)),
    ("binary {} (ENUM)", SECOND, Value(SECOND)),
    ("binary {} (JSON)", SECOND, Value(SECOND)),
    ("fixed_len_byte_array(10) {}", SECOND, Error),
    ("fixed_len_byte_array(16) {} (UUID)", SECOND, Error),
    ("fixed_len_byte_array(12) {} (INTERVAL)", SECOND, Error),
];

/// Writes one cell of the column's physical type, three times.
fn write_cells(column: &mut SerializedColumnWriter<'_>, physical: PhysicalType, length: i32, number: i64, text: &str) {
    use parquet::data_type as types;
    let levels = Some(&[1i16; 3][..]);
    macro_rules! write {
        ($type:ty, $cell:expr) => {
            column.typed::<$type>().write_batch(&[$cell, $cell, $cell], levels, None).unwrap()
        };
    }
    match physical {
        PhysicalType::BOOLEAN => write!(types::BoolType, number != 0),
        PhysicalType::INT32 => write!(types::Int32Type, number as u32 as i32),
        PhysicalType::INT64 => write!(types::Int64Type, number),
        PhysicalType::INT96 => {
            // Nanoseconds of the day, and the Julian day.
            let nanos = number.rem_euclid(86_400) * 1_000_000_000;
            let day = number.div_euclid(86_400) + 2_440_588;
            let mut cell = Int96::new();
            cell.set_data(nanos as u32, (nanos >> 32) as u32, day as u32);
            write!(types::Int96Type, cell)
        }
        PhysicalType::FLOAT => write!(types::FloatType, number as f32),
        PhysicalType::DOUBLE => write!(types::DoubleType, number as f64),
        PhysicalType::BYTE_ARRAY => write!(types::ByteArrayType, ByteArray::from(text)),
        PhysicalType::FIXED_LEN_BYTE_ARRAY => {
            let mut bytes = text.as_bytes().to_vec();
            bytes.resize(usize::try_from(length).unwrap(), b' ');
            write!(types::FixedLenByteArrayType, FixedLenByteArray::from(bytes.clone()))
        }
    };
}

/// A file of three equal records whose `field` has the type `typed`.
fn file(field: Field, typed: &str, number: i64, text: &str, dictionary: bool) -> Vec<u8> {
    let column = |required: &Field| {
        let name = required.name();
        match () {
            () if *required == field => typed.replace("{}", name),
            () if matches!(required, Field::Srcaddr | Field::Dstaddr | Field::Action) => {
                format!("binary {name} (UTF8)")
            }
            () => format!("int64 {name}"),
        }
    };
    let columns: Vec<String> = REQUIRED.iter().map(|field| format!("optional {};", column(field))).collect();
    let schema = Arc::new(parse_message_type(&format!("message logs {{ {} }}", columns.join(" "))).unwrap());
    let properties = WriterProperties::builder().set_dictionary_enabled(dictionary).build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    let leaves: Vec<(PhysicalType, i32)> =
        writer.schema_descr().columns().iter().map(|leaf| (leaf.physical_type(), leaf.type_length())).collect();
    let mut group = writer.next_row_group().unwrap();
    for (required, (physical, length)) in REQUIRED.iter().zip(leaves) {
        let mut column = group.next_column().unwrap().unwrap();
        if *required == field {
            write_cells(&mut column, physical, length, number, text);
        } else {
            write_cells(&mut column, physical, length, 7, "10.0.0.1");
        }
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.into_inner().unwrap()
}

/// The values of a field, read by a path.
fn values(field: Field, bytes: &[u8], path: DecodePath) -> Result<Vec<String>, String> {
    let batch = read(bytes, &[field], path, &mut RecordCursors::default()).map_err(|error| error.to_string())?.unwrap();
    let column = &batch[field.name()];
    assert_eq!(column.null_count(), 0, "{field:?}");
    let column = match column.data_type() {
        DataType::Timestamp(_, zone) => {
            let seconds = cast(column, &DataType::Timestamp(TimeUnit::Second, zone.clone())).unwrap();
            cast(&seconds, &DataType::Int64).unwrap()
        }
        _ => column.clone(),
    };
    let texts = cast(&column, &DataType::Utf8).unwrap();
    Ok(texts.as_string::<i32>().iter().map(|text| text.unwrap().to_owned()).collect())
}

#[test]
fn a_number_of_any_type_is_right_or_an_error() {
    for (typed, number, expected) in NUMBERS {
        for field in [Field::Start, Field::Bytes] {
            for dictionary in [false, true] {
                let bytes = file(field, typed, *number, &number.to_string(), dictionary);
                for path in [DecodePath::Native, DecodePath::Arrow] {
                    let read = values(field, &bytes, path);
                    match expected {
                        Value(value) => assert_eq!(read, Ok(vec![value.to_string(); 3]), "{typed} {field:?} {path:?}"),
                        Error => assert!(read.is_err(), "{typed} {field:?} {path:?}: {read:?}"),
                    }
                }
            }
        }
    }
}

#[test]
fn a_text_of_any_type_is_right_or_an_error() {
    let address = "10.0.0.9";
    for typed in ["binary {}", "binary {} (UTF8)", "binary {} (ENUM)", "binary {} (JSON)"] {
        for dictionary in [false, true] {
            let bytes = file(Field::Srcaddr, typed, 0, address, dictionary);
            for path in [DecodePath::Native, DecodePath::Arrow] {
                let read = values(Field::Srcaddr, &bytes, path);
                assert_eq!(read, Ok(vec![address.to_owned(); 3]), "{typed} {path:?}");
            }
        }
    }
    let bytes = file(Field::Srcaddr, "fixed_len_byte_array(8) {}", 0, address, false);
    let [native, arrow] = [DecodePath::Native, DecodePath::Arrow].map(|path| values(Field::Srcaddr, &bytes, path));
    assert_eq!(native, arrow);
    assert!(native.is_err() || native == Ok(vec![address.to_owned(); 3]), "{native:?}");
}
