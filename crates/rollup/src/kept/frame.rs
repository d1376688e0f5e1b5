//! A block of bytes as it stands in a file: compressed where that makes it shorter, with a checksum.

use super::cursor::Cursor;
use super::error::{KeptError, damaged};
use std::borrow::Cow;
use std::cell::RefCell;
use zstd::bulk::{Compressor, Decompressor};

/// Fast, and these columns gain little from higher ones.
const LEVEL: i32 = 1;

/// A block as it stands in a file.
pub(super) struct Frame {
    bytes: Vec<u8>,
    head: FrameHead,
}

/// What a file's head says of a block.
#[derive(Clone, Copy)]
pub(super) struct FrameHead {
    /// Bytes in the file.
    length: usize,
    /// Bytes when inflated; as many as in the file when the block is not compressed.
    inflated: usize,
    crc32: u32,
}

thread_local! {
    /// Each takes some hundred kilobytes, which are cleared when it is made.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Returns the checksum of bytes (CRC-32).
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = libdeflater::Crc::new();
    sum.update(bytes);
    sum.sum()
}

impl Frame {
    /// Packs a block.
    pub(super) fn pack(block: Vec<u8>) -> Self {
        let inflated = block.len();
        let bytes = compressed(&block).filter(|shorter| shorter.len() < inflated).unwrap_or(block);
        Self { head: FrameHead { length: bytes.len(), inflated, crc32: crc32(&bytes) }, bytes }
    }

    pub(super) fn head(&self) -> FrameHead {
        self.head
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl FrameHead {
    /// Bytes of a head in a file.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.length as u64).to_le_bytes());
        out.extend_from_slice(&(self.inflated as u64).to_le_bytes());
        out.extend_from_slice(&self.crc32.to_le_bytes());
    }

    pub(super) fn take(head: &mut Cursor<'_>) -> Result<Self, KeptError> {
        let size = |number: u64| usize::try_from(number).map_err(|_| damaged("head"));
        Ok(Self { length: size(head.u64()?)?, inflated: size(head.u64()?)?, crc32: head.u32()? })
    }

    /// Returns the bytes of the block in the file.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Returns the block that was packed into `bytes`; `what` names it in errors.
    pub(super) fn unpack<'a>(&self, bytes: &'a [u8], what: &'static str) -> Result<Cow<'a, [u8]>, KeptError> {
        if bytes.len() != self.length || crc32(bytes) != self.crc32 {
            return Err(damaged(what));
        }
        if self.inflated == self.length {
            return Ok(Cow::Borrowed(bytes));
        }
        let block = inflated(bytes, self.inflated).filter(|block| block.len() == self.inflated);
        block.map(Cow::Owned).ok_or(damaged(what))
    }
}

fn compressed(block: &[u8]) -> Option<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|compressor| {
        let compressor = match compressor {
            Some(compressor) => compressor,
            none => none.insert(Compressor::new(LEVEL).ok()?),
        };
        compressor.compress(block).ok()
    })
}

fn inflated(bytes: &[u8], length: usize) -> Option<Vec<u8>> {
    DECOMPRESSOR.with_borrow_mut(|decompressor| {
        let decompressor = match decompressor {
            Some(decompressor) => decompressor,
            none => none.insert(Decompressor::new().ok()?),
        };
        decompressor.decompress(bytes, length).ok()
    })
}
