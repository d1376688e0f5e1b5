//! Connections across windows, hours and units: segments, and the rule by which they join.
//!
//! A segment is what one hour of one unit saw of one connection. The segments of a pair are kept as a multiset, so a
//! merge is a union: associative and free of order by construction. [`stitch`] turns them into connections at the end.

use flow::codes::TCP;

/// How a segment begins.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Opening {
    /// A SYN was seen: the connection starts here.
    Opened = 0,
    /// TCP flags are logged and there was no SYN: the connection started earlier.
    Continued = 1,
    /// TCP flags are unknown: a start if the 5-tuple was silent before.
    Unknown = 2,
}

impl Opening {
    /// Decodes the number that `pair_hours` keeps. Unknown numbers mean [`Opening::Unknown`].
    pub const fn from_code(code: u8) -> Self {
        match code {
            0 => Opening::Opened,
            1 => Opening::Continued,
            _ => Opening::Unknown,
        }
    }
}

/// Part of one connection, within one hour.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Segment {
    /// First packet's second since 1970.
    pub start_s: i64,
    /// Port of the client, which tells the connections of a pair apart.
    pub client_port: u16,
    /// Last packet's second since 1970.
    pub end_s: i64,
    /// How it begins.
    pub opening: Opening,
}

impl Segment {
    /// Returns a sort key: port, start, opening, end. One number is compared without a branch. Valid for times within
    /// four million years of 1970.
    fn order(&self) -> u128 {
        let start_s = (self.start_s + (1 << 47)) as u128 & ((1 << 48) - 1);
        let duration_s = (self.end_s - self.start_s) as u128 & ((1 << 62) - 1);
        u128::from(self.client_port) << 112 | start_s << 64 | (self.opening as u128) << 62 | duration_s
    }
}

/// SYNs of both directions of one connection are at most this far apart. A later SYN on the same ports opens another
/// connection.
pub const SYN_SPREAD_S: i64 = 2;

/// Longest silence of a TCP connection: the default idle limit of EC2's connection tracking for established TCP, five
/// days. NAT gateways and load balancers forget after 350 s, but whether one lies on the way is not logged.
pub const TCP_IDLE_S: i64 = 432_000;

/// How far before a window the hours are read whose connections may run into it. Twice the usual keep-alive of two
/// hours; a connection that was silent for longer counts as one start.
pub const LOOK_BACK_S: i64 = 4 * 3_600;

/// Returns the seconds of silence within which records of a 5-tuple without SYN surely are one connection.
///
/// One aggregation window for UDP and the like, whose clients often reuse a port; two for TCP without flags. A longer
/// silence is judged by `is_kept`.
pub const fn idle_gap_s(protocol: u8, window_s: u32) -> i64 {
    if protocol == TCP { 2 * window_s as i64 } else { window_s as i64 }
}

/// Ports that a client chooses from: Windows has the fewest, 49152 to 65535.
const CLIENT_PORTS: f64 = 16_384.0;

/// Fewest runs of records on a port that show that it is kept.
const MIN_KEPT_RUNS: usize = 3;

/// Most ports that may be taken for kept by chance, in expectation.
const MAX_KEPT_BY_CHANCE: f64 = 0.01;

/// Returns whether so many runs of records on one client port, among those of other ports of the pair, are one
/// connection that falls silent rather than a port that was chosen again.
///
/// Clients that choose a port for each connection meet `runs` times on some port in `n · λ^runs / runs!` cases, where
/// `n` is the number of ports and `λ` the other runs per port (the leading term of the Poisson tail). The port is kept
/// if that is at most a hundredth.
fn is_kept(runs: usize, other_runs: usize) -> bool {
    if runs < MIN_KEPT_RUNS {
        return false;
    }
    let per_port = other_runs as f64 / CLIENT_PORTS;
    let mut expected = CLIENT_PORTS;
    for run in 1..=runs {
        expected *= per_port / run as f64;
        // The terms only fall once there are more runs than others per port.
        if expected <= MAX_KEPT_BY_CHANCE && per_port <= run as f64 {
            return true;
        }
    }
    expected <= MAX_KEPT_BY_CHANCE
}

/// One connection of a pair.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Connection {
    /// First packet's second since 1970; the start if `started`.
    pub start_s: i64,
    /// Last packet's second since 1970.
    pub end_s: i64,
    /// The start was seen; otherwise the connection began before the data.
    pub started: bool,
}

impl Connection {
    /// Returns the connection that a segment is by itself.
    fn of(segment: &Segment) -> Self {
        let started = segment.opening != Opening::Continued;
        Self { start_s: segment.start_s, end_s: segment.end_s, started }
    }

    /// Returns a sort key that orders as `Ord` does.
    fn order(&self) -> u128 {
        let start_s = (self.start_s + (1 << 47)) as u128 & ((1 << 48) - 1);
        start_s << 80 | ((self.end_s - self.start_s) as u64 as u128) << 1 | u128::from(self.started)
    }
}

/// Joins the segments of one pair to connections, sorted by start. Segments may come in any order.
///
/// The segments of one client port are read in order of time. A segment joins the connection before it when it
/// continues it (no SYN, silence within [`TCP_IDLE_S`]), when its opening is unknown and the silence is at most
/// [`idle_gap_s`], or when its SYN lies within [`SYN_SPREAD_S`] of the connection's own.
///
/// TCP without flags has a second step: where the openings of all segments of a port are unknown, and the port met
/// again more often than by chance, its connections join over silences of up to [`TCP_IDLE_S`]: a keep-alive is one
/// connection, however rarely it speaks.
pub fn stitch(segments: &[Segment], protocol: u8, window_s: u32) -> Vec<Connection> {
    Stitcher::default().stitch(segments, protocol, window_s).to_vec()
}

