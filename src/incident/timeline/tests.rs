//! Timelines of handmade incidents.

use super::*;
use crate::incident::made::{
    FROM_S, address, answered_by, call, facts, found, habit, incident, key, remote, with_evidence, without_history,
};
use crate::incident::model::{RemotePart, Tactic};
use flow::codes::Role;
use serde_json::json;

const H: i64 = 3_600;

fn told(incident: &Incident, findings: &[Finding], facts: &Facts) -> Vec<TimelineEntry> {
    timeline(incident, &findings.iter().collect::<Vec<_>>(), facts)
}

fn of(told: &[TimelineEntry], kind: TimelineKind) -> Vec<&TimelineEntry> {
    told.iter().filter(|entry| entry.kind == kind).collect()
}

/// Calls every 300 seconds between two hours of the window.
fn train(from_h: i64, to_h: i64) -> PairFact {
    let starts_s: Vec<i64> = (from_h * 12..to_h * 12).map(|n| FROM_S + 300 * n).collect();
    PairFact {
        last_seen_s: starts_s.last().unwrap() + 1,
        connections: starts_s.len() as u64,
        starts_s,
        ..call("10.0.0.1", "203.0.113.7", 443, from_h * H)
    }
}

fn beacon() -> Finding {
    let finding = found("beacon", "10.0.0.1", Some(("203.0.113.7", 443)), (5 * H, 12 * H));
    with_evidence(finding, &[("period_s", json!(300.0))])
}

/// Traffic of another host until the end of the window.
fn until_the_end() -> PairFact {
    call("10.0.7.7", "203.0.113.99", 443, 24 * H - 61)
}

#[test]
fn a_controller_is_met_first_by_whoever_met_it_first() {
    let mut one = incident(&[("10.0.0.1", 5 * H)]);
    one.remotes = vec![remote("203.0.113.7", RemotePart::Controller)];
    let known = facts(vec![train(5, 12), call("10.0.0.8", "203.0.113.7", 443, 3 * H)]);
    let told = told(&one, &[], &known);
    let first = of(&told, TimelineKind::FirstContact);
    assert_eq!(first.len(), 1);
    assert_eq!((&first[0].actor, first[0].time_s), (&address("10.0.0.8").into(), FROM_S + 3 * H));
    assert_eq!(first[0].tactic, Some(Tactic::CommandAndControl));
    assert_eq!(
        first[0].text,
        "10.0.0.8 meets 203.0.113.7 on tcp port 443 (https) for the first time; none of the hosts looked at had met \
         203.0.113.7 in 2 d 3 h of data before."
    );
    // The history knows better than the window.
    let known = facts(vec![habit(train(5, 12))]);
    assert_eq!(super::timeline(&one, &[], &known)[0].time_s, FROM_S - 24 * H);
}

#[test]
fn who_enters_is_met_from_outside() {
    let mut one = incident(&[("10.0.0.1", 5 * H)]);
    one.remotes = vec![remote("203.0.113.7", RemotePart::Source)];
    let entered = PairFact { role: Role::Server, ..call("10.0.0.1", "203.0.113.7", 22, 4 * H) };
    let told = told(&one, &[], &facts(vec![entered]));
    assert_eq!(told[0].actor, address("203.0.113.7"));
    assert_eq!(told[0].target, Some(address("10.0.0.1").into()));
    assert_eq!(told[0].tactic, Some(Tactic::InitialAccess));
}

#[test]
fn a_cadence_begins_changes_and_ends() {
    let one = incident(&[("10.0.0.1", 5 * H)]);
    let mut pair = train(5, 12);
    // From hour 8 on, only every third call.
    pair.starts_s.retain(|start| *start < FROM_S + 8 * H || (start - FROM_S) % 900 == 0);
    pair.starts_s.truncate(46);
    let last_s = *pair.starts_s.last().unwrap();
    let told = told(&one, &[beacon()], &facts(vec![pair, until_the_end()]));
    let kinds: Vec<TimelineKind> = told.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [TimelineKind::CadenceBegins, TimelineKind::CadenceEnds]);
    assert_eq!(told[0].text, "10.0.0.1 calls 203.0.113.7 on tcp port 443 (https) every 5 m.");
    assert_eq!((told[0].time_s, told[1].time_s), (FROM_S + 5 * H, last_s));
    assert_eq!(told[0].subject.as_deref(), Some("beacon 10.0.0.1 Some((\"203.0.113.7\", 443))"));

    let mut slower = train(5, 8);
    slower.starts_s.extend((0..40).map(|n| FROM_S + 8 * H + 900 * n));
    slower.last_seen_s = FROM_S + 18 * H;
    let told = super::timeline(&one, &[&beacon()], &facts(vec![slower, until_the_end()]));
    let changes = of(&told, TimelineKind::CadenceChanges);
    assert_eq!(changes.len(), 1);
    assert_eq!(
        changes[0].text,
        "10.0.0.1 calls 203.0.113.7 on tcp port 443 (https) every 15 m, before it was every 5 m."
    );
}

