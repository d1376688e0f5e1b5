//! Planted attacks in progress: implants that sleep after each check-in, and kinds of exfiltration.

use crate::attacks::{AttackKind, AttackSpec};
use crate::error::CorpusError;
use crate::labels::Label;
use crate::random::{Purpose, Stream};
use crate::traffic::connection::Connection;
use crate::world::endpoints::{Endpoint, ExternalClass};
use crate::world::{Role, World};
use flow::codes::TCP;

/// One attack on one host; it yields its connections in the order of time.
#[derive(Clone, Debug)]
pub struct PlantedAttack {
    /// The host that is attacked.
    pub host: u32,
    /// Kind of the attack.
    pub kind: AttackKind,
    /// External addresses: one, except for split exfiltration.
    pub remotes: Vec<Endpoint>,
    /// Server port.
    pub port: u16,
    spec: AttackSpec,
    draw: Stream,
    /// Milliseconds from the start of the corpus to the next check-in.
    next_ms: i64,
    size_out: u64,
    size_in: u64,
    /// Connections of an exfiltration, by ascending start; implants draw theirs as they go.
    planned: std::collections::VecDeque<Connection>,
}

/// Plants the attacks in hosts, at most one in each.
///
/// # Errors
/// [`CorpusError::InvalidOption`] when there are more attacks than hosts.
pub fn place(world: &World, specs: &[AttackSpec], span_s: u32) -> Result<Vec<PlantedAttack>, CorpusError> {
    let wanted: u64 = specs.iter().map(|spec| u64::from(spec.hosts)).sum();
    if wanted > u64::from(world.hosts) {
        let expected =
            format!("at most one attack for each of the {} hosts; plant fewer, or use more hosts", world.hosts);
        return Err(CorpusError::option("attacks", wanted, expected));
    }
    let mut draw = Stream::new(world.seed, Purpose::Placement, 0, 0);
    // Databases become victims only when nothing else is left.
    let mut hosts: Vec<u32> = (0..world.hosts).collect();
    for last in (1..hosts.len()).rev() {
        hosts.swap(last, draw.below(last as u64 + 1) as usize);
    }
    hosts.sort_by_key(|host| world.interface(*host).role == Role::Database);
    let mut planted = Vec::new();
    let mut remote = 0u32;
    let victims = specs.iter().flat_map(|spec| (0..spec.hosts).map(move |_| spec)).zip(hosts);
    for (number, (spec, host)) in victims.enumerate() {
        let count = if spec.kind == AttackKind::ExfilSplit { spec.destinations.unwrap_or(40) } else { 1 };
        let remotes = (remote..remote + count).map(|n| Endpoint::external(ExternalClass::Attack, n, false)).collect();
        remote += count;
        planted.push(PlantedAttack::new(world, spec, host, remotes, number as u64, span_s));
    }
    Ok(planted)
}

impl PlantedAttack {
    fn new(world: &World, spec: &AttackSpec, host: u32, remotes: Vec<Endpoint>, number: u64, span_s: u32) -> Self {
        let mut draw = Stream::new(world.seed, Purpose::Attack, number, 0);
        let usual = [443, 443, 443, 443, 80, 80, 8443, 8080, 4444, 50_050];
        let drawn_port = usual[draw.below(usual.len() as u64) as usize];
        let port = spec.port.unwrap_or(if spec.kind.is_exfiltration() { 443 } else { drawn_port });
        let (low, high) = if spec.kind.is_exfiltration() { (0.2, 0.9) } else { (0.0, 0.2) };
        let drawn_begin = draw.uniform(low, high);
        let begin_ms = (spec.begin.unwrap_or(drawn_begin) * f64::from(span_s) * 1_000.0) as i64;
        let size_out = draw.between(300, 1_200);
        let mut attack = Self {
            host,
            kind: spec.kind,
            remotes,
            port,
            spec: spec.clone(),
            next_ms: begin_ms,
            size_out: spec.size_bytes.unwrap_or(size_out),
            size_in: draw.between(150, 900),
            draw,
            planned: Default::default(),
        };
        match spec.kind {
            AttackKind::ExfilBurst => attack.plan_burst(world, span_s),
            AttackKind::ExfilSplit => attack.plan_split(world, span_s),
            AttackKind::ExfilDrip => attack.plan_drip(world, span_s),
            _ => {}
        }
        attack
    }

