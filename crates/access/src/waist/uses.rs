//! When something was used, and when it was not.

use flow::time::DAY_S;

/// The longest silence, in seconds, that makes no gap.
pub const QUIET_S: i64 = DAY_S;

/// The spells in which something was used: silences longer than [`QUIET_S`] divide them, shorter ones are forgotten.
///
/// A use costs nothing within a spell, and a spell 16 bytes. The same uses make the same spells in any order, also when
/// they come more than once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uses {
    /// First and last second of each, in order.
    spells: Vec<(i64, i64)>,
}

impl Uses {
    /// Adds a use, in seconds since 1970-01-01 UTC.
    pub fn add(&mut self, second: i64) {
        self.add_spell((second, second));
    }

    /// Adds all of the uses of another.
    pub fn merge(&mut self, other: &Self) {
        other.spells.iter().for_each(|spell| self.add_spell(*spell));
    }

    /// Adds uses from a first to a last second, without a silence of more than [`QUIET_S`] in between.
    pub fn add_spell(&mut self, (first, last): (i64, i64)) {
        let begin = self.spells.partition_point(|spell| spell.1.saturating_add(QUIET_S) < first);
        let end = self.spells.partition_point(|spell| spell.0 <= last.saturating_add(QUIET_S));
        if begin == end {
            self.spells.insert(begin, (first, last));
            return;
        }
        let joined = (self.spells[begin].0.min(first), self.spells[end - 1].1.max(last));
        self.spells[begin] = joined;
        self.spells.drain(begin + 1..end);
    }

    /// Returns the uses before a second. A spell that goes on beyond it ends right before it.
    pub fn before(&self, second: i64) -> Self {
        let spells = self.spells.iter().filter(|spell| spell.0 < second);
        Self { spells: spells.map(|(first, last)| (*first, (*last).min(second - 1))).collect() }
    }

    /// Returns the first and last second of each spell, in order.
    pub fn spells(&self) -> &[(i64, i64)] {
        &self.spells
    }

    /// Returns the second of the first use; `None` if there was none.
    pub fn first_s(&self) -> Option<i64> {
        self.spells.first().map(|spell| spell.0)
    }

    /// Returns the second of the last use.
    pub fn last_s(&self) -> Option<i64> {
        self.spells.last().map(|spell| spell.1)
    }

    /// Returns the second of the last use before the last silence longer than [`QUIET_S`].
    pub fn previous_s(&self) -> Option<i64> {
        self.spells.iter().rev().nth(1).map(|spell| spell.1)
    }

    /// Returns the last use known to be before a second. Within a spell that is the spell's beginning, and the true
    /// one may be later, by the length of the spell at most.
    pub fn last_before(&self, second: i64) -> Option<i64> {
        let spell = self.spells[..self.spells.partition_point(|spell| spell.0 < second)].last()?;
        Some(if spell.1 < second { spell.1 } else { spell.0 })
    }

    /// Returns the silences longer than [`QUIET_S`], in seconds and in order of time.
    pub fn gaps_s(&self) -> Vec<i64> {
        self.spells.windows(2).map(|pair| pair[1].0 - pair[0].1).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn uses(seconds: &[i64]) -> Uses {
        let mut uses = Uses::default();
        seconds.iter().for_each(|second| uses.add(*second));
        uses
    }

    #[test]
    fn silences_of_more_than_a_day_are_gaps() {
        let used = uses(&[0, 10, DAY_S, 200 * DAY_S, 200 * DAY_S + 5, 355 * DAY_S]);
        assert_eq!(used.gaps_s(), [199 * DAY_S, 155 * DAY_S - 5]);
        assert_eq!((used.first_s(), used.previous_s()), (Some(0), Some(200 * DAY_S + 5)));
        assert_eq!(used.last_before(355 * DAY_S), Some(200 * DAY_S + 5));
        assert_eq!(used.last_before(0), None);
        assert_eq!(Uses::default().last_s(), None);
    }

    proptest! {
        #[test]
        fn neither_order_nor_split_matters(
            days in prop::collection::vec((0i64..60, 0i64..DAY_S), 0..40).prop_shuffle(),
            cut in 0usize..40,
        ) {
            let mut seconds: Vec<i64> = days.iter().map(|(day, second)| day * DAY_S + second).collect();
            let (left, right) = seconds.split_at(cut.min(seconds.len()));
            let mut merged = uses(right);
            merged.merge(&uses(left));
            merged.merge(&uses(left));
            seconds.sort_unstable();
            prop_assert_eq!(&merged, &uses(&seconds));
            let gaps: Vec<i64> =
                seconds.windows(2).map(|pair| pair[1] - pair[0]).filter(|gap| *gap > QUIET_S).collect();
            prop_assert_eq!(merged.gaps_s(), gaps);
        }
    }
}