#[test]
fn a_cadence_that_goes_on_has_no_end() {
    let one = incident(&[("10.0.0.1", 5 * H)]);
    let ends = |pair: PairFact, finding: Finding| {
        let told = told(&one, &[finding], &facts(vec![pair, until_the_end()]));
        of(&told, TimelineKind::CadenceEnds).len()
    };
    assert_eq!(ends(train(5, 24), beacon()), 0);
    assert_eq!(ends(train(5, 23), beacon()), 1);
    // Who rests at night is silent then.
    assert_eq!(ends(train(5, 23), with_evidence(beacon(), &[("active_from_utc_h", json!(8))])), 0);
    // Where the data end, nobody is heard.
    let told = told(&one, &[beacon()], &facts(vec![train(5, 12)]));
    assert_eq!(of(&told, TimelineKind::CadenceEnds).len(), 0);
}

#[test]
fn calls_to_remotes_in_turn_are_told_by_their_finding() {
    let one = incident(&[("10.0.0.1", 5 * H)]);
    let finding = with_evidence(found("rotating_beacon", "10.0.0.1", None, (5 * H, 9 * H)), &[("period_s", json!(60))]);
    let told = told(&one, &[finding], &facts(vec![]));
    assert_eq!((told.len(), told[0].kind), (1, TimelineKind::CadenceBegins));
    assert_eq!(told[0].text, "10.0.0.1 did it.");
    assert!(told[0].query.starts_with("flowsift query host_profile \"$LOGS\" --from "), "{}", told[0].query);
}

#[test]
fn findings_have_kinds_tactics_and_commands() {
    let one = incident(&[("10.0.0.1", 5 * H)]);
    let gap = Finding { interface_id: Some("eni-1".to_owned()), ..found("log_gap", "10.0.0.1", None, (7 * H, 9 * H)) };
    let findings = [
        found("port_sweep", "10.0.0.1", None, (5 * H, 6 * H)),
        Finding { role: Some(Role::Server), ..found("exposed_service", "10.0.0.1", None, (6 * H, 6 * H)) },
        gap,
        found("tor_contact", "10.0.0.1", Some(("203.0.113.9", 9001)), (8 * H, 8 * H)),
        // A log as a whole.
        Finding { host: None, ..found("log_gap", "10.0.0.2", None, (9 * H, 9 * H)) },
        // Another host, and one below low.
        found("tor_contact", "10.0.0.2", Some(("203.0.113.9", 9001)), (8 * H, 8 * H)),
        Finding { severity: Severity::Informational, ..found("spam", "10.0.0.1", None, (8 * H, 8 * H)) },
    ];
    let told = told(&one, &findings, &facts(vec![]));
    let lines: Vec<(TimelineKind, Option<Tactic>, &str)> = told
        .iter()
        .map(|entry| (entry.kind, entry.tactic, entry.query.split(" \"$LOGS\"").next().unwrap_or_default()))
        .collect();
    assert_eq!(
        lines,
        [
            (TimelineKind::Sweep, Some(Tactic::Discovery), "flowsift query traffic_from_address"),
            (TimelineKind::Exposure, Some(Tactic::InitialAccess), "flowsift query traffic_to_address"),
            (TimelineKind::LogGap, Some(Tactic::DefenseEvasion), "flowsift sql"),
            (TimelineKind::Finding, Some(Tactic::CommandAndControl), "flowsift query flows_between"),
            (TimelineKind::LogGap, Some(Tactic::DefenseEvasion), "flowsift sql"),
        ]
    );
    assert!(told.iter().all(|entry| entry.actor == address("10.0.0.1")));
}

