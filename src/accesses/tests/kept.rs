//! Units and ledgers between runs.

use super::*;
use crate::source::Store;
use std::fs;

fn kept_in(state: &Path, runtime: &tokio::runtime::Runtime) -> KeptAccesses {
    let store = runtime.block_on(Store::open(state.to_str().unwrap(), &SourceOptions::default())).unwrap();
    KeptAccesses::new(store, ["lake"])
}

/// Gathers what is below `root` with what is kept in `state`.
fn run(root: &Path, state: &Path, range: TimeRange) -> AccessLogs {
    let runtime = runtime();
    let kept = kept_in(state, &runtime);
    let (source, objects) = listed(root, &runtime);
    let context = GatherAccesses {
        runtime: runtime.handle(),
        reader: source.reader(),
        kept: Some(&kept),
        range,
        zone: None,
        threads: 2,
        concurrency: 3,
        budget_bytes: 1 << 20,
        memory: Memory::default(),
    };
    gather(&context, objects, &|_| {}).unwrap()
}

fn alone(root: &Path, range: TimeRange) -> AccessLogs {
    let runtime = runtime();
    let (source, objects) = listed(root, &runtime);
    gathered(&source, objects, &runtime, 2, range)
}

/// The files below a folder with their bytes.
fn files(root: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.to_str().unwrap().to_owned(), fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

const DAY_OF: &str = "AWSLogs/112233445566/CloudTrail/us-east-1/2023/11";
const OF_ORGANISATION: &str = "AWSLogs/o-abc/112233445566/CloudTrail/us-east-1/2023/11";

/// What a run tells, but not how it came to know.
fn told(logs: &AccessLogs) -> String {
    let read = Reading { objects: 0, bytes: 0, ..logs.read.clone() };
    let AccessLogs { hours, credentials, principals, ties, acts_by_hour, told, .. } = logs;
    format!("{:#?}{credentials:#?}{principals:#?}{ties:#?}{read:#?}{acts_by_hour:?}{told:?}", hours.rows())
}

fn used(logs: &AccessLogs) -> (u64, u64, u64) {
    let kept = logs.kept.as_ref().unwrap();
    (kept.loaded, kept.gone, kept.read)
}

#[test]
fn units_that_did_not_change_are_loaded_and_late_objects_cost_their_own() {
    let (root, state) = (lake(), tempfile::tempdir().unwrap());
    let all = TimeRange::default();
    let first = run(root.path(), state.path(), all);
    assert_eq!(told(&first), told(&alone(root.path(), all)));
    assert_eq!((used(&first), first.kept.as_ref().unwrap().trouble.clone()), ((0, 0, 4), None));
    let kept = files(state.path());
    assert_eq!(kept.len(), 5, "four days and the ledgers");

    let again = run(root.path(), state.path(), all);
    assert_eq!(told(&again), told(&first));
    assert_eq!((used(&again), again.read.objects), ((4, 0, 0), 2), "only the lists are read");
    assert_eq!(files(state.path()), kept, "a run again changes nothing");

    // A part of the range, of units that are kept whole.
    let range = TimeRange { from_s: Some(DAY + DAY_S), to_s: Some(DAY + 2 * DAY_S) };
    let mut part = run(root.path(), state.path(), range);
    assert_eq!(told(&part), told(&alone(root.path(), range)));
    part.remember(range.from_s);
    assert_eq!(told(&part), told(&alone(root.path(), range)), "the ledgers know what lies before it, too");

    // The trail of the organisation tells a day's calls once more, and late.
    put(root.path(), &format!("{OF_ORGANISATION}/24/late.json.gz"), &trail("u1", DAY + DAY_S, 210));
    let late = run(root.path(), state.path(), all);
    assert_eq!(told(&late), told(&alone(root.path(), all)));
    assert_eq!((used(&late), late.read.objects), ((3, 0, 1), 2 + 3));
    assert_eq!(files(state.path()).len(), 5);
}

#[test]
fn what_two_units_tell_counts_once() {
    let (root, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let calls = trail("u", DAY + DAY_S - 3_600, 100);
    put(root.path(), &format!("{DAY_OF}/22/a.json.gz"), &calls);
    put(root.path(), &format!("{OF_ORGANISATION}/23/b.json.gz"), &calls);
    for (loaded, read) in [(0, 2), (2, 0)] {
        let logs = run(root.path(), state.path(), TimeRange::default());
        assert_eq!((used(&logs), logs.read.logs[&Log::CloudTrail].duplicates), ((loaded, 0, read), 100));
        assert_eq!(logs.hours.rows().iter().map(|row| row.sums.events).sum::<u64>(), 100);
    }
}

#[test]
fn what_has_left_the_lake_is_history_and_the_ledgers_know_what_is_older() {
    let (root, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let day = |day: i64| format!("{DAY_OF}/{}/a.json.gz", 22 + day);
    for at in 0..3 {
        put(root.path(), &day(at), &trail("u", DAY + at * DAY_S, 20));
    }
    put(root.path(), &day(6), &trail("v", DAY + 6 * DAY_S, 20));
    let range = |from: i64| TimeRange { from_s: Some(DAY + from * DAY_S), to_s: Some(DAY + (from + 7) * DAY_S) };
    let whole = {
        let mut whole = alone(root.path(), range(0));
        whole.read.objects = 0;
        whole
    };
    run(root.path(), state.path(), range(0));
    for at in 0..3 {
        fs::remove_file(root.path().join(day(at))).unwrap();
    }
    let mut last = run(root.path(), state.path(), range(0));
    assert_eq!((used(&last), last.read.objects), ((4, 3, 0), 0));
    assert_eq!(last.hours.rows(), whole.hours.rows());
    assert_eq!(last.ties, whole.ties);

    // The history is no part of the range any more, and neither units nor objects tell it.
    last = run(root.path(), state.path(), range(5));
    let key = Credential::key(KEY.into());
    let uses = |logs: &AccessLogs| logs.credentials.get(&key).unwrap().uses.clone();
    assert_eq!((used(&last), uses(&last).spells().len()), ((1, 0, 0), 1));
    last.remember(Some(DAY + 6 * DAY_S));
    assert_eq!(uses(&last), uses(&whole));
    assert_eq!(uses(&last).gaps_s().len(), 1);
}

#[test]
fn order_and_runs_at_once_make_the_same_ledgers() {
    let root = lake();
    let day = |at: i64| TimeRange { from_s: Some(DAY + at * DAY_S), to_s: Some(DAY + (at + 1) * DAY_S) };
    let ledger = |order: &[i64]| {
        let state = tempfile::tempdir().unwrap();
        order.iter().for_each(|at| drop(run(root.path(), state.path(), day(*at))));
        files(&state.path().join("ledgers")).into_iter().map(|(_, bytes)| bytes).collect::<Vec<_>>()
    };
    let whole = ledger(&[0, 1, 2, 3]);
    assert_eq!(whole.len(), 1);
    assert_eq!(ledger(&[3, 1, 0, 2, 1]), whole);

    let state = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for at in 0..4 {
            let (root, state) = (root.path(), state.path());
            scope.spawn(move || run(root, state, day(at)));
        }
    });
    // Whoever was overtaken left a file of its own, which the next run merges.
    run(root.path(), state.path(), day(0));
    let merged: Vec<_> = files(&state.path().join("ledgers")).into_iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(merged, whole);
}

#[test]
fn a_damaged_file_is_told_and_its_unit_read_again() {
    let (root, state) = (lake(), tempfile::tempdir().unwrap());
    let all = TimeRange::default();
    let first = run(root.path(), state.path(), all);
    let kept = files(state.path());
    let [a, ledger] =
        ["2023-11-23/", "ledgers/"].map(|part| kept.iter().find(|(name, _)| name.contains(part)).unwrap());
    for at in [0, 5, 19, 22, 200, a.1.len() / 2, a.1.len() - 1] {
        let mut bytes = a.1.clone();
        bytes[at] ^= 4;
        fs::write(&a.0, bytes).unwrap();
        let logs = run(root.path(), state.path(), all);
        assert_eq!(told(&logs), told(&first), "{at}");
        let used = logs.kept.unwrap();
        assert_eq!((used.loaded, used.read, used.damaged.len(), used.trouble), (3, 1, 1, None));
        assert_eq!(files(state.path()), kept, "put right");
    }
    let mut bytes = ledger.1.clone();
    bytes[100] ^= 1;
    fs::write(&ledger.0, bytes).unwrap();
    let damaged = run(root.path(), state.path(), all).kept.unwrap().damaged;
    assert!(damaged.len() == 1 && damaged[0].contains("/ledgers/v1/"), "{damaged:?}");
}

#[test]
fn a_place_that_cannot_be_written_is_told() {
    let root = lake();
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("a file");
    fs::write(&state, "no folder").unwrap();
    let logs = run(root.path(), &state, TimeRange::default());
    assert_eq!(told(&logs), told(&alone(root.path(), TimeRange::default())));
    let trouble = logs.kept.unwrap().trouble.unwrap();
    assert!(trouble.contains("could not be kept"), "{trouble}");
}
