//! Bit-packed numbers, eight at a time: eight numbers of `W` bits lie in exactly `W` bytes.

/// Bytes that the loads for a group touch, whatever the width.
const WINDOW: usize = 40;

/// Unpacks the eight numbers that begin at `bytes[at]`; bytes beyond the end read as zero.
#[inline(always)]
fn unpack8<const W: usize>(bytes: &[u8], at: usize) -> [u32; 8] {
    match bytes.get(at..).and_then(<[u8]>::first_chunk) {
        Some(window) => unpack_window::<W>(window),
        None => unpack_end::<W>(bytes.get(at..).unwrap_or_default()),
    }
}

#[cold]
#[inline(never)]
fn unpack_end<const W: usize>(rest: &[u8]) -> [u32; 8] {
    unpack_window::<W>(&padded(rest))
}

/// Unpacks the eight numbers at the start of a window. Each load reads the original bytes: from a fresh copy, a load
/// that does not match the stores would wait for them.
#[inline(always)]
fn unpack_window<const W: usize>(window: &[u8; WINDOW]) -> [u32; 8] {
    let word = |from: usize| u64::from_le_bytes(window[from..].first_chunk().copied().unwrap_or_default());
    let mask = if W == 32 { u32::MAX } else { (1u32 << W) - 1 };
    let mut numbers = [0u32; 8];
    if W <= 8 {
        let word = word(0);
        for (index, number) in numbers.iter_mut().enumerate() {
            *number = (word >> (index * W)) as u32 & mask;
        }
    } else if W <= 16 {
        // Four numbers are at most 64 bits; the second four begin at half of the group, in the middle of a byte when
        // the width is odd.
        let (low, high) = (word(0), word(W / 2) >> ((W % 2) * 4));
        for index in 0..4 {
            numbers[index] = (low >> (index * W)) as u32 & mask;
            numbers[index + 4] = (high >> (index * W)) as u32 & mask;
        }
    } else {
        for (index, number) in numbers.iter_mut().enumerate() {
            let bit = index * W;
            *number = (word(bit / 8) >> (bit % 8)) as u32 & mask;
        }
    }
    numbers
}

#[cold]
fn padded<const N: usize>(rest: &[u8]) -> [u8; N] {
    let mut chunk = [0; N];
    let known = rest.len().min(N);
    chunk[..known].copy_from_slice(&rest[..known]);
    chunk
}

/// Unpacks groups of eight numbers of `W` bits from `bytes` and writes the table's value for each; returns the largest
/// number. The table has at least 2^`W` entries.
#[inline(always)]
fn gather_groups<const W: usize, T: Copy>(bytes: &[u8], table: &[T], out: &mut [T]) -> u32 {
    let table = &table[..1 << W];
    let mut most = [0u32; 8];
    for (group, out) in out.chunks_exact_mut(8).enumerate() {
        let numbers = unpack8::<W>(bytes, group * W);
        for index in 0..8 {
            // The number has W bits, so the compiler sees that it is in the table.
            out[index] = table[numbers[index] as usize];
            most[index] = most[index].max(numbers[index]);
        }
    }
    most.into_iter().max().unwrap_or(0)
}

#[inline(always)]
fn number_groups<const W: usize>(bytes: &[u8], out: &mut [u32]) {
    for (group, out) in out.chunks_exact_mut(8).enumerate() {
        out.copy_from_slice(&unpack8::<W>(bytes, group * W));
    }
}

/// Maximum width of the numbers that [`gather`] accepts: a table of 2^20 entries is the largest that is padded.
pub const MAX_GATHER_WIDTH: u32 = 20;

