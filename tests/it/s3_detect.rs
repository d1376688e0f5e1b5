//! `detect` against an S3 server over HTTP: many objects, pruning, refusals, kept hours and results in S3.

use std::fs;
use std::sync::atomic::Ordering::Relaxed;

use corpus::{GenerateOptions, PageCodec};
use flowsift::hours::fetch::FetchOptions;
use flowsift::hours::{GatherContext, GatherOptions, Gathered, Progress, gather};
use flowsift::source::{Source, SourceOptions, TimeRange, units};
use serde_json::Value;

use crate::program::{Corpus, Ran, copy, finish, flowsift, program, scratch, small};
use crate::s3_server::{ACCESS_KEY, S3Server, SECRET_KEY};

/// A corpus in the bucket `logs` under `org/`, and the server over it.
struct Served {
    server: S3Server,
    root: tempfile::TempDir,
}

fn serve(corpus: &Corpus, open: bool) -> Served {
    let root = scratch();
    for file in corpus.files() {
        copy(&file, &root.path().join("logs/org").join(file.strip_prefix(corpus.path()).unwrap()));
    }
    fs::create_dir_all(root.path().join("results")).unwrap();
    Served { server: S3Server::start(root.path(), open), root }
}

impl Served {
    fn run_as(&self, secret: Option<&str>, args: &[&str]) -> Ran {
        let mut command = program();
        command.args(["detect", "--endpoint-url", &self.server.endpoint_url, "--region", "us-east-1"]).args(args);
        if let Some(secret) = secret {
            command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", secret);
        }
        finish(&mut command)
    }

    fn run(&self, args: &[&str]) -> Ran {
        self.run_as(Some(SECRET_KEY), args)
    }

    fn gets(&self) -> u64 {
        self.server.traffic.gets.load(Relaxed)
    }
}

#[test]
fn more_than_a_thousand_objects_are_listed_pruned_and_read() {
    let options =
        GenerateOptions { rows: 24_000, hosts: 20, hours: 6, files_per_hour: 240, attack_hosts: 0, ..small() };
    let corpus = Corpus::generate(GenerateOptions { attacks: None, ..options });
    let files = corpus.files().len() as u64;
    assert!(files > 1_000, "{files} files");
    let served = serve(&corpus, false);
    let local = flowsift(["detect", corpus.source(), "-q"]).expect(0);
    let ran = served.run(&["s3://logs/org"]).expect(0);
    assert!(ran.out == local.out, "S3 and disk give different findings");
    let shown = format!("1,{:03}", files - 1_000);
    assert!(ran.err.contains(&format!("{shown} listed, {shown} read")), "{}", ran.err);
    assert_eq!(served.gets(), files, "each object is fetched once, with one request");
    assert!(served.server.traffic.lists.load(Relaxed) >= 2);

    served.server.traffic.reset_counts();
    let window = ["--from", "2024-01-15T05:00:00Z", "--baseline", "1h"];
    let late = served.run(&[&["s3://logs/org/AWSLogs/", "-q"], &window[..]].concat()).expect(0);
    let gets = served.gets();
    assert!(
        (files / 6..files * 6 / 10).contains(&gets),
        "two hours and the margin of {files} objects took {gets} requests"
    );
    let local = flowsift([&["detect", corpus.source(), "-q"], &window[..]].concat()).expect(0);
    assert!(late.out == local.out);
}

#[test]
fn slow_downs_are_survived() {
    let corpus = Corpus::shared();
    let served = serve(&corpus, false);
    served.server.traffic.slow_down_every.store(7, Relaxed);
    let ran = served.run(&["s3://logs", "-q", "--min-severity", "informational"]).expect(0);
    assert!(served.server.traffic.slowed_down.load(Relaxed) >= 3);
    served.server.traffic.slow_down_every.store(0, Relaxed);
    served.server.traffic.truncate_every.store(5, Relaxed);
    let cut = served.run(&["s3://logs", "-q", "--min-severity", "informational"]).expect(0);
    let local = flowsift(["detect", corpus.source(), "-q", "--min-severity", "informational"]).expect(0);
    assert!(ran.out == local.out && cut.out == local.out);
}

