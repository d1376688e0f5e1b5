//! The logs of accesses beside flow logs: found, read and told by the commands.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::lakes::{hours, put};
use crate::program::{Ran, flowsift, scratch};

/// The account of the made logs.
pub const ACCOUNT: &str = "123456789012";

pub fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// A call to AWS: its time on 2024-04-19, service, name, user, address and error.
pub fn call(time: &str, service: &str, name: &str, user: &str, address: &str, error: &str) -> String {
    let error = if error.is_empty() { String::new() } else { format!(r#""errorCode":"{error}","#) };
    format!(
        r#"{{"eventVersion":"1.08","eventTime":"2024-04-19T{time}Z","eventSource":"{service}.amazonaws.com",
        "eventName":"{name}","awsRegion":"eu-west-1","sourceIPAddress":"{address}","userAgent":"aws-cli/2.15.0",{error}
        "eventID":"{user}-{time}-{name}","eventType":"AwsApiCall","readOnly":true,"recipientAccountId":"{ACCOUNT}",
        "requestParameters":{{"bucketName":"reports","key":"{time}.csv"}},"responseElements":null,
        "userIdentity":{{"type":"IAMUser","principalId":"AIDA{user}","arn":"arn:aws:iam::{ACCOUNT}:user/{user}",
        "accountId":"{ACCOUNT}","accessKeyId":"AKIA00000000{user}01","userName":"{user}"}}}}"#
    )
}

pub fn trail(calls: &[String]) -> Vec<u8> {
    gzip(&format!("{{\"Records\":[{}]}}", calls.join(",")))
}

fn login(time: &str, who: &str, result: &str, address: &str) -> String {
    format!(
        r#"{{"uuid":"{who}-{time}","published":"2024-04-19T{time}.250Z","eventType":"user.session.start","version":"0",
        "severity":"INFO","displayMessage":"User login to Okta","actor":{{"id":"00u{who}","type":"User",
        "alternateId":"{who}@example.com","displayName":"{who}"}},"client":{{"ipAddress":"{address}",
        "userAgent":{{"rawUserAgent":"Mozilla/5.0 Firefox/124.0","os":"Linux","browser":"FIREFOX"}},
        "geographicalContext":{{"country":"Germany","city":"Berlin"}}}},"outcome":{{"result":"{result}","reason":null}},
        "securityContext":{{"asNumber":3320,"asOrg":"deutsche telekom ag","isProxy":false}},
        "authenticationContext":{{"externalSessionId":"s1","rootSessionId":"s1"}},"target":null}}"#
    )
    .replace('\n', " ")
}

const REQUEST: &str = "https 2024-04-19T01:10:00.100000Z app/web/50dc6c495c0c9188 198.51.100.9:51823 10.0.0.5:8080 0.000 \
    0.012 0.000 200 200 310 52000 \"GET https://jira.example.com:443/browse/X-1?a=b HTTP/1.1\" \"Mozilla/5.0 Firefox/124.0\" \
    ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/t/1 \
    \"Root=1-58337364-23a8c76965a2ef7629b185e3\" \"jira.example.com\" \"arn:aws:acm:eu-west-1:123456789012:certificate/1\" 0 \
    2024-04-19T01:10:00.088000Z \"forward\" \"-\" \"-\" \"10.0.0.5:8080\" \"200\" \"-\" \"-\" TID_1\n";

const CLONE: &str = "198.51.100.9 | https | o@1ABCDEx610x42x0 | alice | 2024-04-19 10:10:05,120 | \"POST \
    /scm/core/engine.git/git-upload-pack HTTP/1.1\" | \"\" \"git/2.42.0\" | 200 | 900 | 123456 | clone, cache:hit | 5120 | \
    1x2y3z | \n";

