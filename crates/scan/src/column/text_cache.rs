//! A thread's cache of texts and their codes: only misses go to the interners, which all threads share.

use foldhash::fast::FixedState;
use parquet::errors::Result;
use std::hash::BuildHasher;

/// Longest text that is cached, in bytes; an ENI's name has 21, an IPv6 address at most 39.
const MAX_TEXT_BYTES: usize = 43;
/// Slots that are probed for a text; if all are taken, the first is overwritten.
const PROBES: usize = 4;
/// Initial and maximum number of slots, powers of two. The maximum takes 1.5 MB, about one core's own cache.
const MIN_SLOTS: usize = 1 << 10;
const MAX_SLOTS: usize = 1 << 15;

/// Texts that are looked up together.
const LOOKUPS: usize = 16;

/// A text and its code, so that one memory access reads both.
#[derive(Clone, Copy)]
struct Slot {
    text: [u8; MAX_TEXT_BYTES],
    /// 0 for none.
    length: u8,
    code: u32,
}

const FREE: Slot = Slot { text: [0; MAX_TEXT_BYTES], length: 0, code: 0 };

impl Slot {
    #[inline]
    fn text(&self) -> &[u8] {
        &self.text[..usize::from(self.length)]
    }
}

/// Returns whether two short texts are equal, without a call to `memcmp`.
#[inline]
fn are_equal(one: &[u8], other: &[u8]) -> bool {
    let ((words, rest), (other_words, other_rest)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    one.len() == other.len()
        && words.iter().zip(other_words).all(|(a, b)| u64::from_ne_bytes(*a) == u64::from_ne_bytes(*b))
        && rest.iter().zip(other_rest).all(|(a, b)| a == b)
}

/// Codes of texts, as many as fit.
#[derive(Default)]
pub(crate) struct TextCache {
    slots: Vec<Slot>,
    filled: usize,
    hash: FixedState,
}

impl TextCache {
    fn first_slot(&self, text: &[u8]) -> usize {
        self.hash.hash_one(text) as usize
    }

    /// Returns the code of a cached text.
    #[inline]
    pub(crate) fn get(&self, text: &[u8]) -> Option<u32> {
        self.get_at(text, self.first_slot(text))
    }

    /// Like [`Self::get`], for a text whose first slot is known.
    #[inline]
    fn get_at(&self, text: &[u8], first: usize) -> Option<u32> {
        if self.slots.is_empty() || text.is_empty() {
            return None;
        }
        let mask = self.slots.len() - 1;
        for at in first..first + PROBES {
            let slot = &self.slots[at & mask];
            if are_equal(slot.text(), text) {
                return Some(slot.code);
            }
            if slot.length == 0 {
                break;
            }
        }
        None
    }

    /// Passes the code of each text to `found`, `None` where a text is not cached.
    ///
    /// The slots of all texts are touched before any is compared: each access waits for memory, and these waits
    /// overlap.
    pub(crate) fn get_all(&self, texts: &[&[u8]], mut found: impl FnMut(usize, Option<u32>)) {
        let mut probes = [(0, false); LOOKUPS];
        for (chunk, begin) in texts.chunks(LOOKUPS).zip((0..).step_by(LOOKUPS)) {
            for (probe, text) in probes.iter_mut().zip(chunk) {
                let first = self.first_slot(text);
                let slot = self.slots.get(first & self.slots.len().wrapping_sub(1));
                *probe = (first, slot.is_some_and(|slot| slot.length != 0));
            }
            for ((at, text), (first, is_filled)) in (begin..).zip(chunk).zip(&probes) {
                found(at, if *is_filled { self.get_at(text, *first) } else { None });
            }
        }
    }

    /// Caches the code of a text that is not cached, unless the text is empty or long.
    pub(crate) fn put(&mut self, text: &[u8], code: u32) {
        if text.is_empty() || text.len() > MAX_TEXT_BYTES {
            return;
        }
        if self.filled * 2 >= self.slots.len() && self.slots.len() < MAX_SLOTS {
            self.grow();
        }
        let mut slot = Slot { length: text.len() as u8, code, ..FREE };
        slot.text[..text.len()].copy_from_slice(text);
        self.insert(slot);
    }

    fn insert(&mut self, slot: Slot) {
        let (first, mask) = (self.first_slot(slot.text()), self.slots.len() - 1);
        let free = (first..first + PROBES).find(|at| self.slots[at & mask].length == 0);
        self.filled += usize::from(free.is_some());
        self.slots[free.unwrap_or(first) & mask] = slot;
    }

    fn grow(&mut self) {
        let more = (self.slots.len() * 4).clamp(MIN_SLOTS, MAX_SLOTS);
        let before = std::mem::replace(&mut self.slots, vec![FREE; more]);
        self.filled = 0;
        before.into_iter().filter(|slot| slot.length > 0).for_each(|slot| self.insert(slot));
    }

    /// Returns the code of a text, from `code` if it is not cached.
    ///
    /// # Errors
    /// Those of `code`; the text is then not cached.
    #[inline]
    pub(crate) fn code(&mut self, text: &[u8], code: impl FnOnce(&[u8]) -> Result<u32>) -> Result<u32> {
        if let Some(code) = self.get(text) {
            return Ok(code);
        }
        let code = code(text)?;
        self.put(text, code);
        Ok(code)
    }

    /// Empties the cache: its codes belong to another interner.
    pub(crate) fn clear(&mut self) {
        self.slots.clear();
        self.filled = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::errors::ParquetError;
    use std::collections::HashMap;

    #[test]
    fn a_text_is_looked_up_once_while_there_is_room() {
        let mut cache = TextCache::default();
        let texts: Vec<String> = (0..12_000).map(|number| format!("eni-{number:017x}")).collect();
        let mut asked = 0;
        for round in 0..3 {
            for (number, text) in (0u32..).zip(&texts) {
                let code = cache.code(text.as_bytes(), |_| {
                    asked += 1;
                    Ok(number)
                });
                assert_eq!(code.unwrap(), number, "round {round}");
            }
        }
        assert!((12_000..13_000).contains(&asked), "{asked}: four slots for a text, a third of them taken");
        cache.clear();
        assert_eq!(cache.get(texts[0].as_bytes()), None);
    }

    #[test]
    fn texts_are_found_together_as_one_by_one() {
        let mut cache = TextCache::default();
        let texts: Vec<String> = (0..100).map(|number| format!("text {number}")).chain([String::new()]).collect();
        let texts: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
        for count in [0, 1, 40, 99] {
            (0u32..).zip(&texts[..count]).for_each(|(code, text)| drop(cache.code(text, |_| Ok(code))));
            let mut found = Vec::new();
            cache.get_all(&texts, |at, code| {
                assert_eq!(at, found.len());
                found.push(code);
            });
            assert_eq!(found, texts.iter().map(|text| cache.get(text)).collect::<Vec<_>>());
            assert_eq!(found.iter().flatten().count(), count);
        }
    }

    #[test]
    fn more_texts_than_there_is_room_for_have_their_own_codes_all_the_same() {
        let mut cache = TextCache::default();
        let mut codes: HashMap<String, u32> = HashMap::new();
        for step in 0u64..200_000 {
            let text = format!("{}", step.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 46);
            let next = codes.len() as u32;
            let wanted = *codes.entry(text.clone()).or_insert(next);
            assert_eq!(cache.code(text.as_bytes(), |_| Ok(wanted)).unwrap(), wanted);
        }
        assert!(codes.len() > MAX_SLOTS && cache.slots.len() == MAX_SLOTS && cache.filled <= MAX_SLOTS);
    }

    #[test]
    fn empty_long_and_failed_texts_are_looked_up_each_time() {
        let mut cache = TextCache::default();
        let long = [b'x'; MAX_TEXT_BYTES + 1];
        for code in 0..3 {
            assert_eq!(cache.code(b"", |_| Ok(code)).unwrap(), code);
            assert_eq!(cache.code(&long, |_| Ok(code)).unwrap(), code);
        }
        assert!(cache.code(b"bad", |_| Err(ParquetError::General("no text".to_owned()))).is_err());
        assert_eq!(cache.code(b"bad", |_| Ok(7)).unwrap(), 7);
        assert_eq!(cache.code(&long[1..], |_| Ok(8)).unwrap(), 8);
        assert_eq!(cache.get(&long[1..]), Some(8));
    }
}
