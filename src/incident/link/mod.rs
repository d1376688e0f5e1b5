//! Links between suspect hosts: why two of them belong to one intrusion.
//!
//! Hosts of a network talk to each other and to the same services, so a link must be earned: by a remote that hardly
//! anyone else calls, or by a path that is new, answered and in the order of time. Nothing links by subnet, by detection,
//! by time alone or by a service that many use.

mod bridge;
mod lateral;
mod same_instance;
mod same_remote;
mod scan_hit;

use super::facts::{Facts, HostKey, PairFact};
use super::model::LinkKind;
use super::signal::Suspect;
use crate::detect::Finding;
use flow::Address;
use flow::codes::{Role, TCP};
use flow::time::HOUR_S;
use std::collections::{BTreeMap, BTreeSet};

/// Records tell times no finer than their window, ten minutes at most, and delivery adds some.
pub(super) const SLACK_S: i64 = 15 * 60;

/// A host may show its first sign so long before whoever entered it is seen to.
pub(super) const LATE_S: i64 = HOUR_S;

/// What a service sends in a session; a banner is shorter.
const SESSION_BYTES: u64 = 1_000;

/// What no more hosts answer is no crowd.
const FEW_ANSWERS: usize = 5;

/// The strength that a path from host to host must reach.
const MIN_STRENGTH: f64 = 1.9;

/// A link between two suspect hosts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tie {
    pub(super) kind: LinkKind,
    /// The host that came first.
    pub(super) from: HostKey,
    pub(super) to: HostKey,
    /// The host between the two, of a bridge.
    pub(super) via: Option<HostKey>,
    /// Rounded to a thousandth, so that equal ones are equal.
    pub(super) strength: f64,
    pub(super) at_s: i64,
    pub(super) explanation: String,
}

impl Tie {
    /// Returns whether the tie is a path on which an intruder moved, which is evidence by itself. A shared remote groups,
    /// but is none.
    pub(super) fn is_path(&self) -> bool {
        matches!(self.kind, LinkKind::Lateral | LinkKind::Bridge | LinkKind::ScanHit)
    }
}

/// A sign of a host that was entered.
#[derive(Clone, Copy)]
struct Sign {
    at_s: i64,
    /// Whether it is the `first` that the host shows, or the `next` after the entry.
    name: &'static str,
}

/// What links are made from.
#[derive(Clone, Copy)]
pub(super) struct Links<'a> {
    pub(super) findings: &'a [Finding],
    pub(super) suspects: &'a BTreeMap<HostKey, Suspect>,
    pub(super) facts: &'a Facts,
}

impl<'a> Links<'a> {
    /// Returns all links, strongest first; equal ones by time, hosts and kind. Of several between two hosts, the strongest
    /// of each kind.
    pub(super) fn all(self) -> Vec<Tie> {
        let mut ties = Vec::new();
        same_remote::add(self, &mut ties);
        same_instance::add(self, &mut ties);
        lateral::add(self, &mut ties);
        bridge::add(self, &mut ties);
        scan_hit::add(self, &mut ties);
        for tie in &mut ties {
            tie.strength = rounded(tie.strength);
        }
        ties.sort_by(|a, b| {
            let name = |tie: &Tie| (tie.at_s, tie.from.address, tie.to.address);
            let owner = |tie: &Tie| (tie.from.clone(), tie.to.clone(), tie.kind, tie.via.clone());
            (b.strength.total_cmp(&a.strength).then(name(a).cmp(&name(b))))
                .then_with(|| owner(a).cmp(&owner(b)))
                .then_with(|| a.explanation.cmp(&b.explanation))
        });
        let mut told = BTreeSet::new();
        ties.retain(|tie| told.insert((tie.kind, tie.from.clone(), tie.to.clone())));
        ties
    }

    /// Returns when a suspect shows its first sign; `None` for other hosts.
    fn since_s(self, host: &HostKey) -> Option<i64> {
        Some(self.suspects.get(host)?.since_s)
    }

