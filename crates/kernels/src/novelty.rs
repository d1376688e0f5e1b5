//! How surprising it is that somebody does what they never did.
//!
//! The unit is a day of one identity. For each dimension of its acts (network, program, service …) the chance of a value
//! that is new to the identity is
//!
//! `P = P_new · q`, with `P_new = (own new days + s·r)/(own days + s)` and `q = (users + ½)/(identities + 1)`,
//!
//! where `r = (new days + ½)/(days + 1)` is the rate of the peers, `s` the number of days that it weighs, and `q` the
//! share of identities that use the value. The surprisal is `−ln P`, in nats, and adds up over dimensions. All counts are
//! of earlier days: what comes on the same day with three stolen accounts would otherwise explain itself.
//!
//! `P_new` is the mean of a beta posterior whose prior is the peers' rate (Gelman et al., Bayesian Data Analysis, 3rd
//! ed., ch. 5); the half counts are the Krichevsky–Trofimov estimator (1981), which never says "impossible".
//!
//! ```
//! use flowsift_kernels::novelty::{new_value_rate, prevalence, shrunken_rate, surprisal};
//!
//! let peers = new_value_rate(8, 400);
//! let settled = shrunken_rate(0, 20, peers, 5.0);
//! let restless = shrunken_rate(6, 20, peers, 5.0);
//! let rare = prevalence(0, 25);
//! assert!(surprisal(settled * rare) > surprisal(restless * rare) + 3.0);
//! ```

/// Returns the rate at which something new comes up, of days: `(new days + ½)/(days + 1)`, in (0, 1].
pub fn new_value_rate(new_days: u64, days: u64) -> f64 {
    ((new_days as f64 + 0.5) / (days as f64 + 1.0)).min(1.0)
}

/// Returns an identity's own rate, shrunken to the rate of its peers as if that had been seen on `weight_days` days.
/// In (0, 1].
pub fn shrunken_rate(new_days: u64, days: u64, peer_rate: f64, weight_days: f64) -> f64 {
    ((new_days as f64 + weight_days * peer_rate) / (days as f64 + weight_days)).clamp(f64::MIN_POSITIVE, 1.0)
}

/// Returns the share of identities that use a value: `(users + ½)/(identities + 1)`, in (0, 1].
pub fn prevalence(users: u64, identities: u64) -> f64 {
    ((users as f64 + 0.5) / (identities as f64 + 1.0)).min(1.0)
}

/// Returns `−ln p` in nats, never below 0; 0 for a chance that is no number.
pub fn surprisal(p: f64) -> f64 {
    if p > 0.0 { (-p.ln()).max(0.0) } else { 0.0 }
}

/// Returns the conformal p-value of a score among `sorted` other scores, ascending: `(1 + how many are ≥ it)/(1 + n)`.
///
/// It is exact if all scores are exchangeable (Vovk, Gammerman & Shafer 2005, ch. 2), and never below `1/(n + 1)`: with
/// 246 others, no false-discovery control at 1 % can find anything.
///
/// ```
/// use flowsift_kernels::novelty::conformal_p;
///
/// assert_eq!(conformal_p(5.0, &[1.0, 2.0, 5.0]), 0.5);
/// assert_eq!(conformal_p(6.0, &[1.0, 2.0, 5.0]), 0.25);
/// ```
pub fn conformal_p(score: f64, sorted: &[f64]) -> f64 {
    let as_high = sorted.len() - sorted.partition_point(|other| *other < score);
    (1 + as_high) as f64 / (1 + sorted.len()) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_values() {
        assert_eq!(new_value_rate(0, 0), 0.5);
        assert_eq!(prevalence(3, 24), 0.14);
        assert_eq!(prevalence(9, 3), 1.0);
        assert_eq!(shrunken_rate(2, 10, 0.1, 10.0), 0.15);
        assert_eq!((surprisal(1.0), surprisal(0.0), surprisal(f64::NAN)), (0.0, 0.0, 0.0));
        assert!((surprisal((-3.0f64).exp()) - 3.0).abs() < 1e-12);
        assert_eq!(conformal_p(1.0, &[]), 1.0);
    }

    proptest! {
        #[test]
        fn a_conformal_p_is_the_share_of_scores_as_high(
            mut scores in prop::collection::vec(0i32..20, 0..60),
            score in 0i32..20,
        ) {
            let slow = (1 + scores.iter().filter(|other| **other >= score).count()) as f64 / (1 + scores.len()) as f64;
            scores.sort_unstable();
            let sorted: Vec<f64> = scores.into_iter().map(f64::from).collect();
            let p = conformal_p(f64::from(score), &sorted);
            prop_assert_eq!(p, slow);
            prop_assert!(p >= 1.0 / (1 + sorted.len()) as f64 && p <= 1.0);
        }

        #[test]
        fn shrinking_stays_between_own_and_peers(new in 0u64..50, more in 0u64..50, peers in 0.001..1.0f64, weight in 0.1..50.0f64) {
            let days = new + more + 1;
            let own = new as f64 / days as f64;
            let rate = shrunken_rate(new, days, peers, weight);
            prop_assert!(rate >= own.min(peers) - 1e-12 && rate <= own.max(peers) + 1e-12);
        }

        #[test]
        fn rarer_values_and_rarer_changes_surprise_more(users in 0u64..50, more in 1u64..50, rate in 0.001..0.9f64) {
            let all = users + more;
            let at = |users| surprisal(rate * prevalence(users, all));
            prop_assert!(at(users) >= at(users + 1));
            prop_assert!(surprisal(rate * 0.5 * prevalence(users, all)) >= at(users));
        }
    }
}
