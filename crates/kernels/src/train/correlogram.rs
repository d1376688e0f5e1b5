//! Beacons under noise (D4): do starts follow others, not only their predecessor, at one lag more often than just below
//! and above it?
//!
//! Noise on the pair, or a second implant, breaks every distance between neighbours, yet each beat still has another beat
//! one period later. All lags `t_j − t_i` up to twelve mean distances are counted (the correlogram, or autocorrelation of
//! a point process: Perkel, Gerstein & Moore 1967). The count `C` in a window of lags is compared with that of its flanks
//! `F`, a window's width on both sides together: a rate that follows the day, and bursts, raise all three alike. For a
//! Poisson stream the contrast `D = C − F` has mean 0 and variance `C + F`, since each start's expected contribution
//! vanishes. Clustered traffic varies more, so the variance is at least what `D` shows between 24 stretches of the train
//! (a block jackknife, Künsch 1989). A lag is combined with its double and treble where they stand out as well: the sum of
//! their heights in standard deviations over the root of their number. The best of all lags and widths is the evidence,
//! after paying for its trials; simulation does the rest.
//!
//! Where starts are closer than two of the log's units, three bins of a unit hold more noise than beats. The lag of a
//! clock whose times are cut to the unit falls into two neighbouring bins, so pairs of bins are tried as well, for lags in
//! quarters of a bin: up to five multiples, within 24 mean distances, decide which pair holds each.
//!
//! A spectral peak sees the same pairs through cosines. It melts with jitter, because phases wander after a few beats;
//! the peak at the first lag stays, as wide as the jitter.
//!
//! ```
//! use flowsift_kernels::simulation::{Draws, Implant};
//! use flowsift_kernels::train::correlogram::correlogram;
//!
//! let implant = Implant { noise: 1.0, ..Implant::sleeping(300.0, 330.0) };
//! let starts = implant.train(&mut Draws::seeded(1), 86_400.0, 1);
//! let found = correlogram(&starts, 1, 86_400.0 / starts.len() as f64).unwrap();
//! assert!((found.period_s - 315.0).abs() < 20.0);
//! assert!(found.evidence > 6.0);
//! ```

use super::counted_evidence::CountedEvidence;
use super::lags::{Chain, LagWindow, Lags, MAX_BEATS};
use crate::special::ln_normal_cdf;

/// A hill of at least this share of the clearest may be the period.
const CLEAR: f64 = 0.6;

/// The lag at which starts follow others most clearly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Correlogram {
    /// Number of starts used.
    pub count: usize,
    /// The lag in seconds.
    pub period_s: f64,
    /// Half the width of its window in seconds.
    pub half_width_s: f64,
    /// Starts that another follows at this lag, beyond those of the flanks: about the number of beats.
    pub beats: f64,
    /// Another clear lag that is no multiple of the first, in seconds: a second implant on the same pair.
    pub other_period_s: Option<f64>,
    /// −log10 of the upper-tail probability under a Poisson stream, trials paid for; at least 0.
    pub evidence: f64,
}

/// Finds the lag at which sorted starts follow others. They are known to `unit_s` seconds, and on average `mean_s` seconds
/// apart while active.
///
/// `None` for fewer than 40 starts, or when no lag can be told from its neighbours. Of more than 4,096 starts only the
/// latest are used; the work is twelve lags per start.
pub fn correlogram(starts_s: &[i64], unit_s: i64, mean_s: f64) -> Option<Correlogram> {
    let lags = Lags::new(starts_s, unit_s, mean_s)?;
    let evidence = evidence_of(&lags, mean_s)?;
    // For the period each hill is judged without multiples: half a period has the whole one among its multiples.
    let (alone, _) = lags.hills(lags_of(&lags, mean_s), lags.widths(), 1);
    let judged: Vec<(f64, LagWindow)> =
        alone.iter().map(|&(height, chain)| (height / spread(&lags, chain), chain.first)).collect();
    let clearest = judged.iter().map(|hill| hill.0).reduce(f64::max)?;
    let clear = || judged.iter().filter(|hill| hill.0 >= CLEAR * clearest).map(|hill| hill.1);
    // Beats also follow the last but one: the shortest lag that is nearly as clear is the period.
    let window = clear().min_by_key(|window| window.centre())?;
    let others = clear().filter(|other| !is_multiple(*other, window)).min_by_key(|other| other.centre());
    let (window, other) = match lags.split(window) {
        Some((first, second)) => (first, (!is_multiple(second, first)).then_some(second)),
        None => (window, others),
    };
    Some(Correlogram {
        other_period_s: other.map(|other| lags.middle(other) * lags.bin_s),
        count: lags.start_bins.len(),
        period_s: lags.middle(window) * lags.bin_s,
        half_width_s: 0.5 * window.width as f64 * lags.bin_s,
        beats: lags.contrast(window).0,
        evidence,
    })
}

