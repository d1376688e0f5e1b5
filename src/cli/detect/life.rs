//! What a run knows of incidents of earlier runs, and what it leaves to later ones.

use crate::cli::stderr;
use crate::detect::{ALLOWED_BY, Finding, Severity};
use crate::hours::SourceHours;
use crate::incident::life::{Before, Carried, CarryRun, KeptIncidents, Shown, advance, carry, mask};
use crate::incident::{Incident, Rates, shown_signs};
use crate::intel::Verdicts;
use crate::report::IncidentLife;
use flow::{Address, error_text};
use rollup::window::Window;
use tokio::runtime::Runtime;

/// The incidents of earlier runs.
pub(super) struct Life<'a> {
    runtime: &'a Runtime,
    /// Where state is kept, if it could be read.
    kept: Option<KeptIncidents>,
    before: Before,
    verdicts: Verdicts,
    close_after_s: i64,
    /// Whether the window has data: a window without any says nothing about incidents.
    has_data: bool,
    /// Why the state could not be used.
    trouble: Option<String>,
}

/// The incidents after a run.
pub(super) struct AfterRun {
    /// What the run tells.
    pub(super) incidents: Vec<Incident>,
    /// What became of those of earlier runs; `None` without state.
    pub(super) life: Option<IncidentLife>,
}

impl<'a> Life<'a> {
    /// Reads the state before a run, keeps its remotes out of habits, and lets verdicts about incidents count for their
    /// findings. State that cannot be read is told later, and nothing is known then.
    pub(super) fn begin(
        runtime: &'a Runtime,
        kept: Option<KeptIncidents>,
        mut verdicts: Verdicts,
        close_after_s: i64,
        hours: &mut SourceHours,
    ) -> Self {
        let (before, trouble) = match kept.as_ref().map(|kept| runtime.block_on(kept.before(&hours.window))) {
            None => (Before::default(), None),
            Some(Ok(before)) => (before, None),
            Some(Err(error)) => (Before::default(), Some(error_text(&error))),
        };
        for file in &before.damaged {
            stderr::tell(format_args!(
                "warning: {file}: damaged or missing, so incidents continue from an earlier state"
            ));
        }
        let incidents = &before.snapshot.incidents;
        mask(&mut hours.habits, incidents);
        for incident in incidents {
            verdicts.cover(&incident.id, &incident.subjects);
        }
        let has_data = hours.data_hours_s.is_some_and(|(_, last_hour_s)| last_hour_s >= hours.window.from_s);
        Self { runtime, kept, before, verdicts, close_after_s, has_data, trouble }
    }

    /// Returns the incidents that earlier runs know.
    pub(super) fn known(&self) -> &[Incident] {
        &self.before.snapshot.incidents
    }

    /// Returns what people decided.
    pub(super) fn verdicts(&self) -> &Verdicts {
        &self.verdicts
    }

    /// Returns how often benign hosts showed each kind of evidence.
    pub(super) fn rates(&self) -> &Rates {
        &self.before.snapshot.rates
    }

    /// Carries incidents over to after the run, keeps them, and names in each finding the incident that it belongs to by
    /// now. `hosts` are those of the window.
    pub(super) fn settle(
        &self,
        fresh: Vec<Incident>,
        findings: &mut [Finding],
        window: &Window,
        hosts: u64,
        is_internal: &dyn Fn(Address) -> bool,
    ) -> AfterRun {
        let counts = |finding: &&Finding| finding.severity >= Severity::Low && !finding.is_held_back();
        let allowed = findings.iter().filter(|one| one.evidence.contains_key(ALLOWED_BY));
        let mut run = CarryRun {
            to_s: window.to_s,
            close_after_s: self.close_after_s,
            verdicts: &self.verdicts,
            seen: Default::default(),
            allowed: allowed.map(|finding| finding.subject.clone()).collect(),
        };
        for finding in findings.iter().filter(counts) {
            let last_s = run.seen.entry(finding.subject.clone()).or_insert(finding.last_seen_s);
            *last_s = (*last_s).max(finding.last_seen_s);
        }
        let shown = Shown { signs: shown_signs(findings, is_internal).collect(), hosts };
        let settled = match self.kept.as_ref().filter(|_| self.trouble.is_none() && self.has_data) {
            None => None,
            Some(kept) => {
                let next = |before: &_| advance(fresh.clone(), before, &run, window, &shown);
                Some(self.runtime.block_on(kept.settle(window, next)))
            }
        };
        let mut life = IncidentLife { trouble: self.trouble.clone(), ..IncidentLife::default() };
        let carried = match settled {
            Some(Ok(settled)) => {
                life.stale_windows = settled.stale_windows;
                settled.carried
            }
            failed => {
                life.trouble = life.trouble.or(failed.and_then(Result::err).map(|error| error_text(&error)));
                // Silence of the logs is none of the incidents.
                run.close_after_s = if self.has_data { run.close_after_s } else { i64::MAX };
                carry(fresh, &self.before.snapshot, &run)
            }
        };
        life.changes = carried.changes();
        name_incidents(findings, &carried);
        AfterRun { incidents: carried.incidents, life: self.kept.is_some().then_some(life) }
    }
}

/// Names the incidents of findings by their ids of now, also where what goes on would open none.
fn name_incidents(findings: &mut [Finding], carried: &Carried) {
    let by_subject = carried.ids_by_subject();
    for finding in findings {
        finding.incident_id = match &finding.incident_id {
            Some(fresh) => carried.ids.get(fresh).cloned(),
            None if finding.severity >= Severity::Low && !finding.is_held_back() => {
                by_subject.get(finding.subject.as_str()).map(|id| (*id).to_owned())
            }
            None => None,
        };
    }
}
