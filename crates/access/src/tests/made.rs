//! Records made for tests: nobody's, and of every shape that CloudTrail has.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::read;
use crate::{ActionClass, CredentialKind, LogKind, Outcome, PrincipalKind};

/// Returns a record of CloudTrail with what all of them have.
pub(super) fn record(id: u64, name: &str, identity: Value) -> Value {
    json!({
        "eventVersion": "1.11", "userIdentity": identity, "eventTime": "2023-11-22T14:00:01Z",
        "eventSource": "s3.amazonaws.com", "eventName": name, "awsRegion": "eu-central-1",
        "sourceIPAddress": "198.51.100.7", "userAgent": "aws-cli/2.13.0 Python/3.11", "requestParameters": null,
        "responseElements": null, "eventID": format!("e{id}"), "readOnly": true, "eventType": "AwsApiCall",
        "recipientAccountId": "112233445566", "eventCategory": "Management",
    })
}

pub(super) fn user() -> Value {
    json!({"type": "IAMUser", "principalId": "AIDA1", "arn": "arn:aws:iam::112233445566:user/a",
        "accountId": "112233445566", "accessKeyId": "AKIAIOSFODNN7EXAMPLE", "userName": "a"})
}

fn instance() -> Value {
    json!({"type": "AssumedRole", "principalId": "AROA1:i-0a1b2c3d4e5f", "accessKeyId": "ASIA0000000000001234",
        "arn": "arn:aws:sts::112233445566:assumed-role/app/i-0a1b2c3d4e5f", "accountId": "112233445566",
        "sessionContext": {"sessionIssuer": {"type": "Role", "arn": "arn:aws:iam::112233445566:role/app"},
            "attributes": {"creationDate": "2023-11-22T13:00:00Z", "mfaAuthenticated": "false"}}})
}

prop_compose! {
    /// Records of all shapes, with texts that need escapes.
    pub(super) fn any_record()(
        id in 0u64..1_000, shape in 0usize..7, text in "[ -~é\n\"\\\\]{0,16}", bytes in any::<u32>(),
    ) -> Value {
        let identity = match shape % 4 {
            0 => user(),
            1 => instance(),
            2 => json!({"type": "AWSService", "invokedBy": text}),
            _ => Value::Null,
        };
        let mut record = record(id, "GetObject", identity);
        match shape {
            0 => record["requestParameters"] = json!({"bucketName": text, "key": "a/b", "more": [{"x": [1.5, null]}]}),
            1 => record["requestParameters"] = json!({"userName": text, "roleName": 7, "roleArn": "arn:r"}),
            2 => record["additionalEventData"] = json!({"bytesTransferredOut": f64::from(bytes), "MFAUsed": "No"}),
            3 => record["responseElements"] = json!({"credentials": {"accessKeyId": "ASIA1", "expiration": text}}),
            4 => record["errorCode"] = text.into(),
            5 => record["resources"] = json!([{"ARN": text, "type": "AWS::S3::Object"}, {"ARN": "second"}]),
            _ => record["eventTime"] = Value::from(bytes),
        }
        record
    }
}

#[test]
fn a_record_says_who_with_what_and_how_it_ended() {
    let mut denied = record(1, "GetSecretValue", user());
    denied["eventSource"] = "secretsmanager.amazonaws.com".into();
    denied["requestParameters"] = json!({"name": "n", "secretId": "prod/db"});
    denied["errorCode"] = "AccessDeniedException".into();
    let mut get = record(2, "GetObject", instance());
    get["requestParameters"] = json!({"bucketName": "b", "key": "k"});
    get["additionalEventData"] = json!({"bytesTransferredOut": 1500.0, "bytesTransferredIn": 0});
    let mut login = record(3, "ConsoleLogin", json!({"type": "IAMUser", "accessKeyId": "", "userName": "HIDDEN"}));
    login["eventSource"] = "signin.amazonaws.com".into();
    login["responseElements"] = json!({"ConsoleLogin": "Failure"});
    login["errorMessage"] = "No username found".into();
    login["additionalEventData"] = json!({"MFAUsed": "No"});
    let mut assume = record(4, "AssumeRole", user());
    assume["eventSource"] = "sts.amazonaws.com".into();
    assume["responseElements"] = json!({"credentials": {"accessKeyId": "ASIACHILD00000000000"}});
    assume["sourceIPAddress"] = "AWS Internal".into();
    let insight = json!({"eventVersion": "1.07", "eventCategory": "Insight", "eventTime": "2023-11-22T14:00:01Z"});
    let mut old = record(5, "x", user());
    old["eventVersion"] = "2.0".into();

    let object =
        json!({"Records": [denied, get, login, assume, insight, old, {"eventVersion": "1.08"}, 7]}).to_string();
    let (read, acts) = read("a", object.as_bytes()).unwrap();
    assert_eq!((read.kind, read.counts.insights, read.counts.bad_records), (LogKind::CloudTrail, 1, 3));
    let expected: Vec<_> = read.counts.first_bad.iter().map(|bad| bad.expected).collect();
    assert_eq!(expected, ["an eventVersion 1.x", "an eventTime", "a JSON object"]);
    assert_eq!(object[read.counts.first_bad[0].at..].chars().next(), Some('{'));

    let [denied, get, login, assume] = &acts[..] else { panic!("{} acts", acts.len()) };
    assert_eq!((denied.outcome, &*denied.error), (Outcome::Denied, "AccessDeniedException"));
    assert_eq!((&*denied.object_kind, &*denied.object), ("secret", "prod/db"));
    assert_eq!(
        (denied.credential.full(), denied.credential.kind()),
        ("AKIAIOSFODNN7EXAMPLE", CredentialKind::LongTermKey)
    );
    assert_eq!((denied.agent_family(), &*denied.service), ("aws-cli", "secretsmanager"));

    assert_eq!((get.principal_kind, &*get.session), (PrincipalKind::Instance, "i-0a1b2c3d4e5f"));
    assert_eq!((get.bytes_out, get.bytes_in, get.mfa), (Some(1_500), Some(0), Some(false)));
    assert_eq!((&*get.object, get.action_class), ("b/k", ActionClass::Download));
    assert_eq!(get.session_created_s, Some(1_700_658_000));

    assert_eq!((login.outcome, &*login.principal, login.mfa), (Outcome::Failure, "HIDDEN", Some(false)));
    assert!(login.credential.is_none());
    assert_eq!(assume.child_credential.full(), "ASIACHILD00000000000");
    assert_eq!((&*assume.source, assume.source_address), ("AWS Internal", None));
    assert_eq!(assume.action_class, ActionClass::CreateCredential);
}

#[test]
fn an_identity_may_be_absent_and_versions_are_numbers() {
    let mut record = record(1, "Decrypt", Value::Null);
    record["eventVersion"] = "1.10".into();
    let (_, acts) = read("a", record.to_string().as_bytes()).unwrap();
    assert_eq!((&*acts[0].principal, acts[0].principal_kind), ("", PrincipalKind::Unknown));
    assert_eq!(acts[0].account, "112233445566");
}
