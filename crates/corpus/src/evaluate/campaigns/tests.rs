use super::*;
use crate::evaluate::incidents::{HostPart, IncidentHost, ReachedGraph, ReachedNode};

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

/// A stage such as `a 10.0.0.1 1.0.0.1 controller`.
fn stage(text: &str) -> StageTruth {
    let words: Vec<&str> = text.split(' ').collect();
    StageTruth {
        campaign: words[0].into(),
        stage: "stage".into(),
        tactic: words.get(4).unwrap_or(&"lateral-movement").to_string(),
        time_s: 0,
        src: address(words[1]),
        dst: words[2].parse().ok(),
        port: None,
        part: Part::ALL.into_iter().find(|part| part.name() == words[3]),
    }
}

/// Two campaigns: `a` enters a second host and empties a third, `b` is one implant.
fn stages() -> Vec<StageTruth> {
    [
        "a 1.9.9.9 10.0.0.1 compromised initial-access",
        "a 10.0.0.1 1.0.0.1 controller",
        "a 10.0.0.1 10.0.0.2 compromised",
        "a 10.0.0.2 10.0.0.3 target",
        "a 10.0.0.2 1.0.0.2 drop",
        "b 10.0.0.5 1.0.0.5 controller",
    ]
    .map(stage)
    .to_vec()
}

fn incident(id: &str, score: f64, hosts: &[&str], subjects: &[&str]) -> JudgedIncident {
    JudgedIncident {
        id: id.into(),
        status: IncidentStatus::Open,
        merged_into: None,
        score,
        hosts: hosts.iter().map(|host| IncidentHost { host: address(host), part: HostPart::Compromised }).collect(),
        subjects: subjects.iter().map(|subject| (*subject).to_owned()).collect(),
        graph: ReachedGraph::default(),
    }
}

fn finding(subject: &str, host: &str, remote: &str) -> JudgedFinding {
    JudgedFinding {
        detection: "beacon".into(),
        severity: FindingSeverity::High,
        score: 0.5,
        host: host.parse().ok(),
        remote: remote.parse().ok(),
        port: None,
        protocol: None,
        listed: Vec::new(),
        subject: Some(subject.into()),
        incident_id: None,
        told: Default::default(),
    }
}

/// Four findings of `a`, one of `b`, one benign.
fn findings() -> Vec<JudgedFinding> {
    vec![
        finding("a1", "10.0.0.1", "1.0.0.1"),
        finding("a2", "10.0.0.2", "1.0.0.2"),
        finding("a3", "10.0.0.2", "10.0.0.3"),
        finding("a4", "10.0.0.1", "8.8.8.8"),
        finding("b1", "10.0.0.5", "1.0.0.5"),
        finding("n1", "10.0.0.9", "1.0.0.9"),
    ]
}

fn judged(incidents: Vec<JudgedIncident>) -> IncidentEvaluation {
    let stages = stages();
    let truth = IncidentTruth { stages: &stages, labels: &[], host_days: Some(5_000.0) };
    judge_incidents(&[incidents], &findings(), &truth, FindingSeverity::Medium)
}

