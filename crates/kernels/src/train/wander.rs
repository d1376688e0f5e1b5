//! Does a phase stay where the clock holds it, or does it wander?
//!
//! A schedule starts each beat from the clock, so the delays of its beats are independent and their phases scatter about
//! one place. An implant sleeps after its work, so each beat starts from the one before: its phase is a random walk (the
//! jitter), with a drift (the work). Over a day both can stay near one place of the hour, and the Rayleigh test accepts
//! both. What differs is the order of the phases: the ratio of von Neumann (1941), mean square successive difference over
//! variance, is about 2 for independent phases and about `1/(n·∫W²)` for a walk, where W is a centred Brownian motion.
//! `∫W²` has the law of Cramér and von Mises, with a lower tail of `√(8/π)·exp(−1/(8x))` (Anderson & Darling 1952), so a
//! walk of `n` beats has a ratio of `v` or more with a probability of about `√(8/π)·exp(−n·v/8)`; this is Sargan and
//! Bhargava's (1983) test of a walk. Drift only makes the ratio smaller.
//!
//! Sleepers without jitter are told by their drift instead: every phase is at or after the one before.
//!
//! ```
//! use flowsift_kernels::train::wander::{Hold, wander};
//!
//! // Every hour, up to two seconds late; and an hour of sleep after half a second of work.
//! let job: Vec<i64> = (0..24).map(|beat| 1_700_002_800 + beat * 3_600 + beat * beat % 3).collect();
//! let sleeper: Vec<i64> = (0..24).map(|beat| 1_700_002_800 + beat * 3_600 + beat / 2).collect();
//! assert_eq!(wander(&[&job], 3_600, 3_600.0, 1), Hold::Anchored);
//! assert_eq!(wander(&[&sleeper], 3_600, 3_600.5, 1), Hold::Free);
//! ```

use crate::special::ln_normal_cdf;

/// Steps of the phase, as a share of the period, below which no configured jitter explains them.
const MIN_JITTER: f64 = 0.003;

/// Shortest work in seconds that a sleeper can do between its sleeps: name, handshake, request.
const MIN_WORK_S: f64 = 0.05;

/// Drift in seconds per beat below which a badly kept clock explains it as well.
const MIN_DRIFT_S: f64 = 0.02;

/// Sum of all steps over the sum of their lengths from which a phase moves one way.
const ONE_WAY: f64 = 0.8;

/// Fewest steps that show a way: by chance, few beats take two the same way, and many beats take more.
const MIN_STEPS: usize = 3;
const MIN_STEPS_OF_MANY: usize = 2;
const MANY_BEATS: f64 = 20.0;

/// Share of the variance of the phases that a line explains where they drift, and the fewest phases that show a line.
const DRIFT_SHARE: f64 = 0.8;
const MIN_LINE: f64 = 8.0;

/// Products of beats and ratio that a walk reaches with probabilities of 0.04 and 0.001.
const WALK_RARELY: f64 = 29.5;
const WALK_HARDLY: f64 = 59.0;

/// Ratios that 97 % of the schedules with 24 beats exceed, and nearly all of them.
const USUAL_RATIO: f64 = 1.23;
const MIN_RATIO: f64 = 0.8;

/// The same as a product with the number of beats, for a phase too tight to walk.
const TIGHT: f64 = 10.0;

/// Probability of so small a ratio under independent phases at which they are refused.
const MAX_P_VALUE: f64 = 0.05;

/// What holds a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hold {
    /// Nothing: it wanders as that of a sleeper does.
    Free,
    /// There are too few beats, or the log is too coarse, to distinguish a schedule from a sleeper.
    Possible,
    /// The clock: a sleeper's phase would have wandered.
    Anchored,
}

/// The moments of phases in the order of time.
#[derive(Debug, Default, Clone, Copy)]
struct Moments {
    /// Number of phases.
    count: f64,
    /// Number of steps between successive phases of one train, and of those that are not zero.
    steps: f64,
    moves: usize,
    /// Sum of the squared steps, of the steps, and of their lengths.
    square_steps: f64,
    sum_steps: f64,
    sum_lengths: f64,
    /// Sum and sum of squares of the phases, about the mean direction.
    sum: f64,
    squares: f64,
    /// Smallest and largest of them.
    least: f64,
    most: f64,
    /// Sum and sum of squares of the times since the first check-in, and of the products of time and phase.
    times: f64,
    square_times: f64,
    products: f64,
}

impl Moments {
    /// Returns the variance of the phases in square seconds.
    fn variance(&self) -> f64 {
        (self.squares - self.sum * self.sum / self.count).max(0.0) / self.count
    }

