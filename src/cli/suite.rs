//! `flowsift evaluate --suite`: the detector on scenarios, through everything that detection is.

use super::exit::Failure;
use super::global::Global;
use crate::corpus::suite::{
    Cell, CellLogs, CellResult, PeriodicResult, PeriodicService, Ranking, Recorded, SuiteResult, SuiteSize, cells,
    write_cell, write_periodic,
};
use crate::detect::{self, Detection, Finding, Severity, WindowOptions};
use crate::flow::Address;
use crate::intel::{AllowList, InternalNetworks};
use crate::rollup::RollupOptions;
use crate::rollup::coverage::host_facts;
use crate::rollup::derive::derive;
use crate::scan::fetch::FetchOptions;
use crate::source::{Source, TimeRange, units};
use crate::state::{GatherOptions, Progress, gather};
use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::Runtime;

/// Share of false findings that the suite's findings are held to.
const FDR: f64 = 0.01;

/// RITA's score from which it calls a beacon high.
const RITA_HIGH: f64 = 0.9;

/// What of the suite is run.
#[derive(Clone, Debug)]
pub(super) struct SuiteOptions {
    /// Seed of all draws.
    pub(super) seed: u64,
    /// Fewer hosts, and the shorter scenarios only.
    pub(super) small: bool,
    /// Part of a scenario's name; all when empty.
    pub(super) scenario: String,
}

/// Runs the suite; cells are told on stderr as they are done.
pub(super) fn run(global: &Global, options: &SuiteOptions) -> Result<SuiteResult, Failure> {
    let bench = Bench { global, runtime: global.start_threads()?, folder: Folder::new()? };
    let size = if options.small { SuiteSize::SMALL } else { SuiteSize::FULL };
    let mut result = SuiteResult { seed: options.seed, hosts: (size.implants, size.benign), ..SuiteResult::default() };
    let cells = cells(&options.scenario, options.small, options.seed);
    let count = cells.len();
    for (at, cell) in cells.iter().enumerate() {
        let judged = bench.cell(cell)?;
        bench.say(&format!(
            "{:>3} of {count}  {:<45} {:<9} recall at 1 % {:.2}, RITA {:.2}",
            at + 1,
            judged.scenario,
            judged.recorded,
            judged.recall_at_hundredth,
            judged.rita_recall_at_hundredth
        ))?;
        result.cells.push(judged);
    }
    let (hosts, hours) = if options.small { (40, 24) } else { (400, 5 * 24) };
    for recorded in [Recorded::MINUTE, Recorded::ROUNDED_TEN] {
        if PeriodicService::all().iter().any(|service| service.name.contains(&options.scenario)) {
            result.periodic.extend(bench.periodic(hosts, hours, recorded, options.seed)?);
        }
    }
    if result.cells.is_empty() && result.periodic.is_empty() {
        return Err(Failure::usage(format!(
            "--scenario `{}`: no scenario of the suite is called so",
            options.scenario
        )));
    }
    Ok(result)
}

/// Where cells are run.
struct Bench<'a> {
    global: &'a Global,
    runtime: Runtime,
    folder: Folder,
}

/// Findings of one run with all candidates, and of one with those within the rate.
struct Judged {
    all: Vec<Finding>,
    kept: Vec<Finding>,
}

impl Bench<'_> {
    fn say(&self, line: &str) -> Result<(), Failure> {
        if !self.global.is_quiet() {
            writeln!(std::io::stderr(), "{line}")?;
        }
        Ok(())
    }

    fn cell(&self, cell: &Cell) -> Result<CellResult, Failure> {
        let folder = self.folder.next("cell")?;
        let logs = write_cell(cell, &folder).map_err(Failure::failed)?;
        let judged_s = i64::from(cell.scenario.judged_hours) * 3600;
        let from_s = (cell.scenario.judged_hours < cell.scenario.hours).then_some(logs.to_s - judged_s);
        let judged = self.detect(&folder, from_s)?;
        remove(&folder)?;
        Ok(cell_result(cell, &logs, &judged))
    }

    fn periodic(
        &self,
        hosts: usize,
        hours: u32,
        recorded: Recorded,
        seed: u64,
    ) -> Result<Vec<PeriodicResult>, Failure> {
        let folder = self.folder.next("periodic")?;
        let logs = write_periodic(hosts, hours, recorded, seed, &folder).map_err(Failure::failed)?;
        let judged = self.detect(&folder, None)?;
        remove(&folder)?;
        let service_of: HashMap<(Address, Address), usize> =
            logs.periodic.iter().map(|&(host, other, service)| ((host, other), service)).collect();
        let mut rows: Vec<PeriodicResult> = PeriodicService::all()
            .iter()
            .enumerate()
            .map(|(kind, service)| PeriodicResult {
                service: service.name.to_owned(),
                recorded: recorded.text(),
                pairs: logs.periodic.iter().filter(|(_, _, of)| *of == kind).count(),
                findings: [0; 5],
                host_days: hosts as f64 * f64::from(hours) / 24.0,
            })
            .collect();
        for finding in &judged.kept {
            if let Some(remote) = finding.remote
                && let Some(&kind) = service_of.get(&(finding.host, remote))
            {
                rows[kind].findings[finding.severity as usize] += 1;
            }
        }
        Ok(rows)
    }

    /// Detection on the logs below a folder, twice: once without a rate, for the scores of all, and once with.
    fn detect(&self, folder: &Path, from_s: Option<i64>) -> Result<Judged, Failure> {
        let (memory, fetch_bytes) = self.global.memory()?;
        let spec = [folder.display().to_string()];
        let options = self.global.source_options();
        let source = self.runtime.block_on(Source::open(&spec, &options)).map_err(Failure::failed)?;
        let range = TimeRange { from_s: None, to_s: None };
        let listing = self.runtime.block_on(source.list(&range)).map_err(Failure::failed)?;
        let units = units(listing.objects);
        let options = GatherOptions {
            threads: self.global.threads(),
            rollup: RollupOptions::default(),
            fetch: FetchOptions { budget_bytes: fetch_bytes, ..FetchOptions::default() },
            memory: memory.memory().clone(),
        };
        let internal = InternalNetworks::default();
        let is_internal = |address| internal.contains(address);
        let handle = self.runtime.handle();
        let mut gathered =
            gather(handle, &source.reader(), &units, None, &options, &is_internal, &Silent).map_err(Failure::failed)?;
        let window = WindowOptions { from_s, to_s: None, baseline_s: 365 * 86_400 };
        let (window, _) = detect::choose_window(&window, gathered.hours());
        let facts = host_facts(&gathered.coverage);
        let pair_hours = std::mem::take(&mut gathered.pair_hours);
        let facts_of = |name: &str| facts.get(name).cloned();
        let derived =
            derive(&pair_hours, &window, &is_internal, &facts_of, memory.memory()).map_err(Failure::failed)?;
        drop(pair_hours);
        let detections: Vec<Detection> = detect::built_in().map_err(Failure::failed)?;
        let allow = AllowList::default();
        let run = |fdr: f64| {
            let context = detect::Context {
                window,
                fdr,
                indicators: Arc::default(),
                networks: Arc::default(),
                internal: Arc::default(),
                allow: &allow,
                coverage: &gathered.coverage,
                host_facts: &facts,
                threads: self.global.threads(),
                memory: memory.clone(),
            };
            let statistical: Vec<Detection> = detections.iter().filter(|d| d.discovery || fdr < 1.0).cloned().collect();
            self.runtime.block_on(detect::detect(&statistical, &derived, &context)).map_err(Failure::failed)
        };
        Ok(Judged { all: run(1.0)?.findings, kept: run(FDR)?.findings })
    }
}

