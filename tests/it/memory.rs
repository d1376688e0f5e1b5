//! Little memory gives the same findings, and leaves nothing behind.

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;

use ::memory::Memory;
use flow::Address;
use flowsift::accesses::AccessLogs;
use flowsift::detect::{self, WindowOptions};
use flowsift::hours::{GatherContext, GatherOptions, Progress, gather};
use flowsift::intel::{AllowList, InternalNetworks, Verdicts};
use flowsift::report::write_jsonl;
use flowsift::source::{Source, SourceOptions, TimeRange, units};
use flowsift::sql::SharedMemory;
use rollup::PairHours;
use rollup::derive::{Known, Stored, Wanted, derive};

use crate::program::{Corpus, flowsift, scratch};

struct Silent;

impl Progress for Silent {
    fn object_done(&self, _bytes: u64, _rows: u64) {}
}

/// The findings over a corpus whose records, hours and pairs may take so much; also how many shards were spilled.
fn findings(source: &str, memory: &Memory, threads: usize) -> (Vec<u8>, usize) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let source = runtime.block_on(Source::open(&[source.to_owned()], &SourceOptions::default())).unwrap();
    let listing = runtime.block_on(source.list(&TimeRange::default())).unwrap();
    let options =
        GatherOptions { threads, rollup: Default::default(), fetch: Default::default(), memory: memory.clone() };
    let networks = InternalNetworks::default();
    let internal = |address: Address| networks.contains(address);
    let units = units(listing.objects);
    let context = GatherContext {
        runtime: runtime.handle(),
        reader: &source.reader(),
        kept: None,
        options: &options,
        is_internal: &internal,
    };
    let gathered = gather(&context, &units, &Silent).unwrap();
    let ranges: Vec<(i64, i64)> = gathered.pair_hours.iter().filter_map(PairHours::hour_range).collect();
    let hours = ranges.iter().copied().reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    let (window, _) = detect::choose_window(&WindowOptions { baseline_s: 86_400, ..WindowOptions::default() }, hours);
    let known = Known { forwarders: &Default::default(), host_facts: &|_| None, habits: &Default::default() };
    let derived = derive(gathered.pair_hours, &window, Wanted::ALL, &internal, known, memory).unwrap();
    let spilled = derived.pairs.shards().iter().filter(|shard| matches!(shard, Stored::Spilled { .. })).count();
    let allow = AllowList::default();
    let context = detect::Context {
        window,
        fdr: 0.01,
        indicators: Arc::default(),
        networks: Arc::default(),
        internal: Arc::default(),
        allow: &allow,
        verdicts: &Verdicts::default(),
        accesses: &AccessLogs::default(),
        coverage: &gathered.coverage,
        host_facts: &HashMap::new(),
        threads,
        memory: SharedMemory::default(),
    };
    let outcome = runtime.block_on(detect::detect(&detect::built_in().unwrap(), &derived, &context)).unwrap();
    let mut lines = Vec::new();
    write_jsonl(&mut lines, &outcome.findings).unwrap();
    (lines, spilled)
}

#[test]
fn what_is_spilled_changes_no_finding() {
    let corpus = Corpus::shared();
    let (expected, spilled) = findings(corpus.source(), &Memory::default(), 2);
    assert!(expected.len() > 10_000 && spilled == 0);
    // Records take 2.4 MB.
    for (bytes, threads) in [(0, 1), (0, 3), (300_000, 2), (3_000_000, 2)] {
        let folder = scratch();
        let shared = SharedMemory::limited(bytes, folder.path().to_owned());
        let (found, spilled) = findings(corpus.source(), shared.memory(), threads);
        assert!(found == expected, "{bytes} bytes and {threads} threads give other findings");
        assert!(shared.memory().spilled_bytes() > 0 && (bytes > 0 || spilled > 0));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "one private folder");
        drop(shared);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "the private folder is gone");
    }
}

