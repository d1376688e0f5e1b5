//! A column of numbers in as few bytes as its range needs: all lowest bytes, then all second ones, and so on.
//!
//! Bytes of one significance resemble each other, so the planes compress well, and they are put together without a
//! branch.

use super::cursor::Cursor;
use super::error::{KeptError, damaged};

/// Values that are handled at a time, so that all columns of them fit the first cache.
pub(super) const CHUNK: usize = 128;

/// The values of a chunk, by column.
pub(super) type Chunk<const N: usize> = [[u64; CHUNK]; N];

/// Returns a row of a chunk.
#[inline(always)]
pub(super) fn row_at<const N: usize>(chunk: &Chunk<N>, index: usize) -> [u64; N] {
    std::array::from_fn(|column| chunk[column][index])
}

/// Appends `N` columns. Each has its smallest value in 8 bytes, its number of planes, and the planes of what exceeds the
/// smallest. `rows` returns the same `count` rows each time.
pub(super) fn put_columns<const N: usize, I: Iterator<Item = [u64; N]>>(
    count: usize,
    rows: impl Fn() -> I,
    out: &mut Vec<u8>,
) {
    let (mut least, mut most) = ([u64::MAX; N], [0; N]);
    for row in rows() {
        for (column, value) in row.into_iter().enumerate() {
            least[column] = least[column].min(value);
            most[column] = most[column].max(value);
        }
    }
    let mut planes_at = [(0, 0); N];
    for column in 0..N {
        // Without rows, the smallest value is above the largest.
        let most = most[column].max(least[column]);
        let planes = (u64::BITS - (most - least[column]).leading_zeros()).div_ceil(8);
        out.extend_from_slice(&least[column].to_le_bytes());
        out.push(planes as u8);
        planes_at[column] = (out.len(), planes as usize);
        out.resize(out.len() + planes as usize * count, 0);
    }
    let mut chunk = [[0; CHUNK]; N];
    let (mut done, mut filled) = (0, 0);
    let mut rows = rows();
    loop {
        let row = rows.next();
        if filled == CHUNK || row.is_none() {
            for (column, values) in chunk.iter().enumerate() {
                let (at, planes) = planes_at[column];
                for plane in 0..planes {
                    let begin = at + plane * count + done;
                    for (byte, value) in out[begin..begin + filled].iter_mut().zip(values) {
                        *byte = ((value - least[column]) >> (8 * plane)) as u8;
                    }
                }
            }
            (done, filled) = (done + filled, 0);
        }
        let Some(row) = row else { break };
        for (column, value) in row.into_iter().enumerate() {
            chunk[column][filled] = value;
        }
        filled += 1;
    }
}

/// A column to be read.
#[derive(Clone, Copy)]
pub(super) struct Column<'a> {
    least: u64,
    planes: &'a [u8],
    count: usize,
}

impl<'a> Column<'a> {
    /// Takes the next column, of `count` values.
    pub(super) fn take(bytes: &mut Cursor<'a>, count: usize) -> Result<Self, KeptError> {
        let (least, planes) = (bytes.u64()?, usize::from(bytes.u8()?));
        if planes > size_of::<u64>() {
            return Err(damaged("column"));
        }
        let length = planes.checked_mul(count).ok_or(damaged("column"))?;
        Ok(Self { least, planes: bytes.bytes(length)?, count })
    }

    /// Reads the values from index `from` on; there must be as many as `out` is long.
    pub(super) fn read(&self, from: usize, out: &mut [u64]) {
        out.fill(0);
        for (plane, bytes) in self.planes.chunks_exact(self.count.max(1)).enumerate() {
            let bytes = bytes.get(from..from + out.len()).unwrap_or_default();
            for (value, byte) in out.iter_mut().zip(bytes) {
                *value |= u64::from(*byte) << (8 * plane);
            }
        }
        out.iter_mut().for_each(|value| *value = value.wrapping_add(self.least));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_column_comes_back(
            values in prop::collection::vec(prop_oneof![any::<u64>(), 0u64..300, Just(u64::MAX)], 0..300),
            from in any::<prop::sample::Index>(),
        ) {
            let mut bytes = Vec::new();
            put_columns(values.len(), || values.iter().map(|value| [*value]), &mut bytes);
            let mut cursor = Cursor::new(&bytes, "column");
            let column = Column::take(&mut cursor, values.len()).unwrap();
            cursor.end().unwrap();
            let from = from.index(values.len() + 1);
            let mut read = vec![7; values.len() - from];
            column.read(from, &mut read);
            prop_assert_eq!(&read, &values[from..]);
        }
    }

    #[test]
    fn a_column_of_one_value_has_no_planes() {
        let mut bytes = Vec::new();
        put_columns(1_000, || std::iter::repeat_n([600], 1_000), &mut bytes);
        assert_eq!(bytes.len(), 9);
    }
}
