//! Time that the log does not cover: windows whose records AWS lost, hours that never arrived.
//!
//! What happened in lost time is unknown: it is neither silence nor a missed beat. A distance between two starts with
//! lost time in between is therefore left out, as a survival study leaves out a stay that ends for reasons of the
//! observer (independent censoring; Kalbfleisch & Prentice 2002, §1.3). The remaining distances of Poisson traffic are
//! exponential again, with a higher rate, so statistics of their shape do not change.
//!
//! ```
//! use flowsift_kernels::lost::{Lost, Stretch, joined};
//!
//! let stretches = joined(vec![Stretch::new(900, 960), Stretch::new(960, 1_020)]);
//! let lost = Lost::new(&stretches);
//! assert_eq!(lost.seconds(0, 950), 50);
//! assert_eq!(lost.distances(&[0, 600, 1_200, 1_800]), [600, 600]);
//! ```

/// One stretch of lost time, in Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stretch {
    /// First lost second.
    pub from_s: i64,
    /// The second after the last one.
    pub to_s: i64,
}

impl Stretch {
    /// Returns the stretch from `from_s` to before `to_s`.
    pub const fn new(from_s: i64, to_s: i64) -> Self {
        Self { from_s, to_s }
    }
}

/// Stretches of lost time, sorted and disjoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost<'a>(&'a [Stretch]);

impl<'a> Lost<'a> {
    /// Nothing is lost.
    pub const NONE: Lost<'static> = Lost(&[]);

    /// Wraps stretches that are sorted and disjoint, as [`joined`] returns them.
    pub const fn new(stretches: &'a [Stretch]) -> Self {
        Self(stretches)
    }

    /// Returns whether nothing is lost.
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether time was lost after `from_s` and before `to_s`.
    pub fn cuts(self, from_s: i64, to_s: i64) -> bool {
        // The first stretch that ends after `from_s` is the only one that can begin early enough.
        let index = self.0.partition_point(|stretch| stretch.to_s <= from_s.saturating_add(1));
        self.0.get(index).is_some_and(|stretch| stretch.from_s < to_s && from_s.saturating_add(1) < to_s)
    }

    /// Returns the seconds lost from `from_s` to before `to_s`.
    pub fn seconds(self, from_s: i64, to_s: i64) -> i64 {
        self.within(from_s, to_s).map(|stretch| stretch.to_s - stretch.from_s).sum()
    }

    /// Returns the stretches from `from_s` to before `to_s`, cut at these bounds.
    pub fn within(self, from_s: i64, to_s: i64) -> impl Iterator<Item = Stretch> + use<'a> {
        let index = self.0.partition_point(|stretch| stretch.to_s <= from_s);
        let within = self.0[index..].iter().take_while(move |stretch| stretch.from_s < to_s);
        let cut = within.map(move |stretch| Stretch::new(stretch.from_s.max(from_s), stretch.to_s.min(to_s)));
        cut.filter(|stretch| stretch.from_s < stretch.to_s)
    }

    /// Returns the distances in seconds between successive starts that no lost time cuts.
    pub fn distances(self, starts_s: &[i64]) -> Vec<i64> {
        let pairs = starts_s.windows(2);
        if self.is_empty() {
            return pairs.map(|pair| pair[1] - pair[0]).collect();
        }
        pairs.filter(|pair| !self.cuts(pair[0], pair[1])).map(|pair| pair[1] - pair[0]).collect()
    }
}

/// Sorts stretches and joins those that touch; empty ones are dropped.
pub fn joined(mut stretches: Vec<Stretch>) -> Vec<Stretch> {
    stretches.retain(|stretch| stretch.from_s < stretch.to_s);
    stretches.sort_unstable();
    stretches.dedup_by(|next, kept| {
        let touch = next.from_s <= kept.to_s;
        if touch {
            kept.to_s = kept.to_s.max(next.to_s);
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
        let stretches = [(900, 960), (960, 1_020), (5_000, 5_000), (2_000, 2_001)];
        let lost = joined(stretches.map(|(from_s, to_s)| Stretch::new(from_s, to_s)).to_vec());
        assert_eq!(lost, [Stretch::new(900, 1_020), Stretch::new(2_000, 2_001)]);
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
            let stretches = stretches.into_iter().map(|(from, length)| Stretch::new(from, from + length)).collect();
            let stretches = joined(stretches);
            let is_lost = |second: i64| stretches.iter().any(|s| (s.from_s..s.to_s).contains(&second));
            let lost = Lost::new(&stretches);
            let to = from + length;
            prop_assert_eq!(lost.cuts(from, to), (from + 1..to).any(is_lost));
            prop_assert_eq!(lost.seconds(from, to), (from..to).filter(|&second| is_lost(second)).count() as i64);
        }
    }
}
