//! Findings as `detect` writes them, read back from JSONL or Parquet, reduced to what evaluation needs.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type, Schema};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::CorpusError;
use flow::time::parse_time;
use flow::{Address, error_text};

/// How severe a finding is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingSeverity {
    /// Worth knowing.
    Informational,
    /// Worth a look when there is time.
    Low,
    /// Worth a look.
    #[default]
    Medium,
    /// Worth a look today.
    High,
    /// Worth a look now.
    Critical,
}

/// The parts of a finding that evaluation needs.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgedFinding {
    /// Name of the detection.
    pub detection: String,
    /// Its severity.
    pub severity: FindingSeverity,
    /// From 0 to 1; 0 when the finding has none.
    pub score: f64,
    /// Monitored side; `None` for findings about none.
    pub host: Option<Address>,
    /// Other side; `None` for findings about a host.
    pub remote: Option<Address>,
    /// Service port.
    pub port: Option<u16>,
    /// IANA protocol number.
    pub protocol: Option<u8>,
    /// Addresses that the evidence lists, under whatever name.
    pub listed: Vec<Address>,
    /// What stays the same from run to run; `None` in files of other programs.
    pub subject: Option<String>,
    /// The incident that the finding belongs to, where the file tells.
    pub incident_id: Option<String>,
    /// Who acted and when, where the file tells.
    pub told: ToldCaller,
}

/// Who acted in a finding, from where and when. What a file does not tell is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ToldCaller {
    /// The user, role or service account.
    pub principal: Option<String>,
    /// The key, token or session, by its last four characters.
    pub credential: Option<String>,
    /// The caller's address or network.
    pub source: Option<String>,
    /// Ids of events that show it.
    pub event_ids: Vec<String>,
    /// ATT&CK technique ids.
    pub techniques: Vec<String>,
    /// First and last second of the evidence, in seconds since 1970-01-01 UTC.
    pub seen_s: Option<(i64, i64)>,
}

/// Reads findings from `.parquet`, or else as one JSON object per line, in the order of the file.
///
/// # Errors
/// [`CorpusError::Io`] or [`CorpusError::Parquet`] when the file cannot be read, [`CorpusError::InvalidInput`] with the
/// line or row of a finding that lacks a required value.
pub fn read_findings(path: &Path) -> Result<Vec<JudgedFinding>, CorpusError> {
    let file = File::open(path).map_err(CorpusError::io(path, "read"))?;
    if path.extension().is_some_and(|extension| extension == "parquet") {
        return read_parquet(path, file);
    }
    let mut findings = Vec::new();
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(CorpusError::io(path, "read"))?;
        if line.trim().is_empty() {
            continue;
        }
        let place = format!("line {}", number + 1);
        let value: Value =
            serde_json::from_str(&line).map_err(|error| CorpusError::input(path, &place, error_text(&error)))?;
        findings.push(finding(path, &place, |name| value.get(name).cloned().unwrap_or(Value::Null))?);
    }
    Ok(findings)
}

/// Builds a finding from its named values.
fn finding(path: &Path, place: &str, value: impl Fn(&str) -> Value) -> Result<JudgedFinding, CorpusError> {
    let wrong = |name: &str, expected: &str| {
        CorpusError::input(path, place, format!("`{name}` is {}; expected {expected}", value(name)))
    };
    let address = |name: &str| match value(name) {
        Value::Null => Ok(None),
        got => match got.as_str().and_then(|text| text.parse::<Address>().ok()) {
            Some(address) => Ok(Some(address)),
            None => Err(wrong(name, "an address or null")),
        },
    };
    let number = |name: &str, high: u64| match value(name) {
        Value::Null => Ok(None),
        got => match got.as_u64() {
            Some(number) if number <= high => Ok(Some(number)),
            _ => Err(wrong(name, &format!("a whole number up to {high}, or null"))),
        },
    };
    let mut listed = Vec::new();
    match value("evidence") {
        // Parquet may keep the object as text.
        Value::String(text) => collect_addresses(&serde_json::from_str(&text).unwrap_or(Value::Null), &mut listed),
        evidence => collect_addresses(&evidence, &mut listed),
    }
    Ok(JudgedFinding {
        detection: value("detection").as_str().ok_or_else(|| wrong("detection", "the name of a detection"))?.to_owned(),
        severity: serde_json::from_value(value("severity"))
            .map_err(|_| wrong("severity", "informational, low, medium, high or critical"))?,
        score: value("score").as_f64().unwrap_or(0.0),
        host: address("host")?,
        remote: address("remote")?,
        port: number("port", 65_535)?.map(|port| port as u16),
        protocol: number("protocol", 255)?.map(|protocol| protocol as u8),
        listed,
        subject: value("subject").as_str().map(str::to_owned),
        incident_id: value("incident_id").as_str().map(str::to_owned),
        told: told_caller(value),
    })
}

