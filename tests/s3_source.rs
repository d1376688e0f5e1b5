//! Sources and stores against a real HTTP S3 server.

use std::process::Command;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use flowsift::source::{PutMode, ReadError, Source, SourceError, SourceOptions, Store, Swap, TimeRange, units};

use crate::s3_server::{ACCESS_KEY, S3Server, SECRET_KEY};

const DAY: i64 = 1_713_484_800; // 2024-04-19

/// A profile of the tests' own, so that no environment variable has to change while tests run side by side.
fn options(server: &S3Server, profile: &str) -> SourceOptions {
    SourceOptions {
        profile: Some(profile.to_owned()),
        region: Some("us-east-1".to_owned()),
        endpoint_url: Some(server.endpoint_url.clone()),
        ..SourceOptions::default()
    }
}

/// Tells whether this process is the test's own child, with only the tests' profiles in its environment.
///
/// The parent starts that child and waits for it: environment variables of a running process cannot be changed safely.
fn in_child(test: &str) -> bool {
    const MARK: &str = "FLOWSIFT_TEST_CHILD";
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "[good]\naws_access_key_id={ACCESS_KEY}\naws_secret_access_key={SECRET_KEY}\n\
         [wrong]\naws_access_key_id={ACCESS_KEY}\naws_secret_access_key=other\n"
    );
    std::fs::write(folder.path().join("credentials"), text).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
        child.env_remove(name);
    }
    let output = child
        .args([&format!("{}::{test}", module_path!().split_once("::").unwrap().1), "--exact", "--nocapture"])
        .env(MARK, "1")
        .env("AWS_SHARED_CREDENTIALS_FILE", folder.path().join("credentials"))
        .env("AWS_CONFIG_FILE", folder.path().join("config"))
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    false
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn served(open: bool) -> (tempfile::TempDir, S3Server) {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("logs")).unwrap();
    let server = S3Server::start(root.path(), open);
    (root, server)
}

fn name(region: &str, time: &str, n: usize) -> String {
    format!("123456789012_vpcflowlogs_{region}_fl-0a_{time}_{n:08x}.log.parquet")
}

#[test]
fn follows_pages_and_prunes_by_folder_and_name() {
    if !in_child("follows_pages_and_prunes_by_folder_and_name") {
        return;
    }
    let (_root, server) = served(false);
    for n in 0..1_203 {
        let time = format!("20240419T{:02}{:02}Z", n / 60 % 24, n % 60);
        let key =
            format!("org/AWSLogs/o-1/123456789012/vpcflowlogs/eu-west-1/2024/04/19/{}", name("eu-west-1", &time, n));
        server.put("logs", &key, b"x");
    }
    for hour in 0..24 {
        for day in 18..=21 {
            let key = format!(
                "org/AWSLogs/aws-account-id=210987654321/aws-service=vpcflowlogs/aws-region=us-east-1/\
                 year=2024/month=04/day={day}/hour={hour:02}/{hour}.parquet"
            );
            server.put("logs", &key, b"x");
        }
    }
    server.put("logs", "org/AWSLogs/123456789012/CloudTrail/eu-west-1/2024/04/19/a.parquet", b"x");
    server.put("logs", "org/AWSLogs/o-1/123456789012/vpcflowlogs/eu-west-1/2024/04/19/old.log.gz", b"x");
    server.put("logs", "org/_SUCCESS", b"");
    runtime().block_on(async {
        let options = options(&server, "good");
        for url in ["s3://logs", "s3://logs/org", "s3://logs/org/AWSLogs/"] {
            let source = Source::open(&[url], &options).await.unwrap();
            let all = source.list(&TimeRange::default()).await.unwrap();
            assert_eq!((all.objects.len(), all.other_objects), (1_203 + 96, 1), "{url}");
            assert!(all.objects.is_sorted_by(|a, b| a.url < b.url));
            assert!(all.objects.iter().all(|object| object.size == 1 && object.version.starts_with('"')));
            assert_eq!(units(all.objects).len(), 1 + 96);
        }
        // 06:00 to 07:00, widened to 05:44 to 08:01: a file may reach to the minute before and after.
        let range = TimeRange { from_s: Some(DAY + 6 * 3600), to_s: Some(DAY + 7 * 3600) };
        let source = Source::open(&["s3://logs", "s3://logs/org/"], &options).await.unwrap();
        let some = source.list(&range).await.unwrap();
        let hive = some.objects.iter().filter(|object| object.url.contains("hour=")).count();
        assert_eq!(hive, 3, "hours 05, 06 and 07");
        assert_eq!(some.objects.len() - hive, 137, "16 + 121 minutes; the second source repeats the first");
        let pattern = Source::open(&["s3://logs/org/AWSLogs/o-1/*/vpcflowlogs/**/*_20240419T0300Z_*"], &options);
        assert_eq!(pattern.await.unwrap().list(&TimeRange::default()).await.unwrap().objects.len(), 1);
        let one = format!("s3://logs/org/AWSLogs/o-1/123456789012/vpcflowlogs/eu-west-1/2024/04/19/{}", "old.log.gz");
        let single = Source::open(&[one], &options).await.unwrap().list(&range).await.unwrap();
        assert_eq!(single.objects.len(), 1, "a named object is taken whatever its name");
    });
}

