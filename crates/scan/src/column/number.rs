//! Decodes numbers straight from pages, narrowed to the type of their column.

use super::decoder::ColumnDecoder;
use crate::interner::Interners;
use crate::value::number::{MISSING, Narrow};
use arrow::datatypes::{DataType, TimeUnit};
use parquet::basic::Type as PhysicalType;
use parquet::errors::{ParquetError, Result};
use std::marker::PhantomData;

/// How a page stores a number, and how that becomes an integer or a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum PhysicalNumber {
    /// Signed, 32 bits.
    #[default]
    I32,
    /// Unsigned, 32 bits.
    U32,
    /// 64 bits, signed or unsigned.
    I64,
    /// A timestamp in 64 bits, and its ticks per second: milli-, micro- or nanoseconds.
    Ticks(i64),
}

impl PhysicalNumber {
    /// Returns how a page stores numbers of an Arrow type; `None` for types that take the Arrow path.
    pub(crate) fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Int32 => PhysicalNumber::I32,
            DataType::UInt32 => PhysicalNumber::U32,
            DataType::Int64 | DataType::UInt64 => PhysicalNumber::I64,
            DataType::Timestamp(TimeUnit::Millisecond, _) => PhysicalNumber::Ticks(1_000),
            DataType::Timestamp(TimeUnit::Microsecond, _) => PhysicalNumber::Ticks(1_000_000),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => PhysicalNumber::Ticks(1_000_000_000),
            _ => return None,
        })
    }

    /// Returns the physical type of a Parquet column that stores numbers this way.
    pub(crate) fn physical_type(self) -> PhysicalType {
        match self {
            PhysicalNumber::I32 | PhysicalNumber::U32 => PhysicalType::INT32,
            PhysicalNumber::I64 | PhysicalNumber::Ticks(_) => PhysicalType::INT64,
        }
    }

    fn size(self) -> usize {
        match self {
            PhysicalNumber::I32 | PhysicalNumber::U32 => 4,
            PhysicalNumber::I64 | PhysicalNumber::Ticks(_) => 8,
        }
    }
}

/// Decodes a column of numbers.
#[derive(Default)]
pub(crate) struct NumberDecoder<N> {
    pub(crate) stored: PhysicalNumber,
    narrow: PhantomData<N>,
}

impl<N: Narrow> NumberDecoder<N> {
    fn fill(&self, bytes: &[u8], out: &mut [N::Out]) {
        fn four<T>(bytes: &[u8], out: &mut [T], narrow: impl Fn([u8; 4]) -> T) {
            for (out, bytes) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *out = narrow(*bytes);
            }
        }
        fn eight<T>(bytes: &[u8], out: &mut [T], narrow: impl Fn(i64) -> T) {
            for (out, bytes) in out.iter_mut().zip(bytes.as_chunks::<8>().0) {
                *out = narrow(i64::from_le_bytes(*bytes));
            }
        }
        match self.stored {
            PhysicalNumber::I32 => four(bytes, out, |bytes| N::narrow(i64::from(i32::from_le_bytes(bytes)))),
            PhysicalNumber::U32 => four(bytes, out, |bytes| N::narrow(i64::from(u32::from_le_bytes(bytes)))),
            PhysicalNumber::I64 => eight(bytes, out, N::narrow),
            PhysicalNumber::Ticks(second) => eight(bytes, out, |ticks| N::narrow(seconds(ticks, second))),
        }
    }
}

/// Returns the whole seconds of a timestamp, rounded to whole milliseconds first as everywhere else.
fn seconds(ticks: i64, second: i64) -> i64 {
    (ticks / (second / 1_000)).div_euclid(1_000)
}

impl<N: Narrow> ColumnDecoder for NumberDecoder<N> {
    type Out = N::Out;

    fn missing() -> N::Out {
        N::narrow(MISSING)
    }

    fn dictionary(&mut self, bytes: &[u8], count: usize, _: &Interners, table: &mut Vec<N::Out>) -> Result<()> {
        let size = self.stored.size();
        if bytes.len() / size < count {
            return Err(ParquetError::General(format!("dictionary of {count} numbers in {} bytes", bytes.len())));
        }
        table.resize(count, Self::missing());
        self.fill(bytes, table);
        Ok(())
    }

    fn plain(&mut self, bytes: &[u8], _: &Interners, out: &mut [N::Out]) -> Result<usize> {
        let length = out.len() * self.stored.size();
        let bytes = bytes.get(..length).ok_or_else(|| {
            ParquetError::General(format!("{} numbers in {} bytes of a page", out.len(), bytes.len()))
        })?;
        self.fill(bytes, out);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_become_seconds_as_arrow_makes_them() {
        assert_eq!(seconds(1_700_000_000_999, 1_000), 1_700_000_000);
        assert_eq!(seconds(1_700_000_000_999_999, 1_000_000), 1_700_000_000);
        assert_eq!(seconds(1_700_000_000_999_999_999, 1_000_000_000), 1_700_000_000);
        assert_eq!(seconds(-1, 1_000), -1);
        assert_eq!(seconds(-1, 1_000_000), 0);
    }
}
