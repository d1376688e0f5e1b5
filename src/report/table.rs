//! The table of findings for a terminal: incidents, counts by severity, one row per finding, then an explanation of the
//! worst.
//!
//! Rows are ordered by severity, so the first row matters most. Nothing depends on colour.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::io::Write;

use super::error::ReportError;
use super::evidence::phrases;
use crate::detect::finding::{Finding, compare_findings};
use crate::incident::Incident;
use flow::Severity;
use flow::codes::{self, protocol_name};
use flow::printable;
use flow::time;
use flow::units::{count_text, counted};

mod incidents;

pub use incidents::incidents_text;

/// Columns between two columns of the table.
const GAP: usize = 2;
/// The share of the width, in per cent, that the evidence gets before addresses are shortened.
const WHAT_PERCENT: usize = 30;
/// Minimum width of `host → remote:port`, short enough for 80 columns.
const MIN_PAIR_WIDTH: usize = 31;
/// From this width on, the first-seen time has its year.
const FULL_TIME_FROM: usize = 120;
/// The least room for evidence that tells anything; with less, the column is left out.
const MIN_WHAT_WIDTH: usize = 8;
/// From this width on, the name of a detection may be long.
const FULL_NAME_FROM: usize = 100;
/// The narrowest table; on a narrower terminal, lines are longer than its width.
const MIN_WIDTH: usize = 80;

/// How to show a table of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableOptions {
    /// Columns of the terminal, at least 80. If unsure, 120, also for a pipe.
    pub width: usize,
    /// Whether the severity is coloured with ANSI sequences.
    pub color: bool,
    /// Rows shown; `None` for all. Rows left out are counted below the table.
    pub limit: Option<usize>,
    /// Findings explained below the table, from the worst.
    pub explained: usize,
}

impl Default for TableOptions {
    fn default() -> Self {
        Self { width: 120, color: false, limit: None, explained: 5 }
    }
}

/// Writes incidents as [`incidents_text`], then the table of findings; see [`findings_table`]. `timeline` adds what
/// happened in each incident.
///
/// # Errors
/// [`ReportError::Io`] when the writer fails.
pub fn write_table<W: Write>(
    mut out: W,
    incidents: &[Incident],
    findings: &[Finding],
    options: &TableOptions,
    timeline: bool,
) -> Result<(), ReportError> {
    let mut text = incidents_text(incidents, options, timeline);
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&findings_table(findings, incidents, options));
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|source| ReportError::Io { action: "write", what: "findings".to_owned(), source })
}

/// Returns the table of findings as text, ordered by severity, score and id. Where there are incidents, a column has the
/// rank of the incident that each finding belongs to.
///
/// Evidence that does not fit is left out in whole phrases, then long addresses are shortened in their middle.
/// Control characters are replaced.
pub fn findings_table(findings: &[Finding], incidents: &[Incident], options: &TableOptions) -> String {
    if findings.is_empty() {
        return "No findings\n".to_owned();
    }
    let width = options.width.max(MIN_WIDTH);
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by(|a, b| compare_findings(a, b));
    let shown = &sorted[..options.limit.unwrap_or(sorted.len()).min(sorted.len())];

    let mut text = heading(&sorted);
    if !shown.is_empty() {
        text.push('\n');
        push_rows(&mut text, shown, &Ranks::of(incidents), width, options.color);
    }
    let hidden = &sorted[shown.len()..];
    if !hidden.is_empty() {
        let _ = writeln!(text, "and {} more: {}", count_text(hidden.len() as u64), by_severity(hidden));
    }
    let explained = &shown[..options.explained.min(shown.len())];
    if !explained.is_empty() {
        text.push('\n');
        push_explanations(&mut text, explained, width, options.color);
    }
    text
}

/// The ranks of incidents by their ids.
struct Ranks<'a> {
    ranks: HashMap<&'a str, usize>,
    /// Columns of the widest, with its title; 0 without incidents.
    width: usize,
}

/// The title of the column of ranks.
const RANK_TITLE: &str = "IN";

impl<'a> Ranks<'a> {
    fn of(incidents: &'a [Incident]) -> Self {
        let ranks = incidents.iter().enumerate().map(|(at, incident)| (incident.id.as_str(), at + 1)).collect();
        let widest = if incidents.is_empty() { 0 } else { incidents.len().to_string().len().max(RANK_TITLE.len()) };
        Self { ranks, width: widest }
    }

    /// Returns the rank of a finding's incident, or a mark for none.
    fn cell(&self, finding: &Finding) -> String {
        let rank = finding.incident_id.as_deref().and_then(|id| self.ranks.get(id));
        format!("{:>1$}", rank.map_or("-".to_owned(), ToString::to_string), self.width)
    }
}

