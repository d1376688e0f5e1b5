//! p-values by a simulated composite null, and their combination.
//!
//! Each test reports *evidence*: −log10 of its tail probability under a reference null, computed in closed form. What the
//! benign families of [`crate::simulation::Benign`] really do to it, after coalescing, trimming and rounding, is measured
//! by `examples/null_tables.rs` and kept in `null_table.rs`: for every method, class ([`class_of`]) and number of
//! intervals, the evidence that only 10^-1, 10^-2, 10^-3, 10^-6 and 10^-12 of the trains of the *worst* family exceed.
//!
//! The first two are counted. Below 10^-2 each family's tail is an exponential fitted to its excesses over its 1 % point
//! (mean excess; a generalised Pareto tail of shape 0, Pickands 1975), its slope at most that of the reference null, and
//! the worst family is chosen anew at each depth. Between depths the table is interpolated linearly; beyond the last it
//! continues with the last slope. Evidence grows with the number of intervals like a large deviation, so both are
//! straight lines in theory. With more intervals than the last simulated column, the evidence is scaled down to it.
//!
//! ```
//! use flowsift_kernels::calibration::{Evidence, Method, MethodDepth, combine};
//!
//! let evidence = Evidence { method: Method::Plain, class: 3, count: 40, evidence: 12.0 };
//! let depth = evidence.calibrated();
//! assert!(depth > 6.0 && depth < 12.0);
//! let best = combine(&[evidence.depth(), MethodDepth { method: Method::Counts, depth: 0.2 }]).unwrap();
//! assert_eq!(best.method, Method::Plain);
//! assert!(best.depth < depth, "each method pays for its share of the error budget");
//! ```

mod null_table;

use crate::train::CountedEvidence;
use crate::train::intervals::Beats;
use null_table::{KNOTS, TABLE};

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

    /// Returns the share of the error budget that the method spends; the shares sum to 1.
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

/// Returns how fine the clock is against the typical distance: 0 below two units, 1 below four, 2 below twelve, else 3.
pub fn resolution(median_s: f64, unit_s: i64) -> usize {
    let ratio = median_s / unit_s as f64;
    [2.0, 4.0, 12.0].iter().filter(|&&edge| ratio >= edge).count()
}

/// Returns the class of a train: its resolution, plus four when gaps were cut out.
///
/// Cutting out the longest distances makes any train look more regular, so such trains are compared with benign trains
/// that were cut as well.
pub fn class_of(beats: &Beats, unit_s: i64) -> usize {
    resolution(beats.median_s, unit_s) + if beats.gap_s.is_finite() { RESOLUTIONS } else { 0 }
}

/// The evidence of one test on one train, before calibration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence {
    /// The test.
    pub method: Method,
    /// Class of the train, as [`class_of`] returns it.
    pub class: usize,
    /// Number of intervals behind it; windows for counts, starts for lags.
    pub count: usize,
    /// −log10 of the tail probability under the reference null.
    pub evidence: f64,
}

impl Evidence {
    pub(crate) fn new(method: Method, class: usize, found: CountedEvidence) -> Self {
        Self { method, class, count: found.count, evidence: found.evidence }
    }

    /// Returns −log10 of the calibrated p-value; at least 0.
    pub fn calibrated(&self) -> f64 {
        calibrated(self.method, self.class, self.count, self.evidence)
    }

    /// Returns the calibrated depth together with its method.
    pub fn depth(&self) -> MethodDepth {
        MethodDepth { method: self.method, depth: self.calibrated() }
    }
}

/// A method and −log10 of its p-value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MethodDepth {
    /// The test.
    pub method: Method,
    /// −log10 p, at least 0.
    pub depth: f64,
}

fn calibrated(method: Method, class: usize, count: usize, evidence: f64) -> f64 {
    let rows: &[[f32; KNOTS]; COUNTS.len()] = &TABLE[method as usize][class.min(CLASSES - 1)];
    let last = last_simulated(rows);
    // A row that is the same for any number was not simulated at all and is already as strict as possible.
    if last > 0 && count > COUNTS[last] {
        // In traffic that is more regular than the reference null, every interval adds evidence. It is scaled to as many
        // intervals as were simulated, so that their number alone is never evidence.
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

/// Returns the last column that enough families reached; those behind it repeat it.
fn last_simulated(rows: &[[f32; KNOTS]; COUNTS.len()]) -> usize {
    let last = COUNTS.len() - 1;
    (0..last).rev().take_while(|&index| rows[index] == rows[last]).last().unwrap_or(last)
}

/// Reads −log10 p from one row.
fn along(row: &[f32; KNOTS], evidence: f64) -> f64 {
    let mut from = 0.0;
    let mut depth = 0.0;
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

/// Combines the depths of several methods into one: the best, after each has paid for its share of the error budget.
///
/// A weighted Bonferroni (Holm 1979, step one): valid for any dependence between the statistics. Returns the paid depth
/// (at least 0) and the method that carries it; `None` for an empty slice.
pub fn combine(depths: &[MethodDepth]) -> Option<MethodDepth> {
    let paid = |found: &MethodDepth| MethodDepth { depth: found.depth + found.method.share().log10(), ..*found };
    let best = depths.iter().map(paid).reduce(|best, next| if next.depth > best.depth { next } else { best })?;
    Some(MethodDepth { depth: best.depth.max(0.0), ..best })
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
        let depth = |method, depth| MethodDepth { method, depth };
        let best = combine(&[depth(Method::Plain, 3.0), depth(Method::Phase, 9.0)]).unwrap();
        assert_eq!(best.method, Method::Phase);
        assert!((best.depth - (9.0 + 0.15f64.log10())).abs() < 1e-12);
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
