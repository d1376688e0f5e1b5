//! A raster of connection starts: 24 rows of an hour, a tick for each start. Calls that keep time show as a pattern.

use crate::report::html::markup::Markup;
use crate::report::html::scale::WIDTH;
use crate::report::html::shapes::px;
use crate::report::html::words;
use flow::time::{HOUR_S, hour_of};
use flow::units::{count_text, counted};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Rows of an hour.
const ROWS: i64 = 24;
/// Starts drawn one by one; more are counted in bins.
const MAX_TICKS: usize = 2_000;
/// The length of a bin, in seconds.
const BIN_S: i64 = 60;
const ROW: f64 = 11.0;
const LEFT: f64 = 96.0;
const TOP: f64 = 20.0;

/// The starts that a raster shows, by the hour.
pub(in crate::report::html) struct Raster {
    /// First second of the first row.
    pub(in crate::report::html) from_s: i64,
    /// Starts of each row that has any, with the first second of its hour.
    pub(in crate::report::html) hours: BTreeMap<i64, Vec<i64>>,
    /// Starts before the first row.
    pub(in crate::report::html) before: usize,
}

impl Raster {
    /// Takes the last day of some starts, which ascend; `None` without any.
    pub(in crate::report::html) fn of(starts_s: &[i64]) -> Option<Self> {
        let (first, last) = (*starts_s.first()?, *starts_s.last()?);
        let from_s = hour_of(first).max(hour_of(last) - (ROWS - 1) * HOUR_S);
        let before = starts_s.partition_point(|start| *start < from_s);
        let mut hours: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for start in &starts_s[before..] {
            hours.entry(hour_of(*start)).or_default().push(*start);
        }
        Some(Self { from_s, hours, before })
    }

    fn count(&self) -> usize {
        self.hours.values().map(Vec::len).sum()
    }

    /// Returns the rows from the first to the last hour.
    fn rows(&self) -> i64 {
        self.hours.keys().next_back().map_or(1, |last| (last - self.from_s) / HOUR_S + 1)
    }

    /// Draws the raster.
    pub(in crate::report::html) fn draw(&self) -> Markup {
        let bottom = TOP + self.rows() as f64 * ROW;
        let mut out = Markup::new();
        let starts = counted(self.count() as u64, "start", "starts");
        let title = format!("Connection starts: a row for each hour, a tick for each start, {starts} in all");
        out.begin_figure(WIDTH, bottom + 8.0, &title);
        for quarter in 0..=4 {
            let x = x(quarter * 900);
            out.line("grid", (x, TOP - 4.0), (x, bottom));
            out.label("tick middle", (x, 11.0), &format!("{} min", quarter * 15));
        }
        let mut last_day = String::new();
        for row in 0..self.rows() {
            let hour = self.from_s + row * HOUR_S;
            let y = TOP + row as f64 * ROW + 9.0;
            if row % 4 == 0 {
                out.label("tick end", (LEFT - 8.0, y), &words::clock(hour));
            }
            let day = words::day(hour);
            if day != last_day {
                out.label("tick", (0.0, y), &day);
            }
            last_day = day;
        }
        if self.count() > MAX_TICKS {
            self.draw_bins(&mut out)
        } else {
            self.draw_ticks(&mut out)
        }
        out.close("svg");
        out
    }

    fn draw_ticks(&self, out: &mut Markup) {
        let mut steps = String::new();
        for (hour, starts) in &self.hours {
            let y = px(self.y(*hour));
            for start in starts {
                let _ = write!(steps, "M{} {y}v8", px(x(start - hour)));
            }
        }
        out.path("start", &steps, "");
    }

    /// Draws a square for each minute with starts; the more there are, the stronger.
    fn draw_bins(&self, out: &mut Markup) {
        const LEVELS: [&str; 4] = ["bin weak", "bin middling", "bin strong", "bin full"];
        let mut bins: BTreeMap<(i64, i64), usize> = BTreeMap::new();
        for (hour, starts) in &self.hours {
            starts.iter().for_each(|start| *bins.entry((*hour, (start - hour) / BIN_S)).or_default() += 1);
        }
        let most = bins.values().copied().max().unwrap_or(1);
        let mut steps: [String; 4] = Default::default();
        let width = px(x(BIN_S) - x(0));
        for ((hour, bin), count) in bins {
            let level = (count * LEVELS.len()).div_ceil(most).saturating_sub(1).min(LEVELS.len() - 1);
            let _ = write!(steps[level], "M{} {}h{width}v9h-{width}z", px(x(bin * BIN_S)), px(self.y(hour)));
        }
        for (class, steps) in LEVELS.into_iter().zip(&steps).filter(|(_, steps)| !steps.is_empty()) {
            out.path(class, steps, "");
        }
        out.raw("\n");
    }

    fn y(&self, hour: i64) -> f64 {
        TOP + ((hour - self.from_s) / HOUR_S) as f64 * ROW + 1.0
    }

    /// Returns what the raster does not show, or shows otherwise; empty for nothing.
    pub(in crate::report::html) fn note(&self) -> String {
        let mut note = String::new();
        if self.before > 0 {
            let _ = write!(
                note,
                " The last {ROWS} hours; {} earlier starts are not drawn.",
                count_text(self.before as u64)
            );
        }
        if self.count() > MAX_TICKS {
            note.push_str(" Starts are counted by the minute: the stronger, the more.");
        }
        note
    }
}

/// Returns the place of a second of an hour.
fn x(second: i64) -> f64 {
    LEFT + second as f64 / HOUR_S as f64 * (WIDTH - LEFT - 30.0)
}
