//! The files of `tests/slt`, in sqllogictest's format, over datasets/demo through the session that commands open.
//!
//! Beside SQL they hold questions of the catalogue: `@name parameter=value …`, also behind EXPLAIN. `UPDATE_GOLDENS=1 cargo test --test it
//! sql_logic` writes what is found into the files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use flowsift::hours::Progress;
use flowsift::hours::fetch::FetchOptions;
use flowsift::incident::tables::incident_tables;
use flowsift::report::{read_incidents, write_parquet};
use flowsift::source::{Source, SourceOptions};
use flowsift::sql::{SharedMemory, Workspace, WorkspaceOptions, catalogue, run};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rollup::window::WindowOptions;
use sqllogictest::{DB, DBOutput, DefaultColumnType, Runner};
use tokio::runtime::Runtime;

/// Progress that nobody sees.
struct Silent;

impl Progress for Silent {
    fn object_done(&self, _: u64, _: u64) {}
}

/// A session and the threads that it runs on.
struct Session {
    workspace: Workspace,
    runtime: Arc<Runtime>,
    _io: Arc<Runtime>,
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Failed(String);

fn failed(error: impl std::error::Error + 'static) -> Failed {
    // With its causes, in one line, as the files have it.
    Failed(flow::error_text(&error).replace('\n', " "))
}

fn runtime() -> Arc<Runtime> {
    Arc::new(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap())
}

/// The table `findings`, without a row.
fn no_findings() -> Vec<RecordBatch> {
    let mut parquet = Vec::new();
    write_parquet(&mut parquet, &[], None).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(parquet)).unwrap();
    vec![RecordBatch::new_empty(reader.schema().clone())]
}

/// The tables of incidents, as a run over the demo might have written them.
fn incidents() -> Vec<(&'static str, RecordBatch)> {
    let lines = include_bytes!("../slt/incidents.jsonl");
    incident_tables(&read_incidents(&lines[..], "incidents.jsonl").unwrap()).unwrap()
}

impl Session {
    fn open(threads: usize) -> Self {
        Self::open_within(threads, SharedMemory::default())
    }

    fn open_within(threads: usize, memory: SharedMemory) -> Self {
        let (io, runtime) = (runtime(), runtime());
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/demo");
        let options = SourceOptions { io_runtime: Some(io.handle().clone()), ..SourceOptions::default() };
        let source = io.block_on(Source::open(&[demo.to_str().unwrap().to_owned()], &options)).unwrap();
        let options = WorkspaceOptions {
            zone: None,
            window: WindowOptions::default(),
            indicators: Arc::default(),
            networks: Arc::default(),
            internal: Arc::default(),
            kept: None,
            kept_accesses: None,
            findings: no_findings(),
            incidents: incidents(),
            threads,
            fetch: FetchOptions::default(),
            memory,
            progress: Arc::new(|_, _| -> Box<dyn Progress + Send> { Box::new(Silent) }),
            runtime: io.handle().clone(),
            files: true,
        };
        let workspace = {
            let _inside = runtime.enter();
            Workspace::open(&source, options).unwrap()
        };
        Self { workspace, runtime, _io: io }
    }

    fn ask(&self, sql: &str) -> Result<Vec<RecordBatch>, Failed> {
        let sql = match sql.split_once('@') {
            Some((before, question)) if before.is_empty() || before.starts_with("EXPLAIN") => {
                format!("{before}{}", asked(question)?)
            }
            _ => sql.to_owned(),
        };
        // In a task, as the runtime of a command has it.
        let context = self.workspace.context().clone();
        self.runtime.block_on(async move { run(&context, "slt", &sql).await }).map_err(failed)
    }
}

/// The SQL of `name parameter=value …`.
fn asked(question: &str) -> Result<String, Failed> {
    let mut words = question.split_whitespace();
    let query = catalogue::find(words.next().unwrap_or_default()).map_err(failed)?;
    let pair = |word: &str| word.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    let given: Vec<(String, String)> = words.filter_map(pair).collect();
    // Behind EXPLAIN the header would be a comment in the middle of a line.
    query.bind(&given, 1_700_697_600).map(|sql| catalogue::body(&sql).to_owned()).map_err(failed)
}

fn kind(kind: &DataType) -> DefaultColumnType {
    match kind {
        kind if kind.is_integer() => DefaultColumnType::Integer,
        kind if kind.is_floating() => DefaultColumnType::FloatingPoint,
        kind if kind.is_string() => DefaultColumnType::Text,
        _ => DefaultColumnType::Any,
    }
}

