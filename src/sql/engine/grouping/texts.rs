//! Texts of keys as 4-byte numbers, equal where the texts are equal.

use arrow::array::{Array, StringViewArray, StringViewBuilder};
use datafusion::execution::memory_pool::MemoryReservation;
use flow::dotted::write_v4;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use scan::{FIRST_INTERNED, NONE, TextNumbers, own_text_code};
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// There is no memory left, or no number for another text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OutOfMemory;

/// Texts that are not their own code, numbered in order of arrival.
#[derive(Debug)]
pub(super) struct Texts {
    dictionary: RwLock<Dictionary>,
    reserved: MemoryReservation,
    full: AtomicBool,
}

#[derive(Debug, Default)]
struct Dictionary {
    codes: HashMap<Arc<str>, u32, FixedState>,
    entries: Vec<Arc<str>>,
}

/// Memory of a text besides its bytes: its length, and its entries in the map and the list.
const ENTRY_BYTES: usize = 80;

impl Texts {
    /// Returns an empty dictionary; the memory of its texts is reserved in `reserved`.
    pub(super) fn new(reserved: MemoryReservation) -> Self {
        Self { dictionary: RwLock::default(), reserved, full: AtomicBool::new(false) }
    }

    /// Returns whether there was no memory or number for a text.
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Returns the code of each text, adding new ones.
    ///
    /// # Errors
    /// [`OutOfMemory`] when there is no memory or number for them.
    fn enter<'a>(&self, texts: impl Iterator<Item = &'a str> + Clone) -> Result<Vec<u32>, OutOfMemory> {
        let known: Vec<u32> = {
            let dictionary = self.dictionary.read().unwrap_or_else(PoisonError::into_inner);
            texts.clone().map(|text| dictionary.codes.get(text).copied().unwrap_or(NONE)).collect()
        };
        if !known.contains(&NONE) {
            return Ok(known);
        }
        let mut dictionary = self.dictionary.write().unwrap_or_else(PoisonError::into_inner);
        let Dictionary { codes, entries } = &mut *dictionary;
        known
            .into_iter()
            .zip(texts)
            .map(|(code, text)| {
                if code != NONE {
                    return Ok(code);
                }
                if let Some(code) = codes.get(text) {
                    return Ok(*code);
                }
                let code = u32::try_from(entries.len()).ok().and_then(|place| FIRST_INTERNED.checked_add(place));
                let code = code.filter(|code| *code < NONE).ok_or(OutOfMemory)?;
                self.reserved.try_grow(text.len() + ENTRY_BYTES).map_err(|_| OutOfMemory)?;
                let text: Arc<str> = text.into();
                entries.push(text.clone());
                codes.insert(text, code);
                Ok(code)
            })
            .collect()
    }

    /// Writes the texts that belong to codes.
    pub(super) fn write(&self, codes: impl Iterator<Item = u32>, count: usize) -> StringViewArray {
        let dictionary = self.dictionary.read().unwrap_or_else(PoisonError::into_inner);
        let mut texts = StringViewBuilder::with_capacity(count).with_fixed_block_size(BLOCK_BYTES);
        let mut dotted = [0; 15];
        for code in codes {
            match code {
                NONE => texts.append_null(),
                FIRST_INTERNED.. => match dictionary.entries.get((code - FIRST_INTERNED) as usize) {
                    Some(text) => texts.append_value(text),
                    None => texts.append_null(),
                },
                bits => {
                    let length = write_v4(bits, &mut dotted);
                    texts.append_value(std::str::from_utf8(&dotted[..length]).unwrap_or_default());
                }
            }
        }
        texts.finish()
    }
}

/// For the scan. Where there is no number for a text, the run is full and its groups are not used.
impl TextNumbers for Texts {
    fn numbers(&self, texts: &[&str]) -> Vec<u32> {
        self.enter(texts.iter().copied()).unwrap_or_else(|OutOfMemory| {
            self.full.store(true, Ordering::Relaxed);
            vec![NONE; texts.len()]
        })
    }
}

