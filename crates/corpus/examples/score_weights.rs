//! Writes `crates/kernels/src/beacon/score_weights.rs`: the weights by which beacons are ranked.
//!
//! ```text
//! cargo run --release -p flowsift-corpus --example score_weights > score_weights.rs
//! mv score_weights.rs crates/kernels/src/beacon/score_weights.rs
//! ```
//!
//! Implants of every scenario of the suite, in exact seconds and on grids of 60 and 600 s, stand among benign trains of
//! every family with as many connections, and among short tight bursts of automated requests, which are regular and
//! benign. Sizes are alike for implants (with an occasional task) and for half of the benign trains. A ridge-penalised
//! logistic regression (Newton's method; le Cessie & van Houwelingen 1992) fits the weights; a weight below 0 is
//! removed and the rest fitted again. For each scenario, stderr reports how many of its implants score above 99 % of
//! its random benign trains (bursts are regular, and left out), both with weights fitted without that scenario and with
//! those written. Seeded: the same source gives the same bytes on any number of threads. It takes a minute on two
//! cores.

#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use flowsift_corpus::suite::{Ranking, Recorded, Scenario, scenarios};
use kernels::beacon::score::Features;
use kernels::beacon::{ObservedWindow, beacon};
use kernels::simulation::{Benign, Draws};
use kernels::sizes::{SizeCount, bucket_of};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Increase whenever a feature, a scenario or the fit changes, and write the weights again.
const VERSION: u32 = 1;

/// Seed of all trains; different from the suite's own seeds.
const SEED: u64 = 20_260_102;

/// Implants and benign trains of each scenario and form.
const TRAINS: (usize, usize) = (60, 140);

/// One in this many benign trains is a short burst of automated requests.
const BURST_EVERY: usize = 10;

/// Longest such burst as a share of the window.
const LONGEST_BURST: f64 = 0.04;

/// Weight of the ridge against a mean log-likelihood: scores stay spread out instead of all being nearly 1.
const RIDGE: f64 = 0.003;

/// Bias and weights.
type Model = [f64; 5];

/// One judged train.
struct Example {
    scenario: &'static str,
    implant: bool,
    /// A burst: regular, benign and short.
    burst: bool,
    features: Features,
}

fn sizes(draws: &mut Draws, count: usize, implant: bool) -> Vec<SizeCount> {
    let base = draws.between(300.0, 1_200.0);
    let alike = implant || draws.uniform() < 0.5;
    let mut histogram = BTreeMap::new();
    for _ in 0..count {
        let bytes = match alike {
            true if draws.uniform() < 0.02 => base + 20_000.0 * draws.uniform(),
            true => base,
            false => base * draws.normal().exp(),
        };
        *histogram.entry(bucket_of(bytes as u64)).or_insert(0u32) += 1;
    }
    histogram.into_iter().map(|(bucket, count)| SizeCount::new(bucket, count)).collect()
}

fn judged(
    draws: &mut Draws,
    mut starts_s: Vec<i64>,
    span_s: f64,
    recorded: Recorded,
    implant: bool,
) -> Option<Features> {
    if recorded.rounded {
        let window = i64::from(recorded.window_s);
        starts_s.iter_mut().for_each(|start| *start = start.div_euclid(window) * window);
    }
    let observed = ObservedWindow { from_s: 0, to_s: span_s as i64, window_s: recorded.window_s };
    let sizes = sizes(draws, starts_s.len(), implant);
    beacon(&starts_s, &sizes, &observed).map(|found| found.features)
}

fn benign_starts(draws: &mut Draws, at: usize, count: usize, span_s: f64) -> Vec<i64> {
    if at.is_multiple_of(BURST_EVERY) {
        // A download in parts, or a script that loops: as regular as an implant, and soon over.
        let (from, step) = (draws.between(0.0, 0.9 * span_s), draws.between(1.0, 8.0));
        let spread = draws.between(0.02, 0.4);
        let mut t = from;
        let mut starts = Vec::new();
        while starts.len() < 12 || (starts.len() < count && t < from + LONGEST_BURST * span_s) {
            starts.push(t as i64);
            t += step * draws.between(1.0 - spread, 1.0 + spread);
        }
        return starts;
    }
    let family = Benign::ALL[at % Benign::ALL.len()];
    let train = family.train(draws, count, span_s / count as f64, 1);
    let first = train[0];
    train.into_iter().map(|start| start - first).filter(|&start| (start as f64) < span_s).collect()
}

