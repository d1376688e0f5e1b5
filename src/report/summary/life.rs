//! What the summary says of incidents: how many, what became of those of earlier runs, and what was held back.

use super::Summary;
use crate::detect::Severity;
use crate::incident::model::Change;
use flow::units::{count_text, counted};
use serde::Serialize;
use std::collections::BTreeMap;

/// What became of incidents since earlier runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct IncidentLife {
    /// Incidents that the run tells, by what it changed in them.
    pub changes: BTreeMap<Change, u64>,
    /// Kept windows after this one that rest on an earlier state of it: they should be judged again, oldest first.
    pub stale_windows: u64,
    /// Why kept incidents could not be used, in one line; left out when they could.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// How many findings were lowered by what people said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct HeldBack {
    /// By allow-lists.
    pub by_allow_lists: u64,
    /// By verdicts.
    pub by_verdicts: u64,
}

impl HeldBack {
    pub(super) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the text for people.
    pub(super) fn text(self) -> String {
        let by = |count: u64, what: &str| {
            (count > 0).then(|| format!("{} by {what}", counted(count, "finding", "findings")))
        };
        let parts = [by(self.by_allow_lists, "allow-lists"), by(self.by_verdicts, "verdicts")];
        parts.into_iter().flatten().collect::<Vec<String>>().join(", ")
    }
}

/// What is told of incidents beside those that go on as before.
const TOLD: [(Change, &str); 7] = [
    (Change::Opened, "opened"),
    (Change::Reopened, "reopened"),
    (Change::Escalated, "escalated"),
    (Change::Extended, "extended"),
    (Change::Unchanged, "unchanged"),
    (Change::Merged, "merged"),
    (Change::Closed, "closed"),
];

impl Summary {
    pub(super) fn incidents_text(&self) -> String {
        let severities = by_severity(&self.incidents_by_severity);
        let mut text = if severities.is_empty() { "none".to_owned() } else { severities };
        let changes = self.incident_life.as_ref().map(|life| &life.changes);
        let told = TOLD.iter().filter_map(|(change, word)| {
            let count = changes?.get(change).filter(|count| **count > 0)?;
            Some(format!("{} {word}", count_text(*count)))
        });
        let told: Vec<String> = told.collect();
        if !told.is_empty() {
            text.push_str(&format!(" ({})", told.join(", ")));
        }
        std::iter::once(text).chain(self.incident_notes.limits()).collect::<Vec<String>>().join("; ")
    }

    /// Returns the warning about kept hours and incidents that could not be used: one line, as the place is one.
    pub(super) fn state_trouble(&self) -> Option<String> {
        let incidents = self.incident_life.as_ref().and_then(|life| life.trouble.as_ref());
        match (&self.kept_trouble, incidents) {
            (Some(hours), None) => Some(format!("kept hours: {hours}")),
            (Some(hours), Some(_)) => Some(format!("kept hours: {hours}; incidents are those of this run alone")),
            (None, Some(incidents)) => Some(format!("{incidents}; incidents are those of this run alone")),
            (None, None) => None,
        }
    }

    /// Returns the warning about later windows that rest on an earlier state of this one.
    pub(super) fn stale_windows_text(&self) -> Option<String> {
        let count = self.incident_life.as_ref().map(|life| life.stale_windows).filter(|count| *count > 0)?;
        let windows = counted(count, "kept window", "kept windows");
        let rest = if count == 1 { "rests" } else { "rest" };
        Some(format!("{windows} after this one {rest} on an earlier state of incidents: judge again, oldest first"))
    }
}

/// Returns counts by severity, the worst first.
pub(super) fn by_severity(counts: &BTreeMap<Severity, u64>) -> String {
    let counts = counts.iter().rev().filter(|(_, count)| **count > 0);
    counts.map(|(severity, count)| format!("{} {severity}", count_text(*count))).collect::<Vec<String>>().join(", ")
}