    /// Returns the sign by which a suspect shows that it was entered at a second. What it shows long before, such as a
    /// benign caller, hides no entry. `None` where no sign follows, and for other hosts.
    fn sign_after(self, host: &HostKey, entered_s: i64) -> Option<Sign> {
        let suspect = self.suspects.get(host)?;
        let at_s = suspect.sign_after_s(entered_s, LATE_S)?;
        Some(Sign { at_s, name: if at_s == suspect.since_s { "first" } else { "next" } })
    }

    /// Returns the answered connections that a host opened to suspect hosts inside, each with the host that it reached.
    /// Not those of hosts that forward for others: whose they are does not show.
    fn paths_of(self, host: &'a HostKey) -> impl Iterator<Item = (&'a PairFact, &'a HostKey)> {
        let opened =
            self.facts.pairs_of(host).iter().filter(move |pair| {
                pair.role == Role::Client && !pair.external && pair.answered() && !self.forwards(host)
            });
        opened.filter_map(move |pair| {
            let reached = self.facts.host_behind(host, pair.remote)?;
            (reached != host && self.suspects.contains_key(reached) && !self.forwards(reached))
                .then_some((pair, reached))
        })
    }

    /// Returns the TCP ports on which a crowd of hosts answered a host with a session, as they answer a scanner that logs
    /// in, unless half of them are suspect: that one of them shows a sign later is chance.
    fn crowded_ports(self, host: &HostKey) -> BTreeSet<u16> {
        let mut answered: BTreeMap<u16, BTreeSet<Address>> = BTreeMap::new();
        let sessions = self.facts.pairs_of(host).iter().filter(|pair| {
            pair.role == Role::Client && !pair.external && pair.protocol == TCP && pair.bytes_in >= SESSION_BYTES
        });
        for pair in sessions {
            answered.entry(pair.port).or_default().insert(pair.remote);
        }
        let is_suspect = |remote: &&Address| {
            self.facts.host_behind(host, **remote).is_some_and(|one| self.suspects.contains_key(one))
        };
        answered.retain(|_, remotes| {
            remotes.len() > FEW_ANSWERS && 2 * remotes.iter().filter(is_suspect).count() < remotes.len()
        });
        answered.into_keys().collect()
    }

    fn forwards(self, host: &HostKey) -> bool {
        self.facts.relays.contains(&host.address)
    }

    /// Returns how new a pair is that met first at [`PairFact::met_s`]: by the length of the history before, in which it
    /// does not occur. 1.5 from 48 hours on, 1.0 from 24, 0.6 from 6, else 0, as for habits.
    fn novelty(self, pair: &PairFact) -> f64 {
        let before_s = pair.met_s() - self.facts.window.baseline_from_s;
        match before_s / HOUR_S {
            _ if pair.is_habit() => 0.0,
            48.. => 1.5,
            24.. => 1.0,
            6.. => 0.6,
            _ => 0.0,
        }
    }
}

/// Returns the first start of a pair at or after a second, the history included; `None` where it has none.
fn first_start_s(pair: &PairFact, second: i64) -> Option<i64> {
    if pair.met_s() >= second { Some(pair.met_s()) } else { pair.first_start_after_s(second) }
}

fn rounded(strength: f64) -> f64 {
    (strength * 1_000.0).round() / 1_000.0
}

/// Returns a port as text, with the name of its service where people know it by that.
fn port_text(port: u16) -> String {
    let name = match port {
        22 => "SSH",
        23 => "Telnet",
        135 | 139 | 445 => "Windows file sharing",
        3389 => "RDP",
        5900 => "VNC",
        5985 | 5986 => "WinRM",
        2375 => "Docker",
        6443 | 10_250 => "Kubernetes",
        _ => return format!("port {port}"),
    };
    format!("port {port} ({name})")
}
