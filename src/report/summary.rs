//! What a run of `detect` read, skipped and found, and how long it took.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;

use serde::Serialize;

mod access_logs;
mod baseline;
mod life;
mod objects;
mod silence;
mod told;

pub use access_logs::AccessLogSummary;
use baseline::span_text;
pub use baseline::{BaselineOrigin, BaselineSpan};
use life::by_severity;
pub use life::{HeldBack, IncidentLife};
pub use objects::{ObjectCounts, SkippedObject};
pub(super) use silence::optional_time;
pub use silence::{DataSpan, LogGap};
pub use told::SinkSummary;

use super::error::ReportError;
use crate::detect::Severity;
use crate::incident::IncidentNotes;
use flow::printable::{EscapedJson, printable};
use flow::units::{bytes_text, count_text, counted, duration_text, number_text, share_text};

/// Sources named in the text; the JSON names all.
const NAMED_SOURCES: usize = 3;

/// The time that one stage took.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StageTime {
    /// The stage, such as `scan`.
    pub stage: String,
    /// Seconds of wall time.
    pub seconds: f64,
    /// Highest resident memory up to its end; left out when the system does not report it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
}

/// The summary of one run, written to stderr as text and to `summary.json`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Summary {
    /// The version of flowsift.
    pub flowsift_version: String,
    /// The id of the run, which its other files have as well; left out when no files are written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// The sources as given.
    pub sources: Vec<String>,
    /// First second of the window; `None` when neither an option nor any record tells.
    #[serde(rename = "window_start", serialize_with = "optional_time")]
    pub window_start_s: Option<i64>,
    /// First second after the window; `None` as above.
    #[serde(rename = "window_end", serialize_with = "optional_time")]
    pub window_end_s: Option<i64>,
    /// Where the records lie, baseline included; left out when there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<DataSpan>,
    /// The time of the run, where the window was meant to reach up to it.
    #[serde(skip)]
    pub until_now_s: Option<i64>,
    /// What the window is compared with.
    pub baseline: BaselineSpan,
    /// What became of the objects.
    pub objects: ObjectCounts,
    /// The objects that could not be read, in the order met.
    pub skipped_objects: Vec<SkippedObject>,
    /// The Parquet objects that hold other logs; the reason says which log.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other_log_objects: Vec<SkippedObject>,
    /// The objects that repeat another one; the reason names it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub copied_objects: Vec<SkippedObject>,
    /// The logs of accesses, in the order of their names in tables. Left out when there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub access_logs: Vec<AccessLogSummary>,
    /// Objects that hold lists of credentials.
    #[serde(skip_serializing_if = "is_zero")]
    pub credential_lists: u64,
    /// Objects of logs that stand beside those of accesses and are not read, by kind.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub logs_beside: BTreeMap<String, u64>,
    /// What did not work with kept hours, in one line; nothing is missing from the findings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_trouble: Option<String>,
    /// Rows read, including those below.
    pub rows: u64,
    /// `NODATA` rows: an interface had no traffic.
    pub nodata_rows: u64,
    /// `SKIPDATA` rows: AWS lost flows.
    pub skipdata_rows: u64,
    /// Rows of rejected traffic.
    pub rejected_rows: u64,
    /// Rows that could not be used: without addresses, times or with values out of range.
    pub unusable_rows: u64,
    /// Bytes of objects read.
    pub bytes_read: u64,
    /// Hosts in the window.
    pub hosts: u64,
    /// Pairs in the window.
    pub pairs: u64,
    /// Rows of `pair_hours`, window and baseline.
    pub pair_hours: u64,
    /// Remotes in the window.
    pub destinations: u64,
    /// The share of the window with data, 0–1; `None` when unknown.
    pub coverage_share: Option<f64>,
    /// Records not counted, because another interface counts the same packets.
    pub transit_records: u64,
    /// Rejected records of remotes with no other traffic, summed by host and hour.
    pub knock_records: u64,
    /// Records not counted, because another flow log over the same interface has the same packets.
    pub doubly_logged_records: u64,
    /// Hosts that seem to forward for others whom their log does not name, as in version 2: what lies behind them counts
    /// as theirs. Left out when there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub opaque_forwarders: Vec<String>,
    /// The flow logs that fell silent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub log_gaps: Vec<LogGap>,
    /// ENIs whose logs have one direction only, so that silence proves nothing. Left out when there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub one_way_interfaces: Vec<String>,
    /// Findings by detection.
    pub findings_by_detection: BTreeMap<String, u64>,
    /// Findings by severity.
    pub findings_by_severity: BTreeMap<Severity, u64>,
    /// Open incidents by severity.
    pub incidents_by_severity: BTreeMap<Severity, u64>,
    /// What was read for incidents, and what was limited.
    pub incident_notes: IncidentNotes,
    /// What became of incidents of earlier runs; left out without state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident_life: Option<IncidentLife>,
    /// Findings that allow-lists and verdicts lowered; left out when there are none.
    #[serde(skip_serializing_if = "HeldBack::is_none")]
    pub held_back: HeldBack,
    /// Pairs tested by the statistical detections.
    pub candidates_tested: u64,
    /// The false-discovery rate of the run, 0–1.
    pub fdr: f64,
    /// How many of the reported beacons are expected by chance.
    pub expected_false_beacons: f64,
    /// Time per stage, in the order of the stages.
    pub stages: Vec<StageTime>,
    /// What became of what sinks were due. Left out when there are no sinks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sinks: Vec<SinkSummary>,
    /// Seconds of wall time of the whole run.
    pub total_seconds: f64,
    /// Rows read per second of the whole run.
    pub rows_per_s: f64,
    /// Highest resident memory; `None` when the system does not report it.
    pub peak_memory_bytes: Option<u64>,
    /// Bytes that did not fit into memory and went to disk; left out when nothing did.
    #[serde(skip_serializing_if = "is_zero")]
    pub spilled_bytes: u64,
    /// The folder of spilled data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spill_dir: Option<String>,
    /// Threads used.
    pub threads: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Summary {
    /// Writes the summary as indented JSON with all skipped objects.
    ///
    /// # Errors
    /// [`ReportError::Io`] when the writer fails.
    pub fn write_json<W: Write>(&self, mut out: W) -> Result<(), ReportError> {
        let failed = |source| ReportError::Io { action: "write", what: "summary".to_owned(), source };
        serde_json::to_writer_pretty(EscapedJson::new(&mut out), self).map_err(|error| failed(error.into()))?;
        out.write_all(b"\n").and_then(|()| out.flush()).map_err(failed)
    }

    /// Writes the summary as text for stderr: aligned, without colour.
    ///
    /// # Errors
    /// [`ReportError::Io`] when the writer fails.
    pub fn write_text<W: Write>(&self, mut out: W) -> Result<(), ReportError> {
        let written = out.write_all(self.to_text().as_bytes()).and_then(|()| out.flush());
        written.map_err(|source| ReportError::Io { action: "write", what: "summary".to_owned(), source })
    }

    /// Returns the text of [`Summary::write_text`].
    pub fn to_text(&self) -> String {
        let lines = self.lines();
        lines.iter().fold(String::new(), |text, (label, content)| format!("{text}{label:<9} {content}\n"))
    }

    /// Returns the lines of the text: a label, empty where the line above has it, and the content.
    pub(super) fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = Vec::new();
        let mut line = |label: &'static str, content: &str| lines.push((label, content.to_owned()));
        line("source", &self.sources_text());
        line("window", &self.window_text());
        let baseline = self.baseline;
        match (baseline.kind, baseline.from_s.zip(baseline.to_s)) {
            (BaselineOrigin::Window, _) | (_, None) => line("baseline", baseline.kind.as_str()),
            (kind, Some((from_s, to_s))) => {
                line("baseline", &format!("{}, {}", kind.as_str(), span_text(from_s, to_s)));
            }
        }
        line("objects", &self.objects_text());
        for (at, skipped) in self.skipped_texts().iter().enumerate() {
            line(if at == 0 { "skipped" } else { "" }, skipped);
        }
        if let Some(logs) = self.other_logs_text() {
            line("other", &logs);
        }
        if let Some(copies) = self.copies_text() {
            line("warning", &copies);
        }
        for (at, log) in self.access_texts().iter().enumerate() {
            line(if at == 0 { "accesses" } else { "" }, log);
        }
        line("rows", &self.rows_text());
        if self.doubly_logged_records > 0 {
            let count = count_text(self.doubly_logged_records);
            let what = "several flow logs write the same interfaces: their common traffic counts once";
            line("warning", &format!("{what} ({count} rows left out); the table flows has all rows"));
        }
        if let Some(text) = self.opaque_forwarders_text() {
            line("warning", &text);
        }
        if let Some(text) = self.one_way_text() {
            line("warning", &text);
        }
        if self.rejected_rows > 0 && self.rejected_rows + self.silent_rows() + self.unusable_rows >= self.rows {
            line("warning", "every record is a rejection: traffic that was accepted is not logged");
        }
        line("traffic", &self.traffic_text());
        for (at, gap) in self.gap_texts().iter().enumerate() {
            line(if at == 0 { "silent" } else { "" }, &printable(gap));
        }
        line("incidents", &self.incidents_text());
        line("findings", &self.findings_text());
        if !self.held_back.is_none() {
            line("held back", &self.held_back.text());
        }
        if self.candidates_tested > 0 {
            line("tested", &self.tested_text());
        }
        for (at, sink) in self.sinks.iter().enumerate() {
            line(if at == 0 { "told" } else { "" }, &sink.text());
        }
        if self.spilled_bytes > 0 {
            line("spilled", &self.spilled_text());
        }
        line("time", &self.time_text());
        lines
    }

    /// Returns the rows that say that an interface had no traffic, or that its traffic was lost.
    fn silent_rows(&self) -> u64 {
        self.nodata_rows + self.skipdata_rows
    }

    fn sources_text(&self) -> String {
        let named: Vec<String> = self.sources.iter().take(NAMED_SOURCES).map(|source| printable(source)).collect();
        let mut text = named.join(", ");
        if self.sources.len() > NAMED_SOURCES {
            let _ = write!(text, " and {} more", count_text((self.sources.len() - NAMED_SOURCES) as u64));
        }
        if text.is_empty() {
            text.push_str("none");
        }
        let _ = write!(text, " (flowsift {})", self.flowsift_version);
        text
    }

    fn rows_text(&self) -> String {
        let mut text = count_text(self.rows);
        if self.rows_per_s > 0.0 {
            let _ = write!(text, " ({} a second)", count_text(self.rows_per_s.round() as u64));
        }
        push_counts(
            &mut text,
            &[
                (self.nodata_rows, "without traffic (NODATA)"),
                (self.skipdata_rows, "lost by AWS (SKIPDATA)"),
                (self.transit_records, "in transit"),
                (self.knock_records, "rejected knocks summed up"),
                (self.unusable_rows, "unusable"),
            ],
        );
        text
    }

    fn opaque_forwarders_text(&self) -> Option<String> {
        let (first, others) = self.opaque_forwarders.split_first()?;
        let who = match others.len() {
            0 => format!("{first} seems"),
            more => format!("{first} and {} more seem", count_text(more as u64)),
        };
        let what = "to forward for others whom the log does not name, and stands for them in findings";
        Some(format!("{who} {what}: a flow log with pkt-srcaddr and pkt-dstaddr (version 3) names them"))
    }

    fn one_way_text(&self) -> Option<String> {
        let (first, others) = self.one_way_interfaces.split_first()?;
        let whose = match others.len() {
            0 => format!("the log of {first} has"),
            more => format!("the logs of {first} and {} more interfaces have", count_text(more as u64)),
        };
        Some(format!("{whose} one direction only: whether calls were answered does not show"))
    }

    fn traffic_text(&self) -> String {
        let mut text = format!(
            "{}, {}, {}, {}",
            counted(self.hosts, "host", "hosts"),
            counted(self.destinations, "remote", "remotes"),
            counted(self.pairs, "pair", "pairs"),
            counted(self.pair_hours, "pair-hour", "pair-hours")
        );
        if let Some(share) = self.coverage_share {
            let _ = write!(text, ", coverage {}", share_text(share));
        }
        text
    }

    fn findings_text(&self) -> String {
        let severities = by_severity(&self.findings_by_severity);
        if severities.is_empty() {
            return "none".to_owned();
        }
        let detections = self.findings_by_detection.iter().filter(|(_, count)| **count > 0);
        let detections: Vec<String> =
            detections.map(|(name, count)| format!("{} {}", printable(name), count_text(*count))).collect();
        format!("{severities} ({})", detections.join(", "))
    }

    fn tested_text(&self) -> String {
        format!(
            "{} at a false-discovery rate of {}, {} false beacons expected",
            counted(self.candidates_tested, "candidate", "candidates"),
            share_text(self.fdr),
            number_text(self.expected_false_beacons)
        )
    }

    fn spilled_text(&self) -> String {
        let folder = self.spill_dir.as_deref().map(|folder| format!(" to {}", printable(folder)));
        format!("{}{}, as --memory allowed no more", bytes_text(self.spilled_bytes), folder.unwrap_or_default())
    }

    fn time_text(&self) -> String {
        let mut text = duration_text(self.total_seconds);
        let stages =
            self.stages.iter().map(|time| format!("{} {}", printable(&time.stage), duration_text(time.seconds)));
        let stages: Vec<String> = stages.collect();
        if !stages.is_empty() {
            let _ = write!(text, " ({})", stages.join(", "));
        }
        let _ = write!(text, ", {}", counted(self.threads, "thread", "threads"));
        if let Some(bytes) = self.peak_memory_bytes {
            let _ = write!(text, ", peak memory {}", bytes_text(bytes));
        }
        text
    }
}

fn push_counts(text: &mut String, counts: &[(u64, &str)]) {
    for (count, what) in counts.iter().filter(|(count, _)| *count > 0) {
        let _ = write!(text, ", {} {what}", count_text(*count));
    }
}

#[cfg(test)]
mod tests;
