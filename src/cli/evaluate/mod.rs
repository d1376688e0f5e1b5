//! `flowsift evaluate`: findings against labels, incidents against campaigns, and both against a story.

mod incidents;
mod story;
mod suite;
mod suite_results;

use super::exit::{Exit, Failure};
use super::options::Global;
use clap::{Args, ValueEnum};
use corpus::suite::{calibration_plot, suite_table};
use corpus::{Evaluation, FindingSeverity, IncidentEvaluation, evaluate};
use incidents::IncidentFiles;
use scan::guarded;
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;
use suite::SuiteOptions;

/// Judge findings against labels, incidents against campaigns, or the detector on a suite of scenarios
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  flowsift evaluate out/findings.jsonl corpus/labels.csv\n  \
    flowsift evaluate out/findings.jsonl corpus/labels.csv --incidents out/incidents.jsonl --campaigns corpus/campaigns.csv\n  \
    flowsift evaluate out/findings.jsonl story/labels.csv --story")]
pub(super) struct EvaluateArgs {
    /// Findings, as JSON Lines or Parquet
    #[arg(required_unless_present = "suite")]
    findings: Option<PathBuf>,
    /// labels.csv of a generated or labelled corpus
    #[arg(required_unless_present = "suite")]
    labels: Option<PathBuf>,
    #[command(flatten)]
    incidents: IncidentFiles,
    /// The labels are those of `generate --story`: stages found, by what, and what was told without cause
    #[arg(long, conflicts_with_all = ["suite", "incidents", "campaigns", "host_days"])]
    story: bool,
    /// Instead: generate implants of every habit among benign traffic, detect and rank them, and compare with RITA's score
    #[arg(long, conflicts_with_all = ["findings", "labels"])]
    suite: bool,
    /// Seed of the suite
    #[arg(long, value_name = "N", default_value_t = 1, requires = "suite")]
    seed: u64,
    /// The suite with fewer hosts and without scenarios of many days: seconds instead of many minutes
    #[arg(long, requires = "suite")]
    small: bool,
    /// SVG file for the suite's plot of how well its p-values are calibrated
    #[arg(long, value_name = "FILE", requires = "suite")]
    plot: Option<PathBuf>,
    /// Only scenarios of the suite whose name contains this; `benign` for the hosts on which nothing bad happens
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true, requires = "suite")]
    scenario: String,
    /// Findings below this severity do not count
    #[arg(long, value_name = "S", default_value = "medium")]
    min_severity: String,
    /// Output format
    #[arg(long, value_enum, default_value_t = JudgementFormat::Table, value_name = "FORMAT")]
    format: JudgementFormat,
    /// Fail with exit code 1 when recall over all attacks is below this share
    #[arg(long, value_name = "SHARE")]
    min_recall: Option<f64>,
    /// Fail with exit code 1 when precision is below this share
    #[arg(long, value_name = "SHARE")]
    min_precision: Option<f64>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum JudgementFormat {
    Table,
    Json,
}

/// What was judged: findings, and incidents where they were named.
#[derive(Serialize)]
struct Judgement {
    #[serde(flatten)]
    findings: Evaluation,
    #[serde(skip_serializing_if = "Option::is_none")]
    incidents: Option<IncidentEvaluation>,
}

impl EvaluateArgs {
    /// Fails when recall or precision is below what was asked for.
    fn expect_at_least(&self, recall: Option<f64>, precision: Option<f64>) -> Result<Exit, Failure> {
        for (name, got, least) in [("recall", recall, self.min_recall), ("precision", precision, self.min_precision)] {
            if let Some(least) = least
                && got.is_none_or(|got| got < least)
            {
                let got = got.map_or("none".to_owned(), |got| format!("{got:.3}"));
                return Err(Failure::failed(format!("{name} is {got}, expected at least {least}")));
            }
        }
        Ok(Exit::Done)
    }
}

pub(super) fn run(global: &Global, args: &EvaluateArgs) -> Result<Exit, Failure> {
    let (Some(findings), Some(labels)) = (&args.findings, &args.labels) else { return run_suite(global, args) };
    let severity: FindingSeverity = serde_json::from_value(args.min_severity.clone().into()).map_err(|_| {
        let got = &args.min_severity;
        Failure::usage(format!("--min-severity `{got}`: expected informational, low, medium, high or critical"))
    })?;
    if args.story {
        return story::run(args, findings, labels, severity);
    }
    let judged = guarded(&findings.display().to_string(), || Ok(evaluate(findings, labels, severity)));
    let judged = judged.map_err(Failure::failed)?.map_err(Failure::failed)?;
    let incidents = args.incidents.judge(findings, labels, severity)?;
    let judged = Judgement { findings: judged, incidents };
    let mut out = std::io::stdout().lock();
    match args.format {
        JudgementFormat::Table => {
            let mut lines = judged.findings.table();
            if let Some(incidents) = &judged.incidents {
                lines.push(String::new());
                lines.extend(incidents.table());
            }
            lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
        }
        JudgementFormat::Json => {
            let text = serde_json::to_string_pretty(&judged).map_err(Failure::failed)?;
            writeln!(out, "{text}")?;
        }
    }
    let Evaluation { recall, precision, .. } = judged.findings;
    args.expect_at_least(recall, precision)
}

fn run_suite(global: &Global, args: &EvaluateArgs) -> Result<Exit, Failure> {
    let options = SuiteOptions { seed: args.seed, small: args.small, scenario: args.scenario.clone() };
    let result = suite::run(global, &options)?;
    if let Some(path) = &args.plot {
        let failed = |error: std::io::Error| Failure::failed_at(format_args!("--plot {}", path.display()), error);
        std::fs::write(path, calibration_plot(&result)).map_err(failed)?;
    }
    let mut out = std::io::stdout().lock();
    match args.format {
        JudgementFormat::Table => suite_table(&result).iter().try_for_each(|line| writeln!(out, "{line}"))?,
        JudgementFormat::Json => {
            let text = serde_json::to_string_pretty(&result).map_err(Failure::failed)?;
            writeln!(out, "{text}")?;
        }
    }
    let least = result.cells.iter().map(|cell| cell.recall_at_hundredth).fold(1.0, f64::min);
    match args.min_recall {
        Some(wanted) if least < wanted => {
            Err(Failure::failed(format!("the weakest row's recall at 1 % is {least:.2}, expected at least {wanted}")))
        }
        _ => Ok(Exit::Done),
    }
}
