//! `flowsift roll`: rolls up what is not kept yet, and keeps it for later runs of other commands.

use super::exit::{Exit, Failure};
use super::options::input::{InputArgs, OpenedSource, RollInput};
use super::options::{Global, RunMemory};
use super::progress::Bar;
use super::stderr::tell;
use crate::hours::{KeptHours, KeptTrouble, ListedUnits, Pipeline, PublishedHours, Rolled, Share};
use crate::source::{LogRule, Store, Unit, WantedLogs};
use clap::Args;
use flow::Network;
use flow::printable::printable;
use flow::units::{bytes_text, count_text, counted, duration_text};
use std::time::{Duration, Instant};

/// Skipped objects that are named; the rest is counted.
const NAMED_OBJECTS: usize = 10;

/// Roll up flow logs and keep the hours, for later runs with the same --state
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  flowsift roll s3://flow-logs/AWSLogs --from 24h --state s3://findings/state\n  \
    flowsift roll s3://flow-logs/AWSLogs --state s3://findings/state --share $AWS_BATCH_JOB_ARRAY_INDEX/16\n\n\
    A later `detect` or `sql` with the same sources, --internal and --state reads what is kept instead of the logs.")]
pub(super) struct RollArgs {
    /// s3://bucket/prefix, folder, file or glob; AWSLogs/ is found anywhere below
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<String>,
    /// Folder or s3:// URL that keeps the hours
    #[arg(long, value_name = "URL")]
    state: String,
    /// The share of this process: one of N, from 0/N to N-1/N; each partition is in one of them [default: all]
    #[arg(long, value_name = "I/N", default_value_t, hide_default_value = true)]
    share: Share,
    /// Folder or s3:// URL, outside the sources, for pair_hours as Parquet, which other engines can read
    #[arg(long, value_name = "URL")]
    publish: Option<String>,
    /// Start of the window of later runs: RFC 3339, a date, or relative such as 24h [default: the start of the logs]
    #[arg(long, value_name = "T")]
    from: Option<String>,
    /// End of the window of later runs [default: the end of the logs]
    #[arg(long, value_name = "T")]
    to: Option<String>,
    /// End the window as `detect --lag` does
    #[arg(long, value_name = "D", conflicts_with = "to")]
    lag: Option<String>,
    /// History before the window, which is rolled up as well
    #[arg(long, value_name = "D", default_value = "14d")]
    baseline: String,
    /// What objects are whose names and content do not tell; may be given several times
    #[arg(long, value_name = "KIND=GLOB")]
    logs: Vec<LogRule>,
    /// Monitored network; may be given several times [default: RFC 1918, 100.64.0.0/10, fc00::/7]
    #[arg(long, value_name = "CIDR")]
    internal: Vec<Network>,
}

pub(super) fn run(global: &Global, args: &RollArgs) -> Result<Exit, Failure> {
    let begun = Instant::now();
    let given = RollInput {
        from: args.from.as_deref(),
        to: args.to.as_deref(),
        baseline: &args.baseline,
        state: &args.state,
        logs: &args.logs,
        internal: &args.internal,
    };
    let inputs = InputArgs::to_roll_up(&given);
    let input = inputs.read_behind(args.lag.as_deref())?;
    let RunMemory { shared: memory, fetch } = global.memory()?;
    let runtime = global.start_threads(Some(memory.memory()))?;
    let options = global.source_options();
    let published = match &args.publish {
        Some(url) => Some(runtime.block_on(Store::open(url, &options)).map_err(Failure::failed)?),
        None => None,
    };
    let OpenedSource { mut source, kept, kept_unusable, .. } =
        runtime.block_on(inputs.open(&args.sources, &input, &options))?;
    if let Some(why) = kept_unusable {
        // Nothing that is rolled up could be kept.
        return Err(Failure::Failed(why));
    }
    if let Some(store) = &published {
        source.leave_out(store, &[PublishedHours::FOLDER]);
    }
    let published = published.map(|store| PublishedHours::new(store, input.settings));
    let pipeline = Pipeline {
        source,
        kept,
        // It rolls up flow logs alone.
        kept_accesses: None,
        window: input.window,
        zone: input.zone,
        threads: global.threads(),
        fetch,
        memory: memory.memory().clone(),
        runtime: runtime.handle().clone(),
    };
    let mut listed = runtime.block_on(pipeline.list(WantedLogs::Flows)).map_err(Failure::failed)?;
    let units_listed = listed.units.len();
    listed.units.retain(|unit| args.share.has(unit));
    let objects = listed.units.iter().map(|unit| unit.objects.len() as u64).sum();
    let bar = Bar::new(global, objects, listed.units.iter().map(Unit::bytes).sum());
    let is_internal = |address| input.internal.contains(address);
    let rolled = pipeline.roll(&listed.units, published.as_ref(), &is_internal, &bar);
    bar.clear();
    let run = FinishedRoll {
        args,
        listed: &listed,
        units_listed,
        objects,
        rolled: &rolled.map_err(Failure::failed)?,
        took: begun.elapsed(),
        unpublished: published.as_ref().and_then(PublishedHours::trouble),
        damaged: pipeline.kept.as_ref().map(KeptHours::damaged).unwrap_or_default(),
    };
    Ok(run.tell(global))
}

