//! Everyday traffic: browsing and calls to services, traffic between hosts, Internet clients, scanners, backups.

use crate::random::{Purpose, Stream};
use crate::traffic::connection::{Connection, Ending, everyday_length_s};
use crate::traffic::records::{HourRecords, RecordKind, placeholder};
use crate::world::endpoints::{Endpoint, ExternalClass, RANK_S3};
use crate::world::{Role, Site, World};
use flow::codes::{ICMP, TCP, UDP};

/// Ports that scanners try first.
const SCANNED_PORTS: [u16; 12] = [22, 23, 80, 443, 445, 3389, 8080, 5900, 1433, 6379, 2375, 5060];

/// Returns the mixture of a role's traffic: shares of calls to the Internet, of calls to other hosts and of inbound
/// clients; the rest is scanning.
fn mixture(role: Role) -> (f64, f64, f64) {
    match role {
        Role::Web => (0.12, 0.20, 0.38),
        Role::App => (0.28, 0.52, 0.0),
        Role::Database => (0.16, 0.72, 0.0),
        Role::Worker => (0.44, 0.38, 0.0),
        Role::Bastion => (0.20, 0.30, 0.0),
        _ => (0.52, 0.28, 0.0),
    }
}

/// Returns how busy a role is in the hour that begins `second` seconds after 1970 UTC; 1 is the busiest.
pub fn rhythm(role: Role, second: i64) -> f64 {
    let hour = (second.rem_euclid(86_400) / 3_600) as f64;
    // 1970-01-01 was a Thursday.
    let weekend = matches!((second.div_euclid(86_400) + 3).rem_euclid(7), 5 | 6);
    let daylight = 0.5 - 0.5 * ((hour - 3.5) / 24.0 * std::f64::consts::TAU).cos();
    let (floor, weekend_share) = match role {
        Role::Web => (0.35, 0.75),
        Role::App => (0.40, 0.75),
        Role::Database => (0.45, 0.80),
        Role::Worker => (0.80, 0.95),
        _ => (0.08, 0.25),
    };
    (floor + (1.0 - floor) * daylight) * if weekend { weekend_share } else { 1.0 }
}

/// Returns how busy a whole site is in an hour, weighted over its roles.
pub fn site_rhythm(world: &World, site: &Site, second: i64) -> f64 {
    let roles = site.by_role.iter().zip(site.weight_by_role);
    roles.filter_map(|(hosts, weight)| Some(weight * rhythm(world.interface(*hosts.first()?).role, second))).sum()
}

/// One hour of one host, and what its traffic is drawn from.
pub struct HostHour<'w> {
    pub world: &'w World,
    pub host: u32,
    /// Start of the hour from the start of the corpus, in seconds.
    pub from: i32,
    /// The same as seconds since 1970 UTC.
    pub epoch_s: i64,
    /// Round within the hour: rounds draw independently.
    pub round: u64,
}

