//! What happened to the hosts of an incident, in the order of time.
//!
//! Entries come from findings of severity low and above, about hosts and principals, and from the pairs of the hosts. Where there are more than an
//! incident tells, the first and the last of each kind stay, then those that say most.

mod accesses;
mod cadence;
mod command;
mod guessing;
mod inside;
mod outside;
mod seen;
#[cfg(test)]
mod tests;

use super::actor::names_actor;
use super::facts::{Facts, HostKey, PairFact};
use super::kind::tactic;
use super::model::{Incident, MAX_TIMELINE, Party, TimelineEntry, TimelineKind};
use super::step::host_key;
use crate::detect::finding::compare_findings;
use crate::detect::{Finding, Severity};
pub use command::with_sources;
use flow::Address;
use flow::codes::{Role, protocol_name};
use flow::services::service_name;
use rayon::prelude::*;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Tells the timeline of each incident, as [`timeline`] does.
pub fn timelines(incidents: &mut [Incident], findings: &[Finding], facts: &Facts) {
    let meetings = Meetings::of(incidents, facts);
    let mut of_host: HashMap<Option<Address>, Vec<&Finding>> = HashMap::new();
    for finding in findings {
        // What a principal did is told by the incident of that one, wherever it was done.
        let host = finding.host.filter(|_| !names_actor(finding));
        of_host.entry(host).or_default().push(finding);
    }
    incidents.par_iter_mut().for_each(|incident| {
        let hosts: BTreeSet<Option<Address>> =
            incident.hosts.iter().map(|host| Some(host.host)).chain([None]).collect();
        let of_hosts: Vec<&Finding> = hosts.iter().filter_map(|host| of_host.get(host)).flatten().copied().collect();
        incident.timeline = told(&Story::of(incident, &of_hosts, facts, &meetings));
    });
}

/// Returns the timeline of an incident: at most [`MAX_TIMELINE`] entries in the order of time.
///
/// `findings` may be those of the whole run; those of other hosts, and those below severity low, are passed over. The
/// result does not depend on their order.
#[must_use]
pub fn timeline(incident: &Incident, findings: &[&Finding], facts: &Facts) -> Vec<TimelineEntry> {
    let meetings = Meetings::of(std::slice::from_ref(incident), facts);
    told(&Story::of(incident, findings, facts, &meetings))
}

fn told(story: &Story<'_>) -> Vec<TimelineEntry> {
    let mut told = Vec::new();
    outside::first_contacts(story, &mut told);
    cadence::cadences(story, &mut told);
    guessing::guesses(story, &mut told);
    inside::sessions_and_pulls(story, &mut told);
    outside::uploads(story, &mut told);
    seen::others(story, &mut told);
    accesses::accesses(story, &mut told);
    trimmed(told)
}

/// What one walk over all pairs tells for the timelines of all incidents.
struct Meetings<'a> {
    /// The pairs with each outside address of an incident, of whichever host.
    of_remote: HashMap<Address, Vec<&'a PairFact>>,
    /// The last second with data, as far as the pairs tell.
    data_end_s: i64,
}

impl<'a> Meetings<'a> {
    fn of(incidents: &[Incident], facts: &'a Facts) -> Self {
        let remotes = incidents.iter().flat_map(|incident| incident.remotes.iter().map(|remote| remote.address));
        let mut of_remote: HashMap<Address, Vec<&PairFact>> = remotes.map(|remote| (remote, Vec::new())).collect();
        let mut last_s = None;
        for pair in facts.pairs.values().flatten() {
            last_s = last_s.max(Some(pair.last_seen_s));
            if let Some(pairs) = of_remote.get_mut(&pair.remote) {
                pairs.push(pair);
            }
        }
        Self { of_remote, data_end_s: last_s.unwrap_or(facts.window.to_s).min(facts.window.to_s) }
    }
}

/// What an incident's timeline is told from.
struct Story<'a> {
    incident: &'a Incident,
    facts: &'a Facts,
    /// When each of its hosts was compromised or entered.
    arrivals: BTreeMap<HostKey, i64>,
    /// Its findings from the worst.
    findings: Vec<&'a Finding>,
    meetings: &'a Meetings<'a>,
    /// Its findings about principals and addresses that act.
    of_actors: Vec<&'a Finding>,
}

/// An entry, and how much it says: 1–5.
struct Told {
    weight: u8,
    entry: TimelineEntry,
}