/// Machine words of a set of ports.
const PORT_WORDS: usize = 1 << 10;

/// Does what [`stitch`] does for pair after pair, and reuses the buffers.
#[derive(Debug)]
pub struct Stitcher {
    /// The client ports of a pair's segments, one per bit; empty between pairs.
    once: Vec<u64>,
    /// The client ports of more than one segment.
    several: Vec<u64>,
    /// The segments of those ports.
    segments: Vec<Segment>,
    connections: Vec<Connection>,
    /// Ends of the runs of connections of one port, and whether all openings of that port are unknown.
    runs: Vec<(usize, bool)>,
}

impl Default for Stitcher {
    fn default() -> Self {
        let (once, several) = (vec![0; PORT_WORDS], vec![0; PORT_WORDS]);
        Self { once, several, segments: Vec::new(), connections: Vec::new(), runs: Vec::new() }
    }
}

fn bit_of(port: u16) -> (usize, u64) {
    (usize::from(port >> 6), 1 << (port & 63))
}

impl Stitcher {
    /// Returns the connections of one pair, as [`stitch`] does.
    pub fn stitch(&mut self, segments: &[Segment], protocol: u8, window_s: u32) -> &[Connection] {
        self.connections.clear();
        self.segments.clear();
        for segment in segments {
            let (word, bit) = bit_of(segment.client_port);
            self.several[word] |= self.once[word] & bit;
            self.once[word] |= bit;
        }
        // Most ports are used once a day. Their segments are connections already, so they need no sorting before the
        // join.
        for segment in segments {
            let (word, bit) = bit_of(segment.client_port);
            if self.several[word] & bit == 0 {
                self.connections.push(Connection::of(segment));
            } else {
                self.segments.push(*segment);
            }
        }
        for segment in segments {
            let (word, _) = bit_of(segment.client_port);
            (self.once[word], self.several[word]) = (0, 0);
        }
        let single = self.connections.len();
        self.join(idle_gap_s(protocol, window_s));
        if protocol == TCP {
            self.join_kept(single);
        }
        let (singles, joined) = self.connections.split_at_mut(single);
        sort_nearly(singles);
        joined.sort_unstable_by_key(Connection::order);
        if !self.connections.is_sorted_by_key(Connection::order) {
            // A stable sort finds the two runs and merges them.
            self.connections.sort_by_key(Connection::order);
        }
        &self.connections
    }

    /// Joins the segments of ports that have several.
    fn join(&mut self, gap_s: i64) {
        self.segments.sort_unstable_by_key(Segment::order);
        self.runs.clear();
        let mut port = None;
        for segment in &self.segments {
            let same_port = port == Some(segment.client_port);
            port = Some(segment.client_port);
            let unknown = segment.opening == Opening::Unknown;
            match self.runs.last_mut() {
                Some(run) if same_port => run.1 &= unknown,
                _ => self.runs.push((0, unknown)),
            }
            if same_port && let Some(last) = self.connections.last_mut() {
                let joins = match segment.opening {
                    Opening::Opened => segment.start_s <= last.start_s + SYN_SPREAD_S,
                    Opening::Continued => segment.start_s <= last.end_s + TCP_IDLE_S,
                    Opening::Unknown => segment.start_s <= last.end_s + gap_s,
                };
                if joins {
                    last.end_s = last.end_s.max(segment.end_s);
                    last.started |= segment.opening == Opening::Opened;
                    continue;
                }
            }
            self.connections.push(Connection::of(segment));
            if let Some(run) = self.runs.last_mut() {
                run.0 = self.connections.len();
            }
        }
    }

    /// Joins the connections of ports that are kept. `single` connections, of ports with one segment, come first.
    fn join_kept(&mut self, single: usize) {
        let all = self.connections.len();
        let (mut begin, mut kept_to) = (single, single);
        for (end, unknown) in &self.runs {
            let kept = *unknown && is_kept(end - begin, all - (end - begin));
            let first = kept_to;
            for at in begin..*end {
                let connection = self.connections[at];
                let last = self.connections[first..kept_to].last_mut();
                match last {
                    Some(last) if kept && connection.start_s <= last.end_s + TCP_IDLE_S => {
                        last.end_s = last.end_s.max(connection.end_s);
                    }
                    _ => {
                        self.connections[kept_to] = connection;
                        kept_to += 1;
                    }
                }
            }
            begin = *end;
        }
        self.connections.truncate(kept_to);
    }
}

/// Sorts connections. Fast where they come sorted by start, as hour after hour yields them: then only those that start
/// together are out of order.
fn sort_nearly(connections: &mut [Connection]) {
    if !connections.is_sorted_by_key(|connection| connection.start_s) {
        return connections.sort_unstable_by_key(Connection::order);
    }
    for together in connections.chunk_by_mut(|a, b| a.start_s == b.start_s).filter(|together| together.len() > 1) {
        together.sort_unstable_by_key(Connection::order);
    }
}

#[cfg(test)]
mod tests;
