//! Control of the share of false findings among many tests.
//!
//! ```
//! use flowsift_kernels::discovery::{benjamini_hochberg, expected_false};
//!
//! let q_values = benjamini_hochberg(&[0.001, 0.2, 0.002, 0.9]);
//! assert_eq!(q_values.iter().filter(|q| **q <= 0.05).count(), 2);
//! assert!(expected_false(&q_values, 0.05) <= 0.05 * 2.0);
//! ```

/// Returns the q-value of every p-value: the smallest false-discovery rate at which it would be reported.
///
/// Benjamini & Hochberg (1995): with p-values ascending, `q_(i) = min over j ≥ i of p_(j)·m/j`. Equal p-values get equal
/// q-values. A NaN counts as a test that found nothing (p = 1) and gets q = 1; values are clamped to [0, 1]. The order is kept.
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let clean = |p: f64| if p.is_nan() { 1.0 } else { p.clamp(0.0, 1.0) };
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| clean(p_values[a]).total_cmp(&clean(p_values[b])).then(a.cmp(&b)));
    let mut q_values = vec![1.0; p_values.len()];
    let mut smallest: f64 = 1.0;
    for (rank, &index) in order.iter().enumerate().rev() {
        smallest = smallest.min(clean(p_values[index]) * p_values.len() as f64 / (rank + 1) as f64);
        q_values[index] = smallest;
    }
    q_values
}

/// Returns the expected number of false findings when everything with `q ≤ rate` is reported.
///
/// That is the largest reported q-value times the number reported, at most `rate` times it.
pub fn expected_false(q_values: &[f64], rate: f64) -> f64 {
    let mut reported = 0usize;
    let mut largest = 0.0f64;
    for &q in q_values {
        if q <= rate {
            reported += 1;
            largest = largest.max(q);
        }
    }
    largest * reported as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition as written: O(n²).
    fn slow(p_values: &[f64]) -> Vec<f64> {
        let total = p_values.len() as f64;
        let rank = |p: f64| p_values.iter().filter(|&&other| other <= p).count() as f64;
        p_values
            .iter()
            .map(|&p| p_values.iter().filter(|&&o| o >= p).map(|&o| o * total / rank(o)).fold(1.0, f64::min))
            .collect()
    }

    #[test]
    fn the_papers_example() {
        let p = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528,
            0.7590, 1.0,
        ];
        let q = benjamini_hochberg(&p);
        assert_eq!(q.iter().filter(|&&q| q <= 0.05).count(), 4);
        assert!((expected_false(&q, 0.05) - 4.0 * 0.0095 * 15.0 / 4.0).abs() < 1e-12);
    }

    #[test]
    fn nan_is_a_test_that_found_nothing() {
        assert_eq!(benjamini_hochberg(&[f64::NAN, 0.001]), vec![1.0, 0.002]);
        assert!(benjamini_hochberg(&[]).is_empty());
        assert_eq!(expected_false(&[], 0.1), 0.0);
    }

    proptest! {
        #[test]
        fn equals_the_definition(p in prop::collection::vec(prop::sample::select(vec![0.0, 1e-9, 0.001, 0.01, 0.02, 0.5, 1.0]), 0..30)) {
            for (fast, slow) in benjamini_hochberg(&p).iter().zip(slow(&p)) {
                prop_assert!((fast - slow).abs() < 1e-12);
            }
        }
    }
}