#[test]
fn refusals_are_one_line_that_says_what_to_do() {
    let served = serve(&Corpus::shared(), false);
    let cases: &[(Option<&str>, &[&str], &[&str])] = &[
        (Some("other"), &["s3://logs/org"], &["refused the credentials", "SignatureDoesNotMatch", "--profile"]),
        (None, &["s3://logs/org"], &["no AWS credentials found", "--profile", "--no-sign-request"]),
        (None, &["s3://logs/org", "--profile", "nosuch"], &["`nosuch`", "~/.aws/config"]),
        (None, &["s3://logs/org", "--no-sign-request"], &["access denied", "s3:ListBucket"]),
        (Some(SECRET_KEY), &["s3://nosuch/org"], &["`nosuch` does not exist", "check its name"]),
        (Some(SECRET_KEY), &["s3://logs/elsewhere"], &["no Parquet objects under `s3://logs/elsewhere`"]),
        (Some(SECRET_KEY), &["s3://logs/org", "--out", "s3://nosuch/out"], &["nosuch"]),
        (Some(SECRET_KEY), &["s3://logs/org", "--endpoint-url", "http://127.0.0.1:9"], &["does not answer"]),
    ];
    for (secret, args, says) in cases {
        let ran = served.run_as(*secret, &[*args, &["-q"]].concat()).expect(1);
        for word in *says {
            assert!(ran.err.contains(word), "{args:?} says:\n{}", ran.err);
        }
        assert!(ran.err.starts_with("error: ") && ran.err.lines().count() == 1, "{args:?} says:\n{}", ran.err);
        assert!(ran.out.is_empty());
    }
}

#[test]
fn a_denied_object_is_skipped_and_named() {
    let corpus = Corpus::shared();
    let served = serve(&corpus, false);
    let denied = corpus.files()[7].file_name().unwrap().to_string_lossy().into_owned();
    *served.server.traffic.deny_keys.lock().unwrap() = denied.clone();
    let ran = served.run(&["s3://logs"]).expect(3);
    assert!(ran.err.contains("17 read") && ran.err.contains("1 skipped"), "{}", ran.err);
    let line = ran.err.lines().find(|line| line.starts_with("skipped")).unwrap();
    assert!(line.contains(&denied) && line.contains("access denied") && line.contains("s3:GetObject"), "{line}");
    assert!(!ran.findings().is_empty());
}

#[test]
fn an_open_bucket_needs_no_identity() {
    let corpus = Corpus::shared();
    let served = serve(&corpus, true);
    let ran =
        served.run_as(None, &["s3://logs/org/AWSLogs/**/hour=0[12]/*.parquet", "-q", "--no-sign-request"]).expect(0);
    assert_eq!(served.gets(), 6, "two hours by glob");
    assert!(!ran.findings().is_empty());
}

#[test]
fn hours_and_results_may_live_in_s3() {
    let corpus = Corpus::shared();
    let served = serve(&corpus, false);
    let args = ["s3://logs", "-q", "--state", "s3://results/state", "--out", "s3://results/today"];
    let first = served.run(&args).expect(0);
    let reads = served.gets();
    served.server.traffic.reset_counts();
    // Some requests fail on the way; the second run reads no log at all.
    served.server.traffic.slow_down_every.store(9, Relaxed);
    let second = served.run(&args).expect(0);
    assert!(first.out == second.out);
    assert!(reads >= 18 && served.gets() <= 16, "{reads} requests, then {}", served.gets());
    let today = served.root.path().join("results/today");
    let summary: Value = serde_json::from_str(&fs::read_to_string(today.join("summary.json")).unwrap()).unwrap();
    assert_eq!((&summary["objects"]["reused"], &summary["objects"]["read"]), (&18.into(), &0.into()));
    assert_eq!(fs::read(today.join("findings.jsonl")).unwrap(), second.out);
    assert!(fs::read(today.join("findings.parquet")).unwrap().starts_with(b"PAR1"));
    let local = flowsift(["detect", corpus.source(), "-q"]).expect(0);
    assert!(first.out == local.out);
}

