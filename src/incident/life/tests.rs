//! Weeks of runs over handmade incidents.

use super::examples::{host, remote, seen};
use super::*;
use crate::detect::Severity;
use crate::incident::model::{Change, ClosedReason, HostPart, Status, TimelineKind};
use crate::intel::Verdicts;
use flow::time::{DAY_S, HOUR_S};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Runs one after another over windows that somebody judges.
struct Runs {
    state: Snapshot,
    verdicts: Verdicts,
    seen: BTreeMap<String, i64>,
    allowed: BTreeSet<String>,
}

impl Runs {
    fn new() -> Self {
        let (verdicts, seen, allowed) = Default::default();
        Self { state: Snapshot::default(), verdicts, seen, allowed }
    }

    /// Judges a window that ends at a second.
    fn run(&mut self, to_s: i64, fresh: Vec<Incident>) -> Carried {
        let carried = carry(fresh, &self.state, &self.at(to_s));
        self.state = Snapshot { incidents: carried.kept.clone(), past: carried.past.clone(), ..Snapshot::default() };
        carried
    }

    fn at(&self, to_s: i64) -> CarryRun<'_> {
        CarryRun {
            to_s,
            close_after_s: 7 * DAY_S,
            verdicts: &self.verdicts,
            seen: self.seen.clone(),
            allowed: self.allowed.clone(),
        }
    }

    /// Judges a day, counted from 0.
    fn day(&mut self, day: i64, fresh: Vec<Incident>) -> Carried {
        self.run((day + 1) * DAY_S, fresh)
    }

    fn judge(&mut self, line: &str) {
        self.verdicts.add(Path::new("v.csv"), &format!("kind,value,verdict,until,by,note\n{line}\n")).unwrap();
    }
}

/// A fresh incident of a day: its evidence fills the hours from 1 to 20.
fn on(day: i64, digit: &str, hosts: &[&str], subjects: &[&str]) -> Incident {
    seen(digit, hosts, subjects, day * DAY_S + HOUR_S, day * DAY_S + 20 * HOUR_S)
}

/// Returns the first character of the id, status, change and revision of each.
fn told(carried: &Carried) -> Vec<(char, Status, Change, u32)> {
    let line = |one: &Incident| (one.id.chars().next().unwrap(), one.status, one.change, one.revision);
    carried.incidents.iter().map(line).collect()
}

#[test]
fn a_week_of_daily_runs_has_one_id() {
    let mut runs = Runs::new();
    let mut severities = Vec::new();
    for day in 0..7 {
        // Each window has another anchor, and the implant gets milder.
        let mut fresh = on(day, &day.to_string(), &["10.0.0.1"], &["beacon", &format!("of day {day}")]);
        fresh.severity = if day == 0 { Severity::High } else { Severity::Medium };
        let carried = runs.day(day, vec![fresh]);
        let change = if day == 0 { Change::Opened } else { Change::Unchanged };
        assert_eq!(told(&carried), [('0', Status::Open, change, 1)], "day {day}");
        assert_eq!(carried.ids[&day.to_string().repeat(32)], "0".repeat(32));
        severities.push(carried.incidents[0].severity);
    }
    assert_eq!(severities, [Severity::High; 7]);
    let one = &runs.state.incidents[0];
    assert_eq!((one.opened_at_s, one.updated_at_s), (DAY_S, DAY_S));
    assert_eq!((one.first_seen_s, one.last_seen_s), (HOUR_S, 6 * DAY_S + 20 * HOUR_S));
    assert_eq!(one.subjects.len(), 8);
}

#[test]
fn a_week_of_hourly_runs_over_a_sliding_day_has_one_id() {
    let mut runs = Runs::new();
    let mut ids = BTreeSet::new();
    for hour in 1..7 * 24 {
        // The anchor of a window is what begins first in it.
        let from_s = (hour - 24).max(0) * HOUR_S;
        let (subject, digit) = (format!("of hour {}", from_s / HOUR_S), (hour % 10).to_string());
        let fresh = seen(&digit, &["10.0.0.1"], &[&subject], from_s, hour * HOUR_S - 60);
        let carried = runs.run(hour * HOUR_S, vec![fresh]);
        assert_eq!(carried.incidents.len(), 1);
        ids.insert(carried.incidents[0].id.clone());
        assert_eq!(carried.incidents[0].revision, 1);
    }
    assert_eq!(ids.len(), 1);
    assert_eq!(runs.state.incidents[0].timeline.len(), 1, "one entry that goes on, told 167 times");
}

