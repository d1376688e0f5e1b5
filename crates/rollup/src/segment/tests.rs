//! Segments and connections, against slow twins.

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
        records.into_iter().map(|(port, start, length, syn)| segment(port, start, start + length, known(syn))).collect()
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
