//! What the findings of the suite's runs say about its cells.

use crate::detect::{Finding, Severity};
use corpus::suite::{
    BenignRate, Cell, CellLogs, CellResult, HabitResult, PeriodicResult, PeriodicService, Ranking, Recorded,
};
use flow::Address;
use std::collections::{BTreeMap, HashMap};

/// RITA's score from which it calls a beacon high.
const RITA_HIGH: f64 = 0.9;

/// Findings of one run with all candidates, and of one with those within the rate.
pub(super) struct Judged {
    pub(super) all: Vec<Finding>,
    pub(super) kept: Vec<Finding>,
}

/// Returns the findings about each service, and the number of those that would raise an alarm.
pub(super) fn benign_result(
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
        if let Some((host, remote)) = finding.host.zip(finding.remote)
            && let Some(&kind) = service_of.get(&(host, remote))
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

/// Returns the highest severity of each pair, by habit; implants must reach `least`, and services stay low.
pub(super) fn habit_results(
    habits: &[PeriodicService],
    logs: &CellLogs,
    findings: &[Finding],
    recorded: Recorded,
    least: Severity,
) -> Vec<HabitResult> {
    let mut highest: HashMap<(Address, Address), Severity> = HashMap::new();
    for finding in findings {
        if let Some((host, remote)) = finding.host.zip(finding.remote) {
            let of_pair = highest.entry((host, remote)).or_insert(finding.severity);
            *of_pair = finding.severity.max(*of_pair);
        }
    }
    let row = |(kind, habit): (usize, &PeriodicService)| {
        let pairs: Vec<_> = logs.periodic.iter().filter(|(_, _, of)| *of == kind).collect();
        let mut counts = [0; 5];
        for (host, other, _) in &pairs {
            counts[highest.get(&(*host, *other)).map_or(0, |severity| *severity as usize)] += 1;
        }
        let rights = if habit.is_implant() { &counts[least as usize..] } else { &counts[..=Severity::Low as usize] };
        let right: usize = rights.iter().sum();
        HabitResult {
            habit: habit.name.to_owned(),
            recorded: recorded.text(),
            pairs: pairs.len(),
            highest: counts,
            right: right as f64 / pairs.len().max(1) as f64,
        }
    };
    habits.iter().enumerate().map(row).collect()
}

pub(super) fn cell_result(cell: &Cell, logs: &CellLogs, judged: &Judged) -> CellResult {
    let mut best: HashMap<Address, (f64, f64)> = HashMap::new();
    let mut connections: HashMap<Address, usize> = HashMap::new();
    for finding in &judged.all {
        for host in hosts_of(finding) {
            let (score, rita) = best.entry(host).or_default();
            *score = score.max(finding.score);
            *rita = rita.max(number(finding, "rita_score"));
        }
        if let Some((host, _)) = finding.host.zip(finding.remote) {
            *connections.entry(host).or_default() += number(finding, "connections") as usize;
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
    let of_benign = |finding: &&Finding| finding.host.is_some_and(|host| logs.benign.contains(&host));
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
    finding.host.into_iter().chain(named).collect()
}

fn number(finding: &Finding, name: &str) -> f64 {
    finding.evidence.get(name).and_then(serde_json::Value::as_f64).unwrap_or(0.0)
}
