//! Rows of the slow rollup: records seen from their hosts, who opened a connection, and its pieces.

use super::record::is_internal;
use super::rows::Row;
use crate::{Opening, Segment, Vantage};
use flow::Address;
use kernels::sizes::bucket_of;
use std::collections::{BTreeMap, BTreeSet};

/// A record as seen from its ENI's host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    pub start: i64,
    pub bits: u8,
    pub flags: u8,
    pub duration: i64,
    pub bytes: u64,
    pub packets: u64,
    pub eni: Option<String>,
    /// Its flow log, where several are told apart.
    pub log: Option<u32>,
    pub service: Option<String>,
    pub host: Address,
    pub remote: Address,
    pub ports: (u16, u16),
    pub protocol: u8,
    pub outbound: bool,
    pub rejected: bool,
    pub flags_known: bool,
}

/// What a unit knows of an ENI.
#[derive(Default)]
pub struct Eni {
    /// An object described it.
    pub told: bool,
    pub managed: bool,
    pub translates: bool,
    pub longest: i64,
    pub votes: BTreeMap<Address, u32>,
    /// Networks of its addresses where packets have another: /16 or /56.
    pub networks: BTreeSet<Vec<u8>>,
}

/// The largest network that an ENI and its pods share.
pub fn network(address: Address) -> Vec<u8> {
    address.to_bytes()[..if address.is_v4() { 14 } else { 7 }].to_vec()
}

impl Eni {
    pub fn transit(&self) -> bool {
        self.managed && self.translates
    }
    pub fn window(&self) -> i64 {
        if self.longest <= 65 { 60 } else { 600 }
    }
    pub fn best(&self, v4: bool) -> Vec<Address> {
        let votes = || self.votes.iter().filter(|v| v.0.is_v4() == v4);
        let most = votes().map(|v| v.1).max();
        votes().filter(|v| Some(v.1) == most).map(|v| *v.0).collect()
    }
    pub fn own(&self, v4: bool, homes: &BTreeSet<Vec<u8>>) -> Option<Address> {
        let best = self.best(v4);
        let ours = |a: &&Address| is_internal(**a) || homes.contains(&a.to_bytes()[..7]);
        best.iter().find(ours).or(best.first()).copied()
    }
}

/// TCP flags, fans, well-known ports, ephemeral ports, which side came first, the lower port: in this order.
pub fn is_client(ports: (u16, u16), fans: (usize, usize), list: &[Seen]) -> bool {
    let tcp = list[0].protocol == 6;
    let host_opened = tcp && list.iter().any(|r| r.flags & 2 != 0 && (r.flags & 16 == 0) == r.outbound);
    let remote_opened = tcp && list.iter().any(|r| r.flags & 2 != 0 && (r.flags & 16 == 0) != r.outbound);
    let first = |outbound| list.iter().filter(|r| r.outbound == outbound).map(|r| r.start).min().unwrap_or(i64::MAX);
    let signs = [
        (host_opened, remote_opened),
        (fans.1 > fans.0, fans.0 > fans.1),
        (ports.1 < 1_024, ports.0 < 1_024),
        (ports.1 < 32_768, ports.0 < 32_768),
        (first(true) < first(false), first(false) < first(true)),
        (ports.1 <= ports.0, ports.0 < ports.1),
    ];
    signs.into_iter().find(|(yes, no)| yes != no).is_some_and(|(yes, _)| yes)
}

/// Cuts the sorted records of one 4-tuple into connections within hours.
pub fn pieces(list: &[Seen], enis: &BTreeMap<Option<String>, Eni>) -> Vec<(i64, Vec<Seen>)> {
    let mut pieces: Vec<(i64, Vec<Seen>)> = Vec::new();
    for record in list {
        let hour_s = record.start - record.start.rem_euclid(3_600);
        let joins = pieces.last().is_some_and(|(hour, piece)| {
            let begin = piece.iter().map(|r| r.start).min().unwrap();
            let end = piece.iter().map(|r| r.start + r.duration).max().unwrap();
            let window = enis[&record.eni].window();
            let patience = match (record.flags_known, record.flags & 2 != 0, record.protocol) {
                (true, true, _) => return *hour == hour_s && record.start <= begin + 2,
                (true, false, _) => 4 * 3_600,
                (false, _, 6) => 2 * window,
                _ => window,
            };
            *hour == hour_s && record.start <= end + patience
        });
        if !joins {
            pieces.push((hour_s, Vec::new()));
        }
        pieces.last_mut().unwrap().1.push(record.clone());
    }
    pieces
}

pub type Key = (Address, Address, u8, u16, bool, Vantage, i64);

pub fn row_of(key: Key, pieces: Vec<(u16, Vec<Seen>)>, enis: &BTreeMap<Option<String>, Eni>) -> Row {
    let (host, remote, protocol, port, client, vantage, hour_s) = key;
    let all: Vec<&Seen> = pieces.iter().flat_map(|(_, piece)| piece).collect();
    let sum = |outbound: bool, pick: &dyn Fn(&Seen) -> u64| -> u64 {
        all.iter().filter(|r| r.outbound == outbound && !r.rejected).map(|r| pick(r)).sum()
    };
    let mut sizes: BTreeMap<u16, u32> = BTreeMap::new();
    let mut segments: Vec<Segment> = Vec::new();
    for (client_port, piece) in &pieces {
        let out = piece.iter().filter(|r| r.outbound && !r.rejected).map(|r| r.bytes).sum();
        *sizes.entry(bucket_of(out)).or_default() += 1;
        let opening = |r: &Seen| match (r.flags_known, r.flags & 2 != 0) {
            (true, true) => Opening::Opened,
            (true, false) => Opening::Continued,
            _ => Opening::Unknown,
        };
        segments.push(Segment {
            start_s: piece.iter().map(|r| r.start).min().unwrap(),
            end_s: piece.iter().map(|r| r.start + r.duration).max().unwrap(),
            client_port: *client_port,
            opening: piece.iter().map(opening).min().unwrap(),
        });
    }
    segments.sort();
    let started = segments.iter().filter(|s| s.opening != Opening::Continued).count() as u64;
    let rejected = all.iter().filter(|r| r.rejected).count() as u64;
    Row {
        host: host.to_string(),
        remote: remote.to_string(),
        protocol,
        port,
        role: if client { "client" } else { "server" },
        owner: ("123456789012".to_owned(), "eu-central-1".to_owned()),
        vantage,
        hour_s,
        interface: all.iter().filter_map(|r| r.eni.clone()).min(),
        service: all.iter().filter_map(|r| r.service.clone()).min(),
        window_s: all.iter().map(|r| enis[&r.eni].window() as u32).max().unwrap(),
        counts: [started, all.len() as u64, rejected],
        bytes: [sum(true, &|r| r.bytes), sum(false, &|r| r.bytes)],
        packets: [sum(true, &|r| r.packets), sum(false, &|r| r.packets)],
        seen_s: (segments[0].start_s, segments.iter().map(|s| s.end_s).max().unwrap()),
        segments,
        sizes: sizes.into_iter().collect(),
    }
}
