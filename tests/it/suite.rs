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
fn services_that_many_hosts_share_raise_no_alarm() {
    let (result, _) = rows("every host", "2");
    let services = result["periodic"].as_array().unwrap();
    assert_eq!(services.len(), 20);
    for service in services.iter().filter(|row| row["service"].as_str().unwrap().contains("every host")) {
        let findings: Vec<u64> = service["findings"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
        assert!(findings[0] > 0 && findings[2..].iter().all(|&count| count == 0), "{service}");
    }
}

#[test]
fn nonsense_is_named() {
    let unknown = flowsift(["evaluate", "--suite", "--scenario", "no such thing"]).expect(2);
    assert!(unknown.err.contains("no scenario of the suite is called so"), "{}", unknown.err);
    flowsift(["evaluate", "--suite", "a.jsonl", "b.csv"]).expect(2);
    flowsift(["evaluate", "--small"]).expect(2);
    flowsift(["evaluate", "a.jsonl"]).expect(2);
}
