//! All findings: the first as rows of a table, all of them as data that the script filters and sorts.

use super::tables::{begin_table, end_table};
use super::{Sheet, begin_section, evidence};
use crate::detect::{Finding, Severity};
use crate::report::html::markup::Markup;
use crate::report::html::words;
use flow::printable;
use flow::units::{count_text, number_text};
use serde_json::{Value, json};

/// Rows of the table; the script draws as many at a time.
pub(in crate::report::html) const FIRST_ROWS: usize = 200;

/// The columns, and by which value of a row the script sorts them.
const HEADS: [(&str, &str); 9] = [
    ("Severity", ""),
    ("Score", "number"),
    ("What", "what"),
    ("Host", "mono"),
    ("Other side", "mono"),
    ("In words", "wide"),
    ("First seen", "time"),
    ("Last seen", "time"),
    ("Incident", "number"),
];

/// A finding as a row.
struct Row<'a> {
    finding: &'a Finding,
    incident: Option<usize>,
}

impl Row<'_> {
    /// Returns what is known of the finding besides its sentence, in one line.
    fn about(&self) -> String {
        let rows = evidence::rows(self.finding);
        let texts = rows.iter().filter(|(name, _)| name != "score" && name != "seen");
        texts.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(" · ")
    }

    fn write(&self, out: &mut Markup) {
        let finding = self.finding;
        out.open("tr", &[]).open("td", &[]);
        out.leaf("span", &[("class", words::severity_class(finding.severity))], finding.severity.as_str());
        out.close("td").leaf("td", &[("class", "number")], &number_text(finding.score));
        out.open("td", &[("class", "what")]).text(evidence::title(finding)).raw("<br>").leaf(
            "span",
            &[("class", "dim")],
            &finding.detection,
        );
        out.close("td").leaf("td", &[("class", "mono")], &words::who(finding));
        out.leaf("td", &[("class", "mono")], &words::other_side(finding));
        out.open("td", &[("class", "wide")]).text(&finding.explanation).raw("<details><summary>Evidence</summary>");
        out.leaf("p", &[("class", "about")], &self.about()).close("details").close("td");
        out.leaf("td", &[("class", "time")], &words::moment(finding.first_seen_s));
        out.leaf("td", &[("class", "time")], &words::moment(finding.last_seen_s));
        out.open("td", &[("class", "number")]);
        if let Some(at) = self.incident {
            out.leaf("a", &[("href", &format!("#incident-{}", at + 1))], &(at + 1).to_string());
        }
        out.close("td").close("tr");
    }

    /// Returns the row for the script: what is shown, as it is shown.
    fn value(&self) -> Value {
        let finding = self.finding;
        json!([
            finding.severity.as_str(),
            number_text(finding.score),
            printable(evidence::title(finding)),
            printable(&finding.detection),
            printable(&words::who(finding)),
            printable(&words::other_side(finding)),
            printable(&finding.explanation),
            printable(&self.about()),
            words::moment(finding.first_seen_s),
            words::moment(finding.last_seen_s),
            self.incident.map_or(0, |at| at + 1),
        ])
    }
}

/// Writes all findings.
pub(in crate::report::html) fn findings(out: &mut Markup, sheet: &Sheet<'_>) {
    let findings = sheet.page.findings;
    begin_section(out, "findings", "All findings");
    if findings.is_empty() {
        out.leaf("p", &[], "No findings at or above the severity asked for.").close("section");
        return;
    }
    let row = |finding| Row { finding, incident: sheet.membership.incident(finding) };
    controls(out);
    let shown = findings.len().min(FIRST_ROWS);
    let count = format!("{} of {} findings", count_text(shown as u64), count_text(findings.len() as u64));
    out.leaf("p", &[("id", "shown"), ("role", "status")], &count);
    begin_table(out, "Findings, the worst first", &HEADS);
    findings.iter().take(FIRST_ROWS).for_each(|finding| row(finding).write(out));
    end_table(out);
    out.raw("<p><button type=\"button\" id=\"more\" hidden>Show 200 more</button></p>\n");
    if findings.len() > FIRST_ROWS {
        out.raw("<noscript>");
        let text = format!("Without script the first {FIRST_ROWS} are shown; findings.jsonl of --out has all.");
        out.leaf("p", &[("class", "note")], &text).raw("</noscript>\n");
    }
    out.data("findings-data", findings.iter().map(|finding| row(finding).value()));
    out.close("section");
}

/// Writes the controls, which only the script shows.
fn controls(out: &mut Markup) {
    out.raw("<form id=\"filter\" role=\"search\" aria-label=\"Findings\" hidden>\n");
    out.raw("<label>Words <input type=\"search\" id=\"words\" placeholder=\"address, detection, text …\"></label>\n");
    out.raw("<label>At least <select id=\"least\">");
    for severity in Severity::ALL {
        out.leaf("option", &[], severity.as_str());
    }
    out.raw("</select></label>\n<label>Incident <select id=\"of\"><option value=\"\">any or none</option>");
    out.raw("<option value=\"some\">in an incident</option><option value=\"none\">in no incident</option></select></label>\n");
    out.raw("</form>\n");
}
