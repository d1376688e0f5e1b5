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
/// silence is judged by [`is_kept`].
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn segment(client_port: u16, start_s: i64, end_s: i64, opening: Opening) -> Segment {
        Segment { start_s, client_port, end_s, opening }
    }

    #[test]
    fn ten_hours_of_keep_alive_are_one_connection() {
        let mut segments: Vec<Segment> =
            (0..600).map(|minute| segment(50_000, minute * 60, minute * 60 + 59, Opening::Unknown)).collect();
        let connections = stitch(&segments, TCP, 60);
        assert_eq!(connections, [Connection { start_s: 0, end_s: 599 * 60 + 59, started: true }]);
        for segment in &mut segments[1..] {
            segment.opening = Opening::Continued;
        }
        assert_eq!(stitch(&segments, TCP, 60).len(), 1);
    }

    /// A segment of a second on one port, every so many seconds.
    fn beats(port: u16, count: i64, period_s: i64, opening: Opening) -> Vec<Segment> {
        (0..count).map(|beat| segment(port, beat * period_s, beat * period_s + 1, opening)).collect()
    }

    #[test]
    fn a_keep_alive_without_flags_is_one_connection_however_long_its_silences() {
        for period_s in [130, 350, 351, 900, 7_200, 40_000] {
            let segments = beats(41_000, 50, period_s, Opening::Unknown);
            assert_eq!(stitch(&segments, TCP, 60).len(), 1, "{period_s}");
            // Of several at once each is one; what lies beyond the idle limit, or is no TCP, is not.
            let two = [segments.clone(), beats(41_001, 50, period_s, Opening::Unknown)].concat();
            assert_eq!(stitch(&two, TCP, 60).len(), 2, "{period_s}");
            assert_eq!(stitch(&segments, 17, 60).len(), 50, "{period_s}");
            // A SYN opens a connection, whatever the port.
            assert_eq!(stitch(&beats(41_000, 50, period_s, Opening::Opened), TCP, 60).len(), 50, "{period_s}");
        }
        assert_eq!(stitch(&beats(41_000, 5, TCP_IDLE_S + 2, Opening::Unknown), TCP, 60).len(), 5);
    }

    #[test]
    fn ports_that_are_chosen_again_stay_connections_of_their_own() {
        // A client of 28,232 ports, for many numbers of calls: hardly any port is taken for kept.
        for calls in [500i64, 3_000, 20_000, 60_000] {
            let mut state = 7u64;
            let mut segments = Vec::new();
            for call in 0..calls {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let port = 32_768 + ((state >> 33) % 28_232) as u16;
                segments.push(segment(port, call * 200, call * 200 + 1, Opening::Unknown));
            }
            let found = stitch(&segments, TCP, 60);
            assert!(found.len() as i64 >= calls - 5, "{} of {calls}", found.len());
        }
    }

    #[test]
    fn beats_on_new_ports_are_connections() {
        let segments: Vec<Segment> =
            (0..100).map(|beat| segment(40_000 + beat as u16, beat * 75, beat * 75 + 1, Opening::Opened)).collect();
        assert_eq!(stitch(&segments, TCP, 60).iter().filter(|c| c.started).count(), 100);
    }

    #[test]
    fn a_connection_from_before_the_data_is_no_start() {
        let segments = [segment(50_000, 0, 60, Opening::Continued), segment(50_000, 120, 180, Opening::Continued)];
        assert_eq!(stitch(&segments, TCP, 60), [Connection { start_s: 0, end_s: 180, started: false }]);
    }

    fn records() -> impl Strategy<Value = Vec<Segment>> {
        let record = (0u16..3, 0i64..20_000, 0i64..60, prop::bool::ANY);
        proptest::collection::vec(record, 0..60).prop_map(|records| {
            let known = |syn| if syn { Opening::Opened } else { Opening::Continued };
            records
                .into_iter()
                .map(|(port, start, length, syn)| segment(port, start, start + length, known(syn)))
                .collect()
        })
    }

    /// Every port by itself, its segments in order of time.
    fn slow_stitch(segments: &[Segment], gap_s: i64) -> Vec<Connection> {
        let mut connections = Vec::new();
        let mut ports: Vec<u16> = segments.iter().map(|segment| segment.client_port).collect();
        ports.sort_unstable();
        ports.dedup();
        for port in ports {
            let mut of_port: Vec<&Segment> = segments.iter().filter(|segment| segment.client_port == port).collect();
            of_port.sort_by_key(|segment| (segment.start_s, segment.opening, segment.end_s));
            let mut current: Option<Connection> = None;
            for segment in of_port {
                let joins = current.is_some_and(|current| match segment.opening {
                    Opening::Opened => segment.start_s - current.start_s <= SYN_SPREAD_S,
                    Opening::Continued => segment.start_s - current.end_s <= TCP_IDLE_S,
                    Opening::Unknown => segment.start_s - current.end_s <= gap_s,
                });
                match &mut current {
                    Some(current) if joins => {
                        current.end_s = current.end_s.max(segment.end_s);
                        current.started |= segment.opening == Opening::Opened;
                    }
                    _ => connections.extend(current.replace(Connection {
                        start_s: segment.start_s,
                        end_s: segment.end_s,
                        started: segment.opening != Opening::Continued,
                    })),
                }
            }
            connections.extend(current);
        }
        connections.sort();
        connections
    }

    proptest! {
        #[test]
        fn equals_a_slow_twin_pair_after_pair(pairs in prop::collection::vec(
            prop::collection::vec((0u16..40, 0i64..30_000, 0i64..600, 0u8..3), 0..60), 1..4,
        )) {
            let mut stitcher = Stitcher::default();
            for pair in pairs {
                let segments: Vec<Segment> = pair
                    .into_iter()
                    .map(|(port, start, length, code)| segment(port * 1_638, start, start + length, Opening::from_code(code)))
                    .collect();
                prop_assert_eq!(stitcher.stitch(&segments, 17, 60), slow_stitch(&segments, 60));
            }
        }

        #[test]
        fn segments_by_start_are_joined_as_any_others(
            mut ports in prop::collection::vec((0u16..400, 0i64..60, 0i64..9, 0u8..3), 0..90),
        ) {
            ports.sort_by_key(|(_, start, ..)| *start);
            let segments: Vec<Segment> = ports
                .into_iter()
                .map(|(port, start, length, code)| segment(port, 900 * start, 900 * start + length, Opening::from_code(code)))
                .collect();
            prop_assert_eq!(stitch(&segments, 17, 60), slow_stitch(&segments, 60));
        }

        #[test]
        fn order_does_not_matter(mut records in records(), seed in any::<u64>()) {
            let expected = stitch(&records, TCP, 60);
            let length = records.len().max(1) as u64;
            for i in (1..records.len()).rev() {
                let j = (seed.wrapping_mul(i as u64 + 1) % length) as usize % (i + 1);
                records.swap(i, j);
            }
            prop_assert_eq!(stitch(&records, TCP, 60), expected);
        }

        #[test]
        fn unknown_openings_join_as_a_slow_twin_does(times in proptest::collection::vec((0i64..5_000, 0i64..60), 1..40)) {
            // The slow twin: mark every half second that is within the gap of a record and count the islands; by half
            // seconds, since islands that only touch are two.
            let segments: Vec<Segment> =
                times.iter().map(|&(start, length)| segment(1, start, start + length, Opening::Unknown)).collect();
            let mut covered = vec![false; 20_000];
            for &(start, length) in &times {
                (2 * start..=2 * (start + length + 60)).for_each(|half| covered[half as usize] = true);
            }
            let islands = covered.windows(2).filter(|pair| !pair[0] && pair[1]).count() + usize::from(covered[0]);
            prop_assert_eq!(stitch(&segments, 17, 60).len(), islands);
        }
    }
}
