//! Runs one statement after the other and writes what they give.

use super::super::exit::Failure;
use super::super::workspace::Opened;
use super::output::{Format, RowWriter};
use crate::sql::Workspace;
use arrow::array::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::{ExecutionPlan, execute_stream_partitioned};
use futures::StreamExt;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::mpsc::{Receiver, channel};

/// One statement of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Statement {
    /// The SQL, without the `;`.
    pub(in crate::cli) sql: String,
    /// Line of the script that it begins in, from 1.
    pub(in crate::cli) line: usize,
}

/// Cuts a script into statements at each `;` that stands in no text, name or comment; empty ones are left out.
pub(in crate::cli) fn statements(script: &str) -> Vec<Statement> {
    let (mut found, mut from) = (Vec::new(), 0);
    let mut add = |sql: &str, from: usize| {
        let start = from + (sql.len() - sql.trim_start().len());
        if !without_comments(sql).trim().is_empty() {
            let line = 1 + script[..start].matches('\n').count();
            found.push(Statement { sql: sql.trim().to_owned(), line });
        }
    };
    for at in ends(script) {
        add(&script[from..at], from);
        from = at + 1;
    }
    add(&script[from..], from);
    found
}

/// Tells whether a script ends with a complete statement: after its last `;` is nothing but space and comments.
pub(in crate::cli) fn is_complete(script: &str) -> bool {
    match ends(script).last() {
        Some(last) => without_comments(&script[last + 1..]).trim().is_empty(),
        None => without_comments(script).trim().is_empty(),
    }
}

/// What a byte of a script stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Code,
    /// A text or a quoted name, and the quote that ends it.
    Quotes(u8),
    Line,
    Block(usize),
}

/// Walks a script; `each` gets the place of every byte and what it stands in.
fn walk(script: &str, mut each: impl FnMut(usize, Within)) {
    let bytes = script.as_bytes();
    let mut within = Within::Code;
    let mut at = 0;
    while at < bytes.len() {
        let two = bytes.get(at..at + 2).unwrap_or_default();
        let (next, step) = match within {
            Within::Code => match (bytes[at], two) {
                (quote @ (b'\'' | b'"' | b'`'), _) => (Within::Quotes(quote), 1),
                (_, b"--") => (Within::Line, 2),
                (_, b"/*") => (Within::Block(1), 2),
                _ => (Within::Code, 1),
            },
            // A doubled quote ends the text and begins it anew.
            Within::Quotes(quote) if bytes[at] == quote => (Within::Code, 1),
            Within::Line if bytes[at] == b'\n' => (Within::Code, 1),
            Within::Block(depth) if two == b"*/" => {
                (if depth == 1 { Within::Code } else { Within::Block(depth - 1) }, 2)
            }
            Within::Block(depth) if two == b"/*" => (Within::Block(depth + 1), 2),
            other => (other, 1),
        };
        let shown = if within == Within::Code { next } else { within };
        (at..at + step).for_each(|place| each(place, shown));
        within = next;
        at += step;
    }
}

/// Places of the `;` that end statements.
fn ends(script: &str) -> Vec<usize> {
    let mut found = Vec::new();
    walk(script, |at, within| {
        if within == Within::Code && script.as_bytes()[at] == b';' {
            found.push(at);
        }
    });
    found
}

fn without_comments(script: &str) -> String {
    let mut kept = Vec::new();
    walk(script, |at, within| {
        if !matches!(within, Within::Line | Within::Block(_)) {
            kept.push(script.as_bytes()[at]);
        }
    });
    String::from_utf8_lossy(&kept).into_owned()
}

/// Runs statements in one session and writes their rows to one place.
pub(in crate::cli) struct Runner<'a> {
    opened: &'a Opened,
    format: Format,
    output: Option<PathBuf>,
    /// The file of the results, once there is one.
    file: Option<File>,
}

/// Batches of a partition that wait while those of the partitions before it are written.
const WAITING_BATCHES: usize = 16;

impl<'a> Runner<'a> {
    /// Writes to `output`, or to stdout.
    pub(in crate::cli) fn new(opened: &'a Opened, format: Format, output: Option<&Path>) -> Self {
        Self { opened, format, output: output.map(Path::to_owned), file: None }
    }

