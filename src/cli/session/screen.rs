//! Shows results at the prompt: a limit of rows, tables or records, and a pager for what does not fit.

use super::runner::Sink;
use super::table::{Place, records, table, without_color};
use super::text::plan_text;
use crate::cli::exit::Failure;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use flow::units::counted;
use std::io::{IsTerminal, Write};
use std::process::{Command, Stdio};

/// Keeps the first rows of a result and shows them.
pub(in crate::cli) struct Screen {
    /// Most rows; 0 for all.
    pub(in crate::cli) limit: usize,
    schema: Option<SchemaRef>,
    batches: Vec<RecordBatch>,
    rows: usize,
    more: bool,
}

impl Screen {
    pub(in crate::cli) fn new(limit: usize) -> Self {
        Self { limit, schema: None, batches: Vec::new(), rows: 0, more: false }
    }

    /// Returns the result as text, and a line that counts its rows; `None` when the statement has no result.
    pub(in crate::cli) fn text(&self, expanded: bool) -> Result<Option<(String, String)>, Failure> {
        let Some(schema) = self.schema.as_ref().filter(|schema| !schema.fields().is_empty()) else { return Ok(None) };
        let place = Place::of_stdout();
        let text = match (plan_text(&self.batches), expanded) {
            (Some(plan), _) => plan,
            (None, true) => records(schema, &self.batches, place)?,
            (None, false) => table(schema, &self.batches, place)?,
        };
        let rows = counted(self.rows as u64, "row", "rows");
        let more = if self.more { ", there are more: \\limit 0 shows all" } else { "" };
        Ok(Some((text, format!("{rows}{more}"))))
    }
}

impl Sink for Screen {
    fn begin(&mut self, schema: SchemaRef) -> Result<(), Failure> {
        self.schema = Some(schema);
        Ok(())
    }

    fn rows(&mut self, batch: &RecordBatch) -> Result<bool, Failure> {
        let room = if self.limit == 0 { usize::MAX } else { self.limit - self.rows };
        self.more = batch.num_rows() > room;
        let kept = batch.slice(0, batch.num_rows().min(room));
        self.rows += kept.num_rows();
        if kept.num_rows() > 0 {
            self.batches.push(kept);
        }
        Ok(!self.more)
    }
}

/// Writes text to stdout, through a pager when it does not fit on the terminal.
pub(in crate::cli) fn show(text: &str) -> Result<(), Failure> {
    let fits = match console::Term::stdout().size_checked() {
        Some((lines, columns)) => {
            let (lines, columns) = (usize::from(lines), usize::from(columns));
            let plain = without_color(text);
            text.lines().count() < lines && plain.lines().all(|line| console::measure_text_width(line) <= columns)
        }
        None => true,
    };
    if !fits && std::io::stdout().is_terminal() && paged(text) {
        return Ok(());
    }
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Runs the pager of `$PAGER`, else `less`; returns whether there is one. An empty `$PAGER` means none.
fn paged(text: &str) -> bool {
    let pager = std::env::var("PAGER").unwrap_or_else(|_| "less".to_owned());
    if pager.trim().is_empty() {
        return false;
    }
    let mut command = Command::new("sh");
    command.arg("-c").arg(&pager).stdin(Stdio::piped());
    let own_look = std::env::var_os("LESS").is_none();
    if own_look {
        // Wide tables are scrolled sideways, short ones stay on the screen, colours are let through.
        command.env("LESS", "FRSX");
    }
    let Ok(mut child) = command.spawn() else { return false };
    if let Some(mut input) = child.stdin.take() {
        let text = if own_look { text.to_owned() } else { without_color(text) };
        // Leaving the pager early is not an error.
        let _ = input.write_all(text.as_bytes());
    }
    // 127: the shell found no such program.
    child.wait().is_ok_and(|status| status.code() != Some(127))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array};
    use std::sync::Arc;

    #[test]
    fn the_limit_cuts_and_says_so() {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..10));
        let rows = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
        for (limit, shown, more) in [(0, 10, false), (10, 10, false), (4, 4, true)] {
            let mut screen = Screen::new(limit);
            screen.begin(rows.schema()).unwrap();
            assert_eq!(screen.rows(&rows).unwrap(), !more);
            let (text, count) = screen.text(true).unwrap().unwrap();
            assert_eq!(text.matches("-[ record").count(), shown);
            assert!(text.contains("n | 3\n"));
            assert_eq!(count.contains("there are more"), more, "{count}");
        }
    }
}
