//! Benign hosts that call a remote which nobody else calls, again and again: timers of operating systems and vendors,
//! clients of an API, resolvers and time servers of their own, downloads that keep time, and answers to those who knock.
//!
//! They drift by seconds as implants do, because they wait after their work; only context distinguishes them.

use crate::random::{mix, mix2, share_of};
use crate::traffic::connection::{Connection, Ending};
use crate::world::World;
use crate::world::endpoints::{Endpoint, ExternalClass, PUBLIC_RESOLVERS};
use flow::codes::{ICMP, TCP, UDP};

/// Beats between the knots of the slow wander of a caller's phase.
const BEATS_PER_KNOT: u32 = 32;

/// Marks the remotes of callers among those of [`ExternalClass::Saas`].
const OWN_REMOTE: u32 = 1 << 27;

/// What a kind of caller asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asks {
    /// A server over TLS.
    Https,
    /// A public resolver.
    Resolver,
    /// A time server.
    TimeServer,
    /// No remote of its own: the host answers probes of closed ports with ICMP errors.
    Knocks,
}

struct CallerKind {
    name: &'static str,
    /// Share of callers.
    share: f64,
    asks: Asks,
    /// One of these, in seconds.
    periods_s: &'static [u32],
    /// Maximum delay of a call in seconds.
    late_s: f64,
    /// Payload bytes of a call: least and most, out and in.
    bytes_out: [f64; 2],
    bytes_in: [f64; 2],
}

const CALLER_KINDS: [CallerKind; 9] = [
    CallerKind {
        name: "vendor-timer",
        share: 0.26,
        asks: Asks::Https,
        periods_s: &[300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400],
        late_s: 1.0,
        bytes_out: [700.0, 4_000.0],
        bytes_in: [3_500.0, 40_000.0],
    },
    CallerKind {
        name: "system-timer",
        share: 0.12,
        asks: Asks::Https,
        periods_s: &[900, 1_800, 3_600, 10_800, 21_600, 86_400],
        late_s: 4.0,
        bytes_out: [500.0, 2_500.0],
        bytes_in: [3_000.0, 12_000.0],
    },
    // Many schedulers add a random delay, so that not all hosts call at once.
    CallerKind {
        name: "delayed-timer",
        share: 0.05,
        asks: Asks::Https,
        periods_s: &[1_800, 3_600, 10_800, 43_200],
        late_s: 400.0,
        bytes_out: [500.0, 2_500.0],
        bytes_in: [3_000.0, 60_000.0],
    },
    // Sessions are resumed, so no certificate comes back.
    CallerKind {
        name: "resumed-poller",
        share: 0.02,
        asks: Asks::Https,
        periods_s: &[300, 900, 3_600],
        late_s: 2.0,
        bytes_out: [500.0, 1_500.0],
        bytes_in: [300.0, 1_200.0],
    },
    CallerKind {
        name: "api-poller",
        share: 0.2,
        asks: Asks::Https,
        periods_s: &[120, 300, 600, 900],
        late_s: 3.0,
        bytes_out: [500.0, 2_000.0],
        bytes_in: [3_000.0, 30_000.0],
    },
    CallerKind {
        name: "own-resolver",
        share: 0.12,
        asks: Asks::Resolver,
        periods_s: &[120, 300, 600, 900, 3_600],
        late_s: 2.0,
        bytes_out: [30.0, 60.0],
        bytes_in: [60.0, 400.0],
    },
    CallerKind {
        name: "own-time-server",
        share: 0.08,
        asks: Asks::TimeServer,
        periods_s: &[512, 1_024, 2_048],
        late_s: 3.0,
        bytes_out: [48.0, 48.0],
        bytes_in: [48.0, 48.0],
    },
    CallerKind {
        name: "regular-download",
        share: 0.1,
        asks: Asks::Https,
        periods_s: &[1_800, 3_600, 7_200, 14_400, 86_400],
        late_s: 5.0,
        bytes_out: [2_000.0, 20_000.0],
        bytes_in: [2e6, 3e8],
    },
    CallerKind {
        name: "icmp-errors",
        share: 0.05,
        asks: Asks::Knocks,
        periods_s: &[300, 600, 1_200],
        late_s: 250.0,
        bytes_out: [56.0, 90.0],
        bytes_in: [20.0, 60.0],
    },
];

/// A benign host's calls of a remote of its own.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Its description, for labels.
    pub name: &'static str,
    /// The host.
    pub host: u32,
    /// The remote that it calls; `None` where it answers a different one each time.
    pub remote: Option<Endpoint>,
    pub port: u16,
    pub protocol: u8,
    /// Seconds between calls, before the drift.
    pub period_s: u32,
    /// The smallest share of callers kept at which this one is among them.
    pub rarity: f64,
    /// Seconds by which each call comes later than the one before, apart from the period.
    drift_s: f64,
    late_s: f64,
    phase_s: f64,
    bytes_out: f64,
    bytes_in: f64,
    key: u64,
}

