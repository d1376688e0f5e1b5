//! Connections, and how every interface on their path cuts them into flow records.

use crate::random::{Stream, mix2, share_of};
use crate::traffic::records::{HourRecords, Record, RecordKind};
use crate::world::World;
use crate::world::endpoints::{AWS_S3, Endpoint};
use flow::codes::{FIN, RST, SYN, TCP, UDP};

/// `tcp_flags` of an answered opening as flow logs show it: SYN and ACK.
const SYN_ACK: u8 = 18;

/// How a connection ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// FIN from both sides.
    Closed,
    /// RST from the client.
    Reset,
    /// Neither is seen, as with UDP.
    Silent,
    /// Nothing comes back at all.
    Unanswered,
}

/// One connection (or UDP exchange), from which every interface on its path cuts its own records.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    /// The side that opened it, and the side that answered.
    pub client: Endpoint,
    pub server: Endpoint,
    /// NAT gateway on the path, and the port it uses.
    pub nat: Option<u32>,
    pub nat_port: u16,
    pub client_port: u16,
    pub server_port: u16,
    pub protocol: u8,
    /// First and last second from the start of the corpus; may be negative.
    pub begin: i32,
    pub end: i32,
    /// Payload bytes from client to server, and back.
    pub bytes_out: u64,
    pub bytes_in: u64,
    /// Seconds between keep-alives; 0 for a steady flow of bytes.
    pub beat_s: u16,
    pub ending: Ending,
    /// Number of refused packets; above 0 nothing else happens.
    pub rejected: u8,
    /// Seed of the unevenness of the flow of bytes.
    pub noise: u32,
}

impl Connection {
    /// Opens a connection from a host to an external party: IPv6 when the party is, through the NAT gateway when
    /// the host is behind one. One second long, closed, without bytes; the caller fills in the rest.
    pub fn outbound(
        world: &World,
        host: u32,
        remote: Endpoint,
        port: u16,
        protocol: u8,
        begin: i32,
        draw: u64,
    ) -> Self {
        let client = if remote.is_v6() { Endpoint::interface_v6(host) } else { Endpoint::interface(host) };
        let nat = if remote.is_v6() { None } else { world.interface(host).nat };
        Self { client, nat, ..Self::between(client, remote, port, protocol, begin, draw) }
    }

    /// Opens a connection between any two parties without a gateway; the caller fills in the rest.
    pub fn between(client: Endpoint, server: Endpoint, port: u16, protocol: u8, begin: i32, draw: u64) -> Self {
        let ephemeral = |bits: u64| 32_768 + (bits % 28_232) as u16;
        Self {
            client,
            server,
            nat: None,
            nat_port: 1_024 + ((draw >> 40) % 64_511) as u16,
            client_port: ephemeral(draw & 0xf_ffff),
            server_port: port,
            protocol,
            begin,
            end: begin,
            bytes_out: 0,
            bytes_in: 0,
            beat_s: 0,
            ending: if protocol == TCP { Ending::Closed } else { Ending::Silent },
            rejected: 0,
            noise: (draw >> 20) as u32,
        }
    }

    /// Writes the records whose windows end in the hour, as each interface on the path logs them, and returns whether
    /// later hours have more of them.
    pub fn write(&self, world: &World, minutes: &mut HourRecords) -> bool {
        let mut more = false;
        if let Some(index) = self.client.interface_index() {
            more |= self.write_vantage(world, minutes, index, Vantage::Client);
        }
        if let Some(nat) = self.nat {
            more |= self.write_vantage(world, minutes, nat, Vantage::Nat);
        }
        if let Some(index) = self.server.interface_index() {
            more |= self.write_vantage(world, minutes, index, Vantage::Server);
        }
        more
    }

    fn write_vantage(&self, world: &World, minutes: &mut HourRecords, index: u32, vantage: Vantage) -> bool {
        let window_s = minutes.window_s;
        let phase = i32::from(world.interface(index).phase_s);
        let window_of = |second: i32| (second - phase).div_euclid(window_s) * window_s + phase;
        let earliest = window_of(minutes.from.max(self.begin));
        let mut window = earliest;
        let cut_at = if minutes.last { minutes.until } else { i32::MAX };
        loop {
            let window_end = window + window_s;
            if window > self.end || window >= cut_at {
                return false;
            }
            if window_end > minutes.until && !minutes.last {
                return true;
            }
            if window_end > minutes.from {
                self.write_window(world, minutes, index, vantage, window);
            }
            window = window_end;
        }
    }