/// Returns the evidence of [`correlogram`] without the rest of it.
pub fn evidence(starts_s: &[i64], unit_s: i64, mean_s: f64) -> Option<CountedEvidence> {
    let lags = Lags::new(starts_s, unit_s, mean_s)?;
    Some(CountedEvidence { count: lags.start_bins.len(), evidence: evidence_of(&lags, mean_s)? })
}

/// Returns an upper bound of the evidence where `is_weak` accepts it, which saves most of the work; else what [`evidence`]
/// returns.
pub fn evidence_or_bound(
    starts_s: &[i64],
    unit_s: i64,
    mean_s: f64,
    is_weak: impl FnOnce(CountedEvidence) -> bool,
) -> Option<CountedEvidence> {
    let lags = Lags::new(starts_s, unit_s, mean_s)?;
    let (height, trials) = lags.highest(lags_of(&lags, mean_s), MAX_BEATS)?;
    let bound = CountedEvidence { count: lags.start_bins.len(), evidence: evidence_at(height, trials) };
    if is_weak(bound) {
        return Some(bound);
    }
    Some(CountedEvidence { evidence: evidence_of(&lags, mean_s)?, ..bound })
}

/// Returns the lags that may be a period.
fn lags_of(lags: &Lags, mean_s: f64) -> std::ops::RangeInclusive<usize> {
    (0.7 * mean_s / lags.bin_s) as usize..=lags.longest()
}

/// Returns how much more a chain's height varies than that of a Poisson stream, at least 1.
fn spread(lags: &Lags, chain: Chain) -> f64 {
    lags.block_variance(chain).max(1.0).sqrt()
}

/// Returns −log10 of the probability that the highest of `trials` independent windows is as high.
fn evidence_at(height: f64, trials: f64) -> f64 {
    let ln_p = ln_normal_cdf(-height) + trials.max(1.0).ln();
    (-ln_p / std::f64::consts::LN_10).max(0.0)
}

fn evidence_of(lags: &Lags, mean_s: f64) -> Option<f64> {
    let (hills, trials) = lags.hills(lags_of(lags, mean_s), lags.widths(), MAX_BEATS);
    let mut steady: Option<f64> = None;
    for &(height, chain) in &hills {
        // Hills come in descending order, and dividing by the spread only lowers them.
        if steady.is_none_or(|steady| steady < height) {
            let here = height / spread(lags, chain);
            steady = Some(steady.map_or(here, |steady| steady.max(here)));
        }
    }
    Some(evidence_at(steady?, trials))
}

