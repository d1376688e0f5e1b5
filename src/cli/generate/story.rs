//! `flowsift generate --story`: a company with one intrusion in all of its logs.

use crate::cli::exit::{Exit, Failure};
use crate::cli::options::Global;
use clap::Args;
use corpus::{StoryOptions, Variation, generate_story};
use flow::units::{bytes_text, count_text};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Options that have no meaning for a story.
const OF_FLOW_LOGS_ALONE: [&str; 26] = [
    "rows",
    "hosts",
    "hours",
    "start",
    "attacks",
    "attack_hosts",
    "campaigns",
    "hubs",
    "benign_callers",
    "accounts",
    "regions",
    "window",
    "layout",
    "partition",
    "codec",
    "codec_level",
    "no_dictionary",
    "row_group_rows",
    "files_per_hour",
    "fields",
    "page_version",
    "nat",
    "nat_instances",
    "ipv6",
    "skipdata",
    "nodata",
];

/// What a story is made of.
#[derive(Debug, Args)]
pub(super) struct StoryArgs {
    /// Instead: one intrusion told by flow logs, CloudTrail, Okta, Jira, Bitbucket and a load balancer, among the life of a company
    #[arg(long, conflicts_with_all = OF_FLOW_LOGS_ALONE)]
    pub(super) story: bool,
    /// People of the story's company, 8 to 3900
    #[arg(long, value_name = "N", default_value_t = 24, requires = "story")]
    people: u32,
    /// Events of the story to aim at over all logs beside the flow logs [default: about 20 a person and day]
    #[arg(long, value_name = "N", requires = "story")]
    events: Option<u64>,
    /// How the story differs: gateway, audit_at_base, no_history, slow, token_archives, office_provider or lost_day
    #[arg(long, value_name = "NAME", default_value = "none", hide_default_value = true, requires = "story")]
    variation: String,
}

pub(super) fn run(global: &Global, args: &StoryArgs, out: &Path, seed: u64) -> Result<Exit, Failure> {
    let variation: Variation = args.variation.parse().map_err(Failure::usage)?;
    let options = StoryOptions { out: out.to_owned(), seed, people: args.people, events: args.events, variation };
    options.validate().map_err(Failure::usage)?;
    let runtime = global.start_threads(None)?;
    let bar = ProgressBar::new_spinner();
    let shown = global.shows_progress(std::io::stderr().is_terminal());
    bar.set_draw_target(if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() });
    if let Ok(style) = ProgressStyle::with_template("{spinner} {human_pos} events  {per_sec}") {
        bar.set_style(style);
    }
    let started = std::time::Instant::now();
    let written = AtomicU64::new(0);
    let progress = |events| bar.set_position(written.fetch_add(events, Ordering::Relaxed) + events);
    let made = generate_story(&options, &progress).map_err(Failure::failed)?;
    bar.finish_and_clear();
    drop(runtime);
    if !global.is_quiet() {
        let seconds = started.elapsed().as_secs_f64();
        writeln!(
            std::io::stderr().lock(),
            "{} events and {} flow records in {} objects, {} in {}: {} days, {} labels; {:.1} s, {} events/s",
            count_text(made.events),
            count_text(made.flow_records),
            count_text(made.objects),
            bytes_text(made.bytes),
            options.out.display(),
            made.days,
            made.labels,
            seconds,
            count_text((made.events as f64 / seconds.max(1e-9)) as u64),
        )?;
    }
    Ok(Exit::Done)
}