    fn write_window(&self, world: &World, minutes: &mut HourRecords, index: u32, vantage: Vantage, window: i32) {
        let window_end = window + minutes.window_s;
        let first_window = self.begin >= window;
        let last_window = self.end < window_end;
        let cut_at = if minutes.last { minutes.until } else { i32::MAX };
        let mut start = self.begin.max(window).max(0);
        let mut end = self.end.min(window_end).min(cut_at);
        let (payload_out, payload_in);
        let mut beats = 0;
        if self.beat_s > 0 {
            let beat = i32::from(self.beat_s);
            let total = ((self.end - self.begin) / beat + 1) as u64;
            let first = (start - self.begin + beat - 1) / beat;
            let last = (self.end.min(window_end - 1).min(cut_at - 1) - self.begin).div_euclid(beat);
            if last < first && !last_window {
                return;
            }
            beats = (last - first + 1).max(0) as u64;
            if beats > 0 {
                start = self.begin + first * beat;
                end = if last_window { end } else { self.begin + last * beat };
            } else {
                start = end;
            }
            payload_out = self.bytes_out * beats / total;
            payload_in = self.bytes_in * beats / total;
        } else if first_window && last_window {
            (payload_out, payload_in) = (self.bytes_out, self.bytes_in);
        } else {
            let low = self.sent_share(self.begin.max(window));
            let share = self.sent_share(self.end.min(window_end)) - low;
            payload_out = (self.bytes_out as f64 * share) as u64;
            payload_in = (self.bytes_in as f64 * share) as u64;
        }
        let end = end.max(start);
        let opening = u64::from(first_window) * 2 + u64::from(last_window);
        // A segment carries 1,400 bytes; every second one is acknowledged; keep-alives are answered one by one.
        let segments = |payload: u64| if payload == 0 { 0 } else { payload.div_ceil(1_400) };
        let bare = if self.protocol == TCP { opening + beats } else { 0 };
        let acknowledged = |payload: u64| if self.protocol == TCP { segments(payload) / 2 } else { 0 };
        let packets_out = (segments(payload_out) + acknowledged(payload_in) + bare).max(1);
        let packets_in = (segments(payload_in) + acknowledged(payload_out) + bare).max(1);
        let header = match (self.protocol, self.client.is_v6()) {
            (TCP, false) => 52,
            (TCP, true) => 72,
            (_, false) => 28,
            (_, true) => 48,
        };
        // Even an empty datagram is padded to the shortest packet.
        let size = |payload: u64, packets: u64| (payload + header * packets).max(46 * packets);
        let ending = match self.ending {
            Ending::Closed => (FIN, FIN),
            Ending::Reset => (RST, 0),
            Ending::Silent | Ending::Unanswered => (0, 0),
        };
        let flags = |open: u8, close: u8| {
            let open = if first_window && self.protocol == TCP { open } else { 0 };
            open | if last_window && self.protocol == TCP { close } else { 0 }
        };
        let record = Record {
            bytes: size(payload_out, packets_out),
            packets: packets_out as u32,
            start: start as u32,
            interface: index,
            src: self.client,
            dst: self.server,
            pkt_src: self.client,
            pkt_dst: self.server,
            src_port: self.client_port,
            dst_port: self.server_port,
            length_s: (end - start) as u16,
            protocol: self.protocol,
            flags: flags(SYN, ending.0),
            path: 0,
            kind: RecordKind::Ingress,
        };
        if self.rejected > 0 {
            let packets = u32::from(self.rejected);
            let each = if self.protocol == UDP { 60 } else { 40 + u64::from(self.noise & 1) * 20 };
            let bytes = each * u64::from(packets);
            let flags = if self.protocol == TCP { SYN } else { 0 };
            // An inside client's own interface lets the packet out; that of the server refuses it.
            let (kind, path) = match vantage {
                Vantage::Client => (RecordKind::Egress, 1),
                Vantage::Nat | Vantage::Server => (RecordKind::Rejected, 0),
            };
            minutes.push(window_end, Record { bytes, packets, flags, kind, path, ..record });
            return;
        }
        let reply = Record {
            bytes: size(payload_in, packets_in),
            packets: packets_in as u32,
            src: self.server,
            dst: self.client,
            pkt_src: self.server,
            pkt_dst: self.client,
            src_port: self.server_port,
            dst_port: self.client_port,
            flags: flags(SYN_ACK, ending.1),
            ..record
        };
        let to_internet = if self.server.aws_service(world.seed) == AWS_S3 && self.nat.is_none() { 7 } else { 8 };
        let egress = RecordKind::Egress;
        let (there, back) = match vantage {
            Vantage::Client => {
                let path = if self.server.is_external() && self.nat.is_none() { to_internet } else { 1 };
                ([Some(Record { kind: egress, path, ..record }), None], [Some(reply), None])
            }
            Vantage::Server => {
                let path = if self.client.is_external() { 8 } else { 1 };
                ([Some(record), None], [Some(Record { kind: egress, path, ..reply }), None])
            }
            Vantage::Nat => {
                let nat = Endpoint::interface(index);
                let outer = Record { src: nat, pkt_src: nat, src_port: self.nat_port, ..record };
                let back = Record { dst: nat, pkt_dst: nat, dst_port: self.nat_port, ..reply };
                (
                    [Some(Record { dst: nat, ..record }), Some(Record { kind: egress, path: 8, ..outer })],
                    [Some(back), Some(Record { src: nat, kind: egress, path: 1, ..reply })],
                )
            }
        };
        let back = if self.ending == Ending::Unanswered { [None; 2] } else { back };
        there.into_iter().chain(back).flatten().for_each(|record| minutes.push(window_end, record));
    }

