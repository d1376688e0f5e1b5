//! `flowsift evaluate --suite`: runs the whole detector on scenarios, and judges its findings.

use crate::cli::exit::Failure;
use crate::cli::options::{Global, RunMemory};
use crate::detect::{self, Detection, Finding, Severity, WindowOptions};
use crate::hours::{Pipeline, Progress};
use crate::intel::{AllowList, InternalNetworks};
use crate::source::Source;
use corpus::suite::{
    BenignRate, Cell, CellLogs, CellResult, ClockResult, PeriodicResult, PeriodicService, Ranking, Recorded,
    SuiteResult, SuiteSize, cells, scenario_names, write_cell, write_periodic,
};
use flow::Address;
use rollup::derive::Wanted;
use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::Runtime;

/// The false-discovery rate of the suite's runs.
const FDR: f64 = 0.01;

/// RITA's score from which it calls a beacon high.
const RITA_HIGH: f64 = 0.9;

/// The name of the part with nothing but benign services, for `--scenario`.
const BENIGN: &str = "benign services";

/// The name of the part with sleepers beside schedules, for `--scenario`.
const CLOCKS: &str = "sleepers and schedules";

/// Hosts with each of the habits of [`CLOCKS`]: of the full suite and of the small one.
const CLOCK_HOSTS: [usize; 2] = [60, 10];

/// Hosts with nothing but benign services.
struct BenignCorpus {
    hosts: usize,
    days: u32,
    /// Days to judge and days of history before them, for each of two runs.
    judged: [(u32, u32); 2],
}

/// 10,000 host-days.
const FULL_BENIGN: BenignCorpus = BenignCorpus { hosts: 400, days: 25, judged: [(25, 0), (11, 14)] };

/// Small enough for a test.
const SMALL_BENIGN: BenignCorpus = BenignCorpus { hosts: 40, days: 9, judged: [(9, 0), (1, 8)] };

/// Which part of the suite is run.
#[derive(Clone, Debug)]
pub(super) struct SuiteOptions {
    /// Seed of all draws.
    pub(super) seed: u64,
    /// Fewer hosts, and the shorter scenarios only.
    pub(super) small: bool,
    /// Part of a scenario's name; all when empty.
    pub(super) scenario: String,
}

/// Runs the suite, and prints each finished cell to stderr.
pub(super) fn run(global: &Global, options: &SuiteOptions) -> Result<SuiteResult, Failure> {
    let bench = Bench { global, runtime: global.start_threads(None)?, folder: ScratchFolder::new()? };
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
    let corpus = if options.small { SMALL_BENIGN } else { FULL_BENIGN };
    for recorded in [Recorded::MINUTE, Recorded::ROUNDED_TEN] {
        let wanted = options.scenario.to_lowercase();
        let named = PeriodicService::all().iter().any(|service| service.name.to_lowercase().contains(&wanted));
        if named || BENIGN.contains(&wanted) {
            bench.benign(&corpus, recorded, options.seed, &mut result)?;
        }
    }
    if CLOCKS.contains(&options.scenario.to_lowercase()) {
        let hosts = CLOCK_HOSTS[usize::from(options.small)];
        let forms = [Recorded::MINUTE, Recorded::ROUNDED_MINUTE];
        for recorded in if options.small { &forms[..1] } else { &forms[..] } {
            result.clocks.extend(bench.clocks(hosts, *recorded, options.seed)?);
        }
    }
    if result.cells.is_empty() && result.benign.is_empty() && result.clocks.is_empty() {
        return Err(Failure::usage(format!(
            "--scenario `{}`: no scenario of the suite is called so; there are {}, {CLOCKS} and {BENIGN}",
            options.scenario,
            scenario_names(options.small).join(", ")
        )));
    }
    Ok(result)
}

