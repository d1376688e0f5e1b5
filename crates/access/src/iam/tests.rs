use super::*;
use crate::tests::read;
use crate::{CredentialKind, LogKind};

const REPORT: &str = "\
user,arn,user_creation_time,password_last_used,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date
<root_account>,arn:aws:iam::1:root,2019-02-01T09:00:00+00:00,no_information,true,false,N/A,N/A,N/A,N/A,false,N/A,N/A
a,arn:aws:iam::1:user/a,2020-03-01T09:00:00+00:00,N/A,false,true,2021-02-11T09:00:00+00:00,2023-06-11T11:20:00+00:00,us-east-1,s3,true,2022-02-11T09:00:00+00:00,N/A
";

#[test]
fn a_report_tells_last_uses_by_name_of_column() {
    let users = credential_report("r.csv", REPORT.as_bytes()).unwrap();
    assert_eq!((users.len(), users[0].has_mfa, users[0].password_last_used_s), (2, true, None));
    let [first, second] = &users[1].keys;
    assert_eq!((first.last_used_s, first.last_used_service.as_str()), (Some(1_686_482_400), "s3"));
    assert_eq!((second.is_active, second.last_used_s), (true, None));
    assert_eq!(read("x", REPORT.as_bytes()).unwrap().0.kind, LogKind::CredentialReport);
}

#[test]
fn a_report_without_its_columns_or_with_a_short_line_is_an_error_with_its_place() {
    let error = credential_report("r.csv", b"user,arn\na,b\n").unwrap_err();
    assert_eq!((error.place.as_str(), error.at, error.got.as_str()), ("r.csv", 0, "`user,arn\\na,b\\n`"));
    let short = REPORT.to_owned() + "b,arn\n";
    assert_eq!(credential_report("r.csv", short.as_bytes()).unwrap_err().at, REPORT.len());
}

#[test]
fn a_key_finds_its_last_use_by_the_second_it_was_made_in() {
    let users = credential_report("r.csv", REPORT.as_bytes()).unwrap();
    let list = br#"{"AccessKeyMetadata":[
        {"UserName":"a","AccessKeyId":"AKIA0000000000000001","Status":"Active","CreateDate":"2021-02-11T09:00:00+00:00"},
        {"UserName":"a","AccessKeyId":"AKIA0000000000000002","Status":"Inactive","CreateDate":"2022-02-11T09:00:00Z"},
        {"UserName":"a"}]}"#;
    let (keys, bad) = access_keys("k", list).unwrap();
    assert_eq!((keys.len(), bad.len()), (2, 1));
    assert_eq!((keys[0].last_used_s(&users), keys[1].last_used_s(&users)), (Some(1_686_482_400), None));
    assert_eq!((keys[0].is_active, keys[1].is_active), (true, false));
    assert!(access_keys("k", b"[{").is_err());
}

#[test]
fn tokens_are_listed_and_not_shown() {
    let list = br#"[{"id":"00T-secret-1234","name":"sync","clientName":"Okta API","userId":"00uA",
        "created":"2021-03-01T10:00:00.000Z","lastUpdated":"2023-06-30T01:00:00.000Z","tokenWindow":"P30D",
        "network":{"connection":"ANYWHERE"}}]"#;
    let (tokens, _) = okta_tokens("t", list).unwrap();
    assert_eq!((tokens[0].credential.kind(), tokens[0].network.as_str()), (CredentialKind::ApiToken, "ANYWHERE"));
    assert_eq!(tokens[0].last_updated_s, Some(1_688_086_800));
    assert_eq!(format!("{:?}", tokens[0]), "OktaToken(…1234 of 00uA)");
    assert_eq!(read("x", list).unwrap().0.kind, LogKind::OktaTokens);
}