fn heading(findings: &[&Finding]) -> String {
    // The same private address in two accounts or regions is two hosts.
    let mut hosts: Vec<_> = (findings.iter())
        .map(|finding| (finding.account_id.as_deref(), finding.region.as_deref(), finding.host))
        .collect();
    hosts.sort_unstable();
    hosts.dedup();
    let count = counted(findings.len() as u64, "finding", "findings");
    let on = counted(hosts.len() as u64, "host", "hosts");
    format!("{count} on {on}: {}\n", by_severity(findings))
}

fn by_severity(findings: &[&Finding]) -> String {
    let mut counts: BTreeMap<Severity, u64> = BTreeMap::new();
    for finding in findings {
        *counts.entry(finding.severity).or_default() += 1;
    }
    let parts = counts.iter().rev().map(|(severity, count)| format!("{} {severity}", count_text(*count)));
    parts.collect::<Vec<_>>().join(", ")
}

/// Returns the severity in at most eight columns.
fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Informational => "info",
        other => other.as_str(),
    }
}

fn severity_color(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "\u{1b}[1;31m",
        Severity::High => "\u{1b}[31m",
        Severity::Medium => "\u{1b}[33m",
        Severity::Low => "\u{1b}[36m",
        Severity::Informational => "\u{1b}[2m",
    }
}

fn push_severity(text: &mut String, severity: Severity, pad_to: usize, color: bool) {
    let word = severity_word(severity);
    if color {
        let _ = write!(text, "{}{word}\u{1b}[0m", severity_color(severity));
    } else {
        text.push_str(word);
    }
    text.extend(std::iter::repeat_n(' ', pad_to.saturating_sub(word.len())));
}

fn columns_of(text: &str) -> usize {
    text.chars().count()
}

fn push_padded(text: &mut String, cell: &str, width: usize) {
    text.push_str(cell);
    text.extend(std::iter::repeat_n(' ', width.saturating_sub(columns_of(cell)) + GAP));
}

fn push_rows(text: &mut String, findings: &[&Finding], ranks: &Ranks<'_>, width: usize, color: bool) {
    let rank_room = if ranks.width > 0 { ranks.width + GAP } else { 0 };
    let time_title = "FIRST SEEN";
    let time_from = if width < FULL_TIME_FROM { "2024-".len() } else { 0 };
    let most_of_name = if width < FULL_NAME_FROM { 13 } else { 20 };
    let name = |finding: &&Finding| shorten_end(&printable(&finding.detection), most_of_name);
    let names: Vec<String> = findings.iter().map(name).collect();
    let pairs: Vec<String> = findings.iter().map(|finding| pair_text(finding, usize::MAX)).collect();
    let whats: Vec<Vec<String>> = findings.iter().map(|finding| phrases(&finding.evidence)).collect();
    let times: Vec<String> = findings.iter().map(|finding| minute_text(finding.first_seen_s, time_from)).collect();

    let widest =
        |cells: &[String], title: &str| cells.iter().map(|cell| columns_of(cell)).max().unwrap_or(0).max(title.len());
    let (severity_width, score_width) = ("SEVERITY".len(), "SCORE".len());
    let name_width = widest(&names, "DETECTION");
    let time_width = widest(&times, time_title);
    let joined: Vec<String> = whats.iter().map(|phrases| phrases.join(", ")).collect();
    // Host and remote are what an analyst copies, so the evidence gives way first, down to a useful least.
    let room = width.saturating_sub(rank_room + severity_width + score_width + name_width + time_width + 5 * GAP);
    let what_least = (width * WHAT_PERCENT / 100).min(widest(&joined, "WHAT"));
    let pair_width = widest(&pairs, "HOST → REMOTE").min(room.saturating_sub(what_least).max(MIN_PAIR_WIDTH));
    let widest_what = widest(&joined, "WHAT");
    let what_width = room.saturating_sub(pair_width).min(widest_what);
    let tells_what = what_width >= MIN_WHAT_WIDTH.min(widest_what);

    if ranks.width > 0 {
        push_padded(text, RANK_TITLE, ranks.width);
    }
    push_padded(text, "SEVERITY", severity_width);
    push_padded(text, "SCORE", score_width);
    push_padded(text, "DETECTION", name_width);
    push_padded(text, "HOST → REMOTE", pair_width);
    if tells_what {
        push_padded(text, "WHAT", what_width);
    }
    text.push_str(time_title);
    text.push('\n');
    for (at, finding) in findings.iter().enumerate() {
        if ranks.width > 0 {
            push_padded(text, &ranks.cell(finding), ranks.width);
        }
        push_severity(text, finding.severity, severity_width + GAP, color);
        let _ = write!(text, "{:>score_width$.2}  ", finding.score);
        push_padded(text, &names[at], name_width);
        push_padded(text, &pair_text(finding, pair_width), pair_width);
        if tells_what {
            push_padded(text, &fitting(&whats[at], what_width), what_width);
        }
        text.push_str(&times[at]);
        text.push('\n');
    }
}

