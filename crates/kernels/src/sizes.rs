//! Fixed log-linear histograms of byte counts, sparse and mergeable.
//!
//! Sixteen buckets per octave: exact below 32 bytes, at most 6.25 % wide above. A histogram is a slice of [`SizeCount`],
//! sorted by bucket, each bucket once.
//!
//! ```
//! use flowsift_kernels::sizes::{SizeCount, bucket_of, mode_share, quantile};
//!
//! let histogram = [SizeCount::new(bucket_of(20), 9), SizeCount::new(bucket_of(40_000), 1)];
//! assert_eq!(quantile(&histogram, 0.5), Some(20.0));
//! assert_eq!(mode_share(&histogram), 0.9);
//! ```

/// Number of values in one bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SizeCount {
    /// The bucket, as [`bucket_of`] numbers them.
    pub bucket: u16,
    /// Number of values in it.
    pub count: u32,
}

impl SizeCount {
    /// Returns `count` values of a bucket.
    pub const fn new(bucket: u16, count: u32) -> Self {
        Self { bucket, count }
    }
}

/// Buckets per octave.
const STEPS: u64 = 16;

/// Number of buckets that cover all of `u64`.
pub const BUCKETS: u16 = 976;

/// Returns the bucket of a byte count, 0 to 975; monotone in `bytes`.
pub fn bucket_of(bytes: u64) -> u16 {
    if bytes < STEPS {
        return bytes as u16;
    }
    let octave = 63 - u64::from(bytes.leading_zeros()) - 4;
    (octave * STEPS + (bytes >> octave)) as u16
}

/// Returns the smallest byte count of a bucket, or `u64::MAX` beyond the last bucket.
pub fn bucket_low(bucket: u16) -> u64 {
    if bucket >= BUCKETS {
        return u64::MAX;
    }
    let bucket = u64::from(bucket);
    if bucket < 2 * STEPS {
        return bucket;
    }
    let octave = bucket / STEPS - 1;
    (bucket - octave * STEPS) << octave
}

/// Returns the middle of a bucket in bytes, the value to use for sums and quantiles.
pub fn bucket_mid(bucket: u16) -> f64 {
    let low = bucket_low(bucket);
    let last = if bucket + 1 >= BUCKETS { u64::MAX } else { bucket_low(bucket + 1) - 1 };
    (low as f64 + last as f64) / 2.0
}

/// Returns the number of values in a histogram.
pub fn total(histogram: &[SizeCount]) -> u64 {
    histogram.iter().map(|size| u64::from(size.count)).sum()
}

/// Returns the value of a given rank (0 = smallest) as the middle of its bucket, in bytes.
pub fn value_at(histogram: &[SizeCount], rank: u64) -> Option<f64> {
    let mut seen = 0;
    for &SizeCount { bucket, count } in histogram {
        seen += u64::from(count);
        if rank < seen {
            return Some(bucket_mid(bucket));
        }
    }
    None
}

/// Returns a quantile (`at` in [0, 1], nearest rank) in bytes; `None` for an empty histogram.
pub fn quantile(histogram: &[SizeCount], at: f64) -> Option<f64> {
    let total = total(histogram);
    let rank = (at.clamp(0.0, 1.0) * total as f64).ceil() as u64;
    value_at(histogram, rank.saturating_sub(1).min(total.checked_sub(1)?))
}

/// Returns the quartile coefficient of dispersion `(q75 − q25) / (q75 + q25)`: 0 when all values are alike, near 1 when
/// they differ wildly.
///
/// `None` for an empty histogram. All-zero sizes give 0.
pub fn dispersion(histogram: &[SizeCount]) -> Option<f64> {
    let (low, high) = (quantile(histogram, 0.25)?, quantile(histogram, 0.75)?);
    Some(if high + low > 0.0 { (high - low) / (high + low) } else { 0.0 })
}

/// Returns the share of values in the fullest bucket and its two neighbours, 0 to 1; 0 for an empty histogram.
///
/// It stays near 1 for an idle implant with a few tasks among many equal check-ins, where the dispersion may stay near 0,
/// and is 0.6 for 60 % equal sizes, where the dispersion is large.
pub fn mode_share(histogram: &[SizeCount]) -> f64 {
    let total = total(histogram);
    let Some(mode) = histogram.iter().max_by_key(|size| (size.count, size.bucket)) else { return 0.0 };
    let near = histogram.iter().filter(|size| size.bucket.abs_diff(mode.bucket) <= 1);
    let near: u64 = near.map(|size| u64::from(size.count)).sum();
    if total == 0 { 0.0 } else { near as f64 / total as f64 }
}

