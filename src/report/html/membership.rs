//! Which incident a finding belongs to.

use crate::detect::Finding;
use crate::incident::Incident;
use std::collections::HashMap;

/// The incidents of a page, to be looked up by the findings that belong to them.
#[derive(Debug)]
pub(super) struct Membership<'a> {
    by_id: HashMap<&'a str, usize>,
    by_subject: HashMap<&'a str, usize>,
}

impl<'a> Membership<'a> {
    pub(super) fn of(incidents: &'a [Incident]) -> Self {
        let (mut by_id, mut by_subject) = (HashMap::new(), HashMap::new());
        for (at, incident) in incidents.iter().enumerate() {
            by_id.entry(incident.id.as_str()).or_insert(at);
            for subject in &incident.subjects {
                by_subject.entry(subject.as_str()).or_insert(at);
            }
        }
        Self { by_id, by_subject }
    }

    /// Returns the place of the finding's incident among those of the page; `None` where it belongs to none of them.
    pub(super) fn incident(&self, finding: &Finding) -> Option<usize> {
        match &finding.incident_id {
            Some(id) => self.by_id.get(id.as_str()).copied(),
            None => self.by_subject.get(finding.subject.as_str()).copied(),
        }
    }
}
