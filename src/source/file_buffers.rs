//! Reuses the buffers that files are read into: the system has already mapped their memory.

use memory::lock;
use std::sync::{Arc, Mutex};

/// Buffers kept for the next files: as many as are read from a disk at a time.
const MAX_KEPT: usize = 4;
/// Larger buffers are freed.
const MAX_KEPT_BYTES: usize = 16 << 20;

/// The buffers that are free.
#[derive(Debug, Default)]
pub(super) struct FileBuffers(Mutex<Vec<Vec<u8>>>);

/// The bytes of one file; dropping it returns its buffer.
#[derive(Debug)]
pub(super) struct FileBuffer {
    pub(super) bytes: Vec<u8>,
    home: Arc<FileBuffers>,
}

impl FileBuffers {
    /// Returns an empty buffer with room for `length` bytes.
    pub(super) fn take(self: &Arc<Self>, length: usize) -> FileBuffer {
        let kept = lock(&self.0).pop();
        let mut bytes = kept.unwrap_or_default();
        // Allocated anew rather than grown: growing would copy old bytes.
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
        if bytes.capacity() <= MAX_KEPT_BYTES {
            bytes.clear();
            let mut kept = lock(&self.home.0);
            if kept.len() < MAX_KEPT {
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
        drop(buffers.take(MAX_KEPT_BYTES + 1));
        drop((second, again));
        assert!(buffers.0.lock().unwrap().iter().all(|kept| kept.capacity() <= MAX_KEPT_BYTES));
    }
}
