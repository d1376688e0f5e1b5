//! A fold as rows that can be kept: with the ids of acts, so that what comes once more later still counts once.

use std::num::NonZeroU64;

use super::hours::{AccessHours, Id, Open, Share};
use super::row::{AccessHour, RowKey, Sums};

/// A row of a fold as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct PackedRow<'a> {
    /// The row; its sums are those of acts without an id.
    pub row: AccessHour<'a>,
    /// The acts with an id, for [`AccessHours::add_packed`].
    pub acts: Vec<u8>,
}

impl AccessHours {
    /// Returns the fold as rows, in the order of hour and log and then of all else. A sealed fold has no ids any more.
    ///
    /// ```
    /// use flowsift_access::{AccessHours, Act, Log};
    ///
    /// let mut act = Act::new(Log::CloudTrail, 1_700_662_702_000_000);
    /// act.event_id = "e1".into();
    /// let mut hours = AccessHours::default();
    /// hours.add(&act);
    /// let mut again = hours.clone();
    /// for packed in hours.packed() {
    ///     again.add_packed(&packed.row, &packed.acts).unwrap();
    /// }
    /// assert_eq!(again.rows(), hours.rows());
    /// ```
    pub fn packed(&self) -> Vec<PackedRow<'_>> {
        let mut acts: Vec<(u32, Id, Share)> = self.once().map(|Open { id, share }| (share.row, *id, *share)).collect();
        acts.sort_unstable();
        let acts_of = |row: u32| {
            let from = acts.partition_point(|(of, ..)| *of < row);
            acts[from..].iter().take_while(move |(of, ..)| *of == row)
        };
        let sums_of = |row: u32| self.sums.get(row as usize).cloned().unwrap_or_default();
        // A row whose acts all lost to others with their ids still names itself by one.
        let is_named = |row: u32| !self.id_of(row).is_empty();
        let told = self.rows.sorted(|row| sums_of(row).events > 0 || is_named(row) || acts_of(row).next().is_some());
        let packed = |row: u32| {
            let mut bytes = Vec::new();
            acts_of(row).for_each(|(_, id, share)| pack(&mut bytes, *id, share));
            PackedRow { row: self.rows.key(row).row(self.id_of(row), sums_of(row)), acts: bytes }
        };
        told.into_iter().map(packed).collect()
    }

    /// Adds a row of [`AccessHours::packed`]; `None`, and nothing is added, if `acts` are not what was packed.
    pub fn add_packed(&mut self, row: &AccessHour<'_>, acts: &[u8]) -> Option<()> {
        let mut shares = Vec::new();
        let mut rest = acts;
        while !rest.is_empty() {
            shares.push(unpack(&mut rest)?);
        }
        let number = self.rows.number(&RowKey::of(row));
        self.sums.resize_with(self.rows.count(), Sums::default);
        self.sums[number as usize].merge(&row.sums);
        if !row.event_id.is_empty() {
            self.name(number, row.event_id.into());
        }
        for (id, share) in shares {
            self.count(Some(id), Share { row: number, ..share });
        }
        Some(())
    }
}

fn pack(bytes: &mut Vec<u8>, id: Id, share: &Share) {
    bytes.extend(id.into_iter().flat_map(u64::to_le_bytes));
    number(bytes, share.second.into());
    number(bytes, share.bytes_out);
    number(bytes, share.bytes_in);
    // No object has the hash 0.
    bytes.extend(share.object.map_or(0, NonZeroU64::get).to_le_bytes());
}

fn unpack(rest: &mut &[u8]) -> Option<(Id, Share)> {
    let id = [u64::from_le_bytes(taken(rest)?), u64::from_le_bytes(taken(rest)?)];
    let second = u32::try_from(numbered(rest)?).ok()?;
    let (bytes_out, bytes_in) = (numbered(rest)?, numbered(rest)?);
    let object = NonZeroU64::new(u64::from_le_bytes(taken(rest)?));
    Some((id, Share { row: 0, second, bytes_out, bytes_in, object }))
}

/// Writes a number in seven bits a byte, the lowest first.
fn number(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn numbered(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let [byte] = taken(rest)?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn taken<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Act, Log};
    use proptest::prelude::*;

    fn fold(acts: &[(u8, u8, i64, u64)]) -> AccessHours {
        let mut hours = AccessHours::default();
        for (id, who, second, bytes) in acts {
            let mut act = Act::new(Log::CloudTrail, second * 1_000_000);
            act.event_id = if *id == 0 { "".into() } else { format!("e{id}").into() };
            act.principal = format!("p{who}").into();
            act.object = if bytes % 3 == 0 { "".into() } else { format!("o{bytes}").into() };
            act.bytes_out = Some(*bytes);
            hours.add(&act);
        }
        hours
    }

    proptest! {
        /// Cut anywhere, kept and put together again: an act in both parts counts once.
        #[test]
        fn parts_that_were_kept_make_the_same_rows(
            acts in prop::collection::vec((0u8..12, 0u8..3, 0i64..8_000, any::<u64>()), 0..40),
            cuts in (0usize..40, 0usize..40),
        ) {
            let (end, begin) = (cuts.0.max(cuts.1).min(acts.len()), cuts.0.min(cuts.1).min(acts.len()));
            // What has no id counts as often as it is told.
            let late: Vec<_> = acts[begin..].iter().enumerate()
                .filter(|(at, act)| begin + at >= end || act.0 != 0).map(|(_, act)| *act).collect();
            let mut again = AccessHours::default();
            for part in [fold(&late), fold(&acts[..end])] {
                for packed in part.packed() {
                    again.add_packed(&packed.row, &packed.acts).unwrap();
                }
            }
            let whole = fold(&acts);
            prop_assert_eq!(again.rows(), whole.rows());
        }
    }

    #[test]
    fn what_was_not_packed_adds_nothing() {
        let hours = fold(&[(1, 1, 10, 300), (2, 1, 20, 301)]);
        let packed = hours.packed();
        let [PackedRow { row, acts }] = &packed[..] else { panic!("{packed:?}") };
        for end in 1..acts.len() {
            let mut other = AccessHours::default();
            let is_whole = end == acts.len() / 2 && other.clone().add_packed(row, &acts[..end]).is_some();
            assert!(is_whole || other.add_packed(row, &acts[..end]).is_none(), "{end}");
        }
    }
}
