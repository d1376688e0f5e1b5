//! The outer legs of forwarded exchanges: what a forwarder logs between its own address and a remote beyond it.
//!
//! The inner leg names both true ends, so the outer leg counts a second time, at the wrong host. One record cannot tell
//! an outer leg from the forwarder's own traffic, and the two legs may lie in different units. So they are left out
//! here, where all units are known, connection by connection: what has no inner leg is the forwarder's own.

use super::judge_legs::judge;
use super::legs::Legs;
use super::merged_part::{MergedTable, RowAt};
use super::outside_enis::outside_enis;
use super::remainder::Remainder;
use crate::options::IsInternal;
use crate::pair_hours::part::HourPart;
use crate::pair_hours::row::{HourRow, Vantage};
use crate::pair_hours::stored_part::StoredPart;
use crate::unit::packed::part_of;
use flow::Address;
use foldhash::fast::FixedState;
use hashbrown::HashSet;
use memory::{SpillError, lock};
use rayon::prelude::*;
use std::sync::{Arc, Mutex};

/// Who forwards, in the merger's codes.
#[derive(Debug, Default)]
pub(super) struct ForwarderCodes {
    /// Codes of the addresses of forwarders.
    pub(super) hosts: HashSet<u32, FixedState>,
    /// Whether each part has such a host.
    pub(super) parts: Vec<bool>,
    /// For each table, whether each of its ENIs is a forwarder's, by index of its name.
    pub(super) interfaces: Vec<Vec<bool>>,
    /// ENIs whose instance is not known: for each of them, the index of its name in each table.
    pub(super) alone: Vec<Vec<Option<u32>>>,
}

impl ForwarderCodes {
    fn is_forwarders(&self, table: usize, interface: u32) -> bool {
        self.interfaces.get(table).and_then(|of| of.get(interface as usize)).copied().unwrap_or(false)
    }

    fn has_host(&self, part: usize, host: impl FnOnce() -> u32) -> bool {
        self.parts.get(part).is_some_and(|has_some| *has_some) && self.hosts.contains(&host())
    }

    /// Returns whether a row may have outer legs. `host` returns the code of its host.
    fn is_outer(&self, place: Place, row: &HourRow, host: impl FnOnce() -> u32) -> bool {
        let by_name = row.vantage != Vantage::Transit && self.is_forwarders(place.table, row.interface);
        by_name || self.has_host(place.part, host)
    }

    /// Returns whether a row has inner legs. What a forwarder sends through another one is its outer leg.
    fn is_inner(&self, place: Place, row: &HourRow, host: impl FnOnce() -> u32) -> bool {
        row.vantage == Vantage::Transit && !self.has_host(place.part, host)
    }

    fn may_be_outer(&self, place: Place, stored: &StoredPart) -> bool {
        let by_name = || stored.own_interfaces().iter().any(|interface| self.is_forwarders(place.table, *interface));
        self.parts.get(place.part).is_some_and(|has_some| *has_some) || by_name()
    }
}

/// Indices of a part and a table.
#[derive(Clone, Copy)]
pub(super) struct Place {
    part: usize,
    pub(super) table: usize,
}

/// Rows with outer legs, by part: those in which nothing is the forwarder's own, and what is in others.
#[derive(Debug, Default)]
pub(super) struct OuterLegs {
    parts: Vec<Vec<(RowAt, Option<Remainder>)>>,
}

/// Outer legs that are matched at a time, which bounds the memory of their inner legs.
const LEGS_AT_A_TIME: usize = 1 << 21;