/// Returns whether a hill is that of several beats of `first`, whose widths add up as those of sums of sleeps do.
fn is_multiple(hill: LagWindow, first: LagWindow) -> bool {
    // Also halves: where no lag is shorter than the period, the clearest is that of two beats.
    let times = (2.0 * hill.centre() as f64 / first.centre().max(1) as f64).round().max(2.0) / 2.0;
    let away = (hill.centre() as f64 - times * first.centre() as f64).abs();
    // Middles of hills are known to about half of their widths.
    away <= 0.5 * (first.half() + 1) as f64 * times.sqrt() + 0.5 * hill.half() as f64 + 1.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::{Benign, Draws, Implant};
    use crate::train::lags::{BLOCKS, Chain};
    use proptest::prelude::*;

    fn mean_s(starts: &[i64]) -> f64 {
        (starts[starts.len() - 1] - starts[0]) as f64 / (starts.len() - 1) as f64
    }

    #[test]
    fn beats_are_seen_under_noise() {
        for (noise, jitter, least) in [(1.0, 30.0, 12.0), (3.0, 30.0, 4.0), (0.5, 150.0, 6.0)] {
            let implant = Implant { noise, ..Implant::sleeping(300.0, 300.0 + jitter) };
            let mut depths: Vec<f64> = (0..20)
                .map(|seed| {
                    let starts = implant.train(&mut Draws::seeded(seed), 86_400.0, 1);
                    let found = correlogram(&starts, 1, mean_s(&starts)).unwrap();
                    assert!((found.period_s - 300.0 - 0.5 * jitter).abs() < 0.5 * jitter + 10.0, "{found:?}");
                    found.evidence
                })
                .collect();
            depths.sort_by(f64::total_cmp);
            assert!(depths[2] > least, "{noise} {jitter} {depths:?}");
        }
    }

    /// Three bins of a minute hold more noise than beats here, and gave a median below 5.
    #[test]
    fn beats_are_seen_under_noise_on_a_coarse_clock() {
        let implant = Implant { noise: 3.0, ..Implant::sleeping(300.0, 330.0) };
        let mut depths: Vec<f64> = (0..40)
            .map(|seed| {
                let starts = implant.train(&mut Draws::seeded(seed), 86_400.0, 60);
                correlogram(&starts, 60, mean_s(&starts)).unwrap().evidence
            })
            .collect();
        depths.sort_by(f64::total_cmp);
        assert!(depths[20] > 6.0 && depths[4] > 3.0, "{depths:?}");
    }

    #[test]
    fn a_second_implant_is_named_and_multiples_are_not() {
        let mut named = 0;
        for seed in 0..20 {
            let mut draws = Draws::seeded(500 + seed);
            let one = Implant::sleeping(300.0, 315.0).train(&mut draws, 86_400.0, 1);
            let alone = correlogram(&one, 1, mean_s(&one)).unwrap();
            assert_eq!(alone.other_period_s, None, "{alone:?}");
            let mut both = [one, Implant::sleeping(410.0, 430.0).train(&mut draws, 86_400.0, 1)].concat();
            both.sort_unstable();
            let found = correlogram(&both, 1, mean_s(&both)).unwrap();
            named += usize::from(found.other_period_s.is_some_and(|other| (other - 420.0).abs() < 15.0));
        }
        assert!(named >= 15, "{named} of 20");
    }

    #[test]
    fn random_traffic_follows_nothing() {
        let mut deepest: f64 = 0.0;
        for seed in 0..200 {
            let mut draws = Draws::seeded(seed);
            let starts = Benign::Poisson.train(&mut draws, 300, 280.0, 1);
            deepest = deepest.max(correlogram(&starts, 1, mean_s(&starts)).map_or(0.0, |found| found.evidence));
        }
        assert!(deepest < 4.0, "{deepest}");
    }

    /// Returns what a lag counts for in a window.
    fn weight(window: LagWindow, lag: usize) -> f64 {
        let LagWindow { low, width } = window;
        if (low..low + width).contains(&lag) {
            1.0
        } else if (low - window.flank()..low + width + window.flank()).contains(&lag) {
            -window.flank_weight()
        } else {
            0.0
        }
    }

    /// The contrast of each block and the variance by comparing every start with every other.
    fn slow_contrasts(starts: &[i64], bin: i64, window: LagWindow) -> ([f64; BLOCKS], f64) {
        let (mut contrasts, mut variance) = ([0.0; BLOCKS], 0.0);
        for (at, &from) in starts.iter().enumerate() {
            for &to in &starts[at + 1..] {
                let lag = (to - starts[0]) / bin - (from - starts[0]) / bin;
                let weight = weight(window, lag as usize);
                contrasts[at * BLOCKS / starts.len()] += weight;
                variance += weight * weight;
            }
        }
        (contrasts, variance)
    }

    fn slow_contrast(starts: &[i64], bin: i64, window: LagWindow) -> (f64, f64) {
        let (contrasts, variance) = slow_contrasts(starts, bin, window);
        (contrasts.iter().sum(), variance)
    }

    /// The variance of a chain's height from those contrasts.
    fn slow_block_variance(starts: &[i64], bin: i64, chain: Chain) -> f64 {
        let mut sums = [0.0; BLOCKS];
        for window in chain.windows() {
            let (contrasts, variance) = slow_contrasts(starts, bin, window);
            sums.iter_mut().zip(contrasts).for_each(|(sum, contrast)| *sum += contrast / variance.sqrt());
        }
        let sums = sums.map(|sum| sum / (chain.beats as f64).sqrt());
        let mean = sums.iter().sum::<f64>() / BLOCKS as f64;
        sums.iter().map(|sum| (sum - mean).powi(2)).sum::<f64>() * BLOCKS as f64 / (BLOCKS - 1) as f64
    }

    proptest! {
        #[test]
        fn contrasts_equal_their_slow_twin(
            mut starts in prop::collection::vec(0i64..20_000, 40..90), unit in prop::sample::select(vec![1i64, 60]),
            width in 2usize..12, more in 0usize..20, quarter in 0usize..4, beats in 1usize..4,
        ) {
            starts.sort_unstable();
            if let Some(lags) = Lags::new(&starts, unit, mean_s(&starts)) {
                let window = LagWindow { low: width / 2 + 1 + more, width };
                if window.reach() <= lags.longest() {
                    let (contrast, variance) = lags.contrast(window);
                    let bin = lags.bin_s as i64;
                    let (slow, slow_variance) = slow_contrast(&starts, bin, window);
                    prop_assert!((contrast - slow).abs() < 1e-6 && (variance - slow_variance).abs() < 1e-6);
                    let chain = Chain { first: window, quarter, beats };
                    let heights = chain.windows().map_while(|window| {
                        let (contrast, variance) = slow_contrast(&starts, bin, window);
                        (window.reach() <= lags.longest() && contrast > 0.0).then(|| contrast / variance.sqrt())
                    });
                    let heights: Vec<f64> = heights.collect();
                    let beginnings = (1..=heights.len())
                        .map(|beats| (heights[..beats].iter().sum::<f64>() / (beats as f64).sqrt(), beats));
                    if let Some((most, beats)) = beginnings.reduce(|a, b| if b.0 > a.0 { b } else { a }) {
                        let (height, best) = lags.best_beginning(heights[0], chain);
                        prop_assert!((height - most).abs() < 1e-6);
                        prop_assert_eq!(best, Chain { beats, ..chain });
                        let (variance, slow) = (lags.block_variance(best), slow_block_variance(&starts, bin, best));
                        prop_assert!((variance - slow).abs() < 1e-6 * (1.0 + slow), "{} {}", variance, slow);
                    }
                }
            }
        }

        #[test]
        fn the_bound_is_one_and_the_begin_does_not_matter(
            mut starts in prop::collection::vec(0i64..9_000, 30..120), unit in prop::sample::select(vec![1i64, 60]),
            shift in -1_000_000_000i64..1_000_000_000,
        ) {
            starts.sort_unstable();
            let found = correlogram(&starts, unit, mean_s(&starts));
            let exact = evidence_or_bound(&starts, unit, mean_s(&starts), |_| false);
            prop_assert_eq!(exact, found.map(|found| CountedEvidence { count: found.count, evidence: found.evidence }));
            prop_assert_eq!(exact, evidence(&starts, unit, mean_s(&starts)));
            let bound = evidence_or_bound(&starts, unit, mean_s(&starts), |_| true);
            prop_assert_eq!(found.is_some(), bound.is_some());
            if let Some(lags) = Lags::new(&starts, unit, mean_s(&starts)) {
                let (hills, trials) = lags.hills(1..=lags.longest(), lags.widths(), 3);
                let highest = lags.highest(1..=lags.longest(), 3);
                prop_assert_eq!(highest.map(|highest| highest.1), hills.first().map(|_| trials));
                prop_assert!(hills.first().is_none_or(|hill| highest.is_some_and(|highest| highest.0 >= hill.0)));
            }
            if let (Some(found), Some(bound)) = (found, bound) {
                prop_assert!(found.count == bound.count && found.evidence <= bound.evidence + 1e-9);
            }
            let moved: Vec<i64> = starts.iter().map(|start| start + shift).collect();
            prop_assert_eq!(correlogram(&moved, unit, mean_s(&starts)), found);
        }
    }
}
