//! Benign traffic that is periodic by nature: clocks, agents, pollers, health checks, update checks.

use crate::random::{Purpose, Stream, mix, mix2, share_of};
use crate::traffic::connection::Connection;
use crate::world::endpoints::{Endpoint, ExternalClass, RANK_EC2, RANK_METRICS, RANK_MIRROR, RANK_NTP};
use crate::world::{Role, World};
use flow::codes::{TCP, UDP};

/// One periodic service of one host.
#[derive(Clone, Debug)]
pub struct HostService {
    /// Its description, for labels.
    pub name: &'static str,
    /// The side that opens the connections.
    pub client: Endpoint,
    /// The side that answers.
    pub server: Endpoint,
    pub port: u16,
    pub protocol: u8,
    /// Seconds between connections, by the clock.
    pub period_s: u32,
    /// Second of the first connection, below the period.
    pub phase_s: u32,
    /// Maximum delay of a connection in seconds.
    pub late_s: u32,
    /// Approximate payload bytes of a connection.
    pub bytes_out: u64,
    pub bytes_in: u64,
    /// The smallest share of services kept at which this one is among them.
    pub rarity: f64,
    /// Whether it is one connection for the whole corpus, with a keep-alive every `period_s`.
    pub standing: bool,
}

struct ServiceKind {
    name: &'static str,
    /// Share of hosts that have it when services are not thinned out.
    share: f64,
    period_s: u32,
    late_s: u32,
    bytes_out: u64,
    bytes_in: u64,
}

const SERVICE_KINDS: [ServiceKind; 7] = [
    ServiceKind { name: "ntp", share: 0.9, period_s: 1_024, late_s: 2, bytes_out: 48, bytes_in: 48 },
    ServiceKind { name: "agent-internal", share: 0.35, period_s: 60, late_s: 1, bytes_out: 4_200, bytes_in: 300 },
    ServiceKind { name: "agent-saas", share: 0.25, period_s: 60, late_s: 2, bytes_out: 2_600, bytes_in: 4_200 },
    ServiceKind { name: "config-poll", share: 0.6, period_s: 300, late_s: 15, bytes_out: 1_300, bytes_in: 5_200 },
    ServiceKind {
        name: "update-check",
        share: 0.8,
        period_s: 21_600,
        late_s: 1_200,
        bytes_out: 900,
        bytes_in: 180_000,
    },
    ServiceKind { name: "health-check", share: 0.9, period_s: 30, late_s: 0, bytes_out: 180, bytes_in: 420 },
    ServiceKind { name: "session-keepalive", share: 0.35, period_s: 45, late_s: 0, bytes_out: 90, bytes_in: 90 },
];

/// Lists the periodic services of a host; `kept` (0 to 1) is the share of them that a small corpus has room for.
pub fn services_of(world: &World, host: u32, kept: f64) -> Vec<HostService> {
    let mut services = Vec::new();
    let interface = world.interface(host);
    let place = world.site_of(host);
    for (number, sort) in SERVICE_KINDS.iter().enumerate() {
        let draw = mix2(world.seed ^ 0x11, u64::from(host) << 8 | number as u64);
        let rarity = share_of(draw) / sort.share;
        if rarity >= kept {
            continue;
        }
        let pick = mix(draw);
        let me = Endpoint::interface(host);
        let (client, server, port, protocol) = match sort.name {
            "ntp" => (me, world.service(RANK_NTP + (pick % 8) as u32), 123, UDP),
            "agent-internal" => (me, Endpoint::interface(place.collector), 8126, TCP),
            "agent-saas" => (me, world.service(RANK_METRICS + (pick % 4) as u32), 443, TCP),
            "update-check" => (me, world.service(RANK_MIRROR + (pick % 4) as u32), 80, TCP),
            "health-check" => {
                if interface.role != Role::Web {
                    continue;
                }
                (Endpoint::interface(place.balancer), me, 8080, TCP)
            }
            _ => (me, world.service(RANK_EC2 + (pick % 4) as u32), 443, TCP),
        };
        services.push(HostService {
            name: sort.name,
            client,
            server,
            port,
            protocol,
            period_s: sort.period_s,
            phase_s: (mix(pick) % u64::from(sort.period_s)) as u32,
            late_s: sort.late_s,
            bytes_out: sort.bytes_out + mix(draw ^ 1) % (sort.bytes_out / 4 + 1),
            bytes_in: sort.bytes_in + mix(draw ^ 2) % (sort.bytes_in / 4 + 1),
            rarity,
            standing: sort.name == "session-keepalive",
        });
    }
    // One host in 500 polls a destination that nobody else has: rare, periodic and honest.
    let mut draw = Stream::new(world.seed, Purpose::Periodic, (host / 500).into(), 0);
    let chosen = u64::from(host / 500 * 500) + draw.below(500);
    if chosen == u64::from(host) && world.hosts >= 500 {
        let period_s = [120, 300, 600, 900][draw.below(4) as usize];
        services.push(HostService {
            name: "saas-poll",
            client: Endpoint::interface(host),
            server: Endpoint::external(ExternalClass::Saas, host, false),
            port: 443,
            protocol: TCP,
            period_s,
            phase_s: draw.below(period_s.into()) as u32,
            late_s: 3,
            bytes_out: draw.between(600, 2_000),
            bytes_in: draw.between(1_000, 30_000),
            rarity: 0.0,
            standing: false,
        });
    }
    services
}

