//! The page of a run: one HTML file that needs no network, no server and, for its figures, no script.
//!
//! **Layers**, lower ones first: `markup` escapes, `shapes` and `scale` place, `words` words values; [`figures`] gathers
//! what is plotted; `draw` makes the SVG; `parts` are the sections of the page; this file puts them together.
//!
//! **Safety.** Tags, object keys, feeds and notes are words of others. One function escapes them, for text and for
//! attributes; the script only ever sets text; and the page's first element forbids whatever is not its own style or
//! script, known by their hashes.

mod markup;
mod policy;
mod scale;
mod shapes;
mod words;

mod membership;

pub mod figures;

mod draw;
mod parts;

#[cfg(test)]
mod tests;

pub use figures::{Figures, gather};

use super::error::ReportError;
use super::summary::Summary;
use crate::detect::Finding;
use crate::incident::Incident;
use markup::Markup;
use membership::Membership;
use parts::Sheet;
use std::io::Write;

/// What a page is made from. The same values make the same bytes.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// What was read and found; its times are not shown.
    pub summary: &'a Summary,
    /// The incidents by rank.
    pub incidents: &'a [Incident],
    /// The findings in the order of reports.
    pub findings: &'a [Finding],
    /// What is plotted.
    pub figures: &'a Figures,
    /// Findings that an allow-list lowered, shown or not.
    pub allowed: u64,
    /// The command that made it, as typed.
    pub command: Option<&'a str>,
}

/// Writes the page.
///
/// # Errors
/// [`ReportError::Io`] when the writer fails.
pub fn write_html<W: Write>(mut out: W, page: &Page<'_>) -> Result<(), ReportError> {
    let text = page_text(page);
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|source| ReportError::Io { action: "write", what: "page".to_owned(), source })
}

fn page_text(page: &Page<'_>) -> String {
    let sheet = Sheet { page, figures: page.figures, membership: Membership::of(page.incidents) };
    let mut out = Markup::new();
    out.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n");
    out.open("meta", &[("http-equiv", "Content-Security-Policy"), ("content", &policy::policy())]).raw("\n");
    out.raw("<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    out.raw("<meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"color-scheme\" content=\"light dark\">\n");
    out.leaf("title", &[], &title(page)).raw("\n<style>").raw(policy::STYLE).raw("</style>\n</head>\n<body>\n");
    out.raw("<a class=\"skip\" href=\"#incidents\">To the incidents</a>\n");
    parts::header::header(&mut out, &sheet);
    out.raw("<main>\n");
    parts::incident::incidents(&mut out, &sheet);
    parts::findings::findings(&mut out, &sheet);
    parts::plots::other_plots(&mut out, &sheet);
    parts::left_out::left_out(&mut out, &sheet);
    out.raw("</main>\n<script>").raw(policy::SCRIPT).raw("</script>\n</body>\n</html>\n");
    out.into_text()
}

fn title(page: &Page<'_>) -> String {
    let worst = page.incidents.iter().map(|incident| incident.severity).max();
    let worst = worst.or_else(|| page.findings.iter().map(|finding| finding.severity).max());
    let until = page.summary.window_end_s.map_or_else(String::new, |end_s| format!(" until {}", words::minute(end_s)));
    match worst {
        Some(severity) => format!("flowsift: {severity}{until}"),
        None => format!("flowsift: nothing found{until}"),
    }
}
