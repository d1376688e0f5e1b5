//! Regular calls: when they begin, change their period and end.

use super::{Story, Told, command, entry, first_sentence, service_text, sides, tactic, weight_of};
use crate::detect::Finding;
use crate::incident::facts::PairFact;
use crate::incident::model::TimelineKind;
use flow::codes::Role;
use flow::time::{DAY_S, rfc3339};
use flow::units::duration_text;
use std::collections::BTreeSet;

/// Detections that tell a period.
pub(super) const REGULAR: &[&str] = &["beacon", "rotating_beacon", "pooled_beacon", "unanswered_calls"];

/// Starts from which a change of the period shows.
const MIN_STARTS: usize = 9;

/// Periods without a call after which calls have ended.
const SILENT_PERIODS: f64 = 3.0;

/// Calls closer to each other than this share of the period are one check-in.
const SAME_CHECK_IN: f64 = 0.1;

/// Returns the period that a finding tells, in seconds.
pub(super) fn period_s(finding: &Finding) -> Option<f64> {
    let period_s = finding.evidence.get("period_s").and_then(serde_json::Value::as_f64);
    period_s.filter(|period_s| REGULAR.contains(&finding.detection.as_str()) && *period_s > 0.0)
}

/// Tells the regular calls of the incident's hosts.
pub(super) fn cadences(story: &Story<'_>, told: &mut Vec<Told>) {
    let mut pairs_told = BTreeSet::new();
    for finding in &story.findings {
        let Some(period_s) = period_s(finding).filter(|_| !is_guessed(story, finding)) else { continue };
        let pairs: Vec<&PairFact> = match finding.remote {
            // Of several hosts that share a remote, a finding names one.
            Some(remote) if finding.detection == "pooled_beacon" => {
                let same = |pair: &&PairFact| pair.remote == remote && Some(pair.port) == finding.port;
                story.pairs().filter(same).filter(|pair| pair.role == Role::Client).collect()
            }
            Some(_) => story.pairs_of_finding(finding).collect(),
            None => Vec::new(),
        };
        for pair in &pairs {
            if pairs_told.insert((&pair.host, pair.remote, pair.port, pair.protocol, pair.role)) {
                tell_pair(story, finding, pair, period_s, told);
            }
        }
        if pairs.is_empty() {
            tell_finding(finding, told);
        }
    }
}

/// Returns whether calls are told as guesses of passwords, which is the worse of the two: those keep a pace, too.
fn is_guessed(story: &Story<'_>, calls: &Finding) -> bool {
    fn path(finding: &Finding) -> impl PartialEq + '_ {
        (&finding.account_id, &finding.region, finding.host, finding.remote, finding.port, finding.role)
    }
    let mut guesses = story.findings.iter().filter(|finding| finding.detection == "brute_force");
    guesses.any(|guess| guess.severity > calls.severity && path(guess) == path(calls))
}

/// Tells calls of which only the finding is known, such as those to remotes in turn.
fn tell_finding(finding: &Finding, told: &mut Vec<Told>) {
    let Some(sides) = sides(finding) else { return };
    let span_s = (finding.first_seen_s, finding.last_seen_s);
    let mut one = entry(TimelineKind::CadenceBegins, span_s, sides, first_sentence(&finding.explanation));
    one.port = finding.port;
    one.tactic = tactic(finding);
    one.subject = Some(finding.subject.clone());
    one.query = match sides.1 {
        Some(target) => command::between(sides.0, target, span_s),
        None => command::query("host_profile", span_s, &[("host", sides.0.to_string())]),
    };
    told.push(Told { weight: weight_of(finding).max(3), entry: one });
}

