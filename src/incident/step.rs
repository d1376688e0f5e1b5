//! One step from host to host: when it was taken, whether it was new, and how much it deserves a look.

use super::facts::{Facts, HostKey, PairFact};
use flow::Address;
use flow::codes::Role;
use flow::time::HOUR_S;
use rollup::window::Window;

/// Data before a pair's first record that are needed to call it new.
const NOVELTY_S: i64 = 6 * HOUR_S;

/// Flow logs give the first packet of a window with up to so many seconds of delay, whatever the window.
const MIN_SLACK_S: i64 = 60;

/// Bytes beyond habit from which a pull adds to the rank.
const PULL_FLOOR_BYTES: u64 = 100_000;

/// The same as a power of ten.
const PULL_FLOOR_LOG10: f64 = 5.0;

/// A connection that a host opened to another host inside, at or after a second.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    /// Who opened it.
    pub(super) from: HostKey,
    /// The other side: the host behind the address, else one of the same account and region.
    pub(super) to: HostKey,
    /// The port of the service.
    pub(super) port: u16,
    /// The IANA protocol number.
    pub(super) protocol: u8,
    /// The first start at or after the second.
    pub(super) start_s: i64,
    /// The last second of the pair in the window.
    pub(super) last_s: i64,
    /// Connections in the window.
    pub(super) connections: u64,
    /// Bytes to the other side in the window.
    pub(super) bytes_out: u64,
    /// Bytes from the other side in the window.
    pub(super) bytes_in: u64,
    /// Whether the two had not met before; `None` where less than six hours of earlier data can tell.
    pub(super) is_new: Option<bool>,
    /// Whether hosts are administered over its port.
    pub(super) is_management: bool,
    /// Whether the other side took part.
    pub(super) answered: bool,
    /// Hosts that use the service; 0 for few.
    pub(super) clients: u64,
    /// Whether so many use it that its use says nothing.
    pub(super) is_hub: bool,
    /// Bytes from the other side that the habit of the bytes to it would bring; `None` without history.
    usual_in: Option<f64>,
}

impl Step {
    /// Returns the step that a pair shows at or after a second; `None` for pairs that are no step, or none by then.
    pub(super) fn after(facts: &Facts, pair: &PairFact, second: i64) -> Option<Self> {
        if !is_inside_call(pair) {
            return None;
        }
        let start_s = pair.first_start_after_s(second - slack_s(pair))?;
        let same_place = || HostKey { address: pair.remote, ..pair.host.clone() };
        let to = facts.host_behind(&pair.host, pair.remote).cloned().unwrap_or_else(same_place);
        let clients = facts.clients_of(&to, pair.port);
        Some(Self {
            from: pair.host.clone(),
            port: pair.port,
            protocol: pair.protocol,
            start_s,
            last_s: pair.last_seen_s,
            connections: pair.connections,
            bytes_out: pair.bytes_out,
            bytes_in: pair.bytes_in,
            is_new: is_new(pair, second, facts.window),
            is_management: pair.is_management(),
            answered: pair.answered(),
            clients,
            is_hub: facts.is_crowd(clients),
            usual_in: usual_in_by_bytes_out(pair, facts.window),
            to,
        })
    }

    /// Returns whether it opens a path: new, or over a management port, and answered.
    pub(super) fn opens_path(&self) -> bool {
        self.answered && (self.is_new == Some(true) || self.is_management)
    }

    /// Returns whether it is no more than the use of a service that many use.
    pub(super) fn is_shared(&self) -> bool {
        self.is_hub && !(self.is_new == Some(true) && self.is_management)
    }

    /// Returns the bytes pulled beyond the pair's habit. `others` are the pairs of the other side, which know what it
    /// sent before; without them the habit is guessed from the bytes sent to it.
    pub(super) fn pulled_beyond(&self, others: &[PairFact], window: Window) -> u64 {
        let pulled = self.bytes_in as f64;
        let usual = self.usual_in(others, window).unwrap_or(0.0);
        if usual < pulled { (pulled - usual) as u64 } else { 0 }
    }

