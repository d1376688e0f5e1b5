//! The axes of figures: time from left to right, with ticks at round times, and bytes from bottom to top.

use super::markup::Markup;
use super::words;
use flow::time::{DAY_S, HOUR_S};

/// The width of figures, in units of their view box.
pub(super) const WIDTH: f64 = 1_120.0;

/// Most parts that ticks cut an axis of time into.
const MAX_PARTS: i64 = 10;

/// Steps between ticks, in seconds.
const STEPS_S: [i64; 16] = [
    60,
    300,
    600,
    900,
    1_800,
    HOUR_S,
    2 * HOUR_S,
    3 * HOUR_S,
    6 * HOUR_S,
    12 * HOUR_S,
    DAY_S,
    2 * DAY_S,
    7 * DAY_S,
    14 * DAY_S,
    28 * DAY_S,
    56 * DAY_S,
];

/// An axis of time.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeAxis {
    from_s: i64,
    to_s: i64,
    left: f64,
    right: f64,
}

impl TimeAxis {
    /// Returns the axis from one second to another, at least a minute later, between two places.
    pub(super) fn new(from_s: i64, to_s: i64, left: f64, right: f64) -> Self {
        Self { from_s, to_s: to_s.max(from_s.saturating_add(60)), left, right }
    }

    /// Returns the place of a second; one outside of the axis lies at its end.
    pub(super) fn x(&self, second: i64) -> f64 {
        let share = second.saturating_sub(self.from_s) as f64 / self.to_s.saturating_sub(self.from_s) as f64;
        self.left + share.clamp(0.0, 1.0) * (self.right - self.left)
    }

    /// Returns the step between ticks, in seconds.
    fn step_s(&self) -> i64 {
        let span_s = self.to_s.saturating_sub(self.from_s);
        let listed = STEPS_S.into_iter().find(|step| span_s / step <= MAX_PARTS);
        listed.unwrap_or((span_s / MAX_PARTS / DAY_S + 1) * DAY_S)
    }

    /// Returns the seconds of the ticks.
    fn ticks_s(&self) -> impl Iterator<Item = i64> {
        let step = self.step_s();
        let first = self.from_s.div_euclid(step).saturating_add(i64::from(self.from_s.rem_euclid(step) > 0)) * step;
        let to_s = self.to_s;
        (0..=MAX_PARTS + 1).map(move |at| first + at * step).take_while(move |tick| *tick <= to_s)
    }

    /// Draws a line at each tick from `top` to `bottom`, with its time below, and the day where it changes.
    pub(super) fn draw(&self, out: &mut Markup, top: f64, bottom: f64) {
        let by_day = self.step_s() >= DAY_S;
        let mut last_day = String::new();
        for tick in self.ticks_s() {
            let x = self.x(tick);
            out.line("grid", (x, top), (x, bottom));
            let day = words::day(tick);
            let mut texts = Vec::new();
            if !by_day {
                texts.push(words::clock(tick));
            }
            if by_day || day != last_day {
                texts.push(day.clone());
            }
            last_day = day;
            for (line, text) in texts.iter().enumerate() {
                out.label("tick middle", (x, bottom + 16.0 + 14.0 * line as f64), text);
            }
        }
        out.raw("\n");
    }
}

/// Returns a round number of bytes, 1, 2 or 5 times a power of 10, of which at most four fit into `most`.
pub(super) fn byte_step(most: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        for digit in [1, 2, 5] {
            let step = power.saturating_mul(digit);
            if most / step <= 4 {
                return step;
            }
        }
        power = power.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_stand_at_round_times() {
        let axis = TimeAxis::new(1_713_484_920, 1_713_571_200, 0.0, 100.0);
        assert_eq!(axis.step_s(), 3 * HOUR_S);
        let ticks: Vec<String> = axis.ticks_s().map(words::clock).collect();
        assert_eq!(ticks, ["03:00", "06:00", "09:00", "12:00", "15:00", "18:00", "21:00", "00:00"]);
        assert_eq!([axis.x(0), axis.x(1_713_571_200), axis.x(i64::MAX)], [0.0, 100.0, 100.0]);
        for span in [0, 59, 3_600, 40 * DAY_S, 4_000 * DAY_S] {
            let count = TimeAxis::new(1_713_484_800, 1_713_484_800 + span, 0.0, 1.0).ticks_s().count();
            assert!((1..=11).contains(&count), "{count} ticks in {span} s");
        }
    }

    #[test]
    fn bytes_have_round_steps() {
        assert_eq!([0, 4, 5, 45, 5_300_000_000].map(byte_step), [1, 1, 2, 10, 2_000_000_000]);
        assert!(byte_step(u64::MAX) > 0);
    }
}
