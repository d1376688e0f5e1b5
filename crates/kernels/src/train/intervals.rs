//! From connection starts to check-ins (D0): resolution, bursts, gaps.
//!
//! An implant that opens three connections each check-in makes two short intervals for every long one; a fixed
//! coalescing of five seconds would destroy the implants that sleep two or five seconds. The scale is therefore read
//! from the data: see [`super::bursts`].
//!
//! ```
//! use flowsift_kernels::train::bursts::burst_scale;
//! use flowsift_kernels::train::intervals::{coalesce, distances};
//!
//! let starts: Vec<i64> = (0..20).flat_map(|beat| [0, 1, 3].map(|offset| beat * 300 + offset)).collect();
//! let scale = burst_scale(&distances(&starts), 1).unwrap();
//! let check_ins = coalesce(&starts, scale);
//! assert!(distances(&check_ins).iter().all(|distance| *distance == 300));
//! ```

/// Share of starts on one residue from which a log counts as quantised to its windows.
const QUANTISED_SHARE: f64 = 0.95;

/// No gap is shorter than this many medians: two missed beats are no gap.
const GAP_MEDIANS: f64 = 3.0;

/// A gap is at least this many times longer than the longest beat.
const GAP_RATIO: f64 = 3.0;

/// Beats longer than this many medians count as that long.
pub(super) const CAP_MEDIANS: f64 = 6.0;

/// Returns the unit that starts are measured in: `window_s` when they lie on the log's windows, else 1 s.
///
/// Starts are quantised when at least 95 % of them share one residue modulo `window_s`. A beacon whose period is
/// exactly a multiple of the window looks the same; the coarser unit is the cautious reading.
pub fn resolution_s(starts_s: &[i64], window_s: u32) -> i64 {
    let window = i64::from(window_s.max(1));
    if window == 1 || starts_s.is_empty() {
        return 1;
    }
    // Division by a constant takes a tenth of the time.
    let most = match window {
        60 => most_on_one_residue(starts_s, 60, |start| start.rem_euclid(60)),
        600 => most_on_one_residue(starts_s, 600, |start| start.rem_euclid(600)),
        _ => most_on_one_residue(starts_s, window, |start| start.rem_euclid(window)),
    };
    if most as f64 >= QUANTISED_SHARE * starts_s.len() as f64 { window } else { 1 }
}

fn most_on_one_residue(starts_s: &[i64], window: i64, residue: impl Fn(i64) -> i64) -> usize {
    if window > 3600 {
        let mut residues: Vec<i64> = starts_s.iter().map(|&start| residue(start)).collect();
        residues.sort_unstable();
        return residues.chunk_by(|a, b| a == b).map(<[i64]>::len).max().unwrap_or(0);
    }
    let mut counts = vec![0u32; window as usize];
    starts_s.iter().for_each(|&start| counts[residue(start) as usize] += 1);
    counts.into_iter().max().unwrap_or(0) as usize
}

/// Returns the distances in ascending order.
///
/// Many starts within a day lie close together: such distances are sorted by counting instead of comparing.
pub(crate) fn ascending(distances_s: &[i64]) -> Vec<i64> {
    let count = distances_s.len();
    let (least, most) = distances_s.iter().fold((0, 0), |(least, most), &d| (d.min(least), d.max(most)));
    if count < 64 || least < 0 || most > 16 * count as i64 {
        let mut sorted = distances_s.to_vec();
        sorted.sort_unstable();
        return sorted;
    }
    let mut counts = vec![0u32; most as usize + 1];
    distances_s.iter().for_each(|&distance| counts[distance as usize] += 1);
    let mut sorted = Vec::with_capacity(count);
    for (distance, &times) in counts.iter().enumerate() {
        sorted.extend(std::iter::repeat_n(distance as i64, times as usize));
    }
    sorted
}

