//! A histogram of the time between connection starts.
//!
//! A bin is a whole multiple of the clock's grid: starts are whole seconds, in some logs whole minutes, and bins that cut
//! the grid unevenly would show gaps and peaks that are not there.

use crate::report::html::markup::Markup;
use crate::report::html::scale::WIDTH;
use flow::units::{count_text, counted, duration_text};

/// Most bins.
const MAX_BINS: i64 = 60;
/// Gaps of more than so many times the median are counted, not drawn.
const LONG_TIMES: i64 = 4;
const LEFT: f64 = 52.0;
const RIGHT: f64 = WIDTH - 30.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 130.0;

/// Gaps between starts, in bins.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::report::html) struct Gaps {
    /// The grid that all starts keep, in seconds.
    pub(in crate::report::html) grid_s: i64,
    /// The width of a bin, in seconds: a multiple of the grid.
    pub(in crate::report::html) bin_s: i64,
    /// First second of the first bin.
    pub(in crate::report::html) from_s: i64,
    /// Gaps in each bin.
    pub(in crate::report::html) bins: Vec<u64>,
    /// Gaps longer than the last bin.
    pub(in crate::report::html) longer: u64,
    /// The median gap, in seconds.
    pub(in crate::report::html) median_s: i64,
}

fn divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { divisor(b, a % b) }
}

impl Gaps {
    /// Counts the gaps between starts, which ascend; `None` for fewer than two.
    pub(in crate::report::html) fn of(starts_s: &[i64]) -> Option<Self> {
        let mut gaps: Vec<i64> = starts_s.windows(2).map(|two| two[1] - two[0]).collect();
        gaps.sort_unstable();
        let (least, median_s) = (*gaps.first()?, *gaps.get(gaps.len() / 2)?);
        let grid_s = gaps.iter().copied().fold(0, divisor).max(1);
        let most = gaps.last().copied()?.min(median_s.max(grid_s).saturating_mul(LONG_TIMES));
        let bin_s = ((most - least) / grid_s / MAX_BINS + 1) * grid_s;
        let from_s = least.div_euclid(bin_s) * bin_s;
        let mut bins = vec![0; usize::try_from((most - from_s) / bin_s + 1).ok()?];
        let mut longer = 0;
        for gap in gaps {
            match usize::try_from((gap - from_s) / bin_s).ok().and_then(|at| bins.get_mut(at)) {
                Some(count) => *count += 1,
                None => longer += 1,
            }
        }
        Some(Self { grid_s, bin_s, from_s, bins, longer, median_s })
    }

    /// Returns the first second of a bin.
    pub(in crate::report::html) fn bin_from_s(&self, bin: usize) -> i64 {
        self.from_s + bin as i64 * self.bin_s
    }

    /// Draws the histogram.
    pub(in crate::report::html) fn draw(&self) -> Markup {
        let most = self.bins.iter().copied().max().unwrap_or(0).max(1);
        let gaps = counted(self.bins.iter().sum(), "gap", "gaps");
        let mut out = Markup::new();
        let title = format!("How far apart the starts are: {gaps}, the median {}", duration_text(self.median_s as f64));
        out.begin_figure(WIDTH, BOTTOM + 24.0, &title);
        for (share, count) in [(1.0, most), (0.0, 0)] {
            let y = BOTTOM - share * (BOTTOM - TOP);
            out.line("grid", (LEFT, y), (RIGHT, y)).label("tick end", (LEFT - 8.0, y + 4.0), &count_text(count));
        }
        let width = (RIGHT - LEFT) / self.bins.len() as f64;
        let x = |bin: usize| LEFT + bin as f64 * width;
        for (bin, count) in self.bins.iter().enumerate().filter(|(_, count)| **count > 0) {
            let height = (*count as f64 / most as f64 * (BOTTOM - TOP)).max(1.0);
            let place = (x(bin) + 0.5, BOTTOM - height, (width - 1.0).clamp(1.0, 40.0), height);
            out.area("fill-calls", place, 0.0, &format!("{}: {}", self.bin_text(bin), count_text(*count)));
        }
        out.raw("\n");
        let every = self.bins.len().div_ceil(8).max(1);
        for bin in (0..self.bins.len()).step_by(every) {
            let text = duration_text(self.bin_from_s(bin) as f64);
            out.line("grid", (x(bin), BOTTOM), (x(bin), BOTTOM + 5.0)).label("tick", (x(bin), BOTTOM + 18.0), &text);
        }
        out.close("svg");
        out
    }

    /// Returns the gaps of a bin, such as `60 s to 61 s`.
    pub(in crate::report::html) fn bin_text(&self, bin: usize) -> String {
        let from_s = self.bin_from_s(bin);
        if self.bin_s == self.grid_s {
            return format!("{from_s} s");
        }
        format!("{from_s} s to {} s", from_s + self.bin_s - self.grid_s)
    }

    /// Returns what the histogram does not show; empty for nothing.
    pub(in crate::report::html) fn note(&self) -> String {
        if self.longer == 0 {
            return String::new();
        }
        let last_s = (self.bin_from_s(self.bins.len()) - self.grid_s) as f64;
        format!(" Not drawn: {} of more than {}.", counted(self.longer, "gap", "gaps"), duration_text(last_s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_multiples_of_the_grid() {
        // Whole minutes: a bin of a second would leave 59 of 60 empty.
        let starts: Vec<i64> = (0..50).map(|n| n * 300 + n % 5 * 60).collect();
        let gaps = Gaps::of(&starts).unwrap();
        assert_eq!((gaps.grid_s, gaps.bin_s, gaps.from_s), (60, 60, 60));
        assert_eq!((gaps.bins.as_slice(), gaps.bins.iter().sum::<u64>()), (&[9, 0, 0, 0, 0, 40][..], 49));
        // Seconds with 200 different gaps share bins of a few whole seconds.
        let mut at = 0;
        let starts: Vec<i64> = (0..400)
            .map(|n: i64| {
                at += 300 + n * 7 % 200;
                at
            })
            .collect();
        let gaps = Gaps::of(&starts).unwrap();
        assert_eq!((gaps.grid_s, gaps.bin_s), (1, 4));
        assert!(gaps.bins.len() <= MAX_BINS as usize && gaps.bins.iter().sum::<u64>() == 399);
    }

    #[test]
    fn long_gaps_are_told_and_one_start_has_none() {
        let starts = [0, 60, 120, 180, 240, 90_000];
        let gaps = Gaps::of(&starts).unwrap();
        assert_eq!((gaps.longer, gaps.median_s), (1, 60));
        assert!(gaps.note().starts_with(" Not drawn: 1 gap of more than 4 m"), "{}", gaps.note());
        assert_eq!(Gaps::of(&[5]), None);
        assert_eq!(Gaps::of(&[5, 5]).unwrap().bins, [1]);
    }
}
