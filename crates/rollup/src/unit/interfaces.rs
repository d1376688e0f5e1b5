//! The ENIs of a unit, merged from those of its objects.

use super::interface::Interface;
use super::object_interfaces::{NameIndex, ObjectInterfaces, Tally};
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use scan::NONE;

/// The ENIs of a unit, by the number of their name in the interner.
#[derive(Debug, Default)]
pub(crate) struct Interfaces {
    indices: NameIndex,
    entries: Vec<(u32, Interface)>,
    /// Parallel to `entries`: sums over objects of one hour, which is what nearly all objects of a unit are. Objects
    /// are merged one at a time, and most merges touch nothing else.
    tallies: Vec<Tally>,
    /// ENI, hour and flow log, where the unit has several flow logs.
    logged: HashSet<(u32, u32, u32), FixedState>,
}

impl Interfaces {
    /// Merges the ENIs of an object, which belongs to `flow_log` where there are several. The order of objects does not
    /// matter.
    pub(crate) fn merge(&mut self, other: ObjectInterfaces, flow_log: Option<u32>) {
        if let Some(flow_log) = flow_log {
            let named = other.names.iter().zip(&other.tallies).filter(|(name, _)| !Self::is_nameless(**name));
            // An object covers some minutes. If it touches several hours, the last one stands for all.
            self.logged.extend(named.filter(|(_, of)| of.records > 0).map(|(name, of)| (*name, of.hour_s, flow_log)));
        }
        for ((name, tally), details) in other.names.into_iter().zip(other.tallies).zip(other.details) {
            let index = self.indices.of(name, self.entries.len());
            if index == self.entries.len() {
                self.entries.push((name, Interface::default()));
                self.tallies.push(Tally::default());
            }
            if !self.tallies[index].try_add(&tally) {
                let full = std::mem::replace(&mut self.tallies[index], tally);
                full.add_to(&mut self.entries[index].1);
            }
            if let Some(details) = details {
                self.entries[index].1.merge(&details);
            }
        }
    }

    /// Returns how many ENIs were logged by several flow logs at once, each hour counted by itself.
    pub(crate) fn doubled(&self) -> u64 {
        let mut hours: HashMap<(u32, u32), u32, FixedState> = HashMap::default();
        for (name, hour_s, _) in &self.logged {
            *hours.entry((*name, *hour_s)).or_default() += 1;
        }
        hours.values().filter(|logs| **logs > 1).count() as u64
    }

    /// Returns the ENIs, each with the number of its name.
    pub(crate) fn into_entries(mut self) -> Vec<(u32, Interface)> {
        self.entries.iter_mut().zip(&self.tallies).for_each(|((_, entry), tally)| tally.add_to(entry));
        self.entries
    }

    /// Returns whether the entry stands for records that name no ENI.
    pub(crate) fn is_nameless(name: u32) -> bool {
        name == NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow::time::HOUR_S;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn tallies_add_up_whatever_their_hours(of_objects in prop::collection::vec(
            (0u32..4, prop_oneof![Just(0), 1u32..9, Just(u32::MAX)], 0u32..700, any::<bool>()), 0..12,
        )) {
            let (mut together, mut one_by_one) = (Interfaces::default(), Interface::default());
            for (hour, records, longest_record_s, translates) in of_objects {
                let mut object = ObjectInterfaces::default();
                let index = object.index(7);
                let hour_s = hour * HOUR_S as u32;
                object.tallies[index] = Tally { hour_s, records, longest_record_s, translates, ..Tally::default() };
                object.tallies[index].add_to(&mut one_by_one);
                together.merge(object, None);
            }
            let entries = together.into_entries();
            let facts = |of: &Interface| (of.hours.sorted().collect::<Vec<_>>(), of.longest_record_s, of.translates);
            let expected = facts(&one_by_one);
            prop_assert_eq!(entries.first().map_or_else(|| facts(&Interface::default()), |(_, of)| facts(of)), expected);
        }
    }
}
