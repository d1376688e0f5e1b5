//! The rank of a beacon among findings: a logistic model of four numbers.
//!
//! `score = 1 / (1 + exp(−(b + e·(w₀ + w₁·c + w₂·s + w₃·z))))` of evidence e, coverage c, steadiness s and equal sizes z,
//! each between 0 and 1, each w at least 0. More of anything never lowers the score. Long presence and equal sizes count
//! only as far as there is evidence, since random traffic may have both. `score_weights`, an example of the crate
//! `flowsift-corpus`, fits the weights to implants of every scenario of the suite among benign traffic and writes them to
//! `score_weights.rs`; it also reports how a scenario fares under weights that were fitted without it.
//!
//! ```
//! use flowsift_kernels::beacon::score::Features;
//! use flowsift_kernels::sizes::SizeCount;
//!
//! let equal_sizes = [SizeCount::new(200, 96)];
//! let deep = Features::new(40.0, 1.0, 0.1, &equal_sizes);
//! let shallow = Features::new(3.0, 1.0, 0.1, &equal_sizes);
//! assert!(deep.score() > 0.9 && deep.score() > shallow.score());
//! ```

use super::score_weights::{BIAS, WEIGHTS};
use super::window::ObservedWindow;
use crate::lost::Lost;
use crate::sizes::{self, SizeCount};

/// Depth, −log10 of a p-value, that counts as half of all evidence.
const HALF_DEPTH: f64 = 5.0;

/// Equal parts of the window that are examined for check-ins.
const PARTS: i64 = 24;

/// What a train is ranked by; each 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Features {
    /// `d / (d + 5)` of d = −log10 p: evidence against random traffic.
    pub evidence: f64,
    /// Root of the share of the window between first and last start times the share of 24 parts with a check-in.
    pub coverage: f64,
    /// `1 / (1 + jitter)`.
    pub steadiness: f64,
    /// Half of `1 −` the quartile dispersion of bytes out plus half the share of the commonest size; ½ when unknown.
    pub same_size: f64,
}

impl Features {
    /// Computes the features from −log10 p, coverage (0 to 1), jitter ratio (0 and above) and the histogram of bytes out.
    pub fn new(depth: f64, coverage: f64, jitter_ratio: f64, sizes: &[SizeCount]) -> Self {
        let depth = depth.max(0.0);
        Self {
            evidence: depth / (depth + HALF_DEPTH),
            coverage: coverage.clamp(0.0, 1.0),
            steadiness: 1.0 / (1.0 + jitter_ratio.max(0.0)),
            same_size: sizes::dispersion(sizes)
                .map_or(0.5, |spread| 0.5 * (1.0 - spread) + 0.5 * sizes::mode_share(sizes)),
        }
    }

    /// Returns what the weights apply to: evidence, and evidence times each of the others.
    pub fn values(&self) -> [f64; 4] {
        let e = self.evidence;
        [e, e * self.coverage, e * self.steadiness, e * self.same_size]
    }

    /// Returns the score under the fitted weights, 0 to 1.
    pub fn score(&self) -> f64 {
        self.score_with(BIAS, &WEIGHTS)
    }

    /// Returns the score under given weights, 0 to 1.
    pub fn score_with(&self, bias: f64, weights: &[f64; 4]) -> f64 {
        let sum: f64 = self.values().iter().zip(weights).map(|(value, weight)| value * weight).sum();
        1.0 / (1.0 + (-(bias + sum)).exp())
    }
}

/// Returns the share of 24 equal parts of the window that hold a check-in; parts that are mostly lost are left out.
pub(super) fn filled_share(check_ins_s: &[i64], observed: &ObservedWindow, lost: Lost<'_>) -> f64 {
    let length = (observed.to_s - observed.from_s).max(1);
    let mut filled = [false; PARTS as usize];
    for &check_in in check_ins_s {
        let passed = check_in - observed.from_s;
        // The product of any present-day time fits into 64 bits; dividing 128 bits takes ten times as long.
        let index = match passed.checked_mul(PARTS) {
            Some(passed) => (passed / length).clamp(0, PARTS - 1) as usize,
            None => (i128::from(passed) * i128::from(PARTS) / i128::from(length)).clamp(0, 23) as usize,
        };
        filled[index] = true;
    }
    let begin = |part: i64| observed.from_s + (i128::from(length) * i128::from(part) / i128::from(PARTS)) as i64;
    let is_known =
        |part: i64| lost.is_empty() || 2 * lost.seconds(begin(part), begin(part + 1)) <= begin(part + 1) - begin(part);
    let known = (0..PARTS).filter(|&part| filled[part as usize] || is_known(part)).count();
    filled.iter().filter(|filled| **filled).count() as f64 / known.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lost::Stretch;
    use proptest::prelude::*;

    #[test]
    fn a_lost_part_is_not_empty() {
        let observed = ObservedWindow { from_s: 0, to_s: 86_400, window_s: 60 };
        let check_ins: Vec<i64> = (0..12).map(|hour| hour * 3600 + 9).collect();
        assert_eq!(filled_share(&check_ins, &observed, Lost::NONE), 0.5);
        assert_eq!(filled_share(&check_ins, &observed, Lost::new(&[Stretch::new(43_200, 86_400)])), 1.0);
        assert_eq!(filled_share(&check_ins, &observed, Lost::new(&[Stretch::new(43_200, 64_800)])), 12.0 / 18.0);
    }

    proptest! {
        #[test]
        fn more_of_anything_is_never_less(values in prop::array::uniform4(0.0..1.0f64), at in 0usize..4, more in 0.0..1.0f64) {
            let features = |v: [f64; 4]| Features { evidence: v[0], coverage: v[1], steadiness: v[2], same_size: v[3] };
            let mut raised = values;
            raised[at] = (raised[at] + more).min(1.0);
            prop_assert!(features(raised).score() >= features(values).score());
            prop_assert!((0.0..=1.0).contains(&features(values).score()));
        }
    }
}
