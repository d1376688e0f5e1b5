//! `flowsift detect`: from flow logs to findings and incidents.

mod exchange;
mod life;
mod options;
mod out;
mod page;
mod show;
mod stages;
mod summary;
mod told;

use super::exit::{Exit, Failure};
use super::options::input::{OpenedSource, warn};
use super::options::{Global, RunMemory};
use super::progress::Bar;
use super::stderr;
use crate::accesses::KeptAccesses;
use crate::detect::{self, Severity};
use crate::hours::{KeptHours, KeptTrouble, Pipeline};
use crate::incident::life::KeptIncidents;
use crate::incident::{self, Incident};
use crate::report::Summary;
use crate::source::{Store, WantedLogs};
use life::Life;
pub(super) use options::DetectArgs;
use out::{MANIFEST_FILE, Output, SUMMARY_FILE};
use show::{FindingsFormat, INCIDENTS_FILE, JSONL_FILE, PAGE_FILE, PARQUET_FILE};
use stages::{RunTimes, Stage, StageClock};
use std::mem::ManuallyDrop;
use std::sync::Arc;
use summary::WindowSpan;
use told::Teller;

/// The names of the files of `--out`, which listings leave out.
const OUT_FILES: [&str; 10] = [
    JSONL_FILE,
    PARQUET_FILE,
    INCIDENTS_FILE,
    PAGE_FILE,
    exchange::OCSF_FILE,
    exchange::OCSF_PARQUET_FILE,
    exchange::STIX_FILE,
    exchange::TIMESKETCH_FILE,
    SUMMARY_FILE,
    MANIFEST_FILE,
];

