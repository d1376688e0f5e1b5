//! p-values by the simulated composite null, and their combination.
//!
//! Each statistic comes as *evidence*: −log10 of its tail probability under a reference null, computed in closed form.
//! What the benign families of [`super::simulation::Benign`] really do to it, after coalescing, trimming and rounding,
//! is measured by `examples/null_tables.rs` and kept in `null_table.rs`: for every method, class ([`class_of`]) and number
//! of intervals the evidence that only 10^-1, 10^-2, 10^-3, 10^-6 and 10^-12 of the trains of the *worst* family exceed.
//! The first two are counted; below 10^-2 each family's tail is an exponential fitted to its excesses over its 1 %
//! point (mean excess; a generalised Pareto tail of shape 0, Pickands 1975), its slope at most that of the reference
//! null, and the worst family is taken anew at each depth. Between depths the table is interpolated linearly, beyond
//! the last it goes on with the last slope: the evidence grows with the number of intervals like a large deviation, so
//! both are straight lines in theory. Of more intervals than the
//! last simulated column has, the evidence is scaled down to it.

use super::intervals::Beats;
use super::null_table::{KNOTS, TABLE};

/// The numbers of intervals at which the null was simulated.
pub const COUNTS: [usize; 14] = [5, 7, 10, 14, 20, 28, 40, 64, 100, 160, 250, 400, 640, 1000];

/// −log10 p of the knots of a row.
pub const DEPTHS: [f64; 5] = [1.0, 2.0, 3.0, 6.0, 12.0];

/// The tests that are combined; each has its own null table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Regularity of the distances as they are.
    Plain,
    /// Regularity after coalescing bursts.
    Coalesced,
    /// Missed beats.
    Phase,
    /// Under-dispersed counts.
    Counts,
    /// Starts that follow others at one lag.
    Lags,
}

impl Method {
    /// Every method, in table order.
    pub const ALL: [Self; 5] = [Self::Plain, Self::Coalesced, Self::Phase, Self::Counts, Self::Lags];

    /// The share of the error budget a method spends; the shares sum to 1.
    pub fn share(self) -> f64 {
        match self {
            Self::Plain => 0.35,
            Self::Coalesced => 0.2,
            Self::Phase => 0.15,
            Self::Counts => 0.15,
            Self::Lags => 0.15,
        }
    }
}

/// Resolution classes.
pub const RESOLUTIONS: usize = 4;

/// Classes of trains, each with its own null: every resolution, without and with gaps cut out.
pub const CLASSES: usize = 2 * RESOLUTIONS;

/// How fine the clock is against the typical distance: 0 below two units, 1 below four, 2 below twelve, else 3.
pub fn resolution(median_s: f64, unit_s: i64) -> usize {
    let ratio = median_s / unit_s as f64;
    [2.0, 4.0, 12.0].iter().filter(|&&edge| ratio >= edge).count()
}

/// The class of a train: its resolution, plus four when gaps were cut out.
///
/// Cutting the longest distances out makes any train look more regular, so such trains are compared with benign trains
/// that were cut as well.
pub fn class_of(beats: &Beats, unit_s: i64) -> usize {
    resolution(beats.median_s, unit_s) + if beats.gap_s.is_finite() { RESOLUTIONS } else { 0 }
}

/// Gives −log10 of the calibrated p-value of one method's evidence; at least 0.
///
/// `count` is the number of intervals (or windows) behind it, `class` that of [`class_of`].
pub fn calibrated(method: Method, class: usize, count: usize, evidence: f64) -> f64 {
    let rows: &[[f32; KNOTS]; COUNTS.len()] = &TABLE[method as usize][class.min(CLASSES - 1)];
    let last = last_simulated(rows);
    // A row that is the same for any number was not simulated at all: it is as strict as can be already.
    if last > 0 && count > COUNTS[last] {
        // Of traffic that is more regular than the reference null every interval adds evidence: it is taken for as many
        // intervals as were simulated, so that their number alone is never any.
        return along(&rows[last], evidence * COUNTS[last] as f64 / count as f64);
    }
    let above = COUNTS.partition_point(|&known| known <= count);
    if above == 0 {
        return along(&rows[0], evidence);
    }
    if above == COUNTS.len() {
        return along(&rows[above - 1], evidence);
    }
    let (low, high) = (COUNTS[above - 1] as f64, COUNTS[above] as f64);
    let share = (count as f64 / low).ln() / (high / low).ln();
    let (left, right) = (&rows[above - 1], &rows[above]);
    let mut mixed = [0f32; KNOTS];
    for (knot, mixed) in mixed.iter_mut().enumerate() {
        *mixed = left[knot] + share as f32 * (right[knot] - left[knot]);
    }
    along(&mixed, evidence)
}

/// The last column that enough families reached: those behind it repeat it.
fn last_simulated(rows: &[[f32; KNOTS]; COUNTS.len()]) -> usize {
    let last = COUNTS.len() - 1;
    (0..last).rev().take_while(|&at| rows[at] == rows[last]).last().unwrap_or(last)
}

/// Reads −log10 p off one row.
fn along(row: &[f32; KNOTS], evidence: f64) -> f64 {
    let (mut from, mut depth) = (0.0, 0.0);
    let mut slope = 1.0;
    for (&knot, known) in row.iter().zip(DEPTHS) {
        let knot = f64::from(knot);
        if knot > from {
            slope = (known - depth) / (knot - from);
        }
        if evidence < knot {
            return if knot > from { (depth + slope * (evidence - from)).max(0.0) } else { depth };
        }
        (from, depth) = (knot, known);
    }
    depth + slope.min(1.0) * (evidence - from)
}

/// Combines the methods' −log10 p into one: the best, each having paid for its share of the error budget.
///
/// A weighted Bonferroni (Holm 1979 step one): valid for any dependence between the statistics. Gives −log10 p (at
/// least 0) and the index of the method that carries it; `None` for an empty slice.
pub fn combine(methods: &[(Method, f64)]) -> Option<(f64, Method)> {
    let paid = |&(method, depth): &(Method, f64)| (depth + method.share().log10(), method);
    let (depth, method) = methods.iter().map(paid).reduce(|best, next| if next.0 > best.0 { next } else { best })?;
    Some((depth.max(0.0), method))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shares_are_a_budget() {
        let sum: f64 = Method::ALL.iter().map(|method| method.share()).sum();
        assert!((sum - 1.0).abs() < 1e-12);
        assert_eq!(combine(&[]), None);
        let (depth, method) = combine(&[(Method::Plain, 3.0), (Method::Phase, 9.0)]).unwrap();
        assert_eq!(method, Method::Phase);
        assert!((depth - (9.0 + 0.15f64.log10())).abs() < 1e-12);
    }

    #[test]
    fn rows_are_read_exactly_at_their_knots() {
        let row = [0.5, 1.5, 2.5, 6.5, 14.5];
        for (knot, depth) in row.iter().zip(DEPTHS) {
            assert!((along(&row, f64::from(*knot)) - depth).abs() < 1e-6);
        }
        assert!((along(&row, 0.25) - 0.5).abs() < 1e-6);
        assert!((along(&row, 18.5) - 15.0).abs() < 1e-6, "the last slope goes on");
    }

    proptest! {
        #[test]
        fn more_evidence_is_never_a_larger_p(
            method in prop::sample::select(Method::ALL.to_vec()), class in 0..CLASSES, count in 1usize..3000,
            low in 0.0..50.0f64, more in 0.0..50.0f64,
        ) {
            prop_assert!(calibrated(method, class, count, low) <= calibrated(method, class, count, low + more) + 1e-9);
        }
    }
}
