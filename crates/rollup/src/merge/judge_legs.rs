//! Pairs outer legs with inner legs, and judges what is left of the rows of forwarders.

use super::legs::{Leg, Legs, Totals};
use super::merged_part::RowAt;
use super::remainder::Remainder;
use crate::segment::{Opening, SYN_SPREAD_S};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// Sentinel: no partner.
const ALONE: u32 = u32::MAX;

/// What two legs must share, and how many seconds apart they may begin.
type Pass = (fn(&Leg) -> u32, u32);

/// Pairs are sought from the surest sign to the weakest. Each inner leg has one outer leg at most. The port of a remote
/// stays the same through a forwarder, that of the host may.
const PASSES: [Pass; 4] =
    [(both_ports, u32::MAX), (size, SYN_SPREAD_S as u32), (size, u32::MAX), (remote_port, u32::MAX)];

fn both_ports(leg: &Leg) -> u32 {
    u32::from(leg.remote_port) << 16 | u32::from(leg.host_port)
}

fn size(leg: &Leg) -> u32 {
    u32::from(leg.remote_port) << 16 | u32::from(leg.bucket)
}

fn remote_port(leg: &Leg) -> u32 {
    u32::from(leg.remote_port)
}

/// An outer leg that was judged.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Judged {
    row: u32,
    segment: u16,
    /// Index of the row of its inner leg, or [`ALONE`].
    inner_row: u32,
    own: bool,
}

/// Returns the rows that have outer legs, each with the index of its part and what is left of it; `None` where nothing
/// is.
pub(super) fn judge(mut outer: Legs, mut inner: Legs) -> Vec<(usize, RowAt, Option<Remainder>)> {
    outer.sort();
    inner.sort();
    let logged = Logged::new(&outer, &inner);
    let mut judged: Vec<Judged> = Vec::with_capacity(outer.len());
    let mut pairing = Pairing::default();
    for of_forwarder in outer.legs.chunk_by(|a, b| (a.peers, a.host) == (b.peers, b.host)) {
        let beyond = Leg::among(&inner.legs, of_forwarder[0].peers);
        pairing.pair(of_forwarder, beyond);
        for (leg, partner) in of_forwarder.iter().zip(&pairing.partners) {
            let inner_row = beyond.get(*partner as usize).map_or(ALONE, |partner| partner.row);
            let own = inner_row == ALONE
                && (leg.opening == Opening::Opened
                    || !(logged.all_forwarded(&outer, leg) || is_continued(leg, &mut pairing.spans, beyond)));
            judged.push(Judged { row: leg.row, segment: leg.segment, inner_row, own });
        }
    }
    judged.sort_unstable();
    judged.chunk_by(|a, b| a.row == b.row).filter_map(|row| verdict(row, &outer, &inner)).collect()
}

fn verdict(legs: &[Judged], outer: &Legs, inner: &Legs) -> Option<(usize, RowAt, Option<Remainder>)> {
    let row = outer.rows[legs[0].row as usize];
    let own: Vec<u16> = legs.iter().filter(|leg| leg.own).map(|leg| leg.segment).collect();
    if own.len() == legs.len() {
        return None;
    }
    if own.is_empty() {
        return Some((row.part, row.at, None));
    }
    let mut inner_rows: Vec<u32> = legs.iter().map(|leg| leg.inner_row).filter(|row| *row != ALONE).collect();
    inner_rows.sort_unstable();
    let mut forwarded = Totals::default();
    for same in inner_rows.chunk_by(|a, b| a == b) {
        let of_row = &inner.rows[same[0] as usize];
        forwarded.add(&of_row.totals.share(same.len() as u32, of_row.segments));
    }
    Some((row.part, row.at, Some(Remainder { own, forwarded })))
}

/// Owner, remote, protocol, forwarder and hour.
type HourOfForwarder = (u128, u32, u32);

/// What both sides logged in each hour.
struct Logged {
    outer: HashMap<HourOfForwarder, Totals, FixedState>,
    inner: HashMap<(u128, u32), Totals, FixedState>,
}

impl Logged {
    fn new(outer: &Legs, inner: &Legs) -> Self {
        let mut logged = Self { outer: HashMap::default(), inner: HashMap::default() };
        // The first segment stands for its row.
        for leg in outer.legs.iter().filter(|leg| leg.segment == 0) {
            let row = &outer.rows[leg.row as usize];
            logged.outer.entry((leg.peers, leg.host, row.hour_s)).or_default().add(&row.totals);
        }
        for leg in inner.legs.iter().filter(|leg| leg.segment == 0) {
            let row = &inner.rows[leg.row as usize];
            logged.inner.entry((leg.peers, row.hour_s)).or_default().add(&row.totals);
        }
        logged
    }