/// Keeps the first start of every run whose successive distances are all below `scale_s`.
///
/// `starts_s` is sorted; `scale_s = 1` only drops equal starts. Idempotent for runs that are short against the scale.
pub fn coalesce(starts_s: &[i64], scale_s: i64) -> Vec<i64> {
    let mut kept: Vec<i64> = Vec::with_capacity(starts_s.len());
    let mut previous = None;
    for &start in starts_s {
        if previous.is_none_or(|previous: i64| start - previous >= scale_s) {
            kept.push(start);
        }
        previous = Some(start);
    }
    kept
}

/// Returns the distances between successive starts, in seconds; one fewer than the starts.
pub fn distances(starts_s: &[i64]) -> Vec<i64> {
    starts_s.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// Distances, with gaps separated from long beats.
#[derive(Debug, Clone, PartialEq)]
pub struct Beats {
    /// Distances of at most six medians that are not gaps, in order, in seconds.
    pub distances_s: Vec<f64>,
    /// Every distance that is not a gap, in order, capped at six medians, in seconds.
    pub capped_s: Vec<f64>,
    /// Distances longer than this are gaps, in seconds; infinite when there are none.
    pub gap_s: f64,
    /// Median of all distances, in seconds.
    pub median_s: f64,
    /// Every distance including gaps, in ascending order, in seconds.
    pub(crate) ascending_s: Vec<i64>,
}

impl Beats {
    /// Returns `distances_s` in ascending order.
    pub(crate) fn sorted(&self) -> Vec<f64> {
        self.ascending_s[..self.distances_s.len()].iter().map(|&distance| distance as f64).collect()
    }
}

/// Separates gaps (nights, weekends, outages) from long beats.
///
/// Gaps begin at the first step by a factor of three or more, between neighbouring order statistics, that ends above three
/// medians and starts below six, when at most a quarter of the distances lie above it. A smooth long tail has no such
/// step: it belongs to the traffic, and cutting it off would make Pareto traffic look regular. `None` for fewer than
/// five distances.
pub fn trim_gaps(distances_s: &[i64]) -> Option<Beats> {
    if distances_s.len() < 5 {
        return None;
    }
    trim_gaps_of(distances_s, ascending(distances_s))
}

/// Does the same as [`trim_gaps`] for distances that are already known in ascending order.
pub(crate) fn trim_gaps_of(distances_s: &[i64], ascending_s: Vec<i64>) -> Option<Beats> {
    let count = distances_s.len();
    if count < 5 {
        return None;
    }
    let (low, high) = (ascending_s[(count - 1) / 2] as f64, ascending_s[count / 2] as f64);
    let median_s = low + 0.5 * (high - low);
    let cap_s = median_s * CAP_MEDIANS;
    // Only the upper quarter can hold gaps.
    let tail = &ascending_s[count - count / 4 - 1..];
    let step = tail.windows(2).find(|pair| {
        let (low, high) = (pair[0] as f64, pair[1] as f64);
        low <= cap_s && high > GAP_MEDIANS * median_s && high >= GAP_RATIO * low
    });
    let gap_s = step.map_or(f64::INFINITY, |pair| pair[0] as f64);
    let mut capped = Vec::with_capacity(count);
    let mut kept = Vec::with_capacity(count);
    for distance in distances_s.iter().map(|&distance| distance as f64).filter(|&distance| distance <= gap_s) {
        capped.push(distance.min(cap_s));
        if distance <= cap_s {
            kept.push(distance);
        }
    }
    Some(Beats { distances_s: kept, capped_s: capped, gap_s, median_s, ascending_s })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantised_starts_are_recognised() {
        let fine: Vec<i64> = (0..50).map(|beat| beat * 61).collect();
        let coarse: Vec<i64> = (0..50).map(|beat| beat * 61 / 60 * 60 + 7).collect();
        assert_eq!(resolution_s(&fine, 60), 1);
        assert_eq!(resolution_s(&coarse, 60), 60);
        assert_eq!(resolution_s(&coarse, 1), 1);
        assert_eq!(resolution_s(&[], 60), 1);
    }

    #[test]
    fn nights_are_trimmed_and_drops_and_smooth_tails_are_not() {
        let mut distances = vec![300; 30];
        distances.extend([57_600, 900]);
        let beats = trim_gaps(&distances).unwrap();
        assert_eq!((beats.distances_s.len(), beats.gap_s, beats.median_s), (31, 900.0, 300.0));
        distances.extend([600, 600]);
        let beats = trim_gaps(&distances).unwrap();
        assert_eq!((beats.capped_s.len(), beats.gap_s), (33, 900.0));
        let smooth: Vec<i64> = (0..40).map(|power| (10.0 * 1.2f64.powi(power)) as i64).collect();
        let beats = trim_gaps(&smooth).unwrap();
        assert_eq!((beats.capped_s.len(), beats.gap_s), (40, f64::INFINITY));
        assert!(beats.distances_s.len() < 40 && beats.capped_s.iter().all(|&d| d <= 6.0 * beats.median_s));
    }

    /// Trimming as it reads, with no order shared.
    fn slow_trim(distances_s: &[i64]) -> Option<(f64, f64)> {
        let mut sorted = distances_s.to_vec();
        let median_s = crate::robust::median(&mut sorted)?;
        sorted.sort_unstable();
        let upper = sorted.len() - sorted.len() / 4 - 1;
        let step = sorted[upper..].windows(2).find(|pair| {
            let (low, high) = (pair[0] as f64, pair[1] as f64);
            low <= 6.0 * median_s && high > 3.0 * median_s && high >= 3.0 * low
        });
        Some((median_s, step.map_or(f64::INFINITY, |pair| pair[0] as f64)))
    }

    proptest! {
        #[test]
        fn trimming_equals_its_slow_twin(
            distances in prop::collection::vec(prop_oneof![0i64..9, 0i64..2_000, 0i64..1_000_000_000_000], 5..150),
        ) {
            let beats = trim_gaps(&distances).unwrap();
            prop_assert_eq!(Some((beats.median_s, beats.gap_s)), slow_trim(&distances));
            let mut kept = beats.distances_s.clone();
            kept.sort_unstable_by(f64::total_cmp);
            prop_assert_eq!(beats.sorted(), kept);
        }

        #[test]
        fn counting_sorts(distances in prop_oneof![
            prop::collection::vec(0i64..900, 60..200), prop::collection::vec(-5i64..4_000_000, 0..200),
        ]) {
            let mut sorted = distances.clone();
            sorted.sort_unstable();
            prop_assert_eq!(ascending(&distances), sorted);
        }

        #[test]
        fn the_fullest_residue_is_counted(
            starts in prop::collection::vec(-10_000_000_000i64..10_000_000_000, 1..80), window in prop::sample::select(vec![2i64, 60, 600, 3600, 86_400]),
        ) {
            let on = |residue: i64| starts.iter().filter(|start| start.rem_euclid(window) == residue).count();
            let most = starts.iter().map(|start| on(start.rem_euclid(window))).max().unwrap();
            prop_assert_eq!(most_on_one_residue(&starts, window, |start| start.rem_euclid(window)), most);
            prop_assert_eq!(resolution_s(&starts, window as u32) == window, most as f64 >= 0.95 * starts.len() as f64);
        }

        #[test]
        fn coalescing_keeps_the_first_and_never_grows(mut starts in prop::collection::vec(0i64..1000, 0..60), scale in 1i64..50) {
            starts.sort_unstable();
            let merged = coalesce(&starts, scale);
            prop_assert!(merged.len() <= starts.len());
            prop_assert_eq!(merged.first(), starts.first());
            prop_assert!(merged.windows(2).all(|pair| pair[1] - pair[0] >= scale));
        }
    }
}