#[test]
fn the_long_session_after_guesses_is_told() {
    let one = incident(&[("10.0.0.1", 5 * H)]);
    let guesses = found("brute_force", "10.0.0.1", Some(("10.0.0.2", 22)), (5 * H, 6 * H));
    let mut pair = call("10.0.0.1", "10.0.0.2", 22, 5 * H);
    pair.starts_s = (0..100).map(|n| FROM_S + 5 * H + 30 * n).collect();
    (pair.connections, pair.longest_s, pair.last_seen_s) = (100, 1_500, pair.starts_s[99] + 1_500);
    let told = told(&one, std::slice::from_ref(&guesses), &facts(vec![pair.clone()]));
    assert_eq!(of(&told, TimelineKind::Guessing).len(), 1);
    let session = of(&told, TimelineKind::SessionAfterGuessing);
    assert_eq!(session.len(), 1);
    assert_eq!((session[0].time_s, session[0].end_s), (pair.starts_s[99], pair.last_seen_s));
    assert_eq!(session[0].tactic, Some(Tactic::LateralMovement));
    assert_eq!(
        session[0].text,
        "10.0.0.1 keeps a session of 10.0.0.2 on tcp port 22 (ssh) open for 25 m, after it guessed."
    );
    let short = PairFact { longest_s: 20, ..pair };
    let told = super::timeline(&one, &[&guesses], &facts(vec![short]));
    assert!(of(&told, TimelineKind::SessionAfterGuessing).is_empty());
}

#[test]
fn sessions_that_open_a_path_are_told() {
    let one = incident(&[("10.0.0.1", 5 * H)]);
    let mut known = facts(vec![
        call("10.0.0.1", "10.0.0.2", 22, 6 * H),
        habit(call("10.0.0.1", "10.0.0.3", 22, 6 * H)),
        // Before the first sign, by habit without management, a probe, a hub.
        call("10.0.0.1", "10.0.0.4", 22, 4 * H),
        habit(call("10.0.0.1", "10.0.0.5", 5432, 6 * H)),
        PairFact { bytes_in: 120, bytes_out: 120, ..call("10.0.0.1", "10.0.0.6", 22, 6 * H) },
        call("10.0.0.1", "10.0.0.7", 53, 6 * H),
        // Who entered it, hours before.
        answered_by(&call("10.0.0.8", "10.0.0.1", 22, 4 * H)),
        answered_by(&habit(call("10.0.0.9", "10.0.0.1", 22, 4 * H))),
    ]);
    known.in_degree.insert((key("10.0.0.7"), 53), 900);
    let told = told(&one, &[], &known);
    let texts: Vec<&str> = told.iter().map(|entry| entry.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "10.0.0.8 opened tcp port 22 (ssh) of 10.0.0.1, which it had not met before; 25.0 KB moved, the longest \
             connection lasted 1 m.",
            "10.0.0.1 opened tcp port 22 (ssh) of 10.0.0.2, which it had not met before; 25.0 KB moved, the longest \
             connection lasted 1 m.",
            "10.0.0.1 opened tcp port 22 (ssh) of 10.0.0.3, which it administers by habit; 25.0 KB moved, the longest \
             connection lasted 1 m.",
        ]
    );
    assert!(told.iter().all(|entry| entry.kind == TimelineKind::InsideSession && entry.bytes == Some(25_000)));
}

#[test]
fn without_history_a_session_is_told_where_it_leads_on_or_administers() {
    let one = incident(&[("10.0.0.1", 7 * H), ("10.0.0.2", 12 * H)]);
    let bare = |to: &str, port| PairFact { baseline_hours: None, ..call("10.0.0.1", to, port, 9 * H) };
    let known = without_history(vec![bare("10.0.0.2", 8080), bare("10.0.0.3", 22), bare("10.0.0.4", 8080)]);
    let told = told(&one, &[], &known);
    let to: Vec<Option<Address>> = told.iter().map(|entry| entry.target.as_ref()?.address()).collect();
    assert_eq!(to, [Some(address("10.0.0.2")), Some(address("10.0.0.3"))]);
}

