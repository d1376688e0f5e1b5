//! Turns rows of a detection's result into findings.

use super::catalogue::Detection;
use super::error::DetectError;
use super::finding::{FLOW_LOG, Finding, MAX_EVENT_IDS, SCHEMA_VERSION};
use super::subject::Subject;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampSecondType};
use flow::Address;
use flow::Severity;
use flow::codes::Role;
use flow::time::rfc3339;
use rollup::window::Window;
use serde_json::{Map, Value};

/// Columns that become fields of a finding; every other column is evidence, under its own name.
const FIELDS: &[&str] = &[
    "severity",
    "score",
    "p_value",
    "account_id",
    "region",
    "host",
    "remote",
    "port",
    "protocol",
    "role",
    "principal",
    "credential",
    "source",
    "app",
    "object",
    "object_kind",
    "logs",
    "event_ids",
    "interface_id",
    "first_seen",
    "last_seen",
    "explanation",
    "members",
];

/// Returns the error for a column that a detection's result lacks.
pub(super) fn missing(name: &str, column: &str, expected: &'static str) -> DetectError {
    DetectError::Result { name: name.to_owned(), column: column.to_owned(), got: "missing".to_owned(), expected }
}

struct ResultColumns<'a> {
    detection: &'a Detection,
    batch: &'a RecordBatch,
}

impl ResultColumns<'_> {
    fn as_type(&self, column: &str, kind: DataType, expected: &'static str) -> Result<Option<ArrayRef>, DetectError> {
        let Some(array) = self.batch.column_by_name(column) else { return Ok(None) };
        let wrong = || DetectError::Result {
            name: self.detection.name.clone(),
            column: column.to_owned(),
            got: array.data_type().to_string(),
            expected,
        };
        cast(array, &kind).map(Some).map_err(|_| wrong())
    }

    fn required(&self, column: &str, array: Option<ArrayRef>, expected: &'static str) -> Result<ArrayRef, DetectError> {
        array.ok_or_else(|| missing(&self.detection.name, column, expected))
    }

    fn text(&self, column: &str) -> Result<Option<ArrayRef>, DetectError> {
        self.as_type(column, DataType::Utf8, "text")
    }

    fn texts(&self, column: &str) -> Result<Option<ArrayRef>, DetectError> {
        self.as_type(column, DataType::new_list(DataType::Utf8, true), "a list of texts")
    }

    fn float(&self, column: &str) -> Result<Option<ArrayRef>, DetectError> {
        self.as_type(column, DataType::Float64, "a number")
    }

    fn whole(&self, column: &str) -> Result<Option<ArrayRef>, DetectError> {
        self.as_type(column, DataType::Int64, "a whole number")
    }

    fn time(&self, column: &str) -> Result<Option<ArrayRef>, DetectError> {
        self.as_type(column, DataType::Timestamp(TimeUnit::Second, None), "a time")
    }
}

fn text_at(array: &Option<ArrayRef>, row: usize) -> Option<&str> {
    let array = array.as_ref()?.as_string::<i32>();
    (!array.is_null(row)).then(|| array.value(row))
}

/// Returns the texts of a cell that is a list of them.
fn texts_at(array: &Option<ArrayRef>, row: usize) -> Vec<String> {
    let Some(lists) = array.as_ref().map(|array| array.as_list::<i32>()).filter(|lists| lists.is_valid(row)) else {
        return Vec::new();
    };
    lists.value(row).as_string::<i32>().iter().flatten().map(str::to_owned).collect()
}

fn float_at(array: &Option<ArrayRef>, row: usize) -> Option<f64> {
    let array = array.as_ref()?.as_primitive::<Float64Type>();
    (!array.is_null(row)).then(|| array.value(row)).filter(|value| value.is_finite())
}

fn whole_at<T: TryFrom<i64>>(array: &Option<ArrayRef>, row: usize) -> Option<T> {
    let array = array.as_ref()?.as_primitive::<Int64Type>();
    (!array.is_null(row)).then(|| array.value(row)).and_then(|value| T::try_from(value).ok())
}