/// Writes a time to the minute, such as `2024-04-19 06:00`, from the character `from` on.
fn minute_text(second: i64, from: usize) -> String {
    time::rfc3339(second).chars().take(16).skip(from).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

/// Joins as many phrases as fit; the first is cut if it does not fit by itself.
fn fitting(phrases: &[String], width: usize) -> String {
    let mut text = String::new();
    for phrase in phrases {
        let separator = if text.is_empty() { "" } else { ", " };
        if columns_of(&text) + separator.len() + columns_of(phrase) <= width {
            text.push_str(separator);
            text.push_str(phrase);
        } else if text.is_empty() {
            return shorten_end(phrase, width);
        }
    }
    text
}

fn shorten_end(text: &str, width: usize) -> String {
    if columns_of(text) <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

fn shorten_middle(text: &str, width: usize) -> String {
    let length = columns_of(text);
    if length <= width {
        return text.to_owned();
    }
    let kept = width.saturating_sub(1);
    let tail = kept / 2;
    text.chars().take(kept - tail).chain(['…']).chain(text.chars().skip(length - tail)).collect()
}

/// Writes `host → remote:port` in at most `width` columns, as far as addresses can be shortened.
fn pair_text(finding: &Finding, width: usize) -> String {
    let host = match (finding.host, &finding.principal) {
        (Some(host), _) => host.to_string(),
        (None, Some(principal)) => flow::printable::printable(principal),
        (None, None) => "-".to_owned(),
    };
    let arrow = match finding.role {
        Some(codes::Role::Server) => " ← ",
        _ => " → ",
    };
    let mut service = finding.port.map_or(String::new(), |port| format!(":{port}"));
    // TCP is the usual case: only another protocol is worth its room.
    if let Some(protocol) = finding.protocol.filter(|protocol| *protocol != codes::TCP) {
        let _ = write!(service, "/{}", protocol_name(protocol));
    }
    let Some(remote) = finding.remote else {
        return if service.is_empty() {
            shorten_middle(&host, width)
        } else {
            let room = width.saturating_sub(columns_of(arrow) + 1 + service.len());
            format!("{}{arrow}*{service}", shorten_middle(&host, room))
        };
    };
    let is_bracketed = !remote.is_v4() && finding.port.is_some();
    let remote = remote.to_string();
    let brackets = if is_bracketed { 2 } else { 0 };
    let room = width.saturating_sub(columns_of(arrow) + service.len() + brackets);
    // The longer address gives way first; an address of 15 columns or fewer stays whole when the other can give.
    let (host_width, remote_width) = share_room(host.len(), remote.len(), room);
    let (host, remote) = (shorten_middle(&host, host_width), shorten_middle(&remote, remote_width));
    if is_bracketed { format!("{host}{arrow}[{remote}]{service}") } else { format!("{host}{arrow}{remote}{service}") }
}

fn share_room(first: usize, second: usize, room: usize) -> (usize, usize) {
    if first.saturating_add(second) <= room {
        return (first, second);
    }
    let half = room / 2;
    if first <= half {
        (first, room - first)
    } else if second <= half {
        (room - second, second)
    } else {
        (half, room - half)
    }
}

fn push_explanations(text: &mut String, findings: &[&Finding], width: usize, color: bool) {
    let number_width = count_text(findings.len() as u64).len();
    for (at, finding) in findings.iter().enumerate() {
        let _ = write!(text, "{:>number_width$}  ", at + 1);
        push_severity(text, finding.severity, severity_word(finding.severity).len() + GAP, color);
        let title = if finding.title.is_empty() { &finding.detection } else { &finding.title };
        let _ = writeln!(text, "{}  {}", printable(title), pair_text(finding, usize::MAX));
        let indent = number_width + GAP;
        for line in wrapped(&printable(&finding.explanation), width - indent) {
            let _ = writeln!(text, "{:indent$}{line}", "");
        }
    }
}

/// Breaks text into lines of at most `width` columns at spaces; longer words stay whole.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if columns_of(line) + 1 + columns_of(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
pub(super) mod tests;
