//! Which pairs are habits: what was met some days before the window, and was not flagged while it was new.

use crate::window::{HABIT_S, Window};
use flow::Address;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// A pair that findings name, of any role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedPair {
    /// AWS account.
    pub account_id: String,
    /// AWS region.
    pub region: String,
    /// The monitored side.
    pub host: Address,
    /// The other side.
    pub remote: Address,
    /// Port of the service.
    pub port: u16,
    /// IANA protocol number.
    pub protocol: u8,
}

/// A pair that an earlier run flagged before it was a habit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlaggedPair {
    /// The pair.
    pub pair: NamedPair,
    /// First second of the window in which it was flagged.
    pub from_s: i64,
}

/// A remote that takes part in an open incident: no contact with it becomes a habit, of whichever host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MaskedRemote {
    /// The remote.
    pub remote: Address,
    /// Port of its service; `None` for any.
    pub port: Option<u16>,
    /// First second of the evidence: what was met long enough before stays a habit.
    pub from_s: i64,
}

/// The two sides of a contact that people found to be fine, in one account and region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FinePair {
    /// AWS account.
    pub account_id: String,
    /// AWS region.
    pub region: String,
    /// The monitored side.
    pub host: Address,
    /// The other side.
    pub remote: Address,
}

/// The first flag of a pair in one account and region.
#[derive(Clone, Debug)]
struct FirstFlag {
    account_id: String,
    region: String,
    /// First second of the window.
    from_s: i64,
}

/// What makes a habit of a pair.
#[derive(Clone, Debug)]
pub struct Habits {
    span_s: i64,
    /// Flagged pairs by their addresses, port and protocol.
    flagged: HashMap<(Address, Address, u16, u8), Vec<FirstFlag>, FixedState>,
    /// Remotes of open incidents, each with ports and first seconds.
    masked: HashMap<Address, Vec<(Option<u16>, i64)>, FixedState>,
}

impl Default for Habits {
    fn default() -> Self {
        Self::new(HABIT_S, [])
    }
}

impl Habits {
    /// Returns habits of pairs that were met at least `span_s` before the window, or before they were flagged. Of several
    /// flags of a pair, the first counts; their order does not matter.
    pub fn new(span_s: i64, flagged: impl IntoIterator<Item = FlaggedPair>) -> Self {
        let mut habits = Self { span_s, flagged: HashMap::default(), masked: HashMap::default() };
        habits.flag(flagged);
        habits
    }

    fn flag(&mut self, flagged: impl IntoIterator<Item = FlaggedPair>) {
        for FlaggedPair { pair, from_s } in flagged {
            let NamedPair { account_id, region, host, remote, port, protocol } = pair;
            let flags = self.flagged.entry((host, remote, port, protocol)).or_default();
            match flags.iter_mut().find(|flag| flag.account_id == account_id && flag.region == region) {
                Some(flag) => flag.from_s = flag.from_s.min(from_s),
                None => flags.push(FirstFlag { account_id, region, from_s }),
            }
        }
    }

    /// Adds remotes of open incidents.
    pub fn mask(&mut self, remotes: impl IntoIterator<Item = MaskedRemote>) {
        for MaskedRemote { remote, port, from_s } in remotes {
            self.masked.entry(remote).or_default().push((port, from_s));
        }
    }

    /// Forgets the flags of contacts that people found to be fine, whatever their port.
    pub fn lift(&mut self, fine: impl IntoIterator<Item = FinePair>) {
        let mut by_sides: HashMap<(Address, Address), Vec<(String, String)>, FixedState> = HashMap::default();
        for FinePair { account_id, region, host, remote } in fine {
            by_sides.entry((host, remote)).or_default().push((account_id, region));
        }
        if by_sides.is_empty() {
            return;
        }
        self.flagged.retain(|(host, remote, ..), flags| {
            if let Some(owners) = by_sides.get(&(*host, *remote)) {
                flags.retain(|flag| !owners.iter().any(|owner| owner.0 == flag.account_id && owner.1 == flag.region));
            }
            !flags.is_empty()
        });
    }

    /// Returns whether no pair was flagged, and no remote is part of an open incident.
    pub fn none_flagged(&self) -> bool {
        self.flagged.is_empty() && self.masked.is_empty()
    }

    /// Returns the first second of the first window in which a pair was flagged, or of the first evidence against its
    /// remote, whichever was earlier; `None` if there is neither.
    pub fn flagged_from_s(
        &self,
        owner: &(String, String),
        host: Address,
        remote: Address,
        service: (u16, u8),
    ) -> Option<i64> {
        let flags = self.flagged.get(&(host, remote, service.0, service.1)).map_or(&[][..], Vec::as_slice);
        let flag = flags.iter().find(|flag| flag.account_id == owner.0 && flag.region == owner.1);
        let masks = self.masked.get(&remote).map_or(&[][..], Vec::as_slice);
        let of_port = masks.iter().filter(|(port, _)| port.is_none_or(|port| port == service.0));
        flag.map(|flag| flag.from_s).into_iter().chain(of_port.map(|(_, from_s)| *from_s)).min()
    }

