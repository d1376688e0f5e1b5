//! One set of flow records in many physical forms: all of them give the same hours.

use std::path::Path;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::UInt64Type;
use arrow::util::pretty::pretty_format_batches;
use bytes::Bytes;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterVersion;
use rollup::{RollupOptions, UnitRollup, UnitTables};
use scan::object::{footer, scan};
use scan::{ObjectBytes, ROLLUP_FIELDS, ScanError};

use crate::forms::{Names, Numbers, Times, Variant, aws, write};
use crate::program::{flowsift, parquet_files, scratch};
use crate::records::{COLUMNS, Record, V2, Value, records, text};

fn rolled(files: &[Bytes]) -> Result<UnitTables, ScanError> {
    let unit = UnitRollup::new(RollupOptions::default());
    for (at, file) in files.iter().enumerate() {
        let name = format!("file {at}");
        let bytes = Arc::new(ObjectBytes::Whole(file.clone()));
        let metadata = footer(&name, &bytes)?;
        let mut records = unit.object(at);
        scan(&name, &bytes, &metadata, ROLLUP_FIELDS, unit.interners(), |batch| records.add(batch))?;
        records.commit().unwrap();
    }
    let internal = |address: flow::Address| {
        ["10.0.0.0/8", "fc00::/7"].iter().any(|net| net.parse::<flow::Network>().unwrap().contains(address))
    };
    Ok(unit.finish(Some("999999999999"), Some("us-east-1"), &internal).unwrap())
}

/// Everything a unit's tables say, as text.
fn shown(tables: &UnitTables) -> String {
    let counts = &tables.counts;
    let numbers = [counts.rows, counts.nodata, counts.skipdata, counts.rejected, counts.unusable, counts.transit];
    let hours = pretty_format_batches(&[tables.pair_hours.to_batch().unwrap()]).unwrap();
    let coverage = pretty_format_batches(std::slice::from_ref(&tables.coverage)).unwrap();
    format!("{numbers:?}\n{hours}\n{coverage}")
}

#[track_caller]
fn assert_same(expected: &str, variant: &Variant, records: &[Record]) {
    let got = rolled(&[write(records, variant)]).map(|tables| shown(&tables));
    let got = got.unwrap_or_else(|error| panic!("{variant:?}: {error}"));
    if got != expected {
        let differs = got.lines().zip(expected.lines()).find(|(got, expected)| got != expected);
        panic!("{variant:?}\ndiffers, first here (got, expected): {differs:#?}");
    }
}

#[test]
fn every_physical_form_gives_the_same_hours() {
    let records = records();
    let tables = rolled(&[write(&records, &aws())]).unwrap();
    let expected = shown(&tables);
    assert!(tables.pair_hours.len() > 500 && tables.coverage.num_rows() > 20);
    assert_eq!((tables.counts.nodata, tables.counts.skipdata, tables.counts.unusable), (17, 17, 0));
    assert!(tables.counts.rejected > 100);
    let zstd = Compression::ZSTD(ZstdLevel::try_new(3).unwrap());
    let v2 = WriterVersion::PARQUET_2_0;
    let many = [
        Variant { shuffle: true, ..aws() },
        Variant { unknown_columns: true, shuffle: true, ..aws() },
        Variant { names: Names::Athena, ..aws() },
        Variant { names: Names::Tailpipe, times: Times::TimestampMicros, ..aws() },
        Variant { names: Names::Panther, shuffle: true, ..aws() },
        Variant { names: Names::Upper, ..aws() },
        Variant { names: Names::Hyphens, ..aws() },
        Variant { names: Names::Ocsf, missing_text: "", times: Times::Milliseconds, ..aws() },
        Variant {
            names: Names::Ocsf,
            missing_text: "",
            times: Times::TimestampMillis,
            embed_arrow_schema: true,
            ..aws()
        },
        Variant { names: Names::Ocsf, missing_text: "", dictionary: false, version: v2, compression: zstd, ..aws() },
        Variant { numbers: Numbers::Int64, compression: Compression::SNAPPY, ..aws() },
        Variant { numbers: Numbers::Double, compression: Compression::SNAPPY, ..aws() },
        Variant { numbers: Numbers::Text("-"), ..aws() },
        Variant { numbers: Numbers::Text("None"), missing_text: "None", dictionary: false, ..aws() },
        Variant { numbers: Numbers::Text("NULL"), missing_text: "", ..aws() },
        Variant { numbers: Numbers::Text(""), missing_text: "null", arrow_dictionary: true, ..aws() },
        Variant { times: Times::Milliseconds, ..aws() },
        Variant { times: Times::Milliseconds, numbers: Numbers::Double, ..aws() },
        Variant { times: Times::TimestampMillis, ..aws() },
        Variant { times: Times::TimestampMicros, embed_arrow_schema: true, ..aws() },
        Variant { missing_text: "", ..aws() },
        Variant { missing_text: "", dictionary: false, ..aws() },
        Variant { dictionary: false, compression: Compression::UNCOMPRESSED, ..aws() },
        Variant { dictionary: false, version: v2, compression: zstd, ..aws() },
        Variant { version: v2, compression: zstd, ..aws() },
        Variant { version: v2, compression: Compression::UNCOMPRESSED, ..aws() },
        Variant { version: v2, page_rows: 13, ..aws() },
        Variant { compression: Compression::LZ4_RAW, ..aws() },
        Variant { compression: Compression::LZ4, page_rows: 100, ..aws() },
        Variant { compression: Compression::SNAPPY, page_rows: 1, row_group_rows: 50, ..aws() },
        Variant { row_group_rows: 31, ..aws() },
        Variant { row_group_rows: 47, dictionary: false, version: v2, ..aws() },
        Variant {
            row_group_rows: 100,
            numbers: Numbers::Text("-"),
            arrow_dictionary: true,
            embed_arrow_schema: true,
            ..aws()
        },
    ];
    for variant in &many {
        assert_same(&expected, variant, &records);
    }
}