fn tell_pair(story: &Story<'_>, finding: &Finding, pair: &PairFact, period_s: f64, told: &mut Vec<Told>) {
    let (caller, called) = match pair.role {
        Role::Client => (pair.host.address, pair.remote),
        Role::Server => (pair.remote, pair.host.address),
    };
    let service = service_text(pair.port, pair.protocol);
    let first_s = pair.starts_s.first().copied().unwrap_or(pair.first_seen_s);
    let last_s = pair.starts_s.last().copied().unwrap_or(pair.last_seen_s);
    let mut tell = |kind, at_s: i64, end_s: i64, text: String| {
        let mut one = entry(kind, (at_s, end_s), (caller, Some(called)), text);
        one.port = Some(pair.port);
        one.tactic = tactic(finding);
        one.subject = Some(finding.subject.clone());
        one.query = command::between(caller, called, (at_s, end_s));
        told.push(Told { weight: weight_of(finding).max(3), entry: one });
    };

    let every = duration_text(period_s);
    let window = story.facts.window;
    let before = match pair.baseline_first_seen_s {
        Some(met_s) => format!("; the two have met since {}", rfc3339(met_s)),
        None if (first_s - window.from_s) as f64 <= 2.0 * period_s => {
            "; the window begins with it, so it may be older".to_owned()
        }
        None => String::new(),
    };
    let text = format!("{caller} calls {called} on {service} every {every}{before}.");
    tell(TimelineKind::CadenceBegins, first_s, pair.last_seen_s, text);

    if let Some(change) = change(&pair.starts_s, period_s) {
        let (was, is) = (duration_text(change.before_s as f64), duration_text(change.after_s as f64));
        let text = format!("{caller} calls {called} on {service} every {is}, before it was every {was}.");
        tell(TimelineKind::CadenceChanges, change.at_s, pair.last_seen_s, text);
    }

    // Who calls by day alone is silent at night.
    let rests = finding.evidence.contains_key("active_from_utc_h");
    let silence_s = if rests { (SILENT_PERIODS * period_s).max(DAY_S as f64) } else { SILENT_PERIODS * period_s };
    let silent_s = story.meetings.data_end_s - last_s;
    if silent_s as f64 > silence_s {
        let silent = duration_text(silent_s as f64);
        let text = format!(
            "{caller} calls {called} on {service} for the last time; until the end of the data it is silent for {silent}."
        );
        tell(TimelineKind::CadenceEnds, last_s, last_s, text);
    }
}

/// A change of the period.
#[derive(Debug, PartialEq)]
struct PeriodChange {
    at_s: i64,
    before_s: i64,
    after_s: i64,
}

/// Returns the change of the period between the halves of a train of starts: where the median distance of the second
/// half differs from that of the first by more than half.
fn change(starts_s: &[i64], period_s: f64) -> Option<PeriodChange> {
    let is_apart = |pair: &&[i64]| (pair[1] - pair[0]) as f64 > SAME_CHECK_IN * period_s;
    let distances: Vec<(i64, i64)> =
        starts_s.windows(2).filter(is_apart).map(|pair| (pair[1] - pair[0], pair[0])).collect();
    if distances.len() + 1 < MIN_STARTS {
        return None;
    }
    let (first, second) = distances.split_at(distances.len() / 2);
    let (before_s, after_s) = (median(first), median(second));
    let differs = 2 * (after_s - before_s).abs() > before_s;
    differs.then(|| PeriodChange { at_s: second[0].1, before_s, after_s })
}

fn median(distances: &[(i64, i64)]) -> i64 {
    let mut seconds: Vec<i64> = distances.iter().map(|(distance_s, _)| *distance_s).collect();
    seconds.sort_unstable();
    seconds[seconds.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_shows_between_the_halves_of_a_train() {
        let steady: Vec<i64> = (0..20).map(|n| 300 * n).collect();
        assert_eq!(change(&steady, 300.0), None);
        let slower: Vec<i64> = (0..10).map(|n| 300 * n).chain((1..11).map(|n| 2_700 + 900 * n)).collect();
        assert_eq!(change(&slower, 300.0), Some(PeriodChange { at_s: 2_700, before_s: 300, after_s: 900 }));
        // Few starts show nothing, and the connections of one check-in are one.
        assert_eq!(change(&slower[6..13], 300.0), None);
        let bursts: Vec<i64> = (0..20).flat_map(|n| [300 * n, 300 * n + 1, 300 * n + 2]).collect();
        assert_eq!(change(&bursts, 300.0), None);
    }
}
