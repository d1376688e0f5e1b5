//! The command line: one file or folder per command. Only this module prints and shows progress.
//!
//! `options` holds the options that several commands share, `session` the code shared by `sql`, `query` and `serve`.
//! Begin with `detect/mod.rs`, which goes from the options to the exit code.

mod detect;
mod evaluate;
mod exit;
mod generate;
mod inspect;
mod notify;
mod options;
mod progress;
mod prompt;
mod query;
mod roll;
#[cfg(feature = "postgres")]
mod serve;
mod session;
mod shell;
mod signals;
mod sql;
mod stderr;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
pub use exit::Exit;
use exit::Failure;
pub use options::global::Hooks;
use options::{Global, config};
use std::ffi::OsString;

/// Hunts for intruders in AWS VPC Flow Logs kept as Parquet in S3 or on disk.
#[derive(Debug, Parser)]
#[command(
    name = "flowsift",
    version,
    args_override_self = true,
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but less than it should be (unread objects, nothing to judge, silent logs, a full disk, a sink that was not told), \
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
    Roll(Box<roll::RollArgs>),
    Generate(Box<generate::GenerateArgs>),
    Evaluate(evaluate::EvaluateArgs),
    Sql(Box<sql::SqlArgs>),
    Query(Box<query::QueryArgs>),
    #[cfg(feature = "postgres")]
    Serve(Box<serve::ServeArgs>),
    Notify(notify::NotifyCommand),
    Inspect(inspect::InspectArgs),
    Completions(shell::CompletionsArgs),
    Man(shell::ManArgs),
}

/// Returns the definition of the command line, from which help, completions and man pages are made.
pub fn definition() -> clap::Command {
    Cli::command()
}

/// Runs the command line and returns how the process ends.
pub fn main(args: impl IntoIterator<Item = OsString>, hooks: Hooks) -> Exit {
    let own: Vec<OsString> = args.into_iter().collect();
    let args = match config::with_config(own.clone(), definition()) {
        Ok(args) => args,
        Err(failure) => return failure.report(),
    };
    let parsed = definition().try_get_matches_from(args).and_then(|matches| Cli::from_arg_matches(&matches));
    let mut cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            let usage = error.use_stderr();
            if let Some(failure) = usage.then(|| config::blame(own, definition(), &error)).flatten() {
                return failure.report();
            }
            // A broken pipe while printing help is no failure.
            let _ = error.print();
            return if usage { Exit::Usage } else { Exit::Done };
        }
    };
    cli.global.hooks = hooks;
    cli.global.typed = own;
    // Held to the end: dropping it completes the trace.
    let _trace = match cli.global.start_logging() {
        Ok(trace) => trace,
        Err(failure) => return failure.report(),
    };
    pages::guard::quiet_panics();
    let result = match cli.command {
        Command::Detect(args) => detect::run(&cli.global, &args),
        Command::Roll(args) => roll::run(&cli.global, &args),
        Command::Generate(args) => generate::run(&cli.global, &args),
        Command::Evaluate(args) => evaluate::run(&cli.global, &args),
        Command::Sql(args) => sql::run(&cli.global, &args),
        Command::Query(args) => query::run(&cli.global, &args),
        #[cfg(feature = "postgres")]
        Command::Serve(args) => serve::run(&cli.global, &args),
        Command::Notify(args) => notify::run(&cli.global, &args),
        Command::Inspect(args) => inspect::run(&cli.global, &args),
        Command::Completions(args) => shell::completions(&args, definition()),
        Command::Man(args) => shell::man(&args, definition()),
    };
    result.unwrap_or_else(Failure::report)
}
