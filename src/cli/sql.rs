//! `flowsift sql`: SQL from the command line, from a script or at a prompt.

use super::exit::{Exit, Failure};
use super::options::Global;
use super::prompt;
use super::session::results::ResultArgs;
use super::session::runner::Runner;
use super::session::workspace::WorkspaceArgs;
use crate::sql::functions;
use crate::sql::statements;
use clap::Args;
use std::io::{IsTerminal, Read, Write};
use std::path::PathBuf;

/// Query flow logs in SQL: a statement, a script, or a prompt
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  flowsift sql datasets/demo -c 'SELECT host, sum(bytes) FROM flows GROUP BY host'\n  \
    flowsift sql s3://flow-logs/AWSLogs --from 24h -f hunt.sql --format csv -o hunt.csv\n  \
    flowsift sql datasets/demo\n\nTables: flows, accesses, cloudtrail, okta, atlassian_audit, \
    bitbucket_access, balancer_requests, access_hours, credentials, principals, pair_hours, hosts, host_hours, host_days, destinations, services, pairs, coverage, indicators, \
    networks, findings, incidents, incident_timeline, incident_nodes, incident_edges; FROM 'file' reads Parquet, CSV and JSON."
)]
pub(super) struct SqlArgs {
    /// s3://bucket/prefix, folder, file or glob; several are read as one
    #[arg(required_unless_present = "functions", value_name = "SOURCE")]
    sources: Vec<String>,
    /// Run this SQL; separate several statements by `;`
    #[arg(short, long, value_name = "SQL", conflicts_with = "file", allow_hyphen_values = true)]
    command: Option<String>,
    /// Run the statements of a file; `-` is stdin
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    results: ResultArgs,
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
    let mut printer = args.results.printer()?;
    let interactive = terminal && !named && !args.results.is_for_a_script();
    let script = if interactive { String::new() } else { script(args)? };
    let opened = args.workspace.open(global, &args.sources, interactive)?;
    let limits = args.results.limits();
    let (progress, quiet) = (global.shows_progress_now(), global.is_quiet());
    let runner = Runner { opened: &opened, limits, progress, quiet, cancellable: interactive };
    if interactive {
        prompt::run(&runner, args.limit)?;
    } else {
        for statement in statements(&script) {
            runner.run(&statement, &mut printer).map_err(|ended| ended.into_failure(&limits))?;
            printer.end()?;
        }
        printer.finish()?;
    }
    Ok(opened.report_skipped(global))
}

/// Reads the statements to run: from stdin unless a file or a statement is given.
fn script(args: &SqlArgs) -> Result<String, Failure> {
    if let Some(command) = &args.command {
        return Ok(command.clone());
    }
    match args.file.as_deref().filter(|path| path.as_os_str() != "-") {
        Some(path) => std::fs::read_to_string(path).map_err(|error| Failure::usage_at(path.display(), error)),
        None => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map_err(|error| Failure::failed_at("stdin", error))?;
            Ok(text)
        }
    }
}