/// Reads packed numbers of `width` bits, starting at number `first`, and writes the table's value for each; returns the
/// largest number. The table has at least 2^`width` entries, and `width` is 1 to [`MAX_GATHER_WIDTH`].
pub fn gather<T: Copy>(packed: &[u8], width: u32, first: usize, table: &[T], out: &mut [T]) -> u32 {
    let mut most = 0;
    // Up to a whole group one by one, then groups, then the rest.
    let head = (first.wrapping_neg() & 7).min(out.len());
    let (begin, rest) = out.split_at_mut(head);
    let (middle, end) = rest.split_at_mut(rest.len() & !7);
    let mut single = |from: usize, out: &mut [T]| {
        for (index, out) in out.iter_mut().enumerate() {
            let number = one(packed, width, from + index);
            most = most.max(number);
            *out = table[number as usize];
        }
    };
    single(first, begin);
    single(first + head + middle.len(), end);
    if !middle.is_empty() {
        let from = (first + head) / 8 * width as usize;
        let packed = packed.get(from..).unwrap_or_default();
        macro_rules! groups {
            ($($known:literal)*) => {
                match width {
                    $($known => gather_groups::<$known, T>(packed, table, middle),)*
                    _ => u32::MAX,
                }
            };
        }
        most = most.max(groups!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20));
    }
    most
}

/// Reads packed numbers of `width` bits, 1 to 32, starting at number `first`.
pub fn numbers(packed: &[u8], width: u32, first: usize, out: &mut [u32]) {
    let head = (first.wrapping_neg() & 7).min(out.len());
    let (begin, rest) = out.split_at_mut(head);
    let (middle, end) = rest.split_at_mut(rest.len() & !7);
    for (index, out) in begin.iter_mut().enumerate() {
        *out = one(packed, width, first + index);
    }
    let behind = first + head + middle.len();
    for (index, out) in end.iter_mut().enumerate() {
        *out = one(packed, width, behind + index);
    }
    let packed = packed.get((first + head) / 8 * width as usize..).unwrap_or_default();
    macro_rules! groups {
        ($($known:literal)*) => {
            match width {
                $($known => number_groups::<$known>(packed, middle),)*
                _ => middle.fill(0),
            }
        };
    }
    groups!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32);
}

/// Reads one packed number.
#[inline]
pub fn one(packed: &[u8], width: u32, index: usize) -> u32 {
    let bit = index * width as usize;
    let rest = packed.get(bit / 8..).unwrap_or_default();
    let word = u64::from_le_bytes(rest.first_chunk().copied().unwrap_or_else(|| padded(rest))) >> (bit % 8);
    (word & ((1u64 << width) - 1)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pack(numbers: &[u32], width: u32) -> Vec<u8> {
        let mut bytes = vec![0u8; (numbers.len() * width as usize).div_ceil(8)];
        for (index, number) in numbers.iter().enumerate() {
            for bit in 0..width as usize {
                let at = index * width as usize + bit;
                bytes[at / 8] |= ((number >> bit & 1) as u8) << (at % 8);
            }
        }
        bytes
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_back(
            values in prop::collection::vec(any::<u32>(), 1..200),
            width in 1u32..=32,
            first in any::<prop::sample::Index>(),
        ) {
            let values: Vec<u32> = values.iter().map(|n| (u64::from(*n) & ((1u64 << width) - 1)) as u32).collect();
            let packed = pack(&values, width);
            let first = first.index(values.len());
            let mut out = vec![0; values.len() - first];
            numbers(&packed, width, first, &mut out);
            prop_assert_eq!(&out, &values[first..]);
            if width <= 12 {
                let table: Vec<u64> = (0..1u64 << width).map(|n| n * 3 + 1).collect();
                let mut out = vec![0; values.len() - first];
                let most = gather(&packed, width, first, &table, &mut out);
                let wanted: Vec<u64> = values[first..].iter().map(|n| u64::from(*n) * 3 + 1).collect();
                prop_assert_eq!(out, wanted);
                prop_assert_eq!(most, values[first..].iter().copied().max().unwrap_or(0));
            }
        }

        #[test]
        fn the_end_reads_as_zero(bytes in prop::collection::vec(any::<u8>(), 0..9), width in 1u32..=32) {
            let mut out = vec![1; 64];
            numbers(&bytes, width, 3, &mut out);
            prop_assert_eq!(out[63], 0);
        }
    }
}
