//! The command line: one file a command. Printing and progress live here and nowhere else.

mod config;
mod decode;
mod detect;
mod evaluate;
mod exit;
mod generate;
mod global;
mod inspect;
mod memory;
mod progress;
mod query;
#[cfg(feature = "postgres")]
mod serve;
mod shell;
mod show;
mod sql;
mod stages;
mod suite;
mod workspace;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
pub use exit::Exit;
use exit::Failure;
use global::Global;
use std::ffi::OsString;
use std::sync::OnceLock;

/// Finds beaconing and bulk egress in AWS VPC Flow Logs kept as Parquet in S3 or on disk.
#[derive(Debug, Parser)]
#[command(
    name = "flowsift",
    version,
    args_override_self = true,
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but some objects could not be read, \
                  4 findings at or above --fail-on, 130 interrupted, 143 stopped by SIGTERM.\nstdout carries data only; all else goes to stderr."
)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Detect(Box<detect::DetectArgs>),
    Generate(Box<generate::GenerateArgs>),
    Evaluate(evaluate::EvaluateArgs),
    Sql(Box<sql::SqlArgs>),
    Query(Box<query::QueryArgs>),
    #[cfg(feature = "postgres")]
    Serve(Box<serve::ServeArgs>),
    Inspect(inspect::InspectArgs),
    Completions(shell::CompletionsArgs),
    Man(shell::ManArgs),
}

/// Returns the definition of the command line, from which help, completions and man pages are made.
pub fn definition() -> clap::Command {
    Cli::command()
}

/// What to do when memory is limited by hand; see [`on_memory_limit`].
static ON_MEMORY_LIMIT: OnceLock<fn()> = OnceLock::new();

/// Names what is called once before a run whose memory `--memory` limits: the place to make an allocator give back what
/// is freed. The first one named counts.
pub fn on_memory_limit(call: fn()) {
    let _ = ON_MEMORY_LIMIT.set(call);
}

/// Runs the command line and tells how the process shall end.
pub fn main(args: impl IntoIterator<Item = OsString>) -> Exit {
    let own: Vec<OsString> = args.into_iter().collect();
    let args = match config::with_config(own.clone()) {
        Ok(args) => args,
        Err(failure) => return failure.report(),
    };
    let parsed = Cli::command().try_get_matches_from(args).and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            let usage = error.use_stderr();
            if let Some(failure) = usage.then(|| config::blame(own, &error)).flatten() {
                return failure.report();
            }
            // A broken pipe while printing help is no failure.
            let _ = error.print();
            return if usage { Exit::Usage } else { Exit::Done };
        }
    };
    // Held to the end: dropping it completes the trace.
    let _trace = match cli.global.start_logging() {
        Ok(trace) => trace,
        Err(failure) => return failure.report(),
    };
    crate::scan::quiet_panics();
    let result = match cli.command {
        Command::Detect(args) => detect::run(&cli.global, &args),
        Command::Generate(args) => generate::run(&cli.global, &args),
        Command::Evaluate(args) => evaluate::run(&cli.global, &args),
        Command::Sql(args) => sql::run(&cli.global, &args),
        Command::Query(args) => query::run(&cli.global, &args),
        #[cfg(feature = "postgres")]
        Command::Serve(args) => serve::run(&cli.global, &args),
        Command::Inspect(args) => inspect::run(&cli.global, &args),
        Command::Completions(args) => shell::completions(&args),
        Command::Man(args) => shell::man(&args),
    };
    result.unwrap_or_else(Failure::report)
}
