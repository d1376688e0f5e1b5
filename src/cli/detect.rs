//! `flowsift detect`: from flow logs to findings.

use super::exit::{Exit, Failure};
use super::global::Global;
use super::progress::Bar;
use super::show::{Format, OUT_FILES, SUMMARY_FILE, Show, findings_files};
use super::stages::Stages;
use crate::detect::{self, Severity, WindowOptions};
use crate::flow::Network;
use crate::flow::time::{parse_duration_s, parse_time};
use crate::intel::{AllowList, Indicators, InternalNetworks, Networks, Warning};
use crate::report::{Baseline, BaselineKind, ObjectCounts, SkippedObject, Summary};
use crate::rollup::RollupOptions;
use crate::rollup::coverage::host_facts;
use crate::rollup::derive::{Derived, derive};
use crate::scan::fetch::FetchOptions;
use crate::source::{Grain, PutMode, Source, Store, TimeRange, Unit, units};
use crate::state::{GatherOptions, Gathered, KeptHours, gather, settings_hash};
use clap::Args;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use tracing::{Span, info_span};

/// Find beacons and bulk egress in flow logs, with evidence
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  flowsift detect datasets/demo\n  \
    flowsift detect s3://flow-logs/AWSLogs --from 24h --state s3://findings/state --indicators feodo.csv --out s3://findings/today")]
pub(super) struct DetectArgs {
    /// s3://bucket/prefix, folder, file or glob; AWSLogs/ is found anywhere below
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<String>,
    /// Begin of the window judged: RFC 3339, a date, or relative such as 24h [default: all there is]
    #[arg(long, value_name = "T")]
    from: Option<String>,
    /// End of the window [default: the end of the logs]
    #[arg(long, value_name = "T")]
    to: Option<String>,
    /// History before the window to learn what is normal from
    #[arg(long, value_name = "D", default_value = "14d")]
    baseline: String,
    /// Folder or s3:// URL that keeps hours between runs: unchanged partitions are not read again
    #[arg(long, value_name = "URL")]
    state: Option<String>,
    /// Feed of bad addresses: list, CIDR list, Feodo CSV; may be given several times
    #[arg(long, value_name = "FILE")]
    indicators: Vec<PathBuf>,
    /// Owners of networks: AWS ip-ranges.json or CSV; may be given several times
    #[arg(long, value_name = "FILE")]
    networks: Vec<PathBuf>,
    /// Monitored network; may be given several times [default: RFC 1918, 100.64.0.0/10, fc00::/7]
    #[arg(long, value_name = "CIDR")]
    internal: Vec<Network>,
    /// What is known to be fine: findings are lowered with the reason; may be given several times
    #[arg(long, value_name = "FILE")]
    allow: Vec<PathBuf>,
    /// Folder of further detections (*.sql); one of a built-in's name replaces it
    #[arg(long, value_name = "DIR")]
    detections: Option<PathBuf>,
    /// Folder or s3:// URL for findings.jsonl, findings.parquet and summary.json
    #[arg(long, value_name = "DIR|URL")]
    out: Option<String>,
    /// Format on stdout [default: table on a terminal, jsonl in a pipe]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// Leave out findings below this severity
    #[arg(long, value_name = "S", default_value_t = Severity::Low)]
    min_severity: Severity,
    /// End with exit code 4 when there are findings of this severity or above
    #[arg(long, value_name = "S")]
    fail_on: Option<Severity>,
    /// Highest share of false findings among statistical ones
    #[arg(long, value_name = "SHARE", default_value_t = 0.01)]
    fdr: f64,
    /// Rows of the table on a terminal; 0 for all
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
}

/// Everything the options name, read and checked before any log is.
struct Plan {
    window: WindowOptions,
    indicators: Indicators,
    networks: Networks,
    allow: AllowList,
    internal: InternalNetworks,
    internal_text: Vec<String>,
    detections: Vec<detect::Detection>,
}

