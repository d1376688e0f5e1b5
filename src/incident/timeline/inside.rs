//! Sessions between inside hosts that open a path, and pulls of data beyond habit.

use super::{Story, Told, command, entry, service_text};
use crate::incident::facts::{HostKey, PairFact};
use crate::incident::model::{Tactic, TimelineKind};
use crate::incident::step::{Step, is_new, slack_s};
use flow::codes::Role;
use flow::time::DAY_S;
use flow::units::{bytes_text, duration_text};

/// Bytes both ways of a mean connection up to which it is a probe and no session.
const PROBE_BYTES: u64 = 600;

/// Bytes beyond a known habit from which a pull is unusual.
const PULL_BYTES: u64 = 20_000_000;

/// How many times its habit a pull is at least.
const TIMES_HABIT: f64 = 3.0;

/// Bytes from which a pull is unusual where no history tells the habit.
const UNKNOWN_PULL_BYTES: u64 = 100_000_000;

/// A connection from outside lasts at least so many seconds to be a session.
const SESSION_S: u64 = 300;

/// Tells the sessions that the incident's hosts opened or took inside, and what they pulled.
pub(super) fn sessions_and_pulls(story: &Story<'_>, told: &mut Vec<Told>) {
    for (host, arrival_s) in &story.arrivals {
        for pair in story.facts.pairs_of(host) {
            if let Some(step) = Step::after(story.facts, pair, *arrival_s).filter(|step| step.answered) {
                tell_session(story, pair, &step, told);
                tell_pull(story, &step, told);
            }
            tell_entry(story, host, *arrival_s, pair, told);
        }
    }
}

fn is_probe(pair: &PairFact) -> bool {
    pair.bytes_in.saturating_add(pair.bytes_out) <= PROBE_BYTES.saturating_mul(pair.connections)
}

fn tell_session(story: &Story<'_>, pair: &PairFact, step: &Step, told: &mut Vec<Told>) {
    if !step.opens_path() || step.is_shared() || is_probe(pair) || is_everyday(story, step) {
        return;
    }
    let span_s = (step.start_s, step.last_s);
    let text = session_text(pair, step.is_new, step.is_management);
    let mut one = entry(TimelineKind::InsideSession, span_s, (step.from.address, Some(step.to.address)), text);
    one.port = Some(step.port);
    one.tactic = Some(Tactic::LateralMovement);
    one.bytes = Some(step.bytes_in.saturating_add(step.bytes_out));
    one.query = command::between(step.from.address, step.to.address, span_s);
    // A path that leads to another host of the incident is its story.
    let weight = if story.arrivals.contains_key(&step.to) { 5 } else { 2 + u8::from(step.is_management) };
    told.push(Told { weight, entry: one });
}

/// Returns whether a step says nothing without history: over the hours of one window, services of the inside are met for
/// the first time all day long.
fn is_everyday(story: &Story<'_>, step: &Step) -> bool {
    !story.facts.window.has_history() && !step.is_management && !story.arrivals.contains_key(&step.to)
}

fn session_text(pair: &PairFact, is_new: Option<bool>, is_management: bool) -> String {
    let (caller, called) = match pair.role {
        Role::Client => (pair.host.address, pair.remote),
        Role::Server => (pair.remote, pair.host.address),
    };
    let service = service_text(pair.port, pair.protocol);
    let met = match (is_new, is_management) {
        (Some(true), _) => ", which it had not met before",
        (Some(false), true) => ", which it administers by habit",
        _ => "",
    };
    let moved = bytes_text(pair.bytes_in.saturating_add(pair.bytes_out));
    let longest = match pair.longest_s {
        0 => String::new(),
        seconds => format!(", the longest connection lasted {}", duration_text(seconds as f64)),
    };
    format!("{caller} opened {service} of {called}{met}; {moved} moved{longest}.")
}

fn tell_pull(story: &Story<'_>, step: &Step, told: &mut Vec<Told>) {
    if step.bytes_in < PULL_BYTES {
        return;
    }
    let (others, window) = (story.facts.pairs_of(&step.to), story.facts.window);
    let pulled = step.pulled_beyond(others, window);
    let usual = step.usual_in(others, window);
    let is_unusual = match usual {
        Some(usual) => pulled >= PULL_BYTES && step.bytes_in as f64 >= TIMES_HABIT * usual,
        None => pulled >= UNKNOWN_PULL_BYTES && step.is_new != Some(false),
    };
    if !is_unusual {
        return;
    }
    let (host, from, service) = (step.from.address, step.to.address, service_text(step.port, step.protocol));
    let habit = match usual {
        Some(usual) if usual >= 1.0 => format!("; in a window as long it usually gets {}", bytes_text(usual as u64)),
        Some(_) => "; before the window it got nothing".to_owned(),
        None => "; nothing tells what it usually gets".to_owned(),
    };
    let text = format!("{host} pulled {} from {from} over {service}{habit}.", bytes_text(step.bytes_in));
    let span_s = (step.start_s, step.last_s);
    let mut one = entry(TimelineKind::InsidePull, span_s, (host, Some(from)), text);
    one.port = Some(step.port);
    one.tactic = Some(Tactic::Collection);
    one.bytes = Some(step.bytes_in);
    one.query = command::between(host, from, span_s);
    told.push(Told { weight: 4, entry: one });
}

/// Adds the entry into a host of the incident over a new management path in the day before its first sign: by an inside
/// host that is not of the incident, or by an outside address that stayed.
fn tell_entry(story: &Story<'_>, host: &HostKey, arrival_s: i64, pair: &PairFact, told: &mut Vec<Told>) {
    let opener = HostKey { address: pair.remote, ..host.clone() };
    let is_entry = pair.role == Role::Server && pair.is_management() && pair.answered();
    let is_told = match pair.external {
        true => pair.longest_s < SESSION_S || story.incident.remotes.iter().any(|known| known.address == pair.remote),
        // What hosts of the incident open is told from their side.
        false => story.arrivals.contains_key(&opener),
    };
    if !is_entry || is_probe(pair) || is_told {
        return;
    }
    let Some(start_s) = pair.first_start_after_s(arrival_s - DAY_S).filter(|at| *at <= arrival_s + slack_s(pair))
    else {
        return;
    };
    let is_new = is_new(pair, start_s, story.facts.window);
    if is_new != Some(true) {
        return;
    }
    let (from, to, span_s) = (pair.remote, host.address, (start_s, pair.last_seen_s));
    let (kind, tactic) = match pair.external {
        true => (TimelineKind::FirstContact, Tactic::InitialAccess),
        false => (TimelineKind::InsideSession, Tactic::LateralMovement),
    };
    let mut one = entry(kind, span_s, (from, Some(to)), session_text(pair, is_new, true));
    one.port = Some(pair.port);
    one.tactic = Some(tactic);
    one.bytes = Some(pair.bytes_in.saturating_add(pair.bytes_out));
    one.query = command::between(from, to, span_s);
    told.push(Told { weight: 4, entry: one });
}
