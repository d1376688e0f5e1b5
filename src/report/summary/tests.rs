//! Goldens of the summary.

use super::*;

fn example() -> Summary {
    let skipped = |at: u64| SkippedObject {
        object: format!("AWSLogs/1111/part-{at}.log.parquet"),
        reason: "got 0 bytes, expected a Parquet footer".to_owned(),
    };
    let stages = [("list", 0.4), ("scan", 8.1), ("detect", 1.24)];
    Summary {
        flowsift_version: "0.1.0".to_owned(),
        sinks: Vec::new(),
        sources: vec!["s3://logs/".to_owned()],
        window_start_s: Some(1_713_484_800),
        window_end_s: Some(1_713_571_200),
        baseline: BaselineSpan {
            kind: BaselineOrigin::BeforeFrom,
            from_s: Some(1_713_484_800 - 14 * 86_400),
            to_s: Some(1_713_484_800),
        },
        objects: ObjectCounts {
            listed: 1_440,
            not_parquet: 5,
            pruned: 96,
            read: 1_297,
            reused: 40,
            skipped: 7,
            ..ObjectCounts::default()
        },
        skipped_objects: (1..=7).map(skipped).collect(),
        other_log_objects: Vec::new(),
        copied_objects: Vec::new(),
        access_logs: Vec::new(),
        credential_lists: 0,
        logs_beside: BTreeMap::new(),
        kept_trouble: None,
        run_id: None,
        data: None,
        until_now_s: None,
        log_gaps: Vec::new(),
        rows: 102_345_678,
        nodata_rows: 1_024,
        skipdata_rows: 12,
        rejected_rows: 900,
        unusable_rows: 3,
        bytes_read: 4_100_000_000,
        hosts: 1_200,
        pairs: 64_000,
        pair_hours: 1_900_000,
        destinations: 8_800,
        coverage_share: Some(0.987),
        transit_records: 4_000,
        knock_records: 2_000,
        doubly_logged_records: 0,
        opaque_forwarders: Vec::new(),
        one_way_interfaces: Vec::new(),
        findings_by_detection: [("beacon".to_owned(), 2), ("bulk_egress".to_owned(), 1)].into(),
        findings_by_severity: [(Severity::Critical, 1), (Severity::Low, 2), (Severity::High, 0)].into(),
        incidents_by_severity: [(Severity::High, 1), (Severity::Low, 1)].into(),
        incident_life: None,
        held_back: HeldBack::default(),
        incident_notes: IncidentNotes {
            suspect_hosts: 3,
            pairs_read: 1_669,
            history_hours: 336,
            ..IncidentNotes::default()
        },
        candidates_tested: 3_210,
        fdr: 0.01,
        expected_false_beacons: 0.02,
        stages: stages
            .map(|(stage, seconds)| StageTime { stage: stage.to_owned(), seconds, peak_memory_bytes: None })
            .into(),
        total_seconds: 9.8,
        rows_per_s: 10_443_436.5,
        peak_memory_bytes: Some(1_200_000_000),
        spilled_bytes: 0,
        spill_dir: None,
        threads: 2,
    }
}

#[test]
fn golden_of_the_text() {
    let mut bytes = Vec::new();
    example().write_text(&mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(text, include_str!("../goldens/summary.txt"));
    assert!(text.lines().count() <= 15);
}

#[test]
fn golden_of_an_empty_run() {
    assert_eq!(Summary::default().to_text(), include_str!("../goldens/summary_empty.txt"));
}

#[test]
fn golden_of_the_json() {
    let mut bytes = Vec::new();
    let mut summary = example();
    summary.skipped_objects.truncate(1);
    summary.write_json(&mut bytes).unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), include_str!("../goldens/summary.json"));
}

#[test]
fn what_was_spilled_is_told() {
    let mut summary = example();
    (summary.spilled_bytes, summary.spill_dir) = (2_340_000_000, Some("/scratch".to_owned()));
    let text = summary.to_text();
    assert!(text.contains("\nspilled   2.3 GB to /scratch, as --memory allowed no more\n"), "{text}");
    let mut json = Vec::new();
    summary.write_json(&mut json).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!((&json["spilled_bytes"], &json["spill_dir"]), (&2_340_000_000u64.into(), &"/scratch".into()));
}