impl OuterLegs {
    /// Finds the outer legs in the parts of all tables. The order of tables makes no difference. `address_of` returns the
    /// address of a code.
    ///
    /// # Errors
    /// [`SpillError::Read`] when rows on disk cannot be read.
    pub(super) fn find(
        tables: &[MergedTable<'_>],
        parts: &[Mutex<Vec<StoredPart>>],
        mut forwarders: ForwarderCodes,
        address_of: &(dyn Fn(u32) -> Address + Sync),
        is_internal: &IsInternal<'_>,
    ) -> Result<Self, SpillError> {
        let forwarded = forwarded_remotes(tables, parts, &|code| is_internal(address_of(code)));
        if forwarded.is_empty() {
            return Ok(Self::default());
        }
        for host in outside_enis(tables, parts, &forwarders, &forwarded)? {
            forwarders.hosts.insert(host);
            forwarders.parts[part_of(address_of(host))] = true;
        }
        let mut outer = gather(
            tables,
            parts,
            |place, stored| forwarders.may_be_outer(place, stored),
            |place, row| {
                let table = &tables[place.table];
                forwarders.is_outer(place, row, || table.code(row.host)) && forwarded.contains(&table.code(row.remote))
            },
        )?;
        if outer.len() == 0 {
            return Ok(Self::default());
        }
        let passes = outer.len() / LEGS_AT_A_TIME + 1;
        let pass_of = |remote: u32| (remote.wrapping_mul(0x9e37_79b1) >> 8) as usize % passes;
        let remotes: HashSet<u32, FixedState> = outer.remotes().collect();
        let mut found: Vec<Vec<(RowAt, Option<Remainder>)>> = vec![Vec::new(); parts.len()];
        for pass in 0..passes {
            let outer = outer.take(|remote| pass_of(remote) == pass);
            let inner = gather(
                tables,
                parts,
                |place, stored| {
                    let table = &tables[place.table];
                    stored.forwarded_remotes().iter().any(|remote| remotes.contains(&table.code(*remote)))
                },
                |place, row| {
                    let (table, host) = (&tables[place.table], || tables[place.table].code(row.host));
                    let remote = table.code(row.remote);
                    forwarders.is_inner(place, row, host) && remotes.contains(&remote) && pass_of(remote) == pass
                },
            )?;
            for (part, at, remainder) in judge(outer, inner) {
                found[part].push((at, remainder));
            }
        }
        found.iter_mut().for_each(|rows| rows.sort_unstable_by_key(|(at, _)| *at));
        Ok(Self { parts: found })
    }

    /// Leaves the outer legs out of one part of all tables.
    pub(super) fn leave_out(&self, part: usize, loaded: &mut [Arc<HourPart>]) {
        let Some(rows) = self.parts.get(part) else { return };
        for of_table in rows.chunk_by(|a, b| a.0.table == b.0.table) {
            let Some(part) = loaded.get_mut(of_table[0].0.table as usize) else { continue };
            let part = Arc::make_mut(part);
            for (at, remainder) in of_table {
                if let Some(remainder) = remainder {
                    remainder.keep_in(part, at.row as usize);
                }
            }
            let mut gone =
                of_table.iter().filter(|(_, remainder)| remainder.is_none()).map(|(at, _)| at.row).peekable();
            let mut row = 0;
            part.rows.retain(|_| {
                let stays = gone.next_if_eq(&row).is_none();
                row += 1;
                stays
            });
        }
    }
}

/// Returns the remotes of inner legs that are not internal.
fn forwarded_remotes(
    tables: &[MergedTable<'_>],
    parts: &[Mutex<Vec<StoredPart>>],
    is_internal: &(dyn Fn(u32) -> bool + Sync),
) -> HashSet<u32, FixedState> {
    let of_part = |part: &Mutex<Vec<StoredPart>>| {
        let mut remotes: Vec<u32> = Vec::new();
        for (table, stored) in tables.iter().zip(&*lock(part)) {
            remotes.extend(stored.forwarded_remotes().iter().map(|remote| table.code(*remote)));
        }
        remotes.sort_unstable();
        remotes.dedup();
        remotes.retain(|remote| !is_internal(*remote));
        remotes
    };
    parts.par_iter().flat_map_iter(of_part).collect::<Vec<u32>>().into_iter().collect()
}

/// Gathers the legs in the rows that are wanted. `wants_part` spares the reading of parts on disk that have none.
pub(super) fn gather(
    tables: &[MergedTable<'_>],
    parts: &[Mutex<Vec<StoredPart>>],
    wants_part: impl Fn(Place, &StoredPart) -> bool + Sync,
    wants_row: impl Fn(Place, &HourRow) -> bool + Sync,
) -> Result<Legs, SpillError> {
    let of_part = |(part, stored): (usize, &Mutex<Vec<StoredPart>>)| {
        let mut legs = Legs::default();
        for ((table, stored), of_table) in lock(stored).iter().enumerate().zip(tables) {
            let place = Place { part, table };
            if stored.is_spilled() && !wants_part(place, stored) {
                continue;
            }
            let loaded = stored.load()?;
            for (row, of) in loaded.rows.iter().enumerate().filter(|(_, row)| wants_row(place, row)) {
                let begin = of.segments_at as usize;
                let segments = loaded.segments.get(begin..begin + usize::from(of.segments)).unwrap_or_default();
                let at = RowAt { table: table as u32, row: row as u32 };
                legs.add((part, at), of, of_table.key(of), segments);
            }
        }
        Ok(legs)
    };
    let of_parts = parts.par_iter().enumerate().map(of_part).collect::<Result<Vec<Legs>, SpillError>>()?;
    Ok(of_parts.into_iter().fold(Legs::default(), Legs::joined))
}
