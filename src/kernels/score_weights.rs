//! Weights 1 of the score, seed 20260102, written by `examples/score_weights.rs`; not edited by hand.

/// What a train without anything has, in logits.
pub(super) const BIAS: f64 = -3.2927;

/// Of evidence alone and times coverage, steadiness and equal sizes.
pub(super) const WEIGHTS: [f64; 4] = [1.4417, 4.2237, 1.3952, 2.6034];
