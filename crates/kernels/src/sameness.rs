//! Equal requests without a beat (D13): do many connections within minutes have one size?
//!
//! An operator who works through an implant, or tools fetched in pieces, open hundreds of connections in bursts. They keep
//! no time, so no test of distances sees them; but most are polls with nothing to say, and these are equal. Clients of
//! people and of programs have several kinds of requests.
//!
//! The reference null is a client with [`KINDS`] kinds in uneven shares, all shares equally probable. Its `n` connections
//! then have every composition with the same probability (Bose and Einstein; Feller 1968, §II.5), and the commonest kind
//! has `m > n/2` or more of them with a probability of `K·C(n−m+K−1, K−1)/C(n+K−1, K−1)`. Sizes count as equal within a
//! bucket and its two neighbours ([`crate::sizes`]). What browsers, package mirrors and clients of an API do to this
//! p-value is measured by the tests below. A client that repeats one single request looks like an operator.
//!
//! ```
//! use flowsift_kernels::sameness::sameness;
//! use flowsift_kernels::sizes::{SizeCount, bucket_of};
//!
//! let starts: Vec<i64> = (0..300).map(|n| 2 * n - n % 2).collect();
//! let sizes = [SizeCount::new(bucket_of(700), 290), SizeCount::new(bucket_of(9_000), 10)];
//! let found = sameness(&starts, &sizes).unwrap();
//! assert!(found.p_value < 1e-3 && found.burst == 300);
//! ```

use super::sizes::{SizeCount, bucket_mid, total};

/// Kinds of requests of the reference null.
pub const KINDS: u32 = 4;

/// Length in seconds of the stretch in which connections are counted.
pub const BURST_S: i64 = 600;

/// Connections of one pair by rate and size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sameness {
    /// Connections in the fullest stretch of ten minutes.
    pub burst: u32,
    /// First start of that stretch in seconds; of equals the earliest.
    pub burst_from_s: i64,
    /// Share of connections in the commonest bucket and its two neighbours, 0 to 1.
    pub same_size_ratio: f64,
    /// The middle of that bucket in bytes.
    pub size_bytes: f64,
    /// Probability that a client of several kinds of requests has so many of one, 0 to 1.
    pub p_value: f64,
}

/// Measures the sorted connection starts of one pair and the histogram of their bytes out.
///
/// `sizes` is sparse and sorted by bucket. `None` without starts or sizes. Linear in both.
pub fn sameness(starts_s: &[i64], sizes: &[SizeCount]) -> Option<Sameness> {
    let (burst, burst_from_s) = fullest(starts_s)?;
    let (same, mode) = commonest(sizes)?;
    let count = total(sizes);
    Some(Sameness {
        burst,
        burst_from_s,
        same_size_ratio: same as f64 / count as f64,
        size_bytes: bucket_mid(mode),
        p_value: composition_p_value(same, count),
    })
}

/// Returns the number of starts in the fullest stretch and its first start.
fn fullest(starts_s: &[i64]) -> Option<(u32, i64)> {
    let mut best = (0, *starts_s.first()?);
    let mut from = 0;
    for (index, &start) in starts_s.iter().enumerate() {
        while start.saturating_sub(starts_s[from]) >= BURST_S {
            from += 1;
        }
        if index + 1 - from > best.0 {
            best = (index + 1 - from, starts_s[from]);
        }
    }
    Some((u32::try_from(best.0).unwrap_or(u32::MAX), best.1))
}

/// Returns the largest number of connections in a bucket and its two neighbours, and that bucket; of equals the smallest.
fn commonest(sizes: &[SizeCount]) -> Option<(u64, u16)> {
    let near = |middle: &SizeCount| {
        let counts = sizes.iter().filter(|size| size.bucket.abs_diff(middle.bucket) <= 1);
        counts.map(|size| u64::from(size.count)).sum::<u64>()
    };
    let mut best: Option<(u64, u16)> = None;
    for middle in sizes {
        let count = near(middle);
        if count > best.map_or(0, |best| best.0) {
            best = Some((count, middle.bucket));
        }
    }
    best
}

