//! Whether uses from two places alternate as if both went on at once, or follow one another as on a journey.
//!
//! Whoever moves from place A to place B changes once. Two who share a credential change as often as their uses fall
//! between each other. The number of runs (stretches of the same place) is compared with what shuffling the same uses
//! gives, which has a closed form (Wald & Wolfowitz 1940): with `a` uses from A and `b` from B,
//!
//! `P(2k runs) = 2·C(a−1, k−1)·C(b−1, k−1)/C(a+b, a)`,
//! `P(2k+1 runs) = (C(a−1, k)·C(b−1, k−1) + C(a−1, k−1)·C(b−1, k))/C(a+b, a)`.
//!
//! So it is a shuffle test without shuffling.

use crate::special::ln_gamma;

/// Uses of one credential from two places, in order of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interleaving {
    /// Uses from the first place.
    pub a: u64,
    /// Uses from the second place.
    pub b: u64,
    /// How often the place changes from one use to the next.
    pub switches: u64,
    /// The chance that a shuffle of the same uses has no more switches, 0–1. Near 0 for a journey; not small if both
    /// places were used at once.
    pub p_no_more: f64,
}

/// Judges a sequence of uses: `false` for the first place, `true` for the second. `None` unless both occur.
///
/// ```
/// use flowsift_kernels::interleaving::interleaving;
///
/// let journey: Vec<bool> = (0..20).map(|use_| use_ >= 10).collect();
/// assert!(interleaving(&journey).unwrap().p_no_more < 1e-4);
/// let at_once: Vec<bool> = (0..20).map(|use_| use_ % 3 == 0).collect();
/// assert!(interleaving(&at_once).unwrap().p_no_more > 0.5);
/// ```
pub fn interleaving(places: &[bool]) -> Option<Interleaving> {
    let b = places.iter().filter(|place| **place).count() as u64;
    let a = places.len() as u64 - b;
    if a == 0 || b == 0 {
        return None;
    }
    let switches = places.windows(2).filter(|pair| pair[0] != pair[1]).count() as u64;
    let total = ln_choose(a + b, a);
    let p: f64 = (2..=switches + 1).map(|runs| (ln_ways(a, b, runs) - total).exp()).sum();
    Some(Interleaving { a, b, switches, p_no_more: p.clamp(0.0, 1.0) })
}

/// Returns the logarithm of the number of sequences with so many runs, at least 2.
fn ln_ways(a: u64, b: u64, runs: u64) -> f64 {
    let half = runs / 2;
    let ways = |of_a: u64, of_b: u64| ln_choose(a - 1, of_a - 1) + ln_choose(b - 1, of_b - 1);
    if runs.is_multiple_of(2) {
        std::f64::consts::LN_2 + ways(half, half)
    } else {
        let (one, other) = (ways(half + 1, half), ways(half, half + 1));
        let most = one.max(other);
        if most == f64::NEG_INFINITY { most } else { most + ((one - most).exp() + (other - most).exp()).ln() }
    }
}

/// Returns the logarithm of a binomial coefficient; −∞ where there is no way.
fn ln_choose(n: u64, k: u64) -> f64 {
    if k > n {
        return f64::NEG_INFINITY;
    }
    let ln_factorial = |n: u64| ln_gamma(n as f64 + 1.0);
    ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every arrangement of the same uses.
    fn slow(places: &[bool]) -> f64 {
        let (n, b) = (places.len() as u32, places.iter().filter(|place| **place).count() as u32);
        let switches = |bits: u32| ((bits ^ (bits >> 1)) & ((1 << (n - 1)) - 1)).count_ones();
        let own = (0..n).fold(0, |bits, at| bits | u32::from(places[at as usize]) << at);
        let all: Vec<u32> = (0u32..1 << n).filter(|bits| bits.count_ones() == b).collect();
        all.iter().filter(|bits| switches(**bits) <= switches(own)).count() as f64 / all.len() as f64
    }

    #[test]
    fn one_place_is_no_question() {
        assert_eq!(interleaving(&[]), None);
        assert_eq!(interleaving(&[true, true]), None);
        let once = interleaving(&[false, true]).unwrap();
        assert_eq!((once.a, once.b, once.switches), (1, 1, 1));
        assert!((once.p_no_more - 1.0).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn equals_shuffling_in_every_way(places in prop::collection::vec(any::<bool>(), 2..13)) {
            if let Some(judged) = interleaving(&places) {
                prop_assert!((judged.p_no_more - slow(&places)).abs() < 1e-9, "{} {}", judged.p_no_more, slow(&places));
            }
        }
    }
}
