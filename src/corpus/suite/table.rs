//! The results of the suite as tables.

use super::ranking::Ranking;
use serde::Serialize;

/// What was measured in one cell.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    /// Share of benign hosts that it puts there.
    pub rita_false_share: f64,
    /// The same of RITA's score.
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

/// What was said of one benign service that keeps time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PeriodicResult {
    /// Name of the service.
    pub service: String,
    /// Form of the log.
    pub recorded: String,
    /// Pairs of host and remote.
    pub pairs: usize,
    /// Findings about them by severity: informational, low, medium, high, critical.
    pub findings: [usize; 5],
    /// Host-days of all services together.
    pub host_days: f64,
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
    /// Benign services that keep time.
    pub periodic: Vec<PeriodicResult>,
}

/// Depths at which expected and observed false positives are compared.
const DEPTHS: [f64; 5] = [0.1, 0.01, 1e-3, 1e-4, 1e-5];

/// Writes the tables as Markdown, one line each.
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
    if !result.periodic.is_empty() {
        lines.push(
            "| benign service | log | pairs | informational | low | medium | high | critical | high or above per 1,000 host-days |"
                .to_owned(),
        );
        lines.push("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |".to_owned());
        for row in &result.periodic {
            let [informational, low, medium, high, critical] = row.findings;
            let rate = 1000.0 * (high + critical) as f64 / row.host_days.max(1e-9);
            lines.push(format!(
                "| {} | {} | {} | {informational} | {low} | {medium} | {high} | {critical} | {rate:.2} |",
                row.service, row.recorded, row.pairs
            ));
        }
    }
    lines
}

/// Expected against observed: of so many benign pairs, how many have a p-value at or below each depth.
fn calibration(result: &SuiteResult) -> Vec<String> {
    let mut lines = vec![
        "| log | benign pairs judged | p ≤ 0.1 | p ≤ 0.01 | p ≤ 0.001 | p ≤ 0.0001 | p ≤ 0.00001 |".to_owned(),
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |".to_owned(),
    ];
    let mut forms: Vec<&str> = Vec::new();
    for cell in &result.cells {
        if !forms.contains(&cell.recorded.as_str()) {
            forms.push(&cell.recorded);
        }
    }
    for form in forms {
        let of_form = result.cells.iter().filter(|cell| cell.recorded == form);
        let p_values: Vec<f64> = of_form.flat_map(|cell| cell.benign_p_values.iter().copied()).collect();
        let columns = DEPTHS.map(|depth| {
            let observed = p_values.iter().filter(|p| **p <= depth).count();
            format!("{observed} of {:.1} expected", depth * p_values.len() as f64)
        });
        lines.push(format!("| {form} | {} | {} |", p_values.len(), columns.join(" | ")));
    }
    lines.push(String::new());
    lines
}
