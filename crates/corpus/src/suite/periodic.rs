//! Benign services that are periodic, send much or stay connected for long: only their context distinguishes them from
//! implants. Beside them, habits of implants and of services that only the wall clock or the sizes distinguish.

use super::habit::Contact;
use flow::codes::{TCP, UDP};
use kernels::simulation::{Benign, Draws};

/// The other side of a service's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// One remote for all its hosts.
    Shared,
    /// A separate remote for each host.
    Own,
    /// A separate client for each host, which calls the host.
    Client,
}

/// When a service connects.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Schedule {
    /// Sleeps so long, and up to a share longer, after its work.
    Sleeps(f64, f64),
    /// Every so many seconds by the clock, up to so many seconds late.
    Clock(f64, f64),
    /// Sleeps so long, up to a share longer or shorter, after work of about so many seconds.
    Works(f64, f64, f64),
    /// At random, so many seconds apart on average.
    Random(f64),
    /// Like one of the benign families, a different one for each host, so many seconds apart on average.
    Everyday(f64),
    /// So many bursts a day, each so many minutes of connections so many seconds apart on average.
    Bursts(u32, f64, f64),
    /// One connection that stays open for so many hours, with a keep-alive every minute.
    KeptAlive(f64),
}

/// The bytes that a service's connections send.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum RequestSizes {
    /// Those of one small request.
    One,
    /// Those of a poll, and in one of 25 something to say.
    Poll,
    /// Different every time.
    Browser,
    /// Short requests, and acknowledgements of what they fetch.
    Fetch,
    /// Those of so many calls in uneven shares.
    Calls(usize),
}

impl RequestSizes {
    /// Returns a law of bytes out, drawn for one host.
    pub(super) fn law(self, draws: &mut Draws) -> impl Fn(&mut Draws) -> f64 + use<> {
        let typical = draws.between(300.0, 1200.0);
        let kinds: Vec<(f64, f64)> = match self {
            Self::Calls(count) => (0..count).map(|_| (draws.exponential(), typical * draws.normal().exp())).collect(),
            _ => Vec::new(),
        };
        let shares: f64 = kinds.iter().map(|kind| kind.0).sum();
        move |draws| match self {
            Self::One => typical,
            Self::Poll if draws.uniform() < 0.04 => typical * (1.5 + draws.exponential()),
            Self::Poll => typical * (1.0 + 0.01 * draws.normal()),
            Self::Browser => typical * (0.6 * draws.normal()).exp(),
            Self::Fetch => 420.0 + 60.0 * draws.uniform() + 0.018 * (10.0 + 1.5 * draws.normal()).exp(),
            Self::Calls(_) => {
                let mut at = shares * draws.uniform();
                let found = kinds.iter().find(|kind| {
                    at -= kind.0;
                    at < 0.0
                });
                found.map_or(typical, |kind| kind.1) * (1.0 + 0.02 * draws.normal())
            }
        }
    }
}

/// A benign service.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PeriodicService {
    /// Its description in the table.
    pub name: &'static str,
    pub(super) schedule: Schedule,
    pub(super) peer: Peer,
    /// One host in so many has it, and which of them.
    pub(super) every: usize,
    pub(super) first: usize,
    pub(super) port: u16,
    pub(super) protocol: u8,
    /// Bytes of a connection towards the server, around which sizes are drawn; 0 for those of requests.
    pub(super) upload_bytes: u64,
    /// Bytes that come back, around which they are drawn; 0 for a few hundred.
    pub(super) answer_bytes: u64,
    /// Sizes of requests.
    pub(super) sizes: RequestSizes,
}