/// Long texts of a column are stored in blocks of this size.
const BLOCK_BYTES: u32 = 128 << 10;

/// Entries of a thread's cache of recent texts, a power of two.
const SEEN: usize = 1 << 10;

/// Returns the codes of texts on one thread, and caches those it has asked the dictionary for.
pub(super) struct Coder {
    texts: Arc<Texts>,
    seen: Vec<(String, u32)>,
    hash: FixedState,
    missed: Vec<usize>,
}

impl Coder {
    /// Returns a thread's view of a dictionary.
    pub(super) fn new(texts: Arc<Texts>) -> Self {
        Self { texts, seen: Vec::new(), hash: FixedState::default(), missed: Vec::new() }
    }

    /// Writes the codes of a column to `codes`, replacing its contents; a missing text has the code [`NONE`].
    ///
    /// # Errors
    /// [`OutOfMemory`] when there is no memory for new texts.
    pub(super) fn codes(&mut self, column: &StringViewArray, codes: &mut Vec<u32>) -> Result<(), OutOfMemory> {
        codes.clear();
        self.missed.clear();
        for row in 0..column.len() {
            if column.is_null(row) {
                codes.push(NONE);
                continue;
            }
            let text = column.value(row);
            let code = own_text_code(text.as_bytes()).or_else(|| self.remembered(text));
            if code.is_none() {
                self.missed.push(row);
            }
            codes.push(code.unwrap_or(NONE));
        }
        if self.missed.is_empty() {
            return Ok(());
        }
        let entered = self.texts.enter(self.missed.iter().map(|row| column.value(*row)))?;
        for (row, code) in self.missed.iter().zip(entered) {
            codes[*row] = code;
            let text = column.value(*row);
            if self.seen.is_empty() {
                self.seen.resize_with(SEEN, || (String::new(), NONE));
            }
            let (known, known_code) = &mut self.seen[self.hash.hash_one(text) as usize & (SEEN - 1)];
            known.clear();
            known.push_str(text);
            *known_code = code;
        }
        Ok(())
    }

    /// Returns the code of a text that is in the cache. An empty entry has no code.
    fn remembered(&self, text: &str) -> Option<u32> {
        let (known, code) = self.seen.get(self.hash.hash_one(text) as usize & (SEEN - 1))?;
        (known == text && *code != NONE).then_some(*code)
    }
}

#[cfg(test)]
mod unit {
    use super::*;
    use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, UnboundedMemoryPool};

    #[test]
    fn equal_texts_have_equal_codes_on_all_threads() {
        let pool: Arc<dyn MemoryPool> = Arc::new(UnboundedMemoryPool::default());
        let texts = Arc::new(Texts::new(MemoryConsumer::new("t").register(&pool)));
        let column = |seed: usize| -> StringViewArray {
            (0..5_000)
                .map(|row| {
                    let number = (row * 7 + seed) % 3_001;
                    match number % 5 {
                        0 => None,
                        1 => Some(format!("10.0.{}.{}", number / 250, number % 250)),
                        2 => Some(format!("2001:db8::{number:x}")),
                        3 => Some(format!("eni-{number:017}")),
                        _ => Some(if number.is_multiple_of(2) { "010.0.0.1".to_owned() } else { String::new() }),
                    }
                })
                .collect()
        };
        std::thread::scope(|scope| {
            for seed in 0..4 {
                let (texts, column) = (texts.clone(), column(seed));
                scope.spawn(move || {
                    let (mut coder, mut codes) = (Coder::new(texts.clone()), Vec::new());
                    for from in [0, 2_000, 4_000] {
                        let part = column.slice(from, 1_000);
                        coder.codes(&part, &mut codes).unwrap();
                        assert_eq!(texts.write(codes.iter().copied(), codes.len()), part);
                    }
                });
            }
        });
    }
}
