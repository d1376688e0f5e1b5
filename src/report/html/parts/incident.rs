//! The incidents by rank, and one article for each.

use super::evidence::evidence;
use super::plots::plots_of;
use super::reach::reach;
use super::story::{links, stages, timeline};
use super::tables::{begin_table, end_table, facts, figure, table};
use super::{Sheet, begin_section, commands};
use crate::detect::{Finding, Severity};
use crate::incident::Incident;
use crate::report::html::draw::lanes::lanes;
use crate::report::html::markup::Markup;
use crate::report::html::words;
use flow::units::{counted, number_text, share_text};

/// Incidents drawn in full; the others are rows of the list.
const MAX_ARTICLES: usize = 50;

/// Writes the list of incidents, and one article for each.
pub(in crate::report::html) fn incidents(out: &mut Markup, sheet: &Sheet<'_>) {
    let incidents = sheet.page.incidents;
    begin_section(out, "incidents", "Incidents");
    if incidents.is_empty() {
        out.leaf("p", &[], "No findings were tied into an incident. The findings below stand alone.");
        out.close("section");
        return;
    }
    list(out, incidents);
    if incidents.len() > MAX_ARTICLES {
        let others = counted((incidents.len() - MAX_ARTICLES) as u64, "incident", "incidents");
        let text = format!("The first {MAX_ARTICLES} are told below; {others} of lower rank are in incidents.jsonl.");
        out.leaf("p", &[("class", "note")], &text);
    }
    out.close("section");
    let mut members: Vec<Vec<&Finding>> = vec![Vec::new(); incidents.len()];
    for finding in sheet.page.findings {
        if let Some(at) = sheet.membership.incident(finding) {
            members[at].push(finding);
        }
    }
    for (at, incident) in incidents.iter().take(MAX_ARTICLES).enumerate() {
        article(out, sheet, at, incident, &members[at]);
    }
}

fn list(out: &mut Markup, incidents: &[Incident]) {
    begin_table(
        out,
        "Incidents, the worst first",
        &[
            ("Rank", "number"),
            ("Severity", ""),
            ("Since last run", ""),
            ("What happened", "wide"),
            ("Hosts", "number"),
            ("Score", "number"),
            ("First seen", "time"),
            ("Last seen", "time"),
        ],
    );
    for (at, incident) in incidents.iter().enumerate() {
        out.open("tr", &[]).leaf("td", &[("class", "number")], &(at + 1).to_string()).open("td", &[]);
        severity_badge(out, incident);
        out.close("td").open("td", &[]);
        out.leaf("span", &[("class", "change")], words::change(incident)).close("td").open("td", &[("class", "wide")]);
        match at < MAX_ARTICLES {
            true => out.leaf("a", &[("href", &format!("#incident-{}", at + 1))], &incident.title),
            false => out.text(&incident.title),
        };
        out.close("td").leaf("td", &[("class", "number")], &incident.hosts.len().to_string());
        out.leaf("td", &[("class", "number")], &number_text(incident.score));
        out.leaf("td", &[("class", "time")], &words::minute(incident.first_seen_s));
        out.leaf("td", &[("class", "time")], &words::minute(incident.last_seen_s)).close("tr");
    }
    end_table(out);
}

fn severity_badge(out: &mut Markup, incident: &Incident) {
    out.leaf("span", &[("class", words::severity_class(incident.severity))], incident.severity.as_str());
}

