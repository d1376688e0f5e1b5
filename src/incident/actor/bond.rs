//! Bonds of actors: why two of them, or an actor and a host, belong to one intrusion.
//!
//! People of one office come from one address and use the same applications, so a bond must be earned: by what one made,
//! by an address that few come from, or by a host that an actor acted from.

use super::told::{Network, Span};
use super::{Actor, ActorKey, Actors, Told};
use crate::detect::Finding;
use crate::incident::facts::{Facts, HostKey};
use crate::incident::kind::Kind;
use crate::incident::model::{LinkKind, Party};
use crate::incident::signal::Suspect;
use flow::Address;
use flow::time::{DAY_S, HOUR_S};
use flow::units::counted;
use std::collections::{BTreeMap, BTreeSet};

/// What lies further apart is not one story.
const MAX_APART_S: i64 = 14 * DAY_S;

/// An address that no more principals use is nobody's office.
const FEW: usize = 5;

/// One that more principals use never ties, even if half of them are actors.
const MAX_CROWD: usize = 50;

/// The strength of a bond that a log tells itself.
const CERTAIN: f64 = 3.0;

/// An actor or a host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::incident) enum Node {
    Actor(ActorKey),
    Host(HostKey),
}

impl Node {
    /// Returns the node as incidents name it.
    pub(in crate::incident) fn party(&self) -> Party {
        match self {
            Self::Actor(key) => key.party(),
            Self::Host(host) => Party::Address(host.address),
        }
    }
}

/// A bond of an actor with another or with a suspect host.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::incident) struct Bond {
    pub(in crate::incident) kind: LinkKind,
    /// Whoever came first.
    pub(in crate::incident) from: Node,
    pub(in crate::incident) to: Node,
    /// Rounded to a thousandth, so that equal ones are equal.
    pub(in crate::incident) strength: f64,
    pub(in crate::incident) at_s: i64,
    pub(in crate::incident) explanation: String,
}

impl Bond {
    /// Returns whether the bond is a path on which an intruder moved, which is evidence by itself. A shared address groups,
    /// but is none.
    pub(in crate::incident) fn is_path(&self) -> bool {
        matches!(self.kind, LinkKind::Created | LinkKind::Minted | LinkKind::FromHost)
    }
}

/// What bonds are made from.
#[derive(Clone, Copy)]
pub(in crate::incident) struct Bonds<'a> {
    pub(in crate::incident) findings: &'a [Finding],
    pub(in crate::incident) actors: &'a Actors,
    pub(in crate::incident) suspects: &'a BTreeMap<HostKey, Suspect>,
    pub(in crate::incident) facts: &'a Facts,
    pub(in crate::incident) told: &'a Told,
}

impl<'a> Bonds<'a> {
    /// Returns all bonds, strongest first; equal ones by time, ends and kind.
    pub(in crate::incident) fn all(self) -> Vec<Bond> {
        let mut bonds = Vec::new();
        self.made(&mut bonds);
        self.minted(&mut bonds);
        self.hosts(&mut bonds);
        self.sources(&mut bonds);
        self.networks(&mut bonds);
        self.strangers(&mut bonds);
        for bond in &mut bonds {
            bond.strength = (bond.strength * 1_000.0).round() / 1_000.0;
        }
        bonds.sort_by(|a, b| {
            let name = |bond: &Bond| (bond.at_s, bond.from.clone(), bond.to.clone(), bond.kind);
            b.strength.total_cmp(&a.strength).then_with(|| name(a).cmp(&name(b)))
        });
        let mut told = BTreeSet::new();
        bonds.retain(|bond| told.insert((bond.kind, bond.from.clone(), bond.to.clone())));
        bonds
    }

    fn identity(self, name: &str) -> Option<(ActorKey, &'a Actor)> {
        let key = ActorKey::Identity(name.to_owned());
        self.actors.get(&key).map(|actor| (key, actor))
    }

    /// One actor made or changed another.
    fn made(self, bonds: &mut Vec<Bond>) {
        for made in &self.told.made {
            let (Some((from, maker)), Some((to, other))) = (self.identity(&made.from), self.identity(&made.to)) else {
                continue;
            };
            // What was made long before the other showed anything, or after, is no part of it.
            let near = |actor: &Actor| apart_s(made.span_s, (actor.since_s, actor.last_s())) <= MAX_APART_S;
            if from == to || !near(maker) || !near(other) || made.span_s.0 > other.last_s() {
                continue;
            }
            let verb = if made.is_new { "made" } else { "changed the keys or rights of" };
            bonds.push(Bond {
                kind: LinkKind::Created,
                explanation: format!("{} {verb} {}, as the log {} tells.", from.name(), to.name(), made.log),
                from: Node::Actor(from),
                to: Node::Actor(to),
                strength: if made.is_new { CERTAIN } else { 2.0 },
                at_s: made.span_s.0,
            });
        }
    }

