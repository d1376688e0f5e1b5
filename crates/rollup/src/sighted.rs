//! The ENIs that one object has records of: for most of them a count is all that the object tells.

use super::interface::Interface;
use flow::time::HOUR_S;
use std::sync::Arc;

/// What the records of an ENI add up to while an object is read, small enough to stay in the caches for thousands of
/// ENIs. Records of one ENI often follow each other, and what one writes the next reads: every field is read and written
/// as a whole, since a load of more than the last store wrote waits for the cache.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    /// The hour that `records` are of, in seconds since 1970.
    pub(super) hour_s: u32,
    pub(super) records: u32,
    /// At most 65,535.
    pub(super) longest_record_s: u32,
    /// Once a record with traffic was seen, whose texts are all that the object tells: whether the ENI may be a gateway's,
    /// which only the whole unit tells.
    pub(super) unsettled: Option<bool>,
    /// Packet-level addresses differed from the ENI's in some record.
    pub(super) translates: bool,
}

impl Tally {
    /// Adds another tally of the same ENI, unless they are of different hours or too many records for one.
    pub(super) fn join(&mut self, other: &Self) -> bool {
        let same_hour = self.records == 0 || other.records == 0 || self.hour_s == other.hour_s;
        let Some(records) = self.records.checked_add(other.records).filter(|_| same_hour) else { return false };
        self.hour_s = if other.records == 0 { self.hour_s } else { other.hour_s };
        self.records = records;
        self.longest_record_s = self.longest_record_s.max(other.longest_record_s);
        self.translates |= other.translates;
        true
    }

    /// Adds the tally to what is known of its ENI.
    pub(super) fn close(&self, entry: &mut Interface) {
        if self.records > 0 {
            entry.hours.at(i64::from(self.hour_s)).records += u64::from(self.records);
        }
        entry.longest_record_s = entry.longest_record_s.max(self.longest_record_s as u16);
        entry.translates |= self.translates;
    }
}

/// Places in a list of ENIs, by the number of their name in the text book.
#[derive(Debug, Default)]
pub(super) struct Places(
    /// Place plus one by slot, 0 for none.
    Vec<u32>,
);

impl Places {
    /// The place of a name ([`scan::NONE`] is one of its own); `next` from now on when it has none.
    #[inline]
    pub(super) fn of(&mut self, name: u32, next: usize) -> usize {
        let slot = slot_of(name);
        match self.0.get(slot) {
            Some(place) if *place > 0 => *place as usize - 1,
            _ => self.enter(slot, next),
        }
    }

    fn enter(&mut self, slot: usize, next: usize) -> usize {
        if self.0.len() <= slot {
            self.0.resize(slot + 1, 0);
        }
        self.0[slot] = next as u32 + 1;
        next
    }
}

/// The ENIs of one object.
#[derive(Debug, Default)]
pub(super) struct Sighted {
    places: Places,
    /// Numbers of their names in the text book.
    pub(super) names: Vec<u32>,
    /// Beside `names`.
    pub(super) tallies: Vec<Tally>,
    /// Beside `names`: what the object tells of an ENI beyond its tally.
    pub(super) beyond: Vec<Option<Box<Interface>>>,
}

impl Sighted {
    /// Returns the place of an ENI, making it when it is new.
    #[inline]
    pub(super) fn place(&mut self, name: u32) -> usize {
        let next = self.names.len();
        let place = self.places.of(name, next);
        if place == next {
            self.enter(name);
        }
        place
    }

    fn enter(&mut self, name: u32) {
        self.names.push(name);
        self.tallies.push(Tally::default());
        self.beyond.push(None);
    }

    /// What the object tells of an ENI beyond its tally, to be added to.
    pub(super) fn beyond(&mut self, place: usize) -> &mut Interface {
        self.beyond[place].get_or_insert_default()
    }

    /// Counts a record in the tally of its ENI, which is that of its hour then.
    #[inline]
    pub(super) fn count(&mut self, place: usize, start_s: u32) -> &mut Tally {
        if start_s.wrapping_sub(self.tallies[place].hour_s) >= HOUR_S as u32 {
            self.turn_hour(place, start_s);
        }
        let tally = &mut self.tallies[place];
        tally.records += 1;
        tally
    }

    #[cold]
    fn turn_hour(&mut self, place: usize, start_s: u32) {
        let tally = self.tallies[place];
        if tally.records > 0 {
            tally.close(self.beyond(place));
        }
        let hour_s = start_s - start_s % HOUR_S as u32;
        self.tallies[place] = Tally { records: 0, hour_s, ..tally };
    }
}

/// Which ENIs the objects that are part of a unit describe, by the slot of their name.
///
/// An object need not describe an ENI that one before it does, with all fields that it has itself: of two objects that tell
/// a field the first counts, so what it would tell makes no difference. The first object that has an ENI and a field always
/// tells it, whichever objects were read before.
#[derive(Clone, Debug, Default)]
pub(super) struct Described(Vec<Option<Describer>>);

#[derive(Clone, Copy, Debug)]
struct Describer {
    /// Its place among the unit's objects.
    object: u32,
    /// The describing fields that it has, one a bit.
    fields: u8,
    /// It leaves the ENI's records unsettled.
    unsettled: bool,
}

impl Described {
    /// Adds the ENIs of an object that has `fields`; whoever else holds `this` keeps it as it is.
    pub(super) fn add(this: &mut Arc<Self>, object: u32, fields: u8, interfaces: &Sighted) {
        let tells =
            |known: Option<Describer>| {
                known.is_none_or(|known| {
                    if known.fields == fields { object < known.object } else { known.fields & !fields == 0 }
                })
            };
        let all =
            interfaces.names.iter().zip(&interfaces.tallies).filter_map(|(name, tally)| Some((name, tally.unsettled?)));
        let new = all.map(|(name, unsettled)| (slot_of(*name), unsettled));
        let new: Vec<_> = new.filter(|(slot, _)| tells(this.0.get(*slot).copied().flatten())).collect();
        // Most objects have no ENI that was not described before, and the list is long.
        let Some(last) = new.iter().map(|(slot, _)| *slot).max() else { return };
        let Self(list) = Arc::make_mut(this);
        list.resize(list.len().max(last + 1), None);
        for (slot, unsettled) in new {
            list[slot] = Some(Describer { object, fields, unsettled });
        }
    }

    /// Tells whether the records of an ENI stay unsettled; `None` when the object at this place, which has `fields`, is to
    /// describe it.
    pub(super) fn of(&self, name: u32, object: u32, fields: u8) -> Option<bool> {
        let known = self.0.get(slot_of(name)).copied().flatten();
        known.filter(|known| known.object < object && fields & !known.fields == 0).map(|known| known.unsettled)
    }
}

/// Slot of an ENI's name; the first is for records without an ENI.
fn slot_of(name: u32) -> usize {
    name.wrapping_add(1) as usize
}