/// A roll that has ended.
struct FinishedRoll<'a> {
    args: &'a RollArgs,
    /// The units of the share.
    listed: &'a ListedUnits,
    /// The units of all shares.
    units_listed: usize,
    objects: u64,
    rolled: &'a Rolled,
    took: Duration,
    /// Why not all could be published.
    unpublished: Option<String>,
    /// Kept files that storage had damaged.
    damaged: Vec<String>,
}

impl FinishedRoll<'_> {
    fn warnings(&self) -> Vec<String> {
        let skipped = &self.rolled.read.skipped;
        let named = skipped.iter().take(NAMED_OBJECTS);
        let mut warnings: Vec<String> = named.map(|one| format!("skipped {}: {}", one.object, one.reason)).collect();
        if skipped.len() > NAMED_OBJECTS {
            warnings.push(format!("skipped {} more", count_text((skipped.len() - NAMED_OBJECTS) as u64)));
        }
        if self.units_listed == 0 {
            warnings.push("there are no flow logs to roll up".to_owned());
        }
        let trouble = self.rolled.read.kept_trouble.as_ref().map(KeptTrouble::text);
        warnings.extend(trouble.map(|text| format!("kept hours: {text}")));
        warnings.extend(self.unpublished.clone());
        let damaged = self.damaged.iter();
        warnings.extend(damaged.map(|file| format!("kept hours: {file}, so its logs were read again")));
        warnings
    }

    /// Writes the summary and the warnings to stderr, and returns how the run ends.
    fn tell(&self, global: &Global) -> Exit {
        if !global.is_quiet() {
            let Self { args, rolled, .. } = self;
            let sources: Vec<String> = args.sources.iter().map(|source| printable(source)).collect();
            tell(format_args!("source    {} (flowsift {})", sources.join(", "), env!("CARGO_PKG_VERSION")));
            let partitions = counted(self.listed.units.len() as u64, "partition", "partitions");
            tell(format_args!("share     {}: {partitions} of {}", args.share, count_text(self.units_listed as u64)));
            let (new, before) = (count_text(rolled.units_rolled), count_text(rolled.units_kept));
            tell(format_args!("rolled up {new}, {before} kept before"));
            if args.publish.is_some() {
                tell(format_args!("published {}", count_text(rolled.units_published)));
            }
            let (objects, bytes) = (count_text(rolled.read.objects_read), bytes_text(rolled.read.bytes_read));
            tell(format_args!("objects   {} of the share, {objects} read ({bytes})", count_text(self.objects)));
            let pair_hours = counted(rolled.pair_hours, "pair-hour", "pair-hours");
            tell(format_args!("rows      {} to {pair_hours}", count_text(rolled.read.rows_read)));
            tell(format_args!("time      {}", duration_text(self.took.as_secs_f64())));
        }
        self.warnings().iter().for_each(|warning| tell(format_args!("warning: {warning}")));
        let read = &self.rolled.read;
        // A damaged kept file is whole again by now.
        let unread = !read.skipped.is_empty() || self.units_listed == 0;
        if unread || read.kept_trouble.is_some() || self.unpublished.is_some() { Exit::Partial } else { Exit::Done }
    }
}