#[test]
fn all_found_and_each_by_itself_is_perfect() {
    let mut a = incident("x", 9.0, &["10.0.0.1", "10.0.0.2"], &["a1", "a2", "a3", "a4"]);
    let node =
        |address: &str, class: &str, rank| ReachedNode { address: self::address(address), class: class.into(), rank };
    a.graph.nodes = vec![node("10.0.0.1", "involved", 0.0), node("10.0.0.3", "reached", 4.0)];
    let result = judged(vec![a, incident("y", 5.0, &["10.0.0.5"], &["b1"])]);
    assert_eq!((result.campaigns, result.found, result.recall), (2, 2, Some(1.0)));
    assert_eq!((result.mixed, result.purity, result.fragmentation), (0, Some(1.0), Some(1.0)));
    assert_eq!((result.bcubed_precision, result.bcubed_recall), (Some(1.0), Some(1.0)));
    assert_eq!((result.host_share, result.first_true_rank), (Some(1.0), Some(1)));
    // The third host has no finding, and stands first among those reached.
    assert_eq!(result.victim_recall_at_10, Some(1.0));
    assert_eq!(result.by_campaign[1].rank, Some(2));
    assert_eq!(result.at_score.iter().map(|line| line.incidents).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(result.at_score.iter().map(|line| line.campaigns_found).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(result.churn, None);
}

#[test]
fn a_campaign_in_two_incidents_is_fragmented() {
    let result = judged(vec![
        incident("x", 5.0, &["10.0.0.1"], &["a1", "a4"]),
        incident("y", 7.0, &["10.0.0.2"], &["a2", "a3"]),
        incident("z", 4.5, &["10.0.0.9"], &["n1"]),
    ]);
    assert_eq!((result.found, result.recall), (1, Some(0.5)));
    assert_eq!((result.fragmentation, result.mixed), (Some(2.0), 0));
    // Half of the compromised hosts of `a`, none of `b`.
    assert_eq!(result.host_share, Some(0.25));
    // All incidents are pure; each finding of `a` is with half of the four, that of `b` alone with all of it.
    assert_eq!(result.bcubed_precision, Some(1.0));
    assert_eq!(result.bcubed_recall, Some((4.0 * 0.5 + 1.0) / 5.0));
    assert_eq!((result.by_campaign[0].rank, result.by_campaign[0].score), (Some(1), Some(7.0)));
    let [all, four, six] = &result.at_score[..] else { unreachable!() };
    assert_eq!((all.true_incidents, all.precision, four.benign, six.benign), (2, Some(2.0 / 3.0), 1, 0));
    // One in 5,000 host-days is two in 10,000.
    assert_eq!(four.benign_per_10000_host_days, Some(2.0));
    assert_eq!(result.victim_recall_at_10, Some(0.0));
}

#[test]
fn a_target_by_itself_is_told_only_by_what_is_about_the_campaign() {
    let whole = || incident("x", 7.0, &["10.0.0.1", "10.0.0.2"], &["a1", "a2", "a4"]);
    // The target calls a remote of its own: nothing of the campaign.
    let result = judged(vec![whole(), incident("y", 5.0, &["10.0.0.3"], &["n2"])]);
    assert_eq!((result.fragmentation, result.at_score[0].true_incidents), (Some(1.0), 1));
    // A finding says what the compromised host pulled from it.
    let stages = stages();
    let truth = IncidentTruth { stages: &stages, labels: &[], host_days: None };
    let told = [finding("a5", "10.0.0.3", "10.0.0.2")];
    let incidents = [vec![whole(), incident("y", 5.0, &["10.0.0.3"], &["a5"])]];
    let result = judge_incidents(&incidents, &told, &truth, FindingSeverity::Medium);
    assert_eq!((result.fragmentation, result.at_score[0].true_incidents), (Some(2.0), 2));
    // With a compromised host beside it, it belongs there.
    let result = judged(vec![incident("x", 7.0, &["10.0.0.1", "10.0.0.2", "10.0.0.3"], &["a1", "n2"])]);
    assert_eq!((result.fragmentation, result.mixed), (Some(1.0), 0));
}

#[test]
fn what_does_not_belong_together_is_mixed() {
    let everything = ["10.0.0.1", "10.0.0.2", "10.0.0.5", "10.0.0.9"];
    let result = judged(vec![incident("x", 5.0, &everything, &["a1", "a2", "a3", "a4", "b1", "n1"])]);
    assert_eq!((result.found, result.mixed, result.purity), (2, 1, Some(0.5)));
    assert_eq!(result.fragmentation, Some(1.0));
    let precision = (4.0 * 4.0 / 6.0 + 2.0 / 6.0) / 6.0;
    assert!((result.bcubed_precision.unwrap() - precision).abs() < 1e-12, "{:?}", result.bcubed_precision);
    assert_eq!(result.bcubed_recall, Some(1.0));
    // Benign hosts together are no mixture.
    let result = judged(vec![incident("x", 5.0, &["10.0.0.8", "10.0.0.9"], &["n1"])]);
    assert_eq!((result.mixed, result.at_score[0].benign), (0, 1));
}

#[test]
fn what_was_missed_counts_nowhere() {
    let result = judged(vec![incident("z", 4.5, &["10.0.0.9"], &["n1"])]);
    assert_eq!((result.found, result.recall, result.fragmentation), (0, Some(0.0), None));
    assert_eq!((result.host_share, result.first_true_rank, result.purity), (Some(0.0), None, None));
    assert_eq!(result.bcubed_recall, Some((4.0 * 0.25 + 1.0) / 5.0));
    assert_eq!(result.by_campaign[0].rank, None);
}

#[test]
fn nothing_to_judge_has_no_shares() {
    let truth = IncidentTruth { stages: &[], labels: &[], host_days: None };
    let result = judge_incidents(&[], &[], &truth, FindingSeverity::Medium);
    assert_eq!((result.campaigns, result.recall, result.host_share), (0, None, None));
    assert_eq!((result.bcubed_precision, result.bcubed_recall, result.victim_recall_at_10), (None, None, None));
    assert!(result.at_score.iter().all(|line| line.precision.is_none() && line.benign_per_10000_host_days.is_none()));
    let table = result.table();
    assert!(table.contains(&"campaign recall - (0 of 0 campaigns)".to_owned()), "{table:#?}");
}

#[test]
fn pivots_belong_to_nobody_and_other_attacks_are_no_false_alarms() {
    let stages =
        ["a 10.0.0.1 1.0.0.1 controller", "a 10.0.0.1 10.0.0.7 pivot", "a 10.0.0.7 10.0.0.2 compromised"].map(stage);
    let label = Label {
        src: address("10.0.0.4"),
        dst: address("1.0.0.4"),
        port: None,
        protocol: None,
        label: "c2-sliver".into(),
        source: String::new(),
    };
    let truth = IncidentTruth { stages: &stages, labels: &[label], host_days: None };
    let incidents = vec![
        incident("x", 6.0, &["10.0.0.1", "10.0.0.7"], &[]),
        incident("y", 5.0, &["10.0.0.4"], &[]),
        JudgedIncident { status: IncidentStatus::Merged, ..incident("w", 9.0, &["10.0.0.1"], &[]) },
    ];
    let result = judge_incidents(&[incidents], &[], &truth, FindingSeverity::Medium);
    assert_eq!(result.by_campaign[0].compromised, 2, "{:?}", result.by_campaign);
    assert_eq!((result.mixed, result.fragmentation, result.host_share), (0, Some(1.0), Some(0.5)));
    assert_eq!((result.at_score[0].true_incidents, result.at_score[0].benign), (2, 0));
    // Three hosts without findings; the incident names the first two.
    assert_eq!(result.by_campaign[0].silent_victims_named, 2);
}

#[test]
fn ids_are_lost_where_the_next_window_tells_the_same_under_another() {
    let window = |id: &str| vec![incident(id, 5.0, &["10.0.0.1"], &["a1"]), incident("gone", 5.0, &["10.0.0.6"], &[])];
    let truth = IncidentTruth { stages: &[], labels: &[], host_days: None };
    let mut last = window("x");
    last.truncate(1);
    let windows = [window("x"), window("x"), window("y"), last];
    let result = judge_incidents(&windows, &[], &truth, FindingSeverity::Medium);
    // Two, two and one are told again; `x` becomes `y`, and `y` becomes `x`.
    assert_eq!(result.churn, Some(IdChurn { steps: 3, carried: 5, lost_ids: 2 }));
    assert!(result.table().contains(&"ids lost 2 of 5 in 3 steps".to_owned()));
}