pub(super) fn run(global: &Global, args: &DetectArgs) -> Result<Exit, Failure> {
    let stdout_terminal = std::io::stdout().is_terminal();
    let format = args.format.unwrap_or(if stdout_terminal { Format::Table } else { Format::Jsonl });
    if format == Format::Parquet && stdout_terminal {
        return Err(Failure::usage("--format parquet writes binary data: redirect stdout to a file, or use --out"));
    }
    if !(args.fdr > 0.0 && args.fdr < 1.0) {
        return Err(Failure::usage(format!("--fdr {}: expected a share between 0 and 1, such as 0.01", args.fdr)));
    }
    let plan = plan(args)?;
    let (memory, fetch_bytes) = global.memory()?;
    let runtime = global.start_threads_with(Some(memory.memory().clone()))?;
    let mut clock = Stages::start(info_span!("list"));
    let options = global.source_options();
    let out = match &args.out {
        Some(url) => Some(runtime.block_on(Store::open(url, &options)).map_err(Failure::failed)?),
        None => None,
    };
    let settings = settings_hash(plan.internal_text.iter().map(String::as_str));
    let kept = match &args.state {
        Some(url) => {
            let store = runtime.block_on(Store::open(url, &options)).map_err(Failure::failed)?;
            Some((store.clone(), KeptHours::new(store, settings)))
        }
        None => None,
    };
    let mut source = runtime.block_on(Source::open(&args.sources, &options)).map_err(Failure::failed)?;
    if let Some((store, _)) = &kept {
        source.leave_out(store, KeptHours::FOLDERS);
    }
    if let Some(store) = &out {
        source.leave_out(store, &OUT_FILES);
    }
    let kept = kept.map(|(_, kept)| kept);
    let range = TimeRange { from_s: plan.window.earliest_s(), to_s: plan.window.latest_s() };
    let grain = if kept.is_some() { Grain::Unit } else { Grain::Object };
    let listing = runtime.block_on(source.list_by(&range, grain)).map_err(Failure::failed)?;
    let listed = listing.objects.len() as u64;
    let (pruned, not_parquet) = (listing.pruned_objects, listing.other_objects);
    let units = units(listing.objects);
    clock.end_of("list", info_span!("scan and rollup"));

    let bar = Bar::new(global, listed, units.iter().map(Unit::bytes).sum());
    let unbounded = RollupOptions::default();
    let bounded = RollupOptions { from_s: plan.window.earliest_s(), to_s: plan.window.latest_s() };
    let gather_options = GatherOptions {
        threads: global.threads(),
        rollup: if kept.is_some() { unbounded } else { bounded },
        fetch: FetchOptions { budget_bytes: fetch_bytes, ..FetchOptions::default() },
        memory: memory.memory().clone(),
    };
    let is_internal = |address| plan.internal.contains(address);
    let gathered =
        gather(runtime.handle(), &source.reader(), &units, kept.as_ref(), &gather_options, &is_internal, &bar);
    bar.clear();
    let mut gathered = gathered.map_err(Failure::failed)?;
    clock.end_of("scan and rollup", info_span!("baselines"));

    let (hours, facts) = rayon::join(|| gathered.hours(&plan.window), || host_facts(&gathered.coverage));
    let (window, kind) = detect::choose_window(&plan.window, hours);
    warn(&plan.allow.expired(window.to_s - 1))?;
    let pair_hours = std::mem::take(&mut gathered.pair_hours);
    let facts_of = |name: &str| facts.get(name).cloned();
    let wanted = detect::wanted(&plan.detections);
    let hour_rows = pair_hours.iter().map(|table| table.len() as u64).sum();
    let derived =
        derive(pair_hours, &window, wanted, &is_internal, &facts_of, memory.memory()).map_err(Failure::failed)?;
    clock.end_of("baselines", info_span!("detections"));

    let context = detect::Context {
        window,
        fdr: args.fdr,
        indicators: Arc::new(plan.indicators),
        networks: Arc::new(plan.networks),
        internal: Arc::new(plan.internal.clone()),
        allow: &plan.allow,
        coverage: &gathered.coverage,
        host_facts: &facts,
        threads: global.threads(),
        memory: memory.clone(),
    };
    let outcome = runtime.block_on(detect::detect(&plan.detections, &derived, &context)).map_err(Failure::failed)?;
    clock.end_of("detections", info_span!("report"));

    let shown = outcome.at_least(args.min_severity);
    let files = match &out {
        Some(store) => {
            let files = findings_files(shown)?;
            for file in &files {
                let put = store.put(file.name, file.bytes.clone(), PutMode::Overwrite);
                runtime.block_on(put).map_err(Failure::failed)?;
            }
            files.to_vec()
        }
        None => Vec::new(),
    };
    let show = Show { format, rows: args.limit, terminal: stdout_terminal };
    // Who stops reading misses no more than what is left: the summary and the exit code still come.
    show.findings(shown, &files).or_else(Failure::unless_unread)?;
    clock.end_of("report", Span::none());

    let mut summary = summarise(args, global, &gathered, &derived, &outcome, &clock);
    summary.pair_hours = hour_rows;
    summary.spilled_bytes = memory.memory().spilled_bytes();
    summary.spill_dir = (summary.spilled_bytes > 0).then(|| global.spill_dir());
    summary.objects.listed = listed;
    summary.objects.pruned = pruned;
    summary.objects.not_parquet = not_parquet;
    summary.window_start_s = window.from_s;
    summary.window_end_s = window.to_s;
    summary.baseline = Baseline {
        kind: match kind {
            detect::BaselineKind::Itself => BaselineKind::Window,
            _ if kept.is_some() => BaselineKind::History,
            _ => BaselineKind::BeforeFrom,
        },
        from_s: window.baseline_from_s,
        to_s: if window.has_history() { window.from_s } else { window.to_s },
    };
    let shares = &outcome.coverage;
    summary.coverage_share = (!shares.is_empty()).then(|| shares.values().sum::<f64>() / shares.len() as f64);
    if let Some(store) = &out {
        let mut json = Vec::new();
        summary.write_json(&mut json)?;
        let put = store.put(SUMMARY_FILE, json.into(), PutMode::Overwrite);
        runtime.block_on(put).map_err(Failure::failed)?;
    }
    if !global.is_quiet() {
        summary.write_text(std::io::stderr().lock()).map_err(Failure::from).or_else(Failure::unless_unread)?;
    }
    if let Some(warning) = summary.warning() {
        let told = writeln!(std::io::stderr().lock(), "warning: {warning}");
        told.map_err(Failure::from).or_else(Failure::unless_unread)?;
    }
    let alarming = args.fail_on.is_some_and(|least| !outcome.at_least(least).is_empty());
    // The process ends here, and the system takes back millions of small pieces at once.
    std::mem::forget(outcome);
    Ok(match (alarming, gathered.skipped.is_empty()) {
        (true, _) => Exit::Findings,
        (false, false) => Exit::Partial,
        (false, true) => Exit::Done,
    })
}

