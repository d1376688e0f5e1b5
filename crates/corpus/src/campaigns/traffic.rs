//! The connections of one stage, as the corpus goes on.

use std::collections::VecDeque;

use crate::campaigns::cast::Side;
use crate::random::Stream;
use crate::traffic::connection::Connection;
use crate::world::World;
use flow::codes::TCP;

/// A check-in with its controller, again and again.
#[derive(Clone, Debug)]
pub struct Beat {
    /// The implant's host, and the controller.
    pub from: Side,
    pub to: Side,
    pub port: u16,
    /// Milliseconds from the start of the corpus: the next check-in, and the end of all.
    pub next_ms: i64,
    pub until_ms: i64,
    /// Least sleep, and the most that is added to it.
    pub period_ms: f64,
    pub jitter_ms: f64,
    /// Typical payload bytes.
    pub bytes_out: u64,
    pub bytes_in: u64,
    pub draw: Stream,
}

/// The connections of a stage that have not begun yet.
#[derive(Clone, Debug, Default)]
pub struct StageTraffic {
    /// By ascending start.
    pub planned: VecDeque<Connection>,
    pub beat: Option<Beat>,
}

impl StageTraffic {
    /// Returns a stage of connections that are known at once.
    pub fn of(mut planned: Vec<Connection>) -> Self {
        planned.sort_by_key(|connection| (connection.begin, connection.server, connection.client_port));
        Self { planned: planned.into(), beat: None }
    }

    /// Appends the connections that start before `until_s` (seconds from the start of the corpus).
    pub fn advance(&mut self, world: &World, until_s: u32, connections: &mut Vec<Connection>) {
        while self.planned.front().is_some_and(|connection| connection.begin < until_s as i32) {
            connections.extend(self.planned.pop_front());
        }
        if let Some(beat) = &mut self.beat {
            beat.advance(world, until_s, connections);
        }
    }

    /// Estimates the rows of the stage in the whole corpus, over all interfaces that log it.
    pub fn rows(&self, world: &World, window_s: u32, span_s: u32) -> f64 {
        let end_s = f64::from(span_s);
        let windows = |c: &Connection| {
            let seen_s = (f64::from(c.end).min(end_s) - f64::from(c.begin)).max(0.0);
            vantage_rows(c) * (seen_s / f64::from(window_s) + 1.0)
        };
        let planned: f64 = self.planned.iter().map(windows).sum();
        let beats = self.beat.as_ref().map_or(0.0, |beat| {
            let sleep_s = (beat.period_ms + beat.jitter_ms / 2.0) / 1_000.0;
            let left_s = beat.until_ms.min(i64::from(span_s) * 1_000).saturating_sub(beat.next_ms) as f64 / 1_000.0;
            vantage_rows(&open(world, beat.from, beat.to, beat.port, 0, 0)) * (left_s.max(0.0) / sleep_s + 1.0)
        });
        planned + beats
    }
}

/// Returns the rows of a window of a connection, over all interfaces that log it.
fn vantage_rows(connection: &Connection) -> f64 {
    let ends = [connection.client, connection.server].into_iter().filter(|end| !end.is_external()).count();
    let rows = ends * 2 + if connection.nat.is_some() { 4 } else { 0 };
    if connection.rejected > 0 { ends as f64 } else { rows as f64 }
}

/// Opens a connection between two sides; length, bytes and ending are left to the caller.
pub fn open(world: &World, from: Side, to: Side, port: u16, begin: i32, draw: u64) -> Connection {
    match (from, to) {
        (Side::Inside(host), Side::Outside(remote)) => {
            Connection::outbound(world, host, remote, port, TCP, begin, draw)
        }
        _ => Connection::between(from.endpoint(), to.endpoint(), port, TCP, begin, draw),
    }
}

impl Beat {
    fn advance(&mut self, world: &World, until_s: u32, connections: &mut Vec<Connection>) {
        let until_ms = self.until_ms.min(i64::from(until_s) * 1_000);
        while self.next_ms < until_ms {
            let bits = self.draw.bits();
            let begin = (self.next_ms / 1_000) as i32;
            let mut call = open(world, self.from, self.to, self.port, begin, bits);
            call.bytes_out = self.bytes_out + self.draw.below(self.bytes_out / 30 + 2);
            call.bytes_in = self.bytes_in + self.draw.below(self.bytes_in / 30 + 2);
            let work_ms = self.draw.between(40, 250) as i64;
            call.end = ((self.next_ms + work_ms) / 1_000) as i32;
            connections.push(call);
            // The sleep starts when the work is done, so jitter accumulates.
            self.next_ms += work_ms + (self.period_ms + self.draw.share() * self.jitter_ms).max(50.0) as i64;
        }
    }
}
