//! What was gathered of the logs of accesses.

use super::fold::LogHours;
use ::memory::Reservation;
use access::{AccessHours, Credentials, Log, LogKind, Principals, Ties};
use flow::time::DAY_S;
use std::collections::{BTreeMap, BTreeSet};

/// Bad records that are named for each log; all are counted.
const NAMED_BAD_RECORDS: usize = 5;

/// The logs of accesses of a source, folded. The default is that of a source without any.
#[derive(Debug, Default)]
pub struct AccessLogs {
    /// The acts of the window and its history, by hour.
    pub hours: AccessHours,
    /// The credentials that last, and when they were used. It also knows of acts before the history, where objects held
    /// any.
    pub credentials: Credentials,
    /// The principals, and when they acted; as far back as the credentials.
    pub principals: Principals,
    /// Which credentials and principals acts made.
    pub ties: Ties,
    /// What was read for them.
    pub read: Reading,
    /// The number of acts in each hour, by the hour's first second since 1970-01-01 UTC.
    pub acts_by_hour: BTreeMap<i64, u64>,
    /// What each account and region of each log told in each hour of the window and its history.
    pub told: LogHours,
    /// What was kept between runs, where anything is kept.
    pub kept: Option<KeptUse>,
    /// The memory that they take from the run's budget.
    pub(super) held: Option<Reservation>,
}

/// What a run had of what earlier runs kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptUse {
    /// Units whose objects did not change, so that they were not read again.
    pub loaded: u64,
    /// Of them, units whose objects are no longer there.
    pub gone: u64,
    /// Units that were read.
    pub read: u64,
    /// Kept files that storage has damaged, by URL: what they held was read again, or does not count.
    pub damaged: Vec<String>,
    /// What did not work with kept files, and why, in one line.
    pub trouble: Option<String>,
    /// The ledgers of earlier runs, until they are made part of this run's.
    pub(super) ledgers: (Credentials, Principals),
}

/// What was read of logs of accesses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Each log that objects hold.
    pub logs: BTreeMap<Log, LogRead>,
    /// Lists of credentials that were read: their objects by kind.
    pub lists: BTreeMap<LogKind, u64>,
    /// Objects of logs that stand beside these and are not read, such as digests, by kind. Those that turned out to be no
    /// log are unknown.
    pub others: BTreeMap<LogKind, u64>,
    /// Objects that could not be read, sorted by URL.
    pub skipped: Vec<SkippedAccesses>,
    /// Objects that were read.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What was read of one log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogRead {
    /// Objects that were read.
    pub objects: u64,
    /// Acts in the window and its history, each as often as objects tell it.
    pub acts: u64,
    /// Those of them that were told before: by another trail, or in another object.
    pub duplicates: u64,
    /// Acts outside of the window and its history.
    pub outside: u64,
    /// Records that could not be read, and were skipped.
    pub bad_records: u64,
    /// The first few of them, sorted.
    pub first_bad: Vec<BadPlace>,
    /// Statistics of CloudTrail Insights, which are no acts.
    pub insights: u64,
    /// Acts whose local time was taken as UTC, since no `--timezone` was given.
    pub zone_unknown: u64,
    /// The days with acts of the window and its history, by their first second since 1970-01-01 UTC.
    pub days: BTreeSet<i64>,
    /// The accounts of these acts; empty for logs that know none.
    pub accounts: BTreeSet<String>,
}

/// A record that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BadPlace {
    /// The URL of its object.
    pub object: String,
    /// Where in the object's text it is, and what was expected there.
    pub problem: String,
}

/// An object that could not be read; none of its acts counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SkippedAccesses {
    /// Its URL.
    pub object: String,
    /// Why, in one line.
    pub reason: String,
}

impl AccessLogs {
    /// Makes the ledgers of earlier runs part of this run's, as they were before a second: what a run finds does not
    /// depend on runs of later windows. `None` takes all of them.
    pub fn remember(&mut self, before_s: Option<i64>) {
        let Some(kept) = &mut self.kept else { return };
        let (credentials, principals) = std::mem::take(&mut kept.ledgers);
        self.credentials.merge(&before_s.map_or_else(|| credentials.clone(), |second| credentials.before(second)));
        self.principals.merge(&before_s.map_or_else(|| principals.clone(), |second| principals.before(second)));
    }

    /// Returns whether the source has no such log.
    pub fn is_empty(&self) -> bool {
        self.read == Reading::default()
    }
}

impl Reading {
    /// Returns the acts of all logs in the window and its history, each once.
    pub fn acts(&self) -> u64 {
        self.logs.values().map(|log| log.acts - log.duplicates).sum()
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (log, read) in other.logs {
            self.logs.entry(log).or_default().merge(read);
        }
        for (kind, count) in other.lists {
            *self.lists.entry(kind).or_default() += count;
        }
        for (kind, count) in other.others {
            *self.others.entry(kind).or_default() += count;
        }
        self.skipped.extend(other.skipped);
        self.skipped.sort_unstable();
        self.objects += other.objects;
        self.bytes += other.bytes;
    }
}

impl LogRead {
    pub(super) fn merge(&mut self, other: Self) {
        self.objects += other.objects;
        self.acts += other.acts;
        self.duplicates += other.duplicates;
        self.outside += other.outside;
        self.bad_records += other.bad_records;
        self.first_bad.extend(other.first_bad);
        self.first_bad.sort_unstable();
        self.first_bad.truncate(NAMED_BAD_RECORDS);
        self.insights += other.insights;
        self.zone_unknown += other.zone_unknown;
        self.days.extend(other.days);
        self.accounts.extend(other.accounts);
    }

    /// Returns the days without any act between the first and the last, as spans `[from, to)` in seconds since
    /// 1970-01-01 UTC.
    pub fn gaps(&self) -> Vec<(i64, i64)> {
        let after = self.days.iter().skip(1);
        let spans = self.days.iter().map(|day| day + DAY_S).zip(after.copied());
        spans.filter(|(from_s, to_s)| from_s < to_s).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_without_acts_are_gaps() {
        let days = [0, 1, 2, 5, 6, 9].map(|day| day * DAY_S);
        let read = LogRead { days: days.into(), ..LogRead::default() };
        assert_eq!(read.gaps(), [(3 * DAY_S, 5 * DAY_S), (7 * DAY_S, 9 * DAY_S)]);
        assert!(LogRead::default().gaps().is_empty());
    }

    #[test]
    fn of_bad_records_the_first_few_are_named_whatever_came_first() {
        let bad = |number: usize| LogRead {
            bad_records: 1,
            first_bad: vec![BadPlace { object: format!("o{number}"), problem: String::new() }],
            ..LogRead::default()
        };
        let merged = |numbers: &[usize]| {
            let mut read = LogRead::default();
            numbers.iter().for_each(|number| read.merge(bad(*number)));
            read
        };
        assert_eq!(merged(&[1, 2, 3, 4, 5, 6, 7]), merged(&[7, 3, 1, 2, 6, 5, 4]));
        assert_eq!(merged(&[1, 2, 3, 4, 5, 6, 7]).first_bad.len(), NAMED_BAD_RECORDS);
    }
}
