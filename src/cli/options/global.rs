//! Options of every command: threads, memory, AWS identity, progress, verbosity.

use super::memory::{MemoryLimits, parse_size, spill_limit};
use super::trace::Trace;
use crate::cli::exit::Failure;
use crate::cli::signals::end_process_on_signal;
use crate::hours::fetch::FetchOptions;
use crate::source::SourceOptions;
use crate::sql::SharedMemory;
use ::memory::Memory;
use clap::{ArgAction, Args, ValueEnum};
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;
use tokio::runtime::Runtime;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// When to show progress.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(in crate::cli) enum When {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What the command line asks of the program around it.
#[derive(Clone, Copy, Debug)]
pub struct Hooks {
    /// Called once before a run that `--memory` limits: the place to make an allocator return freed memory.
    pub on_memory_limit: fn(),
}

impl Default for Hooks {
    fn default() -> Self {
        Self { on_memory_limit: || {} }
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(in crate::cli) struct Global {
    /// Threads for decoding and detection [default: all cores]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Memory to use at most, such as 2GB or 512MiB; what does not fit is spilled [default: 60 % of the machine's]
    #[arg(long, global = true, value_name = "SIZE", value_parser = parse_size)]
    memory: Option<usize>,
    /// Folder for what does not fit into memory [default: the system's temporary folder]
    #[arg(long, global = true, value_name = "DIR")]
    spill_dir: Option<PathBuf>,
    /// Bytes to spill at most, such as 50GB [default: half of what is free in that folder]
    #[arg(long, global = true, value_name = "SIZE", value_parser = parse_size)]
    spill_limit: Option<usize>,
    /// AWS profile for S3
    #[arg(long, global = true, value_name = "NAME")]
    profile: Option<String>,
    /// AWS region of the bucket [default: from the environment, the profile or the bucket]
    #[arg(long, global = true, value_name = "REGION")]
    region: Option<String>,
    /// S3 endpoint, if not AWS's
    #[arg(long, global = true, value_name = "URL")]
    endpoint_url: Option<String>,
    /// Do not sign S3 requests, for public buckets
    #[arg(long, global = true)]
    no_sign_request: bool,
    /// Pay for requests to requester-pays buckets
    #[arg(long, global = true)]
    request_payer: bool,
    /// Read files whose names do not end in .parquet as well
    #[arg(long, global = true)]
    any_name: bool,
    /// TOML file with defaults: the table named after a command holds its options, [global] those of all commands
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Show progress on stderr
    #[arg(long, global = true, value_enum, default_value_t = When::Auto, value_name = "WHEN")]
    progress: When,
    /// Print neither summary nor progress
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Write a trace of where the time went, in Chrome's format, for viewers such as Perfetto and speedscope
    #[arg(long, global = true, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Log more to stderr; twice for everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    #[arg(skip)]
    pub(in crate::cli) hooks: Hooks,
    /// The command line as typed, the program first.
    #[arg(skip)]
    pub(in crate::cli) typed: Vec<OsString>,
}

/// The memory of a run.
pub(in crate::cli) struct RunMemory {
    /// What hours and plans take, from one budget.
    pub(in crate::cli) shared: SharedMemory,
    /// How objects are fetched, within the rest.
    pub(in crate::cli) fetch: FetchOptions,
}

/// Stack of a thread: deep expressions are planned and dropped recursively.
const STACK_BYTES: usize = 8 << 20;

impl Global {
    pub(in crate::cli) fn threads(&self) -> usize {
        let all = || std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.map_or_else(all, usize::from)
    }

    pub(in crate::cli) fn is_quiet(&self) -> bool {
        self.quiet
    }

    pub(in crate::cli) fn is_verbose(&self) -> bool {
        self.verbose > 0
    }

    /// Returns whether a progress bar is wanted, given whether stderr is a terminal.
    pub(in crate::cli) fn shows_progress(&self, terminal: bool) -> bool {
        match self.progress {
            When::Always => true,
            When::Never => false,
            When::Auto => terminal && !self.quiet && self.verbose == 0,
        }
    }

    /// Returns whether a progress bar is wanted on this stderr.
    pub(in crate::cli) fn shows_progress_now(&self) -> bool {
        self.shows_progress(std::io::stderr().is_terminal())
    }

    /// Starts logging to stderr and, with `--trace`, to a trace, which is complete once it is dropped.
    pub(in crate::cli) fn start_logging(&self) -> Result<Option<Trace>, Failure> {
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
        let (layer, trace) = self.trace.as_deref().map(Trace::begin).transpose()?.flatten().unzip();
        let own = Targets::new().with_target("flowsift", tracing::Level::DEBUG);
        let layer = layer.map(|layer| layer.with_filter(own));
        // A second start, as in tests, leaves the first in place.
        let _ = tracing_subscriber::registry().with(layer).with(log).try_init();
        Ok(trace)
    }

    /// Returns the memory of the run.
    pub(in crate::cli) fn memory(&self) -> Result<RunMemory, Failure> {
        let limits = MemoryLimits::new(self.memory)?;
        if self.memory.is_some() {
            (self.hooks.on_memory_limit)();
        }
        let folder = self.spill_dir.clone().unwrap_or_else(std::env::temp_dir);
        // What killed processes left takes room that this one may need.
        let swept = ::memory::sweep(&folder);
        if swept > 0 {
            tracing::info!("spill folder {}: {swept} folders of ended processes were removed", folder.display());
        }
        let spill_limit = self.spill_limit.map_or_else(|| spill_limit(&folder), |bytes| bytes as u64);
        let shared = SharedMemory::limited(limits.pool_bytes, folder).with_spill_limit(spill_limit);
        if self.spill_dir.is_some() {
            // A folder that was named must be usable before hours of work depend on it.
            shared.memory().folder().path().map_err(Failure::failed)?;
        }
        Ok(RunMemory { shared, fetch: FetchOptions { budget_bytes: limits.fetch_bytes, ..FetchOptions::default() } })
    }

    /// Returns the folder of spilled data, as text.
    pub(in crate::cli) fn spill_dir(&self) -> String {
        self.spill_dir.clone().unwrap_or_else(std::env::temp_dir).display().to_string()
    }

    /// Sizes the pool for CPU work and starts the runtime for I/O. Ctrl-C and SIGTERM end the process, and remove what
    /// `memory` spilled.
    pub(in crate::cli) fn start_threads(&self, memory: Option<&Memory>) -> Result<Runtime, Failure> {
        let runtime = self.start_threads_without_signals()?;
        end_process_on_signal(&runtime, memory.cloned());
        Ok(runtime)
    }

    /// Does what [`Global::start_threads`] does, but leaves signals to the caller.
    pub(in crate::cli) fn start_threads_without_signals(&self) -> Result<Runtime, Failure> {
        let threads = self.threads();
        // Fails only if the pool exists already, as in tests.
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

    pub(in crate::cli) fn source_options(&self) -> SourceOptions {
        SourceOptions {
            profile: self.profile.clone(),
            region: self.region.clone(),
            endpoint_url: self.endpoint_url.clone(),
            no_sign_request: self.no_sign_request,
            request_payer: self.request_payer,
            any_name: self.any_name,
            ..SourceOptions::default()
        }
    }
}
