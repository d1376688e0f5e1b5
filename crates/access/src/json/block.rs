//! Where the marks of JSON are among 64 bytes.
//!
//! On x86-64, sixteen bytes are compared at a time with instructions that all such processors have; elsewhere, one at a
//! time, to the same result.

/// The marks among 64 bytes: bit n is set where byte n is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    /// Double quotes.
    pub quotes: u64,
    /// Backslashes.
    pub escapes: u64,
    /// `{` and `[`.
    pub opens: u64,
    /// `}` and `]`.
    pub closes: u64,
}

/// What the bytes before a block say of its first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Before {
    /// A string has begun.
    pub in_string: bool,
    /// A backslash stands before it.
    pub is_escaped: bool,
}

/// `{` and `[` differ from each other in this bit alone, as do `}` and `]`, and nothing else becomes one of them.
const CASE: u8 = b'{' ^ b'[';

impl Block {
    /// The bytes of a block.
    pub const BYTES: usize = 64;

    /// Returns the marks of a block.
    #[inline]
    pub fn of(bytes: &[u8; Self::BYTES]) -> Self {
        let mut block = Self { quotes: 0, escapes: 0, opens: 0, closes: 0 };
        for (place, part) in bytes.as_chunks::<16>().0.iter().enumerate() {
            let shift = place * 16;
            let [quotes, escapes, opens, closes] = marks(part);
            block.quotes |= quotes << shift;
            block.escapes |= escapes << shift;
            block.opens |= opens << shift;
            block.closes |= closes << shift;
        }
        block
    }

    /// Returns which bytes lie within strings, their first quotes among them, and what this block says of the next.
    #[inline]
    pub fn strings(&self, before: Before) -> (u64, Before) {
        let mut escapes = self.escapes & !u64::from(before.is_escaped);
        let (mut escaped, mut is_escaped) = (u64::from(before.is_escaped), false);
        while escapes != 0 {
            let first = escapes & escapes.wrapping_neg();
            let next = first << 1;
            is_escaped = next == 0;
            escaped |= next;
            // What stands behind a backslash is none.
            escapes &= !(first | next);
        }
        let mut within = self.quotes & !escaped;
        for shift in [1, 2, 4, 8, 16, 32] {
            within ^= within << shift;
        }
        if before.in_string {
            within = !within;
        }
        (within, Before { in_string: within >> 63 == 1, is_escaped })
    }
}

/// Returns where the last of `depth` values ends, if it does among these marks.
#[inline]
pub(super) fn end_of(opens: u64, closes: u64, mut depth: usize) -> Option<usize> {
    let mut marks = opens | closes;
    while marks != 0 {
        let first = marks & marks.wrapping_neg();
        if closes & first != 0 {
            depth -= 1;
            if depth == 0 {
                return Some(first.trailing_zeros() as usize);
            }
        } else {
            depth += 1;
        }
        marks ^= first;
    }
    None
}

/// Returns where the first quote or backslash is.
#[inline]
pub(super) fn quote_or_escape(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(part) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        let found = quotes_or_escapes(part);
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize);
        }
        at += 16;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).map(|next| at + next)
}

#[cfg(target_arch = "x86_64")]
mod vector {
    use std::arch::x86_64::{__m128i, _mm_cmpeq_epi8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8};

    use super::CASE;