fn article(out: &mut Markup, sheet: &Sheet<'_>, at: usize, incident: &Incident, findings: &[&Finding]) {
    let id = format!("incident-{}", at + 1);
    let heading = format!("{id}-title");
    out.open("article", &[("id", &id), ("aria-labelledby", &heading)]).open("p", &[("class", "badges")]);
    out.leaf("span", &[("class", "rank")], &format!("Incident {}", at + 1)).raw(" ");
    severity_badge(out, incident);
    out.raw(" ").leaf("span", &[("class", "change")], words::change(incident)).close("p");
    out.leaf("h2", &[("id", &heading)], &incident.title);
    facts(out, &summary(incident));
    // Many low incidents are benign: unfolded, they would bury what is worth a look.
    let is_folded = incident.severity < Severity::Medium;
    if is_folded {
        out.raw("<details class=\"story\">").leaf("summary", &[], "Stages, timeline, reach and evidence").raw("\n");
    }
    stages(out, incident);
    who(out, incident);
    let marker = format!("{id}-entry");
    if let Some(drawing) = lanes(incident, &marker) {
        out.leaf("h3", &[], "Hosts over time");
        let note = " One row for each host in the order of its first sign; arrows show who entered whom. The timeline below says the same.";
        figure(out, "What each host did when", drawing, note, &[], &[]);
    }
    timeline(out, incident);
    reach(out, incident, &format!("{id}-edge"));
    links(out, incident);
    evidence(out, findings, incident);
    plots_of(out, sheet, incident, findings);
    commands::commands(out, incident);
    if is_folded {
        out.close("details");
    }
    out.close("article");
}

fn summary(incident: &Incident) -> Vec<(&'static str, String)> {
    let span = format!("{} to {}", words::moment(incident.first_seen_s), words::moment(incident.last_seen_s));
    let expected = match incident.expected_per_day < 0.001 {
        true => "harmless traffic hardly ever shows as much".to_owned(),
        false => format!("{} as high are expected a day if all is harmless", number_text(incident.expected_per_day)),
    };
    let mut rows = vec![
        ("seen", span),
        ("score", format!("{:.1}; {expected}", incident.score)),
        ("status", format!("{}, revision {}", words::status(incident), incident.revision)),
    ];
    if let Some(share) = incident.coverage {
        rows.push(("coverage", format!("{} of the window at the host that is seen least", share_text(share))));
    }
    if !incident.principals.is_empty() {
        rows.push(("principals", incident.principals.join(", ")));
    }
    if !incident.related.is_empty() {
        rows.push(("may belong", incident.related.join(", ")));
    }
    rows.push(("id", incident.id.clone()));
    rows
}

/// Writes who takes part: what to isolate, and what to block.
fn who(out: &mut Markup, incident: &Incident) {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    out.leaf("h3", &[], "Who takes part");
    let hosts: Vec<Vec<String>> = (incident.hosts.iter())
        .map(|host| {
            vec![
                host.host.to_string(),
                words::host_part(host.part).to_owned(),
                words::moment(host.since_s),
                text(&host.instance_id),
                text(&host.interface_id),
                text(&host.vpc_id),
                text(&host.account_id),
                text(&host.region),
            ]
        })
        .collect();
    let heads = [
        ("Host", "mono"),
        ("Part", ""),
        ("Since", "time"),
        ("Instance", "mono"),
        ("Interface", "mono"),
        ("VPC", "mono"),
        ("Account", "mono"),
        ("Region", ""),
    ];
    if !hosts.is_empty() || incident.principals.is_empty() {
        table(out, "Hosts, to isolate", &heads, &hosts);
    }
    if incident.remotes.is_empty() {
        return;
    }
    let remotes: Vec<Vec<String>> = (incident.remotes.iter())
        .map(|remote| {
            vec![
                remote.address.to_string(),
                remote.port.filter(|port| *port > 0).map_or_else(|| "several".to_owned(), |port| port.to_string()),
                words::remote_part(remote.part).to_owned(),
                text(&remote.owner),
                remote.prevalence_hosts.map_or_else(|| "-".to_owned(), |hosts| hosts.to_string()),
            ]
        })
        .collect();
    let heads =
        [("Remote", "mono"), ("Port", "number"), ("Part", ""), ("Owner", ""), ("Hosts that contact it", "number")];
    table(out, "Outside addresses, to block", &heads, &remotes);
}
