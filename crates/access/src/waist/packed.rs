//! A fold as rows that can be kept: with the ids of acts, so that what comes once more later still counts once.

use super::hours::{AccessHours, Share};
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
        let mut acts: Vec<(u32, u128, Share)> = self.open.iter().map(|(id, share)| (share.row, *id, *share)).collect();
        acts.sort_unstable();
        let mut acts = acts.into_iter().peekable();
        let mut packed = Vec::new();
        for row in 0..self.rows.count() as u32 {
            let key = self.rows.key(row);
            let mut bytes = Vec::new();
            while let Some((_, id, share)) = acts.next_if(|(of, ..)| *of == row) {
                pack(&mut bytes, id, &share, key.head.hour_s);
            }
            let sums = self.sums.get(row as usize).cloned().unwrap_or_default();
            if sums.events > 0 || !bytes.is_empty() {
                packed.push((key, PackedRow { row: key.row(self.id_of(row), sums), acts: bytes }));
            }
        }
        packed.sort_unstable_by_key(|(key, _)| *key);
        packed.into_iter().map(|(_, packed)| packed).collect()
    }

    /// Adds a row of [`AccessHours::packed`]; `None`, and nothing is added, if `acts` are not what was packed.
    pub fn add_packed(&mut self, row: &AccessHour<'_>, acts: &[u8]) -> Option<()> {
        let mut shares = Vec::new();
        let mut rest = acts;
        while !rest.is_empty() {
            shares.push(unpack(&mut rest, row.hour_s)?);
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

fn pack(bytes: &mut Vec<u8>, id: u128, share: &Share, hour_s: i64) {
    bytes.extend(id.to_le_bytes());
    number(bytes, share.second.wrapping_sub(hour_s).cast_unsigned());
    number(bytes, share.bytes_out);
    number(bytes, share.bytes_in);
    bytes.push(u8::from(share.object.is_some()));
    bytes.extend(share.object.into_iter().flat_map(u64::to_le_bytes));
}

fn unpack(rest: &mut &[u8], hour_s: i64) -> Option<(u128, Share)> {
    let id = u128::from_le_bytes(taken(rest)?);
    let second = hour_s.wrapping_add(numbered(rest)?.cast_signed());
    let (bytes_out, bytes_in) = (numbered(rest)?, numbered(rest)?);
    let object = match taken::<1>(rest)? {
        [0] => None,
        [1] => Some(u64::from_le_bytes(taken(rest)?)),
        _ => return None,
    };
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