fn second_at(array: &Option<ArrayRef>, row: usize) -> Option<i64> {
    let array = array.as_ref()?.as_primitive::<TimestampSecondType>();
    (!array.is_null(row)).then(|| array.value(row))
}

fn address_at(array: Option<&ArrayRef>, row: usize) -> Option<Address> {
    let array = array?;
    if array.is_null(row) {
        return None;
    }
    match array.data_type() {
        DataType::FixedSizeBinary(16) => {
            array.as_fixed_size_binary().value(row).try_into().ok().map(Address::from_bytes)
        }
        DataType::Utf8 => Address::parse(array.as_string::<i32>().value(row).as_bytes()),
        DataType::Utf8View => Address::parse(array.as_string_view().value(row).as_bytes()),
        _ => None,
    }
}

/// Returns the addresses of a cell that is a list of them.
fn addresses_at(array: &ArrayRef, row: usize) -> Vec<Address> {
    let Some(lists) = array.as_list_opt::<i32>().filter(|lists| lists.is_valid(row)) else { return Vec::new() };
    let items = lists.value(row);
    (0..items.len()).filter_map(|at| address_at(Some(&items), at)).collect()
}

/// Reads the findings of one batch. Ids, window and techniques are filled in; coverage and host facts are not yet.
pub(super) fn findings(
    detection: &Detection,
    batch: &RecordBatch,
    window: &Window,
) -> Result<Vec<Finding>, DetectError> {
    let columns = ResultColumns { detection, batch };
    let severity = columns.required("severity", columns.text("severity")?, "text")?;
    let explanation = columns.required("explanation", columns.text("explanation")?, "text")?;
    let (severity, explanation) = (Some(severity), Some(explanation));
    let (account, region, role) = (columns.text("account_id")?, columns.text("region")?, columns.text("role")?);
    let interface = columns.text("interface_id")?;
    let (principals, credentials, sources) =
        (columns.text("principal")?, columns.text("credential")?, columns.text("source")?);
    let (apps, objects, object_kinds) = (columns.text("app")?, columns.text("object")?, columns.text("object_kind")?);
    let (logs, event_ids) = (columns.texts("logs")?, columns.texts("event_ids")?);
    let (score, p_value) = (columns.float("score")?, columns.float("p_value")?);
    let (port, protocol) = (columns.whole("port")?, columns.whole("protocol")?);
    let (first, last) = (columns.time("first_seen")?, columns.time("last_seen")?);
    let evidence: Vec<(String, &ArrayRef)> = batch
        .schema_ref()
        .fields()
        .iter()
        .zip(batch.columns())
        .filter(|(field, _)| !FIELDS.contains(&field.name().as_str()))
        .map(|(field, array)| (field.name().clone(), array))
        .collect();
    if batch.column_by_name("host").is_none() {
        return Err(missing(&detection.name, "host", "an address"));
    }
    let mut found = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        let word = text_at(&severity, row).unwrap_or_default();
        let severity: Severity = word.parse().map_err(|_| DetectError::Result {
            name: detection.name.clone(),
            column: "severity".to_owned(),
            got: format!("`{word}`"),
            expected: "informational, low, medium, high or critical",
        })?;
        let host = address_at(batch.column_by_name("host"), row);
        let remote = address_at(batch.column_by_name("remote"), row);
        // Without a host, a finding is about a principal, about an address outside that several of them share, or about a
        // log as a whole.
        let is_of_log = text_at(&objects, row).is_some() && !texts_at(&logs, row).is_empty();
        if host.is_none() && remote.is_none() && text_at(&principals, row).is_none() && !is_of_log {
            return Err(DetectError::Result {
                name: detection.name.clone(),
                column: "host".to_owned(),
                got: "no address".to_owned(),
                expected: "an address, a remote or a principal",
            });
        }
        let (port, protocol) = (whole_at::<u16>(&port, row), whole_at::<u8>(&protocol, row));
        let account_id = text_at(&account, row).map(str::to_owned);
        let region = text_at(&region, row).map(str::to_owned);
        let role = text_at(&role, row).and_then(Role::parse);
        let mut values = Map::new();
        for (name, array) in &evidence {
            if let Some(value) = json_at(array, row) {
                values.insert(name.clone(), value);
            }
        }
        let of = |column: &Option<ArrayRef>| text_at(column, row).map(str::to_owned);
        let (principal, credential, object) = (of(&principals), of(&credentials), of(&objects));
        let logs = texts_at(&logs, row);
        let subject = Subject {
            detection: &detection.name,
            account_id: account_id.as_deref(),
            region: region.as_deref(),
            host,
            remote,
            port,
            protocol,
            role,
            principal: principal.as_deref(),
            credential: credential.as_deref(),
            object_kind: text_at(&object_kinds, row),
        };
        found.push(Finding {
            schema_version: SCHEMA_VERSION,
            id: subject.id(window.from_s, window.to_s),
            subject: subject.hash(),
            incident_id: None,
            detection: detection.name.clone(),
            title: detection.title.clone(),
            severity,
            score: float_at(&score, row).unwrap_or(0.0).clamp(0.0, 1.0),
            p_value: float_at(&p_value, row),
            account_id,
            region,
            host,
            interface_id: text_at(&interface, row).map(str::to_owned),
            instance_id: None,
            vpc_id: None,
            remote,
            port,
            protocol,
            role,
            principal,
            credential,
            source: of(&sources),
            app: of(&apps),
            object,
            logs: if logs.is_empty() { vec![FLOW_LOG.to_owned()] } else { logs },
            event_ids: texts_at(&event_ids, row).into_iter().take(MAX_EVENT_IDS).collect(),
            first_seen_s: second_at(&first, row).unwrap_or(window.from_s),
            last_seen_s: second_at(&last, row).unwrap_or(window.to_s),
            window_start_s: window.from_s,
            window_end_s: window.to_s,
            techniques: detection.techniques.clone(),
            evidence: values,
            explanation: text_at(&explanation, row).unwrap_or_default().to_owned(),
            coverage: None,
            members: batch.column_by_name("members").map_or_else(Vec::new, |members| addresses_at(members, row)),
        });
    }
    Ok(found)
}