struct Silent;

impl Progress for Silent {
    fn object_done(&self, _bytes: u64, _rows: u64) {}
}

#[test]
fn large_objects_are_read_by_ranges() {
    let plain = GenerateOptions {
        codec: PageCodec::None,
        dictionary: false,
        row_group_rows: 4_000,
        files_per_hour: 1,
        ..small()
    };
    let corpus =
        Corpus::generate(GenerateOptions { rows: 30_000, hosts: 20, hours: 1, attacks: Some(Vec::new()), ..plain });
    let served = serve(&corpus, true);
    let size = fs::metadata(&corpus.files()[0]).unwrap().len();
    assert!(size > 4 << 20, "{size} bytes");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let options = SourceOptions {
        region: Some("us-east-1".to_owned()),
        endpoint_url: Some(served.server.endpoint_url.clone()),
        no_sign_request: true,
        ..SourceOptions::default()
    };
    let source = runtime.block_on(Source::open(&["s3://logs"], &options)).unwrap();
    let objects = runtime.block_on(source.list(&TimeRange::default())).unwrap().objects;
    assert_eq!(objects.len(), 1);
    let gathered = |whole_limit_bytes: u64| -> Gathered {
        served.server.traffic.reset_counts();
        let fetch = FetchOptions { whole_limit_bytes, ..FetchOptions::default() };
        let options = GatherOptions { threads: 2, rollup: Default::default(), fetch, memory: Default::default() };
        let internal = |address: flow::Address| flowsift::intel::InternalNetworks::default().contains(address);
        let context = GatherContext {
            runtime: runtime.handle(),
            reader: &source.reader(),
            kept: None,
            options: &options,
            is_internal: &internal,
        };
        gather(&context, &units(objects.clone()), &Silent).unwrap()
    };
    let whole = gathered(u64::MAX);
    assert_eq!((served.gets(), whole.bytes_read), (1, size));
    let ranged = gathered(1 << 20);
    assert!(ranged.skipped.is_empty(), "{:?}", ranged.skipped);
    assert!(served.gets() >= 2 && ranged.bytes_read <= size, "{} requests, {} bytes", served.gets(), ranged.bytes_read);
    assert_eq!(ranged.rows_read, whole.rows_read);
    let hours = |gathered: &Gathered| gathered.pair_hours[0].clone();
    assert!(hours(&ranged) == hours(&whole), "ranges and whole objects give different hours");
    assert!(ranged.coverage == whole.coverage);
}

#[test]
fn answers_of_the_state_that_are_cut_or_refused_cost_no_findings() {
    let corpus = Corpus::shared();
    let served = serve(&corpus, false);
    let args = [corpus.source(), "-q", "--state", "s3://results/state"];
    let first = served.run(&args).expect(0);
    // Every third answer is cut off: it is asked for again, and the kept hours are used.
    served.server.traffic.truncate_every.store(3, Relaxed);
    let out = scratch();
    let second = served.run(&[&args[..], &["--out", out.path().to_str().unwrap()]].concat()).expect(0);
    assert!(second.out == first.out);
    let summary: Value = serde_json::from_slice(&fs::read(out.path().join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary["objects"]["reused"], 18);
    served.server.traffic.truncate_every.store(0, Relaxed);
    *served.server.traffic.deny_keys.lock().unwrap() = "state/".to_owned();
    let denied = served.run(&args).expect(3);
    assert!(denied.out == first.out && denied.err.contains("access denied"), "{}", denied.err);
    assert!(
        denied.err.contains("warning: kept hours: those of 6 units could not be read, so the logs were"),
        "{}",
        denied.err
    );
    *served.server.traffic.deny_keys.lock().unwrap() = String::new();
    // A place of kept hours that does not answer at all.
    let away = flowsift([&["detect", "--endpoint-url", "http://127.0.0.1:9", "--no-sign-request"], &args[..]].concat());
    let away = away.expect(3);
    assert!(away.out == first.out && away.err.contains("s3://results/state cannot be used"), "{}", away.err);
}