/// The environment that cells are run in.
struct Bench<'a> {
    global: &'a Global,
    runtime: Runtime,
    folder: ScratchFolder,
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

    /// Judges hosts with nothing but benign services: every finding is false.
    fn benign(
        &self,
        corpus: &BenignCorpus,
        recorded: Recorded,
        seed: u64,
        result: &mut SuiteResult,
    ) -> Result<(), Failure> {
        let folder = self.folder.next("benign")?;
        let services = PeriodicService::all();
        let logs = write_periodic(&services, corpus.hosts, 24 * corpus.days, recorded, seed, &folder);
        let logs = logs.map_err(Failure::failed)?;
        for (judged_days, history_days) in corpus.judged {
            let from_s = (history_days > 0).then_some(logs.to_s - i64::from(judged_days) * 86_400);
            let judged = self.findings(&folder, from_s, &[FDR])?;
            let (rows, rate) = benign_result(&logs, &judged[0], recorded, history_days);
            let rate = BenignRate { host_days: f64::from(judged_days) * corpus.hosts as f64, ..rate };
            self.say(&format!(
                "benign services, {}, {history_days} d of history: {} findings of severity high or above on {:.0} host-days",
                rate.recorded, rate.alarms, rate.host_days
            ))?;
            result.periodic.extend(rows.into_iter().map(|row| PeriodicResult { host_days: rate.host_days, ..row }));
            result.benign.push(rate);
        }
        remove(&folder)
    }

    /// Judges one day of sleepers beside schedules, `hosts` hosts of each.
    fn clocks(&self, hosts: usize, recorded: Recorded, seed: u64) -> Result<Vec<ClockResult>, Failure> {
        let folder = self.folder.next("clocks")?;
        let habits = PeriodicService::clocks();
        let logs = write_periodic(&habits, hosts * habits.len(), 24, recorded, seed, &folder);
        let logs = logs.map_err(Failure::failed)?;
        let judged = self.findings(&folder, None, &[FDR])?;
        remove(&folder)?;
        let rows = clock_results(&habits, &logs, &judged[0], recorded);
        let least = rows.iter().map(|row| row.right).fold(1.0, f64::min);
        self.say(&format!("{CLOCKS}, {}: at least {least:.2} of each right", recorded.text()))?;
        Ok(rows)
    }

    /// Runs detection twice on the logs below a folder: without a rate, for the scores of all candidates, and with it.
    fn detect(&self, folder: &Path, from_s: Option<i64>) -> Result<Judged, Failure> {
        let mut both = self.findings(folder, from_s, &[1.0, FDR])?;
        let kept = both.pop().unwrap_or_default();
        Ok(Judged { all: both.pop().unwrap_or_default(), kept })
    }

    /// Returns the findings on the logs below a folder, at each of the rates.
    fn findings(&self, folder: &Path, from_s: Option<i64>, rates: &[f64]) -> Result<Vec<Vec<Finding>>, Failure> {
        let RunMemory { shared: memory, fetch } = self.global.memory()?;
        let spec = [folder.display().to_string()];
        let options = self.global.source_options();
        let pipeline = Pipeline {
            source: self.runtime.block_on(Source::open(&spec, &options)).map_err(Failure::failed)?,
            kept: None,
            window: WindowOptions { from_s, to_s: None, baseline_s: 365 * 86_400 },
            threads: self.global.threads(),
            fetch,
            memory: memory.memory().clone(),
            runtime: self.runtime.handle().clone(),
        };
        let internal = InternalNetworks::default();
        let is_internal = |address| internal.contains(address);
        let listed = self.runtime.block_on(pipeline.list()).map_err(Failure::failed)?;
        let mut hours = pipeline.gather(&listed.units, &is_internal, &Silent).map_err(Failure::failed)?;
        let pair_hours = std::mem::take(&mut hours.gathered.pair_hours);
        let detections: Vec<Detection> = detect::built_in().map_err(Failure::failed)?;
        // Cells hold only small connections on one port: only detections of timing can find anything in them.
        let wanted = if rates.len() == 1 { detect::wanted(&detections) } else { Wanted::default() };
        let derived = hours.derive(pair_hours, wanted, &is_internal, memory.memory()).map_err(Failure::failed)?;
        let allow = AllowList::default();
        let run = |fdr: f64| {
            let context = detect::Context {
                window: hours.window,
                fdr,
                indicators: Arc::default(),
                networks: Arc::default(),
                internal: Arc::default(),
                allow: &allow,
                coverage: &hours.gathered.coverage,
                host_facts: &hours.host_facts,
                threads: self.global.threads(),
                memory: memory.clone(),
            };
            let statistical: Vec<Detection> = detections.iter().filter(|d| d.discovery || fdr < 1.0).cloned().collect();
            self.runtime.block_on(detect::detect(&statistical, &derived, &context)).map_err(Failure::failed)
        };
        rates.iter().map(|fdr| Ok(run(*fdr)?.findings)).collect()
    }
}

