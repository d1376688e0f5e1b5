//! Incidents over daily and hourly runs that keep their state: one implant is one incident, and people decide its end.

use crate::network::{DAY, HOUR_S, Network};
use crate::program::{Ran, flowsift, program, scratch};
use crate::records::DAY_S;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The remote of the implant.
const CONTROLLER: &str = "192.0.2.75";

/// Eight days with an implant of host 1 from the second day on.
fn week() -> tempfile::TempDir {
    let mut net = Network::new(8);
    for beat in 0..7 * 280 {
        let late = net.below(30);
        net.call(1, CONTROLLER, 443, DAY + 308 * beat + late, [700, 400]);
    }
    net.write()
}

fn time(at: i64) -> String {
    chrono::DateTime::from_timestamp(DAY_S + at, 0).unwrap().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// Judges a window by what lies before it.
struct Judge<'a> {
    logs: &'a Path,
    state: tempfile::TempDir,
    out: tempfile::TempDir,
}

impl<'a> Judge<'a> {
    fn new(logs: &'a Path) -> Self {
        Self { logs, state: scratch(), out: scratch() }
    }

    fn args(&self, from: i64, to: i64, more: &[&str]) -> Vec<String> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let mut args = vec!["detect".to_owned(), text(self.logs), "--from".to_owned(), time(from)];
        args.extend(["--to".to_owned(), time(to), "--state".to_owned(), text(self.state.path())]);
        args.extend(["--out".to_owned(), text(self.out.path())]);
        args.extend(["--min-severity".to_owned(), "informational".to_owned()]);
        args.extend(more.iter().map(|&arg| arg.to_owned()));
        args
    }

    fn window(&self, from: i64, to: i64, more: &[&str]) -> (Vec<Value>, Ran) {
        let ran = flowsift(self.args(from, to, more)).expect(0);
        let lines = fs::read_to_string(self.out.path().join("incidents.jsonl")).unwrap();
        (lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), ran)
    }

    fn day(&self, day: i64, more: &[&str]) -> (Vec<Value>, Ran) {
        self.window(day * DAY, (day + 1) * DAY, more)
    }

    fn verdicts(&self, line: &str) -> String {
        let path = self.state.path().join("verdicts.csv");
        fs::write(&path, format!("kind,value,verdict,until,by,note\n{line}\n")).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

/// The incidents of the implant's host.
fn of_implant(incidents: &[Value]) -> Vec<&Value> {
    let of = |one: &&Value| one["hosts"].as_array().unwrap().iter().any(|host| host["host"] == "10.0.0.1");
    incidents.iter().filter(of).collect()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

#[test]
fn an_implant_of_a_week_is_one_incident() {
    let logs = week();
    let judge = Judge::new(logs.path());
    let mut days = Vec::new();
    for day in 1..8 {
        let (incidents, ran) = judge.day(day, &["-q"]);
        let [one] = of_implant(&incidents)[..] else { panic!("day {day}: {incidents:#?}") };
        assert_eq!(text(one, "status"), "open", "day {day}");
        let beacon =
            ran.findings().into_iter().find(|f| f["detection"] == "beacon" && f["remote"] == CONTROLLER).unwrap();
        assert_eq!(beacon["incident_id"], one["id"], "day {day}");
        days.push((one.clone(), fs::read(judge.out.path().join("incidents.jsonl")).unwrap()));
    }
    assert_eq!(days.iter().map(|(one, _)| text(one, "id")).collect::<BTreeSet<_>>().len(), 1);
    assert_eq!(days[0].0["change"], "opened");
    let severities = ["low", "medium", "high", "critical"];
    let rank = |one: &Value| severities.iter().position(|name| *name == text(one, "severity")).unwrap();
    assert!(days.iter().map(|(one, _)| rank(one)).is_sorted(), "the severity never falls");
    assert!(days[1..].iter().all(|(one, _)| one["opened_at"] == time(2 * DAY)));
    // A run again, whatever ran after it, says the same, and nothing rests on something else then.
    for day in [6, 2, 7] {
        let (_, ran) = judge.day(day, &[]);
        let again = fs::read(judge.out.path().join("incidents.jsonl")).unwrap();
        assert!(again == days[day as usize - 1].1, "day {day}");
        assert!(!ran.err.contains("earlier state"), "{}", ran.err);
    }
}

#[test]
fn hourly_runs_over_a_sliding_day_keep_the_id_and_two_runs_at_once_lose_nothing() {
    let logs = week();
    let judge = Judge::new(logs.path());
    let mut ids = BTreeSet::new();
    for hour in 0..4 {
        let to = 3 * DAY + hour * HOUR_S;
        let (incidents, _) = judge.window(to - DAY, to, &["-q"]);
        ids.extend(of_implant(&incidents).iter().map(|one| text(one, "id").to_owned()));
    }
    let running: Vec<_> = (4..6)
        .map(|hour| {
            let to = 3 * DAY + hour * HOUR_S;
            // Each has a place of its own for its results.
            let other = Judge { logs: judge.logs, state: scratch(), out: scratch() };
            let mut args = other.args(to - DAY, to, &["-q"]);
            let place = args.iter().position(|arg| arg == "--state").unwrap() + 1;
            args[place] = judge.state.path().to_str().unwrap().to_owned();
            (program().args(args).stdout(std::process::Stdio::null()).spawn().unwrap(), other)
        })
        .collect();
    for (mut child, other) in running {
        assert_eq!(child.wait().unwrap().code(), Some(0));
        let lines = fs::read_to_string(other.out.path().join("incidents.jsonl")).unwrap();
        let incidents: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        ids.extend(of_implant(&incidents).iter().map(|one| text(one, "id").to_owned()));
    }
    assert_eq!(ids.len(), 1, "{ids:?}");
    let head = fs::read_to_string(judge.state.path().join("incidents/v1/HEAD.json")).unwrap();
    let head: Value = serde_json::from_str(&head).unwrap();
    assert_eq!(head["snapshots"].as_object().unwrap().len(), 6, "both are kept");
}

#[test]
fn people_end_incidents_and_the_summary_counts_what_they_hold_back() {
    let logs = week();
    let judge = Judge::new(logs.path());
    let (incidents, _) = judge.day(1, &["-q"]);
    let id = text(of_implant(&incidents)[0], "id").to_owned();
    let verdicts = judge.verdicts(&format!("incident,{id},false_positive,2036-12-31,alice,our own agent"));
    let (incidents, ran) = judge.day(2, &["--verdicts", &verdicts]);
    let closed = of_implant(&incidents)[0];
    assert_eq!(
        [text(closed, "id"), text(closed, "status"), text(closed, "closed_reason")],
        [&id, "closed", "false_positive"]
    );
    let beacon = ran.findings().into_iter().find(|f| f["detection"] == "beacon" && f["remote"] == CONTROLLER).unwrap();
    assert_eq!(beacon["severity"], "informational");
    let reason = format!("false positive by {verdicts}:2 (alice): our own agent");
    assert_eq!(beacon["evidence"]["verdict"], reason.as_str());
    assert!(text(&beacon, "explanation").ends_with(&format!("Lowered: {reason}.")), "{beacon:#}");
    assert!(ran.err.contains("by verdicts"), "{}", ran.err);
    let summary: Value = serde_json::from_slice(&fs::read(judge.out.path().join("summary.json")).unwrap()).unwrap();
    assert!(summary["held_back"]["by_verdicts"].as_u64().unwrap() >= 1, "{summary:#}");
    assert_eq!(summary["incident_life"]["changes"]["closed"], 1);
    // It stays closed, and is told no more.
    let (incidents, _) = judge.day(3, &["-q", "--verdicts", &verdicts]);
    assert_eq!(of_implant(&incidents), Vec::<&Value>::new());
    // Another judgement of an older day makes the later ones rest on nothing.
    let (_, ran) = judge.day(1, &["--verdicts", &verdicts]);
    assert!(ran.err.contains("2 kept windows after this one rest on an earlier state of incidents"), "{}", ran.err);
    // A remote that is benign opens nothing.
    let other = Judge::new(logs.path());
    let benign = other.verdicts(&format!("remote,{CONTROLLER},benign,2036-12-31,bob,licence server"));
    let (incidents, _) = other.day(2, &["-q", "--verdicts", &benign]);
    assert_eq!(of_implant(&incidents), Vec::<&Value>::new());
    // One that has expired is told and lowers nothing.
    let expired = other.verdicts(&format!("remote,{CONTROLLER},benign,2001-12-31,bob,licence server"));
    let (incidents, ran) = other.day(2, &["-q", "--verdicts", &expired]);
    assert_eq!(of_implant(&incidents).len(), 1);
    assert!(ran.err.contains("verdicts.csv:2: ") && ran.err.contains("has expired"), "{}", ran.err);
}

#[test]
fn an_implant_stays_unknown_while_its_incident_is_open() {
    let logs = week();
    let judge = Judge::new(logs.path());
    let mut severities = Vec::new();
    for day in [1, 2, 6, 7] {
        let (_, ran) = judge.day(day, &["-q"]);
        let beacon =
            ran.findings().into_iter().find(|f| f["detection"] == "beacon" && f["remote"] == CONTROLLER).unwrap();
        severities.push(text(&beacon, "severity").to_owned());
        // The flags of days are forgotten, the incident is not.
        fs::remove_dir_all(judge.state.path().join("flags")).unwrap();
    }
    assert_eq!(severities, ["high"; 4]);
}

#[test]
fn verdicts_are_checked_before_any_log_is_read() {
    let logs = week();
    let judge = Judge::new(logs.path());
    let wrong = judge.verdicts("host,10.0.0.1,fine,2036-12-31,,");
    let ran = flowsift(judge.args(DAY, 2 * DAY, &["--verdicts", &wrong])).expect(2);
    let expected = format!("{wrong}:2: got `fine`, expected the verdict `false_positive`, `benign` or `resolved`");
    assert!(ran.err.contains(&expected), "{}", ran.err);
    let ran = flowsift(judge.args(DAY, 2 * DAY, &["--close-after", "soon"])).expect(2);
    assert!(ran.err.contains("--close-after"), "{}", ran.err);
}