#[test]
fn a_row_group_for_each_row_is_read_too() {
    let records = &records()[..200];
    let expected = shown(&rolled(&[write(records, &aws())]).unwrap());
    for form in [aws(), Variant { dictionary: false, version: WriterVersion::PARQUET_2_0, ..aws() }] {
        assert_same(&expected, &Variant { row_group_rows: 1, ..form }, records);
    }
}

#[test]
fn version_2_fields_are_enough_in_every_form() {
    let records = records();
    let plain = Variant { columns: V2, ..aws() };
    let tables = rolled(&[write(&records, &plain)]).unwrap();
    let expected = shown(&tables);
    assert!(tables.pair_hours.len() > 500, "{}", tables.pair_hours.len());
    for variant in [
        Variant { names: Names::Athena, ..plain.clone() },
        Variant { names: Names::Panther, shuffle: true, numbers: Numbers::Text("-"), ..plain.clone() },
        Variant { numbers: Numbers::Double, times: Times::Milliseconds, row_group_rows: 64, ..plain.clone() },
        Variant { dictionary: false, version: WriterVersion::PARQUET_2_0, unknown_columns: true, ..plain.clone() },
    ] {
        assert_same(&expected, &variant, &records);
    }
    let total = |tables: &UnitTables| -> [u64; 2] {
        let sum = |name: &str| {
            arrow::compute::sum(tables.pair_hours.to_batch().unwrap()[name].as_primitive::<UInt64Type>()).unwrap()
        };
        [sum("bytes_out"), sum("bytes_in")]
    };
    let whole = rolled(&[write(&records, &aws())]).unwrap();
    assert_eq!(total(&tables), total(&whole), "direction is found without flow_direction: the same bytes each way");
}

#[test]
fn records_may_be_split_over_files_of_different_forms_in_any_order() {
    let records = records();
    let expected = shown(&rolled(&[write(&records, &aws())]).unwrap());
    let forms = [
        aws(),
        Variant { numbers: Numbers::Text("None"), times: Times::Milliseconds, names: Names::Athena, ..aws() },
        Variant { names: Names::Ocsf, missing_text: "", times: Times::TimestampMillis, ..aws() },
        Variant { dictionary: false, version: WriterVersion::PARQUET_2_0, shuffle: true, row_group_rows: 11, ..aws() },
    ];
    // Every fourth record of the shuffled whole goes to the same file, and some files are empty or hold one row.
    let mut parts: Vec<Vec<Record>> = vec![Vec::new(); 4];
    for (at, record) in records.iter().enumerate() {
        parts[(at * 7 + at / 5) % 4].push(record.clone());
    }
    let mut files: Vec<Bytes> = parts.iter().zip(&forms).map(|(part, form)| write(part, form)).collect();
    files.push(write(&[], &aws()));
    for _ in 0..files.len() {
        files.rotate_left(1);
        assert_eq!(shown(&rolled(&files).unwrap()), expected);
    }
    files.reverse();
    assert_eq!(shown(&rolled(&files).unwrap()), expected);
}

