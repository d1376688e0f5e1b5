//! Power, calibration and description of the judgement of one pair.

use super::*;
use crate::lost::Stretch;
use crate::simulation::{Benign, Draws, Implant};
use proptest::prelude::*;

const DAY_S: f64 = 86_400.0;

fn judge(starts: &[i64], span_s: f64, window_s: u32) -> Option<BeaconStatistics> {
    let observed = ObservedWindow { from_s: 0, to_s: span_s as i64, window_s };
    beacon(starts, &[SizeCount::new(100, starts.len() as u32)], &observed)
}

/// Share of forty trains of an implant found at p ≤ 1e-6, which a run over 10^4 pairs reports at a rate of 1 %.
fn power(implant: Implant, span_s: f64, unit_s: i64) -> f64 {
    let found = (0..40).filter(|&seed| {
        let starts = implant.train(&mut Draws::seeded(seed), span_s, unit_s);
        judge(&starts, span_s, unit_s as u32).is_some_and(|found| found.p_value <= 1e-6)
    });
    found.count() as f64 / 40.0
}

/// A bound leaves out what is above it and changes nothing else.
fn assert_bounded(starts: &[i64], observed: &ObservedWindow) {
    let whole = beacon(starts, &[SizeCount::new(3, 2)], observed);
    for max_p_value in [0.999, 0.1, 0.01, 1e-3, 1e-9, 0.0] {
        let bounded = super::judge(starts, || [SizeCount::new(3, 2)], observed, max_p_value);
        assert_eq!(bounded.is_some(), whole.is_some());
        if let (Some(bounded), Some(whole)) = (bounded, whole) {
            let within = whole.p_value <= max_p_value;
            assert_eq!(bounded.described(), within.then_some(&whole), "{max_p_value}");
        }
    }
}

#[test]
fn a_bound_changes_nothing_below_it() {
    let (mut described, mut random) = (0, 0);
    for (family, kind) in Benign::ALL.into_iter().enumerate() {
        for seed in 0..150 {
            let mut draws = Draws::seeded(2_000_000 * (family as u64 + 1) + seed);
            let count = draws.between(6f64.ln(), 900f64.ln()).exp() as usize;
            let unit = [1, 60, 600][(draws.bits() % 3) as usize];
            let mean_s = draws.between(2f64.ln(), 2000f64.ln()).exp() * if unit == 1 { 1.0 } else { 30.0 };
            let starts = kind.train(&mut draws, count, mean_s, unit);
            let observed = ObservedWindow { from_s: 0, to_s: starts[count - 1] + 1, window_s: unit as u32 };
            assert_bounded(&starts, &observed);
            match super::judge(&starts, || [SizeCount::new(3, 2)], &observed, 0.01) {
                Some(Judgement::Described(_)) => described += 1,
                Some(Judgement::Random) => random += 1,
                None => {}
            }
        }
    }
    assert!(described * 20 < random, "{described} {random}");
    for seed in 0..60 {
        let implant = Implant { dropped: 0.01 * seed as f64, ..Implant::sleeping(60.0, 60.0 + 2.0 * seed as f64) };
        let starts = implant.train(&mut Draws::seeded(seed), 20_000.0, 1);
        assert_bounded(&starts, &ObservedWindow { from_s: 0, to_s: 20_000, window_s: 60 });
    }
}

#[test]
fn real_implants_are_found_within_an_hour() {
    for (name, low, high) in [
        ("Havoc 2 s ±15 %", 1.7, 2.3),
        ("Empire 5 s", 5.0, 5.0),
        ("meterpreter 10 s", 10.05, 10.3),
        ("Mythic 10 s ±23 %", 7.7, 12.3),
        ("Merlin 30 s", 30.0, 33.0),
        ("Cobalt Strike 60 s", 60.0, 60.2),
        ("Sliver 60–90 s", 60.0, 90.0),
    ] {
        assert_eq!(power(Implant::sleeping(low, high), 3600.0, 1), 1.0, "{name}");
    }
}

#[test]
fn jitter_loss_bursts_nights_and_days_are_found() {
    let sleeping = Implant::sleeping;
    for (name, implant, days, unit_s) in [
        ("±60 %, 20 % lost", Implant { dropped: 0.2, ..sleeping(120.0, 480.0) }, 1.0, 1),
        ("hourly", sleeping(3600.0, 3605.0), 1.0, 1),
        ("hourly +50 %, 20 % lost", Implant { dropped: 0.2, ..sleeping(3600.0, 5400.0) }, 7.0, 1),
        ("daily +20 %", sleeping(DAY_S, 1.2 * DAY_S), 30.0, 1),
        ("working hours", Implant { working_hours: true, ..sleeping(300.0, 360.0) }, 1.0, 1),
        ("three connections", Implant { connections: 3, ..sleeping(300.0, 450.0) }, 1.0, 1),
        ("one of four destinations", Implant { dropped: 0.75, ..sleeping(300.0, 330.0) }, 2.0, 1),
        ("60 s windows", Implant { dropped: 0.2, ..sleeping(300.0, 450.0) }, 1.0, 60),
        ("600 s windows, ten a window", sleeping(60.0, 90.0), 1.0, 600),
    ] {
        assert!(power(implant, days * DAY_S, unit_s) >= 0.95, "{name}");
    }
}