#[test]
fn who_stays_from_outside_before_the_first_sign_is_told() {
    let one = incident(&[("10.0.0.1", 5 * H)]);
    let from = |remote: &str, at_s, longest_s| PairFact {
        role: Role::Server,
        longest_s,
        ..call("10.0.0.1", remote, 22, at_s)
    };
    let known = facts(vec![
        from("203.0.113.7", 4 * H, 1_500),
        // Who only knocks, comes after it, or always came.
        from("203.0.113.8", 4 * H, 60),
        from("203.0.113.9", 6 * H, 1_500),
        habit(from("203.0.113.10", 4 * H, 1_500)),
    ]);
    let told = told(&one, &[], &known);
    let kinds: Vec<_> = told.iter().map(|entry| (entry.kind, entry.tactic)).collect();
    assert_eq!(kinds, [(TimelineKind::FirstContact, Some(Tactic::InitialAccess))]);
    assert_eq!(
        told[0].text,
        "203.0.113.7 opened tcp port 22 (ssh) of 10.0.0.1, which it had not met before; 25.0 KB moved, the longest \
         connection lasted 25 m."
    );
}

#[test]
fn guesses_are_no_cadence() {
    let one = incident(&[("10.0.0.1", 5 * H)]);
    let path = Some(("10.0.0.2", 22));
    let mut guesses = found("brute_force", "10.0.0.1", path, (5 * H, 6 * H));
    guesses.severity = Severity::Medium;
    let calls = with_evidence(found("beacon", "10.0.0.1", path, (5 * H, 6 * H)), &[("period_s", json!(3.0))]);
    let calls = Finding { severity: Severity::Low, ..calls };
    let told = told(&one, &[guesses.clone(), calls.clone()], &facts(vec![call("10.0.0.1", "10.0.0.2", 22, 5 * H)]));
    assert_eq!((of(&told, TimelineKind::Guessing).len(), of(&told, TimelineKind::CadenceBegins).len()), (1, 0));
    // Calls that are worse than what looks like guesses are told as calls.
    let worse = Finding { severity: Severity::High, ..calls };
    let told = super::timeline(&one, &[&guesses, &worse], &facts(vec![]));
    assert_eq!(of(&told, TimelineKind::CadenceBegins).len(), 1);
}

#[test]
fn a_pull_beyond_habit_is_told() {
    let one = incident(&[("10.0.0.1", 5 * H)]);
    let pull = |host: &str, bytes_in| PairFact { bytes_in, ..habit(call("10.0.0.1", host, 5432, 6 * H)) };
    let (dumped, usual) = (pull("10.0.0.2", 900_000_000), pull("10.0.0.3", 900_000_000));
    let sent = |pair: &PairFact, before| PairFact { baseline_bytes_out: Some(before), ..answered_by(pair) };
    let known = facts(vec![
        sent(&dumped, 2_000_000),
        sent(&usual, 1_800_000_000),
        dumped,
        usual,
        PairFact { bytes_in: 30_000_000, ..call("10.0.0.1", "10.0.0.4", 5432, 6 * H) },
    ]);
    let told = told(&one, &[], &known);
    let pulls = of(&told, TimelineKind::InsidePull);
    let texts: Vec<&str> = pulls.iter().map(|entry| entry.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "10.0.0.1 pulled 900 MB from 10.0.0.2 over tcp port 5432 (postgresql); in a window as long it usually gets 1.0 MB.",
            "10.0.0.1 pulled 30.0 MB from 10.0.0.4 over tcp port 5432 (postgresql); before the window it got nothing.",
        ]
    );
    // Without history, 100 MB over a new edge.
    let bare = |host: &str, bytes_in| PairFact { bytes_in, ..call("10.0.0.1", host, 5432, 6 * H) };
    let known = without_history(vec![bare("10.0.0.2", 99_000_000), bare("10.0.0.3", 101_000_000)]);
    let told = super::timeline(&one, &[], &known);
    let pulls = of(&told, TimelineKind::InsidePull);
    assert_eq!(pulls.iter().map(|entry| entry.target.clone()).collect::<Vec<_>>(), [Some(address("10.0.0.3").into())]);
}