/// Logs of five writers on 2024-04-19, and lists of credentials.
pub fn access_lake(root: &Path) -> PathBuf {
    let day = "eu-west-1/2024/04/19";
    let calls = [
        call("00:05:00", "s3", "GetObject", "alice", "198.51.100.9", ""),
        call("00:06:00", "s3", "GetObject", "alice", "198.51.100.9", ""),
        call("01:00:00", "iam", "ListUsers", "build", "203.0.113.4", "AccessDenied"),
        r#"{"eventVersion":"1.08","eventTime":"yesterday","eventName":"X"}"#.to_owned(),
    ];
    let own = format!("AWSLogs/{ACCOUNT}/CloudTrail/{day}");
    put(root, &format!("{own}/{ACCOUNT}_CloudTrail_eu-west-1_20240419T0100Z_a.json.gz"), &trail(&calls));
    let organisation = format!("AWSLogs/o-abc/{ACCOUNT}/CloudTrail/{day}");
    put(root, &format!("{organisation}/{ACCOUNT}_CloudTrail_eu-west-1_20240419T0100Z_b.json.gz"), &trail(&calls[..2]));
    let balancer = format!("AWSLogs/{ACCOUNT}/elasticloadbalancing/{day}");
    let name = format!("{ACCOUNT}_elasticloadbalancing_eu-west-1_app.web.50dc_20240419T0115Z_10.0.0.1_h.log.gz");
    put(root, &format!("{balancer}/{name}"), &gzip(REQUEST));
    let logins =
        [login("00:01:00", "alice", "SUCCESS", "198.51.100.9"), login("02:00:00", "carol", "FAILURE", "203.0.113.4")];
    put(root, "okta/2024/04/19/part-1.json.gz", &gzip(&logins.join("\n")));
    put(root, "bitbucket/2024/04/19/access.log", CLONE.as_bytes());
    let keys = r#"{"AccessKeyMetadata":[{"UserName":"alice","AccessKeyId":"AKIA00000000alice01","Status":"Active",
        "CreateDate":"2021-01-01T00:00:00Z"},{"UserName":"old","AccessKeyId":"AKIA000000000old01","Status":"Active",
        "CreateDate":"2020-01-01T00:00:00Z"}]}"#;
    put(root, "iam/keys.json", keys.as_bytes());
    root.to_owned()
}

fn detect(source: &Path, more: &[&str]) -> Ran {
    flowsift([&["detect", source.to_str().unwrap(), "--progress", "never"], more].concat())
}