#[test]
fn doubled_check_ins_hide_no_implant() {
    for (low_s, high_s, hours) in [(360.0, 900.0, 24.0), (120.0, 300.0, 6.0), (300.0, 450.0, 24.0)] {
        for doubled in [0.0, 0.02, 0.05, 0.08, 0.1, 0.12, 0.2, 0.3] {
            let implant = Implant { doubled, ..Implant::sleeping(low_s, high_s) };
            assert!(power(implant, hours * 3600.0, 1) >= 0.95, "{low_s}–{high_s} s, {doubled} doubled");
        }
    }
}

#[test]
fn benign_trains_stay_below_their_p_value() {
    let (mut judged, mut at_hundredth, mut smallest) = (0u32, 0u32, 1.0f64);
    for (family, kind) in Benign::ALL.into_iter().enumerate() {
        for seed in 0..700 {
            let mut draws = Draws::seeded(1_000_000 * (family as u64 + 1) + seed);
            let count = draws.between(6f64.ln(), 300f64.ln()).exp() as usize;
            let unit = [1, 60, 600][(draws.bits() % 3) as usize];
            let mean_s = draws.between(2f64.ln(), 2000f64.ln()).exp() * if unit == 1 { 1.0 } else { 30.0 };
            let starts = kind.train(&mut draws, count, mean_s, unit);
            if let Some(found) = judge(&starts, starts[count - 1] as f64 + 1.0, unit as u32) {
                judged += 1;
                at_hundredth += u32::from(found.p_value <= 0.01);
                smallest = smallest.min(found.p_value);
            }
        }
    }
    assert!(judged > 4000);
    assert!(f64::from(at_hundredth) <= 0.012 * f64::from(judged), "{at_hundredth} of {judged}");
    assert!(smallest > 1e-6, "{smallest}");
}

#[test]
fn the_description_is_right() {
    let implant = Implant { dropped: 0.2, ..Implant::sleeping(300.0, 330.0) };
    let found = judge(&implant.train(&mut Draws::seeded(1), DAY_S, 1), DAY_S, 1).unwrap();
    assert!((found.period_s - 315.0).abs() < 6.0, "{found:?}");
    assert!((found.missed_ratio - 0.2).abs() < 0.07, "{found:?}");
    assert!((found.jitter_ratio - 0.045).abs() < 0.02, "{found:?}");
    assert!(found.span_ratio > 0.95 && found.clock_period_s.is_none(), "{found:?}");
    let bursts = Implant { connections: 3, ..Implant::sleeping(300.0, 330.0) };
    let found = judge(&bursts.train(&mut Draws::seeded(2), DAY_S, 1), DAY_S, 1).unwrap();
    assert!((found.connections_per_check_in - 3.0).abs() < 0.1 && (found.period_s - 315.0).abs() < 8.0, "{found:?}");
    let cron: Vec<i64> = (0..24).map(|hour| hour * 3600 + 5 + hour % 2).collect();
    assert_eq!(judge(&cron, DAY_S, 60).unwrap().clock_period_s, Some(3600));
}

#[test]
fn lost_time_cuts_distances_and_is_neither_silence_nor_a_missed_beat() {
    // Every third window of ten minutes is lost, with all beats in it.
    let starts = Implant::sleeping(100.0, 110.0).train(&mut Draws::seeded(4), DAY_S, 1);
    let lost: Vec<Stretch> = (0..48).map(|n| Stretch::new(n * 1800 + 600, n * 1800 + 1200)).collect();
    let is_lost = |start: &i64| lost.iter().any(|stretch| (stretch.from_s..stretch.to_s).contains(start));
    let seen: Vec<i64> = starts.iter().copied().filter(|start| !is_lost(start)).collect();
    let observed = ObservedWindow { from_s: 0, to_s: DAY_S as i64, window_s: 60 };
    let knowing = judge_with_lost_time(&seen, || [SizeCount::new(3, 2)], &observed, Lost::new(&lost), 1.0).unwrap();
    let knowing = knowing.described().unwrap();
    let blind = beacon(&seen, &[SizeCount::new(3, 2)], &observed).unwrap();
    assert!(knowing.p_value < blind.p_value && knowing.missed_ratio < 0.02, "{knowing:?} {blind:?}");
    assert!((knowing.period_s - 105.0).abs() < 1.0 && knowing.score >= blind.score, "{knowing:?}");
    // Without lost time nothing changes.
    let whole = judge_with_lost_time(&starts, || [SizeCount::new(3, 2)], &observed, Lost::NONE, 1.0).unwrap();
    assert_eq!(whole.described().copied(), beacon(&starts, &[SizeCount::new(3, 2)], &observed));
    // Random traffic does not become regular where only short distances survive.
    let mut found = 0;
    for seed in 0..200 {
        let random = Benign::Poisson.train(&mut Draws::seeded(9_000 + seed), 300, 280.0, 1);
        let seen: Vec<i64> = random.iter().copied().filter(|start| !is_lost(start)).collect();
        let judged = judge_with_lost_time(&seen, || [SizeCount::new(3, 2)], &observed, Lost::new(&lost), 1.0);
        found += u32::from(judged.is_some_and(|judged| judged.p_value() <= 0.01));
    }
    assert!(found <= 6, "{found} of 200");
}

