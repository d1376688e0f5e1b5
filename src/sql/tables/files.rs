//! Files as tables: `FROM 'assets.csv'`.

use arrow::json::ReaderBuilder;
use arrow::json::reader::infer_json_schema;
use async_trait::async_trait;
use datafusion::catalog::{DynamicFileCatalog, TableProvider, UrlTableFactory};
use datafusion::datasource::MemTable;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::csv::CsvFormat;
use datafusion::datasource::file_format::json::JsonFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::prelude::SessionContext;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use scan::guarded;
use serde_json::Value;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// Creates a table from a local file when a query names one.
#[derive(Default)]
struct Files {
    /// Returns the session's state, which determines the threads and memory for reading, while the session exists.
    state: OnceLock<Box<dyn Fn() -> Option<SessionState> + Send + Sync>>,
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files").finish_non_exhaustive()
    }
}

/// Allows the queries of a session to name local files.
pub(in crate::sql) fn with_files(context: SessionContext) -> SessionContext {
    let files = Arc::new(Files::default());
    let catalogs = context.state().catalog_list().clone();
    let catalogs = Arc::new(DynamicFileCatalog::new(catalogs, files.clone()));
    let context: SessionContext = context.into_state_builder().with_catalog_list(catalogs).build().into();
    // The session owns its catalogs, so they must not own the session.
    let state = context.state_weak_ref();
    let _ = files.state.set(Box::new(move || state.upgrade().map(|state| state.read().clone())));
    context
}

/// Returns the format of a file by its extension; for JSON also by whether it begins with an array.
fn format_of(path: &Path) -> Option<(Arc<dyn FileFormat>, String)> {
    let extension = path.extension()?.to_str()?;
    let format: Arc<dyn FileFormat> = match extension.to_ascii_lowercase().as_str() {
        "parquet" => Arc::new(ParquetFormat::default()),
        "csv" => Arc::new(CsvFormat::default().with_has_header(true)),
        "tsv" => Arc::new(CsvFormat::default().with_has_header(true).with_delimiter(b'\t')),
        "json" | "jsonl" | "ndjson" => Arc::new(JsonFormat::default().with_newline_delimited(!is_array(path))),
        _ => return None,
    };
    Some((format, extension.to_owned()))
}

/// Largest file that is read as one JSON value, which is held in memory.
const MAX_DOCUMENT_BYTES: u64 = 1 << 30;

/// Reads a file of one JSON object or array, however many lines it takes, as a table: what the AWS CLI prints. Returns
/// `None` for a file with one value per line.
///
/// The rows are the objects of the array, those of the object's only list (`{"NetworkInterfaces": […]}`), or the object
/// itself.
fn document(path: &Path, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
    let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    if !is_json || std::fs::metadata(path)?.len() > MAX_DOCUMENT_BYTES {
        return Ok(None);
    }
    let wrong = |problem: String| DataFusionError::Execution(format!("{name}: {problem}"));
    let text = std::fs::read(path)?;
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    // Values behind each other are lines; damage is reported by the reader of lines.
    let Ok(value) = serde_json::from_slice::<Value>(text) else { return Ok(None) };
    let mut lines = Vec::with_capacity(text.len());
    for row in rows_of(value) {
        if !row.is_object() {
            return Err(wrong(format!("got a list of {}, expected one of objects", kind_of(&row))));
        }
        serde_json::to_writer(&mut lines, &row).map_err(|error| wrong(error.to_string()))?;
        lines.push(b'\n');
    }
    let failed = |error: arrow::error::ArrowError| wrong(error.to_string());
    let (schema, _) = infer_json_schema(lines.as_slice(), None).map_err(failed)?;
    let schema = Arc::new(schema);
    let reader = ReaderBuilder::new(schema.clone()).build(lines.as_slice()).map_err(failed)?;
    let batches = reader.collect::<std::result::Result<Vec<_>, _>>().map_err(failed)?;
    Ok(Some(Arc::new(MemTable::try_new(schema, vec![batches])?)))
}

/// Returns the rows of a JSON document.
fn rows_of(value: Value) -> Vec<Value> {
    match value {
        Value::Array(rows) => rows,
        Value::Object(mut fields) => {
            // The AWS CLI adds a token to a list that it cut short. A list of texts is a value of the object, not its rows.
            let is_rows = |value: &Value| value.as_array().is_some_and(|rows| rows.iter().all(Value::is_object));
            let mut others = fields.iter().filter(|(name, _)| *name != "NextToken");
            let only = match (others.next(), others.next()) {
                (Some((name, value)), None) if is_rows(value) => Some(name.clone()),
                _ => None,
            };
            match only.and_then(|name| fields.remove(&name)) {
                Some(Value::Array(rows)) => rows,
                _ => vec![Value::Object(fields)],
            }
        }
        other => vec![other],
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nulls",
        Value::Bool(_) => "booleans",
        Value::Number(_) => "numbers",
        Value::String(_) => "texts",
        Value::Array(_) => "lists",
        Value::Object(_) => "objects",
    }
}

/// Returns whether the first non-blank character of a file opens an array.
fn is_array(path: &Path) -> bool {
    let mut head = [0; 4_096];
    let read = std::fs::File::open(path).and_then(|mut file| file.read(&mut head)).unwrap_or(0);
    head[..read].iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[')
}

/// Reads the schema of a Parquet file as a trial: the engine panics on damaged schemas.
fn check(path: &Path, name: &str) -> Result<()> {
    if !path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet")) {
        return Ok(());
    }
    let file = std::fs::File::open(path)?;
    let read = guarded(name, || Ok(ArrowReaderMetadata::load(&file, ArrowReaderOptions::default())));
    // An error that is not a panic is reported by the engine itself.
    read.map(|_| ()).map_err(|error| DataFusionError::External(Box::new(error)))
}

#[async_trait]
impl UrlTableFactory for Files {
    async fn try_new(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let path = Path::new(name);
        if !path.is_file() {
            return Ok(None);
        }
        let Some((format, extension)) = format_of(path) else { return Ok(None) };
        let Some(state) = self.state.get().and_then(|state| state()) else {
            return Ok(None);
        };
        if let Some(table) = document(path, name)? {
            return Ok(Some(table));
        }
        check(path, name)?;
        let whole = std::fs::canonicalize(path).map_err(DataFusionError::from)?;
        let url = ListingTableUrl::parse(whole.to_string_lossy())?;
        let options = ListingOptions::new(format).with_file_extension(extension);
        let config = ListingTableConfig::new(url).with_listing_options(options);
        let schema = config.infer_schema(&state).await?;
        Ok(Some(Arc::new(ListingTable::try_new(schema)?)))
    }
}
