//! Writes `crates/kernels/src/calibration/null_table.rs`: how regular benign random traffic looks to each beacon test.
//!
//! ```text
//! cargo run --release -p flowsift-kernels --example null_tables > null_table.rs
//! mv null_table.rs crates/kernels/src/calibration/null_table.rs
//! ```
//!
//! Through a file of its own, since the table must exist while this is compiled. Seeded: the same source gives the same
//! bytes on any number of threads. It takes a few minutes on two cores. The fit of the tails is described in
//! `kernels::calibration`.

#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use flowsift_kernels::beacon::train_evidence;
use flowsift_kernels::calibration::{CLASSES, COUNTS, DEPTHS, Evidence, Method, RESOLUTIONS};
use flowsift_kernels::simulation::{Benign, Draws};
use rayon::prelude::*;

/// Increase whenever a test, a family or the fit changes, and write the table anew.
const VERSION: u32 = 8;

/// Seed of the whole table.
const SEED: u64 = 20_260_101;

/// Resolution classes, and the mean intervals (in units) that are drawn to fill each.
const MEANS: [(f64, f64); RESOLUTIONS] = [(0.3, 3.0), (2.5, 9.0), (5.0, 30.0), (20.0, 3000.0)];

/// Starts simulated for each cell of the design; short trains are drawn more often.
const STARTS: usize = 2_500_000;

/// Fewest trains of a family in a cell for it to count there.
const MIN_TRAINS: usize = 800;

/// Weight of the reference slope 1 in the fit of a tail, in excesses.
const PRIOR: f64 = 10.0;

/// The row of a class that no family reaches.
const UNREACHED: [f64; DEPTHS.len()] = [9.0, 18.0, 27.0, 54.0, 108.0];

/// Evidence by method, class and bin of one family.
type Cells = Vec<Vec<f32>>;

fn cell(method: Method, class: usize, bin: usize) -> usize {
    (method as usize * CLASSES + class) * COUNTS.len() + bin
}

/// Returns the index of the simulated number of intervals nearest in ratio.
fn bin_of(count: usize) -> usize {
    let distance = |bin: &usize| (COUNTS[*bin] as f64 / count as f64).ln().abs();
    (0..COUNTS.len()).min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or(0)
}

fn simulate(family: usize, class: usize, bin: usize, into: &mut Cells) {
    let mut draws = Draws::seeded(SEED ^ ((family * 1000 + class * 100 + bin) as u64) << 20);
    let trains = (STARTS / COUNTS[bin]).clamp(6_000, 60_000);
    for _ in 0..trains {
        let mut count = COUNTS[bin] as f64 * draws.between(0.8, 1.25) + 1.0;
        if matches!(Benign::ALL[family], Benign::Sessions | Benign::Human) && draws.uniform() < 0.5 {
            // Half of the bursty trains are longer, so that as many check-ins remain after coalescing.
            count *= 4.0;
        }
        let unit = [1, 1, 60, 600][(draws.bits() % 4) as usize];
        let (low, high) = MEANS[class];
        let mean_s = draws.between(low.ln(), high.ln()).exp() * unit as f64;
        let starts = Benign::ALL[family].train(&mut draws, (count as usize).max(6), mean_s, unit);
        let Some(found) = train_evidence(&starts, unit as u32) else { continue };
        for Evidence { method, class, count, evidence } in found.evidence {
            // A count far outside the simulated ones would only blur the edge cells.
            if (4..=1500).contains(&count) {
                into[cell(method, class, bin_of(count))].push(evidence as f32);
            }
        }
    }
}

