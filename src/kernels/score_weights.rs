//! Weights 1 of the score, seed 20260102, written by `examples/score_weights.rs`; not edited by hand.

/// What a train without anything has, in logits.
pub(super) const BIAS: f64 = -3.8465;

/// Of evidence alone and times coverage, steadiness and equal sizes.
pub(super) const WEIGHTS: [f64; 4] = [1.6780, 5.7828, 1.6531, 3.5530];
