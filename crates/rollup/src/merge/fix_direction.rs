//! Makes the hours of one connection agree on who opened it.
//!
//! The hour in which a connection opens has its SYN. A later hour has only the ports and the order of packets, which
//! prove nothing where both ports are ephemeral. Such a row is corrected when another hour of the same 5-tuple has
//! better evidence.

use super::merged_part::{MergedPart, RowAt};
use crate::pair_hours::row::{HourRow, PackedSegment, with_service};
use crate::segment::Opening;
use flow::codes::Role;
use flow::direction::EPHEMERAL_PORTS_FROM;
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use std::ops::Range;

/// Both ends of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct ConnectionEnds {
    /// Key of the pair whose service is the host's port, with the host as client.
    host_side: u128,
    remote_port: u16,
}

/// Evidence about one connection. Index 0: rows in which the host is the client; 1: rows in which it is the server.
#[derive(Clone, Copy, Debug)]
struct RoleEvidence {
    /// First second of a segment that begins with a SYN.
    opened_s: [u32; 2],
    /// First second of any segment.
    first_s: [u32; 2],
}

/// A row that may be wrong about the role of its host.
#[derive(Clone, Copy, Debug)]
struct DoubtfulRow {
    at: RowAt,
    ends: ConnectionEnds,
    role: Role,
    start_s: u32,
    /// The service's port if the host is the client (0) or the server (1).
    ports: [u16; 2],
}

/// Corrects the rows of one part whose host has the wrong role. Only rows of `hours_s` count, so that other hours which
/// happen to be known make no difference.
///
/// A row is corrected when it has one connection, without its SYN, and a row of the same 5-tuple with the other role
/// saw an earlier SYN. Where no row saw a SYN, the row with the first second of the connection is right; among equals
/// the one with the lower service port. The order of tables does not matter.
pub(crate) fn fix_direction(merged: &mut MergedPart<'_>, hours_s: &Range<i64>) {
    let doubtful = doubtful(merged, hours_s);
    if doubtful.is_empty() {
        return;
    }
    let mut evidence: HashMap<ConnectionEnds, RoleEvidence, FixedState> = HashMap::default();
    let mut keys: HashSet<u128, FixedState> = HashSet::default();
    for row in &doubtful {
        evidence.insert(row.ends, RoleEvidence { opened_s: [u32::MAX; 2], first_s: [u32::MAX; 2] });
        for (port, role) in row.ports.into_iter().zip([Role::Client, Role::Server]) {
            keys.insert(with_service(row.ends.host_side, port, role));
        }
    }
    merged.rows(hours_s, |at, row, segments| {
        let key = merged.key(at);
        if !keys.contains(&key) {
            return;
        }
        for segment in segments {
            let Some(evidence) = evidence.get_mut(&ends(key, row, segment)) else { continue };
            let side = row.role as usize;
            let start_s = segment.start_s();
            evidence.first_s[side] = evidence.first_s[side].min(start_s);
            if segment.opening() == Opening::Opened {
                evidence.opened_s[side] = evidence.opened_s[side].min(start_s);
            }
        }
    });
    for row in doubtful {
        if evidence.get(&row.ends).is_some_and(|evidence| is_wrong(&row, evidence)) {
            merged.swap_role(row.at);
        }
    }
}

/// Returns whether a row has the wrong role, given the evidence of all rows of its connection.
fn is_wrong(row: &DoubtfulRow, evidence: &RoleEvidence) -> bool {
    let (own, other) = (row.role as usize, 1 - row.role as usize);
    match evidence.opened_s.map(|opened_s| opened_s <= row.start_s) {
        opened if opened[own] != opened[other] => opened[other],
        [true, true] => false,
        _ => (evidence.first_s[other], row.ports[other]) < (evidence.first_s[own], row.ports[own]),
    }
}

/// Finds the rows of a single connection that does not begin with a SYN and whose ports leave a doubt.
fn doubtful(merged: &MergedPart<'_>, hours_s: &Range<i64>) -> Vec<DoubtfulRow> {
    let mut found = Vec::new();
    merged.rows(hours_s, |at, row, segments| {
        // Without TCP flags every segment counts as a start, and only two ephemeral ports leave a doubt.
        if row.connections > 0 && row.port < EPHEMERAL_PORTS_FROM {
            return;
        }
        let Some(first) = segments.first().filter(|_| row.segments_dropped == 0) else { return };
        let is_one = |segment: &PackedSegment| {
            segment.client_port() == first.client_port() && segment.opening() != Opening::Opened
        };
        if segments.iter().all(is_one) {
            let client_port = first.client_port();
            let ports = match row.role {
                Role::Client => [row.port, client_port],
                Role::Server => [client_port, row.port],
            };
            let start_s = first.start_s();
            found.push(DoubtfulRow { at, ends: ends(merged.key(at), row, first), role: row.role, start_s, ports });
        }
    });
    found
}

/// Returns the ends of a segment, given the key of its row.
fn ends(key: u128, row: &HourRow, segment: &PackedSegment) -> ConnectionEnds {
    let (host_port, remote_port) = match row.role {
        Role::Client => (segment.client_port(), row.port),
        Role::Server => (row.port, segment.client_port()),
    };
    ConnectionEnds { host_side: with_service(key, host_port, Role::Client), remote_port }
}
