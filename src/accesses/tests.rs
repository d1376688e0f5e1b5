//! Gathering over several threads and orders, and what becomes of damaged objects.

use super::*;
use crate::source::{AccessObject, Grain, Source, SourceOptions, TimeRange, WantedLogs};
use ::memory::Memory;
use access::{Credential, Log, LogKind};
use flow::time::{DAY_S, rfc3339};
use std::io::Write;
use std::path::Path;

const DAY: i64 = 1_700_611_200;
const KEY: &str = "AKIA0000000000001234";

fn put(root: &Path, name: &str, bytes: &[u8]) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// A CloudTrail object of `count` calls of a user from a second on.
fn trail(user: &str, from_s: i64, count: i64) -> Vec<u8> {
    let record = |number: i64| {
        format!(
            r#"{{"eventVersion":"1.08","eventTime":"{}","eventSource":"s3.amazonaws.com","eventName":"GetObject",
            "awsRegion":"us-east-1","sourceIPAddress":"198.51.100.7","userAgent":"aws-cli/2.1","eventID":"{user}-{number}",
            "recipientAccountId":"112233445566","requestParameters":{{"bucketName":"b","key":"{number}"}},
            "userIdentity":{{"type":"IAMUser","arn":"arn:aws:iam::112233445566:user/{user}","accessKeyId":"{KEY}"}}}}"#,
            rfc3339(from_s + 60 * number)
        )
    };
    let records: Vec<String> = (0..count).map(record).collect();
    gzip(&format!("{{\"Records\":[{}]}}", records.join(",")))
}

fn lake() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let folder = |account: &str, day: u32| format!("AWSLogs/{account}/CloudTrail/us-east-1/2023/11/{day}");
    for day in 0..4 {
        let calls = trail(&format!("u{day}"), DAY + i64::from(day) * DAY_S, 200);
        put(root.path(), &format!("{}/a.json.gz", folder("112233445566", 22 + day)), &calls);
        // The trail of the organisation tells the same.
        put(root.path(), &format!("{}/b.json.gz", folder("o-abc/112233445566", 22 + day)), &calls);
    }
    let damaged = trail("damaged", DAY, 50);
    put(root.path(), &format!("{}/cut.json.gz", folder("112233445566", 22)), &damaged[..damaged.len() - 20]);
    let half = r#"{"Records":[{"eventVersion":"1.08","eventTime":"then"},7]}"#;
    put(root.path(), &format!("{}/half.json.gz", folder("112233445566", 22)), &gzip(half));
    let list =
        format!(r#"[{{"UserName":"u0","AccessKeyId":"{KEY}","Status":"Active","CreateDate":"2023-01-02T00:00:00Z"}}]"#);
    put(root.path(), "iam/access-keys.json", list.as_bytes());
    let report = "user,arn,user_creation_time,password_last_used,access_key_1_active,access_key_1_last_rotated,\
        access_key_1_last_used_date\nu0,arn:aws:iam::112233445566:user/u0,2022-01-01T00:00:00Z,N/A,true,\
        2023-01-02T00:00:00Z,2023-06-20T00:00:00Z\n";
    put(root.path(), "iam/credential-report.csv", report.as_bytes());
    root
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap()
}

fn listed(root: &Path, runtime: &tokio::runtime::Runtime) -> (Source, Vec<AccessObject>) {
    let source = runtime.block_on(Source::open(&[root.to_str().unwrap()], &SourceOptions::default())).unwrap();
    let listing = runtime.block_on(source.list_by(&TimeRange::default(), Grain::Object, WantedLogs::All)).unwrap();
    (source, listing.accesses)
}

fn gathered(
    source: &Source,
    objects: Vec<AccessObject>,
    runtime: &tokio::runtime::Runtime,
    threads: usize,
    range: TimeRange,
) -> AccessLogs {
    let context = GatherAccesses {
        runtime: runtime.handle(),
        reader: source.reader(),
        kept: None,
        range,
        zone: None,
        threads,
        concurrency: 3,
        budget_bytes: 1 << 20,
        memory: Memory::default(),
    };
    gather(&context, objects, &|_| {}).unwrap()
}