fn cell_result(cell: &Cell, logs: &CellLogs, judged: &Judged) -> CellResult {
    let mut best: HashMap<Address, (f64, f64)> = HashMap::new();
    let mut connections: HashMap<Address, usize> = HashMap::new();
    for finding in &judged.all {
        let (score, rita) = best.entry(finding.host).or_default();
        *score = score.max(finding.score);
        *rita = rita.max(number(finding, "rita_score"));
        if finding.remote.is_some() {
            *connections.entry(finding.host).or_default() += number(finding, "connections") as usize;
        }
    }
    let scores = |hosts: &[Address], pick: fn(&(f64, f64)) -> f64| -> Vec<f64> {
        hosts.iter().map(|host| best.get(host).map_or(0.0, pick)).collect()
    };
    let (ours, rita) = (|both: &(f64, f64)| both.0, |both: &(f64, f64)| both.1);
    let alarming = |hosts: &[Address]| {
        let found = |host: &&Address| {
            judged.kept.iter().any(|finding| finding.host == **host && finding.severity >= Severity::Medium)
        };
        hosts.iter().filter(found).count() as f64 / hosts.len().max(1) as f64
    };
    let high =
        |scores: &[f64]| scores.iter().filter(|score| **score >= RITA_HIGH).count() as f64 / scores.len().max(1) as f64;
    let (rita_of_implants, rita_of_benign) = (scores(&logs.implants, rita), scores(&logs.benign, rita));
    let mut counts: Vec<usize> = logs.implants.iter().map(|host| connections.get(host).copied().unwrap_or(0)).collect();
    counts.sort_unstable();
    let of_benign = |finding: &&Finding| logs.benign.contains(&finding.host);
    let result = CellResult {
        scenario: cell.scenario.name.to_owned(),
        recorded: cell.recorded.text(),
        connections: counts.get(counts.len() / 2).copied().unwrap_or(0),
        recall: alarming(&logs.implants),
        false_share: alarming(&logs.benign),
        recall_at_hundredth: 0.0,
        auc: 0.5,
        rita_recall: high(&rita_of_implants),
        rita_false_share: high(&rita_of_benign),
        rita_recall_at_hundredth: 0.0,
        rita_auc: 0.5,
        benign_p_values: judged.all.iter().filter(of_benign).filter_map(|finding| finding.p_value).collect(),
    };
    let of_ours = Ranking::of(&scores(&logs.implants, ours), &scores(&logs.benign, ours));
    match (of_ours, Ranking::of(&rita_of_implants, &rita_of_benign)) {
        (Some(ours), Some(rita)) => result.ranked(&ours, &rita),
        _ => result,
    }
}

fn number(finding: &Finding, name: &str) -> f64 {
    finding.evidence.get(name).and_then(serde_json::Value::as_f64).unwrap_or(0.0)
}

/// Nobody watches the cells.
struct Silent;

impl Progress for Silent {
    fn object_done(&self, _: u64, _: u64) {}
}

/// A folder of this run's own below the system's temporary one, gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("flowsift-suite-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?;
        Ok(Self(path))
    }

    /// An empty folder.
    fn next(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.0.join(name);
        if path.exists() {
            remove(&path)?;
        }
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is in the system's temporary folder: nothing depends on it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn remove(folder: &Path) -> Result<(), Failure> {
    std::fs::remove_dir_all(folder).map_err(|error| Failure::failed(format!("{}: {error}", folder.display())))
}