/// Returns the caller on a host; `share` (0 to 1) is the share of hosts that have one.
pub fn caller_of(world: &World, host: u32, share: f64) -> Option<Caller> {
    let key = mix2(world.seed ^ 0xca11, host.into());
    if share_of(key) >= share {
        return None;
    }
    let mut part = share_of(mix(key ^ 1));
    let kind = CALLER_KINDS.iter().find(|kind| {
        part -= kind.share;
        part < 0.0
    })?;
    let pick = mix(key ^ 2);
    let drawn = |bounds: [f64; 2], salt: u64| bounds[0] * (bounds[1] / bounds[0]).powf(share_of(mix(key ^ salt)));
    let own = Endpoint::external(ExternalClass::Saas, host | OWN_REMOTE, false);
    let (remote, port, protocol) = match kind.asks {
        Asks::Https => (Some(own), 443, TCP),
        Asks::Resolver => {
            let resolver = (pick >> 20) % PUBLIC_RESOLVERS.len() as u64;
            (Some(Endpoint::external(ExternalClass::Resolver, resolver as u32, false)), 53, UDP)
        }
        Asks::TimeServer => (Some(own), 123, UDP),
        // A host without a public address hears nobody knock.
        Asks::Knocks if world.interface(host).nat.is_some() => return None,
        Asks::Knocks => (None, 0, ICMP),
    };
    let period_s = kind.periods_s[(pick % kind.periods_s.len() as u64) as usize];
    Some(Caller {
        name: kind.name,
        host,
        remote,
        port,
        protocol,
        period_s,
        rarity: share_of(mix(key ^ 3)),
        drift_s: 0.05 + 1.2 * share_of(mix(key ^ 4)),
        late_s: kind.late_s,
        phase_s: f64::from(period_s) * share_of(mix(key ^ 5)),
        bytes_out: drawn(kind.bytes_out, 6),
        bytes_in: drawn(kind.bytes_in, 7),
        key,
    })
}

impl Caller {
    /// Returns the second of a call from the start of the corpus; a draw of 0 to 1 says how late it is.
    ///
    /// Phase wanders by seconds between knots, so that distances vary and no sum over earlier calls is needed.
    fn begin(&self, turn: u32, late: f64) -> i32 {
        let (knot, within) = (turn / BEATS_PER_KNOT, f64::from(turn % BEATS_PER_KNOT) / f64::from(BEATS_PER_KNOT));
        let wander = |knot: u32| 8.0 * share_of(mix2(self.key ^ 8, knot.into()));
        let wandered = wander(knot) + (wander(knot + 1) - wander(knot)) * within;
        let every_s = f64::from(self.period_s) + self.drift_s;
        (self.phase_s + f64::from(turn) * every_s + wandered + self.late_s * late) as i32
    }

    /// Lists the connections that start in [`from`, `until`); seconds from the start of the corpus.
    pub fn connections<'w>(&'w self, world: &'w World, from: u32, until: u32) -> impl Iterator<Item = Connection> + 'w {
        // Wander and delay make a call later by less than this.
        let most_late_s = 9 + self.late_s as u32 + 1;
        let every_s = f64::from(self.period_s) + self.drift_s;
        let turn_at = |second: f64| ((second - self.phase_s) / every_s).max(0.0);
        let first = turn_at(f64::from(from.saturating_sub(most_late_s))).floor() as u32;
        let end = turn_at(f64::from(until)).ceil() as u32 + 1;
        (first..end).flat_map(move |turn| {
            let draw = mix2(self.key ^ 9, turn.into());
            let begin = self.begin(turn, share_of(draw));
            // One call in fifty does not happen: the host restarts, or the network is down.
            let happens = (from..until).contains(&(begin as u32)) && !mix(draw ^ 1).is_multiple_of(50);
            let made = happens.then(|| self.call(world, begin, draw));
            made.into_iter().flatten()
        })
    }

    /// Makes the connections of one call.
    fn call(&self, world: &World, begin: i32, draw: u64) -> Vec<Connection> {
        let varied = |bytes: f64, salt: u64| (bytes * (0.95 + 0.1 * share_of(mix(draw ^ salt)))) as u64;
        let (bytes_out, bytes_in) = (varied(self.bytes_out, 2), varied(self.bytes_in, 3));
        let bits = mix(draw ^ 4);
        let Some(remote) = self.remote else { return self.answer(begin, draw) };
        let mut call = Connection::outbound(world, self.host, remote, self.port, self.protocol, begin, bits);
        (call.bytes_out, call.bytes_in) = (bytes_out, bytes_in);
        if self.protocol == TCP {
            // At 8 MB a second.
            call.end += 1 + (draw >> 8 & 1) as i32 + (bytes_in / 8_000_000) as i32;
        }
        vec![call]
    }

