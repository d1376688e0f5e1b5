//! What the page does not show: held back, not covered, not readable, not drawn.

use super::tables::table;
use super::{Sheet, begin_section};
use crate::report::html::markup::Markup;
use crate::report::summary::SkippedObject;
use flow::units::{count_text, counted};

/// Writes what is not on the page.
pub(in crate::report::html) fn left_out(out: &mut Markup, sheet: &Sheet<'_>) {
    let (page, summary) = (sheet.page, sheet.page.summary);
    begin_section(out, "left-out", "What is not here");
    out.raw("<ul>\n");
    for text in texts(sheet) {
        out.leaf("li", &[], &text);
    }
    out.raw("</ul>\n");
    if !summary.log_gaps.is_empty() {
        let rows = summary.log_gaps.iter().map(|gap| vec![gap.severity.as_str().to_owned(), gap.explanation.clone()]);
        list(out, "Flow logs that fell silent", &[("Severity", ""), ("Which", "wide")], rows.collect());
    }
    objects(out, "Objects that could not be read", &summary.skipped_objects);
    objects(out, "Objects that hold other logs", &summary.other_log_objects);
    objects(out, "Objects that repeat others", &summary.copied_objects);
    let names = |names: &[String]| names.iter().map(|name| vec![name.clone()]).collect();
    let one_way = names(&summary.one_way_interfaces);
    list(out, "Interfaces whose logs have one direction only", &[("Interface", "mono")], one_way);
    let forwarders = names(&summary.opaque_forwarders);
    list(out, "Hosts that seem to forward for others whom their log does not name", &[("Host", "mono")], forwarders);
    let detections = summary.findings_by_detection.iter();
    let rows = detections.map(|(name, count)| vec![name.clone(), count_text(*count)]).collect();
    list(out, "Findings by detection, also those not shown", &[("Detection", "mono"), ("Findings", "number")], rows);
    if page.findings.is_empty() && page.incidents.is_empty() && summary.rows == 0 {
        out.leaf("p", &[], "Nothing was read, so nothing can be said.");
    }
    out.close("section");
}

fn texts(sheet: &Sheet<'_>) -> Vec<String> {
    let (page, summary, figures) = (sheet.page, sheet.page.summary, sheet.figures);
    let all: u64 = summary.findings_by_severity.values().sum();
    let below = all.saturating_sub(page.findings.len() as u64);
    let mut texts = Vec::new();
    let mut add = |count: u64, text: String| {
        if count > 0 {
            texts.push(text);
        }
    };
    add(below, format!("{} below --min-severity.", counted(below, "finding", "findings")));
    add(
        page.allowed,
        format!(
            "{} lowered to informational, as --allow names the contact.",
            counted(page.allowed, "finding", "findings")
        ),
    );
    add(
        figures.beats_left_out,
        format!(
            "Plots of {}.",
            counted(figures.beats_left_out, "other finding with a cadence", "other findings with a cadence")
        ),
    );
    add(
        figures.uploads_left_out,
        format!("Plots of the uploads of {}.", counted(figures.uploads_left_out, "other host", "other hosts")),
    );
    let objects = summary.objects;
    add(objects.skipped, format!("{} that could not be read.", counted(objects.skipped, "object", "objects")));
    add(objects.other_logs, format!("{} of other logs.", counted(objects.other_logs, "object", "objects")));
    add(objects.not_parquet, format!("{} that are not Parquet.", counted(objects.not_parquet, "object", "objects")));
    add(
        summary.skipdata_rows,
        format!("Traffic of {} that AWS lost (SKIPDATA).", counted(summary.skipdata_rows, "interval", "intervals")),
    );
    add(summary.unusable_rows, format!("{} that could not be used.", counted(summary.unusable_rows, "row", "rows")));
    let rejected = summary.knock_records;
    add(
        rejected,
        format!(
            "Details of {} from outside, which are summed up.",
            counted(rejected, "rejected probe", "rejected probes")
        ),
    );
    texts.extend(summary.incident_notes.limits().into_iter().map(|limit| format!("Incidents: {limit}.")));
    if texts.is_empty() {
        texts.push("Nothing was held back: all findings of the run are above.".to_owned());
    }
    texts.push("What flow logs do not have: the content of connections, DNS names, and traffic that AWS does not log, such as to the Amazon DNS server, the instance metadata service and Windows licence activation.".to_owned());
    texts
}

fn objects(out: &mut Markup, title: &str, objects: &[SkippedObject]) {
    let rows = objects.iter().map(|object| vec![object.object.clone(), object.reason.clone()]);
    list(out, title, &[("Object", "mono"), ("Why", "wide")], rows.collect());
}

/// Writes a closed list; nothing where it is empty.
fn list(out: &mut Markup, title: &str, heads: &[super::tables::Head], rows: Vec<Vec<String>>) {
    if rows.is_empty() {
        return;
    }
    let title = format!("{title}: {}", count_text(rows.len() as u64));
    out.raw("<details>").leaf("summary", &[], &title).raw("\n");
    table(out, &title, heads, &rows);
    out.close("details");
}
