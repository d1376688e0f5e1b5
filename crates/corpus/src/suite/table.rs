//! The results of the suite as tables.

use super::ranking::Ranking;
use flow::units::count_text;
use serde::Serialize;
use std::collections::BTreeMap;

/// The measurements of one cell.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CellResult {
    /// Name of the scenario.
    pub scenario: String,
    /// Form of the log.
    pub recorded: String,
    /// Median number of connections of an implant.
    pub connections: usize,
    /// Share of implants with a finding of severity medium or above.
    pub recall: f64,
    /// Share of benign hosts with such a finding.
    pub false_share: f64,
    /// Share of implants that score above all but one in a hundred of the benign hosts.
    pub recall_at_hundredth: f64,
    /// Area under the curve of our score.
    pub auc: f64,
    /// Share of implants that RITA's score puts at 0.9 or above.
    pub rita_recall: f64,
    /// Share of benign hosts that RITA's score puts at 0.9 or above.
    pub rita_false_share: f64,
    /// The share of implants found, by RITA's score.
    pub rita_recall_at_hundredth: f64,
    /// Area under the curve of RITA's score.
    pub rita_auc: f64,
    /// p-values of the benign pairs that were judged.
    #[serde(skip)]
    pub benign_p_values: Vec<f64>,
}

impl CellResult {
    /// Joins the rankings of both scores.
    pub fn ranked(mut self, ours: &Ranking, rita: &Ranking) -> Self {
        (self.auc, self.recall_at_hundredth) = (ours.auc, ours.recall_at_hundredth);
        (self.rita_auc, self.rita_recall_at_hundredth) = (rita.auc, rita.recall_at_hundredth);
        self
    }
}

/// The findings about one periodic benign service.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PeriodicResult {
    /// Name of the service.
    pub service: String,
    /// Form of the log.
    pub recorded: String,
    /// Days of history before the judged ones; 0 when all days are judged by themselves.
    pub history_days: u32,
    /// Pairs of host and remote.
    pub pairs: usize,
    /// Findings about them by severity: informational, low, medium, high, critical.
    pub findings: [usize; 5],
    /// Host-days judged, over all services together.
    pub host_days: f64,
}

/// The severities of one habit, of an implant or of a service that resembles it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HabitResult {
    /// Name of the habit.
    pub habit: String,
    /// Form of the log.
    pub recorded: String,
    /// Pairs of host and remote.
    pub pairs: usize,
    /// Pairs by their highest severity: none or informational, low, medium, high, critical.
    pub highest: [usize; 5],
    /// Share of pairs that are right: sleepers high or above, operators medium or above, services low or below.
    pub right: f64,
}

/// Findings of severity high or above about hosts with only benign services.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BenignRate {
    /// Form of the log.
    pub recorded: String,
    /// Days of history before the judged ones; 0 when all days are judged by themselves.
    pub history_days: u32,
    /// Flow records.
    pub records: u64,
    /// Host-days judged.
    pub host_days: f64,
    /// Findings of severity high or above, of any detection.
    pub alarms: usize,
    /// The same by detection.
    pub alarms_by_detection: BTreeMap<String, usize>,
    /// Findings of severity medium, of any detection.
    pub mediums: usize,
}

impl BenignRate {
    /// Findings of severity high or above in a thousand host-days.
    pub fn per_thousand(&self) -> f64 {
        1000.0 * self.alarms as f64 / self.host_days.max(1e-9)
    }
}

/// Everything the suite measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SuiteResult {
    /// Seed of all draws.
    pub seed: u64,
    /// Hosts with implants and benign hosts of each cell.
    pub hosts: (usize, usize),
    /// Scenarios, in order.
    pub cells: Vec<CellResult>,
    /// Sleepers beside schedules.
    pub clocks: Vec<HabitResult>,
    /// Operators at work beside benign clients in bursts.
    pub bursts: Vec<HabitResult>,
    /// Periodic benign services.
    pub periodic: Vec<PeriodicResult>,
    /// All findings about hosts with only benign services.
    pub benign: Vec<BenignRate>,
}

