//! Who acts in findings without a host: principals, and addresses from which nobody in particular came.
//!
//! A principal has one name in all logs (`access::Identities`). Actors join hosts and each other by bonds (`bond`) that
//! must be earned as links between hosts must, and so become part of the same incidents (`gather`).
//!
//! **Cost.** None without findings that name a principal or a source. Else two passes over the hours of access logs, and
//! what is kept of them grows with the actors and their addresses.

mod bond;
mod deeds;
mod gather;
mod phrases;
#[cfg(test)]
mod tests;
mod told;

use super::facts::HostKey;
use super::model::{Party, PartyKind};
use super::signal::{Signal, counts, signal};
use super::{Facts, MAX_SUSPECTS};
use crate::detect::Finding;
use crate::detect::finding::compare_findings;
use access::{AccessHours, Identities, Principals, Ties};
use flow::Address;
use std::cmp::Reverse;
use std::collections::BTreeMap;

pub(super) use bond::{Bond, Bonds, Node};
pub(super) use deeds::{MAX_DEEDS, MAX_THINGS, add_deeds};
pub(super) use gather::gather;
pub(super) use phrases::{phrases, short_name};
pub(super) use told::Told;

/// What the logs beside flow logs tell.
#[derive(Debug, Clone, Copy)]
pub struct Accesses<'a> {
    /// The hours of window and history.
    pub hours: &'a AccessHours,
    /// All principals that are known.
    pub principals: &'a Principals,
    /// Who made which credential and which principal.
    pub ties: &'a Ties,
}

impl Accesses<'_> {
    /// Returns who is who, from the names of all principals.
    pub(super) fn identities(&self) -> Identities {
        // The ledger knows nobody who was only refused.
        let rows = self.hours.rows();
        let ledger = self.principals.iter().map(|(_, name, _)| name);
        Identities::of(rows.iter().map(|row| row.principal).chain(ledger))
    }
}

/// Who acted: a principal by the name that all logs know it by, or an address where no log names one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum ActorKey {
    Identity(String),
    Source(Address),
}

impl ActorKey {
    /// Returns the actor as incidents name it.
    pub(super) fn party(&self) -> Party {
        match self {
            Self::Identity(name) => Party::Named(PartyKind::Principal, name.clone()),
            Self::Source(address) => Party::Address(*address),
        }
    }

    /// Returns the actor's name in a sentence.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Identity(name) => short_name(name).to_owned(),
            Self::Source(address) => address.to_string(),
        }
    }
}

/// A principal or address with signs that open an incident.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Actor {
    /// The first of the signs that open.
    pub(super) since_s: i64,
    /// In the order of reports.
    pub(super) signals: Vec<Signal>,
    /// The addresses that it came from in its findings, with the first and last second of each.
    pub(super) sources: BTreeMap<Address, (i64, i64)>,
}

impl Actor {
    /// Returns the last second of its signs.
    pub(super) fn last_s(&self) -> i64 {
        self.signals.iter().map(|signal| signal.last_s).max().unwrap_or(self.since_s)
    }

    /// Notes that it came from an address.
    pub(super) fn came_from(&mut self, source: Address, (first_s, last_s): (i64, i64)) {
        let span = self.sources.entry(source).or_insert((first_s, last_s));
        *span = (span.0.min(first_s), span.1.max(last_s));
    }
}

/// Actors by name.
pub(super) type Actors = BTreeMap<ActorKey, Actor>;

/// Returns the actor of a finding about a principal, or else of one without a host; `None` where it names nobody.
pub(super) fn actor_of(finding: &Finding, identities: &Identities) -> Option<ActorKey> {
    match &finding.principal {
        Some(principal) => Some(ActorKey::Identity(identities.of_principal(principal).into_owned())),
        None => source_of(finding).filter(|_| finding.host.is_none()).map(ActorKey::Source),
    }
}

/// Returns whether a finding is about a principal, or about an address and no host.
pub(super) fn names_actor(finding: &Finding) -> bool {
    finding.principal.is_some() || (finding.host.is_none() && source_of(finding).is_some())
}

/// Returns the address that a finding's principal came from, the host from which it acted where that is named; `None`
/// where it names a network or nothing.
pub(super) fn source_of(finding: &Finding) -> Option<Address> {
    let host = finding.host.filter(|_| finding.principal.is_some());
    host.or_else(|| finding.source.as_deref()?.parse().ok())
}

/// Returns the actors with signs that open an incident: at most [`MAX_SUSPECTS`], the worst first. The result does not
/// depend on the order of the findings, except for their places.
pub(super) fn actors(
    findings: &[Finding],
    identities: &Identities,
    is_inside: &dyn Fn(&HostKey, Address) -> bool,
    facts: &Facts,
) -> Actors {
    let mut named: Vec<(usize, ActorKey)> = (0..findings.len())
        .filter(|at| counts(&findings[*at]))
        .filter_map(|at| Some((at, actor_of(&findings[at], identities)?)))
        .collect();
    named.sort_by(|(a, _), (b, _)| compare_findings(&findings[*a], &findings[*b]));
    let mut found: Actors = BTreeMap::new();
    for (at, key) in named {
        let finding = &findings[at];
        let source = source_of(finding);
        let host = HostKey {
            account_id: finding.account_id.clone().unwrap_or_default(),
            region: finding.region.clone().unwrap_or_default(),
            address: source.unwrap_or(Address::from_bits(0)),
        };
        let mut sign = signal(finding, at, &host, is_inside, facts);
        if let Some(source) = source {
            match finding.host == Some(source) || is_inside(&host, source) {
                true => sign.inside = Some(source),
                false => sign.outside = vec![source],
            }
        }
        let actor = found.entry(key).or_insert_with(|| Actor {
            since_s: i64::MAX,
            signals: Vec::new(),
            sources: BTreeMap::new(),
        });
        if sign.opens {
            actor.since_s = actor.since_s.min(sign.since_s);
        }
        if let Some(source) = source {
            actor.came_from(source, (sign.since_s, sign.last_s));
        }
        actor.signals.push(sign);
    }
    found.retain(|_, actor| actor.since_s < i64::MAX);
    if found.len() > MAX_SUSPECTS {
        let rank = |actor: &Actor| actor.signals.iter().map(|signal| signal.severity).max();
        let mut order: Vec<(Reverse<_>, ActorKey)> =
            found.iter().map(|(key, actor)| (Reverse(rank(actor)), key.clone())).collect();
        order.sort_unstable();
        order.into_iter().skip(MAX_SUSPECTS).for_each(|(_, key)| {
            found.remove(&key);
        });
    }
    found
}
