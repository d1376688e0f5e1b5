//! Which snapshots there are, and which one each run started from.

use super::snapshot::SnapshotName;
use flow::time::{DAY_S, HOUR_S};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

const VERSION: u32 = 1;

/// Snapshots of windows that ended so long before the newest are removed.
const KEEP_S: i64 = 90 * DAY_S;

/// Windows up to so long are those of hourly runs, with a few hours made up for.
const HOURLY_S: i64 = 18 * HOUR_S;
/// Windows up to so long are those of daily runs, with a long weekend made up for.
const DAILY_S: i64 = 5 * DAY_S;

/// The kept snapshots: each by its name, with the name of the one that its run started from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    version: u32,
    snapshots: BTreeMap<String, Option<String>>,
}

impl Default for Head {
    fn default() -> Self {
        Self { version: VERSION, snapshots: BTreeMap::new() }
    }
}

/// Returns which runs a window belongs to: those of hours, of days, or longer ones. An hour knows nothing of what a day
/// shows, so runs of both over one source keep states of their own.
fn family(name: &SnapshotName) -> usize {
    match name.to_s - name.from_s {
        length_s if length_s <= HOURLY_S => 0,
        length_s if length_s <= DAILY_S => 1,
        _ => 2,
    }
}

impl Head {
    /// Reads a head; `None` when it is damaged or of another version.
    pub(super) fn parsed(bytes: &[u8]) -> Option<Self> {
        let head: Self = serde_json::from_slice(bytes).ok()?;
        let names = head.snapshots.keys().all(|name| name.parse::<SnapshotName>().is_ok());
        (head.version == VERSION && names).then_some(head)
    }

    /// Returns the head of snapshots of which only the names are known.
    pub(super) fn of_names(names: impl Iterator<Item = SnapshotName>) -> Self {
        let mut head = Self::default();
        for name in names {
            head.put(&name, None);
        }
        head
    }