    /// Runs a statement to its end.
    pub(in crate::cli) fn run(&mut self, statement: &Statement) -> Result<(), Failure> {
        let runtime = &self.opened.runtime;
        let workspace = &self.opened.workspace;
        let failed = |error: DataFusionError| Failure::failed(error);
        let plan = runtime.block_on(plan(workspace, &statement.sql)).map_err(failed)?;
        if plan.schema().fields().is_empty() {
            // Statements such as SET and CREATE VIEW give no rows, but have to be run.
            let mut rows = {
                let _inside = runtime.enter();
                in_order(plan, workspace).map_err(failed)?
            };
            while let Some(batch) = rows.blocking_recv() {
                batch.map_err(failed)?;
            }
            return Ok(());
        }
        let schema = plan.schema();
        let mut rows = {
            let _inside = runtime.enter();
            in_order(plan, workspace).map_err(failed)?
        };
        let mut writer = RowWriter::begin(self.format, schema, self.writer()?)?;
        while let Some(batch) = rows.blocking_recv() {
            writer.write(&batch.map_err(failed)?)?;
        }
        writer.finish()
    }

    fn writer(&mut self) -> Result<Box<dyn Write + Send>, Failure> {
        let Some(path) = &self.output else { return Ok(Box::new(BufWriter::new(std::io::stdout()))) };
        let failed = |error: std::io::Error| Failure::failed(format!("{}: {error}", path.display()));
        let file = match &self.file {
            Some(file) => file.try_clone().map_err(failed)?,
            None => {
                let file = File::create(path).map_err(failed)?;
                self.file = Some(file.try_clone().map_err(failed)?);
                file
            }
        };
        Ok(Box::new(BufWriter::new(file)))
    }
}

async fn plan(workspace: &Workspace, sql: &str) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
    workspace.context().sql(sql).await?.create_physical_plan().await
}

type Rows = Receiver<Result<RecordBatch, DataFusionError>>;

/// Starts all partitions of a plan at once, and gives their rows one partition after the other, so that the order of the
/// rows does not depend on which is faster.
fn in_order(plan: Arc<dyn ExecutionPlan>, workspace: &Workspace) -> Result<Rows, DataFusionError> {
    let streams = execute_stream_partitioned(plan, workspace.context().task_ctx())?;
    let mut partitions = Vec::with_capacity(streams.len());
    for mut stream in streams {
        let (sender, receiver) = channel(WAITING_BATCHES);
        tokio::spawn(async move {
            while let Some(batch) = stream.next().await {
                if sender.send(batch).await.is_err() {
                    return;
                }
            }
        });
        partitions.push(receiver);
    }
    let (sender, receiver) = channel(1);
    tokio::spawn(async move {
        for mut partition in partitions {
            while let Some(batch) = partition.recv().await {
                let failed = batch.is_err();
                if sender.send(batch).await.is_err() || failed {
                    return;
                }
            }
        }
    });
    Ok(receiver)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_where_no_text_or_comment_holds_the_mark() {
        let script = "SELECT ';' AS \"a;b\"; -- one; two\n/* ; /* ; */ ; */\n\nSELECT 'it''s;'\n; ;--\n";
        let found = statements(script);
        let shown: Vec<_> = found.iter().map(|s| (s.sql.as_str(), s.line)).collect();
        assert_eq!(shown.len(), 2);
        assert_eq!(shown[0], ("SELECT ';' AS \"a;b\"", 1));
        assert!(shown[1].0.ends_with("SELECT 'it''s;'"), "{shown:?}");
        assert!(statements(" -- nothing\n").is_empty());
    }

    #[test]
    fn a_script_is_complete_behind_its_last_mark() {
        for (script, complete) in [
            ("SELECT 1;", true),
            ("SELECT 1; -- done", true),
            ("SELECT 1", false),
            ("SELECT ';", false),
            ("SELECT 1; SELECT", false),
            ("/* ;", true),
            ("", true),
        ] {
            assert_eq!(is_complete(script), complete, "{script}");
        }
    }
}
