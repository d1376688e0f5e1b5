//! Detections of a user's own: what is wrong with them is said in one line, and what they leave out is filled in.

use crate::network::Network;
use crate::program::{Corpus, flowsift, scratch};

/// The path of a folder with one detection.
fn folder(of: &tempfile::TempDir, sql: &str) -> String {
    std::fs::write(of.path().join("mine.sql"), format!("-- title: Mine\n{sql}\n")).unwrap();
    of.path().to_str().unwrap().to_owned()
}

#[test]
fn a_wrong_result_is_one_error_and_nothing_else() {
    let (corpus, own) = (Corpus::shared(), scratch());
    for (sql, says) in [
        (
            "SELECT 'severe' AS severity, host, 'x' AS explanation FROM hosts LIMIT 2",
            "column `severity` of the result is `severe`",
        ),
        ("SELECT 'low' AS severity, 'x' AS explanation FROM hosts LIMIT 2", "column `host` of the result is missing"),
        (
            "-- discovery: p_value\nSELECT 'low' AS severity, host, 'x' AS explanation FROM hosts LIMIT 2",
            "column `p_value` of the result is missing, expected a number, as the header says `discovery`",
        ),
    ] {
        let ran = flowsift(["detect", corpus.source(), "-q", "--detections", &folder(&own, sql)]).expect(1);
        assert!(ran.err.starts_with(&format!("error: detection mine: {says}")), "{}", ran.err);
        assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
    }
}

#[test]
fn a_host_tells_its_interface_and_coverage() {
    let mut net = Network::new(2);
    net.region = "eu-north-1";
    // The same address in two regions.
    net.call(3, "192.0.2.1", 443, net.last_day() + 30_000, [700, 500]);
    let own = scratch();
    for (columns, found) in [("account_id, region, host", [3, 3]), ("host", [3, 1])] {
        let sql = format!(
            "SELECT 'low' AS severity, {columns}, 'x' AS explanation FROM hosts WHERE ip(host) IN ('10.0.0.3', '10.0.0.4')"
        );
        let findings = net.findings(&["--detections", &folder(&own, &sql)]);
        let findings = findings.by("mine");
        let named = findings.iter().filter(|f| f["interface_id"].is_string() && f["coverage"].as_f64() > Some(0.0));
        assert_eq!([findings.len(), named.count()], found, "{findings:#?}");
    }
}
