//! `flowsift evaluate --suite`: runs the whole detector on scenarios, and judges its findings.

use super::suite_results::{Judged, benign_result, cell_result, habit_results};
use crate::accesses::AccessLogs;
use crate::cli::exit::Failure;
use crate::cli::options::{Global, RunMemory};
use crate::detect::{self, Detection, Finding, Severity, WindowOptions};
use crate::hours::{Pipeline, Progress};
use crate::intel::{AllowList, InternalNetworks, Verdicts};
use crate::source::{Source, WantedLogs};
use corpus::suite::{
    BenignRate, Cell, CellResult, HabitResult, PeriodicResult, PeriodicService, Recorded, SuiteResult, SuiteSize,
    cells, scenario_names, write_cell, write_periodic,
};
use rollup::derive::Wanted;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::Runtime;

/// The false-discovery rate of the suite's runs.
const FDR: f64 = 0.01;

/// The name of the part with nothing but benign services, for `--scenario`.
const BENIGN: &str = "benign services";

/// The name of the part with sleepers beside schedules, for `--scenario`.
const CLOCKS: &str = "sleepers and schedules";

/// The name of the part with operators at work beside clients in bursts.
const BURSTS: &str = "operators and clients";

/// Hosts with each of their habits: of the full suite and of the small one.
const HABIT_HOSTS: [usize; 2] = [60, 10];

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
        let habits = PeriodicService::clocks();
        result.clocks = bench.habits(CLOCKS, &habits, Severity::High, options)?;
    }
    if BURSTS.contains(&options.scenario.to_lowercase()) {
        let habits = PeriodicService::bursts();
        result.bursts = bench.habits(BURSTS, &habits, Severity::Medium, options)?;
    }
    let habits = result.clocks.len() + result.bursts.len();
    if result.cells.is_empty() && result.benign.is_empty() && habits == 0 {
        return Err(Failure::usage(format!(
            "--scenario `{}`: no scenario of the suite is called so; there are {}, {CLOCKS}, {BURSTS} and {BENIGN}",
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

    /// Judges one day of habits, each on hosts of its own: those of implants must reach a severity.
    fn habits(
        &self,
        name: &str,
        habits: &[PeriodicService],
        least: Severity,
        options: &SuiteOptions,
    ) -> Result<Vec<HabitResult>, Failure> {
        let hosts = HABIT_HOSTS[usize::from(options.small)] * habits.len();
        let forms = [Recorded::MINUTE, Recorded::ROUNDED_MINUTE];
        let mut results = Vec::new();
        for &recorded in if options.small { &forms[..1] } else { &forms[..] } {
            let folder = self.folder.next("habits")?;
            let logs = write_periodic(habits, hosts, 24, recorded, options.seed, &folder).map_err(Failure::failed)?;
            let judged = self.findings(&folder, None, &[FDR])?;
            remove(&folder)?;
            let rows = habit_results(habits, &logs, &judged[0], recorded, least);
            let worst = rows.iter().map(|row| row.right).fold(1.0, f64::min);
            self.say(&format!("{name}, {}: at least {worst:.2} of each right", recorded.text()))?;
            results.extend(rows);
        }
        Ok(results)
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
            kept_accesses: None,
            window: WindowOptions { from_s, baseline_s: 365 * 86_400, ..WindowOptions::default() },
            zone: None,
            threads: self.global.threads(),
            fetch,
            memory: memory.memory().clone(),
            runtime: self.runtime.handle().clone(),
        };
        let internal = InternalNetworks::default();
        let is_internal = |address| internal.contains(address);
        let listed = self.runtime.block_on(pipeline.list(WantedLogs::Flows)).map_err(Failure::failed)?;
        let mut hours = pipeline.gather(&listed, &is_internal, &Silent).map_err(Failure::failed)?;
        let pair_hours = std::mem::take(&mut hours.gathered.pair_hours);
        let detections: Vec<Detection> = detect::built_in().map_err(Failure::failed)?;
        // Cells hold only small connections on one port: only detections of timing can find anything in them.
        let wanted = if rates.len() == 1 { detect::wanted(&detections) } else { Wanted::default() };
        let derived = hours.derive(pair_hours, wanted, &is_internal, memory.memory()).map_err(Failure::failed)?;
        let (allow, verdicts) = (AllowList::default(), Verdicts::default());
        let run = |fdr: f64| {
            let context = detect::Context {
                window: hours.window,
                fdr,
                indicators: Arc::default(),
                networks: Arc::default(),
                internal: Arc::default(),
                allow: &allow,
                verdicts: &verdicts,
                accesses: &AccessLogs::default(),
                coverage: &hours.gathered.coverage,
                host_facts: &hours.host_facts,
                threads: self.global.threads(),
                memory: memory.clone(),
            };
            // In cells, every connection of a host has one size, on benign hosts as well.
            let fits = |d: &&Detection| rates.len() == 1 || (d.discovery || fdr < 1.0) && d.name != "equal_requests";
            let statistical: Vec<Detection> = detections.iter().filter(fits).cloned().collect();
            self.runtime.block_on(detect::detect(&statistical, &derived, &context)).map_err(Failure::failed)
        };
        rates.iter().map(|fdr| Ok(run(*fdr)?.findings)).collect()
    }
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
