//! One thread's share of the logs of accesses.

use super::gather::GatherAccesses;
use super::lists::Lists;
use super::logs::{AccessLogs, BadPlace, LogRead, SkippedAccesses};
use crate::source::{AccessObject, TimeRange};
use ::memory::{Purpose, Reservation};
use access::{
    AccessError, Act, Credentials, Inflater, Log, LogKind, ObjectRead, Outcome, Principals, ReadOptions, Ties,
    read_object,
};
use bytes::Bytes;
use flow::error_text;
use flow::time::DAY_S;
use std::collections::BTreeMap;

/// Reads objects, and folds what they tell.
pub(super) struct Worker<'a> {
    context: &'a GatherAccesses<'a>,
    inflater: Inflater,
    logs: AccessLogs,
    lists: Lists,
    held: Reservation,
}

/// What one object tells besides the hours, until it is known to be whole.
#[derive(Default)]
struct Told {
    logs: BTreeMap<Log, LogRead>,
    /// Of acts before the history, and of credentials that acts made.
    credentials: Credentials,
    principals: Principals,
    ties: Ties,
    /// The day and the account that were noted last: most acts have the same.
    last: Option<(Log, i64, String)>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(context: &'a GatherAccesses<'a>) -> Self {
        let held = context.memory.reserve(Purpose::Hours);
        let (inflater, logs, lists) = (Inflater::default(), AccessLogs::default(), Lists::default());
        Self { context, inflater, logs, lists, held }
    }

    /// Reads an object. One that cannot be read is noted.
    pub(super) fn read(&mut self, object: &AccessObject, bytes: Result<Bytes, crate::source::ReadError>) {
        let url = &object.object.url;
        let read = match bytes {
            Ok(bytes) => {
                self.logs.read.bytes += bytes.len() as u64;
                self.read_bytes(object, &bytes).map_err(|error| {
                    let AccessError { at, got, expected, .. } = error;
                    format!("byte {at}: got {got}, expected {expected}")
                })
            }
            Err(error) => Err(error_text(&error)),
        };
        match read {
            Ok(()) => self.logs.read.objects += 1,
            Err(reason) => self.logs.read.skipped.push(SkippedAccesses { object: url.to_string(), reason }),
        }
        let held_bytes = self.logs.hours.held_bytes();
        self.held.grow(held_bytes.saturating_sub(self.held.bytes()));
    }

    fn read_bytes(&mut self, object: &AccessObject, bytes: &[u8]) -> Result<(), AccessError> {
        let url = &object.object.url;
        let options = ReadOptions {
            kind: object.is_told.then_some(object.kind),
            zone: self.context.zone,
            ..ReadOptions::default()
        };
        let range = self.context.range;
        let (mut told, inflater) = (Told::default(), &mut self.inflater);
        let ObjectRead { kind, counts } = self.logs.hours.object(|sink| {
            read_object(inflater, url, bytes, &options, &mut |act| {
                if told.note(act, &range) {
                    sink(act);
                }
            })
        })?;
        let read = &mut self.logs.read;
        if kind.is_list() {
            self.lists.read(kind, url, self.inflater.text(url, bytes)?)?;
            *read.lists.entry(kind).or_default() += 1;
            return Ok(());
        }
        let Some(log) = told.last.as_ref().map(|(log, ..)| *log).or(kind.log()) else {
            // An object of nothing but white space holds no other log.
            if kind != LogKind::Unknown || !self.inflater.text(url, bytes)?.trim_ascii().is_empty() {
                *read.others.entry(kind).or_default() += 1;
            }
            return Ok(());
        };
        let own = told.logs.entry(log).or_default();
        own.objects += 1;
        own.bad_records += counts.bad_records;
        own.insights += counts.insights;
        own.zone_unknown += counts.zone_unknown;
        let bad = counts.first_bad.iter();
        own.first_bad.extend(bad.map(|bad| BadPlace { object: url.to_string(), problem: bad.to_string() }));
        for (log, told) in told.logs {
            read.logs.entry(log).or_default().merge(told);
        }
        self.logs.credentials.merge(&told.credentials);
        self.logs.principals.merge(&told.principals);
        self.logs.ties.merge(&told.ties);
        Ok(())
    }

    /// Takes over the hours of another thread.
    pub(super) fn take_hours(&mut self, other: &mut Self) {
        self.logs.hours.merge(&std::mem::take(&mut other.logs.hours));
        other.held.shrink_to(0);
    }

    /// Seals the acts before a second: none of them can come once more.
    pub(super) fn seal_before(&mut self, second: i64) {
        self.logs.hours.seal_before(second);
        self.held.shrink_to(0);
        self.held.grow(self.logs.hours.held_bytes());
    }

    /// Returns what the thread read.
    pub(super) fn into_parts(self) -> (AccessLogs, Lists) {
        (AccessLogs { held: Some(self.held), ..self.logs }, self.lists)
    }
}

impl Told {
    /// Notes an act, and returns whether it is one of the window or its history.
    fn note(&mut self, act: &Act<'_>, range: &TimeRange) -> bool {
        let second = act.second();
        let log = self.logs.entry(act.log).or_default();
        if range.to_s.is_some_and(|to_s| second >= to_s) {
            log.outside += 1;
            return false;
        }
        if range.from_s.is_some_and(|from_s| second < from_s) {
            log.outside += 1;
            self.credentials.add(act);
            self.principals.add(act);
            return false;
        }
        log.acts += 1;
        let day_s = second.div_euclid(DAY_S) * DAY_S;
        let is_same = |(log, day, account): &(Log, i64, String)| {
            (*log, *day, account.as_str()) == (act.log, day_s, act.account.as_ref())
        };
        if !self.last.as_ref().is_some_and(is_same) {
            log.days.insert(day_s);
            if !act.account.is_empty() && !log.accounts.contains(act.account.as_ref()) {
                log.accounts.insert(act.account.to_string());
            }
            self.last = Some((act.log, day_s, act.account.to_string()));
        }
        self.ties.add(act);
        // Hours tell when credentials were used, but not which ones acts made.
        if act.outcome == Outcome::Success && act.child_credential.kind().lasts() {
            self.credentials.add(act);
        }
        true
    }
}
