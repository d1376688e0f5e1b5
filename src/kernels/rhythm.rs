//! Period, jitter and loss of a train of check-ins.

use super::phase::Phase;
use super::robust;

/// The description of a train.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rhythm {
    /// Typical distance of successive beats in seconds, missed ones taken out.
    pub period_s: f64,
    /// `(q95 − q05) / (2·period)` of the single-beat distances.
    pub jitter_ratio: f64,
    /// Estimated share of beats that did not arrive, 0 to 1.
    pub missed_ratio: f64,
    /// `(q80 − q20) / (2·q50)` of all distances.
    pub dispersion: f64,
}

/// Estimates period, jitter and loss from distances without gaps.
///
/// A strong phase gives the period outright. Else it is the fixed point of "median of the distances below 1.5 times
/// itself", from the median down: with less than half the beats lost that is the median of the single beats, whatever
/// their jitter. A distance of about k periods has missed k − 1 beats. Beats faster than the resolution only have a
/// mean, `mean_s`, which is then the answer.
pub fn rhythm(distances_s: &[f64], phase: Option<&Phase>, mean_s: Option<f64>) -> Rhythm {
    let mut sorted = distances_s.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let quantile = |at: f64| robust::sorted_quantile(&sorted, at);
    let middle = quantile(0.5);
    let dispersion = if middle > 0.0 { (quantile(0.8) - quantile(0.2)) / (2.0 * middle) } else { 0.0 };
    if let Some(period_s) = mean_s {
        return Rhythm { period_s, jitter_ratio: 0.0, missed_ratio: 0.0, dispersion };
    }
    let below = |limit: f64| &sorted[..sorted.partition_point(|&distance| distance < limit)];
    let mut period_s = middle;
    match phase {
        Some(phase) if phase.concentration >= 0.7 && phase.evidence >= 3.0 => period_s = phase.period_s,
        _ => {
            for _ in 0..8 {
                let next = robust::sorted_quantile(below(1.5 * period_s), 0.5);
                if next <= 0.0 || next == period_s {
                    break;
                }
                period_s = next;
            }
        }
    }
    let singles = below(1.5 * period_s);
    let singles = &singles[singles.partition_point(|&distance| distance < 0.25 * period_s)..];
    if singles.is_empty() || period_s <= 0.0 {
        return Rhythm { period_s, jitter_ratio: 0.0, missed_ratio: 0.0, dispersion };
    }
    if phase.is_some_and(|phase| phase.concentration >= 0.7) {
        period_s = robust::sorted_quantile(singles, 0.5);
    }
    let at = |at: f64| robust::sorted_quantile(singles, at);
    let jitter_ratio = (at(0.95) - at(0.05)) / (2.0 * period_s);
    // Jitter alone makes some distances longer than 1.5 periods once it exceeds a half; such are not missed beats.
    let beats: f64 = sorted.iter().map(|&distance| (distance / period_s).round().max(1.0)).sum();
    let missed_ratio = (1.0 - sorted.len() as f64 / beats).clamp(0.0, 1.0);
    Rhythm { period_s, jitter_ratio, missed_ratio, dispersion }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::phase::phase;
    use crate::kernels::simulation::Draws;

    /// Distances of beats of 100 s ± `jitter`, a share `lost` of them missing.
    fn distances(jitter: f64, lost: f64) -> Vec<f64> {
        let mut draws = Draws::seeded(12);
        let (mut distances, mut distance) = (Vec::new(), 0.0);
        while distances.len() < 2000 {
            distance += 100.0 * draws.between(1.0 - jitter, 1.0 + jitter);
            if draws.uniform() >= lost {
                distances.push(distance);
                distance = 0.0;
            }
        }
        distances
    }

    #[test]
    fn period_and_loss_are_estimated() {
        for (jitter, lost) in [(0.0, 0.0), (0.05, 0.2), (0.2, 0.2), (0.3, 0.0), (0.02, 0.5), (0.05, 0.75)] {
            let distances = distances(jitter, lost);
            let found = rhythm(&distances, phase(&distances, 1.0).as_ref(), None);
            assert!((found.period_s - 100.0).abs() < 4.0, "{jitter} {lost} {found:?}");
            assert!((found.missed_ratio - lost).abs() < 0.05, "{jitter} {lost} {found:?}");
            assert!((found.jitter_ratio - 0.9 * jitter).abs() < 0.06, "{jitter} {lost} {found:?}");
        }
    }

    #[test]
    fn too_fast_beats_have_a_mean_only() {
        assert_eq!(rhythm(&[60.0; 9], None, Some(7.5)).period_s, 7.5);
        assert_eq!(rhythm(&[], None, None).period_s, 0.0);
    }
}