/// Returns the evidence exceeded by one family with each probability of `DEPTHS`.
fn tail(evidence: &mut [f32]) -> [f64; DEPTHS.len()] {
    evidence.sort_unstable_by(|a, b| b.total_cmp(a));
    let tenth = f64::from(evidence[evidence.len() / 10]);
    let excesses = evidence.len() / 100;
    let hundredth = f64::from(evidence[excesses]);
    let sum: f64 = evidence[..excesses].iter().map(|&e| f64::from(e) - hundredth).sum();
    let slope = ((excesses as f64 + PRIOR) / (sum * std::f64::consts::LN_10 + PRIOR)).min(1.0);
    DEPTHS.map(|depth| match depth {
        1.0 => tenth,
        depth => hundredth + (depth - 2.0) / slope,
    })
}

/// Returns one row of the table as text.
///
/// A cell that too few families reach takes its nearest neighbour; where there is none, almost nothing is found.
fn line(rows: &[Option<[f64; DEPTHS.len()]>], method: Method, class: usize, bin: usize) -> String {
    let nearest = (0..COUNTS.len())
        .filter(|&other| rows[cell(method, class, other)].is_some())
        .min_by_key(|&other| (bin.abs_diff(other), other));
    let row = nearest.and_then(|other| rows[cell(method, class, other)]).unwrap_or(UNREACHED);
    let text: Vec<String> = row.iter().map(|knot| format!("{knot:.3}")).collect();
    format!("[{}],", text.join(", "))
}

fn main() {
    let cells = Method::ALL.len() * CLASSES * COUNTS.len();
    let families: Vec<Cells> = (0..Benign::ALL.len())
        .into_par_iter()
        .map(|family| {
            let mut into = vec![Vec::new(); cells];
            for class in 0..MEANS.len() {
                for bin in 0..COUNTS.len() {
                    simulate(family, class, bin, &mut into);
                }
            }
            into
        })
        .collect();
    let mut rows: Vec<Option<[f64; DEPTHS.len()]>> = vec![None; cells];
    let mut reached_by = vec![0usize; cells];
    for mut family in families {
        for ((row, reached_by), evidence) in rows.iter_mut().zip(&mut reached_by).zip(&mut family) {
            if evidence.len() < MIN_TRAINS {
                continue;
            }
            *reached_by += 1;
            let tail = tail(evidence);
            let worst = row.get_or_insert([0.0; DEPTHS.len()]);
            worst.iter_mut().zip(tail).for_each(|(worst, knot)| *worst = worst.max(knot));
        }
    }
    // Only the longest trains of some families reach the last columns, where the worst family may be missing.
    for (rows, reached_by) in rows.chunks_mut(COUNTS.len()).zip(reached_by.chunks(COUNTS.len())) {
        let most = reached_by.iter().max().copied().unwrap_or(0);
        rows.iter_mut()
            .zip(reached_by)
            .filter(|(_, reached_by)| 2 * **reached_by <= most)
            .for_each(|(row, _)| *row = None);
    }
    println!("//! Null table {VERSION}, seed {SEED}, written by the example `null_tables`; not edited by hand.");
    println!("//!");
    println!("//! Evidence that benign trains exceed with probability 1e-1, 1e-2, 1e-3, 1e-6, 1e-12, by method,");
    println!("//! class (resolution, then the same with gaps cut out) and number of intervals.");
    println!();
    println!("/// Knots in a row.");
    println!("pub(super) const KNOTS: usize = {};", DEPTHS.len());
    println!();
    println!("/// Method × resolution class × number of intervals × depth.");
    println!("#[allow(clippy::approx_constant)] // A simulated knot may look like π.");
    println!("#[rustfmt::skip]");
    println!("pub(super) static TABLE: [[[[f32; KNOTS]; {}]; {}]; {}] = [", COUNTS.len(), CLASSES, Method::ALL.len());
    for method in Method::ALL {
        println!("    [ // {method:?}");
        for class in 0..CLASSES {
            println!("        [");
            let lines: Vec<String> = (0..COUNTS.len()).map(|bin| line(&rows, method, class, bin)).collect();
            for pair in lines.chunks(2) {
                println!("            {}", pair.join(" "));
            }
            println!("        ],");
        }
        println!("    ],");
    }
    println!("];");
}
