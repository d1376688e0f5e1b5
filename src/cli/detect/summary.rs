//! Sums up a run of `flowsift detect`.

use super::options::DetectArgs;
use super::stages::RunTimes;
use crate::accesses::LogRead;
use crate::cli::options::Global;
use crate::cli::options::memory::peak_memory_bytes;
use crate::detect;
use crate::detect::{Finding, Severity};
use crate::hours::{ListedUnits, Skipped, SourceHours};
use crate::incident::model::Status;
use crate::incident::{Incident, IncidentNotes};
use crate::report::{
    AccessLogSummary, BaselineOrigin, BaselineSpan, DataSpan, HeldBack, IncidentLife, LogGap, ObjectCounts,
    SinkSummary, SkippedObject, Summary,
};
use ::memory::Memory;
use flow::time::HOUR_S;
use rollup::derive::Derived;
use rollup::window::WindowOptions;

/// The detections whose findings are logs that fell silent.
const LOG_GAPS: [&str; 2] = ["log_gap", "access_log_gap"];

/// The window as far as it is known: without data, only what was asked for is.
#[derive(Clone, Copy, Debug)]
pub(super) struct WindowSpan {
    /// First second of the window.
    pub(super) from_s: Option<i64>,
    /// First second after the window.
    pub(super) to_s: Option<i64>,
}

impl WindowSpan {
    /// Returns the window of a run.
    pub(super) fn of(hours: &SourceHours, asked: &WindowOptions) -> Self {
        let any = hours.data_hours_s.is_some();
        Self {
            from_s: (any || asked.from_s.is_some()).then_some(hours.window.from_s),
            to_s: (any || asked.to_s.is_some()).then_some(hours.window.to_s),
        }
    }
}

/// Everything that the summary of a run is made of.
pub(super) struct FinishedRun<'a> {
    pub(super) args: &'a DetectArgs,
    pub(super) global: &'a Global,
    pub(super) listed: &'a ListedUnits,
    pub(super) hours: &'a SourceHours,
    /// Rows of `pair_hours`, which are dropped by now.
    pub(super) hour_rows: u64,
    /// Whether hours are kept between runs.
    pub(super) keeps_hours: bool,
    pub(super) derived: &'a Derived,
    pub(super) outcome: &'a detect::Outcome,
    pub(super) incidents: &'a [Incident],
    pub(super) incident_notes: &'a IncidentNotes,
    /// What became of incidents of earlier runs.
    pub(super) incident_life: Option<IncidentLife>,
    pub(super) times: &'a RunTimes,
    pub(super) memory: &'a Memory,
    /// The window, as far as it is known.
    pub(super) span: WindowSpan,
    /// What did not work with kept hours.
    pub(super) kept_trouble: Option<String>,
    /// The id of the run, where files are written.
    pub(super) run_id: Option<String>,
    /// What became of what sinks were due.
    pub(super) sinks: Vec<SinkSummary>,
}