impl PeriodicService {
    /// Returns every service, in the order of the table.
    pub fn all() -> Vec<Self> {
        use Peer::{Client, Own, Shared};
        use Schedule::{Clock, Everyday, KeptAlive, Random, Sleeps};
        let service = |name, schedule, peer, every, port, protocol| Self {
            name,
            schedule,
            peer,
            every,
            first: every / 2,
            port,
            protocol,
            upload_bytes: 0,
            answer_bytes: 0,
            sizes: RequestSizes::One,
        };
        // Calls over TLS get a certificate back, at least; these drift by a second or so a call.
        let caller = |name, sleep_s, every, port, protocol, answer_bytes| Self {
            answer_bytes,
            ..service(name, Sleeps(sleep_s, 0.0005), Own, every, port, protocol)
        };
        vec![
            service("update service, 300 s, every host", Sleeps(300.1, 0.0), Shared, 1, 443, TCP),
            service("agent with jitter, 600 s +20 %, one host in 3", Sleeps(600.0, 0.2), Shared, 3, 8443, TCP),
            service("NTP, 1,024 s, every host", Sleeps(1_024.0, 0.01), Shared, 1, 123, UDP),
            service("keep-alive for 12 h, a remote of its own", KeptAlive(12.0), Own, 2, 5_671, TCP),
            service("connection of days, a broker of its own", KeptAlive(150.0), Own, 8, 8_883, TCP),
            service("cron, hourly, a supplier of its own", Clock(3_600.0, 4.0), Own, 8, 443, TCP),
            service("timer, 300 s by the clock, a supplier of its own", Clock(300.0, 2.0), Own, 8, 8_080, TCP),
            service("poller of one size at random times, 240 s", Random(240.0), Own, 2, 443, TCP),
            service("health checks from a balancer, 30 s", Sleeps(30.0, 0.0), Client, 20, 80, TCP),
            Self {
                upload_bytes: 2_000_000_000,
                ..service("nightly backup of 2 GB, a target of its own", Clock(86_400.0, 120.0), Own, 4, 22, TCP)
            },
            service("drifting poller, 900 s, a supplier of its own", Sleeps(900.2, 0.0), Own, 50, 443, TCP),
            caller("vendor's timer, 30 min, drifting, a remote of its own", 1_800.6, 9, 443, TCP, 6_000),
            caller("client of an API, 300 s, drifting, a remote of its own", 300.3, 9, 443, TCP, 9_000),
            caller("download of 20 MB, hourly, drifting, a remote of its own", 3_600.8, 18, 443, TCP, 20_000_000),
            caller("resolver of its own, 600 s, drifting", 600.2, 18, 53, UDP, 200),
            service("everyday traffic of seven kinds, a remote of its own", Everyday(900.0), Own, 1, 443, TCP),
        ]
    }

    /// Returns sleepers and schedules of the same periods, one of them on each host: only whether they keep the wall clock
    /// distinguishes them.
    pub fn clocks() -> Vec<Self> {
        use Schedule::{Clock, Works};
        let rows = [
            ("sleeper, 5 min, 0.3 s of work", Works(300.0, 0.0, 0.3)),
            ("sleeper, 10 min, 0.3 s of work", Works(600.0, 0.0, 0.3)),
            ("sleeper, 15 min, 0.5 s of work", Works(900.0, 0.0, 0.5)),
            ("sleeper, 30 min, 1 s of work", Works(1_800.0, 0.0, 1.0)),
            ("sleeper, 1 h, 1 s of work", Works(3_600.0, 0.0, 1.0)),
            ("sleeper, 5 min ±10 %", Works(300.0, 0.1, 0.3)),
            ("sleeper, 10 min ±10 %", Works(600.0, 0.1, 0.3)),
            ("sleeper, 15 min ±10 %", Works(900.0, 0.1, 0.5)),
            ("sleeper, 30 min ±10 %", Works(1_800.0, 0.1, 1.0)),
            ("sleeper, 1 h ±10 %", Works(3_600.0, 0.1, 1.0)),
            ("schedule, 5 min, up to 3 s late", Clock(300.0, 3.0)),
            ("schedule, 10 min, up to 3 s late", Clock(600.0, 3.0)),
            ("schedule, 15 min, up to 3 s late", Clock(900.0, 3.0)),
            ("schedule, 30 min, up to 3 s late", Clock(1_800.0, 3.0)),
            ("schedule, 1 h, up to 3 s late", Clock(3_600.0, 3.0)),
            ("schedule, 1 h, up to 20 s late", Clock(3_600.0, 20.0)),
            ("schedule, 10 min, up to 0.4 s late", Clock(600.0, 0.4)),
            ("schedule, 1 h, up to 0.4 s late", Clock(3_600.0, 0.4)),
        ];
        let rows = rows.map(|(name, schedule)| (name, schedule, RequestSizes::One));
        Self::one_a_host(&rows)
    }

    /// Returns operators at work and benign clients in bursts, one of them on each host: neither keeps time, and only the
    /// sameness of the requests distinguishes them.
    pub fn bursts() -> Vec<Self> {
        use RequestSizes::{Browser, Calls, Fetch, Poll};
        Self::one_a_host(&[
            ("operator, 20 min, every 3 s", Schedule::Bursts(1, 20.0, 3.0), Poll),
            ("operator, three times 10 min, every 2 s", Schedule::Bursts(3, 10.0, 2.0), Poll),
            ("tools in pieces, 5 min, every 0.5 s", Schedule::Bursts(1, 5.0, 0.5), Poll),
            ("browser, 12 bursts of 3 min", Schedule::Bursts(12, 3.0, 1.5), Browser),
            ("package mirror, 10 min, every 0.7 s", Schedule::Bursts(1, 10.0, 0.7), Fetch),
            ("client of an API with 4 calls", Schedule::Bursts(4, 10.0, 2.0), Calls(4)),
            ("client of an API with 8 calls", Schedule::Bursts(4, 10.0, 2.0), Calls(8)),
        ])
    }

