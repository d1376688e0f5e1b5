//! The files that tell incidents and campaigns, and their judgement.

use crate::cli::exit::Failure;
use clap::Args;
use corpus::{
    FindingSeverity, IncidentEvaluation, IncidentTruth, judge_incidents, read_campaigns, read_findings, read_incidents,
    read_labels,
};
use flow::time::{DAY_S, parse_time};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Incidents of one or more windows, and the campaigns that they are compared with.
#[derive(Debug, Args)]
pub(super) struct IncidentFiles {
    /// incidents.jsonl of the same run; given several times, of successive windows, of which FINDINGS has the last
    #[arg(long, value_name = "FILE", requires = "campaigns", conflicts_with = "suite")]
    incidents: Vec<PathBuf>,
    /// campaigns.csv of the corpus
    #[arg(long, value_name = "FILE", requires = "incidents")]
    campaigns: Option<PathBuf>,
    /// Monitored hosts times days, for rates of benign incidents [default: from summary.json beside FINDINGS]
    #[arg(long, value_name = "N", requires = "incidents")]
    host_days: Option<f64>,
}

impl IncidentFiles {
    /// Judges the incidents; `None` where none are named.
    pub(super) fn judge(
        &self,
        findings: &Path,
        labels: &Path,
        min_severity: FindingSeverity,
    ) -> Result<Option<IncidentEvaluation>, Failure> {
        let Some(campaigns) = &self.campaigns else { return Ok(None) };
        let windows = self.incidents.iter().map(|path| read_incidents(path)).collect::<Result<Vec<_>, _>>();
        let windows = windows.map_err(Failure::failed)?;
        let stages = read_campaigns(campaigns).map_err(Failure::failed)?;
        let labels = read_labels(labels).map_err(Failure::failed)?;
        let host_days = self.host_days.or_else(|| host_days(&findings.with_file_name("summary.json")));
        let findings = read_findings(findings).map_err(Failure::failed)?;
        let truth = IncidentTruth { stages: &stages, labels: &labels, host_days };
        Ok(Some(judge_incidents(&windows, &findings, &truth, min_severity)))
    }
}

/// Returns hosts times days of a run's window from its summary; `None` where that cannot be read or does not tell.
fn host_days(summary: &Path) -> Option<f64> {
    let summary: Value = serde_json::from_slice(&std::fs::read(summary).ok()?).ok()?;
    let time = |name: &str| parse_time(summary.get(name)?.as_str()?, 0).ok();
    let days = (time("window_end")? - time("window_start")?) as f64 / DAY_S as f64;
    Some(summary.get("hosts")?.as_f64()? * days)
}
