//! The rank of a beacon among findings: evidence first, then how long it lasts and how alike its times and sizes are.

use super::beacon::ObservedWindow;
use super::sizes;

/// Share of 24 equal parts of the window that hold a check-in.
pub(super) fn filled_share(check_ins_s: &[i64], observed: &ObservedWindow) -> f64 {
    let length = (observed.to_s - observed.from_s).max(1);
    let (mut filled, mut last) = (0u32, -1);
    for &check_in in check_ins_s {
        let passed = check_in - observed.from_s;
        // Starts of this age of the world fit; division of the others takes ten times as long.
        let at = match passed.checked_mul(24) {
            Some(passed) => (passed / length).clamp(0, 23) as i32,
            None => (i128::from(passed) * 24 / i128::from(length)).clamp(0, 23) as i32,
        };
        filled += u32::from(at != last);
        last = at;
    }
    f64::from(filled.min(24)) / 24.0
}

/// Joins evidence, coverage, regularity of times and of sizes into 0..1.
///
/// Each factor is a saturating share; evidence multiplies all, the others can at most take a part away, so that a strong
/// short burst stays below an equally strong train that lasts. Unknown sizes count as half regular.
pub(super) fn score(depth: f64, coverage: f64, jitter_ratio: f64, sizes: &[(u16, u32)]) -> f64 {
    let evidence = depth / (depth + 5.0);
    let times = 1.0 / (1.0 + jitter_ratio.max(0.0));
    let same_size =
        sizes::dispersion(sizes).map_or(0.5, |spread| 0.5 * (1.0 - spread) + 0.5 * sizes::mode_share(sizes));
    (evidence * (0.5 + 0.5 * coverage) * (0.5 + 0.5 * times) * (0.7 + 0.3 * same_size)).clamp(0.0, 1.0)
}