#[test]
fn a_lasting_beacon_outranks_a_tight_short_burst() {
    let lasting = judge(&Implant::sleeping(200.0, 350.0).train(&mut Draws::seeded(3), 3.0 * DAY_S, 1), 3.0 * DAY_S, 60);
    let burst: Vec<i64> = (0..466).map(|n| 100_000 + n * 7 + n % 2).collect();
    let burst = judge(&burst, 3.0 * DAY_S, 60);
    assert!(lasting.unwrap().score > burst.unwrap().score + 0.05);
}

#[test]
fn six_clean_beats_get_through_and_five_do_not() {
    let beats: Vec<i64> = (0..6).map(|beat| beat * 600).collect();
    assert!(judge(&beats, 3600.0, 1).unwrap().p_value < 1e-5);
    assert_eq!(judge(&beats[..5], 3600.0, 1), None);
    assert_eq!(judge(&[7; 100], 3600.0, 1), None);
    assert_eq!(judge(&[], 3600.0, 1), None);
}

proptest! {
    #[test]
    fn any_train_is_judged_within_bounds(
        mut starts in prop::collection::vec(prop_oneof![0i64..50, 0i64..100_000, -1_000_000_000_000i64..1_000_000_000_000], 0..80),
        window_s in prop::sample::select(vec![0u32, 1, 60, 600]), from_s in -100i64..100_000, length in -5i64..100_000,
    ) {
        starts.sort_unstable();
        let observed = ObservedWindow { from_s, to_s: from_s + length, window_s };
        if let Some(found) = beacon(&starts, &[SizeCount::new(3, 2), SizeCount::new(900, 1)], &observed) {
            prop_assert!((0.0..=1.0).contains(&found.score) && found.p_value > 0.0 && found.p_value <= 1.0);
            for ratio in [found.missed_ratio, found.span_ratio, found.rita_score, found.clock_p_value] {
                prop_assert!((0.0..=1.0).contains(&ratio), "{:?}", found);
            }
            prop_assert!(found.sleep_low_s <= found.sleep_high_s);
            prop_assert!(found.period_s >= 0.0 && found.jitter_ratio >= 0.0 && found.shape.is_finite());
            prop_assert_eq!(beacon(&starts, &[SizeCount::new(3, 2), SizeCount::new(900, 1)], &observed), Some(found));
        }
        assert_bounded(&starts, &observed);
    }

    #[test]
    fn time_zones_do_not_matter(seed in 0u64..200, shift in -1_000i64..1_000) {
        let starts = Implant::sleeping(50.0, 300.0).train(&mut Draws::seeded(seed), 7000.0, 1);
        let moved: Vec<i64> = starts.iter().map(|start| start + shift * 86_400).collect();
        let first = beacon(&starts, &[], &ObservedWindow { from_s: 0, to_s: 7000, window_s: 1 });
        let second =
            beacon(&moved, &[], &ObservedWindow { from_s: shift * 86_400, to_s: 7000 + shift * 86_400, window_s: 1 });
        prop_assert_eq!(first, second);
    }
}

#[test]
fn more_intervals_than_were_simulated_are_no_evidence_by_their_number() {
    // Mildly automated traffic on a coarse grid is a bit more regular than the reference null, an interval like the other.
    let observed = ObservedWindow { from_s: 0, to_s: 40 * 86_400, window_s: 600 };
    for count in [900, 2_400, 4_000] {
        for seed in 0..12 {
            let starts = Benign::Gamma2.train(&mut Draws::seeded(seed), count, 900.0, 600);
            let found = beacon(&starts, &[], &observed).unwrap();
            assert!(found.p_value > 1e-4, "{count} {seed} {:e} {:?}", found.p_value, found.method);
        }
    }
}