/// Returns the findings about each service, and the number of those that would raise an alarm.
fn benign_result(
    logs: &CellLogs,
    findings: &[Finding],
    recorded: Recorded,
    history_days: u32,
) -> (Vec<PeriodicResult>, BenignRate) {
    let service_of: HashMap<(Address, Address), usize> =
        logs.periodic.iter().map(|&(host, other, service)| ((host, other), service)).collect();
    let row = |(kind, service): (usize, &PeriodicService)| PeriodicResult {
        service: service.name.to_owned(),
        recorded: recorded.text(),
        history_days,
        pairs: logs.periodic.iter().filter(|(_, _, of)| *of == kind).count(),
        findings: [0; 5],
        host_days: 0.0,
    };
    let mut rows: Vec<PeriodicResult> = PeriodicService::all().iter().enumerate().map(row).collect();
    let mut rate = BenignRate {
        recorded: recorded.text(),
        history_days,
        records: logs.records,
        host_days: 0.0,
        alarms: 0,
        alarms_by_detection: BTreeMap::new(),
        mediums: 0,
    };
    for finding in findings {
        if let Some(remote) = finding.remote
            && let Some(&kind) = service_of.get(&(finding.host, remote))
        {
            rows[kind].findings[finding.severity as usize] += 1;
        }
        rate.mediums += usize::from(finding.severity == Severity::Medium);
        if finding.severity >= Severity::High {
            rate.alarms += 1;
            *rate.alarms_by_detection.entry(finding.detection.clone()).or_default() += 1;
        }
    }
    (rows, rate)
}

/// Returns the highest severity of each pair, by habit.
fn clock_results(
    habits: &[PeriodicService],
    logs: &CellLogs,
    findings: &[Finding],
    recorded: Recorded,
) -> Vec<ClockResult> {
    let mut highest: HashMap<(Address, Address), Severity> = HashMap::new();
    for finding in findings {
        if let Some(remote) = finding.remote {
            let of_pair = highest.entry((finding.host, remote)).or_insert(finding.severity);
            *of_pair = finding.severity.max(*of_pair);
        }
    }
    let row = |(kind, habit): (usize, &PeriodicService)| {
        let pairs: Vec<_> = logs.periodic.iter().filter(|(_, _, of)| *of == kind).collect();
        let mut counts = [0; 5];
        for (host, other, _) in &pairs {
            counts[highest.get(&(*host, *other)).map_or(0, |severity| *severity as usize)] += 1;
        }
        let right: usize = if habit.sleeps() { counts[3..].iter().sum() } else { counts[..2].iter().sum() };
        ClockResult {
            habit: habit.name.to_owned(),
            recorded: recorded.text(),
            pairs: pairs.len(),
            highest: counts,
            right: right as f64 / pairs.len().max(1) as f64,
        }
    };
    habits.iter().enumerate().map(row).collect()
}

fn cell_result(cell: &Cell, logs: &CellLogs, judged: &Judged) -> CellResult {
    let mut best: HashMap<Address, (f64, f64)> = HashMap::new();
    let mut connections: HashMap<Address, usize> = HashMap::new();
    for finding in &judged.all {
        for host in hosts_of(finding) {
            let (score, rita) = best.entry(host).or_default();
            *score = score.max(finding.score);
            *rita = rita.max(number(finding, "rita_score"));
        }
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
            let about = |finding: &Finding| finding.severity >= Severity::Medium && hosts_of(finding).contains(host);
            judged.kept.iter().any(about)
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

/// Returns the host of a finding and all hosts that its evidence names.
fn hosts_of(finding: &Finding) -> Vec<Address> {
    let named = finding.evidence.get("hosts").and_then(serde_json::Value::as_array);
    let named = named.into_iter().flatten().filter_map(|host| host.as_str()?.parse().ok());
    std::iter::once(finding.host).chain(named).collect()
}

fn number(finding: &Finding, name: &str) -> f64 {
    finding.evidence.get(name).and_then(serde_json::Value::as_f64).unwrap_or(0.0)
}

/// Cells show no progress.
struct Silent;

impl Progress for Silent {
    fn object_done(&self, _: u64, _: u64) {}
}

/// A private folder below the system's temporary one, removed when dropped.
struct ScratchFolder(PathBuf);

impl ScratchFolder {
    fn new() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("flowsift-suite-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|error| Failure::failed_at(path.display(), error))?;
        Ok(Self(path))
    }

    /// Returns the path of a folder that does not exist yet.
    fn next(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.0.join(name);
        if path.exists() {
            remove(&path)?;
        }
        Ok(path)
    }
}

impl Drop for ScratchFolder {
    fn drop(&mut self) {
        // What is left is in the system's temporary folder: nothing depends on it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn remove(folder: &Path) -> Result<(), Failure> {
    std::fs::remove_dir_all(folder).map_err(|error| Failure::failed_at(folder.display(), error))
}
