//! `flowsift notify`: sends what waits in the outbox.

use super::exit::{Exit, Failure};
use super::options::Global;
use super::options::notify::NotifyArgs;
use super::stderr;
use crate::incident::life::KeptIncidents;
use crate::notify::{SinkOutcome, incident_view};
use crate::report::SinkSummary;
use crate::source::Store;
use clap::Args;
use flow::printable::printable_lines;
use flow::units::counted;
use std::io::Write;

/// Send what waits for sinks, without reading logs
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  flowsift notify --state s3://findings/state --notify file:/run/secrets/slack\n  \
    flowsift notify --state s3://findings/state --config flowsift.toml --dry-run\n  \
    flowsift notify --state state --notify eventbridge://security --replay 4f2d1c…")]
pub(super) struct NotifyCommand {
    /// Folder or s3:// URL that keeps hours, incidents and the outbox
    #[arg(long, value_name = "URL")]
    state: String,
    /// Tell the sinks of this incident once more, whatever they were told
    #[arg(long, value_name = "INCIDENT")]
    replay: Option<String>,
    #[command(flatten)]
    notify: NotifyArgs,
}

pub(super) fn run(global: &Global, args: &NotifyCommand) -> Result<Exit, Failure> {
    let named = args.notify.read()?;
    if named.is_empty() {
        return Err(Failure::usage("name a sink with --notify, or in [[sink]] of --config: secrets are not kept"));
    }
    let runtime = global.start_threads(None)?;
    let options = global.source_options();
    let store = runtime.block_on(Store::open(&args.state, &options)).map_err(Failure::failed)?;
    let sinks = args.notify.sinks(named, Some(store.clone()), options);
    let replayed = match &args.replay {
        None => None,
        Some(id) => {
            let found = runtime.block_on(KeptIncidents::find(&store, id)).map_err(Failure::failed)?;
            let found =
                found.ok_or_else(|| Failure::usage(format!("--replay {id}: {} knows no such incident", args.state)))?;
            Some(incident_view(&found))
        }
    };
    let mut stdout = std::io::stdout().lock();
    if args.notify.dry_run {
        let mut shown = runtime.block_on(sinks.preview(None)).map_err(Failure::failed)?;
        shown.extend(replayed.iter().flat_map(|incident| sinks.preview_replay(incident)));
        for text in shown {
            writeln!(stdout, "{}\n", printable_lines(&text))?;
        }
        return Ok(Exit::Done);
    }
    if let Some(incident) = &replayed {
        runtime.block_on(sinks.replay(incident)).map_err(Failure::failed)?;
    }
    let told = runtime.block_on(sinks.send());
    let summaries: Vec<SinkSummary> = told.into_iter().map(sink_summary).collect();
    for summary in &summaries {
        writeln!(stdout, "{}", summary.text())?;
    }
    let warnings: Vec<String> = summaries.iter().filter_map(SinkSummary::warning).collect();
    warnings.iter().for_each(|warning| stderr::tell(format_args!("warning: {warning}")));
    let left = runtime.block_on(sinks.left_waiting());
    if left > 0 {
        let notices = counted(left, "notice waits", "notices wait");
        stderr::tell(format_args!("warning: {notices} for sinks that are not named, or whose URL has changed"));
    }
    Ok(if warnings.is_empty() { Exit::Done } else { Exit::Partial })
}

/// Returns what became of what a sink was due, as a summary has it.
pub(super) fn sink_summary(told: SinkOutcome) -> SinkSummary {
    let SinkOutcome { sink, delivery, kept } = told;
    SinkSummary {
        sink,
        sent: delivery.sent,
        waiting: delivery.waiting,
        refused: delivery.refused,
        kept,
        trouble: delivery.trouble,
    }
}
