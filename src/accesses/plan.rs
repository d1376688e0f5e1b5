//! What to read, and what to load instead, day by day.

use super::gather::GatherAccesses;
use super::kept::{AccessUnit, KeptAccesses, KeptFile, KeptState, units};
use super::logs::KeptUse;
use crate::source::AccessObject;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Bytes of objects after whose last day their acts are put together and sealed.
const STRETCH_BYTES: u64 = 32 << 20;

/// Objects in the order in which they are read, cut into stretches of whole days.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The objects to read, by day, so that days that are done can be sealed. Those without one may hold any day and come
    /// first.
    pub(super) objects: Arc<[AccessObject]>,
    /// All units, where units are kept.
    pub(super) units: Vec<AccessUnit>,
    pub(super) stretches: Vec<Stretch>,
    /// Whether units are kept, so that each is folded by itself.
    pub(super) is_kept: bool,
    /// The unit of each object.
    numbers: Vec<usize>,
}

/// Some days.
#[derive(Debug, Default)]
pub(super) struct Stretch {
    /// The objects to read.
    pub(super) objects: Range<usize>,
    /// The files to load, each with its unit, if any of its objects is there.
    pub(super) kept: Vec<(Option<usize>, KeptFile)>,
    /// The day of the next stretch, in seconds since 1970-01-01 UTC.
    pub(super) next_day_s: Option<i64>,
}

/// What there is of one day.
#[derive(Debug, Default)]
struct Day {
    objects: Vec<(usize, AccessObject)>,
    kept: Vec<(Option<usize>, KeptFile)>,
}

impl Plan {
    /// Returns the plan to read all objects into one fold.
    pub(super) fn of(objects: Vec<AccessObject>) -> Self {
        let mut days: BTreeMap<Option<i64>, Day> = BTreeMap::new();
        for object in objects {
            days.entry(object.day_s()).or_default().objects.push((0, object));
        }
        Self::of_days(days, Vec::new())
    }

    /// Returns the plan to load what is kept of the same objects, and to read the others.
    pub(super) fn with_kept(
        objects: Vec<AccessObject>,
        kept: &KeptAccesses,
        context: &GatherAccesses<'_>,
        used: &mut KeptUse,
    ) -> Self {
        let mut files = kept.list(context.runtime);
        let units = units(objects);
        let mut days: BTreeMap<Option<i64>, Day> = BTreeMap::new();
        for (number, unit) in units.iter().enumerate() {
            let day = days.entry(unit.day_s).or_default();
            let state = match unit.is_list() {
                true => KeptState::Changed,
                false => kept.state_of(unit, &mut files, context.runtime, &mut used.damaged),
            };
            match state {
                KeptState::Kept(file) => day.kept.push((Some(number), file)),
                KeptState::Changed => day.objects.extend(unit.objects.iter().map(|one| (number, one.clone()))),
            }
        }
        for file in kept.gone(files, &context.range) {
            days.entry(file.day_s).or_default().kept.push((None, file));
        }
        Self { is_kept: true, ..Self::of_days(days, units) }
    }

    /// Cuts days into stretches of at least [`STRETCH_BYTES`].
    fn of_days(days: BTreeMap<Option<i64>, Day>, units: Vec<AccessUnit>) -> Self {
        let (mut all, mut stretches): (Vec<(usize, AccessObject)>, Vec<Stretch>) = (Vec::new(), Vec::new());
        let (mut open, mut bytes) = (Stretch::default(), 0);
        let mut days = days.into_iter().peekable();
        while let Some((_, mut day)) = days.next() {
            day.objects.sort_by(|a, b| a.1.object.url.cmp(&b.1.object.url));
            bytes += day.objects.iter().map(|(_, one)| one.object.size).sum::<u64>();
            bytes += day.kept.iter().map(|(_, file)| file.bytes).sum::<u64>();
            all.extend(day.objects);
            open.objects.end = all.len();
            open.kept.extend(day.kept);
            let next = days.peek().map(|(day_s, _)| *day_s);
            if bytes >= STRETCH_BYTES || next.is_none() {
                let begin = Stretch { objects: all.len()..all.len(), ..Stretch::default() };
                stretches.push(Stretch { next_day_s: next.flatten(), ..std::mem::replace(&mut open, begin) });
                bytes = 0;
            }
        }
        let (numbers, objects): (Vec<usize>, Vec<AccessObject>) = all.into_iter().unzip();
        Self { objects: objects.into(), units, stretches, is_kept: false, numbers }
    }

    /// Returns the number of an object's unit; 0 where none are kept.
    pub(super) fn unit_of(&self, object: usize) -> usize {
        self.numbers.get(object).copied().unwrap_or_default()
    }
}
