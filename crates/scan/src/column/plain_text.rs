//! Plainly encoded texts: each follows its length, in 4 bytes.

use parquet::errors::{ParquetError, Result};

/// Walks the texts of a page.
pub(crate) struct PlainTexts<'a> {
    bytes: &'a [u8],
    /// Bytes that were read.
    pub(crate) at: usize,
}

impl<'a> PlainTexts<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Returns the next text's bytes.
    ///
    /// # Errors
    /// When it ends beyond the page.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<&'a [u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let text = rest.split_first_chunk::<4>().and_then(|(length, rest)| {
            let length = u32::from_le_bytes(*length) as usize;
            rest.get(..length)
        });
        let text = text.ok_or_else(|| ParquetError::General("text ends beyond its page".to_owned()))?;
        self.at += 4 + text.len();
        Ok(text)
    }
}

/// Validates that bytes are UTF-8.
///
/// # Errors
/// When they are not.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|error| ParquetError::General(format!("text is not UTF-8: {error}")))
}
