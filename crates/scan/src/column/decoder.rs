//! The trait of column decoders: it determines what a column's values become.

use crate::interner::Interners;
use parquet::errors::Result;

/// Decodes the values of a column.
pub(crate) trait ColumnDecoder: Default {
    /// The decoded value of a row.
    type Out: Copy;

    /// Returns the sentinel of a missing value.
    fn missing() -> Self::Out;

    /// Decodes the `count` entries of a dictionary and appends them to `table`, which is empty.
    fn dictionary(
        &mut self,
        bytes: &[u8],
        count: usize,
        interners: &Interners,
        table: &mut Vec<Self::Out>,
    ) -> Result<()>;

    /// Decodes values from plain bytes until `out` is full; returns the number of bytes that they took.
    fn plain(&mut self, bytes: &[u8], interners: &Interners, out: &mut [Self::Out]) -> Result<usize>;

    /// Drops everything that belongs to one object.
    fn forget(&mut self) {}
}
