//! Makes the hours of one connection agree on who opened it.
//!
//! The hour in which a connection opens has its SYN; a later hour has ports and whose packets came first, which tell
//! nothing where both ports are ephemeral. Such a row is turned around when another hour of the same 5-tuple knows better.

use super::merge::{MergedPart, RowAt};
use super::pair_hours::{HourRow, PackedSegment, with_service};
use super::segment::Opening;
use flow::codes::Role;
use flow::direction::EPHEMERAL_PORTS_FROM;
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use std::ops::Range;

/// Both ends of a connection: the key of the pair on the host's port, and the remote's port.
type Ends = (u128, u16);

/// What the hours of one connection say, as those see it to whom the host is its client (0) and its server (1).
#[derive(Clone, Copy, Debug)]
struct Told {
    /// First second of a segment that begins with a SYN.
    opened_s: [u32; 2],
    /// First second of any segment.
    first_s: [u32; 2],
}

/// A row that may be wrong about the role of its host.
#[derive(Clone, Copy, Debug)]
struct Doubtful {
    at: RowAt,
    ends: Ends,
    role: Role,
    start_s: u32,
    /// The ports that either reading takes for the service's.
    ports: [u16; 2],
}

/// Turns the rows of one part of all tables around that are wrong about the role of their host, of those of some hours:
/// what else happens to be known must make no difference.
///
/// A row is turned when it has one connection, without its SYN, and another row of the same 5-tuple with the other role
/// saw the SYN before; where none saw it, the row with the first second of the connection is right, and of equals that
/// with the lower service port. The order of tables makes no difference.
pub(super) fn turn(merged: &mut MergedPart<'_>, hours_s: &Range<i64>) {
    let doubtful = doubtful(merged, hours_s);
    if doubtful.is_empty() {
        return;
    }
    let mut told: HashMap<Ends, Told, FixedState> = HashMap::default();
    let mut keys: HashSet<u128, FixedState> = HashSet::default();
    for row in &doubtful {
        told.insert(row.ends, Told { opened_s: [u32::MAX; 2], first_s: [u32::MAX; 2] });
        for (port, role) in row.ports.into_iter().zip([Role::Client, Role::Server]) {
            keys.insert(with_service(row.ends.0, port, role));
        }
    }
    merged.rows(hours_s, |at, row, segments| {
        let key = merged.key(at);
        if !keys.contains(&key) {
            return;
        }
        for segment in segments {
            let Some(told) = told.get_mut(&ends(key, row, segment)) else { continue };
            let side = row.role as usize;
            let start_s = segment.start_s();
            told.first_s[side] = told.first_s[side].min(start_s);
            if segment.opening() == Opening::Opened {
                told.opened_s[side] = told.opened_s[side].min(start_s);
            }
        }
    });
    for row in doubtful {
        if told.get(&row.ends).is_some_and(|told| is_wrong(&row, told)) {
            merged.turn(row.at);
        }
    }
}

/// Tells whether a row has the wrong role by what all rows of its connection say.
fn is_wrong(row: &Doubtful, told: &Told) -> bool {
    let (own, other) = (row.role as usize, 1 - row.role as usize);
    match told.opened_s.map(|opened_s| opened_s <= row.start_s) {
        opened if opened[own] != opened[other] => opened[other],
        [true, true] => false,
        _ => (told.first_s[other], row.ports[other]) < (told.first_s[own], row.ports[own]),
    }
}

/// The rows of one connection each that does not begin with a SYN, and whose ports leave a doubt.
fn doubtful(merged: &MergedPart<'_>, hours_s: &Range<i64>) -> Vec<Doubtful> {
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
            found.push(Doubtful { at, ends: ends(merged.key(at), row, first), role: row.role, start_s, ports });
        }
    });
    found
}

/// The ends of a segment of a row whose key is given.
fn ends(key: u128, row: &HourRow, segment: &PackedSegment) -> Ends {
    let (host_port, remote_port) = match row.role {
        Role::Client => (segment.client_port(), row.port),
        Role::Server => (row.port, segment.client_port()),
    };
    (with_service(key, host_port, Role::Client), remote_port)
}
