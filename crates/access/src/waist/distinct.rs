//! How many different things: exact up to a bound, and known to be more above it.

/// Most things that are told apart.
pub const MAX_DISTINCT: usize = 256;

/// A set of 64-bit hashes that keeps the smallest [`MAX_DISTINCT`].
///
/// Which are kept does not depend on the order in which they came, so sets merge in any order to the same set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Distinct {
    hashes: Vec<u64>,
    is_capped: bool,
}

impl Distinct {
    /// Adds a hash.
    pub fn add(&mut self, hash: u64) {
        let Err(place) = self.hashes.binary_search(&hash) else { return };
        if self.hashes.len() < MAX_DISTINCT {
            self.hashes.insert(place, hash);
            return;
        }
        self.is_capped = true;
        if place < MAX_DISTINCT {
            self.hashes.pop();
            self.hashes.insert(place, hash);
        }
    }

    /// Returns the set of these hashes; `is_capped` says that more were told than could be kept.
    pub fn of(hashes: impl Iterator<Item = u64>, is_capped: bool) -> Self {
        let mut set = Self::default();
        hashes.for_each(|hash| set.add(hash));
        set.is_capped |= is_capped;
        set
    }

    /// Adds all of another set.
    pub fn merge(&mut self, other: &Self) {
        self.is_capped |= other.is_capped;
        other.hashes.iter().for_each(|hash| self.add(*hash));
    }

    /// Returns how many there are; at least so many if [`Distinct::is_capped`].
    pub const fn count(&self) -> usize {
        self.hashes.len()
    }

    /// Returns whether there were more than could be kept.
    pub const fn is_capped(&self) -> bool {
        self.is_capped
    }

    /// Returns the hashes that are kept, in order.
    pub fn hashes(&self) -> &[u64] {
        &self.hashes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn neither_order_nor_split_matters(hashes in prop::collection::vec(0u64..2_000, 0..900), cut in 0usize..900) {
            let set = |hashes: &[u64]| {
                let mut set = Distinct::default();
                hashes.iter().for_each(|hash| set.add(*hash));
                set
            };
            let whole = set(&hashes);
            let exact: std::collections::BTreeSet<u64> = hashes.iter().copied().collect();
            prop_assert_eq!(whole.count(), exact.len().min(MAX_DISTINCT));
            prop_assert_eq!(whole.is_capped(), exact.len() > MAX_DISTINCT);

            let (left, right) = hashes.split_at(cut.min(hashes.len()));
            let mut merged = set(right);
            merged.merge(&set(left));
            prop_assert_eq!(merged, whole);
        }
    }
}
