//! The habits of hubs: log-ons at a directory server, people on a jump host, waves of deployment, polls of a monitoring
//! server, nightly scans.

use crate::random::{Purpose, Stream, mix2, share_of};
use crate::traffic::background::rhythm;
use crate::traffic::connection::{Connection, Ending};
use crate::world::endpoints::Endpoint;
use crate::world::hubs::Hub;
use crate::world::{Role, World};
use flow::codes::{TCP, UDP};

/// Seconds between two polls of a host where the rows suffice.
const POLL_S: f64 = 300.0;

/// Log-ons of a busy host in an hour where the rows suffice.
const LOG_ONS: f64 = 1.5;

/// Ports that the scanner tries.
const SCANNED: [u16; 4] = [22, 443, 445, 3389];

/// Hosts that a person enters over the jump host out of habit.
const HABITUAL: u64 = 5;

/// Share of hosts that people look after over the jump host.
const TENDED: f64 = 0.15;

/// One hour of one host, for its connections with hubs.
#[derive(Clone, Copy, Debug)]
pub struct HubHour<'w> {
    pub world: &'w World,
    pub host: u32,
    /// Start of the hour from the start of the corpus, in seconds.
    pub from: i32,
    /// The same as seconds since 1970 UTC.
    pub epoch_s: i64,
    /// How many times rarer polls and log-ons are than where the rows suffice; at least 1.
    pub pace: f64,
}