/// Returns the histogram of typical sizes in bytes, each counted as often as its weight says.
pub(crate) fn weighted(sizes: impl Iterator<Item = (f64, usize)>) -> Vec<SizeCount> {
    let mut histogram: Vec<SizeCount> =
        sizes.map(|(bytes, weight)| SizeCount::new(bucket_of(bytes.max(0.0) as u64), weight as u32)).collect();
    histogram.sort_unstable();
    histogram.dedup_by(|next, kept| {
        let same = next.bucket == kept.bucket;
        kept.count += if same { next.count } else { 0 };
        same
    });
    histogram
}

/// Merges two sorted sparse histograms; counts saturate at `u32::MAX`. Commutative and associative.
pub fn merge(left: &[SizeCount], right: &[SizeCount]) -> Vec<SizeCount> {
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let mut i = 0;
    let mut j = 0;
    while i < left.len() || j < right.len() {
        match (left.get(i), right.get(j)) {
            (Some(&a), Some(&b)) if a.bucket == b.bucket => {
                merged.push(SizeCount::new(a.bucket, a.count.saturating_add(b.count)));
                i += 1;
                j += 1;
            }
            (Some(&a), Some(&b)) if a.bucket < b.bucket => {
                merged.push(a);
                i += 1;
            }
            (Some(&a), None) => {
                merged.push(a);
                i += 1;
            }
            (_, Some(&b)) => {
                merged.push(b);
                j += 1;
            }
            (None, None) => break,
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn edges() {
        assert_eq!(bucket_of(0), 0);
        assert_eq!(bucket_of(15), 15);
        assert_eq!(bucket_of(16), 16);
        assert_eq!(bucket_of(31), 31);
        assert_eq!(bucket_of(32), 32);
        assert_eq!(bucket_of(33), 32);
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
        assert_eq!(bucket_mid(292), (bucket_low(292) + bucket_low(293) - 1) as f64 / 2.0);
        assert_eq!(bucket_low(u16::MAX), u64::MAX);
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(dispersion(&[SizeCount::new(100, 7)]), Some(0.0));
        assert_eq!(dispersion(&[SizeCount::new(0, 7)]), Some(0.0));
        let sizes = [(10, 1), (11, 8), (40, 1)].map(|(bucket, count)| SizeCount::new(bucket, count));
        assert_eq!(mode_share(&sizes), 0.9);
        assert_eq!(
            weighted([(100.0, 3), (7.0, 1), (101.0, 2)].into_iter()),
            [SizeCount::new(7, 1), SizeCount::new(57, 5)]
        );
    }

    fn fold(values: &[u64]) -> Vec<SizeCount> {
        let mut map = BTreeMap::new();
        values.iter().for_each(|&value| *map.entry(bucket_of(value)).or_insert(0u32) += 1);
        map.into_iter().map(|(bucket, count)| SizeCount { bucket, count }).collect()
    }

    proptest! {
        #[test]
        fn every_value_lies_in_its_narrow_bucket(bytes: u64, shift in 0u32..64) {
            let bytes = bytes >> shift;
            let bucket = bucket_of(bytes);
            prop_assert!(bucket_low(bucket) <= bytes);
            prop_assert!(bucket + 1 == BUCKETS || bytes < bucket_low(bucket + 1));
            prop_assert!((bucket_mid(bucket) - bytes as f64).abs() <= bytes as f64 / 16.0);
        }

        #[test]
        fn merging_is_folding_together(a in prop::collection::vec(0u64..100_000, 0..40), b in prop::collection::vec(0u64..100_000, 0..40)) {
            let both: Vec<u64> = a.iter().chain(&b).copied().collect();
            prop_assert_eq!(merge(&fold(&a), &fold(&b)), fold(&both));
            prop_assert_eq!(merge(&fold(&b), &fold(&a)), fold(&both));
        }

        #[test]
        fn quantiles_are_the_sorted_values(mut a in prop::collection::vec(0u64..32, 1..40), at in 0.0..=1.0f64) {
            let got = quantile(&fold(&a), at).unwrap();
            a.sort_unstable();
            let rank = ((at * a.len() as f64).ceil() as usize).max(1) - 1;
            prop_assert_eq!(got, a[rank] as f64);
        }
    }
}
