//! Buffers that files are read into and that serve the next file: memory that was touched before costs nothing to touch
//! again.

use std::sync::{Arc, Mutex, PoisonError};

/// Buffers kept for the next file; as many are read at a time from a disk.
const KEPT: usize = 4;
/// Larger buffers are let go.
const KEPT_BYTES: usize = 16 << 20;

/// Buffers that no file is in.
#[derive(Debug, Default)]
pub(super) struct FileBuffers(Mutex<Vec<Vec<u8>>>);

/// The bytes of one file; its buffer is kept for the next when it is dropped.
#[derive(Debug)]
pub(super) struct FileBuffer {
    pub(super) bytes: Vec<u8>,
    home: Arc<FileBuffers>,
}

impl FileBuffers {
    /// An empty buffer with room for `length` bytes.
    pub(super) fn take(self: &Arc<Self>, length: usize) -> FileBuffer {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut bytes = kept.unwrap_or_default();
        // Made anew rather than grown: what it held is of no use.
        if bytes.capacity() < length {
            bytes = Vec::with_capacity(length + length / 8);
        }
        FileBuffer { bytes, home: self.clone() }
    }
}

impl AsRef<[u8]> for FileBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for FileBuffer {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        if bytes.capacity() <= KEPT_BYTES {
            bytes.clear();
            let mut kept = self.home.0.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() < KEPT {
                kept.push(bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_serve_again_and_come_empty() {
        let buffers = Arc::new(FileBuffers::default());
        let mut first = buffers.take(100);
        first.bytes.extend_from_slice(&[7; 100]);
        let at = first.bytes.as_ptr();
        let second = buffers.take(10);
        assert!(second.bytes.as_ptr() != at, "the first is in use");
        drop(first);
        let again = buffers.take(50);
        assert_eq!((again.bytes.as_ptr(), again.as_ref()), (at, &[][..]));
        drop(buffers.take(KEPT_BYTES + 1));
        drop((second, again));
        assert!(buffers.0.lock().unwrap().iter().all(|kept| kept.capacity() <= KEPT_BYTES));
    }
}
