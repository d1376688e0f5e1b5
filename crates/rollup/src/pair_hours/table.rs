//! The `pair_hours` table in memory: rows of 96 bytes and their connection segments, in parts by host.

use super::hour::LoadedHours;
use super::lookup::LookupTables;
use super::stored_part::{SharedReservation, StoredPart};
use crate::unit::parts::PARTS;
use memory::{Memory, Purpose, SpillError};
use std::sync::Arc;

/// A `pair_hours` table. Rows are sorted by part of the host, then by host, remote, protocol, port, role, owner,
/// vantage and hour. Addresses sort by their codes, which puts IPv4 first.
///
/// Parts that do not fit into memory are on disk. Two parts on disk are equal only when they are the same bytes of the
/// same file. A clone shares its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairHours {
    /// One for each part of hosts.
    pub(crate) parts: Vec<StoredPart>,
    pub(crate) lookup: Arc<LookupTables>,
    pub(crate) held: SharedReservation,
}

impl Default for PairHours {
    fn default() -> Self {
        Self { parts: vec![StoredPart::default(); PARTS], lookup: Arc::default(), held: SharedReservation::default() }
    }
}

impl PairHours {
    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.parts.iter().map(StoredPart::rows).sum()
    }

    /// Returns whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.parts.iter().all(|part| part.rows() == 0)
    }

    /// Loads all rows into memory, in order.
    ///
    /// # Errors
    /// [`SpillError::Read`] when rows on disk cannot be read.
    pub fn hours(&self) -> Result<LoadedHours<'_>, SpillError> {
        let parts = self.parts.iter().map(StoredPart::load).collect::<Result<_, _>>()?;
        Ok(LoadedHours { lookup: &self.lookup, parts })
    }

    /// Loads the rows of some parts into memory, in order. Parts that do not exist have none.
    pub(crate) fn hours_of(&self, parts: std::ops::Range<usize>) -> Result<LoadedHours<'_>, SpillError> {
        let parts = self.parts.get(parts).unwrap_or_default();
        Ok(LoadedHours { lookup: &self.lookup, parts: parts.iter().map(StoredPart::load).collect::<Result<_, _>>()? })
    }

    /// Returns the same table with all of it in memory.
    ///
    /// # Errors
    /// [`SpillError::Read`] when rows on disk cannot be read.
    pub fn loaded(&self) -> Result<Self, SpillError> {
        let parts = self.parts.iter().map(|part| part.load().map(StoredPart::Kept));
        Ok(Self {
            parts: parts.collect::<Result<_, _>>()?,
            lookup: self.lookup.clone(),
            held: SharedReservation::default(),
        })
    }

    /// Reserves memory for a table that was read, and spills the parts that do not fit.
    ///
    /// # Errors
    /// [`SpillError`] when a part cannot be written.
    pub fn within(mut self, memory: &Memory) -> Result<Self, SpillError> {
        let mut held = memory.reserve(Purpose::Hours);
        held.grow(self.lookup.memory_bytes());
        for stored in &mut self.parts {
            if let StoredPart::Kept(part) = stored {
                *stored = StoredPart::store_shared(std::mem::take(part), &mut held)?;
            }
        }
        self.held = SharedReservation::new(held);
        Ok(self)
    }

    /// Returns the first and last hour of any row, in seconds since 1970; `None` for an empty table.
    pub fn hour_range(&self) -> Option<(i64, i64)> {
        let hours = || self.parts.iter().filter_map(StoredPart::hours);
        let (first, last) = (hours().map(|hours| hours.0).min()?, hours().map(|hours| hours.1).max()?);
        Some((i64::from(first), i64::from(last)))
    }
}
