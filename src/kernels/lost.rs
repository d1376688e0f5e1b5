//! Time that the log knows nothing of: windows of which AWS lost the records, hours that never arrived.
//!
//! What happened in lost time is unknown, neither silence nor a missed beat. A distance between two starts with lost
//! time in between is therefore no distance at all: it is left out, as a stay that ends for reasons of the observer is
//! left out of a survival study (independent censoring; Kalbfleisch & Prentice 2002, §1.3). Of Poisson traffic the
//! distances that remain are exponential again, of a higher rate, so the statistics of their shape stay what they are.

/// Stretches of lost time, `[from, to)` in Unix seconds, sorted and apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost<'a>(&'a [(i64, i64)]);

impl<'a> Lost<'a> {
    /// Nothing is lost.
    pub const NONE: Lost<'static> = Lost(&[]);

    /// Takes stretches as [`joined`] makes them.
    pub const fn new(stretches: &'a [(i64, i64)]) -> Self {
        Self(stretches)
    }

    /// Tells whether nothing is lost.
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Tells whether time was lost after `from_s` and before `to_s`.
    pub fn cuts(self, from_s: i64, to_s: i64) -> bool {
        // The first stretch that ends after the begin is the only one that can begin early enough.
        let at = self.0.partition_point(|stretch| stretch.1 <= from_s.saturating_add(1));
        self.0.get(at).is_some_and(|stretch| stretch.0 < to_s && from_s.saturating_add(1) < to_s)
    }

    /// Seconds lost from `from_s` to before `to_s`.
    pub fn seconds(self, from_s: i64, to_s: i64) -> i64 {
        self.within(from_s, to_s).map(|stretch| stretch.1 - stretch.0).sum()
    }

    /// Gives the stretches from `from_s` to before `to_s`, those at the ends cut to that.
    pub fn within(self, from_s: i64, to_s: i64) -> impl Iterator<Item = (i64, i64)> + use<'a> {
        let at = self.0.partition_point(|stretch| stretch.1 <= from_s);
        let within = self.0[at..].iter().take_while(move |stretch| stretch.0 < to_s);
        within.map(move |stretch| (stretch.0.max(from_s), stretch.1.min(to_s))).filter(|stretch| stretch.0 < stretch.1)
    }

    /// Gives the distances between successive starts that no lost time cuts, in seconds.
    pub fn distances(self, starts_s: &[i64]) -> Vec<i64> {
        let pairs = starts_s.windows(2);
        if self.is_empty() {
            return pairs.map(|pair| pair[1] - pair[0]).collect();
        }
        pairs.filter(|pair| !self.cuts(pair[0], pair[1])).map(|pair| pair[1] - pair[0]).collect()
    }
}

/// Sorts stretches and joins those that touch; empty ones are dropped.
pub fn joined(mut stretches: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    stretches.retain(|stretch| stretch.0 < stretch.1);
    stretches.sort_unstable();
    stretches.dedup_by(|next, kept| {
        let touch = next.0 <= kept.1;
        if touch {
            kept.1 = kept.1.max(next.1);
        }
        touch
    });
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_spans_lost_time_is_no_distance() {
        let lost = joined(vec![(900, 960), (960, 1_020), (5_000, 5_000), (2_000, 2_001)]);
        assert_eq!(lost, [(900, 1_020), (2_000, 2_001)]);
        let lost = Lost::new(&lost);
        assert_eq!(lost.distances(&[0, 600, 1_200, 1_800, 2_400, 3_000]), [600, 600, 600]);
        assert_eq!(Lost::NONE.distances(&[0, 5, 7]), [5, 2]);
        assert_eq!((lost.seconds(0, 950), lost.seconds(950, 9_000), lost.seconds(2_001, 9_000)), (50, 71, 0));
    }

    proptest! {
        #[test]
        fn cuts_and_seconds_equal_a_count_of_seconds(
            stretches in prop::collection::vec((0i64..60, 0i64..9), 0..6), from in 0i64..70, length in 0i64..30,
        ) {
            let stretches = joined(stretches.into_iter().map(|(from, length)| (from, from + length)).collect());
            let is_lost = |second: i64| stretches.iter().any(|s| (s.0..s.1).contains(&second));
            let lost = Lost::new(&stretches);
            let to = from + length;
            prop_assert_eq!(lost.cuts(from, to), (from + 1..to).any(is_lost));
            prop_assert_eq!(lost.seconds(from, to), (from..to).filter(|&second| is_lost(second)).count() as i64);
        }
    }
}
