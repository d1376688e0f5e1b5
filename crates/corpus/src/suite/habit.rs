//! The habits of implants: when they call, and which of their addresses.

use kernels::simulation::{Draws, Implant};

/// One connection of a host in a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Contact {
    /// Second of the start, counted from the start of the cell.
    pub start_s: i64,
    /// Which of the host's remotes, from 0.
    pub remote: u32,
}

/// How an implant chooses among its addresses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RotationOrder {
    /// A random one each time.
    Random,
    /// One after the other.
    InOrder,
    /// One for so many hours, then the next.
    MovesOn(f64),
}

/// An implant's habit in a scenario.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ImplantHabit {
    /// One implant, one address.
    Single(Implant),
    /// Two implants of a host on one address.
    Both(Implant, Implant),
    /// One implant, several addresses with the same port.
    Rotating {
        /// When it calls.
        implant: Implant,
        /// How many addresses.
        remotes: u32,
        /// Which of them.
        order: RotationOrder,
    },
    /// One implant on each of several hosts, all with the same address.
    Shared {
        /// When each calls.
        implant: Implant,
        /// How many hosts.
        hosts: u32,
    },
}

impl ImplantHabit {
    /// Returns how many addresses it uses.
    pub fn remotes(&self) -> u32 {
        match self {
            Self::Rotating { remotes, .. } => *remotes,
            _ => 1,
        }
    }

    /// Returns how many hosts share an address.
    pub fn hosts(&self) -> u32 {
        match self {
            Self::Shared { hosts, .. } => *hosts,
            _ => 1,
        }
    }

    /// Draws the contacts of one implant in `span_s` seconds, sorted.
    pub fn contacts(&self, draws: &mut Draws, span_s: f64) -> Vec<Contact> {
        let on = |remote: u32| move |start_s: i64| Contact { start_s, remote };
        let mut contacts: Vec<Contact> = match self {
            Self::Single(implant) | Self::Shared { implant, .. } => {
                implant.train(draws, span_s, 1).into_iter().map(on(0)).collect()
            }
            Self::Both(one, other) => {
                let mut contacts: Vec<Contact> = one.train(draws, span_s, 1).into_iter().map(on(0)).collect();
                contacts.extend(other.train(draws, span_s, 1).into_iter().map(on(0)));
                contacts
            }
            Self::Rotating { implant, remotes, order } => {
                let train = implant.train(draws, span_s, 1);
                let count = u64::from((*remotes).max(1));
                let choose = |(at, start_s): (usize, i64)| {
                    let remote = match order {
                        RotationOrder::Random => draws.bits() % count,
                        RotationOrder::InOrder => at as u64 % count,
                        RotationOrder::MovesOn(hours) => (start_s as f64 / (hours * 3600.0)) as u64 % count,
                    };
                    Contact { start_s, remote: remote as u32 }
                };
                train.into_iter().enumerate().map(choose).collect()
            }
        };
        contacts.sort_unstable();
        contacts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotation_deals_the_same_train_to_several_addresses() {
        let implant = Implant::sleeping(300.0, 330.0);
        let alone = ImplantHabit::Single(implant).contacts(&mut Draws::seeded(1), 86_400.0);
        for order in [RotationOrder::Random, RotationOrder::InOrder, RotationOrder::MovesOn(6.0)] {
            let dealt = ImplantHabit::Rotating { implant, remotes: 4, order }.contacts(&mut Draws::seeded(1), 86_400.0);
            let starts = |contacts: &[Contact]| contacts.iter().map(|contact| contact.start_s).collect::<Vec<_>>();
            assert_eq!(starts(&alone), starts(&dealt));
            let met: std::collections::BTreeSet<u32> = dealt.iter().map(|contact| contact.remote).collect();
            assert_eq!(met.len(), 4, "{order:?}");
        }
        let both =
            ImplantHabit::Both(implant, Implant::sleeping(410.0, 451.0)).contacts(&mut Draws::seeded(1), 86_400.0);
        assert!(both.len() > alone.len() * 3 / 2 && both.is_sorted());
    }
}