    /// A credential of one actor made one of another.
    fn minted(self, bonds: &mut Vec<Bond>) {
        for chain in &self.told.chains {
            let (Some((from, maker)), Some((to, other))) = (self.identity(&chain.from), self.identity(&chain.to))
            else {
                continue;
            };
            let near =
                |actor: &Actor| apart_s((chain.at_s, chain.at_s), (actor.since_s, actor.last_s())) <= MAX_APART_S;
            if near(maker) && near(other) {
                bonds.push(Bond {
                    kind: LinkKind::Minted,
                    explanation: format!(
                        "{} used {}, which a credential of {} made.",
                        to.name(),
                        chain.key,
                        from.name()
                    ),
                    from: Node::Actor(from),
                    to: Node::Actor(to),
                    strength: CERTAIN,
                    at_s: chain.at_s,
                });
            }
        }
    }

    /// An actor acted from a suspect host, as a suspect host, or came to it through a balancer.
    fn hosts(self, bonds: &mut Vec<Bond>) {
        for (key, actor) in self.actors {
            let name = key.name();
            for (source, span_s) in &actor.sources {
                if let Some(suspect) = self.host_at(*source) {
                    let of_host = || (suspect.since_s, suspect.signals.iter().map(|one| one.last_s).max().unwrap_or(0));
                    let is_hub = self.facts.relays.contains(source) || !self.is_few(self.names_at(*source));
                    if !is_hub && apart_s(*span_s, of_host()) <= MAX_APART_S {
                        let words = format!("{name} acted from {source}, a host with signs of its own.");
                        bonds.push(self.host_bond(LinkKind::FromHost, suspect, key, CERTAIN, span_s.0, words));
                    }
                }
                self.served(key, actor, *source, bonds);
                self.called(key, *source, *span_s, bonds);
            }
            let ActorKey::Identity(identity) = key else { continue };
            let Some(instance) = self.told.instances.get(identity) else { continue };
            let is_instance = |suspect: &&Suspect| {
                self.facts.place_of(&suspect.host).is_some_and(|place| place.instance_id.as_ref() == Some(instance))
            };
            for suspect in self.suspects.values().filter(is_instance) {
                let words = format!("{name} is the role of {}, which is {instance}.", suspect.host.address);
                bonds.push(self.host_bond(LinkKind::FromHost, suspect, key, CERTAIN, actor.since_s, words));
            }
        }
    }

    fn host_bond(
        self,
        kind: LinkKind,
        suspect: &Suspect,
        key: &ActorKey,
        strength: f64,
        at_s: i64,
        words: String,
    ) -> Bond {
        let (host, actor) = (Node::Host(suspect.host.clone()), Node::Actor(key.clone()));
        let (from, to) = if kind == LinkKind::FromHost { (host, actor) } else { (actor, host) };
        Bond { kind, from, to, strength, at_s, explanation: words }
    }

    /// A balancer passed an unusual client on to a host that showed its first sign afterwards.
    fn served(self, key: &ActorKey, actor: &Actor, source: Address, bonds: &mut Vec<Bond>) {
        let entered =
            actor.signals.iter().filter(|one| one.opens && one.kind == Kind::Access).map(|one| one.since_s).min();
        let (Some(entered_s), Some(targets)) = (entered, self.told.served.get(&source)) else { return };
        if !self.is_few(self.names_at(source)) {
            return;
        }
        for target in targets.keys() {
            let Some(suspect) = self.host_at(*target) else { continue };
            let Some(sign_s) = suspect.sign_after_s(entered_s, HOUR_S) else { continue };
            if sign_s - entered_s <= MAX_APART_S {
                let words = format!("a balancer passed {source} on to {target} before it showed a sign.");
                bonds.push(self.host_bond(LinkKind::Served, suspect, key, 1.9, entered_s, words));
            }
        }
    }

    /// A suspect host calls the address that an actor came from.
    fn called(self, key: &ActorKey, source: Address, span_s: Span, bonds: &mut Vec<Bond>) {
        if !self.is_few(self.names_at(source)) {
            return;
        }
        for suspect in self.suspects.values() {
            let calls = suspect.opening().find(|sign| sign.outside == [source]);
            if let Some(sign) = calls.filter(|sign| apart_s(span_s, (sign.since_s, sign.last_s)) <= MAX_APART_S) {
                let words = format!("{} came from {source}, which {} deals with.", key.name(), suspect.host.address);
                bonds.push(self.host_bond(LinkKind::SameSource, suspect, key, CERTAIN, sign.since_s, words));
            }
        }
    }