    /// Returns the share of the bytes that has passed by a second: a line whose knots, one per minute, are moved by up
    /// to 0.4 minutes, so that windows differ but every interface sees the same flow and nothing is lost.
    fn sent_share(&self, second: i32) -> f64 {
        let length = f64::from(self.end - self.begin) / 60.0;
        if length <= 0.0 || second >= self.end {
            return if second > self.begin || length <= 0.0 { 1.0 } else { 0.0 };
        }
        let at = f64::from(second - self.begin) / 60.0;
        let knot = |minute: f64| {
            if minute < 1.0 || minute >= length - 1.0 {
                minute.min(length)
            } else {
                let mixed = mix2(self.noise.into(), minute as u64);
                minute + (share_of(mixed) - 0.5) * 0.8
            }
        };
        let minute = at.floor();
        let next = (minute + 1.0).min(length);
        let (low, high) = (knot(minute), knot(next));
        (low + (high - low) * (at - minute) / (next - minute)) / length
    }
}

/// Which interface on the path of a connection logs.
#[derive(Clone, Copy)]
enum Vantage {
    Client,
    Server,
    Nat,
}

/// Draws the duration of a connection of everyday traffic, in seconds: most last a few seconds, some hours.
pub fn everyday_length_s(draw: &mut Stream) -> i32 {
    let share = draw.share();
    let length_s = if share < 0.70 {
        draw.share() * 3.0
    } else if share < 0.93 {
        draw.log_normal(15.0, 1.1)
    } else if share < 0.99 {
        draw.log_normal(180.0, 1.0)
    } else {
        draw.log_normal(2_400.0, 1.1)
    };
    length_s.min(43_200.0) as i32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::options::GenerateOptions;
    use crate::world::endpoints::ExternalClass;

    fn world(window_s: u32) -> World {
        World::new(&GenerateOptions { hosts: 100, nat_share: 0.5, window_s, ..Default::default() })
    }

    /// Writes a connection hour by hour, as the corpus does.
    fn all_records(world: &World, connection: &Connection, window_s: u32, hours: i32) -> Vec<Record> {
        let mut records = Vec::new();
        for hour in 0..hours {
            let mut minutes = HourRecords::new(hour * 3_600, hour == hours - 1, window_s);
            let more = connection.write(world, &mut minutes);
            records.extend(minutes.records.into_iter().flatten());
            if !more {
                break;
            }
        }
        records
    }

    proptest! {
        #[test]
        fn records_fit_their_windows_touch_and_conserve_bytes(
            begin in 0i32..7_000, length in 0i32..20_000, bytes_out in 0u64..50_000_000, draw: u64, long: bool,
        ) {
            let window_s = if long { 600 } else { 60 };
            let world = world(window_s);
            let remote = Endpoint::external(ExternalClass::Own, 5, false);
            for host in [0u32, 9, 20, 33] {
                let mut connection = Connection::outbound(&world, host, remote, 443, TCP, begin, draw);
                connection.end = begin + length;
                connection.bytes_out = bytes_out;
                connection.bytes_in = 10_000;
                let records = all_records(&world, &connection, window_s, 10);
                let own: Vec<&Record> = records.iter().filter(|r| r.interface == host && r.dst == remote).collect();
                let phase = u32::from(world.interface(host).phase_s);
                prop_assert_eq!(own[0].start, begin as u32);
                for pair in own.windows(2) {
                    prop_assert_eq!(pair[0].start + u32::from(pair[0].length_s), pair[1].start);
                    prop_assert_eq!(pair[1].start % window_s, phase);
                }
                let last = own[own.len() - 1];
                prop_assert_eq!(last.start + u32::from(last.length_s), (begin + length) as u32);
                prop_assert!(records.iter().all(|r| u32::from(r.length_s) <= window_s));
                prop_assert!(records.iter().all(|r| r.packets >= 1 && r.bytes >= 40 * u64::from(r.packets)));
                let syns = own.iter().filter(|r| r.flags & SYN != 0).count();
                let fins = own.iter().filter(|r| r.flags & FIN != 0).count();
                prop_assert_eq!((syns, fins), (1, 1));
                let payload: u64 = own.iter().map(|r| r.bytes - 52 * u64::from(r.packets)).sum();
                prop_assert!(payload <= bytes_out && payload + own.len() as u64 >= bytes_out, "{} {}", payload, bytes_out);
                let vantages = if world.interface(host).nat.is_some() { 6 } else { 2 };
                let per_window = records.len() as f64 / own.len() as f64;
                prop_assert!((per_window - f64::from(vantages)).abs() <= 4.0);
            }
        }
    }

    #[test]
    fn a_nat_gateway_logs_four_rows_for_each_exchange() {
        let world = world(60);
        let host = (0..100).find(|host| world.interface(*host).nat.is_some()).unwrap();
        let nat = world.interface(host).nat.unwrap();
        let remote = Endpoint::external(ExternalClass::Own, 5, false);
        let connection = Connection::outbound(&world, host, remote, 443, TCP, 100, 77);
        let records = all_records(&world, &connection, 60, 1);
        let rows: Vec<&Record> = records.iter().filter(|record| record.interface == nat).collect();
        assert_eq!((records.len(), rows.len()), (6, 4));
        let (inside, gateway) = (Endpoint::interface(host), Endpoint::interface(nat));
        let seen: Vec<_> = rows.iter().map(|r| (r.src, r.dst, r.pkt_src, r.pkt_dst, r.kind, r.path)).collect();
        assert_eq!(
            seen,
            [
                (inside, gateway, inside, remote, RecordKind::Ingress, 0),
                (gateway, remote, gateway, remote, RecordKind::Egress, 8),
                (remote, gateway, remote, gateway, RecordKind::Ingress, 0),
                (gateway, inside, remote, inside, RecordKind::Egress, 1),
            ]
        );
        assert_eq!((rows[0].flags, rows[2].flags), (3, 19));
    }

    #[test]
    fn a_keep_alive_has_records_only_where_it_has_packets() {
        let world = world(60);
        let remote = Endpoint::external(ExternalClass::Own, 5, false);
        let mut connection = Connection::outbound(&world, 0, remote, 443, TCP, 10, 3);
        (connection.end, connection.beat_s, connection.bytes_out) = (10 + 3_000, 300, 1_100);
        let records = all_records(&world, &connection, 60, 1);
        let own: Vec<&Record> = records.iter().filter(|r| r.interface == 0 && r.dst == remote).collect();
        assert_eq!(own.len(), 11);
        assert!(own.iter().enumerate().all(|(n, r)| r.start == 10 + 300 * n as u32));
        assert!(own[1..10].iter().all(|r| r.flags == 0));
    }
}
