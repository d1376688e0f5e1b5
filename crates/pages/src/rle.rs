//! Parquet's hybrid of run-length encoding and bit packing, which holds levels and dictionary indices.
//!
//! ```text
//! while numbers are missing:
//!     header = varint
//!     header is odd:  header >> 1 groups of eight bit-packed numbers follow   -> bit_unpack
//!     header is even: one number follows, repeated header >> 1 times          -> fill
//! ```
//!
//! Departures from that: indices are looked up in a table while they are unpacked ([`RleDecoder::gather`]), levels are
//! only counted where rows are skipped, and a run is never unpacked.

use crate::bit_unpack;
use parquet::errors::{ParquetError, Result};

/// A position in a hybrid stream; the bytes themselves are passed to each call.
#[derive(Debug, Default, Clone, Copy)]
pub struct RleDecoder {
    /// Bits of a number: 0 to 32.
    width: u32,
    /// Where the next run's header begins.
    at: usize,
    run: RunKind,
    /// Numbers of the run not read yet.
    left: usize,
}

#[derive(Debug, Clone, Copy)]
enum RunKind {
    /// One number, repeated.
    Repeated(u32),
    /// Packed numbers: the byte where they begin, and how many of them were read.
    Packed { begin: usize, done: usize },
}

impl Default for RunKind {
    fn default() -> Self {
        RunKind::Repeated(0)
    }
}

/// The result of [`RleDecoder::read`].
#[derive(Debug, PartialEq, Eq)]
pub enum RunRead {
    /// A number, and how many times it is repeated.
    Repeated(u32, usize),
    /// How many numbers were unpacked into the scratch.
    Unpacked(usize),
}

fn ended() -> ParquetError {
    ParquetError::General("levels or dictionary indices end before their page does".to_owned())
}

impl RleDecoder {
    /// Starts a stream of numbers of `width` bits.
    ///
    /// # Errors
    /// When `width` is above 32.
    pub fn new(width: u8) -> Result<Self> {
        if width > 32 {
            return Err(ParquetError::General(format!("dictionary indices of {width} bits, 32 at most")));
        }
        Ok(Self { width: u32::from(width), ..Self::default() })
    }

    /// Starts a stream of levels up to `max`.
    pub fn for_levels(max: u32) -> Self {
        Self { width: u32::BITS - max.leading_zeros(), ..Self::default() }
    }

    /// Moves to the next run if the current one is used up.
    fn advance(&mut self, bytes: &[u8]) -> Result<()> {
        while self.left == 0 {
            let header = self.varint(bytes).ok_or_else(ended)?;
            let rest = bytes.get(self.at..).unwrap_or_default();
            let count = usize::try_from(header >> 1).map_err(|_| ended())?;
            if header & 1 == 1 {
                let (begin, width) = (self.at, self.width as usize);
                let length = count.saturating_mul(width).min(rest.len());
                // The last group may be cut off after the last number that counts.
                let held = (length * 8).checked_div(width).unwrap_or(usize::MAX);
                self.left = count.saturating_mul(8).min(held);
                self.run = RunKind::Packed { begin, done: 0 };
                self.at += length;
                if self.left == 0 && count > 0 {
                    return Err(ended());
                }
            } else if header == 0 {
                // Some writers pad their pages with zeros, so this is the end and not an empty run.
                return Err(ended());
            } else {
                let size = self.width.div_ceil(8) as usize;
                let mut value = [0; 4];
                value[..size].copy_from_slice(rest.get(..size).ok_or_else(ended)?);
                let value = u32::from_le_bytes(value);
                if u64::from(value) >> self.width > 0 {
                    return Err(ParquetError::General(format!("run of the number {value} in {} bits", self.width)));
                }
                self.at += size;
                self.left = count;
                self.run = RunKind::Repeated(value);
            }
        }
        Ok(())
    }

    fn varint(&mut self, bytes: &[u8]) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = *bytes.get(self.at)?;
            self.at += 1;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// Reads up to `max` numbers: the rest of a run, or packed ones into `scratch`.
    ///
    /// # Errors
    /// When the stream ends early.
    pub fn read(&mut self, bytes: &[u8], max: usize, scratch: &mut [u32]) -> Result<RunRead> {
        self.advance(bytes)?;
        let count = self.left.min(max);
        self.left -= count;
        match &mut self.run {
            RunKind::Repeated(value) => Ok(RunRead::Repeated(*value, count)),
            RunKind::Packed { .. } if self.width == 0 => Ok(RunRead::Repeated(0, count)),
            RunKind::Packed { begin, done } => {
                let taken = count.min(scratch.len());
                self.left += count - taken;
                let packed = bytes.get(*begin..).unwrap_or_default();
                bit_unpack::numbers(packed, self.width, *done, &mut scratch[..taken]);
                *done += taken;
                Ok(RunRead::Unpacked(taken))
            }
        }
    }

