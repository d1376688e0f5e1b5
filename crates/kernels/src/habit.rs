//! How unusual a day's count is for somebody with few earlier days.
//!
//! Counts of a day are Poisson with a rate of the identity's own, and rates are gamma over the peers. After `n` days with
//! the sum `S`, a new day is negative binomial with `r = S + w·m` and `p = (n + w)/(n + w + 1)`, where `m` is the peers'
//! mean and `w` the number of days that it weighs (Gelman et al., Bayesian Data Analysis, 3rd ed., §2.6). Over several
//! days `d`, `p = (n + w)/(n + w + d)`: a sum is judged as a whole, so splitting it over days does not hide it.

use crate::special::ln_gamma;

/// Terms after which a tail is taken as what is left of 1: below that it is not small.
const MAX_TERMS: u64 = 100_000;

/// What was counted on earlier days, and what peers do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CountHabit {
    /// The sum over the identity's earlier days.
    pub sum: u64,
    /// The number of those days.
    pub days: u64,
    /// The peers' mean of a day, above 0.
    pub peer_mean: f64,
    /// How many days the peers weigh, above 0.
    pub peer_days: f64,
}

/// Returns the chance of a count of at least `count` over `days` days, 0–1.
///
/// ```
/// use flowsift_kernels::habit::{CountHabit, count_tail};
///
/// let quiet = CountHabit { sum: 1, days: 20, peer_mean: 0.1, peer_days: 5.0 };
/// assert!(count_tail(12, 1, &quiet) < 1e-9);
/// assert_eq!(count_tail(0, 1, &quiet), 1.0);
/// // A scanner is refused every day.
/// let scanner = CountHabit { sum: 240, days: 20, ..quiet };
/// assert!(count_tail(12, 1, &scanner) > 0.2);
/// ```
pub fn count_tail(count: u64, days: u64, habit: &CountHabit) -> f64 {
    if count == 0 || days == 0 {
        return 1.0;
    }
    let weight = habit.peer_days.max(f64::MIN_POSITIVE);
    let r = habit.sum as f64 + (weight * habit.peer_mean).max(1e-9);
    let seen = habit.days as f64 + weight;
    let p = seen / (seen + days as f64);
    let (ln_p, ln_q) = (p.ln(), (1.0 - p).ln());
    let term = |k: u64| {
        let k = k as f64;
        (ln_gamma(k + r) - ln_gamma(r) - ln_gamma(k + 1.0) + r * ln_p + k * ln_q).exp()
    };
    let mean = r * (1.0 - p) / p;
    if (count as f64) > mean {
        // Upwards, where terms fall.
        let (mut sum, mut k) = (0.0, count);
        while k < count + MAX_TERMS {
            let next = term(k);
            sum += next;
            if next <= sum * 1e-16 {
                break;
            }
            k += 1;
        }
        return sum.clamp(0.0, 1.0);
    }
    if count > MAX_TERMS {
        return 1.0;
    }
    (1.0 - (0..count).map(term).sum::<f64>()).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The mixture itself: Poisson tails averaged over the gamma density of the rate, by the midpoint rule.
    fn slow(count: u64, days: u64, habit: &CountHabit) -> f64 {
        let shape = habit.sum as f64 + habit.peer_days * habit.peer_mean;
        let rate = habit.days as f64 + habit.peer_days;
        let (steps, most) = (40_000, (shape + 12.0 * shape.sqrt() + 30.0) / rate);
        let step = most / f64::from(steps);
        let sum: f64 = (0..steps)
            .map(|at| {
                let x = (f64::from(at) + 0.5) * step;
                let density = (shape * rate.ln() + (shape - 1.0) * x.ln() - rate * x - ln_gamma(shape)).exp();
                let mean = x * days as f64;
                let below: f64 =
                    (0..count).map(|k| (k as f64 * mean.ln() - mean - ln_gamma(k as f64 + 1.0)).exp()).sum();
                density * (1.0 - below) * step
            })
            .sum();
        sum.clamp(0.0, 1.0)
    }

    #[test]
    fn extremes_stay_numbers() {
        let none = CountHabit { sum: 0, days: 0, peer_mean: 0.0, peer_days: 0.0 };
        for count in [0, 1, 1_000, u64::from(u32::MAX)] {
            let p = count_tail(count, 1, &none);
            assert!((0.0..=1.0).contains(&p), "{count}: {p}");
        }
        let busy = CountHabit { sum: 10_000_000, days: 10, peer_mean: 1.0, peer_days: 5.0 };
        assert!(count_tail(500_000, 1, &busy) > 0.999);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn equals_the_mixture_that_it_stands_for(
            count in 0u64..25, days in 1u64..4, sum in 2u64..40, own in 1u64..20, mean in 0.2..3.0f64, weight in 1.0..8.0f64,
        ) {
            let habit = CountHabit { sum, days: own, peer_mean: mean, peer_days: weight };
            let (fast, slow) = (count_tail(count, days, &habit), slow(count, days, &habit));
            prop_assert!((fast - slow).abs() < 2e-3, "{fast} {slow}");
        }

        #[test]
        fn more_is_rarer_and_splitting_does_not_hide(count in 1u64..200, sum in 0u64..50, own in 1u64..30, mean in 0.05..3.0f64) {
            let habit = CountHabit { sum, days: own, peer_mean: mean, peer_days: 5.0 };
            prop_assert!(count_tail(count + 1, 1, &habit) <= count_tail(count, 1, &habit) + 1e-12);
            prop_assert!(count_tail(count, 2, &habit) >= count_tail(count, 1, &habit) - 1e-12);
        }
    }
}
