//! Events of OCSF as Parquet, nested as Security Lake has them; `data` of evidence is JSON text.

use super::OcsfEvent;
use crate::report::error::ReportError;
use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::file::properties::WriterProperties;
use arrow::datatypes::{DataType, Field, Fields, Schema};
use arrow::json::ReaderBuilder;
use serde_json::Value;
use std::io::Write;
use std::sync::Arc;

/// Writes events as one Parquet file.
///
/// # Errors
/// [`ReportError`] when an event does not fit the columns, or the writer fails.
pub fn write_ocsf_parquet<W: Write + Send>(out: W, events: &[OcsfEvent]) -> Result<(), ReportError> {
    let schema = Arc::new(schema());
    let failed = |what: String| ReportError::Io {
        action: "write",
        what: "events".to_owned(),
        source: std::io::Error::other(what),
    };
    let compression = ZstdLevel::try_new(3).map_or(Compression::UNCOMPRESSED, Compression::ZSTD);
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut writer = ArrowWriter::try_new(out, schema.clone(), Some(properties)).map_err(|e| failed(e.to_string()))?;
    for some in events.chunks(1_024) {
        let rows: Vec<Value> = some.iter().map(|event| flat(event.fields())).collect();
        let mut decoder = ReaderBuilder::new(schema.clone()).build_decoder().map_err(|e| failed(e.to_string()))?;
        decoder.serialize(&rows).map_err(|e| failed(e.to_string()))?;
        if let Some(batch) = decoder.flush().map_err(|e| failed(e.to_string()))? {
            writer.write(&batch).map_err(|e| failed(e.to_string()))?;
        }
    }
    writer.close().map(|_| ()).map_err(|e| failed(e.to_string()))
}

/// Returns an event whose evidence has its data as text.
fn flat(event: &Value) -> Value {
    let mut event = event.clone();
    for evidence in event["evidences"].as_array_mut().into_iter().flatten() {
        if let Some(data) = evidence.get("data").map(Value::to_string) {
            evidence["data"] = data.into();
        }
    }
    event
}

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

fn int(name: &str) -> Field {
    Field::new(name, DataType::Int32, true)
}

fn long(name: &str) -> Field {
    Field::new(name, DataType::Int64, true)
}

fn truth(name: &str) -> Field {
    Field::new(name, DataType::Boolean, true)
}

fn object(name: &str, fields: Vec<Field>) -> Field {
    Field::new(name, DataType::Struct(Fields::from(fields)), true)
}

fn objects(name: &str, fields: Vec<Field>) -> Field {
    let item = Field::new("element", DataType::Struct(Fields::from(fields)), true);
    Field::new(name, DataType::List(Arc::new(item)), true)
}

fn texts(name: &str) -> Field {
    Field::new(name, DataType::List(Arc::new(Field::new("element", DataType::Utf8, true))), true)
}

fn named(name: &str) -> Field {
    object(name, vec![text("uid"), text("name")])
}

fn schema() -> Schema {
    let endpoint =
        || vec![text("ip"), int("port"), text("name"), text("interface_uid"), text("instance_uid"), text("vpc_uid")];
    let graph = vec![
        text("uid"),
        text("name"),
        truth("is_directed"),
        objects("nodes", vec![text("uid"), text("name"), text("type")]),
        objects("edges", vec![text("uid"), text("name"), text("source"), text("target"), truth("is_directed")]),
    ];
    let info = vec![
        text("uid"),
        text("title"),
        text("desc"),
        texts("types"),
        object("analytic", vec![text("uid"), text("name"), int("type_id"), text("type")]),
        objects("attacks", vec![text("version"), named("tactic"), named("technique"), named("sub_technique")]),
        texts("data_sources"),
        long("created_time"),
        long("modified_time"),
        long("first_seen_time"),
        long("last_seen_time"),
        long("related_events_count"),
        object("attack_graph", graph),
    ];
    let evidence = vec![
        object("connection_info", vec![int("direction_id"), text("direction"), int("protocol_num")]),
        object("src_endpoint", endpoint()),
        object("dst_endpoint", endpoint()),
        object("user", vec![text("name")]),
        text("data"),
    ];
    let metadata = vec![
        text("version"),
        object("product", vec![text("name"), text("vendor_name"), text("version")]),
        texts("profiles"),
        text("uid"),
        text("correlation_uid"),
    ];
    let cloud = vec![
        text("provider"),
        object("account", vec![text("uid"), text("name"), text("type"), int("type_id")]),
        text("region"),
    ];
    let ids =
        ["class_uid", "category_uid", "activity_id", "severity_id", "status_id", "timezone_offset", "confidence_score"];
    let words = ["class_name", "category_name", "activity_name", "type_name", "severity", "status", "message"];
    let times = ["type_uid", "time", "start_time", "end_time"];
    let mut fields: Vec<Field> = ids.into_iter().map(int).collect();
    fields.extend(words.into_iter().map(text));
    fields.extend(times.into_iter().map(long));
    fields.extend([
        truth("is_alert"),
        object("metadata", metadata),
        object("cloud", cloud),
        object("finding_info", info),
        objects("evidences", evidence),
        objects("resources", vec![text("uid"), text("name"), text("ip"), text("type"), text("region")]),
        objects("observables", vec![text("name"), int("type_id"), text("type"), text("value")]),
    ]);
    Schema::new(fields)
}