#[test]
fn uploads_are_told_by_the_hour_where_it_is_known() {
    let one = incident(&[("10.0.0.1", 5 * H), ("10.0.0.2", 5 * H)]);
    let to = json!("203.0.113.7");
    let bulk = with_evidence(
        found("bulk_egress", "10.0.0.1", None, (6 * H, 7 * H)),
        &[("bytes_out_hour", json!(5_300_000_000_u64)), ("top_remote", to.clone())],
    );
    let findings = [
        // The same hour, and the same upload over a span: told once.
        with_evidence(
            found("upload_asymmetry", "10.0.0.1", None, (6 * H, 7 * H)),
            &[("bytes_out_hour", json!(5_200_000_000_u64)), ("top_remote", to)],
        ),
        bulk,
        with_evidence(
            found("rare_egress", "10.0.0.1", Some(("203.0.113.7", 443)), (6 * H, 7 * H)),
            &[("bytes_out", json!(5_300_000_000_u64))],
        ),
        with_evidence(
            found("rare_egress", "10.0.0.2", Some(("203.0.113.8", 443)), (6 * H, 9 * H)),
            &[("bytes_out", json!(700_000_000))],
        ),
    ];
    let told = told(&one, &findings, &facts(vec![]));
    let texts: Vec<&str> = told.iter().map(|entry| entry.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "10.0.0.1 sent 5.3 GB out in the hour from 1970-01-21T06:00:00Z, most of it to 203.0.113.7.",
            "10.0.0.2 sent 700 MB out within 3 h, most of it to 203.0.113.8.",
        ]
    );
    assert_eq!(told[0].end_s, FROM_S + 7 * H - 1);
    assert_eq!((told[0].tactic, told[0].bytes), (Some(Tactic::Exfiltration), Some(5_300_000_000)));
}

#[test]
fn a_long_timeline_keeps_the_ends_of_each_kind_and_what_says_most() {
    let one = incident(&[("10.0.0.1", 0)]);
    let mut findings: Vec<Finding> = (0..400)
        .map(|n| Finding {
            severity: Severity::Low,
            ..found("spam", "10.0.0.1", Some((&format!("203.0.{}.{}", n / 200, n % 200), 25)), (60 * n, 60 * n))
        })
        .collect();
    findings.push(found("tor_contact", "10.0.0.1", Some(("198.51.100.1", 9001)), (200 * 60, 200 * 60)));
    findings.push(found("port_sweep", "10.0.0.1", None, (201 * 60, 201 * 60)));
    let told = told(&one, &findings, &facts(vec![]));
    assert_eq!(told.len(), MAX_TIMELINE);
    assert!(told.windows(2).all(|pair| pair[0].time_s <= pair[1].time_s));
    assert_eq!((told[0].time_s, told[MAX_TIMELINE - 1].time_s), (FROM_S, FROM_S + 399 * 60));
    assert!(told.iter().any(|entry| entry.kind == TimelineKind::Sweep));
    assert!(told.iter().any(|entry| entry.target == Some(address("198.51.100.1").into())));
}

#[test]
fn the_order_of_findings_and_pairs_does_not_matter() {
    let mut one = incident(&[("10.0.0.1", 5 * H), ("10.0.0.2", 7 * H)]);
    one.remotes = vec![remote("203.0.113.7", RemotePart::Controller)];
    let mut findings = vec![
        beacon(),
        with_evidence(
            found("unanswered_calls", "10.0.0.1", Some(("203.0.113.7", 443)), (5 * H, 12 * H)),
            &[("period_s", json!(310.0))],
        ),
        found("port_sweep", "10.0.0.1", None, (5 * H, 6 * H)),
        found("port_sweep", "10.0.0.2", None, (5 * H, 6 * H)),
        found("rare_egress", "10.0.0.2", Some(("203.0.113.8", 443)), (5 * H, 6 * H)),
    ];
    let pairs = vec![
        train(5, 12),
        call("10.0.0.1", "10.0.0.2", 22, 6 * H),
        call("10.0.0.1", "10.0.0.3", 22, 6 * H),
        call("10.0.0.2", "10.0.0.3", 22, 8 * H),
        until_the_end(),
    ];
    let expected = told(&one, &findings, &facts(pairs.clone()));
    findings.reverse();
    let mut known = facts(pairs);
    known.pairs.values_mut().for_each(|pairs| pairs.reverse());
    one.hosts.reverse();
    assert_eq!(told(&one, &findings, &known), expected);
    assert_eq!(of(&expected, TimelineKind::CadenceBegins).len(), 1);
}
