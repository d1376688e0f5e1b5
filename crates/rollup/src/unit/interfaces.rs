//! The ENIs of a unit, merged from those of its objects.

use super::interface::Interface;
use super::object_interfaces::{NameIndex, ObjectInterfaces, Tally};
use scan::NONE;

/// The ENIs of a unit, by the number of their name in the interner.
#[derive(Debug, Default)]
pub(crate) struct Interfaces {
    indices: NameIndex,
    entries: Vec<(u32, Interface)>,
    /// Parallel to `entries`: sums over objects of one hour, which is what nearly all objects of a unit are. Objects
    /// are merged one at a time, and most merges touch nothing else.
    tallies: Vec<Tally>,
    /// Records tell flow logs apart.
    have_flow_logs: bool,
}

impl Interfaces {
    /// Merges the ENIs of an object, whose records have the number of their flow log if `has_flow_log`. The order of
    /// objects does not matter.
    pub(crate) fn merge(&mut self, other: ObjectInterfaces, has_flow_log: bool) {
        self.have_flow_logs |= has_flow_log;
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

    /// Returns whether records tell flow logs apart.
    pub(crate) fn have_flow_logs(&self) -> bool {
        self.have_flow_logs
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
                together.merge(object, false);
            }
            let entries = together.into_entries();
            let facts = |of: &Interface| (of.hours.sorted().collect::<Vec<_>>(), of.longest_record_s, of.translates);
            let expected = facts(&one_by_one);
            prop_assert_eq!(entries.first().map_or_else(|| facts(&Interface::default()), |(_, of)| facts(of)), expected);
        }
    }
}