    pub(super) fn written(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    fn names(&self) -> impl Iterator<Item = SnapshotName> {
        self.snapshots.keys().filter_map(|name| name.parse().ok())
    }

    /// Returns the snapshots that a run may start from, the best first: those of its source whose windows ended before its
    /// own does, of runs of its kind, the newest first; then those of other kinds.
    pub(super) fn before(&self, run: &SnapshotName) -> Vec<SnapshotName> {
        let mut names: Vec<SnapshotName> =
            self.names().filter(|name| name.source == run.source && name.to_s < run.to_s).collect();
        let order = |name: &SnapshotName| (family(name) == family(run), newness(name));
        names.sort_by_key(|name| std::cmp::Reverse(order(name)));
        names
    }

    /// Notes the snapshot of a run in place of an earlier one of the same window and source.
    pub(super) fn put(&mut self, name: &SnapshotName, before: Option<&SnapshotName>) {
        let replaced: Vec<String> =
            self.names().filter(|one| is_same_run(one, name)).map(|one| one.to_string()).collect();
        replaced.iter().for_each(|one| {
            self.snapshots.remove(one);
        });
        self.snapshots.insert(name.to_string(), before.map(SnapshotName::to_string));
    }

    /// Forgets snapshots that are too old, and returns the second before which windows must end for that.
    pub(super) fn forget_old(&mut self) -> i64 {
        let until_s = self.names().map(|name| name.to_s).max().unwrap_or(0) - KEEP_S;
        self.snapshots.retain(|name, _| name.parse::<SnapshotName>().is_ok_and(|name| name.to_s >= until_s));
        until_s
    }

    /// Returns how many snapshots of later windows rest on something else than what is kept by now.
    pub(super) fn stale_after(&self, run: &SnapshotName) -> u64 {
        let mut names: Vec<SnapshotName> = self.names().filter(|name| name.source == run.source).collect();
        names.sort();
        let mut stale: BTreeSet<String> = BTreeSet::new();
        // The newest of each kind among the windows that ended before the one in question.
        let mut newest: [Option<&SnapshotName>; 3] = [None; 3];
        let mut passed = 0;
        for name in names.iter().filter(|name| name.to_s > run.to_s) {
            while names[passed].to_s < name.to_s {
                let slot = &mut newest[family(&names[passed])];
                *slot = slot.iter().copied().chain([&names[passed]]).max_by_key(|name| newness(name));
                passed += 1;
            }
            let of_any = || newest.iter().flatten().copied().max_by_key(|name| newness(name));
            let by_now = newest[family(name)].or_else(of_any).map(SnapshotName::to_string);
            let text = name.to_string();
            let rests_on = self.snapshots.get(&text).cloned().flatten();
            if rests_on != by_now || rests_on.is_some_and(|before| stale.contains(&before)) {
                stale.insert(text);
            }
        }
        stale.len() as u64
    }
}

/// The order of age: by the end of the window, then the longer one.
fn newness(name: &SnapshotName) -> (i64, i64) {
    (name.to_s, -name.from_s)
}

fn is_same_run(a: &SnapshotName, b: &SnapshotName) -> bool {
    (a.source, a.from_s, a.to_s) == (b.source, b.from_s, b.to_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(from_h: i64, to_h: i64, crc32: &str) -> SnapshotName {
        SnapshotName { to_s: to_h * HOUR_S, from_s: from_h * HOUR_S, source: 1, crc32: crc32.to_owned() }
    }

    fn day(day: i64, crc32: &str) -> SnapshotName {
        name(day * 24, day * 24 + 24, crc32)
    }

    #[test]
    fn runs_start_from_the_newest_window_of_their_kind_that_ended_before() {
        let mut head = Head::default();
        for one in [day(1, "a"), day(2, "a"), name(71, 72, "a"), name(70, 71, "a")] {
            head.put(&one, None);
        }
        head.put(&SnapshotName { source: 2, ..day(3, "a") }, None);
        let first = |run: &SnapshotName| head.before(run).into_iter().next();
        assert_eq!(first(&day(4, "")), Some(day(2, "a")));
        // Not from its own window, nor from one that ended with it.
        assert_eq!(first(&day(2, "")), Some(day(1, "a")));
        assert_eq!(first(&name(72, 73, "")), Some(name(71, 72, "a")));
        // A window that slides by an hour starts from the one before, though most of both is one time.
        head.put(&name(49, 73, "b"), None);
        assert_eq!(head.before(&name(50, 74, "")).first(), Some(&name(49, 73, "b")));
        // The first run of a kind starts from what there is.
        assert_eq!(head.before(&name(0, 240, "")).first(), Some(&name(49, 73, "b")));
        assert_eq!(head.before(&day(0, "")), []);
        assert_eq!(Head::parsed(&head.written().unwrap()), Some(head));
        assert_eq!(Head::parsed(b"{\"version\":1,\"snapshots\":{\"x\":null}}"), None);
        assert_eq!(Head::parsed(b"{\"version\":2,\"snapshots\":{}}"), None);
    }

    #[test]
    fn what_rests_on_an_earlier_state_is_stale() {
        let mut head = Head::default();
        head.put(&day(1, "a"), None);
        head.put(&day(2, "a"), Some(&day(1, "a")));
        head.put(&day(3, "a"), Some(&day(2, "a")));
        // The same again changes nothing; anything else makes all that follows stale.
        head.put(&day(1, "a"), None);
        assert_eq!(head.stale_after(&day(1, "a")), 0);
        head.put(&day(1, "b"), None);
        assert_eq!((head.stale_after(&day(1, "b")), head.stale_after(&day(2, "a"))), (2, 0));
        head.put(&day(2, "a"), Some(&day(1, "b")));
        assert_eq!(head.stale_after(&day(2, "a")), 0);
        // So does a window in between.
        head.put(&name(50, 75, "c"), Some(&day(2, "a")));
        assert_eq!(head.stale_after(&name(50, 75, "c")), 1);
    }

    #[test]
    fn old_snapshots_are_forgotten() {
        let mut head = Head::of_names([1, 50, 100].map(|number| day(number, "a")).into_iter());
        assert_eq!(head.forget_old(), (101 - 90) * DAY_S);
        assert_eq!(head.names().map(|name| name.to_s / DAY_S).collect::<BTreeSet<_>>(), [51, 101].into());
    }
}
