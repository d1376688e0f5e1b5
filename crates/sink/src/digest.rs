//! What is told beside incidents: the digest of a day, and the sign of life of a run.

use crate::notice::{IncidentView, Moment, RunView, SCHEMA_VERSION, short};
use flow::Severity;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most incidents that a digest names.
const MAX_NAMED: usize = 20;

/// What a day brought. Counts are of incidents at or above the sink's least severity.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// The version of the fields: `SCHEMA_VERSION`.
    pub schema_version: u32,
    /// The UTC day of the end of the run's window, such as `2026-11-28`.
    pub day: String,
    /// Open incidents by severity.
    pub open: BTreeMap<Severity, u64>,
    /// Incidents opened since the last digest.
    pub opened: u64,
    /// Incidents closed since the last digest.
    pub closed: u64,
    /// The worst open incidents: at most 20.
    pub worst: Vec<DigestLine>,
    /// The run that it ends with.
    pub run: Heartbeat,
}

/// An open incident in a digest.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DigestLine {
    /// Its id.
    pub id: String,
    /// Its severity.
    pub severity: Severity,
    /// Its title.
    pub title: String,
    /// When it was opened.
    pub opened_at: Moment,
}

/// The sign of life of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The version of the fields: `SCHEMA_VERSION`.
    pub schema_version: u32,
    /// The sources.
    pub sources: Vec<String>,
    /// First second of the window.
    pub window_start: Option<Moment>,
    /// First second after the window.
    pub window_end: Option<Moment>,
    /// Findings that are shown.
    pub findings: u64,
    /// Open incidents of any severity.
    pub open_incidents: u64,
    /// Objects that could not be read.
    pub unread_objects: u64,
    /// Flow logs that fell silent.
    pub silent_logs: u64,
    /// Findings that allow-lists and verdicts hold back.
    pub held_back: u64,
}

impl RunView {
    /// Returns the sign of life of the run.
    #[must_use]
    pub fn heartbeat(&self) -> Heartbeat {
        Heartbeat {
            schema_version: SCHEMA_VERSION,
            sources: self.sources.iter().take(MAX_NAMED).map(|source| short(source)).collect(),
            window_start: self.window_from_s.map(Moment),
            window_end: self.window_to_s.map(Moment),
            findings: self.findings,
            open_incidents: self.incidents.iter().filter(|incident| incident.is_open()).count() as u64,
            unread_objects: self.unread_objects,
            silent_logs: self.silent_logs,
            held_back: self.held_back,
        }
    }

    /// Returns the digest of a day for a sink that hears of incidents from `least` on; `since_s` is the last digest's time.
    #[must_use]
    pub fn digest(&self, day: &str, least: Severity, since_s: i64) -> Digest {
        let heard: Vec<&IncidentView> = self.incidents.iter().filter(|incident| incident.severity >= least).collect();
        let mut open: Vec<&IncidentView> = heard.iter().copied().filter(|incident| incident.is_open()).collect();
        open.sort_by(|a, b| a.worst_first(b));
        let mut digest = Digest {
            schema_version: SCHEMA_VERSION,
            day: day.to_owned(),
            opened: heard.iter().filter(|incident| incident.opened_at.0 > since_s).count() as u64,
            closed: heard.iter().filter(|one| !one.is_open() && one.updated_at.0 > since_s).count() as u64,
            run: self.heartbeat(),
            ..Digest::default()
        };
        for incident in &open {
            *digest.open.entry(incident.severity).or_default() += 1;
        }
        let line = |incident: &&IncidentView| DigestLine {
            id: incident.id.clone(),
            severity: incident.severity,
            title: short(&incident.title),
            opened_at: incident.opened_at,
        };
        digest.worst = open.iter().take(MAX_NAMED).map(line).collect();
        digest
    }
}
