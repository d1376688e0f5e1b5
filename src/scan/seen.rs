//! Texts that a thread met before, with their codes: it asks the books, which all threads share, only for new ones.

use foldhash::fast::FixedState;
use parquet::errors::Result;
use std::hash::BuildHasher;

/// Bytes that a text may have to be remembered; an ENI's name has 21, an IPv6 address at most 39.
const MOST_BYTES: usize = 43;
/// Places that are looked at for a text; behind them the first is given up.
const PROBES: usize = 4;
/// Places at first and at most, powers of two. As many as this are 1.5 MB, about what a core has to itself.
const LEAST_SLOTS: usize = 1 << 10;
const MOST_SLOTS: usize = 1 << 15;

/// Texts that are looked for together.
const TOGETHER: usize = 16;

/// A text and its code, so that one look at memory tells both.
#[derive(Clone, Copy)]
struct Slot {
    text: [u8; MOST_BYTES],
    /// 0 for none.
    length: u8,
    code: u32,
}

const FREE: Slot = Slot { text: [0; MOST_BYTES], length: 0, code: 0 };

impl Slot {
    #[inline]
    fn text(&self) -> &[u8] {
        &self.text[..usize::from(self.length)]
    }
}

/// Tells whether two short texts are the same, without a call.
#[inline]
fn are_equal(one: &[u8], other: &[u8]) -> bool {
    let ((words, rest), (other_words, other_rest)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    one.len() == other.len()
        && words.iter().zip(other_words).all(|(a, b)| u64::from_ne_bytes(*a) == u64::from_ne_bytes(*b))
        && rest.iter().zip(other_rest).all(|(a, b)| a == b)
}

/// Codes of texts that were seen, as many as there is room for.
#[derive(Default)]
pub(super) struct Seen {
    slots: Vec<Slot>,
    filled: usize,
    hash: FixedState,
}

impl Seen {
    fn first(&self, text: &[u8]) -> usize {
        self.hash.hash_one(text) as usize
    }

    /// Returns the code of a text that was seen.
    #[inline]
    pub(super) fn get(&self, text: &[u8]) -> Option<u32> {
        self.get_at(text, self.first(text))
    }

    /// As [`Self::get`], for a text whose first place is known.
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

    /// Shows the code of each of some texts, `None` where a text was not seen.
    ///
    /// The slots of all are asked for before any is looked into: each is a wait for memory, and these go side by side.
    pub(super) fn get_all(&self, texts: &[&[u8]], mut found: impl FnMut(usize, Option<u32>)) {
        let mut probes = [(0, false); TOGETHER];
        for (chunk, begin) in texts.chunks(TOGETHER).zip((0..).step_by(TOGETHER)) {
            for (probe, text) in probes.iter_mut().zip(chunk) {
                let first = self.first(text);
                let slot = self.slots.get(first & self.slots.len().wrapping_sub(1));
                *probe = (first, slot.is_some_and(|slot| slot.length != 0));
            }
            for ((at, text), (first, is_filled)) in (begin..).zip(chunk).zip(&probes) {
                found(at, if *is_filled { self.get_at(text, *first) } else { None });
            }
        }
    }

    /// Remembers the code of a text that was not seen, unless the text is empty or long.
    pub(super) fn put(&mut self, text: &[u8], code: u32) {
        if text.is_empty() || text.len() > MOST_BYTES {
            return;
        }
        if self.filled * 2 >= self.slots.len() && self.slots.len() < MOST_SLOTS {
            self.grow();
        }
        let mut slot = Slot { length: text.len() as u8, code, ..FREE };
        slot.text[..text.len()].copy_from_slice(text);
        self.place(slot);
    }

    fn place(&mut self, slot: Slot) {
        let (first, mask) = (self.first(slot.text()), self.slots.len() - 1);
        let free = (first..first + PROBES).find(|at| self.slots[at & mask].length == 0);
        self.filled += usize::from(free.is_some());
        self.slots[free.unwrap_or(first) & mask] = slot;
    }

    fn grow(&mut self) {
        let more = (self.slots.len() * 4).clamp(LEAST_SLOTS, MOST_SLOTS);
        let before = std::mem::replace(&mut self.slots, vec![FREE; more]);
        self.filled = 0;
        before.into_iter().filter(|slot| slot.length > 0).for_each(|slot| self.place(slot));
    }

    /// Returns the code of a text, which `code` makes when it was not seen.
    ///
    /// # Errors
    /// Those of `code`; the text is not remembered then.
    #[inline]
    pub(super) fn code(&mut self, text: &[u8], code: impl FnOnce(&[u8]) -> Result<u32>) -> Result<u32> {
        if let Some(code) = self.get(text) {
            return Ok(code);
        }
        let code = code(text)?;
        self.put(text, code);
        Ok(code)
    }

    /// Forgets all texts: their codes are another book's.
    pub(super) fn clear(&mut self) {
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
    fn a_text_is_asked_for_once_while_there_is_room() {
        let mut seen = Seen::default();
        let texts: Vec<String> = (0..12_000).map(|number| format!("eni-{number:017x}")).collect();
        let mut asked = 0;
        for round in 0..3 {
            for (number, text) in (0u32..).zip(&texts) {
                let code = seen.code(text.as_bytes(), |_| {
                    asked += 1;
                    Ok(number)
                });
                assert_eq!(code.unwrap(), number, "round {round}");
            }
        }
        assert!((12_000..13_000).contains(&asked), "{asked}: four places for a text, a third of them taken");
        seen.clear();
        assert_eq!(seen.get(texts[0].as_bytes()), None);
    }

    #[test]
    fn texts_are_found_together_as_one_by_one() {
        let mut seen = Seen::default();
        let texts: Vec<String> = (0..100).map(|number| format!("text {number}")).chain([String::new()]).collect();
        let texts: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
        for count in [0, 1, 40, 99] {
            (0u32..).zip(&texts[..count]).for_each(|(code, text)| drop(seen.code(text, |_| Ok(code))));
            let mut found = Vec::new();
            seen.get_all(&texts, |at, code| {
                assert_eq!(at, found.len());
                found.push(code);
            });
            assert_eq!(found, texts.iter().map(|text| seen.get(text)).collect::<Vec<_>>());
            assert_eq!(found.iter().flatten().count(), count);
        }
    }

    #[test]
    fn more_texts_than_there_is_room_for_have_their_own_codes_all_the_same() {
        let mut seen = Seen::default();
        let mut codes: HashMap<String, u32> = HashMap::new();
        for step in 0u64..200_000 {
            let text = format!("{}", step.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 46);
            let next = codes.len() as u32;
            let wanted = *codes.entry(text.clone()).or_insert(next);
            assert_eq!(seen.code(text.as_bytes(), |_| Ok(wanted)).unwrap(), wanted);
        }
        assert!(codes.len() > MOST_SLOTS && seen.slots.len() == MOST_SLOTS && seen.filled <= MOST_SLOTS);
    }

    #[test]
    fn empty_long_and_failed_texts_are_asked_for_each_time() {
        let mut seen = Seen::default();
        let long = [b'x'; MOST_BYTES + 1];
        for code in 0..3 {
            assert_eq!(seen.code(b"", |_| Ok(code)).unwrap(), code);
            assert_eq!(seen.code(&long, |_| Ok(code)).unwrap(), code);
        }
        assert!(seen.code(b"bad", |_| Err(ParquetError::General("no text".to_owned()))).is_err());
        assert_eq!(seen.code(b"bad", |_| Ok(7)).unwrap(), 7);
        assert_eq!(seen.code(&long[1..], |_| Ok(8)).unwrap(), 8);
        assert_eq!(seen.get(&long[1..]), Some(8));
    }
}
