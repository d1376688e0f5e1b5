//! Rows and their texts by number, for the fold.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::row::RowKey;

/// Texts, each once, by number.
#[derive(Debug, Clone, Default)]
pub(super) struct Texts {
    texts: Vec<Box<str>>,
    places: HashTable<u32>,
}

impl Texts {
    pub fn get(&self, number: u32) -> &str {
        &self.texts[number as usize]
    }

    pub fn number(&mut self, text: &str) -> u32 {
        let state = FixedState::default();
        let hash = state.hash_one(text);
        if let Some(number) = self.places.find(hash, |number| &*self.texts[*number as usize] == text) {
            return *number;
        }
        let number = self.texts.len() as u32;
        self.texts.push(text.into());
        self.places.insert_unique(hash, number, |number| state.hash_one(&*self.texts[*number as usize]));
        number
    }
}

/// Rows, each once, by number.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    texts: Texts,
    keys: Vec<RowKey<u32>>,
    hashes: Vec<u64>,
    places: HashTable<u32>,
}

fn hash_of(key: &RowKey<&str>) -> u64 {
    FixedState::default().hash_one(key)
}

impl Rows {
    pub const fn count(&self) -> usize {
        self.keys.len()
    }

    pub fn key(&self, row: u32) -> RowKey<&str> {
        self.keys[row as usize].map(|number| self.texts.get(number))
    }

    /// Returns the row of a key. Texts are compared, not only hashed: others write them.
    pub fn number(&mut self, key: &RowKey<&str>) -> u32 {
        let hash = hash_of(key);
        let known = self.places.find(hash, |row| self.hashes[*row as usize] == hash && self.key(*row) == *key);
        if let Some(row) = known {
            return *row;
        }
        let row = self.keys.len() as u32;
        let numbered = key.map(|text| self.texts.number(text));
        self.keys.push(numbered);
        self.hashes.push(hash);
        self.places.insert_unique(hash, row, |row| self.hashes[*row as usize]);
        row
    }
}
