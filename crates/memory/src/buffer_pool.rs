//! Buffers that are reused: memory that was touched before is free to touch again, while the kernel clears fresh memory
//! first.

use crate::lock::lock;
use std::sync::Mutex;

/// Empty buffers of one capacity, shared by all threads.
#[derive(Debug)]
pub struct BufferPool<T> {
    buffers: Mutex<Vec<Vec<T>>>,
    capacity: usize,
}

impl<T> BufferPool<T> {
    /// Creates an empty pool of buffers that each have room for `capacity` values, at least 1.
    pub fn new(capacity: usize) -> Self {
        Self { buffers: Mutex::default(), capacity }
    }

    /// Returns an empty buffer, reused if one is available.
    pub fn take(&self) -> Vec<T> {
        self.take_some(1).pop().unwrap_or_else(|| Vec::with_capacity(self.capacity))
    }

    /// Returns up to `limit` used buffers and takes the lock once, since every call waits for the other threads.
    pub fn take_some(&self, limit: usize) -> Vec<Vec<T>> {
        let mut buffers = lock(&self.buffers);
        let rest = buffers.len().saturating_sub(limit);
        buffers.split_off(rest)
    }

    /// Keeps buffers for later use while the pool holds no more than `max_bytes`; drops the rest, and buffers of
    /// another capacity.
    pub fn give(&self, buffers: impl IntoIterator<Item = Vec<T>>, max_bytes: usize) {
        let mut given = buffers.into_iter().filter(|buffer| buffer.capacity() == self.capacity).peekable();
        if given.peek().is_none() {
            return;
        }
        let mut kept = lock(&self.buffers);
        let room = (max_bytes / self.buffer_bytes()).saturating_sub(kept.len());
        kept.extend(given.by_ref().take(room).map(|mut buffer| {
            buffer.clear();
            buffer
        }));
        drop(kept);
        given.for_each(drop);
    }

    /// Drops all buffers.
    pub fn clear(&self) {
        lock(&self.buffers).clear();
    }

    /// Returns the size of one buffer in bytes, at least 1.
    fn buffer_bytes(&self) -> usize {
        (self.capacity * size_of::<T>()).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPACITY: usize = 16;
    const BUFFER_BYTES: usize = CAPACITY * size_of::<u64>();

    #[test]
    fn buffers_come_back_empty_and_no_more_than_allowed() {
        let pool = BufferPool::<u64>::new(CAPACITY);
        let mut buffer = pool.take();
        assert_eq!((buffer.len(), buffer.capacity()), (0, CAPACITY));
        buffer.push(7);
        let at = buffer.as_ptr();
        pool.give([Vec::with_capacity(3), buffer, Vec::with_capacity(CAPACITY)], BUFFER_BYTES);
        pool.give([Vec::with_capacity(CAPACITY)], BUFFER_BYTES);
        pool.give([Vec::with_capacity(3)], usize::MAX);
        let again = pool.take();
        assert_eq!((again.len(), again.as_ptr()), (0, at));
        assert_eq!(pool.take_some(9).len(), 0, "the pool kept more than allowed");
        pool.give([again, Vec::with_capacity(CAPACITY)], usize::MAX);
        assert_eq!(pool.take_some(1).len(), 1);
        assert_eq!(pool.take_some(5).len(), 1);
        pool.give([Vec::with_capacity(CAPACITY)], BUFFER_BYTES);
        pool.clear();
        assert_eq!(pool.take_some(9).len(), 0);
    }
}