#[test]
fn the_spill_folder_is_checked_first_and_left_empty() {
    let corpus = Corpus::shared();
    let folder = scratch();
    let spill = folder.path().join("deep/er");
    let spill_text = spill.to_str().unwrap();
    let small = ["--memory", "192MiB", "--spill-dir", spill_text];
    let expected = flowsift(["detect", "-q", corpus.source()]).expect(0).out;
    let found = flowsift(["detect", "-q", corpus.source()].into_iter().chain(small)).expect(0);
    assert!(found.out == expected);
    assert_eq!(fs::read_dir(&spill).unwrap().count(), 0);
    let file = folder.path().join("file");
    fs::write(&file, "no folder").unwrap();
    let file = file.to_str().unwrap();
    let ran = flowsift(["detect", corpus.source(), "--spill-dir", file]).expect(1);
    assert!(ran.err.starts_with(&format!("error: spill folder {file}: cannot be written to; ")), "{}", ran.err);
    assert!(ran.err.contains("--spill-dir") && ran.out.is_empty());
    let ran = flowsift(["detect", "/nonexistent", "--spill-dir", spill_text]).expect(1);
    assert!(!ran.err.contains("spill"), "{}", ran.err);
    assert_eq!(fs::read_dir(&spill).unwrap().count(), 0, "nothing is left after an error either");
}

/// The error names the folder, the limit and the option, and nothing stays.
#[test]
fn no_more_is_spilled_than_allowed() {
    let corpus = Corpus::shared();
    let folder = scratch();
    let spill = folder.path().to_str().unwrap();
    let sql = "SELECT max(place) FROM (SELECT row_number() OVER (ORDER BY a.value * b.value, a.value) AS place
        FROM range(0, 1500) AS a, range(0, 1500) AS b)";
    let ask = |limit: &str| {
        let small = ["--memory", "192MiB", "--threads", "2", "--spill-dir", spill, "--spill-limit", limit];
        flowsift(["sql", corpus.source(), "-q", "--format", "csv", "-c", sql].into_iter().chain(small))
    };
    let ran = ask("3MB").expect(1);
    assert!(ran.err.contains(&format!("spill folder {spill}: ")), "{}", ran.err);
    assert!(ran.err.contains("--spill-limit allows 3.0 MB") && ran.err.contains("--memory"), "{}", ran.err);
    assert_eq!(fs::read_dir(spill).unwrap().count(), 0);
    let ran = ask("4GB").expect(0);
    assert!(ran.out.ends_with(b"\n2250000\n"), "{}", String::from_utf8_lossy(&ran.out));
}

/// What a killed process left goes with the next start; a living one keeps what is its own, even with the same id.
#[test]
fn the_spill_of_the_dead_is_swept() {
    let corpus = Corpus::shared();
    let folder = scratch();
    let spill = |name: &str| {
        let own = folder.path().join(format!("flowsift-spill-{name}"));
        fs::create_dir(&own).unwrap();
        fs::write(own.join("0.bin"), "rows").unwrap();
        (fs::File::create(own.join("lock")).unwrap(), own)
    };
    let ((dead, left), (living, kept)) = (spill("1-0"), spill("1-1"));
    drop(dead);
    living.lock().unwrap();
    for command in [vec!["sql", corpus.source(), "-q", "-c", "SELECT 1"], vec!["detect", corpus.source(), "-q"]] {
        fs::create_dir_all(&left).unwrap();
        fs::write(left.join("lock"), "").unwrap();
        flowsift(command.into_iter().chain(["--spill-dir", folder.path().to_str().unwrap()])).expect(0);
        assert!(!left.exists() && kept.join("0.bin").exists());
    }
    drop(living);
}

#[test]
fn too_little_memory_is_wrong_usage() {
    let ran = flowsift(["detect", "x", "--memory", "1MB"]).expect(2);
    assert_eq!(ran.err, "error: --memory: 1.0 MB is too little, at least 192MiB (201 MB) works\n");
    let ran = flowsift(["detect", "x", "--memory", "much"]).expect(2);
    assert!(ran.err.contains("`much`: expected a size such as 2GB or 512MiB"), "{}", ran.err);
}
