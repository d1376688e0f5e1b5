//! Anchoring to the clock (D5): do the check-ins keep their place in the minute, hour or day?
//!
//! Cron jobs, timers and scheduled functions do; an implant that sleeps after each check-in drifts. The Rayleigh test on
//! `t mod A` (Mardia & Jupp 2000, §6.3.1; p by Wilkie 1983) for A of 60 s, 300 s, 3600 s and 86400 s, times the number
//! of anchors tried, asks whether the phases have one place. A sleeper whose drift over the whole train is short against
//! the anchor has one as well, so [`super::wander`] asks in addition whether the phases stay there or wander as those of a
//! sleeper do. The anchor explains a finding and lowers its weight; it also reveals daily malware.
//!
//! ```
//! use flowsift_kernels::train::clock::clock;
//!
//! let hourly: Vec<i64> = (0..24).map(|hour| 1_700_000_017 + hour * 3_600 + hour % 3).collect();
//! assert_eq!(clock(&[&hourly], 3_600.0, 1).period_s, Some(3_600));
//! let drifting: Vec<i64> = (0..24).map(|beat| 1_700_000_017 + beat * 3_601).collect();
//! assert_eq!(clock(&[&drifting], 3_601.0, 1).period_s, None);
//! ```

use super::wander::{Hold, wander};
use std::sync::LazyLock;

/// The anchors tried, in seconds, longest first.
pub const ANCHORS_S: [u32; 4] = [86_400, 3600, 300, 60];

/// Largest p-value at which an anchor is named.
const MAX_NAMED_P_VALUE: f64 = 1e-4;

/// Smallest mean resultant length at which an anchor is named: a loose daily rhythm is no schedule.
const MIN_NAMED_LENGTH: f64 = 0.7;

/// The anchor of a train of check-ins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clock {
    /// Longest anchor that holds, in seconds; `None` when none does.
    pub period_s: Option<u32>,
    /// Longest anchor that may hold, in seconds, where there are too few beats, or the log is too coarse, to distinguish
    /// a schedule from a sleeper; `None` when one holds or none may.
    pub possible_s: Option<u32>,
    /// p-value of that anchor against phases without a place, or the smallest of those tried; 1 when none applies.
    pub p_value: f64,
}

/// Tests the anchors on sorted check-ins of a period of about `period_s`, known to `unit_s` seconds.
///
/// Each of `trains_s` is that of one host. An anchor is tried when it spans at least five units and at most one and a half
/// periods (a longer one would only show that the train is regular), there are at least five check-ins, and they cover at
/// least four turns of it.
pub fn clock(trains_s: &[&[i64]], period_s: f64, unit_s: i64) -> Clock {
    let none = Clock { period_s: None, possible_s: None, p_value: 1.0 };
    let first = trains_s.iter().filter_map(|train| train.first()).min();
    let last = trains_s.iter().filter_map(|train| train.last()).max();
    let (Some(first), Some(last)) = (first, last) else { return none };
    let count: usize = trains_s.iter().map(|train| train.len()).sum();
    let mut tried = [(0u32, 1.0f64, 0.0f64); ANCHORS_S.len()];
    let mut trials = 0;
    for anchor in ANCHORS_S {
        let length = i64::from(anchor);
        let tests = length >= 5 * unit_s && f64::from(anchor) <= 1.5 * period_s && last - first >= 4 * length;
        if tests && count >= 5 {
            let (p, mean_length) = rayleigh(trains_s, length);
            tried[trials] = (anchor, p, mean_length);
            trials += 1;
        }
    }
    let tried = &tried[..trials];
    let paid = |p: f64| (p * trials as f64).min(1.0);
    let placed = tried.iter().filter(|(_, p, length)| paid(*p) <= MAX_NAMED_P_VALUE && *length >= MIN_NAMED_LENGTH);
    let mut possible = None;
    for &(anchor, p, _) in placed {
        match wander(trains_s, anchor, period_s, unit_s) {
            Hold::Anchored => return Clock { period_s: Some(anchor), possible_s: None, p_value: paid(p) },
            Hold::Possible => possible = possible.or(Some((anchor, p))),
            Hold::Free => {}
        }
    }
    match possible {
        Some((anchor, p)) => Clock { possible_s: Some(anchor), p_value: paid(p), ..none },
        None => Clock { p_value: paid(tried.iter().fold(1.0, |least, entry| least.min(entry.1))), ..none },
    }
}