impl HostService {
    /// Lists the connections that start in [`from`, `until`); seconds from the start of the corpus.
    pub fn connections<'w>(
        &'w self,
        world: &'w World,
        from: u32,
        until: u32,
        span_s: u32,
    ) -> impl Iterator<Item = Connection> + 'w {
        let period_s = self.period_s;
        let first = if self.standing { 0 } else { from.saturating_sub(self.phase_s + self.late_s).div_ceil(period_s) };
        let own = mix2(u64::from(self.client.0), u64::from(self.server.0) << 16 | u64::from(self.port));
        let count = if self.standing { u32::from(from == 0) } else { until.div_ceil(period_s) + 1 };
        (first..count).filter_map(move |turn| {
            let draw = mix2(world.seed ^ own, turn.into());
            let late = mix(draw) % (u64::from(self.late_s) + 1);
            let begin = self.phase_s + turn * period_s + late as u32;
            if !self.standing && !(from..until).contains(&begin) {
                return None;
            }
            let begin = begin as i32;
            let mut connection = match self.client.interface_index() {
                Some(host) if self.server.is_external() => {
                    Connection::outbound(world, host, self.server, self.port, self.protocol, begin, draw)
                }
                _ => Connection::between(self.client, self.server, self.port, self.protocol, begin, draw),
            };
            connection.bytes_out = self.bytes_out + draw % (self.bytes_out / 20 + 1);
            connection.bytes_in = self.bytes_in + (draw >> 32) % (self.bytes_in / 20 + 1);
            if self.standing {
                // It starts before the corpus and outlives it, so its opening is never seen.
                connection.begin = -((draw % 100_000) as i32) - 1;
                connection.end = span_s as i32 + 100_000;
                connection.beat_s = period_s as u16;
                let beats = ((connection.end - connection.begin) / period_s as i32) as u64;
                connection.bytes_out = self.bytes_out * beats;
                connection.bytes_in = self.bytes_in * beats;
            } else if self.protocol == TCP {
                connection.end += (draw >> 8 & 1) as i32;
            }
            Some(connection)
        })
    }

    /// Estimates the rows that the service makes in an hour.
    pub fn rows_per_hour(&self, world: &World, window_s: u32) -> f64 {
        let behind_nat = self.server.is_external()
            && self.client.interface_index().is_some_and(|host| world.interface(host).nat.is_some());
        let vantages = match (behind_nat, self.server.is_external()) {
            (true, _) => 6.0,
            (false, true) => 2.0,
            (false, false) => 4.0,
        };
        let every_s = if self.standing { self.period_s.max(window_s) } else { self.period_s };
        vantages * 3_600.0 / f64::from(every_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::GenerateOptions;

    #[test]
    fn hours_together_hold_every_connection_once() {
        let world = World::new(&GenerateOptions { hosts: 600, ..Default::default() });
        for host in 0..60 {
            for service in services_of(&world, host, 1.0) {
                let all: Vec<i32> = service.connections(&world, 0, 10 * 3_600, 36_000).map(|c| c.begin).collect();
                let hourly: Vec<i32> = (0..10)
                    .flat_map(|h| service.connections(&world, h * 3_600, h * 3_600 + 3_600, 36_000).map(|c| c.begin))
                    .collect();
                assert_eq!(all, hourly, "{}", service.name);
                if !service.standing {
                    let expected = 36_000 / service.period_s as usize;
                    assert!(all.len().abs_diff(expected) <= 1, "{} {}", service.name, all.len());
                }
            }
        }
    }

    #[test]
    fn host_specific_pollers_are_one_in_five_hundred() {
        let world = World::new(&GenerateOptions { hosts: 2_000, ..Default::default() });
        let count = |host| services_of(&world, host, 0.0).iter().filter(|s| s.name == "saas-poll").count();
        assert_eq!((0..2_000).map(count).sum::<usize>(), 4);
    }
}
