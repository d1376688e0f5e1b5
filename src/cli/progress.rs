//! The progress bar on stderr: objects, rows, bytes, rate, time left.

use super::options::Global;
use crate::hours::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts objects, bytes and rows, and shows them if wanted.
pub(super) struct Bar {
    bar: ProgressBar,
    objects: u64,
    done: AtomicU64,
    rows: AtomicU64,
}

impl Bar {
    /// Starts a bar over `objects` objects of `bytes` bytes in all; hidden unless `global` wants it.
    pub(super) fn new(global: &Global, objects: u64, bytes: u64) -> Self {
        Self::shown(global.shows_progress_now(), objects, bytes)
    }

    /// Starts a bar that is hidden unless `shown`.
    pub(super) fn shown(shown: bool, objects: u64, bytes: u64) -> Self {
        let bar = ProgressBar::new(bytes);
        if shown {
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
            bar.set_style(style());
            bar.enable_steady_tick(Duration::from_millis(250));
        } else {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        Self { bar, objects, done: AtomicU64::new(0), rows: AtomicU64::new(0) }
    }

    /// Removes the bar from the screen.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn style() -> ProgressStyle {
    let template = "{bar:24} {percent:>3}%  {msg}  {bytes}/{total_bytes}  {bytes_per_sec}  left {left}";
    // The template is fixed, so it parses; a failure would only change the look.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
        .with_key("left", |state: &ProgressState, out: &mut dyn Write| {
            let _ = write!(out, "{:.0?}", Duration::from_secs(state.eta().as_secs()));
        })
}

impl Progress for Bar {
    fn object_done(&self, bytes: u64, rows: u64) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let rows = self.rows.fetch_add(rows, Ordering::Relaxed) + rows;
        if !self.bar.is_hidden() {
            self.bar.set_message(format!("{done}/{} objects  {:.1} M rows", self.objects, rows as f64 / 1e6));
        }
        self.bar.inc(bytes);
    }
}
