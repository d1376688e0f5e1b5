//! Weights 1 of the score, seed 20260102, written by the example `score_weights` of flowsift-corpus; not edited by hand.

/// Score of a train without any evidence, in logits.
pub(super) const BIAS: f64 = -3.2927;

/// Weights of evidence alone, and of evidence times coverage, steadiness and equal sizes.
pub(super) const WEIGHTS: [f64; 4] = [1.4417, 4.2237, 1.3952, 2.6034];
