//! Guessing of passwords, and the long session after it from the same source.

use super::{Story, Told, command, entry, first_sentence, service_text, sides, tactic, weight_of};
use crate::detect::Finding;
use crate::incident::facts::PairFact;
use crate::incident::model::{Tactic, TimelineKind};
use flow::units::duration_text;

/// A connection of at least so many seconds after the guesses is a session.
const SESSION_S: i64 = 300;

/// Tells each guessing, and the session after it.
pub(super) fn guesses(story: &Story<'_>, told: &mut Vec<Told>) {
    for finding in story.findings.iter().filter(|finding| finding.detection == "brute_force") {
        let Some(sides) = sides(finding) else { continue };
        let span_s = (finding.first_seen_s, finding.last_seen_s);
        let mut one = entry(TimelineKind::Guessing, span_s, sides, first_sentence(&finding.explanation));
        one.port = finding.port;
        one.tactic = tactic(finding);
        one.subject = Some(finding.subject.clone());
        one.query = match sides.1 {
            Some(target) => command::between(sides.0, target, span_s),
            None => command::sent_by(sides.0, span_s),
        };
        told.push(Told { weight: weight_of(finding).max(3), entry: one });
        if let Some(target) = sides.1 {
            session_after(story, finding, (sides.0, target), told);
        }
    }
}

/// Tells the first long session from the source of guesses to their target that began after the first guess.
fn session_after(story: &Story<'_>, finding: &Finding, sides: (flow::Address, flow::Address), told: &mut Vec<Told>) {
    let pairs = finding.host.map(|host| super::key_of(finding, host));
    let pairs = pairs.iter().flat_map(|host| story.facts.pairs_of(host));
    let same = pairs.filter(|pair| Some(pair.remote) == finding.remote && Some(pair.role) == finding.role);
    let entered = same.filter(|pair| Some(pair.port) == finding.port || pair.is_management());
    let sessions = entered.filter_map(|pair| Some((session(pair, finding.first_seen_s)?, pair)));
    let Some(((from_s, to_s), pair)) = sessions.min_by_key(|(span_s, pair)| (*span_s, pair.port, pair.protocol)) else {
        return;
    };
    let service = service_text(pair.port, pair.protocol);
    let lasted = duration_text((to_s - from_s) as f64);
    let text = format!("{} keeps a session of {} on {service} open for {lasted}, after it guessed.", sides.0, sides.1);
    let mut one = entry(TimelineKind::SessionAfterGuessing, (from_s, to_s), (sides.0, Some(sides.1)), text);
    one.port = Some(pair.port);
    // From outside it is how they came in.
    one.tactic = Some(if pair.external { Tactic::InitialAccess } else { Tactic::LateralMovement });
    one.subject = Some(finding.subject.clone());
    one.query = command::between(sides.0, sides.1, (from_s, to_s));
    told.push(Told { weight: 5, entry: one });
}

/// Returns first and last second of the last long session of a pair that began after a second.
fn session(pair: &PairFact, second: i64) -> Option<(i64, i64)> {
    if !pair.answered() || (pair.longest_s as i64) < SESSION_S {
        return None;
    }
    let from_s = match pair.starts_s.last() {
        Some(last_s) => *last_s,
        // Only its length is known: it lies at the end or before it.
        None => pair.first_seen_s.max(pair.last_seen_s - pair.longest_s as i64),
    };
    (from_s > second && pair.last_seen_s - from_s >= SESSION_S).then_some((from_s, pair.last_seen_s))
}
