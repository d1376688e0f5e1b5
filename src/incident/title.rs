//! The title of an incident: what happened, in the order of time, in one line.

use super::actor::phrases;
use super::assemble::Material;
use super::cluster::Cluster;
use super::facts::HostKey;
use super::fall::Fall;
use super::kind::Kind;
use super::model::IncidentHost;
use super::signal::Signal;
use crate::detect::Finding;
use flow::Address;
use flow::codes::Role;
use flow::printable::printable;
use flow::units::{bytes_text, count_text};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// A title tells at most so many things, those that matter most; the stages tell all.
const MAX_PHRASES: usize = 4;

/// What stands behind bytes that left; whose they were does not matter where a story goes before.
const LEFT: &str = " left";

/// One thing that happened.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Phrase {
    at_s: i64,
    order: usize,
    /// The host that did it; `None` where the words name whoever did.
    actor: Option<Address>,
    words: String,
    /// How much it matters, 0 to 7.
    weight: u8,
}

/// How much it matters that a host was entered: only what left matters more.
const ENTERED_WEIGHT: u8 = 6;

fn weight(kind: Kind) -> u8 {
    match kind {
        Kind::Exfiltration => 7,
        Kind::CommandAndControl | Kind::Collection | Kind::Listed => 5,
        Kind::Access | Kind::Impact => 4,
        Kind::Credential | Kind::Evasion | Kind::Persistence => 3,
        Kind::Exposure => 2,
        Kind::Discovery => 1,
        Kind::Inside | Kind::Odd => 0,
    }
}

/// Returns the title: what principals did, then what hosts did.
pub(super) fn title(
    material: Material<'_>,
    cluster: &Cluster,
    hosts: &[IncidentHost],
    falls: &BTreeMap<&HostKey, Fall>,
) -> String {
    let of_actors = phrases(material.findings, &material.acts(cluster).collect::<Vec<_>>());
    let of_hosts = title_of_hosts(material, cluster, hosts, falls);
    let told = [of_actors, of_hosts].into_iter().filter(|part| !part.is_empty());
    told.collect::<Vec<String>>().join("; ")
}

/// Returns what hosts did, such as `10.0.57.128 calls 103.6.160.233, entered 10.0.28.247, 5.3 GB left`.
///
/// Of many things, those that matter most are told: what left, then who was entered and what calls out. Neither what only
/// supports an incident is told, nor plain calls of a host before it was entered.
fn title_of_hosts(
    material: Material<'_>,
    cluster: &Cluster,
    hosts: &[IncidentHost],
    falls: &BTreeMap<&HostKey, Fall>,
) -> String {
    let mut phrases: Vec<Phrase> = Vec::new();
    let signals: Vec<(&HostKey, &Signal)> = material
        .signals(cluster)
        .filter(|(host, signal)| signal.opens && falls.get(host).is_none_or(|fall| fall.counts(signal)))
        .collect();
    let kinds: BTreeSet<Kind> = signals.iter().map(|(_, signal)| signal.kind).collect();
    for (order, kind) in kinds.into_iter().enumerate() {
        let of_kind: Vec<(&HostKey, &Signal)> =
            signals.iter().copied().filter(|(_, signal)| signal.kind == kind).collect();
        phrases.extend(phrase(material.findings, kind, &of_kind).map(|phrase| Phrase { order, ..phrase }));
    }
    phrases.extend(entered(cluster));
    phrases.sort_unstable();
    // Of many, those that matter most; they are told in the order of time.
    phrases.sort_by_key(|phrase| Reverse(phrase.weight));
    phrases.truncate(MAX_PHRASES);
    phrases.sort_unstable();
    let begins = phrases.first().and_then(|phrase| phrase.actor);
    let mut actor = begins.or_else(|| hosts.first().map(|first| first.host));
    let mut title = actor.map(|host| host.to_string()).unwrap_or_default();
    for (at, phrase) in phrases.into_iter().enumerate() {
        title.push_str(if at == 0 { " " } else { ", " });
        if phrase.actor.is_some() && phrase.actor != actor {
            title.push_str(&format!("{} ", phrase.actor.map(|host| host.to_string()).unwrap_or_default()));
            actor = phrase.actor;
        }
        match phrase.words.strip_suffix(LEFT).filter(|_| at == 0) {
            Some(bytes) => title.push_str(&format!("sent {bytes} out")),
            None => title.push_str(&phrase.words),
        }
    }
    title
}

