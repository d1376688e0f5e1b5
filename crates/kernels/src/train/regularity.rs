//! Renewal regularity (D1): are the distances more alike than those of a mildly regular source?
//!
//! The statistic is that of Moran (1951): `s = ln(mean d) − mean(ln d)`, 0 for equal distances, 0.58 for Poisson, a function
//! of the sums (n, Σd, Σln d) only. Under a gamma renewal process of shape κ the moment generating function of `n·s` is
//! known in closed form, so its lower tail is computed by the saddle point (Lugannani & Rice 1980 in the r* form of
//! Barndorff-Nielsen 1986) to a few per cent at any depth: no simulation can reach p = 1e-40, this does. The reference
//! shape is [`NULL_SHAPE`]: κ = 2, half the variance of Poisson, stands for mild automation. What other benign traffic
//! does to this p-value is measured by simulation: see [`crate::calibration`].
//!
//! Rounding to whole units cannot make distances look alike: the variance `u²/6` that rounding adds to a distance is
//! added once more to the statistic (as `u²/(12·mean²)`), which is its floor when all distances are equal.
//!
//! ```
//! use flowsift_kernels::train::regularity::regularity;
//!
//! let clock = regularity(&[300.0, 301.0, 299.0, 300.0, 300.0, 302.0], 1.0).unwrap();
//! let people = regularity(&[1.0, 500.0, 20.0, 3.0, 90.0, 1000.0], 1.0).unwrap();
//! assert!(clock.shape > 1_000.0 && clock.evidence > 5.0);
//! assert!(people.evidence < 0.1);
//! ```

use crate::special::{HALF_LN_TAU, digamma_remainder, ln_gamma, ln_normal_cdf, stirling_remainder, trigamma_remainder};

/// Gamma shape of the reference null: 1 is Poisson, 2 mild automation.
pub const NULL_SHAPE: f64 = 2.0;

/// What the distances say about a renewal process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Regularity {
    /// Number of distances.
    pub count: usize,
    /// Moran's statistic with the rounding floor; at least 0.
    pub moran: f64,
    /// Gamma shape κ that fits (bias-corrected): 1 = Poisson, above 10 = a clock with jitter.
    pub shape: f64,
    /// −log10 of the lower-tail probability under the reference null; at least 0.
    pub evidence: f64,
    /// Mean distance in seconds.
    pub mean_s: f64,
}

/// Measures the regularity of positive distances known to `unit_s` seconds; `None` for fewer than five.
pub fn regularity(distances_s: &[f64], unit_s: f64) -> Option<Regularity> {
    let Moran { count, moran, mean_s } = moran(distances_s, unit_s)?;
    let shape = shape_of(moran, count as f64);
    Some(Regularity { count, moran, shape, evidence: evidence_at(moran, shape, count as f64), mean_s })
}

/// Moran's statistic alone, which takes a tenth of the time of [`regularity`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Moran {
    /// Number of distances.
    pub(crate) count: usize,
    /// The statistic with the rounding floor.
    moran: f64,
    /// Mean distance in seconds.
    mean_s: f64,
}

/// Evidence that no train reaches whose shape is below that of the null: it lies in the less regular half of the null, and
/// the saddle point is accurate enough not to contradict that.
pub(crate) const EVIDENCE_BELOW_NULL: f64 = 0.5;

/// Relative accuracy of the solved shape.
const SOLVED_TO: f64 = 1e-8;

impl Moran {
    /// Returns whether the shape is certainly below `shape`, without solving for it.
    pub(crate) fn is_below(&self, shape: f64) -> bool {
        self.moran > moran_at(shape, self.count as f64) * (1.0 + SOLVED_TO)
    }

    /// Returns whether the shape is certainly above `shape`, without solving for it.
    pub(crate) fn is_above(&self, shape: f64) -> bool {
        self.moran < moran_at(shape, self.count as f64) * (1.0 - SOLVED_TO)
    }

    /// Returns an approximation of the shape.
    pub(crate) fn rough_shape(&self) -> f64 {
        (1.0 - 1.0 / self.count as f64) / (2.0 * self.moran)
    }
}

/// Returns Moran's statistic of `count` distances of a fitted shape.
fn moran_at(shape: f64, count: f64) -> f64 {
    digamma_remainder(shape) - digamma_remainder(count * shape)
}

pub(crate) fn moran(distances_s: &[f64], unit_s: f64) -> Option<Moran> {
    let count = distances_s.len();
    if count < 5 {
        return None;
    }
    let mut sum = 0.0;
    let mut sum_ln = 0.0;
    // The logarithm of a product of sixteen costs a sixteenth; distances up to 1e18 s cannot overflow the product.
    for block in distances_s.chunks(16) {
        let mut product = 1.0;
        for &distance in block {
            let distance = distance.max(unit_s * 0.5);
            sum += distance;
            product *= distance;
        }
        sum_ln += product.ln();
    }
    let mean_s = sum / count as f64;
    let floor = (unit_s / mean_s).powi(2) / 12.0;
    let moran = (mean_s.ln() - sum_ln / count as f64).max(0.0) + floor;
    Some(Moran { count, moran, mean_s })
}

/// Solves `ψ(n·v) − ψ(v) − ln n = s` for v: the saddle point, and the bias-corrected estimate of the shape.
fn shape_of(moran: f64, count: f64) -> f64 {
    let mut ln_v = ((1.0 - 1.0 / count) / (2.0 * moran)).max(1e-4).ln();
    for _ in 0..40 {
        let v = ln_v.exp();
        let excess = moran_at(v, count);
        let slope = v * (count * trigamma_remainder(count * v) - trigamma_remainder(v)) / excess;
        let step = (excess.ln() - moran.ln()) / slope;
        ln_v -= step.clamp(-2.0, 2.0);
        if step.abs() < 1e-10 {
            break;
        }
    }
    ln_v.exp()
}