#[test]
fn reads_survive_slow_downs_and_notice_changes() {
    if !in_child("reads_survive_slow_downs_and_notice_changes") {
        return;
    }
    let (_root, server) = served(false);
    let content: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    for n in 0..60 {
        server.put("logs", &format!("data/{n:02} +é=%.parquet"), &content);
    }
    runtime().block_on(async {
        let options = options(&server, "good");
        server.traffic.slow_down_every.store(3, Relaxed);
        let source = Source::open(&["s3://logs/data"], &options).await.unwrap();
        let objects = source.list(&TimeRange::default()).await.unwrap().objects;
        assert_eq!(objects.len(), 60);
        let reader = source.reader();
        for object in &objects[..20] {
            assert_eq!(reader.whole(object).await.unwrap(), content);
        }
        assert!(server.traffic.slowed_down.load(Relaxed) > 5);
        server.traffic.slow_down_every.store(0, Relaxed);

        server.traffic.reset_counts();
        let ranges = [2_900_000..2_900_010, 0..10, 20..500_000, 1_700_000..1_700_001];
        let got = reader.ranges(&objects[0], &ranges).await.unwrap();
        for (range, bytes) in ranges.iter().zip(got) {
            assert_eq!(bytes, content[range.start as usize..range.end as usize]);
        }
        assert_eq!(server.traffic.gets.load(Relaxed), 3, "gaps under 1 MiB share a request");
        assert_eq!(reader.suffix(&objects[0], 100).await.unwrap(), content[2_999_900..]);

        server.put("logs", "data/01 +é=%.parquet", b"other");
        assert!(matches!(reader.whole(&objects[1]).await, Err(ReadError::Changed { .. })));
        std::fs::remove_file(_root.path().join("logs/data/02 +é=%.parquet")).unwrap();
        assert!(matches!(reader.whole(&objects[2]).await, Err(ReadError::Gone { .. })));
        server.traffic.deny_get.store(1, Relaxed);
        let denied = reader.whole(&objects[3]).await.unwrap_err();
        assert!(matches!(denied, ReadError::Denied { .. }) && denied.to_string().contains("kms:Decrypt"), "{denied}");
        server.traffic.deny_get.store(0, Relaxed);
    });
}

#[test]
fn a_truncated_body_is_fetched_again() {
    if !in_child("a_truncated_body_is_fetched_again") {
        return;
    }
    let (_root, server) = served(false);
    server.put("logs", "a.parquet", &[7; 100_000]);
    runtime().block_on(async {
        let source = Source::open(&["s3://logs/a.parquet"], &options(&server, "good")).await.unwrap();
        let object = source.list(&TimeRange::default()).await.unwrap().objects.remove(0);
        server.traffic.truncate_every.store(2, Relaxed);
        for _ in 0..6 {
            assert_eq!(source.reader().whole(&object).await.unwrap().len(), 100_000);
        }
    });
}

#[test]
fn refusals_say_what_to_do() {
    if !in_child("refusals_say_what_to_do") {
        return;
    }
    let (_root, server) = served(false);
    server.put("logs", "x/a.log.gz", b"x");
    runtime().block_on(async {
        let good = options(&server, "good");
        let list = async |url: &str, options: &SourceOptions| {
            Source::open(&[url], options).await?.list(&TimeRange::default()).await
        };
        let error = list("s3://logs/x", &options(&server, "wrong")).await.unwrap_err();
        assert!(
            matches!(&error, SourceError::CredentialsRefused { code, .. } if code == "SignatureDoesNotMatch"),
            "{error}"
        );
        let error = list("s3://nowhere/x", &good).await.unwrap_err();
        assert!(matches!(error, SourceError::NoSuchBucket { .. }), "{error}");
        let error = list("s3://logs/x", &good).await.unwrap_err();
        assert!(matches!(error, SourceError::NothingFound { other_objects: 1, .. }), "{error}");
        let error = list("s3://logs/y/*.parquet", &good).await.unwrap_err();
        assert!(matches!(error, SourceError::NoMatch { .. }), "{error}");
        let unsigned = SourceOptions { no_sign_request: true, profile: None, ..good.clone() };
        let error = list("s3://logs/x", &unsigned).await.unwrap_err();
        assert!(matches!(error, SourceError::Denied { .. }), "{error}");

        let begun = Instant::now();
        let error = list("s3://logs/x", &SourceOptions { profile: None, ..good.clone() }).await.unwrap_err();
        assert!(matches!(error, SourceError::NoCredentials), "{error}");
        let error = list("s3://logs/x", &options(&server, "missing")).await.unwrap_err();
        assert!(matches!(error, SourceError::NoProfile { .. }), "{error}");
        let dead = SourceOptions { endpoint_url: Some("http://127.0.0.1:9".to_owned()), ..good.clone() };
        let error = list("s3://logs/x", &dead).await.unwrap_err();
        assert!(matches!(error, SourceError::Unreachable { .. }), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(5), "refusals took {:?}", begun.elapsed());
        let error = list("s3://logs/x", &SourceOptions { endpoint_url: Some("host:9".to_owned()), ..good }).await;
        assert!(matches!(error, Err(SourceError::BadUrl { .. })));
    });
}