#[test]
fn one_row_and_no_row_are_files_too() {
    let records = records();
    for form in [
        aws(),
        Variant { names: Names::Ocsf, missing_text: "", ..aws() },
        Variant { numbers: Numbers::Text("-"), dictionary: false, ..aws() },
    ] {
        let none = rolled(&[write(&[], &form)]).unwrap();
        assert_eq!((none.counts.rows, none.pair_hours.len(), none.coverage.num_rows()), (0, 0, 0), "{form:?}");
        let one = rolled(&[write(&records[1..2], &form)]).unwrap();
        assert_eq!((one.counts.rows, one.pair_hours.len(), one.coverage.num_rows()), (1, 1, 1), "{form:?}");
    }
}

#[test]
fn files_that_are_no_flow_logs_say_what_is_missing() {
    let records = records();
    let all = [COLUMNS.len(), 10];
    for columns in all {
        let variant = Variant { columns, ..aws() };
        let result = rolled(&[write(&records[..10], &variant)]);
        assert_eq!(result.is_ok(), columns > 10);
        if let Err(error) = result {
            assert_eq!(error.to_string(), "file 0: no VPC flow records: no column for start, end, action");
        }
    }
}

#[test]
fn a_cut_or_changed_file_is_an_error_and_never_a_crash() {
    let records = records();
    let whole = write(&records[..200], &aws());
    for length in (0..whole.len()).step_by(97) {
        assert!(rolled(&[whole.slice(..length)]).is_err(), "{length} of {} bytes", whole.len());
    }
    // Changed bytes may pass unnoticed where they only change a value; they must never bring the run down.
    let mut errors = 0;
    for at in (4..whole.len()).step_by(53) {
        let mut bytes = whole.to_vec();
        bytes[at] ^= 0xff;
        errors += usize::from(rolled(&[bytes.into()]).is_err());
    }
    assert!(errors > 20, "{errors}");
}

#[test]
fn files_of_other_writers_are_read() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/samples");
    if !samples.is_dir() {
        return;
    }
    let mut read = 0;
    for path in parquet_files(&samples) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let tables = rolled(&[std::fs::read(&path).unwrap().into()]).unwrap_or_else(|error| panic!("{name}: {error}"));
        let counts = &tables.counts;
        assert!(counts.rows > 0 && counts.unusable == 0, "{name}: {counts:?}");
        let pairs = tables.pair_hours.len() as u64;
        assert_eq!(pairs + counts.nodata, counts.rows, "{name}: {counts:?}");
        read += 1;
    }
    assert!(read >= 9, "{read} files");
}

#[test]
fn words_are_those_of_aws_however_a_file_writes_them() {
    let records: Vec<Record> = records().into_iter().take(4_000).collect();
    let spelt = |words: &[(&str, &str)]| {
        let one = |value: &Value| match value {
            Value::Text(old) => words.iter().find(|(from, _)| from == old).map_or(value.clone(), |(_, to)| text(to)),
            other => other.clone(),
        };
        records.iter().map(|record| record.iter().map(one).collect()).collect::<Vec<Record>>()
    };
    let lower = spelt(&[("ACCEPT", "accept"), ("REJECT", "Reject"), ("egress", "EGRESS"), ("OK", "ok")]);
    let ocsf = Variant { names: Names::Ocsf, missing_text: "", ..aws() };
    let files = [
        write(&records, &aws()),
        write(&lower, &aws()),
        write(&lower, &Variant { dictionary: false, ..aws() }),
        write(&records, &ocsf),
        write(&records, &Variant { dictionary: false, ..ocsf }),
    ];
    let answers = |file: &Bytes| {
        let folder = scratch();
        let path = folder.path().join("flows.parquet");
        std::fs::write(&path, file).unwrap();
        let ask = |sql: &str| {
            flowsift(["sql", path.to_str().unwrap(), "-q", "--format", "csv", "-c", sql]).expect(0).text().to_owned()
        };
        [
            "SELECT action, flow_direction, log_status, count(*) FROM flows GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
            "SELECT count(*) FROM flows WHERE action = 'REJECT'",
            "SELECT count(*) FROM flows WHERE action = 'reject' OR action = 'Blocked'",
            "SELECT srcaddr, sum(bytes) FROM flows WHERE action = 'ACCEPT' AND flow_direction = 'egress' GROUP BY 1 ORDER BY 1",
            "SELECT srcaddr, dstport, action FROM flows WHERE srcaddr LIKE '%7' AND action <> 'ACCEPT' AND log_status = 'OK' \
             ORDER BY 1, 2, 3",
            "SELECT count(*) FROM flows WHERE action IS NULL OR flow_direction IN ('ingress')",
        ]
        .map(ask)
    };
    let expected = answers(&files[0]);
    for file in &files[1..] {
        assert_eq!(answers(file), expected);
    }
}