#[test]
fn material_changes_count_and_others_do_not() {
    let mut runs = Runs::new();
    runs.day(0, vec![on(0, "1", &["10.0.0.1"], &["a"])]);
    let day = |runs: &mut Runs, day: i64, change: &dyn Fn(&mut Incident)| {
        let mut fresh = on(day, "1", &["10.0.0.1"], &["a", "b"]);
        change(&mut fresh);
        let carried = runs.day(day, vec![fresh]);
        (carried.incidents[0].change, carried.incidents[0].revision, carried.incidents[0].updated_at_s / DAY_S)
    };
    assert_eq!(day(&mut runs, 1, &|one| one.findings = 900), (Change::Unchanged, 1, 1));
    assert_eq!(day(&mut runs, 2, &|one| one.severity = Severity::High), (Change::Escalated, 2, 3));
    assert_eq!(day(&mut runs, 3, &|one| one.hosts.push(host("10.0.0.2"))), (Change::Extended, 3, 4));
    assert_eq!(day(&mut runs, 4, &|one| one.remotes.push(remote("192.0.2.9"))), (Change::Extended, 4, 5));
    assert_eq!(day(&mut runs, 5, &|one| one.remotes.push(remote("192.0.2.9"))), (Change::Unchanged, 4, 5));
}

#[test]
fn what_one_intrusion_ties_together_becomes_one() {
    let mut runs = Runs::new();
    runs.day(0, vec![on(0, "2", &["10.0.0.2"], &["b"])]);
    runs.day(1, vec![on(1, "1", &["10.0.0.1"], &["a"]), on(1, "2", &["10.0.0.2"], &["b"])]);
    let carried = runs.day(2, vec![on(2, "3", &["10.0.0.1", "10.0.0.2"], &["c"])]);
    // The oldest keeps its id.
    assert_eq!(told(&carried), [('2', Status::Open, Change::Extended, 2), ('1', Status::Merged, Change::Merged, 2)]);
    let [whole, part] = &carried.incidents[..] else { panic!() };
    assert_eq!(part.merged_into.as_ref(), Some(&whole.id));
    assert_eq!(whole.subjects, ["a", "b", "c"]);
    assert_eq!(whole.timeline.iter().filter(|entry| entry.kind == TimelineKind::Merge).count(), 1);
    // What belonged to the younger one is the older one's by now.
    let carried = runs.day(3, vec![on(3, "1", &["10.0.0.1"], &["a"])]);
    assert_eq!(told(&carried), [('2', Status::Open, Change::Unchanged, 2)]);
    // Two fresh ones of one incident are one, and nothing is split.
    let halves = vec![on(4, "1", &["10.0.0.1"], &["a"]), on(4, "2", &["10.0.0.2"], &["b"])];
    let carried = runs.day(4, halves);
    assert_eq!(told(&carried), [('2', Status::Open, Change::Unchanged, 2)]);
    assert_eq!((carried.incidents[0].findings, carried.ids.len()), (2, 2));
}

#[test]
fn accounts_and_reached_hosts_tie_nothing() {
    let mut runs = Runs::new();
    runs.day(0, vec![on(0, "1", &["10.0.0.1", "10.0.0.2"], &["a"])]);
    runs.state.incidents[0].hosts[1].part = HostPart::Target;
    let mut other = on(1, "2", &["10.0.0.1"], &["b"]);
    other.hosts[0].account_id = Some("999999999999".to_owned());
    let reached = on(1, "3", &["10.0.0.2"], &["c"]);
    let carried = runs.day(1, vec![other, reached]);
    assert_eq!(carried.ids["2".repeat(32).as_str()], "2".repeat(32));
    assert_eq!(carried.ids["3".repeat(32).as_str()], "3".repeat(32));
    assert_eq!(carried.incidents.len(), 3);
}

#[test]
fn too_many_hosts_stay_apart_and_name_each_other() {
    let addresses: Vec<String> = (0..60).map(|number| format!("10.0.1.{number}")).collect();
    let all: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let mut runs = Runs::new();
    let halves = || vec![on(0, "1", &all[..30], &["a"]), on(0, "2", &all[30..], &["b"])];
    runs.day(0, halves());
    let carried = runs.day(1, vec![on(1, "3", &[all[0], all[59]], &["c"])]);
    let related: Vec<(char, &[String])> =
        carried.incidents.iter().map(|one| (one.id.chars().next().unwrap(), &one.related[..])).collect();
    assert_eq!(related, [('1', &["2".repeat(32)][..]), ('2', &["1".repeat(32)][..])]);
    assert_eq!(carried.ids[&"3".repeat(32)], "1".repeat(32));
    // The same again grows neither.
    let carried = runs.day(2, halves());
    assert_eq!(carried.incidents.iter().map(|one| one.change).collect::<Vec<_>>(), [Change::Unchanged; 2]);
}

#[test]
fn silence_closes_and_a_sign_within_a_month_opens_again() {
    let mut runs = Runs::new();
    runs.day(0, vec![on(0, "1", &["10.0.0.1"], &["a"])]);
    for day in 1..7 {
        let carried = runs.day(day, Vec::new());
        assert_eq!(told(&carried), [('1', Status::Open, Change::Unchanged, 1)], "day {day}: it is open and listed");
        assert_eq!(carried.incidents[0].findings, 0);
    }
    let carried = runs.day(7, Vec::new());
    assert_eq!(told(&carried), [('1', Status::Closed, Change::Closed, 2)]);
    assert_eq!(carried.incidents[0].closed_reason, Some(ClosedReason::Quiet));
    assert_eq!(told(&runs.day(8, Vec::new())), []);
    // Evidence of before that a long window shows again is no sign.
    let carried = runs.day(9, vec![on(0, "1", &["10.0.0.1"], &["a"])]);
    assert_eq!(told(&carried), [('1', Status::Closed, Change::Unchanged, 2)]);
    let carried = runs.day(30, vec![on(30, "7", &["10.0.0.1"], &["b"])]);
    assert_eq!(told(&carried), [('1', Status::Open, Change::Reopened, 3)]);
    assert_eq!((carried.incidents[0].closed_reason, carried.incidents[0].opened_at_s), (None, DAY_S));
    // After a month it is another, although it begins with the same sign.
    runs.day(38, Vec::new());
    let carried = runs.day(70, vec![on(70, "1", &["10.0.0.1"], &["a"])]);
    assert_eq!(carried.incidents[0].change, Change::Opened);
    assert_ne!(carried.incidents[0].id, "1".repeat(32));
}

