//! Groups of one part: rows of words, found by the hash of their keys.

use super::shape::{Fold, RowLayout};

/// Groups by their keys, each with its aggregates.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// The low half of a group's hash, then the index of its row, counted from 1; 0 where there is none.
    slots: Vec<u64>,
    rows: Vec<u64>,
    groups: usize,
}

/// Returns the hash of a row's keys.
#[inline(always)]
pub(super) fn hash_of(key: &[u64]) -> u64 {
    let mut hash = 0x9e37_79b9_7f4a_7c15;
    for word in key {
        let product = u128::from(hash ^ word) * 0xa076_1d64_78bd_642f;
        hash = product as u64 ^ (product >> 64) as u64;
    }
    hash ^ hash >> 29
}

/// Folds the states of one row into those of another.
#[inline(always)]
fn combine(layout: &RowLayout, known: &mut [u64], row: &[u64]) {
    let mut at = layout.key_words;
    if layout.has_flags {
        known[at] |= row[at];
        at += 1;
    }
    for (fold, (known, new)) in layout.folds.iter().zip(known[at..].iter_mut().zip(&row[at..])) {
        *known = match fold {
            Fold::Add => known.wrapping_add(*new),
            Fold::Min => (*known as i64).min(*new as i64) as u64,
            Fold::Max => (*known as i64).max(*new as i64) as u64,
        };
    }
}

/// Number of rows to prefetch slots for, so that the cache misses overlap.
pub(super) const TOGETHER: usize = 64;

impl Table {
    /// Returns the number of groups.
    pub(super) fn groups(&self) -> usize {
        self.groups
    }

    /// Returns the rows of all groups.
    pub(super) fn rows(&self) -> &[u64] {
        &self.rows
    }

    /// Returns the bytes of memory that the table uses.
    pub(super) fn bytes(&self) -> usize {
        (self.slots.capacity() + self.rows.capacity()) * size_of::<u64>()
    }

    /// Returns the bytes by which [`Table::make_room`] would grow the table.
    pub(super) fn growth(&self, layout: &RowLayout, count: usize) -> usize {
        let (slots, rows) = self.sizes(layout, count);
        // The old slots and rows live until they are copied.
        let grown = |new: usize, old: usize| if new > old { new } else { 0 };
        (grown(slots, self.slots.len()) + grown(rows, self.rows.capacity())) * size_of::<u64>()
    }

    /// Slots, and words of rows, for `count` more groups.
    fn sizes(&self, layout: &RowLayout, count: usize) -> (usize, usize) {
        let most = self.groups + count;
        // At most two thirds full.
        let slots = (most + most / 2 + 1).next_power_of_two().max(self.slots.len());
        let words = most * layout.words;
        let capacity = self.rows.capacity();
        let rows = if words > capacity { words.max(capacity + capacity / 2) } else { capacity };
        (slots, rows)
    }

    /// Reserves room for `count` more groups.
    pub(super) fn make_room(&mut self, layout: &RowLayout, count: usize) {
        let (slots, rows) = self.sizes(layout, count);
        if slots > self.slots.len() {
            let mask = slots - 1;
            let mut grown = vec![0u64; slots];
            for slot in self.slots.iter().filter(|slot| **slot != 0) {
                let mut at = (slot >> 32) as usize & mask;
                while grown[at] != 0 {
                    at = (at + 1) & mask;
                }
                grown[at] = *slot;
            }
            self.slots = grown;
        }
        if rows > self.rows.capacity() {
            self.rows.reserve_exact(rows - self.rows.len());
        }
    }

    /// Folds rows with their hashes into the table until it would have more than `most` groups; returns how many rows
    /// were folded. The table must have room for a group per row, up to `most`.
    pub(super) fn fold(&mut self, layout: &RowLayout, rows: &[u64], hashes: &[u64], most: usize) -> usize {
        match layout.key_words {
            1 => self.fold_keys::<1>(layout, rows, hashes, most),
            2 => self.fold_keys::<2>(layout, rows, hashes, most),
            3 => self.fold_keys::<3>(layout, rows, hashes, most),
            4 => self.fold_keys::<4>(layout, rows, hashes, most),
            _ => self.fold_keys::<0>(layout, rows, hashes, most),
        }
    }

    /// [`Table::fold`] with the number of words of a key, or 0 for any number.
    fn fold_keys<const K: usize>(&mut self, layout: &RowLayout, rows: &[u64], hashes: &[u64], most: usize) -> usize {
        let words = layout.words;
        let key = if K > 0 { K } else { layout.key_words };
        let mask = self.slots.len().wrapping_sub(1);
        for (chunk, (rows, hashes)) in rows.chunks(words * TOGETHER).zip(hashes.chunks(TOGETHER)).enumerate() {
            self.touch(words, mask, hashes);
            for (place, (row, hash)) in rows.chunks_exact(words).zip(hashes).enumerate() {
                let tag = *hash & 0xffff_ffff;
                let mut at = tag as usize & mask;
                loop {
                    let slot = self.slots[at];
                    if slot == 0 {
                        if self.groups == most {
                            return chunk * TOGETHER + place;
                        }
                        self.groups += 1;
                        self.slots[at] = tag << 32 | self.groups as u64;
                        self.rows.extend_from_slice(row);
                        break;
                    }
                    if slot >> 32 == tag {
                        let from = (slot as u32 as usize - 1) * words;
                        let known = &mut self.rows[from..from + words];
                        if known[..key] == row[..key] {
                            combine(layout, known, row);
                            break;
                        }
                    }
                    at = (at + 1) & mask;
                }
            }
        }
        hashes.len()
    }

    /// Prefetches the slots and rows that some hashes will most likely need.
    #[inline]
    fn touch(&self, words: usize, mask: usize, hashes: &[u64]) {
        let mut slots = [0u32; TOGETHER];
        for (slot, hash) in slots.iter_mut().zip(hashes) {
            *slot = self.slots.get(*hash as u32 as usize & mask).map_or(0, |slot| *slot as u32);
        }
        let mut seen = 0;
        for slot in &slots[..hashes.len().min(TOGETHER)] {
            let from = (*slot as usize).saturating_sub(1) * words;
            seen ^= self.rows.get(from).copied().unwrap_or(0);
        }
        std::hint::black_box(seen);
    }

    /// Removes all groups and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.slots.fill(0);
        self.rows.clear();
        self.groups = 0;
    }
}
