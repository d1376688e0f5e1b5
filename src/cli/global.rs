//! Options of every command: threads, AWS identity, progress, verbosity.

use super::exit::Failure;
use super::memory::{Limits, parse_size};
use crate::rollup::Memory;
use crate::source::SourceOptions;
use crate::sql::SharedMemory;
use clap::{ArgAction, Args, ValueEnum};
use std::io::IsTerminal;
use std::path::PathBuf;
use tokio::runtime::Runtime;
use tracing_chrome::{ChromeLayerBuilder, FlushGuard};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// When to show progress.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum When {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// Threads for decoding and detection [default: all cores]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Most memory to use, such as 2GB or 512MiB; what does not fit is spilled [default: 60 % of what there is]
    #[arg(long, global = true, value_name = "SIZE", value_parser = parse_size)]
    memory: Option<usize>,
    /// Folder for what does not fit into memory [default: the system's temporary folder]
    #[arg(long, global = true, value_name = "DIR")]
    spill_dir: Option<PathBuf>,
    /// AWS profile for S3
    #[arg(long, global = true, value_name = "NAME")]
    profile: Option<String>,
    /// AWS region of the bucket [default: from the environment, the profile or the bucket]
    #[arg(long, global = true, value_name = "REGION")]
    region: Option<String>,
    /// S3 endpoint other than AWS's
    #[arg(long, global = true, value_name = "URL")]
    endpoint_url: Option<String>,
    /// Do not sign S3 requests, for public buckets
    #[arg(long, global = true)]
    no_sign_request: bool,
    /// Pay for requests to requester-pays buckets
    #[arg(long, global = true)]
    request_payer: bool,
    /// TOML file with defaults: the table of a command holds its options, [global] those of all
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Show progress on stderr
    #[arg(long, global = true, value_enum, default_value_t = When::Auto, value_name = "WHEN")]
    progress: When,
    /// Print no summary and no progress
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Write where the time went, in Chrome's trace format: flame graph viewers such as Perfetto and speedscope open it
    #[arg(long, global = true, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Say more; twice for everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
}

/// Stack of a thread: deep expressions are planned and let go by recursion.
const STACK_BYTES: usize = 8 << 20;

impl Global {
    pub(super) fn threads(&self) -> usize {
        let all = || std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.map_or_else(all, usize::from)
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Tells whether a progress bar is wanted, given whether stderr is a terminal.
    pub(super) fn shows_progress(&self, terminal: bool) -> bool {
        match self.progress {
            When::Always => true,
            When::Never => false,
            When::Auto => terminal && !self.quiet && self.verbose == 0,
        }
    }

    /// Tells whether a progress bar is wanted on this stderr.
    pub(super) fn shows_progress_now(&self) -> bool {
        self.shows_progress(std::io::stderr().is_terminal())
    }

    /// Starts logging to stderr and, with `--trace`, to a trace, which is whole when the returned guard is dropped.
    pub(super) fn start_logging(&self) -> Result<Option<FlushGuard>, Failure> {
        let level = match (self.quiet, self.verbose) {
            (true, _) => "error",
            (_, 0) => "flowsift=error",
            (_, 1) => "flowsift=info,warn",
            (_, _) => "flowsift=debug,info",
        };
        let filter = EnvFilter::try_from_env("FLOWSIFT_LOG").unwrap_or_else(|_| EnvFilter::new(level));
        let log = tracing_subscriber::fmt::layer()
            .with_ansi(std::io::stderr().is_terminal())
            .with_writer(std::io::stderr)
            .with_filter(filter);
        let (trace, guard) = match &self.trace {
            None => (None, None),
            Some(path) => {
                let failed = |error| Failure::usage(format!("--trace {}: {error}", path.display()));
                let file = std::fs::File::create(path).map_err(failed)?;
                let (layer, guard) = ChromeLayerBuilder::new().writer(file).include_args(true).build();
                let own = Targets::new().with_target("flowsift", tracing::Level::DEBUG);
                (Some(layer.with_filter(own)), Some(guard))
            }
        };
        // A second start, as in tests, leaves the first in place.
        let _ = tracing_subscriber::registry().with(log).with(trace).try_init();
        Ok(guard)
    }

    /// What the run may take, and how much of the limit fetched objects get.
    pub(super) fn memory(&self) -> Result<(SharedMemory, usize), Failure> {
        let limits = Limits::new(self.memory)?;
        if self.memory.is_some()
            && let Some(call) = super::ON_MEMORY_LIMIT.get()
        {
            call();
        }
        let folder = self.spill_dir.clone().unwrap_or_else(std::env::temp_dir);
        let memory = SharedMemory::limited(limits.pool_bytes, folder);
        if self.spill_dir.is_some() {
            // A folder that was named shall be good before hours of work depend on it.
            memory.memory().folder().path().map_err(Failure::failed)?;
        }
        Ok((memory, limits.fetch_bytes))
    }

    /// Where spilled data goes, as text.
    pub(super) fn spill_dir(&self) -> String {
        self.spill_dir.clone().unwrap_or_else(std::env::temp_dir).display().to_string()
    }

    /// Sizes the pool of CPU work and starts the runtime of I/O; Ctrl-C ends the process with code 130, SIGTERM with 143.
    pub(super) fn start_threads(&self) -> Result<Runtime, Failure> {
        self.start_threads_with(None)
    }

    /// As [`Global::start_threads`], but leaves Ctrl-C alone.
    pub(super) fn start_quiet_threads(&self) -> Result<Runtime, Failure> {
        let threads = self.threads();
        // Fails only when the pool exists already, as in tests.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).stack_size(STACK_BYTES);
        let _ = pool.build_global();
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads.min(4))
            .thread_stack_size(STACK_BYTES)
            .enable_all()
            .thread_name("flowsift-io")
            .build()
            .map_err(Failure::failed)
    }

    /// As [`Global::start_threads`]; Ctrl-C and SIGTERM also remove what `memory` spilled.
    pub(super) fn start_threads_with(&self, memory: Option<Memory>) -> Result<Runtime, Failure> {
        let runtime = self.start_quiet_threads()?;
        runtime.spawn(async move {
            let Some((word, code)) = stopped().await else { return };
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "\n{word}");
            if let Some(memory) = memory {
                memory.folder().remove();
            }
            std::process::exit(code);
        });
        Ok(runtime)
    }

    pub(super) fn source_options(&self) -> SourceOptions {
        SourceOptions {
            profile: self.profile.clone(),
            region: self.region.clone(),
            endpoint_url: self.endpoint_url.clone(),
            no_sign_request: self.no_sign_request,
            request_payer: self.request_payer,
            ..SourceOptions::default()
        }
    }
}

/// Waits for Ctrl-C, or for SIGTERM, by which schedulers and containers end a job; returns the word for it and the exit
/// code, which is 128 and the signal's number. `None` where signals cannot be waited for.
async fn stopped() -> Option<(&'static str, i32)> {
    #[cfg(unix)]
    {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok()?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted.ok().map(|()| ("interrupted", 130)),
            terminated = terminate.recv() => terminated.map(|()| ("terminated", 143)),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.ok().map(|()| ("interrupted", 130))
}