    /// Returns the share of the variance that a linear drift explains.
    fn drift_share(&self) -> f64 {
        let along = self.products - self.times * self.sum / self.count;
        let spread = self.square_times - self.times * self.times / self.count;
        let explained = along * along / (spread * self.count * self.variance());
        if explained.is_finite() { explained } else { 0.0 }
    }
}

/// Judges the phases `t mod anchor_s` of sorted check-ins, known to `unit_s` seconds, of a period of about `period_s`.
///
/// Each train is that of one host: only its own successive phases are compared. Call it where the phases have a mean
/// direction; [`super::clock`] tests that before.
pub fn wander(trains: &[&[i64]], anchor_s: u32, period_s: f64, unit_s: i64) -> Hold {
    let found = moments(trains, i64::from(anchor_s), direction_s(trains, anchor_s));
    if found.steps < 4.0 {
        return Hold::Possible;
    }
    let unit = unit_s as f64;
    let (variance, mean_square) = (found.variance(), found.square_steps / found.steps);
    let ratio = if variance > 0.0 { mean_square / variance } else { 0.0 };
    let evidence = found.count * ratio;
    // Steps of less than a unit are hidden until a walk crosses from one unit to the next, where they come in runs.
    let enough = if mean_square > unit * unit { WALK_HARDLY } else { f64::INFINITY };
    let cut = WALK_RARELY.max((USUAL_RATIO * found.count).min(enough));
    if found.most - found.least <= unit {
        // Within one unit nothing is seen of a walk; a drift is bounded by the number of beats.
        let hidden = unit / found.steps <= MIN_WORK_S;
        return if evidence >= cut || hidden { Hold::Anchored } else { Hold::Possible };
    }
    // Rounding adds u²/12 to each of the two phases of a step.
    let tight = (mean_square - unit * unit / 6.0).max(0.0).sqrt() < MIN_JITTER * period_s;
    let min_steps = if found.count >= MANY_BEATS { MIN_STEPS_OF_MANY } else { MIN_STEPS };
    let one_way = found.moves >= min_steps && found.sum_steps.abs() >= ONE_WAY * found.sum_lengths;
    if tight && (one_way || found.count >= MIN_LINE && found.drift_share() >= DRIFT_SHARE) {
        return if found.sum_steps.abs() / found.steps >= MIN_DRIFT_S { Hold::Free } else { Hold::Possible };
    }
    let rigid = tight && MIN_JITTER * period_s >= unit;
    if evidence >= if rigid { TIGHT.max((MIN_RATIO * found.count).min(WALK_HARDLY)) } else { cut } {
        return Hold::Anchored;
    }
    if tight || independent_p_value(ratio, found.steps + 1.0) > MAX_P_VALUE { Hold::Possible } else { Hold::Free }
}

/// Returns the probability that independent phases have so small a ratio, by its normal approximation (von Neumann 1941).
fn independent_p_value(ratio: f64, count: f64) -> f64 {
    let deviation = 2.0 * ((count - 2.0) / (count * count - 1.0)).sqrt();
    ln_normal_cdf((ratio - 2.0) / deviation).exp()
}

/// Returns the mean direction of the phases in seconds.
fn direction_s(trains: &[&[i64]], anchor_s: u32) -> f64 {
    let turn = std::f64::consts::TAU / f64::from(anchor_s);
    let (mut cos_sum, mut sin_sum) = (0.0, 0.0);
    for &check_in in trains.iter().copied().flatten() {
        let (sin, cos) = (turn * check_in.rem_euclid(i64::from(anchor_s)) as f64).sin_cos();
        cos_sum += cos;
        sin_sum += sin;
    }
    // A whole second, so that equal phases have no variance at all.
    (sin_sum.atan2(cos_sum) / turn).round()
}

