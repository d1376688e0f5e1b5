//! Divides the units of a source among processes that know nothing of each other.

use crate::source::Unit;
use flow::fnv::Fnv64;
use flow::time::{DAY_S, HOUR_S};
use std::fmt;
use std::str::FromStr;

/// One of several shares of a source's units. Each unit is in exactly one of them, whatever else is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// From 0 on.
    index: u32,
    /// Number of shares, at least 1.
    of: u32,
}

impl Default for Share {
    fn default() -> Self {
        Self { index: 0, of: 1 }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(index, of)| {
            let (index, of) = (index.parse().ok()?, of.parse().ok()?);
            (index < of).then_some(Self { index, of })
        });
        parsed
            .ok_or_else(|| format!("`{text}` is no share: expected INDEX/COUNT with an index from 0 on, such as 0/16"))
    }
}

impl Share {
    /// Returns whether a unit is in the share. The hours of one account and region go round, so that shares are alike; a
    /// day begins one further, so that no share gets the same hour of each day.
    pub fn has(&self, unit: &Unit) -> bool {
        let of_owner = unit.id.split("/day=").next().unwrap_or(&unit.id);
        let mut hash = Fnv64::default();
        hash.write(of_owner.as_bytes());
        let round = unit.partition.map_or(0, |partition| {
            let hours = if partition.is_hour() { partition.from_s.div_euclid(HOUR_S) } else { 0 };
            partition.from_s.div_euclid(DAY_S) + hours
        });
        let place = (hash.finish() % u64::from(self.of)) as i64 + round;
        place.rem_euclid(self.of.into()) == i64::from(self.index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::layout::Partition;

    fn unit(account: u32, hour: i64) -> Unit {
        let (day, of_day) = (hour.div_euclid(24), hour.rem_euclid(24));
        Unit {
            id: format!("account={account}/region=eu-west-1/day={day}/hour={of_day}"),
            account_id: None,
            region: None,
            partition: Some(Partition { from_s: hour * HOUR_S, to_s: (hour + 1) * HOUR_S }),
            objects: Vec::new(),
        }
    }

    #[test]
    fn every_unit_is_in_one_share_and_shares_are_alike() {
        for of in [1, 3, 16, 24] {
            let shares: Vec<Share> = (0..of).map(|index| Share { index, of }).collect();
            let mut counts = vec![0; of as usize];
            for unit in (0..3).flat_map(|account| (0..480).map(move |hour| unit(account, hour))) {
                let mine: Vec<usize> = (0..of as usize).filter(|index| shares[*index].has(&unit)).collect();
                assert_eq!(mine.len(), 1, "{} in {of}", unit.id);
                counts[mine[0]] += 1;
            }
            let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            assert!(most - least <= 9, "{counts:?}");
        }
    }

    #[test]
    fn no_share_has_the_same_hour_of_each_day() {
        let share = Share { index: 5, of: 24 };
        let hours: std::collections::BTreeSet<i64> =
            (0..240).filter(|hour| share.has(&unit(7, *hour))).map(|hour| hour % 24).collect();
        assert!(hours.len() >= 9, "{hours:?}");
    }

    #[test]
    fn a_share_is_read_as_it_is_written() {
        assert_eq!("3/16".parse(), Ok(Share { index: 3, of: 16 }));
        assert_eq!(Share::default().to_string(), "0/1");
        for wrong in ["", "3", "16/16", "0/0", "-1/3", "1/x"] {
            assert!(wrong.parse::<Share>().unwrap_err().contains("such as 0/16"), "{wrong}");
        }
    }
}