fn phrase(findings: &[Finding], kind: Kind, signals: &[(&HostKey, &Signal)]) -> Option<Phrase> {
    // The worst names what happened, the first tells when it began.
    let key = |(host, signal): &(&HostKey, &Signal)| {
        (Reverse(signal.severity), signal.since_s, host.address, findings[signal.finding].subject.clone())
    };
    let (host, worst) = signals.iter().min_by_key(|one| key(one))?;
    let at_s = signals.iter().map(|(_, signal)| signal.since_s).min()?;
    let finding = &findings[worst.finding];
    let remotes: BTreeSet<Address> = signals.iter().flat_map(|(_, signal)| signal.outside.iter().copied()).collect();
    // The remote of the worst sign, and how many others.
    let remote = worst.outside.first().map(|remote| and_more(remote.to_string(), remotes.len()));
    let service = finding.port.map(|port| format!("port {port}"));
    let is_server = finding.role == Some(Role::Server);
    let other = finding.remote.map(|remote| remote.to_string());
    let words = match kind {
        Kind::CommandAndControl => format!("calls {}", remote.unwrap_or_else(|| "several remotes".to_owned())),
        Kind::Exfiltration => match left_bytes(findings, signals) {
            0 => "uploads more than usual".to_owned(),
            bytes => format!("{}{LEFT}", bytes_text(bytes)),
        },
        Kind::Listed => format!("contacts listed {}", remote.unwrap_or_else(|| "addresses".to_owned())),
        Kind::Discovery if is_server => format!("is scanned by {}", other.unwrap_or_else(|| "others".to_owned())),
        Kind::Discovery => format!("scans {}", other.or(service).unwrap_or_else(|| "the network".to_owned())),
        Kind::Credential if is_server => format!("is guessed at by {}", other.unwrap_or_else(|| "others".to_owned())),
        Kind::Credential => format!("guesses passwords of {}", other.unwrap_or_else(|| "others".to_owned())),
        Kind::Impact if finding.detection == "spam" => "sends spam".to_owned(),
        Kind::Impact => format!("floods {}", remote.unwrap_or_else(|| "a remote".to_owned())),
        Kind::Exposure => format!("answers the Internet on {}", service.unwrap_or_else(|| "several ports".to_owned())),
        Kind::Inside => format!("calls {} regularly", other.unwrap_or_else(|| "inside hosts".to_owned())),
        Kind::Access if finding.detection == "unusual_client" => {
            format!("serves the strange client {}", remote.unwrap_or_else(|| "of a web application".to_owned()))
        }
        Kind::Odd | Kind::Access | Kind::Persistence | Kind::Collection | Kind::Evasion => {
            let what = lower_first(&printable(&finding.title));
            format!("shows {}", if what.is_empty() { printable(&finding.detection) } else { what })
        }
    };
    let actor = Some(host.address).filter(|_| !words.ends_with(LEFT));
    Some(Phrase { at_s, order: 0, actor, words, weight: weight(kind) })
}

/// Returns the phrase for the hosts that were entered.
fn entered(cluster: &Cluster) -> Option<Phrase> {
    let paths = || cluster.ties.iter().map(|(tie, _)| tie).filter(|tie| tie.is_path());
    let first = paths().min_by_key(|tie| (tie.at_s, tie.from.address, tie.to.address))?;
    let reached: BTreeSet<&HostKey> = paths().map(|tie| &tie.to).collect();
    let words = format!("entered {}", and_more(first.to.address.to_string(), reached.len()));
    let actor = Some(first.from.address);
    Some(Phrase { at_s: first.at_s, order: usize::MAX, actor, words, weight: ENTERED_WEIGHT })
}

/// Returns the bytes that left: for each host and remote, the most that one finding tells, so that two findings about one
/// upload count once. What a finding tells about a host as a whole counts where none tells where it went.
fn left_bytes(findings: &[Finding], signals: &[(&HostKey, &Signal)]) -> u64 {
    let mut bytes: BTreeMap<(&HostKey, Option<Address>), u64> = BTreeMap::new();
    for (host, signal) in signals {
        let finding = &findings[signal.finding];
        let told = finding.evidence.get("bytes_out").and_then(serde_json::Value::as_u64).unwrap_or(0);
        let most = bytes.entry((*host, finding.remote)).or_default();
        *most = told.max(*most);
    }
    let known: BTreeSet<&HostKey> = bytes
        .iter()
        .filter(|((_, remote), bytes)| remote.is_some() && **bytes > 0)
        .map(|((host, _), _)| *host)
        .collect();
    let counts = |(host, remote): &(&HostKey, Option<Address>)| remote.is_some() || !known.contains(host);
    bytes.iter().filter(|(key, _)| counts(key)).fold(0, |sum, (_, bytes)| sum.saturating_add(*bytes))
}

fn and_more(first: String, count: usize) -> String {
    if count > 1 { format!("{first} and {} more", count_text(count as u64 - 1)) } else { first }
}

fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}
