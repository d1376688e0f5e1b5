//! The story of an incident in words: its stages, its timeline, and why its hosts belong together.

use super::tables::{begin_table, end_table};
use crate::incident::Incident;
use crate::report::html::markup::Markup;
use crate::report::html::words;
use flow::units::{bytes_text, number_text};

/// Writes the stages in the order of time.
pub(super) fn stages(out: &mut Markup, incident: &Incident) {
    if incident.stages.is_empty() {
        return;
    }
    out.leaf("h3", &[], "Stages").raw("<ol class=\"stages\">\n");
    for stage in &incident.stages {
        let (name, id) = words::tactic(stage.tactic);
        out.open("li", &[]).leaf("strong", &[], name).text(&format!(" {id}")).raw("<br>");
        out.text(&format!("{} to {}", words::minute(stage.first_seen_s), words::minute(stage.last_seen_s)));
        if !stage.techniques.is_empty() {
            out.raw("<br>").leaf("span", &[("class", "dim")], &stage.techniques.join(", "));
        }
        out.close("li");
    }
    out.raw("</ol>\n");
}

/// Writes the timeline.
pub(super) fn timeline(out: &mut Markup, incident: &Incident) {
    if incident.timeline.is_empty() {
        return;
    }
    out.leaf("h3", &[], "Timeline");
    let heads = [
        ("Time", "time"),
        ("Until", "time"),
        ("Host", "mono"),
        ("What", ""),
        ("In words", "wide"),
        ("Other side", "mono"),
        ("Bytes", "number"),
    ];
    begin_table(out, &format!("What happened in incident {}, in the order of time", incident.id), &heads);
    for entry in &incident.timeline {
        let until = if entry.end_s > entry.time_s { words::moment(entry.end_s) } else { String::new() };
        let other = match (&entry.target, entry.port.filter(|port| *port > 0)) {
            (Some(target), Some(port)) => format!("{target} port {port}"),
            (Some(target), None) => target.to_string(),
            (None, Some(port)) => format!("port {port}"),
            (None, None) => String::new(),
        };
        out.open("tr", &[]).leaf("td", &[("class", "time")], &words::moment(entry.time_s));
        out.leaf("td", &[("class", "time")], &until).leaf("td", &[("class", "mono")], &entry.actor.to_string());
        out.open("td", &[]).text(words::timeline_kind(entry.kind));
        if let Some(tactic) = entry.tactic {
            out.raw("<br>").leaf("span", &[("class", "dim")], words::tactic(tactic).0);
        }
        out.close("td").leaf("td", &[("class", "wide")], &entry.text).leaf("td", &[("class", "mono")], &other);
        out.leaf("td", &[("class", "number")], &entry.bytes.map_or_else(String::new, bytes_text)).close("tr");
    }
    end_table(out);
}

/// Writes why the hosts belong together, what holds them together first.
pub(super) fn links(out: &mut Markup, incident: &Incident) {
    if incident.links.is_empty() {
        return;
    }
    out.leaf("h3", &[], "Why these belong together");
    let heads =
        [("From", "mono"), ("To", "mono"), ("When", "time"), ("Link", ""), ("Why", "wide"), ("Strength", "number")];
    begin_table(out, &format!("Links of incident {}", incident.id), &heads);
    for link in &incident.links {
        out.open("tr", &[]).leaf("td", &[("class", "mono")], &link.from.to_string());
        out.leaf("td", &[("class", "mono")], &link.to.to_string());
        out.leaf("td", &[("class", "time")], &words::moment(link.at_s));
        out.open("td", &[]).text(words::link_kind(link.kind));
        if !link.in_tree {
            out.raw("<br>").leaf("span", &[("class", "dim")], "further evidence");
        }
        out.close("td").leaf("td", &[("class", "wide")], &link.explanation);
        out.leaf("td", &[("class", "number")], &number_text(link.strength)).close("tr");
    }
    end_table(out);
}