    /// Makes a knock on a closed UDP port, and the error that the host answers with.
    fn answer(&self, begin: i32, draw: u64) -> Vec<Connection> {
        let number = (mix(draw ^ 5) & 0x07ff_ffff) as u32;
        let who = Endpoint::external(ExternalClass::Scanner, number, false);
        let me = Endpoint::interface(self.host);
        let port = 1_024 + (mix(draw ^ 6) % 60_000) as u16;
        let mut knock = Connection::between(who, me, port, UDP, begin, mix(draw ^ 7));
        (knock.bytes_out, knock.ending) = (self.bytes_in as u64, Ending::Unanswered);
        let mut error = Connection::between(me, who, 0, ICMP, begin, mix(draw ^ 8));
        (error.client_port, error.bytes_out, error.ending) = (0, self.bytes_out as u64, Ending::Unanswered);
        vec![knock, error]
    }

    /// Estimates the rows that the caller makes in an hour.
    pub fn rows_per_hour(&self, world: &World) -> f64 {
        let each = if world.interface(self.host).nat.is_some() { 6.0 } else { 2.0 };
        let windows = if self.bytes_in > 1e6 { 2.0 } else { 1.1 };
        each * windows * 3_600.0 / f64::from(self.period_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::GenerateOptions;
    use std::collections::{BTreeMap, HashSet};

    fn world() -> World {
        World::new(&GenerateOptions { hosts: 3_000, ..Default::default() })
    }

    #[test]
    fn one_host_in_three_has_a_caller_of_any_kind() {
        let world = world();
        let callers: Vec<Caller> = (0..world.hosts).filter_map(|host| caller_of(&world, host, 1.0 / 3.0)).collect();
        assert!((930..1_060).contains(&callers.len()), "{}", callers.len());
        let mut kinds = BTreeMap::<&str, usize>::new();
        callers.iter().for_each(|caller| *kinds.entry(caller.name).or_default() += 1);
        assert_eq!(kinds.len(), CALLER_KINDS.len(), "{kinds:?}");
        assert!((0..world.hosts).all(|host| caller_of(&world, host, 0.0).is_none()));
        // Whoever has one keeps it, whatever the share.
        let fewer = (0..world.hosts).filter_map(|host| caller_of(&world, host, 0.1)).map(|caller| caller.host);
        let all: HashSet<u32> = callers.iter().map(|caller| caller.host).collect();
        assert!(fewer.into_iter().all(|host| all.contains(&host)));
    }

    #[test]
    fn hours_together_hold_every_call_once_and_calls_drift() {
        let world = world();
        let days = 3;
        let (mut planned_calls, mut made_calls) = (0.0, 0.0);
        for caller in (0..600).filter_map(|host| caller_of(&world, host, 1.0 / 3.0)) {
            let begins = |from, until| caller.connections(&world, from, until).map(|c| c.begin).collect::<Vec<i32>>();
            let all = begins(0, days * 86_400);
            let mut hourly: Vec<i32> =
                (0..days * 24).flat_map(|hour| begins(hour * 3_600, hour * 3_600 + 3_600)).collect();
            hourly.sort_unstable();
            let mut sorted = all.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, hourly, "{}", caller.name);
            let each = if caller.remote.is_some() { 1.0 } else { 2.0 };
            let planned = f64::from(days) * 86_400.0 / (f64::from(caller.period_s) + caller.drift_s);
            let made = all.len() as f64 / each;
            // Phase and delay shift a call over an end. Calls are left out by chance, one in fifty: in a few hundred callers
            // none is four standard deviations away.
            let left_out = planned / 50.0;
            let fewest = planned - 2.0 - left_out - 4.0 * left_out.sqrt();
            assert!((fewest..=planned + 2.0).contains(&made), "{} {planned} {made}", caller.name);
            planned_calls += planned;
            made_calls += made;
            if caller.protocol == TCP && planned >= 100.0 {
                let phases: HashSet<i32> = all.iter().map(|begin| begin % caller.period_s as i32).collect();
                assert!(phases.len() > 8, "{} keeps the clock", caller.name);
            }
        }
        // So many together distinguish calls left out from calls lost.
        let missing_share = 1.0 - made_calls / planned_calls;
        assert!((0.018..0.022).contains(&missing_share), "{missing_share}");
    }

    #[test]
    fn nobody_else_calls_what_a_caller_calls() {
        let world = world();
        let callers = (0..world.hosts).filter_map(|host| caller_of(&world, host, 1.0));
        let mut seen = HashSet::new();
        for caller in callers.filter(|caller| caller.port != 53) {
            assert!(caller.remote.is_none_or(|remote| seen.insert(world.address(remote))), "{}", caller.name);
        }
    }
}