#[test]
fn public_buckets_need_no_credentials() {
    if !in_child("public_buckets_need_no_credentials") {
        return;
    }
    let (_root, server) = served(true);
    server.put("logs", "x/a.parquet", b"abc");
    runtime().block_on(async {
        let options = SourceOptions { no_sign_request: true, profile: None, ..options(&server, "good") };
        let source = Source::open(&["s3://logs/x/"], &options).await.unwrap();
        let object = source.list(&TimeRange::default()).await.unwrap().objects.remove(0);
        assert_eq!(source.reader().whole(&object).await.unwrap(), "abc");
    });
}

#[test]
fn a_prefix_keeps_whole_objects() {
    if !in_child("a_prefix_keeps_whole_objects") {
        return;
    }
    let (_root, server) = served(false);
    runtime().block_on(async {
        let store = Store::open("s3://logs/state", &options(&server, "good")).await.unwrap();
        server.traffic.slow_down_every.store(4, Relaxed);
        assert_eq!(store.get("day=1/a").await.unwrap(), None);
        store.put("day=1/a", "one".into(), PutMode::Create).await.unwrap();
        let again = store.put("day=1/a", "two".into(), PutMode::Create).await;
        assert!(matches!(again, Err(SourceError::Exists { .. })), "{again:?}");
        store.put("day=1/a", "two".into(), PutMode::Overwrite).await.unwrap();
        store.put("b", "x".into(), PutMode::Overwrite).await.unwrap();
        assert_eq!(store.get("day=1/a").await.unwrap().unwrap(), "two");
        let names =
            |found: Vec<flowsift::source::StoredObject>| -> Vec<_> { found.into_iter().map(|o| o.name).collect() };
        assert_eq!(names(store.list("").await.unwrap()), ["b", "day=1/a"]);
        assert_eq!(names(store.list("day=1").await.unwrap()), ["day=1/a"]);
        store.delete("b").await.unwrap();
        store.delete("b").await.unwrap();
        assert_eq!(names(store.list("").await.unwrap()), ["day=1/a"]);
    });
}

#[test]
fn only_who_read_the_last_version_may_write() {
    if !in_child("only_who_read_the_last_version_may_write") {
        return;
    }
    let (_root, server) = served(false);
    runtime().block_on(async {
        let store = Store::open("s3://logs/state", &options(&server, "good")).await.unwrap();
        assert_eq!(store.get_versioned("HEAD").await.unwrap(), None);
        assert_eq!(store.swap("HEAD", "one".into(), None).await.unwrap(), Swap::Done);
        assert_eq!(store.swap("HEAD", "two".into(), None).await.unwrap(), Swap::Lost);
        let (bytes, first) = store.get_versioned("HEAD").await.unwrap().unwrap();
        assert_eq!(bytes, "one");
        // 409 says that another PUT is under way: it is tried again, and in the end read again.
        server.traffic.conflicts.store(2, Relaxed);
        assert_eq!(store.swap("HEAD", "two".into(), Some(&first)).await.unwrap(), Swap::Done);
        assert_eq!(store.swap("HEAD", "three".into(), Some(&first)).await.unwrap(), Swap::Lost);
        let (bytes, second) = store.get_versioned("HEAD").await.unwrap().unwrap();
        assert_eq!(bytes, "two");
        server.traffic.conflicts.store(100, Relaxed);
        assert_eq!(store.swap("HEAD", "three".into(), Some(&second)).await.unwrap(), Swap::Lost);
        server.traffic.conflicts.store(0, Relaxed);
        store.delete("HEAD").await.unwrap();
        assert_eq!(store.swap("HEAD", "three".into(), Some(&second)).await.unwrap(), Swap::Lost);

        // Many writers at once: each adds its line, and none is lost.
        let add = |number: usize| {
            let store = store.clone();
            async move {
                loop {
                    let read = store.get_versioned("list").await.unwrap();
                    let (old, version) = read.map_or((String::new(), None), |(bytes, version)| {
                        (String::from_utf8(bytes.to_vec()).unwrap(), Some(version))
                    });
                    let new = format!("{old}{number}\n");
                    if store.swap("list", new.into(), version.as_ref()).await.unwrap() == Swap::Done {
                        return;
                    }
                }
            }
        };
        futures::future::join_all((0..6).map(add)).await;
        let text = store.get("list").await.unwrap().unwrap();
        let mut lines: Vec<&str> = std::str::from_utf8(&text).unwrap().lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["0", "1", "2", "3", "4", "5"]);
    });
}
