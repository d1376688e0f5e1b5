//! `detect` over real captures, where they lie beside the project; without them there is nothing to check.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::program::flowsift;

fn capture(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures").join(name);
    path.is_dir().then_some(path)
}

/// The findings of a capture, all severities; `None` when the capture is not there.
fn findings(name: &str) -> Option<Vec<Value>> {
    let path = capture(name)?;
    let ran = flowsift(["detect", path.to_str().unwrap(), "--min-severity", "informational", "--quiet"]).expect(0);
    assert_eq!(ran.err, "");
    Some(ran.findings())
}

fn of<'a>(findings: &'a [Value], detection: &str) -> Vec<&'a Value> {
    findings.iter().filter(|finding| finding["detection"] == detection).collect()
}

fn severe_beacons(findings: &[Value]) -> Vec<&Value> {
    of(findings, "beacon").into_iter().filter(|f| f["severity"] == "high" || f["severity"] == "critical").collect()
}

#[test]
fn an_inbound_beacon_is_among_the_first_ten() {
    let Some(findings) = findings("cloudvm-rita-missing-host") else { return };
    let beacons = of(&findings, "beacon");
    let known = |f: &&Value| f["host"] == "10.6.56.201" && f["remote"] == "73.54.23.243" && f["port"] == 80;
    let place = beacons.iter().position(known).expect("the inbound beacon is found");
    assert!(place < 10, "the inbound beacon is number {} of {} beacons", place + 1, beacons.len());
    let period_s = beacons[place]["evidence"]["period_s"].as_f64().unwrap();
    assert!((250.0..=290.0).contains(&period_s), "period {period_s} s");
    assert_eq!(beacons[place]["role"], "server", "the remote opened the connections");
}

#[test]
fn a_beacon_behind_a_proxy_is_seen_once_although_both_ends_log_it() {
    let Some(findings) = findings("rita-proxy-c2") else { return };
    let beacons: Vec<_> = of(&findings, "beacon")
        .into_iter()
        .filter(|f| f["host"] == "10.136.0.18" && f["remote"] == "10.136.0.16" && f["port"] == 3128)
        .collect();
    assert_eq!(beacons.len(), 1, "{beacons:?}");
    let period_s = beacons[0]["evidence"]["period_s"].as_f64().unwrap();
    assert!((240.0..=256.0).contains(&period_s), "period {period_s} s");
}

#[test]
fn benign_networks_have_few_severe_beacons() {
    for name in ["benign-ctu-normal-40-d1", "benign-rita-proxy-rolling"] {
        let Some(findings) = findings(name) else { continue };
        let severe = severe_beacons(&findings);
        assert!(severe.len() <= 5, "{name}: {} beacons of severity high or above: {severe:#?}", severe.len());
    }
}

#[test]
fn bots_of_other_families_are_read_without_a_word() {
    for name in ["ctu-sme11-remcos", "ctu-botnet-2-p2p"] {
        let Some(findings) = findings(name) else { continue };
        assert!(findings.iter().all(|finding| finding["schema_version"] == 2), "{name}");
    }
}