impl HubHour<'_> {
    fn stream(&self, part: u64) -> Stream {
        Stream::new(self.world.seed, Purpose::Hub, u64::from(self.host) << 3 | part, (self.from / 3_600) as u64)
    }

    fn hour_of_day(&self) -> u64 {
        (self.epoch_s.rem_euclid(86_400) / 3_600) as u64
    }

    /// Returns the number of the day since 1970, and whether people work on it.
    fn day(&self) -> (u64, bool) {
        let day = self.epoch_s.div_euclid(86_400);
        // 1970-01-01 was a Thursday.
        (day as u64, !matches!((day + 3).rem_euclid(7), 5 | 6))
    }

    fn between(&self, client: u32, server: u32, port: u16, begin: i32, draw: &mut Stream) -> Connection {
        Connection::between(Endpoint::interface(client), Endpoint::interface(server), port, TCP, begin, draw.bits())
    }

    /// Passes the connections with hubs that begin in this hour to `sink`.
    pub fn connections(&self, sink: &mut impl FnMut(Connection)) {
        if self.world.hubs.is_none() {
            return;
        }
        self.log_on(sink);
        self.be_polled(sink);
        self.be_deployed_to(sink);
        self.be_scanned(sink);
        self.enter_others(sink);
    }

    fn log_on(&self, sink: &mut impl FnMut(Connection)) {
        let Some(directory) = self.world.hub_of(self.host, Hub::Directory) else { return };
        let mut draw = self.stream(Hub::Directory as u64);
        let level = rhythm(self.world.interface(self.host).role, self.epoch_s);
        for _ in 0..draw.dithered(LOG_ONS * level / self.pace) {
            let begin = self.from + draw.below(3_600) as i32;
            let mut name = self.between(self.host, directory, 53, begin, &mut draw);
            (name.protocol, name.ending) = (UDP, Ending::Silent);
            (name.bytes_out, name.bytes_in) = (draw.between(40, 70), draw.between(80, 300));
            sink(name);
            for (port, least_out, least_in) in [(88, 1_400, 1_500), (389, 700, 2_500)] {
                let mut ask = self.between(self.host, directory, port, begin, &mut draw);
                (ask.bytes_out, ask.bytes_in) = (least_out + draw.below(600), least_in + draw.below(4_000));
                ask.end += draw.below(2) as i32;
                sink(ask);
            }
        }
    }

    fn poll_s(&self) -> u64 {
        ((POLL_S * self.pace / 60.0).round() as u64).max(1) * 60
    }

    fn be_polled(&self, sink: &mut impl FnMut(Connection)) {
        let Some(monitoring) = self.world.hub_of(self.host, Hub::Monitoring) else { return };
        let (period_s, key) = (self.poll_s(), mix2(self.world.seed ^ 0x90, self.host.into()));
        let (from, phase_s) = (self.from as u64, key % period_s);
        // The size of the answer is the host's own; it grows with what there is to measure.
        let typical = 4_000 + mix2(key, 1) % 20_000;
        let first = from.saturating_sub(phase_s).div_ceil(period_s);
        for at in (first..).map(|turn| phase_s + turn * period_s).take_while(|at| *at < from + 3_600) {
            let mut draw = Stream::new(self.world.seed, Purpose::Hub, u64::from(self.host) << 3 | 7, at);
            let mut poll = self.between(monitoring, self.host, 9100, at as i32, &mut draw);
            (poll.bytes_out, poll.bytes_in) = (180 + draw.below(4), typical + draw.below(typical / 10));
            sink(poll);
        }
    }

    fn be_deployed_to(&self, sink: &mut impl FnMut(Connection)) {
        let Some(deployment) = self.world.hub_of(self.host, Hub::Deployment) else { return };
        let ((day, is_workday), hour) = (self.day(), self.hour_of_day());
        // A wave reaches all hosts of the site, so its hour and minute are the site's.
        let mut wave = Stream::new(self.world.seed, Purpose::Hub, 1 << 40 | u64::from(deployment), day);
        let hours = [wave.between(9, 12), wave.between(13, 16)];
        let begins = [is_workday, is_workday && wave.chance(0.4)];
        let minute = wave.below(30) as i32;
        let turn = hours.iter().zip(begins).position(|(at, begins)| begins && *at == hour);
        let Some(turn) = turn else { return };
        let mut draw = self.stream(Hub::Deployment as u64);
        let (first, last) = self.world.site_of(self.host).hosts;
        let within_s = f64::from(self.host - first) / f64::from(last - first) * 1_200.0;
        let begin = self.from + minute * 60 + within_s as i32 + draw.below(20) as i32;
        let is_windows = share_of(mix2(self.world.seed ^ 0x91, self.host.into())) < 0.2;
        let mut visit = self.between(deployment, self.host, if is_windows { 5985 } else { 22 }, begin, &mut draw);
        visit.end = begin + draw.between(15, 80) as i32;
        // A wave installs one thing everywhere.
        let package = 200_000.0 * (1.0 + 9.0 * share_of(mix2(day, turn as u64)));
        visit.bytes_out = (package * draw.uniform(0.95, 1.1)) as u64;
        visit.bytes_in = draw.between(15_000, 60_000);
        sink(visit);
    }

    fn be_scanned(&self, sink: &mut impl FnMut(Connection)) {
        let Some(scanner) = self.world.hub_of(self.host, Hub::Scanner) else { return };
        let at = 1 + mix2(self.world.seed ^ 0x92, u64::from(scanner)) % 4;
        if self.hour_of_day() != at {
            return;
        }
        let mut draw = self.stream(Hub::Scanner as u64);
        let (first, last) = self.world.site_of(self.host).hosts;
        let within_s = f64::from(self.host - first) / f64::from(last - first) * 3_000.0;
        let begin = self.from + within_s as i32;
        let role = self.world.interface(self.host).role;
        for (n, port) in SCANNED.into_iter().enumerate() {
            let is_served = port == 443 && role == Role::Web || port == 22 && self.host.is_multiple_of(3);
            let mut probe = self.between(scanner, self.host, port, begin + n as i32, &mut draw);
            if is_served {
                (probe.bytes_out, probe.bytes_in) = (draw.between(200, 900), draw.between(1_200, 5_000));
            } else {
                probe.rejected = 1;
            }
            sink(probe);
        }
    }

    /// People on this host enter the jump host, and from there one to three others.
    fn enter_others(&self, sink: &mut impl FnMut(Connection)) {
        let Some(jump) = self.world.hub_of(self.host, Hub::Jump) else { return };
        let ((day, is_workday), hour) = (self.day(), self.hour_of_day());
        let mut draw =
            Stream::new(self.world.seed, Purpose::Hub, u64::from(self.host) << 3 | Hub::Jump as u64, 1 << 40 | day);
        let (first, last) = self.world.site_of(self.host).hosts;
        let any = |draw: u64| first + (draw % u64::from(last - first)) as u32;
        // Most people look after the same few hosts.
        let is_tended = |host: &u32| share_of(mix2(self.world.seed ^ 0x94, u64::from(*host))) < TENDED;
        let tended = |draw: u64| (0..40).map(|n| any(mix2(draw, n))).find(is_tended).unwrap_or_else(|| any(draw));
        for _ in 0..draw.dithered(if is_workday { 1.5 } else { 0.1 }) {
            let (at, second) = (draw.between(8, 18), draw.below(3_600) as i32);
            let length_s = draw.log_normal(900.0, 0.8).clamp(60.0, 7_200.0) as i32;
            let mut sessions = vec![(self.host, jump, second, length_s)];
            for _ in 0..draw.between(1, 3) {
                let habit = mix2(self.world.seed ^ 0x93, u64::from(self.host) << 3 | draw.below(HABITUAL));
                let bits = draw.bits();
                let target = if draw.chance(0.95) { tended(habit) } else { any(bits) };
                let later_s = draw.between(15, 120) as i32;
                if target != self.host && length_s > later_s + 20 {
                    sessions.push((jump, target, second + later_s, length_s - later_s - 5));
                }
            }
            for (client, server, second, length_s) in sessions {
                let mut session = self.between(client, server, 22, self.from + second, &mut draw);
                session.end = session.begin + length_s;
                session.bytes_out = 40 * length_s as u64 + 3_000;
                session.bytes_in = session.bytes_out * draw.between(2, 9);
                if at == hour {
                    sink(session);
                }
            }
        }
    }
}

