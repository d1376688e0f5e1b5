//! A suspect host that entered a host without signs, which then entered another suspect: a jump host.
//!
//! Many may be on a jump host at once. Whoever entered it last before it opened the next session is the likeliest to have
//! opened it, so that session links with no other: two intruders who use one jump host stay two incidents.

use super::{LATE_S, Links, MIN_STRENGTH, SLACK_S, Tie, port_text};
use crate::incident::facts::{HostKey, PairFact};
use crate::incident::model::LinkKind;
use flow::codes::Role;
use flow::time::HOUR_S;
use flow::units::duration_text;
use std::collections::BTreeMap;

/// How long after it was entered the host between opens the next.
const WITHIN_S: i64 = 6 * HOUR_S;

/// How long before a sign the second suspect was entered.
const BEFORE_SIGN_S: i64 = 12 * HOUR_S;

/// The least novelty of the second step: a day of history without it.
const MIN_NOVELTY: f64 = 1.0;

/// A session from host to host over a port.
type Session = (HostKey, HostKey, u16);

/// Adds links over a host without signs. The search begins at the second suspect, so the thousands of paths of a busy jump
/// host are never walked; its first step stands among the pairs of the first suspect.
pub(super) fn add(links: Links<'_>, ties: &mut Vec<Tie>) {
    let entries = entries(links);
    if entries.is_empty() {
        return;
    }
    let mut last_entered: BTreeMap<Session, (i64, Tie)> = BTreeMap::new();
    for suspect in links.suspects.values().filter(|suspect| !links.forwards(&suspect.host)) {
        let from = &suspect.host;
        let sessions = links
            .facts
            .pairs_of(from)
            .iter()
            .filter(|pair| pair.role == Role::Client && !pair.external && pair.is_management() && pair.answered());
        for first in sessions {
            let Some(via) = links.facts.host_behind(from, first.remote) else { continue };
            for (to, second) in entries.get(via).into_iter().flatten().filter(|(to, _)| *to != from) {
                let opened_s = second.met_s();
                let from_s = (suspect.since_s - SLACK_S).max(opened_s - WITHIN_S);
                let Some(entered_s) = super::first_start_s(first, from_s).filter(|at_s| *at_s <= opened_s) else {
                    continue;
                };
                let at_s = first.last_start_by_s(opened_s).map_or(entered_s, |last_s| last_s.max(entered_s));
                let after = duration_text((opened_s - at_s).max(60) as f64);
                let tie = Tie {
                    kind: LinkKind::Bridge,
                    from: from.clone(),
                    to: (*to).clone(),
                    via: Some(via.clone()),
                    strength: MIN_STRENGTH,
                    at_s: opened_s,
                    explanation: format!(
                        "{} opened {} of {}, which opened {} of {} for the first time within {after}.",
                        from.address,
                        port_text(first.port),
                        via.address,
                        port_text(second.port),
                        to.address,
                    ),
                };
                let session = (via.clone(), (*to).clone(), second.port);
                let last = last_entered.entry(session).or_insert_with(|| (at_s, tie.clone()));
                if (at_s, &tie.from) > (last.0, &last.1.from) {
                    *last = (at_s, tie);
                }
            }
        }
    }
    ties.extend(last_entered.into_values().map(|(_, tie)| tie));
}

/// Returns the new sessions by which hosts without signs entered suspect hosts, by the host without signs.
fn entries<'a>(links: Links<'a>) -> BTreeMap<&'a HostKey, Vec<(&'a HostKey, &'a PairFact)>> {
    let mut entries: BTreeMap<&HostKey, Vec<(&HostKey, &PairFact)>> = BTreeMap::new();
    for suspect in links.suspects.values().filter(|suspect| !links.forwards(&suspect.host)) {
        let before_sign =
            |met_s: i64| suspect.sign_after_s(met_s, LATE_S).is_some_and(|sign_s| sign_s - met_s <= BEFORE_SIGN_S);
        let entered = links.facts.pairs_of(&suspect.host).iter().filter(|pair| {
            pair.role == Role::Server
                && !pair.external
                && pair.is_management()
                && pair.answered()
                && before_sign(pair.met_s())
                && links.novelty(pair) >= MIN_NOVELTY
        });
        for pair in entered {
            let via = links.facts.host_behind(&suspect.host, pair.remote);
            if let Some(via) = via.filter(|via| !links.suspects.contains_key(via) && !links.forwards(via)) {
                entries.entry(via).or_default().push((&suspect.host, pair));
            }
        }
    }
    entries
}
