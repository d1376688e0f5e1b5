//! The ENIs of one object. For most of them a count is all that an object adds.

use super::interface::Interface;
use flow::time::HOUR_S;
use std::sync::Arc;

/// What the records of an ENI add up to while an object is read; small enough that thousands of them stay in the
/// caches.
///
/// Records of one ENI often follow each other, so each reads what the one before wrote. Every field is read and written
/// as a whole, since a load that is wider than the last store has to wait for the cache.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Hour of the counted `records`, in seconds since 1970.
    pub(crate) hour_s: u32,
    pub(crate) records: u32,
    /// At most 65,535.
    pub(crate) longest_record_s: u32,
    /// `None` until the ENI is described by a record with traffic. Then: whether the ENI may be a gateway's, which only
    /// the whole unit can decide.
    pub(crate) unresolved: Option<bool>,
    /// Packet-level addresses differed from the ENI's in some record.
    pub(crate) translates: bool,
    /// See [`Interface::has_private_address`].
    pub(crate) has_private_address: bool,
    /// The ENI's address, by code, in the last record that it carried or forwarded; it is one of
    /// [`Interface::carrier_addresses`]. 0 for none.
    pub(crate) carrier_address: u32,
}

impl Tally {
    /// Adds another tally of the same ENI. Returns false, without any change, when the hours differ or the sum is too
    /// large.
    pub(crate) fn join(&mut self, other: &Self) -> bool {
        let same_hour = self.records == 0 || other.records == 0 || self.hour_s == other.hour_s;
        let Some(records) = self.records.checked_add(other.records).filter(|_| same_hour) else { return false };
        self.hour_s = if other.records == 0 { self.hour_s } else { other.hour_s };
        self.records = records;
        self.longest_record_s = self.longest_record_s.max(other.longest_record_s);
        self.translates |= other.translates;
        self.has_private_address |= other.has_private_address;
        true
    }

    /// Adds the tally to what is known of its ENI.
    pub(crate) fn close(&self, entry: &mut Interface) {
        if self.records > 0 {
            entry.hours.at(i64::from(self.hour_s)).records += u64::from(self.records);
        }
        entry.longest_record_s = entry.longest_record_s.max(self.longest_record_s as u16);
        entry.translates |= self.translates;
        entry.has_private_address |= self.has_private_address;
    }
}

/// Indices into a list of ENIs, by the number of their name in the interner.
#[derive(Debug, Default)]
pub(crate) struct NameIndex(
    /// Index plus one by slot, 0 for none.
    Vec<u32>,
);

impl NameIndex {
    /// Returns the index of a name; a new name gets `next`. [`scan::NONE`] is a name of its own.
    #[inline]
    pub(crate) fn of(&mut self, name: u32, next: usize) -> usize {
        let slot = slot_of(name);
        match self.0.get(slot) {
            Some(index) if *index > 0 => *index as usize - 1,
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
pub(crate) struct ObjectInterfaces {
    indices: NameIndex,
    /// Numbers of their names in the interner.
    pub(crate) names: Vec<u32>,
    /// Parallel to `names`.
    pub(crate) tallies: Vec<Tally>,
    /// Parallel to `names`: what the object has of an ENI besides its tally.
    pub(crate) details: Vec<Option<Box<Interface>>>,
}

impl ObjectInterfaces {
    /// Returns the index of an ENI; a new one is added.
    #[inline]
    pub(crate) fn index(&mut self, name: u32) -> usize {
        let next = self.names.len();
        let index = self.indices.of(name, next);
        if index == next {
            self.enter(name);
        }
        index
    }

    fn enter(&mut self, name: u32) {
        self.names.push(name);
        self.tallies.push(Tally::default());
        self.details.push(None);
    }

    /// Returns what the object has of an ENI besides its tally, to be added to.
    pub(crate) fn details(&mut self, index: usize) -> &mut Interface {
        self.details[index].get_or_insert_default()
    }

    /// Counts a record in the tally of its ENI and returns the tally, which is then that of the record's hour.
    #[inline]
    pub(crate) fn count(&mut self, index: usize, start_s: u32) -> &mut Tally {
        if start_s.wrapping_sub(self.tallies[index].hour_s) >= HOUR_S as u32 {
            self.start_new_hour(index, start_s);
        }
        let tally = &mut self.tallies[index];
        tally.records += 1;
        tally
    }

    #[cold]
    fn start_new_hour(&mut self, index: usize, start_s: u32) {
        let tally = self.tallies[index];
        if tally.records > 0 {
            tally.close(self.details(index));
        }
        let hour_s = start_s - start_s % HOUR_S as u32;
        self.tallies[index] = Tally { records: 0, hour_s, ..tally };
    }
}

/// Which ENIs are described by objects that are already part of the unit, by the slot of their name.
///
/// Where two objects have a field, the first one counts. So an object need not describe an ENI that an earlier object
/// describes with at least the same fields. The first object that has an ENI and a field always describes it, in
/// whatever order objects are read.
#[derive(Clone, Debug, Default)]
pub(crate) struct DescribedInterfaces(Vec<Option<Describer>>);

#[derive(Clone, Copy, Debug)]
struct Describer {
    /// Its index among the unit's objects.
    object: u32,
    /// The describing fields that it has, one per bit.
    fields: u8,
    /// It leaves the hosts of the ENI's records unresolved.
    unresolved: bool,
}

impl DescribedInterfaces {
    /// Adds the ENIs of an object that has `fields`. The list is copied on write: other holders of `this` keep theirs.
    pub(crate) fn add(this: &mut Arc<Self>, object: u32, fields: u8, interfaces: &ObjectInterfaces) {
        let describes =
            |known: Option<Describer>| {
                known.is_none_or(|known| {
                    if known.fields == fields { object < known.object } else { known.fields & !fields == 0 }
                })
            };
        let all = interfaces
            .names
            .iter()
            .zip(&interfaces.tallies)
            .filter_map(|(name, tally)| Some((name, tally.unresolved?)));
        let new = all.map(|(name, unresolved)| (slot_of(*name), unresolved));
        let new: Vec<_> = new.filter(|(slot, _)| describes(this.0.get(*slot).copied().flatten())).collect();
        // Most objects have no ENI that was not described before, and the list is long.
        let Some(last) = new.iter().map(|(slot, _)| *slot).max() else { return };
        let Self(list) = Arc::make_mut(this);
        list.resize(list.len().max(last + 1), None);
        for (slot, unresolved) in new {
            list[slot] = Some(Describer { object, fields, unresolved });
        }
    }

    /// Returns whether the hosts of an ENI's records stay unresolved; `None` when the object at index `object`, which
    /// has `fields`, has to describe the ENI itself.
    pub(crate) fn of(&self, name: u32, object: u32, fields: u8) -> Option<bool> {
        let known = self.0.get(slot_of(name)).copied().flatten();
        known.filter(|known| known.object < object && fields & !known.fields == 0).map(|known| known.unresolved)
    }
}

/// Returns the slot of an ENI's name. The first slot is for records without an ENI.
fn slot_of(name: u32) -> usize {
    name.wrapping_add(1) as usize
}
