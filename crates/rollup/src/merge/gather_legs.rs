//! Gathers the legs of forwarded exchanges from the parts of all tables.

use super::legs::Legs;
use super::merged_part::{MergedTable, RowAt};
use crate::pair_hours::row::HourRow;
use crate::pair_hours::stored_part::StoredPart;
use foldhash::fast::FixedState;
use hashbrown::HashSet;
use memory::{SpillError, lock};
use rayon::prelude::*;
use std::sync::Mutex;

/// Indices of a part and a table.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) part: usize,
    pub(super) table: usize,
}

/// Returns the remotes of inner legs that are not internal.
pub(super) fn forwarded_remotes(
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
