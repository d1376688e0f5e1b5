use serde_json::json;

use crate::tests::read;
use crate::{Act, LogKind, Outcome, PrincipalKind};

/// The same call in both versions: `uid` and `uuid` changed their meaning, and names moved.
#[test]
fn both_versions_tell_the_same_act() {
    let arn = "arn:aws:sts::112233445566:assumed-role/app/i-0a1b2c3d4e5f";
    let candidate = json!({
        "metadata": {"uid": "e1", "version": "1.0.0-rc.2"}, "time": 1_700_661_601_000_i64, "class_uid": 3005,
        "api": {"operation": "GetObject", "response": {"error": "AccessDenied"}, "service": {"name": "s3.amazonaws.com"}},
        "actor": {"user": {"type": "AssumedRole", "uuid": arn, "uid": "AROA1:i-0a1b2c3d4e5f", "account_uid": "112233445566",
            "credential_uid": "ASIA0000000000001234"}},
        "cloud": {"region": "eu-central-1"}, "src_endpoint": {"ip": "198.51.100.7"}, "mfa": true,
        "http_request": {"user_agent": "aws-cli/2.13.0"}, "resources": [{"uid": "arn:aws:s3:::b", "type": "AWS::S3::Bucket"}],
        "unmapped": {"readOnly": "true", "responseElements.credentials.accessKeyId": "ASIACHILD00000000000"},
    });
    let released = json!({
        "metadata": {"uid": "e1", "version": "1.1.0"}, "time": 1_700_661_601_000_i64, "class_uid": 6003,
        "api": {"operation": "GetObject", "service": {"name": "s3.amazonaws.com"},
            "response": {"error": "AccessDenied", "data": {"credentials": {"accessKeyId": "ASIACHILD00000000000"}}}},
        "actor": {"user": {"type": "AssumedRole", "uid": arn, "uid_alt": "AROA1:i-0a1b2c3d4e5f",
            "account": {"uid": "112233445566"}, "credential_uid": "ASIA0000000000001234"}},
        "cloud": {"region": "eu-central-1"}, "src_endpoint": {"ip": "198.51.100.7"}, "is_mfa": true,
        "http_request": {"user_agent": "aws-cli/2.13.0"}, "resources": [{"uid": "arn:aws:s3:::b", "type": "AWS::S3::Bucket"}],
    });
    let (read, acts) = read("x", format!("{candidate}\n{released}").as_bytes()).unwrap();
    assert_eq!((read.kind, read.counts.bad_records), (LogKind::Ocsf, 0));
    assert_eq!(acts[0].record, candidate.to_string());
    assert_eq!(acts[0], Act { record: acts[0].record.clone(), ..acts[1].clone() });
    let act = &acts[0];
    assert_eq!((&*act.principal, &*act.principal_id), (arn, "AROA1:i-0a1b2c3d4e5f"));
    assert_eq!((act.principal_kind, act.outcome), (PrincipalKind::Instance, Outcome::Denied));
    assert_eq!((&*act.account, act.second(), act.mfa), ("112233445566", 1_700_661_601, Some(true)));
    assert_eq!(act.child_credential.full(), "ASIACHILD00000000000");
}

#[test]
fn what_has_no_operation_is_skipped() {
    let (read, acts) = read("x", br#"{"class_uid":3002,"time":1}{"class_uid":1,"api":{"operation":"x"}}"#).unwrap();
    assert_eq!((acts.len(), read.counts.bad_records), (0, 2));
}
