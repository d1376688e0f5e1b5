//! `flowsift sql`: questions in SQL, one by one or at a prompt.

mod completion;
pub(super) mod output;
pub(super) mod printer;
mod prompt;
pub(super) mod runner;
pub(super) mod screen;

use super::exit::{Exit, Failure};
use super::global::Global;
use super::memory::parse_size;
use super::workspace::{Opened, WorkspaceArgs};
use crate::flow::time::parse_duration_s;
use crate::sql::functions;
use crate::sql::statement::statements;
use clap::Args;
use output::Format;
use printer::Printer;
use runner::{Limits, Runner};
use std::io::{IsTerminal, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

/// Ask flow logs in SQL: a query, a script, or a prompt
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  flowsift sql datasets/demo -c 'SELECT host, sum(bytes) FROM flows GROUP BY host'\n  \
    flowsift sql s3://flow-logs/AWSLogs --from 24h -f hunt.sql --format csv -o hunt.csv\n  \
    flowsift sql datasets/demo\n\nTables: flows, pair_hours, hosts, host_hours, host_days, destinations, services, pairs, coverage, indicators, \
    networks, findings; FROM 'file' reads Parquet, CSV and JSON."
)]
pub(super) struct SqlArgs {
    /// s3://bucket/prefix, folder, file or glob; several are read as one
    #[arg(required_unless_present = "functions", value_name = "SOURCE")]
    sources: Vec<String>,
    /// Run this SQL, several statements apart by `;`
    #[arg(short, long, value_name = "SQL", conflicts_with = "file", allow_hyphen_values = true)]
    command: Option<String>,
    /// Run the statements of a file; `-` is stdin
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Format of results [default: by the name of -o, else table]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// File for results [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// End a statement that takes longer, such as 30s or 5m
    #[arg(long, value_name = "D", value_parser = parse_timeout)]
    timeout: Option<Duration>,
    /// Refuse a statement that would read objects of more bytes, such as 10GB; the prompt asks
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    max_bytes: Option<usize>,
    /// Rows of a result at the prompt; 0 for all
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    limit: usize,
    /// Print flowsift's functions, each with an example, and read nothing
    #[arg(long, exclusive = true)]
    functions: bool,
    #[command(flatten)]
    workspace: WorkspaceArgs,
}

pub(super) fn run(global: &Global, args: &SqlArgs) -> Result<Exit, Failure> {
    if args.functions {
        std::io::stdout().write_all(functions::table().as_bytes())?;
        return Ok(Exit::Done);
    }
    let named = args.command.is_some() || args.file.is_some();
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let of_name = args.output.as_deref().and_then(Format::of_file);
    let format = args.format.or(of_name).unwrap_or(Format::Table);
    if format == Format::Parquet && args.output.is_none() && std::io::stdout().is_terminal() {
        return Err(Failure::usage("--format parquet writes binary data: redirect stdout to a file, or use -o"));
    }
    let interactive = terminal && !named && args.output.is_none() && args.format.is_none();
    let script = if interactive { String::new() } else { script(args)? };
    let opened = args.workspace.open(global, &args.sources, interactive)?;
    let limits = Limits { timeout: args.timeout, max_bytes: args.max_bytes.map(|bytes| bytes as u64) };
    let progress = global.shows_progress_now();
    let runner = Runner { opened: &opened, limits, progress, cancellable: interactive };
    if interactive {
        prompt::run(&runner, args.limit)?;
    } else {
        let mut printer = Printer::new(format, args.output.as_deref());
        for statement in statements(&script) {
            runner.run(&statement, &mut printer).map_err(|ended| ended.into_failure(&limits))?;
            printer.end()?;
        }
    }
    report_skipped(global, &opened)
}

/// Reads the statements that shall run; stdin when nothing is named.
fn script(args: &SqlArgs) -> Result<String, Failure> {
    if let Some(command) = &args.command {
        return Ok(command.clone());
    }
    match args.file.as_deref().filter(|path| path.as_os_str() != "-") {
        Some(path) => {
            std::fs::read_to_string(path).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
        }
        None => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map_err(|error| Failure::failed(format!("stdin: {error}")))?;
            Ok(text)
        }
    }
}

/// Reads a duration such as `30s` or `5m`.
pub(super) fn parse_timeout(text: &str) -> Result<Duration, String> {
    let seconds = parse_duration_s(text).map_err(|error| error.to_string())?;
    Ok(Duration::from_secs(seconds.unsigned_abs()))
}

/// Names the objects that could not be read, and tells the exit code.
pub(super) fn report_skipped(global: &Global, opened: &Opened) -> Result<Exit, Failure> {
    let skipped = opened.workspace.skipped();
    if skipped.is_empty() {
        return Ok(Exit::Done);
    }
    if !global.is_quiet() {
        let mut err = std::io::stderr().lock();
        let count = skipped.len();
        writeln!(err, "warning: {count} object{} could not be read", if count == 1 { "" } else { "s" })?;
        for object in skipped.iter().take(10) {
            writeln!(err, "  {}: {}", object.object, object.reason)?;
        }
        if count > 10 {
            writeln!(err, "  and {} more", count - 10)?;
        }
    }
    Ok(Exit::Partial)
}
