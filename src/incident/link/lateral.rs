//! A suspect host that entered another, in the order of time.

use super::{Links, MIN_STRENGTH, SLACK_S, Sign, Tie, first_start_s, port_text};
use crate::incident::facts::{HostKey, PairFact};
use crate::incident::kind::Kind;
use crate::incident::model::LinkKind;
use flow::time::{DAY_S, HOUR_S};
use flow::units::duration_text;

/// Of a port that a crowd answered, a path counts that a day of history does not have.
const MIN_NOVELTY_OF_MANY: f64 = 1.0;

/// Adds links from a suspect to a suspect that it reached: answered, after its own first sign and before a sign of the
/// other, over a service that is no hub, by a path of at least [`MIN_STRENGTH`].
pub(super) fn add(links: Links<'_>, ties: &mut Vec<Tie>) {
    for suspect in links.suspects.values() {
        let from = &suspect.host;
        let habitual_caller = links.facts.calls_everyone(from);
        let crowded = links.crowded_ports(from);
        for (pair, to) in links.paths_of(from) {
            let Some(at_s) = first_start_s(pair, suspect.since_s - SLACK_S) else { continue };
            let (Some(sign), false) = (links.sign_after(to, at_s), links.facts.is_hub(to, pair.port)) else { continue };
            let novelty = if pair.met_s() >= suspect.since_s - SLACK_S { links.novelty(pair) } else { 0.0 };
            if habitual_caller && !(novelty > 0.0 && pair.is_management()) {
                continue;
            }
            let guessed = guessed(links, from, to);
            // With a day of history, a nightly scanner is known by its habit.
            if crowded.contains(&pair.port) && novelty < MIN_NOVELTY_OF_MANY && !guessed {
                continue;
            }
            let strength = novelty
                + if pair.is_management() { 1.0 } else { 0.0 }
                + soon(sign.at_s - at_s)
                + if guessed { 1.5 } else { 0.0 };
            if strength >= MIN_STRENGTH - 1e-9 {
                ties.push(Tie {
                    kind: LinkKind::Lateral,
                    from: from.clone(),
                    to: to.clone(),
                    via: None,
                    strength,
                    at_s,
                    explanation: explanation(pair, to, novelty > 0.0, guessed, (sign, sign.at_s - at_s)),
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

/// Returns what it adds that a sign of the other host came soon: 0.5 within 6 hours, 0.2 within 24.
fn soon(gap_s: i64) -> f64 {
    if gap_s <= 6 * HOUR_S {
        0.5
    } else if gap_s <= DAY_S {
        0.2
    } else {
        0.0
    }
}

fn explanation(pair: &PairFact, to: &HostKey, is_new: bool, guessed: bool, (sign, gap_s): (Sign, i64)) -> String {
    let mut text = format!("{} opened {} of {}", pair.host.address, port_text(pair.port), to.address);
    if is_new {
        text.push_str(" for the first time");
    }
    if guessed {
        text.push_str(", whose passwords it had guessed");
    }
    match gap_s {
        60.. => {
            text.push_str(&format!(", {} before the {} sign of that host.", duration_text(gap_s as f64), sign.name))
        }
        _ => text.push_str(&format!(", about when that host showed its {} sign.", sign.name)),
    }
    text
}