    /// Returns the labels of the attack, one for each address.
    pub fn labels(&self, world: &World) -> impl Iterator<Item = Label> {
        let (period_s, jitter) = self.spec.timing();
        let source = match self.kind {
            AttackKind::ExfilBurst => format!("{} connections, {} bytes", self.planned.len(), self.planned_bytes()),
            AttackKind::ExfilSplit => format!("{} addresses, {} bytes", self.remotes.len(), self.planned_bytes()),
            AttackKind::ExfilDrip => format!("every hour, {} bytes", self.planned_bytes()),
            _ => format!("period {period_s} s, jitter {jitter}, drop {}", self.spec.drop),
        };
        let (src, label, port) = (world.address(Endpoint::interface(self.host)), self.kind.label(), self.port);
        self.remotes.iter().map(move |remote| Label {
            src,
            dst: world.address(*remote),
            port: Some(port),
            protocol: Some(TCP),
            label: label.to_owned(),
            source: source.clone(),
        })
    }

    /// Estimates the rows that the attack makes in the whole corpus, over all interfaces that log it.
    pub fn rows(&self, world: &World, window_s: u32, span_s: u32) -> f64 {
        let vantages = if world.interface(self.host).nat.is_some() { 6.0 } else { 2.0 };
        if self.kind.is_exfiltration() {
            let windows = self.planned.iter().map(|c| f64::from(c.end - c.begin) / f64::from(window_s) + 1.0);
            return vantages * windows.sum::<f64>();
        }
        let (period_s, jitter) = self.spec.timing();
        let (sleep_s, connections) = match self.kind {
            AttackKind::Sliver | AttackKind::Merlin => (period_s + jitter / 2.0, 1.0),
            AttackKind::SliverHttp => (period_s + jitter / 2.0, 3.0),
            AttackKind::CobaltStrike => (period_s * (1.0 - jitter / 200.0), 1.0),
            _ => (period_s, 1.0),
        };
        let left_s = f64::from(span_s) - self.next_ms as f64 / 1_000.0;
        vantages * connections * left_s.max(0.0) / (sleep_s + 0.15) * (1.0 - self.spec.drop)
    }

    fn planned_bytes(&self) -> u64 {
        self.planned.iter().map(|connection| connection.bytes_out).sum()
    }

    /// Draws the sleep after a check-in, in milliseconds, as the real tool computes it.
    fn sleep_ms(&mut self) -> i64 {
        let (period_s, jitter) = self.spec.timing();
        let period_ms = period_s * 1_000.0;
        let share = self.draw.share();
        let sleep_ms = match self.kind {
            // Interval + Int63n(jitter): seconds on top, never less.
            AttackKind::Sliver | AttackKind::SliverHttp | AttackKind::Merlin => period_ms + share * jitter * 1_000.0,
            // Reduced by up to the percentage.
            AttackKind::CobaltStrike => period_ms * (1.0 - share * jitter / 100.0),
            // A whole percent below or at the jitter; even adds, odd takes away; whole seconds.
            AttackKind::Mythic => {
                let percent = (share * (jitter + 1.0)).floor().min(jitter);
                let change_s = (period_s * percent / 100.0).floor();
                let sign = if (percent as u64).is_multiple_of(2) { 1.0 } else { -1.0 };
                (period_s + sign * change_s).max(1.0) * 1_000.0
            }
            // Whole seconds within the percentage.
            AttackKind::Empire => {
                (period_ms * (1.0 + (2.0 * share - 1.0) * jitter / 100.0) / 1_000.0).round() * 1_000.0
            }
            _ => period_ms * (1.0 + (2.0 * share - 1.0) * jitter / 100.0),
        };
        (sleep_ms as i64).max(50)
    }

    /// Appends the connections that start before `until_s` (seconds from the start of the corpus).
    pub fn advance(&mut self, world: &World, until_s: u32, connections: &mut Vec<Connection>) {
        while self.planned.front().is_some_and(|connection| connection.begin < until_s as i32) {
            connections.extend(self.planned.pop_front());
        }
        if self.kind.is_exfiltration() {
            return;
        }
        while self.next_ms < i64::from(until_s) * 1_000 {
            let at_ms = self.next_ms;
            let work_ms = if self.draw.chance(self.spec.drop) { 0 } else { self.check_in(world, at_ms, connections) };
            // The sleep starts when the work is done, so jitter accumulates.
            self.next_ms = at_ms + work_ms + self.sleep_ms();
        }
    }