impl HostHour<'_> {
    fn stream(&self, purpose: Purpose) -> Stream {
        let hour = (self.from / 3_600) as u64;
        Stream::new(self.world.seed, purpose, self.host.into(), hour << 8 | self.round)
    }

    /// Passes about `count` everyday connections that start in this hour to `sink`.
    pub fn everyday(&self, count: f64, mut sink: impl FnMut(Connection)) {
        let mut draw = self.stream(Purpose::Background);
        let mut left = draw.dithered(count);
        let role = self.world.interface(self.host).role;
        let (internet, peers, clients) = mixture(role);
        // A host without a public address is not scanned.
        let hidden = self.world.interface(self.host).nat.is_some();
        while left > 0 {
            let begin = self.from + draw.below(3_600) as i32;
            let kind = draw.share();
            let used = if kind < internet {
                self.call_internet(&mut draw, role, begin, left, &mut sink)
            } else if kind < internet + peers || (kind >= internet + peers + clients && hidden) {
                sink(self.call_peer(&mut draw, role, begin));
                1
            } else if kind < internet + peers + clients {
                sink(self.serve_client(&mut draw, begin));
                1
            } else {
                self.be_scanned(&mut draw, role, begin, left, &mut sink)
            };
            left = left.saturating_sub(used);
        }
    }

    /// One destination, or a burst of connections as a web page or a person makes them.
    fn call_internet(
        &self,
        draw: &mut Stream,
        role: Role,
        begin: i32,
        left: u64,
        sink: &mut impl FnMut(Connection),
    ) -> u64 {
        let burst = if draw.chance(0.3) { draw.between(2, 9).min(left) } else { 1 };
        let mut at = begin;
        let anchor = draw.zipf(26) as u32;
        for n in 0..burst {
            let tail = draw.share();
            let (remote, port, protocol) = if tail < 0.05 {
                // A destination far out in the long tail, often never contacted again.
                let rank = 24 + draw.below(u64::from(self.world.services - 24)) as u32;
                let (port, protocol) = self.world.service_port(rank);
                (self.world.service(rank), port, protocol)
            } else if tail < 0.12 {
                (self.world.service(RANK_S3 + draw.below(4) as u32), 443, TCP)
            } else {
                let slot = if n == 0 || draw.chance(0.5) { anchor } else { draw.zipf(26) as u32 };
                self.world.favourite(self.host, slot)
            };
            let mut connection = Connection::outbound(self.world, self.host, remote, port, protocol, at, draw.bits());
            if protocol == UDP && port == 53 {
                (connection.bytes_out, connection.bytes_in) = (draw.between(30, 60), draw.between(60, 400));
            } else {
                self.fill(&mut connection, draw, 1_300.0, 6_500.0);
                // Builds publish and workers ship results: large uploads to destinations the host knows.
                if matches!(role, Role::Build | Role::Worker) && tail >= 0.05 && draw.chance(0.006) {
                    connection.bytes_out = draw.log_normal(25e6, 1.4).min(3e9) as u64;
                    connection.beat_s = 0;
                    connection.end = connection.begin + (connection.bytes_out / 15_000_000) as i32 + 2;
                }
            }
            sink(connection);
            at = (at + draw.below(4) as i32).min(self.from + 3_599);
        }
        burst
    }

    fn call_peer(&self, draw: &mut Stream, role: Role, begin: i32) -> Connection {
        let mut slot = draw.zipf(8) as u32;
        let (mut peer, mut port) = self.world.peer(self.host, slot);
        while peer == self.host && slot < 64 {
            slot += 8;
            (peer, port) = self.world.peer(self.host, slot);
        }
        let mut connection = Connection::between(
            Endpoint::interface(self.host),
            Endpoint::interface(peer),
            port,
            TCP,
            begin,
            draw.bits(),
        );
        if draw.chance(0.01) {
            (connection.protocol, connection.client_port, connection.server_port) = (ICMP, 0, 0);
            (connection.bytes_out, connection.bytes_in, connection.ending) = (56, 56, Ending::Silent);
            return connection;
        }
        self.fill(&mut connection, draw, 1_800.0, 3_500.0);
        if role == Role::Bastion {
            // A person at a terminal.
            connection.end = connection.begin + draw.log_normal(500.0, 1.2).min(20_000.0) as i32;
            connection.bytes_out = 40 * u64::from((connection.end - connection.begin).unsigned_abs()) + 3_000;
            connection.bytes_in = connection.bytes_out * draw.between(2, 9);
            connection.beat_s = 0;
        }
        connection
    }

    fn serve_client(&self, draw: &mut Stream, begin: i32) -> Connection {
        let clients = 40 * u64::from(self.world.hosts) + 50_000;
        let number = draw.zipf(clients) as u32;
        let v6 = draw.chance(self.world.ipv6_share);
        let client = Endpoint::external(ExternalClass::Client, number, v6);
        let me = if v6 { Endpoint::interface_v6(self.host) } else { Endpoint::interface(self.host) };
        let port = if draw.chance(0.1) { 80 } else { 443 };
        let mut connection = Connection::between(client, me, port, TCP, begin, draw.bits());
        self.fill(&mut connection, draw, 1_400.0, 18_000.0);
        connection
    }

    /// One scanner tries some ports; those that are not served are refused.
    fn be_scanned(
        &self,
        draw: &mut Stream,
        role: Role,
        begin: i32,
        left: u64,
        sink: &mut impl FnMut(Connection),
    ) -> u64 {
        let scanners = 5 * u64::from(self.world.hosts) + 5_000;
        let scanner = Endpoint::external(ExternalClass::Scanner, draw.zipf(scanners) as u32, false);
        let tries = if draw.chance(0.1) { draw.between(3, 30).min(left) } else { 1 };
        let mut at = begin;
        for _ in 0..tries {
            let port = match draw.below(2) {
                0 => SCANNED_PORTS[draw.below(12) as usize],
                _ => draw.between(1, 65_535) as u16,
            };
            let protocol = if draw.chance(0.88) { TCP } else { UDP };
            let mut connection =
                Connection::between(scanner, Endpoint::interface(self.host), port, protocol, at, draw.bits());
            if !(role == Role::Web && matches!(port, 80 | 443)) {
                connection.rejected = draw.between(1, 2) as u8;
            }
            sink(connection);
            at = (at + draw.below(2) as i32).min(self.from + 3_599);
        }
        tries
    }

    /// Draws duration, bytes and ending of an everyday connection; the medians are payload bytes.
    fn fill(&self, connection: &mut Connection, draw: &mut Stream, median_out: f64, median_in: f64) {
        let length_s = everyday_length_s(draw);
        connection.end = connection.begin + length_s;
        // Long connections carry more, but less than in proportion to their duration.
        let longer = (f64::from(length_s) / 10.0 + 1.0).sqrt();
        connection.bytes_out = draw.log_normal(median_out * longer, 1.2).min(2e9) as u64;
        connection.bytes_in = draw.log_normal(median_in * longer, 1.7).min(2e10) as u64;
        if length_s > 240 && draw.chance(0.5) {
            connection.beat_s = [15, 30, 45, 55, 60, 120, 300][draw.below(7) as usize];
        }
        if connection.protocol == TCP && draw.chance(0.05) {
            connection.ending = Ending::Reset;
        }
    }

    /// Passes the nightly backup of a database (and of some workers) to `sink` when it starts in this hour.
    pub fn nightly(&self, mut sink: impl FnMut(Connection)) {
        let role = self.world.interface(self.host).role;
        let mut own = Stream::new(self.world.seed, Purpose::Backup, self.host.into(), 0);
        if !(role == Role::Database || role == Role::Worker && own.chance(0.1)) {
            return;
        }
        let (second_of_day, to_s3) = (3_600 + own.below(3 * 3_600) as i64, own.chance(0.6));
        let typical = own.log_normal(4e9, 0.8);
        if self.epoch_s.rem_euclid(86_400) / 3_600 != second_of_day / 3_600 {
            return;
        }
        let mut draw = self.stream(Purpose::Backup);
        let begin = self.from + (second_of_day % 3_600) as i32;
        let mut connection = if to_s3 {
            let remote = self.world.service(RANK_S3 + u32::from(self.world.interface(self.host).site) % 4);
            Connection::outbound(self.world, self.host, remote, 443, TCP, begin, draw.bits())
        } else {
            let backup = Endpoint::interface(self.world.site_of(self.host).backup);
            Connection::between(Endpoint::interface(self.host), backup, 873, TCP, begin, draw.bits())
        };
        connection.bytes_out = (typical * draw.uniform(0.9, 1.15)).min(6e10) as u64;
        connection.bytes_in = connection.bytes_out / 2_000;
        connection.end = begin + (connection.bytes_out / 5_000_000) as i32 + 60;
        sink(connection);
    }
}

