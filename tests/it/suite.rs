//! `flowsift evaluate --suite` in its small form.

use crate::program::flowsift;
use serde_json::Value;

fn rows(scenario: &str, threads: &str) -> (Value, Vec<u8>) {
    let arguments =
        ["evaluate", "--suite", "--small", "--format", "json", "--scenario", scenario, "--threads", threads];
    let done = flowsift(arguments).expect(0);
    let text = done.text().to_owned();
    (serde_json::from_str(&text).unwrap(), text.into_bytes())
}

#[test]
fn implants_outrank_benign_traffic_where_the_score_of_rita_fails() {
    for scenario in ["one of 4 at random, 300 s +50", "300 s +10 %, 100 % noise", "working hours"] {
        let (result, bytes) = rows(scenario, "2");
        let cells = result["cells"].as_array().unwrap();
        assert_eq!(cells.len(), 1, "{scenario}");
        let number = |name: &str| cells[0][name].as_f64().unwrap();
        assert!(number("recall_at_hundredth") >= 0.95 && number("auc") >= 0.99, "{}", cells[0]);
        assert!(number("recall") >= 0.9 && number("false_share") <= 0.02, "{}", cells[0]);
        assert!(number("rita_recall_at_hundredth") <= 0.5, "{}", cells[0]);
        if scenario == "working hours" {
            assert_eq!(rows(scenario, "1").1, bytes, "any number of threads, the same bytes");
        }
    }
}

#[test]
fn sleepers_that_drift_slowly_are_high_and_schedules_are_low() {
    let (result, bytes) = rows("sleepers and schedules", "2");
    let rows_of = result["clocks"].as_array().unwrap();
    assert_eq!(rows_of.len(), 18);
    let mut wrong = 0.0;
    for row in rows_of {
        let (pairs, right) = (row["pairs"].as_f64().unwrap(), row["right"].as_f64().unwrap());
        assert!(pairs == 10.0 && right >= 0.8, "{row}");
        wrong += pairs * (1.0 - right);
    }
    assert!(wrong <= 5.0, "{wrong} of 180 wrong: {result:#}");
    assert_eq!(rows("sleepers and schedules", "1").1, bytes, "any number of threads, the same bytes");
}

#[test]
fn operators_are_medium_and_clients_in_bursts_are_low() {
    let (result, _) = rows("operators and clients", "2");
    let rows_of = result["bursts"].as_array().unwrap();
    assert_eq!(rows_of.len(), 7);
    for row in rows_of {
        assert!(row["pairs"] == 10 && row["right"].as_f64().unwrap() >= 0.9, "{row}");
        assert!(row["highest"][3] == 0 && row["highest"][4] == 0, "{row}");
    }
}

#[test]
fn a_few_doubled_check_ins_hide_no_implant() {
    for share in [2, 5, 10, 20, 30] {
        let (result, _) = rows(&format!("{share} % doubled"), "2");
        let cells: Vec<&Value> = result["cells"].as_array().unwrap().iter().collect();
        let named = |cell: &&Value| cell["scenario"].as_str().unwrap().contains(&format!(", {share} % doubled"));
        let cell = cells.into_iter().find(named).unwrap();
        assert!(cell["recall"].as_f64().unwrap() >= 0.95, "{cell}");
        assert!(cell["false_share"].as_f64().unwrap() <= 0.02, "{cell}");
    }
}

#[test]
fn services_that_many_hosts_share_raise_no_alarm() {
    let (result, _) = rows("every host", "2");
    let services = result["periodic"].as_array().unwrap();
    // Sixteen services, two forms of the log, with and without history.
    assert_eq!(services.len(), 64);
    for service in services.iter().filter(|row| row["service"].as_str().unwrap().contains("every host")) {
        let findings: Vec<u64> = service["findings"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
        assert!(findings[0] > 0 && findings[2..].iter().all(|&count| count == 0), "{service}");
    }
}

#[test]
fn hosts_without_anything_bad_raise_no_alarm_and_shared_implants_are_seen() {
    let (result, _) = rows("benign", "2");
    let corpora = result["benign"].as_array().unwrap();
    assert_eq!(corpora.len(), 4);
    for corpus in corpora {
        assert!(corpus["host_days"].as_f64().unwrap() >= 40.0 && corpus["records"].as_u64().unwrap() > 100_000);
        // Without history, nothing distinguishes a poller that drifts and gets answers too small for TLS from an implant:
        // docs/detection-quality.md says so. Every pair of that service may be an alarm, and nothing else.
        let is_new = corpus["history_days"] == 0;
        let same_run = |row: &&Value| ["recorded", "history_days"].iter().all(|name| row[name] == corpus[name]);
        let mut of_run = result["periodic"].as_array().unwrap().iter().filter(same_run);
        let poller = of_run.find(|row| row["service"].as_str().unwrap().starts_with("drifting poller")).unwrap();
        let most = if is_new { poller["pairs"].as_u64().unwrap() } else { 0 };
        assert!(corpus["alarms"].as_u64().unwrap() <= most, "{corpus:#} {:#}", result["periodic"]);
        assert!(poller["findings"][3].as_u64().unwrap() == corpus["alarms"], "{corpus:#} {poller}");
    }
    assert!(result["cells"].as_array().unwrap().is_empty());
}

#[test]
fn the_calibration_is_drawn() {
    let folder = crate::program::scratch();
    let path = folder.path().join("calibration.svg");
    let plot = path.to_str().unwrap();
    flowsift(["evaluate", "--suite", "--small", "--scenario", "Merlin", "--plot", plot, "-q"]).expect(0);
    let svg = std::fs::read_to_string(&path).unwrap();
    assert!(svg.contains("60 s, ") && svg.contains("false positives expected") && !svg.contains("NaN"), "{svg}");
}

#[test]
fn nonsense_is_named() {
    let unknown = flowsift(["evaluate", "--suite", "--scenario", "no such thing"]).expect(2);
    assert!(unknown.err.contains("no scenario of the suite is called so; there are "), "{}", unknown.err);
    assert!(unknown.err.contains("Sliver") && unknown.err.contains("benign services"), "{}", unknown.err);
    flowsift(["evaluate", "--suite", "a.jsonl", "b.csv"]).expect(2);
    flowsift(["evaluate", "--small"]).expect(2);
    flowsift(["evaluate", "a.jsonl"]).expect(2);
}