    #[inline]
    #[target_feature(enable = "sse2")]
    fn load(bytes: &[u8; 16]) -> __m128i {
        let both = u128::from_le_bytes(*bytes);
        _mm_set_epi64x((both >> 64) as i64, both as i64)
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn is(bytes: __m128i, byte: u8) -> __m128i {
        _mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte as i8))
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn places(of: __m128i) -> u64 {
        u64::from(_mm_movemask_epi8(of) as u32)
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn find_two(bytes: &[u8; 16]) -> u64 {
        let bytes = load(bytes);
        places(_mm_or_si128(is(bytes, b'"'), is(bytes, b'\\')))
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn find_all(bytes: &[u8; 16]) -> [u64; 4] {
        let bytes = load(bytes);
        let brackets = _mm_or_si128(bytes, _mm_set1_epi8(CASE as i8));
        [places(is(bytes, b'"')), places(is(bytes, b'\\')), places(is(brackets, b'{')), places(is(brackets, b'}'))]
    }

    /// Returns which bytes are double quotes or backslashes.
    #[inline]
    pub fn quotes_or_escapes(bytes: &[u8; 16]) -> u64 {
        // SAFETY: SSE2 is part of x86-64.
        #[allow(unsafe_code)]
        unsafe {
            find_two(bytes)
        }
    }

    #[inline]
    pub fn marks(bytes: &[u8; 16]) -> [u64; 4] {
        // SAFETY: SSE2 is part of x86-64.
        #[allow(unsafe_code)]
        unsafe {
            find_all(bytes)
        }
    }
}

#[cfg(any(test, not(target_arch = "x86_64")))]
mod plain {
    use super::CASE;

    fn places(bytes: &[u8; 16], is: impl Fn(u8) -> bool) -> u64 {
        bytes.iter().enumerate().fold(0, |found, (place, byte)| found | u64::from(is(*byte)) << place)
    }

    pub fn quotes_or_escapes(bytes: &[u8; 16]) -> u64 {
        places(bytes, |byte| matches!(byte, b'"' | b'\\'))
    }

    pub fn marks(bytes: &[u8; 16]) -> [u64; 4] {
        let is = |mark: u8| move |byte| byte == mark;
        let brackets = bytes.map(|byte| byte | CASE);
        [places(bytes, is(b'"')), places(bytes, is(b'\\')), places(&brackets, is(b'{')), places(&brackets, is(b'}'))]
    }
}

#[cfg(not(target_arch = "x86_64"))]
use plain::marks;
#[cfg(not(target_arch = "x86_64"))]
pub(super) use plain::quotes_or_escapes;
#[cfg(target_arch = "x86_64")]
use vector::marks;
#[cfg(target_arch = "x86_64")]
pub(super) use vector::quotes_or_escapes;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marked() -> impl Strategy<Value = Vec<u8>> {
        let bytes = vec![b'"', b'\\', b'{', b'}', b'[', b']', b'!', b'#', b'a', 0xa2, 0xdc, 0xfb, 0xfd, 0, 0xff];
        prop::collection::vec(prop::sample::select(bytes), 64..200)
    }

    proptest! {
        #[test]
        fn both_ways_find_the_same_marks(bytes in marked()) {
            for part in bytes.as_chunks::<16>().0 {
                prop_assert_eq!(marks(part), plain::marks(part));
                prop_assert_eq!(quotes_or_escapes(part), plain::quotes_or_escapes(part));
            }
        }

        #[test]
        fn finds_the_first_quote_or_backslash(bytes in marked(), plain in 0usize..40) {
            let bytes = [vec![b'a'; plain], bytes].concat();
            for end in 0..bytes.len() {
                let bytes = &bytes[..end];
                prop_assert_eq!(quote_or_escape(bytes), bytes.iter().position(|byte| matches!(byte, b'"' | b'\\')));
            }
        }

        /// A byte behind a backslash is no mark, and every other quote begins or ends a string.
        #[test]
        fn strings_reach_across_blocks(bytes in marked()) {
            let (mut before, mut within, mut is_escaped) = (Before::default(), false, false);
            for block in bytes.as_chunks::<64>().0 {
                let (strings, next) = Block::of(block).strings(before);
                before = next;
                for (place, byte) in block.iter().enumerate() {
                    let is_mark = *byte == b'"' && !is_escaped;
                    within ^= is_mark;
                    is_escaped = *byte == b'\\' && !is_escaped;
                    prop_assert_eq!(strings >> place & 1 == 1, within);
                }
                prop_assert_eq!(before, Before { in_string: within, is_escaped });
            }
        }
    }
}
