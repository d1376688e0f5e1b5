//! One thread's share of the logs of accesses.

use super::fold::{Fold, LogHour, LogHours, LogPlace, Made};
use super::gather::GatherAccesses;
use super::logs::{BadPlace, LogRead, SkippedAccesses};
use crate::source::{AccessObject, ReadError, TimeRange};
use ::memory::{Purpose, Reservation};
use access::{AccessError, Act, Credentials, Inflater, Log, LogKind, ObjectRead, Principals, ReadOptions, read_object};
use bytes::Bytes;
use flow::error_text;
use flow::time::hour_of;
use std::collections::BTreeMap;

/// Reads objects, and folds what they tell by unit.
pub(super) struct Worker<'a> {
    context: &'a GatherAccesses<'a>,
    /// The acts that count; others are left out.
    range: TimeRange,
    inflater: Inflater,
    /// The folds of units, by the unit's number.
    pub(super) folds: BTreeMap<usize, Fold>,
    held: Reservation,
}

/// What one object tells besides the hours, until it is known to be whole.
#[derive(Default)]
struct Told {
    /// Acts outside of the range.
    outside: BTreeMap<Log, u64>,
    /// Of acts before the range.
    credentials: Credentials,
    principals: Principals,
    made: BTreeMap<i64, Made>,
    hours: LogHours,
    /// The hour and the place of the acts that were noted last, and how many there were: most acts have the same.
    last: Option<(i64, LogPlace, u64)>,
    log: Option<Log>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(context: &'a GatherAccesses<'a>, range: TimeRange) -> Self {
        let held = context.memory.reserve(Purpose::Hours);
        Self { context, range, inflater: Inflater::default(), folds: BTreeMap::new(), held }
    }

    /// Reads an object of a unit. One that cannot be read is noted.
    pub(super) fn read(&mut self, unit: usize, object: &AccessObject, bytes: Result<Bytes, ReadError>) {
        let mut fold = self.folds.remove(&unit).unwrap_or_default();
        let read = match bytes {
            Ok(bytes) => {
                fold.read.bytes += bytes.len() as u64;
                self.read_bytes(&mut fold, object, &bytes).map_err(|error| {
                    let AccessError { at, got, expected, .. } = error;
                    format!("byte {at}: got {got}, expected {expected}")
                })
            }
            Err(error) => {
                fold.is_passing = true;
                Err(error_text(&error))
            }
        };
        match read {
            Ok(()) => fold.read.objects += 1,
            Err(reason) => {
                fold.read.skipped.push(SkippedAccesses { object: object.object.url.to_string(), reason });
            }
        }
        self.folds.insert(unit, fold);
        let held_bytes: usize = self.folds.values().map(|fold| fold.hours.held_bytes()).sum();
        self.held.grow(held_bytes.saturating_sub(self.held.bytes()));
    }

    fn read_bytes(&mut self, fold: &mut Fold, object: &AccessObject, bytes: &[u8]) -> Result<(), AccessError> {
        let url = &object.object.url;
        let options = ReadOptions {
            kind: object.is_told.then_some(object.kind),
            zone: self.context.zone,
            ..ReadOptions::default()
        };
        let range = self.range;
        let (mut told, inflater) = (Told::default(), &mut self.inflater);
        let ObjectRead { kind, counts } = fold.hours.object(|sink| {
            read_object(inflater, url, bytes, &options, &mut |act| {
                if told.note(act, &range) {
                    sink(act);
                }
            })
        })?;
        let read = &mut fold.read;
        if kind.is_list() {
            fold.lists.read(kind, url, self.inflater.text(url, bytes)?)?;
            *read.lists.entry(kind).or_default() += 1;
            return Ok(());
        }
        let Some(log) = told.log.or(kind.log()) else {
            // An object of nothing but white space holds no other log.
            if kind != LogKind::Unknown || !self.inflater.text(url, bytes)?.trim_ascii().is_empty() {
                *read.others.entry(kind).or_default() += 1;
            }
            return Ok(());
        };
        let bad = counts.first_bad.iter();
        let own = LogRead {
            objects: 1,
            bad_records: counts.bad_records,
            insights: counts.insights,
            zone_unknown: counts.zone_unknown,
            first_bad: bad.map(|bad| BadPlace { object: url.to_string(), problem: bad.to_string() }).collect(),
            ..LogRead::default()
        };
        read.logs.entry(log).or_default().merge(own);
        for (log, outside) in &told.outside {
            read.logs.entry(*log).or_default().outside += outside;
        }
        told.count_last();
        let Told { credentials, principals, made, hours: told, .. } = told;
        fold.add_rest(Fold { credentials, principals, made, told, ..Fold::default() });
        Ok(())
    }

    /// Counts the memory of the folds as another's from now on.
    pub(super) fn let_go(&mut self) {
        self.held.shrink_to(0);
    }
}

impl Told {
    /// Notes an act, and returns whether it is one of the range.
    fn note(&mut self, act: &Act<'_>, range: &TimeRange) -> bool {
        let second = act.second();
        self.log = Some(act.log);
        if range.to_s.is_some_and(|to_s| second >= to_s) {
            *self.outside.entry(act.log).or_default() += 1;
            return false;
        }
        // A key that was made before the history may be used in it.
        Made::add(&mut self.made, act);
        if range.from_s.is_some_and(|from_s| second < from_s) {
            *self.outside.entry(act.log).or_default() += 1;
            self.credentials.add(act);
            self.principals.add(act);
            return false;
        }
        let hour_s = hour_of(second);
        match &mut self.last {
            Some((hour, (log, account, region), acts))
                if *hour == hour_s && *log == act.log && *account == act.account && *region == act.region =>
            {
                *acts += 1;
            }
            _ => {
                self.count_last();
                self.last = Some((hour_s, (act.log, act.account.to_string(), act.region.to_string()), 1));
            }
        }
        true
    }

    fn count_last(&mut self) {
        if let Some((hour_s, place, acts)) = self.last.take() {
            let told = self.hours.entry(place).or_default().entry(hour_s).or_default();
            *told = LogHour { acts: told.acts + acts, objects: 1 };
        }
    }
}