fn examples(number: usize, scenario: &Scenario) -> Vec<Example> {
    // Only the last hours are judged where a baseline precedes them; the timing is that of all hours.
    let span_s = f64::from(scenario.hours) * 3_600.0;
    let mut all = Vec::new();
    for (form, &recorded) in scenario.recorded.iter().enumerate() {
        let seed = |at: usize| Draws::seeded(SEED ^ ((number as u64) << 40 | (form as u64) << 32 | at as u64));
        let mut counts = Vec::new();
        for at in 0..TRAINS.0 {
            let mut draws = seed(at);
            let contacts = scenario.habit.contacts(&mut draws, span_s);
            let starts: Vec<i64> = contacts.iter().map(|contact| contact.start_s).collect();
            counts.push(starts.len().max(6));
            if let Some(features) = judged(&mut draws, starts, span_s, recorded, true) {
                all.push(Example { scenario: scenario.name, implant: true, burst: false, features });
            }
        }
        for at in 0..TRAINS.1 {
            let mut draws = seed(1_000_000 + at);
            let starts = benign_starts(&mut draws, at, counts[at % counts.len()], span_s);
            if let Some(features) = judged(&mut draws, starts, span_s, recorded, false) {
                let burst = at.is_multiple_of(BURST_EVERY);
                all.push(Example { scenario: scenario.name, implant: false, burst, features });
            }
        }
    }
    all
}

/// Solves a small symmetric system by elimination.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    let n = right.len();
    for pivot in 0..n {
        let (upper, lower) = matrix.split_at_mut(pivot + 1);
        let above = &upper[pivot];
        for (below, row) in lower.iter_mut().zip(pivot + 1..) {
            let times = below[pivot] / above[pivot];
            below.iter_mut().zip(above).skip(pivot).for_each(|(below, above)| *below -= times * above);
            right[row] -= times * right[pivot];
        }
    }
    for row in (0..n).rev() {
        let known: f64 = (row + 1..n).map(|column| matrix[row][column] * right[column]).sum();
        right[row] = (right[row] - known) / matrix[row][row];
    }
    right
}

/// Fits the model on some of the examples; implants and benign trains have the same total weight.
fn fit<'a>(examples: impl Iterator<Item = &'a Example>) -> Model {
    let rows: Vec<([f64; 5], bool)> = examples
        .map(|example| {
            let [a, b, c, d] = example.features.values();
            ([1.0, a, b, c, d], example.implant)
        })
        .collect();
    let implants = rows.iter().filter(|row| row.1).count() as f64;
    let weight = |implant: bool| if implant { 0.5 / implants } else { 0.5 / (rows.len() as f64 - implants) };
    let mut used = vec![0, 1, 2, 3, 4];
    loop {
        let mut model = [0.0; 5];
        for _ in 0..60 {
            let n = used.len();
            let (mut slope, mut bend) = (vec![0.0; n], vec![vec![0.0; n]; n]);
            for (values, implant) in &rows {
                let logit: f64 = values.iter().zip(model).map(|(value, weight)| value * weight).sum();
                let p = 1.0 / (1.0 + (-logit).exp());
                let w = weight(*implant);
                for (i, &a) in used.iter().enumerate() {
                    slope[i] += w * values[a] * (f64::from(u8::from(*implant)) - p);
                    for (j, &b) in used.iter().enumerate() {
                        bend[i][j] += w * values[a] * values[b] * p * (1.0 - p);
                    }
                }
            }
            for (i, &a) in used.iter().enumerate() {
                let ridge = if a == 0 { 1e-9 } else { RIDGE };
                slope[i] -= ridge * model[a];
                bend[i][i] += ridge;
            }
            let step = solve(bend, slope);
            for (i, &a) in used.iter().enumerate() {
                model[a] += step[i];
            }
        }
        match used.iter().position(|&at| at > 0 && model[at] < 0.0) {
            Some(at) => used.remove(at),
            None => return model,
        };
    }
}

fn recall(examples: &[Example], scenario: &str, model: &Model) -> f64 {
    let [bias, weights @ ..] = *model;
    let of = |implant: bool| -> Vec<f64> {
        let some = examples.iter().filter(|e| e.scenario == scenario && e.implant == implant && !e.burst);
        some.map(|example| example.features.score_with(bias, &weights)).collect()
    };
    Ranking::of(&of(true), &of(false)).map_or(0.0, |ranking| ranking.recall_at_hundredth)
}

fn main() {
    let scenarios: Vec<Scenario> = scenarios().into_iter().filter(|s| s.habit.hosts() == 1).collect();
    let examples: Vec<Example> =
        scenarios.par_iter().enumerate().flat_map_iter(|(number, scenario)| examples(number, scenario)).collect();
    let model = fit(examples.iter());
    eprintln!("{} trains, {} of implants", examples.len(), examples.iter().filter(|e| e.implant).count());
    eprintln!("{:<48} left out  fitted", "recall at 1 % false positives");
    for scenario in &scenarios {
        let without = fit(examples.iter().filter(|example| example.scenario != scenario.name));
        let (out, all) = (recall(&examples, scenario.name, &without), recall(&examples, scenario.name, &model));
        eprintln!("{:<48} {out:.3}     {all:.3}", scenario.name);
    }
    let [bias, weights @ ..] = model.map(|weight| format!("{weight:.4}"));
    println!(
        "//! Weights {VERSION} of the score, seed {SEED}, written by the example `score_weights` of flowsift-corpus; not edited by hand."
    );
    println!();
    println!("/// Score of a train without any evidence, in logits.");
    println!("pub(super) const BIAS: f64 = {bias};");
    println!();
    println!("/// Weights of evidence alone, and of evidence times coverage, steadiness and equal sizes.");
    println!("pub(super) const WEIGHTS: [f64; 4] = [{}];", weights.join(", "));
}
