//! `flowsift query`: the catalogue of queries.

use super::exit::{Exit, Failure};
use super::options::Global;
use super::session::results::ResultArgs;
use super::session::runner::Runner;
use super::session::workspace::WorkspaceArgs;
use crate::sql::catalogue::{self, CatalogueError, Query};
use crate::sql::statements;
use clap::Args;
use std::io::Write;

/// Run one of the queries of the catalogue
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  flowsift query --list\n  flowsift query top_talkers datasets/demo\n  \
    flowsift query host_day s3://flow-logs/AWSLogs --from 24h --param host=10.0.44.5\n  \
    flowsift query beacon_candidates --show")]
pub(super) struct QueryArgs {
    /// Name of the query
    #[arg(required_unless_present = "list")]
    name: Option<String>,
    /// s3://bucket/prefix, folder, file or glob; several are read as one
    #[arg(value_name = "SOURCE")]
    sources: Vec<String>,
    /// Value of a parameter; may be given several times
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = parse_pair)]
    param: Vec<(String, String)>,
    /// Name all queries, one per line
    #[arg(long)]
    list: bool,
    /// Print the query with its parameters and its SQL, and read nothing
    #[arg(long, conflicts_with = "list")]
    show: bool,
    #[command(flatten)]
    results: ResultArgs,
    #[command(flatten)]
    workspace: WorkspaceArgs,
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is not NAME=VALUE, such as host=10.0.0.1")),
    }
}

impl From<CatalogueError> for Failure {
    fn from(error: CatalogueError) -> Self {
        match error {
            CatalogueError::Header { .. } | CatalogueError::Sql(_) => Failure::failed(error),
            _ => Failure::usage(error),
        }
    }
}

pub(super) fn run(global: &Global, args: &QueryArgs) -> Result<Exit, Failure> {
    let mut out = std::io::stdout().lock();
    let Some(name) = args.name.as_deref().filter(|_| !args.list) else {
        out.write_all(catalogue::table(&catalogue::built_in()?).as_bytes())?;
        return Ok(Exit::Done);
    };
    let query: Query = catalogue::find(name)?;
    if args.show {
        out.write_all(catalogue::shown(&query).as_bytes())?;
        return Ok(Exit::Done);
    }
    drop(out);
    if args.sources.is_empty() {
        let problem =
            format!("what shall be read? flowsift query {name} SOURCE, such as s3://bucket/prefix or a folder");
        return Err(Failure::usage(problem));
    }
    // The query's bounds default to those of the run: tables of hours hold the baseline, too.
    let bounds = args.workspace.bounds().filter(|(bound, _)| query.parameters.iter().any(|p| p.name == *bound));
    let mut given: Vec<(String, String)> = bounds.collect();
    given.extend_from_slice(&args.param);
    let sql = query.bind(&given, chrono::Utc::now().timestamp())?;
    let mut printer = args.results.printer()?;
    let opened = args.workspace.open(global, &args.sources, false)?;
    let limits = args.results.limits();
    let (progress, quiet) = (global.shows_progress_now(), global.is_quiet());
    let runner = Runner { opened: &opened, limits, progress, quiet, cancellable: false };
    for statement in statements(&sql) {
        runner.run(&statement, &mut printer).map_err(|ended| ended.into_failure(&limits))?;
        printer.end()?;
    }
    printer.finish()?;
    Ok(opened.report_skipped(global))
}
