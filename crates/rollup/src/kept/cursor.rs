//! Numbers and texts one after the other, as a file's head holds them.

use super::error::{KeptError, damaged};

/// Reads values from the front of a slice; what is too short is damaged.
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Cursor<'a> {
    /// Begins to read `bytes`; `what` names them in errors.
    pub(super) fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { rest: bytes, what }
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], KeptError> {
        let (bytes, rest) = self.rest.split_at_checked(count).ok_or(damaged(self.what))?;
        self.rest = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], KeptError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(damaged(self.what))?;
        self.rest = rest;
        Ok(*bytes)
    }

    pub(super) fn u8(&mut self) -> Result<u8, KeptError> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, KeptError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, KeptError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn u128(&mut self) -> Result<u128, KeptError> {
        self.array().map(u128::from_le_bytes)
    }

    /// Returns a length that was written as 32 bits.
    pub(super) fn length(&mut self) -> Result<usize, KeptError> {
        Ok(self.u32()? as usize)
    }

    pub(super) fn text(&mut self) -> Result<String, KeptError> {
        let length = self.length()?;
        let bytes = self.bytes(length)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| damaged(self.what))
    }

    /// Returns as many values as the next number says.
    pub(super) fn list<T>(&mut self, read: impl Fn(&mut Self) -> Result<T, KeptError>) -> Result<Vec<T>, KeptError> {
        let count = self.length()?;
        (0..count).map(|_| read(self)).collect()
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`KeptError::Damaged`] when something is left.
    pub(super) fn end(self) -> Result<(), KeptError> {
        if self.rest.is_empty() { Ok(()) } else { Err(damaged(self.what)) }
    }
}

pub(super) fn put_u32(number: usize, out: &mut Vec<u8>) {
    // No list of one unit comes near the limit; a longer one would not be read back, and its unit scanned anew.
    out.extend_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
}

pub(super) fn put_text(text: &str, out: &mut Vec<u8>) {
    put_u32(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}
