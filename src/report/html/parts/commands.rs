//! Commands to copy, which show the records behind the timeline.

use crate::incident::Incident;
use crate::report::html::markup::Markup;
use crate::report::html::words;
use std::collections::HashSet;

/// Writes the commands of an incident, each once.
pub(super) fn commands(out: &mut Markup, incident: &Incident) {
    let mut seen = HashSet::new();
    let entries = incident.timeline.iter().filter(|entry| !entry.query.is_empty() && seen.insert(entry.query.as_str()));
    let entries: Vec<_> = entries.collect();
    if entries.is_empty() {
        return;
    }
    out.leaf("h3", &[], "Commands to copy");
    out.raw("<details><summary>").text(&format!("The records behind the timeline ({})", entries.len()));
    out.raw("</summary>\n<ol class=\"commands\">\n");
    for entry in entries {
        out.open("li", &[]).leaf("p", &[], &format!("{} {}", words::moment(entry.time_s), entry.text));
        out.open("pre", &[("tabindex", "0")]).leaf("code", &[], &entry.query).close("pre").close("li");
    }
    out.raw("</ol>\n").close("details");
}
