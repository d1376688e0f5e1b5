//! Corpora made to exhaust memory or to hide a beacon: a scan of very many addresses, very many pairs of one flow each,
//! one pair with very many starts.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use serde_json::Value;

use crate::network::Found;
use crate::program::{flowsift, scratch};
use crate::records::DAY_S;

/// A record of a host's own ENI, sent to a service.
struct Sent {
    host: u32,
    remote: String,
    ports: (i32, i32),
    at_s: i64,
    bytes: i64,
}

/// Writes records straight as columns: a million of them would not fit as values of their own.
fn write(path: &Path, records: &[Sent]) {
    let text = |pick: &dyn Fn(&Sent) -> String| -> ArrayRef {
        Arc::new(records.iter().map(|record| Some(pick(record))).collect::<StringArray>())
    };
    let int =
        |pick: &dyn Fn(&Sent) -> i32| -> ArrayRef { Arc::new(Int32Array::from_iter_values(records.iter().map(pick))) };
    let long =
        |pick: &dyn Fn(&Sent) -> i64| -> ArrayRef { Arc::new(Int64Array::from_iter_values(records.iter().map(pick))) };
    let columns = [
        ("version", int(&|_| 5)),
        ("account_id", text(&|_| "123456789012".to_owned())),
        ("interface_id", text(&|r| format!("eni-{:08x}", r.host))),
        ("instance_id", text(&|r| format!("i-{:08x}", r.host))),
        ("srcaddr", text(&|r| format!("10.0.0.{}", r.host))),
        ("dstaddr", text(&|r| r.remote.clone())),
        ("srcport", int(&|r| r.ports.0)),
        ("dstport", int(&|r| r.ports.1)),
        ("protocol", int(&|_| 6)),
        ("packets", long(&|r| r.bytes / 600 + 1)),
        ("bytes", long(&|r| r.bytes)),
        ("start", long(&|r| r.at_s)),
        ("end", long(&|r| r.at_s + 1)),
        ("action", text(&|_| "ACCEPT".to_owned())),
        ("log_status", text(&|_| "OK".to_owned())),
        ("tcp_flags", int(&|_| 3)),
        ("flow_direction", text(&|_| "egress".to_owned())),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn address(network: u32, n: u32) -> String {
    let [_, b, c, d] = n.to_be_bytes();
    format!("{network}.{b}.{c}.{d}")
}

/// A day of logs in hourly files: `scan` addresses that one host tries, `lone` pairs of one flow each, `starts`
/// connections of one pair, everyday traffic of twenty hosts and a beacon of 60 to 90 seconds in one of them.
fn hostile(folder: &Path, scan: u32, lone: u32, starts: u32) {
    let mut draw = 7u64;
    let mut below = |limit: u64| {
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (draw >> 33) % limit
    };
    let mut beat_s = 30;
    for hour in 0..24u32 {
        let begin = DAY_S + i64::from(hour) * 3_600;
        let mut records = Vec::new();
        let mut send = |host, remote, ports, at_s, bytes| records.push(Sent { host, remote, ports, at_s, bytes });
        let mut port = 0;
        let mut client = || {
            port = (port + 1) % 28_000;
            32_768 + port
        };
        let part = |whole: u32| whole / 24 * hour..whole / 24 * (hour + 1);
        for n in part(scan) {
            send(1, address(60, n), (client(), 445), begin + i64::from(n % 3_500), 60);
        }
        for n in part(lone) {
            send(2 + n % 10, address(70, n), (client(), 443), begin + below(3_500) as i64, 900 + below(5_000) as i64);
        }
        for n in part(starts) {
            let at_s = begin + i64::from(n % (starts / 24)) * 3_500 / i64::from(starts / 24);
            send(15, "80.0.0.1".to_owned(), (client(), 443), at_s, 600);
        }
        for host in 1..=20 {
            for remote in ["90.0.0.1", "90.0.0.2"] {
                let at_s = begin + below(3_500) as i64;
                send(host, remote.to_owned(), (client(), 443), at_s, 2_000 + below(3_000) as i64);
            }
        }
        while beat_s < i64::from(hour + 1) * 3_600 {
            send(17, "91.0.0.1".to_owned(), (client(), 443), DAY_S + beat_s, 420);
            beat_s += 60 + below(31) as i64;
        }
        write(&folder.join(format!("{hour:02}.parquet")), &records);
    }
}

/// Runs with so much memory; returns the findings as bytes and the summary.
fn run(source: &Path, memory: &str) -> (Vec<u8>, Value) {
    let out = scratch();
    let (source, folder) = (source.to_str().unwrap(), out.path().to_str().unwrap());
    let args = ["detect", source, "-q", "--min-severity", "informational", "--memory", memory, "--out", folder];
    let ran = flowsift(args).expect(0);
    (ran.out, serde_json::from_str(&fs::read_to_string(out.path().join("summary.json")).unwrap()).unwrap())
}

#[track_caller]
fn is_found(lines: &[u8]) -> Found {
    let lines = std::str::from_utf8(lines).unwrap().lines();
    let found = Found(lines.map(|line| serde_json::from_str(line).unwrap()).collect());
    let beacon = found.by("beacon").into_iter().find(|finding| finding["remote"] == "91.0.0.1").expect("no beacon");
    assert_eq!((&beacon["severity"], &beacon["host"]), (&"high".into(), &"10.0.0.17".into()), "{beacon:#}");
    found
}

#[test]
fn neither_memory_nor_a_beacon_is_lost_to_a_flood_of_pairs() {
    let folder = scratch();
    hostile(folder.path(), 120_000, 48_000, 96_000);
    let (free, _) = run(folder.path(), "4GB");
    let found = is_found(&free);
    found.expect("port_sweep", &["medium 10.0.0.1 - 445"]);
    assert_eq!(found.by("port_sweep")[0]["evidence"]["silent_remotes"], 120_000);
    // What is spilled is the same, and so much less is held that an unbounded list of anything would show.
    let (tight, summary) = run(folder.path(), "210MB");
    assert!(tight == free, "little memory changes the findings");
    let peak = summary["peak_memory_bytes"].as_u64().unwrap_or(0);
    assert!(peak < 700_000_000, "{peak} bytes at most at one time");
}

#[test]
fn numbers_beyond_all_sense_are_still_a_lot() {
    let folder = scratch();
    let mut records = Vec::new();
    for (host, bytes) in [(1, 1 << 62), (2, 4_000), (3, 5_000)] {
        for n in 0..40 {
            let at_s = DAY_S + 600 * i64::from(n);
            records.push(Sent { host, remote: format!("90.0.0.{host}"), ports: (40_000 + n, 443), at_s, bytes });
        }
    }
    write(&folder.path().join("a.parquet"), &records);
    // Forty times 2^62 is zero to whoever wraps around.
    let found = Found(flowsift(["detect", folder.path().to_str().unwrap(), "-q"]).expect(0).findings());
    let sent = found.by("rare_egress")[0];
    assert_eq!((&sent["host"], &sent["evidence"]["bytes_out"]), (&"10.0.0.1".into(), &u64::MAX.into()), "{sent:#}");
}

/// The sizes that the small form stands for; takes minutes:
/// `FLOWSIFT_PROGRAM=$PWD/target/release/flowsift cargo test --test it -- --ignored --nocapture ten_million`.
#[test]
#[ignore = "ten million records"]
fn ten_million_addresses_and_a_million_pairs_are_survived() {
    let folder = scratch();
    hostile(folder.path(), 9_984_000, 1_008_000, 2_400_000);
    let (lines, summary) = run(folder.path(), "1GB");
    is_found(&lines);
    println!("{}", serde_json::to_string_pretty(&summary).unwrap());
}
