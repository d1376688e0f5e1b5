//! `flowsift evaluate`: findings against labels.

use super::exit::{Exit, Failure};
use crate::corpus::{FindingSeverity, evaluate};
use clap::{Args, ValueEnum};
use std::io::Write;
use std::path::PathBuf;

/// Judge findings against labels: recall per attack, precision per detection
#[derive(Debug, Args)]
pub(super) struct EvaluateArgs {
    /// Findings, as JSON Lines or Parquet
    findings: PathBuf,
    /// labels.csv of a generated or labelled corpus
    labels: PathBuf,
    /// Findings below this severity do not count
    #[arg(long, value_name = "S", default_value = "medium")]
    min_severity: String,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Table, value_name = "FORMAT")]
    format: Format,
    /// Fail with exit code 1 when recall over all attacks is below this share
    #[arg(long, value_name = "SHARE")]
    min_recall: Option<f64>,
    /// Fail with exit code 1 when precision is below this share
    #[arg(long, value_name = "SHARE")]
    min_precision: Option<f64>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Table,
    Json,
}

pub(super) fn run(args: &EvaluateArgs) -> Result<Exit, Failure> {
    let severity: FindingSeverity = serde_json::from_value(args.min_severity.clone().into()).map_err(|_| {
        let got = &args.min_severity;
        Failure::usage(format!("--min-severity `{got}`: expected informational, low, medium, high or critical"))
    })?;
    let judged = evaluate(&args.findings, &args.labels, severity).map_err(Failure::failed)?;
    let mut out = std::io::stdout().lock();
    match args.format {
        Format::Table => judged.table().iter().try_for_each(|line| writeln!(out, "{line}"))?,
        Format::Json => {
            let text = serde_json::to_string_pretty(&judged).map_err(Failure::failed)?;
            writeln!(out, "{text}")?;
        }
    }
    for (name, got, least) in
        [("recall", judged.recall, args.min_recall), ("precision", judged.precision, args.min_precision)]
    {
        if let Some(least) = least
            && got.is_none_or(|got| got < least)
        {
            let got = got.map_or("none".to_owned(), |got| format!("{got:.3}"));
            return Err(Failure::failed(format!("{name} is {got}, expected at least {least}")));
        }
    }
    Ok(Exit::Done)
}