fn evidence_at(moran: f64, saddle: f64, count: f64) -> f64 {
    let u = NULL_SHAPE - saddle;
    if u.abs() < 1e-5 {
        return 0.5f64.log10().abs();
    }
    // K(u) = ln E exp(u·n·s) with the leading Stirling terms cancelled on paper.
    let cumulant = |v: f64| {
        -NULL_SHAPE * count * count.ln() - 0.5 * (count - 1.0) * v.ln()
            + (count - 1.0) * HALF_LN_TAU
            + 0.5 * count.ln()
            + count * stirling_remainder(v)
            - stirling_remainder(count * v)
            + ln_gamma(count * NULL_SHAPE)
            - count * ln_gamma(NULL_SHAPE)
    };
    let curvature = count * trigamma_remainder(saddle) - count * count * trigamma_remainder(count * saddle);
    let r = u.signum() * (2.0 * (u * count * moran - cumulant(saddle))).max(0.0).sqrt();
    let q = u * curvature.max(0.0).sqrt();
    if r.abs() < 1e-3 || q / r <= 0.0 {
        return 0.5f64.log10().abs();
    }
    let ln_p = ln_normal_cdf(r + (q / r).ln() / r);
    (-ln_p / std::f64::consts::LN_10).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::Draws;

    /// Moran's statistic as the textbook has it, one logarithm a distance.
    fn slow_moran(distances: &[f64]) -> f64 {
        let mean = distances.iter().sum::<f64>() / distances.len() as f64;
        mean.ln() - distances.iter().map(|d| d.ln()).sum::<f64>() / distances.len() as f64
    }

    #[test]
    fn statistic_equals_its_slow_twin() {
        let mut draws = Draws::seeded(1);
        for count in [5, 16, 17, 333] {
            let distances: Vec<f64> = (0..count).map(|_| 100.0 + 1e6 * draws.exponential()).collect();
            let fast = regularity(&distances, 1e-9).unwrap().moran;
            assert!((fast - slow_moran(&distances)).abs() < 1e-10);
        }
    }

    #[test]
    fn shape_is_recovered() {
        let mut draws = Draws::seeded(2);
        for shape in [1.0, 2.0, 30.0] {
            let distances: Vec<f64> = (0..20_000).map(|_| 300.0 * draws.gamma(shape) / shape).collect();
            let got = regularity(&distances, 1e-9).unwrap();
            assert!((got.shape / shape - 1.0).abs() < 0.05, "{got:?}");
        }
    }

    #[test]
    fn saddle_point_is_a_probability_under_its_null() {
        let mut draws = Draws::seeded(3);
        for count in [5usize, 12, 60] {
            let trains = 20_000;
            let mut below = [0u32; 3];
            for _ in 0..trains {
                let distances: Vec<f64> = (0..count).map(|_| draws.gamma(NULL_SHAPE)).collect();
                let evidence = regularity(&distances, 1e-12).unwrap().evidence;
                for (depth, below) in below.iter_mut().enumerate() {
                    *below += u32::from(evidence >= (depth + 1) as f64);
                }
            }
            for (depth, &below) in below.iter().enumerate() {
                let expected = f64::from(trains) * 0.1f64.powi(depth as i32 + 1);
                assert!(
                    (f64::from(below) - expected).abs() < 4.5 * expected.sqrt() + 0.05 * expected,
                    "{count} {below:?}"
                );
            }
        }
    }

    #[test]
    fn trains_below_the_null_have_no_evidence() {
        for count in [5.0, 6.0, 8.0, 13.0, 40.0, 300.0, 5_000.0, 16_384.0] {
            for step in 0..=4_000 {
                let shape = NULL_SHAPE * (1.0 - 2.5e-4 * f64::from(step)).max(1e-4);
                let moran = moran_at(shape, count);
                let evidence = evidence_at(moran, shape_of(moran, count), count);
                assert!(evidence < EVIDENCE_BELOW_NULL, "{count} {shape} {evidence}");
            }
        }
    }

    #[test]
    fn what_is_sure_of_a_shape_is_true() {
        let mut draws = Draws::seeded(4);
        let mut sure = 0;
        for train in 0..3_000 {
            let count = 5 + train % 60;
            let law = draws.between(0.3, 30.0);
            let distances: Vec<f64> = (0..count).map(|_| 100.0 * draws.gamma(law)).collect();
            let (exact, rough) = (regularity(&distances, 1.0).unwrap(), moran(&distances, 1.0).unwrap());
            for shape in [NULL_SHAPE, rough.rough_shape(), exact.shape, draws.between(0.3, 30.0)] {
                assert!(!rough.is_below(shape) || exact.shape < shape);
                assert!(!rough.is_above(shape) || exact.shape > shape);
                sure += u32::from(rough.is_below(shape) || rough.is_above(shape));
            }
        }
        assert!(sure > 8_500, "{sure}");
    }

    #[test]
    fn equal_distances_are_as_strong_as_their_rounding_allows() {
        let six = regularity(&[60.0; 5], 1.0).unwrap();
        let day = regularity(&[3600.0; 23], 1.0).unwrap();
        assert!(six.evidence > 5.0 && six.evidence < 12.0, "{six:?}");
        assert!(day.evidence > 60.0 && day.evidence.is_finite());
        assert!(regularity(&[60.0; 4], 1.0).is_none());
        let poissonlike = regularity(&[1.0, 500.0, 20.0, 3.0, 90.0, 1000.0], 1.0).unwrap();
        assert!(poissonlike.evidence < 0.1);
    }
}