impl SuiteResult {
    /// p-values of benign pairs by form of the log, in the order of the table.
    pub(super) fn benign_p_values(&self) -> Vec<(&str, Vec<f64>)> {
        let mut forms: Vec<(&str, Vec<f64>)> = Vec::new();
        for cell in &self.cells {
            let at = forms.iter().position(|(form, _)| *form == cell.recorded).unwrap_or_else(|| {
                forms.push((&cell.recorded, Vec::new()));
                forms.len() - 1
            });
            forms[at].1.extend(&cell.benign_p_values);
        }
        forms
    }
}

/// Levels at which expected and observed false positives are compared.
const DEPTHS: [f64; 5] = [0.1, 0.01, 1e-3, 1e-4, 1e-5];

/// Writes the tables as Markdown, one string per line.
pub fn suite_table(result: &SuiteResult) -> Vec<String> {
    let mut lines = Vec::new();
    if !result.cells.is_empty() {
        lines.push(
            "| scenario | log | connections | found | false | recall at 1 % | AUC | RITA found | RITA false | RITA recall at 1 % | RITA AUC |"
                .to_owned(),
        );
        lines.push("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |".to_owned());
        for cell in &result.cells {
            lines.push(format!(
                "| {} | {} | {} | {:.2} | {:.3} | **{:.2}** | {:.3} | {:.2} | {:.3} | {:.2} | {:.3} |",
                cell.scenario,
                cell.recorded,
                cell.connections,
                cell.recall,
                cell.false_share,
                cell.recall_at_hundredth,
                cell.auc,
                cell.rita_recall,
                cell.rita_false_share,
                cell.rita_recall_at_hundredth,
                cell.rita_auc,
            ));
        }
        lines.push(String::new());
        lines.extend(calibration(result));
    }
    for (title, rows) in [("sleeper or schedule", &result.clocks), ("operator or client", &result.bursts)] {
        if rows.is_empty() {
            continue;
        }
        lines.push(format!("| {title} | log | pairs | none | low | medium | high | critical | right |"));
        lines.push("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |".to_owned());
        for row in rows {
            let [none, low, medium, high, critical] = row.highest;
            lines.push(format!(
                "| {} | {} | {} | {none} | {low} | {medium} | {high} | {critical} | **{:.2}** |",
                row.habit, row.recorded, row.pairs, row.right
            ));
        }
        lines.push(String::new());
    }
    if !result.periodic.is_empty() {
        lines.push(
            "| benign service | log | history | pairs | informational | low | medium | high | critical |".to_owned(),
        );
        lines.push("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |".to_owned());
        for row in &result.periodic {
            let [informational, low, medium, high, critical] = row.findings;
            lines.push(format!(
                "| {} | {} | {} d | {} | {informational} | {low} | {medium} | {high} | {critical} |",
                row.service, row.recorded, row.history_days, row.pairs
            ));
        }
        lines.push(String::new());
        lines.push(
            "| benign corpus | history | records | host-days judged | medium | high or above | per 1,000 host-days |"
                .to_owned(),
        );
        lines.push("| --- | ---: | ---: | ---: | ---: | ---: | ---: |".to_owned());
        for row in &result.benign {
            let named = row.alarms_by_detection.iter().map(|(detection, count)| format!("{detection} {count}"));
            let named = named.collect::<Vec<_>>().join(", ");
            let named = if named.is_empty() { String::new() } else { format!(" ({named})") };
            lines.push(format!(
                "| {} | {} d | {} | {:.0} | {} | {}{named} | **{:.2}** |",
                row.recorded,
                row.history_days,
                count_text(row.records),
                row.host_days,
                row.mediums,
                row.alarms,
                row.per_thousand()
            ));
        }
    }
    lines
}

/// Expected against observed: of so many benign pairs, how many have a p-value at or below each level.
fn calibration(result: &SuiteResult) -> Vec<String> {
    let mut lines = vec![
        "| log | benign pairs judged | p ≤ 0.1 | p ≤ 0.01 | p ≤ 0.001 | p ≤ 0.0001 | p ≤ 0.00001 |".to_owned(),
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |".to_owned(),
    ];
    for (form, p_values) in result.benign_p_values() {
        let columns = DEPTHS.map(|depth| {
            let observed = p_values.iter().filter(|p| **p <= depth).count();
            format!("{observed} of {:.1} expected", depth * p_values.len() as f64)
        });
        lines.push(format!("| {form} | {} | {} |", p_values.len(), columns.join(" | ")));
    }
    lines.push(String::new());
    lines
}