fn told_caller(value: impl Fn(&str) -> Value) -> ToldCaller {
    let text = |name: &str| value(name).as_str().map(str::to_owned);
    let texts = |name: &str| match value(name) {
        Value::Array(values) => values.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    let time = |name: &str| text(name).and_then(|text| parse_time(&text, 0).ok());
    ToldCaller {
        principal: text("principal"),
        credential: text("credential"),
        source: text("source"),
        event_ids: texts("event_ids"),
        techniques: texts("techniques"),
        seen_s: time("first_seen").zip(time("last_seen")),
    }
}

/// Collects every address anywhere in the evidence, in lists or in texts with commas or spaces.
fn collect_addresses(value: &Value, found: &mut Vec<Address>) {
    match value {
        Value::String(text) => {
            let words = text.split([' ', ',', ';', '[', ']', '"']).filter(|word| word.contains(['.', ':']));
            found.extend(words.filter_map(|word| word.parse::<Address>().ok()));
        }
        Value::Array(values) => values.iter().for_each(|value| collect_addresses(value, found)),
        Value::Object(values) => values.values().for_each(|value| collect_addresses(value, found)),
        _ => {}
    }
}

fn read_parquet(path: &Path, file: File) -> Result<Vec<JudgedFinding>, CorpusError> {
    let parquet = |source| CorpusError::Parquet { path: path.to_owned(), action: "read", source };
    let columns = |source| CorpusError::Columns { path: path.to_owned(), action: "read", source };
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(parquet)?.build().map_err(parquet)?;
    let mut findings = Vec::new();
    for batch in reader {
        let batch = batch.map_err(columns)?;
        let evidence = evidence_as_json(&batch).map_err(columns)?;
        for row in 0..batch.num_rows() {
            let place = format!("row {}", findings.len() + 1);
            let value = |name: &str| match name {
                "evidence" => evidence.get(row).cloned().unwrap_or(Value::Null),
                name => batch.column_by_name(name).map_or(Value::Null, |column| cell(column, row)),
            };
            findings.push(finding(path, &place, value)?);
        }
    }
    Ok(findings)
}

/// Returns one value of a column of text or numbers; null for all other types.
fn cell(column: &ArrayRef, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    let column = column.slice(row, 1);
    let cast = |to: &DataType| arrow::compute::cast(&column, to).ok().filter(|cast| cast.is_valid(0));
    match column.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..) => {
            cast(&DataType::Utf8).map_or(Value::Null, |text| text.as_string::<i32>().value(0).into())
        }
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            cast(&DataType::Float64).map_or(Value::Null, |number| number.as_primitive::<Float64Type>().value(0).into())
        }
        kind if kind.is_integer() => {
            cast(&DataType::Int64).map_or(Value::Null, |number| number.as_primitive::<Int64Type>().value(0).into())
        }
        _ => Value::Null,
    }
}

/// Returns the evidence of every row as JSON, whether the column is text, a struct or a map.
fn evidence_as_json(batch: &RecordBatch) -> Result<Vec<Value>, arrow::error::ArrowError> {
    let Some(column) = batch.column_by_name("evidence") else { return Ok(Vec::new()) };
    if !column.data_type().is_nested() {
        return Ok((0..column.len()).map(|row| cell(column, row)).collect());
    }
    let field = batch.schema().field_with_name("evidence")?.clone();
    let only = RecordBatch::try_new(Schema::new(vec![field]).into(), vec![column.clone()])?;
    let mut text = Vec::new();
    let mut writer = arrow::json::LineDelimitedWriter::new(&mut text);
    writer.write(&only)?;
    writer.finish()?;
    let lines = String::from_utf8_lossy(&text);
    Ok(lines.lines().map(|line| serde_json::from_str(line).unwrap_or(Value::Null)).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, Int32Array, StringArray};
    use arrow::datatypes::Field;
    use parquet::arrow::ArrowWriter;

    use super::*;

    #[test]
    fn jsonl_and_parquet_say_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let jsonl = folder.path().join("findings.jsonl");
        let line = r#"{"detection":"rare_egress","severity":"high","score":0.9,"host":"10.0.0.1","remote":null,"port":null,"protocol":6,"evidence":{"remotes":["1.2.3.4","5.6.7.8"],"period_s":60.0}}"#;
        std::fs::write(&jsonl, format!("{line}\n\n")).unwrap();
        let from_jsonl = read_findings(&jsonl).unwrap();
        assert_eq!(from_jsonl[0].listed.len(), 2);

        let parquet = folder.path().join("findings.parquet");
        let text = |value: Option<&str>| Arc::new(StringArray::from(vec![value])) as ArrayRef;
        let evidence = r#"{"remotes":["1.2.3.4","5.6.7.8"],"period_s":60.0}"#;
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("detection", text(Some("rare_egress"))),
            ("severity", text(Some("high"))),
            ("score", Arc::new(Float64Array::from(vec![0.9]))),
            ("host", text(Some("10.0.0.1"))),
            ("remote", text(None)),
            ("port", Arc::new(Int32Array::from(vec![None]))),
            ("protocol", Arc::new(Int32Array::from(vec![6]))),
            ("evidence", text(Some(evidence))),
        ];
        let fields: Vec<Field> =
            columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true)).collect();
        let arrays = columns.into_iter().map(|(_, column)| column).collect();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
        let mut writer = ArrowWriter::try_new(File::create(&parquet).unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        assert_eq!(read_findings(&parquet).unwrap(), from_jsonl);
    }

    #[test]
    fn a_broken_finding_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("findings.jsonl");
        std::fs::write(&path, "{\"detection\":\"beacon\",\"severity\":\"grave\",\"host\":\"10.0.0.1\"}\n").unwrap();
        let error = read_findings(&path).unwrap_err().to_string();
        assert!(error.contains("line 1: `severity` is \"grave\"; expected informational"), "{error}");
        std::fs::write(&path, "{\n").unwrap();
        assert!(read_findings(&path).unwrap_err().to_string().contains("line 1"));
    }
}
