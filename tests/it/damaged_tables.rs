//! Files that flowsift wrote itself and that storage has changed: an error that names the file, or computed anew.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use crate::program::{Corpus, flowsift, kept_files, scratch};

/// Damages the Arrow schema in a file's metadata so that reading it as Arrow does panics.
fn with_bad_schema(bytes: &[u8]) -> Vec<u8> {
    let name = b"ARROW:schema";
    let begin = bytes.windows(name.len()).rposition(|found| found == name).unwrap() + name.len() + 8;
    for at in begin..begin + 600 {
        let mut damaged = bytes.to_vec();
        damaged[at] = if damaged[at] == b'A' { b'/' } else { b'A' };
        let read = Bytes::from(damaged.clone());
        if catch_unwind(|| ParquetRecordBatchReaderBuilder::try_new(read).map(|_| ())).is_err() {
            return damaged;
        }
    }
    panic!("no byte of the schema makes reading panic");
}

#[test]
fn a_damaged_schema_is_an_error_that_names_the_file() {
    let corpus = Corpus::shared();
    let folder = scratch();
    let out = folder.path().to_str().unwrap();
    flowsift(["detect", corpus.source(), "-q", "--out", out]).expect(0);
    let file = folder.path().join("damaged.parquet");
    fs::write(&file, with_bad_schema(&fs::read(folder.path().join("findings.parquet")).unwrap())).unwrap();
    let (name, labels) = (file.to_str().unwrap(), corpus.labels());
    let asked = format!("SELECT count(*) FROM '{name}'");
    for args in [
        &["evaluate", name, labels.to_str().unwrap()][..],
        &["sql", corpus.source(), "-q", "--findings", name, "-c", "SELECT 1"],
        &["sql", corpus.source(), "-q", "-c", &asked],
    ] {
        let ran = flowsift(args).expect(1);
        assert!(ran.err.contains("damaged.parquet") && ran.err.contains("damaged data"), "{args:?}: {}", ran.err);
        assert!(!ran.err.contains("panicked"), "{args:?}: {}", ran.err);
    }
}

#[test]
fn kept_hours_that_storage_changed_are_computed_anew() {
    let corpus = Corpus::shared();
    let folder = scratch();
    let (state, out) = (folder.path().join("state"), folder.path().join("out"));
    let run = || {
        let places = ["--state", state.to_str().unwrap(), "--out", out.to_str().unwrap()];
        let ran = flowsift([&["detect", corpus.source(), "-q"][..], &places].concat()).expect(0);
        let summary: Value = serde_json::from_slice(&fs::read(out.join("summary.json")).unwrap()).unwrap();
        assert!(!ran.err.contains("panicked"), "{}", ran.err);
        let warned = ran.err.lines().filter(|line| line.starts_with("warning: kept hours: ")).count();
        (ran.out, summary["objects"]["read"].as_u64().unwrap(), warned)
    };
    let (expected, ..) = run();
    let kept = kept_files(&state);
    assert_eq!(kept.len(), 6);
    let damage = |file: &Path, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = fs::read(file).unwrap();
        change(&mut bytes);
        fs::write(file, bytes).unwrap();
    };
    // One bit among the values of a column, which would decode as well as before.
    damage(&kept[0], &|bytes| {
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
    });
    // The length of the head, a file of another version, bytes that no write ended with, and none at all.
    damage(&kept[1], &|bytes| bytes[11] ^= 0x80);
    damage(&kept[2], &|bytes| bytes[7] += 1);
    damage(&kept[3], &|bytes| bytes.push(0));
    damage(&kept[4], &Vec::clear);
    assert_eq!(run(), (expected.clone(), 15, 5), "the objects of five hours");
    assert_eq!(run(), (expected, 0, 0));
}

#[test]
fn hours_of_an_older_version_are_computed_anew() {
    let corpus = Corpus::shared();
    let state = scratch();
    let unit = "account=123456789012/region=us-east-1/day=2024-01-15/hour=00";
    for version in ["v4", "v6"] {
        let folder = state.path().join(version).join(unit);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("0-0-0.pair_hours.parquet"), "PAR1 of an older version").unwrap();
    }
    let expected = flowsift(["detect", corpus.source(), "-q"]).expect(0);
    for _ in 0..2 {
        let ran = flowsift(["detect", corpus.source(), "-q", "--state", state.path().to_str().unwrap()]).expect(0);
        assert!(ran.out == expected.out);
    }
    assert_eq!(kept_files(state.path()).len(), 6);
}
