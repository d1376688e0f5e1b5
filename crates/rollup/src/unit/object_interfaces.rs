//! The ENIs of one object, and which ENIs of a unit are already described.
//!
//! A name is always the number of an ENI's name in the unit's text interner, or [`scan::NONE`] for records that name no
//! ENI. For most ENIs an object adds a count and nothing else.

use super::interface::Interface;
use flow::time::HOUR_S;
use std::sync::Arc;

/// What every record of an ENI is added to while an object is read; small enough that the tallies of thousands of ENIs
/// stay in the caches.
///
/// Records of one ENI often follow each other, so each reads what the one before wrote. Every field is read and written
/// as a whole, since a load that is wider than the last store has to wait for the cache.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Hour of the counted `records`, in seconds since 1970.
    pub(crate) hour_s: u32,
    /// Records that begin in this hour. Those of earlier hours are already in the ENI's details.
    pub(crate) records: u32,
    /// Seconds of the longest record of any hour, at most 65,535.
    pub(crate) longest_record_s: u32,
    /// Whether the ENI may be a gateway's. If so, the hosts of its records stay unresolved until the unit is complete.
    /// `None` until a record with traffic describes the ENI.
    pub(crate) unresolved: Option<bool>,
    /// Packet-level addresses differed from the ENI's in some record.
    pub(crate) translates: bool,
    /// See [`Interface::has_private_address`].
    pub(crate) has_private_address: bool,
    /// Code of the ENI's address in the last record that it carried or forwarded; 0 for none. It is already one of
    /// [`Interface::carrier_addresses`], so the same address again needs no look-up there.
    pub(crate) carrier_address: u32,
}

impl Tally {
    /// Adds another object's tally of the same ENI. Returns false, without any change, when the hours differ or the sum
    /// is too large. What only helps to read an object, `unresolved` and `carrier_address`, is not added.
    pub(crate) fn try_add(&mut self, other: &Self) -> bool {
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
    pub(crate) fn add_to(&self, interface: &mut Interface) {
        if self.records > 0 {
            interface.hours.at(i64::from(self.hour_s)).records += u64::from(self.records);
        }
        interface.longest_record_s = interface.longest_record_s.max(self.longest_record_s as u16);
        interface.translates |= self.translates;
        interface.has_private_address |= self.has_private_address;
    }
}

/// Returns the slot of an ENI's name. The first slot is for records without an ENI.
fn slot_of(name: u32) -> usize {
    name.wrapping_add(1) as usize
}

/// The index of each ENI in some list, by its name.
#[derive(Debug, Default)]
pub(crate) struct NameIndex(
    /// Index plus one by slot, 0 for none.
    Vec<u32>,
);

impl NameIndex {
    /// Returns the index of a name; a new name gets the index `next`.
    #[inline]
    pub(crate) fn of(&mut self, name: u32, next: usize) -> usize {
        let slot = slot_of(name);
        match self.0.get(slot) {
            Some(index) if *index > 0 => *index as usize - 1,
            _ => self.insert(slot, next),
        }
    }

    fn insert(&mut self, slot: usize, next: usize) -> usize {
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
    /// In order of arrival.
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
            self.insert(name);
        }
        index
    }

    fn insert(&mut self, name: u32) {
        self.names.push(name);
        self.tallies.push(Tally::default());
        self.details.push(None);
    }

    /// Returns what the object has of an ENI besides its tally, to be added to.
    pub(crate) fn details(&mut self, index: usize) -> &mut Interface {
        self.details[index].get_or_insert_default()
    }

    /// Counts a record in the tally of its ENI and returns the tally. A tally of another hour first goes to the ENI's
    /// details, so the one returned is that of the record's hour.
    #[inline]
    pub(crate) fn count_record(&mut self, index: usize, start_s: u32) -> &mut Tally {
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
            tally.add_to(self.details(index));
        }
        let hour_s = start_s - start_s % HOUR_S as u32;
        self.tallies[index] = Tally { records: 0, hour_s, ..tally };
    }
}

/// Which ENIs are described by objects that are already part of the unit, by the slot of their name. To describe an ENI
/// is to read its texts, such as its instance and subnet, from columns that otherwise stay compressed.
///
/// Where two objects have a field, the one with the lower index counts. So an object skips an ENI that an object with a
/// lower index describes with at least the same fields. Whatever the order in which objects are read, the first one
/// that has a field of an ENI describes it.
#[derive(Clone, Debug, Default)]
pub(crate) struct DescribedInterfaces(Vec<Option<Description>>);

/// The object that describes an ENI.
#[derive(Clone, Copy, Debug)]
struct Description {
    /// Index of the object among the unit's objects.
    object: u32,
    /// The ENI-metadata fields that the object has, one per bit.
    fields: u8,
    /// See [`Tally::unresolved`].
    unresolved: bool,
}

impl Description {
    /// Returns whether this description serves more objects than `other`: it has all of its fields and more, or the
    /// same fields from an object with a lower index.
    fn replaces(&self, other: &Self) -> bool {
        if self.fields == other.fields { self.object < other.object } else { other.fields & !self.fields == 0 }
    }
}

impl DescribedInterfaces {
    /// Adds the ENIs of an object that has `fields`. The list is copied if it changes: other holders of the `Arc` keep
    /// the old list.
    pub(crate) fn add(this: &mut Arc<Self>, object: u32, fields: u8, interfaces: &ObjectInterfaces) {
        let described = interfaces.names.iter().zip(&interfaces.tallies).filter_map(|(name, tally)| {
            Some((slot_of(*name), Description { object, fields, unresolved: tally.unresolved? }))
        });
        let new: Vec<_> =
            described.filter(|(slot, new)| this.get(*slot).is_none_or(|known| new.replaces(&known))).collect();
        // Most objects add nothing, and to copy the list takes long.
        let Some(last) = new.iter().map(|(slot, _)| *slot).max() else { return };
        let Self(list) = Arc::make_mut(this);
        list.resize(list.len().max(last + 1), None);
        for (slot, description) in new {
            list[slot] = Some(description);
        }
    }

    /// Returns whether the hosts of an ENI's records stay unresolved; `None` when the object at index `object`, which
    /// has `fields`, has to describe the ENI itself.
    pub(crate) fn of(&self, name: u32, object: u32, fields: u8) -> Option<bool> {
        let known = self.get(slot_of(name));
        known.filter(|known| known.object < object && fields & !known.fields == 0).map(|known| known.unresolved)
    }

    fn get(&self, slot: usize) -> Option<Description> {
        self.0.get(slot).copied().flatten()
    }
}
