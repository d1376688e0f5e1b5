//! Uploads by hour as bars, against the band of the host's own habit.

use crate::report::html::figures::{Band, UploadFigure};
use crate::report::html::markup::Markup;
use crate::report::html::scale::{TimeAxis, WIDTH, byte_step};
use crate::report::html::words;
use flow::time::HOUR_S;
use flow::units::{bytes_text, counted};

const LEFT: f64 = 76.0;
const RIGHT: f64 = WIDTH - 30.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 172.0;

/// Returns the uploads of a host; `None` without hours.
pub(in crate::report::html) fn uploads(figure: &UploadFigure) -> Option<Markup> {
    let (first, last) = (figure.hours.first()?, figure.hours.last()?);
    let axis = TimeAxis::new(first.hour_s, last.hour_s + HOUR_S, LEFT, RIGHT);
    let high = |band: &Option<Band>| band.map_or(0, |band| band.high_bytes);
    let most = figure.hours.iter().map(|hour| hour.bytes_out.max(high(&hour.band))).max().unwrap_or(0).max(1);
    let y = |bytes: u64| BOTTOM - bytes as f64 / most as f64 * (BOTTOM - TOP);
    let over = figure.hours.iter().filter(|hour| hour.is_over()).count() as u64;
    let mut out = Markup::new();
    let title = match figure.habit.is_known() {
        true => {
            format!("Bytes sent out by hour, {} above the band of the host's own habit", counted(over, "hour", "hours"))
        }
        false => "Bytes sent out by hour; no history tells what is usual".to_owned(),
    };
    out.begin_figure(WIDTH, BOTTOM + 40.0, &title);
    axis.draw(&mut out, TOP, BOTTOM);
    let step = byte_step(most);
    for line in 0..=most / step {
        let at = y(line * step);
        out.line("grid", (LEFT, at), (RIGHT, at)).label("tick end", (LEFT - 8.0, at + 4.0), &bytes_text(line * step));
    }
    out.raw("\n");
    for hour in &figure.hours {
        let (from, to) = (axis.x(hour.hour_s), axis.x(hour.hour_s + HOUR_S));
        if let Some(band) = hour.band {
            let (top, bottom) = (y(band.high_bytes), y(band.low_bytes));
            out.area("band", (from, top.min(bottom - 1.5), to - from, (bottom - top).max(1.5)), 0.0, "");
        }
    }
    out.raw("\n");
    for hour in figure.hours.iter().filter(|hour| hour.bytes_out > 0) {
        let (from, to) = (axis.x(hour.hour_s), axis.x(hour.hour_s + HOUR_S));
        let margin = (to - from) * 0.2;
        let class = if hour.is_over() || hour.band.is_none() { "fill-uploads" } else { "fill-usual" };
        let top = y(hour.bytes_out).min(BOTTOM - 1.0);
        let tip = format!("{} {} out", words::minute(hour.hour_s), bytes_text(hour.bytes_out));
        out.area(class, (from + margin, top, to - from - 2.0 * margin, BOTTOM - top), 0.0, &tip);
    }
    out.close("svg");
    Some(out)
}
