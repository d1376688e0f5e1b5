//! What objects tell, folded: of one unit, of one thread's share, or of all.

use super::lists::Lists;
use super::logs::Reading;
use crate::source::TimeRange;
use access::{AccessHours, Act, Credentials, Log, Outcome, Principals, Ties};
use flow::time::hour_of;
use std::collections::BTreeMap;

/// What an account and region of a log told in one hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogHour {
    /// Acts, each as often as objects tell it.
    pub acts: u64,
    /// Objects that told one.
    pub objects: u64,
}

/// The log, account and region of acts; the last two are empty of logs that know none.
pub type LogPlace = (Log, String, String);

/// What each place told, by hour: first second since 1970-01-01 UTC.
pub type LogHours = BTreeMap<LogPlace, BTreeMap<i64, LogHour>>;

/// What acts of one hour made: credentials and principals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) ties: Ties,
    pub(super) credentials: Credentials,
}

/// The fold of some objects, in any order and any split.
#[derive(Debug, Default)]
pub(super) struct Fold {
    pub(super) hours: AccessHours,
    /// What acts made, by hour. Hours tell when credentials were used, but not which ones acts made.
    pub(super) made: BTreeMap<i64, Made>,
    pub(super) told: LogHours,
    /// Of acts before the history.
    pub(super) credentials: Credentials,
    pub(super) principals: Principals,
    pub(super) read: Reading,
    pub(super) lists: Lists,
    /// Whether an object could not be read for a reason that may pass.
    pub(super) is_passing: bool,
}

impl Fold {
    /// Adds all of another fold.
    pub(super) fn merge(&mut self, other: Self) {
        self.hours.merge(&other.hours);
        self.add_rest(other);
    }

    /// Adds all of another fold but its hours.
    pub(super) fn add_rest(&mut self, other: Self) {
        for (hour_s, made) in other.made {
            self.made.entry(hour_s).or_default().merge(&made);
        }
        for (place, hours) in other.told {
            let own = self.told.entry(place).or_default();
            hours.into_iter().for_each(|(hour_s, told)| own.entry(hour_s).or_default().add(told));
        }
        self.credentials.merge(&other.credentials);
        self.principals.merge(&other.principals);
        self.read.merge(other.read);
        self.lists.merge(other.lists);
        self.is_passing |= other.is_passing;
    }

    /// Adds a fold that holds whole units, as far as a run judges them: the acts of a range, and to ledgers what lies
    /// before it.
    pub(super) fn absorb(&mut self, mut unit: Self, range: &TimeRange) {
        let is_early = |hour_s: i64| range.from_s.is_some_and(|from_s| hour_s < from_s);
        let is_late = |hour_s: i64| range.to_s.is_some_and(|to_s| hour_s >= to_s);
        self.hours.merge_hours(&unit.hours, |hour_s| !is_early(hour_s) && !is_late(hour_s));
        let (first_s, last_s) = unit.span_s();
        if is_early(first_s) {
            for row in unit.hours.rows().iter().filter(|row| is_early(row.hour_s)) {
                self.credentials.add_hour(row);
                self.principals.add_hour(row);
            }
        }
        if is_early(first_s) || is_late(last_s) {
            unit.made.retain(|hour_s, _| !is_late(*hour_s));
            for ((log, ..), hours) in &mut unit.told {
                let outside = &mut unit.read.logs.entry(*log).or_default().outside;
                hours.retain(|hour_s, told| {
                    let is_outside = is_early(*hour_s) || is_late(*hour_s);
                    *outside += if is_outside { told.acts } else { 0 };
                    !is_outside
                });
            }
        }
        self.add_rest(unit);
    }

    /// Returns the first and the last hour with acts.
    fn span_s(&self) -> (i64, i64) {
        let hours = || self.told.values();
        let first = hours().filter_map(|hours| hours.first_key_value()).map(|(hour_s, _)| *hour_s).min();
        let last = hours().filter_map(|hours| hours.last_key_value()).map(|(hour_s, _)| *hour_s).max();
        (first.unwrap_or(i64::MAX), last.unwrap_or(i64::MIN))
    }
}

impl Made {
    /// Notes what an act made.
    pub(super) fn add(made: &mut BTreeMap<i64, Self>, act: &Act<'_>) {
        // Most acts make nothing, and are done with here.
        if act.outcome != Outcome::Success || (act.child_credential.is_none() && !act.action_class.is_rare()) {
            return;
        }
        let mut ties = Ties::default();
        ties.add(act);
        let makes_lasting = act.child_credential.kind().lasts();
        if ties.is_empty() && !makes_lasting {
            return;
        }
        let own = made.entry(hour_of(act.second())).or_default();
        own.ties.merge(&ties);
        if makes_lasting {
            own.credentials.add(act);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.ties.merge(&other.ties);
        self.credentials.merge(&other.credentials);
    }
}

impl LogHour {
    pub(super) fn add(&mut self, other: Self) {
        self.acts += other.acts;
        self.objects += other.objects;
    }
}