fn plan(args: &DetectArgs) -> Result<Plan, Failure> {
    let now_s = chrono::Utc::now().timestamp();
    let time = |name: &str, text: &Option<String>| -> Result<Option<i64>, Failure> {
        let parsed = text.as_deref().map(|text| parse_time(text, now_s)).transpose();
        parsed.map_err(|error| Failure::usage(format!("--{name}: {error}")))
    };
    let (from_s, to_s) = (time("from", &args.from)?, time("to", &args.to)?);
    if let (Some(from_s), Some(to_s)) = (from_s, to_s)
        && from_s >= to_s
    {
        return Err(Failure::usage("--from must be before --to"));
    }
    let baseline_s =
        parse_duration_s(&args.baseline).map_err(|error| Failure::usage(format!("--baseline: {error}")))?;
    let indicators = Indicators::load(&args.indicators).map_err(Failure::usage)?;
    let networks = Networks::load(&args.networks).map_err(Failure::usage)?;
    let allow = AllowList::load(&args.allow).map_err(Failure::usage)?;
    warn(indicators.warnings())?;
    warn(networks.warnings())?;
    let (internal, internal_text) = internal(&args.internal);
    let mut detections = detect::built_in().map_err(Failure::failed)?;
    if let Some(folder) = &args.detections {
        for own in detect::from_folder(folder).map_err(Failure::usage)? {
            detections.retain(|detection| detection.name != own.name);
            detections.push(own);
        }
        detections.sort_by(|a, b| a.name.cmp(&b.name));
    }
    if let Some(unknown) = allow.detections().iter().find(|name| !detections.iter().any(|d| d.name == **name)) {
        let known: Vec<&str> = detections.iter().map(|d| d.name.as_str()).collect();
        return Err(Failure::usage(format!("--allow: no detection `{unknown}`; known are {}", known.join(", "))));
    }
    if let Some(entry) = allow.asks_owner().filter(|_| networks.is_empty()) {
        let place = format!("{}:{}", entry.path.display(), entry.line);
        return Err(Failure::usage(format!(
            "--allow: {place} asks for an owner: name owners' networks with --networks"
        )));
    }
    let window = WindowOptions { from_s, to_s, baseline_s };
    Ok(Plan { window, indicators, networks, allow, internal, internal_text, detections })
}