/// Returns the probability that the commonest of [`KINDS`] kinds has at least `same` of `count` connections.
fn composition_p_value(same: u64, count: u64) -> f64 {
    let p = (1..KINDS).fold(f64::from(KINDS), |p, kind| {
        p * ((count - same) as f64 + f64::from(kind)) / (count as f64 + f64::from(kind))
    });
    p.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::Draws;
    use crate::sizes::bucket_of;
    use proptest::prelude::*;

    fn histogram(bytes: &[f64]) -> Vec<SizeCount> {
        let mut buckets: Vec<u16> = bytes.iter().map(|&bytes| bucket_of(bytes.max(40.0) as u64)).collect();
        buckets.sort_unstable();
        buckets.chunk_by(|a, b| a == b).map(|same| SizeCount::new(same[0], same.len() as u32)).collect()
    }

    /// Sizes of `count` requests of a browser: cookies, paths and uploads.
    fn browser(draws: &mut Draws, count: usize) -> Vec<f64> {
        let spread = draws.between(0.25, 1.2);
        (0..count).map(|_| 1_200.0 * (spread * draws.normal()).exp()).collect()
    }

    /// Of a package manager: short requests, and acknowledgements of what they fetch.
    fn mirror(draws: &mut Draws, count: usize) -> Vec<f64> {
        let (name, large) = (draws.between(20.0, 90.0), draws.between(8.0, 12.0));
        (0..count).map(|_| 420.0 + name * draws.uniform() + 0.018 * (large + 1.5 * draws.normal()).exp()).collect()
    }

    /// Of a client of an API: four to twelve calls in uneven shares, each about as long every time.
    fn api(draws: &mut Draws, count: usize) -> Vec<f64> {
        let calls = 4 + (draws.bits() % 9) as usize;
        let sizes: Vec<f64> = (0..calls).map(|_| 600.0 * draws.normal().exp()).collect();
        let mut shares: Vec<f64> = (0..calls).map(|_| draws.exponential()).collect();
        let sum: f64 = shares.iter().sum();
        shares.iter_mut().for_each(|share| *share /= sum);
        let mut request = || {
            let mut at = draws.uniform();
            let call = shares
                .iter()
                .position(|share| {
                    at -= share;
                    at < 0.0
                })
                .unwrap_or(0);
            sizes[call] * (1.0 + 0.02 * draws.normal())
        };
        (0..count).map(|_| request()).collect()
    }

    #[test]
    fn benign_bursts_stay_below_their_p_value() {
        for (name, sizes) in
            [("browser", browser as fn(&mut Draws, usize) -> Vec<f64>), ("mirror", mirror), ("api", api)]
        {
            let clients = 20_000u32;
            let mut at_most = [0u32; 4];
            for seed in 0..clients {
                let mut draws = Draws::seeded(u64::from(seed) + 50_000);
                let count = draws.between(60f64.ln(), 600f64.ln()).exp() as usize;
                let sizes = histogram(&sizes(&mut draws, count));
                let p = sameness(&[0], &sizes).unwrap().p_value;
                (1..5).for_each(|depth| at_most[depth - 1] += u32::from(p <= 0.1f64.powi(depth as i32)));
            }
            for (depth, &found) in (1..).zip(&at_most) {
                let expected = f64::from(clients) * 0.1f64.powi(depth);
                assert!(f64::from(found) <= expected + 3.0 * expected.sqrt(), "{name}: {at_most:?}");
            }
        }
    }

    #[test]
    fn an_operators_session_is_found() {
        let mut found = 0;
        for seed in 0..200 {
            let mut draws = Draws::seeded(seed);
            let count = draws.between(150.0, 600.0) as usize;
            let poll = draws.between(300.0, 900.0);
            let mut size = || {
                if draws.uniform() < 0.04 {
                    poll * (1.5 + draws.exponential())
                } else {
                    poll * (1.0 + 0.01 * draws.normal())
                }
            };
            let sizes: Vec<f64> = (0..count).map(|_| size()).collect();
            found += u32::from(sameness(&[0], &histogram(&sizes)).unwrap().p_value <= 1e-3);
        }
        assert!(found >= 180, "{found} of 200");
    }

    #[test]
    fn the_fullest_stretch_is_counted() {
        let starts = [0, 10, 599, 600, 5_000, 5_001, 5_002, 5_003, 9_000];
        let sizes = [SizeCount::new(40, 5), SizeCount::new(41, 3), SizeCount::new(90, 2)];
        let found = sameness(&starts, &sizes).unwrap();
        assert_eq!((found.burst, found.burst_from_s, found.same_size_ratio), (4, 5_000, 0.8));
        assert_eq!(sameness(&[], &sizes), None);
        assert_eq!(sameness(&starts, &[]), None);
    }

    proptest! {
        #[test]
        fn the_p_value_counts_compositions(count in 1u64..40, same in 0u64..40) {
            let same = same.min(count);
            // Compositions of the count into four kinds, of which one has at least so many.
            let mut all = 0u32;
            let mut with = 0u32;
            for a in 0..=count {
                for b in 0..=count - a {
                    for c in 0..=count - a - b {
                        all += 1;
                        with += u32::from([a, b, c, count - a - b - c].iter().any(|&kind| kind >= same));
                    }
                }
            }
            let exact = f64::from(with) / f64::from(all);
            let p = composition_p_value(same, count);
            prop_assert!(p >= exact - 1e-12);
            prop_assert!(2 * same <= count || (p - exact).abs() < 1e-9, "{} {}", p, exact);
        }

        #[test]
        fn any_pair_is_measured_within_bounds(
            mut starts in prop::collection::vec(prop_oneof![-9_000i64..9_000, i64::MIN..i64::MAX], 1..60),
            sizes in prop::collection::btree_map(0u16..976, 1u32..u32::MAX, 1..30),
        ) {
            starts.sort_unstable();
            let sizes: Vec<SizeCount> = sizes.into_iter().map(|(bucket, count)| SizeCount::new(bucket, count)).collect();
            let found = sameness(&starts, &sizes).unwrap();
            prop_assert!((0.0..=1.0).contains(&found.same_size_ratio) && (0.0..=1.0).contains(&found.p_value));
            prop_assert!(found.burst >= 1 && starts.contains(&found.burst_from_s));
        }
    }
}