fn moments(trains: &[&[i64]], anchor_s: i64, direction_s: f64) -> Moments {
    let half = anchor_s / 2;
    let centred = |offset: i64| ((offset + half).rem_euclid(anchor_s) - half) as f64;
    let mut found = Moments { least: f64::INFINITY, most: f64::NEG_INFINITY, ..Moments::default() };
    let first = trains.iter().filter_map(|train| train.first()).min().copied().unwrap_or(0);
    for train in trains {
        for &check_in in *train {
            let time = (check_in - first) as f64;
            let phase = centred(check_in - direction_s as i64);
            found.count += 1.0;
            found.sum += phase;
            found.squares += phase * phase;
            found.times += time;
            found.square_times += time * time;
            found.products += time * phase;
            found.least = found.least.min(phase);
            found.most = found.most.max(phase);
        }
        for pair in train.windows(2) {
            let step = centred(pair[1] - pair[0]);
            found.steps += 1.0;
            found.moves += usize::from(step != 0.0);
            found.square_steps += step * step;
            found.sum_steps += step;
            found.sum_lengths += step.abs();
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::Draws;
    use crate::train::clock::clock;
    use proptest::prelude::*;

    const DAY_S: f64 = 86_400.0;

    /// Check-ins of a sleeper: a sleep with jitter, then work.
    fn sleeper(draws: &mut Draws, sleep_s: f64, jitter: f64, work_s: f64, span_s: f64) -> Vec<i64> {
        let mut at_s = sleep_s * draws.uniform();
        let mut check_ins = Vec::new();
        while at_s < span_s {
            check_ins.push(at_s as i64);
            at_s += sleep_s * (1.0 + jitter * draws.between(-1.0, 1.0)) + work_s * draws.between(0.5, 1.5);
        }
        check_ins
    }

    /// Check-ins of a schedule, each up to `late_s` late.
    fn schedule(draws: &mut Draws, every_s: f64, late_s: f64, span_s: f64) -> Vec<i64> {
        let first_s = (every_s * draws.uniform()).floor();
        let turns = ((span_s - first_s) / every_s) as i64;
        (0..turns).map(|turn| (first_s + turn as f64 * every_s + late_s * draws.uniform()) as i64).collect()
    }

    /// Number of trains of 200 that keep the clock, that may and that do not.
    fn verdicts(period_s: f64, mut train: impl FnMut(&mut Draws) -> Vec<i64>) -> [u32; 3] {
        let mut counts = [0; 3];
        for seed in 0..200 {
            let check_ins = train(&mut Draws::seeded(81_000 + seed));
            let found = clock(&[&check_ins], period_s, 1);
            let verdict = if found.period_s.is_some() { 0 } else { 1 + usize::from(found.possible_s.is_none()) };
            counts[verdict] += 1;
        }
        counts
    }

    #[test]
    fn sleepers_and_schedules_of_one_day_are_distinguished() {
        for period_s in [300.0, 600.0, 900.0, 1800.0, 3600.0] {
            for (jitter, work_s) in
                [(0.0, 0.2), (0.0, 0.5), (0.0, 1.0), (0.0, 3.0), (0.02, 0.3), (0.05, 1.0), (0.1, 1.0)]
            {
                let [_, _, free] = verdicts(period_s, |draws| sleeper(draws, period_s, jitter, work_s, DAY_S));
                assert!(free >= 190, "{period_s} s ± {jitter}, {work_s} s of work: {free} of 200");
            }
            for late_s in [0.0, 0.4, 1.0, 2.0, 5.0, 15.0] {
                let [anchored, _, _] = verdicts(period_s, |draws| schedule(draws, period_s, late_s, DAY_S));
                assert!(anchored >= 194, "every {period_s} s, {late_s} s late: {anchored} of 200");
            }
        }
    }

    #[test]
    fn doubled_and_missed_beats_change_nothing() {
        let doubled = |draws: &mut Draws, check_ins: Vec<i64>| {
            let again = |at_s: i64| {
                if draws.uniform() < 0.1 { vec![at_s, at_s + 1 + (draws.bits() % 4) as i64] } else { vec![at_s] }
            };
            check_ins.into_iter().flat_map(again).collect::<Vec<i64>>()
        };
        let missed =
            |draws: &mut Draws, check_ins: Vec<i64>| check_ins.into_iter().filter(|_| draws.uniform() > 0.2).collect();
        // Of 24 beats, doubles hide the drift; they are dropped before.
        for (lossy, periods_s) in [(false, &[300.0, 900.0][..]), (true, &[300.0, 900.0, 3600.0])] {
            let change =
                |draws: &mut Draws, check_ins| if lossy { missed(draws, check_ins) } else { doubled(draws, check_ins) };
            for &period_s in periods_s {
                let [anchored, _, free] = verdicts(period_s, |draws| {
                    let check_ins = sleeper(draws, period_s, 0.0, 0.3, DAY_S);
                    change(draws, check_ins)
                });
                assert!(anchored == 0 && free >= 190, "{period_s} {lossy} {anchored} {free}");
                let [anchored, _, free] = verdicts(period_s, |draws| {
                    let check_ins = schedule(draws, period_s, 2.0, DAY_S);
                    change(draws, check_ins)
                });
                assert!(anchored >= 165 && free == 0, "{period_s} {lossy} {anchored} {free}");
            }
        }
    }

    #[test]
    fn few_beats_are_left_open_rather_than_wrong() {
        for period_s in [1800.0, 3600.0] {
            let span_s = 10.0 * period_s;
            let [anchored, _, _] = verdicts(period_s, |draws| sleeper(draws, period_s, 0.1, 0.5, span_s));
            let [_, _, free] = verdicts(period_s, |draws| schedule(draws, period_s, 30.0, span_s));
            assert!(anchored <= 10 && free <= 10, "{period_s} {anchored} {free}");
        }
    }

    #[test]
    fn delays_that_follow_the_load_are_no_walk() {
        let load = |draws: &mut Draws, at_s: &i64| {
            let day = (std::f64::consts::TAU * *at_s as f64 / DAY_S).sin();
            at_s + (3.0 + 3.0 * day + draws.uniform()) as i64
        };
        for period_s in [300.0, 900.0, 3600.0] {
            let [_, _, free] = verdicts(period_s, |draws| {
                let check_ins = schedule(draws, period_s, 0.0, DAY_S);
                check_ins.iter().map(|at_s| load(draws, at_s)).collect()
            });
            assert_eq!(free, 0, "{period_s}");
        }
    }

    #[test]
    fn each_host_is_compared_with_itself() {
        let mut draws = Draws::seeded(12);
        let mut hosts = |work_s: f64, late_s: f64| -> Vec<Vec<i64>> {
            let beats = |draws: &mut Draws| -> Vec<i64> {
                (0..8).map(|beat| (beat as f64 * (3600.0 + work_s) + late_s * draws.uniform()) as i64).collect()
            };
            (0..5).map(|_| beats(&mut draws)).collect()
        };
        let judge = |trains: &[Vec<i64>]| {
            let trains: Vec<&[i64]> = trains.iter().map(Vec::as_slice).collect();
            wander(&trains, 3600, 3600.0, 1)
        };
        assert_eq!(judge(&hosts(0.0, 3.0)), Hold::Anchored);
        assert_eq!(judge(&hosts(1.0, 0.0)), Hold::Free);
    }

    #[test]
    fn windows_hide_a_drift() {
        let minutes =
            |check_ins: Vec<i64>| check_ins.into_iter().map(|at_s| at_s.div_euclid(60) * 60).collect::<Vec<i64>>();
        let mut draws = Draws::seeded(9);
        let (slow, fast) = (sleeper(&mut draws, 3600.0, 0.0, 0.5, DAY_S), sleeper(&mut draws, 600.0, 0.0, 1.0, DAY_S));
        let job = schedule(&mut draws, 3600.0, 2.0, DAY_S);
        assert_eq!(wander(&[&minutes(slow)], 3600, 3600.0, 60), Hold::Possible);
        assert_eq!(wander(&[&minutes(job)], 3600, 3600.0, 60), Hold::Possible);
        assert_eq!(wander(&[&minutes(fast)], 300, 600.0, 60), Hold::Free);
    }

    #[test]
    fn a_walk_has_a_large_ratio_as_rarely_as_said() {
        let (walks, beats) = (20_000, 48);
        for (evidence, probability) in [(WALK_RARELY, 0.04), (20.0, 0.131)] {
            let mut above = 0;
            let mut draws = Draws::seeded(77);
            for _ in 0..walks {
                let mut at = 0.0;
                let phases: Vec<f64> = (0..beats)
                    .map(|_| {
                        at += draws.normal();
                        at
                    })
                    .collect();
                let mean = phases.iter().sum::<f64>() / beats as f64;
                let variance = phases.iter().map(|phase| (phase - mean).powi(2)).sum::<f64>() / beats as f64;
                let steps = phases.windows(2).map(|pair| (pair[1] - pair[0]).powi(2)).sum::<f64>() / (beats - 1) as f64;
                above += u32::from(beats as f64 * steps / variance >= evidence);
            }
            let share = f64::from(above) / f64::from(walks);
            assert!((0.5..1.1).contains(&(share / probability)), "{evidence} {share}");
        }
    }

    proptest! {
        #[test]
        fn any_train_is_judged_and_whole_turns_change_nothing(
            mut starts in prop::collection::vec(prop_oneof![0i64..50_000, -1_000_000_000_000i64..1_000_000_000_000], 0..60),
            anchor_s in prop::sample::select(vec![60u32, 300, 3600, 86_400]), unit_s in 1i64..700, turns in -9i64..9,
        ) {
            starts.sort_unstable();
            let moved: Vec<i64> = starts.iter().map(|start| start + turns * i64::from(anchor_s)).collect();
            let hold = wander(&[&starts], anchor_s, 3600.0, unit_s);
            prop_assert_eq!(wander(&[&moved], anchor_s, 3600.0, unit_s), hold);
        }
    }
}