    /// Returns the bytes that the pair's habit would bring in the window; `None` without history.
    pub(super) fn usual_in(&self, others: &[PairFact], window: Window) -> Option<f64> {
        if !window.has_history() {
            return self.usual_in;
        }
        let same = |other: &&PairFact| {
            other.role == Role::Server
                && other.remote == self.from.address
                && (other.port, other.protocol) == (self.port, self.protocol)
        };
        let seen = others.iter().find(same).and_then(|other| other.baseline_bytes_out);
        seen.and_then(|bytes| per_window(bytes, window)).or(self.usual_in)
    }

    /// Returns how much the step deserves a look, for the first hop: 3 for a new pair, 2 for a management port, up to 3
    /// for bytes pulled beyond habit, up to 1 for a service that few use, 2 less where nobody answered.
    pub(super) fn rank<'a>(&self, hosts: u64, others: impl FnOnce() -> &'a [PairFact], window: Window) -> f64 {
        // Most steps bring too little to look up what is usual.
        let pull = match self.bytes_in >= PULL_FLOOR_BYTES {
            true => (ln10(self.pulled_beyond(others(), window)) - PULL_FLOOR_LOG10).clamp(0.0, 3.0),
            false => 0.0,
        };
        let new = if self.is_new == Some(true) { 3.0 } else { 0.0 };
        let management = if self.is_management { 2.0 } else { 0.0 };
        let silent = if self.answered { 0.0 } else { 2.0 };
        // What many pull from is no find.
        let weight = if self.is_hub { 0.3 } else { 1.0 };
        new + management + weight * pull + rarity(self.clients, hosts) - silent
    }
}

/// Returns whether a pair is a call from host to host inside.
pub(super) fn is_inside_call(pair: &PairFact) -> bool {
    pair.role == Role::Client && !pair.external && pair.remote != pair.host.address && !pair.remote.is_local_scope()
}

/// Returns how much the times of a pair may be off: the aggregation window, and never less than a minute.
pub(super) fn slack_s(pair: &PairFact) -> i64 {
    i64::from(pair.window_s).max(MIN_SLACK_S)
}

/// Returns whether two sides had not met before a second; `None` where too little data before can tell.
pub(super) fn is_new(pair: &PairFact, second: i64, window: Window) -> Option<bool> {
    // A contact that was flagged in an earlier window is no habit, although the history has it.
    let met_before = pair.first_contact.map_or(pair.baseline_hours.is_some_and(|hours| hours > 0), |first| !first);
    if met_before || pair.first_seen_s < second - slack_s(pair) {
        return Some(false);
    }
    (pair.first_seen_s - window.baseline_from_s >= NOVELTY_S).then_some(true)
}

/// Returns how rare a service is: 1 for one that nobody else uses, 0 for one that all use.
pub(super) fn rarity(clients: u64, hosts: u64) -> f64 {
    if clients == 0 {
        return 1.0;
    }
    let (clients, hosts) = (ln10(clients), ln10(hosts.max(1)));
    1.0 - (clients / hosts).min(1.0)
}

/// Returns how many bytes of the history fall on a time as long as the window; `None` without history.
fn per_window(bytes: u64, window: Window) -> Option<f64> {
    let history_s = window.from_s - window.baseline_from_s;
    (history_s > 0).then(|| bytes as f64 * (window.to_s - window.from_s) as f64 / history_s as f64)
}

/// Returns the bytes in that would come if as much came back for each byte out as in the window, at the pace of history.
fn usual_in_by_bytes_out(pair: &PairFact, window: Window) -> Option<f64> {
    if pair.baseline_hours == Some(0) {
        return Some(0.0);
    }
    let usual_out = per_window(pair.baseline_bytes_out?, window)?;
    let share = (usual_out / (pair.bytes_out.max(1) as f64)).min(1.0);
    Some(pair.bytes_in as f64 * share)
}

fn ln10(count: u64) -> f64 {
    (count as f64 + 1.0).log10()
}

/// Returns the key of a host; what the logs do not name is empty.
pub(super) fn host_key(account_id: Option<&str>, region: Option<&str>, address: Address) -> HostKey {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    HostKey { account_id: text(account_id), region: text(region), address }
}