impl FinishedRun<'_> {
    /// Returns the summary.
    pub(super) fn summary(&self) -> Summary {
        let Self { args, global, hours, derived, outcome, times, .. } = self;
        let gathered = &hours.gathered;
        let scan_seconds = times.stages.iter().take(2).map(|stage| stage.seconds).sum::<f64>();
        let spilled_bytes = self.memory.spilled_bytes();
        let shares = &outcome.coverage;
        let mut summary = Summary {
            flowsift_version: env!("CARGO_PKG_VERSION").to_owned(),
            run_id: self.run_id.clone(),
            sources: args.sources.clone(),
            window_start_s: self.span.from_s,
            window_end_s: self.span.to_s,
            data: hours.data_hours_s.map(|(first_s, last_s)| DataSpan { from_s: first_s, to_s: last_s + HOUR_S }),
            until_now_s: if args.lag.is_some() { None } else { args.input.until_now_s() },
            log_gaps: log_gaps(&outcome.findings),
            baseline: self.baseline(),
            objects: self.objects(),
            skipped_objects: self.skipped_objects(),
            access_logs: self.access_logs(),
            credential_lists: hours.accesses.read.lists.values().sum(),
            logs_beside: hours
                .accesses
                .read
                .others
                .iter()
                .map(|(kind, count)| (kind.name().to_owned(), *count))
                .collect(),
            other_log_objects: skipped_objects(&gathered.other_logs),
            copied_objects: self.copied_objects(),
            kept_trouble: self.kept_trouble.clone(),
            sinks: self.sinks.clone(),
            rows: gathered.counts.rows,
            nodata_rows: gathered.counts.nodata,
            skipdata_rows: gathered.counts.skipdata,
            rejected_rows: gathered.counts.rejected,
            unusable_rows: gathered.counts.unusable,
            bytes_read: gathered.bytes_read + hours.accesses.read.bytes,
            hosts: derived.hosts.num_rows() as u64,
            pairs: derived.pairs.rows() as u64,
            pair_hours: self.hour_rows,
            destinations: derived.destinations.num_rows() as u64,
            coverage_share: (!shares.is_empty()).then(|| shares.values().sum::<f64>() / shares.len() as f64),
            transit_records: gathered.counts.transit,
            knock_records: gathered.counts.rejected_probes,
            doubly_logged_records: gathered.counts.doubled,
            opaque_forwarders: match gathered.counts.without_packet_addresses {
                0 => Vec::new(),
                _ => derived.relays.iter().map(ToString::to_string).collect(),
            },
            one_way_interfaces: derived.one_way_interfaces.clone(),
            candidates_tested: outcome.candidates,
            fdr: args.fdr,
            expected_false_beacons: outcome.expected_false,
            stages: times.stages.clone(),
            total_seconds: times.total_seconds,
            rows_per_s: if scan_seconds > 0.0 {
                gathered.rows_read as f64 / times.total_seconds.max(1e-9)
            } else {
                0.0
            },
            peak_memory_bytes: peak_memory_bytes(),
            spilled_bytes,
            spill_dir: (spilled_bytes > 0).then(|| global.spill_dir()),
            threads: global.threads() as u64,
            ..Summary::default()
        };
        for finding in &outcome.findings {
            *summary.findings_by_detection.entry(finding.detection.clone()).or_default() += 1;
            *summary.findings_by_severity.entry(finding.severity).or_default() += 1;
        }
        for incident in self.incidents.iter().filter(|incident| incident.status == Status::Open) {
            *summary.incidents_by_severity.entry(incident.severity).or_default() += 1;
        }
        summary.incident_notes = self.incident_notes.clone();
        summary.incident_life.clone_from(&self.incident_life);
        summary.held_back = held_back(&outcome.findings);
        summary
    }

    fn objects(&self) -> ObjectCounts {
        let gathered = &self.hours.gathered;
        ObjectCounts {
            listed: self.listed.objects,
            not_parquet: self.listed.other_objects,
            pruned: self.listed.pruned_objects,
            read: gathered.objects_read,
            reused: gathered.objects_reused,
            skipped: (gathered.skipped.len() + self.hours.accesses.read.skipped.len()) as u64,
            other_logs: gathered.other_logs.len() as u64,
            copies: self.listed.copies.len() as u64,
        }
    }

    /// Returns the objects that could not be read: flow logs first, then logs of accesses.
    fn skipped_objects(&self) -> Vec<SkippedObject> {
        let of_accesses = self.hours.accesses.read.skipped.iter();
        let of_accesses =
            of_accesses.map(|one| SkippedObject { object: one.object.clone(), reason: one.reason.clone() });
        skipped_objects(&self.hours.gathered.skipped).into_iter().chain(of_accesses).collect()
    }

    fn access_logs(&self) -> Vec<AccessLogSummary> {
        let summary = |(log, read): (&access::Log, &LogRead)| AccessLogSummary {
            log: log.name().to_owned(),
            objects: read.objects,
            acts: read.acts,
            duplicates: read.duplicates,
            outside: read.outside,
            bad_records: read.bad_records,
            first_bad: read.first_bad.first().map(|bad| format!("{}: {}", bad.object, bad.problem)),
            insights: read.insights,
            zone_unknown: read.zone_unknown,
            first_day_s: read.days.first().copied(),
            last_day_s: read.days.last().copied(),
            gaps: read.gaps().len() as u64,
        };
        self.hours.accesses.read.logs.iter().map(summary).collect()
    }

    fn copied_objects(&self) -> Vec<SkippedObject> {
        let copies = self.listed.copies.iter();
        copies.map(|copy| SkippedObject { object: copy.object.to_string(), reason: copy.reason() }).collect()
    }

    fn baseline(&self) -> BaselineSpan {
        let window = &self.hours.window;
        BaselineSpan {
            kind: match self.hours.baseline {
                detect::BaselineKind::Itself => BaselineOrigin::Window,
                _ if self.keeps_hours => BaselineOrigin::History,
                _ => BaselineOrigin::BeforeFrom,
            },
            from_s: self.span.from_s.map(|_| window.baseline_from_s),
            to_s: if window.has_history() { Some(window.from_s) } else { self.span.to_s },
        }
    }
}

fn skipped_objects(skipped: &[Skipped]) -> Vec<SkippedObject> {
    skipped.iter().map(|one| SkippedObject { object: one.object.clone(), reason: one.reason.clone() }).collect()
}

/// Returns how many findings allow-lists and verdicts lowered.
fn held_back(findings: &[Finding]) -> HeldBack {
    let count = |name: &str| findings.iter().filter(|finding| finding.evidence.contains_key(name)).count() as u64;
    HeldBack { by_allow_lists: count(detect::ALLOWED_BY), by_verdicts: count(detect::VERDICT) }
}

/// Returns the logs that fell silent, worst first; those that hardly tell anything are left out.
fn log_gaps(findings: &[Finding]) -> Vec<LogGap> {
    let gaps = findings
        .iter()
        .filter(|finding| LOG_GAPS.contains(&finding.detection.as_str()) && finding.severity >= Severity::Low);
    gaps.map(|gap| LogGap { severity: gap.severity, explanation: gap.explanation.clone() }).collect()
}
