//! The sinks of a run.

use crate::cli::exit::Failure;
use crate::notify::Sinks;
use crate::source::{SourceOptions, Store};
use clap::Args;
use sink::{ClientOptions, Reach, Sink};
use std::collections::BTreeSet;

/// The options.
#[derive(Debug, Args)]
pub(in crate::cli) struct NotifyArgs {
    /// Tell a sink of opened, escalated and reopened incidents: https://…?body=slack&least=high, securityhub://ACCOUNT,
    /// eventbridge://BUS, sns:ARN, or env:NAME or file:PATH that holds one of these; may be given several times
    #[arg(long, value_name = "SINK")]
    notify: Vec<String>,
    /// Print what sinks would be told to stderr, and send nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Allow sinks at private addresses
    #[arg(long)]
    notify_private: bool,
    /// Allow sinks on this machine, also without TLS
    #[arg(long)]
    notify_loopback: bool,
}

impl NotifyArgs {
    /// Reads the sinks and their secrets.
    pub(in crate::cli) fn read(&self) -> Result<Vec<Sink>, Failure> {
        let mut ids = BTreeSet::new();
        let mut sinks = Vec::with_capacity(self.notify.len());
        for text in &self.notify {
            let sink = Sink::parse(text).map_err(|error| Failure::usage_at("--notify", error))?;
            if !ids.insert(sink.id.clone()) {
                return Err(Failure::usage(format!("--notify {sink}: named twice")));
            }
            sinks.push(sink);
        }
        Ok(sinks)
    }

    /// Returns the sinks with the place where what waits for them is kept.
    pub(in crate::cli) fn sinks(&self, sinks: Vec<Sink>, state: Option<Store>, options: SourceOptions) -> Sinks {
        let reach = Reach { private: self.notify_private, loopback: self.notify_loopback };
        Sinks::new(sinks, ClientOptions { reach, ..ClientOptions::default() }, state, options)
    }
}
