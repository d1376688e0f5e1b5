//! When a person's verdict ends an incident.

use crate::incident::model::{ClosedReason, Incident, Tactic};
use crate::intel::{Judged, Verdict, VerdictEntry, Verdicts};

use super::sameness::has_signs;

/// Why an incident ends, and what the timeline says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Closing {
    pub(super) reason: ClosedReason,
    pub(super) said: Option<String>,
}

impl Closing {
    fn by(entry: &VerdictEntry) -> Self {
        let reason = match entry.verdict {
            Verdict::FalsePositive => ClosedReason::FalsePositive,
            Verdict::Benign => ClosedReason::Benign,
            Verdict::Resolved => ClosedReason::Resolved,
        };
        Self { reason, said: Some(format!("Judged {entry}.")) }
    }
}

/// Tactics that a verdict about remotes explains: whoever calls them does nothing else.
const OF_REMOTES: [Tactic; 2] = [Tactic::CommandAndControl, Tactic::Exfiltration];

/// Returns whether a person closed an incident.
pub(super) fn is_by_person(incident: &Incident) -> bool {
    use ClosedReason::{Benign, FalsePositive, Resolved};
    matches!(incident.closed_reason, Some(FalsePositive | Benign | Resolved))
}

/// Returns how a verdict about an incident's id ends it, valid to the end of the window `to_s`.
pub(super) fn by_verdict_on_id(incident: &Incident, verdicts: &Verdicts, to_s: i64) -> Option<Closing> {
    verdicts.of_incident(&incident.id, to_s - 1).map(Closing::by)
}

/// Returns how verdicts end an incident: one about its id, or some that cover all its subjects, all its hosts with signs,
/// or all its remotes where it did nothing else than call them.
pub(super) fn by_verdict(incident: &Incident, verdicts: &Verdicts, to_s: i64) -> Option<Closing> {
    if let Some(closing) = by_verdict_on_id(incident, verdicts, to_s) {
        return Some(closing);
    }
    let find = |covers: &dyn Fn(&VerdictEntry) -> bool| verdicts.valid(to_s - 1).find(|entry| covers(entry));
    let subjects = incident
        .subjects
        .iter()
        .map(|subject| find(&|entry| matches!(&entry.judged, Judged::Subject(of) if of == subject)));
    let hosts = incident
        .hosts
        .iter()
        .filter(|host| has_signs(host))
        .map(|host| find(&|entry| entry.covers_host(host.account_id.as_deref(), host.host)));
    let calls_only = incident.stages.iter().all(|stage| OF_REMOTES.contains(&stage.tactic));
    let remotes =
        incident.remotes.iter().filter(|_| calls_only).map(|remote| find(&|entry| entry.covers_remote(remote.address)));
    first_of_all(subjects).or_else(|| first_of_all(hosts)).or_else(|| first_of_all(remotes)).map(Closing::by)
}

/// Returns the first entry, if there is one for each.
fn first_of_all<'a>(entries: impl Iterator<Item = Option<&'a VerdictEntry>>) -> Option<&'a VerdictEntry> {
    entries.collect::<Option<Vec<_>>>()?.first().copied()
}

#[cfg(test)]
mod tests {
    use super::super::examples::{incident, remote};
    use super::*;
    use crate::incident::model::Stage;
    use std::path::Path;

    const SUBJECTS: [&str; 2] = ["0123456789abcdef0123456789abcdef", "1123456789abcdef0123456789abcdef"];

    fn closed(incident: &Incident, lines: &str) -> Option<ClosedReason> {
        let mut verdicts = Verdicts::default();
        verdicts.add(Path::new("v.csv"), &format!("kind,value,verdict,until,by,note\n{lines}")).unwrap();
        by_verdict(incident, &verdicts, flow::time::parse_time("2026-06-02", 0).unwrap()).map(|closing| closing.reason)
    }

    #[test]
    fn verdicts_end_what_they_cover_whole() {
        let one = incident("a", &["10.0.0.1", "10.0.0.2"], &SUBJECTS);
        let id = &one.id;
        assert_eq!(closed(&one, &format!("incident,{id},resolved,2026-06-01,,")), Some(ClosedReason::Resolved));
        assert_eq!(closed(&one, &format!("incident,{id},resolved,2026-05-31,,")), None, "expired");
        assert_eq!(closed(&one, "host,10.0.0.1,benign,2026-12-31,,"), None, "one of two");
        assert_eq!(closed(&one, "host,10.0.0.0/24,benign,2026-12-31,,"), Some(ClosedReason::Benign));
        let subject = |at: usize| format!("subject,{},false_positive,2026-12-31,,\n", SUBJECTS[at]);
        assert_eq!(closed(&one, &subject(0)), None);
        assert_eq!(closed(&one, &(subject(0) + &subject(1))), Some(ClosedReason::FalsePositive));
        assert_eq!(closed(&one, ""), None);
    }

    #[test]
    fn a_harmless_remote_does_not_explain_a_sweep() {
        let mut one = incident("a", &["10.0.0.1"], &SUBJECTS);
        one.remotes.push(remote("192.0.2.2"));
        let line = "remote,192.0.2.0/24,benign,2026-12-31,,";
        assert_eq!(closed(&one, line), Some(ClosedReason::Benign));
        assert_eq!(closed(&one, "remote,192.0.2.1,benign,2026-12-31,,"), None);
        let sweep = Stage { tactic: Tactic::Discovery, ..one.stages[0].clone() };
        one.stages.push(sweep);
        assert_eq!(closed(&one, line), None);
    }
}