    fn one_a_host(rows: &[(&'static str, Schedule, RequestSizes)]) -> Vec<Self> {
        let service = |(first, &(name, schedule, sizes))| Self {
            name,
            schedule,
            peer: Peer::Own,
            every: rows.len(),
            first,
            port: 443,
            protocol: TCP,
            upload_bytes: 0,
            answer_bytes: 0,
            sizes,
        };
        rows.iter().enumerate().map(service).collect()
    }

    /// Returns whether it stands for an implant: it sleeps after its work, or polls in bursts.
    pub fn is_implant(&self) -> bool {
        matches!(self.schedule, Schedule::Works(..)) || self.sizes == RequestSizes::Poll
    }

    /// Returns whether a host has it.
    pub(super) fn is_on(&self, host: usize) -> bool {
        host % self.every == self.first
    }

    /// Draws the starts and ends of its connections within `span_s` seconds on one of the hosts.
    pub(super) fn connections(&self, draws: &mut Draws, span_s: f64, host: usize) -> Vec<(Contact, i64)> {
        // At 15 MB a second.
        let length_s = 1 + (self.upload_bytes / 15_000_000) as i64;
        let short = |start_s: f64| {
            let start_s = start_s as i64;
            (Contact { start_s, remote: 0 }, start_s + length_s)
        };
        let mut connections = Vec::new();
        match self.schedule {
            Schedule::Sleeps(sleep_s, more) => {
                let mut t = sleep_s * draws.uniform();
                while t < span_s {
                    connections.push(short(t));
                    t += sleep_s * (1.0 + more * draws.uniform()) + draws.between(0.02, 0.08);
                }
            }
            Schedule::Clock(every_s, late_s) => {
                let mut t = (every_s * draws.uniform()).floor();
                while t + late_s < span_s {
                    connections.push(short(t + late_s * draws.uniform()));
                    t += every_s;
                }
            }
            Schedule::Works(sleep_s, jitter, work_s) => {
                let mut t = sleep_s * draws.uniform();
                while t < span_s {
                    connections.push(short(t));
                    t += sleep_s * (1.0 + jitter * draws.between(-1.0, 1.0)) + work_s * draws.between(0.5, 1.5);
                }
            }
            Schedule::Bursts(bursts_per_day, minutes, mean_s) => {
                for _ in 0..(f64::from(bursts_per_day) * span_s / 86_400.0).ceil() as u32 {
                    let from_s = draws.between(0.0, span_s - 60.0 * minutes);
                    let mut t = from_s;
                    while t < from_s + 60.0 * minutes {
                        connections.push(short(t));
                        t += mean_s * draws.exponential();
                    }
                }
                connections.sort_unstable();
            }
            Schedule::Random(mean_s) => {
                let mut t = mean_s * draws.exponential();
                while t < span_s {
                    connections.push(short(t));
                    t += mean_s * draws.exponential();
                }
            }
            Schedule::Everyday(mean_s) => {
                let count = (span_s / mean_s) as usize;
                let family = Benign::ALL[host % Benign::ALL.len()];
                let train = family.train(draws, count.max(8), mean_s, 1);
                let first = train[0];
                let within = train.into_iter().map(|start| (start - first) as f64).filter(|&start| start < span_s);
                connections.extend(within.map(short));
            }
            Schedule::KeptAlive(hours) => {
                let mut t = 3_600.0 * draws.uniform();
                while t < span_s {
                    let (contact, _) = short(t);
                    t += hours * 3_600.0 * draws.between(0.6, 1.0);
                    connections.push((contact, t.min(span_s) as i64));
                    t += draws.exponential() * 1_800.0;
                }
            }
        }
        connections
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_keep_their_schedule() {
        for service in
            PeriodicService::all().into_iter().chain(PeriodicService::clocks()).chain(PeriodicService::bursts())
        {
            let made = service.connections(&mut Draws::seeded(2), 4.0 * 86_400.0, 0);
            assert!(made.len() >= 3 || matches!(service.schedule, Schedule::KeptAlive(_)), "{}", service.name);
            assert!(made.is_sorted() && made.iter().all(|(contact, end_s)| *end_s > contact.start_s));
        }
    }
}