#[test]
fn a_source_may_hold_logs_of_accesses_alone() {
    let folder = scratch();
    let root = access_lake(&folder.path().join("logs"));
    let out = folder.path().join("out");
    let ran = detect(&root, &["--timezone", "Europe/Berlin", "--out", out.to_str().unwrap()]).expect(0);
    for line in [
        "cloudtrail: 5 acts in 2 objects, 2024-04-19, 2 told twice, 1 bad record",
        "okta: 2 acts in 1 object, 2024-04-19\n",
        "bitbucket_access: 1 act in 1 object, 2024-04-19\n",
        "alb: 1 act in 1 object, 2024-04-19\n",
        "1 list of credentials\n",
        "2024-04-19T00:00:00Z to 2024-04-19T09:00:00Z",
    ] {
        assert!(ran.err.contains(line), "{line}\n{}", ran.err);
    }
    let summary: Value = serde_json::from_slice(&fs::read(out.join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary["access_logs"][0]["log"], "cloudtrail");
    assert_eq!(summary["access_logs"][0]["duplicates"], 2);
    assert_eq!(summary["access_logs"][0]["bad_records"], 1);
    // Without a zone, local time counts as UTC, and the summary says so.
    let ran = detect(&root, &[]).expect(0);
    assert!(ran.err.contains("1 in local time taken as UTC (--timezone)"), "{}", ran.err);
}

#[test]
fn they_change_nothing_about_the_flow_logs_beside_them() {
    let folder = scratch();
    let root = folder.path().join("logs");
    hours(&root);
    let plain = detect(&root, &[]).expect(0);
    assert!(!plain.err.contains("accesses"), "{}", plain.err);
    access_lake(&root);
    let both = detect(&root, &["--to", "2024-04-19T03:00:00Z"]).expect(0);
    assert!(both.err.contains("3 listed, 3 read") && both.err.contains("cloudtrail: 5 acts"), "{}", both.err);
    let rows = |ran: &Ran| ran.err.lines().find(|line| line.starts_with("traffic")).map(str::to_owned);
    assert_eq!(rows(&both), rows(&plain));
}

#[test]
fn what_lies_outside_the_window_is_not_even_read() {
    let folder = scratch();
    let root = access_lake(folder.path());
    let later = format!("AWSLogs/{ACCOUNT}/CloudTrail/eu-west-1/2024/05/20/a.json.gz");
    put(&root, &later, &trail(&[call("00:05:00", "s3", "GetObject", "late", "198.51.100.9", "")]));
    put(&root, "okta/2024/05/20/part-1.json.gz", b"never read");
    let ran = detect(&root, &["--to", "2024-04-20", "--timezone", "UTC"]).expect(0);
    assert!(ran.err.contains("cloudtrail: 5 acts in 2 objects"), "{}", ran.err);
    assert!(ran.err.contains("okta: 2 acts in 1 object"), "{}", ran.err);
    let none = detect(&root, &["--from", "2024-06-20"]).expect(3);
    assert!(none.err.contains("nothing could be judged"), "{}", none.err);
}

#[test]
fn damaged_objects_are_skipped_and_told() {
    let folder = scratch();
    let root = access_lake(folder.path());
    let whole = trail(&[call("00:05:00", "s3", "GetObject", "cut", "198.51.100.9", "")]);
    let name = format!("AWSLogs/{ACCOUNT}/CloudTrail/eu-west-1/2024/04/19/cut.json.gz");
    put(&root, &name, &whole[..whole.len() / 2]);
    let ran = detect(&root, &[]).expect(3);
    assert!(ran.err.contains("cut.json.gz: byte 0: got "), "{}", ran.err);
    assert!(ran.err.contains("1 skipped"), "{}", ran.err);
}

#[test]
fn a_source_of_neither_fails_and_rules_settle_doubt() {
    let folder = scratch();
    put(folder.path(), "notes/1.txt", b"nothing of interest");
    let ran = detect(folder.path(), &[]).expect(1);
    assert!(ran.err.contains("no Parquet objects under"), "{}", ran.err);
    let odd = format!("{}\n", login("00:01:00", "alice", "SUCCESS", "198.51.100.9")).replace("eventType", "event_type");
    put(folder.path(), "notes/2.txt", odd.as_bytes());
    let ran = detect(folder.path(), &["--logs", "okta=notes/2.*"]).expect(3);
    assert!(ran.err.contains("okta: 0 acts in 1 object, 1 bad record"), "{}", ran.err);
    let wrong = detect(folder.path(), &["--logs", "syslog=*"]).expect(2);
    assert!(wrong.err.contains("no log is called `syslog`"), "{}", wrong.err);
    let wrong = detect(folder.path(), &["--timezone", "Mars"]).expect(2);
    assert!(wrong.err.contains("`Mars` is no time zone"), "{}", wrong.err);
}

#[test]
fn the_story_beside_the_project_is_read_whole() {
    let story = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/neighbours/story-mini");
    if !story.is_dir() {
        return;
    }
    let ran = detect(&story, &["-q"]).expect(0);
    let all = detect(&story, &["--timezone", "UTC"]).expect(0);
    assert!(all.out == ran.out);
    for line in [
        "cloudtrail: 2,331 acts in 24 objects, 2023-11-01 to 2023-11-24",
        "okta: 2,657 acts in 23 objects",
        "atlassian_audit: 657 acts in 27 objects",
        "bitbucket_access: 3,365 acts in 24 objects",
        "alb: 3,300 acts in 46 objects",
        "2 lists of credentials",
    ] {
        assert!(all.err.contains(line), "{line}\n{}", all.err);
    }
}

fn sql(source: &Path, more: &[&str], query: &str) -> Ran {
    let args = ["sql", source.to_str().unwrap(), "--format", "csv", "-c", query];
    flowsift([&args[..], more].concat())
}

/// Asks, and compares the rows without their header.
#[track_caller]
fn answers(source: &Path, query: &str, rows: &[&str]) {
    let ran = sql(source, &["--timezone", "Europe/Berlin"], query).expect(0);
    assert_eq!(ran.text().lines().skip(1).collect::<Vec<_>>(), rows, "{query}");
}

#[test]
fn each_log_is_a_table_and_all_of_them_are_one() {
    let folder = scratch();
    let root = access_lake(folder.path());
    let root = root.as_path();
    answers(
        root,
        "SELECT log, count(*), count(DISTINCT event_id) FROM accesses GROUP BY log ORDER BY log",
        &["alb,1,0", "bitbucket_access,1,0", "cloudtrail,5,3", "okta,2,2"],
    );
    answers(
        root,
        "SELECT event_source, event_name, user_name, access_key_id, source_address, outcome, error_code, read_only,
            identity_type, region, account_id FROM cloudtrail WHERE event_name = 'ListUsers'",
        &["iam,ListUsers,build,ld01,203.0.113.4,denied,AccessDenied,true,IAMUser,eu-west-1,123456789012"],
    );
    answers(
        root,
        "SELECT request_parameters, response_elements FROM cloudtrail WHERE event_name = 'ListUsers'",
        &[r#""{""bucketName"":""reports"",""key"":""01:00:00.csv""}","#],
    );
    answers(
        root,
        "SELECT event_type, result, actor, client_address, country, city, as_number, as_org, is_proxy FROM okta
            WHERE actor = 'carol@example.com'",
        &["user.session.start,FAILURE,carol@example.com,203.0.113.4,Germany,Berlin,3320,deutsche telekom ag,false"],
    );
    answers(
        root,
        "SELECT kind, balancer, node_address, client_address, client_port, target_address, target_port, status,
            target_status, sent_bytes, method, host, path, query, protocol, tls_protocol, conn_trace_id, actions
            FROM balancer_requests",
        &["alb,app/web/50dc6c495c0c9188,10.0.0.1,198.51.100.9,51823,10.0.0.5,8080,200,200,52000,GET,jira.example.com,\
            /browse/X-1,a=b,HTTP/1.1,TLSv1.2,TID_1,forward"],
    );
    answers(
        root,
        "SELECT user_name, project, repository, operation, status, bytes_out, labels, protocol, duration_ms,
            CAST(date_part('epoch', time) AS BIGINT) FROM bitbucket_access",
        &[r#"alice,core,engine,clone,200,123456,"clone, cache:hit",https,5120,1713514205"#],
    );
    answers(root, "SELECT count(*) FROM atlassian_audit", &["0"]);
}

#[test]
fn times_accounts_and_texts_leave_out_what_is_not_asked_for() {
    let folder = scratch();
    let root = access_lake(folder.path());
    let later = format!("AWSLogs/{ACCOUNT}/CloudTrail/eu-west-1/2024/05/20/a.json.gz");
    put(&root, &later, &trail(&[call("00:05:00", "s3", "GetObject", "late", "198.51.100.9", "")]));
    let plan = |filter: &str| {
        let ran = sql(&root, &[], &format!("EXPLAIN SELECT event_id FROM cloudtrail WHERE {filter}")).expect(0);
        let text = ran.text().to_owned();
        let at = text.find("AccessesExec: ").unwrap_or_else(|| panic!("{text}"));
        text[at..].split(',').next().unwrap_or_default().to_owned()
    };
    assert_eq!(plan("event_name = 'GetObject'"), "AccessesExec: objects=3");
    assert_eq!(plan("event_time < '2024-05-01T00:00:00Z'"), "AccessesExec: objects=2");
    assert_eq!(plan("region = 'us-east-1'"), "AccessesExec: objects=0");
    assert_eq!(plan("account_id IN ('123456789012', '999999999999')"), "AccessesExec: objects=3");
    answers(&root, "SELECT count(*) FROM cloudtrail WHERE region = 'us-east-1'", &["0"]);
    answers(&root, "SELECT count(*) FROM cloudtrail WHERE region <> 'us-east-1'", &["6"]);
    let windowed = sql(&root, &["--to", "2024-04-19T00:06:00Z"], "SELECT count(*) FROM cloudtrail").expect(0);
    assert_eq!(windowed.text().lines().nth(1), Some("4"), "windows are whole hours");
}

#[test]
fn no_credential_is_shown_whole() {
    let folder = scratch();
    let root = access_lake(folder.path());
    for table in ["accesses", "cloudtrail", "okta", "balancer_requests", "bitbucket_access"] {
        let ran = sql(&root, &[], &format!("SELECT * FROM {table}")).expect(0);
        assert!(!ran.text().contains("AKIA"), "{table}: {}", ran.text());
    }
}

#[test]
fn a_damaged_object_has_no_rows_and_flow_logs_need_not_be_there() {
    let folder = scratch();
    let root = access_lake(folder.path());
    let whole = trail(&[call("00:05:00", "s3", "GetObject", "cut", "198.51.100.9", "")]);
    let name = format!("AWSLogs/{ACCOUNT}/CloudTrail/eu-west-1/2024/04/19/cut.json.gz");
    put(&root, &name, &whole[..whole.len() / 2]);
    let ran = sql(&root, &[], "SELECT count(*) FROM cloudtrail").expect(3);
    assert!(ran.text().ends_with("\n5\n") && ran.err.contains("cut.json.gz: byte 0"), "{}{}", ran.text(), ran.err);
    answers(&root, "SELECT count(*) FROM flows", &["0"]);
    // And the other way round.
    let flows = folder.path().join("flows");
    hours(&flows);
    answers(&flows, "SELECT count(*) FROM accesses", &["0"]);
}

#[test]
fn questions_about_accesses_have_answers() {
    let folder = scratch();
    let root = access_lake(folder.path());
    let ask = |name: &str, parameters: &[&str]| {
        let mut args = vec!["query", name, root.to_str().unwrap(), "--format", "csv", "--timezone", "UTC"];
        parameters.iter().for_each(|parameter| args.extend(["--param", parameter]));
        let ran = flowsift(args).expect(0);
        ran.text().lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let key = ask("key_acts", &["key=AKIA00000000alice01"]);
    assert!(
        key.len() == 1 && key[0].starts_with("s3,GetObject,success,arn:aws:iam::123456789012:user/alice,"),
        "{key:?}"
    );
    let who = ask("address_users", &["address=198.51.100.9"]);
    assert_eq!(
        who.iter().map(|row| row.split(',').next().unwrap()).collect::<Vec<_>>(),
        ["okta", "cloudtrail", "alb", "bitbucket_access"]
    );
    let first = ask("first_accesses", &["since=2024-04-19T00:30:00Z"]);
    assert!(first.len() == 1 && first[0].starts_with("alice,bitbucket,"), "{first:?}");
    let denied = ask("denied_calls", &[]);
    assert!(denied.len() == 1 && denied[0].contains("user/build,ld01,1,1,1,1,"), "{denied:?}");
    let repositories = ask("repositories_by_user", &[]);
    assert!(repositories[0].starts_with("alice,198.51.100.9,1,0,1,123456,"), "{repositories:?}");
    let client = ask("balancer_client", &["client=198.51.100.9"]);
    assert!(client.len() == 1 && client[0].contains(",jira.example.com,1,0,1,52000,310,"), "{client:?}");
    assert_eq!(ask("access_log_days", &[]).len(), 4);
    for name in ["instance_sessions_outside", "admin_grants", "console_without_mfa"] {
        assert!(ask(name, &[]).is_empty(), "{name}");
    }
}

#[test]
fn inspect_tells_logs_accounts_and_days() {
    let folder = scratch();
    let root = access_lake(folder.path());
    for day in ["21", "22"] {
        let calls = trail(&[call("00:05:00", "s3", "GetObject", "late", "198.51.100.9", "")]);
        put(&root, &format!("AWSLogs/{ACCOUNT}/CloudTrail/eu-west-1/2024/04/{day}/a.json.gz"), &calls);
    }
    let ran = flowsift(["inspect", root.to_str().unwrap()]).expect(0);
    let row = |log: &str| {
        let row = ran.text().lines().find(|line| line.starts_with(log)).unwrap_or_else(|| panic!("{}", ran.text()));
        row.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let trail = row("cloudtrail");
    assert_eq!((&trail[1][..], &trail[2][..], &trail[3][..]), (ACCOUNT, "eu-west-1", "4"));
    assert_eq!(trail[trail.len() - 4..], ["3", "2024-04-19", "2024-04-22", "2024-04-20..2024-04-20"]);
    assert_eq!(row("okta")[1], "-");
    let ran = flowsift(["inspect", root.to_str().unwrap(), "--format", "json"]).expect(0);
    let found: Value = serde_json::from_str(ran.text()).unwrap();
    assert_eq!(found["accesses"][0]["log"], "access-keys");
    assert_eq!(found["accesses"].as_array().unwrap().len(), 5);
}

#[test]
fn what_is_folded_is_a_table_as_well() {
    let folder = scratch();
    let root = access_lake(folder.path());
    let root = root.as_path();
    answers(
        root,
        "SELECT log, sum(events), count(DISTINCT principal) FROM access_hours GROUP BY log ORDER BY log",
        &["alb,1,0", "bitbucket_access,1,1", "cloudtrail,3,2", "okta,2,2"],
    );
    answers(
        root,
        "SELECT credential, credential_kind, created IS NOT NULL, last_seen IS NOT NULL FROM credentials ORDER BY 1, 3",
        &["ce01,long_term_key,true,true", "ld01,long_term_key,false,true", "ld01,long_term_key,true,false"],
    );
    let ran = flowsift(["query", "unused_keys", root.to_str().unwrap(), "--format", "csv"]).expect(0);
    let rows: Vec<&str> = ran.text().lines().skip(1).collect();
    assert!(rows.len() == 1 && rows[0].starts_with("ld01,long_term_key,,2020-01-01T00:00:00Z,,1570"), "{rows:?}");
    assert!(!ran.text().contains("AKIA"));
}

#[test]
fn the_story_is_one_incident_from_the_first_try_to_the_upload() {
    let story = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/story");
    let out = scratch();
    detect(&story, &["-q", "--out", out.path().to_str().unwrap()]).expect(0);
    let text = fs::read_to_string(out.path().join("incidents.jsonl")).unwrap();
    let incidents: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (intrusions, others): (Vec<&Value>, Vec<&Value>) = incidents.iter().partition(|one| one["severity"] != "low");
    assert!(others.len() <= 2, "{} other incidents", others.len());
    let [intrusion] = intrusions[..] else { panic!("{} incidents above low", intrusions.len()) };
    assert_eq!(intrusion["severity"], "critical");
    let principals = intrusion["principals"].to_string();
    for who in ["svc-moveworks", "svc-workday", "svc-smartsheet", "apps-marketplace", "jmiller2"] {
        assert!(principals.contains(who), "{who} is not among {principals}");
    }
    // The Jira server, which the labels name as the host of the implant.
    let labels = fs::read_to_string(story.join("labels.csv")).unwrap();
    let implant = labels.lines().find(|line| line.contains(",c2,")).unwrap();
    let implanted = implant.split(',').rev().nth(1).unwrap();
    let mut hosts = intrusion["hosts"].as_array().unwrap().iter();
    assert!(hosts.any(|host| host["host"] == implanted), "{implanted} is not among {}", intrusion["hosts"]);
    assert!(intrusion["first_seen"].as_str().unwrap().starts_with("2023-11-14T09:22:"), "{}", intrusion["first_seen"]);
    let (first, last) = ("2023-11-14T09:22:", "2023-11-23T02:");
    let times: Vec<&str> =
        intrusion["timeline"].as_array().unwrap().iter().map(|entry| entry["time"].as_str().unwrap()).collect();
    assert!(times[0].starts_with(first) && times.iter().any(|at| at.starts_with(last)), "{times:?}");
    // All steps but the refused connections, which are low.
    let findings = out.path().join("findings.jsonl");
    let labels = story.join("labels.csv");
    let judge = ["evaluate", findings.to_str().unwrap(), labels.to_str().unwrap(), "--story", "--min-recall", "0.9"];
    flowsift(judge).expect(0);
}