/// Returns a cell as JSON; `None` for NULL, which is no evidence. Floats are rounded to six significant figures: more would
/// feign precision.
fn json_at(array: &ArrayRef, row: usize) -> Option<Value> {
    if array.is_null(row) {
        return None;
    }
    let text = |array: &dyn Array| cast(&array.slice(row, 1), &DataType::Utf8).ok();
    match array.data_type() {
        DataType::Boolean => Some(Value::Bool(array.as_boolean().value(row))),
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            let cast = cast(&array.slice(row, 1), &DataType::Float64).ok()?;
            serde_json::Number::from_f64(rounded(cast.as_primitive::<Float64Type>().value(0))).map(Value::Number)
        }
        kind if kind.is_integer() => {
            if *kind == DataType::UInt64 {
                return Some(array.as_primitive::<arrow::datatypes::UInt64Type>().value(row).into());
            }
            let cast = cast(&array.slice(row, 1), &DataType::Int64).ok()?;
            Some(cast.as_primitive::<Int64Type>().value(0).into())
        }
        DataType::Timestamp(_, _) => {
            let seconds = cast(&array.slice(row, 1), &DataType::Timestamp(TimeUnit::Second, None)).ok()?;
            Some(rfc3339(seconds.as_primitive::<TimestampSecondType>().value(0)).into())
        }
        DataType::FixedSizeBinary(16) => address_at(Some(array), row).map(|address| address.to_string().into()),
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            let values = (0..items.len()).filter_map(|at| json_at(&items, at)).collect();
            Some(Value::Array(values))
        }
        _ => text(array.as_ref()).map(|text| text.as_string::<i32>().value(0).to_owned().into()),
    }
}

fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    format!("{value:.5e}").parse().unwrap_or(value)
}
