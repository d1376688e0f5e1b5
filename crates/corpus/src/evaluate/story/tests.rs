use super::*;
use crate::evaluate::findings::ToldCaller;
use crate::story::labels::BENIGN_TRAP;

const DAY_S: i64 = 1_699_920_000;

fn label(log: &str, stage: &str, time_s: i64) -> StoryLabel {
    StoryLabel { log: log.into(), id: format!("{stage}-1"), stage: stage.into(), time_s, ..StoryLabel::default() }
}

fn finding(detection: &str, severity: FindingSeverity, told: ToldCaller) -> JudgedFinding {
    JudgedFinding {
        detection: detection.into(),
        severity,
        score: 0.5,
        host: None,
        remote: None,
        port: None,
        protocol: None,
        listed: Vec::new(),
        subject: None,
        incident_id: Some("i1".into()),
        told,
    }
}

fn labels() -> Vec<StoryLabel> {
    let key = StoryLabel {
        principal: "arn:aws:iam::112233445566:user/apps-marketplace".into(),
        credential: "MPLE".into(),
        source: "198.19.200.22".parse().ok(),
        ..label("cloudtrail", "aws_stale_key", DAY_S + 3_600)
    };
    let reading = StoryLabel { source: "198.19.200.23".parse().ok(), ..label("alb", "atlassian", DAY_S + 90_000) };
    let beacon = StoryLabel {
        host: "10.0.0.4".parse().ok(),
        remote: "198.19.201.7".parse().ok(),
        ..label("flows", "c2", DAY_S + 600_000)
    };
    let trap = StoryLabel {
        credential: "QRST".into(),
        note: "quarterly job".into(),
        ..label("cloudtrail", BENIGN_TRAP, DAY_S + 7_200)
    };
    vec![trap, key, reading, beacon]
}

fn seen(first_s: i64, last_s: i64) -> ToldCaller {
    ToldCaller { seen_s: Some((first_s, last_s)), ..ToldCaller::default() }
}

#[test]
fn findings_are_matched_by_caller_and_time() {
    use FindingSeverity::{High, Low, Medium};
    let key = ToldCaller { principal: Some("Apps-Marketplace".into()), ..seen(DAY_S, DAY_S + 86_399) };
    let client =
        ToldCaller { source: Some("198.19.200.23 (Quay Hosting)".into()), ..seen(DAY_S + 89_900, DAY_S + 90_000) };
    let job = ToldCaller { credential: Some("…QRST".into()), ..seen(DAY_S, DAY_S + 86_399) };
    let stranger = ToldCaller { principal: Some("ada.kim".into()), ..seen(DAY_S, DAY_S + 86_399) };
    let mut beacon = finding("beacon", High, seen(DAY_S + 700_000, DAY_S + 760_000));
    (beacon.host, beacon.remote) = ("10.0.0.4".parse().ok(), "198.19.201.7".parse().ok());
    let findings = [
        finding("stale_credential", High, key.clone()),
        finding("unusual_client", Low, client),
        finding("stale_credential", Medium, job),
        finding("unusual_access", Medium, stranger),
        beacon,
    ];
    let judged = judge_story(&findings, &labels(), Medium);
    assert_eq!((judged.findings, judged.true_findings, judged.precision), (4, 2, Some(0.5)));
    assert_eq!((judged.stages, judged.found, judged.story_incidents, judged.incidents), (3, 2, 1, 1));
    let stages: Vec<(&str, bool, usize)> =
        judged.by_stage.iter().map(|stage| (stage.stage.as_str(), stage.is_found, stage.found_by.len())).collect();
    // A finding below the minimum severity is shown, and finds nothing.
    assert_eq!(stages, [("aws_stale_key", true, 1), ("atlassian", false, 1), ("c2", true, 1)]);
    let traps: Vec<Option<&str>> = judged.false_findings.iter().map(|found| found.trap.as_deref()).collect();
    assert_eq!(traps, [Some("quarterly job"), None]);

    // The same principal on another day is no match.
    let late = ToldCaller { seen_s: Some((DAY_S + 900_000, DAY_S + 910_000)), ..key };
    let judged = judge_story(&[finding("unusual_access", High, late)], &labels(), Medium);
    assert_eq!((judged.true_findings, judged.found), (0, 0));
}

#[test]
fn events_that_a_finding_names_match_and_labels_without_caller_go_by_technique() {
    let named = ToldCaller { event_ids: vec!["atlassian-1".into()], ..seen(0, 0) };
    let judged =
        judge_story(&[finding("unusual_client", FindingSeverity::High, named)], &labels(), FindingSeverity::Medium);
    assert_eq!(judged.by_stage.iter().map(|stage| stage.is_found).collect::<Vec<_>>(), [false, true, false]);

    let bare = StoryLabel { techniques: "T1213.003".into(), ..label("bitbucket_access", "repositories", DAY_S) };
    let download = |technique: &str| ToldCaller { techniques: vec![technique.into()], ..seen(DAY_S, DAY_S) };
    for (technique, found) in [("T1213", 1), ("T1213.003", 1), ("T1041", 0)] {
        let findings = [finding("mass_download", FindingSeverity::High, download(technique))];
        assert_eq!(
            judge_story(&findings, std::slice::from_ref(&bare), FindingSeverity::Medium).found,
            found,
            "{technique}"
        );
    }
}

#[test]
fn the_table_tells_stages_shares_and_false_findings() {
    let told = ToldCaller { principal: Some("ada.kim".into()), ..seen(DAY_S, DAY_S) };
    let named = ToldCaller { event_ids: vec!["aws_stale_key-1".into()], ..seen(0, 0) };
    let findings =
        [finding("probing", FindingSeverity::High, named), finding("unusual_access", FindingSeverity::Medium, told)];
    let lines = judge_story(&findings, &labels(), FindingSeverity::Medium).table();
    assert_eq!(
        lines,
        [
            "stage            found       labels  found by (severity, rank)",
            "aws_stale_key      yes     1 of 1     probing (high, 1)",
            "atlassian           no     0 of 1     ",
            "c2                  no     0 of 1     ",
            "",
            "recall       33 %  1 of 3 stages",
            "precision    50 %  1 of 2 findings of severity medium or above",
            "incidents       1  with findings about the story, of 1",
            "",
            "without cause:",
            "    2  medium    unusual_access  ada.kim",
        ]
    );
}
