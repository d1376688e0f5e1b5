//! The head of the page: what was judged and how bad it is, at one glance.

use super::Sheet;
use super::tables::facts;
use crate::detect::Severity;
use crate::report::html::markup::Markup;
use crate::report::html::words;
use flow::units::{count_text, counted};
use std::collections::BTreeMap;

/// Writes the head.
pub(in crate::report::html) fn header(out: &mut Markup, sheet: &Sheet<'_>) {
    let page = sheet.page;
    out.raw("<header class=\"top\">\n");
    out.leaf("p", &[("class", "product")], &format!("flowsift {}", page.summary.flowsift_version));
    out.leaf("h1", &[], "What VPC flow logs show of intruders");
    out.leaf("p", &[("class", "lead")], &lead(sheet));
    let lines = page.summary.lines();
    // The reader's clock and machine are no part of what was found.
    let lines = lines.iter().filter(|(label, _)| !matches!(*label, "time" | "spilled" | "findings"));
    let mut rows: Vec<(&str, String)> = Vec::new();
    for (label, content) in lines {
        match rows.last_mut() {
            Some((_, last)) if label.is_empty() => *last = format!("{last}; {content}"),
            _ => rows.push((label, content.clone())),
        }
    }
    if let Some(command) = page.command {
        rows.push(("command", command.to_owned()));
    }
    if let Some(run_id) = &page.summary.run_id {
        rows.push(("run", run_id.clone()));
    }
    warnings(out, sheet);
    facts(out, &rows);
    out.raw("<nav aria-label=\"Parts of this page\"><ul>\n");
    out.raw("<li><a href=\"#incidents\">Incidents</a></li>\n<li><a href=\"#findings\">Findings</a></li>\n");
    out.raw("<li><a href=\"#plots\">Plots of other findings</a></li>\n<li><a href=\"#left-out\">What is not here</a></li>\n");
    out.raw("</ul></nav>\n</header>\n");
}

/// Returns the one sentence that says how bad it is.
fn lead(sheet: &Sheet<'_>) -> String {
    let page = sheet.page;
    let incidents = page.incidents.len() as u64;
    let mut text = match incidents {
        0 => "No incident".to_owned(),
        _ => format!(
            "{} ({})",
            counted(incidents, "incident", "incidents"),
            by_severity(page.incidents.iter().map(|one| one.severity))
        ),
    };
    let findings = page.findings.len() as u64;
    text.push_str(&match findings {
        0 => ", no finding".to_owned(),
        _ => format!(
            ", {} ({})",
            counted(findings, "finding", "findings"),
            by_severity(page.findings.iter().map(|one| one.severity))
        ),
    });
    if let Some((from_s, to_s)) = page.summary.window_start_s.zip(page.summary.window_end_s) {
        text.push_str(&format!(" from {} to {}", words::minute(from_s), words::minute(to_s)));
    }
    text.push_str(". All times are UTC.");
    text
}

/// Returns counts by severity from the worst, such as `1 critical, 2 high`.
fn by_severity(severities: impl Iterator<Item = Severity>) -> String {
    let mut counts: BTreeMap<Severity, u64> = BTreeMap::new();
    severities.for_each(|severity| *counts.entry(severity).or_default() += 1);
    let texts = counts.iter().rev().map(|(severity, count)| format!("{} {severity}", count_text(*count)));
    texts.collect::<Vec<_>>().join(", ")
}

/// Writes what must not be overlooked.
fn warnings(out: &mut Markup, sheet: &Sheet<'_>) {
    let summary = sheet.page.summary;
    let mut warnings = summary.warnings();
    if summary.objects.skipped > 0 {
        let objects = counted(summary.objects.skipped, "object", "objects");
        warnings.push(format!("{objects} could not be read: what they hold was not judged"));
    }
    warnings.extend(summary.log_gaps.iter().take(3).map(|gap| gap.explanation.clone()));
    if warnings.is_empty() {
        return;
    }
    out.raw("<div class=\"warning\" role=\"note\"><p><strong>Not everything was seen</strong></p>\n<ul>\n");
    for warning in warnings {
        out.leaf("li", &[], &warning);
    }
    out.raw("</ul></div>\n");
}