    /// Returns the suspect host with an address, if exactly one has it.
    fn host_at(self, address: Address) -> Option<&'a Suspect> {
        let mut all = self.suspects.values().filter(|suspect| suspect.host.address == address);
        all.next().filter(|_| all.next().is_none())
    }

    /// Actors that came from one address.
    fn sources(self, bonds: &mut Vec<Bond>) {
        let mut by_source: BTreeMap<Address, Vec<(Span, &ActorKey)>> = BTreeMap::new();
        for (key, actor) in self.actors {
            for (source, span_s) in &actor.sources {
                by_source.entry(*source).or_default().push((*span_s, key));
            }
        }
        for (source, comers) in by_source {
            let names = self.names_at(source);
            let count = names.len();
            // A finding of its own says that the address is nobody's office.
            let is_named = self.actors.contains_key(&ActorKey::Source(source)) && count <= MAX_CROWD;
            if is_named || self.is_few(names) {
                let by = counted(count.max(1) as u64, "principal", "principals");
                let words = |a: &str, b: &str| format!("{a} and {b} came from {source}, which {by} used.");
                chain(comers, LinkKind::SameSource, CERTAIN - log10(count), &words, bonds);
            }
        }
    }

    /// Actors that came from one network, by different addresses.
    fn networks(self, bonds: &mut Vec<Bond>) {
        let mut by_network: BTreeMap<Network, Vec<(Span, &ActorKey)>> = BTreeMap::new();
        for (key, actor) in self.actors {
            let mut spans: BTreeMap<Network, Span> = BTreeMap::new();
            for (source, (first_s, last_s)) in &actor.sources {
                // Inside, a network is an office or a cloud.
                if actor.signals.iter().any(|sign| sign.inside == Some(*source)) {
                    continue;
                }
                let span = spans.entry(Network::of(*source)).or_insert((*first_s, *last_s));
                *span = (span.0.min(*first_s), span.1.max(*last_s));
            }
            for (network, span_s) in spans {
                by_network.entry(network).or_default().push((span_s, key));
            }
        }
        for (network, comers) in by_network {
            let mut names: BTreeSet<String> = BTreeSet::new();
            for (_, users) in self.told.users.iter().filter(|(source, _)| Network::of(**source) == network) {
                names.extend(users.keys().cloned());
            }
            names.extend(comers.iter().filter_map(|(_, key)| identity_of(key)));
            let count = names.len();
            if self.is_few(names) {
                let by = counted(count.max(1) as u64, "principal", "principals");
                let words = |a: &str, b: &str| format!("{a} and {b} came from {}, which {by} used.", network.text());
                chain(comers, LinkKind::SameNetwork, (2.0 - log10(count)).max(1.0), &words, bonds);
            }
        }
    }

    /// Actors whom a finding names together: strangers who came from one network on one day.
    fn strangers(self, bonds: &mut Vec<Bond>) {
        for (key, actor) in self.actors.iter().filter(|(key, _)| matches!(key, ActorKey::Source(_))) {
            for sign in actor.signals.iter().filter(|sign| sign.opens) {
                let finding = &self.findings[sign.finding];
                let names = finding.evidence.get("names").and_then(serde_json::Value::as_array).into_iter().flatten();
                for name in names.filter_map(serde_json::Value::as_str) {
                    let Some((named, other)) = self.identity(&self.told.identities.of_principal(name)) else {
                        continue;
                    };
                    if apart_s((sign.since_s, sign.last_s), (other.since_s, other.last_s())) > MAX_APART_S {
                        continue;
                    }
                    bonds.push(Bond {
                        kind: LinkKind::SameNetwork,
                        explanation: format!("{} is one of the strangers that came with {}.", named.name(), key.name()),
                        from: Node::Actor(key.clone()),
                        to: Node::Actor(named),
                        strength: 2.0,
                        at_s: sign.since_s,
                    });
                }
            }
        }
    }

    /// Returns the principals that came from an address, as far as logs and findings tell.
    fn names_at(self, source: Address) -> BTreeSet<String> {
        let of_logs = self.told.users.get(&source).into_iter().flat_map(|users| users.keys().cloned());
        let of_actors = self.actors.iter().filter(|(_, actor)| actor.sources.contains_key(&source));
        of_logs.chain(of_actors.filter_map(|(key, _)| identity_of(key))).collect()
    }

    /// Returns whether principals are so few, or so many of them actors, that a place that they share says something.
    fn is_few(self, names: BTreeSet<String>) -> bool {
        let count = names.len();
        let is_actor = |name: String| self.actors.contains_key(&ActorKey::Identity(name));
        count <= FEW
            || (count <= MAX_CROWD && 2 * names.into_iter().filter(|name| is_actor(name.clone())).count() >= count)
    }
}

fn identity_of(key: &ActorKey) -> Option<String> {
    match key {
        ActorKey::Identity(name) => Some(name.clone()),
        ActorKey::Source(_) => None,
    }
}

/// Ties each actor to the one that came before it, unless too long before.
fn chain(
    mut comers: Vec<(Span, &ActorKey)>,
    kind: LinkKind,
    strength: f64,
    words: &dyn Fn(&str, &str) -> String,
    bonds: &mut Vec<Bond>,
) {
    comers.sort_unstable();
    for pair in comers.windows(2) {
        let [(before, from), (after, to)] = [pair[0], pair[1]];
        if apart_s(before, after) <= MAX_APART_S {
            bonds.push(Bond {
                kind,
                explanation: words(&from.name(), &to.name()),
                from: Node::Actor(from.clone()),
                to: Node::Actor(to.clone()),
                strength,
                at_s: after.0,
            });
        }
    }
}

/// Returns the seconds between two spans; 0 where they meet.
fn apart_s(a: Span, b: Span) -> i64 {
    (b.0 - a.1).max(a.0 - b.1).max(0)
}

fn log10(count: usize) -> f64 {
    (count.max(1) as f64).log10()
}
