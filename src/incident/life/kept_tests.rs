//! Runs that keep their state on disk.

use super::examples::seen;
use super::*;
use crate::incident::model::Status;
use crate::intel::Verdicts;
use crate::source::{SourceOptions, Store};
use flow::time::{DAY_S, HOUR_S};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

fn window(day: i64) -> Window {
    Window { from_s: day * DAY_S, to_s: (day + 1) * DAY_S, baseline_from_s: (day - 3) * DAY_S }
}

async fn kept_in(folder: &Path) -> KeptIncidents {
    let store = Store::open(folder.to_str().unwrap(), &SourceOptions::default()).await.unwrap();
    KeptIncidents::new(store, &["logs".to_owned()])
}

/// The step of a run of a window over fresh incidents.
fn step(fresh: &[Incident], window: Window) -> impl Fn(&Snapshot) -> (Snapshot, Carried) + use<> {
    let fresh = fresh.to_vec();
    move |before| {
        let run = CarryRun {
            to_s: window.to_s,
            close_after_s: 7 * DAY_S,
            verdicts: &Verdicts::default(),
            seen: Default::default(),
            allowed: BTreeSet::new(),
        };
        advance(fresh.clone(), before, &run, &window, &Shown::default())
    }
}

/// The implant of a host on a day, and one that only day 2 has.
fn fresh(day: i64) -> Vec<Incident> {
    let of = |digit: &str, host: &str, subject: &str| {
        seen(digit, &[host], &[subject], day * DAY_S + HOUR_S, day * DAY_S + 9 * HOUR_S)
    };
    let lone = (day == 2).then(|| of("9", "10.0.0.9", "lone"));
    std::iter::once(of(&day.to_string(), "10.0.0.1", &format!("of day {day}"))).chain(lone).collect()
}

async fn run(kept: &KeptIncidents, day: i64) -> Settled {
    kept.settle(&window(day), step(&fresh(day), window(day))).await.unwrap()
}

/// Names and contents of all files of a state but the head.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder.join("incidents/v1")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<(String, Vec<u8>)> = entries
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn runs_again_and_a_backfill_in_order_give_the_same_bytes() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let kept = kept_in(first.path()).await;
    for day in 0..6 {
        let settled = run(&kept, day).await;
        assert_eq!((settled.stale_windows, settled.damaged.len()), (0, 0));
        assert_eq!(settled.carried.ids[&day.to_string().repeat(32)], "0".repeat(32), "day {day}");
    }
    let expected = files(first.path());
    assert_eq!(expected.len(), 6);
    let head = std::fs::read(first.path().join("incidents/v1/HEAD.json")).unwrap();
    for day in [5, 2, 0, 1, 3] {
        assert_eq!(run(&kept, day).await.stale_windows, 0, "day {day}");
    }
    // Also with other sources and windows of hours beside them.
    assert!(files(first.path()) == expected);
    assert!(std::fs::read(first.path().join("incidents/v1/HEAD.json")).unwrap() == head);
    let store = Store::open(second.path().to_str().unwrap(), &SourceOptions::default()).await.unwrap();
    let other = KeptIncidents::new(store, &["other logs".to_owned()]);
    let kept = kept_in(second.path()).await;
    let hour = Window { from_s: 3 * DAY_S, to_s: 3 * DAY_S + HOUR_S, ..window(3) };
    for day in 0..6 {
        run(&kept, day).await;
        run(&other, day + 1).await;
        kept.settle(&hour, step(&fresh(7), hour)).await.unwrap();
    }
    let names: BTreeSet<String> = files(second.path()).into_iter().map(|(name, _)| name).collect();
    assert!(expected.iter().all(|(name, _)| names.contains(name)), "{names:?}");
}

#[tokio::test]
async fn another_result_of_an_older_day_makes_later_ones_stale() {
    let folder = tempfile::tempdir().unwrap();
    let kept = kept_in(folder.path()).await;
    for day in [0, 2, 3] {
        run(&kept, day).await;
    }
    // A day that was left out comes late.
    assert_eq!(run(&kept, 1).await.stale_windows, 2);
    assert_eq!(run(&kept, 2).await.stale_windows, 1);
    assert_eq!(run(&kept, 3).await.stale_windows, 0);
    // Without a head, its snapshots are found by their names.
    std::fs::remove_file(folder.path().join("incidents/v1/HEAD.json")).unwrap();
    assert_eq!(run(&kept, 4).await.carried.ids[&"4".repeat(32)], "0".repeat(32));
    // A damaged snapshot is told, and the one before it counts.
    let newest = folder.path().join("incidents/v1").join(&files(folder.path()).last().unwrap().0);
    std::fs::write(&newest, "x").unwrap();
    let settled = run(&kept, 5).await;
    assert_eq!(settled.damaged, [newest.display().to_string()]);
    assert_eq!(settled.carried.ids[&"5".repeat(32)], "0".repeat(32));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_runs_at_once_none_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let kept = kept_in(folder.path()).await;
    run(&kept, 1).await;
    // The run of day 3 begins, and that of day 2 begins and ends meanwhile.
    let tries = AtomicU32::new(0);
    let of_third = step(&fresh(3), window(3));
    let meanwhile = |before: &Snapshot| {
        if tries.fetch_add(1, Ordering::Relaxed) == 0 {
            let kept = kept.clone();
            let runtime = tokio::runtime::Handle::current();
            std::thread::scope(|scope| scope.spawn(|| runtime.block_on(run(&kept, 2))).join()).unwrap();
        }
        of_third(before)
    };
    let settled = kept.settle(&window(3), meanwhile).await.unwrap();
    assert_eq!(tries.load(Ordering::Relaxed), 2, "it was slower, and looked again");
    let open = |carried: &Carried| {
        let open = carried.incidents.iter().filter(|one| one.status == Status::Open);
        open.map(|one| one.id[..1].to_owned()).collect::<BTreeSet<_>>()
    };
    let both: BTreeSet<String> = ["1", "9"].map(str::to_owned).into();
    assert_eq!(open(&settled.carried), both);
    // As if one had run after the other.
    let in_order = tempfile::tempdir().unwrap();
    let kept = kept_in(in_order.path()).await;
    for day in 1..4 {
        run(&kept, day).await;
    }
    let names = |folder: &Path| files(folder).into_iter().map(|(name, _)| name).collect::<BTreeSet<String>>();
    assert!(names(folder.path()).is_superset(&names(in_order.path())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_runs_at_once_all_end() {
    let folder = tempfile::tempdir().unwrap();
    let kept = kept_in(folder.path()).await;
    let runs: Vec<_> = (0..6)
        .map(|day| {
            let kept = kept.clone();
            tokio::spawn(async move { run(&kept, day).await.stale_windows })
        })
        .collect();
    for run in runs {
        run.await.unwrap();
    }
    // Whatever rested on too little is told, and mended by running again in order.
    let mut stale = 0;
    for day in 0..6 {
        stale = run(&kept, day).await.stale_windows;
    }
    assert_eq!(stale, 0);
    let before = kept.before(&window(6)).await.unwrap();
    assert_eq!(before.snapshot.incidents.len(), 2);
}
