//! Texts by number: each is kept once, however many rows hold it.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use hashbrown::HashTable;

/// Bytes of a piece that texts are kept in. A longer text has one of its own.
const PIECE_BYTES: usize = 1 << 18;

/// Where a text is.
#[derive(Debug, Clone, Copy)]
struct Place {
    hash: u64,
    piece: u32,
    begin: u32,
    bytes: u32,
}

/// Texts, each once. The empty text has the number 0.
#[derive(Debug, Clone)]
pub(super) struct Texts {
    places: Vec<Place>,
    numbers: HashTable<u32>,
    pieces: Vec<String>,
    kept_bytes: usize,
}

impl Default for Texts {
    fn default() -> Self {
        let empty = Place { hash: hash_of(""), piece: 0, begin: 0, bytes: 0 };
        let mut numbers = HashTable::new();
        numbers.insert_unique(empty.hash, 0, |_| empty.hash);
        Self { places: vec![empty], numbers, pieces: vec![String::new()], kept_bytes: 0 }
    }
}

fn hash_of(text: &str) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    hasher.write(text.as_bytes());
    hasher.finish()
}

impl Texts {
    /// Returns a text by its number.
    #[inline]
    pub fn get(&self, number: u32) -> &str {
        let place = self.places[number as usize];
        let begin = place.begin as usize;
        &self.pieces[place.piece as usize][begin..begin + place.bytes as usize]
    }

    /// Returns the same as bytes, without a look at their beginning and their end.
    #[inline]
    fn bytes(&self, number: u32) -> &[u8] {
        let place = self.places[number as usize];
        let begin = place.begin as usize;
        &self.pieces[place.piece as usize].as_bytes()[begin..begin + place.bytes as usize]
    }

    /// Returns the number of a text, which may be known to be that of another. Texts are compared, not only hashed: others
    /// write them.
    #[inline]
    pub fn number(&mut self, text: &str, likely: u32) -> u32 {
        if text.is_empty() {
            0
        } else if self.bytes(likely) == text.as_bytes() {
            likely
        } else {
            self.looked_up(text)
        }
    }

    fn looked_up(&mut self, text: &str) -> u32 {
        let hash = hash_of(text);
        let is_same =
            |number: &u32| self.places[*number as usize].hash == hash && self.bytes(*number) == text.as_bytes();
        if let Some(number) = self.numbers.find(hash, is_same) {
            return *number;
        }
        let number = self.places.len() as u32;
        if self.pieces.last().is_none_or(|piece| piece.capacity() - piece.len() < text.len()) {
            let bytes = PIECE_BYTES.max(text.len());
            self.pieces.push(String::with_capacity(bytes));
            self.kept_bytes += bytes;
        }
        let (piece, begin) = (self.pieces.len() - 1, self.pieces.last().map_or(0, String::len));
        self.pieces[piece].push_str(text);
        self.places.push(Place { hash, piece: piece as u32, begin: begin as u32, bytes: text.len() as u32 });
        self.numbers.insert_unique(hash, number, |number| self.places[*number as usize].hash);
        number
    }

    /// Returns how many texts there are.
    pub const fn count(&self) -> usize {
        self.places.len()
    }

    /// Returns about how many bytes they take.
    pub fn held_bytes(&self) -> usize {
        // A table of numbers keeps an eighth of its room free.
        let number_bytes = size_of::<[u32; 8]>().div_ceil(7);
        self.kept_bytes + self.places.capacity() * (size_of::<Place>() + number_bytes)
    }

    /// Returns the place of each text in the order of all of them, by its number.
    pub fn ranks(&self) -> Vec<u32> {
        let mut numbers: Vec<u32> = (0..self.places.len() as u32).collect();
        numbers.sort_unstable_by_key(|number| self.bytes(*number));
        let mut ranks = vec![0; numbers.len()];
        for (rank, number) in numbers.into_iter().enumerate() {
            ranks[number as usize] = rank as u32;
        }
        ranks
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_longer_than_a_piece_has_one_of_its_own() {
        let mut texts = Texts::default();
        let long = "x".repeat(PIECE_BYTES + 1);
        let numbers = [texts.number("a", 0), texts.number(&long, 0), texts.number("b", 1), texts.number("a", 2)];
        assert_eq!(numbers, [1, 2, 3, 1]);
        assert_eq!([texts.get(1), texts.get(3)], ["a", "b"]);
        assert_eq!(texts.get(2), long);
    }

    proptest! {
        #[test]
        fn each_text_has_one_number_and_its_rank(words in prop::collection::vec("[a-c]{0,3}", 0..60), likely in 0u32..9) {
            let mut texts = Texts::default();
            let numbers: Vec<u32> =
                words.iter().map(|word| texts.number(word, likely.min(texts.count() as u32 - 1))).collect();
            let ranks = texts.ranks();
            for (a, at) in words.iter().zip(&numbers) {
                prop_assert_eq!(texts.get(*at), a);
                for (b, other) in words.iter().zip(&numbers) {
                    prop_assert_eq!(a.cmp(b), ranks[*at as usize].cmp(&ranks[*other as usize]));
                    prop_assert_eq!(a == b, at == other);
                }
            }
        }
    }
}
