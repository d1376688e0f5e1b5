//! The timeline of an incident over many runs: what windows that overlap tell twice is told once, and it stays short.

use crate::incident::model::{MAX_TIMELINE, Party, TimelineEntry, TimelineKind};
use flow::time::HOUR_S;
use std::collections::{BTreeMap, BTreeSet};

/// What makes two entries of different runs one: kind, actor, target, port and subject.
type EntryKey = (TimelineKind, Party, Option<Party>, Option<u16>, Option<String>);

/// Kinds that happen once: of several entries of one key, the first is true.
const ONCE: [TimelineKind; 3] = [TimelineKind::FirstContact, TimelineKind::CadenceBegins, TimelineKind::Exposure];

fn key_of(entry: &TimelineEntry) -> EntryKey {
    (entry.kind, entry.actor.clone(), entry.target.clone(), entry.port, entry.subject.clone())
}

/// Joins two timelines; of entries that tell the same, the one of `newer` has the words.
pub(super) fn joined(older: &[TimelineEntry], newer: &[TimelineEntry]) -> Vec<TimelineEntry> {
    let mut by_key: BTreeMap<EntryKey, Vec<TimelineEntry>> = BTreeMap::new();
    for entry in older.iter().chain(newer) {
        let told = by_key.entry(key_of(entry)).or_default();
        let once = ONCE.contains(&entry.kind);
        let touches = |known: &&mut TimelineEntry| {
            once || (known.time_s <= entry.end_s + HOUR_S && entry.time_s <= known.end_s + HOUR_S)
        };
        match told.iter_mut().find(touches) {
            Some(known) if once => {
                if entry.time_s < known.time_s {
                    *known = entry.clone();
                }
            }
            Some(known) => {
                let (time_s, end_s) = (known.time_s.min(entry.time_s), known.end_s.max(entry.end_s));
                let bytes = known.bytes.max(entry.bytes);
                *known = TimelineEntry { time_s, end_s, bytes, ..entry.clone() };
            }
            None => told.push(entry.clone()),
        }
    }
    let mut all: Vec<TimelineEntry> = by_key.into_values().flatten().collect();
    sort(&mut all);
    trimmed(all)
}

/// Sorts entries by time; those of one moment by what they are.
fn sort(entries: &mut [TimelineEntry]) {
    entries.sort_by(|a, b| {
        (a.time_s, a.kind, &a.actor, &a.target, a.port)
            .cmp(&(b.time_s, b.kind, &b.actor, &b.target, b.port))
            .then_with(|| (&a.subject, &a.text).cmp(&(&b.subject, &b.text)))
    });
}

/// Returns at most [`MAX_TIMELINE`] entries: the first and the last of each kind, and of the others the newest.
fn trimmed(entries: Vec<TimelineEntry>) -> Vec<TimelineEntry> {
    if entries.len() <= MAX_TIMELINE {
        return entries;
    }
    let mut first: BTreeMap<TimelineKind, usize> = BTreeMap::new();
    let mut last: BTreeMap<TimelineKind, usize> = BTreeMap::new();
    for (index, entry) in entries.iter().enumerate() {
        first.entry(entry.kind).or_insert(index);
        last.insert(entry.kind, index);
    }
    let mut kept: BTreeSet<usize> = first.into_values().chain(last.into_values()).collect();
    for index in (0..entries.len()).rev() {
        if kept.len() == MAX_TIMELINE {
            break;
        }
        kept.insert(index);
    }
    entries.into_iter().enumerate().filter(|(index, _)| kept.contains(index)).map(|(_, entry)| entry).collect()
}

#[cfg(test)]
mod tests {
    use super::super::examples::entry;
    use super::*;

    fn spans(entries: &[TimelineEntry]) -> Vec<(i64, i64)> {
        entries.iter().map(|entry| (entry.time_s, entry.end_s)).collect()
    }

    #[test]
    fn what_overlapping_windows_tell_is_told_once() {
        let older = [entry(TimelineKind::Finding, 1_000, 5_000)];
        let joined_with =
            |time_s: i64, end_s: i64| spans(&joined(&older, &[entry(TimelineKind::Finding, time_s, end_s)]));
        assert_eq!(joined_with(2_000, 9_000), [(1_000, 9_000)]);
        assert_eq!(joined_with(8_000, 9_000), [(1_000, 9_000)]);
        assert_eq!(joined_with(9_000, 9_500), [(1_000, 5_000), (9_000, 9_500)]);
        let first = |time_s: i64| entry(TimelineKind::FirstContact, time_s, time_s);
        assert_eq!(spans(&joined(&[first(100_000)], &[first(900_000)])), [(100_000, 100_000)]);
        assert_eq!(spans(&joined(&[first(900_000)], &[first(100_000)])), [(100_000, 100_000)]);
        let of_other = TimelineEntry { port: Some(22), ..entry(TimelineKind::Finding, 2_000, 3_000) };
        assert_eq!(spans(&joined(&older, &[of_other])), [(1_000, 5_000), (2_000, 3_000)]);
    }

    #[test]
    fn a_long_timeline_keeps_the_first_and_last_of_each_kind() {
        let mut entries: Vec<TimelineEntry> =
            (0..300).map(|at| entry(TimelineKind::Upload, at * 10 * HOUR_S, at * 10 * HOUR_S)).collect();
        entries.push(entry(TimelineKind::Sweep, 5, 5));
        let kept = joined(&[], &entries);
        assert_eq!(kept.len(), MAX_TIMELINE);
        assert_eq!((kept[0].time_s, kept[1].kind), (0, TimelineKind::Sweep));
        assert_eq!(kept.last().unwrap().time_s, 299 * 10 * HOUR_S);
        assert!(kept.is_sorted_by_key(|entry| entry.time_s));
        assert_eq!(joined(&kept, &kept), kept);
    }
}
