//! A notice as plain lines, from which messages for people are made.

use crate::digest::{Digest, Heartbeat};
use crate::notice::{IncidentNotice, IncidentView, Notice, cut_to};
use flow::units::counted;

/// Most hosts and remotes that one line names.
const NAMED: usize = 5;
/// Most lines of the story.
const TOLD: usize = 8;

/// A message: a heading, named facts, and lines below.
pub(crate) struct Message {
    /// One line.
    pub(crate) heading: String,
    /// Names and values.
    pub(crate) facts: Vec<(&'static str, String)>,
    /// What happened, or what is open.
    pub(crate) lines: Vec<String>,
}

impl Message {
    pub(crate) fn of(notice: &Notice) -> Self {
        match notice {
            Notice::Incident(notice) => incident(notice),
            Notice::Digest(digest) => of_digest(digest),
            Notice::Heartbeat(heartbeat) => of_heartbeat(heartbeat),
        }
    }

    /// Returns it as text for mail.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{}\n\n", self.heading);
        for (name, value) in &self.facts {
            text.push_str(&format!("{name}: {value}\n"));
        }
        if !self.lines.is_empty() {
            text.push('\n');
        }
        for line in &self.lines {
            text.push_str(&format!("- {line}\n"));
        }
        text
    }
}

/// Returns the heading of an incident, such as `CRITICAL incident opened: …`.
fn heading(notice: &IncidentNotice) -> String {
    let severity = notice.incident.severity.as_str().to_uppercase();
    format!("{severity} incident {}: {}", notice.change.name(), notice.incident.title)
}

fn incident(notice: &IncidentNotice) -> Message {
    let incident = &notice.incident;
    let mut facts = vec![("Incident", incident.id.clone())];
    let (account, region) = incident.account_and_region();
    let place: Vec<&str> = [account, region].into_iter().flatten().collect();
    if !place.is_empty() {
        facts.push(("Account", place.join(", ")));
    }
    let hosts = incident.hosts.iter().map(|host| match &host.instance_id {
        Some(instance) => format!("{} ({instance}, {})", host.host, host.part),
        None => format!("{} ({})", host.host, host.part),
    });
    let left_out = |name: &str| incident.left_out.get(name).copied().unwrap_or(0);
    push_list(&mut facts, "Hosts", hosts.collect(), left_out("hosts"));
    let remotes = incident.remotes.iter().map(|remote| {
        let port = remote.port.map(|port| format!(" port {port}")).unwrap_or_default();
        let owner = remote.owner.as_ref().map(|owner| format!(", {owner}")).unwrap_or_default();
        format!("{}{port} ({}{owner})", remote.address, remote.part)
    });
    push_list(&mut facts, "Remotes", remotes.collect(), left_out("remotes"));
    push_list(&mut facts, "Principals", incident.principals.clone(), left_out("principals"));
    push_list(&mut facts, "Tactics", incident.tactics.clone(), 0);
    facts.push(("Seen", format!("{} to {}", incident.first_seen.text(), incident.last_seen.text())));
    facts.push(("Evidence", evidence(incident)));
    let told = incident.story.iter().take(TOLD);
    let mut lines: Vec<String> = told.map(|line| format!("{}  {}", line.time.text(), line.text)).collect();
    let more = incident.story.len().saturating_sub(TOLD) as u64 + left_out("story");
    if more > 0 {
        lines.push(format!("and {} in the report", counted(more, "more line", "more lines")));
    }
    Message { heading: heading(notice), facts, lines }
}

fn evidence(incident: &IncidentView) -> String {
    format!("score {:.1}, {}", incident.score, counted(incident.findings, "finding", "findings"))
}

/// Adds a fact that lists values, besides the `left_out` that the notice does not hold.
fn push_list(facts: &mut Vec<(&'static str, String)>, name: &'static str, values: Vec<String>, left_out: u64) {
    if values.is_empty() {
        return;
    }
    let more = values.len().saturating_sub(NAMED) as u64 + left_out;
    let mut text = values[..values.len().min(NAMED)].join("; ");
    if more > 0 {
        text.push_str(&format!("; and {more} more"));
    }
    facts.push((name, text));
}

fn of_digest(digest: &Digest) -> Message {
    let open: Vec<String> = digest.open.iter().rev().map(|(severity, count)| format!("{count} {severity}")).collect();
    let open_text = if open.is_empty() { "none".to_owned() } else { open.join(", ") };
    let mut facts = vec![
        ("Open", open_text),
        ("Since the last digest", format!("{} opened, {} closed", digest.opened, digest.closed)),
    ];
    facts.extend(run_facts(&digest.run));
    let lines = digest.worst.iter().map(|line| {
        let severity = line.severity.as_str();
        format!("{severity} since {}: {} ({})", line.opened_at.text(), line.title, line.id)
    });
    let until = digest.run.window_end.map_or_else(|| digest.day.clone(), |end| end.text());
    Message { heading: format!("flowsift digest up to {until}"), facts, lines: lines.collect() }
}

fn of_heartbeat(heartbeat: &Heartbeat) -> Message {
    Message { heading: "flowsift run finished".to_owned(), facts: run_facts(heartbeat), lines: Vec::new() }
}

fn run_facts(run: &Heartbeat) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some((from, to)) = run.window_start.zip(run.window_end) {
        facts.push(("Window", format!("{} to {}", from.text(), to.text())));
    }
    facts.push(("Findings", run.findings.to_string()));
    facts.push(("Open incidents", run.open_incidents.to_string()));
    let counts =
        [("Unread objects", run.unread_objects), ("Silent flow logs", run.silent_logs), ("Held back", run.held_back)];
    facts.extend(counts.into_iter().filter(|(_, count)| *count > 0).map(|(name, count)| (name, count.to_string())));
    facts
}

/// Returns a text as one line of at most `most` characters of ASCII, as the subject of a mail needs it.
pub(crate) fn ascii_line(text: &str, most: usize) -> String {
    let plain = |letter: char| if letter == ' ' || letter.is_ascii_graphic() { letter } else { '?' };
    let line: String = text.chars().map(plain).collect();
    if line.len() <= most { line } else { format!("{}...", &line[..most - 3]) }
}

/// Returns lines as one text of at most `most` characters.
pub(crate) fn joined(lines: &[String], most: usize) -> String {
    cut_to(&lines.join("\n"), most)
}