/// Returns the rows that a host makes with hubs in an hour: those that do not depend on the pace, and the others at pace
/// 1.
pub fn rows_per_hour(world: &World, host: u32, window_s: u32) -> (f64, f64) {
    let has = |hub| f64::from(u8::from(world.hub_of(host, hub).is_some()));
    let windows = |length_s: f64| length_s / f64::from(window_s) + 1.0;
    let fixed = has(Hub::Scanner) * 8.0
        + has(Hub::Deployment) * 1.4 * 4.0 * windows(45.0)
        + has(Hub::Jump) * 1.5 * 3.0 * 4.0 * windows(1_100.0);
    let paced = has(Hub::Monitoring) * 4.0 * 3_600.0 / POLL_S + has(Hub::Directory) * 3.0 * 4.0 * LOG_ONS * 0.6;
    (fixed / 24.0, paced)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use super::*;
    use crate::options::GenerateOptions;

    /// Monday, 2024-01-15.
    const MONDAY_S: i64 = 1_705_276_800;

    fn day(world: &World, pace: f64, first_s: i64) -> Vec<Connection> {
        let mut all = Vec::new();
        for hour in 0..24 {
            for host in 0..world.hosts {
                let from = hour * 3_600;
                let hub_hour = HubHour { world, host, from, epoch_s: first_s + i64::from(from), pace };
                let before = all.len();
                hub_hour.connections(&mut |connection| all.push(connection));
                assert!(all[before..].iter().all(|c| (from..from + 3_600 + 120).contains(&c.begin)), "{hour}");
            }
        }
        all
    }

    #[test]
    fn each_hub_has_its_habits() {
        let world = World::new(&GenerateOptions { hosts: 600, ..Default::default() });
        let all = day(&world, 1.0, MONDAY_S);
        let hub = |hub| Endpoint::interface(world.hub(0, hub).unwrap());
        let from = |who: Endpoint| all.iter().filter(move |c| c.client == who);
        let servers = |who| from(hub(who)).map(|c| c.server).collect::<HashSet<Endpoint>>().len();
        let clients: HashSet<Endpoint> =
            all.iter().filter(|c| c.server == hub(Hub::Directory)).map(|c| c.client).collect();
        assert!((480..600).contains(&clients.len()), "{}", clients.len());
        assert_eq!((servers(Hub::Monitoring), servers(Hub::Scanner)), (600, 600));
        assert!((300..420).contains(&servers(Hub::Deployment)), "{}", servers(Hub::Deployment));
        assert!((30..160).contains(&servers(Hub::Jump)), "{}", servers(Hub::Jump));
        let polls = from(hub(Hub::Monitoring)).count();
        assert!((600 * 287..=600 * 288).contains(&polls), "{polls}");
        let scanned: HashSet<i32> = from(hub(Hub::Scanner)).map(|c| c.begin / 3_600).collect();
        assert_eq!(scanned.len(), 1);
        let mut ports = BTreeMap::<u16, usize>::new();
        from(hub(Hub::Deployment)).for_each(|c| *ports.entry(c.server_port).or_default() += 1);
        assert!(ports[&22] > 2 * ports[&5985], "{ports:?}");
        // On Sunday nobody deploys, and hardly anybody is there.
        let sunday = day(&world, 1.0, MONDAY_S - 86_400);
        assert_eq!(sunday.iter().filter(|c| c.client == hub(Hub::Deployment)).count(), 0);
    }

    #[test]
    fn a_slower_pace_makes_fewer_rows_and_the_estimate_holds() {
        let world = World::new(&GenerateOptions { hosts: 400, ..Default::default() });
        let estimate: f64 =
            (0..400).map(|host| rows_per_hour(&world, host, 60)).map(|(fixed, paced)| fixed + paced).sum();
        let rows = |all: &[Connection]| -> f64 {
            let windows = |c: &Connection| f64::from(c.end - c.begin) / 60.0 + 1.0;
            all.iter().map(|c| if c.rejected > 0 { 2.0 } else { 4.0 * windows(c) }).sum()
        };
        let made = rows(&day(&world, 1.0, MONDAY_S));
        assert!((made / (estimate * 24.0) - 1.0).abs() < 0.15, "{made} {}", estimate * 24.0);
        assert!(rows(&day(&world, 4.0, MONDAY_S)) < made * 0.4);
    }
}