    /// Skips `skipped` numbers; returns the next one, and how many more times it is certain to follow.
    ///
    /// # Errors
    /// When the stream ends early.
    pub fn skip_to(&mut self, bytes: &[u8], mut skipped: usize) -> Result<(u32, usize)> {
        while self.left <= skipped {
            skipped -= self.left;
            self.left = 0;
            self.advance(bytes)?;
        }
        self.left -= skipped + 1;
        Ok(match &mut self.run {
            RunKind::Packed { begin, done } if self.width > 0 => {
                let number = bit_unpack::one(bytes.get(*begin..).unwrap_or_default(), self.width, *done + skipped);
                *done += skipped + 1;
                (number, 0)
            }
            RunKind::Packed { .. } => (0, self.left),
            RunKind::Repeated(number) => (*number, self.left),
        })
    }

    /// Skips numbers.
    ///
    /// # Errors
    /// When the stream ends early.
    pub fn skip(&mut self, bytes: &[u8], mut skipped: usize) -> Result<()> {
        while skipped > 0 {
            self.advance(bytes)?;
            let count = self.left.min(skipped);
            self.left -= count;
            skipped -= count;
            if let RunKind::Packed { done, .. } = &mut self.run {
                *done += count;
            }
        }
        Ok(())
    }

    /// Returns whether the next `count` numbers are one run of `wanted`; `false` if they are damaged. Moves nothing.
    pub fn is_all(&self, bytes: &[u8], count: usize, wanted: u32) -> bool {
        let mut ahead = *self;
        let run = ahead.advance(bytes).map(|()| (ahead.run, ahead.left));
        matches!(run, Ok((RunKind::Repeated(number), left)) if number == wanted && left >= count)
    }

    /// Reads `total` numbers and counts those that equal `wanted`.
    ///
    /// # Errors
    /// When the stream ends early.
    pub fn count(&mut self, bytes: &[u8], total: usize, wanted: u32) -> Result<usize> {
        let mut left = total;
        let mut found = 0;
        while left > 0 {
            self.advance(bytes)?;
            let count = self.left.min(left);
            self.left -= count;
            left -= count;
            match &mut self.run {
                RunKind::Packed { begin, done } if self.width > 0 => {
                    let packed = bytes.get(*begin..).unwrap_or_default();
                    let mut scratch = [0; 64];
                    for at in (0..count).step_by(64) {
                        let scratch = &mut scratch[..(count - at).min(64)];
                        bit_unpack::numbers(packed, self.width, *done + at, scratch);
                        found += scratch.iter().filter(|number| **number == wanted).count();
                    }
                    *done += count;
                }
                RunKind::Repeated(number) if *number != wanted => {}
                RunKind::Packed { .. } if wanted != 0 => {}
                _ => found += count,
            }
        }
        Ok(found)
    }

