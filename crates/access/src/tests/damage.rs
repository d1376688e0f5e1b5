//! No bytes make a reader panic, and a damaged object counts with none of its acts.

use proptest::prelude::*;
use serde_json::json;

use super::made::{any_record, record, user};
use super::{read, read_as};
use crate::iam::{access_keys, credential_report, okta_tokens};
use crate::inflate::tests::gzip;
use crate::{AccessHours, Inflater, LogKind, ReadOptions, read_object};

const KINDS: [LogKind; 8] = [
    LogKind::CloudTrail,
    LogKind::Ocsf,
    LogKind::Okta,
    LogKind::AtlassianAudit,
    LogKind::BitbucketAccess,
    LogKind::Alb,
    LogKind::NlbTls,
    LogKind::Clb,
];

#[test]
fn a_cut_object_is_one_error_and_none_of_its_acts_count() {
    let whole = json!({"Records": [record(1, "a", user()), record(2, "b", user())]}).to_string();
    let mut hours = AccessHours::default();
    for end in 1..whole.len() {
        let text = &whole.as_bytes()[..end];
        let read = hours.object(|sink| {
            let options = ReadOptions { kind: Some(LogKind::CloudTrail), ..ReadOptions::default() };
            read_object(&mut Inflater::default(), "bucket/cut.json", text, &options, sink)
        });
        let error = read.unwrap_err();
        assert!(error.to_string().starts_with("bucket/cut.json, byte "), "{error}");
    }
    assert!(hours.rows().is_empty());
    let error = read("a", &whole.as_bytes()[..40]).unwrap_err();
    assert_eq!((error.expected, error.at), ("the end of this value", 12));
    let error = read("a", br#"{"Records":[],"more"#).unwrap_err();
    assert_eq!((error.expected, error.got.as_str()), ("the end of this string", "`\"more`"));
}

#[test]
fn what_is_no_access_log_is_told_and_not_read() {
    let digest = br#"{"awsAccountId":"1","digestStartTime":"t","digestS3Bucket":"b","logFiles":[]}"#;
    let (read, acts) = read("a/CloudTrail-Digest/x.json.gz", &gzip(digest)).unwrap();
    assert_eq!((read.kind, acts.len(), read.counts.bad_records), (LogKind::CloudTrailDigest, 0, 0));
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), kind in 0usize..8) {
        let _ = read_as("k", &bytes, Some(KINDS[kind]));
        let _ = (credential_report("k", &bytes), access_keys("k", &bytes), okta_tokens("k", &bytes));
    }

    #[test]
    fn no_change_makes_a_reader_panic(
        record in any_record(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        kind in 0usize..8,
    ) {
        let lines = "https 2023-11-22T14:18:22.186641Z app/a/1 1.2.3.4:5 - | ssh | o*1 | \"a\\\"b\" {\"created\":\"\"}";
        let mut text = json!({"Records": [record.clone()]}).to_string() + "\n" + lines;
        text.push_str(&json!({"published": "2023-11-14T09:22:49.120Z", "eventType": "x", "target": [record]}).to_string());
        let mut text = text.into_bytes();
        for (at, byte) in changes {
            let at = at.index(text.len());
            text[at] = byte;
        }
        let _ = read_as("k", &text, Some(KINDS[kind]));
        let _ = read("k", &gzip(&text));
    }
}