#[test]
fn neither_order_nor_threads_matter() {
    let (root, runtime) = (lake(), runtime());
    let (source, objects) = listed(root.path(), &runtime);
    let all = TimeRange::default();
    let one = gathered(&source, objects.clone(), &runtime, 1, all);
    let read = &one.read.logs[&Log::CloudTrail];
    assert_eq!((read.objects, read.acts, read.duplicates, read.bad_records), (9, 1_600, 800, 2));
    assert_eq!(one.hours.rows().iter().map(|row| row.sums.events).sum::<u64>(), 800);
    assert_eq!((read.days.len(), read.accounts.len(), one.read.acts()), (4, 1, 800));
    assert!(read.first_bad[0].object.ends_with("half.json.gz"), "{:?}", read.first_bad);
    for (threads, seed) in [(1, 3), (2, 5), (4, 7), (16, 11)] {
        let mut mixed = objects.clone();
        mixed.sort_by_key(|one| {
            one.object.url.bytes().fold(seed, |sum: u32, byte| sum.wrapping_mul(31) + u32::from(byte))
        });
        let other = gathered(&source, mixed, &runtime, threads, all);
        assert_eq!(other.hours.rows(), one.hours.rows(), "{threads}");
        assert_eq!(other.read, one.read, "{threads}");
        assert_eq!((&other.credentials, &other.principals), (&one.credentials, &one.principals), "{threads}");
        assert_eq!((&other.acts_by_hour, &other.ties), (&one.acts_by_hour, &one.ties));
    }
}

#[test]
fn a_damaged_object_counts_with_none_of_its_acts() {
    let (root, runtime) = (lake(), runtime());
    let (source, objects) = listed(root.path(), &runtime);
    let logs = gathered(&source, objects, &runtime, 2, TimeRange::default());
    let [skipped] = &logs.read.skipped[..] else { panic!("{:?}", logs.read.skipped) };
    assert!(skipped.object.ends_with("cut.json.gz") && skipped.reason.starts_with("byte "), "{skipped:?}");
    assert!(logs.principals.get(Log::CloudTrail, "arn:aws:iam::112233445566:user/damaged").is_none());
    // One that is gone is told as well.
    let (source, objects) = listed(root.path(), &runtime);
    std::fs::remove_file(root.path().join("AWSLogs/112233445566/CloudTrail/us-east-1/2023/11/23/a.json.gz")).unwrap();
    let logs = gathered(&source, objects, &runtime, 2, TimeRange::default());
    assert_eq!(logs.read.skipped.len(), 2);
    assert!(logs.read.skipped[1].reason.contains("is gone"), "{:?}", logs.read.skipped[1]);
}

#[test]
fn lists_and_acts_before_the_history_are_known_to_the_ledgers() {
    let (root, runtime) = (lake(), runtime());
    let (source, objects) = listed(root.path(), &runtime);
    let range = TimeRange { from_s: Some(DAY + 2 * DAY_S), to_s: Some(DAY + 3 * DAY_S) };
    let logs = gathered(&source, objects, &runtime, 2, range);
    let read = &logs.read.logs[&Log::CloudTrail];
    assert_eq!((read.acts, read.outside, read.days.len()), (400, 1_200, 1));
    assert!(logs.hours.rows().iter().all(|row| row.principal.ends_with("/u2")));
    let key = logs.credentials.get(&Credential::key(KEY.into())).unwrap();
    assert_eq!(key.created_s, Some(1_672_617_600));
    assert_eq!(key.uses.first_s(), Some(DAY), "acts before the history count");
    assert_eq!(key.uses.last_s(), Some(DAY + 2 * DAY_S + 199 * 60), "acts after the window do not");
    assert_eq!(key.last_before(DAY), Some((1_687_219_200, true)), "the list knows more");
    assert_eq!(logs.read.lists[&LogKind::CredentialReport], 1);
    let user = logs.principals.get(Log::CloudTrail, "arn:aws:iam::112233445566:user/u0").unwrap();
    assert_eq!((user.created_s, user.reported_s()), (Some(1_640_995_200), Some(1_687_219_200)));
}

#[test]
fn what_is_no_log_after_all_is_counted() {
    let (root, runtime) = (tempfile::tempdir().unwrap(), runtime());
    let folder = "AWSLogs/112233445566/CloudTrail/us-east-1/2023/11/22";
    put(root.path(), &format!("{folder}/a.json.gz"), &trail("u", DAY, 1));
    put(root.path(), &format!("{folder}/b.json.gz"), &gzip(r#"{"digestStartTime":"t","digestS3Bucket":"b"}"#));
    put(root.path(), &format!("{folder}/c.json.gz"), b"hello, world");
    let (source, objects) = listed(root.path(), &runtime);
    let logs = gathered(&source, objects, &runtime, 2, TimeRange::default());
    assert_eq!(logs.read.others.get(&LogKind::CloudTrailDigest), Some(&1));
    assert_eq!(logs.read.logs[&Log::CloudTrail].acts, 1);
    assert!(!logs.is_empty() && AccessLogs::default().is_empty());
}

mod kept;
