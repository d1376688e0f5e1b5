//! How much of local speed is left over S3 with latency; measured on demand, since a busy machine tells nothing.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use crate::program::{finish, program, scratch};
use crate::s3_server::{ACCESS_KEY, S3Server, SECRET_KEY};

/// Milliseconds that every request of the server waits.
const LATENCY_MS: u64 = 30;

/// Counted runs, after one that warms up: `FLOWSIFT_SPEED_RUNS`, or 5.
fn runs() -> usize {
    std::env::var("FLOWSIFT_SPEED_RUNS").map_or(5, |runs| runs.parse().expect("FLOWSIFT_SPEED_RUNS is a number"))
}

/// Seconds of one `detect`, and its findings.
fn timed(source: &str, endpoint_url: Option<&str>) -> (f64, Vec<u8>) {
    let mut command = program();
    command.args(["detect", source, "--format", "jsonl", "-q"]);
    if let Some(url) = endpoint_url {
        command.args(["--endpoint-url", url, "--region", "us-east-1"]);
        command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
    }
    let begun = Instant::now();
    let ran = finish(&mut command);
    assert_eq!(ran.code, 0, "{}", ran.err);
    (begun.elapsed().as_secs_f64(), ran.out)
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// Mirrors a folder by hard links, so that gigabytes need no copy.
fn link(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if path.is_dir() { link(&path, &to.join(name)) } else { std::fs::hard_link(&path, to.join(name)).unwrap() }
    }
}

/// `FLOWSIFT_SPEED_CORPUS=DIR cargo test --release --test it -- --ignored --nocapture s3_speed`; without `--release` the
/// server is slow, and `FLOWSIFT_PROGRAM` must name a release build.
#[test]
#[ignore = "measures; needs a corpus and a quiet machine"]
fn s3_with_latency_keeps_most_of_local_speed() {
    let folder =
        PathBuf::from(std::env::var_os("FLOWSIFT_SPEED_CORPUS").expect("FLOWSIFT_SPEED_CORPUS names a corpus"));
    let root = scratch();
    link(&folder.join("AWSLogs"), &root.path().join("logs/AWSLogs"));
    let server = S3Server::start(root.path(), false);
    server.traffic.latency_ms.store(LATENCY_MS, Relaxed);
    let local_source = folder.to_str().unwrap();
    let (mut local, mut remote) = (Vec::new(), Vec::new());
    for run in 0..=runs() {
        let (local_s, local_found) = timed(local_source, None);
        let (remote_s, remote_found) = timed("s3://logs/AWSLogs", Some(&server.endpoint_url));
        assert!(local_found == remote_found, "S3 and disk give different findings");
        if run > 0 {
            local.push(local_s);
            remote.push(remote_s);
        }
    }
    let (local_s, remote_s) = (median(local), median(remote));
    println!(
        "local {local_s:.2} s, S3 at {LATENCY_MS} ms {remote_s:.2} s: {:.0} % of local speed",
        100.0 * local_s / remote_s
    );
}