pub(super) fn run(global: &Global, args: &DetectArgs) -> Result<Exit, Failure> {
    let plan = args.read(global)?;
    let RunMemory { shared: memory, fetch } = global.memory()?;
    let runtime = global.start_threads(Some(memory.memory()))?;

    let mut clock = StageClock::start(Stage::List);
    let options = global.source_options();
    let mut out = match &args.out {
        Some(url) => {
            let store = runtime.block_on(Store::open(url, &options)).map_err(Failure::failed)?;
            Some(Output::new(store, &runtime))
        }
        None => None,
    };
    let OpenedSource { mut source, kept, kept_accesses, kept_unusable, state } =
        runtime.block_on(args.input.open(&args.sources, &plan.input, &options))?;
    if let Some(out) = &out {
        source.leave_out(out.store(), &OUT_FILES);
    }
    let pipeline = Pipeline {
        source,
        kept,
        kept_accesses,
        window: plan.input.window,
        zone: plan.input.zone,
        threads: global.threads(),
        fetch,
        memory: memory.memory().clone(),
        runtime: runtime.handle().clone(),
    };
    let listed = runtime.block_on(pipeline.list(WantedLogs::All)).map_err(Failure::failed)?;

    clock.enter(Stage::ScanAndRollup);
    let bar = Bar::new(global, listed.objects + listed.accesses.len() as u64, listed.bytes());
    let is_internal = |address| plan.input.internal.contains(address);
    let gathered = pipeline.gather(&listed, &is_internal, &bar);
    bar.clear();
    let mut hours = gathered.map_err(Failure::failed)?;

    for file in pipeline.kept.iter().flat_map(KeptHours::damaged) {
        stderr::tell(format_args!("warning: kept hours: {file}, so its logs were read again"));
    }

    clock.enter(Stage::Baselines);
    warn(&plan.allow.expired(hours.window.to_s - 1));
    warn(&plan.verdicts.expired(hours.window.to_s - 1));
    let kept_incidents = state.clone().map(|store| KeptIncidents::new(store, &args.sources));
    let life = Life::begin(&runtime, kept_incidents, plan.verdicts, plan.close_after_s, &mut hours);
    let teller = Teller::new(&runtime, &args.notify, plan.sinks, state, options);
    teller.begin(life.known());
    for name in &hours.damaged_flags {
        stderr::tell(format_args!("warning: {name}: damaged, so what it flagged may count as habit"));
    }
    for name in hours.accesses.kept.iter().flat_map(|kept| &kept.damaged) {
        stderr::tell(format_args!("warning: {name}: damaged, so what it kept is read again if the logs still hold it"));
    }
    let pair_hours = std::mem::take(&mut hours.gathered.pair_hours);
    let hour_rows = pair_hours.iter().map(|table| table.len() as u64).sum();
    let wanted = detect::wanted(&plan.detections);
    let derived = hours.derive(pair_hours, wanted, &is_internal, memory.memory()).map_err(Failure::failed)?;

    clock.enter(Stage::Detections);
    let context = detect::Context {
        window: hours.window,
        fdr: args.fdr,
        indicators: Arc::new(plan.input.indicators),
        networks: Arc::new(plan.input.networks),
        internal: Arc::new(plan.input.internal.clone()),
        allow: &plan.allow,
        verdicts: life.verdicts(),
        accesses: &hours.accesses,
        coverage: &hours.gathered.coverage,
        host_facts: &hours.host_facts,
        threads: global.threads(),
        memory: memory.clone(),
    };
    let found = runtime.block_on(detect::detect(&plan.detections, &derived, &context)).map_err(Failure::failed)?;
    // Never dropped: the process is about to end, and the system takes back millions of small pieces at once.
    let mut outcome = ManuallyDrop::new(found);

    clock.enter(Stage::Incidents);
    let (window, internal) = (hours.window, &plan.input.internal);
    let logs = &hours.accesses;
    let accesses = (!logs.is_empty()).then_some(incident::Accesses {
        hours: &logs.hours,
        principals: &logs.principals,
        ties: &logs.ties,
    });
    let context = incident::Context { window, internal, rates: life.rates(), accesses };
    let (fresh, notes) = incident::incidents(&mut outcome.findings, &derived, &context).map_err(Failure::failed)?;
    let monitored = derived.hosts.num_rows() as u64;
    let after = life.settle(fresh, &mut outcome.findings, &hours.window, monitored, &is_internal);

    if let Some(kept) = &pipeline.kept {
        let flagged = detect::flagged_pairs(&outcome.findings, &derived).map_err(Failure::failed)?;
        runtime.block_on(kept.save_flags(&hours.window, &args.sources, &flagged));
    }

    clock.enter(Stage::Report);
    let shown = outcome.at_least(args.min_severity);
    let least = args.min_severity;
    let shown_incidents: Vec<Incident> =
        after.incidents.iter().filter(|incident| incident.severity >= least).cloned().collect();
    let span = WindowSpan::of(&hours, &pipeline.window);
    let out_run = match &mut out {
        Some(out) => Some(out.put_findings(shown, &shown_incidents, &args.sources, span)?),
        None => None,
    };
    // A reader that closes stdout early misses the rest of it, but neither the summary nor the exit code. Any other failure
    // waits until the files are complete.
    let files = out_run.as_ref().map_or(&[][..], |run| &run.files);
    let mut printed = plan.show.findings(shown, &shown_incidents, files).or_else(Failure::unless_unread);
    for file in exchange::files(plan.show.format, shown, &shown_incidents, &is_internal)? {
        out.iter_mut().for_each(|out| out.put_file(&file));
        printed = printed.and_then(|()| file.show().or_else(Failure::unless_unread));
    }

    let keeps_hours = pipeline.kept.is_some();
    let (hours, derived, outcome) = (&hours, &derived, &*outcome);
    let memory = memory.memory();
    let untimed = RunTimes::default();
    let mut run = summary::FinishedRun {
        args,
        global,
        listed: &listed,
        hours,
        hour_rows,
        keeps_hours,
        derived,
        outcome,
        incidents: &after.incidents,
        incident_notes: &notes,
        incident_life: after.life,
        times: &untimed,
        memory,
        span,
        kept_trouble: kept_trouble(&pipeline, kept_unusable),
        run_id: out_run.as_ref().map(|run| run.run_id.clone()),
        sinks: Vec::new(),
    };
    if plan.show.format == FindingsFormat::Html {
        let page = page::page(&run, shown, &shown_incidents)?;
        out.iter_mut().for_each(|out| out.put_page(&page));
        printed = printed.and_then(|()| page.show(&plan.show).or_else(Failure::unless_unread));
    }
    run.sinks = teller.tell(&run)?;
    let times = clock.end();
    run.times = &times;
    let summary = run.summary();
    if let Some((out, run)) = out.as_mut().zip(out_run.as_ref()) {
        out.put_summary(&summary, run, &args.sources, span)?;
    }
    let unwritten = out.as_ref().and_then(Output::warning);
    tell(global, &summary, unwritten.as_deref())?;
    printed?;
    let partial = summary.is_partial() || unwritten.is_some();
    Ok(exit(outcome, args.fail_on, partial))
}

/// Returns what did not work with what is kept between runs, in one line.
fn kept_trouble(pipeline: &Pipeline, unusable: Option<String>) -> Option<String> {
    let of_hours = pipeline.kept.as_ref().and_then(KeptHours::trouble).as_ref().map(KeptTrouble::text);
    let of_accesses = pipeline.kept_accesses.as_ref().and_then(KeptAccesses::trouble);
    let told: Vec<String> = of_hours.into_iter().chain(of_accesses).chain(unusable).collect();
    (!told.is_empty()).then(|| told.join("; "))
}

/// Writes the summary and its warnings to stderr.
fn tell(global: &Global, summary: &Summary, unwritten: Option<&str>) -> Result<(), Failure> {
    if !global.is_quiet() {
        summary.write_text(std::io::stderr().lock()).map_err(Failure::from).or_else(Failure::unless_unread)?;
    }
    for warning in summary.warnings().iter().map(String::as_str).chain(unwritten) {
        stderr::tell(format_args!("warning: {warning}"));
    }
    Ok(())
}

fn exit(outcome: &detect::Outcome, fail_on: Option<Severity>, partial: bool) -> Exit {
    if fail_on.is_some_and(|least| !outcome.at_least(least).is_empty()) {
        Exit::Findings
    } else if partial {
        Exit::Partial
    } else {
        Exit::Done
    }
}