/// The internal networks, and what kept hours know them by.
pub(super) fn internal(networks: &[Network]) -> (InternalNetworks, Vec<String>) {
    if networks.is_empty() {
        return (InternalNetworks::default(), vec!["default".to_owned()]);
    }
    let mut text: Vec<String> = networks.iter().map(Network::to_string).collect();
    text.sort_unstable();
    (InternalNetworks::new(networks), text)
}

pub(super) fn warn(warnings: &[Warning]) -> Result<(), Failure> {
    let mut err = std::io::stderr().lock();
    warnings.iter().try_for_each(|warning| writeln!(err, "warning: {warning}"))?;
    Ok(())
}

fn summarise(
    args: &DetectArgs,
    global: &Global,
    gathered: &Gathered,
    derived: &Derived,
    outcome: &detect::Outcome,
    clock: &Stages,
) -> Summary {
    let total_seconds = clock.begun.elapsed().as_secs_f64();
    let scan_seconds = clock.stages.iter().take(2).map(|stage| stage.seconds).sum::<f64>();
    let mut summary = Summary {
        flowsift_version: env!("CARGO_PKG_VERSION").to_owned(),
        sources: args.sources.clone(),
        objects: ObjectCounts {
            read: gathered.objects_read,
            reused: gathered.objects_reused,
            skipped: gathered.skipped.len() as u64,
            ..ObjectCounts::default()
        },
        skipped_objects: gathered
            .skipped
            .iter()
            .map(|skipped| SkippedObject { object: skipped.object.clone(), reason: skipped.reason.clone() })
            .collect(),
        rows: gathered.counts.rows,
        nodata_rows: gathered.counts.nodata,
        skipdata_rows: gathered.counts.skipdata,
        unusable_rows: gathered.counts.unusable,
        bytes_read: gathered.bytes_read,
        hosts: derived.hosts.num_rows() as u64,
        pairs: derived.pairs.rows() as u64,
        destinations: derived.destinations.num_rows() as u64,
        transit_records: gathered.counts.transit,
        knock_records: gathered.counts.knocks,
        doubly_logged_hours: gathered.counts.doubled,
        candidates_tested: outcome.candidates,
        fdr: args.fdr,
        expected_false_beacons: outcome.expected_false,
        stages: clock.stages.clone(),
        total_seconds,
        rows_per_s: if scan_seconds > 0.0 { gathered.rows_read as f64 / total_seconds.max(1e-9) } else { 0.0 },
        peak_memory_bytes: peak_memory_bytes(),
        threads: global.threads() as u64,
        ..Summary::default()
    };
    for finding in &outcome.findings {
        *summary.findings_by_detection.entry(finding.detection.clone()).or_default() += 1;
        *summary.findings_by_severity.entry(finding.severity).or_default() += 1;
    }
    summary
}

/// Most memory the process had at any time, where the system tells.
pub(super) fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1_024)
}
