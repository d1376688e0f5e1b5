//! Measures over all incidents at once: B-cubed, and ids from window to window.

use std::collections::{BTreeMap, HashMap};

use super::{IdChurn, Judge, Owner, mean};
use crate::evaluate::findings::JudgedFinding;
use crate::evaluate::incidents::{IncidentStatus, JudgedIncident};

/// Returns the B-cubed precision and recall of findings over incidents; `None` where nothing counts.
pub(super) fn bcubed(
    judge: &Judge<'_>,
    incidents: &[&JudgedIncident],
    findings: &[&JudgedFinding],
) -> (Option<f64>, Option<f64>) {
    let by_id: HashMap<&str, usize> = incidents.iter().enumerate().map(|(n, i)| (i.id.as_str(), n)).collect();
    let by_subject: HashMap<&str, usize> = incidents
        .iter()
        .enumerate()
        .flat_map(|(n, i)| i.subjects.iter().map(move |subject| (subject.as_str(), n)))
        .collect();
    let items: Vec<(Option<usize>, Owner<'_>)> = (findings.iter())
        .map(|finding| {
            let named = finding.incident_id.as_deref().and_then(|id| by_id.get(id));
            let told = || finding.subject.as_deref().and_then(|subject| by_subject.get(subject));
            (named.or_else(told).copied(), judge.owner_of_finding(finding))
        })
        .collect();
    let mut in_incident = HashMap::<usize, usize>::new();
    let mut of_owner = BTreeMap::<&Owner<'_>, usize>::new();
    let mut both = BTreeMap::<(usize, &Owner<'_>), usize>::new();
    for (incident, owner) in &items {
        *of_owner.entry(owner).or_default() += 1;
        if let Some(incident) = incident {
            *in_incident.entry(*incident).or_default() += 1;
            *both.entry((*incident, owner)).or_default() += 1;
        }
    }
    let (mut precisions, mut recalls) = (Vec::new(), Vec::new());
    for (incident, owner) in &items {
        // A finding in no incident is alone.
        let together = incident.map_or(1, |incident| both[&(incident, owner)]);
        if let Some(incident) = incident {
            precisions.push(together as f64 / in_incident[incident] as f64);
        }
        if matches!(owner, Owner::Campaign(_)) {
            recalls.push(together as f64 / of_owner[owner] as f64);
        }
    }
    (mean(&precisions), mean(&recalls))
}

/// Returns how many open incidents of one window go on in the next, and how many of those lost their id.
pub(super) fn churn(windows: &[Vec<JudgedIncident>]) -> IdChurn {
    let mut churn = IdChurn { steps: windows.len() - 1, carried: 0, lost_ids: 0 };
    for (before, after) in windows.iter().zip(&windows[1..]) {
        for incident in before.iter().filter(|incident| incident.status == IncidentStatus::Open) {
            let told = |next: &&JudgedIncident| {
                next.signed().any(|host| incident.signed().any(|of| of == host))
                    || next.subjects.iter().any(|subject| incident.subjects.contains(subject))
            };
            if after.iter().any(|next| told(&next)) {
                churn.carried += 1;
                churn.lost_ids += usize::from(!after.iter().any(|next| next.id == incident.id));
            }
        }
    }
    churn
}