    /// Performs one check-in; returns its length in milliseconds.
    fn check_in(&mut self, world: &World, at_ms: i64, connections: &mut Vec<Connection>) -> i64 {
        let task = self.draw.chance(self.spec.task_share);
        let count = if self.kind == AttackKind::SliverHttp { self.draw.between(2, 4) } else { 1 };
        let mut begin_ms = at_ms;
        for n in 0..count {
            let bits = self.draw.bits();
            let begin = (begin_ms / 1_000) as i32;
            let mut connection = Connection::outbound(world, self.host, self.remotes[0], self.port, TCP, begin, bits);
            connection.bytes_out = self.size_out + self.draw.below(self.size_out / 40 + 2);
            connection.bytes_in = self.size_in + self.draw.below(self.size_in / 40 + 2);
            let mut length_ms = self.draw.between(40, 250) as i64;
            if task && n == 0 {
                connection.bytes_in += self.draw.log_normal(20_000.0, 1.2) as u64;
                connection.bytes_out += self.draw.log_normal(8_000.0, 1.5) as u64;
                length_ms += self.draw.below(4_000) as i64;
            }
            connection.end = ((begin_ms + length_ms) / 1_000) as i32;
            connections.push(connection);
            begin_ms += length_ms + if count > 1 { self.draw.between(100, 900) as i64 } else { 0 };
        }
        begin_ms - at_ms
    }

    fn volume(&mut self) -> f64 {
        let drawn = (self.draw.uniform(2f64.ln(), 20f64.ln())).exp();
        self.spec.gigabytes.unwrap_or(drawn) * 1e9
    }

    fn upload(&mut self, world: &World, remote: usize, begin: i32, length_s: i32, bytes: f64, span_s: u32) {
        let bits = self.draw.bits();
        let mut connection = Connection::outbound(world, self.host, self.remotes[remote], self.port, TCP, begin, bits);
        // The corpus must contain all of it.
        connection.end = (begin + length_s.max(1)).min(span_s as i32 - 1).max(begin);
        connection.bytes_out = bytes as u64;
        connection.bytes_in = (bytes / 3_000.0) as u64 + 4_000;
        self.planned.push_back(connection);
    }

    /// Returns the start of a plan of `length_s` seconds, such that it ends within the corpus.
    fn plan_begin(&self, length_s: i32, span_s: u32) -> i32 {
        ((self.next_ms / 1_000) as i32).min(span_s as i32 - length_s - 60).max(0)
    }

    fn plan_burst(&mut self, world: &World, span_s: u32) {
        let bytes = self.volume();
        let drawn = self.draw.uniform(4.0, 20.0);
        let length_s = (self.spec.minutes.unwrap_or(drawn) * 60.0) as i32;
        let drawn = self.draw.between(1, 4) as u32;
        let count = self.spec.connections.unwrap_or(drawn);
        let begin = self.plan_begin(length_s, span_s);
        for n in 0..count {
            self.upload(world, 0, begin + n as i32, length_s, bytes / f64::from(count), span_s);
        }
    }

    fn plan_split(&mut self, world: &World, span_s: u32) {
        let bytes = self.volume();
        let drawn = self.draw.uniform(30.0, 120.0);
        let length_s = ((self.spec.minutes.unwrap_or(drawn) * 60.0) as i32).min(span_s as i32 - 120).max(60);
        let begin = self.plan_begin(length_s, span_s);
        let count = self.remotes.len();
        let shares: Vec<f64> = (0..count).map(|_| self.draw.uniform(0.5, 1.5)).collect();
        let sum: f64 = shares.iter().sum();
        let step = f64::from(length_s) / count as f64;
        for (n, share) in shares.into_iter().enumerate() {
            let length_s = self.draw.uniform(0.8, 3.0) * step;
            let at = begin + (n as f64 * step) as i32;
            self.upload(world, n, at, length_s as i32, bytes * share / sum, span_s);
        }
    }