/// Sine and cosine of every second of a minute, of five minutes and of an hour.
static HANDS: LazyLock<[Vec<(f64, f64)>; 3]> =
    LazyLock::new(|| [60, 300, 3600].map(|anchor| (0..anchor).map(|second| hand(second, anchor)).collect()));

fn hand(second: i64, anchor: i64) -> (f64, f64) {
    (std::f64::consts::TAU * second as f64 / anchor as f64).sin_cos()
}

/// Returns p-value and mean resultant length of the phases `t mod anchor`.
fn rayleigh(trains_s: &[&[i64]], anchor: i64) -> (f64, f64) {
    let (mut cos_sum, mut sin_sum) = (0.0, 0.0);
    let mut add = |(sin, cos): (f64, f64)| {
        cos_sum += cos;
        sin_sum += sin;
    };
    let check_ins = trains_s.iter().copied().flatten();
    match anchor {
        60 => check_ins.for_each(|check_in| add(HANDS[0][check_in.rem_euclid(60) as usize])),
        300 => check_ins.for_each(|check_in| add(HANDS[1][check_in.rem_euclid(300) as usize])),
        3600 => check_ins.for_each(|check_in| add(HANDS[2][check_in.rem_euclid(3600) as usize])),
        _ => check_ins.for_each(|check_in| add(hand(check_in.rem_euclid(anchor), anchor))),
    }
    let n = trains_s.iter().map(|train| train.len()).sum::<usize>() as f64;
    let resultant = cos_sum.hypot(sin_sum).min(n);
    let p = ((1.0 + 4.0 * n + 4.0 * (n * n - resultant * resultant)).sqrt() - (1.0 + 2.0 * n)).exp();
    (p.clamp(f64::MIN_POSITIVE, 1.0), resultant / n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::Draws;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_resultant_equals_a_sum_over_the_circle(
            check_ins in prop::collection::vec(-3_000_000_000i64..3_000_000_000, 1..60),
            anchor in prop::sample::select(vec![60i64, 300, 3600, 86_400]),
        ) {
            let angle = |t: &i64| std::f64::consts::TAU * (*t as f64 / anchor as f64);
            let (cos, sin) = check_ins.iter().fold((0.0, 0.0), |(c, s), t| (c + angle(t).cos(), s + angle(t).sin()));
            let slow = f64::hypot(cos, sin) / check_ins.len() as f64;
            let (p, length) = rayleigh(&[&check_ins], anchor);
            prop_assert!((length - slow).abs() < 1e-5 && (0.0..=1.0).contains(&p), "{} {}", length, slow);
        }
    }

    #[test]
    fn schedules_are_named() {
        let at = |period: i64, count: i64| (0..count).map(|k| 1_700_000_017 + k * period + k % 3).collect::<Vec<_>>();
        assert_eq!(clock(&[&at(3600, 24)], 3600.0, 1).period_s, Some(3600));
        assert_eq!(clock(&[&at(300, 100)], 300.0, 1).period_s, Some(300));
        assert_eq!(clock(&[&at(86_400, 14)], 86_400.0, 1).period_s, Some(86_400));
        assert_eq!(clock(&[&at(600, 100)], 600.0, 1).period_s, Some(300));
        assert_eq!(clock(&[&at(60, 100)], 60.0, 60).period_s, None, "the window is no clock");
    }

    #[test]
    fn drifting_sleepers_are_not() {
        let mut draws = Draws::seeded(8);
        let mut named = 0;
        for _ in 0..500 {
            let mut t = 1_700_000_000.0;
            let check_ins: Vec<i64> = (0..200)
                .map(|_| {
                    t += 300.0 + 90.0 * draws.uniform();
                    t as i64
                })
                .collect();
            named += usize::from(clock(&[&check_ins], 345.0, 1).period_s.is_some());
        }
        assert_eq!(named, 0);
        assert_eq!(clock(&[], 60.0, 1).p_value, 1.0);
    }
}