/// Writes the SKIPDATA records of hosts and the NODATA records of idle interfaces of one site and hour.
pub fn placeholders(world: &World, number: usize, minutes: &mut HourRecords, skipped: f64, idle: f64) {
    let site = &world.sites[number];
    let hour = (minutes.from / 3_600) as u64;
    let mut draw = Stream::new(world.seed, Purpose::Placeholder, number as u64, hour);
    let window_s = minutes.window_s;
    let turns = 3_600 / window_s as u64;
    let (skipped, idle) = (draw.dithered(skipped), draw.dithered(idle));
    for n in 0..skipped + idle {
        let (range, kind) =
            if n < skipped { (site.hosts, RecordKind::SkipData) } else { (site.idle, RecordKind::NoData) };
        let interface = range.0 + draw.below(u64::from(range.1 - range.0)) as u32;
        let phase = i32::from(world.interface(interface).phase_s);
        let window_end = minutes.from + draw.below(turns) as i32 * window_s + if phase == 0 { window_s } else { phase };
        minutes.push(window_end, placeholder(interface, window_end - window_s, window_s, kind));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rhythm_peaks_by_day_and_rests_at_weekends() {
        let monday = 1_705_276_800;
        assert!(rhythm(Role::Build, monday + 15 * 3_600) > 4.0 * rhythm(Role::Build, monday + 3 * 3_600));
        assert!(rhythm(Role::Build, monday + 15 * 3_600) > 2.0 * rhythm(Role::Build, monday - 9 * 3_600));
        for hour in 0..168 {
            for role in [Role::Web, Role::App, Role::Database, Role::Worker, Role::Bastion, Role::Build] {
                let level = rhythm(role, monday + hour * 3_600);
                assert!(level > 0.0 && level <= 1.0, "{role:?} {hour} {level}");
            }
        }
    }
}
