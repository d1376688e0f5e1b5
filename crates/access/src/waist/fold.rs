//! Rows by number, for the fold.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::row::{RowHead, RowKey, TEXTS};

/// A row's key as it is kept: the texts in one piece, so that one comparison tells whether they are the same.
#[derive(Debug, Clone)]
struct Kept {
    head: RowHead,
    ends: [u32; TEXTS],
    text: Box<str>,
    hash: u64,
}

/// Rows, each once, by number.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    kept: Vec<Kept>,
    places: HashTable<u32>,
    /// The texts of the key that is looked up.
    joined: String,
}

impl Rows {
    pub const fn count(&self) -> usize {
        self.kept.len()
    }

    pub fn key(&self, row: u32) -> RowKey<'_> {
        let kept = &self.kept[row as usize];
        let mut begin = 0;
        let texts = kept.ends.map(|end| {
            let text = &kept.text[begin..end as usize];
            begin = end as usize;
            text
        });
        RowKey { head: kept.head, texts }
    }

    /// Returns the row of a key. Texts are compared, not only hashed: others write them.
    pub fn number(&mut self, key: &RowKey<'_>) -> u32 {
        self.joined.clear();
        let ends = key.texts.map(|text| {
            self.joined.push_str(text);
            self.joined.len() as u32
        });
        let mut hasher = FixedState::default().build_hasher();
        hasher.write(self.joined.as_bytes());
        hasher.write_i64(key.head.hour_s);
        hasher.write_u32(u32::from_le_bytes(key.head.codes()));
        let hash = hasher.finish();

        let is_same = |row: &u32| {
            let kept = &self.kept[*row as usize];
            kept.hash == hash && kept.head == key.head && kept.ends == ends && *kept.text == *self.joined
        };
        if let Some(row) = self.places.find(hash, is_same) {
            return *row;
        }
        let row = self.kept.len() as u32;
        self.kept.push(Kept { head: key.head, ends, text: self.joined.as_str().into(), hash });
        self.places.insert_unique(hash, row, |row| self.kept[*row as usize].hash);
        row
    }
}