    /// Reads indices until `out` is full and writes the table's value for each. The first `entries` values of the table
    /// are those of the dictionary; the rest is padding.
    ///
    /// # Errors
    /// When the stream ends early or an index is not in the dictionary.
    pub fn gather<T: Copy>(&mut self, bytes: &[u8], table: &[T], entries: usize, mut out: &mut [T]) -> Result<()> {
        let beyond =
            |index: u32| ParquetError::General(format!("index {index} of a dictionary with {entries} entries"));
        while !out.is_empty() {
            self.advance(bytes)?;
            let count = self.left.min(out.len());
            let (now, later) = out.split_at_mut(count);
            self.left -= count;
            match &mut self.run {
                RunKind::Packed { begin, done } if self.width > 0 => {
                    let packed = bytes.get(*begin..).unwrap_or_default();
                    if self.width <= bit_unpack::MAX_GATHER_WIDTH && table.len() >> self.width > 0 {
                        let most = bit_unpack::gather(packed, self.width, *done, table, now);
                        if most as usize >= entries {
                            return Err(beyond(most));
                        }
                    } else {
                        let mut indices = [0; 256];
                        let mut read = *done;
                        for now in now.chunks_mut(indices.len()) {
                            let indices = &mut indices[..now.len()];
                            bit_unpack::numbers(packed, self.width, read, indices);
                            read += now.len();
                            for (out, index) in now.iter_mut().zip(indices) {
                                let entry = table.get(*index as usize).filter(|_| (*index as usize) < entries);
                                *out = *entry.ok_or_else(|| beyond(*index))?;
                            }
                        }
                    }
                    *done += count;
                }
                run => {
                    let index = if let RunKind::Repeated(index) = run { *index } else { 0 };
                    let entry = table.get(index as usize).filter(|_| (index as usize) < entries);
                    now.fill(*entry.ok_or_else(|| beyond(index))?);
                }
            }
            out = later;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Writes numbers as runs and packed groups, as `cuts` specifies.
    fn write(values: &[u32], width: u32, cuts: &[bool]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut at = 0;
        let mut cuts = cuts.iter().cycle();
        while at < values.len() {
            let same = values[at..].iter().take_while(|value| **value == values[at]).count();
            if *cuts.next().unwrap() || same > 20 {
                bytes.extend(leb(same as u64 * 2));
                bytes.extend(&values[at].to_le_bytes()[..width.div_ceil(8) as usize]);
                at += same;
            } else {
                let end = (at + 16).min(values.len());
                bytes.extend(leb((end - at).div_ceil(8) as u64 * 2 + 1));
                let mut packed = vec![0u8; (end - at).div_ceil(8) * width as usize];
                for (index, value) in values[at..end].iter().enumerate() {
                    for bit in 0..width as usize {
                        let to = index * width as usize + bit;
                        packed[to / 8] |= ((value >> bit & 1) as u8) << (to % 8);
                    }
                }
                bytes.extend(packed);
                at = end;
            }
        }
        bytes
    }

    fn leb(mut number: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while number > 0x7f {
            bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
        bytes
    }

    #[test]
    fn a_number_wider_than_its_stream_is_an_error() {
        // Seven times the level 107, where one bit states whether there is a value.
        let damaged = [14, 107];
        assert!(RleDecoder::for_levels(1).read(&damaged, 7, &mut []).is_err());
        assert!(RleDecoder::for_levels(1).count(&damaged, 7, 1).is_err());
        assert!(RleDecoder::for_levels(1).skip_to(&damaged, 3).is_err());
        let error = RleDecoder::new(1).unwrap().gather(&damaged, &[0; 256], 256, &mut [0; 7]).unwrap_err().to_string();
        assert!(error.contains("number 107 in 1 bits"), "{error}");
        assert_eq!(RleDecoder::for_levels(1).read(&[14, 1], 7, &mut []).unwrap(), RunRead::Repeated(1, 7));
    }

    #[test]
    fn a_run_of_no_numbers_is_the_end() {
        // After the zero: 49 times the index 2, or the index 1 once for readers that take the zero for padding.
        let damaged = [0, 2, 1, 98, 2];
        assert!(RleDecoder::new(4).unwrap().gather(&damaged, &[0; 16], 16, &mut [0; 2]).is_err());
        assert!(RleDecoder::for_levels(1).read(&[0, 1], 1, &mut [0; 8]).is_err());
    }

    #[test]
    fn a_look_ahead_at_damage_changes_nothing() {
        // Seven times the level 107, and after it what would be seven times 1.
        let damaged = [14, 107, 14, 1];
        let mut levels = RleDecoder::for_levels(1);
        assert!(!levels.is_all(&damaged, 7, 1));
        assert!(levels.count(&damaged, 7, 1).is_err());
        assert!(RleDecoder::for_levels(1).is_all(&[14, 1], 7, 1));
    }

    proptest! {
        #[test]
        fn streams_read_as_written(
            values in prop::collection::vec((any::<u32>(), 1usize..60), 1..40),
            width in 0u32..=10,
            cuts in prop::collection::vec(any::<bool>(), 1..9),
            steps in prop::collection::vec(1usize..50, 1..9),
        ) {
            let mask = (1u32 << width) - 1;
            let mut values: Vec<u32> =
                values.iter().flat_map(|(value, times)| std::iter::repeat_n(*value & mask, *times)).collect();
            // A packed run is 8 numbers long unless it is the last.
            values.truncate(values.len() / 16 * 16 + 3);
            let cuts: Vec<bool> = if width == 0 { vec![true] } else { cuts };
            let aligned: Vec<u32> = values;
            let bytes = write(&aligned, width, &cuts);
            let table: Vec<u32> = (0..1 << width).collect();
            let mut runs = RleDecoder::new(width as u8).unwrap();
            let mut read = Vec::new();
            let mut steps = steps.iter().cycle();
            while read.len() < aligned.len() {
                let mut out = vec![0; (*steps.next().unwrap()).min(aligned.len() - read.len())];
                runs.gather(&bytes, &table, table.len(), &mut out).unwrap();
                read.extend(out);
            }
            prop_assert_eq!(read, aligned);
        }

        #[test]
        fn no_bytes_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..60),
            width in 0u8..=32,
            entries in 0usize..40,
            filled in 0usize..100,
        ) {
            let table = vec![7u8; entries + filled];
            let mut runs = RleDecoder::new(width).unwrap();
            let _ = runs.gather(&bytes, &table, entries, &mut [0; 300]);
            let mut runs = RleDecoder::new(width).unwrap();
            let mut scratch = [0; 64];
            for _ in 0..100 {
                let _ = runs.read(&bytes, 50, &mut scratch);
            }
        }
    }
}