#[test]
fn what_goes_on_more_quietly_is_no_silence() {
    let mut runs = Runs::new();
    runs.day(0, vec![on(0, "1", &["10.0.0.1"], &["a"])]);
    for day in 1..12 {
        runs.seen = [("a".to_owned(), day * DAY_S + 60)].into();
        let carried = runs.day(day, Vec::new());
        assert_eq!(told(&carried), [('1', Status::Open, Change::Unchanged, 1)], "day {day}");
        assert_eq!((carried.incidents[0].findings, carried.ids_by_subject().contains_key("a")), (1, true));
    }
}

#[test]
fn what_a_person_resolved_stays_closed_and_what_returns_is_new() {
    let mut runs = Runs::new();
    runs.day(0, vec![on(0, "a", &["10.0.0.1"], &["a"])]);
    runs.judge(&format!("incident,{},resolved,2036-12-31,alice,rebuilt", "a".repeat(32)));
    let carried = runs.day(1, vec![on(1, "a", &["10.0.0.1"], &["a"])]);
    assert_eq!(told(&carried), [('a', Status::Closed, Change::Closed, 2)]);
    assert_eq!(carried.incidents[0].closed_reason, Some(ClosedReason::Resolved));
    let verdict = carried.incidents[0].timeline.iter().find(|entry| entry.kind == TimelineKind::Verdict).unwrap();
    assert_eq!(verdict.text, "Judged resolved by v.csv:2 (alice): rebuilt (until 2036-12-31T23:59:59Z).");
    assert_eq!(carried.ids_by_subject().get("a"), None);
    let carried = runs.day(2, vec![on(2, "a", &["10.0.0.1"], &["a"])]);
    let again = &carried.incidents[0];
    assert_eq!((again.change, again.related.as_slice()), (Change::Opened, &["a".repeat(32)][..]));
    assert_ne!(again.id, "a".repeat(32));
    let id = again.id.clone();
    // It goes on under its own id.
    let carried = runs.day(3, vec![on(3, "a", &["10.0.0.1"], &["a"])]);
    assert_eq!((carried.incidents[0].id.clone(), carried.incidents[0].change), (id, Change::Unchanged));
}

#[test]
fn a_verdict_counts_in_the_run_that_opens_the_incident_as_well() {
    let mut runs = Runs::new();
    runs.judge(&format!("incident,{},benign,2036-12-31,,", "a".repeat(32)));
    let carried = runs.day(0, vec![on(0, "a", &["10.0.0.1"], &["a"])]);
    assert_eq!(told(&carried), [('a', Status::Closed, Change::Closed, 2)]);
    // It is kept as long as the verdict is valid.
    runs.day(60, Vec::new());
    assert_eq!(runs.state.incidents.len(), 1);
}

#[test]
fn what_an_allow_list_holds_back_closes_its_incident() {
    let mut runs = Runs::new();
    runs.day(0, vec![on(0, "1", &["10.0.0.1"], &["a", "b"])]);
    runs.allowed.insert("a".to_owned());
    runs.seen = [("b".to_owned(), DAY_S + 60)].into();
    assert_eq!(runs.day(1, Vec::new()).incidents[0].status, Status::Open, "b goes on");
    runs.seen.clear();
    let carried = runs.day(2, Vec::new());
    assert_eq!(carried.incidents[0].closed_reason, Some(ClosedReason::Allowed));
}

#[test]
fn the_order_of_the_fresh_ones_changes_nothing() {
    let fresh = || {
        let mut all = vec![
            on(1, "1", &["10.0.0.1"], &["a"]),
            on(1, "2", &["10.0.0.2", "10.0.0.3"], &["b"]),
            on(1, "3", &["10.0.0.3"], &["c"]),
        ];
        all[2].related = vec!["1".repeat(32)];
        all
    };
    let mut runs = Runs::new();
    runs.day(0, vec![on(0, "9", &["10.0.0.1", "10.0.0.2"], &["z"]), on(0, "8", &["10.0.0.3"], &["y"])]);
    let forward = carry(fresh(), &runs.state, &runs.at(2 * DAY_S));
    let mut turned = fresh();
    turned.reverse();
    assert_eq!(carry(turned, &runs.state, &runs.at(2 * DAY_S)), forward);
    assert_eq!(forward.changes(), [(Change::Extended, 1), (Change::Merged, 1)].into());
}