/// The rows as texts; an empty text is told from NULL.
fn texts(batches: &[RecordBatch]) -> Result<Vec<Vec<String>>, Failed> {
    let options = FormatOptions::default().with_null("NULL").with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%SZ"));
    let mut rows = Vec::new();
    for batch in batches {
        let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options));
        let columns = columns.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        for row in 0..batch.num_rows() {
            let text = |column: &ArrayFormatter<'_>| match column.value(row).to_string() {
                text if text.is_empty() => "(empty)".to_owned(),
                text => text,
            };
            rows.push(columns.iter().map(text).collect());
        }
    }
    Ok(rows)
}

impl DB for Session {
    type Error = Failed;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Failed> {
        let batches = self.ask(sql)?;
        let Some(first) = batches.first() else { return Ok(DBOutput::StatementComplete(0)) };
        let mut types: Vec<DefaultColumnType> =
            first.schema().fields().iter().map(|field| kind(field.data_type())).collect();
        let mut rows = texts(&batches)?;
        if sql.trim_start().to_ascii_uppercase().starts_with("EXPLAIN") {
            // A plan is one text; its scans of the logs are the rows.
            types.truncate(1);
            let scans = |row: &Vec<String>| -> Vec<Vec<String>> {
                let lines = row[1].lines().map(str::trim).filter(|line| line.starts_with("FlowsExec"));
                lines.map(|line| vec![line.to_owned()]).collect()
            };
            rows = rows.iter().flat_map(scans).collect();
        }
        Ok(DBOutput::Rows { types, rows })
    }
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "slt"));
    files.sort();
    files
}

/// Runs a file, or with `UPDATE_GOLDENS` writes what is found into it.
fn hold(path: &Path, threads: usize) {
    let mut runner = Runner::new(move || async move { Ok(Session::open(threads)) });
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        let updated = runner.update_test_file(
            path,
            " ",
            sqllogictest::default_validator,
            sqllogictest::default_normalizer,
            sqllogictest::strict_column_validator,
        );
        futures::executor::block_on(updated).unwrap();
    } else if let Err(error) = runner.run_file(path) {
        panic!("{error}");
    }
}

#[test]
fn files_hold_on_the_demo() {
    assert!(files().len() >= 4);
    files().iter().for_each(|path| hold(path, 3));
}

#[test]
fn questions_have_the_same_answer_on_one_thread() {
    if std::env::var_os("UPDATE_GOLDENS").is_none() {
        hold(&files().into_iter().find(|path| path.ends_with("catalogue.slt")).unwrap(), 1);
    }
}

/// The questions that the goldens ask.
fn questions() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt/catalogue.slt");
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().filter_map(|line| line.strip_prefix('@')).map(str::to_owned).collect()
}

#[test]
fn every_question_has_a_golden_and_its_columns() {
    let golden: BTreeSet<String> =
        questions().iter().map(|question| question.split(' ').next().unwrap().to_owned()).collect();
    let queries = catalogue::built_in().unwrap();
    let known: BTreeSet<String> = queries.iter().map(|query| query.name.clone()).collect();
    assert_eq!(golden, known, "tests/slt/catalogue.slt asks every question");
    let session = Session::open(2);
    for question in questions() {
        let query = catalogue::find(question.split(' ').next().unwrap()).unwrap();
        let sql = asked(&question).unwrap();
        let context = session.workspace.context();
        let frame = session.runtime.block_on(context.sql(&sql)).unwrap();
        let found: Vec<String> = frame.schema().fields().iter().map(|field| field.name().clone()).collect();
        let said: Vec<String> = query.columns.into_iter().map(|column| column.name).collect();
        assert_eq!(found, said, "{}", query.name);
    }
}

#[test]
fn rows_that_may_not_wait_in_memory_come_all_the_same() {
    // Rows wait until their object is known to be whole; without memory for that, it is decoded twice.
    let asked = "SELECT start, srcaddr, dstaddr, bytes FROM flows";
    let text = |batches: &[RecordBatch]| -> Vec<String> {
        let options = FormatOptions::default();
        let mut lines = Vec::new();
        for batch in batches {
            let columns: Vec<ArrayFormatter<'_>> =
                batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
            for row in 0..batch.num_rows() {
                lines.push(columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join(" "));
            }
        }
        lines.sort_unstable();
        lines
    };
    let free = text(&Session::open(1).ask(asked).unwrap());
    let tight = SharedMemory::limited(1 << 12, std::env::temp_dir());
    assert!(free.len() > 100_000 && text(&Session::open_within(1, tight).ask(asked).unwrap()) == free);
}
