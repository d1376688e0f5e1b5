//! The outer legs of forwarded exchanges: what a forwarder logs between its own address and a remote beyond it.
//!
//! The inner leg names both true ends, so the outer leg counts a second time, at the wrong host. One record cannot tell
//! an outer leg from the forwarder's own traffic, and the two legs may lie in different units. So they are left out
//! here, where all units are known, connection by connection: what has no inner leg is the forwarder's own.

use super::forwarder_codes::ForwarderCodes;
use super::gather_legs::{Place, forwarded_remotes, gather};
use super::judge_legs::judge;
use super::merged_part::{MergedTable, RowAt};
use super::outside_enis::outside_enis;
use super::remainder::Remainder;
use crate::options::IsInternal;
use crate::pair_hours::part::HourPart;
use crate::pair_hours::stored_part::StoredPart;
use crate::unit::parts::part_of;
use flow::Address;
use foldhash::fast::FixedState;
use hashbrown::HashSet;
use memory::{SpillError, lock};
use rayon::prelude::*;
use std::sync::{Arc, Mutex};

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
        // The rows of NAT gateways' own addresses never get here, so most sources have none.
        if forwarders.alone.is_empty() && !may_have_outer_legs(tables, parts, &forwarders) {
            return Ok(Self::default());
        }
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

/// Returns whether any row may have outer legs, as far as that shows without its remote.
fn may_have_outer_legs(
    tables: &[MergedTable<'_>],
    parts: &[Mutex<Vec<StoredPart>>],
    forwarders: &ForwarderCodes,
) -> bool {
    parts.par_iter().enumerate().any(|(part, stored)| {
        lock(stored).iter().zip(tables).enumerate().any(|(table, (stored, of_table))| {
            let place = Place { part, table };
            match stored {
                StoredPart::Kept(kept) => {
                    kept.rows.iter().any(|row| forwarders.is_outer(place, row, || of_table.code(row.host)))
                }
                StoredPart::Spilled(_) => forwarders.may_be_outer(place, stored),
            }
        })
    })
}
