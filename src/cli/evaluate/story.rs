//! `flowsift evaluate --story`: findings against the labels of a story.

use super::{EvaluateArgs, JudgementFormat};
use crate::cli::exit::{Exit, Failure};
use corpus::{FindingSeverity, judge_story, read_findings, read_story_labels};
use scan::guarded;
use std::io::Write;
use std::path::Path;

pub(super) fn run(
    args: &EvaluateArgs,
    findings: &Path,
    labels: &Path,
    min_severity: FindingSeverity,
) -> Result<Exit, Failure> {
    let read = guarded(&findings.display().to_string(), || Ok(read_findings(findings)));
    let read = read.map_err(Failure::failed)?.map_err(Failure::failed)?;
    let labels = read_story_labels(labels).map_err(Failure::failed)?;
    let judged = judge_story(&read, &labels, min_severity);
    let mut out = std::io::stdout().lock();
    match args.format {
        JudgementFormat::Table => judged.table().iter().try_for_each(|line| writeln!(out, "{line}"))?,
        JudgementFormat::Json => {
            let text = serde_json::to_string_pretty(&judged).map_err(Failure::failed)?;
            writeln!(out, "{text}")?;
        }
    }
    args.expect_at_least(judged.recall, judged.precision)
}
