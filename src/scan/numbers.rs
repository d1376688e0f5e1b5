//! Numbers of a record narrowed to what the rollup reads, and decoded straight from pages.

use super::Books;
use super::batch::{MISSING_BYTES, MISSING_PROTOCOL, MISSING_S};
use super::columns::MISSING;
use super::cursor::Kind;
use crate::flow::schema::to_seconds;
use arrow::datatypes::{DataType, TimeUnit};
use parquet::errors::{ParquetError, Result};
use std::marker::PhantomData;

/// A field's way from any number to the type of its column; a missing number is [`MISSING`].
pub(super) trait Narrow: Default {
    /// The column's type.
    type Out: Copy;
    /// Narrows a number.
    fn narrow(number: i64) -> Self::Out;
}

macro_rules! narrow {
    ($($(#[$doc:meta])* $name:ident: |$number:ident| -> $out:ty $body:block)*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        pub(super) struct $name;

        impl Narrow for $name {
            type Out = $out;
            #[inline(always)]
            fn narrow($number: i64) -> $out $body
        }
    )*};
}

narrow! {
    /// Times in any unit.
    Seconds: |time| -> u32 { u32::try_from(to_seconds(time)).unwrap_or(MISSING_S) }
    /// Ports.
    Port: |port| -> u16 { u16::try_from(port).unwrap_or(0) }
    /// IANA protocol numbers.
    Protocol: |number| -> u16 { u8::try_from(number).map_or(MISSING_PROTOCOL, u16::from) }
    /// Packet counts.
    Packets: |number| -> u32 { u32::try_from(number.max(0)).unwrap_or(u32::MAX) }
    /// Byte counts.
    Volume: |number| -> u64 { u64::try_from(number).unwrap_or(MISSING_BYTES) }
    /// TCP flags.
    Flags: |flags| -> u8 { u8::try_from(flags).unwrap_or(0) }
}

/// How a number lies in a page, and what makes it a whole number or a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Stored {
    /// 32 bits with sign.
    #[default]
    I32,
    /// 32 bits without sign.
    U32,
    /// 64 bits, with sign or without.
    I64,
    /// A timestamp in 64 bits of which a second has so many: milli-, micro- or nanoseconds.
    Ticks(i64),
}

impl Stored {
    /// Tells how numbers of an Arrow type lie in a page; `None` for types that take the long way.
    pub(super) fn of(kind: &DataType) -> Option<Self> {
        Some(match kind {
            DataType::Int32 => Stored::I32,
            DataType::UInt32 => Stored::U32,
            DataType::Int64 | DataType::UInt64 => Stored::I64,
            DataType::Timestamp(TimeUnit::Millisecond, _) => Stored::Ticks(1_000),
            DataType::Timestamp(TimeUnit::Microsecond, _) => Stored::Ticks(1_000_000),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => Stored::Ticks(1_000_000_000),
            _ => return None,
        })
    }

    fn size(self) -> usize {
        match self {
            Stored::I32 | Stored::U32 => 4,
            Stored::I64 | Stored::Ticks(_) => 8,
        }
    }
}

/// Decodes a column of numbers.
#[derive(Default)]
pub(super) struct Numbers<N> {
    pub(super) stored: Stored,
    narrow: PhantomData<N>,
}

impl<N: Narrow> Numbers<N> {
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
            Stored::I32 => four(bytes, out, |bytes| N::narrow(i64::from(i32::from_le_bytes(bytes)))),
            Stored::U32 => four(bytes, out, |bytes| N::narrow(i64::from(u32::from_le_bytes(bytes)))),
            Stored::I64 => eight(bytes, out, N::narrow),
            Stored::Ticks(second) => eight(bytes, out, |ticks| N::narrow(seconds(ticks, second))),
        }
    }
}

/// Whole seconds of a timestamp, by way of whole milliseconds as everywhere else.
fn seconds(ticks: i64, second: i64) -> i64 {
    (ticks / (second / 1_000)).div_euclid(1_000)
}

impl<N: Narrow> Kind for Numbers<N> {
    type Out = N::Out;

    fn missing() -> N::Out {
        N::narrow(MISSING)
    }

    fn dictionary(&mut self, bytes: &[u8], count: usize, _: &Books, table: &mut Vec<N::Out>) -> Result<()> {
        let size = self.stored.size();
        if bytes.len() / size < count {
            return Err(ParquetError::General(format!("dictionary of {count} numbers in {} bytes", bytes.len())));
        }
        table.resize(count, Self::missing());
        self.fill(bytes, table);
        Ok(())
    }

    fn plain(&mut self, bytes: &[u8], _: &Books, out: &mut [N::Out]) -> Result<usize> {
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

    #[test]
    fn what_does_not_fit_is_missing() {
        assert_eq!(Port::narrow(65_536), 0);
        assert_eq!(Protocol::narrow(256), MISSING_PROTOCOL);
        assert_eq!(Packets::narrow(1 << 40), u32::MAX);
        assert_eq!((Packets::narrow(MISSING), Volume::narrow(-1)), (0, MISSING_BYTES));
        assert_eq!((Seconds::narrow(MISSING), Seconds::narrow(1 << 32)), (MISSING_S, MISSING_S));
    }
}