    /// Judges whether a pair is new that the history met first at `met_s`, or never. Not when that was long enough before
    /// the window and before `flagged_from_s`: what was flagged while it was new never becomes a habit. `None` when it was
    /// later, or when the history is too short to tell.
    pub fn first_contact(&self, window: &Window, met_s: Option<i64>, flagged_from_s: Option<i64>) -> Option<bool> {
        let Some(met_s) = met_s else { return window.first_contact(false) };
        let until_s = flagged_from_s.map_or(window.from_s, |from_s| from_s.min(window.from_s));
        (met_s + self.span_s <= until_s).then_some(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow::time::DAY_S;

    const WINDOW: Window = Window { from_s: 20 * DAY_S, to_s: 21 * DAY_S, baseline_from_s: 6 * DAY_S };

    fn pair(account: &str) -> NamedPair {
        NamedPair {
            account_id: account.to_owned(),
            region: "r".to_owned(),
            host: "10.0.0.1".parse().unwrap(),
            remote: "192.0.2.1".parse().unwrap(),
            port: 443,
            protocol: 6,
        }
    }

    #[test]
    fn what_was_met_yesterday_is_no_habit() {
        let met = |span_days: i64, days: i64| {
            Habits::new(span_days * DAY_S, []).first_contact(&WINDOW, Some((20 - days) * DAY_S), None)
        };
        assert_eq!([1, 2, 3, 14].map(|days| met(3, days)), [None, None, Some(false), Some(false)]);
        assert_eq!([1, 6, 7].map(|days| met(7, days)), [None, None, Some(false)]);
        assert_eq!(met(0, 0), Some(false));
        let habits = Habits::default();
        assert_eq!(habits.first_contact(&WINDOW, None, None), Some(true));
        assert_eq!(habits.first_contact(&Window { baseline_from_s: 19 * DAY_S, ..WINDOW }, None, None), None);
    }

    #[test]
    fn what_was_flagged_while_it_was_new_becomes_no_habit() {
        let flags = [9, 12, 10].map(|day| FlaggedPair { pair: pair("a"), from_s: day * DAY_S });
        let habits = Habits::new(3 * DAY_S, flags);
        let of = |account: &str| {
            let NamedPair { account_id, region, host, remote, port, protocol } = pair(account);
            habits.flagged_from_s(&(account_id, region), host, remote, (port, protocol))
        };
        assert_eq!((of("a"), of("b")), (Some(9 * DAY_S), None));
        let met = |day: i64| habits.first_contact(&WINDOW, Some(day * DAY_S), of("a"));
        // Met long before it was flagged, it was a habit by then.
        assert_eq!([6, 7, 9, 15].map(met), [Some(false), None, None, None]);
    }

    #[test]
    fn remotes_of_open_incidents_become_no_habits_of_anyone() {
        let address = |text: &str| text.parse::<Address>().unwrap();
        let (controller, host) = (address("192.0.2.1"), address("10.0.0.9"));
        let owner = ("a".to_owned(), "r".to_owned());
        let mut habits = Habits::new(3 * DAY_S, []);
        assert!(habits.none_flagged());
        habits.mask([MaskedRemote { remote: controller, port: Some(443), from_s: 9 * DAY_S }]);
        assert!(!habits.none_flagged());
        let from_s = |remote, port| habits.flagged_from_s(&owner, host, remote, (port, 6));
        assert_eq!((from_s(controller, 443), from_s(controller, 80)), (Some(9 * DAY_S), None));
        assert_eq!(from_s(host, 443), None);
        let met = |day: i64| habits.first_contact(&WINDOW, Some(day * DAY_S), from_s(controller, 443));
        assert_eq!([6, 7, 15].map(met), [Some(false), None, None]);
    }

    #[test]
    fn what_people_found_to_be_fine_is_flagged_no_more() {
        let mut habits = Habits::new(0, ["a", "b"].map(|account| FlaggedPair { pair: pair(account), from_s: 5 }));
        let NamedPair { account_id, region, host, remote, .. } = pair("a");
        habits.lift([FinePair { account_id, region, host, remote }]);
        let of = |habits: &Habits, account: &str| {
            habits.flagged_from_s(&(account.to_owned(), "r".to_owned()), host, remote, (443, 6))
        };
        assert_eq!((of(&habits, "a"), of(&habits, "b")), (None, Some(5)));
    }
}