impl<'a> Story<'a> {
    fn of(incident: &'a Incident, findings: &[&'a Finding], facts: &'a Facts, meetings: &'a Meetings<'a>) -> Self {
        let arrivals = super::reach::arrivals(incident, facts);
        let places: BTreeSet<(&str, &str)> =
            arrivals.keys().map(|host| (host.account_id.as_str(), host.region.as_str())).collect();
        let is_told = |finding: &&&Finding| {
            let (account_id, region) = (finding.account_id.as_deref(), finding.region.as_deref());
            let is_of_host = match finding.host {
                _ if names_actor(finding) => false,
                Some(host) => arrivals.contains_key(&host_key(account_id, region, host)),
                // A log as a whole: of the account and region of a host.
                None => places.contains(&(account_id.unwrap_or_default(), region.unwrap_or_default())),
            };
            finding.severity >= Severity::Low && is_of_host
        };
        let mut of_hosts: Vec<&Finding> = findings.iter().filter(is_told).copied().collect();
        of_hosts.sort_by(|a, b| {
            let key = |finding: &Finding| (Reverse(finding.severity), finding.first_seen_s);
            key(a).cmp(&key(b)).then_with(|| compare_findings(a, b))
        });
        let is_of_actor = |finding: &&&Finding| {
            finding.severity >= Severity::Low
                && names_actor(finding)
                && finding.incident_id.as_ref() == Some(&incident.id)
        };
        let of_actors = findings.iter().filter(is_of_actor).copied().collect();
        Self { incident, facts, arrivals, findings: of_hosts, meetings, of_actors }
    }

    /// Returns the pairs of the incident's hosts.
    fn pairs(&self) -> impl Iterator<Item = &'a PairFact> + '_ {
        self.arrivals.keys().flat_map(|host| self.facts.pairs_of(host))
    }

    /// Returns the pairs that a finding is about: those of its host, port, protocol, role and remote, as far as it names
    /// them.
    fn pairs_of_finding(&self, finding: &Finding) -> impl Iterator<Item = &'a PairFact> + use<'a> {
        let host = finding.host.map(|host| key_of(finding, host));
        let pairs = host.map_or(&[][..], |host| self.facts.pairs_of(&host));
        let (remote, port, protocol, role) = (finding.remote, finding.port, finding.protocol, finding.role);
        pairs.iter().filter(move |pair| {
            remote.is_none_or(|remote| pair.remote == remote)
                && port.is_none_or(|port| pair.port == port)
                && protocol.is_none_or(|protocol| pair.protocol == protocol)
                && role.is_none_or(|role| pair.role == role)
        })
    }
}

fn key_of(finding: &Finding, host: Address) -> HostKey {
    host_key(finding.account_id.as_deref(), finding.region.as_deref(), host)
}

/// Returns who acted in a finding, and upon whom: a host that answers was acted upon.
fn sides(finding: &Finding) -> Option<(Address, Option<Address>)> {
    let host = finding.host?;
    Some(match (finding.role, finding.remote) {
        (Some(Role::Server), Some(remote)) => (remote, Some(host)),
        (_, remote) => (host, remote),
    })
}

/// Returns an entry without port, tactic, bytes and subject.
fn entry<P: Into<Party>>(kind: TimelineKind, span_s: (i64, i64), sides: (P, Option<P>), text: String) -> TimelineEntry {
    TimelineEntry {
        time_s: span_s.0,
        end_s: span_s.1.max(span_s.0),
        kind,
        actor: sides.0.into(),
        target: sides.1.map(Into::into),
        port: None,
        tactic: None,
        bytes: None,
        subject: None,
        text,
        query: String::new(),
    }
}

/// Returns a service for a sentence, such as `tcp port 22 (ssh)`, `icmp`.
fn service_text(port: u16, protocol: u8) -> String {
    let protocol_text = protocol_name(protocol);
    match (port, service_name(port, protocol)) {
        (0, _) => protocol_text.into_owned(),
        (_, Some(name)) => format!("{protocol_text} port {port} ({name})"),
        (_, None) => format!("{protocol_text} port {port}"),
    }
}

/// Returns the first sentence of a text; the ones after it say why a severity was lowered.
fn first_sentence(text: &str) -> String {
    match text.split_once(". ") {
        Some((first, _)) => format!("{first}."),
        None => text.to_owned(),
    }
}

/// Returns how much a finding says.
fn weight_of(finding: &Finding) -> u8 {
    match finding.severity {
        Severity::Informational | Severity::Low => 1,
        Severity::Medium => 2,
        Severity::High => 4,
        Severity::Critical => 5,
    }
}

/// Keeps what an incident tells, in the order of time.
fn trimmed(mut told: Vec<Told>) -> Vec<TimelineEntry> {
    told.sort_by(|a, b| order(&a.entry).cmp(&order(&b.entry)).then_with(|| a.entry.text.cmp(&b.entry.text)));
    told.dedup_by(|a, b| a.entry == b.entry);
    if told.len() > MAX_TIMELINE {
        let mut ends: BTreeMap<TimelineKind, (usize, usize)> = BTreeMap::new();
        for (at, one) in told.iter().enumerate() {
            ends.entry(one.entry.kind).or_insert((at, at)).1 = at;
        }
        let mut kept: BTreeSet<usize> = ends.into_values().flat_map(|(first, last)| [first, last]).collect();
        let mut others: Vec<usize> = (0..told.len()).filter(|at| !kept.contains(at)).collect();
        others.sort_by_key(|at| (Reverse(told[*at].weight), *at));
        kept.extend(others.into_iter().take(MAX_TIMELINE.saturating_sub(kept.len())));
        let mut at = 0;
        told.retain(|_| {
            at += 1;
            kept.contains(&(at - 1))
        });
    }
    told.into_iter().map(|one| one.entry).collect()
}

type Order<'a> = (i64, TimelineKind, &'a Party, Option<&'a Party>, Option<u16>, i64, Option<&'a str>);

fn order(entry: &TimelineEntry) -> Order<'_> {
    (entry.time_s, entry.kind, &entry.actor, entry.target.as_ref(), entry.port, entry.end_s, entry.subject.as_deref())
}