    fn plan_drip(&mut self, world: &World, span_s: u32) {
        for hour in 0..span_s / 3_600 {
            let drawn = self.draw.uniform(20.0, 60.0);
            let bytes = self.spec.megabytes_per_hour.unwrap_or(drawn) * 1e6;
            let length_s = self.draw.between(900, 2_400) as i32;
            let begin = (hour * 3_600) as i32 + self.draw.below(3_600 - length_s as u64) as i32;
            self.upload(world, 0, begin, length_s, bytes, span_s);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attacks::default_attacks;
    use crate::options::GenerateOptions;

    fn begins_ms(kind: AttackKind, change: impl Fn(&mut AttackSpec)) -> Vec<i64> {
        let world = World::new(&GenerateOptions { hosts: 100, ..Default::default() });
        let mut spec = AttackSpec::new(kind, 1);
        change(&mut spec);
        let mut attack = place(&world, &[spec], 200_000).unwrap().remove(0);
        (0..20_000).map(|_| attack.sleep_ms()).collect()
    }

    fn range_and_mean(values: &[i64]) -> (i64, i64, f64) {
        let mean = values.iter().sum::<i64>() as f64 / values.len() as f64;
        (*values.iter().min().unwrap(), *values.iter().max().unwrap(), mean)
    }

    #[test]
    fn sleeps_have_the_distribution_of_the_tool() {
        let near = |kind, low: i64, high: i64, mean: f64| {
            let (least, most, average) = range_and_mean(&begins_ms(kind, |_| ()));
            assert!(least >= low && most <= high, "{kind:?} {least} {most}");
            assert!(least - low <= (high - low) / 50 && high - most <= (high - low) / 50, "{kind:?} {least} {most}");
            assert!((average - mean).abs() <= mean * 0.01, "{kind:?} {average}");
        };
        near(AttackKind::Sliver, 60_000, 90_000, 75_000.0);
        near(AttackKind::CobaltStrike, 60_000, 60_000, 60_000.0);
        near(AttackKind::Mythic, 8_000, 12_000, 10_000.0);
        near(AttackKind::Havoc, 1_700, 2_300, 2_000.0);
        near(AttackKind::Meterpreter, 10_000, 10_000, 10_000.0);
        near(AttackKind::Empire, 5_000, 5_000, 5_000.0);
        near(AttackKind::Merlin, 30_000, 33_000, 31_500.0);
        assert!(begins_ms(AttackKind::Mythic, |_| ()).iter().all(|ms| ms % 1_000 == 0));
        let (least, most, mean) = range_and_mean(&begins_ms(AttackKind::CobaltStrike, |spec| spec.jitter = Some(50.0)));
        assert!(least < 30_100 && most > 59_900 && (mean - 45_000.0).abs() < 200.0);
    }

    #[test]
    fn attacks_yield_the_same_connections_hour_by_hour_or_at_once() {
        let world = World::new(&GenerateOptions { hosts: 100, ..Default::default() });
        let mut specs = default_attacks(1);
        specs.push(AttackSpec::new(AttackKind::SliverHttp, 2));
        specs[0].drop = 0.3;
        for attack in place(&world, &specs, 36_000).unwrap() {
            let (mut whole, mut hourly) = (Vec::new(), Vec::new());
            attack.clone().advance(&world, 36_000, &mut whole);
            let mut stepped = attack.clone();
            (1..=10).for_each(|hour| stepped.advance(&world, hour * 3_600, &mut hourly));
            assert_eq!(format!("{whole:?}"), format!("{hourly:?}"));
            assert!(!whole.is_empty());
            assert!(whole.iter().all(|c| c.begin >= 0 && c.end < 36_010));
            if attack.kind.is_exfiltration() {
                let bytes: u64 = whole.iter().map(|c| c.bytes_out).sum();
                assert!(bytes > 190_000_000, "{:?} {bytes}", attack.kind);
            }
        }
    }

    #[test]
    fn no_host_and_no_address_has_two_attacks() {
        let world = World::new(&GenerateOptions { hosts: 200, ..Default::default() });
        let planted = place(&world, &default_attacks(3), 86_400).unwrap();
        let hosts: std::collections::HashSet<u32> = planted.iter().map(|c| c.host).collect();
        let remotes: std::collections::HashSet<Endpoint> = planted.iter().flat_map(|c| c.remotes.clone()).collect();
        assert_eq!(hosts.len(), 30);
        assert_eq!(remotes.len(), 27 + 3 * 40);
        assert!(place(&world, &default_attacks(30), 86_400).is_err());
    }
}