    /// Returns whether a forwarder sent the remote no more in the hour of a leg than it got for it from inside. Then it
    /// sent nothing of its own, however its records are cut into segments.
    fn all_forwarded(&self, outer: &Legs, leg: &Leg) -> bool {
        let hour_s = outer.rows[leg.row as usize].hour_s;
        let sent = self.outer.get(&(leg.peers, leg.host, hour_s));
        let Some((sent, got)) = sent.zip(self.inner.get(&(leg.peers, hour_s))) else { return false };
        (0..2).all(|side| sent.packets[side] <= got.packets[side]) && sent.rejected <= got.rejected
    }
}

/// Returns whether a leg without a SYN lies within a connection from inside: then it is part of that connection, which
/// each side cuts into hours by records of its own.
fn is_continued(leg: &Leg, spans: &mut Spans, inner: &[Leg]) -> bool {
    leg.opening == Opening::Continued && spans.of(inner).overlaps(leg)
}

/// The times of inner legs by remote port and start, each with the last end so far; built when it is needed.
#[derive(Default)]
struct Spans {
    known: bool,
    ends: Vec<(u16, u32, u32)>,
}

impl Spans {
    fn of(&mut self, inner: &[Leg]) -> &Self {
        if !self.known {
            self.known = true;
            self.ends.extend(inner.iter().map(|leg| (leg.remote_port, leg.start_s, leg.end_s)));
            self.ends.sort_unstable();
            for same_port in self.ends.chunk_by_mut(|a, b| a.0 == b.0) {
                let mut last_s = 0;
                for span in same_port {
                    last_s = span.2.max(last_s);
                    span.2 = last_s;
                }
            }
        }
        self
    }

    fn overlaps(&self, leg: &Leg) -> bool {
        let patience_s = u32::from(leg.patience_s);
        let latest_s = leg.end_s.saturating_add(patience_s);
        let begun = self.ends.partition_point(|span| (span.0, span.1) <= (leg.remote_port, latest_s));
        let last = self.ends[..begun].last().filter(|span| span.0 == leg.remote_port);
        last.is_some_and(|span| span.2.saturating_add(patience_s) >= leg.start_s)
    }
}

/// Pairs the outer legs of one forwarder and remote with inner legs. The buffers are reused.
#[derive(Default)]
pub(super) struct Pairing {
    /// Index of the inner leg of each outer leg, or [`ALONE`].
    partners: Vec<u32>,
    taken: Vec<bool>,
    outer: Vec<u32>,
    inner: Vec<u32>,
    spans: Spans,
}

impl Pairing {
    fn pair(&mut self, outer: &[Leg], inner: &[Leg]) {
        self.pair_by(&PASSES, outer, inner);
    }

    /// Pairs legs of one size that begin together.
    pub(super) fn pair_alike(&mut self, outer: &[Leg], inner: &[Leg]) {
        self.pair_by(&[(size, SYN_SPREAD_S as u32)], outer, inner);
    }

    /// Returns how many legs have a partner.
    pub(super) fn paired(&self) -> usize {
        self.partners.iter().filter(|partner| **partner != ALONE).count()
    }

    fn pair_by(&mut self, passes: &[Pass], outer: &[Leg], inner: &[Leg]) {
        self.partners.clear();
        self.partners.resize(outer.len(), ALONE);
        self.taken.clear();
        self.taken.resize(inner.len(), false);
        self.spans.known = false;
        self.spans.ends.clear();
        for (sign, most_s) in passes {
            self.outer.clear();
            self.outer.extend((0u32..).zip(&self.partners).filter(|(_, partner)| **partner == ALONE).map(|(at, _)| at));
            self.inner.clear();
            self.inner.extend((0u32..).zip(&self.taken).filter(|(_, taken)| !**taken).map(|(at, _)| at));
            if self.outer.is_empty() || self.inner.is_empty() {
                return;
            }
            let order = |legs: &[Leg], at: u32| (sign(&legs[at as usize]), legs[at as usize].start_s, at);
            self.outer.sort_unstable_by_key(|at| order(outer, *at));
            self.inner.sort_unstable_by_key(|at| order(inner, *at));
            let mut next = 0;
            for at in &self.outer {
                let leg = &outer[*at as usize];
                let patience_s = u32::from(leg.patience_s).min(*most_s);
                let earliest = (sign(leg), leg.start_s.saturating_sub(patience_s));
                while let Some(other) = self.inner.get(next).map(|at| &inner[*at as usize]) {
                    if (sign(other), other.start_s) >= earliest {
                        break;
                    }
                    next += 1;
                }
                let Some(other) = self.inner.get(next) else { break };
                let partner = &inner[*other as usize];
                if sign(partner) == sign(leg) && partner.start_s <= leg.start_s.saturating_add(patience_s) {
                    self.partners[*at as usize] = *other;
                    self.taken[*other as usize] = true;
                    next += 1;
                }
            }
        }
    }
}
