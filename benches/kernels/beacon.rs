//! Judges a thousand trains of starts: nine hundred benign ones, as most pairs are, and a hundred implants.

use criterion::{Criterion, Throughput};
use kernels::beacon::{BeaconStatistics, ObservedWindow, beacon};
use kernels::simulation::{Benign, Draws, Implant};
use kernels::sizes::SizeCount;
use std::hint::black_box;

const DAY_S: f64 = 86_400.0;
const BENIGN: u64 = 900;
const IMPLANTS: u64 = 100;

/// One day of one pair.
struct Train {
    starts_s: Vec<i64>,
    is_implant: bool,
}

fn trains() -> Vec<Train> {
    let benign = (0..BENIGN).map(|seed| {
        let mut draws = Draws::seeded(seed);
        let count = draws.between(6f64.ln(), 800f64.ln()).exp() as usize;
        let kind = Benign::ALL[seed as usize % Benign::ALL.len()];
        Train { starts_s: kind.train(&mut draws, count, DAY_S / count as f64, 1), is_implant: false }
    });
    let implants = (0..IMPLANTS).map(|seed| {
        let mut draws = Draws::seeded(BENIGN + seed);
        let sleep_s = draws.between(60.0, 900.0);
        let implant = Implant::sleeping(sleep_s, sleep_s * (1.0 + 0.003 * seed as f64));
        Train { starts_s: implant.train(&mut draws, DAY_S, 1), is_implant: true }
    });
    benign.chain(implants).collect()
}

fn judged(train: &Train) -> Option<BeaconStatistics> {
    let (first, last) = (train.starts_s.first()?, train.starts_s.last()?);
    let observed = ObservedWindow { from_s: *first, to_s: last + 1, window_s: 60 };
    beacon(&train.starts_s, &[SizeCount::new(100, train.starts_s.len() as u32)], &observed)
}

/// An implant's period is its mean distance, and no benign train resembles one.
fn check(trains: &[Train]) {
    for train in trains {
        let statistics = judged(train);
        if !train.is_implant {
            assert!(statistics.is_none_or(|found| found.p_value > 1e-7), "{statistics:?}");
            continue;
        }
        let Some(found) = statistics else { panic!("{} starts were not judged", train.starts_s.len()) };
        let span = train.starts_s[train.starts_s.len() - 1] - train.starts_s[0];
        let mean_s = span as f64 / (train.starts_s.len() - 1) as f64;
        assert!(found.p_value < 1e-6, "{found:?}");
        assert!((found.period_s - mean_s).abs() < 0.02 * mean_s, "{mean_s} s: {found:?}");
        assert_eq!((found.connections as usize, found.span_s), (train.starts_s.len(), span));
    }
}

pub fn bench(criterion: &mut Criterion) {
    let trains = trains();
    check(&trains);
    let mut group = criterion.benchmark_group("beacon");
    group.sample_size(20);
    for (name, implants) in [("benign", false), ("implants", true)] {
        let chosen: Vec<&Train> = trains.iter().filter(|train| train.is_implant == implants).collect();
        group.throughput(Throughput::Elements(chosen.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| chosen.iter().filter_map(|train| judged(black_box(train))).count());
        });
    }
    group.finish();
}