#[test]
fn skipped_objects_without_a_list_are_counted() {
    let mut summary = Summary::default();
    summary.objects.skipped = 3;
    assert!(summary.to_text().contains("\nskipped   3 objects\n"));
    summary.skipped_objects.push(SkippedObject { object: "a".to_owned(), reason: "b\u{1b}".to_owned() });
    assert!(summary.to_text().contains("\nskipped   a: b\\x1b\n          2 more for other reasons\n"));
}

#[test]
fn different_reasons_stay_apart() {
    let mut summary = example();
    summary.skipped_objects[2].reason = "truncated".to_owned();
    let text = summary.to_text();
    assert!(text.contains("part-1.log.parquet and 5 more: got 0 bytes"), "{text}");
    assert!(text.contains("part-3.log.parquet: truncated"), "{text}");
}

#[test]
fn a_run_that_judged_nothing_says_why() {
    let of = |listed, read, rows, unusable_rows| Summary {
        objects: ObjectCounts { listed, read, ..ObjectCounts::default() },
        rows,
        unusable_rows,
        nodata_rows: 2,
        ..Summary::default()
    };
    for (summary, expected) in [
        (of(0, 0, 0, 0), Some("no object lies in the time range")),
        (of(3, 0, 0, 0), Some("none of 3 objects could be read")),
        (of(1, 1, 0, 0), Some("no row of the time range in 1 object")),
        (of(2, 2, 9, 7), Some("7 rows are unusable, and no other has traffic")),
        (of(2, 2, 9, 5), Some("no traffic lies in the window")),
        // A quiet network.
        (of(2, 2, 2, 0), None),
        (example(), None),
    ] {
        let expected = expected.map(|reason| format!("nothing could be judged: {reason}"));
        assert_eq!(summary.unjudged(), expected);
    }
}

#[test]
fn silence_is_told_and_is_no_quiet_network() {
    let day = |n: i64| 1_713_484_800 + n * 86_400;
    let mut summary = example();
    summary.objects.skipped = 0;
    assert!(!summary.is_partial() && summary.warnings().is_empty());
    summary.data = Some(DataSpan { from_s: day(-14), to_s: day(1) });
    assert!(summary.warnings().is_empty());
    // The window reaches a year beyond the data.
    summary.window_end_s = Some(day(366));
    let expected = "the window has no data for its last 1 year; the logs lie from 2024-04-05T00:00:00Z to ";
    let said = summary.warnings();
    assert!(
        said[0].starts_with("the window has no data for its last ") && said[0].contains(&expected[44..]),
        "{said:?}"
    );
    assert!(!summary.is_partial());
    // It was to reach up to now, and the logs end seven hours before.
    summary.window_end_s = Some(day(1));
    summary.until_now_s = Some(day(1) + 5 * 3_600);
    assert!(summary.warnings().is_empty());
    summary.until_now_s = Some(day(1) + 7 * 3_600);
    let said = summary.warnings();
    assert!(summary.is_partial() && said[0].starts_with("the logs end at 2024-04-20T00:00:00Z, 7"), "{said:?}");
    summary.until_now_s = None;
    let gap = |severity| LogGap { severity, explanation: "The flow log of ENI eni-1 stopped.".to_owned() };
    summary.log_gaps = vec![gap(Severity::Low)];
    assert!(!summary.is_partial());
    summary.log_gaps = vec![gap(Severity::Medium); 5];
    assert!(summary.is_partial());
    let text = summary.to_text();
    assert!(text.contains("\nsilent    The flow log of ENI eni-1 stopped.\n          The "), "{text}");
    assert!(text.contains("\n          2 more, see findings\n"), "{text}");
    assert!(Summary::default().is_partial(), "nothing was judged");
}

#[test]
fn a_window_that_nothing_tells_is_unknown() {
    let text = Summary::default().to_text();
    assert!(text.contains("\nwindow    unknown: no record was read\n") && !text.contains("1970"), "{text}");
    let ended = Summary { window_end_s: Some(1_713_571_200), ..Summary::default() };
    assert!(ended.to_text().contains("to 2024-04-20T00:00:00Z; no data tells its start"));
    let mut json = Vec::new();
    Summary::default().write_json(&mut json).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert!(json["window_start"].is_null() && json["baseline"]["from"].is_null());
}
