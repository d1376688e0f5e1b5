//! A suspect host that entered another, in the order of time.

use super::{LATE_S, LEAST_STRENGTH, Links, SLACK_S, Tie, first_start_s, port_text};
use crate::incident::facts::{HostKey, PairFact};
use crate::incident::kind::Kind;
use crate::incident::model::LinkKind;
use flow::time::{DAY_S, HOUR_S};
use flow::units::duration_text;

/// Adds links from a suspect to a suspect that it reached: answered, after its own first sign and before the other's, over
/// a service that is no hub, by a path of at least [`LEAST_STRENGTH`].
pub(super) fn add(links: Links<'_>, ties: &mut Vec<Tie>) {
    for suspect in links.suspects.values() {
        let from = &suspect.host;
        let habitual_caller = links.facts.calls_everyone(from);
        for (pair, to) in links.paths_of(from) {
            let (Some(to_since_s), false) = (links.since_s(to), links.facts.is_hub(to, pair.port)) else { continue };
            let Some(at_s) = first_start_s(pair, suspect.since_s - SLACK_S) else { continue };
            let novelty = if pair.met_s() >= suspect.since_s - SLACK_S { links.novelty(pair) } else { 0.0 };
            if at_s > to_since_s + LATE_S || habitual_caller && !(novelty > 0.0 && pair.is_management()) {
                continue;
            }
            let guessed = guessed(links, from, to);
            let strength = novelty
                + if pair.is_management() { 1.0 } else { 0.0 }
                + soon(to_since_s - at_s)
                + if guessed { 1.5 } else { 0.0 };
            if strength >= LEAST_STRENGTH - 1e-9 {
                ties.push(Tie {
                    kind: LinkKind::Lateral,
                    from: from.clone(),
                    to: to.clone(),
                    via: None,
                    strength,
                    at_s,
                    explanation: explanation(pair, to, novelty > 0.0, guessed, to_since_s - at_s),
                });
            }
        }
    }
}

/// Returns whether a host guessed passwords of another.
fn guessed(links: Links<'_>, from: &HostKey, to: &HostKey) -> bool {
    links.suspects.get(from).is_some_and(|suspect| {
        let signals = suspect.signals.iter();
        signals.filter(|signal| signal.kind == Kind::Credential).any(|signal| {
            signal.inside.and_then(|remote| links.facts.host_behind(from, remote)).is_some_and(|host| host == to)
        })
    })
}

/// Returns what it adds that the other host's first sign came soon: 0.5 within 6 hours, 0.2 within 24.
fn soon(gap_s: i64) -> f64 {
    match gap_s {
        gap_s if gap_s <= 6 * HOUR_S => 0.5,
        gap_s if gap_s <= DAY_S => 0.2,
        _ => 0.0,
    }
}

fn explanation(pair: &PairFact, to: &HostKey, is_new: bool, guessed: bool, gap_s: i64) -> String {
    let mut text = format!("{} opened {} of {}", pair.host.address, port_text(pair.port), to.address);
    if is_new {
        text.push_str(" for the first time");
    }
    if guessed {
        text.push_str(", whose passwords it had guessed");
    }
    match gap_s {
        60.. => text.push_str(&format!(", {} before the first sign of that host.", duration_text(gap_s as f64))),
        _ => text.push_str(", about when that host showed its first sign."),
    }
    text
}
