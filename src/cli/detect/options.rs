//! The options of `flowsift detect`, checked before any log is read.

use super::show::{FindingsFormat, Show};
use crate::cli::exit::Failure;
use crate::cli::options::Global;
use crate::cli::options::input::{Input, InputArgs};
use crate::cli::options::notify::NotifyArgs;
use crate::detect::{self, Detection, Severity};
use crate::intel::{AllowList, Verdicts};
use clap::Args;
use flow::time::parse_duration_s;
use sink::Sink;
use std::io::IsTerminal;
use std::path::PathBuf;

/// Hunt for intruders in flow logs, with evidence
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  flowsift detect datasets/demo\n  \
    flowsift detect s3://flow-logs/AWSLogs --from 24h --state s3://findings/state --indicators feodo.csv --out s3://findings/today")]
pub(in crate::cli) struct DetectArgs {
    /// s3://bucket/prefix, folder, file or glob; AWSLogs/ is found anywhere below
    #[arg(required = true, value_name = "SOURCE")]
    pub(super) sources: Vec<String>,
    #[command(flatten)]
    pub(super) input: InputArgs,
    /// End the window at the last whole hour that is so far behind now, and count a relative --from back from there; for
    /// runs every hour, before which late objects should have arrived
    #[arg(long, value_name = "D", conflicts_with = "to")]
    pub(super) lag: Option<String>,
    /// Contacts known to be fine: findings about them are lowered, with the reason; may be given several times
    #[arg(long, value_name = "FILE")]
    allow: Vec<PathBuf>,
    /// What people decided about incidents, findings, hosts and remotes: CSV with the header
    /// kind,value,verdict,until,by,note; may be given several times
    #[arg(long, value_name = "FILE")]
    verdicts: Vec<PathBuf>,
    /// Close incidents without new evidence for so long (with --state)
    #[arg(long, value_name = "D", default_value = "7d")]
    close_after: String,
    /// Folder of detections of your own (*.sql); one with the name of a built-in replaces it
    #[arg(long, value_name = "DIR")]
    detections: Option<PathBuf>,
    /// Folder or s3:// URL for findings.jsonl, findings.parquet, incidents.jsonl, summary.json and, last, manifest.json;
    /// with --format html, ocsf, stix or timesketch also report.html, findings.ocsf.jsonl and .parquet, incidents.stix.json or
    /// timeline.jsonl
    #[arg(long, value_name = "DIR|URL")]
    pub(super) out: Option<String>,
    /// Format on stdout [default: table on a terminal, jsonl in a pipe]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<FindingsFormat>,
    #[command(flatten)]
    pub(super) notify: NotifyArgs,
    /// Leave out findings and incidents below this severity
    #[arg(long, value_name = "S", default_value_t = Severity::Low)]
    pub(super) min_severity: Severity,
    /// Exit with code 4 when there are findings of this severity or above
    #[arg(long, value_name = "S")]
    pub(super) fail_on: Option<Severity>,
    /// Share of false findings to allow among the statistical ones
    #[arg(long, value_name = "SHARE", default_value_t = 0.01)]
    pub(super) fdr: f64,
    /// Rows of the table on a terminal; 0 for all
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
}

/// Everything that the options name.
pub(super) struct Plan {
    pub(super) show: Show,
    pub(super) input: Input,
    pub(super) allow: AllowList,
    pub(super) verdicts: Verdicts,
    /// Incidents without new evidence for so long are closed.
    pub(super) close_after_s: i64,
    pub(super) detections: Vec<Detection>,
    pub(super) sinks: Vec<Sink>,
}

impl DetectArgs {
    /// Reads the files that the options name, and checks that all of them fit together.
    pub(super) fn read(&self, global: &Global) -> Result<Plan, Failure> {
        let show = self.show(global)?;
        if !(self.fdr > 0.0 && self.fdr < 1.0) {
            return Err(Failure::usage(format!("--fdr {}: expected a share between 0 and 1, such as 0.01", self.fdr)));
        }
        let input = self.input.read_behind(self.lag.as_deref())?;
        let detections = self.detections()?;
        let allow = self.allow(&input, &detections)?;
        let verdicts = Verdicts::load(&self.verdicts).map_err(Failure::usage)?;
        let close_after_s =
            parse_duration_s(&self.close_after).map_err(|error| Failure::usage_at("--close-after", error))?;
        let sinks = self.notify.read()?;
        Ok(Plan { show, input, allow, verdicts, close_after_s, detections, sinks })
    }

    fn show(&self, global: &Global) -> Result<Show, Failure> {
        let terminal = std::io::stdout().is_terminal();
        let format = self.format.unwrap_or(if terminal { FindingsFormat::Table } else { FindingsFormat::Jsonl });
        if format == FindingsFormat::Parquet && terminal {
            return Err(Failure::usage("--format parquet writes binary data: redirect stdout to a file, or use --out"));
        }
        if format == FindingsFormat::Html && terminal && self.out.is_none() {
            return Err(Failure::usage("--format html writes a page: redirect stdout to a file, or use --out"));
        }
        Ok(Show { format, rows: self.limit, terminal, timeline: global.is_verbose() })
    }

    /// Returns the built-in detections and the user's own, sorted by name.
    fn detections(&self) -> Result<Vec<Detection>, Failure> {
        let mut detections = detect::built_in().map_err(Failure::failed)?;
        if let Some(folder) = &self.detections {
            for own in detect::from_folder(folder).map_err(Failure::usage)? {
                detections.retain(|detection| detection.name != own.name);
                detections.push(own);
            }
            detections.sort_by(|a, b| a.name.cmp(&b.name));
        }
        Ok(detections)
    }

    fn allow(&self, input: &Input, detections: &[Detection]) -> Result<AllowList, Failure> {
        let allow = AllowList::load(&self.allow).map_err(Failure::usage)?;
        if let Some(unknown) = allow.detections().iter().find(|name| !detections.iter().any(|d| d.name == **name)) {
            let known: Vec<&str> = detections.iter().map(|d| d.name.as_str()).collect();
            return Err(Failure::usage(format!("--allow: no detection `{unknown}`; known are {}", known.join(", "))));
        }
        if let Some(entry) = allow.asks_owner().filter(|_| input.networks.is_empty()) {
            let place = format!("{}:{}", entry.path.display(), entry.line);
            return Err(Failure::usage(format!(
                "--allow: {place} asks for an owner: name owners' networks with --networks"
            )));
        }
        Ok(allow)
    }
}
