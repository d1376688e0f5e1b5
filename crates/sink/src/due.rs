//! What is due: what a run knows, compared with what a sink was told.
//!
//! The comparison is of states, not of events: a run that was killed before it kept its notices leaves them due for the
//! next, and a run again has nothing new to say.

use crate::notice::{Change, IncidentView, Notice, RunView};
use crate::target::Sink;
use flow::Severity;
use flow::time::{DAY_S, rfc3339};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Closed incidents are forgotten after so long: by then they open anew.
const FORGET_S: i64 = 120 * DAY_S;

/// What a sink was told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The version of these fields: 1.
    pub version: u32,
    /// The number of the next notice.
    pub next: u64,
    /// The end of the window of the last digest, in seconds.
    pub digest_s: Option<i64>,
    /// The incidents, by id.
    pub incidents: BTreeMap<String, ToldIncident>,
}

/// What a sink was told of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldIncident {
    /// Its revision.
    pub revision: u32,
    /// Its severity.
    pub severity: Severity,
    /// Whether it went on.
    pub open: bool,
    /// When it changed last, in seconds.
    pub updated_s: i64,
}

impl ToldIncident {
    fn of(incident: &IncidentView) -> Self {
        Self {
            revision: incident.revision,
            severity: incident.severity,
            open: incident.is_open(),
            updated_s: incident.updated_at.0,
        }
    }
}

/// What is due for a sink.
pub(crate) struct Due {
    /// The notices, in the order in which they are sent.
    pub(crate) notices: Vec<Notice>,
    /// What the sink is told by then.
    pub(crate) told: Told,
    /// Notices that found no room and stay due.
    pub(crate) postponed: u64,
}

impl Told {
    /// Returns what counts as told to a new sink: what earlier runs know.
    pub(crate) fn begun(sink: &Sink, before: &[IncidentView]) -> Self {
        let known = before.iter().filter(|incident| incident.severity >= sink.least);
        let incidents = known.map(|incident| (incident.id.clone(), ToldIncident::of(incident))).collect();
        Self { version: 1, incidents, ..Self::default() }
    }

    /// Returns what is due after a run; `room` is how many notices may wait besides those that do.
    pub(crate) fn due(&self, sink: &Sink, run: &RunView, room: usize) -> Due {
        let mut due = Due { notices: Vec::new(), told: self.clone(), postponed: 0 };
        let mut incidents: Vec<&IncidentView> = run.incidents.iter().collect();
        // The worst first, whatever the order of the run.
        incidents.sort_by(|a, b| a.worst_first(b));
        let (extensions, ends) = sink.target.keeps_records();
        for incident in incidents {
            let Some(change) = self.change(incident, sink.least) else { continue };
            let sent = match change {
                Change::Extended => extensions,
                Change::Closed => ends,
                Change::Opened | Change::Escalated | Change::Reopened => true,
            };
            if sent && due.notices.len() >= room {
                due.postponed += 1;
                continue;
            }
            due.told.incidents.insert(incident.id.clone(), ToldIncident::of(incident));
            if sent {
                due.notices.push(Notice::incident(change, incident.clone()));
            }
        }
        if let Some(to_s) = run.window_to_s {
            due.told.incidents.retain(|_, told| told.open || told.updated_s > to_s - FORGET_S);
            due.digest(sink, run, to_s);
        }
        if sink.heartbeat {
            due.notices.push(Notice::Heartbeat(run.heartbeat()));
        }
        due
    }

    /// Returns what became of an incident in the eyes of a sink; `None` when it was told all.
    fn change(&self, incident: &IncidentView, least: Severity) -> Option<Change> {
        let Some(told) = self.incidents.get(&incident.id) else {
            let heard = incident.is_open() && incident.severity >= least;
            return heard.then_some(match incident.change.as_str() {
                "escalated" if incident.revision > 1 => Change::Escalated,
                "reopened" => Change::Reopened,
                _ => Change::Opened,
            });
        };
        // A run of an earlier window knows less.
        if incident.revision < told.revision || incident.updated_at.0 < told.updated_s {
            return None;
        }
        let is_heard = incident.severity >= least;
        match (told.open, incident.is_open()) {
            (true, false) => Some(Change::Closed),
            (false, true) => is_heard.then_some(Change::Reopened),
            (false, false) => None,
            (true, true) if is_heard && incident.severity > told.severity => Some(Change::Escalated),
            (true, true) => (incident.revision > told.revision).then_some(Change::Extended),
        }
    }
}

impl Due {
    /// Adds the digest when the day of the window's end is a later one than that of the last.
    fn digest(&mut self, sink: &Sink, run: &RunView, to_s: i64) {
        let day = |second: i64| (second - 1).div_euclid(DAY_S);
        match self.told.digest_s {
            // The first digest comes with the next day.
            None => self.told.digest_s = Some(to_s),
            Some(last_s) if day(to_s) > day(last_s) => {
                self.told.digest_s = Some(to_s);
                if sink.digest {
                    let date = rfc3339(day(to_s) * DAY_S);
                    let date = date.split('T').next().unwrap_or_default();
                    self.notices.push(Notice::Digest(run.digest(date, sink.least, last_s)));
                }
            }
            Some(_) => {}
        }
    }
}
