//! Samples of other people's logs, where they lie beside the project; without them there is nothing to check.
//!
//! `FLOWSIFT_NEIGHBOURS` names another folder of them.

use std::fs;
use std::path::{Path, PathBuf};

use super::{read, twins};
use crate::{AccessHours, Inflater, LogKind, Outcome, ReadOptions, iam, read_object};

fn folder(name: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/neighbours");
    let path = std::env::var_os("FLOWSIFT_NEIGHBOURS").map_or_else(beside, PathBuf::from).join(name);
    path.is_dir().then_some(path)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

#[test]
fn scanner_and_twin_read_the_same_of_every_cloudtrail_object() {
    let (mut objects, mut acts) = (0, 0);
    for name in
        ["cloudtrail/invictus", "cloudtrail/stratus", "cloudtrail/security-lake-1.0.0-rc.2", "story-mini/AWSLogs"]
    {
        for path in folder(name).iter().flat_map(|folder| files(folder)) {
            let bytes = fs::read(&path).unwrap();
            let mut inflater = Inflater::default();
            let text = inflater.text(&path.to_string_lossy(), &bytes).unwrap();
            if crate::recognise("", text) == LogKind::CloudTrail {
                objects += 1;
                acts += twins::same(std::str::from_utf8(text).unwrap());
            }
        }
    }
    if folder("cloudtrail/invictus").is_some() {
        assert!(objects > 60 && acts > 4_500, "{objects} objects, {acts} acts");
    }
}

#[test]
fn every_shape_is_recognised_and_read_without_bad_records() {
    let Some(folder) = folder("formats") else { return };
    for (name, kind, acts) in [
        ("alb-access.log", LogKind::Alb, 6),
        ("alb-connection.log", LogKind::AlbConnection, 0),
        ("atlassian-org-events.json", LogKind::AtlassianAudit, 1),
        ("bitbucket-access.log", LogKind::BitbucketAccess, 2),
        ("bitbucket-dc-audit-api.json", LogKind::AtlassianAudit, 1),
        ("clb-access.log", LogKind::Clb, 2),
        ("cloudtrail-odd-records.json", LogKind::CloudTrail, 5),
        ("confluence-cloud-audit.jsonl", LogKind::AtlassianAudit, 1),
        ("credential-report.csv", LogKind::CredentialReport, 0),
        ("jira-cloud-audit.jsonl", LogKind::AtlassianAudit, 2),
        ("jira-dc-audit-file.log", LogKind::AtlassianAudit, 2),
        ("nlb-tls.log", LogKind::NlbTls, 2),
        ("okta-api-page.json", LogKind::Okta, 1),
        ("okta-api-tokens.json", LogKind::OktaTokens, 0),
        ("okta-eventbridge-firehose-concatenated.json", LogKind::Okta, 2),
        ("okta-two-members.jsonl.gz", LogKind::Okta, 2),
        ("waf.jsonl", LogKind::Waf, 0),
    ] {
        let bytes = fs::read(folder.join(name)).unwrap();
        let (read, told) = read("", &bytes).unwrap();
        assert_eq!((read.kind, told.len()), (kind, acts), "{name}");
        assert_eq!(read.counts.bad_records, 0, "{name}: {:?}", read.counts.first_bad);
    }
}

#[test]
fn the_story_reads_whole_and_its_stale_key_is_in_the_ledger() {
    let Some(folder) = folder("story-mini") else { return };
    let (mut hours, mut credentials) = (AccessHours::default(), crate::Credentials::default());
    let mut inflater = Inflater::default();
    let mut acts = std::collections::BTreeMap::new();
    for path in files(&folder) {
        let key = path.to_string_lossy().into_owned();
        let bytes = fs::read(&path).unwrap();
        let read = hours
            .object(|sink| {
                read_object(&mut inflater, &key, &bytes, &ReadOptions::default(), &mut |act| {
                    credentials.add(act);
                    sink(act);
                })
            })
            .unwrap();
        assert_eq!(read.counts.bad_records, 0, "{key}: {:?}", read.counts.first_bad);
        *acts.entry(read.kind.name()).or_insert(0) += read.counts.acts;
    }
    assert_eq!(acts["cloudtrail"], 2_331);
    assert_eq!(acts["okta"], 2_657);
    assert_eq!(acts["atlassian-audit"], 657);
    assert_eq!(acts["alb"], 3_300);

    let report = fs::read(folder.join("iam/credential-report.csv")).unwrap();
    let report = iam::credential_report("report", &report).unwrap();
    let (keys, bad) = iam::access_keys("keys", &fs::read(folder.join("iam/access-keys.json")).unwrap()).unwrap();
    assert!(bad.is_empty());
    for key in &keys {
        credentials.report(&key.credential, key.created_s, key.last_used_s(&report));
    }
    let stale = keys.iter().find(|key| key.user == "apps-marketplace").unwrap();
    let entry = credentials.get(&stale.credential).unwrap();
    let first = entry.uses.first_s().unwrap();
    let (last, is_reported) = entry.last_before(first).unwrap();
    assert!(is_reported);
    assert_eq!((first - last) / flow::time::DAY_S, 155);
    let denied: u64 = hours
        .rows()
        .iter()
        .filter(|row| row.credential == stale.credential && row.outcome == Outcome::Denied)
        .map(|row| row.sums.events)
        .sum();
    assert_eq!(denied, 12);
}
